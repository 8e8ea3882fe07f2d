use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flows::ports::Around;
use ledger::{AccountCode, AccountKey, Fen, Id, Micros, SchoolId};
use rules::calendar::CampusMonth;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Position, ReportFault, account, at, count, fen, key, position, read_only};

/// A month of one account. Shape: counts of fen; `closing` is `opening` less `debits` plus `credits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthTotal {
    /// Which account.
    pub account: AccountKey,
    /// Posted balance when the month began.
    pub opening: Fen,
    /// What it gave.
    pub debits: Fen,
    /// What it received.
    pub credits: Fen,
    /// Posted balance when the month ended, or as far as the journal is taken.
    pub closing: Fen,
    /// How many journal rows moved its money.
    pub count: u64,
}

impl MonthTotal {
    /// A month of `account` in which nothing has moved yet.
    pub const fn opening(account: AccountKey, opening: Fen) -> MonthTotal {
        MonthTotal { account, opening, debits: Fen::ZERO, credits: Fen::ZERO, closing: opening, count: 0 }
    }

    /// Counts a movement, below 0 when the account gave; `None`, and nothing counted, when a sum is too large.
    pub(super) fn add(&mut self, amount: Fen) -> Option<()> {
        let (mut debits, mut credits) = (self.debits, self.credits);
        match amount.is_positive() {
            true => credits = credits.plus(amount)?,
            false => debits = debits.minus(amount)?,
        }
        let closing = self.closing.plus(amount)?;
        (self.debits, self.credits, self.closing) = (debits, credits, closing);
        self.count = self.count.checked_add(1)?;
        Some(())
    }
}

/// A month of every account with one code, added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeTotal {
    /// The code.
    pub code: AccountCode,
    /// Posted balances when the month began.
    pub opening: Fen,
    /// What the accounts gave.
    pub debits: Fen,
    /// What they received.
    pub credits: Fen,
    /// Posted balances when the month ended, or as far as the journal is taken.
    pub closing: Fen,
}

/// What one journal row did to one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The journal row.
    pub seq: u64,
    /// When the book took it.
    pub recorded_at: Micros,
    /// When it happened outside.
    pub effective_at: Micros,
    /// The other account.
    pub counter: AccountKey,
    /// What it moved: below 0 when the account gave, 0 for a pend and a void.
    pub amount: Fen,
    /// Change of what is pended: what the account will have more, or less, once everything pended is posted.
    pub set_aside: Fen,
    /// Posted balance after it.
    pub balance: Fen,
    /// `direct`, `pend`, `post` or `void`.
    pub kind: String,
    /// Reason, a number of the chart's.
    pub reason: u16,
    /// The order, attempt, sale or case it belongs to.
    pub reference: Id,
}

/// Reads the reporting table, also while it is fed.
pub struct ReportReader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) school: SchoolId,
}

impl ReportReader {
    /// Opens `reports.sqlite` in the data folder `dir`. Errors: `Missing`, `Sqlite`.
    pub fn open(dir: &Path, school: SchoolId) -> Result<ReportReader, ReportFault> {
        let connection = read_only(dir, school)?;
        Ok(ReportReader { connection, path: dir.join(super::REPORTS_FILE), school })
    }

    /// How far the journal has been taken.
    pub fn position(&self) -> Result<Position, ReportFault> {
        position(&self.connection, self.school).map_err(at(&self.path))
    }

    /// Everything a look sees is of one moment.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, ReportFault> {
        let seen = || {
            let transaction = self.connection.unchecked_transaction()?;
            let seen = look(&transaction)?;
            transaction.commit()?;
            Ok(seen)
        };
        seen().map_err(at(&self.path))
    }

    /// The trial balance of a month: every code that had money by its end, in order. Openings, closings, and debits with
    /// credits, each add up to nothing. With it comes how far the journal is taken.
    ///
    /// Error: `Sqlite`, also for a sum too large to count.
    pub fn trial_balance(&self, month: CampusMonth) -> Result<(Position, Vec<CodeTotal>), ReportFault> {
        self.look(|transaction| Ok((position(transaction, self.school)?, trial(transaction, self.school, month)?)))
    }

    /// The month of one account; nothing moved when the table has no row of it.
    pub fn month_of(&self, account: &AccountKey, month: CampusMonth) -> Result<MonthTotal, ReportFault> {
        const SQL: &str = "SELECT month, opening, debits, credits, closing, count FROM month_total \
            WHERE school_id = ?1 AND code = ?2 AND owner = ?3 AND part = ?4 AND month <= ?5 \
            ORDER BY month DESC LIMIT 1";
        let asked = month.to_string();
        let found = self.look(|transaction| {
            let [school, code, owner, part] = key(self.school, account);
            let mut read = transaction.prepare_cached(SQL)?;
            let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, total(row, *account, 1)?));
            read.query_row(params![school, code, owner, part, asked], row).optional()
        })?;
        Ok(match found {
            Some((found, total)) if found == asked => total,
            Some((_, earlier)) => MonthTotal::opening(*account, earlier.closing),
            None => MonthTotal::opening(*account, Fen::ZERO),
        })
    }

    /// Movements of one account in a month, in the order of the journal.
    pub fn movements(&self, account: &AccountKey, month: CampusMonth) -> Result<Vec<Movement>, ReportFault> {
        const SQL: &str = "SELECT seq, recorded_at, effective_at, counter_code, counter_owner, counter_part, amount, \
            set_aside, balance, kind, reason, reference FROM movement \
            WHERE school_id = ?1 AND code = ?2 AND owner = ?3 AND part = ?4 AND month = ?5 ORDER BY recorded_at, seq";
        self.look(|transaction| {
            let [school, code, owner, part] = key(self.school, account);
            let mut read = transaction.prepare_cached(SQL)?;
            read.query_map(params![school, code, owner, part, month.to_string()], movement)?.collect()
        })
    }

    /// Journal rows of `account` around `moment`.
    pub fn around(&self, account: &AccountKey, moment: Micros) -> Result<Around, ReportFault> {
        const BEFORE: &str = "SELECT seq FROM movement WHERE school_id = ?1 AND code = ?2 AND owner = ?3 AND part = ?4 \
            AND recorded_at <= ?5 ORDER BY recorded_at DESC, seq DESC LIMIT 1";
        const AFTER: &str = "SELECT seq FROM movement WHERE school_id = ?1 AND code = ?2 AND owner = ?3 AND part = ?4 \
            AND recorded_at > ?5 ORDER BY recorded_at, seq LIMIT 1";
        self.look(|transaction| {
            let [school, code, owner, part] = key(self.school, account);
            let asked = params![school, code, owner, part, moment.get()];
            let last = transaction.prepare_cached(BEFORE)?.query_row(asked, |row| count(row, 0)).optional()?;
            let next = transaction.prepare_cached(AFTER)?.query_row(asked, |row| count(row, 0)).optional()?;
            Ok(Around { last: last.unwrap_or(0), next })
        })
    }
}

fn movement(row: &Row<'_>) -> rusqlite::Result<Movement> {
    Ok(Movement {
        seq: count(row, 0)?,
        recorded_at: Micros::new(row.get(1)?),
        effective_at: Micros::new(row.get(2)?),
        counter: account(row, 3)?,
        amount: fen(row, 6)?,
        set_aside: fen(row, 7)?,
        balance: fen(row, 8)?,
        kind: row.get(9)?,
        reason: row.get(10)?,
        reference: Id::from_bytes(row.get(11)?),
    })
}

/// Reads `opening, debits, credits, closing, count` from `column` on.
pub(super) fn total(row: &Row<'_>, account: AccountKey, column: usize) -> rusqlite::Result<MonthTotal> {
    Ok(MonthTotal {
        account,
        opening: fen(row, column)?,
        debits: fen(row, column.saturating_add(1))?,
        credits: fen(row, column.saturating_add(2))?,
        closing: fen(row, column.saturating_add(3))?,
        count: count(row, column.saturating_add(4))?,
    })
}

pub(super) fn trial(
    transaction: &Transaction<'_>,
    school: SchoolId,
    month: CampusMonth,
) -> rusqlite::Result<Vec<CodeTotal>> {
    // A month in which an account stood still has no row: what it had is the sum of all that came before.
    const SQL: &str = "SELECT code, sum(iif(month < ?2, credits - debits, 0)), sum(iif(month = ?2, debits, 0)), \
        sum(iif(month = ?2, credits, 0)), sum(credits - debits) FROM month_total \
        WHERE school_id = ?1 AND month <= ?2 GROUP BY code ORDER BY code";
    let mut read = transaction.prepare_cached(SQL)?;
    let lines = read.query_map(params![school.get(), month.to_string()], |row| {
        Ok(CodeTotal {
            code: AccountCode(row.get(0)?),
            opening: fen(row, 1)?,
            debits: fen(row, 2)?,
            credits: fen(row, 3)?,
            closing: fen(row, 4)?,
        })
    })?;
    lines.collect()
}

/// Every row of a month, by account.
pub(super) fn month_rows(
    transaction: &Transaction<'_>,
    school: SchoolId,
    month: CampusMonth,
) -> rusqlite::Result<BTreeMap<AccountKey, MonthTotal>> {
    const SQL: &str = "SELECT code, owner, part, opening, debits, credits, closing, count FROM month_total \
        WHERE school_id = ?1 AND month = ?2";
    let mut read = transaction.prepare_cached(SQL)?;
    let rows = read.query_map(params![school.get(), month.to_string()], |row| {
        let account = account(row, 0)?;
        Ok((account, total(row, account, 3)?))
    })?;
    rows.collect()
}
