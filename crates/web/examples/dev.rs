//! temporary
#![allow(missing_docs, dead_code)]
#[path = "../tests/it/browser.rs"]
mod browser;
#[path = "../tests/it/hand.rs"]
mod hand;
#[path = "../tests/it/rig.rs"]
mod rig;

use axum::extract::{Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use std::collections::BTreeMap;
use std::sync::Arc;

#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let b2 = base.clone();
    let rig = rig::Rig::with(|config| {
        config.base_url = base.clone();
        config.cashier = Some(format!("{base}/sandbox"));
        config.demo_link = Some("/demo".into());
        let auth = base.clone();
        config.wechat_authorize = Arc::new(move |back, state| format!("{auth}/sandbox/authorize?back={back}&state={state}"));
    });
    let person = rig.holder().await;
    rig.other().await;
    let rig = Arc::new((rig, person));
    let app = rig.0.app.clone();
    let extra = axum::Router::new()
        .route("/sandbox/authorize", get(|Query(q): Query<BTreeMap<String, String>>| async move {
            Redirect::to(&format!("{}?code=abc{}&state={}", q["back"], q["state"], q["state"]))
        }))
        .route("/dev/pay/{no}/{fen}", post(|State(rig): State<Arc<(rig::Rig, rules::ids::PersonId)>>, axum::extract::Path((no, fen)): axum::extract::Path<(String, i64)>| async move {
            rig.0.pay(rules::ids::OrderNo::parse(&no).unwrap(), fen).await; "ok"
        }))
        .route("/dev/hold", post(|State(rig): State<Arc<(rig::Rig, rules::ids::PersonId)>>| async move { with_hand(&rig.0, |h, s| Box::pin(async move { h.hold(&s).await; })).await }))
        .route("/dev/pull", post(|State(rig): State<Arc<(rig::Rig, rules::ids::PersonId)>>| async move { with_hand(&rig.0, |h, s| Box::pin(async move { h.pull_away(&s).await; })).await }))
        .route("/dev/buy/{fen}", post(|State(rig): State<Arc<(rig::Rig, rules::ids::PersonId)>>, axum::extract::Path(fen): axum::extract::Path<u32>| async move { with_hand(&rig.0, move |h, s| Box::pin(async move { h.buy(&s, fen).await; })).await }))
        .route("/dev/ask/{fen}", post(|State(rig): State<Arc<(rig::Rig, rules::ids::PersonId)>>, axum::extract::Path(fen): axum::extract::Path<u32>| async move { with_hand(&rig.0, move |h, s| Box::pin(async move { h.ask(&s, fen).await; })).await }))
        .route("/dev/advance/{seconds}", post(|State(rig): State<Arc<(rig::Rig, rules::ids::PersonId)>>, axum::extract::Path(seconds): axum::extract::Path<i64>| async move { rig.0.advance(seconds); "ok" }))
        .with_state(rig.clone());
    let _ = b2;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    println!("ready");
    axum::serve(listener, app.merge(extra)).await.unwrap();
}

type Fut<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
async fn with_hand(rig: &rig::Rig, f: impl for<'a> FnOnce(&'a mut hand::Hand, flows::School) -> Fut<'a>) -> &'static str {
    f(&mut *rig.hand.lock().await, rig.school.clone()).await;
    "ok"
}
