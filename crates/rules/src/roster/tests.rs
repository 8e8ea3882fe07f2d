use super::*;

const TODAY: CampusDay = CampusDay(20_261_123);
const ID: &str = "510104200407110998";

fn text(text: &str) -> Cell {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) }
}

fn digits(text: &str) -> Cell {
    Cell::Number(text.to_owned())
}

fn row(row_number: u32) -> RawRow {
    RawRow {
        row_number,
        number: text(&format!("2026{row_number:06}")),
        name: text("段浩怡"),
        document_kind: text("护照"),
        document_number: text(&format!("P{row_number:08}")),
        category: text("学生"),
        department: text("图书馆"),
        phone: text("17624049201"),
        remark: Cell::Empty,
    }
}

fn only(row: RawRow) -> Result<Entry, Vec<RowFault>> {
    check(&[row], TODAY).remove(0)
}

fn shown<T: Clone>(value: &Pii<T>) -> T {
    value.expose_for("test").clone()
}

#[test]
fn numbers_are_normalised_and_keep_their_leading_zeros() {
    let table = [
        ("050663", Ok("050663")),
        ("２０２４９９５３６５", Ok("2024995365")),
        (" 2024 995365\u{3000}", Ok("2024995365")),
        ("\u{FEFF}2024\u{200B}995365\u{A0}\t", Ok("2024995365")),
        ("'0012", Ok("0012")),
        ("b2024ｘ1", Ok("B2024X1")),
        ("", Err(RowFault::NumberMissing)),
        (" \u{3000}\u{200B}", Err(RowFault::NumberMissing)),
        ("2024-1", Err(RowFault::NumberForm)),
        ("ABC", Err(RowFault::NumberForm)),
        ("二〇二四", Err(RowFault::NumberForm)),
        ("123456789012345678901", Err(RowFault::NumberForm)),
    ];
    for (typed, wanted) in table {
        let got = only(RawRow { number: text(typed), ..row(3) });
        assert_eq!(got.map(|entry| entry.number), wanted.map(str::to_owned).map_err(|fault| vec![fault]), "{typed}");
    }
}

/// One number cell of `category` beside number texts of students (10 wide) and staff (6 wide, from zero).
fn beside(typed: &[(&str, &str)], cell: &str, category: &str) -> Result<(String, bool), Vec<RowFault>> {
    let mut rows: Vec<RawRow> = (3..)
        .zip(typed)
        .map(|(at, (number, category))| RawRow { number: text(number), category: text(category), ..row(at) })
        .collect();
    rows.push(RawRow { number: digits(cell), category: text(category), ..row(900) });
    check(&rows, TODAY).pop().expect("one answer a row").map(|entry| (entry.number, entry.zeros_restored))
}

#[test]
fn zeros_that_a_number_cell_lost_come_back_only_where_nothing_else_is_possible() {
    let usual = [("2023876543", "学生"), ("2023876544", "学生"), ("050663", "教职工"), ("028904", "教职工")];
    let lost = || Err(vec![RowFault::NumberDigitsLost]);
    assert_eq!(beside(&usual, "2026396408", "学生"), Ok(("2026396408".to_owned(), false)), "no digit is missing");
    assert_eq!(beside(&usual, "50664", "教职工"), Ok(("050664".to_owned(), true)), "staff numbers begin with zero");
    assert_eq!(beside(&usual, "7", "教职工"), Ok(("000007".to_owned(), true)));
    assert_eq!(beside(&usual, "1234567", "教职工"), Ok(("1234567".to_owned(), false)), "wider than all: lost nothing");
    assert_eq!(beside(&usual, "202639640", "学生"), lost(), "no student number begins with zero");
    assert_eq!(beside(&usual, "2026396408000000", "学生"), lost(), "rounded behind the fifteenth digit");
    assert_eq!(beside(&[("050663", "教职工"), ("0506631", "教职工")], "5066", "教职工"), lost(), "6 or 7 wide");
    assert_eq!(beside(&[("050663", "学生")], "50664", "教职工"), Ok(("50664".to_owned(), false)), "nothing to compare");
    assert_eq!(beside(&usual, "50663", "教职工"), Err(vec![RowFault::NumberRepeated { first: 5 }]));
    assert_eq!(beside(&usual, "12.5", "学生"), Err(vec![RowFault::NumberForm]));
}

#[test]
fn among_number_cells_alone_a_narrow_one_is_refused() {
    let rows = [("50663", 3), ("28904", 4), ("9120", 5)].map(|(number, at)| RawRow {
        number: digits(number),
        category: text("教职工"),
        ..row(at)
    });
    let got: Vec<_> = check(&rows, TODAY).into_iter().map(|row| row.map(|entry| entry.number)).collect();
    assert_eq!(
        got,
        [Ok("50663".to_owned()), Ok("28904".to_owned()), Err(vec![RowFault::NumberDigitsLost])],
        "the widest show no loss; a narrower one may have lost a zero"
    );
}

#[test]
fn names_lose_stray_blanks_and_never_a_rare_character() {
    let table = [
        ("\u{3000}邹航云 ", Ok("邹航云")),
        ("王 昊", Ok("王昊")),
        ("王\u{3000}昊", Ok("王昊")),
        ("秦诗𠮷", Ok("秦诗𠮷")),
        ("萧㛃㛃", Ok("萧㛃㛃")),
        ("阿依古丽·吐尔逊", Ok("阿依古丽·吐尔逊")),
        ("阿依古丽•吐尔逊", Ok("阿依古丽·吐尔逊")),
        ("买买提・艾力江", Ok("买买提·艾力江")),
        ("买买提．艾力江", Ok("买买提·艾力江")),
        ("买买提 · 艾力江", Ok("买买提·艾力江")),
        ("María  José García", Ok("María José García")),
        ("Ｊｏｈｎ Smith", Ok("John Smith")),
        ("J. R. O’Neil-Müller", Ok("J. R. O’Neil-Müller")),
        ("Nguye\u{302}\u{303}n", Ok("Nguye\u{302}\u{303}n")),
        ("", Err(RowFault::NameMissing)),
        ("  ", Err(RowFault::NameMissing)),
        ("秦诗?", Err(RowFault::NameCharacter)),
        ("秦诗\u{FFFD}", Err(RowFault::NameCharacter)),
        ("秦诗\u{E863}", Err(RowFault::NameCharacter)),
        ("秦诗2", Err(RowFault::NameCharacter)),
        ("··", Err(RowFault::NameCharacter)),
    ];
    for (typed, wanted) in table {
        let got = only(RawRow { name: text(typed), ..row(3) });
        assert_eq!(
            got.map(|entry| shown(&entry.name)),
            wanted.map(str::to_owned).map_err(|fault| vec![fault]),
            "{typed:?}"
        );
    }
}

#[test]
fn a_name_of_fifty_characters_fits_and_of_fifty_one_does_not() {
    let fifty = "𠮷".repeat(50);
    let entry = only(RawRow { name: text(&fifty), ..row(3) }).expect("fits");
    assert_eq!(shown(&entry.name), fifty);
    let longer = only(RawRow { name: text(&format!("{fifty}㛃")), ..row(3) });
    assert_eq!(longer, Err(vec![RowFault::TooLong { field: Field::Name, max: 50 }]));
}

#[test]
fn identity_numbers_are_checked_digit_by_digit() {
    let table = [
        (ID, Ok((ID, 20_040_711))),
        ("33010620051220897X", Ok(("33010620051220897X", 20_051_220))),
        ("44030520050124844x", Ok(("44030520050124844X", 20_050_124))),
        ("33010620051220897Ｘ", Ok(("33010620051220897X", 20_051_220))),
        ("33010620051220897×", Ok(("33010620051220897X", 20_051_220))),
        ("５１０１０４ 20040711 0998", Ok((ID, 20_040_711))),
        ("110105200002290013", Ok(("110105200002290013", 20_000_229))),
        ("11010519491231002X", Ok(("11010519491231002X", 19_491_231))), // the example of GB 11643
        ("", Err(RowFault::DocumentMissing)),
        ("510104040711099", Err(RowFault::IdentityForm)), // the fifteen digits of before 1999
        ("5101042004071109981", Err(RowFault::IdentityForm)),
        ("51010420040711099A", Err(RowFault::IdentityForm)),
        ("X10104200407110998", Err(RowFault::IdentityForm)),
        ("51010420040711099学", Err(RowFault::IdentityForm)),
        ("510104200413110998", Err(RowFault::IdentityBirthDate)),
        ("510104200302290998", Err(RowFault::IdentityBirthDate)),
        ("510104190002290998", Err(RowFault::IdentityBirthDate)),
        ("510104189912310998", Err(RowFault::IdentityBirthDate)),
        ("510104202611240998", Err(RowFault::IdentityBirthDate)), // tomorrow
        ("510104200407110990", Err(RowFault::IdentityCheckDigit)),
        ("510104200407110989", Err(RowFault::IdentityCheckDigit)), // two digits swapped
    ];
    for (typed, wanted) in table {
        let got = only(RawRow { document_kind: text("居民身份证"), document_number: text(typed), ..row(3) });
        let got = got.map(|entry| match entry.document {
            Document::IdentityCard { number, birth_date } => (shown(&number), shown(&birth_date).0),
            other => panic!("{typed}: {other:?}"),
        });
        let wanted = wanted.map(|(number, born)| (number.to_owned(), born)).map_err(|fault| vec![fault]);
        assert_eq!(got, wanted, "{typed}");
    }
}

#[test]
fn every_single_wrong_digit_of_an_identity_number_is_refused() {
    for at in 0..ID.len() {
        for digit in "0123456789X".chars().filter(|digit| ID.chars().nth(at) != Some(*digit)) {
            let typed: String = ID.chars().enumerate().map(|(i, c)| if i == at { digit } else { c }).collect();
            let got = only(RawRow { document_kind: text("身份证"), document_number: text(&typed), ..row(3) });
            assert!(got.is_err(), "{typed} passed");
        }
    }
}

#[test]
fn documents_are_told_apart_by_their_kind() {
    let passport = |number: &str| Ok(Document::Passport { number: Pii::new(number.to_owned()) });
    let permit = |number: &str| Ok(Document::TravelPermit { number: Pii::new(number.to_owned()) });
    let identity =
        Ok(Document::IdentityCard { number: Pii::new(ID.to_owned()), birth_date: Pii::new(CampusDay(20_040_711)) });
    let table = [
        ("护照", text("p7394 4119"), passport("P73944119")),
        ("Passport", text("AB1234567"), passport("AB1234567")),
        ("护照", text("P7-394411"), Err(RowFault::PassportForm)),
        ("护照", text("P1234"), Err(RowFault::PassportForm)),
        ("护照", digits("312345678"), Err(RowFault::DocumentAsNumber)),
        ("台湾居民来往大陆通行证", text("01234567"), permit("01234567")),
        ("港澳居民来往内地通行证", text("h1234567890"), permit("H1234567890")),
        ("通行证", text("H1"), Err(RowFault::PermitForm)),
        ("居民 身份证", text(ID), identity.clone()),
        ("", text(ID), identity),
        ("", text("P73944119"), Err(RowFault::DocumentKindUnknown)),
        ("驾驶证", text(ID), Err(RowFault::DocumentKindUnknown)),
        ("居民身份证", digits("510104200407110000"), Err(RowFault::DocumentAsNumber)),
    ];
    for (kind, number, wanted) in table {
        let got = only(RawRow { document_kind: text(kind), document_number: number.clone(), ..row(3) });
        assert_eq!(got.map(|entry| entry.document), wanted.map_err(|fault| vec![fault]), "{kind} {}", number.shown());
    }
}

#[test]
fn phones_lose_their_punctuation() {
    let table = [
        ("17624049201", Ok(Some("17624049201"))),
        ("+86 178-2820-8993", Ok(Some("17828208993"))),
        ("0086 (178) 2820.8993", Ok(Some("17828208993"))),
        ("86１７８２８２０８９９３", Ok(Some("17828208993"))),
        ("178—2820—8993", Ok(Some("17828208993"))),
        ("+1 415 555 0100", Ok(Some("+14155550100"))),
        ("00852 9123 4567", Ok(Some("+85291234567"))),
        ("", Ok(None)),
        (" - ", Ok(None)),
        ("1782820899", Err(RowFault::PhoneForm)),
        ("12828208993", Err(RowFault::PhoneForm)),
        ("010-62345678", Err(RowFault::PhoneForm)),
        ("+86 12345678901", Err(RowFault::PhoneForm)),
        ("17828208993/17828208994", Err(RowFault::PhoneForm)),
        ("见备注", Err(RowFault::PhoneForm)),
    ];
    for (typed, wanted) in table {
        let got = only(RawRow { phone: text(typed), ..row(3) });
        assert_eq!(
            got.map(|entry| entry.phone.as_ref().map(shown)),
            wanted.map(|phone| phone.map(str::to_owned)).map_err(|fault| vec![fault]),
            "{typed}"
        );
    }
    let stored = only(RawRow { phone: digits("17828208993"), ..row(3) }).expect("no zero to lose");
    assert_eq!(stored.phone.as_ref().map(shown), Some("17828208993".to_owned()));
}

#[test]
fn categories_are_a_closed_list() {
    let table = [
        ("学生", Ok(Category::Student)),
        (" 学\u{3000}生", Ok(Category::Student)),
        ("博士研究生", Ok(Category::Student)),
        ("Student", Ok(Category::Student)),
        ("教职工", Ok(Category::Staff)),
        ("staff", Ok(Category::Staff)),
        ("", Err(RowFault::CategoryMissing)),
        ("校友家属?", Err(RowFault::CategoryUnknown)),
    ];
    for (typed, wanted) in table {
        let got = only(RawRow { category: text(typed), ..row(3) });
        assert_eq!(got.map(|entry| entry.category), wanted.map_err(|fault| vec![fault]), "{typed}");
    }
}

#[test]
fn blank_optional_cells_are_nothing_and_long_ones_are_refused() {
    let bare = RawRow { department: text("\u{3000}"), phone: Cell::Empty, remark: text(" "), ..row(3) };
    let entry = only(bare).expect("optional");
    assert_eq!((entry.department, entry.phone, entry.remark), (None, None, None));
    let long = RawRow { department: text(&"院".repeat(61)), remark: text(&"注".repeat(201)), ..row(3) };
    assert_eq!(
        only(long),
        Err(vec![
            RowFault::TooLong { field: Field::Department, max: 60 },
            RowFault::TooLong { field: Field::Remark, max: 200 },
        ])
    );
}

#[test]
fn the_first_of_rows_that_share_a_number_or_a_document_stands() {
    let rows = [
        row(3),
        RawRow { number: row(3).number, ..row(4) },
        RawRow { document_number: text("p00000003"), ..row(5) },
        RawRow { number: text("２０２６００００03"), document_number: row(3).document_number, ..row(6) },
        RawRow { name: Cell::Empty, ..row(7) },
        RawRow { number: row(7).number, ..row(8) },
    ];
    let got: Vec<_> = check(&rows, TODAY).into_iter().map(|row| row.map(|entry| entry.row_number)).collect();
    assert_eq!(
        got,
        [
            Ok(3),
            Err(vec![RowFault::NumberRepeated { first: 3 }]),
            Err(vec![RowFault::DocumentRepeated { first: 3 }]),
            Err(vec![RowFault::NumberRepeated { first: 3 }, RowFault::DocumentRepeated { first: 3 }]),
            Err(vec![RowFault::NameMissing]),
            Err(vec![RowFault::NumberRepeated { first: 7 }]),
        ]
    );
}

#[test]
fn all_faults_of_a_row_are_told_at_once() {
    let got = only(RawRow { row_number: 9, phone: text("1"), ..RawRow::default() });
    assert_eq!(
        got,
        Err(vec![
            RowFault::NumberMissing,
            RowFault::NameMissing,
            RowFault::DocumentMissing,
            RowFault::CategoryMissing,
            RowFault::PhoneForm,
        ])
    );
}

#[test]
fn lines_below_a_table_do_not_speak_of_a_person() {
    let table = [
        (RawRow { number: text("制表：校园卡服务中心"), remark: text("共2000人"), ..RawRow::default() }, false),
        (RawRow { number: text("Note: see sheet 2"), ..RawRow::default() }, false),
        (RawRow { name: text("审核：李四"), phone: text("2026年9月1日"), ..RawRow::default() }, false),
        (RawRow { number: text("2026000001"), ..RawRow::default() }, true),
        (RawRow { category: text("学生"), ..RawRow::default() }, true),
        (RawRow { document_number: text(ID), name: text("段浩怡"), ..RawRow::default() }, true),
    ];
    for (row, wanted) in table {
        assert_eq!(row.speaks_of_a_person(), wanted, "{}", row.number.shown());
        assert!(!row.blank());
    }
    assert!(RawRow { remark: text("\u{3000}"), ..RawRow::default() }.blank());
}

#[test]
fn every_fault_has_its_own_code_and_says_what_to_do_in_both_languages() {
    let faults = [
        RowFault::NumberMissing,
        RowFault::NumberForm,
        RowFault::NumberDigitsLost,
        RowFault::NumberRepeated { first: 451 },
        RowFault::NameMissing,
        RowFault::NameCharacter,
        RowFault::DocumentKindUnknown,
        RowFault::DocumentMissing,
        RowFault::DocumentAsNumber,
        RowFault::IdentityForm,
        RowFault::IdentityBirthDate,
        RowFault::IdentityCheckDigit,
        RowFault::PassportForm,
        RowFault::PermitForm,
        RowFault::DocumentRepeated { first: 451 },
        RowFault::CategoryMissing,
        RowFault::CategoryUnknown,
        RowFault::PhoneForm,
        RowFault::TooLong { field: Field::Remark, max: 200 },
    ];
    let mut codes = std::collections::BTreeSet::new();
    for fault in faults {
        assert!(codes.insert(fault.code()), "{} is used twice", fault.code());
        assert!(fault.code().starts_with("ROSTER_"));
        assert!(fault.zh().contains('请') && fault.zh().ends_with('。'), "{}", fault.zh());
        assert!(fault.en().is_ascii() && fault.en().ends_with('.'), "{}", fault.en());
        assert!(!fault.en().contains("  "), "{}", fault.en());
        if let RowFault::NumberRepeated { .. } | RowFault::DocumentRepeated { .. } = fault {
            assert!(fault.zh().contains("第451行") && fault.en().contains("Row 451"));
        }
    }
}

#[test]
fn debug_output_holds_no_personal_data() {
    let identity =
        RawRow { document_kind: text("居民身份证"), document_number: text(ID), remark: text("免缴"), ..row(3) };
    let output = format!("{identity:?} {:?}", check(std::slice::from_ref(&identity), TODAY));
    for secret in ["段浩怡", ID, "20040711", "17624049201", "免缴"] {
        assert!(!output.contains(secret), "{secret} in {output}");
    }
}
