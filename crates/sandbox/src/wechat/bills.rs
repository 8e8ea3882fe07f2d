//! The bill calls: where a bill can be fetched, and the file itself.

use std::collections::BTreeMap;
use std::io::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use ledger::Micros;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Failure;
use super::bill::{self, Day, TradeBill};
use super::payment::advance;
use crate::beijing;
use crate::random;
use crate::records::Records;
use crate::sandbox::Sandbox;
use crate::switches::{Switch, Way};

const LINK_LIFE_SECONDS: i64 = 300;
const READY_SECONDS: i64 = 10 * 3600;
const OLDEST_DAYS: i64 = 92;

/// The files that may be fetched now, by the token of their link; nothing that outlives a restart.
#[derive(Debug, Default)]
pub(crate) struct Links {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug)]
struct File {
    made_at: Micros,
    content: Vec<u8>,
    packed: bool,
}

impl Links {
    fn add(&mut self, token: &str, file: File, now: Micros) {
        self.files.retain(|_, file| now <= file.made_at.after_seconds(LINK_LIFE_SECONDS));
        self.files.insert(token.to_owned(), file);
    }

    fn get(&self, token: &str, now: Micros) -> Option<File> {
        let file = self.files.get(token)?;
        (now <= file.made_at.after_seconds(LINK_LIFE_SECONDS)).then(|| file.clone())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TradeAsked {
    bill_date: String,
    bill_type: Option<String>,
    tar_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowAsked {
    bill_date: String,
    account_type: Option<String>,
    tar_type: Option<String>,
}

/// `GET /v3/bill/tradebill?bill_date=&bill_type=&tar_type=`
///
/// Errors, in order: 400 `PARAM_ERROR`, 400 `INVALID_REQUEST` (a day of more than three months ago), 400
/// `STATEMENT_CREATING` (before ten the next morning), 400 `NO_STATEMENT_EXIST`.
pub(crate) async fn trade(
    State(sandbox): State<Sandbox>,
    asked: Result<Query<TradeAsked>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(asked) = asked.map_err(|_| Failure::parameter("query", "查询参数不符合接口定义"))?;
    let kind = match asked.bill_type.as_deref() {
        None | Some("ALL") => TradeBill::All,
        Some("SUCCESS") => TradeBill::Success,
        Some("REFUND") => TradeBill::Refund,
        Some(_) => return Err(Failure::parameter("bill_type", "账单类型应为 ALL、SUCCESS 或 REFUND")),
    };
    let packed = packed(asked.tar_type.as_deref())?;
    offer(&sandbox, &asked.bill_date, packed, |sandbox, records, day, fault| {
        bill::trade(&records.wechat, kind, day, &sandbox.setup().wechat, fault)
    })
}

/// `GET /v3/bill/fundflowbill?bill_date=&account_type=&tar_type=`
///
/// Errors: as [`trade`]. Money moves on the basic account alone.
pub(crate) async fn fund_flow(
    State(sandbox): State<Sandbox>,
    asked: Result<Query<FlowAsked>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(asked) = asked.map_err(|_| Failure::parameter("query", "查询参数不符合接口定义"))?;
    let basic = match asked.account_type.as_deref() {
        None | Some("BASIC") => true,
        Some("OPERATION" | "FEES") => false,
        Some(_) => return Err(Failure::parameter("account_type", "资金账户应为 BASIC、OPERATION 或 FEES")),
    };
    let packed = packed(asked.tar_type.as_deref())?;
    offer(
        &sandbox,
        &asked.bill_date,
        packed,
        |_, records, day, fault| {
            if basic { bill::fund_flow(&records.wechat, day, fault) } else { None }
        },
    )
}

fn packed(tar_type: Option<&str>) -> Result<bool, Failure> {
    match tar_type {
        None => Ok(false),
        Some("GZIP") => Ok(true),
        Some(_) => Err(Failure::parameter("tar_type", "压缩类型应为 GZIP")),
    }
}

fn offer(
    sandbox: &Sandbox,
    date: &str,
    packed: bool,
    make: impl FnOnce(&Sandbox, &Records, Day, Way) -> Option<String>,
) -> Result<Json<Value>, Failure> {
    let now = sandbox.clock().now();
    let wrong = || Failure::parameter("bill_date", "账单日期应为 YYYY-MM-DD");
    let (from, until) = beijing::day_of(date).ok_or_else(wrong)?;
    if now > until.after_seconds(OLDEST_DAYS * 86_400) {
        return Err(Failure::invalid_request("只能下载三个月以内的账单"));
    }
    if now < until.after_seconds(READY_SECONDS) {
        return Err(Failure::statement_creating());
    }
    let made: Result<(Way, Option<String>), Failure> = sandbox.change(|records| {
        advance(sandbox, records);
        let fault = records.switches.take(Switch::Bill).way;
        Ok((fault, make(sandbox, records, Day { from, until }, fault)))
    });
    let (fault, text) = made?;
    if fault == Way::BillCreating {
        return Err(Failure::statement_creating());
    }
    let plain = text.ok_or_else(Failure::no_statement)?.into_bytes();
    let hashed: &[u8] = if fault == Way::BillHash { b"another file" } else { &plain };
    let hash: String =
        digest(&SHA1_FOR_LEGACY_USE_ONLY, hashed).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let sent = if fault == Way::BillTruncated { &plain[..plain.len() / 2] } else { &plain[..] };
    let content = if packed { gzip(sent) } else { sent.to_vec() };
    let token = random::letters(43);
    sandbox.touch(|records| records.bills.add(&token, File { made_at: now, content, packed }, now));
    let address = sandbox.setup().address.trim_end_matches('/');
    Ok(Json(json!({
        "hash_type": "SHA1",
        "hash_value": hash,
        "download_url": format!("{address}/v3/billdownload/file?token={token}"),
    })))
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

#[derive(Deserialize)]
pub(crate) struct Download {
    token: String,
}

/// `GET /v3/billdownload/file?token=`: the file; its answer has no signature.
///
/// Errors: 400 `PARAM_ERROR`, an unknown token or one of more than five minutes.
pub(crate) async fn download(
    State(sandbox): State<Sandbox>,
    asked: Result<Query<Download>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(asked) = asked.map_err(|_| Failure::parameter("token", "缺少查询参数 token"))?;
    let now = sandbox.clock().now();
    let file = sandbox
        .look(|records| records.bills.get(&asked.token, now))
        .ok_or(Failure::parameter("token", "下载地址已过期，请重新申请账单"))?;
    let content_type = if file.packed { "application/x-gzip" } else { "text/plain; charset=utf-8" };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, content_type)], file.content).into_response())
}

/// The bill of a day as plain text without a fault, for the operator to look at.
pub(crate) fn plain(sandbox: &Sandbox, date: &str, kind: &str) -> Option<String> {
    let (from, until) = beijing::day_of(date)?;
    let day = Day { from, until };
    let setup = &sandbox.setup().wechat;
    sandbox.look(|records| match kind {
        "ALL" => bill::trade(&records.wechat, TradeBill::All, day, setup, Way::BillNormal),
        "SUCCESS" => bill::trade(&records.wechat, TradeBill::Success, day, setup, Way::BillNormal),
        "REFUND" => bill::trade(&records.wechat, TradeBill::Refund, day, setup, Way::BillNormal),
        "BASIC" => bill::fund_flow(&records.wechat, day, Way::BillNormal),
        _ => None,
    })
}
