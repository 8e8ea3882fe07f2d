//! Checks a kept book from end to end: the chain, the journal's arithmetic, the checkpoint, every guard row.
//!
//! The journal is read once, in short reads, and memory stays flat in its length: only balances, open pends and one hash
//! for each guard row are kept. It shares [`ledger::Book`] and [`ledger::chain_link`] with the engine, and nothing else.

mod check;
mod lists;
mod report;
mod tail;

use ledger::{Account, AccountKey, Block, JournalRow, Pending, SchoolId};
use teller::StoreError;

use check::Check;
pub use lists::{KeptPlace, PlacesOf, verify_lists};
pub use report::{Head, Report, link_text};
pub use tail::{Tail, verify_tail};

/// A kept book as it can be read from end to end.
///
/// To write one: hand out rows as they are, also damaged ones; never repair, never skip. Journal and blocks only grow, so
/// they may be read while a writer is at work; after `freeze` everything must be of one moment.
pub trait Archive {
    /// From now on every read shows one moment. Repeats: keep the first moment.
    fn freeze(&mut self) -> Result<(), StoreError>;

    /// The first journal row that an account row may lack; `None` when it is lost.
    fn replay_from(&mut self) -> Result<Option<u64>, StoreError>;

    /// Blocks after number `after`, in order, at most `most`.
    fn blocks(&mut self, after: u64, most: u32) -> Result<Vec<Found<Block>>, StoreError>;

    /// Journal rows from sequence `from` to `to`, both included, in order, at most `most`.
    fn journal(&mut self, from: u64, to: u64, most: u32) -> Result<Vec<Found<JournalRow>>, StoreError>;

    /// Every account row, in the order of keys.
    fn accounts(&mut self, each: &mut dyn FnMut(Found<KeptAccount>)) -> Result<(), StoreError>;

    /// Every open pend, in order.
    fn pendings(&mut self, each: &mut dyn FnMut(Found<KeptPending>)) -> Result<(), StoreError>;

    /// Names of the tables of guard rows.
    fn tables(&mut self) -> Result<Vec<String>, StoreError>;

    /// Every row of a table.
    fn guard_rows(&mut self, table: &str, each: &mut dyn FnMut(GuardRow<'_>)) -> Result<(), StoreError>;

    /// Every place that a row takes in a list.
    fn places(&mut self, each: &mut dyn FnMut(Found<KeptPlace<'_>>)) -> Result<(), StoreError>;

    /// What the engine underneath finds wrong with its own files.
    fn engine_check(&mut self) -> Result<Vec<String>, StoreError>;

    /// Rows that belong to no school of this book, a sentence for each kind.
    fn strays(&mut self) -> Result<Vec<String>, StoreError>;
}

/// A row, or why it cannot be read.
pub type Found<T> = Result<T, Unreadable>;

/// A row with a value in it that no writer makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its sequence or number; 0 when it has none.
    pub at: u64,
    /// What to call it.
    pub row: String,
    /// What is wrong.
    pub why: String,
}

/// An account row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptAccount {
    /// Which account.
    pub key: AccountKey,
    /// Its sums.
    pub account: Account,
    /// The digest beside it is its own.
    pub digest_fits: bool,
}

/// A row of money set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptPending {
    /// Journal row that set it aside.
    pub seq: u64,
    /// Between whom, how much.
    pub pending: Pending,
    /// The digest beside it is its own.
    pub digest_fits: bool,
}

/// A guard row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRow<'a> {
    /// Key within its table.
    pub key: &'a [u8],
    /// What it holds.
    pub body: &'a [u8],
    /// The digest beside it.
    pub digest: &'a [u8],
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The engine checks its own files.
    Engine,
    /// So many journal rows of so many are checked; the whole may still grow.
    Journal {
        /// Checked.
        done: u64,
        /// Of.
        of: u64,
    },
    /// Account rows are compared.
    Accounts,
    /// So many guard rows are checked.
    GuardRows {
        /// Checked.
        done: u64,
    },
    /// So many guard rows are looked up in the lists.
    Lists {
        /// Looked up.
        done: u64,
    },
}

/// Checks everything in `archive` against everything else in it, and against `anchors`: heads of the chain that were
/// written down outside the store, so that a cut tail shows (M8).
///
/// Promise: a report without findings means that every journal row, block, account row, open pend and guard row is what
/// the engine committed, with none missing and none added. What cannot be read is a finding, never an error.
pub fn verify(
    school: SchoolId,
    archive: &mut dyn Archive,
    anchors: &[Head],
    progress: &mut dyn FnMut(Progress),
) -> Report {
    let mut run = Run { archive, check: Check::new(school, anchors), progress, after_block: 0, applied: None };
    (run.progress)(Progress::Engine);
    match run.archive.engine_check() {
        Ok(said) => said.into_iter().for_each(|line| run.check.finding(format!("the database file: {line}"))),
        Err(fault) => run.check.finding(fault.to_string()),
    }
    if let Err(fault) = run.all() {
        run.check.finding(fault.to_string());
    }
    run.check.done()
}

/// Refuses a store whose journal does not end where its newest block ends.
///
/// Error: a [`StoreError`] that names both; an engine must not start from such a store.
pub fn require_head(newest: Option<&Block>, head: u64) -> Result<(), StoreError> {
    let told = newest.map_or(0, |block| block.first_seq.saturating_add(u64::from(block.rows)).saturating_sub(1));
    if told == head {
        return Ok(());
    }
    Err(StoreError {
        what: "reading the newest block",
        why: format!("the blocks end at journal row {told}, the journal at {head}; run `onecard verify`"),
    })
}

/// What to call an account in a sentence.
pub fn name_of(key: &AccountKey) -> String {
    format!("account {} of {:x}, part {}", key.code.0, key.owner, key.part)
}

const BLOCKS_A_READ: u32 = 64;
const ROWS_A_READ: u32 = 4096;

struct Run<'a> {
    archive: &'a mut dyn Archive,
    check: Check,
    progress: &'a mut dyn FnMut(Progress),
    after_block: u64,
    applied: Option<u64>,
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), StoreError> {
        // What is settled now stays as it is: it is read in short reads, beside the writer. Only the rest needs one moment.
        let settled = self.archive.replay_from().ok().flatten().unwrap_or(1).saturating_sub(1);
        self.blocks(Some(settled))?;
        self.archive.freeze()?;
        let replay_from = self.archive.replay_from().unwrap_or_else(|fault| {
            self.check.finding(fault.to_string());
            None
        });
        self.applied = replay_from.and_then(|from| from.checked_sub(1));
        self.compare_if_due();
        self.blocks(None)?;
        self.rest()?;
        self.compare_if_due();
        self.check.checkpoint_compared(self.applied);
        self.pendings()?;
        self.guard_rows()?;
        for stray in self.archive.strays()? {
            self.check.finding(stray);
        }
        Ok(())
    }

    /// Checks blocks in order; with a limit, as long as their rows are at or before it.
    fn blocks(&mut self, limit: Option<u64>) -> Result<(), StoreError> {
        loop {
            let page = self.archive.blocks(self.after_block, BLOCKS_A_READ)?;
            if page.is_empty() {
                return Ok(());
            }
            for found in page {
                match found {
                    Ok(block) => {
                        if limit.is_some_and(|limit| Check::last_of(&block) > limit) {
                            return Ok(());
                        }
                        self.block(&block)?;
                        self.after_block = block.no;
                    }
                    Err(unreadable) if limit.is_some() => {
                        drop(unreadable); // told in the second pass
                        return Ok(());
                    }
                    Err(unreadable) => {
                        self.after_block = unreadable.at;
                        self.check.unreadable_block(&unreadable);
                    }
                }
            }
            (self.progress)(Progress::Journal { done: self.check.head(), of: self.applied.unwrap_or(0) });
        }
    }

    fn block(&mut self, block: &Block) -> Result<(), StoreError> {
        let last = Check::last_of(block);
        let believable = self.check.believable(block);
        let mut rows = Vec::new();
        if block.rows > 0 && believable {
            for found in self.archive.journal(block.first_seq, last, block.rows)? {
                match found {
                    Ok(row) => {
                        self.up_to(row.seq)?;
                        self.row(&row, block);
                        rows.push(row);
                    }
                    Err(unreadable) => {
                        self.up_to(unreadable.at)?;
                        self.check.unreadable_row(&unreadable);
                    }
                }
            }
            self.up_to(last.saturating_add(1))?;
        }
        self.check.block(block, &rows);
        Ok(())
    }

    fn row(&mut self, row: &JournalRow, block: &Block) {
        self.compare_if_due();
        self.check.row(row);
        if row.recorded_at != block.at {
            let (seq, no) = (row.seq, block.no);
            self.check.finding(format!("journal row {seq} was recorded at another time than its block {no}"));
        }
    }

    /// Accounts for every sequence before `seq`: rows there are in no block, or missing.
    fn up_to(&mut self, seq: u64) -> Result<(), StoreError> {
        while self.check.next_seq() < seq {
            let from = self.check.next_seq();
            let found = self.archive.journal(from, seq.saturating_sub(1), 1)?;
            match found.into_iter().next() {
                Some(Ok(row)) => {
                    self.check.missing(row.seq);
                    self.compare_if_due();
                    self.check.row(&row);
                    self.check.finding(format!("journal row {} is in no block", row.seq));
                }
                Some(Err(unreadable)) => {
                    self.check.missing(unreadable.at);
                    self.check.unreadable_row(&unreadable);
                }
                None => self.check.missing(seq),
            }
        }
        Ok(())
    }

    /// Journal rows after the last block: there must be none.
    fn rest(&mut self) -> Result<(), StoreError> {
        loop {
            let rows = self.archive.journal(self.check.next_seq(), u64::MAX, ROWS_A_READ)?;
            if rows.is_empty() {
                return Ok(());
            }
            for found in rows {
                let at = match &found {
                    Ok(row) => row.seq,
                    Err(unreadable) => unreadable.at,
                };
                self.check.beyond(at);
            }
        }
    }

    /// Compares the checkpoint when the replay has come exactly to where every account row may be behind.
    fn compare_if_due(&mut self) {
        if !self.check.due(self.applied) {
            return;
        }
        (self.progress)(Progress::Accounts);
        let mut compare = self.check.compare();
        match self.archive.accounts(&mut |found| compare.account(found)) {
            Ok(()) => compare.done(),
            // The journal can be checked all the same.
            Err(fault) => compare.cut_short(&fault),
        }
    }

    fn pendings(&mut self) -> Result<(), StoreError> {
        let Some(mut compare) = self.check.compare_pendings() else { return Ok(()) };
        self.archive.pendings(&mut |found| compare.pending(found))?;
        compare.done();
        Ok(())
    }

    fn guard_rows(&mut self) -> Result<(), StoreError> {
        let mut done = 0_u64;
        for table in self.archive.tables()? {
            let (check, progress) = (&mut self.check, &mut self.progress);
            check.table(&table);
            self.archive.guard_rows(&table, &mut |row| {
                check.guard_row(&table, row);
                done = done.saturating_add(1);
                if done.is_multiple_of(4096) {
                    progress(Progress::GuardRows { done });
                }
            })?;
        }
        (self.progress)(Progress::GuardRows { done });
        self.check.guard_rows_done();
        Ok(())
    }
}
