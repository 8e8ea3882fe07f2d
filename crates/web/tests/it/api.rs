//! The JSON twins, and errors as problem+json (RFC 9457).

use axum::http::{Method, StatusCode};

use crate::browser::{Answer, Browser};
use crate::rig::{BASE, Rig};

async fn signed_in(rig: &Rig) -> Browser {
    Browser::signed_in(rig, "2026010101", "260042").await.known_to_wechat().await
}

async fn top_up(browser: &mut Browser, key: &str, body: &'static str) -> Answer {
    let headers = [("origin", BASE), ("content-type", "application/json"), ("idempotency-key", key)];
    browser.send(Method::POST, "/api/v1/me/topup", &headers, body).await
}

#[tokio::test]
async fn r17_an_order_can_be_made_and_followed_by_a_program() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let made = top_up(&mut browser, "key-1", r#"{"amount_fen": 5000}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let number = made.json()["number"].as_str().expect("a number").to_owned();
    let address = made.header("location").to_owned();
    assert_eq!(address, format!("/api/v1/me/orders/{number}"));

    let again = top_up(&mut browser, "key-1", r#"{"amount_fen": 5000}"#).await;
    assert_eq!((again.status, again.json()["number"].as_str()), (StatusCode::CREATED, Some(number.as_str())));
    let other = top_up(&mut browser, "key-1", r#"{"amount_fen": 5001}"#).await;
    assert_eq!((other.status, other.json()["code"].as_str()), (StatusCode::CONFLICT, Some("IDEMPOTENCY_CONFLICT")));

    let order = browser.get(&address).await.json();
    assert_eq!((order["state"].as_str(), order["place"].as_str()), (Some("created"), Some("not_paid")));
    assert_eq!(order["amount_fen"], 5_000);
    assert_eq!(order["created_at"], "2026-11-23T12:30:05+08:00");
    rig.pay(rules::ids::OrderNo::parse(&number).expect("a number"), 5_000).await;
    let order = browser.get(&address).await.json();
    assert_eq!((order["state"].as_str(), order["place"].as_str()), (Some("credited"), Some("waiting_for_card")));
    rig.advance(1);
    rig.hand.lock().await.buy(&rig.school, 1_200).await;
    let order = browser.get(&address).await.json();
    assert_eq!((order["state"].as_str(), order["place"].as_str()), (Some("on_card"), Some("on_card")));

    let me = browser.get("/api/v1/me").await.json();
    assert_eq!((me["total_fen"].as_i64(), me["on_card_fen"].as_i64()), (Some(3_800), Some(3_800)));
    assert_eq!(me["name_masked"], "林*雨");
    let records = browser.get("/api/v1/me/records").await.json();
    assert_eq!(records["next"], serde_json::Value::Null);
    let kinds: Vec<&str> =
        records["records"].as_array().expect("a list").iter().filter_map(|r| r["kind"].as_str()).collect();
    assert_eq!(kinds, ["purchase", "top_up"]);
}

#[tokio::test]
async fn a_failure_is_a_problem_with_a_stable_code_in_both_languages() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let good = r#"{"amount_fen": 5000}"#;
    let mut nobody = Browser::new(&rig);
    let mut unknown_payer = browser.clone();
    unknown_payer.lose_cookie("payer");
    let table = [
        (nobody.get("/api/v1/me").await, 401, "SIGN_IN_REQUIRED"),
        (top_up(&mut nobody, "k", good).await, 401, "SIGN_IN_REQUIRED"),
        (browser.get("/api/v1/nothing").await, 404, "NOT_FOUND"),
        (browser.get("/api/v1/me/orders/1").await, 404, "NOT_FOUND"),
        (browser.get("/api/v1/me/messages/read").await, 405, "NOT_ALLOWED"),
        (browser.get("/api/v1/me/records?limit=x").await, 400, "MALFORMED"),
        (top_up(&mut browser, "", good).await, 400, "IDEMPOTENCY_KEY"),
        (top_up(&mut browser, "k", "{").await, 400, "MALFORMED"),
        (top_up(&mut browser, "k", "{}").await, 400, "MALFORMED"),
        (top_up(&mut browser, "k", r#"{"amount_fen": "5000"}"#).await, 400, "MALFORMED"),
        (top_up(&mut browser, "k", r#"{"amount_fen": 50.5}"#).await, 400, "MALFORMED"),
        (top_up(&mut browser, "k", r#"{"amount_fen": 5000, "balance": 1}"#).await, 400, "MALFORMED"),
        (top_up(&mut browser, "k", r#"{"amount_fen": 0}"#).await, 422, "AMOUNT_INVALID"),
        (top_up(&mut browser, "k", r#"{"amount_fen": -5000}"#).await, 422, "AMOUNT_INVALID"),
        (top_up(&mut browser, "k", r#"{"amount_fen": 100001}"#).await, 422, "LIMIT_PER_ORDER"),
        (top_up(&mut browser, "k", r#"{"amount_fen": 200000}"#).await, 422, "APPROVAL_REQUIRED"),
        (top_up(&mut unknown_payer, "k", good).await, 409, "WECHAT_IDENTITY_NEEDED"),
    ];
    for (answer, status, code) in table {
        assert_eq!(answer.status.as_u16(), status, "{code}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:onecard:problem:{code}"));
        let text = |name: &str| problem[name].as_str().expect("text").to_owned();
        assert_eq!(text("detail"), text("zh"), "the reader's language");
        assert!(text("zh").chars().any(|letter| letter > '\u{4e00}'), "{code}: {}", text("zh"));
        assert!(!text("en").chars().any(|letter| letter > '\u{4e00}'), "{code}: {}", text("en"));
        assert!(!text("title").is_empty());
    }
}

#[tokio::test]
async fn a_teller_that_takes_nothing_now_is_a_503_that_says_when_to_ask_again() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    rig.school.door.close();
    let answer = top_up(&mut browser, "key-1", r#"{"amount_fen": 5000}"#).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["code"], "BUSY");
}

#[tokio::test]
async fn a_call_is_the_same_whatever_name_the_server_is_called_by() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let good = r#"{"amount_fen": 5000}"#;
    let first = top_up(&mut browser, "key-1", good).await;
    let headers = [("origin", BASE), ("content-type", "application/json"), ("idempotency-key", "key-1")];
    for server in [BASE, "https://card.example.edu.cn"] {
        let again = browser.send(Method::POST, &format!("{server}/api/v1/me/topup"), &headers, good).await;
        assert_eq!((again.status, again.text()), (StatusCode::CREATED, first.text()), "{server}");
        let other = browser.send(Method::POST, &format!("{server}/api/v1/me/topup?a=b"), &headers, good).await;
        assert_eq!(other.status, StatusCode::CONFLICT, "another query is another call");
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_no_body_of_ours() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = signed_in(&rig).await;
    let table = [
        ("/api/v1/me/topup", "[1000]"),
        ("/api/v1/me/messages/read", "[0]"),
        ("/api/v1/me/card/loss", r#"["2026000000000042"]"#),
        ("/api/v1/me/proof", r#"["qiu-tian-7531"]"#),
        ("/api/v1/me/password", r#"["qiu-tian-7531", "dong-tian-8642"]"#),
        ("/api/v1/me/topup", "1000"),
        ("/api/v1/me/topup", "null"),
        ("/api/v1/me/topup", r#"{"amount_fen": [1000]}"#),
        ("/api/v1/me/topup", ""),
    ];
    let headers = [("origin", BASE), ("content-type", "application/json"), ("idempotency-key", "k")];
    for (path, body) in table {
        let answer = browser.send(Method::POST, path, &headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (400, Some("MALFORMED")), "{path} {body}");
    }
    let me = browser.get("/api/v1/me").await.json();
    assert_eq!(me["open_orders"].as_array().map(Vec::len), Some(0));
}
