//! The results as the JSON file has them. Field names are stable; every figure is an integer with its unit in its name.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use super::histogram::Percentiles;
use super::machine::{Machine, Versions};
use super::onecard::Case;
use super::rounds::{self, RoundOptions, by_contender};
use crate::clock::wall;

/// Number of this form of the file.
pub const FORMAT: u32 = 1;

/// What the file of any bench begins with.
#[derive(Debug, Serialize)]
pub struct Head {
    /// Number of the form of the file.
    pub format: u32,
    /// Which bench: `ledger`, `topup`, `tap`, `pages` or `door`.
    pub bench: &'static str,
    /// Wall time at the start, microseconds since 1970.
    pub started_at_us: i64,
    /// The command line.
    pub command: Vec<String>,
    /// `--quick`: the figures say nothing about speed.
    pub quick: bool,
    /// Where.
    pub machine: Machine,
    /// With what.
    pub versions: Versions,
    /// Rounds that were asked for.
    pub rounds: u32,
}

impl Head {
    /// That of a bench that begins now in `dir`.
    pub fn of(bench: &'static str, format: u32, course: &RoundOptions, dir: &Path) -> Head {
        Head {
            format,
            bench,
            started_at_us: wall().get(),
            command: std::env::args().collect(),
            quick: course.quick,
            machine: Machine::look(dir),
            versions: Versions::own(),
            rounds: course.rounds().rounds,
        }
    }
}

/// Everything a bench found out.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What every file begins with; the number of its form is [`FORMAT`].
    #[serde(flatten)]
    pub head: Head,
    /// Transfers in flight.
    pub window: u64,
    /// References that took no part, and why.
    pub skipped: Vec<Skipped>,
    /// Every run, in the order of time.
    pub runs: Vec<Run>,
    /// What counts: medians over the rounds.
    pub medians: Vec<Median>,
    /// Single transfers on an otherwise idle engine.
    pub single: Option<Single>,
    /// A long history.
    pub history: Vec<History>,
    /// A start with many people.
    pub start: Option<Start>,
    /// A start that must replay.
    pub recovery: Option<Recovery>,
    /// The targets, and whether they are met.
    pub targets: Vec<Target>,
}

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The product's engine on SQLite.
    Onecard,
    /// One SQLite transaction for each transfer.
    SqliteSingle,
    /// PostgreSQL under its own TPC-B.
    Pgbench,
    /// TigerBeetle under its own benchmark.
    Tigerbeetle,
}

impl Engine {
    /// As the JSON file and the table call it.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Onecard => "onecard",
            Engine::SqliteSingle => "sqlite-single",
            Engine::Pgbench => "pgbench",
            Engine::Tigerbeetle => "tigerbeetle",
        }
    }
}

/// A reference that took no part.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// Which.
    pub engine: Engine,
    /// Why.
    pub why: String,
}

/// What an engine did in one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Transfers (transactions of a reference) that moved money, in a second.
    pub per_second: u64,
    /// The measured time, microseconds.
    pub micros: u64,
    /// Everything that was answered: moved, refused and repeated.
    pub acknowledged: u64,
    /// Moved money.
    pub moved: u64,
    /// Refused for want of money.
    pub refused: u64,
    /// Repeats that got the stored answer and moved nothing.
    pub repeated: u64,
    /// From hand-in to answer, microseconds; absent where the reference does not tell.
    pub latency_us: Option<Percentiles>,
    /// Concurrent clients of the reference's best.
    pub clients: Option<u32>,
    /// What only the product's engine tells.
    pub engine: Option<EngineFigures>,
}

/// What only the product's engine tells of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EngineFigures {
    /// Batches, warm-up included.
    pub batches: u64,
    /// Journal rows, warm-up included.
    pub journal_rows: u64,
    /// Bytes by which the database grew for each journal row, hundredths.
    pub bytes_per_transfer_hundredths: u64,
    /// Processor time of engine and clients for each answer, nanoseconds.
    pub cpu_ns_per_answer: u64,
    /// The clients' part of it, nanoseconds.
    pub client_cpu_ns_per_answer: u64,
    /// The book was verified from end to end and agreed with the counts.
    pub verified: bool,
}

/// One engine with one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Entry")]
pub enum Contender {
    /// The product's engine.
    Onecard(Case),
    /// One SQLite transaction for each transfer.
    SqliteSingle,
    /// PostgreSQL.
    Pgbench,
    /// TigerBeetle.
    TigerBeetle,
}

/// A contender as the file has it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// Who.
    pub engine: Engine,
    /// Which case, for onecard.
    pub case: Option<Case>,
}

impl From<Contender> for Entry {
    fn from(contender: Contender) -> Entry {
        match contender {
            Contender::Onecard(case) => Entry { engine: Engine::Onecard, case: Some(case) },
            Contender::SqliteSingle => Entry { engine: Engine::SqliteSingle, case: None },
            Contender::Pgbench => Entry { engine: Engine::Pgbench, case: None },
            Contender::TigerBeetle => Entry { engine: Engine::Tigerbeetle, case: None },
        }
    }
}

/// One run.
pub type Run = rounds::Run<Contender, Figures>;

/// The median over the valid runs of one engine and case.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// Who.
    pub engine: Engine,
    /// Which case, for onecard.
    pub case: Option<Case>,
    /// Valid runs it is made of; when there are none, it is made of the disturbed ones.
    pub valid_runs: u64,
    /// Disturbed runs.
    pub disturbed_runs: u64,
    /// Transfers that moved money, in a second.
    pub per_second: u64,
    /// Latencies, microseconds.
    pub latency_us: Option<Percentiles>,
    /// Bytes for each journal row, hundredths.
    pub bytes_per_transfer_hundredths: Option<u64>,
    /// Journal rows of the largest run.
    pub journal_rows: u64,
}

/// Single transfers on an otherwise idle engine, between as many single syncs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Single {
    /// How many.
    pub transfers: u32,
    /// Half of them took at most so long, nanoseconds.
    pub p50_ns: u64,
    /// 99 of 100.
    pub p99_ns: u64,
    /// Half of the syncs took at most so long, nanoseconds.
    pub sync_p50_ns: u64,
    /// 99 of 100.
    pub sync_p99_ns: u64,
}

/// A history grown row by row.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    /// Which case.
    pub case: Case,
    /// Transfers handed in.
    pub transfers: u64,
    /// Answers in a second, for each million of them in turn.
    pub per_second_by_million: Vec<u64>,
    /// Bytes of the database for each journal row, hundredths.
    pub bytes_per_transfer_hundredths: u64,
}

/// A start, measured in a process of its own.
#[derive(Clone, Copy, Debug, Default, Serialize, serde::Deserialize)]
pub struct Start {
    /// Accounts in the book.
    pub accounts: u64,
    /// Journal rows that the engine had to replay.
    pub replayed_rows: u64,
    /// Opening the files, microseconds.
    pub open_us: u64,
    /// Reading the checkpoint and replaying, microseconds.
    pub engine_us: u64,
    /// Memory of the process before, KiB.
    pub resident_before_kib: u64,
    /// Memory of the process with the engine ready, KiB.
    pub resident_kib: u64,
}

/// A start after a stop in the middle of work.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Recovery {
    /// Journal rows written before the stop.
    pub rows: u64,
    /// The start.
    pub start: Start,
}

/// Whether a target is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Met,
    /// No.
    NotMet,
    /// It was not measured.
    Skipped,
}

/// One target.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Its number.
    pub id: &'static str,
    /// What is compared.
    pub what: String,
    /// What it must be.
    pub target: String,
    /// What it is; empty when it was not measured.
    pub measured: String,
    /// The same as a number where it is a ratio or has decimals, hundredths.
    pub measured_hundredths: Option<u64>,
    /// Met or not.
    pub verdict: Verdict,
    /// Why it was not measured, or what to bear in mind.
    pub note: String,
}

/// `part` in hundredths of `whole`; 0 of nothing.
pub fn hundredths(part: u64, whole: u64) -> u64 {
    let wide = u128::from(part) * 100;
    wide.checked_div(u128::from(whole)).and_then(|ratio| u64::try_from(ratio).ok()).unwrap_or(0)
}

/// Hundredths with their point: `12.34`.
pub fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The middle one; of an even number the mean of the two middle ones; 0 of none.
pub fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let upper = values.get(values.len() / 2).copied().unwrap_or(0);
    let lower = values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    lower + (upper - lower) / 2
}

/// The medians of `runs`, for each engine and case in the order of its first run.
pub fn medians(runs: &[Run]) -> Vec<Median> {
    let mut medians: Vec<Median> = Vec::new();
    for (contender, same) in by_contender(runs) {
        let Entry { engine, case } = contender.into();
        let counted: Vec<&Figures> = same.counted.iter().map(|run| &run.figures).collect();
        let of =
            |figure: &dyn Fn(&Figures) -> Option<u64>| median(counted.iter().filter_map(|run| figure(run)).collect());
        let told = counted.iter().all(|run| run.latency_us.is_some());
        let latency = |pick: fn(Percentiles) -> u64| of(&|run| run.latency_us.map(pick));
        let bytes = |run: &Figures| run.engine.map(|engine| engine.bytes_per_transfer_hundredths);
        medians.push(Median {
            engine,
            case,
            valid_runs: same.valid,
            disturbed_runs: same.disturbed,
            per_second: of(&|run| Some(run.per_second)),
            latency_us: told.then(|| Percentiles {
                p50: latency(|told| told.p50),
                p99: latency(|told| told.p99),
                p999: latency(|told| told.p999),
                most: latency(|told| told.most),
            }),
            bytes_per_transfer_hundredths: counted.iter().any(|run| run.engine.is_some()).then(|| of(&bytes)),
            journal_rows: counted
                .iter()
                .filter_map(|run| run.engine)
                .map(|engine| engine.journal_rows)
                .max()
                .unwrap_or(0),
        });
    }
    medians
}

#[cfg(test)]
mod tests {
    use super::super::calibrate::Calibration;
    use super::*;

    #[test]
    fn ratios_and_medians_are_integers() {
        assert_eq!([hundredths(1, 3), hundredths(200, 3), hundredths(5, 0)], [33, 6666, 0]);
        assert_eq!([decimal(5), decimal(6666)], ["0.05", "66.66"]);
        assert_eq!([median(vec![]), median(vec![7]), median(vec![9, 1, 4]), median(vec![1, 2, 5, 9])], [0, 7, 4, 3]);
    }

    #[test]
    fn a_median_leaves_disturbed_runs_out_while_there_are_others() {
        let run = |valid, per_second| Run {
            round: 1,
            contender: Contender::Pgbench,
            valid,
            before: Calibration::default(),
            after: Calibration::default(),
            figures: Figures { per_second, ..Figures::default() },
        };
        let some = medians(&[run(true, 10), run(false, 1000), run(true, 20)]);
        assert_eq!((some[0].per_second, some[0].valid_runs, some[0].disturbed_runs), (15, 2, 1));
        let none = medians(&[run(false, 10), run(false, 30)]);
        assert_eq!((none.len(), none[0].per_second, none[0].valid_runs), (1, 20, 0));
    }
}
