//! What the merchant did with its official account: the menu and the messages.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::Visit;
use crate::beijing;
use crate::page::{self, Frame};
use crate::sandbox::Sandbox;
use crate::text::Language;
use crate::wechat::{Message, MessageKind};

const PAGE: &str = "/control/account";

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame<'a>,
    buttons: Vec<Button>,
    messages: Vec<Row>,
}

struct Button {
    name: String,
    /// Address or key; empty where buttons lie below it.
    does: String,
    below: Vec<(String, String)>,
}

struct Row {
    at: String,
    template_id: String,
    kind: &'static str,
    link: String,
    parts: Vec<(String, String)>,
}

/// `GET /control/account`
pub(crate) async fn show(State(sandbox): State<Sandbox>, headers: HeaderMap, Query(visit): Query<Visit>) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let frame = Frame::of_section(&sandbox, language, PAGE, language.words().account);
    let page = sandbox.look(|records| AccountPage {
        frame,
        buttons: records.account.menu.as_ref().map(buttons).unwrap_or_default(),
        messages: records.account.newest_first().map(|message| row(message, language)).collect(),
    });
    page::html(StatusCode::OK, &page, None)
}

fn buttons(menu: &Value) -> Vec<Button> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let does = |button: &Value| [&button["url"], &button["key"]].map(text).concat();
    let below = |button: &Value| {
        let all = button["sub_button"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|one| (text(&one["name"]), does(one))).collect()
    };
    let all = menu["button"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|one| Button { name: text(&one["name"]), does: does(one), below: below(one) }).collect()
}

fn kind_name(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Template => "template",
        MessageKind::Subscribe => "subscribe",
    }
}

fn parts(message: &Message) -> Vec<(String, String)> {
    let members = message.data.as_object().into_iter().flatten();
    members.map(|(name, part)| (name.clone(), part["value"].as_str().unwrap_or_default().to_owned())).collect()
}

fn row(message: &Message, language: Language) -> Row {
    Row {
        at: language.time(message.at),
        template_id: message.template_id.clone(),
        kind: kind_name(message.kind),
        link: message.link.clone(),
        parts: parts(message),
    }
}

/// A message for a program; whom it went to is left out.
pub(crate) fn message_json(message: &Message) -> Value {
    json!({
        "at": beijing::rfc3339(message.at),
        "msgid": message.number,
        "kind": kind_name(message.kind),
        "template_id": message.template_id,
        "link": message.link,
        "data": message.data,
    })
}
