//! A store in memory that survives its engine, keeps the promises of the port and can be told to fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::ThreadId;

use ledger::{Account, AccountKey, Block, JournalRow, Kind, Pending};
use teller::{Checkpoint, Commit, CommitError, Listing, RawKey, Recovered, Store, StoreError};

/// A row that this database refuses to keep, as a unique key would.
pub const UNWANTED: &[u8] = &[0xBA, 0xD0];

/// What happens to the next commit.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The disk is full.
    Full,
    /// A rule of the database is broken.
    Constraint,
    /// Someone else holds the store.
    Busy,
    /// Another writer has gone on.
    Fenced,
    /// Nothing was kept, and nobody can tell.
    LostBefore,
    /// Everything was kept, and nobody can tell.
    LostAfter,
}

#[derive(Default)]
pub struct Kept {
    pub journal: Vec<JournalRow>,
    pub accounts: BTreeMap<AccountKey, Account>,
    pub pendings: BTreeMap<u64, Pending>,
    /// One less than the first row to replay.
    pub applied_seq: u64,
    pub rows: BTreeMap<RawKey, Vec<u8>>,
    pub lists: BTreeSet<Listing>,
    pub blocks: Vec<Block>,
    pub trouble: VecDeque<Trouble>,
    /// Rows that cannot be read.
    pub unreadable: BTreeSet<RawKey>,
    /// Not these rows alone: the whole disk.
    pub failed: bool,
    /// Reads that went to the store, in order.
    pub loads: Vec<Vec<RawKey>>,
    /// Every commit from this block on is lost before it is kept.
    pub lose_after_blocks: Option<usize>,
    /// The account rows are not written, as a checkpoint that lags behind.
    pub lagging: bool,
    /// Each commit says here that it has begun, and waits for a word.
    pub gate: Option<(Sender<u64>, Receiver<()>)>,
    /// Which threads kept the batches.
    pub kept_by: Vec<ThreadId>,
}

/// A handle; every clone is the same disk.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Kept>>);

impl Shelf {
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no test panics while it looks at the shelf")
    }

    /// From now on every commit waits: it is told here which block begins, and goes on at a word.
    pub fn gate(&self) -> (Receiver<u64>, Sender<()>) {
        let ((begun, heard), (word, go)) = (channel(), channel());
        self.kept().gate = Some((begun, go));
        (heard, word)
    }

    pub fn fail_next(&self, trouble: Trouble) {
        self.kept().trouble.push_back(trouble);
    }
}

impl Kept {
    fn check(&self, commit: &Commit) -> Result<(), CommitError> {
        let next = u64::try_from(self.journal.len()).expect("few") + 1;
        let in_order = commit.journal.iter().zip(next..).all(|(row, seq)| row.seq == seq);
        let block = u64::try_from(self.blocks.len()).expect("few") + 1;
        if !in_order || commit.block.no != block || commit.block.first_seq != next {
            return Err(CommitError::Fenced("block or journal row exists".to_owned()));
        }
        if commit.rows.iter().any(|row| row.body.as_deref() == Some(UNWANTED)) {
            return Err(CommitError::Constraint("this row must not exist".to_owned()));
        }
        Ok(())
    }

    fn keep(&mut self, commit: &Commit) {
        self.journal.extend(commit.journal.iter().copied());
        self.blocks.push(commit.block.clone());
        self.pendings.extend(commit.opened.iter().copied());
        self.pendings.retain(|seq, _| !commit.closed.contains(seq));
        self.checkpoint(&commit.checkpoint);
        for row in &commit.rows {
            match &row.body {
                Some(body) => self.rows.insert(row.at.clone(), body.clone()),
                None => self.rows.remove(&row.at),
            };
        }
        self.lists.retain(|place| !commit.unlist.contains(place));
        self.lists.extend(commit.enlist.iter().cloned());
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        if self.lagging {
            return;
        }
        self.accounts.extend(checkpoint.accounts.iter().copied());
        self.applied_seq = checkpoint.replay_from - 1;
        let mut newest: BTreeMap<AccountKey, u64> = BTreeMap::new();
        for row in self.journal.iter().filter(|row| row.seq <= self.applied_seq) {
            newest.extend([(row.debit, row.seq), (row.credit, row.seq)]);
        }
        for (key, seq) in newest {
            let kept = self.accounts.get(&key).map_or(0, |account| account.last_seq);
            assert!(
                kept >= seq,
                "{key:?} lacks row {seq}, but a start would replay from {} on",
                checkpoint.replay_from
            );
        }
    }

    /// What was set aside after row `seq`, by going through the journal.
    fn aside_at(&self, seq: u64) -> Vec<(u64, Pending)> {
        let mut aside = BTreeMap::new();
        for row in self.journal.iter().filter(|row| row.seq <= seq) {
            match row.kind {
                Kind::Direct => None,
                Kind::Pend => aside.insert(
                    row.seq,
                    Pending { debit: row.debit, credit: row.credit, amount: row.amount, expires_at: row.expires_at },
                ),
                Kind::Post | Kind::Void => aside.remove(&row.ref_seq),
            };
        }
        aside.into_iter().collect()
    }
}

impl Store for Shelf {
    fn recover(&self) -> Result<Recovered, StoreError> {
        let kept = self.kept();
        Ok(Recovered {
            accounts: kept.accounts.iter().map(|(key, account)| (*key, *account)).collect(),
            pendings: kept.aside_at(kept.applied_seq),
            open: kept.pendings.iter().map(|(seq, pending)| (*seq, *pending)).collect(),
            replay_from: kept.applied_seq + 1,
            tail: kept.journal.iter().filter(|row| row.seq > kept.applied_seq).copied().collect(),
            block: kept.blocks.last().map(|block| (block.no, block.link)).unwrap_or_default(),
            at: kept.blocks.last().map(|block| block.at).unwrap_or_default(),
        })
    }

    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut kept = self.kept();
        kept.loads.push(wanted.to_vec());
        if wanted.iter().any(|key| kept.unreadable.contains(key)) {
            return Err(StoreError { what: "reading rows", why: "a page is damaged".to_owned() });
        }
        Ok(wanted.iter().map(|key| kept.rows.get(key).cloned()).collect())
    }

    fn failed(&self) -> bool {
        self.kept().failed
    }

    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let gate = self.kept().gate.take();
        if let Some((begun, go)) = gate {
            begun.send(commit.block.no).expect("the test listens");
            go.recv().expect("the test says when");
            self.kept().gate = Some((begun, go));
        }
        let mut kept = self.kept();
        match kept.trouble.pop_front() {
            Some(Trouble::Constraint) => return Err(CommitError::Constraint("as the test asked".to_owned())),
            Some(Trouble::Busy) => return Err(CommitError::Busy("as the test asked".to_owned())),
            Some(Trouble::Fenced) => return Err(CommitError::Fenced("as the test asked".to_owned())),
            Some(Trouble::Full) => return Err(CommitError::Full("no room".to_owned())),
            Some(Trouble::LostBefore) => return Err(CommitError::Unknown("the cable is out".to_owned())),
            Some(Trouble::LostAfter) => {
                kept.check(commit)?;
                kept.keep(commit);
                return Err(CommitError::Unknown("the cable is out".to_owned()));
            }
            None => {}
        }
        kept.check(commit)?;
        if kept.lose_after_blocks.is_some_and(|blocks| kept.blocks.len() >= blocks) {
            return Err(CommitError::Unknown("the cable is out".to_owned()));
        }
        kept.keep(commit);
        kept.kept_by.push(std::thread::current().id());
        Ok(())
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        self.kept().checkpoint(checkpoint);
        Ok(())
    }
}
