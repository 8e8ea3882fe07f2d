//! The results as the JSON file has them, what they add up to, and how a person reads them. Field names are stable; every
//! figure is an integer with its unit in its name.

use std::fmt::Write;

use serde::Serialize;

use super::super::bound::{self, Bound, DISTURBED, Must};
use super::super::result::{Head, Target, decimal, median};
use super::super::rounds::{self, Same, by_contender, millis, per_second};
use super::super::table::{foot, head, row};
use super::super::tap::Spread;
use super::knocks::Kind;

/// Number of this form of the file.
pub const FORMAT: u32 = 1;
/// Thousandths of pairs in which each of two takes longer that nobody can tell apart.
const EVEN: u64 = 500;
/// How far from that a kind may be, thousandths.
const TOLD_APART: u64 = 50;

/// Everything the bench found out.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What every file begins with; the number of its form is [`FORMAT`].
    #[serde(flatten)]
    pub head: Head,
    /// Wrong guesses of each kind in each run.
    pub guesses: u32,
    /// Every run, in the order of time.
    pub runs: Vec<Run>,
    /// What counts: medians over the rounds.
    pub medians: Vec<Median>,
    /// The targets, and whether they are met.
    pub targets: Vec<Target>,
}

/// How long guesses of one kind took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Guessed {
    /// Which.
    pub kind: Kind,
    /// From the request to the last byte.
    pub us: Spread,
    /// Of all pairs with a number that nobody has, so many thousandths took longer than it; equal ones count half.
    pub longer_per_mille: u64,
}

/// What one run gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Guesses in a second.
    pub per_second: u64,
    /// Each kind.
    pub kinds: Vec<Guessed>,
}

impl Figures {
    /// Those of guesses that took `micros` together.
    pub fn of(seen: &[(Kind, u64)], micros: u64) -> Figures {
        let times = |kind: Kind| seen.iter().filter(|(of, _)| *of == kind).map(|(_, took)| *took).collect::<Vec<_>>();
        let mut unknown = times(Kind::Unknown);
        unknown.sort_unstable();
        let kinds = Kind::ALL.into_iter().map(|kind| {
            let times = times(kind);
            Guessed { kind, longer_per_mille: longer(&times, &unknown), us: Spread::of(times) }
        });
        Figures {
            per_second: per_second(u64::try_from(seen.len()).unwrap_or(u64::MAX), micros),
            kinds: kinds.collect(),
        }
    }
}

/// Of all pairs, the thousandths in which the first took longer than one of `sorted`; equal ones count half.
fn longer(times: &[u64], sorted: &[u64]) -> u64 {
    let twice = times.iter().map(|took| {
        let shorter = sorted.partition_point(|other| other < took);
        let not_longer = sorted.partition_point(|other| other <= took);
        shorter + not_longer
    });
    let (wins, pairs) = (twice.sum::<usize>(), 2 * times.len() * sorted.len());
    u64::try_from((wins * 1000 + pairs / 2).checked_div(pairs).unwrap_or(0)).unwrap_or(u64::MAX)
}

/// One run: all kinds together.
pub type Run = rounds::Run<(), Figures>;

/// The median over the valid runs.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// Valid runs it is made of; when there are none, it is made of the disturbed ones.
    pub valid_runs: u64,
    /// Disturbed runs.
    pub disturbed_runs: u64,
    /// Guesses in a second.
    pub per_second: u64,
    /// Each kind.
    pub kinds: Vec<Guessed>,
}

/// The median of `runs`, if there are any.
pub fn medians(runs: &[Run]) -> Vec<Median> {
    let of = |((), Same { counted, valid, disturbed }): ((), Same<'_, (), Figures>)| Median {
        valid_runs: valid,
        disturbed_runs: disturbed,
        per_second: median(counted.iter().map(|run| run.figures.per_second).collect()),
        kinds: Kind::ALL.into_iter().map(|kind| middle(kind, &counted)).collect(),
    };
    by_contender(runs).into_iter().map(of).collect()
}

fn middle(kind: Kind, runs: &[&Run]) -> Guessed {
    let same: Vec<&Guessed> =
        runs.iter().flat_map(|run| &run.figures.kinds).filter(|guessed| guessed.kind == kind).collect();
    Guessed {
        kind,
        us: Spread::median(&same.iter().map(|guessed| guessed.us).collect::<Vec<_>>()),
        longer_per_mille: median(same.iter().map(|guessed| guessed.longer_per_mille).collect()),
    }
}

/// Every kind against a number that nobody has.
pub fn targets(results: &Results) -> Vec<Target> {
    let mut targets: Vec<Target> = results.medians.iter().flat_map(judge).collect();
    if results.head.quick {
        bound::judge_nothing(&mut targets);
    }
    targets
}

fn judge(median: &Median) -> Vec<Target> {
    let compared = median.kinds.iter().filter(|guessed| guessed.kind != Kind::Unknown);
    let judged = compared.map(|guessed| {
        let what = format!("{}: off an even chance to take longer", guessed.kind.name());
        let bound = Bound { id: "door", what, must: Must::AtMost, hundredths: TOLD_APART * 10, unit: " %" };
        let off = guessed.longer_per_mille.abs_diff(EVEN) * 10;
        bound.judged(Some(off), (median.valid_runs == 0).then_some(DISTURBED), "")
    });
    judged.collect()
}

/// The whole report.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, results);
    out
}

fn write_all(out: &mut String, results: &Results) -> std::fmt::Result {
    head(out, &results.head.machine, &results.head.versions, &[])?;
    for median in &results.medians {
        let Median { valid_runs, disturbed_runs, per_second, kinds } = median;
        writeln!(out, "wrong guesses, one at a time: {per_second} a second; runs {valid_runs}+{disturbed_runs}")?;
        row(out, "milliseconds", ["count", "p50", "p90", "p99", "max", "longer %"])?;
        for Guessed { kind, us, longer_per_mille } in kinds {
            let Spread { count, p50, p90, p99, most } = *us;
            let times = [p50, p90, p99, most].map(millis);
            let cells = [count.to_string()].into_iter().chain(times).chain([decimal(longer_per_mille * 10)]);
            row(out, kind.name(), cells)?;
        }
        writeln!(out, "(longer: share of pairs in which this one took longer than a number that nobody has)")?;
    }
    foot(out, &results.targets, results.head.quick)
}

#[cfg(test)]
mod tests {
    use super::super::super::result::Verdict;
    use super::*;

    #[test]
    fn whoever_always_takes_longer_is_told_apart_and_whoever_never_differs_is_not() {
        let table = [
            (&[10, 20][..], &[1, 2][..], 1000),
            (&[1, 2], &[10, 20], 0),
            (&[5, 5], &[5, 5], 500),
            (&[1, 4], &[2, 3], 500),
            (&[2], &[1, 2, 3, 4], 375),
            (&[], &[1], 0),
        ];
        for (times, sorted, expected) in table {
            assert_eq!(longer(times, sorted), expected, "{times:?} {sorted:?}");
        }
    }

    #[test]
    fn a_kind_is_judged_by_how_far_it_is_from_an_even_chance_to_either_side() {
        let table = [
            (500, 1, Verdict::Met),
            (550, 1, Verdict::Met),
            (551, 1, Verdict::NotMet),
            (450, 1, Verdict::Met),
            (449, 1, Verdict::NotMet),
            (500, 0, Verdict::Skipped),
        ];
        for (longer_per_mille, valid_runs, expected) in table {
            let kinds = vec![
                Guessed { kind: Kind::Unknown, us: Spread::default(), longer_per_mille: 500 },
                Guessed { kind: Kind::Locked, us: Spread::default(), longer_per_mille },
            ];
            let told = judge(&Median { valid_runs, disturbed_runs: 0, per_second: 1, kinds });
            assert_eq!(told.iter().map(|target| target.verdict).collect::<Vec<_>>(), [expected], "{longer_per_mille}");
        }
    }
}
