//! What programs say they have counted.

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    /// So many checks, none failed.
    pub fn passed(checks: usize) -> Counts {
        Counts { passed: u64::try_from(checks).unwrap_or(u64::MAX), failed: 0 }
    }

    /// The sum of both.
    pub fn plus(self, other: Counts) -> Counts {
        Counts { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }

    /// What failed, although the program ended well.
    pub fn fault(self) -> Option<String> {
        (self.failed > 0).then(|| format!("{} of its checks failed", self.failed))
    }

    /// A step that failed has at least one failure, whatever it counted.
    pub fn settled(self, failed: bool) -> Counts {
        Counts { failed: if failed { self.failed.max(1) } else { self.failed }, ..self }
    }
}

/// How the output of a program is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// The whole run is one check.
    Once,
    /// The sums of `test result:` lines; ignored tests are failures, and so is a run without any test.
    CargoTest,
    /// The last line of the form `12 passed, 0 failed`, which must be there.
    Summary,
    /// That line if there is one; else the whole run is one check.
    SummaryOrOnce,
}

impl Counting {
    /// Counts the lines of a program that ended well or not.
    pub fn read(self, lines: &[String], success: bool) -> Result<Counts, String> {
        let once = Counts { passed: u64::from(success), failed: u64::from(!success) };
        let last = || lines.iter().rev().find_map(|line| read_summary(line));
        match self {
            Counting::Once => Ok(once),
            Counting::Summary => last().ok_or_else(|| "it printed no line `N passed, M failed`".to_owned()),
            Counting::SummaryOrOnce => Ok(last().unwrap_or(once)),
            Counting::CargoTest => {
                let counts = lines.iter().filter_map(|line| read_cargo(line)).fold(Counts::default(), Counts::plus);
                if counts == Counts::default() { Err("no test ran".to_owned()) } else { Ok(counts) }
            }
        }
    }
}

/// The line that ends a run.
pub fn summary(counts: Counts) -> String {
    format!("{} passed, {} failed", counts.passed, counts.failed)
}

fn read_summary(line: &str) -> Option<Counts> {
    let (passed, failed) = line.trim().strip_suffix(" failed")?.split_once(" passed, ")?;
    Some(Counts { passed: passed.parse().ok()?, failed: failed.parse().ok()? })
}

/// `test result: ok. 22 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 4.28s`
fn read_cargo(line: &str) -> Option<Counts> {
    let (_, rest) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| rest.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok());
    Some(Counts { passed: count("passed")?, failed: count("failed")? + count("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn results_of_cargo_are_summed_and_ignored_tests_fail() {
        let text = "\
running 22 tests
test roster ... ok
test result: ok. 22 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 4.28s
test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
error: 1 target failed
";
        assert_eq!(Counting::CargoTest.read(&lines(text), false), Ok(Counts { passed: 25, failed: 3 }));
        assert_eq!(Counting::CargoTest.read(&lines("Finished\n"), true), Err("no test ran".to_owned()));
    }

    #[test]
    fn the_last_summary_counts_and_may_be_required() {
        let text = "3 passed, 1 failed\nretry\n41 passed, 0 failed\nbye\n";
        let wanted = Ok(Counts { passed: 41, failed: 0 });
        assert_eq!(Counting::Summary.read(&lines(text), true), wanted);
        assert_eq!(Counting::SummaryOrOnce.read(&lines(text), true), wanted);
        assert!(Counting::Summary.read(&lines("all good, 0 failed\n"), true).is_err());
        let once = |success| Counting::SummaryOrOnce.read(&lines("seed 200\n"), success);
        assert_eq!(once(true), Ok(Counts { passed: 1, failed: 0 }));
        assert_eq!(once(false), Ok(Counts { passed: 0, failed: 1 }));
    }

    #[test]
    fn a_failed_step_counts_at_least_one_failure() {
        let good = Counts { passed: 5, failed: 0 };
        assert_eq!(good.settled(true), Counts { passed: 5, failed: 1 });
        assert_eq!(good.settled(false), good);
        assert_eq!(Counts { passed: 5, failed: 3 }.settled(true).failed, 3);
        assert_eq!(good.fault(), None);
        assert!(Counts { passed: 5, failed: 3 }.fault().is_some());
        assert_eq!(read_summary(&summary(good)), Some(good));
    }
}
