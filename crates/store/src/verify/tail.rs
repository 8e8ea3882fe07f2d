use std::collections::BTreeMap;

use ledger::{AccountKey, Block, Bodies, Bound, Digest, Fen, JournalRow, Kind, Micros, Pending, SchoolId, chain_link};
use teller::StoreError;

use super::{Archive, Found, Head, Progress, Report, name_of};

const BLOCKS_A_READ: u32 = 64;

/// More rows than any batch has; a block that claims more is damaged.
const MOST_ROWS_OF_BLOCK: u32 = 1 << 20;

/// What a look at the end of a book found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The block before the first one that was checked; it was believed. All zero when the book was read from its start.
    pub trusted: Head,
    /// Counts of what was read, the head, and the findings.
    pub report: Report,
}

/// Checks the chain and the journal from the block with journal row `from` on, and believes the block before it.
///
/// Promise: without findings, the blocks from there to the newest are linked to the trusted one, no row of theirs is
/// missing, added or changed, and each follows from the rows to which its pointers lead.
/// Weaker than [`super::verify`]: what came before, account rows, open pends, guard rows, lists and the engine's own files
/// are not looked at; nor whether a pend made before `from` was ended before `from` already.
pub fn verify_tail(school: SchoolId, archive: &mut dyn Archive, from: u64, progress: &mut dyn FnMut(Progress)) -> Tail {
    let mut run = Run {
        school,
        archive,
        tail: Tail::default(),
        next_seq: 1,
        before: Some([0; 32]),
        last_at: Micros::new(i64::MIN),
        accounts: BTreeMap::new(),
        pends: BTreeMap::new(),
    };
    if let Err(fault) = run.all(from, progress) {
        run.tail.report.add(fault.to_string());
    }
    run.tail
}

/// Sequence of the block's last row; of the row before it when it has none.
fn last_of(block: &Block) -> u64 {
    block.first_seq.saturating_add(u64::from(block.rows)).saturating_sub(1)
}

struct Run<'a> {
    school: SchoolId,
    archive: &'a mut dyn Archive,
    tail: Tail,
    next_seq: u64,
    /// Link of the block before, unless it is lost.
    before: Option<Digest>,
    last_at: Micros,
    /// Newest row and balance of the accounts seen.
    accounts: BTreeMap<AccountKey, (u64, Fen)>,
    /// Pends seen; `None` once ended.
    pends: BTreeMap<u64, Option<Pending>>,
}

impl Run<'_> {
    fn all(&mut self, from: u64, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        self.archive.freeze()?;
        if let Some(block) = self.last_before(from)? {
            self.tail.trusted = Head { block: block.no, seq: last_of(&block), link: block.link };
            self.tail.report.head = self.tail.trusted;
            self.next_seq = self.tail.trusted.seq.saturating_add(1);
            (self.before, self.last_at) = (Some(block.link), block.at);
        }
        let mut after = self.tail.trusted.block;
        loop {
            let page = self.archive.blocks(after, BLOCKS_A_READ)?;
            if page.is_empty() {
                break;
            }
            for found in page {
                let no = match &found {
                    Ok(block) => block.no,
                    Err(unreadable) => unreadable.at,
                };
                if no != after.saturating_add(1) {
                    self.finding(format!("block {} is missing", after.saturating_add(1)));
                    self.before = None;
                }
                after = no;
                self.block(found)?;
            }
            progress(Progress::Journal { done: self.next_seq.saturating_sub(1), of: self.next_seq.saturating_sub(1) });
        }
        for found in self.archive.journal(self.next_seq, u64::MAX, 1)? {
            let seq = found.map_or_else(|unreadable| unreadable.at, |row| row.seq);
            self.finding(format!("journal row {seq} is in no block"));
        }
        Ok(())
    }

    fn finding(&mut self, finding: String) {
        self.tail.report.add(finding);
    }

    /// The newest block that ends before row `from`, by halves: blocks are numbered without a gap.
    fn last_before(&mut self, from: u64) -> Result<Option<Block>, StoreError> {
        let mut beyond = 1_u64;
        while !self.archive.blocks(beyond, 1)?.is_empty() {
            beyond = beyond.saturating_mul(2);
        }
        let (mut low, mut high, mut best) = (1, beyond, None);
        while low <= high {
            let middle = low.midpoint(high);
            match self.archive.blocks(middle.saturating_sub(1), 1)?.into_iter().next() {
                Some(Ok(block)) if last_of(&block) < from => {
                    low = block.no.saturating_add(1);
                    best = Some(block);
                }
                _ => high = middle.saturating_sub(1),
            }
        }
        Ok(best)
    }

    fn block(&mut self, found: Found<Block>) -> Result<(), StoreError> {
        let block = match found {
            Ok(block) => block,
            Err(unreadable) => {
                self.finding(format!("{}: {}", unreadable.row, unreadable.why));
                self.before = None;
                return Ok(());
            }
        };
        let no = block.no;
        if block.first_seq != self.next_seq {
            self.finding(format!("block {no} begins at journal row {}, not at {}", block.first_seq, self.next_seq));
        }
        if block.at < self.last_at {
            self.finding(format!("block {no} is older than the block before it"));
        }
        let rows = self.rows(&block)?;
        if let (Some(before), Some(rows)) = (&self.before, &rows)
            && chain_link(self.school, before, &block, &Bodies::of(rows)) != block.link
        {
            self.finding(format!(
                "block {no}: its link fits neither its journal rows, its changes nor the link before it"
            ));
        }
        let report = &mut self.tail.report;
        report.blocks = report.blocks.saturating_add(1);
        report.head = Head { block: no, seq: last_of(&block), link: block.link };
        self.next_seq = last_of(&block).saturating_add(1);
        (self.before, self.last_at) = (Some(block.link), block.at);
        Ok(())
    }

    /// The block's rows, each checked; `None` when they are not all there.
    fn rows(&mut self, block: &Block) -> Result<Option<Vec<JournalRow>>, StoreError> {
        if block.rows == 0 {
            return Ok(Some(Vec::new()));
        }
        if block.rows > MOST_ROWS_OF_BLOCK {
            self.finding(format!("block {} claims {} journal rows", block.no, block.rows));
            return Ok(None);
        }
        let (mut rows, mut whole) = (Vec::new(), true);
        let mut next = block.first_seq;
        for found in self.archive.journal(block.first_seq, last_of(block), block.rows)? {
            self.tail.report.journal_rows = self.tail.report.journal_rows.saturating_add(1);
            let seq = found.as_ref().map_or_else(|unreadable| unreadable.at, |row| row.seq);
            if seq != next {
                self.finding(format!("journal row {next} is missing"));
                whole = false;
            }
            next = seq.saturating_add(1);
            match found {
                Ok(row) => {
                    if row.recorded_at != block.at {
                        self.finding(format!(
                            "journal row {seq} was recorded at another time than its block {}",
                            block.no
                        ));
                    }
                    self.row(&row)?;
                    rows.push(row);
                }
                Err(unreadable) => {
                    self.finding(format!("{}: {}", unreadable.row, unreadable.why));
                    whole = false;
                }
            }
        }
        if next <= last_of(block) {
            self.finding(format!("journal row {next} is missing"));
            whole = false;
        }
        Ok(whole.then_some(rows))
    }

    fn row(&mut self, row: &JournalRow) -> Result<(), StoreError> {
        let seq = row.seq;
        if !row.amount.is_positive() || row.debit == row.credit {
            self.finding(format!("journal row {seq} moves nothing, or from an account to itself"));
        }
        let fits = match row.kind {
            Kind::Direct => row.ref_seq == 0,
            Kind::Pend => {
                let pending = crate::set_aside_by(row);
                self.pends.insert(seq, Some(pending));
                row.ref_seq == 0
            }
            Kind::Post | Kind::Void => self.ends_a_pend(row)?,
        };
        if !fits {
            self.finding(format!("journal row {seq} ends no pend that fits it"));
        }
        let moved = if matches!(row.kind, Kind::Direct | Kind::Post) { row.amount } else { Fen::ZERO };
        let given = Fen::ZERO.minus(moved).unwrap_or(Fen::ZERO);
        self.side(seq, row.debit, row.debit_prev, given, row.debit_balance)?;
        self.side(seq, row.credit, row.credit_prev, moved, row.credit_balance)
    }

    fn ends_a_pend(&mut self, row: &JournalRow) -> Result<bool, StoreError> {
        let pending = match self.pends.get(&row.ref_seq) {
            Some(seen) => *seen,
            None if row.ref_seq > self.tail.trusted.seq => None,
            None => match self.journal_row(row.ref_seq)? {
                Some(made) if made.kind == Kind::Pend => Some(crate::set_aside_by(&made)),
                _ => None,
            },
        };
        self.pends.insert(row.ref_seq, None);
        let Some(pending) = pending else { return Ok(false) };
        let amount = match row.kind {
            Kind::Void => row.amount == pending.amount,
            _ => row.amount <= pending.amount,
        };
        let in_time = row.kind == Kind::Void || pending.expires_at.is_none_or(|at| row.recorded_at < at);
        Ok(amount && in_time && (row.debit, row.credit) == (pending.debit, pending.credit))
    }

    fn journal_row(&mut self, seq: u64) -> Result<Option<JournalRow>, StoreError> {
        let found = self.archive.journal(seq, seq, 1)?.into_iter().next();
        Ok(found.and_then(Result::ok))
    }

    /// One side of a row: its pointer leads to the account's row before it, and the balance follows from there.
    fn side(&mut self, seq: u64, account: AccountKey, prev: u64, moved: Fen, balance: Fen) -> Result<(), StoreError> {
        let before = match self.accounts.get(&account) {
            Some((last, balance)) => (*last == prev).then_some(*balance),
            None if prev == 0 => Some(Fen::ZERO),
            None if prev > self.tail.trusted.seq => None,
            None => self.journal_row(prev)?.and_then(|row| match account {
                given if given == row.debit => Some(row.debit_balance),
                taken if taken == row.credit => Some(row.credit_balance),
                _ => None,
            }),
        };
        if before.and_then(|before| before.plus(moved)) != Some(balance) {
            let name = name_of(&account);
            self.finding(format!("journal row {seq} does not follow from row {prev}, to which it points, on {name}"));
        }
        if account.code.bound() == Bound::NeverNegative && balance < Fen::ZERO {
            self.finding(format!("journal row {seq}: {} is below nothing after it", name_of(&account)));
        }
        self.accounts.insert(account, (seq, balance));
        Ok(())
    }
}
