//! The roster of a school: who is to get an account. Reads what a card office typed and says, row by row, what it means
//! or what is to be mended.
//!
//! The shape of the file (sheets, headings, encodings) is the reader's affair; here a row is nine cells. What people type
//! is mended where only one reading is possible (blanks, full-width digits, a lower-case x, punctuation in phone numbers,
//! leading zeros that a spreadsheet dropped), and refused with a reason everywhere else.

mod clean;
mod fault;
mod read;

use std::collections::BTreeMap;
use std::fmt;

use crate::calendar::CampusDay;
use crate::pii::Pii;

pub use clean::code as plain;
pub use fault::{Field, RowFault};

/// Longest name: enough for foreign names and names of many parts.
pub const NAME_MAX: usize = 50;
/// Longest student or staff number.
pub const NUMBER_MAX: usize = 20;
/// Longest department.
pub const DEPARTMENT_MAX: usize = 60;
/// Longest remark.
pub const REMARK_MAX: usize = 200;

/// A cell as the file holds it. `Debug` shows its kind alone, because cells hold personal data.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Cell {
    /// Text, exactly as typed.
    Text(String),
    /// A number cell in plain decimal digits. Leading zeros are already gone, and digits behind the fifteenth too.
    Number(String),
    /// Nothing.
    #[default]
    Empty,
}

impl Cell {
    /// What stands in the cell; empty text for [`Cell::Empty`].
    pub fn shown(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Number(text) => text,
            Cell::Empty => "",
        }
    }

    /// Nothing but blanks, of any width.
    pub fn blank(&self) -> bool {
        self.shown().chars().all(clean::blank)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Cell::Text(_) => "Text(***)",
            Cell::Number(_) => "Number(***)",
            Cell::Empty => "Empty",
        })
    }
}

/// One row of the file under its headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRow {
    /// The row as the spreadsheet counts it, from 1.
    pub row_number: u32,
    /// 学工号.
    pub number: Cell,
    /// 姓名.
    pub name: Cell,
    /// 证件类型.
    pub document_kind: Cell,
    /// 证件号码.
    pub document_number: Cell,
    /// 人员类别.
    pub category: Cell,
    /// 院系.
    pub department: Cell,
    /// 手机号.
    pub phone: Cell,
    /// 备注.
    pub remark: Cell,
}

impl RawRow {
    /// Whether the row is about a person, right or wrong: it has something that reads as a number, a known category, or a
    /// document number. Lines such as "printed by ..." below a table have none of them.
    pub fn speaks_of_a_person(&self) -> bool {
        clean::number_shape(&clean::code(self.number.shown()))
            || read::category(&self.category).is_ok()
            || clean::document_shape(&clean::code(self.document_number.shown()))
    }

    /// Every cell is blank.
    pub fn blank(&self) -> bool {
        [
            &self.number,
            &self.name,
            &self.document_kind,
            &self.document_number,
            &self.category,
            &self.department,
            &self.phone,
            &self.remark,
        ]
        .into_iter()
        .all(Cell::blank)
    }
}

/// What a person is to the school.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// 学生.
    Student,
    /// 教职工.
    Staff,
}

/// The document that a person shows at the counter, normalised: no blanks, capital letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// 居民身份证 and the residence permit of the same build: 17 digits and a check digit.
    IdentityCard {
        /// 18 characters; the last is a digit or `X`.
        number: Pii<String>,
        /// The date inside the number.
        birth_date: Pii<CampusDay>,
    },
    /// 护照: 6 to 12 letters and digits.
    Passport {
        /// The number.
        number: Pii<String>,
    },
    /// 通行证 of Hong Kong, Macau and Taiwan residents, permanent residence card of the old build: 8 to 18 letters and digits.
    TravelPermit {
        /// The number.
        number: Pii<String>,
    },
}

impl Document {
    /// The number, whatever the kind.
    pub const fn number(&self) -> &Pii<String> {
        match self {
            Document::IdentityCard { number, .. }
            | Document::Passport { number }
            | Document::TravelPermit { number } => number,
        }
    }
}

/// One person of the roster, normalised and ready to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The row it came from.
    pub row_number: u32,
    /// Student or staff number: 1 to [`NUMBER_MAX`] digits and capital letters, leading zeros kept.
    pub number: String,
    /// The file held `number` as a number cell and its leading zeros were put back. Worth a second look by a person.
    pub zeros_restored: bool,
    /// 1 to [`NAME_MAX`] characters; rare characters as typed; parts of a name joined by `·`.
    pub name: Pii<String>,
    /// The identity document.
    pub document: Document,
    /// Student or staff.
    pub category: Category,
    /// Department, when one is given.
    pub department: Option<String>,
    /// Eleven digits for a mainland mobile phone, `+` and country code for another; `None` when the cell is blank.
    pub phone: Option<Pii<String>>,
    /// Remark, when there is one.
    pub remark: Option<Pii<String>>,
}

/// Reads every row of a roster; the answers stand in the order of `rows`.
///
/// Shape: `today` is the campus day of the import; nobody is born after it.
/// Errors: all faults of a row, in the order of the columns. Of rows that share a number, and of rows that share a
/// document, the first stands and each later one is refused, also when the first is refused for another reason: who the
/// number belongs to is then for a person to say.
/// Leading zeros of a number cell are put back only if they can be nothing else: the text cells of the same category tell
/// the one width that is wider, and such numbers do begin with zero there.
/// Repeats: the same rows give the same answers; nothing outside the file is looked at.
/// Source: R1, R25 (the identity number must be right), R57; GB 11643 for the identity number.
pub fn check(rows: &[RawRow], today: CampusDay) -> Vec<Result<Entry, Vec<RowFault>>> {
    let widths = read::Widths::of(rows);
    let mut seen = Seen::default();
    rows.iter().map(|row| seen.read(row, &widths, today)).collect()
}

/// What the rows so far have taken, with the row that took it.
#[derive(Default)]
struct Seen {
    numbers: BTreeMap<String, u32>,
    documents: BTreeMap<String, u32>,
}

impl Seen {
    fn read(&mut self, row: &RawRow, widths: &read::Widths, today: CampusDay) -> Result<Entry, Vec<RowFault>> {
        let mut faults = Vec::new();
        let category = read::category(&row.category);
        let number = read::number(&row.number, category.ok(), widths);
        let number = number.and_then(|(number, restored)| match claim(&mut self.numbers, &number, row.row_number) {
            Some(first) => Err(RowFault::NumberRepeated { first }),
            None => Ok((number, restored)),
        });
        let document = read::document(&row.document_kind, &row.document_number, today);
        let document = document.and_then(|document| {
            let text = document.number().expose_for("a document stands once in a roster");
            match claim(&mut self.documents, text, row.row_number) {
                Some(first) => Err(RowFault::DocumentRepeated { first }),
                None => Ok(document),
            }
        });
        let number = noted(number, &mut faults);
        let name = noted(read::name(&row.name), &mut faults);
        let document = noted(document, &mut faults);
        let category = noted(category, &mut faults);
        let department = noted(read::free_text(&row.department, Field::Department), &mut faults);
        let phone = noted(read::phone(&row.phone), &mut faults);
        let remark = noted(read::free_text(&row.remark, Field::Remark), &mut faults);
        let entry = || {
            let (number, zeros_restored) = number?;
            Some(Entry {
                row_number: row.row_number,
                number,
                zeros_restored,
                name: Pii::new(name?),
                document: document?,
                category: category?,
                department: department?,
                phone: phone?.map(Pii::new),
                remark: remark?.map(Pii::new),
            })
        };
        entry().ok_or(faults)
    }
}

/// Takes `key` for `row`, or tells which earlier row has it.
fn claim(taken: &mut BTreeMap<String, u32>, key: &str, row: u32) -> Option<u32> {
    let first = taken.get(key).copied();
    if first.is_none() {
        taken.insert(key.to_owned(), row);
    }
    first
}

fn noted<T>(found: Result<T, RowFault>, faults: &mut Vec<RowFault>) -> Option<T> {
    found.map_err(|fault| faults.push(fault)).ok()
}

#[cfg(test)]
mod tests;
