//! The bills to look at, the merchant's balance, and money that moves without a payment.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger::Fen;
use serde::Deserialize;
use serde_json::json;

use super::{Desk, Visit};
use crate::asked::{Asked, By};
use crate::page::{self, Frame};
use crate::records::Unsaved;
use crate::sandbox::Sandbox;
use crate::text::Language;
use crate::wechat::{FundsKind, plain_bill};
use crate::{beijing, random};

const PAGE: &str = "/control/bills";

#[derive(Template)]
#[template(path = "bills.html")]
struct BillsPage<'a> {
    frame: Frame<'a>,
    balance: String,
    today: String,
    /// What the tour that leads here says of them.
    beside: Option<&'static str>,
}

/// `GET /control/bills`
pub(crate) async fn show(State(sandbox): State<Sandbox>, headers: HeaderMap, Query(visit): Query<Visit>) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let frame = Frame::of_section(&sandbox, language, PAGE, language.words().bills);
    let balance = page::yuan(Fen::new(sandbox.look(|records| records.wechat.balance())));
    let today = beijing::shown_zh(sandbox.clock().now()).chars().take(10).collect();
    let beside = frame.tour.map(|tour| match language {
        Language::Chinese => tour.beside_bills.0,
        Language::English => tour.beside_bills.1,
    });
    page::html(StatusCode::OK, &BillsPage { frame, balance, today, beside }, None)
}

#[derive(Deserialize)]
pub(crate) struct BillAsked {
    date: Option<String>,
    kind: Option<String>,
    lang: Option<String>,
}

/// `GET /control/bill?date=2026-11-22&kind=ALL|SUCCESS|REFUND|BASIC`: a bill without a fault, today's too.
///
/// Errors: 404 where the day has no such row.
pub(crate) async fn download(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Query(asked): Query<BillAsked>,
) -> Response {
    let language = Language::of(asked.lang.as_deref(), &headers);
    let (date, kind) = (asked.date.unwrap_or_default(), asked.kind.unwrap_or_default());
    let Some(text) = plain_bill(&sandbox, &date, &kind) else {
        let (words, desk) = (language.words(), Desk { sandbox: &sandbox, language, by: By::Page, page: PAGE });
        return desk.refuse(StatusCode::NOT_FOUND, "no_bill", words.no_bill, words.no_bill_says);
    };
    // Date and kind were both recognised, so they are plain ASCII.
    let name = format!("attachment; filename=\"{date}-{kind}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).expect("a date and a word are ASCII")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FundsAsked {
    action: Action,
    /// In yuan, as a person writes it.
    amount: String,
    lang: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Deposit,
    Withdraw,
}

/// `POST /control/funds`: `{"action":"withdraw"|"deposit","amount":"50.00"}` or a form: what makes refunds run short, and
/// what mends it.
///
/// Errors, in order: 400 `amount_wrong` (not positive, or more than the balance), 500 `unsaved`.
pub(crate) async fn move_funds(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    asked: Asked<FundsAsked>,
) -> Response {
    let (by, asked) = (asked.by, asked.content);
    let language = Language::of(asked.lang.as_deref(), &headers);
    let (words, desk) = (language.words(), Desk { sandbox: &sandbox, language, by, page: PAGE });
    let balance = sandbox.look(|records| records.wechat.balance());
    let amount = Fen::parse_yuan(&asked.amount).ok().filter(|amount| amount.is_positive());
    let Some(amount) = amount.filter(|amount| asked.action == Action::Deposit || amount.get() <= balance) else {
        return desk.malformed("amount_wrong", words.amount_wrong);
    };
    let (now, number) = (sandbox.clock().now(), random::digits(20));
    let kind = if asked.action == Action::Deposit { FundsKind::Deposit } else { FundsKind::Withdrawal };
    let moved: Result<i64, Unsaved> = sandbox.change(|records| {
        records.wechat.move_by_hand(kind, amount, &number, now);
        Ok(records.wechat.balance())
    });
    match moved {
        Ok(balance) => desk.done(json!({ "balance_fen": balance })),
        Err(Unsaved) => desk.unsaved(),
    }
}
