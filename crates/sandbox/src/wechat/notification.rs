//! What a payment notice says on the wire.

use axum::http::HeaderValue;
use ledger::Micros;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::book::Order;
use super::gate::signature_headers;
use super::wire::Transaction;
use crate::sandbox::Sandbox;
use crate::{beijing, random};

/// The content of a notice of payment, fixed at the moment of payment; it is sealed and signed anew each time it is
/// sent, because a signature older than five minutes is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransactionNotice {
    id: String,
    #[serde(with = "crate::stored::micros")]
    created_at: Micros,
    /// The transaction, JSON. It names the payer, so it is shown and logged nowhere.
    plain: String,
}

impl TransactionNotice {
    pub(crate) fn of(order: &Order, now: Micros) -> TransactionNotice {
        let plain = serde_json::to_string(&Transaction::of(order)).expect("text and numbers are always JSON");
        TransactionNotice { id: random::notice_id(), created_at: now, plain }
    }

    /// The notice's number; the same each time it is sent.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// The body of one delivery of `notice`, and the headers that sign it.
///
/// Source: WeChat Pay API v3, payment notification and AEAD_AES_256_GCM.
pub(crate) fn compose(sandbox: &Sandbox, notice: &TransactionNotice) -> ([(&'static str, HeaderValue); 5], String) {
    // The nonce travels as text of twelve characters and is used as those twelve bytes.
    let nonce = random::letters(12);
    let nonce_bytes = nonce.as_bytes().try_into().expect("twelve ASCII letters are twelve bytes");
    let associated_data = "transaction";
    let body = json!({
        "id": notice.id,
        "create_time": beijing::rfc3339(notice.created_at),
        "event_type": "TRANSACTION.SUCCESS",
        "resource_type": "encrypt-resource",
        "summary": "支付成功",
        "resource": {
            "original_type": "transaction",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": sandbox.keys().seal(nonce_bytes, associated_data, &notice.plain),
            "associated_data": associated_data,
            "nonce": nonce,
        },
    })
    .to_string();
    (signature_headers(sandbox, body.as_bytes()), body)
}
