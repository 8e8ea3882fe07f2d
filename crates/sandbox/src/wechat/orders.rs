//! The order calls: unwrap, ask the book, answer. Who sent a call is proved already by the gate.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::info;

use super::answer::Failure;
use super::book::Order;
use super::wire::{CloseOrder, CreateOrder, Created, Transaction};
use crate::random;
use crate::sandbox::Sandbox;

type PathText = Result<Path<String>, PathRejection>;

/// `POST /v3/pay/transactions/jsapi`
pub(crate) async fn create(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Created>, Failure> {
    let asked = CreateOrder::read(&body, &sandbox.setup().wechat)?;
    let (now, out_trade_no) = (sandbox.clock().now(), asked.out_trade_no.clone());
    let prepay_id = random::prepay_id(now);
    sandbox.change(|records| records.wechat.open(asked, &prepay_id, now))?;
    info!(order.no = %out_trade_no, prepay = %prepay_id, "order {out_trade_no} can be paid");
    Ok(Json(Created { prepay_id }))
}

#[derive(Deserialize)]
pub(crate) struct Asker {
    mchid: String,
}

/// `GET /v3/pay/transactions/out-trade-no/{out_trade_no}?mchid=`
pub(crate) async fn query_by_number(
    State(sandbox): State<Sandbox>,
    number: PathText,
    asker: Result<Query<Asker>, QueryRejection>,
) -> Result<Response, Failure> {
    check_asker(&sandbox, asker)?;
    let number = path_text(number, "out_trade_no")?;
    sandbox.look(|records| answer(records.wechat.by_number(&number)))
}

/// `GET /v3/pay/transactions/id/{transaction_id}?mchid=`
pub(crate) async fn query_by_transaction(
    State(sandbox): State<Sandbox>,
    transaction_id: PathText,
    asker: Result<Query<Asker>, QueryRejection>,
) -> Result<Response, Failure> {
    check_asker(&sandbox, asker)?;
    let transaction_id = path_text(transaction_id, "transaction_id")?;
    sandbox.look(|records| answer(records.wechat.by_transaction(&transaction_id)))
}

/// `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close`
pub(crate) async fn close(
    State(sandbox): State<Sandbox>,
    number: PathText,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let asker: CloseOrder = serde_json::from_slice(&body)
        .map_err(|error| Failure::parameter("body", format!("请求体不符合接口定义：{error}")))?;
    check_merchant(&sandbox, &asker.mchid)?;
    let (number, now) = (path_text(number, "out_trade_no")?, sandbox.clock().now());
    sandbox.change(|records| records.wechat.close(&number, now))?;
    info!(order.no = %number, "order {number} is closed");
    Ok(StatusCode::NO_CONTENT)
}

/// Any other address of the merchant's API.
pub(crate) async fn unknown_address() -> Failure {
    Failure::no_such_address()
}

fn answer(order: Option<&Order>) -> Result<Response, Failure> {
    order.map(|order| Json(Transaction::of(order)).into_response()).ok_or_else(Failure::no_such_order)
}

fn path_text(text: PathText, name: &'static str) -> Result<String, Failure> {
    text.map(|Path(text)| text).map_err(|_| Failure::parameter(name, "路径参数不是合法的文本"))
}

fn check_asker(sandbox: &Sandbox, asker: Result<Query<Asker>, QueryRejection>) -> Result<(), Failure> {
    let Query(asker) = asker.map_err(|_| Failure::parameter("mchid", "缺少查询参数 mchid"))?;
    check_merchant(sandbox, &asker.mchid)
}

fn check_merchant(sandbox: &Sandbox, mchid: &str) -> Result<(), Failure> {
    if mchid == sandbox.setup().wechat.mchid { Ok(()) } else { Err(Failure::unknown_merchant()) }
}
