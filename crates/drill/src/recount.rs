//! The book as its files have it, added up once more from the rows alone. Shares no arithmetic with `ledger::Book`.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::{AccountKey, Id, JournalRow, Kind};
use store::sqlite::SqliteArchive;
use store::verify::Archive;

use crate::schema::{self, Kept, OPERATION, TALLY, Tally};
use crate::server::school;
use crate::wire::Sums;

/// Journal rows read at once.
const AT_ONCE: u32 = 4096;
/// Findings of one kind that are told; more of them say nothing new.
const MOST: usize = 20;

/// What a book holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recount {
    /// Every journal row, by the operation that made it.
    pub rows: BTreeMap<Id, Vec<JournalRow>>,
    /// Sums of every account that a row names.
    pub sums: BTreeMap<AccountKey, Sums>,
    /// What is kept of each operation.
    pub kept: BTreeMap<Id, Kept>,
    /// What is kept of each holder.
    pub tallies: BTreeMap<u32, Tally>,
    /// The newest row.
    pub head: u64,
    /// The first row that an account row may lack; a start replays from it (M5).
    pub replay_from: u64,
    /// What does not add up.
    pub findings: Vec<String>,
    aside: BTreeMap<u64, (AccountKey, AccountKey, i64)>,
    newest: BTreeMap<AccountKey, u64>,
}

/// Reads the book in a data folder, beside the server or at rest.
pub(crate) fn read(data: &Path) -> Result<Recount, String> {
    let mut archive = SqliteArchive::open(data, school()).map_err(|fault| format!("{fault}"))?;
    archive.freeze().map_err(|fault| fault.to_string())?;
    let mut checkpoint = BTreeMap::new();
    let replay_from = archive.replay_from().map_err(|fault| fault.to_string())?;
    let replay_from = replay_from.ok_or("the book does not say where a start replays from")?;
    let mut recount = Recount { replay_from, ..Recount::default() };
    let mut unreadable = Vec::new();
    archive
        .accounts(&mut |found| match found {
            Ok(kept) => {
                let account = kept.account;
                let sums =
                    [account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending];
                checkpoint.insert(kept.key, (account.last_seq, sums.map(|sum| sum.get())));
            }
            Err(fault) => unreadable.push(format!("{}: {}", fault.row, fault.why)),
        })
        .map_err(|fault| fault.to_string())?;
    let mut from = 1;
    loop {
        let part = archive.journal(from, u64::MAX, AT_ONCE).map_err(|fault| fault.to_string())?;
        if part.is_empty() {
            break;
        }
        for row in part {
            match row {
                Ok(row) => {
                    from = row.seq + 1;
                    recount.add(&row);
                    recount.compare_checkpoint(&row, &checkpoint);
                }
                Err(fault) => return Err(format!("{}: {}", fault.row, fault.why)),
            }
        }
    }
    let mut guard = |table: &str, each: &mut dyn FnMut(&[u8], &[u8]) -> bool| {
        let mut bad = Vec::new();
        let read = archive.guard_rows(table, &mut |row| {
            if !each(row.key, row.body) {
                bad.push(format!("a row of {table} that cannot be read: {:?}", row.key));
            }
        });
        read.map(|()| bad).map_err(|fault| fault.to_string())
    };
    let (mut kept, mut tallies) = (BTreeMap::new(), BTreeMap::new());
    unreadable.extend(guard(OPERATION, &mut |key, body| match (key.try_into(), schema::kept(body)) {
        (Ok(key), Ok(row)) => kept.insert(Id::from_bytes(key), row).is_none(),
        _ => false,
    })?);
    unreadable.extend(guard(TALLY, &mut |key, body| match (key.try_into(), schema::tally(body)) {
        (Ok(key), Ok(row)) => tallies.insert(u32::from_be_bytes(key), row).is_none(),
        _ => false,
    })?);
    (recount.kept, recount.tallies) = (kept, tallies);
    recount.findings.extend(unreadable);
    recount.finish();
    Ok(recount)
}

impl Recount {
    fn find(&mut self, finding: String) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        }
    }

    /// Adds the next row.
    pub(crate) fn add(&mut self, row: &JournalRow) {
        if row.seq != self.head + 1 {
            self.find(format!("journal row {} follows row {}", row.seq, self.head));
        }
        self.head = row.seq;
        let (debit, credit, fen) = (row.debit, row.credit, row.amount.get());
        if debit == credit || fen <= 0 {
            self.find(format!("journal row {} moves {fen} between {debit:?} and {credit:?}", row.seq));
        }
        // Debits posted, credits posted, debits aside, credits aside: how many times the row's amount each is.
        match row.kind {
            Kind::Direct => self.change(row, [fen, fen, 0, 0]),
            Kind::Pend => {
                self.change(row, [0, 0, fen, fen]);
                self.aside.insert(row.seq, (debit, credit, fen));
            }
            Kind::Post | Kind::Void => match self.aside.remove(&row.ref_seq) {
                Some((from, to, whole)) if (from, to) == (debit, credit) && fen <= whole => {
                    let posted = if row.kind == Kind::Post { fen } else { 0 };
                    if posted == 0 && fen != whole {
                        self.find(format!("journal row {} gives back {fen} of {whole}", row.seq));
                    }
                    self.change(row, [posted, posted, -whole, -whole]);
                }
                found => self.find(format!("journal row {} ends {}, which is {found:?}", row.seq, row.ref_seq)),
            },
        }
        let ends = [(debit, row.debit_balance, row.debit_prev), (credit, row.credit_balance, row.credit_prev)];
        for (account, balance, prev) in ends {
            let [debits, credits, aside, _] = self.sums.get(&account).copied().unwrap_or_default();
            if balance.get() != credits - debits {
                self.find(format!("journal row {}: {account:?} has {}, not {balance}", row.seq, credits - debits));
            }
            if (2000..3000).contains(&account.code.0) && credits - debits < aside {
                self.find(format!("journal row {}: {account:?} falls below nothing", row.seq));
            }
            let before = self.newest.insert(account, row.seq).unwrap_or(0);
            if prev != before {
                self.find(format!("journal row {}: the row before of {account:?} is {before}, not {prev}", row.seq));
            }
        }
        self.rows.entry(row.reference).or_default().push(*row);
    }

    fn change(&mut self, row: &JournalRow, by: Sums) {
        let debit = self.sums.entry(row.debit).or_default();
        (debit[0], debit[2]) = (debit[0] + by[0], debit[2] + by[2]);
        let credit = self.sums.entry(row.credit).or_default();
        (credit[1], credit[3]) = (credit[1] + by[1], credit[3] + by[3]);
    }

    /// An account row that was written when this was the account's newest row must have the sums of that moment, and one
    /// that is older may lack this row only if a start replays it.
    fn compare_checkpoint(&mut self, row: &JournalRow, checkpoint: &BTreeMap<AccountKey, (u64, Sums)>) {
        for account in [row.debit, row.credit] {
            let (newest, kept) = checkpoint.get(&account).copied().unwrap_or_default();
            let sums = self.sums.get(&account).copied().unwrap_or_default();
            if newest == row.seq && kept != sums {
                self.find(format!("account row {account:?} at row {} has {kept:?}, not {sums:?}", row.seq));
            }
            if newest < row.seq && row.seq < self.replay_from {
                let from = self.replay_from;
                self.find(format!("account row {account:?} lacks row {}, a start replays from {from}", row.seq));
            }
        }
    }

    /// All rows were added.
    pub(crate) fn finish(&mut self) {
        let whole: i64 = self.sums.values().map(|[debits, credits, _, _]| credits - debits).sum();
        if whole != 0 {
            self.find(format!("all balances together are {whole}, not 0"));
        }
        let mut done: BTreeMap<u32, Tally> = BTreeMap::new();
        for row in self.rows.values().flatten() {
            let holder = [row.debit, row.credit].into_iter().find(|account| account.code.0 == 2100);
            let Some(holder) = holder.and_then(|account| u32::try_from(account.owner).ok()) else { continue };
            let tally = done.entry(holder).or_default();
            (tally.count, tally.fen) = (tally.count + 1, tally.fen + row.amount.get());
        }
        if done != self.tallies {
            let differ = |holder: &&u32| done.get(holder) != self.tallies.get(holder);
            let first = done.keys().chain(self.tallies.keys()).find(differ).copied().unwrap_or_default();
            let (kept, counted) = (self.tallies.get(&first), done.get(&first));
            self.find(format!("holder {first}: the row counts {kept:?}, the journal {counted:?}"));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
