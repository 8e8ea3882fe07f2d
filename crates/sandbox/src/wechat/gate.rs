//! The two signatures around every call of the merchant's API.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{debug, info};

use super::answer::Failure;
use crate::random;
use crate::sandbox::Sandbox;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
const LARGEST_BODY: usize = 64 * 1024;
const LARGEST_SKEW_SECONDS: u64 = 300;
const LONGEST_NONCE: usize = 32;

/// Lets a call through only if the merchant signed it, and signs whatever is answered, refusals too.
///
/// Shape: a refused call never reaches its handler.
/// Errors, in order: 413 `PARAM_ERROR`, 401 `SIGN_ERROR`, 400 `PARAM_ERROR` for a missing header.
/// Source: WeChat Pay API v3, request signature and answer signature.
pub(crate) async fn signed_both_ways(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = match admit(&sandbox, request).await {
        Ok(request) => next.run(request).await,
        Err(failure) => {
            info!(%method, %path, "a call was refused at the gate: {failure:?}");
            failure.into_response()
        }
    };
    debug!(%method, %path, status = answer.status().as_u16(), "answered {method} {path}");
    sign_answer(&sandbox, answer).await
}

async fn admit(sandbox: &Sandbox, request: Request) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| Failure::too_large())?;
    check_signature(sandbox, &parts, &body)?;
    check_headers(sandbox, &parts.method, &parts.headers)?;
    Ok(Request::from_parts(parts, Body::from(body)))
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
    // In public-key mode the merchant names the key that it will check the answer with.
    let named = text_of(headers, &HeaderName::from_static("wechatpay-serial"));
    if named != Some(sandbox.setup().wechat.platform_key_id.as_str()) {
        return Err(Failure::parameter("Wechatpay-Serial", "请求头 Wechatpay-Serial 应为平台公钥 ID"));
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

/// Signs the body as it will be sent; an empty one (204) is signed as nothing before the last line feed.
async fn sign_answer(sandbox: &Sandbox, answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        // Our handlers answer from memory, which cannot break off; if it ever did, an unsigned answer is refused by
        // the merchant, as it should be.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    for (name, value) in signature_headers(sandbox, &body) {
        parts.headers.insert(name, value);
    }
    let request_id = HeaderValue::from_str(&random::hex(32).to_ascii_uppercase()).expect("hex is a header value");
    parts.headers.insert("request-id", request_id);
    Response::from_parts(parts, Body::from(body))
}

/// The five headers with which the platform signs `body` at this moment: answers and notices alike.
pub(crate) fn signature_headers(sandbox: &Sandbox, body: &[u8]) -> [(&'static str, HeaderValue); 5] {
    let (timestamp, nonce) = (sandbox.clock().now().seconds().to_string(), random::letters(32));
    let mut message = format!("{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    let value = |text: &str| HeaderValue::from_str(text).expect("digits, letters and Base64 are header values");
    [
        ("wechatpay-timestamp", value(&timestamp)),
        ("wechatpay-nonce", value(&nonce)),
        ("wechatpay-serial", value(&sandbox.setup().wechat.platform_key_id)),
        ("wechatpay-signature", value(&sandbox.keys().sign(&message))),
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
