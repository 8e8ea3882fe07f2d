//! The results as the JSON file has them, what they add up to, and how a person reads them. Field names are stable; every
//! figure is an integer with its unit in its name.

use std::fmt::Write;

use serde::Serialize;

use super::super::bound::{self, Bound, DISTURBED, Must};
use super::super::result::{Head, Target, median};
use super::super::rounds::{self, Same, by_contender, millis};
use super::super::table::{foot, head, row};
use super::super::tap::Spread;
use super::readers::Page;

/// Number of this form of the file.
pub const FORMAT: u32 = 1;
/// 99 of 100 answers of every page, milliseconds.
const P99: u64 = 50;

/// Everything the bench found out.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What every file begins with; the number of its form is [`FORMAT`].
    #[serde(flatten)]
    pub head: Head,
    /// People with a past.
    pub people: u32,
    /// Days of it.
    pub days: u32,
    /// Rows of the journal that the pages are made from.
    pub journal_rows: u64,
    /// Every run, in the order of time.
    pub runs: Vec<Run>,
    /// What counts: medians over the rounds.
    pub medians: Vec<Median>,
    /// The targets, and whether they are met.
    pub targets: Vec<Target>,
}

/// How fast one page came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Read {
    /// Which.
    pub page: Page,
    /// From the request to the last byte.
    pub us: Spread,
    /// The largest answer, compressed, without headers.
    pub bytes: u64,
}

/// What one run gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Pages of all readers in a second.
    pub per_second: u64,
    /// Each page.
    pub pages: Vec<Read>,
}

/// How many read in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AtOnce {
    /// Readers at once.
    pub readers: u16,
}

/// One run.
pub type Run = rounds::Run<AtOnce, Figures>;

/// The median over the valid runs with one number of readers.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// Readers at once.
    pub readers: u16,
    /// Valid runs it is made of; when there are none, it is made of the disturbed ones.
    pub valid_runs: u64,
    /// Disturbed runs.
    pub disturbed_runs: u64,
    /// Pages of all readers in a second.
    pub per_second: u64,
    /// Each page.
    pub pages: Vec<Read>,
}

/// The medians of `runs`, for each number of readers in the order of its first run.
pub fn medians(runs: &[Run]) -> Vec<Median> {
    let mut medians: Vec<Median> = Vec::new();
    for (AtOnce { readers }, Same { counted, valid, disturbed }) in by_contender(runs) {
        let Some(first) = counted.first() else { continue };
        let pages = first.figures.pages.iter().map(|like| {
            let of: Vec<&Read> =
                counted.iter().flat_map(|run| &run.figures.pages).filter(|read| read.page == like.page).collect();
            let us = Spread::median(&of.iter().map(|read| read.us).collect::<Vec<_>>());
            Read { page: like.page, us, bytes: of.iter().map(|read| read.bytes).max().unwrap_or(0) }
        });
        medians.push(Median {
            readers,
            valid_runs: valid,
            disturbed_runs: disturbed,
            per_second: median(counted.iter().map(|run| run.figures.per_second).collect()),
            pages: pages.collect(),
        });
    }
    medians
}

/// The slowest page counts, for each number of readers.
pub fn targets(results: &Results) -> Vec<Target> {
    let mut targets: Vec<Target> = results.medians.iter().map(judge).collect();
    if results.head.quick {
        bound::judge_nothing(&mut targets);
    }
    targets
}

fn judge(median: &Median) -> Target {
    let slowest = median.pages.iter().max_by_key(|read| read.us.p99);
    let (page, p99) = slowest.map_or(("no page", None), |read| (read.page.address, Some(read.us.p99 / 10)));
    let readers = if median.readers == 1 { "reader" } else { "readers" };
    let what = format!("slowest page ({page}), p99, {} {readers} at once", median.readers);
    let bound = Bound { id: "web", what, must: Must::AtMost, hundredths: P99 * 100, unit: " ms" };
    bound.judged(p99, (median.valid_runs == 0).then_some(DISTURBED), "")
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
    let Results { people, days, journal_rows, .. } = results;
    writeln!(out, "{people} people with {days} days of history: {journal_rows} rows in the journal")?;
    for median in &results.medians {
        let Median { readers, valid_runs, disturbed_runs, per_second, .. } = median;
        writeln!(out)?;
        writeln!(out, "{readers} at once: {per_second} pages a second; runs {valid_runs}+{disturbed_runs}")?;
        row(out, "milliseconds", ["count", "p50", "p90", "p99", "max", "bytes", ""])?;
        for Read { page, us, bytes } in &median.pages {
            let Spread { count, p50, p90, p99, most } = *us;
            let cells = [
                count.to_string(),
                millis(p50),
                millis(p90),
                millis(p99),
                millis(most),
                bytes.to_string(),
                String::new(),
            ];
            row(out, page.address, cells)?;
        }
    }
    foot(out, &results.targets, results.head.quick)
}

#[cfg(test)]
mod tests {
    use super::super::super::result::Verdict;
    use super::*;

    fn median_of(p99s: &[u64], valid_runs: u64) -> Median {
        let pages = p99s.iter().map(|p99| Read {
            page: Page { address: "/me" },
            us: Spread { count: 9, p99: *p99, ..Spread::default() },
            bytes: 1,
        });
        Median { readers: 8, valid_runs, disturbed_runs: 0, per_second: 1, pages: pages.collect() }
    }

    #[test]
    fn the_slowest_page_of_undisturbed_runs_is_judged() {
        let table = [
            (&[1_000, 50_000][..], 1, Verdict::Met),
            (&[50_010, 1_000], 1, Verdict::NotMet),
            (&[1_000], 0, Verdict::Skipped),
            (&[], 1, Verdict::Skipped),
        ];
        for (p99s, valid, expected) in table {
            assert_eq!(judge(&median_of(p99s, valid)).verdict, expected, "{p99s:?} {valid}");
        }
    }
}
