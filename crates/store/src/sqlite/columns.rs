//! Columns to types and back. Reading trusts nothing: a value that no writer makes is a [`Misfit`].

use std::fmt;

use ledger::{
    Account, AccountCode, AccountKey, Block, Change, Fen, Id, JournalRow, Kind, Micros, Pending, Writer, row_digest,
};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::verify::{KeptAccount, KeptPending};

/// All columns of `journal` but the school, in the order in which they are read and written.
pub(super) const JOURNAL: &str = "seq, id, kind, debit_code, debit_owner, debit_part, credit_code, credit_owner, \
    credit_part, amount, ref_seq, debit_prev, credit_prev, debit_balance, credit_balance, recorded_at, effective_at, \
    code, reference";

/// All columns of `block` but the school.
pub(super) const BLOCK: &str = "no, first_seq, rows, at, changes, link";

/// All columns of `account` but the school.
pub(super) const ACCOUNT: &str =
    "code, owner, part, debits_posted, credits_posted, debits_pending, credits_pending, last_seq, digest";

/// All columns of `pending` but the school.
pub(super) const PENDING: &str =
    "seq, debit_code, debit_owner, debit_part, credit_code, credit_owner, credit_part, amount, digest";

/// A column holds what no writer puts there.
#[derive(Debug)]
pub(super) struct Misfit(&'static str);

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "column {} holds a value that was never written", self.0)
    }
}

/// Reads the columns of a row one after the other.
struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    fn value(&mut self, name: &'static str) -> Result<ValueRef<'a>, Misfit> {
        let value = self.row.get_ref(self.next).map_err(|_| Misfit(name));
        self.next = self.next.saturating_add(1);
        value
    }

    fn int<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<T, Misfit> {
        let value = self.value(name)?.as_i64().map_err(|_| Misfit(name))?;
        T::try_from(value).map_err(|_| Misfit(name))
    }

    fn bytes(&mut self, name: &'static str) -> Result<&'a [u8], Misfit> {
        self.value(name)?.as_blob().map_err(|_| Misfit(name))
    }

    fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Misfit> {
        self.bytes(name)?.try_into().map_err(|_| Misfit(name))
    }

    fn id(&mut self, name: &'static str) -> Result<Id, Misfit> {
        self.array(name).map(Id::from_bytes)
    }

    fn fen(&mut self, name: &'static str) -> Result<Fen, Misfit> {
        self.int(name).map(Fen::new)
    }

    fn at(&mut self, name: &'static str) -> Result<Micros, Misfit> {
        self.int(name).map(Micros::new)
    }

    fn account(&mut self, names: [&'static str; 3]) -> Result<AccountKey, Misfit> {
        let [code, owner, part] = names;
        Ok(AccountKey {
            code: AccountCode(self.int(code)?),
            owner: u128::from_be_bytes(self.array(owner)?),
            part: self.int(part)?,
        })
    }
}

const DEBIT: [&str; 3] = ["debit_code", "debit_owner", "debit_part"];
const CREDIT: [&str; 3] = ["credit_code", "credit_owner", "credit_part"];

/// Reads [`JOURNAL`].
pub(super) fn journal_row(row: &Row<'_>) -> Result<JournalRow, Misfit> {
    let mut from = Columns { row, next: 0 };
    Ok(JournalRow {
        seq: from.int("seq")?,
        id: from.id("id")?,
        kind: match from.int("kind")? {
            0_i64 => Kind::Direct,
            1 => Kind::Pend,
            2 => Kind::Post,
            3 => Kind::Void,
            _ => return Err(Misfit("kind")),
        },
        debit: from.account(DEBIT)?,
        credit: from.account(CREDIT)?,
        amount: from.fen("amount")?,
        ref_seq: from.int("ref_seq")?,
        debit_prev: from.int("debit_prev")?,
        credit_prev: from.int("credit_prev")?,
        debit_balance: from.fen("debit_balance")?,
        credit_balance: from.fen("credit_balance")?,
        recorded_at: from.at("recorded_at")?,
        effective_at: from.at("effective_at")?,
        code: from.int("code")?,
        reference: from.id("reference")?,
    })
}

/// What [`journal_row`] reads as a kind.
pub(super) const fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Direct => 0,
        Kind::Pend => 1,
        Kind::Post => 2,
        Kind::Void => 3,
    }
}

/// Reads [`BLOCK`].
pub(super) fn block(row: &Row<'_>) -> Result<Block, Misfit> {
    let mut from = Columns { row, next: 0 };
    let (no, first_seq, rows) = (from.int("no")?, from.int("first_seq")?, from.int("rows")?);
    let at = from.at("at")?;
    let (changes, rest) = from.bytes("changes")?.as_chunks::<16>();
    let (pairs, odd) = changes.as_chunks::<2>();
    if !rest.is_empty() || !odd.is_empty() {
        return Err(Misfit("changes"));
    }
    let changes = pairs.iter().map(|[key, content]| Change { key: *key, content: *content }).collect();
    Ok(Block { no, first_seq, rows, at, changes, link: from.array("link")? })
}

/// The stored form of a block's changes.
pub(super) fn changes(block: &Block) -> Vec<u8> {
    block.changes.iter().flat_map(|change| [change.key, change.content]).flatten().collect()
}

/// Reads [`ACCOUNT`].
pub(super) fn account(row: &Row<'_>) -> Result<KeptAccount, Misfit> {
    let mut from = Columns { row, next: 0 };
    let key = from.account(["code", "owner", "part"])?;
    let account = Account {
        debits_posted: from.fen("debits_posted")?,
        credits_posted: from.fen("credits_posted")?,
        debits_pending: from.fen("debits_pending")?,
        credits_pending: from.fen("credits_pending")?,
        last_seq: from.int("last_seq")?,
    };
    let digest = from.bytes("digest")?;
    Ok(KeptAccount { key, account, digest_fits: digest == account_digest(&key, &account) })
}

/// The digest stored beside an account row, so that a start finds a damaged one.
pub(super) fn account_digest(key: &AccountKey, account: &Account) -> [u8; 16] {
    let mut body = Writer::new();
    for sum in [account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending] {
        body.i64(sum.get());
    }
    body.u64(account.last_seq);
    row_digest("account", &key.bytes(), Some(&body.done())).content
}

/// Reads [`PENDING`].
pub(super) fn pending(row: &Row<'_>) -> Result<KeptPending, Misfit> {
    let mut from = Columns { row, next: 0 };
    let seq = from.int("seq")?;
    let pending = Pending { debit: from.account(DEBIT)?, credit: from.account(CREDIT)?, amount: from.fen("amount")? };
    let digest = from.bytes("digest")?;
    Ok(KeptPending { seq, pending, digest_fits: digest == pending_digest(seq, &pending) })
}

/// The digest stored beside a pending row.
pub(super) fn pending_digest(seq: u64, pending: &Pending) -> [u8; 16] {
    let mut body = Writer::new();
    pending.debit.write(&mut body);
    pending.credit.write(&mut body);
    body.i64(pending.amount.get());
    row_digest("pending", &seq.to_be_bytes(), Some(&body.done())).content
}

/// A count as SQLite keeps it.
pub(super) fn int(count: u64) -> rusqlite::Result<i64> {
    i64::try_from(count).map_err(|fault| rusqlite::Error::ToSqlConversionFailure(Box::new(fault)))
}
