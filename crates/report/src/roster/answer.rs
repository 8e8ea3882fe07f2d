//! XLSX out: the rows as they came, each with its verdict beside it. The clerk mends what is refused and sends it again.

use std::collections::BTreeMap;

use rules::roster::{Cell, Entry, Field, RowFault};
use rust_xlsxwriter::{Color, Format, FormatAlign, Workbook, Worksheet};

use super::headings::VERDICTS;
use super::{AnswerError, Roster};

/// The language of the verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 中文.
    Chinese,
    /// English.
    English,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The row of the file.
    pub row_number: u32,
    /// Whether it passed.
    pub accepted: bool,
    /// Why not; or what a person should look at although it passed.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// The verdict of the rules on one row.
    pub fn of(row_number: u32, checked: &Result<Entry, Vec<RowFault>>, language: Language) -> Verdict {
        let reasons = match (checked, language) {
            (Ok(entry), Language::Chinese) if entry.zeros_restored => {
                vec![format!("学工号存成了数字，已补齐开头的0，按{}处理，请核对。", entry.number)]
            }
            (Ok(entry), Language::English) if entry.zeros_restored => {
                vec![format!(
                    "The number was a numeric cell; its leading zeros were put back: {}. Check it.",
                    entry.number
                )]
            }
            (Ok(_), _) => Vec::new(),
            (Err(faults), Language::Chinese) => faults.iter().map(|fault| fault.zh()).collect(),
            (Err(faults), Language::English) => faults.iter().map(|fault| fault.en()).collect(),
        };
        Verdict { row_number, accepted: checked.is_ok(), reasons }
    }
}

/// The roster as a workbook, every row where it stood, with two columns more: result and reason.
///
/// Shape: text cells stay text, number cells stay numbers (their lost zeros must be seen again when the file comes back);
/// formulas are never written. Columns of an earlier answer are replaced, not doubled. Rows without a verdict get none.
/// Errors: only if the workbook cannot be built.
pub fn answer(roster: &Roster, verdicts: &[Verdict], language: Language) -> Result<Vec<u8>, AnswerError> {
    let by_row: BTreeMap<u32, &Verdict> = verdicts.iter().map(|verdict| (verdict.row_number, verdict)).collect();
    let kept = Columns::of(roster);
    let mut book = Workbook::new();
    let looks = Looks::new();
    let [result, reason] = VERDICTS[usize::from(language == Language::English)];
    let sheet = book.add_worksheet();
    sheet.set_name(result)?;
    for (row_number, cells) in &roster.table {
        let row = row_number.saturating_sub(1);
        let heading = *row_number == roster.headings.row;
        for (column, cell) in cells.iter().enumerate() {
            if let Some(to) = kept.place(column) {
                write(sheet, row, to, cell, if heading { &looks.heading } else { &looks.text })?;
            }
        }
        if heading {
            sheet.write_string_with_format(row, kept.width, result, &looks.heading)?;
            sheet.write_string_with_format(row, kept.width + 1, reason, &looks.heading)?;
        } else if let Some(verdict) = by_row.get(row_number) {
            let look = if verdict.accepted { &looks.text } else { &looks.refused };
            sheet.write_string_with_format(row, kept.width, word(verdict.accepted, language), look)?;
            sheet.write_string_with_format(row, kept.width + 1, verdict.reasons.join(" "), look)?;
        }
    }
    lay_out(sheet, roster, &kept)?;
    Ok(book.save_to_buffer()?)
}

const fn word(accepted: bool, language: Language) -> &'static str {
    match (accepted, language) {
        (true, Language::Chinese) => "通过",
        (false, Language::Chinese) => "未通过",
        (true, Language::English) => "accepted",
        (false, Language::English) => "refused",
    }
}

/// Where the columns of the file go, without those of an earlier answer.
struct Columns {
    dropped: Option<usize>,
    /// Columns kept, and so the first of the two new ones.
    width: u16,
}

impl Columns {
    fn of(roster: &Roster) -> Columns {
        let widest = roster.table.values().map(Vec::len).max().unwrap_or(0);
        let dropped = roster.headings.verdicts;
        let width = widest - if dropped.is_some() { 2 } else { 0 };
        Columns { dropped, width: u16::try_from(width).unwrap_or(u16::MAX) }
    }

    fn place(&self, column: usize) -> Option<u16> {
        let place = match self.dropped {
            Some(first) if column == first || column == first + 1 => None,
            Some(first) if column > first => Some(column - 2),
            Some(_) | None => Some(column),
        };
        place.and_then(|column| u16::try_from(column).ok())
    }
}

struct Looks {
    heading: Format,
    text: Format,
    refused: Format,
}

impl Looks {
    fn new() -> Looks {
        // `@` keeps a cell text when a person types into it.
        let text = Format::new().set_num_format("@").set_align(FormatAlign::Top);
        Looks {
            heading: text.clone().set_bold().set_background_color(Color::RGB(0x00E8_EEF4)),
            refused: text.clone().set_font_color(Color::RGB(0x00B0_0020)),
            text,
        }
    }
}

fn write(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell, look: &Format) -> Result<(), AnswerError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            sheet.write_string_with_format(row, column, text, look)?;
        }
        Cell::Number(digits) => match digits.parse::<f64>() {
            Ok(number) => {
                sheet.write_number(row, column, number)?;
            }
            Err(_) => {
                sheet.write_string_with_format(row, column, digits, look)?;
            }
        },
    }
    Ok(())
}

fn lay_out(sheet: &mut Worksheet, roster: &Roster, kept: &Columns) -> Result<(), AnswerError> {
    for column in 0..roster.table.values().map(Vec::len).max().unwrap_or(0) {
        let width = match roster.headings.field(column) {
            Some(Field::DocumentNumber) => 22,
            Some(Field::Name | Field::Department | Field::Phone | Field::Remark) => 18,
            Some(Field::Number | Field::DocumentKind | Field::Category) | None => 14,
        };
        if let Some(place) = kept.place(column) {
            sheet.set_column_width(place, width)?;
        }
    }
    sheet.set_column_width(kept.width, 10)?;
    sheet.set_column_width(kept.width + 1, 70)?;
    sheet.set_freeze_panes(roster.headings.row, 0)?;
    let last = roster.rows.last().map_or(roster.headings.row, |row| row.row_number);
    sheet.autofilter(roster.headings.row.saturating_sub(1), 0, last.saturating_sub(1), kept.width + 1)?;
    Ok(())
}
