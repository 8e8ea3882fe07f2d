//! The JSON of API v3 as it travels: what we send, and of what we read the fields that matter.
//!
//! Unknown fields are passed over, because the provider adds some without notice. What is read is read strictly: a
//! doubled field, an array in the place of an object, a fraction in the place of an amount are errors.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Body of `POST /v3/pay/transactions/jsapi`. The order of the fields is the order of the bytes, and must not depend on
/// anything but the wish and the settings (M28).
#[derive(Serialize)]
pub(crate) struct CreateOrder<'a> {
    pub appid: &'a str,
    pub mchid: &'a str,
    pub description: &'a str,
    pub out_trade_no: &'a str,
    pub time_expire: &'a str,
    pub notify_url: &'a str,
    pub amount: CreateAmount,
    pub payer: CreatePayer<'a>,
}

#[derive(Serialize)]
pub(crate) struct CreateAmount {
    /// In fen.
    pub total: i64,
    pub currency: &'static str,
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

/// Answer to a create.
#[derive(Deserialize)]
pub(crate) struct Prepaid {
    pub prepay_id: String,
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

/// Reads one JSON object in UTF-8 and nothing else.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    // The reader of bytes does not look at the text of fields that it passes over; the reader of text need not.
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str::<Object<T>>(text).ok().map(|object| object.0)
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
        let array_inside = r#"{"event_type":"a","resource_type":"b","resource":["c","d","e","f","g"]}"#;
        assert!(read::<Notice>(array_inside.as_bytes()).is_none());
    }
}
