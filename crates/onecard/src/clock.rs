//! The one place where the clocks are read.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use flows::ports::Clock;
use ledger::{Id, Micros};
use teller::{IdSource, Paced, pace};

use crate::prompt::minute;

/// Further than this the wall clock is not followed unasked, microseconds (M7).
pub const FOLLOWED: i64 = 5 * 60 * 1_000_000;

/// The machine's clock, kept steady: it follows the wall by small steps and never leaps or goes back (M7). All of a
/// school's decisions and deadlines use one of these.
pub struct SteadyClock(Mutex<Running>);

struct Running {
    steady: Steady,
    read: Instant,
}

impl SteadyClock {
    /// A clock that begins at what the wall shows.
    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    pub fn new() -> SteadyClock {
        SteadyClock(Mutex::new(Running { steady: Steady::new(wall()), read: Instant::now() }))
    }

    /// The book's newest block was made at `newest`: time does not begin before it. A wall that is more than five minutes
    /// behind it has leapt, or had leapt when the block was made.
    pub fn not_before(&self, newest: Micros) {
        self.work(|steady, wall| steady.not_before(newest, wall));
    }

    /// An administrator says that the wall is right. Repeats, and with no leap: change nothing.
    pub fn confirm(&self) {
        self.work(Steady::confirm);
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    fn work(&self, change: impl FnOnce(&mut Steady, Micros)) -> Steady {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, wall) = (Instant::now(), wall());
        let passed = i64::try_from(read.duration_since(running.read).as_micros()).unwrap_or(i64::MAX);
        let before = running.steady;
        running.read = read;
        running.steady.step(passed, wall);
        change(&mut running.steady, wall);
        tell(before.way, running.steady, wall);
        running.steady
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Micros {
        self.work(|_, _| {}).at
    }

    fn leapt(&self) -> bool {
        self.work(|_, _| {}).way == Way::Leapt
    }
}

/// Says once when the clock begins or ends to be doubtful.
fn tell(before: Way, now: Steady, wall: Micros) {
    match (before, now.way) {
        (Way::Follows | Way::Behind { .. }, Way::Leapt) => tracing::error!(
            "ALARM: the machine's clock shows {}, by the time that passed it should be {} (UTC+8). It is not followed: \
             sales go on, orders are neither looked after, expired nor closed. Set the machine's clock right, then run \
             `onecard doctor --confirm-clock`",
            minute(wall),
            minute(now.at),
        ),
        (Way::Leapt, Way::Follows) => tracing::warn!("the machine's clock is followed again; what is due goes on"),
        (Way::Leapt, Way::Behind { .. }) => tracing::warn!(
            "the machine's clock was confirmed; time never goes back, so it goes at half its pace until {} is past",
            minute(now.at)
        ),
        _ => {}
    }
}

/// Time as decisions see it, without the clocks themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Steady {
    at: Micros,
    way: Way,
}

/// How time goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// With the wall.
    Follows,
    /// By what passes, until the wall agrees again or somebody confirms it.
    Leapt,
    /// The wall is right and earlier: at half pace, until it has caught up.
    Behind {
        /// What it showed last.
        wall: Micros,
    },
}

impl Steady {
    const fn new(wall: Micros) -> Steady {
        Steady { at: wall, way: Way::Follows }
    }

    fn step(&mut self, passed: i64, wall: Micros) {
        let paced = pace(self.at, passed, wall);
        match (self.way, paced) {
            (_, Paced::Follows(at)) => *self = Steady { at, way: Way::Follows },
            (Way::Behind { wall: before }, Paced::Leapt(_)) if steps_with(before, passed, wall) => {
                let half = passed.max(0).checked_div(2).unwrap_or(0);
                *self = Steady { at: Micros::new(self.at.get().saturating_add(half)), way: Way::Behind { wall } };
            }
            (_, Paced::Leapt(at)) => *self = Steady { at, way: Way::Leapt },
        }
    }

    fn not_before(&mut self, newest: Micros, wall: Micros) {
        if newest.since(wall) > FOLLOWED {
            *self = Steady { at: self.at.max(newest), way: Way::Leapt };
        } else {
            self.at = self.at.max(newest);
        }
    }

    fn confirm(&mut self, wall: Micros) {
        if self.way != Way::Leapt {
            return;
        }
        *self = match wall >= self.at {
            true => Steady { at: wall, way: Way::Follows },
            false => Steady { at: self.at, way: Way::Behind { wall } },
        };
    }
}

/// Whether the wall went on from `before` as time passed.
fn steps_with(before: Micros, passed: i64, wall: Micros) -> bool {
    let expected = Micros::new(before.get().saturating_add(passed.max(0)));
    wall.since(expected).saturating_abs() <= FOLLOWED
}

/// What the wall shows.
#[expect(clippy::disallowed_methods, reason = "this is the clock port")]
pub fn wall() -> Micros {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Micros::new(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Microseconds that `work` takes, and what it gives.
#[expect(clippy::disallowed_methods, reason = "a measurement of this machine")]
pub fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let begun = Instant::now();
    let given = work();
    (u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), given)
}

/// Time-ordered identifiers from the system's entropy, never one below the one before.
pub struct Ids {
    entropy: keys::SystemEntropy,
    /// Drawn in one piece: a draw costs as much as the rest of a transfer.
    drawn: [[u8; 8]; 128],
    used: usize,
    last: u128,
}

impl Ids {
    /// A fresh source.
    pub fn new() -> Ids {
        Ids { entropy: keys::SystemEntropy, drawn: [[0; 8]; 128], used: 128, last: 0 }
    }
}

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        let bytes = match self.drawn.get(self.used) {
            Some(bytes) => *bytes,
            None => {
                self.used = 0;
                flows::ports::Entropy::fill(&self.entropy, self.drawn.as_flattened_mut());
                self.drawn[0]
            }
        };
        self.used += 1;
        let id = Id::time_ordered(now, bytes).get().max(self.last.saturating_add(1));
        self.last = id;
        Id::new(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Micros {
        Micros::from_seconds(1_795_400_000 + seconds)
    }

    /// Steps of a second each; gives the last moment.
    fn run(steady: &mut Steady, wall: impl Fn(i64) -> Micros, from: i64, seconds: i64) {
        for second in from..from + seconds {
            let before = steady.at;
            steady.step(SECOND, wall(second));
            assert!(steady.at >= before, "time went back");
        }
    }

    #[test]
    fn m7_a_leap_is_not_followed_until_it_is_confirmed_and_then_time_goes_on_from_there() {
        let mut steady = Steady::new(at(0));
        run(&mut steady, at, 1, 10);
        run(&mut steady, |second| at(second + DAY), 11, 100);
        assert_eq!(steady, Steady { at: at(110), way: Way::Leapt }, "a day ahead");
        steady.confirm(at(110 + DAY));
        assert_eq!(steady, Steady { at: at(110 + DAY), way: Way::Follows });
        run(&mut steady, |second| at(second + DAY), 111, 10);
        assert_eq!(steady.at, at(120 + DAY));
    }

    #[test]
    fn m7_a_clock_that_leaps_and_comes_back_stayed_right_all_the_time() {
        let mut steady = Steady::new(at(0));
        run(&mut steady, |second| at(second + DAY), 1, 100);
        assert_eq!(steady.way, Way::Leapt);
        run(&mut steady, at, 101, 1);
        assert_eq!(steady, Steady { at: at(101), way: Way::Follows });
        steady.confirm(at(102 + DAY));
        assert_eq!(steady.at, at(101), "there is nothing to confirm");
    }

    #[test]
    fn m7_a_confirmed_step_back_slows_time_down_and_never_turns_it_back() {
        let mut steady = Steady::new(at(3_600));
        run(&mut steady, at, 1, 1);
        assert_eq!(steady, Steady { at: at(3_601), way: Way::Leapt }, "the wall is an hour behind");
        steady.confirm(at(1));
        run(&mut steady, at, 2, 600);
        assert_eq!(steady, Steady { at: at(3_901), way: Way::Behind { wall: at(601) } }, "half pace");
        run(&mut steady, at, 602, 7_000);
        assert_eq!(steady, Steady { at: at(7_601), way: Way::Follows }, "caught up");
    }

    #[test]
    fn m7_another_leap_while_catching_up_is_a_leap() {
        for leap in [DAY, -DAY] {
            let mut steady = Steady { at: at(3_600), way: Way::Behind { wall: at(0) } };
            run(&mut steady, at, 1, 10);
            run(&mut steady, |second| at(second + leap), 11, 1);
            assert_eq!(steady.way, Way::Leapt, "{leap}");
        }
    }

    #[test]
    fn m7_a_wall_behind_the_newest_block_by_more_than_five_minutes_is_a_leap_at_the_start() {
        let table = [
            (0, Steady { at: at(0), way: Way::Follows }),
            (-DAY, Steady { at: at(0), way: Way::Follows }),
            (300, Steady { at: at(300), way: Way::Follows }),
            (301, Steady { at: at(301), way: Way::Leapt }),
            (DAY, Steady { at: at(DAY), way: Way::Leapt }),
        ];
        for (newest, expected) in table {
            let mut steady = Steady::new(at(0));
            steady.not_before(at(newest), at(0));
            assert_eq!(steady, expected, "the newest block is {newest} s ahead");
        }
    }
}
