use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::merchant::Merchant;

#[tokio::test]
async fn the_operator_pays_as_a_person_would() {
    let merchant = Merchant::new();
    let order = merchant.order("CONTROL001");
    merchant.created(&order).await;
    let paid = merchant.pay("CONTROL001").await.json();
    assert_eq!(paid["state"], "SUCCESS");
    assert_eq!(merchant.query("CONTROL001").await.json()["transaction_id"], paid["transaction_id"]);

    assert_eq!(merchant.pay("NOTHING01").await.json()["error"], "order_not_exist");
    let other = json!({ "provider": "paypal", "out_trade_no": "CONTROL001" });
    let answer = merchant.post_json("/control/pay", &other).await;
    assert_eq!((answer.status, answer.json()["error"].clone()), (StatusCode::BAD_REQUEST, json!("unknown_provider")));
    for malformed in [json!({}), json!({ "provider": "wechat" }), json!([])] {
        let status = merchant.post_json("/control/pay", &malformed).await.status;
        assert!(status.is_client_error(), "{malformed}: {status}");
    }
}

#[tokio::test]
async fn the_buttons_of_the_page_do_what_the_calls_do() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("CONTROL002")).await;
    let page = merchant.get("/control?lang=en").await.text();
    assert!(page.contains("CONTROL002") && page.contains("Pay as the payer") && page.contains("¥50.00"), "{page}");

    let form = "provider=wechat&out_trade_no=CONTROL002&lang=en";
    let answer = merchant.post_form("/control/pay", form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/control?lang=en"));
    let answer = merchant.post_form("/control/notice", "mode=late&seconds=90&scope=next&lang=en").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let answer = merchant.post_form("/control/notice", "mode=late&seconds=&scope=all&lang=en").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("give the seconds"));

    let page = merchant.get("/control?lang=en").await.text();
    assert!(page.contains("sent late · 90 s") && !page.contains("Pay as the payer"), "{page}");
    let gone = merchant.post_form("/control/pay", "provider=wechat&out_trade_no=CONTROL009").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text().contains("没有这笔订单"));
}

#[tokio::test]
async fn each_switch_is_set_by_program_and_shown() {
    let merchant = Merchant::new();
    let table = [
        (json!({ "mode": "lost" }), json!({ "mode": "lost" }), Value::Null),
        (json!({ "mode": "late", "seconds": 30 }), json!({ "mode": "late", "seconds": 30 }), Value::Null),
        (
            json!({ "mode": "twice", "scope": "next" }),
            json!({ "mode": "late", "seconds": 30 }),
            json!({ "mode": "twice", "times": 1 }),
        ),
        (json!({ "mode": "normal" }), json!({ "mode": "normal" }), Value::Null),
    ];
    for (asked, all, next) in table {
        let answer = merchant.post_json("/control/notice", &asked).await;
        assert_eq!(answer.status, StatusCode::OK, "{asked}");
        let switches = answer.json();
        assert_eq!((&switches["notice"], &switches["next_notice"]), (&all, &next), "{asked}");
        assert_eq!(merchant.get("/control/state").await.json()["switches"], switches);
    }
    let table: [(Value, u16); 5] = [
        (json!({ "mode": "late" }), 400),
        (json!({ "mode": "late", "seconds": 86_401 }), 400),
        (json!({ "mode": "eaten" }), 400),
        (json!({ "mode": "lost", "scope": "some" }), 400),
        (json!({ "mode": "lost", "secs": 1 }), 400),
    ];
    for (asked, status) in table {
        assert_eq!(merchant.post_json("/control/notice", &asked).await.status.as_u16(), status, "{asked}");
    }
}

#[tokio::test]
async fn the_state_for_programs_tells_everything_but_the_payer() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("CONTROL003")).await;
    merchant.clock.forward(1);
    merchant.created(&merchant.order("CONTROL004")).await;
    merchant.pay("CONTROL003").await;
    let answer = merchant.get("/control/state").await;
    assert!(!answer.text().contains("oUpF8uMuAJO"), "the state names a payer");

    let state = answer.json();
    assert_eq!(state["now"], "2026-11-22T12:30:06+08:00");
    let orders: Vec<_> = state["orders"].as_array().expect("orders").iter().map(|one| &one["out_trade_no"]).collect();
    assert_eq!(orders, ["CONTROL004", "CONTROL003"]);
    let (open, paid) = (&state["orders"][0], &state["orders"][1]);
    assert_eq!((&open["state"], &open["payable"], &open["amount_fen"]), (&json!("NOTPAY"), &json!(true), &json!(5000)));
    assert_eq!(open["transaction_id"], Value::Null);
    assert_eq!((&paid["state"], &paid["payable"]), (&json!("SUCCESS"), &json!(false)));
    assert_eq!(paid["paid_at"], "2026-11-22T12:30:06+08:00");
    assert_eq!(paid["notices"][0]["state"], "waiting");
}
