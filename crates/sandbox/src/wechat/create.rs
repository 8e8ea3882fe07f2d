//! What a merchant asks when it creates an order.

use std::net::IpAddr;

use ledger::{Fen, Micros};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Failure;
use crate::beijing;
use crate::config::WechatSetup;

const LONGEST_LIFE_SECONDS: i64 = 90 * 86_400;

/// Where the payer pays, which decides the address of the create call and what it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scene {
    /// Inside WeChat.
    #[default]
    Jsapi,
    /// In another browser of a phone.
    H5,
    /// By scanning a code.
    Native,
    /// In an app of the merchant's.
    App,
}

impl Scene {
    /// The platform's word for it in transactions and bills.
    pub(crate) fn trade_type(self) -> &'static str {
        match self {
            Scene::Jsapi => "JSAPI",
            Scene::H5 => "MWEB",
            Scene::Native => "NATIVE",
            Scene::App => "APP",
        }
    }
}

/// The body of a create.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payer: Option<Payer>,
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
    pub(crate) scene_info: Option<SceneInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settle_info: Option<SettleInfo>,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SceneInfo {
    payer_client_ip: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_info: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h5_info: Option<H5Info>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct H5Info {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    package_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettleInfo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profit_sharing: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseOrder {
    pub(crate) mchid: String,
}

fn yuan() -> String {
    "CNY".to_owned()
}

/// Refuses a field that is not of its shape.
pub(crate) fn require(holds: bool, field: &'static str, message: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::parameter(field, message)) }
}

/// Refuses an optional text that is longer than `most` characters, or empty.
pub(crate) fn require_short(text: Option<&str>, most: usize, field: &'static str) -> Result<(), Failure> {
    let holds = text.is_none_or(|text| (1..=most).contains(&text.chars().count()));
    require(holds, field, &format!("应为 1 至 {most} 个字符"))
}

impl CreateOrder {
    /// Reads and checks a body.
    ///
    /// Errors, in order: `PARAM_ERROR` (not JSON of this shape, then field by field), `APPID_MCHID_NOT_MATCH`.
    pub(crate) fn read(body: &[u8], scene: Scene, setup: &WechatSetup, now: Micros) -> Result<CreateOrder, Failure> {
        let order: CreateOrder = serde_json::from_slice(body)
            .map_err(|error| Failure::parameter("body", format!("请求体不符合接口定义：{error}")))?;
        order.check(now)?;
        order.check_scene(scene)?;
        if order.appid != setup.appid || order.mchid != setup.mchid {
            return Err(Failure::not_bound());
        }
        Ok(order)
    }

    fn check(&self, now: Micros) -> Result<(), Failure> {
        require_short(Some(&self.appid), 32, "/appid")?;
        require_short(Some(&self.mchid), 32, "/mchid")?;
        require_short(Some(&self.description), 127, "/description")?;
        require(is_order_number(&self.out_trade_no), "/out_trade_no", "商户订单号应为 6 至 32 位数字、字母或 _-|*")?;
        require(is_notify_url(&self.notify_url), "/notify_url", "通知地址应为不带参数的 https 地址")?;
        require(self.amount.total.is_positive(), "/amount/total", "订单总金额应为正整数，单位为分")?;
        require(self.amount.currency == "CNY", "/amount/currency", "货币类型只支持 CNY")?;
        let attach = self.attach.as_deref().is_none_or(|text| text.chars().count() <= 128);
        require(attach, "/attach", "附加数据最多 128 个字符")?;
        require_short(self.goods_tag.as_deref(), 32, "/goods_tag")?;
        require(self.detail.as_ref().is_none_or(Value::is_object), "/detail", "优惠功能应为对象")?;
        let Some(expiry) = self.time_expire.as_deref() else { return Ok(()) };
        let moment = beijing::parse(expiry)
            .ok_or(Failure::parameter("/time_expire", "支付截止时间应为 RFC 3339 格式的北京时间，以 +08:00 结尾"))?;
        require(moment <= now.after_seconds(LONGEST_LIFE_SECONDS), "/time_expire", "支付截止时间不能晚于 90 天后")
    }

    /// The members that one scene needs and another does not have.
    fn check_scene(&self, scene: Scene) -> Result<(), Failure> {
        match (scene, &self.payer) {
            (Scene::Jsapi, payer) => {
                let openid = payer.as_ref().map(|payer| payer.openid.chars().count());
                let held = openid.is_some_and(|letters| (1..=128).contains(&letters));
                require(held, "/payer/openid", "openid 应为 1 至 128 个字符")?;
            }
            (_, payer) => require(payer.is_none(), "/payer", "此支付方式没有 payer")?,
        }
        let Some(info) = &self.scene_info else {
            return require(scene != Scene::H5, "/scene_info", "H5 支付缺少 scene_info");
        };
        require(
            info.payer_client_ip.parse::<IpAddr>().is_ok(),
            "/scene_info/payer_client_ip",
            "用户终端 IP 应为 IPv4 或 IPv6 地址",
        )?;
        require_short(info.device_id.as_deref(), 32, "/scene_info/device_id")?;
        require(info.store_info.as_ref().is_none_or(Value::is_object), "/scene_info/store_info", "门店信息应为对象")?;
        match (&info.h5_info, scene) {
            (Some(h5), Scene::H5) => require(
                matches!(h5.kind.as_str(), "iOS" | "Android" | "Wap"),
                "/scene_info/h5_info/type",
                "场景类型应为 iOS、Android 或 Wap",
            ),
            (None, Scene::H5) => require(false, "/scene_info/h5_info", "H5 支付缺少 h5_info"),
            (Some(_), _) => require(false, "/scene_info/h5_info", "此支付方式没有 h5_info"),
            (None, _) => Ok(()),
        }
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
pub(crate) fn is_notify_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    let scheme = url.scheme() == "https" || url.scheme() == "http" && loopback;
    scheme && text.len() <= 255 && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
}
