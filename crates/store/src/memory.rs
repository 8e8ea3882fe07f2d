//! The book in memory, with the same promises as on disk: for the simulator and for tests.
//!
//! A [`MemoryDisk`] stands for the disk: it outlives the engine. Opening it gives the one writer ([`MemoryStore`]);
//! dropping that writer is a crash or a stop, whatever was not committed is gone, and it can be opened again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::ready;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flows::ports::{ListAsk, Listed, Reader, Waiting};
use ledger::{Account, AccountKey, Block, JournalRow, Micros, Pending, SchoolId};
use teller::{Checkpoint, Commit, CommitError, Listing, RawKey, Recovered, Store, StoreError};

use crate::verify::{Archive, Found, GuardRow, KeptAccount, KeptPending, KeptPlace};

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A rule of the database is broken: nothing is kept.
    Constraint,
    /// No room: nothing is kept.
    Full,
    /// The power goes before the batch is durable: nothing is kept, and the writer cannot tell.
    LostBefore,
    /// The power goes after the batch is durable: all of it is kept, and the writer cannot tell.
    LostAfter,
}

/// Why a memory disk is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another engine writes to this disk: drop it first")]
pub struct InUse;

#[derive(Clone)]
struct Kept {
    journal: BTreeMap<u64, JournalRow>,
    blocks: BTreeMap<u64, Block>,
    accounts: BTreeMap<AccountKey, Account>,
    pendings: BTreeMap<u64, Pending>,
    replay_from: u64,
    /// By table and key: body and digest.
    rows: BTreeMap<RawKey, (Vec<u8>, [u8; 16])>,
    lists: BTreeSet<Listing>,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept {
            journal: BTreeMap::new(),
            blocks: BTreeMap::new(),
            accounts: BTreeMap::new(),
            pendings: BTreeMap::new(),
            replay_from: 1,
            rows: BTreeMap::new(),
            lists: BTreeSet::new(),
        }
    }
}

struct Disk {
    school: SchoolId,
    tables: BTreeSet<&'static str>,
    kept: Kept,
    trouble: VecDeque<Trouble>,
    writer: bool,
}

/// A handle to the disk. Every clone is the same disk.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Mutex<Disk>>);

impl MemoryDisk {
    /// An empty disk for one school, with these tables of guard rows.
    pub fn new(school: SchoolId, tables: &[&'static str]) -> MemoryDisk {
        MemoryDisk(Arc::new(Mutex::new(Disk {
            school,
            tables: tables.iter().copied().collect(),
            kept: Kept::default(),
            trouble: VecDeque::new(),
            writer: false,
        })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one writer. Error: there is one.
    pub fn open(&self) -> Result<MemoryStore, InUse> {
        let mut disk = self.disk();
        if disk.writer {
            return Err(InUse);
        }
        disk.writer = true;
        drop(disk);
        Ok(MemoryStore { disk: self.clone(), lost: AtomicBool::new(false) })
    }

    /// Reads what is committed, beside the writer.
    pub fn reader(&self) -> MemoryReader {
        MemoryReader(self.clone())
    }

    /// What is committed, to be verified.
    pub fn archive(&self) -> MemoryArchive {
        MemoryArchive { disk: self.clone(), frozen: None }
    }

    /// Another disk, with what is committed on this one now: a backup.
    pub fn copy(&self) -> MemoryDisk {
        let disk = self.disk();
        let (school, tables, kept) = (disk.school, disk.tables.clone(), disk.kept.clone());
        MemoryDisk(Arc::new(Mutex::new(Disk { school, tables, kept, trouble: VecDeque::new(), writer: false })))
    }

    /// The next commit that has no trouble yet meets this one. Repeats: one after the other.
    pub fn fail_next(&self, trouble: Trouble) {
        self.disk().trouble.push_back(trouble);
    }

    /// Journal rows from `from` on, in order: for a checker that looks at every one.
    pub fn journal_from(&self, from: u64) -> Vec<JournalRow> {
        self.disk().kept.journal.range(from..).map(|(_, row)| *row).collect()
    }
}

/// The one writer of a memory disk. After an unknown outcome it does nothing more: it must be dropped.
pub struct MemoryStore {
    disk: MemoryDisk,
    lost: AtomicBool,
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.disk.disk().writer = false;
    }
}

impl MemoryStore {
    fn alive(&self, what: &'static str) -> Result<MutexGuard<'_, Disk>, StoreError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(StoreError { what, why: "the power is out".to_owned() });
        }
        Ok(self.disk.disk())
    }
}

impl Disk {
    fn bodies(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let body = |at: &RawKey| {
            if !self.tables.contains(at.table) {
                let why = format!("there is no table {}", at.table);
                return Err(StoreError { what: "reading rows", why });
            }
            Ok(self.kept.rows.get(at).map(|(body, _)| body.clone()))
        };
        wanted.iter().map(body).collect()
    }

    /// What the tables' keys would refuse.
    fn check(&self, commit: &Commit) -> Result<(), CommitError> {
        let constraint = |why: String| Err(CommitError::Constraint(why));
        if commit.school != self.school {
            return constraint("the batch is another school's".to_owned());
        }
        if let Some(row) = commit.rows.iter().find(|row| !self.tables.contains(row.at.table)) {
            return constraint(format!("there is no table {}", row.at.table));
        }
        let mut seqs = BTreeSet::new();
        for row in &commit.journal {
            if self.kept.journal.contains_key(&row.seq) || !seqs.insert(row.seq) {
                return Err(CommitError::Fenced(format!("journal row {} exists", row.seq)));
            }
        }
        if self.kept.blocks.contains_key(&commit.block.no) {
            return Err(CommitError::Fenced(format!("block {} exists", commit.block.no)));
        }
        let mut opened = BTreeSet::new();
        for (seq, _) in &commit.opened {
            if self.kept.pendings.contains_key(seq) || !opened.insert(*seq) {
                return constraint(format!("pending {seq} exists"));
            }
        }
        Ok(())
    }
}

impl Kept {
    /// Nothing in here can fail: the batch is kept as a whole.
    fn keep(&mut self, commit: &Commit) {
        self.journal.extend(commit.journal.iter().map(|row| (row.seq, *row)));
        self.blocks.insert(commit.block.no, commit.block.clone());
        self.checkpoint(&commit.checkpoint);
        self.pendings.extend(commit.opened.iter().copied());
        for seq in &commit.closed {
            self.pendings.remove(seq);
        }
        for row in &commit.rows {
            match &row.body {
                Some(body) => self.rows.insert(row.at.clone(), (body.clone(), row.digest)),
                None => self.rows.remove(&row.at),
            };
        }
        for place in &commit.unlist {
            self.lists.remove(place);
        }
        self.lists.extend(commit.enlist.iter().cloned());
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        self.accounts.extend(checkpoint.accounts.iter().copied());
        self.replay_from = checkpoint.replay_from;
    }

    /// What was set aside when row `replay_from` came: what is open now, and what the tail posted or voided.
    fn pendings_before_tail(&self) -> BTreeMap<u64, Pending> {
        let before = |seq: &u64| *seq < self.replay_from;
        let mut pendings: BTreeMap<u64, Pending> =
            self.pendings.iter().filter(|(seq, _)| before(seq)).map(|(seq, pending)| (*seq, *pending)).collect();
        let closed = self.journal.range(self.replay_from..).map(|(_, row)| row.ref_seq);
        for row in closed.filter(before).filter_map(|seq| self.journal.get(&seq)) {
            pendings.insert(row.seq, crate::set_aside_by(row));
        }
        pendings
    }

    fn list(&self, ask: &ListAsk) -> Vec<Listed> {
        if ask.from > ask.to {
            return Vec::new();
        }
        let place = |owner: Vec<u8>, at: i64| Listing { list: ask.list, owner, at, key: Vec::new() };
        let end = match ask.to.checked_add(1) {
            Some(after) => place(ask.owner.clone(), after),
            // The first owner after this one is this one with a zero byte more.
            None => place([ask.owner.as_slice(), &[0]].concat(), i64::MIN),
        };
        let range = self.lists.range((Bound::Included(place(ask.owner.clone(), ask.from)), Bound::Excluded(end)));
        let listed = |place: &Listing| Listed { at: place.at, key: place.key.clone() };
        let most = usize::try_from(ask.most).unwrap_or(usize::MAX);
        if ask.backwards {
            range.rev().take(most).map(listed).collect()
        } else {
            range.take(most).map(listed).collect()
        }
    }
}

impl Store for MemoryStore {
    fn recover(&self) -> Result<Recovered, StoreError> {
        let disk = self.alive("reading the book")?;
        let kept = &disk.kept;
        let newest = kept.blocks.last_key_value().map(|(_, block)| block);
        let head = kept.journal.last_key_value().map_or(0, |(seq, _)| *seq);
        crate::verify::require_head(newest, head)?;
        Ok(Recovered {
            accounts: kept.accounts.iter().map(|(key, account)| (*key, *account)).collect(),
            pendings: kept.pendings_before_tail().into_iter().collect(),
            open: kept.pendings.iter().map(|(seq, pending)| (*seq, *pending)).collect(),
            replay_from: kept.replay_from,
            tail: kept.journal.range(kept.replay_from..).map(|(_, row)| *row).collect(),
            block: newest.map_or((0, [0; 32]), |block| (block.no, block.link)),
            at: newest.map_or(Micros::default(), |block| block.at),
        })
    }

    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.alive("reading rows")?.bodies(wanted)
    }

    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(CommitError::Unknown("the power is out".to_owned()));
        }
        let mut disk = self.disk.disk();
        let trouble = disk.trouble.pop_front();
        let unknown = || CommitError::Unknown("the power went out".to_owned());
        match trouble {
            Some(Trouble::Constraint) => return Err(CommitError::Constraint("as the test asked".to_owned())),
            Some(Trouble::Full) => return Err(CommitError::Full("as the test asked".to_owned())),
            Some(Trouble::LostBefore) => {
                self.lost.store(true, Ordering::Relaxed);
                return Err(unknown());
            }
            Some(Trouble::LostAfter) | None => {}
        }
        disk.check(commit)?;
        disk.kept.keep(commit);
        if trouble == Some(Trouble::LostAfter) {
            self.lost.store(true, Ordering::Relaxed);
            return Err(unknown());
        }
        Ok(())
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(CommitError::Unknown("the power is out".to_owned()));
        }
        self.disk.disk().kept.checkpoint(checkpoint);
        Ok(())
    }
}

/// Reads what is committed to a memory disk; its futures are ready at once.
#[derive(Clone)]
pub struct MemoryReader(MemoryDisk);

impl Reader for MemoryReader {
    fn rows(&self, keys: Vec<RawKey>) -> Waiting<'_, Result<Vec<Option<Vec<u8>>>, StoreError>> {
        Box::pin(ready(self.0.disk().bodies(&keys)))
    }

    fn list(&self, ask: ListAsk) -> Waiting<'_, Result<Vec<Listed>, StoreError>> {
        Box::pin(ready(Ok(self.0.disk().kept.list(&ask))))
    }

    fn journal(&self, seqs: Vec<u64>) -> Waiting<'_, Result<Vec<JournalRow>, StoreError>> {
        let disk = self.0.disk();
        Box::pin(ready(Ok(seqs.iter().filter_map(|seq| disk.kept.journal.get(seq).copied()).collect())))
    }
}

/// A memory disk's content, to be verified.
pub struct MemoryArchive {
    disk: MemoryDisk,
    frozen: Option<Box<Kept>>,
}

impl MemoryArchive {
    fn with<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        match &self.frozen {
            Some(kept) => look(kept),
            None => look(&self.disk.disk().kept),
        }
    }
}

impl Archive for MemoryArchive {
    fn freeze(&mut self) -> Result<(), StoreError> {
        if self.frozen.is_none() {
            let kept = self.disk.disk().kept.clone();
            self.frozen = Some(Box::new(kept));
        }
        Ok(())
    }

    fn replay_from(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(Some(self.with(|kept| kept.replay_from)))
    }

    fn blocks(&mut self, after: u64, most: u32) -> Result<Vec<Found<Block>>, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let after = (Bound::Excluded(after), Bound::Unbounded);
        Ok(self.with(|kept| kept.blocks.range(after).take(most).map(|(_, block)| Ok(block.clone())).collect()))
    }

    fn journal(&mut self, from: u64, to: u64, most: u32) -> Result<Vec<Found<JournalRow>>, StoreError> {
        if from > to {
            return Ok(Vec::new());
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(self.with(|kept| kept.journal.range(from..=to).take(most).map(|(_, row)| Ok(*row)).collect()))
    }

    fn accounts(&mut self, each: &mut dyn FnMut(Found<KeptAccount>)) -> Result<(), StoreError> {
        self.with(|kept| {
            for (key, account) in &kept.accounts {
                each(Ok(KeptAccount { key: *key, account: *account, digest_fits: true }));
            }
        });
        Ok(())
    }

    fn pendings(&mut self, each: &mut dyn FnMut(Found<KeptPending>)) -> Result<(), StoreError> {
        self.with(|kept| {
            for (seq, pending) in &kept.pendings {
                each(Ok(KeptPending { seq: *seq, pending: *pending, digest_fits: true }));
            }
        });
        Ok(())
    }

    fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self.disk.disk().tables.iter().map(|table| (*table).to_owned()).collect())
    }

    fn guard_rows(&mut self, table: &str, each: &mut dyn FnMut(GuardRow<'_>)) -> Result<(), StoreError> {
        self.with(|kept| {
            for (at, (body, digest)) in kept.rows.iter().filter(|(at, _)| at.table == table) {
                each(GuardRow { key: &at.key, body, digest });
            }
        });
        Ok(())
    }

    fn places(&mut self, each: &mut dyn FnMut(Found<KeptPlace<'_>>)) -> Result<(), StoreError> {
        self.with(|kept| {
            for Listing { list, owner, at, key } in &kept.lists {
                each(Ok(KeptPlace { list, owner, at: *at, key }));
            }
        });
        Ok(())
    }

    fn engine_check(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn strays(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
