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

    /// 202: accepted, not done; the payer is typing.
    pub(crate) fn user_paying() -> Failure {
        Failure::new(StatusCode::ACCEPTED, "USER_PAYING", "用户正在支付，请查询订单后再关闭")
    }

    /// 429: too often, or too early.
    pub(crate) fn limited() -> Failure {
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "FREQUENCY_LIMITED", "频率限制，请稍后用相同参数重试")
    }

    /// 403: the merchant's balance does not cover the refund.
    pub(crate) fn not_enough() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "NOT_ENOUGH", "基本账户余额不足，请充值后用相同单号重试")
    }

    /// 403: the payer's account is gone.
    pub(crate) fn account_abnormal() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "USER_ACCOUNT_ABNORMAL", "用户账户异常或已注销，请用其他方式退款")
    }

    /// 404: nothing was paid under the number that a refund names.
    pub(crate) fn nothing_to_refund() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "订单不存在或未支付")
    }

    pub(crate) fn no_such_refund() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "退款单不存在")
    }

    /// 404: the refund call's own status for a merchant that is not known.
    pub(crate) fn refund_merchant_unknown() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "MCH_NOT_EXISTS", "商户号不存在")
    }

    /// 404: a merchant that only knows the public key has no certificates to fetch.
    pub(crate) fn no_certificates() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请使用微信支付公钥")
    }

    pub(crate) fn no_statement() -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "NO_STATEMENT_EXIST", "该日没有账单")
    }

    pub(crate) fn statement_creating() -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "STATEMENT_CREATING", "账单生成中，请于次日 10 点后下载")
    }

    pub(crate) fn no_such_order() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在")
    }

    pub(crate) fn no_such_address() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "沙箱没有这个接口")
    }

    /// 500: the outcome is unknown.
    pub(crate) fn system() -> Failure {
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
