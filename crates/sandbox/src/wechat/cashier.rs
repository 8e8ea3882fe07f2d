//! The page on which a person pays or cancels: it stands for the payment sheet inside WeChat.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use reqwest::Url;
use serde::Deserialize;

use super::book::{Order, OrderState, PayRefusal, Ticket};
use super::payment::{Step, step};
use crate::asked::Asked;
use crate::page::{self, Frame, Message};
use crate::sandbox::Sandbox;
use crate::text::Language;

/// What the address of a cashier page carries. The six values of the merchant's page are checked when one is there.
#[derive(Deserialize)]
pub(crate) struct Visit {
    #[serde(rename = "return")]
    return_to: Option<String>,
    lang: Option<String>,
    cancelled: Option<String>,
    #[serde(rename = "appId")]
    app_id: Option<String>,
    #[serde(rename = "timeStamp")]
    time_stamp: Option<String>,
    #[serde(rename = "nonceStr")]
    nonce_str: Option<String>,
    package: Option<String>,
    #[serde(rename = "signType")]
    sign_type: Option<String>,
    #[serde(rename = "paySign")]
    pay_sign: Option<String>,
}

/// What the buttons post.
#[derive(Deserialize)]
pub(crate) struct Clicked {
    action: Action,
    #[serde(rename = "return")]
    return_to: Option<String>,
    lang: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Pay,
    Cancel,
}

#[derive(Template)]
#[template(path = "cashier.html")]
struct CashierPage<'a> {
    frame: Frame<'a>,
    /// What happened or what it means; empty while the order simply waits.
    sentence: &'a str,
    /// The payer is done here, and no address leads back: the merchant's page is another one.
    closable: bool,
    open: bool,
    prepay_id: &'a str,
    amount: String,
    merchant: &'a str,
    description: String,
    out_trade_no: String,
    transaction_id: Option<String>,
    moment: &'a str,
    moment_at: String,
    back: Option<String>,
}

/// `GET /cashier/{prepay_id}?return=URL`
///
/// Errors, in order: 400 for a return address on a foreign host, 404 for an unknown prepay number, 400 for a payment
/// signature that does not match.
pub(crate) async fn show(
    State(sandbox): State<Sandbox>,
    Path(prepay_id): Path<String>,
    Query(visit): Query<Visit>,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let words = language.words();
    let Ok(target) = way_back(&sandbox, visit.return_to.as_deref()) else {
        let message = Message::new(words.redirect_title, words.redirect_refused);
        return page::message(&sandbox, language, StatusCode::BAD_REQUEST, message);
    };
    let ticket = Ticket::Prepay(&prepay_id);
    let Some((order, last_moment)) =
        sandbox.look(|records| records.wechat.find(ticket).map(|(order, last_moment)| (order.clone(), last_moment)))
    else {
        return unknown(&sandbox, language, target.as_ref());
    };
    if visit.carries_signature() && !visit.signature_holds(&sandbox, &prepay_id) {
        let message = Message::new(words.pay_sign_title, words.pay_sign_refused).with_way_back(target.as_ref());
        return page::message(&sandbox, language, StatusCode::BAD_REQUEST, message);
    }

    let stale = sandbox.clock().now() > last_moment;
    let (heading, sentence, moment, at) = match &order.state {
        OrderState::Paid { paid_at, .. } => (words.paid, words.paid_says, words.paid_at, *paid_at),
        OrderState::Closed { .. } => (words.closed, words.closed_says, words.created_at, order.created_at),
        OrderState::NotPaid | OrderState::Failed if stale => {
            (words.expired, words.expired_says, words.pay_before, last_moment)
        }
        OrderState::NotPaid | OrderState::Paying | OrderState::Failed => {
            let note = if visit.cancelled.is_some() { words.cancelled } else { "" };
            (words.confirm, note, words.pay_before, last_moment)
        }
    };
    let paid = matches!(order.state, OrderState::Paid { .. });
    let mut frame = Frame::new(&sandbox, language, heading);
    frame.banner = words.cashier_banner;
    frame.elsewhere = Some(address(&prepay_id, language.other(), target.as_ref(), false));
    let page = CashierPage {
        frame,
        sentence,
        closable: target.is_none() && (paid || visit.cancelled.is_some()),
        open: sandbox.look(|records| records.wechat.payable(ticket, sandbox.clock().now()).is_ok()),
        prepay_id: &prepay_id,
        amount: page::yuan(order.asked.amount.total),
        merchant: &sandbox.setup().wechat.merchant_name,
        transaction_id: transaction_id(&order),
        description: order.asked.description,
        out_trade_no: order.asked.out_trade_no,
        moment,
        moment_at: language.time(at),
        back: target.as_ref().map(Url::to_string),
    };
    page::html(StatusCode::OK, &page, target.as_ref())
}

/// `POST /cashier/{prepay_id}`: pays or cancels, then sends the browser back to the merchant, or to the page itself.
///
/// Repeats: a second click, a reload or a second window pays nothing again and is sent back likewise.
pub(crate) async fn decide(
    State(sandbox): State<Sandbox>,
    Path(prepay_id): Path<String>,
    headers: HeaderMap,
    asked: Asked<Clicked>,
) -> Response {
    let clicked = asked.content;
    let language = Language::of(clicked.lang.as_deref(), &headers);
    let words = language.words();
    let Ok(target) = way_back(&sandbox, clicked.return_to.as_deref()) else {
        let message = Message::new(words.redirect_title, words.redirect_refused);
        return page::message(&sandbox, language, StatusCode::BAD_REQUEST, message);
    };
    let ticket = Ticket::Prepay(&prepay_id);
    let to_page = |cancelled| address(&prepay_id, language, target.as_ref(), cancelled);
    let to_merchant = |else_to: String| target.as_ref().map_or(else_to, Url::to_string);

    let location = match clicked.action {
        Action::Pay => match step(&sandbox, ticket, Step::Pay, None) {
            Ok(_) => to_merchant(to_page(false)),
            // The page itself says why nothing was paid.
            Err(PayRefusal::Closed | PayRefusal::Expired | PayRefusal::Paid | PayRefusal::NotPaid) => to_page(false),
            Err(PayRefusal::Unknown) => return unknown(&sandbox, language, target.as_ref()),
            Err(PayRefusal::Unsaved) => {
                let message = Message::new(words.unsaved_title, words.unsaved).with_way_back(target.as_ref());
                return page::message(&sandbox, language, StatusCode::INTERNAL_SERVER_ERROR, message);
            }
        },
        Action::Cancel => match sandbox.look(|records| records.wechat.find(ticket).is_some()) {
            true => to_merchant(to_page(true)),
            false => return unknown(&sandbox, language, target.as_ref()),
        },
    };
    page::see_other(&location, StatusCode::SEE_OTHER)
}

impl Visit {
    fn carries_signature(&self) -> bool {
        self.pay_sign.is_some() || self.package.is_some()
    }

    /// Whether the six values are those that the merchant signed for this very prepay number.
    ///
    /// Source: WeChat Pay API v3, JSAPI front end.
    fn signature_holds(&self, sandbox: &Sandbox, prepay_id: &str) -> bool {
        let part = |value: &Option<String>| value.clone().unwrap_or_default();
        let (app_id, package) = (part(&self.app_id), part(&self.package));
        let message = format!("{app_id}\n{}\n{}\n{package}\n", part(&self.time_stamp), part(&self.nonce_str));
        app_id == sandbox.setup().wechat.appid
            && package == format!("prepay_id={prepay_id}")
            && part(&self.sign_type) == "RSA"
            && sandbox.keys().merchant_signed(message.as_bytes(), &part(&self.pay_sign))
    }
}

/// `Ok(None)`: none was given; `Err`: one was given that we do not send a browser to.
pub(crate) fn way_back(sandbox: &Sandbox, return_to: Option<&str>) -> Result<Option<Url>, ()> {
    match return_to.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => sandbox.redirects().allowed(text).map(Some).ok_or(()),
    }
}

pub(crate) fn unknown(sandbox: &Sandbox, language: Language, target: Option<&Url>) -> Response {
    let words = language.words();
    let message = Message::new(words.no_order, words.no_order_says).with_way_back(target);
    page::message(sandbox, language, StatusCode::NOT_FOUND, message)
}

fn transaction_id(order: &Order) -> Option<String> {
    match &order.state {
        OrderState::Paid { transaction_id, .. } => Some(transaction_id.clone()),
        _ => None,
    }
}

/// The address of this page in a language. The signed values of the first visit are not carried on: they were checked.
pub(crate) fn address(prepay_id: &str, language: Language, target: Option<&Url>, cancelled: bool) -> String {
    let mut url = Url::parse("http://sandbox/").expect("a constant address");
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(["cashier", prepay_id]);
    }
    let mut query = url.query_pairs_mut();
    query.append_pair("lang", language.tag());
    if let Some(target) = target {
        query.append_pair("return", target.as_str());
    }
    if cancelled {
        query.append_pair("cancelled", "1");
    }
    drop(query);
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}
