//! A document as it is read: title, number, what it is about, then paragraphs, lists and tables. One model, several forms:
//! PDF ([`pdf`], feature `pdf`) and XLSX ([`workbook`]).
//!
//! Every text is already in the reader's language. Nothing here knows what a document says.

use std::fmt;

use ledger::{Fen, Micros};

#[cfg(feature = "pdf")]
mod layout;
#[cfg(feature = "pdf")]
mod lines;
pub mod list;
#[cfg(feature = "pdf")]
pub mod pdf;
#[cfg(feature = "pdf")]
pub mod typeface;
pub mod workbook;

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Language of its texts, as `lang` attributes name it, such as `zh-CN`.
    pub language: String,
    /// Who gives it out.
    pub school: String,
    /// What it is.
    pub title: String,
    /// Its number, if it has one; it stands on every page.
    pub number: Option<String>,
    /// What it is about: a word and what stands for it, such as name, month, account.
    pub meta: Vec<(String, String)>,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Begins a part.
    Heading(String),
    /// Begins a part for which a workbook has a sheet of its own, named so; on paper it is a heading. A table that stands first
    /// on such a sheet keeps its headings in sight.
    Sheet(String),
    /// Begins a part of a part.
    Subheading(String),
    /// Running text; `\n` begins a new line.
    Paragraph(String),
    /// Things in a row, one below the other.
    List {
        /// With 1, 2, 3 in front, not with dots.
        numbered: bool,
        /// The things.
        items: Vec<String>,
    },
    /// Rows and columns.
    Table(Table),
    /// A remark, smaller than running text.
    Note(String),
}

#[cfg(feature = "pdf")]
impl Block {
    /// The text of a remark.
    fn note(&self) -> Option<&str> {
        if let Block::Note(text) = self { Some(text) } else { None }
    }
}

/// Rows and columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows. Shape: one cell for each column; what is missing is empty, what is too many is left out.
    pub rows: Vec<Vec<Cell>>,
    /// The last row, with the sums.
    pub totals: Option<Vec<Cell>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub heading: String,
    /// Where its cells stand.
    pub align: Align,
    /// A cell that is too long goes on in a next line; else the column is as wide as its longest cell.
    pub wraps: bool,
}

impl Column {
    /// Texts that may be long.
    pub fn text(heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), align: Align::Start, wraps: true }
    }

    /// Short texts that are kept in one piece: moments, numbers of records.
    pub fn mark(heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), align: Align::Start, wraps: false }
    }

    /// Amounts, digits below digits.
    pub fn money(heading: impl Into<String>) -> Column {
        Column { heading: heading.into(), align: Align::End, wraps: false }
    }
}

/// Where a cell stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Where reading begins.
    Start,
    /// At the other side.
    End,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    #[default]
    Empty,
    /// A text, a number of a record.
    Text(String),
    /// A moment; a spreadsheet can sort by it. The text is what stands on paper.
    Moment(Micros, String),
    /// An amount; a spreadsheet can add it up.
    Money(Fen),
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<Fen> for Cell {
    fn from(amount: Fen) -> Cell {
        Cell::Money(amount)
    }
}

/// What stands in the cell on paper: an amount in groups of three with two decimals, below nothing with U+2212.
impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Empty => Ok(()),
            Cell::Text(text) | Cell::Moment(_, text) => out.write_str(text),
            Cell::Money(amount) => out.write_str(&grouped(*amount)),
        }
    }
}

fn grouped(amount: Fen) -> String {
    let text = amount.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("\u{2212}", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut out = sign.to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push('.');
    out.push_str(fraction);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_on_paper_is_grouped_and_has_two_decimals() {
        let table = [
            (0, "0.00"),
            (5, "0.05"),
            (99_999, "999.99"),
            (100_000_000, "1,000,000.00"),
            (-123_450, "\u{2212}1,234.50"),
        ];
        for (fen, text) in table {
            assert_eq!(Cell::Money(Fen::new(fen)).to_string(), text);
        }
        assert_eq!(Cell::Empty.to_string(), "");
    }
}
