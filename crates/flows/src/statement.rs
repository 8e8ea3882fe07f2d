//! One account's journal rows: the last ones, and the balance at a moment.
//!
//! Nothing is searched. Each journal row points to the row before it on either of its accounts, so the last three rows are
//! three reads by key. For a moment long ago the reporting table says where to look; what is found there counts only when
//! the journal's own pointers prove it, else the pointers are followed from the newest row.

use ledger::{AccountKey, Fen, JournalRow, Kind, Micros};

use crate::ports::{Around, Reader};
use crate::{ReadFault, School};

/// What one journal row did to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The row.
    pub row: JournalRow,
    /// The account is the one that gave.
    pub gave: bool,
}

impl Line {
    /// The row as `account` sees it; `None` when it does not name it.
    fn of(row: JournalRow, account: &AccountKey) -> Option<Line> {
        let gave = row.debit == *account;
        (gave || row.credit == *account).then_some(Line { row, gave })
    }

    /// What moved: below 0 when the account gave, 0 for a pend and a void.
    pub fn amount(&self) -> Fen {
        match (self.row.kind, self.gave) {
            (Kind::Pend | Kind::Void, _) => Fen::ZERO,
            (Kind::Direct | Kind::Post, true) => Fen::new(self.row.amount.get().saturating_neg()),
            (Kind::Direct | Kind::Post, false) => self.row.amount,
        }
    }

    /// Posted balance of the account after the row.
    pub const fn balance(&self) -> Fen {
        if self.gave { self.row.debit_balance } else { self.row.credit_balance }
    }

    /// The account's row before this one; 0 for none.
    pub const fn prev(&self) -> u64 {
        if self.gave { self.row.debit_prev } else { self.row.credit_prev }
    }
}

/// The newest rows of `account` as of the last commit, newest first, at most `most`; pends and voids are among them.
///
/// Errors: `Store`; `Broken` when a pointer leads nowhere.
pub async fn last(school: &School, account: &AccountKey, most: usize) -> Result<Vec<Line>, ReadFault> {
    let newest = school.balances.account(account).last_seq;
    last_from(school.reader.as_ref(), account, newest, most).await
}

/// Posted balance of `account` as the book had it at `moment`, by the time of recording.
///
/// What happened before but was recorded later is not in it: the book did not know. Errors: as [`last`].
pub async fn balance_at(school: &School, account: &AccountKey, moment: Micros) -> Result<Fen, ReadFault> {
    let newest = school.balances.account(account).last_seq;
    let line = newest_at(school.reader.as_ref(), account, newest, moment).await?;
    Ok(line.map_or(Fen::ZERO, |line| line.balance()))
}

/// Rows of `account` from row `newest` backwards, at most `most`. Shape: `newest` is a row that names the account, or 0.
pub async fn last_from(
    reader: &dyn Reader,
    account: &AccountKey,
    newest: u64,
    most: usize,
) -> Result<Vec<Line>, ReadFault> {
    let (mut lines, mut seq) = (Vec::new(), newest);
    while seq > 0 && lines.len() < most {
        let line = line(reader, account, seq).await?;
        seq = before(&line)?;
        lines.push(line);
    }
    Ok(lines)
}

/// The newest row of `account` that was recorded at `moment` or before; `None` when there was none yet.
///
/// Shape: `newest` is the account's newest row, or 0. It takes two reads when the reporting table is right about the moment,
/// else one for each row since then.
pub async fn newest_at(
    reader: &dyn Reader,
    account: &AccountKey,
    newest: u64,
    moment: Micros,
) -> Result<Option<Line>, ReadFault> {
    // The table is derived: when it does not answer, the journal does.
    if let Ok(Some(hint)) = reader.around(*account, moment).await
        && let Some(proven) = proven(reader, account, hint, moment).await?
    {
        return Ok(proven);
    }
    let mut seq = newest;
    while seq > 0 {
        let line = line(reader, account, seq).await?;
        if line.row.recorded_at <= moment {
            return Ok(Some(line));
        }
        seq = before(&line)?;
    }
    Ok(None)
}

/// What the hint says, if the journal proves it: a row after the moment that points to a row, or to none, before it.
async fn proven(
    reader: &dyn Reader,
    account: &AccountKey,
    hint: Around,
    moment: Micros,
) -> Result<Option<Option<Line>>, ReadFault> {
    let Some(next) = hint.next else { return Ok(None) };
    let Some(next) = named(reader, account, next).await? else { return Ok(None) };
    if next.row.recorded_at <= moment || next.prev() != hint.last {
        return Ok(None);
    }
    if hint.last == 0 {
        return Ok(Some(None));
    }
    let last = named(reader, account, hint.last).await?;
    Ok(last.filter(|last| last.row.recorded_at <= moment).map(Some))
}

/// The journal row at `seq`, if there is one and it names `account`.
async fn named(reader: &dyn Reader, account: &AccountKey, seq: u64) -> Result<Option<Line>, ReadFault> {
    let rows = reader.journal(vec![seq]).await?;
    Ok(rows.into_iter().next().and_then(|row| Line::of(row, account)))
}

async fn line(reader: &dyn Reader, account: &AccountKey, seq: u64) -> Result<Line, ReadFault> {
    named(reader, account, seq).await?.ok_or(BROKEN)
}

/// Pointers lead backwards; one that does not would be followed for ever.
fn before(line: &Line) -> Result<u64, ReadFault> {
    let prev = line.prev();
    if prev < line.row.seq { Ok(prev) } else { Err(BROKEN) }
}

const BROKEN: ReadFault = ReadFault::Broken("the journal");
