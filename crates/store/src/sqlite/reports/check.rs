use std::collections::BTreeMap;

use ledger::{AccountKey, Fen, JournalRow, Kind};
use rules::calendar::CampusMonth;

use super::read::{CodeTotal, MonthTotal, ReportReader, month_rows, trial};
use super::{ReportFault, position};
use crate::verify::{Archive, Head, name_of};

const ROWS_A_READ: u32 = 4096;

/// Differences told one by one.
const MOST_TOLD: usize = 50;

impl ReportReader {
    /// Compares a month of the reporting table with the journal itself, read from its first row on: every account that
    /// moved in that month, and the trial balance. Gives the differences, a sentence each; none when all is equal.
    ///
    /// `progress` is told how many journal rows were read, of how many.
    /// Errors: `OtherBook`, `Journal`, `Book`, `Sqlite`.
    pub fn check_month(
        &self,
        book: &mut dyn Archive,
        month: CampusMonth,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<String>, ReportFault> {
        let (taken, kept, lines) = self.look(|transaction| {
            let kept = month_rows(transaction, self.school, month)?;
            Ok((position(transaction, self.school)?, kept, trial(transaction, self.school, month)?))
        })?;
        self.require_same(book, &taken.head)?;
        let recount = Recount::of(book, taken.head.seq, month, progress)?;
        let mut told = Vec::new();
        recount.compare(&kept, &lines, &mut told);
        if told.len() > MOST_TOLD {
            let more = told.len().saturating_sub(MOST_TOLD);
            told.truncate(MOST_TOLD);
            told.push(format!("and {more} more"));
        }
        Ok(told)
    }

    fn require_same(&self, book: &mut dyn Archive, head: &Head) -> Result<(), ReportFault> {
        let Some(before) = head.block.checked_sub(1) else { return Ok(()) };
        match book.blocks(before, 1)?.into_iter().next() {
            Some(Ok(block)) if block.no == head.block && block.link == head.link => Ok(()),
            _ => Err(ReportFault::OtherBook { path: self.path.clone() }),
        }
    }
}

/// What the journal says of a month. Amounts are added as they stand in its rows; the table's feeding is not used.
struct Recount {
    accounts: BTreeMap<AccountKey, MonthTotal>,
}

impl Recount {
    fn of(
        book: &mut dyn Archive,
        last: u64,
        month: CampusMonth,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Recount, ReportFault> {
        let mut recount = Recount { accounts: BTreeMap::new() };
        let mut done = 0_u64;
        'reading: while done < last {
            let rows = book.journal(done.saturating_add(1), last, ROWS_A_READ)?;
            if rows.is_empty() {
                return Err(missing(done.saturating_add(1)));
            }
            for found in rows {
                let row = found.map_err(|bad| ReportFault::Journal { seq: bad.at, why: bad.why })?;
                if row.seq != done.saturating_add(1) {
                    return Err(missing(done.saturating_add(1)));
                }
                let of = CampusMonth::of(row.recorded_at);
                if of > month {
                    break 'reading;
                }
                recount.row(&row, of == month)?;
                done = row.seq;
            }
            progress(done, last);
        }
        Ok(recount)
    }

    fn row(&mut self, row: &JournalRow, within: bool) -> Result<(), ReportFault> {
        if matches!(row.kind, Kind::Pend | Kind::Void) {
            return Ok(());
        }
        let too_large = || ReportFault::Journal { seq: row.seq, why: "makes a sum too large to count".to_owned() };
        let given = Fen::ZERO.minus(row.amount).ok_or_else(too_large)?;
        for (account, amount) in [(row.debit, given), (row.credit, row.amount)] {
            let total = self.accounts.entry(account).or_insert(MonthTotal::opening(account, Fen::ZERO));
            if within {
                total.add(amount).ok_or_else(too_large)?;
            } else {
                total.opening = total.opening.plus(amount).ok_or_else(too_large)?;
                total.closing = total.opening;
            }
        }
        Ok(())
    }

    fn compare(&self, kept: &BTreeMap<AccountKey, MonthTotal>, lines: &[CodeTotal], told: &mut Vec<String>) {
        let moved: BTreeMap<_, _> = self.accounts.iter().filter(|(_, total)| total.count > 0).collect();
        for (account, total) in &moved {
            match kept.get(account) {
                None => told.push(format!("{}: the table has no row of the month", name_of(account))),
                Some(row) if row != *total => told.push(format!(
                    "{}: the table says {}, the journal says {}",
                    name_of(account),
                    sums([row.opening, row.debits, row.credits, row.closing]),
                    sums([total.opening, total.debits, total.credits, total.closing])
                )),
                Some(_) => {}
            }
        }
        for account in kept.keys().filter(|account| !moved.contains_key(account)) {
            told.push(format!("{}: the table has a row of the month, the journal has none", name_of(account)));
        }
        let mut codes: BTreeMap<u16, [Option<Fen>; 4]> = BTreeMap::new();
        for (account, total) in &self.accounts {
            let sums = codes.entry(account.code.0).or_insert([Some(Fen::ZERO); 4]);
            for (sum, more) in sums.iter_mut().zip([total.opening, total.debits, total.credits, total.closing]) {
                *sum = sum.and_then(|sum| sum.plus(more));
            }
        }
        for line in lines {
            let found = codes.remove(&line.code.0);
            if found != Some([line.opening, line.debits, line.credits, line.closing].map(Some)) {
                told.push(format!(
                    "code {}: the table says {}, the journal says otherwise",
                    line.code.0,
                    sums([line.opening, line.debits, line.credits, line.closing])
                ));
            }
        }
        told.extend(codes.keys().map(|code| format!("code {code}: the table knows nothing of it")));
    }
}

fn sums([opening, debits, credits, closing]: [Fen; 4]) -> String {
    format!("{opening} - {debits} + {credits} = {closing}")
}

fn missing(seq: u64) -> ReportFault {
    ReportFault::Journal { seq, why: "is missing".to_owned() }
}
