//! The store of this world: the memory store, with an eye on what it keeps and a hand on its power.

use std::sync::{Arc, Mutex};

use flows::rows::Campus;
use ledger::{Account, AccountKey, Block, JournalRow, Pending, SchoolId};
use store::memory::{MemoryDisk, MemoryStore, Trouble};
use teller::{Commit, CommitError, Listing, RawKey, Recovered, RowWrite, Schema, Store, StoreError};

use crate::plant::Plant;
use crate::ports::lock;

/// One batch that is durable.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) rows: Vec<(RawKey, Option<Vec<u8>>)>,
}

#[derive(Default)]
struct Inner {
    trouble: Option<Trouble>,
    kept: Vec<Kept>,
    poison: Vec<String>,
    /// Batches that were called durable and are not: a planted bug.
    lazy: Vec<Owned>,
    writer: Option<MemoryStore>,
}

/// The world's hold on the store. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Inner>>);

impl Watch {
    /// The next commit meets this.
    pub(crate) fn trouble(&self, trouble: Option<Trouble>) {
        lock(&self.0).trouble = trouble;
    }

    /// What became durable since the last call.
    pub(crate) fn take(&self) -> Vec<Kept> {
        std::mem::take(&mut lock(&self.0).kept)
    }

    /// A command was told that the book or the program is broken.
    pub(crate) fn poisoned(&self, why: String) {
        lock(&self.0).poison.push(why);
    }

    /// Such commands since the last call.
    pub(crate) fn take_poison(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).poison)
    }

    /// The planted bug catches up with its promises. `true` when there was something.
    pub(crate) fn catch_up(&self) -> bool {
        let mut inner = lock(&self.0);
        let lazy = std::mem::take(&mut inner.lazy);
        for batch in &lazy {
            // It is a planted bug: what cannot be kept any more is lost.
            let _ = keep(&mut inner, &batch.borrow());
        }
        !lazy.is_empty()
    }

    /// Power off: what is not durable is gone, and the disk has no writer.
    pub(crate) fn power_off(&self) {
        let mut inner = lock(&self.0);
        inner.lazy.clear();
        inner.writer = None;
        inner.trouble = None;
    }
}

/// A commit with its own data.
struct Owned {
    school: SchoolId,
    journal: Vec<JournalRow>,
    accounts: Vec<(AccountKey, Account)>,
    opened: Vec<(u64, Pending)>,
    closed: Vec<u64>,
    rows: Vec<RowWrite>,
    unlist: Vec<Listing>,
    enlist: Vec<Listing>,
    block: Block,
    applied_seq: u64,
}

impl Owned {
    fn of(commit: &Commit<'_>) -> Owned {
        Owned {
            school: commit.school,
            journal: commit.journal.to_vec(),
            accounts: commit.accounts.to_vec(),
            opened: commit.opened.to_vec(),
            closed: commit.closed.to_vec(),
            rows: commit.rows.to_vec(),
            unlist: commit.unlist.to_vec(),
            enlist: commit.enlist.to_vec(),
            block: commit.block.clone(),
            applied_seq: commit.applied_seq,
        }
    }

    fn borrow(&self) -> Commit<'_> {
        Commit {
            school: self.school,
            journal: &self.journal,
            accounts: &self.accounts,
            opened: &self.opened,
            closed: &self.closed,
            rows: &self.rows,
            unlist: &self.unlist,
            enlist: &self.enlist,
            block: &self.block,
            applied_seq: self.applied_seq,
        }
    }
}

fn keep(inner: &mut Inner, commit: &Commit<'_>) -> Result<(), CommitError> {
    let Some(writer) = inner.writer.as_mut() else {
        return Err(CommitError::Unknown("the power is out".to_owned()));
    };
    writer.commit(commit)?;
    let rows = commit.rows.iter().map(|row| (row.at.clone(), row.body.clone())).collect();
    inner.kept.push(Kept { journal: commit.journal.to_vec(), rows });
    Ok(())
}

/// The one writer, watched.
pub(crate) struct WatchedStore {
    watch: Watch,
    plant: Option<Plant>,
}

impl WatchedStore {
    /// Takes the disk's one writer. Error: it has one.
    pub(crate) fn open(disk: &MemoryDisk, watch: &Watch, plant: Option<Plant>) -> Result<WatchedStore, StoreError> {
        let writer = disk.open().map_err(|fault| StoreError { what: "opening the disk", why: fault.to_string() })?;
        lock(&watch.0).writer = Some(writer);
        Ok(WatchedStore { watch: watch.clone(), plant })
    }

    /// Tables whose batches a planted bug calls durable before they are.
    fn lazy_table(&self) -> Option<&'static str> {
        match self.plant {
            Some(Plant::P05) => Some("payment"),
            Some(Plant::P28) => Some("attempt"),
            _ => None,
        }
    }

    fn hidden_table(&self) -> Option<&'static str> {
        match self.plant {
            Some(Plant::P01) => Some("payment"),
            _ => None,
        }
    }
}

impl Store for WatchedStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        match lock(&self.watch.0).writer.as_mut() {
            Some(writer) => writer.recover(),
            None => Err(StoreError { what: "recovering", why: "the power is out".to_owned() }),
        }
    }

    fn load(&mut self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut inner = lock(&self.watch.0);
        let Some(writer) = inner.writer.as_mut() else {
            return Err(StoreError { what: "reading rows", why: "the power is out".to_owned() });
        };
        let mut bodies = writer.load(wanted)?;
        if let Some(hidden) = self.hidden_table() {
            for (body, _) in bodies.iter_mut().zip(wanted).filter(|(_, key)| key.table == hidden) {
                *body = None;
            }
        }
        Ok(bodies)
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), CommitError> {
        let mut inner = lock(&self.watch.0);
        let trouble = inner.trouble.take();
        match trouble {
            Some(Trouble::Constraint) => return Err(CommitError::Constraint("as the world wants it".to_owned())),
            Some(Trouble::Full) => return Err(CommitError::Full("as the world wants it".to_owned())),
            Some(Trouble::LostBefore) => return Err(CommitError::Unknown("the power went out".to_owned())),
            Some(Trouble::LostAfter) | None => {}
        }
        let lazy = self.lazy_table().is_some_and(|table| commit.rows.iter().any(|row| row.at.table == table));
        if lazy || !inner.lazy.is_empty() {
            inner.lazy.push(Owned::of(commit));
        } else {
            keep(&mut inner, commit)?;
        }
        match trouble {
            Some(_) => Err(CommitError::Unknown("the power went out".to_owned())),
            None => Ok(()),
        }
    }
}

/// A row of the book as it was kept. Error: it does not decode, which is a failure of the product.
pub(crate) fn row(body: &[u8]) -> Option<flows::rows::Row> {
    Campus::decode(&flows::rows::Key::Settings, body).ok()
}
