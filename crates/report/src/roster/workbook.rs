//! XLSX in. Cells are streamed, so that one cell in the last corner of a sheet does not make us fill the whole sheet.

use std::io::{Cursor, Read as _, copy, sink};

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};
use rules::roster::Cell;
use zip::ZipArchive;

use super::{MAX_BYTES, MAX_UNPACKED, ReadError, Table, put};

/// Most parts of a workbook; a usual one has about ten.
const MAX_PARTS: usize = 1_000;

/// The first visible sheet, and the names of the others.
pub(super) fn read(bytes: &[u8]) -> Result<(Table, Vec<String>), ReadError> {
    weigh(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| match error {
        XlsxError::Password => ReadError::OldOrLocked,
        error => damaged(error),
    })?;
    let sheets = book.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let mut names: Vec<(bool, String)> =
        sheets.map(|sheet| (sheet.visible == SheetVisible::Visible, sheet.name.clone())).collect();
    let Some(first) = names.iter().position(|(visible, _)| *visible) else {
        return Err(ReadError::Damaged);
    };
    let (_, name) = names.remove(first);
    let mut cells = book.worksheet_cells_reader(&name).map_err(damaged)?;
    let mut table = Table::new();
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        put(
            &mut table,
            row.saturating_add(1),
            usize::try_from(column).unwrap_or(usize::MAX),
            content(cell.get_value()),
        )?;
    }
    Ok((table, names.into_iter().map(|(_, name)| name).collect()))
}

/// What the readers below us say may quote cells, and so people: it goes no further.
fn damaged<E>(_: E) -> ReadError {
    ReadError::Damaged
}

/// Unpacks everything into nothing and counts, because what an archive says of its sizes is only said.
fn weigh(bytes: &[u8]) -> Result<(), ReadError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > MAX_PARTS {
        return Err(ReadError::Damaged);
    }
    let mut left = MAX_UNPACKED;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(damaged)?;
        let size = copy(&mut part.take(left.saturating_add(1)), &mut sink()).map_err(damaged)?;
        left = left.checked_sub(size).ok_or(ReadError::TooLarge { mebibytes: MAX_BYTES / (1024 * 1024) })?;
    }
    Ok(())
}

/// A cell's content. Dates, truth values and formula errors have no place in a roster: they are kept as the text or
/// number behind them, so that the row is refused with its reason rather than lost.
fn content(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::Text(text.clone()),
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::Int(number) => Cell::Number(number.to_string()),
        // Printed without exponent, and without a point where there is no fraction.
        DataRef::Float(number) => Cell::Number(number.to_string()),
        DataRef::DateTime(date) => Cell::Number(date.as_f64().to_string()),
        DataRef::Bool(truth) => Cell::Text(truth.to_string()),
        DataRef::Error(error) => Cell::Text(error.to_string()),
    }
}
