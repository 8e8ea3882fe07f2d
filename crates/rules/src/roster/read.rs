//! One function per column: the cell's meaning, or its fault.

use std::collections::BTreeMap;

use super::clean;
use super::{Category, Cell, DEPARTMENT_MAX, Document, Field, NAME_MAX, REMARK_MAX, RawRow, RowFault};
use crate::calendar::CampusDay;
use crate::pii::Pii;

/// How wide numbers are in this file, by category: what a number cell without its leading zeros is measured against.
#[derive(Debug, Default)]
pub(super) struct Widths {
    /// Widths of all-digit text cells, and whether any of that width begins with zero.
    text: BTreeMap<(Category, usize), bool>,
    /// The widest number cell.
    number: BTreeMap<Category, usize>,
}

impl Widths {
    pub(super) fn of(rows: &[RawRow]) -> Widths {
        let mut widths = Widths::default();
        for row in rows {
            let Ok(category) = category(&row.category) else { continue };
            let shown = clean::code(row.number.shown());
            if shown.is_empty() || !shown.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            match row.number {
                Cell::Text(_) => {
                    let zero = widths.text.entry((category, shown.len())).or_default();
                    *zero |= shown.starts_with('0');
                }
                Cell::Number(_) => {
                    let widest = widths.number.entry(category).or_default();
                    *widest = (*widest).max(shown.len());
                }
                Cell::Empty => {}
            }
        }
        widths
    }

    /// The width that a number cell of `digits` digits had before a spreadsheet took its zeros: `Some(digits)` if none
    /// are missing, `None` if that cannot be told.
    fn before_loss(&self, category: Category, digits: usize) -> Option<usize> {
        let of_category = || self.text.iter().filter(|((known, _), _)| *known == category);
        if of_category().next().is_none() {
            // Nothing was typed as text: cells of one width show no loss, a narrower one may have lost zeros.
            return self.number.get(&category).copied().filter(|widest| *widest == digits);
        }
        if of_category().any(|((_, width), _)| *width == digits) {
            return Some(digits);
        }
        let mut wider = of_category().filter(|((_, width), _)| *width > digits);
        match (wider.next(), wider.next()) {
            (None, _) => Some(digits),
            (Some(((_, width), true)), None) => Some(*width),
            (Some(_), _) => None,
        }
    }
}

/// The number, and whether its leading zeros were put back.
pub(super) fn number(cell: &Cell, category: Option<Category>, widths: &Widths) -> Result<(String, bool), RowFault> {
    let shown = clean::code(cell.shown());
    if shown.is_empty() {
        return Err(RowFault::NumberMissing);
    }
    if !clean::number_shape(&shown) {
        return Err(RowFault::NumberForm);
    }
    match (cell, category) {
        (Cell::Number(_), _) if !shown.bytes().all(|byte| byte.is_ascii_digit()) => Err(RowFault::NumberForm),
        // Beyond fifteen digits a spreadsheet rounds.
        (Cell::Number(_), _) if shown.len() > 15 => Err(RowFault::NumberDigitsLost),
        (Cell::Number(_), Some(category)) => match widths.before_loss(category, shown.len()) {
            Some(width) => Ok((format!("{shown:0>width$}"), width > shown.len())),
            None => Err(RowFault::NumberDigitsLost),
        },
        (Cell::Number(_) | Cell::Text(_) | Cell::Empty, _) => Ok((shown, false)),
    }
}

pub(super) fn name(cell: &Cell) -> Result<String, RowFault> {
    let name = clean::name(cell.shown());
    if name.is_empty() {
        return Err(RowFault::NameMissing);
    }
    if !name.chars().all(clean::in_name) || !name.chars().any(char::is_alphabetic) {
        return Err(RowFault::NameCharacter);
    }
    within(name, NAME_MAX, Field::Name)
}

pub(super) fn category(cell: &Cell) -> Result<Category, RowFault> {
    match clean::code(cell.shown()).as_str() {
        "" => Err(RowFault::CategoryMissing),
        "学生" | "本科生" | "专科生" | "研究生" | "硕士生" | "博士生" | "硕士研究生" | "博士研究生" | "留学生"
        | "STUDENT" => Ok(Category::Student),
        "教职工" | "教职员工" | "教工" | "教师" | "职工" | "STAFF" | "TEACHER" => Ok(Category::Staff),
        _ => Err(RowFault::CategoryUnknown),
    }
}

/// Free text, or `None` for a blank cell.
pub(super) fn free_text(cell: &Cell, field: Field) -> Result<Option<String>, RowFault> {
    let text = clean::words(cell.shown());
    if text.is_empty() {
        return Ok(None);
    }
    let max = if field == Field::Department { DEPARTMENT_MAX } else { REMARK_MAX };
    within(text, max, field).map(Some)
}

fn within(text: String, max: usize, field: Field) -> Result<String, RowFault> {
    if text.chars().count() > max { Err(RowFault::TooLong { field, max }) } else { Ok(text) }
}

/// A phone number without its punctuation, or `None` for a blank cell.
pub(super) fn phone(cell: &Cell) -> Result<Option<String>, RowFault> {
    let shown: String = clean::code(cell.shown())
        .chars()
        .filter(|c| !matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '(' | ')' | '.' | '/' | '·'))
        .collect();
    if shown.is_empty() {
        return Ok(None);
    }
    let (abroad, digits) = match shown.strip_prefix('+').or_else(|| shown.strip_prefix("00")) {
        Some(digits) => (true, digits),
        None => (false, shown.as_str()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RowFault::PhoneForm);
    }
    let home = digits.strip_prefix("86").filter(|rest| mobile(rest));
    if let Some(home) = home.or(Some(digits).filter(|digits| !abroad && mobile(digits))) {
        return Ok(Some(home.to_owned()));
    }
    if abroad && (8..=15).contains(&digits.len()) && !digits.starts_with("86") && !digits.starts_with('0') {
        return Ok(Some(format!("+{digits}")));
    }
    Err(RowFault::PhoneForm)
}

fn mobile(digits: &str) -> bool {
    digits.len() == 11 && matches!(digits.as_bytes(), [b'1', b'3'..=b'9', ..])
}

enum Kind {
    IdentityCard,
    Passport,
    TravelPermit,
    Unsaid,
}

fn kind(cell: &Cell) -> Result<Kind, RowFault> {
    match clean::code(cell.shown()).as_str() {
        "" => Ok(Kind::Unsaid),
        "居民身份证"
        | "身份证"
        | "二代身份证"
        | "第二代居民身份证"
        | "港澳台居民居住证"
        | "IDENTITYCARD"
        | "IDCARD" => Ok(Kind::IdentityCard),
        "护照" | "外国护照" | "普通护照" | "PASSPORT" => Ok(Kind::Passport),
        "港澳居民来往内地通行证"
        | "台湾居民来往大陆通行证"
        | "港澳通行证"
        | "台胞证"
        | "回乡证"
        | "通行证"
        | "外国人永久居留身份证"
        | "外国人永久居留证"
        | "TRAVELPERMIT" => Ok(Kind::TravelPermit),
        _ => Err(RowFault::DocumentKindUnknown),
    }
}

/// The document. A blank kind is taken for an identity card if the number is a right one, because nothing else checks.
pub(super) fn document(kind_cell: &Cell, cell: &Cell, today: CampusDay) -> Result<Document, RowFault> {
    let kind = kind(kind_cell)?;
    let shown = clean::code(cell.shown());
    if shown.is_empty() {
        return Err(RowFault::DocumentMissing);
    }
    if matches!(cell, Cell::Number(_)) {
        return Err(RowFault::DocumentAsNumber);
    }
    let shaped = shown.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match kind {
        Kind::IdentityCard => identity_card(&shown, today),
        Kind::Unsaid => identity_card(&shown, today).map_err(|_| RowFault::DocumentKindUnknown),
        Kind::Passport if shaped && (6..=12).contains(&shown.len()) => {
            Ok(Document::Passport { number: Pii::new(shown) })
        }
        Kind::Passport => Err(RowFault::PassportForm),
        Kind::TravelPermit if shaped && (8..=18).contains(&shown.len()) => {
            Ok(Document::TravelPermit { number: Pii::new(shown) })
        }
        Kind::TravelPermit => Err(RowFault::PermitForm),
    }
}

fn identity_card(shown: &str, today: CampusDay) -> Result<Document, RowFault> {
    // The multiplication sign stands for X on some keyboards.
    let number = shown.replace('×', "X");
    let (digits, last) = match (number.get(..17), number.get(17..)) {
        (Some(digits), Some(last)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => (digits, last),
        _ => return Err(RowFault::IdentityForm),
    };
    if !matches!(last.as_bytes(), [b'0'..=b'9' | b'X']) {
        return Err(RowFault::IdentityForm);
    }
    let born = digits.get(6..14).and_then(|text| text.parse().ok()).map(CampusDay);
    let born = born.filter(|day| real_day(*day) && *day <= today).ok_or(RowFault::IdentityBirthDate)?;
    if check_character(digits) != last.chars().next() {
        return Err(RowFault::IdentityCheckDigit);
    }
    Ok(Document::IdentityCard { number: Pii::new(number), birth_date: Pii::new(born) })
}

/// The check character of 17 digits: weights are the powers of two modulo 11 (GB 11643, ISO 7064 MOD 11-2).
fn check_character(digits: &str) -> Option<char> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum = digits
        .chars()
        .zip(WEIGHTS)
        .try_fold(0_u32, |sum, (digit, weight)| sum.checked_add(digit.to_digit(10)?.checked_mul(weight)?))?;
    "10X98765432".chars().nth(usize::try_from(sum.checked_rem(11)?).ok()?)
}

/// A day that the calendar has, from 1900 on.
fn real_day(CampusDay(day): CampusDay) -> bool {
    let part = |unit: u32, modulus: u32| day.checked_div(unit).and_then(|n| n.checked_rem(modulus)).unwrap_or(0);
    let (year, month, date) = (part(10_000, 10_000), part(100, 100), part(1, 100));
    let divides = |n: u32| year.checked_rem(n) == Some(0);
    let days = match month {
        2 if divides(4) && (!divides(100) || divides(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    year >= 1900 && (1..=days).contains(&date)
}
