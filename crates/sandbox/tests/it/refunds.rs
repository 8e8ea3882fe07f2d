//! Refunds as the platform handles them, each code of its table, and their notices.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::merchant::{Answer, Merchant, setup};
use crate::receiver::Receiver;

const REFUNDS: &str = "/v3/refund/domestic/refunds";
const ARRIVES: i64 = 300;
const DAY: i64 = 86_400;

impl Merchant {
    /// A refund of an order of 50.00, by the merchant's numbers.
    pub(crate) async fn refund(&self, out_trade_no: &str, out_refund_no: &str, fen: i64) -> Answer {
        let body = json!({
            "out_trade_no": out_trade_no,
            "out_refund_no": out_refund_no,
            "reason": "退卡",
            "amount": { "refund": fen, "total": 5000, "currency": "CNY" },
        });
        self.refund_with(&body).await
    }

    pub(crate) async fn refund_with(&self, body: &Value) -> Answer {
        self.call("POST", REFUNDS, &body.to_string()).await
    }

    pub(crate) async fn query_refund(&self, out_refund_no: &str) -> Answer {
        self.call("GET", &format!("{REFUNDS}/{out_refund_no}"), "").await
    }

    pub(crate) async fn paid(&self, out_trade_no: &str) {
        self.created(&self.order(out_trade_no)).await;
        assert_eq!(self.pay(out_trade_no).await.status, StatusCode::OK);
    }

    pub(crate) async fn switch(&self, switch: &Value) {
        let answer = self.post_json("/control/switch", switch).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }

    async fn refund_state(&self, out_refund_no: &str) -> String {
        self.query_refund(out_refund_no).await.json()["status"].as_str().expect("a status").to_owned()
    }
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_refund_is_accepted_at_once_and_arrives_five_minutes_later() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0001").await;
    let answer = merchant.refund("REFUND0001", "R0001", 5000).await;
    assert_eq!(answer.status, StatusCode::OK);
    let refund = answer.json();
    assert_eq!((&refund["status"], &refund["channel"]), (&json!("PROCESSING"), &json!("ORIGINAL")));
    assert_eq!(refund["create_time"], "2026-11-22T12:30:05+08:00");
    assert!(refund.get("success_time").is_none());
    let amount = json!({
        "total": 5000, "refund": 5000, "payer_total": 5000, "payer_refund": 5000, "settlement_refund": 5000,
        "settlement_total": 5000, "discount_refund": 0, "currency": "CNY",
    });
    assert_eq!(refund["amount"], amount);
    assert_eq!(merchant.state_of("REFUND0001").await, "REFUND");

    merchant.clock.forward(ARRIVES - 1);
    assert_eq!(merchant.refund_state("R0001").await, "PROCESSING");
    merchant.clock.forward(1);
    let told = merchant.query_refund("R0001").await.json();
    assert_eq!((&told["status"], &told["success_time"]), (&json!("SUCCESS"), &json!("2026-11-22T12:35:05+08:00")));
    assert_eq!(told["refund_id"], refund["refund_id"]);
}

#[tokio::test]
async fn one_number_refunds_once_and_never_anything_else() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0002").await;
    let first = merchant.refund("REFUND0002", "R0002", 1000).await.json();
    merchant.clock.forward(3600);
    let again = merchant.refund("REFUND0002", "R0002", 1000).await.json();
    assert_eq!(again["refund_id"], first["refund_id"]);
    assert_eq!(merchant.refund("REFUND0002", "R0002", 1001).await.refusal(), refusal(400, "INVALID_REQUEST"));
    // The repeat took nothing: the rest is still there, and not a fen more.
    assert_eq!(merchant.refund("REFUND0002", "R0002B", 4001).await.refusal(), refusal(400, "INVALID_REQUEST"));
    assert_eq!(merchant.refund("REFUND0002", "R0002C", 4000).await.status, StatusCode::OK);
}

#[tokio::test]
async fn parts_are_a_minute_apart_and_fifty_at_most() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0003").await;
    assert_eq!(merchant.refund("REFUND0003", "R0003-0", 10).await.status, StatusCode::OK);
    merchant.clock.forward(59);
    assert_eq!(merchant.refund("REFUND0003", "R0003-1", 10).await.refusal(), refusal(429, "FREQUENCY_LIMITED"));
    assert_eq!(merchant.query_refund("R0003-1").await.refusal(), refusal(404, "RESOURCE_NOT_EXISTS"));
    for part in 1..50 {
        merchant.clock.forward(60);
        assert_eq!(merchant.refund("REFUND0003", &format!("R0003-{part}"), 10).await.status, 200, "part {part}");
    }
    merchant.clock.forward(60);
    assert_eq!(merchant.refund("REFUND0003", "R0003-50", 10).await.refusal(), refusal(400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_refund_needs_a_payment_of_the_last_year_and_its_very_amount() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("REFUND0004")).await;
    assert_eq!(merchant.refund("REFUND0004", "R0004", 1).await.refusal(), refusal(404, "RESOURCE_NOT_EXISTS"));
    assert_eq!(merchant.refund("NOTHING01", "R0004", 1).await.refusal(), refusal(404, "RESOURCE_NOT_EXISTS"));
    let transaction = merchant.pay("REFUND0004").await.json()["transaction_id"].clone();
    let by_transaction = |total: i64, number: &str| {
        json!({
            "transaction_id": transaction, "out_trade_no": number, "out_refund_no": "R0004",
            "amount": { "refund": 1, "total": total, "currency": "CNY" },
        })
    };
    let wrong = merchant.refund_with(&by_transaction(4999, "REFUND0004")).await;
    assert_eq!(wrong.refusal(), refusal(400, "INVALID_REQUEST"));
    let other = merchant.refund_with(&by_transaction(5000, "REFUND0005")).await;
    assert_eq!(other.refusal(), refusal(400, "INVALID_REQUEST"));
    merchant.clock.forward(365 * DAY + 1);
    assert_eq!(merchant.refund("REFUND0004", "R0004", 1).await.refusal(), refusal(400, "INVALID_REQUEST"));
    merchant.clock.forward(-1);
    assert_eq!(merchant.refund_with(&by_transaction(5000, "REFUND0004")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_field_of_a_refund_out_of_its_shape_is_refused() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0006").await;
    let table = [
        ("/out_refund_no", json!("")),
        ("/out_refund_no", json!("x".repeat(65))),
        ("/out_refund_no", json!("with space")),
        ("/reason", json!("长".repeat(81))),
        ("/notify_url", json!("http://pay.example/notify")),
        ("/notify_url", json!("https://pay.example/notify?a=1")),
        ("/amount/refund", json!(0)),
        ("/amount/refund", json!("10")),
        ("/amount/total", json!(-1)),
        ("/amount/currency", json!("USD")),
        ("/amount", json!({ "refund": 1, "total": 5000 })),
        ("/funds_account", json!("SAVINGS")),
        ("/out_trade_no", Value::Null),
        ("/out_refund", json!("x")),
    ];
    for (pointer, value) in table {
        merchant.clock.forward(1);
        let mut body = json!({
            "out_trade_no": "REFUND0006", "out_refund_no": "R0006",
            "amount": { "refund": 10, "total": 5000, "currency": "CNY" },
        });
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent).expect("an object")[name] = value.clone();
        assert_eq!(merchant.refund_with(&body).await.refusal(), refusal(400, "PARAM_ERROR"), "{pointer} = {value}");
    }
    assert_eq!(merchant.query_refund("R0006").await.refusal(), refusal(404, "RESOURCE_NOT_EXISTS"));
}

#[tokio::test]
async fn the_switch_refuses_with_each_code_and_the_same_number_works_later() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0007").await;
    let table = [
        ("not_enough", refusal(403, "NOT_ENOUGH")),
        ("account_abnormal", refusal(403, "USER_ACCOUNT_ABNORMAL")),
        ("no_merchant", refusal(404, "MCH_NOT_EXISTS")),
    ];
    for (mode, expected) in table {
        merchant.switch(&json!({ "switch": "refund", "mode": mode, "scope": "next" })).await;
        assert_eq!(merchant.refund("REFUND0007", "R0007", 5000).await.refusal(), expected);
        assert_eq!(merchant.state_of("REFUND0007").await, "SUCCESS");
    }
    assert_eq!(merchant.refund("REFUND0007", "R0007", 5000).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_fails_may_hide_a_refund_that_was_accepted() {
    let table = [
        ("error_before", refusal(500, "SYSTEM_ERROR"), false),
        ("error_after", refusal(500, "SYSTEM_ERROR"), true),
        ("limited_before", refusal(429, "FREQUENCY_LIMITED"), false),
        ("limited_after", refusal(429, "FREQUENCY_LIMITED"), true),
    ];
    for (mode, expected, accepted) in table {
        let merchant = Merchant::new();
        merchant.paid("REFUND0008").await;
        merchant.switch(&json!({ "switch": "answer", "mode": mode, "call": "refund", "scope": "next" })).await;
        assert_eq!(merchant.refund("REFUND0008", "R0008", 5000).await.refusal(), expected, "{mode}");
        let known = merchant.query_refund("R0008").await.status == StatusCode::OK;
        assert_eq!(known, accepted, "{mode}");
        assert_eq!(merchant.refund("REFUND0008", "R0008", 5000).await.status, StatusCode::OK, "{mode}");
    }
}

#[tokio::test]
async fn a_merchant_without_funds_is_told_and_can_deposit() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0009").await;
    // 50.00 less the fee of 0.60 %.
    let taken = merchant.post_json("/control/funds", &json!({ "action": "withdraw", "amount": "49.70" })).await;
    assert_eq!(taken.json()["balance_fen"], 0);
    let more = merchant.post_json("/control/funds", &json!({ "action": "withdraw", "amount": "0.01" })).await;
    assert_eq!(more.json()["error"], "amount_wrong");
    assert_eq!(merchant.refund("REFUND0009", "R0009", 5000).await.refusal(), refusal(403, "NOT_ENOUGH"));
    merchant.post_json("/control/funds", &json!({ "action": "deposit", "amount": "49.70" })).await;
    assert_eq!(merchant.refund("REFUND0009", "R0009", 5000).await.status, StatusCode::OK);
    assert_eq!(merchant.get("/control/state").await.json()["balance_fen"], 0);
}

#[tokio::test]
async fn a_refund_can_stay_be_closed_after_seven_days_or_turn_abnormal() {
    let merchant = Merchant::new();
    for (number, mode, wait, ends) in [
        ("A", "processing", 30 * DAY, "PROCESSING"),
        ("B", "closed", 7 * DAY, "CLOSED"),
        ("C", "abnormal", ARRIVES, "ABNORMAL"),
    ] {
        let (order, refund) = (format!("REFUND001{number}"), format!("R001{number}"));
        merchant.paid(&order).await;
        merchant.switch(&json!({ "switch": "refund", "mode": mode, "scope": "next" })).await;
        assert_eq!(merchant.refund(&order, &refund, 5000).await.json()["status"], "PROCESSING");
        merchant.clock.forward(wait - 1);
        assert_eq!(merchant.refund_state(&refund).await, "PROCESSING", "{mode}");
        merchant.clock.forward(1);
        assert_eq!(merchant.refund_state(&refund).await, ends);
        let more = merchant.refund(&order, &format!("{refund}-2"), 5000).await;
        assert_eq!(more.status == StatusCode::OK, mode == "closed", "{mode}: a closed refund frees its amount");
        // The closed one keeps its number for good.
        assert_eq!(merchant.refund(&order, &refund, 5000).await.json()["status"], ends);
    }
}

#[tokio::test]
async fn an_abnormal_refund_is_sent_on_another_way() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0011").await;
    merchant.switch(&json!({ "switch": "refund", "mode": "abnormal" })).await;
    let refund_id = merchant.refund("REFUND0011", "R0011", 5000).await.json()["refund_id"].clone();
    let target = format!("{REFUNDS}/{}/apply-abnormal-refund", refund_id.as_str().expect("a number"));
    let mend = json!({ "out_refund_no": "R0011", "type": "MERCHANT_BANK_CARD" }).to_string();
    assert_eq!(merchant.call("POST", &target, &mend).await.refusal(), refusal(400, "INVALID_REQUEST"), "too early");
    merchant.clock.forward(ARRIVES);
    assert_eq!(merchant.refund_state("R0011").await, "ABNORMAL");
    let unsealed = json!({
        "out_refund_no": "R0011", "type": "USER_BANK_CARD", "bank_account": "6222020200112233445", "real_name": "张三",
    });
    assert_eq!(merchant.call("POST", &target, &unsealed.to_string()).await.refusal(), refusal(400, "PARAM_ERROR"));
    let other = json!({ "out_refund_no": "R0012", "type": "MERCHANT_BANK_CARD" }).to_string();
    assert_eq!(merchant.call("POST", &target, &other).await.refusal(), refusal(400, "INVALID_REQUEST"));

    let mended = merchant.call("POST", &target, &mend).await.json();
    assert_eq!((&mended["status"], &mended["channel"]), (&json!("PROCESSING"), &json!("OTHER_BANKCARD")));
    merchant.clock.forward(ARRIVES);
    assert_eq!(merchant.refund_state("R0011").await, "SUCCESS");
}

#[tokio::test]
async fn the_end_of_a_refund_is_notified_until_it_is_taken() {
    let events = [("normal", "SUCCESS", ARRIVES), ("abnormal", "ABNORMAL", ARRIVES), ("closed", "CLOSED", 7 * DAY)];
    for (mode, status, wait) in events {
        let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[500, 204]).await);
        merchant.paid("REFUND0013").await;
        // The payment's own notice goes nowhere here.
        merchant.sandbox.deliver_due().await;
        merchant.switch(&json!({ "switch": "refund", "mode": mode })).await;
        let body = json!({
            "out_trade_no": "REFUND0013", "out_refund_no": "R0013", "notify_url": receiver.address,
            "amount": { "refund": 1234, "total": 5000, "currency": "CNY" },
        });
        merchant.refund_with(&body).await;
        merchant.clock.forward(wait);
        merchant.sandbox.deliver_due().await;
        let first = receiver.next().await;
        let notice = first.json();
        assert_eq!(notice["event_type"], format!("REFUND.{status}"));
        assert_eq!(notice["resource"]["original_type"], "refund");
        let told = first.proved(&merchant);
        assert_eq!((&told["refund_status"], &told["out_refund_no"]), (&json!(status), &json!("R0013")));
        assert_eq!(told["mchid"], merchant.side.mchid);
        let amount = json!({ "total": 5000, "refund": 1234, "payer_total": 5000, "payer_refund": 1234 });
        assert_eq!(told["amount"], amount);
        assert_eq!(told.get("success_time").is_some(), status == "SUCCESS");
        merchant.clock.forward(15);
        merchant.sandbox.deliver_due().await;
        assert_eq!(receiver.next().await.json()["id"], notice["id"], "a repeat keeps its number");
    }
}

#[tokio::test]
async fn the_operator_ends_a_refund_before_its_time() {
    let merchant = Merchant::new();
    merchant.paid("REFUND0014").await;
    merchant.refund("REFUND0014", "R0014", 5000).await;
    let end = |outcome: &str| json!({ "out_refund_no": "R0014", "outcome": outcome });
    assert_eq!(merchant.post_json("/control/refund", &end("abnormal")).await.json()["status"], "ABNORMAL");
    assert_eq!(merchant.post_json("/control/refund", &end("success")).await.json()["status"], "SUCCESS");
    let late = merchant.post_json("/control/refund", &end("closed")).await;
    assert_eq!((late.status, late.json()["error"].clone()), (StatusCode::CONFLICT, json!("no_open_refund")));
    assert_eq!(merchant.refund_state("R0014").await, "SUCCESS");
}

#[tokio::test]
async fn failing_refund_calls_are_limited_to_six_a_second() {
    let merchant = Merchant::new();
    for call in 0..6 {
        let answer = merchant.refund("NOTHING02", "R0015", 1).await;
        assert_eq!(answer.refusal(), refusal(404, "RESOURCE_NOT_EXISTS"), "call {call}");
    }
    assert_eq!(merchant.refund("NOTHING02", "R0015", 1).await.refusal(), refusal(429, "FREQUENCY_LIMITED"));
    merchant.clock.forward(1);
    assert_eq!(merchant.refund("NOTHING02", "R0015", 1).await.refusal(), refusal(404, "RESOURCE_NOT_EXISTS"));
}

#[tokio::test]
async fn a_faster_clock_shortens_every_wait_of_a_refund() {
    let merchant = Merchant::with(sandbox::Setup { retry_speed: 60, ..setup() });
    merchant.paid("REFUND0016").await;
    merchant.refund("REFUND0016", "R0016", 10).await;
    merchant.clock.forward(1);
    assert_eq!(merchant.refund("REFUND0016", "R0017", 10).await.status, StatusCode::OK);
    merchant.clock.forward(4);
    assert_eq!(merchant.refund_state("R0016").await, "SUCCESS");
}
