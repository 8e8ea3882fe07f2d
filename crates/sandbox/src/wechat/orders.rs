//! The order calls: unwrap, ask the book, answer. Who sent a call is proved already by the gate.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use super::answer::Failure;
use super::create::{CloseOrder, CreateOrder, Scene};
use super::transaction::Transaction;
use crate::random;
use crate::sandbox::Sandbox;

pub(crate) type PathText = Result<Path<String>, PathRejection>;

/// `POST /v3/pay/transactions/jsapi`
pub(crate) async fn create_jsapi(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Failure> {
    create(&sandbox, &body, Scene::Jsapi)
}

/// `POST /v3/pay/transactions/h5`
pub(crate) async fn create_h5(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Failure> {
    create(&sandbox, &body, Scene::H5)
}

/// `POST /v3/pay/transactions/native`
pub(crate) async fn create_native(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Failure> {
    create(&sandbox, &body, Scene::Native)
}

/// `POST /v3/pay/transactions/app`
pub(crate) async fn create_app(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<Value>, Failure> {
    create(&sandbox, &body, Scene::App)
}

fn create(sandbox: &Sandbox, body: &[u8], scene: Scene) -> Result<Json<Value>, Failure> {
    let now = sandbox.clock().now();
    let asked = CreateOrder::read(body, scene, &sandbox.setup().wechat, now)?;
    let (out_trade_no, prepay_id) = (asked.out_trade_no.clone(), random::prepay_id(now));
    sandbox.change(|records| records.wechat.open(asked, scene, &prepay_id, now))?;
    info!(order.no = %out_trade_no, prepay = %prepay_id, "order {out_trade_no} can be paid");
    Ok(Json(match scene {
        Scene::Jsapi | Scene::App => json!({ "prepay_id": prepay_id }),
        Scene::Native => json!({ "code_url": code_url(&prepay_id) }),
        Scene::H5 => json!({ "h5_url": h5_url(sandbox, &prepay_id) }),
    }))
}

/// What a native order's code says.
pub(crate) fn code_url(prepay_id: &str) -> String {
    format!("{CODE_BEGINS}{prepay_id}")
}

/// The prepay number in a native order's code.
pub(crate) fn of_code_url(code: &str) -> Option<&str> {
    code.trim().strip_prefix(CODE_BEGINS)
}

const CODE_BEGINS: &str = "weixin://wxpay/bizpayurl?pr=";

/// Where an H5 order's payer goes; the merchant adds `&redirect_url=` itself.
pub(crate) fn h5_url(sandbox: &Sandbox, prepay_id: &str) -> String {
    let address = sandbox.setup().address.trim_end_matches('/');
    format!("{address}/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}&package={}", random::digits(10))
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
    sandbox.look(|records| {
        let (order, payment) = records.wechat.by_number(&number).ok_or_else(Failure::no_such_order)?;
        Ok(Json(Transaction::of(order, payment)).into_response())
    })
}

/// `GET /v3/pay/transactions/id/{transaction_id}?mchid=`
pub(crate) async fn query_by_transaction(
    State(sandbox): State<Sandbox>,
    transaction_id: PathText,
    asker: Result<Query<Asker>, QueryRejection>,
) -> Result<Response, Failure> {
    check_asker(&sandbox, asker)?;
    let transaction_id = path_text(transaction_id, "transaction_id")?;
    sandbox.look(|records| {
        let (order, payment) = records.wechat.by_transaction(&transaction_id).ok_or_else(Failure::no_such_order)?;
        Ok(Json(Transaction::of(order, Some(payment))).into_response())
    })
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
    // A close that comes too early is counted, so it is kept although it is refused.
    let closed = sandbox.change(|records| Ok::<_, Failure>(records.wechat.close(&number, now)))?;
    closed?;
    info!(order.no = %number, "order {number} is closed");
    Ok(StatusCode::NO_CONTENT)
}

/// Any other address of the merchant's API.
pub(crate) async fn unknown_address() -> Failure {
    Failure::no_such_address()
}

pub(crate) fn path_text(text: PathText, name: &'static str) -> Result<String, Failure> {
    text.map(|Path(text)| text).map_err(|_| Failure::parameter(name, "路径参数不是合法的文本"))
}

fn check_asker(sandbox: &Sandbox, asker: Result<Query<Asker>, QueryRejection>) -> Result<(), Failure> {
    let Query(asker) = asker.map_err(|_| Failure::parameter("mchid", "缺少查询参数 mchid"))?;
    check_merchant(sandbox, &asker.mchid)
}

fn check_merchant(sandbox: &Sandbox, mchid: &str) -> Result<(), Failure> {
    if mchid == sandbox.setup().wechat.mchid { Ok(()) } else { Err(Failure::unknown_merchant()) }
}
