//! The merchant of these tests: it signs calls and opens answers with code of its own, written from the protocol.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::Micros;
use sandbox::{Choice, KeySet, MerchantSide, Sandbox, Setup, generate};
use serde_json::{Value, json};
use tower::ServiceExt;

/// 2026-11-22T12:30:05+08:00
pub(crate) const START: i64 = 1_795_321_805;
pub(crate) const RETURN_HOST: &str = "127.0.0.1:8080";

/// One set of keys for all tests: making RSA keys takes a good part of a second.
fn key_set() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| {
        let choice = Choice {
            address: "http://127.0.0.1:8081".into(),
            folder: None,
            retry_speed: 1,
            allowed_redirect_hosts: vec![RETURN_HOST.into()],
            merchant_name: "示范大学一卡通".into(),
        };
        generate(&choice, Micros::from_seconds(START)).expect("keys")
    })
}

pub(crate) fn setup() -> Setup {
    key_set().setup.clone()
}

/// A clock that a test moves.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn at(moment: Micros) -> HandClock {
        HandClock(Arc::new(AtomicI64::new(moment.get())))
    }

    pub(crate) fn now(&self) -> Micros {
        Micros::new(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

pub(crate) struct Merchant {
    pub(crate) sandbox: Sandbox,
    pub(crate) router: Router,
    pub(crate) clock: HandClock,
    pub(crate) side: MerchantSide,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().expect("ASCII")
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// The values of an `Authorization` header; a test spoils one of them.
#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) mchid: String,
    pub(crate) serial: String,
    pub(crate) timestamp: String,
    pub(crate) nonce: String,
}

impl Merchant {
    pub(crate) fn new() -> Merchant {
        Merchant::with(setup())
    }

    pub(crate) fn with(setup: Setup) -> Merchant {
        Merchant::on_clock(setup, HandClock::at(Micros::from_seconds(START)))
    }

    pub(crate) fn on_clock(setup: Setup, clock: HandClock) -> Merchant {
        let hand = clock.clone();
        let sandbox = Sandbox::with_clock(setup, move || hand.now()).expect("a sandbox");
        Merchant { router: sandbox.router(), sandbox, clock, side: key_set().merchant.clone() }
    }

    pub(crate) fn signing(&self) -> Signing {
        Signing {
            mchid: self.side.mchid.clone(),
            serial: self.side.merchant_serial.clone(),
            timestamp: self.clock.now().seconds().to_string(),
            nonce: "5K8264ILTKCH16CQ2502SI8ZNMTM67VS".into(),
        }
    }

    /// Signs `message` with the merchant's private key.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let key = RsaKeyPair::from_pkcs8(&der(&self.side.merchant_private_key_pem)).expect("a key");
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("signed");
        STANDARD.encode(signature)
    }

    pub(crate) fn request(&self, method: &str, target: &str, body: &str, signing: &Signing) -> Request<Body> {
        let Signing { mchid, serial, timestamp, nonce } = signing;
        let signature = self.sign(format!("{method}\n{target}\n{timestamp}\n{nonce}\n{body}\n").as_bytes());
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{mchid}\",nonce_str=\"{nonce}\",signature=\"{signature}\",\
             timestamp=\"{timestamp}\",serial_no=\"{serial}\""
        );
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", authorization)
            .header("accept", "application/json")
            .header("user-agent", "test")
            .header("wechatpay-serial", &self.side.platform_key_id);
        let request = if method == "POST" { request.header("content-type", "application/json") } else { request };
        request.body(Body::from(body.to_owned())).expect("a request")
    }

    /// Sends a request as it is and returns the answer unproved.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A signed call; the answer's own signature is checked each time.
    pub(crate) async fn call(&self, method: &str, target: &str, body: &str) -> Answer {
        let answer = self.send(self.request(method, target, body, &self.signing())).await;
        self.check_signature(&answer.headers, &answer.body);
        assert_eq!(answer.header("request-id").len(), 32);
        answer
    }

    /// Panics unless the platform signed `body` with these headers within five minutes.
    pub(crate) fn check_signature(&self, headers: &HeaderMap, body: &[u8]) {
        assert!(self.platform_signed(headers, body), "the platform's signature does not hold");
    }

    pub(crate) fn platform_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).expect("a signature header").to_str().expect("ASCII").to_owned();
        assert_eq!(text("wechatpay-serial"), self.side.platform_key_id);
        assert_eq!(text("wechatpay-signature-type"), "WECHATPAY2-SHA256-RSA2048");
        let timestamp: i64 = text("wechatpay-timestamp").parse().expect("seconds");
        assert!((self.clock.now().seconds() - timestamp).abs() <= 300, "stale: {timestamp}");

        let message = [format!("{timestamp}\n{}\n", text("wechatpay-nonce")).as_bytes(), body, b"\n"].concat();
        let signature = STANDARD.decode(text("wechatpay-signature")).expect("Base64");
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der(&self.side.platform_public_key_pem));
        key.verify(&message, &signature).is_ok()
    }

    /// Opens the sealed resource of a notice.
    pub(crate) fn open(&self, resource: &Value) -> Result<Value, ()> {
        self.open_bytes(resource).map(|plain| serde_json::from_slice(&plain).expect("JSON"))
    }

    /// Opens whatever was sealed under the APIv3 key.
    pub(crate) fn open_bytes(&self, resource: &Value) -> Result<Vec<u8>, ()> {
        let text = |name: &str| resource[name].as_str().expect("text");
        assert_eq!(text("algorithm"), "AEAD_AES_256_GCM");
        let key = UnboundKey::new(&AES_256_GCM, self.side.apiv3_key.as_bytes()).expect("32 bytes");
        let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).expect("12 bytes");
        let mut sealed = STANDARD.decode(text("ciphertext")).expect("Base64");
        let plain = LessSafeKey::new(key).open_in_place(nonce, Aad::from(text("associated_data")), &mut sealed);
        plain.map(|plain| plain.to_vec()).map_err(|_| ())
    }

    /// The body of a create that the sandbox takes.
    pub(crate) fn order(&self, out_trade_no: &str) -> Value {
        json!({
            "appid": self.side.appid,
            "mchid": self.side.mchid,
            "description": "校园卡充值",
            "out_trade_no": out_trade_no,
            "notify_url": "http://127.0.0.1:9/notify",
            "amount": { "total": 5000, "currency": "CNY" },
            "payer": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" },
        })
    }

    pub(crate) async fn create(&self, order: &Value) -> Answer {
        self.call("POST", "/v3/pay/transactions/jsapi", &order.to_string()).await
    }

    /// Creates an order and returns its prepay number.
    pub(crate) async fn created(&self, order: &Value) -> String {
        let answer = self.create(order).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["prepay_id"].as_str().expect("a prepay number").to_owned()
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answer {
        let target = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={}", self.side.mchid);
        self.call("GET", &target, "").await
    }

    pub(crate) async fn state_of(&self, out_trade_no: &str) -> String {
        self.query(out_trade_no).await.json()["trade_state"].as_str().expect("a state").to_owned()
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answer {
        let target = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}/close");
        self.call("POST", &target, &json!({ "mchid": self.side.mchid }).to_string()).await
    }

    /// What a browser gets.
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(Request::get(target).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post_form(&self, target: &str, form: &str) -> Answer {
        let request = Request::post(target).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).expect("a request")).await
    }

    pub(crate) async fn post_json(&self, target: &str, body: &Value) -> Answer {
        let request = Request::post(target).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// The operator pays in the payer's place.
    pub(crate) async fn pay(&self, out_trade_no: &str) -> Answer {
        self.post_json("/control/pay", &json!({ "provider": "wechat", "out_trade_no": out_trade_no })).await
    }

    /// The operator's record of one order.
    pub(crate) async fn record_of(&self, out_trade_no: &str) -> Value {
        let state = self.get("/control/state").await.json();
        let orders = state["orders"].as_array().expect("orders").clone();
        orders.into_iter().find(|order| order["out_trade_no"] == out_trade_no).expect("the order")
    }
}

/// The bytes inside a PEM text.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(lines).expect("Base64")
}
