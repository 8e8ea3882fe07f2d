//! A small CSV file with known headings: merchants, and whatever else is a plain list.

use encoding_rs::GB18030;

/// Largest file.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Why the file is not read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Over [`MAX_BYTES`].
    #[error("the file is larger than 1 MiB; is it the right one?")]
    TooLarge,
    /// Neither UTF-8 nor GB18030.
    #[error("the file is neither UTF-8 nor GB18030; save it again as CSV UTF-8")]
    Encoding,
    /// A heading is not there.
    #[error("the first row must name the column {0}")]
    Heading(String),
    /// A row does not fit.
    #[error("the table cannot be read: {0}")]
    Row(#[from] csv::Error),
}

/// Reads the named columns, in the order named; blank rows are left out, blanks around a cell too.
///
/// Shape: CSV with commas, first row the headings in any order; UTF-8 (with or without mark) or GB18030.
/// Errors, first match wins: `TooLarge`, `Encoding`, `Heading`, `Row`.
pub fn read(bytes: &[u8], headings: &[&str]) -> Result<Vec<Vec<String>>, TableError> {
    if bytes.len() > MAX_BYTES {
        return Err(TableError::TooLarge);
    }
    let plain = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(plain) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let (text, _, broken) = GB18030.decode(bytes);
            if broken {
                return Err(TableError::Encoding);
            }
            text.into_owned()
        }
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let found = reader.headers()?.clone();
    let place = |heading: &&str| {
        found.iter().position(|name| name == *heading).ok_or_else(|| TableError::Heading((*heading).to_owned()))
    };
    let places = headings.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        if record.iter().any(|cell| !cell.is_empty()) {
            rows.push(places.iter().map(|place| record.get(*place).unwrap_or_default().to_owned()).collect());
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_either_encoding() {
        let text = "name_en, code ,name_zh\nFirst canteen,canteen-1,第一食堂\n,,\n";
        let expected = vec![vec!["canteen-1".to_owned(), "第一食堂".to_owned(), "First canteen".to_owned()]];
        let (gb, _, _) = GB18030.encode(text);
        let marked = [b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat();
        for bytes in [text.as_bytes(), &gb, &marked] {
            assert_eq!(read(bytes, &["code", "name_zh", "name_en"]).unwrap(), expected);
        }
        assert!(matches!(read(b"code\nx\n", &["code", "name_zh"]), Err(TableError::Heading(_))));
        assert!(matches!(read(b"code,name_zh\nx\n", &["code", "name_zh"]), Err(TableError::Row(_))));
    }
}
