//! A holder's messages: what happened, newest first, and which of it is read (M31, R36).
//!
//! Looking changes nothing: messages are read when their reader says so, up to the newest one that the page showed.

use askama::Template;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::inbox;
use flows::school::fault_words;
use rules::message::{Back, Message, Received};
use rules::refund::Cause;
use rules::top_up::{Arrival, Suspicion};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::Web;
use crate::failure::Failure;
use crate::icons;
use crate::page::{self, Frame};
use crate::text::{Language, Text, Yuan, iso};
use crate::visit::{Holder, Sent};

/// Messages a page.
const PAGE: u32 = 20;

/// From where to show.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    /// Number of a message: those of the page are older.
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    frame: Frame,
    lines: Vec<Line>,
    /// How many are not read, on all pages.
    unread: u64,
    says_unread: Text,
    /// Number of the newest message: the form marks those up to it.
    newest: u64,
    older: Option<u64>,
    first: bool,
}

/// A message in the list.
struct Line {
    title: Text,
    says: Text,
    at: String,
    link: String,
    icon: &'static str,
    unread: bool,
}

/// `GET /me/messages?before=`
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Holder,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let shown = inbox::page(&web.school, holder.person, asked.before, PAGE).await?;
    let language = holder.visit.language;
    let page = MessagesPage {
        frame: Frame::new(&web, &holder.visit, language.t("messages-title")).below("/me"),
        lines: shown.messages.iter().map(|received| line(received, shown.read, language)).collect(),
        unread: shown.unread,
        says_unread: language.t("messages-unread-count").with("count", shown.unread),
        newest: shown.newest,
        older: shown.older,
        first: asked.before.is_none(),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

/// What the page's form posts.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Marked {
    to: String,
}

/// `POST /me/messages`: everything up to a number is read.
pub(crate) async fn read(
    State(web): State<Web>,
    holder: Holder,
    Sent(marked): Sent<Marked>,
) -> Result<Response, Failure> {
    let to = marked.to.parse().map_err(|_| Failure::StaleForm)?;
    mark(&web, &holder, to).await?;
    Ok(page::see_other("/me/messages"))
}

async fn mark(web: &Web, holder: &Holder, to: u64) -> Result<u64, Failure> {
    inbox::read(&web.school, holder.person, to).await.map_err(|fault| Failure::Words(fault_words(&fault)))
}

/// `GET /api/v1/me/messages?before=`
pub(crate) async fn json(
    State(web): State<Web>,
    holder: Holder,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Failure> {
    let shown = inbox::page(&web.school, holder.person, asked.before, PAGE).await?;
    let messages: Vec<Value> = shown.messages.iter().map(|received| message_json(received, shown.read)).collect();
    Ok(Json(json!({
        "messages": messages,
        "unread": shown.unread,
        "newest": shown.newest,
        "before": shown.older,
    })))
}

/// What a program posts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkedByProgram {
    to: u64,
}

/// `POST /api/v1/me/messages/read`: `{"to": 7}`; gives how many are not read afterwards.
pub(crate) async fn json_read(
    State(web): State<Web>,
    holder: Holder,
    marked: Result<Json<MarkedByProgram>, JsonRejection>,
) -> Result<Json<Value>, Failure> {
    let Json(MarkedByProgram { to }) = marked.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
        _ => Failure::Malformed,
    })?;
    Ok(Json(json!({ "unread": mark(&web, &holder, to).await? })))
}

fn line(received: &Received, read: u64, language: Language) -> Line {
    let message = &received.message;
    let (slug, icon) = face(message);
    Line {
        title: language.t(format!("message-title-{slug}")),
        says: says(message, slug, language),
        at: language.moment(received.at),
        link: link(message),
        icon,
        unread: received.no > read,
    }
}

/// Part of the texts' keys, and the icon.
const fn face(message: &Message) -> (&'static str, &'static str) {
    match message {
        Message::Credited { late: true, .. } => ("credited-late", icons::IN),
        Message::Credited { arrival: Arrival::Tap, .. } => ("credited", icons::IN),
        Message::Credited { arrival: Arrival::Instant, .. } => ("credited-at-once", icons::IN),
        Message::Loaded { more: 0, .. } => ("loaded", icons::CARD),
        Message::Loaded { .. } => ("loaded-several", icons::CARD),
        Message::RefundBegun { cause: Cause::Person, .. } => ("refund-begun", icons::RETURN),
        Message::RefundBegun { cause: Cause::Twice, .. } => ("refund-twice", icons::RETURN),
        Message::RefundBegun { cause: Cause::AccountClosed, .. } => ("refund-closed", icons::RETURN),
        Message::RefundBegun { cause: Cause::NotLoaded, .. } => ("refund-not-loaded", icons::RETURN),
        Message::RefundSettled { .. } => ("refund-settled", icons::CHECK),
        Message::RefundFailed { back: Back::Waiting, .. } => ("refund-failed-waiting", icons::ALERT),
        Message::RefundFailed { back: Back::InAccount, .. } => ("refund-failed-account", icons::ALERT),
        Message::RefundFailed { back: Back::InCase, .. } => ("refund-failed-case", icons::ALERT),
        Message::PaymentInCase { why: Suspicion::GivenBack, .. } => ("case-given-back", icons::INFO),
        Message::PaymentInCase { why: Suspicion::Mismatch | Suspicion::Twice | Suspicion::AccountClosed, .. } => {
            ("case", icons::INFO)
        }
        Message::StillWaiting { returns_at: Some(_), .. } => ("waiting", icons::TAP),
        Message::StillWaiting { returns_at: None, .. } => ("waiting-for-ever", icons::TAP),
        Message::PasswordChanged => ("password", icons::KEY),
        Message::CardLost { .. } => ("card-lost", icons::CARD),
        Message::WeChatBound => ("wechat-bound", icons::KEY),
        Message::WeChatUnbound => ("wechat-unbound", icons::KEY),
        Message::SignedInElsewhere => ("signed-in", icons::DOOR),
        Message::TokenMade => ("token", icons::KEY),
    }
}

/// The sentence, with its figures.
fn says(message: &Message, slug: &'static str, language: Language) -> Text {
    let text = language.t(format!("message-says-{slug}"));
    match *message {
        Message::Credited { amount, .. }
        | Message::RefundBegun { amount, .. }
        | Message::RefundSettled { amount, .. }
        | Message::RefundFailed { amount, .. } => text.with("amount", Yuan(amount)),
        // Of a foreign currency nobody knows here how much it is.
        Message::PaymentInCase { .. } => text,
        Message::Loaded { amount, more, .. } => {
            text.with("amount", Yuan(amount)).with("orders", more.saturating_add(1))
        }
        Message::StillWaiting { amount, since, returns_at, .. } => {
            let text = text.with("amount", Yuan(amount)).with("since", language.moment(since));
            returns_at.into_iter().fold(text, |text, at| text.with("until", language.moment(at)))
        }
        Message::CardLost { card } => text.with("card", card),
        Message::PasswordChanged
        | Message::WeChatBound
        | Message::WeChatUnbound
        | Message::SignedInElsewhere
        | Message::TokenMade => text,
    }
}

/// The page of what it is about.
fn link(message: &Message) -> String {
    match message {
        Message::Credited { order, .. }
        | Message::Loaded { order, more: 0, .. }
        | Message::PaymentInCase { order, .. }
        | Message::StillWaiting { order, .. } => format!("/me/orders/{order}"),
        Message::Loaded { .. } => "/me/records".to_owned(),
        Message::RefundBegun { refund, .. }
        | Message::RefundSettled { refund, .. }
        | Message::RefundFailed { refund, .. } => format!("/me/records/{refund}"),
        Message::PasswordChanged => "/password".to_owned(),
        Message::CardLost { .. } => "/me/card".to_owned(),
        Message::WeChatBound | Message::WeChatUnbound | Message::SignedInElsewhere | Message::TokenMade => {
            "/me/security".to_owned()
        }
    }
}

/// A message for programs: its facts, no sentence.
fn message_json(received: &Received, read: u64) -> Value {
    let (kind, facts) = match received.message {
        Message::Credited { order, amount, arrival, late } => (
            "credited",
            json!({
                "order": order.to_string(),
                "amount_fen": amount.get(),
                "waits_for_card": arrival == Arrival::Tap,
                "late": late,
            }),
        ),
        Message::Loaded { card, amount, order, more } => (
            "loaded",
            json!({
                "card": card.to_string(),
                "amount_fen": amount.get(),
                "order": order.to_string(),
                "more_orders": more,
            }),
        ),
        Message::RefundBegun { refund, order, amount, cause } => {
            let mut facts = refund_json(refund.to_string(), order.to_string(), amount.get());
            facts["cause"] = cause_word(cause).into();
            ("refund_begun", facts)
        }
        Message::RefundSettled { refund, order, amount } => {
            ("refund_settled", refund_json(refund.to_string(), order.to_string(), amount.get()))
        }
        Message::RefundFailed { refund, order, amount, back } => {
            let mut facts = refund_json(refund.to_string(), order.to_string(), amount.get());
            facts["back"] = back_word(back).into();
            ("refund_failed", facts)
        }
        Message::PaymentInCase { order, amount, why } => (
            "payment_in_case",
            json!({ "order": order.to_string(), "amount_fen": amount.get(), "why": suspicion_word(why) }),
        ),
        Message::StillWaiting { order, amount, since, returns_at } => (
            "still_waiting",
            json!({
                "order": order.to_string(),
                "amount_fen": amount.get(),
                "since": iso(since),
                "returns_at": returns_at.map(iso),
            }),
        ),
        Message::PasswordChanged => ("password_changed", json!({})),
        Message::CardLost { card } => ("card_lost", json!({ "card": card.to_string() })),
        Message::WeChatBound => ("wechat_bound", json!({})),
        Message::WeChatUnbound => ("wechat_unbound", json!({})),
        Message::SignedInElsewhere => ("signed_in_elsewhere", json!({})),
        Message::TokenMade => ("token_made", json!({})),
    };
    let mut body = Map::new();
    body.insert("no".to_owned(), received.no.into());
    body.insert("at".to_owned(), iso(received.at).into());
    body.insert("kind".to_owned(), kind.into());
    body.insert("read".to_owned(), (received.no <= read).into());
    if let Value::Object(facts) = facts {
        body.extend(facts);
    }
    Value::Object(body)
}

fn refund_json(refund: String, order: String, fen: i64) -> Value {
    json!({ "refund": refund, "order": order, "amount_fen": fen })
}

/// The word for why a refund began, in JSON.
pub(crate) const fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Person => "asked_for",
        Cause::Twice => "paid_twice",
        Cause::AccountClosed => "account_closed",
        Cause::NotLoaded => "not_loaded",
    }
}

const fn back_word(back: Back) -> &'static str {
    match back {
        Back::Waiting => "waiting_for_card",
        Back::InAccount => "in_account",
        Back::InCase => "in_case",
    }
}

const fn suspicion_word(why: Suspicion) -> &'static str {
    match why {
        Suspicion::Mismatch => "mismatch",
        Suspicion::Twice => "paid_twice",
        Suspicion::AccountClosed => "account_closed",
        Suspicion::GivenBack => "given_back",
    }
}
