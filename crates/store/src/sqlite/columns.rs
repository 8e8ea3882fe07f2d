//! Columns to types and back. Reading trusts nothing: a value that no writer makes is a [`Misfit`].

use std::fmt;

use ledger::{Account, AccountKey, Block, Change, CodecError, JournalRow, Micros, Pending, content_digest};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::verify::{KeptAccount, KeptPending};

/// All columns of `journal` but the school, in the order in which they are read and written.
pub(super) const JOURNAL: &str = "seq, body";

/// All columns of `block` but the school.
pub(super) const BLOCK: &str = "no, first_seq, rows, at, changes, link";

/// All columns of `account` but the school.
pub(super) const ACCOUNT: &str = "key, body, digest";

/// All columns of `pending` but the school.
pub(super) const PENDING: &str = "seq, body, digest";

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
    const fn of(row: &'a Row<'a>) -> Columns<'a> {
        Columns { row, next: 0 }
    }

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

    fn decoded<T>(
        &mut self,
        name: &'static str,
        decode: impl FnOnce(&[u8]) -> Result<T, CodecError>,
    ) -> Result<T, Misfit> {
        decode(self.bytes(name)?).map_err(|_| Misfit(name))
    }
}

/// Reads [`JOURNAL`].
pub(super) fn journal_row(row: &Row<'_>) -> Result<JournalRow, Misfit> {
    let mut from = Columns::of(row);
    let seq = from.int("seq")?;
    from.decoded("body", |body| JournalRow::decode(seq, body))
}

/// Reads [`BLOCK`].
pub(super) fn block(row: &Row<'_>) -> Result<Block, Misfit> {
    let mut from = Columns::of(row);
    let (no, first_seq, rows) = (from.int("no")?, from.int("first_seq")?, from.int("rows")?);
    let at = from.int("at").map(Micros::new)?;
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
    let mut from = Columns::of(row);
    let (key, body, digest) = (from.bytes("key")?, from.bytes("body")?, from.bytes("digest")?);
    let digest_fits = digest == account_digest(key, body);
    let key = AccountKey::from_bytes(key).map_err(|_| Misfit("key"))?;
    let account = Account::decode(body).map_err(|_| Misfit("body"))?;
    Ok(KeptAccount { key, account, digest_fits })
}

/// The digest stored beside an account row, so that a start finds a damaged one.
pub(super) fn account_digest(key: &[u8], body: &[u8]) -> [u8; 16] {
    content_digest("account", key, body)
}

/// Reads [`PENDING`].
pub(super) fn pending(row: &Row<'_>) -> Result<KeptPending, Misfit> {
    let mut from = Columns::of(row);
    let seq = from.int("seq")?;
    let pending = from.decoded("body", Pending::decode)?;
    let digest = from.bytes("digest")?;
    Ok(KeptPending { seq, pending, digest_fits: digest == pending_digest(seq, &pending.encode()) })
}

/// The digest stored beside a pending row.
pub(super) fn pending_digest(seq: u64, body: &[u8]) -> [u8; 16] {
    content_digest("pending", &seq.to_be_bytes(), body)
}

/// All columns of `recovery` but the school.
pub(super) const RECOVERY: &str = "replay_from, digest";

/// Reads [`RECOVERY`]: the row from which a start replays, and whether the digest beside it is its own.
pub(super) fn recovery(row: &Row<'_>) -> Result<(u64, bool), Misfit> {
    let mut from = Columns::of(row);
    let replay_from = from.int("replay_from")?;
    let digest = from.bytes("digest")?;
    Ok((replay_from, replay_from > 0 && digest == recovery_digest(replay_from)))
}

/// The digest stored beside a recovery row.
pub(super) fn recovery_digest(replay_from: u64) -> [u8; 16] {
    content_digest("recovery", &[], &replay_from.to_be_bytes())
}

/// A count as SQLite keeps it.
pub(super) fn int(count: u64) -> rusqlite::Result<i64> {
    i64::try_from(count).map_err(|fault| rusqlite::Error::ToSqlConversionFailure(Box::new(fault)))
}
