use ledger::{Book, Slot};

use crate::{Checkpoint, Limits};

/// Goes round the accounts, a few with every batch, and writes those that changed: so a start has little to replay, no
/// batch pays for all the accounts that it touched, and rows that lie side by side are written together.
///
/// Every row before `replay_from` is in every account row that is kept. Source: M5.
pub(crate) struct Sweep {
    /// By slot: its kept row lacks something.
    dirty: Vec<bool>,
    next: usize,
    /// The round contains every row before this one when it is through.
    began: u64,
    replay_from: u64,
    /// The same, as of the last batch that was kept.
    durable: u64,
    /// Slots written by batches that are not known to be kept.
    unsettled: Vec<Slot>,
    /// Rows that a start may have to replay.
    tail: u64,
    /// Account rows that a large batch writes when it need not write more.
    usual: u64,
}

impl Sweep {
    /// After a start: accounts that the tail touched are written again.
    pub(crate) fn new(book: &Book, replay_from: u64, limits: &Limits) -> Sweep {
        let accounts = book.accounts();
        let lacks = |number: usize| {
            let account = accounts.slot(number).and_then(|slot| accounts.at(slot));
            account.is_some_and(|(_, account)| account.last_seq >= replay_from)
        };
        Sweep {
            dirty: (0..accounts.len()).map(lacks).collect(),
            next: 0,
            began: book.head().saturating_add(1),
            replay_from,
            durable: replay_from,
            unsettled: Vec::new(),
            tail: limits.tail.max(2),
            usual: limits.sweep.max(1),
        }
    }

    /// These accounts changed.
    pub(crate) fn soil(&mut self, slots: &[Slot]) {
        for slot in slots {
            let number = slot.number();
            if number >= self.dirty.len() {
                self.dirty.resize(number.saturating_add(1), false);
            }
            if let Some(dirty) = self.dirty.get_mut(number) {
                *dirty = true;
            }
        }
    }

    /// What a batch of `rows` journal rows writes. The book is as it will be after that batch.
    pub(crate) fn choose(&mut self, book: &Book, rows: u64) -> Checkpoint {
        let most = self.budget(book, rows);
        let mut checkpoint = self.write(book, most, rows.saturating_mul(64).max(4096));
        checkpoint.replay_from = self.replay_from;
        checkpoint
    }

    /// What is left to write, all of it. The book is as it was kept.
    pub(crate) fn all(&mut self, book: &Book) -> Checkpoint {
        (self.next, self.began) = (0, book.head().saturating_add(1));
        let mut checkpoint = self.write(book, u64::MAX, u64::MAX);
        checkpoint.replay_from = self.replay_from;
        checkpoint
    }

    /// How many accounts: a few, and more when the round would else not be through in half of the tail.
    fn budget(&self, book: &Book, rows: u64) -> u64 {
        let left = u64::try_from(self.dirty.len().saturating_sub(self.next)).unwrap_or(u64::MAX);
        // Also when rounds are begun anew, after failures and starts, the tail has its bound.
        let deadline = self.began.saturating_add(self.tail / 2).min(self.replay_from.saturating_add(self.tail));
        let rows_left = deadline.saturating_sub(book.head()).max(1);
        let needed = left.saturating_mul(rows).checked_div(rows_left).unwrap_or(left).saturating_add(1);
        rows.saturating_mul(4).max(8).min(self.usual).max(needed)
    }

    fn write(&mut self, book: &Book, most: u64, most_looked_at: u64) -> Checkpoint {
        let accounts = book.accounts();
        let mut checkpoint = Checkpoint::default();
        let (mut written, mut looked_at) = (0_u64, 0_u64);
        while written < most && looked_at < most_looked_at {
            let Some(dirty) = self.dirty.get_mut(self.next) else {
                // The round is through.
                self.replay_from = self.began;
                (self.next, self.began) = (0, book.head().saturating_add(1));
                break;
            };
            looked_at = looked_at.saturating_add(1);
            if std::mem::take(dirty)
                && let Some(slot) = accounts.slot(self.next)
                && let Some(kept) = accounts.at(slot).filter(|(_, account)| account.last_seq > 0)
            {
                checkpoint.accounts.push(*kept);
                self.unsettled.push(slot);
                written = written.saturating_add(1);
            }
            self.next = self.next.saturating_add(1);
        }
        checkpoint
    }

    /// Batches up to one that wrote `checkpoint` are kept.
    pub(crate) fn kept(&mut self, checkpoint: &Checkpoint) {
        self.durable = checkpoint.replay_from;
        self.unsettled.drain(..checkpoint.accounts.len().min(self.unsettled.len()));
    }

    /// No batch since the last kept one was kept: what they wrote is to be written again. The book is as it was kept.
    pub(crate) fn forget(&mut self, book: &Book) {
        let lost = std::mem::take(&mut self.unsettled);
        self.soil(&lost);
        self.replay_from = self.durable;
        (self.next, self.began) = (0, book.head().saturating_add(1));
    }
}
