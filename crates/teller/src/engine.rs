use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, RwLock};

use ledger::{
    Account, AccountKey, Block, Book, Digest, Id, JournalRow, Kind, Micros, PostRefusal, SchoolId, chain_link,
    row_digest,
};

use crate::command::Step;
use crate::desk::Rows;
use crate::{Commit, CommitError, Desk, Fault, Job, Listing, RawKey, RowWrite, Schema, Seen, Store, StoreError};

/// Makes identifiers. The same calls give the same identifiers in replay and in the simulator.
pub trait IdSource: Send {
    /// The next one, in the order of time.
    fn next(&mut self, now: Micros) -> Id;
}

/// How much one batch takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Commands a batch.
    pub batch: usize,
    /// Rounds of naming and loading rows.
    pub rounds: usize,
    /// How often a command may be put off before it is answered `Busy` (M1).
    pub put_off: u8,
    /// Rows kept in memory between batches.
    pub cached_rows: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { batch: 2048, rounds: 8, put_off: 4, cached_rows: 200_000 }
    }
}

/// The balances as of the last commit, for pages to read. Never shows what is not durable.
#[derive(Clone, Default)]
pub struct Balances(Arc<RwLock<BTreeMap<AccountKey, Account>>>);

impl Balances {
    /// The account's sums; all 0 when it was never used.
    pub fn account(&self, key: &AccountKey) -> Account {
        let accounts = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        accounts.get(key).copied().unwrap_or_default()
    }

    fn set(&self, changed: impl IntoIterator<Item = (AccountKey, Account)>) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).extend(changed);
    }
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal's tail does not follow from the account rows.
    #[error("the book does not add up from journal row {seq}: run `onecard verify`")]
    Replay {
        /// First row that does not fit.
        seq: u64,
        /// Why.
        #[source]
        source: PostRefusal,
    },
}

/// Decides and commits batches for one school. Synchronous: a thread, a test or the simulator calls [`Engine::step`].
pub struct Engine<S: Schema, St> {
    school: SchoolId,
    store: St,
    ids: Box<dyn IdSource>,
    limits: Limits,
    book: Book,
    cache: Rows<S>,
    block: (u64, Digest),
    at: Micros,
    balances: Balances,
}

/// What a batch has decided so far.
struct Batch<S: Schema> {
    now: Micros,
    rows: Rows<S>,
    journal: Vec<JournalRow>,
}

type Jobs<S> = Vec<Box<dyn Job<S>>>;

/// Commands that are through, each with the fault that it is to be told instead of its own words.
type Decided<S> = Vec<(Box<dyn Job<S>>, Option<Fault>)>;

impl<S: Schema, St: Store> Engine<S, St> {
    /// Starts from what the store kept: checkpointed accounts, then the journal's tail replayed over them (M5).
    pub fn start(school: SchoolId, mut store: St, ids: Box<dyn IdSource>, limits: Limits) -> Result<Self, StartFault> {
        let kept = store.recover()?;
        let mut book = Book::restore(kept.accounts, kept.pendings, kept.applied_seq);
        for row in &kept.tail {
            book.replay(row).map_err(|source| StartFault::Replay { seq: row.seq, source })?;
        }
        fail_point!("teller.replayed");
        book.settle();
        let balances = Balances::default();
        balances.set(book.accounts().map(|(key, account)| (*key, *account)));
        Ok(Engine {
            school,
            store,
            ids,
            limits,
            book,
            cache: Rows::<S>::new(),
            block: kept.block,
            at: kept.at,
            balances,
        })
    }

    /// Balances as of the last commit.
    pub fn balances(&self) -> Balances {
        self.balances.clone()
    }

    /// Most commands one batch takes.
    pub const fn batch_limit(&self) -> usize {
        self.limits.batch
    }

    /// The store, to look at between batches.
    pub const fn store(&self) -> &St {
        &self.store
    }

    /// The whole book, to look at between batches.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Number of the newest block and its link.
    pub const fn head(&self) -> (u64, Digest) {
        self.block
    }

    /// Decides a batch at `wall` time, commits it, answers it. Gives back the commands that must wait for rows.
    ///
    /// Errors: the store's outcome is unknown; every command of the batch was told `Stopping` and the engine must not be
    /// used again: the process ends and recovery tells what was kept (M4).
    pub fn step(&mut self, jobs: Jobs<S>, wall: Micros) -> Result<Jobs<S>, CommitError> {
        self.at = self.at.max(wall);
        let (decided, waiting, batch) = self.decide_all(jobs);
        fail_point!("teller.decided");
        let waiting = self.answer_hopeless(waiting);
        match self.commit(&batch) {
            Ok(()) => {
                self.keep(batch);
                fail_point!("teller.kept");
                for (job, fault) in decided {
                    job.deliver(fault);
                    fail_point!("teller.answered");
                }
                Ok(waiting)
            }
            Err(CommitError::Unknown(why)) => {
                for (job, _) in decided {
                    job.deliver(Some(Fault::Stopping));
                }
                for job in waiting {
                    job.deliver(Some(Fault::Stopping));
                }
                Err(CommitError::Unknown(why))
            }
            Err(CommitError::Full(_)) => {
                self.forget();
                for (job, _) in decided {
                    job.deliver(Some(Fault::Full));
                }
                Ok(waiting)
            }
            Err(CommitError::Constraint(why)) => {
                self.forget();
                self.one_by_one(decided, waiting, &why)
            }
        }
    }

    /// One command of the batch breaks a rule of the database: the others shall not suffer for it (M4).
    fn one_by_one(&mut self, decided: Decided<S>, mut waiting: Jobs<S>, why: &str) -> Result<Jobs<S>, CommitError> {
        if decided.len() <= 1 {
            for (job, _) in decided {
                job.deliver(Some(Fault::Poison(why.to_owned())));
            }
            return Ok(waiting);
        }
        let mut stopped = None;
        for (job, fault) in decided {
            match (&stopped, fault) {
                (_, Some(fault)) => job.deliver(Some(fault)),
                (Some(_), None) => job.deliver(Some(Fault::Stopping)),
                (None, None) => match self.step(vec![job], self.at) {
                    Ok(put_off) => waiting.extend(put_off),
                    Err(why) => stopped = Some(why),
                },
            }
        }
        match stopped {
            None => Ok(waiting),
            Some(why) => {
                for job in waiting {
                    job.deliver(Some(Fault::Stopping));
                }
                Err(why)
            }
        }
    }

    fn answer_hopeless(&self, waiting: Jobs<S>) -> Jobs<S> {
        let (again, hopeless): (Jobs<S>, Jobs<S>) =
            waiting.into_iter().partition(|job| job.put_off() <= self.limits.put_off);
        for job in hopeless {
            job.deliver(Some(Fault::Busy));
        }
        again
    }

    fn decide_all(&mut self, jobs: Jobs<S>) -> (Decided<S>, Jobs<S>, Batch<S>) {
        let mut batch = Batch { now: self.at, rows: Rows::<S>::new(), journal: Vec::new() };
        let mut waiting = Jobs::<S>::new();
        let (jobs, mut decided) = self.load_all(jobs);
        fail_point!("teller.loaded");
        for mut job in jobs {
            match self.decide_one(job.as_mut(), &mut batch) {
                Step::Done | Step::Refused => decided.push((job, None)),
                Step::Broken(why) => decided.push((job, Some(Fault::Poison(why)))),
                Step::Wait(key) => {
                    job.also_needs(key);
                    waiting.push(job);
                }
            }
        }
        (decided, waiting, batch)
    }

    /// Loads what the commands name. A command whose rows cannot be had is poison; the others shall not suffer for it.
    fn load_all(&mut self, jobs: Jobs<S>) -> (Jobs<S>, Decided<S>) {
        if self.cache.len() > self.limits.cached_rows {
            self.cache.clear();
        }
        let (mut ready, mut poison) = (Jobs::<S>::new(), Decided::<S>::new());
        if self.load(&jobs).is_ok() {
            return (jobs, poison);
        }
        for job in jobs {
            match self.load(std::slice::from_ref(&job)) {
                Ok(()) => ready.push(job),
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
                jobs.iter().flat_map(|job| job.needs(&seen)).filter(|key| !self.cache.contains_key(key)).collect()
            }));
            let missing: BTreeSet<S::Key> = named
                .map_err(|_| StoreError { what: "naming the rows of a command", why: "a rule panicked".to_owned() })?;
            if missing.is_empty() {
                return Ok(());
            }
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
                self.cache.insert(key, row);
            }
        }
        Ok(())
    }

    fn decide_one(&mut self, job: &mut dyn Job<S>, batch: &mut Batch<S>) -> Step<S::Key> {
        let (mark, rows) = (self.book.mark(), batch.journal.len());
        let mut desk = Desk {
            now: batch.now,
            seen: Seen { batch: &batch.rows, cache: &self.cache },
            mine: Rows::<S>::new(),
            book: &mut self.book,
            journal: &mut batch.journal,
            ids: self.ids.as_mut(),
        };
        let step = catch_unwind(AssertUnwindSafe(|| job.decide(&mut desk)))
            .unwrap_or_else(|_| Step::Broken("a rule panicked".to_owned()));
        let mine = desk.mine;
        if matches!(step, Step::Done) {
            batch.rows.extend(mine);
        } else {
            self.book.rollback(mark);
            batch.journal.truncate(rows);
        }
        step
    }

    fn commit(&mut self, batch: &Batch<S>) -> Result<(), CommitError> {
        if batch.journal.is_empty() && batch.rows.is_empty() {
            return Ok(());
        }
        let (rows, changes): (Vec<_>, Vec<_>) = batch.rows.iter().map(write_of::<S>).unzip();
        let (unlist, enlist) = self.listings(batch);
        let first_seq = self.book.head().saturating_sub(u64::try_from(batch.journal.len()).unwrap_or(0));
        let mut block = Block {
            no: self.block.0.saturating_add(1),
            first_seq: first_seq.saturating_add(1),
            rows: u32::try_from(batch.journal.len()).unwrap_or(u32::MAX),
            at: batch.now,
            changes,
            link: [0; 32],
        };
        block.link = chain_link(self.school, &self.block.1, &block, &batch.journal);
        let accounts: Vec<_> = self.book.changed().into_iter().collect();
        let opened: Vec<_> = batch
            .journal
            .iter()
            .filter(|row| row.kind == Kind::Pend)
            .filter_map(|row| self.book.pending(row.seq).map(|pending| (row.seq, pending)))
            .collect();
        let closed: Vec<_> = batch
            .journal
            .iter()
            .filter(|row| matches!(row.kind, Kind::Post | Kind::Void))
            .map(|row| row.ref_seq)
            .collect();
        self.store.commit(&Commit {
            school: self.school,
            journal: &batch.journal,
            accounts: &accounts,
            opened: &opened,
            closed: &closed,
            rows: &rows,
            unlist: &unlist,
            enlist: &enlist,
            block: &block,
            applied_seq: self.book.head(),
        })?;
        self.block = (block.no, block.link);
        Ok(())
    }

    fn listings(&self, batch: &Batch<S>) -> (Vec<Listing>, Vec<Listing>) {
        let places = |key: &S::Key, row: Option<&S::Row>| -> BTreeSet<Listing> {
            row.map(|row| S::listings(key, row).into_iter().collect()).unwrap_or_default()
        };
        let (mut unlist, mut enlist) = (Vec::new(), Vec::new());
        for (key, row) in &batch.rows {
            let before = places(key, self.cache.get(key).and_then(Option::as_ref));
            let after = places(key, row.as_ref());
            unlist.extend(before.difference(&after).cloned());
            enlist.extend(after.difference(&before).cloned());
        }
        (unlist, enlist)
    }

    /// The batch is durable: from now on it is what everyone sees.
    fn keep(&mut self, batch: Batch<S>) {
        self.balances.set(self.book.changed());
        self.book.settle();
        self.cache.extend(batch.rows);
    }

    /// The batch was not kept: as if it had never been.
    fn forget(&mut self) {
        let mark = Book::new().mark();
        self.book.rollback(mark);
        self.cache.clear();
    }
}

fn write_of<S: Schema>((key, row): (&S::Key, &Option<S::Row>)) -> (RowWrite, ledger::Change) {
    let at = RawKey { table: S::table(key), key: S::key_bytes(key) };
    let body = row.as_ref().map(S::encode);
    let change = row_digest(at.table, &at.key, body.as_deref());
    (RowWrite { at, body, digest: change.content }, change)
}
