//! The orders with their payments, refunds and notices, and what the operator does in the payer's or the bank's place.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger::Micros;
use serde::Deserialize;
use serde_json::json;

use super::switches::in_force;
use super::{Desk, Visit};
use crate::asked::Asked;
use crate::beijing;
use crate::notice::{Notice, NoticeState, Outcome};
use crate::page::{self, Frame};
use crate::records::{Records, Unsaved};
use crate::sandbox::Sandbox;
use crate::text::Language;
use crate::wechat::{self, Order, OrderState, PayRefusal, Refund, Status, Step, Ticket};

const SHOWN_ORDERS: usize = 50;
const PAGE: &str = "/control";
pub(crate) const WECHAT: &str = "wechat";

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage<'a> {
    frame: Frame<'a>,
    in_force: Vec<(&'static str, String, Option<String>)>,
    orders: Vec<OrderRow>,
    more: bool,
}

struct OrderRow {
    out_trade_no: String,
    description: String,
    amount: String,
    state: &'static str,
    scene: &'static str,
    created_at: String,
    expires_at: String,
    prepay_id: String,
    code_url: Option<String>,
    payments: Vec<String>,
    refunds: Vec<RefundRow>,
    notices: Vec<NoticeRow>,
    /// The payer's steps that make sense now: value and words.
    steps: Vec<(&'static str, &'static str)>,
    payable: bool,
}

struct RefundRow {
    out_refund_no: String,
    amount: String,
    state: &'static str,
    created_at: String,
    ends: Vec<(&'static str, &'static str)>,
}

struct NoticeRow {
    event: &'static str,
    state: String,
    tries: Vec<(String, String)>,
}

/// `GET /control`
pub(crate) async fn show(State(sandbox): State<Sandbox>, headers: HeaderMap, Query(visit): Query<Visit>) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let now = sandbox.clock().now();
    let frame = Frame::of_section(&sandbox, language, PAGE, language.words().control);
    let page = sandbox.look(|records| {
        let orders = records.wechat.newest_first();
        ControlPage {
            frame,
            in_force: in_force(&records.switches, language),
            more: orders.len() > SHOWN_ORDERS,
            orders: orders.into_iter().take(SHOWN_ORDERS).map(|order| row(order, records, language, now)).collect(),
        }
    });
    page::html(StatusCode::OK, &page, None)
}

fn row(order: &Order, records: &Records, language: Language, now: Micros) -> OrderRow {
    let (words, asked) = (language.words(), &order.asked);
    let book = &records.wechat;
    let refunded = book.payments_of(&asked.out_trade_no).any(|payment| payment.refunded);
    let state = match &order.state {
        OrderState::NotPaid | OrderState::Failed if now > order.expires_at => words.state_expired,
        OrderState::NotPaid => words.state_not_paid,
        OrderState::Paying => words.state_paying,
        OrderState::Failed => words.state_failed,
        OrderState::Paid { .. } if refunded => words.state_refunded,
        OrderState::Paid { .. } => words.state_paid,
        OrderState::Closed { .. } => words.state_closed,
    };
    let payable = book.payable(Ticket::Number(&asked.out_trade_no), now).is_ok();
    let steps = match &order.state {
        OrderState::Paid { .. } => vec![("again", words.pay_again)],
        OrderState::Paying => vec![("stop", words.stop), ("fail", words.fail)],
        _ if payable => vec![("begin", words.begin)],
        _ => Vec::new(),
    };
    let payment = |payment: &crate::wechat::Payment| {
        let (amount, at) = (page::yuan(payment.total), language.time(payment.paid_at));
        format!("{} · {amount} {} · {at}", payment.transaction_id, payment.currency)
    };
    OrderRow {
        out_trade_no: asked.out_trade_no.clone(),
        description: asked.description.clone(),
        amount: page::yuan(asked.amount.total),
        state,
        scene: order.scene.trade_type(),
        created_at: language.time(order.created_at),
        expires_at: language.time(order.expires_at),
        prepay_id: order.prepay_id.clone(),
        code_url: (order.scene == wechat::Scene::Native).then(|| wechat::code_url(&order.prepay_id)),
        payments: book.payments_of(&asked.out_trade_no).map(payment).collect(),
        refunds: book.refunds_of(&asked.out_trade_no).into_iter().map(|refund| refund_row(refund, language)).collect(),
        notices: records.notices.of_order(&asked.out_trade_no).map(|notice| notice_row(notice, language)).collect(),
        steps,
        payable,
    }
}

fn refund_row(refund: &Refund, language: Language) -> RefundRow {
    let words = language.words();
    let (state, ends) = match refund.status() {
        Status::Processing => (
            words.refund_processing,
            vec![("success", words.refund_arrive), ("abnormal", words.refund_break), ("closed", words.refund_close)],
        ),
        Status::Abnormal => {
            (words.refund_abnormal, vec![("success", words.refund_arrive), ("closed", words.refund_close)])
        }
        Status::Success => (words.refund_success, Vec::new()),
        Status::Closed => (words.refund_closed, Vec::new()),
    };
    RefundRow {
        out_refund_no: refund.asked.out_refund_no.clone(),
        amount: page::yuan(refund.amount()),
        state,
        created_at: language.time(refund.created_at),
        ends,
    }
}

fn notice_row(notice: &Notice, language: Language) -> NoticeRow {
    let words = language.words();
    let state = match notice.state {
        NoticeState::Waiting { due_at } => format!("{} {}", words.notice_waiting, language.time(due_at)),
        NoticeState::Held { until } => format!("{} {}", words.notice_held, language.time(until)),
        NoticeState::Delivered if notice.probe => words.notice_taken.to_owned(),
        NoticeState::Delivered => words.notice_delivered.to_owned(),
        NoticeState::Refused => words.notice_refused.to_owned(),
        NoticeState::GivenUp => words.notice_given_up.to_owned(),
        NoticeState::Lost => words.notice_lost.to_owned(),
    };
    let tries = notice.tries.iter().map(|one| {
        let met = match one.outcome {
            Outcome::Answered(status) => format!("{} {status}", words.answered),
            Outcome::TimedOut => words.timed_out.to_owned(),
            Outcome::NoConnection => words.no_connection.to_owned(),
        };
        (format!("{} · {met}", language.time(one.at)), one.said.clone())
    });
    let event = if notice.probe { words.probe } else { notice.content.event() };
    NoticeRow { event, state, tries: tries.collect() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayAsked {
    provider: String,
    out_trade_no: String,
    #[serde(default)]
    step: StepName,
    at: Option<String>,
    lang: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StepName {
    #[default]
    Pay,
    Again,
    Begin,
    Stop,
    Fail,
}

/// `POST /control/pay`: acts as the payer, JSON `{"provider":"wechat","out_trade_no":".."}` or a form.
///
/// Shape: `step` is `pay` unless given; `again` pays a paid order a second time, `begin`, `stop` and `fail` are the
/// password. `at` moves a payment into the past, so that there is a bill with it.
/// Errors, in order: 400 `unknown_provider`, 400 `time_malformed`, 404 `order_not_exist`, 409 `order_paid`,
/// `order_not_paid`, `order_closed`, `order_expired`, 500 `unsaved`.
/// Repeats: an order that is paid answers as the first time, unless it is paid `again`.
pub(crate) async fn pay(State(sandbox): State<Sandbox>, headers: HeaderMap, asked: Asked<PayAsked>) -> Response {
    let (by, asked) = (asked.by, asked.content);
    let language = Language::of(asked.lang.as_deref(), &headers);
    let (words, desk) = (language.words(), Desk { sandbox: &sandbox, language, by, page: PAGE });
    if asked.provider != WECHAT {
        return desk.malformed("unknown_provider", words.unknown_provider);
    }
    let at = match asked.at.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match beijing::parse(text).filter(|at| *at <= sandbox.clock().now()) {
            Some(at) => Some(at),
            None => return desk.malformed("time_malformed", words.step_malformed),
        },
    };
    let step = match asked.step {
        StepName::Pay => Step::Pay,
        StepName::Again => Step::PayAgain,
        StepName::Begin => Step::Begin,
        StepName::Stop => Step::Stop,
        StepName::Fail => Step::Fail,
    };
    let conflict = StatusCode::CONFLICT;
    match wechat::step(&sandbox, Ticket::Number(&asked.out_trade_no), step, at) {
        Ok(paid) => desk.done(json!({
            "provider": WECHAT,
            "out_trade_no": paid.out_trade_no,
            "state": if paid.transaction_id.is_some() { "SUCCESS" } else { "NOTPAY" },
            "transaction_id": paid.transaction_id,
        })),
        Err(PayRefusal::Unknown) => {
            desk.refuse(StatusCode::NOT_FOUND, "order_not_exist", words.no_order, words.no_order_says)
        }
        Err(PayRefusal::Paid) => desk.refuse(conflict, "order_paid", words.paid, words.paid_says),
        Err(PayRefusal::NotPaid) => desk.refuse(conflict, "order_not_paid", words.state_not_paid, words.not_paid_says),
        Err(PayRefusal::Closed) => desk.refuse(conflict, "order_closed", words.closed, words.closed_says),
        Err(PayRefusal::Expired) => desk.refuse(conflict, "order_expired", words.expired, words.expired_says),
        Err(PayRefusal::Unsaved) => desk.unsaved(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundAsked {
    out_refund_no: String,
    outcome: Outcomes,
    lang: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcomes {
    Success,
    Closed,
    Abnormal,
}

/// `POST /control/refund`: `{"out_refund_no":"..","outcome":"success"|"closed"|"abnormal"}` or a form: ends a refund, or
/// halts it, before its time.
///
/// Errors, in order: 409 `no_open_refund`, 500 `unsaved`.
pub(crate) async fn settle_refund(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    asked: Asked<RefundAsked>,
) -> Response {
    let (by, asked) = (asked.by, asked.content);
    let language = Language::of(asked.lang.as_deref(), &headers);
    let (words, desk) = (language.words(), Desk { sandbox: &sandbox, language, by, page: PAGE });
    let status = match asked.outcome {
        Outcomes::Success => Status::Success,
        Outcomes::Closed => Status::Closed,
        Outcomes::Abnormal => Status::Abnormal,
    };
    let settled: Result<bool, Unsaved> =
        sandbox.change(|records| Ok(wechat::settle(&sandbox, records, &asked.out_refund_no, status)));
    match settled {
        Ok(true) => {
            sandbox.wake();
            desk.done(json!({ "out_refund_no": asked.out_refund_no, "status": status.word() }))
        }
        Ok(false) => desk.refuse(StatusCode::CONFLICT, "no_open_refund", words.no_refund, words.no_refund_says),
        Err(Unsaved) => desk.unsaved(),
    }
}
