use crate::Schema;
use crate::desk::Rows;

/// Rows in memory between batches, in two halves: when the young half is full it becomes the old one, and what was old and
/// not asked for again is dropped. Rows of a batch that is not durable yet are always in one of the two.
pub(crate) struct Cache<S: Schema> {
    young: Rows<S>,
    old: Rows<S>,
    /// Rows in the young half that make it full.
    half: usize,
}

impl<S: Schema> Cache<S> {
    pub(crate) const fn new(rows: usize) -> Cache<S> {
        Cache { young: Rows::<S>::new(), old: Rows::<S>::new(), half: rows / 2 }
    }

    /// The row; `Some(None)` when it is known not to exist.
    pub(crate) fn get(&self, key: &S::Key) -> Option<&Option<S::Row>> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// It is here, and stays.
    pub(crate) fn keeps(&mut self, key: &S::Key) -> bool {
        if self.young.contains_key(key) {
            return true;
        }
        match self.old.remove_entry(key) {
            Some((key, row)) => {
                self.young.insert(key, row);
                true
            }
            None => false,
        }
    }

    pub(crate) fn put(&mut self, key: S::Key, row: Option<S::Row>) {
        self.young.insert(key, row);
    }

    /// Makes room. Only between batches: no more than one of them may be on its way to the store.
    pub(crate) fn age(&mut self) {
        if self.young.len() > self.half {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
