//! What a holder sees: where every yuan is, how one order stands, what happened (R10, R17, R30, R66, R92).

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::browser::Browser;
use crate::rig::Rig;

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, "2026010101", "260042").await
}

/// The amount that the page shows at a place.
fn shown(page: &str, place: &str) -> String {
    let (_, rest) =
        page.split_once(&format!("data-testid=\"{place}\">")).unwrap_or_else(|| panic!("no {place}: {page}"));
    rest.split('<').next().expect("text").to_owned()
}

#[tokio::test]
async fn r30_the_first_page_says_where_every_yuan_is_and_what_to_do() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let places = async |browser: &mut Browser| {
        let page = browser.get("/me").await.text();
        ["total", "available", "waiting", "on-card"].map(|place| shown(&page, place))
    };
    let empty = browser.get("/me").await;
    empty.says("林*雨");
    empty.says("2026010101");
    assert!(!empty.text().contains("data-testid=\"pending\""));
    assert!(!empty.text().contains("晓"), "the name is masked");
    assert_eq!(places(&mut browser).await, ["¥0.00", "¥0.00", "¥0.00", "¥0.00"]);

    let order = rig.order(person, "1000").await;
    browser.get("/me").await.says("2026-11-23 12:45 前有效");
    rig.pay(order, 100_000).await;
    assert_eq!(places(&mut browser).await, ["¥1,000.00", "¥0.00", "¥1,000.00", "¥0.00"]);
    let waiting = browser.get("/me").await;
    waiting.says("¥1,000.00 待圈存");
    waiting.says("保持 3\u{a0}秒");
    waiting.says("自 2026-11-23 12:30 起");
    let text = waiting.text();
    let (banner, face) = (text.find("data-testid=\"pending\""), text.find("class=\"face\""));
    assert!(banner < face, "what waits stands above all else");

    rig.hand.lock().await.pull_away(&rig.school).await;
    let travelling = browser.get("/me").await;
    travelling.says("¥1,000.00 正在写入卡片，等待确认");
    assert_eq!(shown(&travelling.text(), "in-transit"), "¥1,000.00");
    assert_eq!(places(&mut browser).await, ["¥1,000.00", "¥0.00", "¥0.00", "¥0.00"]);

    rig.hand.lock().await.buy(&rig.school, 1_250).await;
    assert_eq!(places(&mut browser).await, ["¥987.50", "¥0.00", "¥0.00", "¥987.50"]);
    let home = browser.get("/me").await;
    home.says("\u{2212}¥12.50");
    home.says("第一食堂");
}

#[tokio::test]
async fn r17_the_tracker_shows_every_step_with_its_time_and_what_comes_next() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let order = rig.order(person, "50").await;
    let path = format!("/me/orders/{order}");
    let steps = |page: &str| {
        let list = page.split_once("<ol class=\"steps\">").expect("steps").1.split_once("</ol>").expect("an end").0;
        ["done", "now", "open"].map(|stage| list.matches(&format!("<li class=\"{stage}\"")).count())
    };
    let part = async |browser: &mut Browser, says: &str, live: bool, expected: [usize; 3]| {
        let page = browser.get(&path).await;
        let status = browser.get(&format!("{path}/status")).await;
        for answer in [&page, &status] {
            answer.says(says);
            answer.says(&format!("data-live=\"{live}\""));
            assert_eq!(steps(&answer.text()), expected, "{says}");
        }
        assert_eq!(page.text().contains("data-poll"), live);
        assert!(!status.text().contains("<html"), "the part alone");
    };
    part(&mut browser, "还没有收到付款", true, [1, 1, 2]).await;
    rig.advance(60);
    rig.pay(order, 5_000).await;
    part(&mut browser, "已收到 ¥50.00，等待写入您的卡片", true, [3, 1, 0]).await;
    rig.hand.lock().await.pull_away(&rig.school).await;
    part(&mut browser, "正在写入卡片，等待确认", true, [3, 1, 0]).await;
    rig.advance(60);
    rig.hand.lock().await.hold(&rig.school).await;
    part(&mut browser, "¥50.00 已在您的卡上", false, [4, 0, 0]).await;
    let page = browser.get(&path).await;
    for moment in ["2026-11-23 12:30:05", "2026-11-23 12:31:05", "2026-11-23 12:32:05"] {
        page.says(moment);
    }
    browser.headers[0].1 = "en".into();
    browser.get(&path).await.says("23 Nov 2026, 12:32:05");
}

#[tokio::test]
async fn r66_after_two_hours_the_page_says_how_to_report() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let path = format!("/me/orders/{order}");
    for (seconds, says) in [(7_199, "听到提示后再取走"), (1, "数据中心报告")] {
        rig.advance(seconds);
        let mut browser = Browser::new(&rig);
        let first = if seconds > 1 { "260042" } else { crate::rig::PASSWORD };
        let mut browser = if seconds > 1 {
            signed_in(&rig).await
        } else {
            browser.fill("/sign-in", &[("number", "2026010101"), ("password", first)]).await;
            browser
        };
        browser.get(&path).await.says(says);
    }
}

#[tokio::test]
async fn an_order_that_ended_unpaid_says_that_nothing_was_charged() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    *rig.provider.prepays.lock().expect("one test") =
        Some(flows::ports::ChannelError::Refused { code: "NO_AUTH".into(), message: "no".into() });
    let order = rig.order(person, "50").await;
    assert_eq!(browser.get(&format!("/pay/{order}")).await.location(), format!("/me/orders/{order}"));
    let page = browser.get(&format!("/me/orders/{order}")).await;
    page.says("订单已关闭，没有扣款");
    page.says("href=\"/me/topup\"");
}

#[tokio::test]
async fn r92_records_are_newest_first_with_sign_and_word() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    browser.get("/me/records").await.says("还没有账单");
    let order = rig.order(person, "50").await;
    rig.order(person, "60").await;
    rig.pay(order, 5_000).await;
    let mut hand = rig.hand.lock().await;
    rig.advance(60);
    hand.buy(&rig.school, 1_200).await;
    rig.advance(60);
    hand.ask(&rig.school, 300).await;
    hand.call_off(&rig.school).await;
    rig.advance(60);
    hand.ask(&rig.school, 400).await;
    let page = browser.get("/me/records").await.text();
    let lines: Vec<&str> = page.split("<li>").skip(1).collect();
    let expected = [
        ["\u{2212}¥4.00", "支出", "待核实", "第一食堂"],
        [">¥3.00", "未扣款", "未扣款", "第一食堂"],
        ["\u{2212}¥12.00", "支出", "12:31", "第一食堂"],
        ["+¥50.00", "收入", "12:30", "微信充值"],
    ];
    assert_eq!(lines.len(), expected.len(), "an unpaid order is no record: {page}");
    for (line, parts) in lines.iter().zip(expected) {
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    let numbers: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("/me/records/")?.1.split('"').next()).collect();
    let purchase = browser.get(&format!("/me/records/{}", numbers[2])).await;
    for part in ["\u{2212}¥12.00", "2026-11-23 12:31:05", "卡内余额", "¥38.00", numbers[2]] {
        purchase.says(part);
    }
    let top_up = browser.get(&format!("/me/records/{}", numbers[3])).await;
    for part in ["+¥50.00", "2026-11-23 12:30:05", &format!("42000{order}"), &format!("/me/orders/{order}")] {
        top_up.says(part);
    }
}

#[tokio::test]
async fn a_record_leads_back_to_the_list_in_which_it_was_chosen() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let mut browser = signed_in(&rig).await;
    let record = format!("/me/records/{order}");
    let table = [
        ("http://127.0.0.1:8080/me/records?kind=topup&month=2026-11", "/me/records?kind=topup&#38;month=2026-11"),
        ("http://127.0.0.1:8080/me/statements/2026-11", "/me/statements/2026-11"),
        ("http://127.0.0.1:8080/me", "/me"),
        ("http://127.0.0.1:8080/pay/1", "/me/records"),
        ("http://127.0.0.1:8080.evil.example/me/records", "/me/records"),
        ("", "/me/records"),
    ];
    for (before, back) in table {
        let page = browser.send(Method::GET, &record, &[("referer", before)], Body::empty()).await.text();
        assert!(page.contains(&format!("class=\"back\" href=\"{back}\"")), "from {before}: {page}");
    }
}

#[tokio::test]
async fn three_unpaid_orders_are_shown_and_the_others_are_counted() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    for _ in 0..5 {
        rig.order(person, "100").await;
    }
    let page = browser.get("/me").await;
    assert_eq!(page.text().matches("href=\"/me/orders/").count(), 3);
    page.says("另有 2 笔较早的订单未付款，到时自动关闭。");
}

#[tokio::test]
async fn every_record_is_on_exactly_one_page() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let mut all = Vec::new();
    for _ in 0..45 {
        rig.advance(1);
        let order = rig.order(person, "1").await;
        rig.pay(order, 100).await;
        all.push(order.to_string());
    }
    all.reverse();
    let (mut seen, mut path, mut pages) = (Vec::new(), "/me/records".to_owned(), 0);
    loop {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK);
        let text = page.text();
        seen.extend(
            text.split("href=\"/me/records/").skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())),
        );
        pages += 1;
        match text.split_once("href=\"/me/records?after=") {
            Some((_, rest)) => path = format!("/me/records?after={}", rest.split('"').next().expect("a place")),
            None => break,
        }
    }
    assert_eq!((pages, seen), (3, all));
    assert_eq!(browser.get("/me/records?after=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_page_has_one_heading_landmarks_and_a_title() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let open = rig.order(person, "50").await;
    let mut browser = signed_in(&rig).await.known_to_wechat().await;
    let mut pages = vec![Browser::new(&rig).get("/sign-in").await, browser.get("/nothing").await];
    for path in [
        "/continue",
        "/password",
        "/me",
        "/me/topup",
        "/me/records",
        "/help",
        "/help/topup",
        "/help/channels",
        "/help/all",
    ] {
        pages.push(browser.get(path).await);
    }
    for path in [format!("/pay/{open}"), format!("/me/orders/{order}"), format!("/me/records/{order}")] {
        pages.push(browser.get(&path).await);
    }
    for page in pages {
        let text = page.text();
        for (tag, count) in [("<h1", 1), ("<main", 1), ("<header", 1), ("<title>", 1), ("<footer", 1)] {
            assert_eq!(text.matches(tag).count(), count, "{tag} in {text}");
        }
        assert!(text.contains("<html lang=\"zh-CN\""));
        for inline in ["style=\"", "<style", "onclick", "javascript:", "<script>"] {
            assert!(!text.contains(inline), "{inline} in {text}");
        }
        let ids: Vec<&str> = text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "an id stands twice: {ids:?}");
    }
}
