//! The guide and the table of channels: open to everyone, and always what holds now (R41, R91, R93).

use axum::http::StatusCode;
use flows::settings::change_setting;
use web::guide::{GuideConfig, OwnTexts, Service};

use crate::browser::Browser;
use crate::rig::Rig;

/// Chapter, setting, another value, and how page and JSON write the old and the new one.
const CHANGES: [(&str, &str, i64, &str, &str); 10] = [
    ("topup", "topup.min", 1_000, "¥1.00", "¥10.00"),
    ("topup", "wechat.per_order_max", 50_000, "¥1,000.00", "¥500.00"),
    ("channels", "wechat.daily_max", 80_000, "不限", "¥800.00"),
    ("channels", "wechat.arrival", 1, "<td>贴卡后到账", "<td>立即到账"),
    ("topup", "order.pay_within", 600, "15\u{a0}分钟", "10\u{a0}分钟"),
    ("first", "password.tries", 3, "连续输错 5 次", "连续输错 3 次"),
    ("missing", "delay.threshold", 10_800, "2\u{a0}小时", "3\u{a0}小时"),
    ("waiting", "pending.refund_after", 0, "30\u{a0}天", "不会自动退回"),
    ("waiting", "pending.remind_first", 10_800, "2\u{a0}小时、", "3\u{a0}小时、"),
    ("spend", "purse.float", 20_000, "¥100.00", "¥200.00"),
];

async fn set(rig: &Rig, name: &str, value: i64) {
    change_setting(&rig.school, name, value, None, "test").await.expect("a setting that can be set");
}

#[tokio::test]
async fn r91_the_guide_is_open_to_everyone_and_leads_to_every_chapter() {
    let rig = Rig::new();
    let mut browser = Browser::new(&rig);
    let contents = browser.get("/help").await;
    assert_eq!(contents.status, StatusCode::OK);
    let text = contents.text();
    let topics: Vec<&str> = text.split("href=\"/help/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(topics.len() > 12 && topics.contains(&"all"), "{topics:?}");
    let whole = browser.get("/help/all").await.text();
    for topic in topics.into_iter().filter(|topic| *topic != "guide.pdf" && *topic != "all") {
        let page = browser.get(&format!("/help/{topic}")).await;
        assert_eq!(page.status, StatusCode::OK, "{topic}");
        assert!(whole.contains(&format!("id=\"{topic}\"")), "{topic} is not on the page of all");
    }
    assert_eq!(browser.get("/help/nothing").await.status, StatusCode::NOT_FOUND);
    for page in ["/sign-in", "/nothing"] {
        browser.get(page).await.says("<a href=\"/help\">");
    }
    browser.headers = vec![("accept-language", "en".into())];
    browser.get("/help/first").await.says("Signing in for the first time");
}

#[tokio::test]
async fn r91_r93_a_changed_setting_changes_page_and_json_at_once() {
    for (topic, name, value, before, after) in CHANGES {
        let rig = Rig::new();
        let mut browser = Browser::new(&rig);
        let page = format!("/help/{topic}");
        browser.get(&page).await.says(before);
        let plain = |text: &str| text.rsplit('>').next().unwrap_or(text).to_owned();
        browser.get("/api/v1/guide").await.says(&plain(before));
        set(&rig, name, value).await;
        let changed = browser.get(&page).await;
        changed.says(after);
        browser.get("/help/all").await.says(after);
        let json = browser.get("/api/v1/guide").await;
        json.says(&plain(after));
        let settings = json.json()["settings"].as_array().expect("a list").clone();
        let told = settings.iter().find(|each| each["name"] == name).expect("the setting");
        assert_eq!((told["value"].as_i64(), told["chapter"].is_string()), (Some(value), true), "{name}");
    }
}

#[tokio::test]
async fn r93_a_rule_of_tomorrow_is_in_the_guide_from_tomorrow_on() {
    let rig = Rig::new();
    let mut browser = Browser::new(&rig);
    let tomorrow = rig.school.now().after_seconds(86_400);
    change_setting(&rig.school, "topup.min", 2_000, Some(tomorrow), "test").await.expect("a later rule");
    browser.get("/help/topup").await.says("¥1.00");
    rig.advance(86_400);
    browser.get("/help/topup").await.says("¥20.00");
}

#[tokio::test]
async fn r41_programs_get_the_channels_as_they_are_configured() {
    let rig = Rig::with(|config| config.pay_by_code = false);
    let mut browser = Browser::new(&rig);
    let told = browser.get("/api/v1/channels").await.json();
    let expected = serde_json::json!([{
        "channel": "wechat", "arrival": "tap", "least_fen": 100, "per_order_fen": 100_000, "per_day_fen": null,
        "pay_within_seconds": 900, "scenes": ["wechat", "phone_browser"],
    }]);
    assert_eq!(told["channels"], expected);
    assert_eq!(told["at"], "2026-11-23T12:30:05+08:00");
    set(&rig, "wechat.daily_max", 300_000).await;
    set(&rig, "wechat.arrival", 1).await;
    let told = browser.get("/api/v1/channels").await.json();
    assert_eq!(
        (&told["channels"][0]["per_day_fen"], &told["channels"][0]["arrival"]),
        (&300_000.into(), &"instant".into())
    );
    let guide = browser.get("/help/topup").await.text();
    assert!(!guide.contains("扫描页面上的二维码"), "what is not open is not promised");
}

#[tokio::test]
async fn r91_a_campus_says_where_its_service_centre_is_and_what_else_holders_must_know() {
    let rig = Rig::new();
    Browser::new(&rig).get("/help/service").await.says("以学校公布的为准");
    let rig = Rig::with(|config| {
        config.guide = GuideConfig {
            service: Service {
                place: Some(("行政楼 <101>".to_owned(), "Room 101".to_owned())),
                hours: None,
                phone: Some("010-12345678".to_owned()),
                email: None,
            },
            texts: OwnTexts::read(
                "guide-own-title = 本校规定\nguide-own-1 = 单笔 { $sale_max } 以内。",
                "guide-own-title = Our rules\nguide-own-1 = Up to { $sale_max }.",
            )
            .expect("right texts"),
        };
    });
    let mut browser = Browser::new(&rig);
    let service = browser.get("/help/service").await;
    service.says("行政楼 &#60;101&#62;");
    service.says("010-12345678");
    assert!(!service.text().contains("以学校公布的为准"));
    browser.get("/help/own").await.says("单笔 ¥1,000.00 以内。");
    browser.get("/help").await.says("本校规定");
}

#[tokio::test]
async fn r91_the_guide_is_a_pdf_that_changes_with_the_settings_and_with_nothing_else() {
    let rig = Rig::new();
    let mut browser = Browser::new(&rig);
    let first = browser.get("/help/guide.pdf").await;
    assert_eq!((first.status, first.header("content-type")), (StatusCode::OK, "application/pdf"), "{}", first.text());
    assert!(first.bytes.starts_with(b"%PDF-"));
    assert!(first.header("content-disposition").contains("campus-card-guide.pdf"));
    assert_eq!(browser.get("/help/guide.pdf").await.bytes, first.bytes, "the same guide is the same file");
    set(&rig, "topup.min", 900).await;
    assert_ne!(browser.get("/help/guide.pdf").await.bytes, first.bytes);
    browser.headers = vec![("accept-language", "en".into())];
    assert_ne!(browser.get("/help/guide.pdf").await.bytes, first.bytes);
}
