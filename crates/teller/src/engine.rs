use std::sync::Arc;

use ledger::{Account, AccountKey, Book, Digest, Id, JournalRow, Micros, PostRefusal, SchoolId};

use crate::cache::Cache;
use crate::round::Sealed;
use crate::sweep::Sweep;
use crate::{Balances, Checkpoint, Commit, CommitError, Fault, Job, Paced, Schema, Store, StoreError};

/// Makes identifiers. The same calls give the same identifiers in replay and in the simulator.
pub trait IdSource: Send {
    /// The next one, in the order of time.
    fn next(&mut self, now: Micros) -> Id;
}

/// How much the teller takes at once, and keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Commands a batch.
    pub batch: usize,
    /// Bytes a batch, as commands weigh themselves.
    pub bytes: usize,
    /// Rounds of naming and loading rows.
    pub rounds: usize,
    /// How often a command may be put off before it is answered `Busy` (M1).
    pub put_off: u8,
    /// Rows kept in memory between batches.
    pub cached_rows: usize,
    /// Journal rows that a start may have to replay after a crash.
    pub tail: u64,
    /// Account rows that a large batch writes beside its own work, when the tail does not ask for more.
    pub sweep: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { batch: 2048, bytes: 1 << 20, rounds: 8, put_off: 4, cached_rows: 200_000, tail: 4_000_000, sweep: 256 }
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
    /// Money is set aside that the journal does not set aside, or the other way round.
    #[error("the money set aside at journal row {0} is not what the journal says: run `onecard verify`")]
    SetAside(u64),
    /// An account row says that a journal row names it last which does not.
    #[error("account {} of {:x} was kept after journal row {seq}, which does not name it: run `onecard verify`", key.code.0, key.owner)]
    NotNamed {
        /// Which account.
        key: AccountKey,
        /// The journal row.
        seq: u64,
    },
}

/// Decides and commits batches for one school. A thread calls [`crate::run`]; a test or the simulator [`Engine::step`].
pub struct Engine<S: Schema, St> {
    pub(crate) school: SchoolId,
    pub(crate) store: Arc<St>,
    pub(crate) ids: Box<dyn IdSource>,
    pub(crate) limits: Limits,
    pub(crate) book: Book,
    pub(crate) cache: Cache<S>,
    pub(crate) sweep: Sweep,
    /// The newest block that was sealed.
    pub(crate) block: (u64, Digest),
    /// The newest that is kept.
    kept: (u64, Digest),
    pub(crate) at: Micros,
    balances: Balances,
    replayed: u64,
}

pub(crate) type Jobs<S> = Vec<Box<dyn Job<S>>>;

impl<S: Schema, St: Store> Engine<S, St> {
    /// Starts from what the store kept: checkpointed accounts, then the journal's tail replayed over them (M5).
    pub fn start(school: SchoolId, store: St, ids: Box<dyn IdSource>, limits: Limits) -> Result<Self, StartFault> {
        let kept = store.recover()?;
        let before_tail = kept.replay_from.saturating_sub(1);
        let stray = |(key, account): &&(AccountKey, Account)| !named(&kept.tail, before_tail, key, account);
        if let Some((key, account)) = kept.accounts.iter().find(stray) {
            return Err(StartFault::NotNamed { key: *key, seq: account.last_seq });
        }
        let mut book = Book::restore(kept.accounts, kept.pendings, before_tail);
        for row in &kept.tail {
            book.recover(row).map_err(|source| StartFault::Replay { seq: row.seq, source })?;
            book.settle_all();
        }
        fail_point!("teller.replayed");
        let differs = book.pendings().map(|(seq, pending)| (*seq, *pending)).zip(kept.open.iter().copied());
        let uneven = book.pendings().count() != kept.open.len();
        if let Some((left, right)) = differs.into_iter().find(|(left, right)| left != right) {
            return Err(StartFault::SetAside(left.0.min(right.0)));
        }
        if uneven {
            let last = book.pendings().map(|(seq, _)| *seq).chain(kept.open.iter().map(|(seq, _)| *seq)).max();
            return Err(StartFault::SetAside(last.unwrap_or(0)));
        }
        let balances = Balances::of(book.accounts());
        Ok(Engine {
            school,
            store: Arc::new(store),
            ids,
            limits,
            sweep: Sweep::new(&book, kept.replay_from, &limits),
            book,
            cache: Cache::new(limits.cached_rows),
            block: kept.block,
            kept: kept.block,
            at: kept.at,
            balances,
            replayed: u64::try_from(kept.tail.len()).unwrap_or(u64::MAX),
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
    pub fn store(&self) -> &St {
        &self.store
    }

    /// The whole book, to look at between batches.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Number of the newest block that is kept, and its link.
    pub const fn head(&self) -> (u64, Digest) {
        self.kept
    }

    /// Batch time of the newest batch: no batch is ever earlier.
    pub const fn at(&self) -> Micros {
        self.at
    }

    /// Journal rows that the start replayed.
    pub const fn replayed(&self) -> u64 {
        self.replayed
    }

    /// Decides a batch at `wall` time, commits it, answers it. Gives back the commands that must wait for rows.
    ///
    /// Errors: the store's outcome is unknown, or another writer has gone on; every command of the batch was told
    /// `Stopping` and the engine must not be used again: the process ends and recovery tells what was kept (M4).
    pub fn step(&mut self, jobs: Vec<Box<dyn Job<S>>>, wall: Micros) -> Result<Vec<Box<dyn Job<S>>>, CommitError> {
        self.batch(jobs, wall).map(|(waiting, _)| waiting)
    }

    /// As `step`; also tells what everyone in the batch was told when the store had no room or no time for it.
    fn batch(&mut self, jobs: Jobs<S>, wall: Micros) -> Result<(Jobs<S>, Option<Fault>), CommitError> {
        let mut round = self.open(Paced::Follows(wall));
        self.decide(&mut round, jobs);
        let waiting = std::mem::take(&mut round.waiting);
        let (sealed, commit) = self.seal(round);
        if let Some(fault) = self.disk_failed() {
            return self.failed(sealed, waiting, fault).map(|waiting| (waiting, None));
        }
        let outcome = commit.as_ref().map_or(Ok(()), |commit| self.store.commit(commit));
        match outcome {
            Ok(()) => {
                self.keep(sealed, commit.as_ref());
                Ok((waiting, None))
            }
            Err(fault) => {
                let told = told(&fault);
                self.failed(sealed, waiting, fault).map(|waiting| (waiting, told))
            }
        }
    }

    /// A disk that can no longer be read would make every command poison, for ever: the process ends instead.
    pub(crate) fn disk_failed(&self) -> Option<CommitError> {
        self.store.failed().then(|| CommitError::Unknown("the disk has failed".to_owned()))
    }

    /// The batch is durable: from now on it is what everyone sees, and its commands are answered.
    pub(crate) fn keep(&mut self, sealed: Sealed<S>, commit: Option<&Commit>) {
        if let Some(commit) = commit {
            self.balances.set(&sealed.changed);
            self.sweep.kept(&commit.checkpoint);
            self.kept = (commit.block.no, commit.block.link);
        }
        self.book.settle(sealed.after);
        fail_point!("teller.kept");
        for (job, fault) in sealed.decided {
            job.deliver(fault);
            fail_point!("teller.answered");
        }
    }

    /// The batch was not kept: as if it had never been, and whatever was decided on top of it neither.
    pub(crate) fn forget(&mut self) {
        self.book.rollback_all();
        self.cache.clear();
        self.block = self.kept;
        self.sweep.forget(&self.book);
    }

    /// Answers a batch that was not kept, or may not have been. What was decided on top of it must be decided again.
    pub(crate) fn failed(
        &mut self,
        sealed: Sealed<S>,
        waiting: Jobs<S>,
        fault: CommitError,
    ) -> Result<Jobs<S>, CommitError> {
        match (told(&fault), &fault) {
            (Some(told), _) => {
                self.forget();
                tell_all(sealed, &told);
                Ok(waiting)
            }
            (None, CommitError::Constraint(why)) => {
                self.forget();
                self.one_by_one(sealed, waiting, why)
            }
            (None, _) => {
                tell_all(sealed, &Fault::Stopping);
                tell_waiting(waiting);
                Err(fault)
            }
        }
    }

    /// One command of the batch breaks a rule of the database: the others shall not suffer for it (M4).
    fn one_by_one(&mut self, sealed: Sealed<S>, mut waiting: Jobs<S>, why: &str) -> Result<Jobs<S>, CommitError> {
        if sealed.decided.len() <= 1 {
            tell_all(sealed, &Fault::Poison(why.to_owned()));
            return Ok(waiting);
        }
        let mut rest = sealed.decided.into_iter().map(|(job, _)| job);
        while let Some(job) = rest.next() {
            match self.batch(vec![job], self.at) {
                Ok((put_off, None)) => waiting.extend(put_off),
                // No room, or no time: the others would wait for the same answer, each for itself.
                Ok((put_off, Some(told))) => {
                    waiting.extend(put_off);
                    rest.by_ref().for_each(|job| job.deliver(Some(told.clone())));
                }
                Err(stopped) => {
                    tell_waiting(rest.collect());
                    tell_waiting(waiting);
                    return Err(stopped);
                }
            }
        }
        Ok(waiting)
    }

    /// Writes every account row that lacks something, so that the next start has nothing to replay. Only between batches.
    ///
    /// Errors: as for a batch; the book is whole without it. Repeats: write nothing.
    pub fn checkpoint(&mut self) -> Result<(), CommitError> {
        let checkpoint: Checkpoint = self.sweep.all(&self.book);
        fail_point!("teller.stopping");
        if let Err(fault) = self.store.checkpoint(&checkpoint) {
            self.sweep.forget(&self.book);
            return Err(fault);
        }
        self.sweep.kept(&checkpoint);
        Ok(())
    }
}

/// An account row that contains some of the tail must have been kept after a row of the tail that names it.
fn named(tail: &[JournalRow], before_tail: u64, key: &AccountKey, account: &Account) -> bool {
    let Some(beyond) = account.last_seq.checked_sub(before_tail).and_then(|beyond| beyond.checked_sub(1)) else {
        return true;
    };
    let row = usize::try_from(beyond).ok().and_then(|at| tail.get(at));
    row.is_some_and(|row| row.debit == *key || row.credit == *key)
}

/// What everyone in a batch is told that the store had no room or no time for.
fn told(fault: &CommitError) -> Option<Fault> {
    match fault {
        CommitError::Full(_) => Some(Fault::Full),
        CommitError::Busy(_) => Some(Fault::Busy),
        CommitError::Constraint(_) | CommitError::Fenced(_) | CommitError::Unknown(_) => None,
    }
}

/// Tells every command of a batch that was not kept; one that has a fault of its own is told that.
pub(crate) fn tell_all<S: Schema>(sealed: Sealed<S>, told: &Fault) {
    for (job, own) in sealed.decided {
        job.deliver(Some(own.unwrap_or_else(|| told.clone())));
    }
}

pub(crate) fn tell_waiting<S: Schema>(waiting: Jobs<S>) {
    for job in waiting {
        job.deliver(Some(Fault::Stopping));
    }
}
