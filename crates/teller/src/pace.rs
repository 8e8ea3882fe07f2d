use ledger::Micros;

/// How far the wall clock may be from the steady one and still be followed, microseconds.
const FOLLOWED: i64 = 5 * 60 * 1_000_000;

/// A moment by which decisions are made (M7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paced {
    /// The wall clock is followed.
    Follows(Micros),
    /// The wall clock leapt: time goes on steadily, as if it had not, until the process is started again.
    Leapt(Micros),
}

impl Paced {
    /// The moment.
    pub const fn at(self) -> Micros {
        match self {
            Paced::Follows(at) | Paced::Leapt(at) => at,
        }
    }
}

/// The next moment after `last`, when `passed` microseconds went by since on the monotonic clock and the wall shows `wall`.
///
/// Promise: time never goes back, and never steps by more than five minutes beyond what passed. Source: M7.
pub fn pace(last: Micros, passed: i64, wall: Micros) -> Paced {
    let steady = Micros::new(last.get().saturating_add(passed.max(0)));
    let off = wall.since(steady);
    if off.saturating_abs() <= FOLLOWED { Paced::Follows(wall.max(last)) } else { Paced::Leapt(steady) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m7_time_follows_the_wall_within_five_minutes_and_never_leaps_or_goes_back() {
        use Paced::*;
        const SECOND: i64 = 1_000_000;
        let at = |seconds: i64| Micros::from_seconds(1_795_400_000 + seconds);
        let table = [
            ("a second passed", SECOND, at(1), Follows(at(1))),
            ("mended by a minute", SECOND, at(61), Follows(at(61))),
            ("mended backwards: it stands", SECOND, at(-60), Follows(at(0))),
            ("at the bound", SECOND, at(301), Follows(at(301))),
            ("beyond it", SECOND, Micros::new(at(301).get() + 1), Leapt(at(1))),
            ("a day ahead", SECOND, at(86_400), Leapt(at(1))),
            ("a day back", SECOND, at(-86_400), Leapt(at(1))),
            ("the monotonic clock stood", 0, at(0), Follows(at(0))),
            ("a long batch", 3600 * SECOND, at(3600), Follows(at(3600))),
        ];
        for (what, passed, wall, expected) in table {
            let paced = pace(at(0), passed, wall);
            assert_eq!(paced, expected, "{what}");
            let (Follows(moment) | Leapt(moment)) = expected;
            assert_eq!(paced.at(), moment, "{what}");
        }
    }
}
