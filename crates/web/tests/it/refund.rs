//! Refunds as their holder follows them, and the ways to pay outside WeChat (R17, R36).

use axum::http::{Method, StatusCode};
use flows::refund::{What, open};
use rules::refund::Asked;

use crate::browser::Browser;
use crate::rig::Rig;

async fn deliver(rig: &Rig, body: String) -> StatusCode {
    Browser::new(rig).send(Method::POST, "/notify/wechat", &[], body).await.status
}

#[tokio::test]
async fn r17_a_refunded_order_is_followed_from_the_home_page_to_its_end() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    assert!(!browser.get("/me").await.text().contains("data-testid=\"held\""));
    rig.advance(60);
    let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
    let refund = open(&rig.school, What::Order(order), None, asked, [1; 16]).await.expect("a refund");
    flows::due::run(&rig.school, 10).await.expect("reads");

    let home = browser.get("/me").await;
    home.says("<p class=\"money\" data-testid=\"held\">¥50.00</p>");
    home.says("正在原路退回，不能使用");
    let me = browser.get("/api/v1/me").await.json();
    assert_eq!(
        (&me["held"]["amount_fen"], &me["waiting"]["amount_fen"], &me["total_fen"]),
        (&5000.into(), &0.into(), &5000.into())
    );
    let tracker = browser.get(&format!("/me/orders/{order}")).await;
    tracker.says("这笔付款正在原路退回。");
    tracker.says("data-live=\"true\"");
    let told = browser.get(&format!("/api/v1/me/orders/{order}")).await.json();
    assert_eq!((told["state"].as_str(), told["refunds"][0]["state"].as_str()), (Some("refunding"), Some("refunding")));

    assert_eq!(deliver(&rig, format!("{refund} 42000{order} 5000 5000 back")).await, StatusCode::NO_CONTENT);
    let tracker = browser.get(&format!("/me/orders/{order}")).await;
    tracker.says("这笔付款已原路退回。");
    tracker.says("data-live=\"false\"");
    let told = browser.get(&format!("/api/v1/me/orders/{order}")).await.json();
    assert_eq!(
        (told["state"].as_str(), told["refunds"][0]["number"].as_str()),
        (Some("refunded"), Some(&*refund.to_string()))
    );
    assert!(told["refunds"][0]["ended_at"].is_string());
    let top_up = browser.get(&format!("/me/records/{order}")).await;
    top_up.says("已退回");
    assert!(!top_up.text().contains("待圈存"), "it waits for no card any more");
    let record = browser.get(&format!("/me/records/{refund}")).await;
    record.says("误充");
    record.says("已退回");
    let records = browser.get("/api/v1/me/records").await.json();
    assert_eq!(
        (records["records"][0]["kind"].as_str(), records["records"][0]["way"].as_str()),
        (Some("refund"), Some("out"))
    );
    assert_eq!(browser.get("/api/v1/me").await.json()["total_fen"], 0);
}

#[tokio::test]
async fn row_8_a_second_payment_that_goes_back_shows_by_itself_and_stands_in_no_sum() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.pay(order, 5_000).await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    let revision = async |browser: &mut Browser| {
        let part = browser.get(&format!("/me/orders/{order}/status")).await.text();
        let (_, rest) = part.split_once("data-revision=\"").expect("a revision");
        (rest.split('"').next().expect("a quote").to_owned(), part.matches("data-testid=\"refund\"").count())
    };
    let (paid, none) = revision(&mut browser).await;
    rig.advance(1);
    assert_eq!(deliver(&rig, format!("{order} 43000{order} 5000 CNY")).await, StatusCode::NO_CONTENT);
    let (going, one) = revision(&mut browser).await;
    assert!(paid != going && (none, one) == (0, 1), "the page shows it without being loaded again");

    let told = browser.get(&format!("/api/v1/me/orders/{order}")).await.json();
    let refund = told["refunds"][0]["number"].as_str().expect("a number").to_owned();
    assert_eq!((told["state"].as_str(), told["refunds"].as_array().map(Vec::len)), (Some("credited"), Some(1)));
    flows::due::run(&rig.school, 10).await.expect("reads");
    let back = format!("{refund} 43000{order} 5000 5000 back");
    assert_eq!(deliver(&rig, back).await, StatusCode::NO_CONTENT);
    let (ended, _) = revision(&mut browser).await;
    assert_ne!(going, ended);
    browser.get(&format!("/me/orders/{order}")).await.says("重复付款已退回");

    let records = browser.get("/api/v1/me/records").await.json();
    let lines: Vec<_> =
        records["records"].as_array().expect("records").iter().map(|line| line["way"].as_str()).collect();
    assert_eq!(lines, [Some("returned"), Some("in")]);
    browser.get(&format!("/me/records/{refund}")).await.says("原路退回");
    assert_eq!(browser.get("/api/v1/me").await.json()["total_fen"], 5_000);
}
