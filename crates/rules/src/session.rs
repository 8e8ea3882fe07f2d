//! How long a holder's session lives, and which passwords it outlives.

use ledger::Micros;

use crate::password::Secret;

/// A holder's session ends when it was not used for so many seconds.
pub const HOLDER_IDLE: i64 = 1_800;
/// It ends so many seconds after it was made at the latest.
pub const HOLDER_LIFE: i64 = 604_800;
/// Its last use is written down again when so many seconds passed since.
pub const SEEN_EVERY: i64 = 60;

/// When a session was made, last used, and ends at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Made.
    pub made_at: Micros,
    /// Last used.
    pub seen_at: Micros,
    /// Ends then at the latest.
    pub ends_at: Micros,
}

/// The moment that a session or a password made at `now` is given: later than the password it rests on.
///
/// So a session rests on the present password exactly if it was made after it, even if the clock stands still and even if
/// both happen in one batch.
pub fn made_at(secret: &Secret, now: Micros) -> Micros {
    match secret {
        Secret::Initial => now,
        Secret::Own { set_at, .. } => now.max(Micros::new(set_at.get().saturating_add(1))),
    }
}

/// A session made at `now` by a holder whose password is `secret`.
pub fn new(secret: &Secret, now: Micros) -> Times {
    let made_at = made_at(secret, now);
    Times { made_at, seen_at: now, ends_at: made_at.after_seconds(HOLDER_LIFE) }
}

/// Whether a session lives at `now`: used less than [`HOLDER_IDLE`] ago, not at its end, and made after the password that
/// now holds. At the very end of either time it is over.
pub fn lives(times: &Times, secret: &Secret, now: Micros) -> bool {
    let resting = match secret {
        Secret::Initial => true,
        Secret::Own { set_at, .. } => times.made_at > *set_at,
    };
    resting && now < times.ends_at && now < times.seen_at.after_seconds(HOLDER_IDLE)
}

/// Whether the last use is to be written down again.
pub fn seen_is_old(times: &Times, now: Micros) -> bool {
    now >= times.seen_at.after_seconds(SEEN_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(set_at: i64) -> Secret {
        Secret::Own { hash: "h".to_owned(), set_at: Micros::new(set_at) }
    }

    #[test]
    fn a_session_ends_exactly_at_its_idle_time_and_at_its_absolute_end() {
        let start = Micros::from_seconds(1_000);
        let fresh = new(&Secret::Initial, start);
        let used = |seconds| Times { seen_at: start.after_seconds(seconds), ..fresh };
        let table = [
            ("idle for all but a moment", fresh, start.after_seconds(1_800).get() - 1, true),
            ("idle for the whole time", fresh, start.after_seconds(1_800).get(), false),
            ("used in between", used(1_799), start.after_seconds(1_800).get(), true),
            ("a moment before its end", used(604_000), start.after_seconds(604_800).get() - 1, true),
            ("at its end", used(604_000), start.after_seconds(604_800).get(), false),
            ("seen by a clock that is behind", fresh, start.get() - 5, true),
        ];
        for (name, times, now, expected) in table {
            assert_eq!(lives(&times, &Secret::Initial, Micros::new(now)), expected, "{name}");
        }
        assert!(!seen_is_old(&fresh, Micros::new(start.after_seconds(60).get() - 1)));
        assert!(seen_is_old(&fresh, start.after_seconds(60)));
    }

    #[test]
    fn a_session_rests_on_the_password_it_was_made_under_even_when_the_clock_stands_still() {
        let now = Micros::new(500);
        let first = own(500);
        let under_first = new(&first, now);
        let Secret::Own { set_at, .. } = own(made_at(&first, now).get()) else { panic!("own is own") };
        let second = own(set_at.get());
        let under_second = new(&second, now);
        let table = [
            ("initial session, initial password", new(&Secret::Initial, now), &Secret::Initial, true),
            ("initial session, first password", new(&Secret::Initial, now), &first, false),
            ("first session, first password", under_first, &first, true),
            ("first session, second password", under_first, &second, false),
            ("second session, second password", under_second, &second, true),
        ];
        for (name, times, secret, expected) in table {
            assert_eq!(lives(&times, secret, now), expected, "{name}");
        }
    }
}
