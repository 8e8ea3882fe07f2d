//! A target as a bound, and whether a figure keeps it. What was not measured is skipped, never met.

use super::result::{Target, Verdict, decimal};

/// Why a target is not judged that has figures.
pub const DISTURBED: &str = "only disturbed runs: measure again on a quieter machine";

/// How a measured value stands to its bound when the target is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// Not less.
    AtLeast,
    /// Not more.
    AtMost,
    /// Less.
    Below,
}

/// A target whose measured value is in hundredths.
pub struct Bound {
    /// Number of the target.
    pub id: &'static str,
    /// What is compared.
    pub what: String,
    /// How.
    pub must: Must,
    /// With what.
    pub hundredths: u64,
    /// Stands behind both values.
    pub unit: &'static str,
}

impl Bound {
    /// A figure that is told, and judged unless there is a reason not to.
    pub fn judged(self, measured: Option<u64>, reason_not_to: Option<&str>, note: &str) -> Target {
        let mut target = self.target(measured, note);
        if let Some(reason) = reason_not_to.filter(|_| measured.is_some()) {
            target.verdict = Verdict::Skipped;
            target.note = reason.to_owned();
        }
        target
    }

    /// A figure that is told and judged; skipped when there is none.
    pub fn target(self, measured: Option<u64>, note: &str) -> Target {
        let Bound { id, what, must, hundredths: bound, unit } = self;
        let (sign, met): (_, fn(&u64, &u64) -> bool) = match must {
            Must::AtLeast => (">=", u64::ge),
            Must::AtMost => ("<=", u64::le),
            Must::Below => ("<", u64::lt),
        };
        Target {
            id,
            what,
            target: format!("{sign} {}{unit}", decimal(bound)),
            measured: measured.map_or(String::new(), |value| format!("{}{unit}", decimal(value))),
            measured_hundredths: measured,
            verdict: match measured {
                None => Verdict::Skipped,
                Some(value) if met(&value, &bound) => Verdict::Met,
                Some(_) => Verdict::NotMet,
            },
            note: note.to_owned(),
        }
    }
}

/// The figures of a quick run are told and not judged.
pub fn judge_nothing(targets: &mut [Target]) {
    for target in targets {
        target.verdict = Verdict::Skipped;
        target.note = "a quick run says nothing about speed".to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_at_itself_and_what_was_not_measured_or_is_in_doubt_is_skipped() {
        use Must::*;
        let table = [
            (AtLeast, Some(100), Verdict::Met),
            (AtLeast, Some(99), Verdict::NotMet),
            (AtMost, Some(100), Verdict::Met),
            (AtMost, Some(101), Verdict::NotMet),
            (Below, Some(99), Verdict::Met),
            (Below, Some(100), Verdict::NotMet),
            (AtLeast, None, Verdict::Skipped),
            (AtMost, None, Verdict::Skipped),
        ];
        for (must, measured, verdict) in table {
            let bound = || Bound { id: "P1", what: String::new(), must, hundredths: 100, unit: "x" };
            assert_eq!(bound().target(measured, "").verdict, verdict, "{must:?} {measured:?}");
            let doubtful = bound().judged(measured, Some("too short"), "");
            assert_eq!(doubtful.verdict, Verdict::Skipped, "{must:?} {measured:?}");
        }
    }
}
