//! WeChat Pay API v3 (direct merchant), and the official account: silent OAuth, tokens, menu and messages.

mod account;
mod answer;
mod bill;
mod bills;
mod book;
mod cashier;
mod certificates;
mod create;
mod funds;
mod gate;
mod keys;
mod notification;
mod oauth;
mod orders;
mod payment;
mod refund;
mod refunds;
mod scan;
mod transaction;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post};

pub(crate) use account::{Account, Message, MessageKind};
pub(crate) use bills::{Links, plain as plain_bill};
pub(crate) use book::{Book, Order, OrderState, PayRefusal, Payment, Ticket};
pub(crate) use create::Scene;
pub(crate) use funds::Kind as FundsKind;
pub(crate) use keys::WechatKeys;
pub use keys::WechatKeysError;
pub(crate) use notification::{Content, compose};
pub(crate) use oauth::Codes;
pub(crate) use orders::code_url;
pub(crate) use payment::{Step, advance, settle, step};
pub(crate) use refund::{Refund, Status};
pub(crate) use refunds::Pace;

use crate::sandbox::Sandbox;

/// The merchant's API (signed both ways), the official account, and the pages for payers.
pub(crate) fn router(sandbox: &Sandbox) -> Router<Sandbox> {
    let signed = Router::new()
        .route("/v3/pay/transactions/jsapi", post(orders::create_jsapi))
        .route("/v3/pay/transactions/h5", post(orders::create_h5))
        .route("/v3/pay/transactions/native", post(orders::create_native))
        .route("/v3/pay/transactions/app", post(orders::create_app))
        .route("/v3/pay/transactions/id/{transaction_id}", get(orders::query_by_transaction))
        .route("/v3/pay/transactions/out-trade-no/{out_trade_no}", get(orders::query_by_number))
        .route("/v3/pay/transactions/out-trade-no/{out_trade_no}/close", post(orders::close))
        .route("/v3/refund/domestic/refunds", post(refunds::create))
        .route("/v3/refund/domestic/refunds/{out_refund_no}", get(refunds::query))
        .route("/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund", post(refunds::apply_abnormal))
        .route("/v3/bill/tradebill", get(bills::trade))
        .route("/v3/bill/fundflowbill", get(bills::fund_flow))
        .route("/v3/billdownload/file", get(bills::download))
        .route("/v3/certificates", get(certificates::list))
        .route("/v3/{*anything}", any(orders::unknown_address))
        .layer(middleware::from_fn_with_state(sandbox.clone(), gate::signed_both_ways));
    let account = Router::new()
        .route("/sns/oauth2/access_token", get(oauth::access_token))
        .route("/cgi-bin/token", get(account::token))
        .route("/cgi-bin/stable_token", post(account::stable_token))
        .route("/cgi-bin/ticket/getticket", get(account::ticket))
        .route("/cgi-bin/menu/create", post(account::create_menu))
        .route("/cgi-bin/message/template/send", post(account::send_template))
        .route("/cgi-bin/message/subscribe/bizsend", post(account::send_subscribe))
        .layer(middleware::from_fn_with_state(sandbox.clone(), gate::watched));
    let people = Router::new()
        .route("/connect/oauth2/authorize", get(oauth::authorize))
        .route("/cgi-bin/mmpayweb-bin/checkmweb", get(scan::h5))
        .route("/scan", get(scan::code))
        .route("/cashier/{prepay_id}", get(cashier::show).post(cashier::decide));
    signed.merge(account).merge(people)
}
