//! Payment notices over HTTP: what the provider is answered (R18, R20; decision table of payments, rows 1 to 9).

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::browser::{Answer, Browser};
use crate::rig::Rig;

async fn deliver(rig: &Rig, body: impl Into<Body>) -> Answer {
    Browser::new(rig).send(Method::POST, "/notify/wechat", &[("wechatpay-serial", "PUB_KEY_ID_1")], body).await
}

#[tokio::test]
async fn r18_a_hundred_copies_at_once_are_all_taken_and_credit_once() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    let copies: Vec<_> = (0..100)
        .map(|_| {
            let (app, body) = (Browser::new(&rig), format!("{order} 4200001 5000 CNY"));
            let mut app = app;
            tokio::spawn(async move { app.send(Method::POST, "/notify/wechat", &[], body).await })
        })
        .collect();
    for copy in copies {
        let answer = copy.await.expect("no panic");
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::NO_CONTENT, ""));
        assert_eq!(answer.header("set-cookie"), "");
    }
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    assert_eq!(browser.get("/api/v1/me").await.json()["waiting"]["amount_fen"], 5_000);
}

#[tokio::test]
async fn r20_what_is_not_believed_is_refused_and_what_is_doubtful_is_kept_aside() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    let table = [
        ("stale".to_owned(), StatusCode::UNAUTHORIZED),
        ("serial".to_owned(), StatusCode::UNAUTHORIZED),
        ("signature".to_owned(), StatusCode::UNAUTHORIZED),
        ("sealed".to_owned(), StatusCode::BAD_REQUEST),
        ("foreign".to_owned(), StatusCode::FORBIDDEN),
        ("".to_owned(), StatusCode::BAD_REQUEST),
        (format!("{order} 4200001 9900 CNY"), StatusCode::NO_CONTENT),
        (format!("{order} 4200002 5000 USD"), StatusCode::NO_CONTENT),
        ("261123123005000199999999 4200003 5000 CNY".to_owned(), StatusCode::NO_CONTENT),
    ];
    for (body, status) in table {
        let answer = deliver(&rig, body.clone()).await;
        assert_eq!(answer.status, status, "{body:?}");
        if status != StatusCode::NO_CONTENT {
            assert_eq!(answer.json()["code"], "FAIL", "{body:?}");
            assert!(answer.json()["message"].is_string());
        }
    }
    let large = deliver(&rig, vec![b'x'; 64 * 1024 + 1]).await;
    assert_eq!((large.status, large.json()["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("FAIL")));
    let mut browser = Browser::signed_in(&rig, "2026010101", "260042").await;
    let me = browser.get("/api/v1/me").await.json();
    assert_eq!(me["total_fen"], 0, "nothing of all this was credited");
}

#[tokio::test]
async fn row_12_a_notice_that_cannot_be_settled_now_is_asked_for_again() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let order = rig.order(person, "50").await;
    rig.school.door.close();
    let answer = deliver(&rig, format!("{order} 4200001 5000 CNY")).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::INTERNAL_SERVER_ERROR, Some("FAIL")));
}
