//! The two signatures around every call of the merchant's API, and the faults that the switches put between.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{debug, info};

use super::answer::Failure;
use super::keys::Signer;
use crate::random;
use crate::records::Unsaved;
use crate::sandbox::Sandbox;
use crate::switches::{Call, Switch, Way};
use crate::traffic::{Exchange, Told};

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
const LARGEST_BODY: usize = 64 * 1024;
const LARGEST_SKEW_SECONDS: u64 = 300;
const LONGEST_NONCE: usize = 32;
/// Longer than anyone waits; then the connection is given back.
const SILENCE: Duration = Duration::from_secs(65);
const DOWNLOAD: &str = "/v3/billdownload/file";

/// Whether a signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Good,
    /// It begins as the platform's probes do and must be refused.
    Probe,
}

/// Lets a call through only if the merchant signed it, and signs whatever is answered, refusals too.
///
/// Shape: a refused call never reaches its handler and spends no fault. A bill's file is answered without a signature.
/// Errors, in order: no answer at all while dark, 413 `PARAM_ERROR`, 401 `SIGN_ERROR`, 400 `PARAM_ERROR` for a missing
/// header, then the fault that is set for this call.
/// Source: WeChat Pay API v3, request signature and answer signature.
pub(crate) async fn signed_both_ways(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let named = text_of(request.headers(), &SERIAL).map(str::to_owned);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        let answer = Failure::too_large().into_response();
        return finish(&sandbox, Ask { method, uri, named, body: Bytes::new() }, answer, Proof::Good).await;
    };
    let ask = Ask { method, uri, named, body };
    let now = sandbox.clock().now();
    if sandbox.look(|records| records.switches.dark_until(now)).is_some() {
        return silence(&sandbox, ask).await;
    }
    if let Err(failure) = admit(&sandbox, &parts, &ask.body) {
        info!(method = %ask.method, path = ask.uri.path(), "a call was refused at the gate: {failure:?}");
        return finish(&sandbox, ask, failure.into_response(), Proof::Good).await;
    }
    let (fault, proof) = faults(&sandbox, call_of(&ask.method, ask.uri.path()));
    match fault {
        Way::ErrorBefore => return finish(&sandbox, ask, Failure::system().into_response(), proof).await,
        Way::LimitedBefore => return finish(&sandbox, ask, Failure::limited().into_response(), proof).await,
        Way::TimeoutBefore => return silence(&sandbox, ask).await,
        Way::Unavailable => return unavailable(&sandbox, ask),
        _ => {}
    }
    let answer = next.run(Request::from_parts(parts, Body::from(ask.body.clone()))).await;
    debug!(method = %ask.method, path = ask.uri.path(), status = answer.status().as_u16(), "answered");
    match fault {
        // A refusal tells nothing wrong, so it is passed on as it is.
        Way::ErrorAfter if answer.status().is_success() => {
            finish(&sandbox, ask, Failure::system().into_response(), proof).await
        }
        Way::LimitedAfter if answer.status().is_success() => {
            finish(&sandbox, ask, Failure::limited().into_response(), proof).await
        }
        Way::TimeoutAfter => silence(&sandbox, ask).await,
        _ => finish(&sandbox, ask, answer, proof).await,
    }
}

/// Notes the unsigned calls of the account's platform, and gives no answer while dark.
pub(crate) async fn watched(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let ask = Ask { method, uri, named: None, body: body.clone() };
    let now = sandbox.clock().now();
    if sandbox.look(|records| records.switches.dark_until(now)).is_some() {
        return silence(&sandbox, ask).await;
    }
    let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let told = Told::Answer { status: parts.status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() };
    note(&sandbox, &ask, told);
    Response::from_parts(parts, Body::from(body))
}

/// What came in, as far as the answer needs it.
struct Ask {
    method: Method,
    uri: Uri,
    /// The key that the merchant wants the answer signed with.
    named: Option<String>,
    body: Bytes,
}

const SERIAL: HeaderName = HeaderName::from_static("wechatpay-serial");

fn call_of(method: &Method, path: &str) -> Call {
    match (method.as_str(), path.strip_prefix("/v3/").unwrap_or_default()) {
        ("GET", rest) if rest.starts_with("pay/transactions/") => Call::Query,
        ("POST", rest) if rest.starts_with("pay/transactions/") && rest.ends_with("/close") => Call::Close,
        ("POST", rest) if rest.starts_with("pay/transactions/") => Call::Create,
        ("GET", rest) if rest.starts_with("refund/domestic/refunds") => Call::RefundQuery,
        (_, rest) if rest.starts_with("refund/domestic/refunds") => Call::Refund,
        (_, rest) if rest.starts_with("bill") => Call::Bill,
        (_, "certificates") => Call::Certificates,
        _ => Call::All,
    }
}

/// The fault that this call meets, and whether its answer's signature holds.
fn faults(sandbox: &Sandbox, call: Call) -> (Way, Proof) {
    let armed = |switch| sandbox.look(|records| records.switches.armed(switch));
    if !armed(Switch::Answer) && !armed(Switch::Probe) {
        return (Way::AnswerNormal, Proof::Good);
    }
    let taken: Result<_, Unsaved> = sandbox.change(|records| {
        // A probe for notices is theirs to spend.
        let standing = records.switches.standing_next(Switch::Probe).map(|(set, _)| set);
        let probing = standing.unwrap_or(records.switches.standing(Switch::Probe)).way == Way::ProbeAnswers;
        let proof = if probing { Proof::Probe } else { Proof::Good };
        if probing {
            records.switches.take(Switch::Probe);
        }
        Ok((records.switches.take_answer(call), proof))
    });
    // In memory the switch is spent; only its file lags behind.
    taken.unwrap_or((Way::AnswerNormal, Proof::Good))
}

/// No answer, for longer than anyone waits.
async fn silence(sandbox: &Sandbox, ask: Ask) -> Response {
    note(sandbox, &ask, Told::Nothing);
    tokio::time::sleep(SILENCE).await;
    StatusCode::GATEWAY_TIMEOUT.into_response()
}

/// What a balancer in front of the platform says: no signature, no JSON.
fn unavailable(sandbox: &Sandbox, ask: Ask) -> Response {
    let answer = (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response();
    note(sandbox, &ask, Told::Answer { status: 503, body: "Service Unavailable".to_owned() });
    answer
}

fn note(sandbox: &Sandbox, ask: &Ask, told: Told) {
    let now = sandbox.clock().now();
    let exchange = Exchange::came_in(now, ask.method.as_str(), &ask.uri, &ask.body, told);
    sandbox.touch(|records| records.traffic.add(exchange));
}

/// Signs the answer, notes it and gives it out.
async fn finish(sandbox: &Sandbox, ask: Ask, answer: Response, proof: Proof) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        // Our handlers answer from memory, which cannot break off; if it ever did, an unsigned answer is refused by
        // the merchant, as it should be.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let file = ask.uri.path() == DOWNLOAD && parts.status.is_success();
    let body_text = if file { format!("{} bytes", body.len()) } else { String::from_utf8_lossy(&body).into_owned() };
    note(sandbox, &ask, Told::Answer { status: parts.status.as_u16(), body: body_text });
    if !file {
        let switches = sandbox.look(|records| records.switches.clone());
        let keys = sandbox.keys();
        let signer = keys.for_answer(ask.named.as_deref(), &switches).unwrap_or_else(|| keys.usual(&switches));
        for (name, value) in signature_headers(sandbox, signer, proof, &body) {
            parts.headers.insert(name, value);
        }
    }
    let request_id = HeaderValue::from_str(&random::hex(32).to_ascii_uppercase()).expect("hex is a header value");
    parts.headers.insert("request-id", request_id);
    Response::from_parts(parts, Body::from(body))
}

fn admit(sandbox: &Sandbox, parts: &request::Parts, body: &[u8]) -> Result<(), Failure> {
    check_signature(sandbox, parts, body)?;
    check_headers(sandbox, &parts.method, &parts.headers)
}

/// The message is built from the raw path, query and body as they came: what was re-encoded on the way was not signed.
fn check_signature(sandbox: &Sandbox, parts: &request::Parts, body: &[u8]) -> Result<(), Failure> {
    let header = text_of(&parts.headers, &header::AUTHORIZATION).ok_or(Failure::sign("缺少 Authorization"))?;
    let claim = Claim::parse(header).ok_or(Failure::sign("Authorization 格式不正确"))?;

    let now = sandbox.clock().now().seconds();
    let sent: i64 = claim.timestamp.parse().map_err(|_| Failure::sign("timestamp 不是秒数"))?;
    if now.abs_diff(sent) > LARGEST_SKEW_SECONDS {
        return Err(Failure::sign("timestamp 与当前时间相差超过 5 分钟"));
    }
    let setup = &sandbox.setup().wechat;
    if claim.mchid != setup.mchid || !claim.serial_no.eq_ignore_ascii_case(&setup.merchant_serial) {
        return Err(Failure::sign("商户号或证书序列号不正确"));
    }

    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut message = format!("{}\n{target}\n{}\n{}\n", parts.method, claim.timestamp, claim.nonce_str).into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    if sandbox.keys().merchant_signed(&message, claim.signature) {
        Ok(())
    } else {
        Err(Failure::sign("签名不正确"))
    }
}

fn check_headers(sandbox: &Sandbox, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    if text_of(headers, &header::ACCEPT).is_none() || text_of(headers, &header::USER_AGENT).is_none() {
        return Err(Failure::parameter("Accept, User-Agent", "请求头缺少 Accept 或 User-Agent"));
    }
    let content_type = text_of(headers, &header::CONTENT_TYPE).unwrap_or_default();
    if *method == Method::POST && !content_type.starts_with("application/json") {
        return Err(Failure::parameter("Content-Type", "请求头 Content-Type 应为 application/json"));
    }
    // In public-key mode the merchant names the key that it will check the answer with; who has a certificate need not.
    let named = text_of(headers, &SERIAL);
    let switches = sandbox.look(|records| records.switches.clone());
    if sandbox.keys().for_answer(named, &switches).is_none() {
        return Err(Failure::parameter(
            "Wechatpay-Serial",
            "请求头 Wechatpay-Serial 应为可用的平台公钥 ID 或证书序列号",
        ));
    }
    Ok(())
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

/// What an `Authorization` header claims, unproved.
#[derive(Debug, PartialEq, Eq)]
struct Claim<'a> {
    mchid: &'a str,
    nonce_str: &'a str,
    signature: &'a str,
    timestamp: &'a str,
    serial_no: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads the five quoted values in any order; a missing, doubled or unknown one makes the header unreadable.
    fn parse(header: &'a str) -> Option<Claim<'a>> {
        let mut values = BTreeMap::new();
        for pair in header.strip_prefix(SCHEME)?.strip_prefix(' ')?.split(',') {
            let (name, value) = pair.trim().split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            if value.is_empty() || value.contains('"') || values.insert(name, value).is_some() {
                return None;
            }
        }
        let claim = Claim {
            mchid: values.remove("mchid")?,
            nonce_str: values.remove("nonce_str")?,
            signature: values.remove("signature")?,
            timestamp: values.remove("timestamp")?,
            serial_no: values.remove("serial_no")?,
        };
        (values.is_empty() && claim.nonce_str.len() <= LONGEST_NONCE).then_some(claim)
    }
}

/// The five headers with which the platform signs `body` at this moment: answers and notices alike. An empty body (204)
/// is signed as nothing before the last line feed.
pub(crate) fn signature_headers(
    sandbox: &Sandbox,
    signer: &Signer,
    proof: Proof,
    body: &[u8],
) -> [(&'static str, HeaderValue); 5] {
    let (timestamp, nonce) = (sandbox.clock().now().seconds().to_string(), random::letters(32));
    let mut message = format!("{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    let signature = match proof {
        Proof::Good => signer.sign(&message),
        Proof::Probe => format!("WECHATPAY/SIGNTEST/{}", signer.sign(&message)),
    };
    let value = |text: &str| HeaderValue::from_str(text).expect("digits, letters and Base64 are header values");
    [
        ("wechatpay-timestamp", value(&timestamp)),
        ("wechatpay-nonce", value(&nonce)),
        ("wechatpay-serial", value(&signer.serial)),
        ("wechatpay-signature", value(&signature)),
        ("wechatpay-signature-type", HeaderValue::from_static(SCHEME)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_values_are_read_in_any_order() {
        let header = "WECHATPAY2-SHA256-RSA2048 serial_no=\"5F\", timestamp=\"17\",nonce_str=\"n\",\
                      signature=\"a+/=\",mchid=\"19\"";
        let claim = Claim { mchid: "19", nonce_str: "n", signature: "a+/=", timestamp: "17", serial_no: "5F" };
        assert_eq!(Claim::parse(header), Some(claim));
    }

    #[test]
    fn a_header_of_another_shape_is_unreadable() {
        let five = "mchid=\"1\",nonce_str=\"n\",signature=\"s\",timestamp=\"1\",serial_no=\"5F\"";
        let table = [
            "".to_owned(),
            five.to_owned(),
            format!("Bearer {five}"),
            format!("WECHATPAY2-SHA256-RSA2048{five}"),
            format!("WECHATPAY2-SM2-WITH-SM3 {five}"),
            format!("WECHATPAY2-SHA256-RSA2048 {five},mchid=\"1\""),
            format!("WECHATPAY2-SHA256-RSA2048 {five},other=\"1\""),
            format!("WECHATPAY2-SHA256-RSA2048 {}", five.replace("mchid=\"1\",", "")),
            format!("WECHATPAY2-SHA256-RSA2048 {}", five.replace("\"1\"", "1")),
            format!("WECHATPAY2-SHA256-RSA2048 {}", five.replace("\"s\"", "\"\"")),
            format!("WECHATPAY2-SHA256-RSA2048 {}", five.replace("\"n\"", &format!("\"{}\"", "n".repeat(33)))),
        ];
        for header in table {
            assert_eq!(Claim::parse(&header), None, "{header:?}");
        }
    }
}
