//! The store of this world: the memory store, with an eye on what it keeps and a hand on its power.

use std::sync::{Arc, Mutex};

use flows::rows::Campus;
use ledger::JournalRow;
use store::memory::{MemoryDisk, MemoryStore, Trouble};
use teller::{Checkpoint, Commit, CommitError, RawKey, Recovered, Schema, Store, StoreError};

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
    lazy: Vec<Commit>,
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
            let _ = keep(&mut inner, batch);
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

fn keep(inner: &mut Inner, commit: &Commit) -> Result<(), CommitError> {
    let Some(writer) = inner.writer.as_ref() else {
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
    fn recover(&self) -> Result<Recovered, StoreError> {
        match lock(&self.watch.0).writer.as_ref() {
            Some(writer) => writer.recover(),
            None => Err(StoreError { what: "recovering", why: "the power is out".to_owned() }),
        }
    }

    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let inner = lock(&self.watch.0);
        let Some(writer) = inner.writer.as_ref() else {
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

    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
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
            inner.lazy.push(commit.clone());
        } else {
            keep(&mut inner, commit)?;
        }
        match trouble {
            Some(_) => Err(CommitError::Unknown("the power went out".to_owned())),
            None => Ok(()),
        }
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        match lock(&self.watch.0).writer.as_ref() {
            Some(writer) => writer.checkpoint(checkpoint),
            None => Err(CommitError::Unknown("the power is out".to_owned())),
        }
    }
}

/// A row of the book as it was kept. Error: it does not decode, which is a failure of the product.
pub(crate) fn row(body: &[u8]) -> Option<flows::rows::Row> {
    Campus::decode(&flows::rows::Key::Settings, body).ok()
}
