use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledger::{
    Account, AccountKey, Block, Bodies, Change, JournalRow, Kind, Mark, Micros, Pending, Stage, Transfer, chain_link,
    row_digest,
};

use crate::command::Step;
use crate::desk::Rows;
use crate::engine::Jobs;
use crate::{Commit, Desk, Engine, Fault, Job, Listing, Paced, RawKey, RowWrite, Schema, Seen, Store, StoreError};

/// Reason of a row that voids what nobody posted in time; it refers to the sequence of the pend. A caller's own reasons
/// begin at 1.
pub const EXPIRED: u16 = 0;

/// Commands that are through, each with the fault that it is to be told instead of its own words.
type Decided<S> = Vec<(Box<dyn Job<S>>, Option<Fault>)>;

/// A batch from its first decision to its answers.
pub(crate) struct Round<S: Schema> {
    pub(crate) now: Micros,
    pub(crate) decided: Decided<S>,
    /// Commands that must wait for a row.
    pub(crate) waiting: Jobs<S>,
    weight: usize,
    journal: Vec<JournalRow>,
    rows: Rows<S>,
    /// The book before it.
    before: Mark,
}

/// A batch that is ready to be kept, but for what it writes.
pub(crate) struct Sealed<S: Schema> {
    pub(crate) decided: Decided<S>,
    pub(crate) changed: Vec<(AccountKey, Account)>,
    /// The book after it.
    pub(crate) after: Mark,
}

impl<S: Schema> Round<S> {
    /// Commands in it.
    pub(crate) const fn len(&self) -> usize {
        self.decided.len()
    }

    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }
}

impl<S: Schema, St: Store> Engine<S, St> {
    /// Begins a batch at this time.
    pub(crate) fn open(&mut self, time: Paced) -> Round<S> {
        self.at = self.at.max(time.at());
        self.cache.age();
        let mut round = Round {
            now: self.at,
            decided: Vec::new(),
            waiting: Jobs::<S>::new(),
            weight: 0,
            journal: Vec::new(),
            rows: Rows::<S>::new(),
            before: self.book.mark(),
        };
        // All of it, or the batch would decide on a book in which some is still set aside. Not by a clock that leapt (M7).
        if let Paced::Follows(_) = time {
            for (seq, pending) in self.book.expired(round.now, usize::MAX) {
                self.void(&mut round, seq, &pending);
            }
        }
        round
    }

    /// What nobody posted in time goes back, before anybody decides by it.
    fn void(&mut self, round: &mut Round<S>, seq: u64, pending: &Pending) {
        let transfer = Transfer {
            id: self.ids.next(round.now),
            debit: pending.debit,
            credit: pending.credit,
            amount: pending.amount,
            stage: Stage::Void(seq),
            effective_at: pending.expires_at.unwrap_or(round.now),
            code: EXPIRED,
            reference: ledger::Id::new(u128::from(seq)),
        };
        // What is set aside can be voided: the book would else not have named it.
        round.journal.extend(self.book.post(&transfer, round.now));
    }

    /// Decides these commands as part of the batch, on top of everything decided before.
    pub(crate) fn decide(&mut self, round: &mut Round<S>, jobs: Jobs<S>) {
        let (jobs, poison) = self.load_all(jobs);
        fail_point!("teller.loaded");
        round.decided.extend(poison);
        for mut job in jobs {
            round.weight = round.weight.saturating_add(job.weight());
            match self.decide_one(job.as_mut(), round) {
                Step::Done | Step::Refused => round.decided.push((job, None)),
                Step::Broken(why) => round.decided.push((job, Some(Fault::Poison(why)))),
                Step::Wait(key) => {
                    job.also_needs(key);
                    if job.put_off() > self.limits.put_off {
                        round.decided.push((job, Some(Fault::Busy)));
                    } else {
                        round.waiting.push(job);
                    }
                }
            }
        }
    }

    /// Loads what the commands name. A command whose rows cannot be had is poison; the others shall not suffer for it.
    fn load_all(&mut self, jobs: Jobs<S>) -> (Jobs<S>, Decided<S>) {
        let (mut ready, mut poison) = (Jobs::<S>::new(), Vec::new());
        if self.load(&jobs).is_ok() {
            return (jobs, poison);
        }
        for job in jobs {
            match self.load(std::slice::from_ref(&job)) {
                Ok(()) => ready.push(job),
                Err(_) if self.store.failed() => poison.push((job, Some(Fault::Stopping))),
                Err(fault) => poison.push((job, Some(Fault::Poison(fault.to_string())))),
            }
        }
        (ready, poison)
    }

    /// Asks the commands for their rows and loads what is missing, until nothing is missing or the rounds are used up.
    fn load(&mut self, jobs: &[Box<dyn Job<S>>]) -> Result<(), StoreError> {
        let none = Rows::<S>::new();
        for _ in 0..self.limits.rounds {
            let seen = Seen { batch: &none, cache: &self.cache };
            let named = catch_unwind(AssertUnwindSafe(|| {
                jobs.iter().flat_map(|job| job.needs(&seen)).collect::<Vec<S::Key>>()
            }));
            let mut missing = named
                .map_err(|_| StoreError { what: "naming the rows of a command", why: "a rule panicked".to_owned() })?;
            missing.retain(|key| !self.cache.keeps(key));
            if missing.is_empty() {
                return Ok(());
            }
            missing.sort_unstable();
            missing.dedup();
            let raw: Vec<RawKey> =
                missing.iter().map(|key| RawKey { table: S::table(key), key: S::key_bytes(key) }).collect();
            let bodies = self.store.load(&raw)?;
            for (key, body) in missing.into_iter().zip(bodies) {
                let row = match body {
                    Some(body) => Some(S::decode(&key, &body).map_err(|fault| StoreError {
                        what: "reading a stored row",
                        why: format!("{}: {fault}; run `onecard verify`", S::table(&key)),
                    })?),
                    None => None,
                };
                self.cache.put(key, row);
            }
        }
        Ok(())
    }

    fn decide_one(&mut self, job: &mut dyn Job<S>, round: &mut Round<S>) -> Step<S::Key> {
        let (mark, rows) = (self.book.mark(), round.journal.len());
        let mut desk = Desk {
            now: round.now,
            seen: Seen { batch: &round.rows, cache: &self.cache },
            mine: Rows::<S>::new(),
            book: &mut self.book,
            journal: &mut round.journal,
            ids: self.ids.as_mut(),
        };
        let step = catch_unwind(AssertUnwindSafe(|| job.decide(&mut desk)))
            .unwrap_or_else(|_| Step::Broken("a rule panicked".to_owned()));
        let mine = desk.mine;
        if matches!(step, Step::Done) {
            round.rows.extend(mine);
        } else {
            self.book.rollback(mark);
            round.journal.truncate(rows);
        }
        step
    }

    /// Makes the batch ready to be kept. `None` to keep when it changed nothing. From now on the next batch decides on it.
    pub(crate) fn seal(&mut self, round: Round<S>) -> (Sealed<S>, Option<Commit>) {
        let Round { now, decided, journal, rows, before, .. } = round;
        let mut sealed = Sealed { decided, changed: Vec::new(), after: self.book.mark() };
        if journal.is_empty() && rows.is_empty() {
            return (sealed, None);
        }
        let slots = self.book.changed(before);
        sealed.changed = slots.iter().filter_map(|slot| self.book.accounts().at(*slot)).copied().collect();
        self.sweep.soil(&slots);
        let count = journal.len();
        let bodies = Bodies::of(&journal);
        let (writes, changes): (Vec<RowWrite>, Vec<Change>) = rows.iter().map(write_of::<S>).unzip();
        let first_seq = self.book.head().saturating_sub(u64::try_from(count).unwrap_or(0)).saturating_add(1);
        let mut block = Block {
            no: self.block.0.saturating_add(1),
            first_seq,
            rows: u32::try_from(count).unwrap_or(u32::MAX),
            at: now,
            changes,
            link: [0; 32],
        };
        block.link = chain_link(self.school, &self.block.1, &block, &bodies);
        self.block = (block.no, block.link);
        let (unlist, enlist) = self.listings(&rows);
        let of_kind = |which: fn(Kind) -> bool| journal.iter().filter(move |row| which(row.kind));
        let opened: Vec<(u64, Pending)> = of_kind(|kind| kind == Kind::Pend)
            .filter_map(|row| self.book.pending(row.seq).map(|pending| (row.seq, pending)))
            .collect();
        let closed = of_kind(|kind| matches!(kind, Kind::Post | Kind::Void)).map(|row| row.ref_seq).collect();
        let checkpoint = self.sweep.choose(&self.book, u64::try_from(count).unwrap_or(u64::MAX));
        for (key, row) in rows {
            self.cache.put(key, row);
        }
        let commit = Commit {
            school: self.school,
            journal,
            bodies,
            opened,
            closed,
            rows: writes,
            unlist,
            enlist,
            block,
            checkpoint,
        };
        fail_point!("teller.decided");
        (sealed, Some(commit))
    }

    fn listings(&self, rows: &Rows<S>) -> (Vec<Listing>, Vec<Listing>) {
        let places = |key: &S::Key, row: Option<&S::Row>| -> BTreeSet<Listing> {
            row.map(|row| S::listings(key, row).into_iter().collect()).unwrap_or_default()
        };
        let (mut unlist, mut enlist) = (Vec::new(), Vec::new());
        for (key, row) in rows {
            let before = places(key, self.cache.get(key).and_then(Option::as_ref));
            let after = places(key, row.as_ref());
            unlist.extend(before.difference(&after).cloned());
            enlist.extend(after.difference(&before).cloned());
        }
        (unlist, enlist)
    }
}

fn write_of<S: Schema>((key, row): (&S::Key, &Option<S::Row>)) -> (RowWrite, Change) {
    let at = RawKey { table: S::table(key), key: S::key_bytes(key) };
    let body = row.as_ref().map(S::encode);
    let change = row_digest(at.table, &at.key, body.as_deref());
    (RowWrite { at, body, digest: change.content }, change)
}
