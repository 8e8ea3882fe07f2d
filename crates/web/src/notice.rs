//! Notices of WeChat Pay about payments and refunds (R18, R20; decision table of payments, rows 1 to 10, 12, 24 to 26, 33).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flows::ports::{NoticeFault, RawNotice};
use flows::top_up::{NoticeOutcome, notice};
use serde_json::json;

use crate::config::Web;
use crate::failure::Failure;

/// `POST /notify/wechat`: 204 for what was settled or put in suspense, 4xx for what is not believed, 500 for "come again".
///
/// The body's bytes are what was signed, so they are taken as they came. No cookie, no token: the signature is the proof.
pub(crate) async fn wechat(State(web): State<Web>, mut request: Request) -> Response {
    let headers = std::mem::take(request.headers_mut());
    let Ok(body) = Bytes::from_request(request, &()).await else {
        return fail(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    };
    let text = |name: &str| only(&headers, name);
    let raw = RawNotice {
        timestamp: text("wechatpay-timestamp"),
        nonce: text("wechatpay-nonce"),
        serial: text("wechatpay-serial"),
        signature: text("wechatpay-signature"),
        body: &body,
    };
    match notice(&web.school, &raw).await {
        NoticeOutcome::Taken(order) => {
            tracing::info!(counter.notice_taken = 1, %order, "notice of order {order} taken");
            StatusCode::NO_CONTENT.into_response()
        }
        NoticeOutcome::Refund(refund) => {
            tracing::info!(counter.notice_refund = 1, %refund, "notice of refund {refund} taken");
            StatusCode::NO_CONTENT.into_response()
        }
        NoticeOutcome::Suspended(case) => {
            let case = case.0;
            tracing::warn!(counter.notice_suspended = 1, %case, "a notice went to case {case}; see `onecard cases`");
            StatusCode::NO_CONTENT.into_response()
        }
        NoticeOutcome::NotBelieved(fault) => {
            tracing::warn!(counter.notice_not_believed = 1, %fault, "a notice is not believed; nothing was changed");
            fail(status(fault), &fault.to_string())
        }
        NoticeOutcome::TryAgain => {
            tracing::warn!(counter.notice_put_off = 1, "a notice could not be settled now; the provider comes again");
            fail(StatusCode::INTERNAL_SERVER_ERROR, "try again")
        }
    }
}

/// The value of a header that stands there once. One that stands twice says nothing: two readers could choose differently.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    }
}

const fn status(fault: NoticeFault) -> StatusCode {
    match fault {
        NoticeFault::Malformed | NoticeFault::Sealed => StatusCode::BAD_REQUEST,
        NoticeFault::Stale | NoticeFault::UnknownSerial | NoticeFault::WrongSignature => StatusCode::UNAUTHORIZED,
        NoticeFault::Foreign => StatusCode::FORBIDDEN,
    }
}

/// A notice whose body could not be read: the provider comes again.
pub(crate) fn not_read(failure: &Failure) -> Response {
    match failure {
        Failure::TooSlow => fail(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
        _ => fail(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
    }
}

/// The refusal in the provider's own shape.
fn fail(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "code": "FAIL", "message": message }))).into_response()
}
