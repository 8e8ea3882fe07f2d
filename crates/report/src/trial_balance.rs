//! A trial balance out, as CSV or XLSX: what every kind of account had, gave and received in a month.

use ledger::{AccountCode, Fen};
use rules::calendar::CampusMonth;
use rules::chart::{kind_name, kind_name_zh};
use rust_xlsxwriter::{Color, Format, Workbook, Worksheet, XlsxError};

/// Headings, in Chinese and English, in the order of the columns.
pub const HEADINGS: [&str; 7] = [
    "科目 Code",
    "名称 Name",
    "Account",
    "期初余额 Opening",
    "借方发生额 Debits",
    "贷方发生额 Credits",
    "期末余额 Closing",
];

/// Accounts with one code in a month. Shape: amounts in fen; balances are credits less debits, so what others owe the
/// school is below nothing, and every column of balances adds up to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The code.
    pub code: AccountCode,
    /// Balance when the month began.
    pub opening: Fen,
    /// What the accounts gave.
    pub debits: Fen,
    /// What they received.
    pub credits: Fen,
    /// Balance when the month ended.
    pub closing: Fen,
}

impl Line {
    const fn sums(&self) -> [Fen; 4] {
        [self.opening, self.debits, self.credits, self.closing]
    }
}

/// Why a trial balance cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TrialBalanceError {
    /// The sums of the lines are too large to count.
    #[error("the sums of the trial balance are too large to count")]
    TooLarge,
    /// The text cannot be built.
    #[error("the table cannot be written")]
    Csv(#[from] csv::Error),
    /// The text's buffer cannot be flushed.
    #[error("the table cannot be written")]
    Buffer(#[from] std::io::Error),
    /// The workbook cannot be built.
    #[error("the workbook cannot be written")]
    Xlsx(#[from] XlsxError),
}

/// The lines added up: opening, debits, credits, closing. `None` when a sum is too large to count.
pub fn total(lines: &[Line]) -> Option<[Fen; 4]> {
    let column = |at: fn(&Line) -> Fen| Fen::sum(lines.iter().map(at));
    Some([
        column(|line| line.opening)?,
        column(|line| line.debits)?,
        column(|line| line.credits)?,
        column(|line| line.closing)?,
    ])
}

/// Balances add up to nothing, what was given is what was received, and every line follows from its own figures.
pub fn balanced(lines: &[Line]) -> bool {
    let follows = |line: &Line| {
        let less = line.opening.minus(line.debits);
        less.and_then(|less| less.plus(line.credits)) == Some(line.closing)
    };
    lines.iter().all(follows)
        && total(lines).is_some_and(|[opening, debits, credits, closing]| {
            opening == Fen::ZERO && closing == Fen::ZERO && debits == credits
        })
}

/// The trial balance as CSV: UTF-8 with a mark, so that a spreadsheet reads the Chinese; yuan with two decimals.
pub fn csv(lines: &[Line]) -> Result<Vec<u8>, TrialBalanceError> {
    let total = total(lines).ok_or(TrialBalanceError::TooLarge)?;
    let mut writer = csv::Writer::from_writer(b"\xEF\xBB\xBF".to_vec());
    writer.write_record(HEADINGS)?;
    for line in lines {
        let names = [line.code.0.to_string(), kind_name_zh(line.code).to_owned(), kind_name(line.code).to_owned()];
        writer.write_record(names.into_iter().chain(line.sums().map(|sum| sum.to_string())))?;
    }
    let names = ["", "合计", "Total"].map(str::to_owned);
    writer.write_record(names.into_iter().chain(total.map(|sum| sum.to_string())))?;
    writer.into_inner().map_err(|fault| TrialBalanceError::Buffer(fault.into_error()))
}

/// The trial balance as XLSX: one sheet named after the month; amounts are numbers in yuan, so that they can be added.
pub fn xlsx(month: CampusMonth, lines: &[Line]) -> Result<Vec<u8>, TrialBalanceError> {
    let total = total(lines).ok_or(TrialBalanceError::TooLarge)?;
    let mut book = Workbook::new();
    let heading = Format::new().set_bold().set_background_color(Color::RGB(0x00E8_EEF4));
    let money = Format::new().set_num_format("#,##0.00;[Red]-#,##0.00");
    let sheet = book.add_worksheet();
    sheet.set_name(month.to_string())?;
    for (column, text) in (0_u16..).zip(HEADINGS) {
        sheet.write_string_with_format(0, column, text, &heading)?;
        sheet.set_column_width(column, 20)?;
    }
    let mut next = 1_u32;
    for line in lines {
        sheet.write_number(next, 0, line.code.0)?;
        sheet.write_string(next, 1, kind_name_zh(line.code))?;
        sheet.write_string(next, 2, kind_name(line.code))?;
        amounts(sheet, next, line.sums(), &money)?;
        next += 1;
    }
    sheet.write_string_with_format(next, 1, "合计", &heading)?;
    sheet.write_string_with_format(next, 2, "Total", &heading)?;
    amounts(sheet, next, total, &money.set_bold())?;
    sheet.set_freeze_panes(1, 0)?;
    Ok(book.save_to_buffer()?)
}

fn amounts(sheet: &mut Worksheet, row: u32, sums: [Fen; 4], look: &Format) -> Result<(), XlsxError> {
    for (column, sum) in (3_u16..).zip(sums) {
        let text = sum.to_string();
        // A spreadsheet's number keeps fifteen digits: a longer amount stays text, to the last fen.
        match text.parse::<f64>() {
            Ok(number) if text.bytes().filter(u8::is_ascii_digit).count() <= 15 => {
                sheet.write_number_with_format(row, column, number, look)?;
            }
            _ => {
                sheet.write_string(row, column, text)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use calamine::{Data, Reader, Xlsx};

    use super::*;

    fn line(code: u16, [opening, debits, credits, closing]: [i64; 4]) -> Line {
        Line {
            code: AccountCode(code),
            opening: Fen::new(opening),
            debits: Fen::new(debits),
            credits: Fen::new(credits),
            closing: Fen::new(closing),
        }
    }

    fn lines() -> Vec<Line> {
        vec![
            line(1100, [-50_000, 12_345, 0, -62_345]),
            line(2100, [50_000, 600, 12_345, 61_745]),
            line(3100, [0, 0, 600, 600]),
        ]
    }

    #[test]
    fn what_does_not_add_up_is_not_balanced() {
        assert!(balanced(&lines()) && balanced(&[]));
        let table: [fn(&mut Vec<Line>); 4] = [
            |lines| lines[0].opening = Fen::new(-50_001),
            |lines| lines[1].debits = Fen::new(601),
            |lines| lines[2].closing = Fen::new(601),
            |lines| lines.truncate(2),
        ];
        for change in table {
            let mut lines = lines();
            change(&mut lines);
            assert!(!balanced(&lines), "{lines:?}");
        }
        assert_eq!(total(&[line(1, [i64::MAX; 4]), line(2, [1; 4])]), None);
    }

    #[test]
    fn the_text_has_both_languages_and_every_fen() {
        let text = String::from_utf8(csv(&lines()).unwrap()).unwrap();
        let expected = "\u{FEFF}科目 Code,名称 Name,Account,期初余额 Opening,借方发生额 Debits,贷方发生额 Credits,期末余额 Closing\n\
            1100,应收支付渠道款,receivable,-500.00,123.45,0.00,-623.45\n\
            2100,账户余额,available,500.00,6.00,123.45,617.45\n\
            3100,应付商户款,merchant,0.00,0.00,6.00,6.00\n\
            ,合计,Total,0.00,129.45,129.45,0.00\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_workbook_has_numbers_that_can_be_added() {
        let month = CampusMonth::parse("2026-09").unwrap();
        let mut lines = lines();
        lines.push(line(4000, [i64::MAX, 0, 0, i64::MAX]));
        lines[0].opening = Fen::new(-i64::MAX);
        lines[0].closing = Fen::new(-i64::MAX);
        let bytes = xlsx(month, &lines).unwrap();
        let mut book: Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(bytes)).unwrap();
        let sheet = book.worksheet_range("2026-09").unwrap();
        assert_eq!(sheet.get((0, 3)), Some(&Data::String("期初余额 Opening".to_owned())));
        assert_eq!(sheet.get((2, 1)), Some(&Data::String("账户余额".to_owned())));
        assert_eq!(sheet.get((2, 6)), Some(&Data::Float(617.45)));
        assert_eq!(sheet.get((4, 3)), Some(&Data::String("92233720368547758.07".to_owned())));
        assert_eq!(sheet.get((5, 2)), Some(&Data::String("Total".to_owned())));
    }
}
