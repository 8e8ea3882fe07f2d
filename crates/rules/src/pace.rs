//! How often something may be done: a bucket of chances that fills up evenly.
//!
//! A bucket is one moment: when it will be full again. So what is kept of somebody is eight bytes, and nothing at all once the
//! moment has passed. Source: the generic cell rate algorithm (ITU-T I.371).

use ledger::Micros;

/// So many times at once, and as many in every so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many times; at least 1.
    pub times: i64,
    /// In how many seconds; at least 1.
    pub seconds: i64,
}

/// Too often: so many seconds until the next chance, rounded up; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// Seconds.
    pub wait: i64,
}

impl Pace {
    /// Microseconds in which one chance comes back.
    fn apart(self) -> i64 {
        let whole = self.seconds.max(1).saturating_mul(1_000_000);
        whole.checked_div(self.times.max(1)).unwrap_or(whole).max(1)
    }

    /// Takes one chance at `now` out of a bucket that is full again at `full_at`; gives when it is full then.
    ///
    /// Errors: [`TooOften`]; then nothing was taken. Repeats: every call takes one.
    pub fn take(self, full_at: Option<Micros>, now: Micros) -> Result<Micros, TooOften> {
        let after = full_at.unwrap_or(now).max(now).get().saturating_add(self.apart());
        let room = self.apart().saturating_mul(self.times.max(1));
        let too_far = after.saturating_sub(now.get()).saturating_sub(room);
        if too_far > 0 {
            let wait = too_far.saturating_add(999_999).checked_div(1_000_000).unwrap_or(1);
            return Err(TooOften { wait: wait.max(1) });
        }
        Ok(Micros::new(after))
    }

    /// Puts back one chance that was taken for nothing.
    pub fn give_back(self, full_at: Micros) -> Micros {
        Micros::new(full_at.get().saturating_sub(self.apart()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_gives_so_many_at_once_and_then_one_at_a_time() {
        let pace = Pace { times: 60, seconds: 60 };
        let start = Micros::from_seconds(1_000);
        let mut full = None;
        for time in 0..60 {
            full = Some(pace.take(full, start).unwrap_or_else(|_| panic!("time {time}")));
        }
        assert_eq!(pace.take(full, start), Err(TooOften { wait: 1 }));
        let almost = Micros::new(start.after_seconds(1).get() - 1);
        assert_eq!(pace.take(full, almost), Err(TooOften { wait: 1 }));
        let next = pace.take(full, start.after_seconds(1)).expect("one came back");
        assert_eq!(pace.take(Some(next), start.after_seconds(1)), Err(TooOften { wait: 1 }));
        let rested = start.after_seconds(61);
        let mut full = Some(next);
        assert_eq!((0..100).filter(|_| pace.take(full, rested).inspect(|at| full = Some(*at)).is_ok()).count(), 60);
    }

    #[test]
    fn a_chance_that_is_given_back_can_be_taken_again() {
        let pace = Pace { times: 2, seconds: 600 };
        let now = Micros::from_seconds(1_000);
        let one = pace.take(None, now).expect("the first");
        let two = pace.take(Some(one), now).expect("the second");
        assert_eq!(pace.take(Some(two), now), Err(TooOften { wait: 300 }));
        assert_eq!(pace.give_back(two), one);
        assert_eq!(pace.take(Some(pace.give_back(two)), now), Ok(two));
    }

    #[test]
    fn a_pace_of_nonsense_still_lets_something_through_and_never_fails() {
        let table = [(0, 0), (-5, 60), (i64::MAX, 1), (1, i64::MAX)];
        for (times, seconds) in table {
            let pace = Pace { times, seconds };
            assert!(pace.take(None, Micros::from_seconds(5)).is_ok(), "{pace:?}");
        }
    }
}
