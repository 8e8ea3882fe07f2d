//! The roster of 2,000 rows: what is read, what passes, and which rows are refused for what.

use std::collections::BTreeMap;

use report::roster::{Roster, read};
use rules::calendar::CampusDay;
use rules::pii::Pii;
use rules::roster::{Category, Cell, Document, Entry, RowFault, check};

use crate::{TODAY, people};

fn roster() -> Roster {
    read(people()).expect("a roster")
}

/// The passing rows by row number.
fn entries() -> BTreeMap<u32, Entry> {
    check(&roster().rows, TODAY).into_iter().flatten().map(|entry| (entry.row_number, entry)).collect()
}

fn shown<T: Clone>(value: &Pii<T>) -> T {
    value.expose_for("test").clone()
}

#[test]
fn all_two_thousand_rows_are_read_and_the_note_and_the_second_sheet_are_left_aside() {
    let roster = roster();
    assert_eq!(roster.rows.len(), 2_000);
    assert_eq!(roster.rows.first().map(|row| row.row_number), Some(3));
    assert_eq!(roster.rows.last().map(|row| row.row_number), Some(2_002));
    assert_eq!(roster.notes, [2_004]);
    assert_eq!(roster.other_sheets, ["填表说明"]);
}

#[test]
fn exactly_thirty_one_rows_are_refused_each_for_its_one_reason() {
    let roster = roster();
    let checked = check(&roster.rows, TODAY);
    assert_eq!(checked.iter().filter(|row| row.is_ok()).count(), 1_969);
    let refused: Vec<(u32, Vec<RowFault>)> = roster
        .rows
        .iter()
        .zip(checked)
        .filter_map(|(row, checked)| checked.err().map(|faults| (row.row_number, faults)))
        .collect();
    let wanted = [
        (328, RowFault::NumberMissing),
        (364, RowFault::NameMissing),
        (388, RowFault::DocumentRepeated { first: 361 }),
        (413, RowFault::NumberMissing),
        (422, RowFault::DocumentRepeated { first: 324 }),
        (715, RowFault::CategoryUnknown),
        (763, RowFault::NumberMissing),
        (923, RowFault::NumberMissing),
        (996, RowFault::IdentityCheckDigit),
        (1076, RowFault::IdentityCheckDigit),
        (1120, RowFault::NameMissing),
        (1169, RowFault::CategoryUnknown),
        (1178, RowFault::DocumentRepeated { first: 23 }),
        (1257, RowFault::CategoryUnknown),
        (1279, RowFault::NumberRepeated { first: 451 }),
        (1314, RowFault::NumberMissing),
        (1388, RowFault::NumberMissing),
        (1438, RowFault::NumberMissing),
        (1466, RowFault::IdentityCheckDigit),
        (1504, RowFault::NameMissing),
        (1514, RowFault::NameMissing),
        (1585, RowFault::IdentityCheckDigit),
        (1611, RowFault::CategoryUnknown),
        (1623, RowFault::NameMissing),
        (1651, RowFault::NumberRepeated { first: 263 }),
        (1689, RowFault::IdentityCheckDigit),
        (1760, RowFault::NameMissing),
        (1781, RowFault::NumberRepeated { first: 910 }),
        (1817, RowFault::IdentityCheckDigit),
        (1892, RowFault::DocumentRepeated { first: 1836 }),
        (1908, RowFault::NumberMissing),
    ];
    let wanted: Vec<(u32, Vec<RowFault>)> = wanted.into_iter().map(|(row, fault)| (row, vec![fault])).collect();
    assert_eq!(wanted.len(), 31);
    assert_eq!(refused, wanted);
}

#[test]
fn numbers_come_out_as_plain_digits_whatever_the_cell_held() {
    let (roster, entries) = (roster(), entries());
    let number_cells: Vec<u32> =
        roster.rows.iter().filter(|row| matches!(row.number, Cell::Number(_))).map(|row| row.row_number).collect();
    assert_eq!(number_cells, [27, 63, 630, 1124, 1129]);
    let table = [
        (3, "2023876543"),
        (5, "050663"),      // text with a leading zero
        (12, "2024995365"), // full-width digits
        (27, "2026396408"), // a number cell that lost nothing
        (1114, "2024453141"),
    ];
    for (row, number) in table {
        assert_eq!(entries[&row].number, number, "row {row}");
    }
    assert!(entries.values().all(|entry| !entry.zeros_restored), "no number cell here is short of its width");
    for entry in entries.values() {
        let width = if entry.category == Category::Student { 10 } else { 6 };
        assert_eq!(entry.number.len(), width, "row {}", entry.row_number);
        assert!(entry.number.bytes().all(|byte| byte.is_ascii_digit()), "row {}", entry.row_number);
    }
    let staff = entries.values().filter(|entry| entry.category == Category::Staff).count();
    assert_eq!((staff, entries.len() - staff), (153, 1_816));
}

#[test]
fn names_documents_and_phones_come_out_normalised() {
    let entries = entries();
    let names = [
        (15, "秦诗𠮷"),
        (25, "María José García"),
        (36, "白㛃雨"),
        (43, "邹航云"),
        (404, "买买提·艾力江"),
        (418, "金·智恩"),
        (484, "阿依古丽·吐尔逊"),
        (1101, "John Smith"),
    ];
    for (row, name) in names {
        assert_eq!(shown(&entries[&row].name), name, "row {row}");
    }
    for row in [274, 316, 621, 955, 1728] {
        let phone = entries[&row].phone.as_ref().map(shown).expect("a phone");
        assert!(phone.len() == 11 && phone.bytes().all(|byte| byte.is_ascii_digit()), "row {row}: {phone}");
    }
    assert_eq!(
        entries[&351].document,
        Document::IdentityCard {
            number: Pii::new("44030520050124844X".to_owned()),
            birth_date: Pii::new(CampusDay(20_050_124)),
        },
        "typed with a small x"
    );
    assert_eq!(entries[&52].document, Document::Passport { number: Pii::new("P73944119".to_owned()) });
    let passports = entries.values().filter(|entry| matches!(entry.document, Document::Passport { .. })).count();
    assert_eq!(passports, 53);
    assert!(entries.values().all(|entry| entry.department.is_some() && entry.remark.is_none()));
}

#[test]
fn reading_twice_gives_the_same_rows() {
    let (first, second) = (roster(), roster());
    assert_eq!(first.rows, second.rows);
    assert_eq!(check(&first.rows, TODAY), check(&second.rows, TODAY));
}
