use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::records::Unsaved;

/// A refusal of the merchant's API: a status, a code of the protocol and a sentence for the merchant's engineer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail<'a>>,
}

#[derive(Serialize)]
struct Detail<'a> {
    field: &'a str,
    issue: &'a str,
    location: &'a str,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, code, message: message.into(), field: None }
    }

    /// 401: who sent this is not proved.
    pub(crate) fn sign(message: &str) -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message)
    }

    /// 400: a field is missing or not of its shape. `field` is its JSON pointer or its name.
    pub(crate) fn parameter(field: &'static str, message: impl Into<String>) -> Failure {
        Failure { field: Some(field), ..Failure::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    /// 413: more bytes than any request of this API has.
    pub(crate) fn too_large() -> Failure {
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "PARAM_ERROR", "请求报文过大")
    }

    pub(crate) fn invalid_request(message: &str) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    pub(crate) fn not_bound() -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid 与 mchid 没有绑定关系")
    }

    pub(crate) fn unknown_merchant() -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "MCH_NOT_EXISTS", "商户号不存在")
    }

    pub(crate) fn order_closed() -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "订单已关闭")
    }

    /// 400: closing came too late, the payer has paid.
    pub(crate) fn order_paid() -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "ORDERPAID", "订单已支付，不能关闭")
    }

    /// 403: the number belongs to a paid order for good.
    pub(crate) fn number_used() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "OUT_TRADE_NO_USED", "商户订单号已被使用")
    }

    pub(crate) fn no_such_order() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在")
    }

    pub(crate) fn no_such_address() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "沙箱没有这个接口")
    }

    fn system() -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "系统异常，请用相同参数重新调用")
    }
}

impl From<Unsaved> for Failure {
    fn from(_: Unsaved) -> Failure {
        Failure::system()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let detail = self.field.map(|field| Detail { field, issue: &self.message, location: "request" });
        (self.status, Json(Body { code: self.code, message: &self.message, detail })).into_response()
    }
}
