//! Messages to followers: by template, and one-time subscriptions that the user agreed to.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{AccountFault, OfficialAccount};
use crate::wechat::call::json;
use crate::wechat::wire;

/// A message by a template of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateMessage {
    /// openid of the follower.
    pub touser: String,
    /// Template of the account.
    pub template_id: String,
    /// Page that a touch opens; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Values by the template's names.
    #[serde(serialize_with = "values")]
    pub data: BTreeMap<String, String>,
}

/// A message that the user agreed to, once for each agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscribeMessage {
    /// openid of the user.
    pub touser: String,
    /// Template of the account.
    pub template_id: String,
    /// Page that a touch opens; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub page: String,
    /// Values by the template's names, such as `amount1`, `time2`.
    #[serde(serialize_with = "values")]
    pub data: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Value<'a> {
    value: &'a str,
}

fn values<S: Serializer>(data: &BTreeMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(data.iter().map(|(name, value)| (name, Value { value })))
}

impl OfficialAccount {
    /// Sends a template message; gives the provider's number of it, where it names one.
    ///
    /// Errors: [`AccountFault`]. After `Unknown` it may have been sent. Repeats: another message (M31).
    pub async fn send_template(&self, message: &TemplateMessage) -> Result<Option<i64>, AccountFault> {
        let body = json(message).map_err(super::unknown)?;
        let answer = self.call("/cgi-bin/message/template/send", &body).await?;
        Ok(wire::read::<wire::MessageSent>(&answer).and_then(|sent| sent.msgid))
    }

    /// Sends a message that the user agreed to. `Refused` with 43101: the user did not agree, or the agreement is used up.
    ///
    /// Errors: [`AccountFault`]. After `Unknown` it may have been sent. Repeats: another message, which takes another
    /// agreement (M31).
    pub async fn send_subscribed(&self, message: &SubscribeMessage) -> Result<(), AccountFault> {
        let body = json(message).map_err(super::unknown)?;
        self.call("/cgi-bin/message/subscribe/bizsend", &body).await.map(drop)
    }
}
