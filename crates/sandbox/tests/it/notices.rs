use std::time::Duration;

use sandbox::{Clock, Sandbox, Setup, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::merchant::{HandClock, Merchant, setup};
use crate::receiver::Receiver;

/// Seconds between the tries, as the platform publishes them.
const SCHEDULE: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// An order whose notices go to `receiver`, paid.
async fn paid(merchant: &Merchant, number: &str, receiver: &Receiver) {
    let mut order = merchant.order(number);
    order["notify_url"] = json!(receiver.address);
    merchant.created(&order).await;
    assert_eq!(merchant.pay(number).await.status, 200);
}

async fn switch(merchant: &Merchant, to: Value) {
    let answer = merchant.post_json("/control/notice", &to).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn notices(merchant: &Merchant, number: &str) -> Vec<Value> {
    merchant.record_of(number).await["notices"].as_array().expect("notices").clone()
}

#[tokio::test]
async fn a_payment_is_notified_sealed_and_signed() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[204]).await);
    paid(&merchant, "NOTICE001", &receiver).await;
    assert_eq!(merchant.sandbox.deliver_due().await, 1);

    let arrival = receiver.next().await;
    assert_eq!(arrival.headers["content-type"], "application/json");
    let notice = arrival.json();
    assert_eq!(notice["event_type"], "TRANSACTION.SUCCESS");
    assert_eq!(notice["resource_type"], "encrypt-resource");
    assert_eq!(notice["resource"]["original_type"], "transaction");
    assert_eq!(notice["create_time"], "2026-11-22T12:30:05+08:00");
    // What is sealed is what a query tells.
    assert_eq!(arrival.proved(&merchant), merchant.query("NOTICE001").await.json());

    let mut spoiled = notice["resource"].clone();
    spoiled["associated_data"] = json!("refund");
    assert!(merchant.open(&spoiled).is_err());

    let record = notices(&merchant, "NOTICE001").await;
    assert_eq!(record[0]["state"], "delivered");
    assert_eq!(record[0]["attempts"][0]["status"], 204);
    assert_eq!(record[0]["id"], notice["id"]);
    merchant.clock.forward(86_400);
    assert_eq!(merchant.sandbox.deliver_due().await, 0, "a delivered notice is sent again");
}

#[tokio::test]
async fn a_notice_is_repeated_until_it_is_taken() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[500, 302, 201, 401, 200]).await);
    paid(&merchant, "NOTICE002", &receiver).await;

    let mut ids = Vec::new();
    for wait in [0, 15, 15, 30, 180] {
        merchant.clock.forward(wait - 1);
        assert_eq!(merchant.sandbox.deliver_due().await, 0, "before {wait} s");
        merchant.clock.forward(1);
        assert_eq!(merchant.sandbox.deliver_due().await, 1);
        let arrival = receiver.next().await;
        // Each try is signed anew, so the fifth is not stale either.
        assert_eq!(arrival.proved(&merchant)["out_trade_no"], "NOTICE002");
        ids.push(arrival.json()["id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "a repeated notice keeps its number");
    let record = notices(&merchant, "NOTICE002").await;
    let statuses: Vec<_> = record[0]["attempts"].as_array().expect("tries").iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [500, 302, 201, 401, 200]);
    assert_eq!(record[0]["state"], "delivered");
}

#[tokio::test]
async fn the_provider_gives_up_after_the_last_retry_of_its_schedule() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[500; 16]).await);
    paid(&merchant, "NOTICE003", &receiver).await;
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    for wait in SCHEDULE {
        assert_eq!(notices(&merchant, "NOTICE003").await[0]["state"], "waiting");
        merchant.clock.forward(wait - 1);
        assert_eq!(merchant.sandbox.deliver_due().await, 0, "before {wait} s");
        merchant.clock.forward(1);
        assert_eq!(merchant.sandbox.deliver_due().await, 1, "after {wait} s");
    }
    assert_eq!(notices(&merchant, "NOTICE003").await[0]["state"], "given_up");
    merchant.clock.forward(30 * 86_400);
    assert_eq!(merchant.sandbox.deliver_due().await, 0);
    for _ in 0..16 {
        receiver.next().await;
    }
    assert!(receiver.silent());
}

#[tokio::test]
async fn an_address_that_nobody_serves_is_tried_again() {
    let merchant = Merchant::new();
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let mut order = merchant.order("NOTICE004");
    order["notify_url"] = json!(format!("http://{port}/notify"));
    merchant.created(&order).await;
    merchant.pay("NOTICE004").await;
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    let record = notices(&merchant, "NOTICE004").await;
    assert_eq!(record[0]["attempts"][0]["error"], "no_connection");
    assert_eq!(record[0]["next_at"], "2026-11-22T12:30:20+08:00");
}

#[tokio::test]
async fn a_lost_notice_is_never_sent_and_the_order_is_paid() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    switch(&merchant, json!({ "mode": "lost" })).await;
    paid(&merchant, "NOTICE005", &receiver).await;
    switch(&merchant, json!({ "mode": "normal" })).await;

    merchant.clock.forward(2 * 86_400);
    assert_eq!(merchant.sandbox.deliver_due().await, 0);
    assert!(receiver.silent());
    assert_eq!(merchant.state_of("NOTICE005").await, "SUCCESS");
    assert_eq!(notices(&merchant, "NOTICE005").await[0]["state"], "lost");
}

#[tokio::test]
async fn a_late_notice_comes_when_it_is_due() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    switch(&merchant, json!({ "mode": "late", "seconds": 120 })).await;
    paid(&merchant, "NOTICE006", &receiver).await;

    merchant.clock.forward(119);
    assert_eq!(merchant.sandbox.deliver_due().await, 0);
    merchant.clock.forward(1);
    assert_eq!(merchant.sandbox.deliver_due().await, 1);
    let transaction = receiver.next().await.proved(&merchant);
    assert_eq!(transaction["success_time"], "2026-11-22T12:30:05+08:00");
}

#[tokio::test]
async fn a_doubled_notice_comes_twice_at_once_with_one_number() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    switch(&merchant, json!({ "mode": "twice" })).await;
    paid(&merchant, "NOTICE007", &receiver).await;
    assert_eq!(merchant.sandbox.deliver_due().await, 2);
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(first.proved(&merchant), second.proved(&merchant));
    assert_eq!(first.json()["id"], second.json()["id"]);
    assert!(receiver.silent());
}

#[tokio::test]
async fn a_switch_for_the_next_order_is_spent_by_it() {
    let (merchant, receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    switch(&merchant, json!({ "mode": "lost", "scope": "next" })).await;
    paid(&merchant, "NOTICE008", &receiver).await;
    // A repeated payment is no payment: it neither spends a switch nor sends anything.
    switch(&merchant, json!({ "mode": "lost", "scope": "next" })).await;
    merchant.pay("NOTICE008").await;
    paid(&merchant, "NOTICE009", &receiver).await;
    paid(&merchant, "NOTICE010", &receiver).await;

    let mut states = Vec::new();
    for number in ["NOTICE008", "NOTICE009", "NOTICE010"] {
        states.push(notices(&merchant, number).await[0]["state"].clone());
    }
    assert_eq!(states, ["lost", "lost", "waiting"]);
}

#[tokio::test]
async fn the_served_sandbox_sends_and_repeats_by_itself() {
    let mut receiver = Receiver::answering(&[500, 500, 204]).await;
    // A thousand times faster: retries after 15 ms.
    let fast = Setup { retry_speed: 1000, ..setup() };
    let sandbox = Sandbox::new(fast.clone()).expect("a sandbox");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let merchant = Merchant::on_clock(fast, HandClock::at(SystemClock.now()));
    let merchant = Merchant { router: sandbox.router(), sandbox: sandbox.clone(), ..merchant };
    let server = tokio::spawn(sandbox.serve(listener));

    paid(&merchant, "NOTICE011", &receiver).await;
    for _ in 0..3 {
        let arrival = tokio::time::timeout(Duration::from_secs(10), receiver.next()).await.expect("a notice in time");
        assert_eq!(arrival.proved(&merchant)["out_trade_no"], "NOTICE011");
    }
    server.abort();
    assert!(receiver.silent());
}
