//! The scenes beside JSAPI, and what a payer and a bank may do to an order.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::merchant::{Answer, Merchant};

const MINUTE: i64 = 60;

fn of_scene(merchant: &Merchant, number: &str, scene: &str) -> Value {
    let mut order = merchant.order(number);
    if scene != "jsapi" {
        order.as_object_mut().expect("an object").remove("payer");
    }
    if scene == "h5" {
        order["scene_info"] = json!({ "payer_client_ip": "203.0.113.7", "h5_info": { "type": "Wap" } });
    }
    order
}

async fn create(merchant: &Merchant, scene: &str, order: &Value) -> Answer {
    merchant.call("POST", &format!("/v3/pay/transactions/{scene}"), &order.to_string()).await
}

/// The path and query of an address of the sandbox's own.
fn own(address: &Value) -> String {
    let text = address.as_str().expect("an address");
    text.strip_prefix("http://127.0.0.1:8081").expect("of the sandbox").to_owned()
}

async fn step(merchant: &Merchant, number: &str, step: &str) -> Answer {
    let asked = json!({ "provider": "wechat", "out_trade_no": number, "step": step });
    merchant.post_json("/control/pay", &asked).await
}

#[tokio::test]
async fn each_scene_is_paid_and_says_its_trade_type() {
    let merchant = Merchant::new();
    for (number, scene, answered, trade_type) in [
        ("SCENE00001", "jsapi", "prepay_id", "JSAPI"),
        ("SCENE00002", "h5", "h5_url", "MWEB"),
        ("SCENE00003", "native", "code_url", "NATIVE"),
        ("SCENE00004", "app", "prepay_id", "APP"),
    ] {
        let order = of_scene(&merchant, number, scene);
        let answer = create(&merchant, scene, &order).await;
        assert_eq!(answer.status, StatusCode::OK, "{scene}: {}", answer.text());
        assert!(answer.json()[answered].is_string(), "{scene}");
        assert_eq!(merchant.pay(number).await.status, StatusCode::OK);
        let told = merchant.query(number).await.json();
        assert_eq!((&told["trade_state"], &told["trade_type"]), (&json!("SUCCESS"), &json!(trade_type)));
        assert!(told["payer"]["openid"].as_str().is_some_and(|openid| openid.len() == 28), "{scene}");
    }
}

#[tokio::test]
async fn a_number_of_one_scene_is_not_another_scenes() {
    let merchant = Merchant::new();
    let order = of_scene(&merchant, "SCENE00005", "native");
    assert_eq!(create(&merchant, "native", &order).await.status, StatusCode::OK);
    assert_eq!(create(&merchant, "app", &order).await.refusal(), (400, "INVALID_REQUEST".into()));
}

#[tokio::test]
async fn each_scene_wants_its_own_members() {
    let merchant = Merchant::new();
    let h5 = |info: Value| {
        let mut order = of_scene(&merchant, "SCENE00006", "h5");
        order["scene_info"] = info;
        order
    };
    let with_payer = merchant.order("SCENE00006");
    let without_payer = of_scene(&merchant, "SCENE00006", "native");
    let ip = "203.0.113.7";
    let table = [
        ("jsapi", without_payer.clone()),
        ("native", with_payer.clone()),
        ("app", with_payer),
        ("h5", without_payer),
        ("h5", h5(json!({ "payer_client_ip": ip }))),
        ("h5", h5(json!({ "payer_client_ip": "here", "h5_info": { "type": "Wap" } }))),
        ("h5", h5(json!({ "payer_client_ip": ip, "h5_info": { "type": "wap" } }))),
        ("h5", h5(json!({ "h5_info": { "type": "Wap" } }))),
        ("native", h5(json!({ "payer_client_ip": ip, "h5_info": { "type": "Wap" } }))),
    ];
    for (scene, order) in table {
        assert_eq!(create(&merchant, scene, &order).await.refusal(), (400, "PARAM_ERROR".into()), "{scene} {order}");
    }
    let mut late = merchant.order("SCENE00006");
    late["time_expire"] = json!("2027-02-20T12:30:06+08:00");
    assert_eq!(merchant.create(&late).await.refusal(), (400, "PARAM_ERROR".into()), "more than 90 days");
}

#[tokio::test]
async fn the_h5_address_opens_the_cashier_for_five_minutes() {
    let merchant = Merchant::new();
    let answer = create(&merchant, "h5", &of_scene(&merchant, "SCENE00007", "h5")).await;
    let target = own(&answer.json()["h5_url"]);
    let back = "http%3A%2F%2F127.0.0.1%3A8080%2Fpay%2F7";
    let opened = merchant.get(&format!("{target}&redirect_url={back}")).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER);
    let cashier = opened.header("location").to_owned();
    assert!(cashier.starts_with("/cashier/wx") && cashier.contains("return="), "{cashier}");
    assert_eq!(merchant.get(&cashier).await.status, StatusCode::OK);
    let foreign = merchant.get(&format!("{target}&redirect_url=https%3A%2F%2Fevil.example%2F")).await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST);

    merchant.clock.forward(5 * MINUTE + 1);
    let late = merchant.get(&target).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(late.text().contains("支付链接已失效"));
    // Who was on the cashier in time pays all the same.
    let prepay = cashier.split(['/', '?']).nth(2).expect("a number").to_owned();
    merchant.post_form(&format!("/cashier/{prepay}"), "action=pay").await;
    assert_eq!(merchant.state_of("SCENE00007").await, "SUCCESS");
    assert_eq!(merchant.get("/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_native_code_is_scanned_to_the_cashier() {
    let merchant = Merchant::new();
    let answer = create(&merchant, "native", &of_scene(&merchant, "SCENE00008", "native")).await;
    let code = answer.json()["code_url"].as_str().expect("a code").to_owned();
    assert!(code.starts_with("weixin://wxpay/bizpayurl?pr="), "{code}");
    let field = merchant.get("/scan?lang=en").await;
    assert!(field.status == StatusCode::OK && field.text().contains("name=\"code\""), "{}", field.text());
    let scanned = merchant.get(&format!("/scan?code={}", code.replace(':', "%3A").replace('?', "%3F"))).await;
    assert_eq!(scanned.status, StatusCode::SEE_OTHER);
    assert_eq!(merchant.get(scanned.header("location")).await.status, StatusCode::OK);
    assert_eq!(merchant.get("/scan?code=weixin%3A%2F%2Fother").await.status, StatusCode::NOT_FOUND);
    let page = merchant.get("/control").await.text();
    assert!(page.contains(&code), "the operator sees what to scan");
}

#[tokio::test]
async fn a_close_while_the_payer_types_is_told_two_ways_and_closes_nothing() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("SCENE00009")).await;
    step(&merchant, "SCENE00009", "begin").await;
    assert_eq!(merchant.state_of("SCENE00009").await, "NOTPAY");
    assert_eq!(merchant.close("SCENE00009").await.refusal(), (202, "USER_PAYING".into()));
    assert_eq!(merchant.close("SCENE00009").await.refusal(), (429, "FREQUENCY_LIMITED".into()));
    assert_eq!(merchant.pay("SCENE00009").await.status, StatusCode::OK);
    assert_eq!(merchant.close("SCENE00009").await.refusal(), (400, "ORDERPAID".into()));

    merchant.created(&merchant.order("SCENE00010")).await;
    for (taken, state) in [("begin", "NOTPAY"), ("fail", "PAYERROR"), ("begin", "NOTPAY"), ("stop", "NOTPAY")] {
        assert_eq!(step(&merchant, "SCENE00010", taken).await.status, StatusCode::OK);
        assert_eq!(merchant.state_of("SCENE00010").await, state, "after {taken}");
    }
    assert_eq!(merchant.close("SCENE00010").await.status, StatusCode::NO_CONTENT);
    assert_eq!(step(&merchant, "SCENE00010", "begin").await.json()["error"], "order_closed");
}

#[tokio::test]
async fn who_begins_to_type_in_time_may_pay_after_it() {
    let merchant = Merchant::new();
    let mut order = merchant.order("SCENE00011");
    order["time_expire"] = json!("2026-11-22T12:45:05+08:00");
    merchant.created(&order).await;
    merchant.clock.forward(15 * MINUTE);
    step(&merchant, "SCENE00011", "begin").await;
    merchant.clock.forward(30);
    assert_eq!(merchant.close("SCENE00011").await.refusal(), (202, "USER_PAYING".into()));
    assert_eq!(merchant.pay("SCENE00011").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_second_payment_of_one_order_has_a_number_and_a_notice_of_its_own() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("SCENE00012")).await;
    assert_eq!(step(&merchant, "SCENE00012", "again").await.json()["error"], "order_not_paid");
    let first = merchant.pay("SCENE00012").await.json()["transaction_id"].clone();
    let second = step(&merchant, "SCENE00012", "again").await.json()["transaction_id"].clone();
    assert_ne!(first, second);
    assert_eq!(merchant.query("SCENE00012").await.json()["transaction_id"], first);
    let number = second.as_str().expect("a number");
    let target = format!("/v3/pay/transactions/id/{number}?mchid={}", merchant.side.mchid);
    assert_eq!(merchant.call("GET", &target, "").await.json()["transaction_id"], second);
    let record = merchant.record_of("SCENE00012").await;
    assert_eq!(record["notices"].as_array().expect("notices").len(), 2);
    assert_eq!(record["payments"].as_array().expect("payments").len(), 2);

    let refund = json!({
        "transaction_id": second, "out_refund_no": "SECOND01",
        "amount": { "refund": 5000, "total": 5000, "currency": "CNY" },
    });
    assert_eq!(merchant.refund_with(&refund).await.json()["transaction_id"], second);
    assert_eq!(merchant.state_of("SCENE00012").await, "SUCCESS", "the first payment was not refunded");
}

#[tokio::test]
async fn the_switch_pays_twice_or_too_little_or_in_another_currency() {
    let merchant = Merchant::new();
    for (number, switch) in [
        ("SCENE00013", json!({ "switch": "payment", "mode": "twice", "scope": "next" })),
        ("SCENE00014", json!({ "switch": "payment", "mode": "wrong_amount", "fen": 1, "scope": "next" })),
        ("SCENE00015", json!({ "switch": "payment", "mode": "wrong_currency", "scope": "next" })),
    ] {
        merchant.switch(&switch).await;
        merchant.paid(number).await;
    }
    assert_eq!(merchant.record_of("SCENE00013").await["payments"].as_array().expect("payments").len(), 2);
    assert_eq!(merchant.query("SCENE00014").await.json()["amount"]["total"], 4999);
    assert_eq!(merchant.query("SCENE00015").await.json()["amount"]["currency"], "USD");
}
