//! Messages as their reader sees them, and what marking them does (M31, R36).

use axum::http::{Method, StatusCode};

use crate::browser::{Answer, Browser};
use crate::rig::{BASE, PASSWORD, Rig};

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, "2026010101", "260042").await
}

/// The session ended by lying idle.
async fn sign_in_again(browser: &mut Browser) {
    let fields = [("number", "2026010101"), ("password", PASSWORD)];
    browser.fill("/sign-in", &fields).await;
}

/// How many rows the list has, and how many of them are told as unread.
fn rows(answer: &Answer) -> (usize, usize) {
    let text = answer.text();
    let list = text.split_once("<ul class=\"group rows\">").expect("a list").1.split_once("</ul>").expect("an end").0;
    (list.matches("<li><a").count(), list.matches("未读 ·").count())
}

#[tokio::test]
async fn m31_messages_are_shown_newest_first_and_read_when_their_reader_says_so() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let changed = browser.get("/me/messages").await;
    let before = rows(&changed);
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    for _ in 0..2 {
        let page = browser.get("/me/messages").await;
        page.says("充值已到账，待圈存");
        page.says("¥50.00 已收到");
        page.says(&format!("href=\"/me/orders/{order}\""));
        assert_eq!(rows(&page), (before.0 + 1, before.1 + 1), "looking marks nothing");
    }
    browser.get("/me").await.says(&format!("{} 条未读", before.1 + 1));
    let page = browser.get("/me/messages").await;
    let (token, to) = (page.hidden("token"), page.hidden("to"));
    // One more comes before the form is sent.
    let late = rig.order(person, "7").await;
    rig.pay(late, 700).await;
    for _ in 0..2 {
        let answer = browser.post("/me/messages", &[("token", &token), ("to", &to)]).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/me/messages"));
        let page = browser.get("/me/messages").await;
        assert_eq!(rows(&page), (before.0 + 2, 1), "what came meanwhile stays unread");
        page.says("1 条未读");
    }
    for to in ["", "-1", "x", "99999999999999999999999"] {
        let answer = browser.post("/me/messages", &[("token", &token), ("to", to)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{to:?}");
    }
    let answer = browser.post("/me/messages", &[("token", &token), ("to", "18446744073709551615")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(rows(&browser.get("/me/messages").await), (before.0 + 2, 0));
    assert!(!browser.get("/me").await.text().contains("data-testid=\"unread\""));
    // What comes now has a number of its own.
    let next = rig.order(person, "9").await;
    rig.pay(next, 900).await;
    assert_eq!(rows(&browser.get("/me/messages").await).1, 1);
}

#[tokio::test]
async fn a_message_reads_in_the_language_of_whoever_reads_it() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let mut browser = signed_in(&rig).await;
    browser.get("/me/messages").await.says("¥50.00 已收到");
    browser.headers = vec![("accept-language", "en".into())];
    let page = browser.get("/me/messages").await;
    page.says("¥50.00 has arrived.");
    page.says("Mark all as read");
}

#[tokio::test]
async fn many_messages_come_in_pages_and_programs_get_the_same() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let told = browser.get("/api/v1/me/messages").await.json()["newest"].as_u64().expect("a number");
    for _ in 0..45 {
        let order = rig.order(person, "1").await;
        rig.pay(order, 100).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/me/messages".to_owned());
    loop {
        let page = browser.get(&path).await.json();
        let messages = page["messages"].as_array().expect("a list");
        assert!(messages.len() <= 20 && page["newest"] == told + 45);
        seen.extend(messages.iter().map(|message| message["no"].as_u64().expect("a number")));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/me/messages?after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=told + 45).rev().collect::<Vec<u64>>());
    let first = browser.get("/api/v1/me/messages").await.json()["messages"][0].clone();
    assert_eq!(
        (&first["kind"], &first["amount_fen"], &first["read"]),
        (&"credited".into(), &100.into(), &false.into())
    );
    assert!(first["order"].is_string() && first["at"].is_string());

    let page = browser.get("/me/messages").await;
    page.says("rel=\"next\"");
    let older = browser.get(&format!("/me/messages?before={}", told + 26)).await;
    older.says("rel=\"first\"");
    assert_eq!(rows(&older).0, 20);
    browser.get("/me/messages?before=1").await.says("没有更早的消息了。");

    let json = [("origin", BASE), ("content-type", "application/json"), ("idempotency-key", "read")];
    let read = browser.send(Method::POST, "/api/v1/me/messages/read", &json, format!("{{\"to\":{}}}", told + 44)).await;
    assert_eq!((read.status, read.json()["unread"].as_u64()), (StatusCode::OK, Some(1)));
    let wrong = browser
        .send(
            Method::POST,
            "/api/v1/me/messages/read",
            &[json[0], json[1], ("idempotency-key", "all")],
            "{\"to\":\"all\"}",
        )
        .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get("/api/v1/me").await.json()["unread_messages"], 1);
}

#[tokio::test]
async fn nobody_reads_the_messages_of_another() {
    let rig = Rig::new();
    let person = rig.holder().await;
    rig.other().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let mut stranger = Browser::new(&rig);
    assert_eq!(stranger.get("/me/messages").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stranger.get("/api/v1/me/messages").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn r36_money_that_nobody_fetched_is_told_on_its_tracker_before_and_after_it_went_back() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let path = format!("/me/orders/{order}");
    let mut browser = signed_in(&rig).await;
    browser.get(&path).await.says("如到 2026-12-23 12:30 仍未贴卡，将原路退回。");
    rig.advance(2 * 3600);
    flows::due::run(&rig.school, 10).await.expect("reads");
    sign_in_again(&mut browser).await;
    let page = browser.get("/me/messages").await;
    page.says("还有钱待圈存");
    page.says("2026-12-23 12:30 前未贴卡，将原路退回");
    rig.advance(30 * 86_400);
    for _ in 0..2 {
        flows::due::run(&rig.school, 10).await.expect("reads");
    }
    sign_in_again(&mut browser).await;
    let tracker = browser.get(&path).await;
    tracker.says("这笔充值 30 天 没有写入卡片，正在原路退回。");
    assert!(!tracker.text().contains("仍未贴卡"));
    let page = browser.get("/me/messages").await;
    page.says("一直没有贴卡，正在退回");
    let told = browser.get(&format!("/api/v1/me/orders/{order}")).await.json();
    let refund = told["refunds"][0]["number"].as_str().expect("a refund").to_owned();
    assert_eq!(told["refunds"][0]["cause"], "not_loaded");
    page.says(&format!("href=\"/me/records/{refund}\""));
    browser.get(&format!("/me/records/{refund}")).await.says("超期未圈存，原路退回");
    browser.headers = vec![("accept-language", "en".into())];
    browser.get(&path).await.says("was not loaded onto the card for 30 days");
    browser.get(&format!("/me/records/{refund}")).await.says("Not loaded onto the card in time");
}
