//! The same roster in the other forms that offices send: CSV in every encoding, headings moved, renamed and wrapped.

use encoding_rs::GB18030;
use report::roster::{ReadError, Roster, read};
use rules::roster::{Cell, Field, RawRow, check};
use rust_xlsxwriter::{Format, Workbook};

use crate::{TODAY, people};

const HEAD: &str = "学工号,姓名,证件类型,证件号码,人员类别,院系,手机号,备注";
const ROW: &str = "050663,秦诗𠮷,居民身份证,510104200407110998,教职工,图书馆,17624049201,";

fn csv_of(roster: &Roster) -> String {
    let mut out = format!("示范大学一卡通开户名单,,,,,,,\r\n{HEAD}\r\n");
    for row in &roster.rows {
        let cells = [
            &row.number,
            &row.name,
            &row.document_kind,
            &row.document_number,
            &row.category,
            &row.department,
            &row.phone,
            &row.remark,
        ];
        let fields: Vec<&str> = cells.into_iter().map(Cell::shown).collect();
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out.push_str("\r\n制表：校园卡服务中心,,,,,,,共2000人\r\n");
    out
}

/// A CSV file holds text alone.
fn as_text(row: &RawRow) -> RawRow {
    let text = |cell: &Cell| if cell.shown().is_empty() { Cell::Empty } else { Cell::Text(cell.shown().to_owned()) };
    RawRow { number: text(&row.number), ..row.clone() }
}

fn utf16(text: &str, mark: [u8; 2], bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
}

#[test]
fn csv_in_every_encoding_gives_the_rows_of_the_workbook() {
    let workbook = read(people()).expect("a roster");
    let wanted: Vec<RawRow> = workbook.rows.iter().map(as_text).collect();
    let text = csv_of(&workbook);
    let (gb18030, _, lost) = GB18030.encode(&text);
    assert!(!lost, "GB18030 holds every character");
    assert!(std::str::from_utf8(&gb18030).is_err());
    let forms = [
        ("UTF-8", text.clone().into_bytes()),
        ("UTF-8 with mark", format!("\u{FEFF}{text}").into_bytes()),
        ("GB18030", gb18030.into_owned()),
        ("UTF-16 LE", utf16(&text, [0xFF, 0xFE], u16::to_le_bytes)),
        ("UTF-16 BE", utf16(&text, [0xFE, 0xFF], u16::to_be_bytes)),
        ("line feeds alone", text.replace("\r\n", "\n").into_bytes()),
        ("carriage returns alone", text.replace("\r\n", "\r").into_bytes()),
        ("semicolons", text.replace(',', ";").into_bytes()),
        ("tabs", text.replace(',', "\t").into_bytes()),
    ];
    for (form, bytes) in forms {
        let roster = read(&bytes).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert!(roster.rows == wanted, "{form}");
        assert_eq!(roster.notes, [2_004], "{form}");
        let passed = check(&roster.rows, TODAY).iter().filter(|row| row.is_ok()).count();
        assert_eq!(passed, 1_969, "{form}");
    }
}

#[test]
fn csv_rows_are_numbered_as_a_spreadsheet_numbers_them() {
    let text = format!(
        "{HEAD}\n\n{ROW}\n\n\n{}\"两行\n备注\"\n{}x",
        ROW.replace("050663", "050664"),
        ROW.replace("050663", "050665")
    );
    for text in [text.clone(), text.replace('\n', "\r\n")] {
        let roster = read(text.as_bytes()).expect("a roster");
        let found: Vec<(u32, &str)> = roster.rows.iter().map(|row| (row.row_number, row.number.shown())).collect();
        assert_eq!(found, [(3, "050663"), (6, "050664"), (7, "050665")]);
        assert_eq!(roster.rows[1].remark, Cell::Text("两行\n备注".to_owned()));
    }
}

#[test]
fn csv_fields_wrapped_as_formulas_keep_their_zeros() {
    let text = format!("{HEAD}\n{}\n", ROW.replace("050663", "\"=\"\"050663\"\"\""));
    let roster = read(text.as_bytes()).expect("a roster");
    assert_eq!(roster.rows[0].number, Cell::Text("050663".to_owned()));
}

#[test]
fn headings_are_found_by_name_in_any_order_and_beside_foreign_columns() {
    let text = "示范大学\n\n填表日期,2026-09-01\n\n\n\n\n\n\n\
        序号,*姓 名,身份证号码（必填）,学（工）号：,人员类别,联系电话\n\
        1,秦诗𠮷,510104200407110998,050663,教职工,17624049201\n\
        2,,,,,\n";
    let roster = read(text.as_bytes()).expect("headings in row 10");
    let wanted = RawRow {
        row_number: 11,
        number: Cell::Text("050663".to_owned()),
        name: Cell::Text("秦诗𠮷".to_owned()),
        document_number: Cell::Text("510104200407110998".to_owned()),
        category: Cell::Text("教职工".to_owned()),
        phone: Cell::Text("17624049201".to_owned()),
        ..RawRow::default()
    };
    assert!(roster.rows == [wanted]);
    assert_eq!(roster.notes, [12], "a row with nothing but its counter is nobody");
    assert!(check(&roster.rows, TODAY)[0].is_ok(), "the kind of document follows from the number");

    let english = "Name,Student/staff number,ID type,ID number,Category,Department,Mobile,Note\n\
        John Smith,b001,Passport,P73944119,Student,Library,+1 415 555 0100,\n";
    let roster = read(english.as_bytes()).expect("English headings");
    assert!(check(&roster.rows, TODAY)[0].is_ok());
}

#[test]
fn headings_that_are_missing_late_or_doubled_are_named() {
    let missing = |fields: &[Field]| ReadError::HeadingsMissing { missing: fields.to_vec() };
    let all = [Field::Number, Field::Name, Field::DocumentNumber, Field::Category];
    let table = [
        ("学工号,姓名,院系\n1,王昊,图书馆\n".to_owned(), missing(&[Field::DocumentNumber, Field::Category])),
        ("学工号;姓名;院系\n1;王昊;图书馆\n".to_owned(), missing(&[Field::DocumentNumber, Field::Category])),
        (ROW.to_owned(), missing(&all)),
        (String::new(), missing(&all)),
        (format!("{}{HEAD}\n{ROW}\n", "标题\n".repeat(10)), missing(&all)),
        (format!("{HEAD},工号\n{ROW}\n"), ReadError::HeadingTwice { field: Field::Number }),
        (format!("{HEAD}\n"), ReadError::Nobody),
        (format!("{HEAD}\n制表：校园卡服务中心\n"), ReadError::Nobody),
    ];
    for (text, wanted) in table {
        assert_eq!(read(text.as_bytes()).err(), Some(wanted), "{text}");
    }
}

#[test]
fn a_strange_row_between_people_is_refused_and_not_taken_for_a_note() {
    let text = format!("{HEAD}\n{ROW}\n以下为外聘人员\n{}\n制表：王昊\n打印：李四\n", ROW.replace("050663", "050664"));
    let roster = read(text.as_bytes()).expect("a roster");
    let rows: Vec<u32> = roster.rows.iter().map(|row| row.row_number).collect();
    assert_eq!((rows, roster.notes.clone()), (vec![2, 3, 4], vec![5, 6]));
    assert!(check(&roster.rows, TODAY)[1].is_err());
}

#[test]
fn only_the_first_visible_sheet_counts() {
    let mut book = Workbook::new();
    for (name, number, hidden) in [("旧", "1111", true), ("名单", "2222", false), ("说明", "3333", false)] {
        let sheet = book.add_worksheet();
        sheet.set_name(name).expect("a name").set_hidden(hidden);
        sheet.merge_range(0, 0, 0, 3, "开户名单", &Format::new()).expect("a title");
        for (column, text) in ["学工号", "姓名", "证件号码", "人员类别"].into_iter().enumerate() {
            sheet.write(1, u16::try_from(column).expect("small"), text).expect("a heading");
        }
        sheet.write(2, 0, number).expect("a cell");
    }
    let sheet = book.worksheet_from_name("名单").expect("there");
    sheet.set_active(true);
    sheet.set_first_tab(true);
    let roster = read(&book.save_to_buffer().expect("a workbook")).expect("a roster");
    assert_eq!(roster.rows[0].number, Cell::Text("2222".to_owned()));
    assert_eq!(roster.other_sheets, ["旧", "说明"]);
}
