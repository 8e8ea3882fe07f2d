//! Names that somebody made up to break something, through the roster and onto every page and every JSON (T16, R51).

use axum::http::{Method, StatusCode};
use flows::people::{find_by_number, import};
use rules::calendar::CampusDay;
use rules::ids::CardNo;
use rules::roster::{Cell, RawRow, check};

use crate::browser::Browser;
use crate::rig::{PASSWORD, Rig};
use crate::unsafe_routes::routes;

/// Fifty Han characters, the longest name, with a rare one at both ends.
fn long() -> String {
    format!("𠮷{}𠮷", "魑魅".repeat(24))
}

/// Name, department, and whether the roster takes such a person.
fn people() -> Vec<(String, String, bool)> {
    let tags = "<script>alert(1)</script><img src=x onerror='alert(1)'>\"&amp;";
    let row = |name: &str, department: &str, taken| (name.to_owned(), department.to_owned(), taken);
    vec![
        row(tags, "计算机学院", false),
        row("=cmd|' /C calc'!A0", "计算机学院", false),
        row("@SUM(A1)", "计算机学院", false),
        row("林\u{0}雨", "计算机学院", true),
        row("\u{202e}雨晓林\u{202c}", "计算机学院", true),
        row("\u{2067}雨晓林\u{2069}", "计算机学院", true),
        row("O'Brien Smith", "\"Fine\" <b>Arts</b> & Co", true),
        row("-cmd", "=cmd|' /C calc'!A0", true),
        row("林晓雨", "+1234\u{202e}fdp.exe\u{2066}x", true),
        row("欧阳·𠮷\u{301}\u{301}\u{301}", "\u{1b}[31m红\u{7}\r\nSet-Cookie: a=b", true),
        row(&long(), &"院".repeat(60), true),
        row(&format!("{}龘", long()), "计算机学院", false),
        row("{{ frame.token }}", "{{7*7}} ${7*7} { $at }", false),
        row("雨", "</title></textarea>' onload='alert(1)", true),
    ]
}

/// Characters that change how what follows is shown, or that nobody can see.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
        || (c.is_control() && c != '\n')
}

fn row(at: usize, name: &str, department: &str) -> RawRow {
    let text = |text: &str| Cell::Text(text.to_owned());
    RawRow {
        row_number: 2,
        number: text(&format!("20260101{at:02}")),
        name: text(name),
        document_kind: text("护照"),
        document_number: text(&format!("E2026{at:04}")),
        category: text("学生"),
        department: text(department),
        phone: text("13812345678"),
        remark: Cell::Empty,
    }
}

/// Every address that is read, with files in each form, of the holder of a paid order and an open one.
fn addresses([paid, open]: &[String; 2]) -> Vec<String> {
    let month = "2026-11";
    let mut all = Vec::new();
    for (_, path) in routes(&[("get(", Method::GET)]) {
        let path = path.replace("/pay/{order}", &format!("/pay/{open}")).replace("{order}", paid);
        let path = path.replace("{number}", paid).replace("{topic}", "spend");
        if let Some(list) = path.strip_suffix("/{month}").filter(|list| !list.starts_with("/api/")) {
            all.extend(["", ".pdf", ".xlsx"].map(|form| format!("{list}/{month}{form}")));
        } else {
            all.push(path.replace("{month}", month));
        }
    }
    all
}

/// Addresses that lead elsewhere, what is for other programs than a holder's, and an asset that there is not.
const NOT_SHOWN: [&str; 6] = ["/", "/sign-in", "/wechat/return", "/wechat/enter", "/api/v1/events", "/assets/{file}"];

#[tokio::test]
async fn t16_hostile_names_break_out_of_no_page_and_no_json() {
    let rig = Rig::new();
    for (at, (name, department, taken)) in people().into_iter().enumerate() {
        let checked = check(&[row(at, &name, &department)], CampusDay(20_261_123)).remove(0);
        assert_eq!(checked.is_ok(), taken, "{name:?} {department:?}");
        let Ok(entry) = checked else { continue };
        import(&rig.school, vec![entry], false).await.expect("readable");
        let number = format!("20260101{at:02}");
        let person = find_by_number(&rig.school, &number).await.expect("readable").expect("admitted");
        flows::card_issue::issue(&rig.school, person, CardNo(0x2026_0000_0000_0100 + at as u64)).await.expect("free");
        let paid = rig.order(person, "10").await;
        rig.pay(paid, 1000).await;
        let orders = [paid.to_string(), rig.order(person, "10").await.to_string()];
        let first = format!("26{at:04}");
        let mut browser = Browser::new(&rig);
        browser.headers.push((
            "user-agent",
            format!("{name} Chrome/{department}").replace(|c: char| !c.is_ascii() || c.is_control(), ""),
        ));
        browser.fill("/sign-in", &[("number", &number), ("password", &first)]).await;
        let changed = browser.fill("/password", &[("old", &first), ("new", PASSWORD), ("again", PASSWORD)]).await;
        assert_eq!(changed.location(), "/me", "{name:?}");
        let mut closed = Vec::new();
        for path in addresses(&orders) {
            for language in ["zh-CN", "en"] {
                browser.headers[0].1 = language.to_owned();
                let answer = browser.get(&path).await;
                assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
                let kind = answer.header("content-type").to_owned();
                if answer.status != StatusCode::OK {
                    closed.push(path.clone());
                }
                let text = answer.text();
                if kind.contains("json") {
                    let _parsed = answer.json();
                } else if kind.starts_with("text/html") {
                    for broken_out in ["<script>alert", "<img", "<b>Arts", "onload='", "{{7*7}}<", "</textarea>"] {
                        assert!(!text.contains(broken_out), "{path}: {broken_out} in {text}");
                    }
                }
                if kind.starts_with("text/") || kind.contains("json") {
                    // Lines of a spreadsheet end as RFC 4180 has it.
                    let odd = text.replace("\r\n", "\n").chars().find(|c| turns_text(*c));
                    assert_eq!(odd, None, "{path} for {name:?}, {department:?}");
                }
                for (header, value) in &answer.headers {
                    assert!(!value.as_bytes().iter().any(u8::is_ascii_control), "{path}: {header}");
                }
            }
        }
        closed.dedup();
        assert_eq!(closed, NOT_SHOWN, "every other page and file was seen");
    }
}

#[tokio::test]
async fn a_rare_character_of_a_long_name_is_shown_whole() {
    let rig = Rig::new();
    let name = long();
    let entry = check(&[row(7, &name, "院")], CampusDay(20_261_123)).remove(0).expect("fifty characters are a name");
    import(&rig.school, vec![entry], false).await.expect("readable");
    let mut browser = Browser::signed_in(&rig, "2026010107", "260007").await;
    let masked = format!("𠮷{}𠮷", "*".repeat(48));
    browser.get("/me").await.says(&masked);
    assert_eq!(browser.get("/api/v1/me").await.json()["name_masked"], masked);
}
