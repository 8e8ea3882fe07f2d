//! The JSON of API v3 as it travels: what we send, and of what we read the fields that matter.
//!
//! Unknown fields are passed over, because the provider adds some without notice. What is read is read strictly: a
//! doubled field, an array in the place of an object, a fraction in the place of an amount are errors.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Body of `POST /v3/pay/transactions/jsapi`, `/h5` and `/native`. The order of the fields is the order of the bytes, and must not depend on
/// anything but the wish and the settings (M28).
#[derive(Serialize)]
pub(crate) struct CreateOrder<'a> {
    pub appid: &'a str,
    pub mchid: &'a str,
    pub description: &'a str,
    pub out_trade_no: &'a str,
    pub time_expire: &'a str,
    pub notify_url: &'a str,
    pub amount: InFen,
    /// JSAPI alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payer: Option<CreatePayer<'a>>,
    /// H5 alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene_info: Option<SceneInfo<'a>>,
}

#[derive(Serialize)]
pub(crate) struct InFen {
    pub total: i64,
    pub currency: &'static str,
}

#[derive(Serialize)]
pub(crate) struct SceneInfo<'a> {
    pub payer_client_ip: &'a str,
    pub h5_info: H5Info,
}

#[derive(Serialize)]
pub(crate) struct H5Info {
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Serialize)]
pub(crate) struct CreatePayer<'a> {
    pub openid: &'a str,
}

/// Body of `POST /v3/pay/transactions/out-trade-no/{no}/close`.
#[derive(Serialize)]
pub(crate) struct CloseOrder<'a> {
    pub mchid: &'a str,
}

/// Answer to a create within WeChat.
#[derive(Deserialize)]
pub(crate) struct Prepaid {
    pub prepay_id: String,
}

/// Answer to a create for a phone's browser.
#[derive(Deserialize)]
pub(crate) struct PrepaidH5 {
    pub h5_url: String,
}

/// Answer to a create for a code that is scanned.
#[derive(Deserialize)]
pub(crate) struct PrepaidNative {
    pub code_url: String,
}

/// Body of `POST /v3/refund/domestic/refunds`; its bytes, too, depend on nothing but the wish and the settings.
#[derive(Serialize)]
pub(crate) struct CreateRefund<'a> {
    pub transaction_id: &'a str,
    pub out_refund_no: &'a str,
    pub reason: &'a str,
    pub notify_url: &'a str,
    pub amount: CreateRefundAmount,
}

/// In fen.
#[derive(Serialize)]
pub(crate) struct CreateRefundAmount {
    pub refund: i64,
    pub total: i64,
    pub currency: &'static str,
}

/// A refund: answer to a create and to a query.
#[derive(Deserialize)]
pub(crate) struct Refund {
    pub refund_id: String,
    pub out_refund_no: String,
    pub transaction_id: String,
    pub out_trade_no: String,
    pub status: String,
    #[serde(default)]
    pub success_time: Option<String>,
    pub amount: Object<RefundAmount>,
}

/// A refund as a notice has it sealed: with the merchant, and the state under another name.
#[derive(Deserialize)]
pub(crate) struct RefundNews {
    pub mchid: String,
    pub refund_id: String,
    pub out_refund_no: String,
    pub transaction_id: String,
    pub out_trade_no: String,
    pub refund_status: String,
    #[serde(default)]
    pub success_time: Option<String>,
    pub amount: Object<RefundAmount>,
}

/// What payer and merchant got after coupons is not ours to compare, so it is not read.
#[derive(Deserialize)]
pub(crate) struct RefundAmount {
    /// In fen.
    pub total: i64,
    /// In fen.
    pub refund: i64,
    /// Stands in answers, never in notices.
    #[serde(default)]
    pub currency: Option<String>,
}

/// Body of a refusal.
#[derive(Deserialize)]
pub(crate) struct Fault {
    pub code: String,
    #[serde(default)]
    pub message: Option<String>,
}

/// A transaction: answer to a query, and what a notice has sealed.
#[derive(Deserialize)]
pub(crate) struct Transaction {
    pub appid: String,
    pub mchid: String,
    pub out_trade_no: String,
    pub trade_state: String,
    /// Missing before payment, like the next two.
    #[serde(default)]
    pub transaction_id: Option<String>,
    #[serde(default)]
    pub success_time: Option<String>,
    #[serde(default)]
    pub amount: Option<Object<Amount>>,
}

/// `payer_total` is what was left after coupons: not ours to compare, so it is not read.
#[derive(Deserialize)]
pub(crate) struct Amount {
    /// In fen.
    pub total: i64,
    #[serde(default)]
    pub currency: Option<String>,
}

/// Body of a notice.
#[derive(Deserialize)]
pub(crate) struct Notice {
    pub event_type: String,
    pub resource_type: String,
    pub resource: Object<Resource>,
}

#[derive(Deserialize)]
pub(crate) struct Resource {
    pub algorithm: String,
    pub ciphertext: String,
    #[serde(default)]
    pub associated_data: Option<String>,
    pub original_type: String,
    pub nonce: String,
}

/// Answer of `GET /v3/certificates`, and what is kept of it on disk.
#[derive(Deserialize, Serialize)]
pub(crate) struct Certificates {
    pub data: Vec<Certificate>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Certificate {
    pub serial_no: String,
    pub encrypt_certificate: SealedCertificate,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct SealedCertificate {
    pub algorithm: String,
    pub nonce: String,
    pub associated_data: String,
    pub ciphertext: String,
}

/// Answer of the two bill calls.
#[derive(Deserialize)]
pub(crate) struct BillLink {
    pub hash_type: String,
    pub hash_value: String,
    pub download_url: String,
}

/// Answer of `sns/oauth2/access_token`: an openid, or an error number. The tokens in it are not read: not needed.
#[derive(Deserialize)]
pub(crate) struct OpenIdAnswer {
    #[serde(default)]
    pub openid: Option<String>,
    #[serde(default)]
    pub errcode: Option<i64>,
    #[serde(default)]
    pub errmsg: Option<String>,
}

/// Body of `POST /cgi-bin/stable_token`.
#[derive(Serialize)]
pub(crate) struct TokenAsk<'a> {
    pub grant_type: &'static str,
    pub appid: &'a str,
    pub secret: &'a str,
    pub force_refresh: bool,
}

/// Answer to it: a token, or an error number.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    #[serde(default)]
    pub access_token: Option<String>,
    /// In seconds.
    #[serde(default)]
    pub expires_in: Option<i64>,
    #[serde(default)]
    pub errcode: Option<i64>,
    #[serde(default)]
    pub errmsg: Option<String>,
}

/// Any answer of the official account's service; 0 is success.
#[derive(Deserialize)]
pub(crate) struct AccountAnswer {
    pub errcode: i64,
    #[serde(default)]
    pub errmsg: Option<String>,
}

/// Answer to a template message.
#[derive(Deserialize)]
pub(crate) struct MessageSent {
    #[serde(default)]
    pub msgid: Option<i64>,
}

/// Reads one JSON object in UTF-8 in which no name stands twice, and nothing else.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    // The reader of bytes does not look at the text of fields that it passes over; the reader of text need not.
    let text = std::str::from_utf8(bytes).ok()?;
    let Object(value) = serde_json::from_str::<Object<T>>(text).ok()?;
    (!says_twice(text)).then_some(value)
}

/// Whether an object somewhere in this JSON, which was read without a fault, has a name twice: two readers could take it
/// for two things. Derived readers see that only of the fields that they know.
fn says_twice(text: &str) -> bool {
    let mut open: Vec<BTreeSet<String>> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '"']) {
        let (_, from) = rest.split_at(at);
        match from.as_bytes().first() {
            Some(b'{') => open.push(BTreeSet::new()),
            Some(b'}') => drop(open.pop()),
            _ => {
                let Some((string, after)) = string_of(from) else { return true };
                rest = after;
                if after.trim_ascii_start().starts_with(':') {
                    let name: Option<String> = serde_json::from_str(string).ok();
                    let fresh = name.zip(open.last_mut()).is_some_and(|(name, names)| names.insert(name));
                    if !fresh {
                        return true;
                    }
                }
                continue;
            }
        }
        rest = from.get(1..).unwrap_or_default();
    }
    false
}

/// The JSON string at the beginning of `text`, with its quotes, and what follows it.
fn string_of(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.split_at_checked(at.checked_add(1)?),
            _ => {}
        }
    }
    None
}

/// A `T` written as a JSON object. Without this, derived readers would also take the fields as an array.
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<T>, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Object<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        from.deserialize_map(OnlyMap(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_read_strictly_and_the_rest_is_passed_over() {
        let good = r#"{"total":100,"payer_total":90,"currency":"CNY","rate":1.5,"new":{"total":[1,{"a":null}]}}"#;
        let amount: Amount = read(good.as_bytes()).expect("unknown fields do not disturb");
        assert_eq!((amount.total, amount.currency.as_deref()), (100, Some("CNY")));

        let odd = [
            r#"{"total":100,"total":1}"#,
            r#"{"total":100.0}"#,
            r#"{"total":1e2}"#,
            r#"{"total":"100"}"#,
            r#"{"total":99999999999999999999}"#,
            r#"{"total":null}"#,
            r#"{"total":100,"currency":"CNY","currency":"USD"}"#,
            r#"{"currency":"CNY"}"#,
            r#"[100,"CNY"]"#,
            r#"{"total":100} {}"#,
            r#"{"total":100"#,
            "100",
            "null",
            "",
        ];
        for text in odd {
            assert!(read::<Amount>(text.as_bytes()).is_none(), "{text}");
        }
        let twice = [
            r#"{"total":100,"new":1,"new":1}"#,
            r#"{"total":100,"new":[{"a":{"b":1,"b":2}}]}"#,
            r#"{"total":100,"new":1,"n\u0065w":2}"#,
            r#"{"total":100,"\"":1,"\"" : 2}"#,
            r#"{"new":{"total":1},"total":100,"new":{}}"#,
        ];
        for text in twice {
            assert!(read::<Amount>(text.as_bytes()).is_none(), "{text}");
        }
        let once = [
            r#"{"total":100,"a":{"total":1},"b":[{"total":1},{"total":2}],"c":"total","d":"\\","e":"{\"e\":1,\"e\":2}"}"#,
            r#"{"total" : 100, "":0, "total ":1, "\u0000":2}"#,
        ];
        for text in once {
            assert!(read::<Amount>(text.as_bytes()).is_some(), "{text}");
        }
        let array_inside = r#"{"event_type":"a","resource_type":"b","resource":["c","d","e","f","g"]}"#;
        assert!(read::<Notice>(array_inside.as_bytes()).is_none());
    }
}
