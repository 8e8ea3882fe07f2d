//! One book under drill: load and a blow, then the reckoning.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ledger::AccountKey;
use store::sqlite::SqliteArchive;

use crate::compare::{Known, Unanswered, compare, compare_repeats, compare_sums};
use crate::load::{Crew, Gauge, Shift};
use crate::notes;
use crate::operation::Operation;
use crate::process::{End, Manner, Places, Server, ask_sums, pause};
use crate::recount::{self, Recount};
use crate::server::{TAIL, school};
use crate::wire::Told;

/// Findings that are printed; a broken book has many of one kind.
const PRINTED: usize = 20;
/// Keys that are sent once more with another content.
const CONFLICTS: usize = 10;

/// What does not hold, or why a drill cannot go on.
#[derive(Debug)]
pub(crate) struct Failure(pub Vec<String>);

impl From<String> for Failure {
    fn from(what: String) -> Failure {
        Failure(vec![what])
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in self.0.iter().take(PRINTED) {
            writeln!(out, "  WRONG  {finding}")?;
        }
        if self.0.len() > PRINTED {
            writeln!(out, "  WRONG  and {} more", self.0.len() - PRINTED)?;
        }
        Ok(())
    }
}

/// Nothing may have been found.
fn none(findings: Vec<String>) -> Result<(), Failure> {
    if findings.is_empty() { Ok(()) } else { Err(Failure(findings)) }
}

/// A book, and what clients know of it.
pub(crate) struct Drilled {
    /// Where it is.
    pub places: Places,
    /// What was told to clients.
    pub known: Known,
    seed: u64,
    run: u32,
}

/// What a load and its blow came to.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// How the server ended.
    pub end: End,
    /// Answers before that.
    pub answered: u64,
    /// Operations on their way at that moment.
    pub open: u64,
}

/// What a reckoning found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reckoned {
    /// How the unanswered operations went.
    pub unanswered: Unanswered,
    /// Rows that the start replayed.
    pub replayed: u64,
    /// Rows in the journal, when every key was settled.
    pub rows: u64,
    /// Keys that were sent again.
    pub repeated: u64,
}

impl Drilled {
    /// A book that is not there yet.
    pub(crate) fn new(places: Places, seed: u64) -> Result<Drilled, String> {
        for folder in [&places.data, &places.notes] {
            std::fs::create_dir_all(folder).map_err(|fault| format!("cannot make {}: {fault}", folder.display()))?;
        }
        Ok(Drilled { places, known: Known::default(), seed, run: 0 })
    }

    fn notes(&self, what: &str) -> PathBuf {
        self.places.notes.join(format!("{what}-{}", self.run))
    }

    /// Puts the server under load until `blow` has ended it.
    pub(crate) fn load(
        &mut self,
        manner: &Manner,
        blow: &mut dyn FnMut(&mut Server, &Gauge) -> Result<End, String>,
    ) -> Result<Loaded, Failure> {
        let mut server = Server::must_start(&self.places, manner)?;
        let (crew, run) = self.crew()?;
        let end = blow(&mut server, &crew.gauge);
        drop(server);
        let shift = crew.join()?;
        let (answered, open) = (shift.answered, count(shift.open.len()));
        self.learn(run, shift)?;
        Ok(Loaded { end: end?, answered, open })
    }

    /// Clients that ask new things, and where they write down what they are told.
    pub(crate) fn crew(&mut self) -> Result<(Crew, PathBuf), Failure> {
        self.run += 1;
        let notes = self.notes("acknowledged");
        let crew = Crew::start(&self.places.socket(), &notes, self.seed, self.run)?;
        Ok((crew, notes))
    }

    /// Takes in what clients were told.
    pub(crate) fn learn(&mut self, notes: PathBuf, shift: Shift) -> Result<(), Failure> {
        none(shift.wrong)?;
        let (acknowledged, twice) = notes::read(&notes)?;
        none(twice)?;
        self.known.acknowledged.extend(acknowledged);
        let done = |operation: &Operation| self.known.acknowledged.contains_key(&operation.key);
        let open: Vec<Operation> = shift.open.into_iter().filter(|operation| !done(operation)).collect();
        let undone: Vec<Operation> = shift.full.into_iter().filter(|operation| !done(operation)).collect();
        self.known.undone.extend(undone.into_iter().map(|operation| (operation.key, operation)));
        for operation in open {
            self.known.undone.remove(&operation.key);
            self.known.open.insert(operation.key, operation);
        }
        Ok(())
    }

    /// Starts the server as the product starts, compares, sends everything again, compares again, stops, verifies.
    pub(crate) fn reckon(&mut self) -> Result<Reckoned, Failure> {
        let server = Server::must_start(&self.places, &Manner::default())?;
        let begun = recount::read(&self.places.data)?;
        let (head, replayed, from) = (server.head, server.replayed, begun.replay_from);
        if head != begun.head || replayed != (begun.head + 1).saturating_sub(from) || replayed > TAIL {
            return Err(format!(
                "the server began at row {head} after replaying {replayed}, at most {TAIL}; a start replays from {from}, \
                 the files end at {}",
                begun.head
            )
            .into());
        }
        let unanswered = self.compare_beside()?;
        let replayed = server.replayed;
        let (rows, repeated) = self.repeat()?;
        server.stop()?;
        self.verify()?;
        Ok(Reckoned { unanswered, replayed, rows, repeated })
    }

    /// Compares what was told with the files and with the running server.
    pub(crate) fn compare_beside(&self) -> Result<Unanswered, Failure> {
        let book = recount::read(&self.places.data)?;
        let (mut findings, unanswered) = compare(&self.known, &book);
        findings.extend(self.compare_sums(&book)?);
        none(findings)?;
        Ok(unanswered)
    }

    fn compare_sums(&self, book: &Recount) -> Result<Vec<String>, Failure> {
        let accounts: Vec<AccountKey> = book.sums.keys().copied().collect();
        let told = ask_sums(&self.places.socket(), &accounts)?;
        Ok(compare_sums(book, &accounts.into_iter().zip(told).collect::<Vec<_>>()))
    }

    /// Sends every key again; whatever was open is settled afterwards. Gives the rows there are then and the keys sent.
    pub(crate) fn repeat(&mut self) -> Result<(u64, u64), Failure> {
        let before = recount::read(&self.places.data)?;
        let known = &self.known;
        let acknowledged = known.acknowledged.values().map(|(operation, _)| *operation);
        let all: Vec<Operation> =
            acknowledged.chain(known.open.values().copied()).chain(known.undone.values().copied()).collect();
        let notes = self.notes("repeated");
        let shift = Crew::resend(&self.places.socket(), &notes, &all)?.join()?;
        none(shift.wrong)?;
        let (repeats, twice) = notes::read(&notes)?;
        none(twice)?;
        none(compare_repeats(&self.known, &before, &repeats))?;
        none(self.conflicts(&all)?)?;
        self.known.acknowledged.extend(repeats);
        self.known.open.clear();
        self.known.undone.clear();
        let after = recount::read(&self.places.data)?;
        let (mut findings, _) = compare(&self.known, &after);
        findings.extend(self.compare_sums(&after)?);
        none(findings)?;
        Ok((after.head, count(all.len())))
    }

    /// Known keys with another content must be refused, and leave nothing.
    fn conflicts(&self, all: &[Operation]) -> Result<Vec<String>, Failure> {
        let step = all.len().div_ceil(CONFLICTS).max(1);
        let mut findings = Vec::new();
        for operation in all.iter().step_by(step) {
            let other = Operation { fen: operation.fen + 1, ..*operation };
            let told = crate::process::ask(&self.places.socket(), other)?;
            if told != Told::Conflict {
                findings.push(format!("{other}: known with another amount, told {told:?}"));
            }
        }
        Ok(findings)
    }

    /// Runs what `onecard verify` runs.
    pub(crate) fn verify(&self) -> Result<(), Failure> {
        let mut archive = SqliteArchive::open(&self.places.data, school()).map_err(|fault| fault.to_string())?;
        let report = store::verify::verify(school(), &mut archive, &[], &mut |_| {});
        if report.clean() { Ok(()) } else { Err(Failure(report.findings)) }
    }
}

/// A blow by chance: after so many milliseconds.
pub(crate) fn wait(millis: u64) {
    pause(Duration::from_millis(millis));
}

/// A length as a count.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
