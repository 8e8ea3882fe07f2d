//! A store that writes its account rows seldom: the batches between two checkpoints are found again in the journal's tail
//! (M5).

use std::collections::BTreeMap;

use ledger::{Account, AccountKey, Pending};
use teller::Commit;

/// What was kept in the journal and not yet in the account rows. Known to the world, not to the process.
#[derive(Default)]
pub(crate) struct Checkpoint {
    /// Account rows are written every so many batches.
    every: u32,
    /// The newest batch is left out, and said to be in: a planted bug.
    forgets_newest: bool,
    since: u32,
    accounts: BTreeMap<AccountKey, Account>,
    opened: BTreeMap<u64, Pending>,
    closed: Vec<u64>,
    applied_seq: u64,
}

/// Account rows for one batch.
#[derive(Default)]
pub(crate) struct Due {
    pub(crate) accounts: Vec<(AccountKey, Account)>,
    pub(crate) opened: Vec<(u64, Pending)>,
    pub(crate) closed: Vec<u64>,
    pub(crate) applied_seq: u64,
}

impl Checkpoint {
    pub(crate) fn new(every: u32, forgets_newest: bool) -> Checkpoint {
        Checkpoint { every, forgets_newest, ..Checkpoint::default() }
    }

    /// What is to be written beside this batch. Call [`Checkpoint::kept`] when it was.
    pub(crate) fn due(&self, commit: &Commit<'_>) -> Due {
        if self.since + 1 < self.every {
            return Due { applied_seq: self.applied_seq, ..Due::default() };
        }
        let mut after = Checkpoint { accounts: self.accounts.clone(), ..Checkpoint::default() };
        (after.opened, after.closed) = (self.opened.clone(), self.closed.clone());
        if !self.forgets_newest {
            after.add(commit);
        }
        Due {
            accounts: after.accounts.into_iter().collect(),
            opened: after.opened.into_iter().collect(),
            closed: after.closed,
            applied_seq: commit.applied_seq,
        }
    }

    /// The batch is durable.
    pub(crate) fn kept(&mut self, commit: &Commit<'_>) {
        self.since += 1;
        let wrote = self.since >= self.every;
        if wrote {
            (self.since, self.applied_seq) = (0, commit.applied_seq);
            (self.accounts, self.opened, self.closed) = Default::default();
        }
        if !wrote || self.forgets_newest {
            self.add(commit);
        }
    }

    fn add(&mut self, commit: &Commit<'_>) {
        self.accounts.extend(commit.accounts.iter().copied());
        self.opened.extend(commit.opened.iter().copied());
        for seq in commit.closed {
            if self.opened.remove(seq).is_none() {
                self.closed.push(*seq);
            }
        }
    }
}
