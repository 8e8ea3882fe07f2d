//! The store of this world: the memory store, with an eye on what it keeps and a hand on its power.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use flows::rows::Campus;
use ledger::{Block, JournalRow};
use store::memory::{MemoryDisk, MemoryStore, Trouble};
use teller::{Checkpoint, Commit, CommitError, RawKey, Recovered, Schema, Store, StoreError};

use crate::checkpoint::Held;
use crate::plant::Plant;
use crate::ports::lock;

/// One batch that is durable.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) block: Block,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) rows: Vec<(RawKey, Option<Vec<u8>>)>,
}

/// What will befall the process at its store.
#[derive(Default)]
pub(crate) struct Perils {
    /// One for each commit.
    pub(crate) troubles: VecDeque<Trouble>,
    /// The store is in other hands at the next commit.
    pub(crate) busy: bool,
    /// It dies when it recovers: after it read the book, else before.
    pub(crate) at_recover: Option<bool>,
    /// It dies at this load from now on.
    pub(crate) at_load: Option<u32>,
    /// It dies when it writes its last account rows: after they are kept, else before.
    pub(crate) at_checkpoint: Option<bool>,
}

/// The process ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// A counter's name.
    pub(crate) how: &'static str,
    /// The block that was being kept, and whether it was.
    pub(crate) block: Option<(u64, bool)>,
}

/// What goes through the stack instead of a value when the process dies in the middle of it.
struct Died;

/// What a commit met that was refused for want of a rule's consent.
pub(crate) const CONSTRAINT: &str = "server: commit constraint";

#[derive(Default)]
struct Inner {
    perils: Perils,
    held: Held,
    /// Loads since the start, and since the perils were drawn.
    loads: (u32, u32),
    kept: Vec<Kept>,
    met: Vec<&'static str>,
    death: Option<Death>,
    given: Option<Recovered>,
    poison: Vec<String>,
    /// Batches that were called durable and are not: a planted bug.
    lazy: Vec<Commit>,
    writer: Option<MemoryStore>,
}

/// The world's hold on the store. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Inner>>);

impl Watch {
    /// A disk that takes account rows with every so many batches.
    pub(crate) fn account_rows_every(&self, batches: u32, plant: Option<Plant>) {
        lock(&self.0).held = Held::new(batches, plant == Some(Plant::P59));
    }

    /// From now on the process meets these.
    pub(crate) fn perils(&self, perils: Perils) {
        let mut inner = lock(&self.0);
        inner.perils = perils;
        inner.loads.1 = 0;
    }

    /// Account rows that the disk does not have yet, to be put back with a copy of it.
    pub(crate) fn held(&self) -> Held {
        lock(&self.0).held.clone()
    }

    /// Another disk, and what it does not have yet.
    pub(crate) fn put_back(&self, held: Held) {
        lock(&self.0).held = held;
    }

    /// What it met since the last call, by the counters' names.
    pub(crate) fn take_met(&self) -> Vec<&'static str> {
        std::mem::take(&mut lock(&self.0).met)
    }

    /// Where it died since the last call.
    pub(crate) fn take_death(&self) -> Option<Death> {
        lock(&self.0).death.take()
    }

    /// What the last recovery was given.
    pub(crate) fn take_given(&self) -> Option<Recovered> {
        lock(&self.0).given.take()
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
        inner.perils = Perils::default();
    }
}

fn keep(inner: &mut Inner, commit: &Commit) -> Result<(), CommitError> {
    let Some(writer) = inner.writer.as_ref() else {
        return Err(CommitError::Unknown("the power is out".to_owned()));
    };
    match inner.held.due(&commit.checkpoint, &commit.block) {
        Some(checkpoint) => writer.commit(&Commit { checkpoint, ..commit.clone() })?,
        None => writer.commit(commit)?,
    }
    inner.held.kept(&commit.checkpoint);
    let rows = commit.rows.iter().map(|row| (row.at.clone(), row.body.clone())).collect();
    inner.kept.push(Kept { block: commit.block.clone(), journal: commit.journal.clone(), rows });
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

impl WatchedStore {
    /// The process dies: nothing after this happens, and what is not durable is gone.
    fn die(&self, how: &'static str) -> ! {
        let mut inner = lock(&self.watch.0);
        inner.death = Some(Death { how, block: None });
        inner.writer = None;
        drop(inner);
        resume_unwind(Box::new(Died))
    }

    /// Where a load ends the process, if this one does.
    fn fatal_load(&self) -> Option<&'static str> {
        let mut inner = lock(&self.watch.0);
        inner.loads = (inner.loads.0 + 1, inner.loads.1 + 1);
        let left = inner.perils.at_load?.saturating_sub(1);
        inner.perils.at_load = Some(left);
        let how = match inner.loads {
            (1, _) => "server: crash at the first load after a start",
            (_, 1) => "server: crash at a load",
            _ => "server: crash at a later load of a batch",
        };
        (left == 0).then_some(how)
    }
}

impl Store for WatchedStore {
    fn recover(&self) -> Result<Recovered, StoreError> {
        let mut inner = lock(&self.watch.0);
        inner.loads = (0, 0);
        let (fatal, late) = (inner.perils.at_recover.is_some(), inner.perils.at_recover == Some(true));
        let given = match inner.writer.as_ref() {
            Some(writer) if !fatal || late => writer.recover(),
            _ => Err(StoreError { what: "recovering", why: "the power is out".to_owned() }),
        };
        if fatal {
            drop(inner);
            self.die(if late {
                "server: crash after the book was read"
            } else {
                "server: crash before the book was read"
            });
        }
        let mut given = given?;
        if self.plant == Some(Plant::P68) && !given.tail.is_empty() {
            given.tail.remove(0);
        }
        inner.given = Some(given.clone());
        Ok(given)
    }

    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if let Some(how) = self.fatal_load() {
            self.die(how);
        }
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
        if std::mem::take(&mut inner.perils.busy) {
            inner.met.push("server: store in other hands");
            return Err(CommitError::Busy("as the world wants it".to_owned()));
        }
        let trouble = inner.perils.troubles.pop_front();
        let again = inner.met.contains(&CONSTRAINT);
        let died = |kept: bool| {
            let how = match (again, kept) {
                (true, _) => "server: crash among commands run one by one",
                (false, false) => "server: crash before commit",
                (false, true) => "server: crash after commit",
            };
            Some(Death { how, block: Some((commit.block.no, kept)) })
        };
        let unknown = Err(CommitError::Unknown("the power went out".to_owned()));
        match trouble {
            Some(Trouble::Constraint) => {
                inner.met.push(CONSTRAINT);
                if self.plant == Some(Plant::P71) {
                    return Ok(());
                }
                return Err(CommitError::Constraint("as the world wants it".to_owned()));
            }
            Some(Trouble::Full) => {
                inner.met.push("server: disk full");
                return Err(CommitError::Full("as the world wants it".to_owned()));
            }
            Some(Trouble::LostBefore) => {
                inner.death = died(false);
                return unknown;
            }
            Some(Trouble::LostAfter) | None => {}
        }
        let lazy = self.lazy_table().is_some_and(|table| commit.rows.iter().any(|row| row.at.table == table));
        if lazy || !inner.lazy.is_empty() {
            inner.lazy.push(commit.clone());
        } else {
            keep(&mut inner, commit)?;
        }
        if trouble.is_none() {
            return Ok(());
        }
        inner.death = died(inner.lazy.is_empty());
        unknown
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        let mut inner = lock(&self.watch.0);
        let fatal = inner.perils.at_checkpoint;
        if fatal != Some(false) {
            let all = inner.held.all(checkpoint);
            match inner.writer.as_ref() {
                Some(writer) => writer.checkpoint(&all)?,
                None => return Err(CommitError::Unknown("the power is out".to_owned())),
            }
            inner.held.written(checkpoint);
        }
        drop(inner);
        match fatal {
            Some(true) => self.die("server: crash after the last checkpoint"),
            Some(false) => self.die("server: crash before the last checkpoint"),
            None => Ok(()),
        }
    }
}

/// A row of the book as it was kept. Error: it does not decode, which is a failure of the product.
pub(crate) fn row(body: &[u8]) -> Option<flows::rows::Row> {
    Campus::decode(&flows::rows::Key::Settings, body).ok()
}
