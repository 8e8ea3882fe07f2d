//! The roster file of a card office: XLSX or CSV in, rows out; and the same file back with a verdict beside every row.

mod answer;
mod error;
mod headings;
mod text;
mod workbook;

use std::collections::BTreeMap;

use rules::roster::{Cell, RawRow};

pub use answer::{Language, Verdict, answer};
pub use error::{AnswerError, ReadError};
use headings::Headings;

/// Largest file.
pub const MAX_BYTES: usize = 20 * 1024 * 1024;
/// Largest sum of the parts of a workbook once they are unpacked.
pub const MAX_UNPACKED: u64 = 256 * 1024 * 1024;
/// Most rows, titles and notes included.
pub const MAX_ROWS: usize = 100_000;
/// Most columns.
pub const MAX_COLUMNS: usize = 64;
/// Longest cell, in UTF-16 units: what a workbook can hold.
pub const MAX_CELL: usize = 32_767;
/// The headings stand in one of so many rows from the top.
pub const HEADING_ROWS: u32 = 10;

/// The cells of a sheet by row, as the spreadsheet counts rows (from 1). Rows without any content are left out.
type Table = BTreeMap<u32, Vec<Cell>>;

/// A roster as read: its rows, and what was left aside.
#[derive(Clone, Debug)]
pub struct Roster {
    /// One row a person, right or wrong, in the order of the file.
    pub rows: Vec<RawRow>,
    /// Rows with content that are about nobody: the notes below the table. To be shown, so that nothing is lost silently.
    pub notes: Vec<u32>,
    /// Sheets that were not read: all but the first visible one.
    pub other_sheets: Vec<String>,
    table: Table,
    headings: Headings,
}

/// Reads a roster file; the content tells XLSX from CSV, the name of the file does not matter.
///
/// Shape: a workbook's first visible sheet, or CSV with commas, semicolons or tabs in UTF-8 (with or without mark),
/// UTF-16 (with mark) or GB18030. Headings are found by name in one of the first [`HEADING_ROWS`] rows, in any order,
/// beside columns that we do not know; titles above and notes below are left aside. An earlier answer of ours can be
/// read again: its verdict columns are ignored.
/// Errors, first match wins: too large, unreadable (old or locked workbook, damaged, wrong encoding), too many rows or
/// columns, a cell too long, headings missing or doubled, nobody in the table.
/// Repeats: the same bytes give the same rows.
pub fn read(bytes: &[u8]) -> Result<Roster, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge { mebibytes: MAX_BYTES / (1024 * 1024) });
    }
    if bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(ReadError::OldOrLocked);
    }
    if bytes.starts_with(b"PK") {
        let (table, other_sheets) = workbook::read(bytes)?;
        let headings = headings::find(&table)?;
        return gather(table, headings, other_sheets);
    }
    let (table, headings) = text::read(bytes)?;
    gather(table, headings, Vec::new())
}

fn gather(table: Table, headings: Headings, other_sheets: Vec<String>) -> Result<Roster, ReadError> {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (row_number, cells) in table.range(headings.row + 1..) {
        let row = headings.row_of(*row_number, cells);
        if !row.blank() {
            rows.push(row);
        } else if !cells.iter().all(Cell::blank) {
            notes.push(*row_number);
        }
    }
    // Notes stand below the table; a strange row between people is for the clerk to look at.
    while rows.last().is_some_and(|row| !row.speaks_of_a_person()) {
        notes.extend(rows.pop().map(|row| row.row_number));
    }
    notes.sort_unstable();
    if rows.is_empty() {
        return Err(ReadError::Nobody);
    }
    Ok(Roster { rows, notes, other_sheets, table, headings })
}

/// Adds a cell to the table, within the bounds.
fn put(table: &mut Table, row: u32, column: usize, cell: Cell) -> Result<(), ReadError> {
    if cell == Cell::Empty || cell.shown().is_empty() {
        return Ok(());
    }
    if column >= MAX_COLUMNS {
        return Err(ReadError::TooManyColumns { row, max: MAX_COLUMNS });
    }
    if cell.shown().encode_utf16().count() > MAX_CELL {
        return Err(ReadError::CellTooLong { row });
    }
    if table.len() >= MAX_ROWS && !table.contains_key(&row) {
        return Err(ReadError::TooManyRows { max: MAX_ROWS });
    }
    let cells = table.entry(row).or_default();
    if cells.len() <= column {
        cells.resize(column + 1, Cell::Empty);
    }
    cells[column] = cell;
    Ok(())
}
