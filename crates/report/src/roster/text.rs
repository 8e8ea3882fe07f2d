//! CSV in: the encodings and separators that spreadsheets and databases of campuses write.

use std::borrow::Cow;

use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};
use rules::roster::Cell;

use super::headings::{self, Headings};
use super::{ReadError, Table, put};

/// The table and its headings, with the separator under which headings are found.
pub(super) fn read(bytes: &[u8]) -> Result<(Table, Headings), ReadError> {
    let text = decode(bytes)?;
    let mut first_error = None;
    for separator in [b',', b';', b'\t'] {
        let table = table(&text, separator)?;
        match headings::find(&table) {
            Ok(headings) => return Ok((table, headings)),
            Err(error) => {
                // The separator that names some headings tells best what is missing.
                let clearer = matches!(&error, ReadError::HeadingsMissing { missing } if missing.len() < 4)
                    || matches!(error, ReadError::HeadingTwice { .. });
                if clearer || first_error.is_none() {
                    first_error = Some(error);
                }
            }
        }
    }
    Err(first_error.unwrap_or(ReadError::Nobody))
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    let whole = |encoding: &'static encoding_rs::Encoding, rest| {
        encoding.decode_without_bom_handling_and_without_replacement(rest).ok_or(ReadError::Encoding)
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => std::str::from_utf8(rest).map(Cow::Borrowed).map_err(|_| ReadError::Encoding),
        [0xFF, 0xFE, rest @ ..] => whole(UTF_16LE, rest),
        [0xFE, 0xFF, rest @ ..] => whole(UTF_16BE, rest),
        // GBK alone could not write 𠮷; GB18030 holds every character and reads GBK too.
        _ => std::str::from_utf8(bytes).map(Cow::Borrowed).or_else(|_| whole(GB18030, bytes)),
    }
}

/// Rows numbered as a spreadsheet numbers them: an empty line counts, a line break inside quotes does not.
fn table(text: &str, separator: u8) -> Result<Table, ReadError> {
    let mut ended = text.replace("\r\n", "\n").replace('\r', "\n");
    if !ended.ends_with('\n') {
        ended.push('\n');
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(ended.as_bytes());
    let mut table = Table::new();
    let mut record = csv::StringRecord::new();
    let mut inner_breaks = 0_u64;
    while reader.read_record(&mut record).map_err(|_| ReadError::Damaged)? {
        let breaks = record.iter().map(|field| field.matches('\n').count()).sum::<usize>();
        inner_breaks = inner_breaks.saturating_add(u64::try_from(breaks).unwrap_or(u64::MAX));
        // The reader stands behind the line break that ends the record; lines count from 1.
        let row = reader.position().line().saturating_sub(1).saturating_sub(inner_breaks);
        let row = u32::try_from(row).map_err(|_| ReadError::TooManyRows { max: super::MAX_ROWS })?;
        for (column, field) in record.iter().enumerate() {
            put(&mut table, row, column, Cell::Text(unwrapped(field).to_owned()))?;
        }
    }
    Ok(table)
}

/// `="0050"` is how a CSV file tells a spreadsheet to keep the zeros.
fn unwrapped(field: &str) -> &str {
    field.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).unwrap_or(field)
}
