//! A store in memory that survives its engine, keeps the promises of the port and can be told to fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use ledger::{Account, AccountKey, Block, Fen, JournalRow, Pending};
use teller::{Commit, CommitError, Listing, RawKey, Recovered, Store, StoreError};

/// A row that this database refuses to keep, as a unique key would.
pub const UNWANTED: &[u8] = &[0xBA, 0xD0];

/// What happens to the next commit.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The disk is full.
    Full,
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
    pub applied_seq: u64,
    pub rows: BTreeMap<RawKey, Vec<u8>>,
    pub lists: BTreeSet<Listing>,
    pub blocks: Vec<Block>,
    pub trouble: VecDeque<Trouble>,
    /// Rows that cannot be read.
    pub unreadable: BTreeSet<RawKey>,
    /// Reads that went to the store, in order.
    pub loads: Vec<Vec<RawKey>>,
    /// Every commit from this block on is lost before it is kept.
    pub lose_after_blocks: Option<usize>,
    /// The account rows are not written, as a checkpoint that lags behind.
    pub lagging: bool,
}

/// A handle; every clone is the same disk.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Kept>>);

impl Shelf {
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no test panics while it looks at the shelf")
    }

    pub fn fail_next(&self, trouble: Trouble) {
        self.kept().trouble.push_back(trouble);
    }
}

impl Kept {
    fn check(&self, commit: &Commit<'_>) -> Result<(), CommitError> {
        let next = u64::try_from(self.journal.len()).expect("few") + 1;
        let in_order = commit.journal.iter().zip(next..).all(|(row, seq)| row.seq == seq);
        let block = u64::try_from(self.blocks.len()).expect("few") + 1;
        if !in_order || commit.block.no != block || commit.block.first_seq != next {
            return Err(CommitError::Constraint("block or journal row exists".to_owned()));
        }
        if commit.rows.iter().any(|row| row.body.as_deref() == Some(UNWANTED)) {
            return Err(CommitError::Constraint("this row must not exist".to_owned()));
        }
        Ok(())
    }

    fn keep(&mut self, commit: &Commit<'_>) {
        self.journal.extend(commit.journal);
        self.blocks.push(commit.block.clone());
        if !self.lagging {
            self.accounts.extend(commit.accounts.iter().copied());
            self.pendings.extend(commit.opened.iter().copied());
            self.pendings.retain(|seq, _| !commit.closed.contains(seq));
            self.applied_seq = commit.applied_seq;
        }
        for row in commit.rows {
            match &row.body {
                Some(body) => self.rows.insert(row.at.clone(), body.clone()),
                None => self.rows.remove(&row.at),
            };
        }
        self.lists.retain(|place| !commit.unlist.contains(place));
        self.lists.extend(commit.enlist.iter().cloned());
        let sum = Fen::sum(self.accounts.values().map(|account| account.balance()));
        assert_eq!(sum, Some(Fen::ZERO), "the teller made or lost money");
    }
}

impl Store for Shelf {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let kept = self.kept();
        Ok(Recovered {
            accounts: kept.accounts.iter().map(|(key, account)| (*key, *account)).collect(),
            pendings: kept.pendings.iter().map(|(seq, pending)| (*seq, *pending)).collect(),
            applied_seq: kept.applied_seq,
            tail: kept.journal.iter().filter(|row| row.seq > kept.applied_seq).copied().collect(),
            block: kept.blocks.last().map(|block| (block.no, block.link)).unwrap_or_default(),
            at: kept.blocks.last().map(|block| block.at).unwrap_or_default(),
        })
    }

    fn load(&mut self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut kept = self.kept();
        kept.loads.push(wanted.to_vec());
        if wanted.iter().any(|key| kept.unreadable.contains(key)) {
            return Err(StoreError { what: "reading rows", why: "a page is damaged".to_owned() });
        }
        Ok(wanted.iter().map(|key| kept.rows.get(key).cloned()).collect())
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), CommitError> {
        let mut kept = self.kept();
        match kept.trouble.pop_front() {
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
        Ok(())
    }
}
