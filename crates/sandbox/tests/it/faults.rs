//! The switches that spoil answers and notices, and the log of what went to and fro.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::merchant::{Answer, Merchant};
use crate::receiver::Receiver;

/// The answer if it comes without waiting, else nothing: the sandbox answers from memory, so whoever is not answered at
/// once is left waiting.
async fn at_once(call: impl Future<Output = Answer>) -> Option<Answer> {
    tokio::select! {
        biased;
        answer = call => Some(answer),
        () = std::future::ready(()) => None,
    }
}

fn answer_fault(mode: &str, call: &str) -> Value {
    json!({ "switch": "answer", "mode": mode, "call": call, "scope": "next" })
}

async fn traffic(merchant: &Merchant) -> Vec<Value> {
    let request = Request::get("/control/traffic").header("accept", "application/json").body(Body::empty());
    let answer = merchant.send(request.expect("a request")).await;
    answer.json()["exchanges"].as_array().expect("exchanges").clone()
}

#[tokio::test]
async fn a_create_without_an_answer_may_have_made_the_order() {
    for (mode, made) in [("timeout_before", false), ("timeout_after", true)] {
        let merchant = Merchant::new();
        merchant.switch(&answer_fault(mode, "create")).await;
        let order = merchant.order("FAULT00001");
        assert!(at_once(merchant.create(&order)).await.is_none(), "{mode}");
        assert_eq!(merchant.query("FAULT00001").await.status == StatusCode::OK, made, "{mode}");
        assert_eq!(merchant.create(&order).await.status, StatusCode::OK, "the same number and parameters again");
    }
}

#[tokio::test]
async fn a_busy_platform_answers_without_a_signature() {
    let merchant = Merchant::new();
    merchant.switch(&answer_fault("unavailable", "all")).await;
    let request = merchant.request(
        "POST",
        "/v3/pay/transactions/jsapi",
        &merchant.order("FAULT00002").to_string(),
        &merchant.signing(),
    );
    let answer = merchant.send(request).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.headers.contains_key("wechatpay-signature"));
    assert_eq!(merchant.query("FAULT00002").await.refusal(), (404, "ORDER_NOT_EXIST".into()));
}

#[tokio::test]
async fn a_fault_waits_for_its_call_and_for_a_merchant_who_is_proved() {
    let merchant = Merchant::new();
    merchant.switch(&answer_fault("error_before", "close")).await;
    merchant.created(&merchant.order("FAULT00003")).await;
    let forged = merchant.post_json("/v3/pay/transactions/out-trade-no/FAULT00003/close", &json!({})).await;
    assert_eq!(forged.refusal(), (401, "SIGN_ERROR".into()));
    assert_eq!(merchant.close("FAULT00003").await.refusal(), (500, "SYSTEM_ERROR".into()));
    assert_eq!(merchant.close("FAULT00003").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_refusal_is_not_hidden_behind_a_fault_of_the_answer() {
    let merchant = Merchant::new();
    merchant.switch(&json!({ "switch": "answer", "mode": "error_after" })).await;
    assert_eq!(merchant.query("FAULT00004").await.refusal(), (404, "ORDER_NOT_EXIST".into()));
}

#[tokio::test]
async fn in_the_dark_nobody_is_answered_and_nothing_is_sent_until_it_ends() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    let mut order = merchant.order("FAULT00005");
    order["notify_url"] = json!(receiver.address);
    merchant.created(&order).await;
    merchant.paid("FAULT00006").await;
    merchant.sandbox.deliver_due().await;
    merchant.refund("FAULT00006", "FAULTREFUND", 5000).await;
    merchant.switch(&json!({ "switch": "dark", "mode": "dark", "seconds": 172_800 })).await;

    assert!(at_once(merchant.query("FAULT00005")).await.is_none());
    assert!(at_once(merchant.get("/cgi-bin/token?grant_type=client_credential")).await.is_none());
    // The payer's phone works on.
    assert_eq!(merchant.pay("FAULT00005").await.status, StatusCode::OK);
    merchant.clock.forward(172_799);
    assert_eq!(merchant.sandbox.deliver_due().await, 0);
    assert!(receiver.silent());
    assert!(at_once(merchant.query("FAULT00005")).await.is_none());

    merchant.clock.forward(1);
    assert_eq!(merchant.state_of("FAULT00005").await, "SUCCESS");
    assert_eq!(merchant.query_refund("FAULTREFUND").await.json()["status"], "SUCCESS");
    assert!(merchant.sandbox.deliver_due().await >= 1);
    assert_eq!(receiver.next().await.proved(&merchant)["out_trade_no"], "FAULT00005");
}

#[tokio::test]
async fn a_notice_out_of_order_comes_after_the_next_one() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    for number in ["FAULT00007", "FAULT00008"] {
        let mut order = merchant.order(number);
        order["notify_url"] = json!(receiver.address);
        merchant.created(&order).await;
    }
    merchant.switch(&json!({ "switch": "notice", "mode": "out_of_order", "scope": "next" })).await;
    merchant.pay("FAULT00007").await;
    assert_eq!(merchant.sandbox.deliver_due().await, 0);
    merchant.pay("FAULT00008").await;
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    assert_eq!(receiver.next().await.proved(&merchant)["out_trade_no"], "FAULT00008");
    merchant.clock.forward(2);
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    assert_eq!(receiver.next().await.proved(&merchant)["out_trade_no"], "FAULT00007");
}

#[tokio::test]
async fn switches_are_judged_before_they_are_thrown() {
    let merchant = Merchant::new();
    let table = [
        (json!({ "switch": "weather", "mode": "normal" }), "no_such_switch"),
        (json!({ "switch": "answer", "mode": "lost" }), "no_such_switch"),
        (json!({ "switch": "payment", "mode": "wrong_amount" }), "number_needed"),
        (json!({ "switch": "keys", "mode": "both", "percent": 101 }), "number_needed"),
        (json!({ "switch": "dark", "mode": "dark", "seconds": 60, "scope": "next" }), "times_needed"),
        (json!({ "switch": "bill", "mode": "truncated", "scope": "next", "times": 0 }), "times_needed"),
        (json!({ "switch": "bill", "mode": "truncated", "scope": "next", "times": 1001 }), "times_needed"),
    ];
    for (asked, code) in table {
        let answer = merchant.post_json("/control/switch", &asked).await;
        assert_eq!((answer.status, answer.json()["error"].clone()), (StatusCode::BAD_REQUEST, json!(code)), "{asked}");
    }
    merchant.switch(&json!({ "switch": "bill", "mode": "truncated", "scope": "next", "times": 3 })).await;
    assert_eq!(
        merchant.get("/control/state").await.json()["switches"]["next_bill"],
        json!({ "mode": "truncated", "times": 3 })
    );
    let reset = merchant.post_json("/control/reset", &json!({})).await;
    assert_eq!(reset.json()["next_bill"], Value::Null);
}

#[tokio::test]
async fn what_came_and_went_is_shown_without_secrets() {
    let (merchant, receiver) = (Merchant::new(), Receiver::answering(&[500]).await);
    let mut order = merchant.order("FAULT00009");
    order["notify_url"] = json!(receiver.address);
    merchant.created(&order).await;
    merchant.pay("FAULT00009").await;
    merchant.sandbox.deliver_due().await;
    let token = format!(
        "/cgi-bin/token?grant_type=client_credential&appid={}&secret={}",
        merchant.side.appid, merchant.side.app_secret
    );
    merchant.get(&token).await;
    let exchanges = traffic(&merchant).await;
    let lines: Vec<_> = exchanges.iter().map(|one| (one["direction"].clone(), one["status"].clone())).collect();
    assert_eq!(lines, [(json!("in"), json!(200)), (json!("out"), json!(500)), (json!("in"), json!(200))]);
    let page = merchant.get("/control/traffic?lang=en").await.text();
    for text in [page, json!(exchanges).to_string()] {
        assert!(text.contains("FAULT00009"), "{text}");
        for secret in [&merchant.side.app_secret, &merchant.side.apiv3_key, "oUpF8uMuAJO"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
