//! The workbook that goes back: every row as it came, its verdict beside it.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use report::roster::{Language, Roster, Verdict, answer, read};
use rules::roster::check;
use rust_xlsxwriter::Workbook;

use crate::{TODAY, people};

fn verdicts(roster: &Roster, language: Language) -> Vec<Verdict> {
    let checked = check(&roster.rows, TODAY);
    roster.rows.iter().zip(&checked).map(|(row, checked)| Verdict::of(row.row_number, checked, language)).collect()
}

fn answered(roster: &Roster, language: Language) -> Vec<u8> {
    answer(roster, &verdicts(roster, language), language).expect("an answer")
}

/// The cell of a 1-based row and a column letter.
fn cell(bytes: &[u8], row: u32, column: char) -> Data {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
    let range = book.worksheet_range_at(0).expect("a sheet").expect("readable");
    range.get_value((row - 1, u32::from(column) - u32::from('A'))).cloned().unwrap_or_default()
}

fn text(text: &str) -> Data {
    Data::String(text.to_owned())
}

#[test]
fn every_row_stands_where_it_stood_with_its_verdict_beside_it() {
    let roster = read(people()).expect("a roster");
    let bytes = answered(&roster, Language::Chinese);
    let table = [
        (1, 'A', text("示范大学一卡通开户名单（2026年9月）")),
        (2, 'A', text("学工号")),
        (2, 'I', text("处理结果")),
        (2, 'J', text("原因")),
        (3, 'A', text("2023876543")),
        (3, 'I', text("通过")),
        (3, 'J', Data::Empty),
        (5, 'A', text("050663")),
        (12, 'A', text("２０２４９９５３６５")),
        (15, 'B', text("秦诗𠮷")),
        (27, 'A', Data::Float("2026396408".parse().expect("a number"))),
        (328, 'A', Data::Empty),
        (328, 'I', text("未通过")),
        (328, 'J', text("缺学工号，请补填。")),
        (1279, 'J', text("学工号与第451行重复，以第451行为准。请核对后改正或删除本行。")),
        (1892, 'I', text("未通过")),
        (2004, 'A', text("制表：校园卡服务中心")),
        (2004, 'I', Data::Empty),
    ];
    for (row, column, wanted) in table {
        let found = cell(&bytes, row, column);
        // An empty reason may be an empty text.
        let found = if found == text("") { Data::Empty } else { found };
        assert_eq!(found, wanted, "{column}{row}");
    }
    let english = answered(&roster, Language::English);
    assert_eq!(cell(&english, 2, 'I'), text("Result"));
    assert_eq!(cell(&english, 328, 'I'), text("refused"));
    assert_eq!(cell(&english, 328, 'J'), text("The student or staff number is missing. Fill it in."));
}

#[test]
fn an_answer_can_be_read_and_answered_again_without_growing() {
    let first = read(people()).expect("a roster");
    let mut last = answered(&first, Language::Chinese);
    for language in [Language::English, Language::Chinese] {
        let again = read(&last).expect("an answer is a roster");
        assert!(again.rows == first.rows, "no cell changed its kind or its text");
        assert_eq!(again.notes, first.notes);
        last = answered(&again, language);
        assert_eq!(cell(&last, 2, 'K'), Data::Empty, "the old verdicts are replaced");
        assert_ne!(cell(&last, 2, 'J'), Data::Empty);
    }
}

#[test]
fn a_mended_answer_passes() {
    let text = "学工号,姓名,证件号码,人员类别,处理结果,原因,校区\n\
        050663,王昊,510104200407110998,教职工,未通过,缺学工号，请补填。,东区\n";
    let roster = read(text.as_bytes()).expect("a roster");
    let bytes = answered(&roster, Language::Chinese);
    let row: Vec<Data> = "ABCDEFG".chars().map(|column| cell(&bytes, 2, column)).collect();
    let wanted = ["050663", "王昊", "510104200407110998", "教职工", "东区", "通过", ""].map(|word| match word {
        "" => Data::Empty,
        word => Data::String(word.to_owned()),
    });
    let row: Vec<Data> =
        row.into_iter().map(|cell| if cell == Data::String(String::new()) { Data::Empty } else { cell }).collect();
    assert_eq!(row, wanted);
}

#[test]
fn numbers_stay_numbers_and_restored_zeros_are_told() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["学工号", "姓名", "证件号码", "人员类别"]).expect("headings");
    sheet.write_row(1, 0, ["050663", "王昊", "510104200407110998", "教职工"]).expect("a row");
    sheet.write_row(2, 0, ["", "陆欣", "33010620051220897X", "教职工"]).expect("a row");
    sheet.write(2, 0, 28_904).expect("a number");
    let roster = read(&book.save_to_buffer().expect("a workbook")).expect("a roster");
    let told = verdicts(&roster, Language::Chinese);
    let note = "学工号存成了数字，已补齐开头的0，按028904处理，请核对。".to_owned();
    let wanted = [
        Verdict { row_number: 2, accepted: true, reasons: Vec::new() },
        Verdict { row_number: 3, accepted: true, reasons: vec![note.clone()] },
    ];
    assert_eq!(told, wanted);
    let bytes = answered(&roster, Language::Chinese);
    assert_eq!(cell(&bytes, 3, 'A'), Data::Float("28904".parse().expect("a number")));
    assert_eq!(cell(&bytes, 3, 'E'), text("通过"));
    assert_eq!(cell(&bytes, 3, 'F'), text(&note));
    let again = read(&bytes).expect("a roster");
    assert_eq!(verdicts(&again, Language::Chinese), wanted, "the loss is seen again when the file comes back");
}

#[test]
fn text_that_looks_like_a_formula_stays_text() {
    let row = "050663,王昊,510104200407110998,教职工,\"=HYPERLINK(\"\"http://example.com\"\")\"";
    let text = format!("学工号,姓名,证件号码,人员类别,备注\n{row}\n");
    let roster = read(text.as_bytes()).expect("a roster");
    let bytes = answered(&roster, Language::Chinese);
    assert_eq!(cell(&bytes, 2, 'E'), Data::String("=HYPERLINK(\"http://example.com\")".to_owned()));
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
    let formulas = book.worksheet_formula("处理结果").expect("readable");
    assert!(formulas.is_empty(), "nothing is computed");
}
