use std::collections::BTreeMap;

use ledger::{AccountKey, Block, Fen, JournalRow, Kind, Micros, SchoolId};
use rules::calendar::CampusMonth;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::read::MonthTotal;
use super::{Position, ReportFault, ReportWriter, at, count, damaged, fen, key, position};
use crate::verify::{Archive, Found, Head};

/// Blocks read at a time.
const BLOCKS_A_READ: u32 = 64;

/// What one call of [`ReportWriter::feed`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Journal rows taken.
    pub rows: u64,
    /// How far the journal is taken now.
    pub position: Position,
    /// Nothing more was there to take.
    pub complete: bool,
    /// What was there before did not fit the book, or was damaged: it was thrown away first.
    pub anew: bool,
}

/// Why a chunk was not taken.
enum Stop {
    /// It cannot be.
    Fault(ReportFault),
    /// The table is wrong, not the journal: it must be made again.
    Again,
}

impl<T: Into<ReportFault>> From<T> for Stop {
    fn from(fault: T) -> Stop {
        Stop::Fault(fault.into())
    }
}

impl ReportWriter {
    /// Takes the next blocks of `book` in one transaction: at least one block, and no further one once `most_rows` journal
    /// rows are taken. A table that does not fit the book (restored, replaced) or is damaged is emptied first.
    ///
    /// Errors: `Journal` (what was taken before stays), `Book`, `Sqlite`, `File`.
    /// Repeats: go on where the last call, of this process or another, committed; when nothing is new, change nothing.
    pub fn feed(&mut self, book: &mut dyn Archive, most_rows: u32) -> Result<Fed, ReportFault> {
        match self.chunk(book, most_rows) {
            Ok(fed) => return Ok(fed),
            Err(Stop::Again) => {}
            Err(Stop::Fault(ReportFault::Sqlite { source, .. })) if damaged(&source) => {}
            Err(Stop::Fault(fault)) => return Err(fault),
        }
        self.begin_again()?;
        match self.chunk(book, most_rows) {
            Ok(fed) => Ok(Fed { anew: true, ..fed }),
            // A new table is empty: what does not fit it is the journal's own.
            Err(Stop::Again) => Err(ReportFault::Journal { seq: 1, why: "does not begin a book".to_owned() }),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    fn chunk(&mut self, book: &mut dyn Archive, most_rows: u32) -> Result<Fed, Stop> {
        let (school, path) = (self.school, self.path.clone());
        let at = at(&path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&at)?;
        let start = position(&transaction, school).map_err(&at)?;
        if !same_book(book, &start.head)? {
            return Err(Stop::Again);
        }
        let mut take = Take {
            transaction: &transaction,
            at: &at,
            school,
            position: start,
            latest: BTreeMap::new(),
            done: Vec::new(),
            rows: 0,
        };
        let (mut complete, mut work) = (true, 0);
        'taking: loop {
            let page = book.blocks(take.position.head.block, BLOCKS_A_READ)?;
            if page.is_empty() {
                break;
            }
            for block in page {
                if work >= u64::from(most_rows.max(1)) {
                    complete = false;
                    break 'taking;
                }
                let block = readable(block)?;
                take.block(book, &block)?;
                // A block without rows is work too.
                work = work.saturating_add(u64::from(block.rows.max(1)));
            }
        }
        let fed = Fed { rows: take.rows, position: take.position, complete, anew: false };
        if fed.position != start {
            take.keep()?;
            transaction.commit().map_err(&at)?;
        }
        Ok(fed)
    }
}

/// The block taken last is still the book's.
fn same_book(book: &mut dyn Archive, head: &Head) -> Result<bool, Stop> {
    let Some(before) = head.block.checked_sub(1) else { return Ok(true) };
    let found = book.blocks(before, 1)?.into_iter().next();
    Ok(matches!(found, Some(Ok(block)) if block.no == head.block && block.link == head.link))
}

fn readable<T>(found: Found<T>) -> Result<T, ReportFault> {
    found.map_err(|unreadable| ReportFault::Journal {
        seq: unreadable.at,
        why: format!("cannot be read ({}: {})", unreadable.row, unreadable.why),
    })
}

fn wrong(seq: u64, why: &str) -> ReportFault {
    ReportFault::Journal { seq, why: why.to_owned() }
}

/// An account as far as it was taken.
struct Latest {
    balance: Fen,
    month: Option<(CampusMonth, MonthTotal)>,
}

/// A chunk being taken.
struct Take<'a, A> {
    transaction: &'a Transaction<'a>,
    at: &'a A,
    school: SchoolId,
    position: Position,
    latest: BTreeMap<AccountKey, Latest>,
    /// Months that ended within the chunk.
    done: Vec<(CampusMonth, MonthTotal)>,
    rows: u64,
}

/// One side of a journal row.
struct Side<'a> {
    row: &'a JournalRow,
    account: AccountKey,
    counter: AccountKey,
    prev: u64,
    amount: Fen,
    set_aside: Fen,
    balance: Fen,
}

impl<A: Fn(rusqlite::Error) -> ReportFault> Take<'_, A> {
    fn block(&mut self, book: &mut dyn Archive, block: &Block) -> Result<(), Stop> {
        let head = self.position.head;
        let next = head.seq.saturating_add(1);
        if block.no != head.block.saturating_add(1) || block.first_seq != next {
            return Err(wrong(next, "is in no block, or its block is missing").into());
        }
        let last = head.seq.saturating_add(u64::from(block.rows));
        let rows = if block.rows == 0 { Vec::new() } else { book.journal(next, last, block.rows)? };
        let mut seq = head.seq;
        for row in rows {
            let row = readable(row)?;
            seq = seq.saturating_add(1);
            if row.seq != seq {
                return Err(wrong(seq, "is missing").into());
            }
            self.row(book, &row)?;
        }
        if seq != last {
            return Err(wrong(seq.saturating_add(1), "is missing").into());
        }
        self.position = Position {
            head: Head { block: block.no, seq: last, link: block.link },
            recorded_at: self.position.recorded_at.max(block.at),
        };
        Ok(())
    }

    fn row(&mut self, book: &mut dyn Archive, row: &JournalRow) -> Result<(), Stop> {
        let moved = if matches!(row.kind, Kind::Direct | Kind::Post) { row.amount } else { Fen::ZERO };
        // Signed as the receiving account sees it.
        let set_aside = match row.kind {
            Kind::Direct => Fen::ZERO,
            Kind::Pend => self.open_pend(row)?,
            Kind::Post | Kind::Void => self.close_pend(row)?,
        };
        let less =
            |amount: Fen| Fen::ZERO.minus(amount).ok_or_else(|| wrong(row.seq, "has an amount too large to count"));
        self.side(
            book,
            &Side {
                row,
                account: row.debit,
                counter: row.credit,
                prev: row.debit_prev,
                amount: less(moved)?,
                set_aside: less(set_aside)?,
                balance: row.debit_balance,
            },
        )?;
        self.side(
            book,
            &Side {
                row,
                account: row.credit,
                counter: row.debit,
                prev: row.credit_prev,
                amount: moved,
                set_aside,
                balance: row.credit_balance,
            },
        )?;
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    fn open_pend(&self, row: &JournalRow) -> Result<Fen, Stop> {
        let insert = self.transaction.prepare_cached("INSERT INTO open_pend VALUES (?1, ?2, ?3)");
        let asked = params![self.school.get(), row.seq.cast_signed(), row.amount.get()];
        insert.and_then(|mut insert| insert.execute(asked)).map_err(self.at)?;
        Ok(row.amount)
    }

    fn close_pend(&self, row: &JournalRow) -> Result<Fen, Stop> {
        let sql = "DELETE FROM open_pend WHERE school_id = ?1 AND seq = ?2 RETURNING amount";
        let asked = params![self.school.get(), row.ref_seq.cast_signed()];
        let found = self
            .transaction
            .prepare_cached(sql)
            .and_then(|mut delete| delete.query_row(asked, |found| fen(found, 0)).optional());
        let pended = found.map_err(self.at)?;
        let pended = pended.ok_or_else(|| wrong(row.seq, "ends a pend that is not open"))?;
        Fen::ZERO.minus(pended).ok_or_else(|| wrong(row.seq, "has an amount too large to count").into())
    }

    fn side(&mut self, book: &mut dyn Archive, side: &Side<'_>) -> Result<(), Stop> {
        let (row, month) = (side.row, CampusMonth::of(side.row.recorded_at));
        if !self.latest.contains_key(&side.account) {
            let found = self.read_latest(&side.account)?;
            self.latest.insert(side.account, found);
        }
        let Some(latest) = self.latest.get_mut(&side.account) else { return Err(Stop::Again) };
        let before = latest.balance;
        if before.plus(side.amount) != Some(side.balance) {
            return Err(self.who_is_wrong(book, side));
        }
        if side.amount != Fen::ZERO {
            if let Some((earlier, total)) = latest.month.take_if(|(earlier, _)| *earlier != month) {
                if earlier > month {
                    return Err(wrong(row.seq, "was recorded before the row before it").into());
                }
                self.done.push((earlier, total));
            }
            let (_, total) = latest.month.get_or_insert_with(|| (month, MonthTotal::opening(side.account, before)));
            total.add(side.amount).ok_or_else(|| wrong(row.seq, "makes a sum too large to count"))?;
            latest.balance = side.balance;
        }
        self.write(side, month)
    }

    /// The newest month of an account, with the balance at its end.
    fn read_latest(&self, account: &AccountKey) -> Result<Latest, Stop> {
        const SQL: &str = "SELECT month, opening, debits, credits, closing, count FROM month_total \
            WHERE school_id = ?1 AND code = ?2 AND owner = ?3 AND part = ?4 ORDER BY month DESC LIMIT 1";
        let found = self.transaction.prepare_cached(SQL).and_then(|mut read| {
            read.query_row(rusqlite::params_from_iter(key(self.school, account)), |row| {
                let total = MonthTotal {
                    account: *account,
                    opening: fen(row, 1)?,
                    debits: fen(row, 2)?,
                    credits: fen(row, 3)?,
                    closing: fen(row, 4)?,
                    count: count(row, 5)?,
                };
                Ok((row.get::<_, String>(0)?, total))
            })
            .optional()
        });
        let Some((month, total)) = found.map_err(self.at)? else {
            return Ok(Latest { balance: Fen::ZERO, month: None });
        };
        let month = CampusMonth::parse(&month).map_err(|_| Stop::Again)?;
        Ok(Latest { balance: total.closing, month: Some((month, total)) })
    }

    /// The table's balance and the row's do not fit. The journal's own pointer to the row before tells which is wrong.
    fn who_is_wrong(&self, book: &mut dyn Archive, side: &Side<'_>) -> Stop {
        let told = if side.prev == 0 {
            Ok(Some(Fen::ZERO))
        } else {
            book.journal(side.prev, side.prev, 1).map(|rows| match rows.into_iter().next() {
                Some(Ok(row)) if row.debit == side.account => Some(row.debit_balance),
                Some(Ok(row)) if row.credit == side.account => Some(row.credit_balance),
                _ => None,
            })
        };
        match told {
            Ok(Some(before)) if before.plus(side.amount) == Some(side.balance) => Stop::Again,
            Ok(_) => wrong(side.row.seq, "does not follow from the rows before it").into(),
            Err(fault) => fault.into(),
        }
    }

    fn write(&self, side: &Side<'_>, month: CampusMonth) -> Result<(), Stop> {
        const SQL: &str = "INSERT INTO movement VALUES \
            (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        let row = side.row;
        let kind = match row.kind {
            Kind::Direct => "direct",
            Kind::Pend => "pend",
            Kind::Post => "post",
            Kind::Void => "void",
        };
        let micros = |at: Micros| at.get();
        let insert = self.transaction.prepare_cached(SQL);
        let values = params![
            self.school.get(),
            side.account.code.0,
            side.account.owner.to_be_bytes(),
            side.account.part,
            micros(row.recorded_at),
            row.seq.cast_signed(),
            micros(row.effective_at),
            month.to_string(),
            kind,
            side.counter.code.0,
            side.counter.owner.to_be_bytes(),
            side.counter.part,
            side.amount.get(),
            side.set_aside.get(),
            side.balance.get(),
            row.code,
            row.reference.bytes(),
        ];
        insert.and_then(|mut insert| insert.execute(values)).map_err(self.at)?;
        Ok(())
    }

    /// Writes the months that changed, and how far the journal is taken now.
    fn keep(mut self) -> Result<(), Stop> {
        const SQL: &str = "INSERT INTO month_total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
            ON CONFLICT DO UPDATE SET opening = excluded.opening, debits = excluded.debits, \
            credits = excluded.credits, closing = excluded.closing, count = excluded.count";
        let open = std::mem::take(&mut self.latest);
        self.done.extend(open.into_values().filter_map(|latest| latest.month));
        for (month, total) in &self.done {
            let mut values: Vec<Value> = key(self.school, &total.account).to_vec();
            values.push(Value::Text(month.to_string()));
            for sum in [total.opening, total.debits, total.credits, total.closing] {
                values.push(Value::Integer(sum.get()));
            }
            values.push(Value::Integer(total.count.cast_signed()));
            let upsert = self.transaction.prepare_cached(SQL);
            upsert.and_then(|mut upsert| upsert.execute(rusqlite::params_from_iter(values))).map_err(self.at)?;
        }
        let Position { head, recorded_at } = self.position;
        let sql = "UPDATE taken SET block = ?2, seq = ?3, link = ?4, recorded_at = ?5 WHERE school_id = ?1";
        let told =
            params![self.school.get(), head.block.cast_signed(), head.seq.cast_signed(), head.link, recorded_at.get()];
        self.transaction.prepare_cached(sql).and_then(|mut update| update.execute(told)).map_err(self.at)?;
        Ok(())
    }
}
