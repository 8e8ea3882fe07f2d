//! Twins of what pages show and do: one record, the filters of the list, the room for a top-up, and "I have paid".

use axum::http::{Method, StatusCode};
use flows::ports::{Payment, Trade};
use ledger::Fen;
use rules::ids::PersonId;
use serde_json::{Value, json};

use crate::browser::{Answer, Browser};
use crate::rig::{BASE, Rig};

/// Twice 30.00 topped up and 12.00 bought, the second time a month later; the numbers of the orders.
async fn lived(rig: &Rig) -> (Browser, [String; 2]) {
    let person = rig.holder().await;
    Browser::signed_in(rig, "2026010101", "260042").await;
    let first = bought(rig, person).await;
    rig.advance(30 * 86_400);
    let second = bought(rig, person).await;
    let mut browser = Browser::new(rig);
    let fields = [("number", "2026010101"), ("password", crate::rig::PASSWORD)];
    assert_eq!(browser.fill("/sign-in", &fields).await.location(), "/me");
    (browser, [first, second])
}

async fn bought(rig: &Rig, person: PersonId) -> String {
    let order = rig.order(person, "30").await;
    rig.pay(order, 3_000).await;
    rig.advance(60);
    rig.hand.lock().await.buy(&rig.school, 1_200).await;
    rig.advance(60);
    order.to_string()
}

/// Number and kind of every record that the filter lets through, page by page.
async fn listed(browser: &mut Browser, filter: &str, limit: usize) -> Vec<(String, String)> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = browser.get(&format!("/api/v1/me/records?limit={limit}{filter}{after}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        let page = page.json();
        let records = page["records"].as_array().expect("a list").clone();
        assert!(records.len() <= limit);
        let text = |record: &Value, name: &str| record[name].as_str().expect("text").to_owned();
        all.extend(records.iter().map(|record| (text(record, "number"), text(record, "kind"))));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn r92_records_of_one_kind_or_month_come_page_by_page_as_on_the_page() {
    let rig = Rig::new();
    let (mut browser, orders) = lived(&rig).await;
    let all = listed(&mut browser, "", 100).await;
    let kinds: Vec<&str> = all.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["purchase", "top_up", "purchase", "top_up"]);
    let those = |wanted: &dyn Fn(usize, &str) -> bool| -> Vec<(String, String)> {
        all.iter().enumerate().filter(|(at, (_, kind))| wanted(*at, kind)).map(|(_, record)| record.clone()).collect()
    };
    let table: [(&str, Vec<(String, String)>); 6] = [
        ("&kind=top_up", those(&|_, kind| kind == "top_up")),
        ("&kind=purchase", those(&|_, kind| kind == "purchase")),
        ("&kind=refund", Vec::new()),
        ("&month=2026-11", those(&|at, _| at >= 2)),
        ("&month=2026-12&kind=top_up", those(&|at, _| at == 1)),
        ("&month=2026-10", Vec::new()),
    ];
    for (filter, expected) in table {
        for limit in [1, 2, 100] {
            assert_eq!(listed(&mut browser, filter, limit).await, expected, "{filter} by {limit}");
        }
    }
    assert_eq!(listed(&mut browser, "&month=2026-12&kind=top_up", 1).await[0].0, orders[1]);
    for wrong in ["kind=gift", "kind=top-up", "kind=", "month=2026-13", "month=November", "month="] {
        let answer = browser.get(&format!("/api/v1/me/records?{wrong}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (400, Some("MALFORMED")), "{wrong}");
        assert!(answer.json()["at"].as_str().is_some_and(|at| at.starts_with("query")), "{}", answer.text());
    }
}

#[tokio::test]
async fn r92_one_record_has_all_that_its_page_shows() {
    let rig = Rig::new();
    let (mut browser, orders) = lived(&rig).await;
    let top_up = browser.get(&format!("/api/v1/me/records/{}", orders[0])).await.json();
    let expected = json!({
        "number": orders[0], "kind": "top_up", "way": "in", "amount_fen": 3000, "state": null, "merchant": null,
        "at": "2026-11-23T12:30:05+08:00", "month": "2026-11", "order": orders[0],
        "transaction": format!("42000{}", orders[0]), "made_at": "2026-11-23T12:30:05+08:00",
        "paid_at": "2026-11-23T12:30:05+08:00", "credited_at": "2026-11-23T12:30:05+08:00",
        "on_card_at": "2026-11-23T12:31:05+08:00", "refunded_at": null, "cause": null, "place": null,
        "terminal": null, "source": null, "card": null, "card_debited_at": null, "card_after_fen": null,
    });
    assert_eq!(top_up, expected);

    let (number, _) = listed(&mut browser, "&kind=purchase&month=2026-11", 100).await.remove(0);
    let sale = browser.get(&format!("/api/v1/me/records/{number}")).await.json();
    let expected = json!({
        "number": number, "kind": "purchase", "way": "out", "amount_fen": 1200, "state": "from_purse",
        "merchant": { "zh": "第一食堂", "en": "Canteen No. 1" }, "at": "2026-11-23T12:31:05+08:00",
        "month": "2026-11", "order": null, "transaction": null, "made_at": null, "paid_at": null,
        "credited_at": null, "on_card_at": null, "refunded_at": null, "cause": null,
        "place": { "zh": "第一食堂 3 号窗", "en": "Canteen 1, window 3" }, "terminal": "000001", "source": "card",
        "card": "2026000000000042", "card_debited_at": "2026-11-23T12:31:00+08:00", "card_after_fen": 1800,
    });
    assert_eq!(sale, expected);
    let page = browser.get(&format!("/me/records/{number}")).await;
    for part in ["第一食堂 3 号窗", "000001", "¥18.00", "2026-11-23 12:31:00"] {
        page.says(part);
    }
    for nobody_s in ["1", "nothing", "261122123005000112345678", &"0".repeat(32)] {
        let answer = browser.get(&format!("/api/v1/me/records/{nobody_s}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (404, Some("NOT_FOUND")), "{nobody_s}");
    }
}

#[tokio::test]
async fn r22_a_program_is_told_how_much_may_be_topped_up_before_it_orders() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await.known_to_wechat().await;
    let room = browser.get("/api/v1/me/topup").await.json();
    let preset = |amount_fen: i64, allowed: bool| json!({ "amount_fen": amount_fen, "allowed": allowed });
    let presets = [preset(5_000, true), preset(10_000, true), preset(20_000, true), preset(50_000, true)];
    let expected = json!({
        "least_fen": 100, "most_fen": 100_000, "per_order_fen": 100_000, "kept_fen": 0, "closed": null,
        "waits_for_card": true, "presets": presets,
    });
    assert_eq!(room, expected);
    assert_eq!(ordered(&mut browser, "whole", 100_000).await.status, StatusCode::CREATED);
    let room = browser.get("/api/v1/me/topup").await.json();
    assert_eq!(room["kept_fen"], 100_000, "until it is paid or ends");
    let most = room["most_fen"].as_i64().expect("fen");
    for preset in room["presets"].as_array().expect("a list") {
        assert_eq!(preset["allowed"].as_bool(), preset["amount_fen"].as_i64().map(|fen| fen <= most), "{room}");
    }

    rig.person("2026010199", "赵六", "E20260099").await;
    let mut without = Browser::signed_in(&rig, "2026010199", "260099").await.known_to_wechat().await;
    let room = without.get("/api/v1/me/topup").await.json();
    assert_eq!(room["most_fen"], 0);
    let refused = ordered(&mut without, "k", 5_000).await.json();
    for name in ["code", "zh", "en"] {
        assert_eq!(room["closed"][name], refused[name], "what an order is refused with");
    }
    assert!(room["presets"].as_array().expect("a list").iter().all(|preset| preset["allowed"] == false));
}

async fn ordered(browser: &mut Browser, key: &str, fen: i64) -> Answer {
    send(browser, "/api/v1/me/topup", key, format!(r#"{{"amount_fen": {fen}}}"#)).await
}

async fn send(browser: &mut Browser, path: &str, key: &str, body: String) -> Answer {
    let headers = [("origin", BASE), ("content-type", "application/json"), ("idempotency-key", key)];
    browser.send(Method::POST, path, &headers, body).await
}

#[tokio::test]
async fn r67_a_program_that_says_paid_makes_the_provider_be_asked_at_once() {
    let rig = Rig::new();
    rig.holder().await;
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await.known_to_wechat().await;
    let number = ordered(&mut browser, "k", 5_000).await.json()["number"].as_str().expect("a number").to_owned();
    let check = format!("/api/v1/me/orders/{number}/check");
    browser.get(&format!("/pay/{number}")).await;
    for _ in 0..2 {
        let asked = send(&mut browser, &check, "ask", String::new()).await;
        assert_eq!((asked.status, asked.json()["place"].as_str()), (StatusCode::OK, Some("not_paid")));
        assert_eq!(asked.header("idempotency-replayed"), "", "nothing has changed: it is asked anew");
    }
    *rig.provider.says.lock().expect("one test") = Some(Ok(Trade::Paid(Payment {
        order: number.clone(),
        transaction: "4200001".into(),
        amount: Fen::new(5_000),
        currency: "CNY".into(),
        paid_at: rig.school.now(),
    })));
    let paid = send(&mut browser, &check, "ask", String::new()).await;
    assert_eq!(paid.json()["place"], "waiting_for_card");
    assert_eq!(paid.json(), browser.get(&format!("/api/v1/me/orders/{number}")).await.json());
    let again = send(&mut browser, &check, "ask", String::new()).await;
    assert_eq!((again.header("idempotency-replayed"), again.text()), ("true", paid.text()));
    let nobody_s = send(&mut browser, "/api/v1/me/orders/261122123005000112345678/check", "n", String::new()).await;
    assert_eq!((nobody_s.status, nobody_s.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("NOT_FOUND")));
}
