//! WeChat Pay API v3 (direct merchant, public-key mode) and the official account's silent OAuth.

mod answer;
mod book;
mod cashier;
mod gate;
mod keys;
mod notification;
mod oauth;
mod orders;
mod payment;
mod wire;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post};

pub(crate) use book::{Book, Order, OrderState, PayRefusal, Ticket};
pub(crate) use keys::WechatKeys;
pub use keys::WechatKeysError;
pub(crate) use notification::{TransactionNotice, compose};
pub(crate) use oauth::Codes;
pub(crate) use payment::pay;

use crate::sandbox::Sandbox;

/// The merchant's API (signed both ways), OAuth, and the cashier pages.
pub(crate) fn router(sandbox: &Sandbox) -> Router<Sandbox> {
    let signed = Router::new()
        .route("/v3/pay/transactions/jsapi", post(orders::create))
        .route("/v3/pay/transactions/id/{transaction_id}", get(orders::query_by_transaction))
        .route("/v3/pay/transactions/out-trade-no/{out_trade_no}", get(orders::query_by_number))
        .route("/v3/pay/transactions/out-trade-no/{out_trade_no}/close", post(orders::close))
        .route("/v3/{*anything}", any(orders::unknown_address))
        .layer(middleware::from_fn_with_state(sandbox.clone(), gate::signed_both_ways));
    let people = Router::new()
        .route("/connect/oauth2/authorize", get(oauth::authorize))
        .route("/sns/oauth2/access_token", get(oauth::access_token))
        .route("/cashier/{prepay_id}", get(cashier::show).post(cashier::decide));
    signed.merge(people)
}
