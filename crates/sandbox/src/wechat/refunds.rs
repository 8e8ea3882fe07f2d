//! The refund calls: unwrap, ask the book, answer.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use ledger::Fen;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::answer::Failure;
use super::create::{require, require_short};
use super::orders::{PathText, path_text};
use super::payment::advance;
use super::refund::{Channel, Moment, Refund, RefundAsked};
use crate::beijing;
use crate::random;
use crate::records::Records;
use crate::sandbox::Sandbox;
use crate::switches::Switch;

/// Where wallet money goes back to.
pub(crate) const RECEIVED_BY: &str = "支付用户零钱";

const SUCCESSES_A_SECOND: u32 = 150;
const FAILURES_A_SECOND: u32 = 6;

/// How many refund calls the present second has seen; nothing that outlives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    second: i64,
    accepted: u32,
    failed: u32,
}

impl Pace {
    /// Whether another call may come in this second.
    fn allows(&mut self, second: i64) -> bool {
        if self.second != second {
            *self = Pace { second, ..Pace::default() };
        }
        self.accepted < SUCCESSES_A_SECOND && self.failed < FAILURES_A_SECOND
    }

    fn count(&mut self, accepted: bool) {
        let counter = if accepted { &mut self.accepted } else { &mut self.failed };
        *counter = counter.saturating_add(1);
    }
}

/// A refund as the platform tells it.
#[derive(Serialize)]
pub(crate) struct RefundTold {
    refund_id: String,
    out_refund_no: String,
    transaction_id: String,
    out_trade_no: String,
    channel: Channel,
    user_received_account: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    create_time: String,
    status: &'static str,
    funds_account: &'static str,
    amount: Amount,
}

#[derive(Serialize)]
struct Amount {
    #[serde(with = "crate::stored::fen")]
    total: Fen,
    #[serde(with = "crate::stored::fen")]
    refund: Fen,
    #[serde(with = "crate::stored::fen")]
    payer_total: Fen,
    #[serde(with = "crate::stored::fen")]
    payer_refund: Fen,
    #[serde(with = "crate::stored::fen")]
    settlement_refund: Fen,
    #[serde(with = "crate::stored::fen")]
    settlement_total: Fen,
    #[serde(with = "crate::stored::fen")]
    discount_refund: Fen,
    currency: &'static str,
}

impl RefundTold {
    fn of(refund: &Refund) -> RefundTold {
        let (total, part) = (refund.total, refund.amount());
        RefundTold {
            refund_id: refund.refund_id.clone(),
            out_refund_no: refund.asked.out_refund_no.clone(),
            transaction_id: refund.transaction_id.clone(),
            out_trade_no: refund.out_trade_no.clone(),
            channel: refund.channel,
            user_received_account: match refund.channel {
                Channel::Original => RECEIVED_BY,
                Channel::OtherBankcard => "银行卡",
            },
            success_time: refund.arrived_at().map(beijing::rfc3339),
            create_time: beijing::rfc3339(refund.created_at),
            status: refund.status().word(),
            funds_account: "AVAILABLE",
            amount: Amount {
                total,
                refund: part,
                payer_total: total,
                payer_refund: part,
                settlement_refund: part,
                settlement_total: total,
                discount_refund: Fen::ZERO,
                currency: "CNY",
            },
        }
    }
}

fn moment(sandbox: &Sandbox) -> Moment {
    Moment { now: sandbox.clock().now(), speed: sandbox.setup().retry_speed }
}

/// `POST /v3/refund/domestic/refunds`
pub(crate) async fn create(State(sandbox): State<Sandbox>, body: Bytes) -> Result<Json<RefundTold>, Failure> {
    let (moment, refund_id) = (moment(&sandbox), random::refund_id(sandbox.clock().now()));
    let second = moment.now.seconds();
    if !sandbox.touch(|records| records.pace.allows(second)) {
        return Err(Failure::limited());
    }
    let done = RefundAsked::read(&body).and_then(|asked| {
        sandbox.change(|records: &mut Records| {
            advance(&sandbox, records);
            let way = records.switches.take(Switch::Refund).way;
            // What the switch spent is kept although the refund may be refused.
            Ok::<_, Failure>(records.wechat.refund(asked, way, &refund_id, moment))
        })?
    });
    sandbox.touch(|records| records.pace.count(done.is_ok()));
    let refund = done?;
    info!(refund.no = %refund.asked.out_refund_no, "refund {} was accepted", refund.asked.out_refund_no);
    sandbox.wake();
    Ok(Json(RefundTold::of(&refund)))
}

/// `GET /v3/refund/domestic/refunds/{out_refund_no}`
pub(crate) async fn query(State(sandbox): State<Sandbox>, number: PathText) -> Result<Json<RefundTold>, Failure> {
    let number = path_text(number, "out_refund_no")?;
    let told = sandbox.change(|records| {
        advance(&sandbox, records);
        Ok::<_, Failure>(records.wechat.refund_by_number(&number).map(RefundTold::of))
    })?;
    sandbox.wake();
    told.map(Json).ok_or_else(Failure::no_such_refund)
}

/// The body of `apply-abnormal-refund`; account and name are encrypted for the platform.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AbnormalAsked {
    out_refund_no: String,
    #[serde(rename = "type")]
    kind: String,
    bank_type: Option<String>,
    bank_account: Option<String>,
    real_name: Option<String>,
}

/// `POST /v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund`
pub(crate) async fn apply_abnormal(
    State(sandbox): State<Sandbox>,
    refund_id: PathText,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Result<Json<RefundTold>, Failure> {
    let refund_id = path_text(refund_id, "refund_id")?;
    let asked: AbnormalAsked = serde_json::from_slice(&body)
        .map_err(|error| Failure::parameter("body", format!("请求体不符合接口定义：{error}")))?;
    require(
        matches!(asked.kind.as_str(), "USER_BANK_CARD" | "MERCHANT_BANK_CARD"),
        "/type",
        "处理方式应为 USER_BANK_CARD 或 MERCHANT_BANK_CARD",
    )?;
    require_short(asked.bank_type.as_deref(), 32, "/bank_type")?;
    if asked.kind == "USER_BANK_CARD" {
        // Which key they are encrypted with, the request itself says; the gate has checked that there is one.
        let named = headers.get("wechatpay-serial").and_then(|value| value.to_str().ok());
        let opens = |text: &Option<String>| {
            let switches = sandbox.look(|records| records.switches.clone());
            let signer = sandbox.keys().for_answer(named, &switches);
            signer.zip(text.as_deref()).and_then(|(signer, text)| signer.open(text)).is_some()
        };
        require(opens(&asked.bank_account), "/bank_account", "银行卡号应以平台公钥加密")?;
        require(opens(&asked.real_name), "/real_name", "收款人姓名应以平台公钥加密")?;
    }
    let moment = moment(&sandbox);
    let refund = sandbox.change(|records| {
        advance(&sandbox, records);
        records.wechat.apply_abnormal(&refund_id, &asked.out_refund_no, moment)
    })?;
    sandbox.wake();
    Ok(Json(RefundTold::of(&refund)))
}
