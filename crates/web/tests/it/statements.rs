//! Statements, spending and the list of records, as a holder's browser gets them (R92).

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::PathBuf;

use axum::http::StatusCode;
use calamine::{Data, Reader, Xlsx};
use flows::card_issue;
use report::document::typeface::{TypefaceError, Typefaces};
use rules::chart;
use rules::ids::CardNo;
use serde_json::Value;

use crate::browser::Browser;
use crate::hand::CARD;
use crate::rig::{PASSWORD, Rig};

/// 30.00 and 20.00 topped up and loaded, 12.00 and 8.00 bought, 5.00 bought and called off, 7.00 waiting.
async fn lived(rig: &Rig) -> Browser {
    let person = rig.holder().await;
    let browser = Browser::signed_in(rig, "2026010101", "260042").await;
    for (yuan, fen, buys) in [("30", 3_000, 1_200), ("20", 2_000, 800)] {
        let order = rig.order(person, yuan).await;
        rig.pay(order, fen).await;
        rig.advance(60);
        rig.hand.lock().await.buy(&rig.school, buys).await;
        rig.advance(60);
    }
    let order = rig.order(person, "7").await;
    rig.pay(order, 700).await;
    browser
}

fn fen(value: &Value, path: &str) -> i64 {
    value.pointer(path).and_then(Value::as_i64).unwrap_or_else(|| panic!("{path} is not in {value}"))
}

#[tokio::test]
async fn r92_page_program_and_spreadsheet_say_the_same_and_it_is_what_the_ledger_says() {
    let rig = Rig::new();
    let mut browser = lived(&rig).await;
    let month = browser.get("/api/v1/me/statements/2026-11").await.json();
    let person = flows::people::find_by_number(&rig.school, "2026010101").await.expect("readable").expect("a holder");
    let balance = |account| rig.school.balance(&account).get();
    let accounts = [chart::available(person), chart::awaiting_tap(person), chart::on_card(CARD)];
    for (place, account) in ["available", "waiting", "on_card"].into_iter().zip(accounts) {
        assert_eq!(fen(&month, &format!("/places/{place}/closing_fen")), balance(account), "{place}");
    }
    let total = ["opening", "in", "out", "closing"].map(|of| fen(&month, &format!("/total/{of}_fen")));
    assert_eq!(total, [0, 5_700, 2_000, 3_700]);
    let movements = month["movements"].as_array().expect("a list");
    assert_eq!(movements.iter().map(|each| fen(each, "/change_fen")).sum::<i64>(), 3_700);
    assert!(movements.iter().all(|each| each["booking"].as_str().is_some_and(|no| no.starts_with('B'))));
    assert_eq!(month["running"], true);

    let page = browser.get("/me/statements/2026-11").await;
    assert_eq!(page.status, StatusCode::OK);
    for words in
        ["2026年11月账单", "¥57.00", "¥37.00", "第一食堂 · 消费", "截至", month["number"].as_str().expect("a number")]
    {
        page.says(words);
    }
    let file = browser.get("/me/statements/2026-11.xlsx").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"statement-2026-11.xlsx\"");
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(file.bytes.to_vec())).expect("a workbook");
    let sheets: Vec<_> = book.worksheets().into_iter().map(|(_, sheet)| sheet).collect();
    let sums: Vec<Vec<f64>> = sheets
        .iter()
        .flat_map(|sheet| sheet.rows())
        .filter(|row| row.first() == Some(&Data::String("合计".to_owned())))
        .map(|row| row.iter().filter_map(|cell| if let Data::Float(sum) = cell { Some(*sum) } else { None }).collect())
        .collect();
    assert_eq!(sums, [vec![0.0, 57.0, 20.0, 37.0], vec![57.0, 20.0, 37.0]]);
    // Each movement has a row: two dates, three texts, one amount in the column of its way, what was left.
    let rows: Vec<&[Data]> = sheets[1].rows().skip(1).take(movements.len()).collect();
    assert_eq!(sheets[1].height(), movements.len() + 2, "headings, movements, sums");
    let shapes = |row: &[Data]| {
        row.iter().fold(String::new(), |shape, cell| match cell {
            Data::DateTime(_) => shape + "d",
            Data::String(_) => shape + "t",
            Data::Float(_) => shape + "n",
            _ => shape + "-",
        })
    };
    for (row, movement) in rows.iter().zip(movements) {
        let change = fen(movement, "/change_fen");
        let shape = match change {
            0 => "ddttt--nn",
            change if change > 0 => "ddtttn--n",
            _ => "ddttt-n-n",
        };
        assert_eq!(shapes(row), shape, "{movement}");
        let sum: f64 =
            row[5..8].iter().filter_map(|cell| if let Data::Float(sum) = cell { Some(*sum) } else { None }).sum();
        assert_eq!((sum * 100.0).round() as i64, fen(movement, "/amount_fen"));
    }
}

#[tokio::test]
async fn r92_a_statement_is_a_pdf_where_there_is_a_font_and_else_the_page_is_offered() {
    let rig = Rig::new();
    let person = rig.person("2026010103", "𠮷·㛃", "E20260044").await;
    card_issue::issue(&rig.school, person, CardNo(0x2026_0000_0000_0044)).await.expect("a free card");
    let order = rig.order(person, "10").await;
    rig.pay(order, 1_000).await;
    let mut browser = Browser::signed_in(&rig, "2026010103", "260044").await;
    match Typefaces::default().get() {
        Ok(_) => {
            let file = browser.get("/me/statements/2026-11.pdf").await;
            assert_eq!((file.status, file.header("content-type")), (StatusCode::OK, "application/pdf"));
            assert!(file.bytes.starts_with(b"%PDF-") && file.bytes.ends_with(b"%%EOF"));
            assert_eq!(browser.get("/me/statements/2026-11.pdf").await.bytes, file.bytes, "the same each time");
        }
        Err(TypefaceError::NotFound) => eprintln!("no font with Chinese characters on this machine"),
        Err(fault) => panic!("{fault}"),
    }
    let file = browser.get("/me/statements/2026-11.xlsx").await;
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(file.bytes.to_vec())).expect("a workbook");
    let sheet = book.worksheet_range_at(0).expect("a sheet").expect("readable");
    assert!(sheet.used_cells().any(|(_, _, cell)| *cell == Data::String("𠮷·㛃".to_owned())), "the holder's own paper");
    browser.get("/me/statements/2026-11").await.says("𠮷");

    let rig = Rig::with(|config| config.typefaces = Typefaces::new(Some(PathBuf::from("/nowhere/font.otf"))));
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    let failed = browser.get("/me/statements/2026-11.pdf").await;
    assert_eq!((failed.status, failed.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "3600"));
    failed.says("href=\"/me/statements/2026-11\"");
    failed.says("打印");
}

#[tokio::test]
async fn statements_of_no_month_no_form_and_no_session_are_not_found() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    let list = browser.get("/me/statements").await;
    list.says("2026年11月");
    assert_eq!(browser.get("/api/v1/me/statements").await.json()["statements"].as_array().map(Vec::len), Some(1));
    for none in ["2026-10", "2026-12", "2026-13", "x", "2026-11.doc", "2026-11.", "2026-11.pdf.pdf", "2026-10.pdf"] {
        assert_eq!(browser.get(&format!("/me/statements/{none}")).await.status, StatusCode::NOT_FOUND, "{none}");
    }
    let mut stranger = Browser::new(&rig);
    for path in
        ["/me/statements", "/me/statements/2026-11", "/me/statements/2026-11.pdf", "/me/spending", "/me/records.csv"]
    {
        assert!(stranger.get(path).await.location().starts_with("/sign-in"), "{path}");
    }
}

#[tokio::test]
async fn a_month_that_is_over_ends_at_its_end_and_says_that_entries_may_still_come() {
    let rig = Rig::new();
    lived(&rig).await;
    let november = rules::calendar::CampusMonth::parse("2026-11").expect("a month");
    let left = november.ends().since(rig.school.now()) / 1_000_000;
    rig.advance(left + 4);
    let mut browser = Browser::new(&rig);
    browser.fill("/sign-in", &[("number", "2026010101"), ("password", PASSWORD)]).await;
    let page = browser.get("/me/statements/2026-11").await;
    for words in ["2026-11-01 – 2026-11-30", "本月已结束；2026-12-01 00:10 前可能还有账目补入。"] {
        page.says(words);
    }
    assert!(!page.text().contains("尚未结束") && !page.text().contains("2026-12-01 00:00"), "{}", page.text());
    browser.get("/me/spending?month=2026-11").await.says("本月已结束；");
    let list = browser.get("/me/statements").await;
    list.says("本月已结束；2026-12-01 00:10 前可能还有账目补入。");
    list.says("本月尚未结束");
    let one = browser.get("/api/v1/me/statements/2026-11").await.json();
    let spent = browser.get("/api/v1/me/spending?month=2026-11").await.json();
    for told in [&one, &spent] {
        assert_eq!((&told["running"], told["until"].as_str()), (&Value::Bool(true), Some("2026-12-01T00:00:00+08:00")));
    }
    let months = |list: Value| {
        let each = list["statements"].as_array().expect("a list").clone();
        each.iter().map(|each| each["running"] == true).collect::<Vec<bool>>()
    };
    assert_eq!(months(browser.get("/api/v1/me/statements").await.json()), [true, true], "the same as the month itself");
    let book = browser.get("/me/statements/2026-11.xlsx").await.bytes;
    rig.advance(5);
    assert_eq!(browser.get("/api/v1/me/statements/2026-11").await.json()["hash"], one["hash"]);
    assert_eq!(browser.get("/me/statements/2026-11.xlsx").await.bytes, book);
    rig.advance(600);
    let after = browser.get("/api/v1/me/statements/2026-11").await.json();
    assert_eq!((&after["running"], &after["hash"]), (&Value::Bool(false), &one["hash"]));
    assert_eq!(months(browser.get("/api/v1/me/statements").await.json()), [true, false]);
    assert!(!browser.get("/me/statements/2026-11").await.text().contains("本月已结束"));
}

#[tokio::test]
async fn spending_has_the_sums_of_the_statement_in_charts_with_tables() {
    let rig = Rig::new();
    let mut browser = lived(&rig).await;
    let spent = browser.get("/api/v1/me/spending").await.json();
    assert_eq!(fen(&spent, "/spent_fen"), 2_000);
    assert_eq!(spent["days"].as_array().expect("days").iter().map(|day| fen(day, "/spent_fen")).sum::<i64>(), 2_000);
    assert_eq!(spent["places"].as_array().expect("places").iter().map(|of| fen(of, "/spent_fen")).sum::<i64>(), 2_000);
    let statement = browser.get("/api/v1/me/statements/2026-11").await.json();
    let balances = spent["balances"].as_array().expect("balances");
    assert_eq!(balances.len(), 23, "to the day that has begun");
    assert_eq!(fen(&balances[22], "/balance_fen"), fen(&statement, "/total/closing_fen"));
    let page = browser.get("/me/spending?month=2026-11").await;
    let text = page.text();
    assert_eq!(text.matches("role=\"img\"").count(), 3, "by day, a place, balance");
    assert_eq!(text.matches("<table").count(), 3);
    assert!(!text.contains("style="), "attributes and classes alone");
    for words in ["¥20.00", "第一食堂", "11月23日", "<title id=\"days-title\">", "<desc id=\"balance-desc\">"] {
        page.says(words);
    }
    assert_eq!(browser.get("/me/spending?month=2026-12").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/me/spending?month=x").await.status, StatusCode::NOT_FOUND);

    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    browser.get("/me/spending").await.says("这个月没有消费。");
    browser.get("/me/statements/2026-11").await.says("本月没有变动。");
}

/// Numbers of the records on the page.
fn numbers(text: &str) -> Vec<String> {
    text.split("href=\"/me/records/").skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())).collect()
}

fn older(text: &str) -> Option<String> {
    let (before, _) = text.split_once("\" rel=\"next\"")?;
    Some(before.rsplit_once("href=\"")?.1.replace("&amp;", "&").replace("&#38;", "&"))
}

#[tokio::test]
async fn r92_every_record_comes_once_page_after_page_though_all_have_one_moment() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut made = BTreeSet::new();
    for _ in 0..45 {
        let order = rig.order(person, "1").await;
        rig.pay(order, 100).await;
        made.insert(order.to_string());
    }
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    let (mut seen, mut path) = (Vec::new(), "/me/records?kind=top-up&month=2026-11".to_owned());
    let mut pages = 0;
    loop {
        let page = browser.get(&path).await.text();
        seen.extend(numbers(&page));
        pages += 1;
        match older(&page) {
            Some(next) => {
                assert!(
                    next.contains("kind=top-up") && next.contains("month=2026-11"),
                    "{next}: the filter goes along"
                );
                path = next;
            }
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 45));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made);
}

#[tokio::test]
async fn records_are_filtered_by_kind_and_month_and_kept_as_a_file() {
    let rig = Rig::new();
    let mut browser = lived(&rig).await;
    let table = [
        ("", 5),
        ("?kind=top-up", 3),
        ("?kind=purchase", 2),
        ("?kind=refund", 0),
        ("?month=2026-11", 5),
        ("?kind=&month=", 5),
    ];
    for (query, count) in table {
        let page = browser.get(&format!("/me/records{query}")).await;
        assert_eq!(numbers(&page.text()).len(), count, "{query}");
    }
    browser.get("/me/records?kind=refund").await.says("没有符合条件的账单。");
    for wrong in ["?kind=gift", "?month=2026-13", "?after=x", "?after=MTc"] {
        assert_eq!(browser.get(&format!("/me/records{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let file = browser.get("/me/records.csv?kind=purchase").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"records.csv\"");
    let text = file.text();
    assert!(text.starts_with('\u{FEFF}') && text.ends_with("\r\n"), "{text}");
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains(",第一食堂,") && text.contains(",-12.00\r\n") && text.contains(",-8.00\r\n"), "{text}");

    let record = numbers(&browser.get("/me/records?kind=purchase").await.text()).remove(0);
    let page = browser.get(&format!("/me/records/{record}")).await;
    for words in ["地点", "终端号", "消费后卡内余额", "href=\"/me/statements/2026-11\""] {
        page.says(words);
    }
}
