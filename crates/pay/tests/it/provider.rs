//! A provider for one test: it proves every request of API v3 by hand, keeps what it saw, and answers by script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rsa::KeyPair as RsaPair;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::desk::{MCHID, MERCHANT, MERCHANT_SERIAL, NOW, PLATFORM, SERIAL, STRANGER, fits, sign};

/// One answer.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// Header lines, in order.
    pub headers: Vec<(&'static str, String)>,
}

pub const TIMESTAMP: &str = "Wechatpay-Timestamp";
pub const NONCE: &str = "Wechatpay-Nonce";
pub const SERIAL_HEADER: &str = "Wechatpay-Serial";
pub const SIGNATURE: &str = "Wechatpay-Signature";

impl Reply {
    pub fn unsigned(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, body: body.into(), headers: Vec::new() }
    }

    /// As the provider signs: now, with the key in use.
    pub fn signed(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply::signed_by(&PLATFORM, SERIAL, NOW, status, body)
    }

    pub fn signed_by(key: &RsaPair, serial: &str, at: i64, status: u16, body: impl Into<Vec<u8>>) -> Reply {
        let (body, nonce) = (body.into(), "fdasfdsafdsa");
        let signature = sign(key, &[format!("{at}\n{nonce}\n").as_bytes(), &body, b"\n"].concat());
        let headers = vec![
            ("Request-ID", "08F78BB5AF0610".to_owned()),
            (TIMESTAMP, at.to_string()),
            (NONCE, nonce.to_owned()),
            (SERIAL_HEADER, serial.to_owned()),
            (SIGNATURE, signature),
            ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
        ];
        Reply { status, body, headers }
    }

    pub fn fault(status: u16, code: &str) -> Reply {
        Reply::signed(status, format!(r#"{{"code":"{code}","message":"words","detail":{{"field":"x"}}}}"#))
    }

    pub fn forged(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply::signed_by(&STRANGER, SERIAL, NOW, status, body)
    }

    pub fn without(mut self, header: &str) -> Reply {
        self.headers.retain(|(name, _)| *name != header);
        self
    }

    pub fn with(mut self, header: &'static str, value: &str) -> Reply {
        self.headers.push((header, value.to_owned()));
        self
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    /// The only value of a header.
    pub fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).collect();
        assert_eq!(values.len(), 1, "{name} stands once in {:?}", self.headers);
        &values[0].1
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Checks the request's signature the way the provider does, and gives its nonce.
    pub fn proved(&self) -> String {
        let header = self.header("Authorization");
        let fields = header.strip_prefix("WECHATPAY2-SHA256-RSA2048 ").expect("the scheme");
        let mut values = [const { String::new() }; 5];
        let names = ["mchid", "nonce_str", "signature", "timestamp", "serial_no"];
        let mut count = 0;
        for field in fields.split(',') {
            let (name, quoted) = field.split_once('=').expect("name=value");
            let value = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("double quotes");
            let at = names.iter().position(|known| *known == name).expect("one of the five");
            values[at] = value.to_owned();
            count += 1;
        }
        assert_eq!(count, 5, "five fields: {header}");
        let [mchid, nonce, signature, timestamp, serial] = values;
        assert_eq!((mchid.as_str(), serial.as_str()), (MCHID, MERCHANT_SERIAL));
        assert_eq!(timestamp, NOW.to_string());
        assert!((16..=32).contains(&nonce.len()), "{nonce}");
        let mut text = format!("{}\n{}\n{timestamp}\n{nonce}\n", self.method, self.target).into_bytes();
        text.extend_from_slice(&self.body);
        text.push(b'\n');
        assert!(fits(&MERCHANT, &text, &signature), "the request's signature fits");
        nonce
    }
}

/// A provider on a port of its own. It stops with the test.
pub struct Provider {
    pub base: String,
    script: Arc<Script>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
}

impl Provider {
    pub async fn start() -> Provider {
        let script = Arc::new(Script::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        Provider { base, script, server }
    }

    /// What to answer next.
    pub fn will(&self, reply: Reply) {
        self.script.replies.lock().expect("a lock").push_back(reply);
    }

    /// All requests since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.script.seen.lock().expect("a lock"))
    }

    pub fn only_seen(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "one request: {seen:?}");
        seen.remove(0)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers by script. With nothing left in the script it never answers.
async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body").to_vec();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
        .collect();
    let target = parts.uri.path_and_query().expect("a target").to_string();
    script.seen.lock().expect("a lock").push(Seen { method: parts.method.to_string(), target, headers, body });
    let reply = script.replies.lock().expect("a lock").pop_front();
    let Some(reply) = reply else { return std::future::pending().await };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(reply.body)).expect("a response")
}
