//! The JSON shapes of the order calls.

use ledger::{Fen, Micros};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Failure;
use super::book::{Order, OrderState};
use crate::beijing;
use crate::config::WechatSetup;

/// The body of a JSAPI create.
///
/// A member that is not listed is refused, so that a misspelt optional one does not pass unnoticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateOrder {
    pub(crate) appid: String,
    pub(crate) mchid: String,
    pub(crate) description: String,
    pub(crate) out_trade_no: String,
    pub(crate) notify_url: String,
    pub(crate) amount: CreateAmount,
    pub(crate) payer: Payer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_expire: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attach: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goods_tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) support_fapiao: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scene_info: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settle_info: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAmount {
    #[serde(with = "crate::stored::fen")]
    pub(crate) total: Fen,
    #[serde(default = "yuan")]
    pub(crate) currency: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payer {
    pub(crate) openid: String,
}

#[derive(Serialize)]
pub(crate) struct Created {
    pub(crate) prepay_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseOrder {
    pub(crate) mchid: String,
}

fn yuan() -> String {
    "CNY".to_owned()
}

impl CreateOrder {
    /// Reads and checks a body.
    ///
    /// Errors, in order: `PARAM_ERROR` (not JSON of this shape, then field by field), `APPID_MCHID_NOT_MATCH`.
    pub(crate) fn read(body: &[u8], setup: &WechatSetup) -> Result<CreateOrder, Failure> {
        let order: CreateOrder = serde_json::from_slice(body)
            .map_err(|error| Failure::parameter("body", format!("请求体不符合接口定义：{error}")))?;
        order.check()?;
        if order.appid != setup.appid || order.mchid != setup.mchid {
            return Err(Failure::not_bound());
        }
        Ok(order)
    }

    fn check(&self) -> Result<(), Failure> {
        let require = |holds: bool, field, message: &str| match holds {
            true => Ok(()),
            false => Err(Failure::parameter(field, message)),
        };
        let letters = |text: &str| text.chars().count();
        require((1..=127).contains(&letters(&self.description)), "/description", "商品描述应为 1 至 127 个字符")?;
        require(is_order_number(&self.out_trade_no), "/out_trade_no", "商户订单号应为 6 至 32 位数字、字母或 _-|*")?;
        require(is_notify_url(&self.notify_url), "/notify_url", "通知地址应为不带参数的 https 地址")?;
        require(self.amount.total.is_positive(), "/amount/total", "订单总金额应为正整数，单位为分")?;
        require(self.amount.currency == "CNY", "/amount/currency", "货币类型只支持 CNY")?;
        require((1..=128).contains(&letters(&self.payer.openid)), "/payer/openid", "openid 应为 1 至 128 个字符")?;
        require(self.attach.as_deref().is_none_or(|text| letters(text) <= 128), "/attach", "附加数据最多 128 个字符")?;
        require(
            self.goods_tag.as_deref().is_none_or(|text| letters(text) <= 32),
            "/goods_tag",
            "优惠标记最多 32 个字符",
        )?;
        let expiry = self.time_expire.as_deref();
        require(
            expiry.is_none_or(|text| beijing::parse(text).is_some()),
            "/time_expire",
            "支付截止时间应为 RFC 3339 格式的北京时间，以 +08:00 结尾",
        )
    }

    /// The last moment to pay: never before one minute after `now`; seven days from `now` when the merchant names none.
    pub(crate) fn expiry(&self, now: Micros) -> Micros {
        match self.time_expire.as_deref().and_then(beijing::parse) {
            Some(asked) => asked.max(now.after_seconds(60)),
            None => now.after_seconds(7 * 24 * 3600),
        }
    }
}

fn is_order_number(text: &str) -> bool {
    (6..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-|*".contains(&byte))
}

/// The platform wants https; beyond it the sandbox takes plain http on the machine itself, so that a demo needs no
/// certificate.
fn is_notify_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    let scheme = url.scheme() == "https" || url.scheme() == "http" && loopback;
    scheme && text.len() <= 255 && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
}

/// What a query answers and what a notice seals.
#[derive(Debug, Serialize)]
pub(crate) struct Transaction<'a> {
    appid: &'a str,
    mchid: &'a str,
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_type: Option<&'a str>,
    trade_state: &'a str,
    trade_state_desc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_type: Option<&'a str>,
    attach: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<&'a Payer>,
    amount: Amount<'a>,
}

#[derive(Debug, Serialize)]
struct Amount<'a> {
    #[serde(with = "crate::stored::fen")]
    total: Fen,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_total: Option<i64>,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_currency: Option<&'a str>,
}

impl Transaction<'_> {
    /// `order` as the platform tells it. Number, time and payer are missing before payment.
    pub(crate) fn of(order: &Order) -> Transaction<'_> {
        let asked = &order.asked;
        let (trade_state, trade_state_desc, paid) = match &order.state {
            OrderState::NotPaid => ("NOTPAY", "订单未支付", None),
            OrderState::Closed { .. } => ("CLOSED", "订单已关闭", None),
            OrderState::Paid { transaction_id, paid_at } => ("SUCCESS", "支付成功", Some((transaction_id, *paid_at))),
        };
        Transaction {
            appid: &asked.appid,
            mchid: &asked.mchid,
            out_trade_no: &asked.out_trade_no,
            transaction_id: paid.map(|(transaction_id, _)| transaction_id.as_str()),
            trade_type: paid.map(|_| "JSAPI"),
            trade_state,
            trade_state_desc,
            bank_type: paid.map(|_| "OTHERS"),
            attach: asked.attach.as_deref().unwrap_or_default(),
            success_time: paid.map(|(_, paid_at)| beijing::rfc3339(paid_at)),
            payer: paid.map(|_| &asked.payer),
            amount: Amount {
                total: asked.amount.total,
                payer_total: paid.map(|_| asked.amount.total.get()),
                currency: &asked.amount.currency,
                payer_currency: paid.map(|_| "CNY"),
            },
        }
    }
}
