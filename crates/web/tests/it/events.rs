//! Events for programs of the school: asked for with a token of the school's, in order, from any place on.

use axum::http::{Method, StatusCode};
use flows::credential;
use rules::credential::{Scope, Subject, Wish, text};
use serde_json::Value;

use crate::browser::{Answer, Browser};
use crate::rig::Rig;

async fn token(rig: &Rig, scopes: &[Scope]) -> String {
    let secret: [u8; 32] = rig.school.random();
    let wish = Wish { subject: Subject::School, name: "data centre".to_owned(), scopes: scopes.to_vec(), days: 30 };
    credential::make(&rig.school, wish, &secret).await.expect("a right wish");
    format!("Bearer {}", text(&secret))
}

async fn ask(rig: &Rig, bearer: &str, query: &str) -> Answer {
    let path = format!("/api/v1/events{query}");
    Browser::new(rig).send(Method::GET, &path, &[("authorization", bearer)], "").await
}

fn ids(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().expect("events");
    events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn events_are_told_in_order_from_the_place_that_a_program_names_and_show_numbers_to_who_may_have_them() {
    let rig = Rig::new();
    let person = rig.holder().await;
    let (plain, whole) = (token(&rig, &[Scope::EventsRead]).await, token(&rig, &Scope::SCHOOL).await);
    let none = ask(&rig, &plain, "").await.json();
    assert_eq!((ids(&none).len(), none["cursor"].as_str(), none["more"].as_bool()), (0, Some("1-0"), Some(false)));
    for _ in 0..3 {
        let order = rig.order(person, "50").await;
        rig.pay(order, 5_000).await;
    }
    let all = ask(&rig, &whole, "").await.json();
    assert_eq!(ids(&all), ["1-1", "1-2", "1-3"]);
    let first = &all["events"][0];
    assert_eq!((first["type"].as_str(), first["amount_fen"].as_i64()), (Some("topup.credited"), Some(5_000)));
    assert_eq!(first["person_number"], "2026010101");
    let masked = ask(&rig, &plain, "?limit=2").await.json();
    assert_eq!((ids(&masked), masked["more"].as_bool()), (vec!["1-1".to_owned(), "1-2".to_owned()], Some(true)));
    assert_eq!(masked["events"][0]["person_number"], Value::Null);
    let rest = ask(&rig, &plain, "?after=1-2").await.json();
    assert_eq!((ids(&rest), rest["cursor"].as_str()), (vec!["1-3".to_owned()], Some("1-3")));
    let sales = ask(&rig, &plain, "?types=purchase.paid,refund.held").await.json();
    assert_eq!((ids(&sales).len(), sales["cursor"].as_str()), (0, Some("1-3")), "passed over");
    for wrong in ["?after=1-4", "?after=2-0", "?after=x", "?limit=0", "?limit=101", "?types=money", "?limit=x"] {
        assert_eq!(ask(&rig, &plain, wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
