//! Which key signs: the public key, a platform certificate, both during a switch; and probes.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;

use crate::merchant::{Answer, Merchant, setup};
use crate::receiver::Receiver;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).expect("a header").to_str().expect("ASCII")
}

/// A signed query that names this key, or none.
fn query(merchant: &Merchant, named: Option<&str>) -> Request<Body> {
    let target = format!("/v3/pay/transactions/out-trade-no/ROTATION01?mchid={}", merchant.side.mchid);
    let mut request = merchant.request("GET", &target, "", &merchant.signing());
    request.headers_mut().remove("wechatpay-serial");
    if let Some(name) = named {
        request.headers_mut().insert("wechatpay-serial", HeaderValue::from_str(name).expect("ASCII"));
    }
    request
}

/// Whether the key in this certificate signed the body.
fn signed_by(certificate: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let (_, pem) = parse_x509_pem(certificate).expect("PEM");
    let certificate = pem.parse_x509().expect("a certificate");
    let (time, nonce) = (header(headers, "wechatpay-timestamp"), header(headers, "wechatpay-nonce"));
    let message = [format!("{time}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
    let signature = STANDARD.decode(header(headers, "wechatpay-signature")).expect("Base64");
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.public_key().raw);
    key.verify(&message, &signature).is_ok()
}

/// The certificates that a merchant without a public key fetches, by serial number, each opened with the APIv3 key.
async fn certificates(merchant: &Merchant) -> (BTreeMap<String, Vec<u8>>, Answer) {
    let mut request = merchant.request("GET", "/v3/certificates", "", &merchant.signing());
    request.headers_mut().remove("wechatpay-serial");
    let answer = merchant.send(request).await;
    let list = answer.json()["data"].as_array().cloned().unwrap_or_default();
    let opened = list.iter().map(|item| {
        let sealed = &item["encrypt_certificate"];
        assert_eq!(sealed["associated_data"], "certificate");
        (item["serial_no"].as_str().expect("a serial").to_owned(), merchant.open_bytes(sealed).expect("the seal"))
    });
    (opened.collect(), answer)
}

async fn set(merchant: &Merchant, switch: &str, mode: &str) {
    merchant.switch(&json!({ "switch": switch, "mode": mode, "number": 50 })).await;
}

#[tokio::test]
async fn a_merchant_of_the_public_key_has_no_certificates() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ROTATION01")).await;
    let answer = merchant.call("GET", "/v3/certificates", "").await;
    assert_eq!(answer.refusal(), (404, "RESOURCE_NOT_EXISTS".into()));
    assert_eq!(merchant.send(query(&merchant, None)).await.refusal(), (400, "PARAM_ERROR".into()));
}

#[tokio::test]
async fn a_merchant_of_certificates_fetches_them_and_checks_every_answer_with_one() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ROTATION01")).await;
    set(&merchant, "keys", "certificate").await;
    let (known, answer) = certificates(&merchant).await;
    assert_eq!(known.len(), 1);
    let serial = header(&answer.headers, "wechatpay-serial").to_owned();
    assert!(signed_by(&known[&serial], &answer.headers, &answer.body));

    for named in [None, Some(serial.as_str())] {
        let answer = merchant.send(query(&merchant, named)).await;
        assert_eq!(answer.status, StatusCode::OK, "{named:?}");
        assert!(signed_by(&known[&serial], &answer.headers, &answer.body));
    }
    let key = merchant.side.platform_key_id.clone();
    assert_eq!(merchant.send(query(&merchant, Some(&key))).await.refusal(), (400, "PARAM_ERROR".into()));
}

#[tokio::test]
async fn certificates_change_one_after_the_other() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ROTATION01")).await;
    set(&merchant, "keys", "certificate").await;
    let mut signers = Vec::new();
    for (mode, count) in [("first", 1), ("first_of_two", 2), ("second_of_two", 2), ("second", 1)] {
        set(&merchant, "certificates", mode).await;
        let (known, answer) = certificates(&merchant).await;
        assert_eq!(known.len(), count, "{mode}");
        let serial = header(&answer.headers, "wechatpay-serial").to_owned();
        assert!(signed_by(&known[&serial], &answer.headers, &answer.body), "{mode}");
        signers.push(serial);
    }
    assert_eq!(signers[0], signers[1]);
    assert_eq!(signers[2], signers[3]);
    assert_ne!(signers[0], signers[2]);
    // The retired one is not known any more.
    assert_eq!(merchant.send(query(&merchant, Some(&signers[0]))).await.refusal(), (400, "PARAM_ERROR".into()));
}

#[tokio::test]
async fn during_a_switch_answers_follow_the_request_and_notices_are_mixed() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[]).await);
    merchant.created(&merchant.order("ROTATION01")).await;
    set(&merchant, "keys", "both").await;
    let (known, _) = certificates(&merchant).await;
    let serial = known.keys().next().expect("a certificate").clone();
    let key = merchant.side.platform_key_id.clone();
    for (named, expected) in [(None, &serial), (Some(&serial), &serial), (Some(&key), &key)] {
        let answer = merchant.send(query(&merchant, named.map(String::as_str))).await;
        assert_eq!(header(&answer.headers, "wechatpay-serial"), expected);
    }
    let mut by_key = 0;
    for number in 0..10 {
        let mut order = merchant.order(&format!("ROTATION1{number}"));
        order["notify_url"] = json!(receiver.address);
        merchant.created(&order).await;
        merchant.pay(&format!("ROTATION1{number}")).await;
        merchant.sandbox.deliver_due().await;
        let arrival = receiver.next().await;
        if header(&arrival.headers, "wechatpay-serial") == key {
            merchant.check_signature(&arrival.headers, &arrival.body);
            by_key += 1;
        } else {
            assert!(signed_by(&known[&serial], &arrival.headers, &arrival.body));
        }
    }
    assert_eq!(by_key, 5, "half of the notices, as the percentage says");
}

#[tokio::test]
async fn a_sandbox_without_certificates_refuses_to_switch_to_them() {
    let mut without = setup();
    without.wechat.platform_certificates.clear();
    let merchant = Merchant::with(without);
    for (switch, mode) in [("keys", "certificate"), ("keys", "both"), ("certificates", "second")] {
        let asked = json!({ "switch": switch, "mode": mode, "number": 1 });
        let answer = merchant.post_json("/control/switch", &asked).await;
        assert_eq!((answer.status, answer.json()["error"].clone()), (StatusCode::CONFLICT, json!("no_certificates")));
    }
}

#[tokio::test]
async fn a_probe_comes_before_the_notice_and_is_sent_once() {
    let (merchant, mut receiver) = (Merchant::new(), Receiver::answering(&[401, 204]).await);
    merchant.switch(&json!({ "switch": "probe", "mode": "notices", "scope": "next" })).await;
    let mut order = merchant.order("ROTATION02");
    order["notify_url"] = json!(receiver.address);
    merchant.created(&order).await;
    merchant.pay("ROTATION02").await;
    assert_eq!(merchant.sandbox.deliver_due().await, 2);
    let arrivals = [receiver.next().await, receiver.next().await];
    let probes =
        arrivals.iter().filter(|one| header(&one.headers, "wechatpay-signature").starts_with("WECHATPAY/SIGNTEST/"));
    assert_eq!(probes.count(), 1);
    merchant.clock.forward(86_400);
    let record = merchant.record_of("ROTATION02").await;
    let probe =
        record["notices"].as_array().expect("notices").iter().find(|one| one["probe"] == true).expect("a probe");
    assert_eq!(probe["attempts"].as_array().map(Vec::len), Some(1));
    assert!(probe["next_at"] == Value::Null, "{probe}");
}

#[tokio::test]
async fn a_probed_answer_cannot_be_verified() {
    let merchant = Merchant::new();
    merchant.created(&merchant.order("ROTATION01")).await;
    merchant.switch(&json!({ "switch": "probe", "mode": "answers", "scope": "next", "times": 1 })).await;
    let key = merchant.side.platform_key_id.clone();
    let answer = merchant.send(query(&merchant, Some(&key))).await;
    assert!(header(&answer.headers, "wechatpay-signature").starts_with("WECHATPAY/SIGNTEST/"));
    let good = merchant.send(query(&merchant, Some(&key))).await;
    assert!(merchant.platform_signed(&good.headers, &good.body));
}
