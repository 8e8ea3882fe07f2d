//! I7: what stands on the disk, read again by somebody else: the chain is recomputed, the accounts are added up from the
//! first row on, and both are compared with what the running engine has, with what recovery was given, and with the guard
//! rows as they stand.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Account, AccountKey, Block, Fen, JournalRow, Kind, Pending, SchoolId};
use store::verify::Archive;
use teller::{RawKey, Recovered};

use super::Sum;
use super::form::{self, Half, Link};

/// Blocks read at once.
const AT_ONCE: u32 = 256;

/// Sums of an account, as they are counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) out: Sum,
    pub(super) into: Sum,
    pub(super) leaving: Sum,
    pub(super) coming: Sum,
    /// The newest row that names it.
    last: u64,
}

impl Sums {
    fn of(account: &Account) -> Sums {
        let sum = |fen: Fen| Sum::from(fen.get());
        Sums {
            out: sum(account.debits_posted),
            into: sum(account.credits_posted),
            leaving: sum(account.debits_pending),
            coming: sum(account.credits_pending),
            last: account.last_seq,
        }
    }
}

/// Money set aside, once and for all: a row that closes it may come much later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Aside {
    between: (AccountKey, AccountKey),
    amount: Sum,
    open: bool,
}

/// The book as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    accounts: BTreeMap<AccountKey, Sums>,
    asides: BTreeMap<u64, Aside>,
    head: u64,
    block: u64,
    link: Link,
    at: i64,
    /// Newest content of every guard row that the chain names.
    newest: BTreeMap<Half, Half>,
    /// Guard rows written since they were last looked at.
    touched: BTreeSet<RawKey>,
}

impl Replay {
    /// Guard rows that a batch wrote.
    pub(crate) fn wrote<'a>(&mut self, rows: impl Iterator<Item = &'a RawKey>) {
        self.touched.extend(rows.cloned());
    }

    /// Guard rows written since the last call.
    pub(crate) fn take_touched(&mut self) -> Vec<RawKey> {
        std::mem::take(&mut self.touched).into_iter().collect()
    }

    /// Reads all that came to the disk since the last call.
    pub(crate) fn catch_up(&mut self, school: SchoolId, archive: &mut impl Archive) -> Result<(), String> {
        loop {
            let blocks = archive.blocks(self.block, AT_ONCE).map_err(|fault| fault.to_string())?;
            if blocks.is_empty() {
                break;
            }
            for block in blocks {
                let block = block.map_err(|fault| fault.why)?;
                let last = (block.first_seq + u64::from(block.rows)).saturating_sub(1);
                let rows = archive.journal(block.first_seq, last, block.rows).map_err(|fault| fault.to_string())?;
                let rows: Vec<JournalRow> = rows.into_iter().collect::<Result<_, _>>().map_err(|fault| fault.why)?;
                self.take(school, &block, &rows)?;
            }
        }
        let beyond = archive.journal(self.head + 1, u64::MAX, 1).map_err(|fault| fault.to_string())?;
        if beyond.is_empty() { Ok(()) } else { Err(format!("a row stands behind row {}, in no block", self.head)) }
    }

    fn take(&mut self, school: SchoolId, block: &Block, rows: &[JournalRow]) -> Result<(), String> {
        let (no, at) = (block.no, block.at.get());
        let place = (no, block.first_seq, u64::from(block.rows));
        let due = (self.block + 1, self.head + 1, u64::try_from(rows.len()).unwrap_or(u64::MAX));
        if place != due {
            return Err(format!("a block has number, first row and rows {place:?}; due is {due:?}"));
        }
        if at < self.at {
            return Err(format!("block {no} was made at {at}, before the block before it"));
        }
        let link = form::link(school, &self.link, block, rows);
        if link != block.link {
            return Err(format!("block {no} has the link {:02x?}; what it links has {link:02x?}", block.link));
        }
        for row in rows {
            if row.recorded_at != block.at {
                return Err(format!("row {} was recorded at {:?}, its block {no} at {at}", row.seq, row.recorded_at));
            }
            self.row(row)?;
        }
        for change in &block.changes {
            self.newest.insert(change.key, change.content);
        }
        (self.block, self.link, self.at) = (no, link, at);
        Ok(())
    }

    fn row(&mut self, row: &JournalRow) -> Result<(), String> {
        if row.seq != self.head + 1 {
            return Err(format!("row {} follows row {}", row.seq, self.head));
        }
        let told = [row.debit_prev, row.credit_prev];
        let own = [row.debit, row.credit].map(|key| self.accounts.get(&key).map_or(0, |sums| sums.last));
        if told != own {
            return Err(format!(
                "row {} says that its accounts were named before in {told:?}; it was {own:?}",
                row.seq
            ));
        }
        self.set_aside(row)?;
        for debit in [true, false] {
            let key = if debit { row.debit } else { row.credit };
            apply(self.accounts.entry(key).or_default(), row, debit, &self.asides);
        }
        self.head = row.seq;
        Ok(())
    }

    fn set_aside(&mut self, row: &JournalRow) -> Result<(), String> {
        let (between, amount) = ((row.debit, row.credit), Sum::from(row.amount.get()));
        match row.kind {
            Kind::Direct => {}
            Kind::Pend => {
                self.asides.insert(row.seq, Aside { between, amount, open: true });
            }
            Kind::Post | Kind::Void => {
                let aside = self.asides.get_mut(&row.ref_seq);
                let fits = aside.as_ref().is_some_and(|aside| {
                    let enough = if row.kind == Kind::Post { amount <= aside.amount } else { amount == aside.amount };
                    aside.open && aside.between == between && enough
                });
                match aside {
                    Some(aside) if fits => aside.open = false,
                    _ => return Err(format!("row {} ends what row {} does not keep: {aside:?}", row.seq, row.ref_seq)),
                }
            }
        }
        Ok(())
    }

    /// The sums of an account.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&AccountKey, &Sums)> {
        self.accounts.iter()
    }

    /// What an engine has in memory is what the journal says. Accounts that were never used do not count.
    pub(crate) fn same_book<'a>(
        &self,
        accounts: impl Iterator<Item = (&'a AccountKey, &'a Account)>,
        pends: impl Iterator<Item = (&'a u64, &'a Pending)>,
    ) -> Result<(), String> {
        let theirs: BTreeMap<AccountKey, Sums> = accounts.map(|(key, account)| (*key, Sums::of(account))).collect();
        self.same_accounts("the engine", theirs)?;
        self.same_asides("the engine", pends)
    }

    fn same_asides<'a>(&self, whose: &str, pends: impl Iterator<Item = (&'a u64, &'a Pending)>) -> Result<(), String> {
        let theirs: Vec<_> =
            pends.map(|(seq, pend)| (*seq, (pend.debit, pend.credit), Sum::from(pend.amount.get()))).collect();
        let open = self.asides.iter().filter(|(_, aside)| aside.open);
        let own: Vec<_> = open.map(|(seq, aside)| (*seq, aside.between, aside.amount)).collect();
        if theirs == own { Ok(()) } else { Err(format!("{whose} has set aside {theirs:?}, the journal {own:?}")) }
    }

    /// What pages are shown of each account is what the journal says.
    pub(crate) fn same_pages(&self, shown: impl Fn(&AccountKey) -> Account) -> Result<(), String> {
        let theirs = self.accounts.keys().map(|key| (*key, Sums::of(&shown(key)))).collect();
        self.same_accounts("what pages show", theirs)
    }

    fn same_accounts(&self, whose: &str, mut theirs: BTreeMap<AccountKey, Sums>) -> Result<(), String> {
        theirs.retain(|_, sums| *sums != Sums::default());
        if theirs == self.accounts {
            return Ok(());
        }
        let keys: BTreeSet<&AccountKey> = theirs.keys().chain(self.accounts.keys()).collect();
        let other = keys.into_iter().find(|key| theirs.get(key) != self.accounts.get(key));
        let sums = other.map(|key| (theirs.get(key), self.accounts.get(key)));
        Err(format!("{other:?}: {whose} and the journal have {sums:?}"))
    }

    /// What recovery was given: its account rows with the journal's tail over them are the journal from the first row on,
    /// and it continues the chain at its end. An account row is right up to the row that it names as its last.
    pub(crate) fn same_snapshot(&self, given: &Recovered) -> Result<(), String> {
        let (block, link) = given.block;
        if (block, link, given.at.get()) != (self.block, self.link, self.at) {
            return Err(format!("recovery was told to continue behind block {block}; the last is {}", self.block));
        }
        let mut sums: BTreeMap<AccountKey, Sums> =
            given.accounts.iter().map(|(key, account)| (*key, Sums::of(account))).collect();
        for row in &given.tail {
            for (key, debit) in [(row.debit, true), (row.credit, false)] {
                let sums = sums.entry(key).or_default();
                if row.seq > sums.last {
                    apply(sums, row, debit, &self.asides);
                }
            }
        }
        self.same_asides("the checkpoint", given.open.iter().map(|(seq, pend)| (seq, pend)))?;
        self.same_accounts("the checkpoint with the tail", sums)
    }

    /// A guard row as it stands, or that it does not stand.
    pub(crate) fn guard_row(&self, table: &str, key: &[u8], body: Option<&[u8]>) -> Result<(), String> {
        let (name, content) = form::guard_row(table, key, body);
        let told = self.newest.get(&name).copied().unwrap_or_default();
        if told == content {
            return Ok(());
        }
        Err(format!("a row of {table}, {key:02x?}, is {content:02x?}; the chain last saw {told:02x?}"))
    }

    /// Every guard row of the disk, and no other.
    pub(crate) fn guard_rows(&self, archive: &mut impl Archive) -> Result<(), String> {
        let (mut fault, mut stand) = (Ok(()), 0);
        for table in archive.tables().map_err(|fault| fault.to_string())? {
            let each = &mut |row: store::verify::GuardRow<'_>| {
                stand += 1;
                let beside = form::guard_row(&table, row.key, Some(row.body)).1;
                let named = self.guard_row(&table, row.key, Some(row.body));
                if fault.is_ok() {
                    fault = named;
                }
                if fault.is_ok() && beside.as_slice() != row.digest {
                    fault = Err(format!("a row of {table}, {:02x?}, has another digest beside it", row.key));
                }
            };
            archive.guard_rows(&table, each).map_err(|fault| fault.to_string())?;
        }
        let named = self.newest.values().filter(|content| **content != [0; 16]).count();
        if fault.is_ok() && named != stand {
            fault = Err(format!("{stand} guard rows stand, the chain names {named}"));
        }
        fault
    }

    /// Whether this is what another reading gave.
    pub(crate) fn same_as(&self, other: &Replay) -> bool {
        let ends = |replay: &Replay| (replay.head, replay.block, replay.link);
        ends(self) == ends(other) && self.accounts == other.accounts && self.newest == other.newest
    }
}

/// What a row does to one of its two accounts.
fn apply(sums: &mut Sums, row: &JournalRow, debit: bool, asides: &BTreeMap<u64, Aside>) {
    let amount = Sum::from(row.amount.get());
    let aside = asides.get(&row.ref_seq).map_or(0, |aside| aside.amount);
    let (posted, pended) = match row.kind {
        Kind::Direct => (amount, 0),
        Kind::Pend => (0, amount),
        Kind::Post => (amount, -aside),
        Kind::Void => (0, -aside),
    };
    if debit {
        (sums.out, sums.leaving) = (sums.out + posted, sums.leaving + pended);
    } else {
        (sums.into, sums.coming) = (sums.into + posted, sums.coming + pended);
    }
    sums.last = row.seq;
}

#[cfg(test)]
mod tests;
