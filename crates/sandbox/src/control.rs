//! The operator's side: pay in the payer's place, watch the notices, throw the switches.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ledger::Micros;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use crate::asked::{Asked, By};
use crate::beijing;
use crate::notice::{Mode, Notice, NoticeState, Outcome, Switches};
use crate::page::{self, Frame, Message};
use crate::records::{Records, Unsaved};
use crate::sandbox::Sandbox;
use crate::text::{Language, Words};
use crate::wechat::{self, Order, OrderState, PayRefusal, Ticket};

const SHOWN_ORDERS: usize = 50;
const LATEST_SECONDS: u32 = 86_400;
const WECHAT: &str = "wechat";

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/control", get(show))
        .route("/control/state", get(state))
        .route("/control/pay", post(pay))
        .route("/control/notice", post(set_notice))
}

/// `GET /`: the controls are the front door.
pub(crate) async fn home() -> Response {
    page::see_other("/control", StatusCode::SEE_OTHER)
}

#[derive(Deserialize)]
pub(crate) struct Visit {
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage<'a> {
    frame: Frame<'a>,
    in_force: String,
    in_force_next: Option<String>,
    modes: [(&'static str, &'static str, bool); 4],
    orders: Vec<OrderRow>,
    more: bool,
}

struct OrderRow {
    out_trade_no: String,
    description: String,
    amount: String,
    state: &'static str,
    payable: bool,
    prepay_id: String,
    transaction_id: Option<String>,
    created_at: String,
    notices: Vec<NoticeRow>,
}

struct NoticeRow {
    state: String,
    tries: Vec<String>,
}

/// `GET /control`
async fn show(State(sandbox): State<Sandbox>, headers: HeaderMap, Query(visit): Query<Visit>) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let (words, now) = (language.words(), sandbox.clock().now());
    let mut frame = Frame::new(&sandbox, language, words.control);
    frame.elsewhere = Some(format!("/control?lang={}", language.other().tag()));

    let page = sandbox.look(|records| {
        let orders = records.wechat.newest_first();
        let all = records.switches.all;
        ControlPage {
            frame,
            in_force: mode_words(all, words),
            in_force_next: records.switches.next.map(|mode| mode_words(mode, words)),
            modes: [
                ("normal", words.normal, all == Mode::Normal),
                ("lost", words.lost, all == Mode::Lost),
                ("late", words.late, matches!(all, Mode::Late { .. })),
                ("twice", words.twice, all == Mode::Twice),
            ],
            more: orders.len() > SHOWN_ORDERS,
            orders: orders.into_iter().take(SHOWN_ORDERS).map(|order| row(order, records, language, now)).collect(),
        }
    });
    page::html(StatusCode::OK, &page, None)
}

fn row(order: &Order, records: &Records, language: Language, now: Micros) -> OrderRow {
    let words = language.words();
    let expired = now > order.expires_at;
    let (state, payable, transaction_id) = match &order.state {
        OrderState::NotPaid if expired => (words.state_expired, false, None),
        OrderState::NotPaid => (words.state_not_paid, true, None),
        OrderState::Paid { transaction_id, .. } => (words.state_paid, false, Some(transaction_id.clone())),
        OrderState::Closed { .. } => (words.state_closed, false, None),
    };
    let asked = &order.asked;
    OrderRow {
        out_trade_no: asked.out_trade_no.clone(),
        description: asked.description.clone(),
        amount: page::yuan(asked.amount.total),
        state,
        payable,
        prepay_id: order.prepay_id.clone(),
        transaction_id,
        created_at: language.time(order.created_at),
        notices: records.notices.of_order(&asked.out_trade_no).map(|notice| notice_row(notice, language)).collect(),
    }
}

fn notice_row(notice: &Notice, language: Language) -> NoticeRow {
    let words = language.words();
    let state = match notice.state {
        NoticeState::Waiting { due_at } => format!("{} {}", words.notice_waiting, language.time(due_at)),
        NoticeState::Delivered => words.notice_delivered.to_owned(),
        NoticeState::GivenUp => words.notice_given_up.to_owned(),
        NoticeState::Lost => words.notice_lost.to_owned(),
    };
    let tries = notice.tries.iter().map(|one| {
        let met = match one.outcome {
            Outcome::Answered(status) => format!("{} {status}", words.answered),
            Outcome::TimedOut => words.timed_out.to_owned(),
            Outcome::NoConnection => words.no_connection.to_owned(),
        };
        format!("{} · {met}", language.time(one.at))
    });
    NoticeRow { state, tries: tries.collect() }
}

fn mode_words(mode: Mode, words: &Words) -> String {
    match mode {
        Mode::Normal => words.normal.to_owned(),
        Mode::Lost => words.lost.to_owned(),
        Mode::Late { seconds } => format!("{} · {seconds} s", words.late),
        Mode::Twice => words.twice.to_owned(),
    }
}

/// `GET /control/state`: everything the operator's page shows, for a program. It names no payer.
async fn state(State(sandbox): State<Sandbox>) -> Json<Value> {
    let now = sandbox.clock().now();
    Json(sandbox.look(|records| {
        json!({
            "now": beijing::rfc3339(now),
            "address": sandbox.setup().address,
            "switches": switches_json(&records.switches),
            "orders": records.wechat.newest_first().into_iter().map(|order| order_json(order, records, now))
                .collect::<Vec<_>>(),
        })
    }))
}

fn order_json(order: &Order, records: &Records, now: Micros) -> Value {
    let (state, transaction_id, paid_at) = match &order.state {
        OrderState::NotPaid => ("NOTPAY", None, None),
        OrderState::Paid { transaction_id, paid_at } => ("SUCCESS", Some(transaction_id), Some(*paid_at)),
        OrderState::Closed { .. } => ("CLOSED", None, None),
    };
    let asked = &order.asked;
    json!({
        "provider": WECHAT,
        "out_trade_no": asked.out_trade_no,
        "description": asked.description,
        "amount_fen": asked.amount.total.get(),
        "state": state,
        "payable": order.state == OrderState::NotPaid && now <= order.expires_at,
        "prepay_id": order.prepay_id,
        "transaction_id": transaction_id,
        "created_at": beijing::rfc3339(order.created_at),
        "expires_at": beijing::rfc3339(order.expires_at),
        "paid_at": paid_at.map(beijing::rfc3339),
        "notices": records.notices.of_order(&asked.out_trade_no).map(notice_json).collect::<Vec<_>>(),
    })
}

fn notice_json(notice: &Notice) -> Value {
    let (state, next_at) = match notice.state {
        NoticeState::Waiting { due_at } => ("waiting", Some(beijing::rfc3339(due_at))),
        NoticeState::Delivered => ("delivered", None),
        NoticeState::GivenUp => ("given_up", None),
        NoticeState::Lost => ("lost", None),
    };
    let attempts = notice.tries.iter().map(|one| {
        let (status, error) = match one.outcome {
            Outcome::Answered(status) => (Some(status), None),
            Outcome::TimedOut => (None, Some("timed_out")),
            Outcome::NoConnection => (None, Some("no_connection")),
        };
        json!({ "at": beijing::rfc3339(one.at), "status": status, "error": error })
    });
    json!({
        "id": notice.content.id(),
        "notify_url": notice.url,
        "state": state,
        "next_at": next_at,
        "attempts": attempts.collect::<Vec<_>>(),
    })
}

fn switches_json(switches: &Switches) -> Value {
    json!({ "notice": mode_json(switches.all), "next_notice": switches.next.map(mode_json) })
}

fn mode_json(mode: Mode) -> Value {
    match mode {
        Mode::Normal => json!({ "mode": "normal" }),
        Mode::Lost => json!({ "mode": "lost" }),
        Mode::Late { seconds } => json!({ "mode": "late", "seconds": seconds }),
        Mode::Twice => json!({ "mode": "twice" }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayAsked {
    provider: String,
    out_trade_no: String,
    lang: Option<String>,
}

/// `POST /control/pay`: pays an order as its payer would, JSON `{"provider":"wechat","out_trade_no":".."}` or a form.
///
/// Errors, in order: 400 `unknown_provider`, 404 `order_not_exist`, 409 `order_closed`, 409 `order_expired`,
/// 500 `unsaved`.
/// Repeats: an order that is paid answers as the first time.
async fn pay(State(sandbox): State<Sandbox>, headers: HeaderMap, asked: Asked<PayAsked>) -> Response {
    let (by, asked) = (asked.by, asked.content);
    let language = Language::of(asked.lang.as_deref(), &headers);
    let words = language.words();
    if asked.provider != WECHAT {
        let refusal = Message::new(words.malformed_title, words.unknown_provider);
        return refuse(&sandbox, language, by, StatusCode::BAD_REQUEST, "unknown_provider", refusal);
    }
    let (status, code, message) = match wechat::pay(&sandbox, Ticket::Number(&asked.out_trade_no)) {
        Ok(payment) => {
            let answer = json!({
                "provider": WECHAT,
                "out_trade_no": payment.out_trade_no,
                "state": "SUCCESS",
                "transaction_id": payment.transaction_id,
            });
            return done(language, by, answer);
        }
        Err(PayRefusal::Unknown) => {
            (StatusCode::NOT_FOUND, "order_not_exist", Message::new(words.no_order, words.no_order_says))
        }
        Err(PayRefusal::Closed) => {
            (StatusCode::CONFLICT, "order_closed", Message::new(words.closed, words.closed_says))
        }
        Err(PayRefusal::Expired) => {
            (StatusCode::CONFLICT, "order_expired", Message::new(words.expired, words.expired_says))
        }
        Err(PayRefusal::Unsaved) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "unsaved", Message::new(words.unsaved_title, words.unsaved))
        }
    };
    refuse(&sandbox, language, by, status, code, message)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeAsked {
    mode: ModeName,
    #[serde(default)]
    seconds: Option<Seconds>,
    #[serde(default)]
    scope: Scope,
    lang: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    Normal,
    Lost,
    Late,
    Twice,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    /// Every order from now on; a switch set for the next one is taken back.
    #[default]
    All,
    Next,
}

/// A program writes a number, a form text; the field of a form is there, perhaps empty, whatever the mode.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u32),
    Text(String),
}

impl Seconds {
    fn value(&self) -> Option<u32> {
        match self {
            Seconds::Number(number) => Some(*number),
            Seconds::Text(text) => text.trim().parse().ok(),
        }
        .filter(|seconds| *seconds <= LATEST_SECONDS)
    }
}

/// `POST /control/notice`: `{"mode":"normal"|"lost"|"late"|"twice","seconds":N,"scope":"all"|"next"}` or a form.
///
/// Shape: `seconds` is read for `late` alone, 0..=86400; `scope` is `all` unless given. It governs orders paid from now
/// on; notices that wait already stay as they are.
/// Errors: 400 `late_needs_seconds`, 500 `unsaved`.
async fn set_notice(State(sandbox): State<Sandbox>, headers: HeaderMap, asked: Asked<NoticeAsked>) -> Response {
    let (by, asked) = (asked.by, asked.content);
    let language = Language::of(asked.lang.as_deref(), &headers);
    let words = language.words();
    let mode = match (asked.mode, asked.seconds.as_ref().and_then(Seconds::value)) {
        (ModeName::Normal, _) => Mode::Normal,
        (ModeName::Lost, _) => Mode::Lost,
        (ModeName::Twice, _) => Mode::Twice,
        (ModeName::Late, Some(seconds)) => Mode::Late { seconds },
        (ModeName::Late, None) => {
            let refusal = Message::new(words.malformed_title, words.late_needs_seconds);
            return refuse(&sandbox, language, by, StatusCode::BAD_REQUEST, "late_needs_seconds", refusal);
        }
    };
    let set: Result<Value, Unsaved> = sandbox.change(|records| {
        match asked.scope {
            Scope::All => records.switches = Switches { all: mode, next: None },
            Scope::Next => records.switches.next = Some(mode),
        }
        Ok(switches_json(&records.switches))
    });
    match set {
        Ok(switches) => {
            info!(?mode, "the notice switch was set");
            done(language, by, switches)
        }
        Err(Unsaved) => {
            let refusal = Message::new(words.unsaved_title, words.unsaved);
            refuse(&sandbox, language, by, StatusCode::INTERNAL_SERVER_ERROR, "unsaved", refusal)
        }
    }
}

fn done(language: Language, by: By, answer: Value) -> Response {
    match by {
        By::Program => Json(answer).into_response(),
        By::Page => page::see_other(&format!("/control?lang={}", language.tag()), StatusCode::SEE_OTHER),
    }
}

fn refuse(
    sandbox: &Sandbox,
    language: Language,
    by: By,
    status: StatusCode,
    code: &str,
    message: Message<'_>,
) -> Response {
    match by {
        By::Program => (status, Json(json!({ "error": code, "message": message.sentence() }))).into_response(),
        By::Page => {
            let back = format!("/control?lang={}", language.tag());
            page::message(sandbox, language, status, message.leading_to(back))
        }
    }
}
