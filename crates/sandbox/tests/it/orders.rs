use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::merchant::Merchant;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn an_order_is_created_queried_paid_and_queried() {
    let merchant = Merchant::new();
    let prepay_id = merchant.created(&merchant.order("ORDER0001")).await;
    assert!(prepay_id.starts_with("wx20261122123005"), "{prepay_id}");

    let before = merchant.query("ORDER0001").await.json();
    assert_eq!(before["trade_state"], "NOTPAY");
    assert_eq!(before["amount"]["total"], 5000);
    for missing in ["transaction_id", "success_time", "payer"] {
        assert!(before.get(missing).is_none(), "{missing}");
    }

    merchant.clock.forward(10);
    assert_eq!(merchant.pay("ORDER0001").await.status, StatusCode::OK);
    let after = merchant.query("ORDER0001").await.json();
    assert_eq!(after["trade_state"], "SUCCESS");
    assert_eq!(after["trade_type"], "JSAPI");
    assert_eq!(after["success_time"], "2026-11-22T12:30:15+08:00");
    assert_eq!(after["payer"]["openid"], "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");
    let amount = json!({ "total": 5000, "payer_total": 5000, "currency": "CNY", "payer_currency": "CNY" });
    assert_eq!(after["amount"], amount);

    let transaction = after["transaction_id"].as_str().expect("a number");
    assert!(transaction.len() == 28 && transaction.starts_with("4200"), "{transaction}");
    let target = format!("/v3/pay/transactions/id/{transaction}?mchid={}", merchant.side.mchid);
    assert_eq!(merchant.call("GET", &target, "").await.json(), after);
}

#[tokio::test]
async fn the_same_order_again_gets_a_fresh_prepay_number_and_the_old_one_still_pays() {
    let merchant = Merchant::new();
    let order = merchant.order("ORDER0002");
    let first = merchant.created(&order).await;
    let second = merchant.created(&order).await;
    assert_ne!(first, second);
    let answer = merchant.post_form(&format!("/cashier/{first}"), "action=pay").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(merchant.state_of("ORDER0002").await, "SUCCESS");
}

#[tokio::test]
async fn the_same_number_with_any_other_parameter_is_refused() {
    let merchant = Merchant::new();
    let order = merchant.order("ORDER0003");
    merchant.created(&order).await;
    for (pointer, value) in [
        ("/amount/total", json!(5001)),
        ("/description", json!("别的")),
        ("/payer/openid", json!("oOther")),
        ("/notify_url", json!("http://127.0.0.1:9/other")),
        ("/attach", json!("x")),
        ("/time_expire", json!("2026-11-22T13:00:00+08:00")),
    ] {
        let mut other = order.clone();
        put(&mut other, pointer, value);
        assert_eq!(merchant.create(&other).await.refusal(), refusal(400, "INVALID_REQUEST"), "{pointer}");
    }
    // The order of the members is not a parameter.
    let spelled = format!("{{\"attach\":null,{}", &order.to_string()[1..]);
    assert_eq!(merchant.call("POST", "/v3/pay/transactions/jsapi", &spelled).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_paid_or_closed_number_is_never_used_again() {
    let merchant = Merchant::new();
    let (paid, closed) = (merchant.order("ORDER0004"), merchant.order("ORDER0005"));
    merchant.created(&paid).await;
    merchant.created(&closed).await;
    merchant.pay("ORDER0004").await;
    merchant.close("ORDER0005").await;
    assert_eq!(merchant.create(&paid).await.refusal(), refusal(403, "OUT_TRADE_NO_USED"));
    assert_eq!(merchant.create(&closed).await.refusal(), refusal(400, "ORDER_CLOSED"));
}

#[tokio::test]
async fn a_close_ends_an_open_order_and_fails_on_a_paid_one() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ORDER0006")).await;
    assert_eq!(merchant.close("ORDER0006").await.status, StatusCode::NO_CONTENT);
    assert_eq!(merchant.state_of("ORDER0006").await, "CLOSED");
    assert_eq!(merchant.close("ORDER0006").await.refusal(), refusal(400, "ORDER_CLOSED"));
    assert_eq!(merchant.pay("ORDER0006").await.status, StatusCode::CONFLICT);

    merchant.created(&merchant.order("ORDER0007")).await;
    merchant.pay("ORDER0007").await;
    assert_eq!(merchant.close("ORDER0007").await.refusal(), refusal(400, "ORDERPAID"));
    assert_eq!(merchant.state_of("ORDER0007").await, "SUCCESS");

    assert_eq!(merchant.close("NOTHING01").await.refusal(), refusal(404, "ORDER_NOT_EXIST"));
}

#[tokio::test]
async fn a_second_payment_keeps_the_first_transaction() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ORDER0008")).await;
    let first = merchant.pay("ORDER0008").await.json();
    merchant.clock.forward(60);
    let second = merchant.pay("ORDER0008").await.json();
    assert_eq!(first, second);
    assert_eq!(merchant.record_of("ORDER0008").await["notices"].as_array().expect("notices").len(), 1);
}

#[tokio::test]
async fn an_expired_order_says_notpay_until_it_is_closed_and_cannot_be_paid() {
    let merchant = Merchant::new();
    let mut order = merchant.order("ORDER0009");
    put(&mut order, "/time_expire", json!("2026-11-22T12:45:05+08:00"));
    merchant.created(&order).await;

    merchant.clock.forward(15 * MINUTE + 1);
    assert_eq!(merchant.state_of("ORDER0009").await, "NOTPAY");
    assert_eq!(merchant.pay("ORDER0009").await.json()["error"], "order_expired");
    assert_eq!(merchant.create(&order).await.refusal(), refusal(400, "INVALID_REQUEST"));
    assert_eq!(merchant.close("ORDER0009").await.status, StatusCode::NO_CONTENT);
    assert_eq!(merchant.state_of("ORDER0009").await, "CLOSED");
}

#[tokio::test]
async fn the_last_moment_to_pay_still_pays() {
    // What the merchant asks, and how long after the create the order can be paid.
    let table = [
        ("ORDER0010", Some("2026-11-22T12:45:05+08:00"), 15 * MINUTE),
        ("ORDER0011", Some("2026-11-22T12:30:30+08:00"), MINUTE),
        ("ORDER0012", Some("2026-11-01T00:00:00+08:00"), MINUTE),
        ("ORDER0013", None, 7 * DAY),
    ];
    for (number, expiry, life) in table {
        let merchant = Merchant::new();
        let mut order = merchant.order(number);
        if let Some(expiry) = expiry {
            put(&mut order, "/time_expire", json!(expiry));
        }
        merchant.created(&order).await;
        merchant.clock.forward(life);
        assert_eq!(merchant.pay(number).await.status, StatusCode::OK, "{number} at its last moment");

        let merchant = Merchant::new();
        merchant.created(&order).await;
        merchant.clock.forward(life + 1);
        assert_eq!(merchant.pay(number).await.status, StatusCode::CONFLICT, "{number} after its last moment");
    }
}

#[tokio::test]
async fn a_prepay_number_lives_two_hours_and_its_order_longer() {
    let merchant = Merchant::new();
    let order = merchant.order("ORDER0014");
    let prepay_id = merchant.created(&order).await;
    merchant.clock.forward(2 * HOUR + 1);
    merchant.post_form(&format!("/cashier/{prepay_id}"), "action=pay").await;
    assert_eq!(merchant.state_of("ORDER0014").await, "NOTPAY");

    let fresh = merchant.created(&order).await;
    merchant.post_form(&format!("/cashier/{fresh}"), "action=pay").await;
    assert_eq!(merchant.state_of("ORDER0014").await, "SUCCESS");
}

#[tokio::test]
async fn each_field_out_of_its_shape_is_refused() {
    let merchant = Merchant::new();
    let long = |count: usize| json!("长".repeat(count));
    let table = [
        ("/description", json!(""), "PARAM_ERROR"),
        ("/description", long(128), "PARAM_ERROR"),
        ("/description", Value::Null, "PARAM_ERROR"),
        ("/out_trade_no", json!("SHORT"), "PARAM_ERROR"),
        ("/out_trade_no", json!("X".repeat(33)), "PARAM_ERROR"),
        ("/out_trade_no", json!("WITH SPACE"), "PARAM_ERROR"),
        ("/out_trade_no", json!("订单000001"), "PARAM_ERROR"),
        ("/notify_url", json!("http://pay.example/notify"), "PARAM_ERROR"),
        ("/notify_url", json!("https://pay.example/notify?a=1"), "PARAM_ERROR"),
        ("/notify_url", json!(format!("https://pay.example/{}", "n".repeat(250))), "PARAM_ERROR"),
        ("/notify_url", json!("notify"), "PARAM_ERROR"),
        ("/amount/total", json!(0), "PARAM_ERROR"),
        ("/amount/total", json!(-1), "PARAM_ERROR"),
        ("/amount/total", json!(50.5), "PARAM_ERROR"),
        ("/amount/total", json!("5000"), "PARAM_ERROR"),
        ("/amount/currency", json!("USD"), "PARAM_ERROR"),
        ("/payer/openid", json!(""), "PARAM_ERROR"),
        ("/payer", json!({}), "PARAM_ERROR"),
        ("/attach", long(129), "PARAM_ERROR"),
        ("/time_expire", json!("2026-11-22T13:00:00Z"), "PARAM_ERROR"),
        ("/time_expire", json!("2026-11-22 13:00:00"), "PARAM_ERROR"),
        ("/time_expires", json!("2026-11-22T13:00:00+08:00"), "PARAM_ERROR"),
        ("/appid", json!("wx0000000000000000"), "APPID_MCHID_NOT_MATCH"),
        ("/mchid", json!("1900999999"), "APPID_MCHID_NOT_MATCH"),
    ];
    for (pointer, value, code) in table {
        let mut order = merchant.order("ORDER0015");
        put(&mut order, pointer, value.clone());
        assert_eq!(merchant.create(&order).await.refusal(), refusal(400, code), "{pointer} = {value}");
    }
    let answer = merchant.call("POST", "/v3/pay/transactions/jsapi", "{").await;
    assert_eq!(answer.refusal(), refusal(400, "PARAM_ERROR"));
    assert_eq!(merchant.query("ORDER0015").await.refusal(), refusal(404, "ORDER_NOT_EXIST"));
}

#[tokio::test]
async fn a_query_names_its_merchant() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ORDER0016")).await;
    let number = "/v3/pay/transactions/out-trade-no/ORDER0016";
    assert_eq!(merchant.call("GET", number, "").await.refusal(), refusal(400, "PARAM_ERROR"));
    let other = format!("{number}?mchid=1900999999");
    assert_eq!(merchant.call("GET", &other, "").await.refusal(), refusal(400, "MCH_NOT_EXISTS"));
    let unknown = format!("/v3/pay/transactions/id/4200000000202611220000000000?mchid={}", merchant.side.mchid);
    assert_eq!(merchant.call("GET", &unknown, "").await.refusal(), refusal(404, "ORDER_NOT_EXIST"));
    let close = merchant.call("POST", &format!("{number}/close"), "{\"mchid\":\"1900999999\"}").await;
    assert_eq!(close.refusal(), refusal(400, "MCH_NOT_EXISTS"));
}

#[tokio::test]
async fn a_number_with_every_allowed_sign_is_found_again() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("a_B-1|2*3")).await;
    let target = format!("/v3/pay/transactions/out-trade-no/a_B-1%7C2*3?mchid={}", merchant.side.mchid);
    assert_eq!(merchant.call("GET", &target, "").await.json()["out_trade_no"], "a_B-1|2*3");
}

/// Sets the member that `pointer` names, adding it to its object if it is missing.
fn put(order: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    order.pointer_mut(parent).expect("an object")[name] = value;
}
