//! A disk that takes account rows seldom: what a school with many accounts has, a long tail to replay, in a school with few
//! (M5). Account rows are held back as the product gave them, and go to the disk with every so many batches.

use std::collections::BTreeMap;

use ledger::{Account, AccountKey, Block};
use teller::Checkpoint;

/// Account rows that the product gave and the disk does not have yet. Known to the world, not to the process: what it holds
/// was given with batches that are kept, so it stays true when the process dies.
#[derive(Clone)]
pub(crate) struct Held {
    every: u32,
    since: u32,
    rows: BTreeMap<AccountKey, Account>,
    /// Of the newest checkpoint on the disk.
    replay_from: u64,
    /// The newest block is left out and said to be in: a planted bug.
    lacks_newest: bool,
}

impl Default for Held {
    fn default() -> Held {
        Held::new(1, false)
    }
}

impl Held {
    pub(crate) fn new(every: u32, lacks_newest: bool) -> Held {
        Held { every, since: 0, rows: BTreeMap::new(), replay_from: 1, lacks_newest }
    }

    /// What goes to the disk with a batch for which the product gave this; `None` for just that.
    pub(crate) fn due(&self, given: &Checkpoint, block: &Block) -> Option<Checkpoint> {
        if self.every == 1 && !self.lacks_newest {
            return None;
        }
        if self.since + 1 < self.every {
            return Some(Checkpoint { accounts: Vec::new(), replay_from: self.replay_from });
        }
        let mut due = self.all(given);
        if self.lacks_newest {
            due.accounts.retain(|(_, account)| account.last_seq < block.first_seq);
            due.replay_from = block.first_seq + u64::from(block.rows);
        }
        Some(due)
    }

    /// Everything, as when the process stops in order.
    pub(crate) fn all(&self, given: &Checkpoint) -> Checkpoint {
        let mut rows = self.rows.clone();
        rows.extend(given.accounts.iter().copied());
        Checkpoint { accounts: rows.into_iter().collect(), replay_from: given.replay_from }
    }

    /// The batch is kept.
    pub(crate) fn kept(&mut self, given: &Checkpoint) {
        self.since += 1;
        if self.since >= self.every {
            self.written(given);
        } else {
            self.rows.extend(given.accounts.iter().copied());
        }
    }

    /// Everything is on the disk.
    pub(crate) fn written(&mut self, given: &Checkpoint) {
        (self.since, self.replay_from) = (0, given.replay_from);
        self.rows.clear();
    }
}
