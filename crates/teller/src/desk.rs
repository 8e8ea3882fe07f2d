use std::collections::BTreeMap;

use ledger::{Account, AccountKey, Book, Id, JournalRow, Micros, Pending, PostRefusal, Transfer};

use crate::cache::Cache;
use crate::{IdSource, Schema};

/// What the desk has of a row (M1): absent is not "not loaded".
#[derive(Debug)]
pub enum Look<'a, R> {
    /// It exists.
    Row(&'a R),
    /// It does not exist.
    Absent,
    /// Nobody looked: `needs` did not name it.
    NotLoaded,
}

/// A rule asked for a row that `needs` did not name. The command is put off, untouched, until the row is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLoaded<K>(pub K);

pub(crate) type Rows<S> = BTreeMap<<S as Schema>::Key, Option<<S as Schema>::Row>>;

/// The rows loaded so far, for [`crate::Command::needs`] to name more by.
pub struct Seen<'a, S: Schema> {
    pub(crate) batch: &'a Rows<S>,
    pub(crate) cache: &'a Cache<S>,
}

impl<S: Schema> Seen<'_, S> {
    /// What is known of a row.
    pub fn look(&self, key: &S::Key) -> Look<'_, S::Row> {
        match self.batch.get(key).or_else(|| self.cache.get(key)) {
            Some(Some(row)) => Look::Row(row),
            Some(None) => Look::Absent,
            None => Look::NotLoaded,
        }
    }

    /// The row, when it is loaded and exists.
    pub fn row(&self, key: &S::Key) -> Option<&S::Row> {
        match self.look(key) {
            Look::Row(row) => Some(row),
            Look::Absent | Look::NotLoaded => None,
        }
    }
}

/// Where one command decides: rows and balances as the commands before it left them, and a place for its own changes.
///
/// Nothing written here is kept unless the command succeeds and its batch is committed.
pub struct Desk<'a, S: Schema> {
    pub(crate) now: Micros,
    pub(crate) seen: Seen<'a, S>,
    pub(crate) mine: Rows<S>,
    pub(crate) book: &'a mut Book,
    pub(crate) journal: &'a mut Vec<JournalRow>,
    pub(crate) ids: &'a mut dyn IdSource,
}

impl<S: Schema> Desk<'_, S> {
    /// Batch time: the one time of every decision of this batch (M7).
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// A fresh time-ordered identifier.
    pub fn new_id(&mut self) -> Id {
        self.ids.next(self.now)
    }

    /// What is known of a row.
    pub fn look(&self, key: &S::Key) -> Look<'_, S::Row> {
        match self.mine.get(key) {
            Some(Some(row)) => Look::Row(row),
            Some(None) => Look::Absent,
            None => self.seen.look(key),
        }
    }

    /// The row, or `None` when it does not exist. Error: it was not loaded; pass it on with `?`.
    pub fn get(&self, key: &S::Key) -> Result<Option<&S::Row>, NotLoaded<S::Key>> {
        match self.look(key) {
            Look::Row(row) => Ok(Some(row)),
            Look::Absent => Ok(None),
            Look::NotLoaded => Err(NotLoaded(key.clone())),
        }
    }

    /// Writes a row that was looked at. Error: it was not loaded.
    pub fn put(&mut self, key: S::Key, row: S::Row) -> Result<(), NotLoaded<S::Key>> {
        self.write(key, Some(row))
    }

    /// Writes a row under a key that was made of a fresh [`Desk::new_id`]: it cannot exist, so nobody need look.
    pub fn insert_new(&mut self, key: S::Key, row: S::Row) {
        self.mine.insert(key, Some(row));
    }

    /// Deletes a row that was looked at. Error: it was not loaded. Repeats: an absent row stays absent.
    pub fn delete(&mut self, key: S::Key) -> Result<(), NotLoaded<S::Key>> {
        self.write(key, None)
    }

    fn write(&mut self, key: S::Key, row: Option<S::Row>) -> Result<(), NotLoaded<S::Key>> {
        if matches!(self.look(&key), Look::NotLoaded) {
            return Err(NotLoaded(key));
        }
        self.mine.insert(key, row);
        Ok(())
    }

    /// Posts a transfer. Errors: [`PostRefusal`], then nothing moved.
    pub fn post(&mut self, transfer: &Transfer) -> Result<JournalRow, PostRefusal> {
        let row = self.book.post(transfer, self.now)?;
        self.journal.push(row);
        Ok(row)
    }

    /// An account's sums now.
    pub fn account(&self, key: &AccountKey) -> Account {
        self.book.account(key)
    }

    /// Money set aside at a journal row, while it is open.
    pub fn pending(&self, seq: u64) -> Option<Pending> {
        self.book.pending(seq)
    }
}
