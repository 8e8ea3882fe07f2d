//! The production engine under load: funded book, measured run, verification.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use ledger::SchoolId;
use rules::chart::{self, Channel};
use serde::Serialize;
use store::sqlite::{SqliteArchive, SqliteStore};
use store::verify::Report;
use teller::{Door, Engine, Limits, Paced, Schema, Stopped};

use super::load::{Counts, Load, Until, fund};
use super::machine;
use super::payment::Bench;
use super::say::Say;
use super::workload::{Accounts, Keys, Pattern, Plan};
use crate::Failure;
use crate::clock::{Ids, SteadyClock, wall};
use crate::prompt::Said;
use flows::ports::Clock;

/// Transfers before each measurement, so that the write-ahead log has its full size and the caches are warm.
const WARM_UP: u64 = 65_536;

/// One kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Case {
    /// How accounts are chosen.
    pub pattern: Pattern,
    /// How many accounts there are.
    pub accounts: u32,
    /// How a repeat is recognised.
    pub keys: Keys,
}

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// When the measurement ends.
    pub until: Until,
    /// Transfers in flight.
    pub window: u64,
}

impl Effort {
    /// Transfers before the measurement: not more than are measured.
    fn warm_up(self) -> u64 {
        match self.until {
            Until::Seconds(_) => WARM_UP,
            Until::Transfers(all) => WARM_UP.min(all),
        }
    }
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Answers within the measured time.
    pub counts: Counts,
    /// The measured time, microseconds.
    pub micros: u64,
    /// When each `mark_every` answers were there, microseconds.
    pub marks: Vec<u64>,
    /// Latencies, microseconds.
    pub latency: super::histogram::Percentiles,
    /// Processor time of the whole process, clients included, microseconds.
    pub cpu_micros: u64,
    /// The clients' part of it, but for what runs in their answers, nanoseconds.
    pub client_nanos: u64,
    /// Batches of the whole run, warm-up included.
    pub batches: u64,
    /// Journal rows of the whole run, warm-up included.
    pub rows: u64,
    /// Bytes by which the database file grew in the whole run.
    pub grown: u64,
}

/// The school of every bench book.
pub fn school() -> Result<SchoolId, Failure> {
    SchoolId::new(1).ok_or_else(|| Said("school 1 is no school".to_owned()).into())
}

/// An engine on its thread, as the server runs it.
pub struct Running {
    /// The way in.
    pub door: Door<Bench>,
    teller: JoinHandle<(Engine<Bench, SqliteStore>, Stopped)>,
    blocks_before: u64,
}

impl Running {
    /// Opens the book in `data` and starts its teller, with a queue that holds `window`.
    pub fn start(data: &Path, window: u64) -> Result<Running, Failure> {
        let school = school()?;
        let store = SqliteStore::open(data, school, Bench::TABLES)?;
        let mut engine = Engine::<Bench, _>::start(school, store, Box::new(Ids::new()), Limits::default())?;
        engine.store().lay_out_log()?;
        let door = Door::new(usize::try_from(window.max(8192)).unwrap_or(usize::MAX));
        let blocks_before = engine.head().0;
        let teller = std::thread::Builder::new().name("teller".to_owned()).spawn({
            let door = door.clone();
            let clock = SteadyClock::new();
            move || {
                let stopped = teller::run(&door, &mut engine, || Paced::Follows(clock.now()));
                (engine, stopped)
            }
        })?;
        Ok(Running { door, teller, blocks_before })
    }

    /// Closes the door, waits for the teller, closes the book. Gives the number of batches since the start.
    pub fn stop(self) -> Result<u64, Failure> {
        self.door.close();
        match self.teller.join() {
            Ok((engine, Stopped::Closed)) => Ok(engine.head().0 - self.blocks_before),
            Ok((_, Stopped::Store(fault))) => Err(fault.into()),
            Err(_) => Err(Said("the teller's thread panicked".to_owned()).into()),
        }
    }
}

/// A funded book at rest, of which every run gets a copy.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its folder.
    pub dir: PathBuf,
    /// Accounts in it.
    pub accounts: Accounts,
    /// Its journal rows.
    pub rows: u64,
}

impl Template {
    /// Makes the book in `dir` and funds every account by a transfer of its own.
    pub fn make(dir: PathBuf, accounts: Accounts, window: u64) -> Result<Template, Failure> {
        let running = Running::start(&dir, window)?;
        let rows = fund(&running.door, chart::receivable(Channel::WeChat), accounts.all(), window)?;
        running.stop()?;
        Ok(Template { dir, accounts, rows })
    }

    /// A copy of the book in the new folder `to`.
    pub fn copy(&self, to: &Path) -> Result<(), Failure> {
        copy_book(&self.dir, to)
    }
}

/// Copies the book at rest in `from`, and what lies beside it, to the new folder `to`; durable when it returns.
pub fn copy_book(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        File::open(copy)?.sync_all()?;
    }
    Ok(File::open(to)?.sync_all()?)
}

/// Bytes of the database in `data`, its log included.
pub fn bytes_on_disk(data: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(data)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Runs one case on a copy of `template` in `data`, then verifies the book and compares the counts.
///
/// Error: also when the book is not whole or does not hold what was acknowledged; `data` is then left as it is.
pub fn run(
    template: &Template,
    case: Case,
    effort: Effort,
    mark_every: u64,
    data: &Path,
    say: &Say,
) -> Result<Measured, Failure> {
    template.copy(data)?;
    let before = bytes_on_disk(data)?;
    let running = Running::start(data, effort.window)?;
    let plan = Plan::draw(case.pattern, template.accounts);
    let mut load = Load::new(running.door.clone(), case.keys, plan, effort.window, wall());
    let warm_up = load.run(Until::Transfers(effort.warm_up()), u64::MAX)?;
    let (cpu, client) = (machine::cpu_micros(), machine::thread_cpu_nanos());
    let phase = load.run(effort.until, mark_every)?;
    let client_nanos = machine::thread_cpu_nanos().saturating_sub(client);
    let cpu_micros = machine::cpu_micros().saturating_sub(cpu);
    let latency = load.tally.latencies.percentiles();
    let batches = running.stop()?;
    let whole = warm_up.counts.with(phase.counts);
    let grown = bytes_on_disk(data)?.saturating_sub(before);
    let report = verify(data, say)?;
    agree(template, case, whole, &report)?;
    Ok(Measured {
        counts: phase.counts,
        micros: phase.micros,
        marks: phase.marks,
        latency,
        cpu_micros,
        client_nanos,
        batches,
        rows: whole.moved,
        grown,
    })
}

/// Checks the whole book as `onecard verify` does. Error: it is not whole.
pub fn verify(data: &Path, say: &Say) -> Result<Report, Failure> {
    let school = school()?;
    let mut archive = SqliteArchive::open(data, school)?;
    let report = store::verify::verify(school, &mut archive, &[], &mut |step| say.verifying(step));
    require_whole(data, report)
}

/// Error: `report` on the book in `data` has findings.
pub fn require_whole(data: &Path, report: Report) -> Result<Report, Failure> {
    if report.clean() {
        return Ok(report);
    }
    let first = report.findings.first().cloned().unwrap_or_default();
    Err(Said(format!("the book in {} is not whole after the run: {first}", data.display())).into())
}

/// What was acknowledged is in the book, and nothing else.
fn agree(template: &Template, case: Case, counts: Counts, report: &Report) -> Result<(), Failure> {
    let wrong = |what: &str, book: u64, told: u64| {
        Err(Said(format!("the book has {book} {what}, the clients were told of {told}")).into())
    };
    if counts.wrong > 0 {
        return Err(Said(format!("{} transfers were answered wrongly", counts.wrong)).into());
    }
    let rows = template.rows + counts.moved;
    if report.journal_rows != rows {
        return wrong("journal rows", report.journal_rows, rows);
    }
    let once = report.guard_rows.get("once").copied().unwrap_or(0);
    let kept = if case.keys == Keys::Transfer { counts.moved + counts.refused } else { 0 };
    if once != kept {
        return wrong("rows of single transfers", once, kept);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_that_does_not_hold_exactly_what_was_acknowledged_fails_the_run() {
        let template = Template { dir: PathBuf::new(), accounts: Accounts::of(10), rows: 10 };
        let counts = |wrong| Counts { moved: 5, refused: 2, repeated: 1, wrong };
        let report = |journal_rows, once| Report {
            journal_rows,
            guard_rows: [("once".to_owned(), once)].into(),
            ..Report::default()
        };
        let table = [
            ("all there", Keys::Transfer, 0, report(15, 7), true),
            ("no rows of single transfers", Keys::Stream, 0, report(15, 0), true),
            ("a lost row", Keys::Stream, 0, report(14, 0), false),
            ("a row too many", Keys::Stream, 0, report(16, 0), false),
            ("a lost key", Keys::Transfer, 0, report(15, 6), false),
            ("a wrong answer", Keys::Transfer, 1, report(15, 7), false),
        ];
        for (what, keys, wrong, report, fine) in table {
            let case = Case { pattern: Pattern::Uniform, accounts: 10, keys };
            assert_eq!(agree(&template, case, counts(wrong), &report).is_ok(), fine, "{what}");
        }
    }
}
