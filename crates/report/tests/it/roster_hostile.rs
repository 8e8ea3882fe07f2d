//! Files that are no rosters, or want to do harm: each gives its error, and none of them much memory or a panic.

use std::io::{Cursor, Read, Write};

use report::roster::{MAX_BYTES, MAX_COLUMNS, MAX_ROWS, ReadError, read};
use rust_xlsxwriter::Workbook;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::people;

const HEAD: &str = "学工号,姓名,证件号码,人员类别";

/// The roster's workbook with some parts replaced.
fn rebuilt(change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(people())).expect("an archive");
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let mut part = archive.by_index(at).expect("a part");
        let (name, mut content) = (part.name().expect("a name").into_owned(), Vec::new());
        part.read_to_end(&mut content).expect("content");
        out.start_file(&name, SimpleFileOptions::default()).expect("a part");
        out.write_all(&change(&name, content)).expect("content");
    }
    out.finish().expect("an archive").into_inner()
}

#[test]
fn files_that_are_no_rosters_are_refused_by_kind() {
    let mut old = vec![0xD0, 0xCF, 0x11, 0xE0];
    old.resize(2_048, 0);
    let cut = &people()[..people().len() / 2];
    let table: [(&str, &[u8], &str); 6] = [
        ("the build before 2007, or a password", &old, "ROSTER_FILE_OLD_OR_LOCKED"),
        ("half a workbook", cut, "ROSTER_FILE_DAMAGED"),
        ("an archive that is none", b"PK\x03\x04nothing", "ROSTER_FILE_DAMAGED"),
        ("a picture", b"\x89PNG\r\n\x1A\n\xFF\xFF\xFF", "ROSTER_FILE_ENCODING"),
        ("UTF-8 by its mark, and then not", b"\xEF\xBB\xBF\xFF\xFE", "ROSTER_FILE_ENCODING"),
        ("nothing", b"", "ROSTER_HEADINGS_MISSING"),
    ];
    for (what, bytes, code) in table {
        let error = read(bytes).expect_err(what);
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(error.zh().ends_with('。') && error.en().ends_with('.'), "{what}");
    }
}

#[test]
fn size_limits_hold_to_the_last_unit() {
    let mut exact = format!("{HEAD}\n1,王昊,2,学生\n").into_bytes();
    exact.resize(MAX_BYTES, b'\n');
    assert_eq!(read(&exact).map(|roster| roster.rows.len()), Ok(1));
    exact.push(b'\n');
    assert_eq!(read(&exact).err(), Some(ReadError::TooLarge { mebibytes: 20 }));

    let rows = |count: usize| format!("{HEAD}\n{}", "1,王昊,2,学生\n".repeat(count - 1));
    assert_eq!(read(rows(MAX_ROWS).as_bytes()).map(|roster| roster.rows.len()), Ok(MAX_ROWS - 1));
    assert_eq!(read(rows(MAX_ROWS + 1).as_bytes()).err(), Some(ReadError::TooManyRows { max: MAX_ROWS }));

    let columns = |count: usize| format!("{HEAD}\n1,王昊,2,学生{}z\n", ",".repeat(count - 4));
    assert!(read(columns(MAX_COLUMNS).as_bytes()).is_ok());
    assert_eq!(
        read(columns(MAX_COLUMNS + 1).as_bytes()).err(),
        Some(ReadError::TooManyColumns { row: 2, max: MAX_COLUMNS })
    );

    let cell = |length: usize| format!("{HEAD}\n1,{},2,学生\n", "昊".repeat(length));
    assert!(read(cell(32_767).as_bytes()).is_ok());
    assert_eq!(read(cell(32_768).as_bytes()).err(), Some(ReadError::CellTooLong { row: 2 }));
}

#[test]
fn an_archive_that_unpacks_to_too_much_is_refused() {
    let bomb =
        rebuilt(|name, content| if name.ends_with("theme1.xml") { vec![b' '; 300 * 1024 * 1024] } else { content });
    assert!(bomb.len() < MAX_BYTES, "small on the wire");
    assert_eq!(read(&bomb).err(), Some(ReadError::TooLarge { mebibytes: 20 }));
}

#[test]
fn one_cell_in_the_last_corner_costs_nothing() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, text) in HEAD.split(',').enumerate() {
        sheet.write(0, u16::try_from(column).expect("small"), text).expect("a heading");
    }
    sheet.write(1_048_575, 0, "050663").expect("a cell");
    let roster = read(&book.save_to_buffer().expect("a workbook")).expect("a roster");
    assert_eq!(roster.rows.iter().map(|row| row.row_number).collect::<Vec<_>>(), [1_048_576]);

    let sheet = book.worksheet_from_index(0).expect("there");
    sheet.write(5, 16_383, "x").expect("a cell");
    let error = read(&book.save_to_buffer().expect("a workbook")).err();
    assert_eq!(error, Some(ReadError::TooManyColumns { row: 6, max: MAX_COLUMNS }));
}

#[test]
fn damaged_sheets_give_an_error_or_rows_and_never_a_panic() {
    // Small enough to be tried a thousand times.
    let head = |content: &[u8]| {
        let text = String::from_utf8_lossy(content).into_owned();
        let end = text.find("<row r=\"9\"").unwrap_or(text.len());
        format!("{}</sheetData></worksheet>", &text[..end]).into_bytes()
    };
    let mut read_well = 0;
    for attempt in 0..1_000_usize {
        let bytes = rebuilt(|name, content| match name {
            "xl/worksheets/sheet1.xml" => {
                let mut content = head(&content);
                let at = attempt * 7_919 % content.len();
                content[at] = [b'<', b'>', b'"', 0xFF, b'9', b'/', 0][attempt % 7];
                content
            }
            "xl/worksheets/sheet2.xml" => head(&content),
            _ => content,
        });
        read_well += usize::from(read(&bytes).is_ok());
    }
    assert!((1..1_000).contains(&read_well), "{read_well} of 1,000 still read");
}
