//! Documents: what is on paper and in the workbook is what the document says, to the last fen and the rarest name.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use calamine::{Data, Reader, Xlsx};
use ledger::{Fen, Micros};
use report::document::typeface::{Typeface, TypefaceError, Typefaces};
use report::document::{Block, Cell, Column, Document, Table, pdf::pdf, workbook::workbook};

use crate::pdf_text;

/// A font with Chinese characters, where the machine has one.
pub fn typeface() -> Option<Typefaces> {
    let typefaces = Typefaces::new(None);
    match typefaces.get() {
        Ok(_) => Some(typefaces),
        Err(TypefaceError::NotFound) => {
            eprintln!("no font with Chinese characters on this machine: nothing is set in it");
            None
        }
        Err(fault) => panic!("{fault}"),
    }
}

fn statement(rows: usize) -> Document {
    let row = |number: usize| {
        vec![
            Cell::Text("2026-11-23 08:00:00".to_owned()),
            Cell::Text(if number.is_multiple_of(2) {
                "第一食堂（南门）消费".to_owned()
            } else {
                "Top-up by WeChat".to_owned()
            }),
            Cell::Text(format!("{:024}", number + 1)),
            Cell::Money(Fen::new(-123_450 + i64::try_from(number).unwrap())),
        ]
    };
    let table = Table {
        columns: vec![Column::mark("时间"), Column::text("事项"), Column::mark("编号"), Column::money("金额（元）")],
        rows: (0..rows).map(row).collect(),
        totals: Some(vec![
            Cell::Text("合计".to_owned()),
            Cell::Empty,
            Cell::Empty,
            Cell::Money(Fen::new(9_999_999_999)),
        ]),
    };
    Document {
        language: "zh-CN".to_owned(),
        school: "示范大学".to_owned(),
        title: "校园卡账单 2026-11".to_owned(),
        number: Some("S2026110001".to_owned()),
        meta: vec![
            ("姓名".to_owned(), "𠮷·㛃 Müller".to_owned()),
            ("学工号".to_owned(), "0012345".to_owned()),
            ("说明".to_owned(), "=HYPERLINK(\"https://evil.example\")".to_owned()),
        ],
        blocks: vec![
            Block::Heading("汇总".to_owned()),
            Block::Paragraph("本账单所列金额以元为单位，与账簿逐笔相符。".repeat(6)),
            Block::List { numbered: true, items: vec!["第一项".to_owned(), "第二项".to_owned()] },
            Block::Subheading("明细".to_owned()),
            Block::Table(table),
            Block::Note("Note: amounts are in yuan.".to_owned()),
        ],
    }
}

#[test]
fn r92_a_pdf_says_what_the_document_says_on_numbered_pages_with_the_headings_on_each() {
    let Some(typefaces) = typeface() else { return };
    let document = statement(200);
    let bytes = pdf(&document, typefaces.get().expect("a font")).expect("a PDF");
    let pages = pdf_text::pages(&bytes);
    let count = pages.len();
    assert!((5..=9).contains(&count), "{count} pages");
    for (place, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("{} / {count}", place + 1)), "{page}");
        assert!(page.contains("S2026110001") && page.contains("金额（元）"), "{page}");
    }
    let whole = pages.concat();
    for text in [
        "校园卡账单 2026-11",
        "𠮷·㛃 Müller",
        "0012345",
        "合计",
        "99,999,999.99",
        "\u{2212}1,234.50",
        "1.\n第一项\n2.\n第二项",
    ] {
        assert!(whole.contains(text), "{text} is missing");
    }
    for number in 1..=200 {
        assert_eq!(whole.matches(&format!("{number:024}")).count(), 1, "row {number}");
    }
    assert!(bytes.len() < 80_000, "{} bytes: the font is embedded only as far as it is used", bytes.len());
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    let document = statement(30);
    assert_eq!(workbook(&document).expect("a workbook"), workbook(&document).expect("a workbook"));
    let Some(typefaces) = typeface() else { return };
    let face = typefaces.get().expect("a font");
    assert_eq!(pdf(&document, face).expect("a PDF"), pdf(&document, face).expect("a PDF"));
}

#[test]
fn a_document_of_nothing_and_one_of_too_much_become_pages_too() {
    let Some(typefaces) = typeface() else { return };
    let face = typefaces.get().expect("a font");
    let empty = pdf(&Document::default(), face).expect("a PDF");
    assert_eq!(pdf_text::pages(&empty), ["1 / 1\n"]);
    let long = "很长的说明".repeat(2_000);
    let columns = (0..12).map(|_| Column::mark("WWWWWWWWWWWWWWWWWWWW")).collect();
    let crowded = Table { columns, rows: vec![vec![Cell::Text(long); 12]], totals: None };
    let document =
        Document { blocks: vec![Block::Table(crowded), Block::Table(Table::default())], ..Document::default() };
    let pages = pdf_text::pages(&pdf(&document, face).expect("a PDF"));
    let solid: String = pages.concat().chars().filter(|each| "很长的说明".contains(*each)).collect();
    assert_eq!(solid.chars().count(), 2_000 * 5 * 12, "nothing of a row that is taller than a page is lost");
}

#[test]
fn a_character_that_the_font_does_not_have_is_a_box_and_the_rest_is_read() {
    let Some(typefaces) = typeface() else { return };
    let blocks = vec![Block::Paragraph("before \u{12000} after".to_owned())];
    let bytes = pdf(&Document { blocks, ..Document::default() }, typefaces.get().expect("a font")).expect("a PDF");
    let text = pdf_text::pages(&bytes).concat();
    assert!(text.contains("before ") && text.contains(" after"), "{text}");
}

#[test]
fn a_font_that_is_not_there_or_is_none_is_named() {
    let missing = Typefaces::new(Some(PathBuf::from("/nowhere/font.otf")));
    let fault = missing.get().expect_err("no such file").to_string();
    assert!(fault.contains("/nowhere/font.otf"), "{fault}");
    let this = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(matches!(Typeface::read(&this), Err(TypefaceError::NotAFont { .. })));
    assert!(TypefaceError::NotFound.to_string().contains("fonts-noto-cjk"));
}

#[test]
fn r92_a_workbook_has_amounts_that_add_up_and_no_formula() {
    let bytes = workbook(&statement(3)).expect("a workbook");
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(&bytes[..])).expect("opens");
    let sheet = book.worksheet_range("S2026110001").expect("the sheet has the number's name");
    let text = |text: &str| Data::String(text.to_owned());
    let cells: Vec<&Data> = sheet.used_cells().map(|(_, _, cell)| cell).collect();
    for expected in [text("𠮷·㛃 Müller"), text("0012345"), text("000000000000000000000001"), text("时间")] {
        assert!(cells.contains(&&expected), "{expected:?} is missing");
    }
    let amounts: Vec<f64> =
        cells.iter().filter_map(|cell| if let Data::Float(number) = cell { Some(*number) } else { None }).collect();
    assert_eq!(amounts, [-1234.5, -1234.49, -1234.48, 99_999_999.99]);
    assert!(cells.contains(&&text("=HYPERLINK(\"https://evil.example\")")), "the text is kept");
    let formulas = book.worksheet_formula("S2026110001").expect("readable");
    assert!(formulas.used_cells().all(|(_, _, formula)| formula.is_empty()), "and is no formula");
}

#[test]
fn the_totals_and_the_remarks_of_a_table_stand_below_rows_of_it() {
    let Some(typefaces) = typeface() else { return };
    let face = typefaces.get().expect("a font");
    let mut counts = BTreeSet::new();
    for rows in 15..75 {
        let mut document = statement(rows);
        document.blocks.push(Block::Note("Another remark, which is the last. ".repeat(6)));
        let pages = pdf_text::pages(&pdf(&document, face).expect("a PDF"));
        let last = pages.last().expect("a page");
        for text in [&format!("{rows:024}"), &format!("{:024}", rows - 1), "合计", "Note: ", "the last"] {
            assert!(last.contains(text), "{rows} rows: {text} is not on the last page: {last}");
        }
        counts.insert(pages.len());
    }
    assert!(counts.len() >= 2, "{counts:?}: some of them had to turn the page");
}

#[test]
fn a_sheet_of_its_own_has_dates_that_sort_and_headings_that_stay() {
    let at = Micros::from_seconds(1_795_408_205);
    let rows = vec![vec![Cell::Moment(at, "23 Nov 2026, 12:30".to_owned()), Cell::Money(Fen::new(10_000))]];
    let table = Table { columns: vec![Column::mark("Booked"), Column::money("In")], rows, totals: None };
    let mut document = statement(1);
    document.blocks.extend([Block::Sheet("Movements, oldest first".to_owned()), Block::Table(table)]);
    let bytes = workbook(&document).expect("a workbook");
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(&bytes[..])).expect("opens");
    assert_eq!(book.sheet_names(), ["S2026110001", "Movements, oldest first"]);
    let sheet = book.worksheet_range("Movements, oldest first").expect("the sheet");
    let Some(Data::DateTime(date)) = sheet.get_value((1, 0)) else {
        panic!("{:?} is no date", sheet.get_value((1, 0)))
    };
    assert_eq!(date.to_ymd_hms_milli(), (2026, 11, 23, 12, 30, 5, 0), "as the campus's clocks show it");
    assert_eq!(sheet.get_value((1, 1)), Some(&Data::Float(100.0)));
    let mut parts = zip::ZipArchive::new(Cursor::new(&bytes[..])).expect("a zip");
    for (part, frozen) in [("xl/worksheets/sheet1.xml", 0), ("xl/worksheets/sheet2.xml", 1)] {
        let mut text = String::new();
        parts.by_name(part).expect("the part").read_to_string(&mut text).expect("text");
        assert_eq!(text.matches("<pane ySplit=\"1\"").count(), frozen, "{part}");
    }
    let Some(typefaces) = typeface() else { return };
    let pages = pdf_text::pages(&pdf(&document, typefaces.get().expect("a font")).expect("a PDF")).concat();
    assert!(pages.contains("23 Nov 2026, 12:30") && pages.contains("Movements, oldest first"), "{pages}");
}
