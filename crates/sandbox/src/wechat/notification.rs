//! What a notice says on the wire.

use axum::http::HeaderValue;
use ledger::{Fen, Micros};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::book::{Order, Payment};
use super::gate::{Proof, signature_headers};
use super::refund::{Refund, Status};
use super::transaction::Transaction;
use crate::sandbox::Sandbox;
use crate::{beijing, random};

/// The content of a notice, fixed at the moment of what it tells; it is sealed and signed anew each time it is sent,
/// because a signature older than five minutes is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    id: String,
    #[serde(with = "crate::stored::micros")]
    created_at: Micros,
    #[serde(default)]
    event: Event,
    /// The merchant's refund number where the notice tells of one.
    #[serde(default)]
    pub(crate) out_refund_no: Option<String>,
    /// What is sealed, JSON. It may name the payer, so it is shown and logged nowhere.
    plain: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    #[default]
    Paid,
    RefundSuccess,
    RefundAbnormal,
    RefundClosed,
}

impl Event {
    /// Its name, its summary, and the kind of thing that is sealed.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Event::Paid => ("TRANSACTION.SUCCESS", "支付成功", "transaction"),
            Event::RefundSuccess => ("REFUND.SUCCESS", "退款成功", "refund"),
            Event::RefundAbnormal => ("REFUND.ABNORMAL", "退款异常", "refund"),
            Event::RefundClosed => ("REFUND.CLOSED", "退款关闭", "refund"),
        }
    }
}

#[derive(Serialize)]
struct RefundNews<'a> {
    mchid: &'a str,
    out_trade_no: &'a str,
    transaction_id: &'a str,
    out_refund_no: &'a str,
    refund_id: &'a str,
    refund_status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    user_received_account: &'a str,
    amount: RefundAmounts,
}

#[derive(Serialize)]
struct RefundAmounts {
    #[serde(with = "crate::stored::fen")]
    total: Fen,
    #[serde(with = "crate::stored::fen")]
    refund: Fen,
    #[serde(with = "crate::stored::fen")]
    payer_total: Fen,
    #[serde(with = "crate::stored::fen")]
    payer_refund: Fen,
}

impl Content {
    /// The notice of a payment.
    pub(crate) fn of_payment(order: &Order, payment: &Payment, now: Micros) -> Content {
        Content::new(Event::Paid, None, &Transaction::of(order, Some(payment)), now)
    }

    /// The notice of a refund that has come to an end, or to a halt; a refund under way has none.
    pub(crate) fn of_refund(refund: &Refund, mchid: &str, now: Micros) -> Option<Content> {
        let event = match refund.status() {
            Status::Processing => return None,
            Status::Success => Event::RefundSuccess,
            Status::Abnormal => Event::RefundAbnormal,
            Status::Closed => Event::RefundClosed,
        };
        let news = RefundNews {
            mchid,
            out_trade_no: &refund.out_trade_no,
            transaction_id: &refund.transaction_id,
            out_refund_no: &refund.asked.out_refund_no,
            refund_id: &refund.refund_id,
            refund_status: refund.status().word(),
            success_time: refund.arrived_at().map(beijing::rfc3339),
            user_received_account: super::refunds::RECEIVED_BY,
            amount: RefundAmounts {
                total: refund.total,
                refund: refund.amount(),
                payer_total: refund.total,
                payer_refund: refund.amount(),
            },
        };
        Some(Content::new(event, Some(refund.asked.out_refund_no.clone()), &news, now))
    }

    fn new(event: Event, out_refund_no: Option<String>, sealed: &impl Serialize, now: Micros) -> Content {
        let plain = serde_json::to_string(sealed).expect("text and numbers are always JSON");
        Content { id: random::notice_id(), created_at: now, event, out_refund_no, plain }
    }

    /// The notice's number; the same each time it is sent.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// `TRANSACTION.SUCCESS` and the like.
    pub(crate) fn event(&self) -> &'static str {
        self.event.words().0
    }
}

/// The body of one delivery of `notice`, and the headers that sign it; a probe's signature is wrong on purpose.
///
/// Source: WeChat Pay API v3, payment and refund notification, signature probes and AEAD_AES_256_GCM.
pub(crate) fn compose(sandbox: &Sandbox, notice: &Content, probe: bool) -> ([(&'static str, HeaderValue); 5], String) {
    // The nonce travels as text of twelve characters and is used as those twelve bytes.
    let nonce = random::letters(12);
    let nonce_bytes = nonce.as_bytes().try_into().expect("twelve ASCII letters are twelve bytes");
    let (event_type, summary, original_type) = notice.event.words();
    let body = json!({
        "id": notice.id,
        "create_time": beijing::rfc3339(notice.created_at),
        "event_type": event_type,
        "resource_type": "encrypt-resource",
        "summary": summary,
        "resource": {
            "original_type": original_type,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": sandbox.keys().seal(nonce_bytes, original_type, &notice.plain),
            "associated_data": original_type,
            "nonce": nonce,
        },
    })
    .to_string();
    let switches = sandbox.touch(|records| {
        let by_public_key = records.switches.notice_by_public_key();
        (by_public_key, records.switches.clone())
    });
    let signer = sandbox.keys().for_notice(switches.0, &switches.1);
    let proof = if probe { Proof::Probe } else { Proof::Good };
    (signature_headers(sandbox, signer, proof, body.as_bytes()), body)
}
