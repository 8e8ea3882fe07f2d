use axum::http::{HeaderValue, StatusCode};

use crate::merchant::{Merchant, Signing};

const ORDERS: &str = "/v3/pay/transactions/jsapi";

async fn refused(merchant: &Merchant, signing: &Signing) -> (u16, String) {
    let body = merchant.order("SIGN000001").to_string();
    let answer = merchant.send(merchant.request("POST", ORDERS, &body, signing)).await;
    // A refusal is signed like any other answer.
    merchant.check_signature(&answer.headers, &answer.body);
    answer.refusal()
}

fn sign_error() -> (u16, String) {
    (401, "SIGN_ERROR".into())
}

#[tokio::test]
async fn a_well_signed_call_is_let_through_and_the_answer_is_signed() {
    let merchant = Merchant::new();
    let answer = merchant.create(&merchant.order("SIGN000001")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!merchant.platform_signed(&answer.headers, b"{\"prepay_id\":\"another\"}"));
}

#[tokio::test]
async fn a_timestamp_more_than_five_minutes_away_is_refused() {
    let merchant = Merchant::new();
    let now = merchant.clock.now().seconds();
    for (away, expected) in [(300, true), (-300, true), (301, false), (-301, false), (86_400, false)] {
        let signing = Signing { timestamp: (now + away).to_string(), ..merchant.signing() };
        let body = merchant.order("SIGN000002").to_string();
        let answer = merchant.send(merchant.request("POST", ORDERS, &body, &signing)).await;
        assert_eq!(answer.status == StatusCode::OK, expected, "{away} s away");
        assert!(expected || answer.refusal() == sign_error(), "{away} s away");
    }
    let signing = Signing { timestamp: "soon".into(), ..merchant.signing() };
    assert_eq!(refused(&merchant, &signing).await, sign_error());
}

#[tokio::test]
async fn an_unknown_serial_or_merchant_is_refused() {
    let merchant = Merchant::new();
    let signing = merchant.signing();
    let serial = Signing { serial: "4F".repeat(20), ..signing.clone() };
    assert_eq!(refused(&merchant, &serial).await, sign_error());
    let mchid = Signing { mchid: "1900999999".into(), ..signing.clone() };
    assert_eq!(refused(&merchant, &mchid).await, sign_error());
    let lower_case = Signing { serial: signing.serial.to_ascii_lowercase(), ..signing };
    assert_eq!(refused(&merchant, &lower_case).await.0, 200);
}

#[tokio::test]
async fn what_was_signed_is_what_must_arrive() {
    let merchant = Merchant::new();
    let body = merchant.order("SIGN000003").to_string();
    let signing = merchant.signing();
    let good = || merchant.request("POST", ORDERS, &body, &signing);
    assert_eq!(merchant.send(good()).await.status, StatusCode::OK);

    let mut other_body = good();
    *other_body.body_mut() = body.replace("5000", "5001").into();
    assert_eq!(merchant.send(other_body).await.refusal(), sign_error());

    let mut other_nonce = good();
    let header = other_nonce.headers()["authorization"].to_str().expect("ASCII").replace("5K8264", "5K8265");
    other_nonce.headers_mut().insert("authorization", HeaderValue::from_str(&header).expect("ASCII"));
    assert_eq!(merchant.send(other_nonce).await.refusal(), sign_error());

    let number = "/v3/pay/transactions/out-trade-no/SIGN000003";
    let query = format!("{number}?mchid={}", merchant.side.mchid);
    let mut other_query = merchant.request("GET", &query, "", &signing);
    *other_query.uri_mut() = format!("{query}&x=1").parse().expect("a target");
    assert_eq!(merchant.send(other_query).await.refusal(), sign_error());

    let mut other_method = merchant.request("POST", &query, "", &signing);
    *other_method.method_mut() = axum::http::Method::GET;
    assert_eq!(merchant.send(other_method).await.refusal(), sign_error());
}

#[tokio::test]
async fn an_unsigned_or_unreadable_call_is_refused() {
    let merchant = Merchant::new();
    for header in [None, Some("Bearer x"), Some("WECHATPAY2-SHA256-RSA2048 mchid=\"1\"")] {
        let mut request = merchant.request("GET", "/v3/pay/transactions/id/1?mchid=1", "", &merchant.signing());
        request.headers_mut().remove("authorization");
        if let Some(header) = header {
            request.headers_mut().insert("authorization", HeaderValue::from_static(header));
        }
        assert_eq!(merchant.send(request).await.refusal(), sign_error(), "{header:?}");
    }
    let signing = Signing { nonce: "n".repeat(33), ..merchant.signing() };
    assert_eq!(refused(&merchant, &signing).await, sign_error());
}

#[tokio::test]
async fn each_header_that_the_platform_wants_is_wanted_here() {
    let merchant = Merchant::new();
    let body = merchant.order("SIGN000004").to_string();
    for name in ["accept", "user-agent", "content-type", "wechatpay-serial"] {
        let mut request = merchant.request("POST", ORDERS, &body, &merchant.signing());
        request.headers_mut().remove(name);
        assert_eq!(merchant.send(request).await.refusal(), (400, "PARAM_ERROR".into()), "without {name}");
    }
    let mut request = merchant.request("POST", ORDERS, &body, &merchant.signing());
    request
        .headers_mut()
        .insert("wechatpay-serial", HeaderValue::from_static("PUB_KEY_ID_0000000000000000000000000001"));
    assert_eq!(merchant.send(request).await.refusal(), (400, "PARAM_ERROR".into()));
}

#[tokio::test]
async fn a_204_signs_nothing_but_the_last_line_feed() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("SIGN000005")).await;
    let answer = merchant.close("SIGN000005").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.body.is_empty());
    assert!(merchant.platform_signed(&answer.headers, b""));
    assert!(!merchant.platform_signed(&answer.headers, b"{}"));
}

#[tokio::test]
async fn a_body_beyond_any_request_is_refused_unread() {
    let merchant = Merchant::new();
    let answer = merchant.call("POST", ORDERS, &"x".repeat(64 * 1024 + 1)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_address_that_the_sandbox_lacks_is_told_so_and_signed() {
    let merchant = Merchant::new();
    let answer = merchant.call("POST", "/v3/pay/transactions/facepay", "{}").await;
    assert_eq!(answer.refusal(), (404, "RESOURCE_NOT_EXISTS".into()));
}
