//! Proving and opening a payment notice.

use flows::ports::{NoticeFault, RawNotice, Trade};
use ledger::Micros;

use super::config::Merchant;
use super::sign::{Proof, Unproved};
use super::trade::{self, TradeFault};
use super::wire::{self, Object, Resource};

/// A notice of one payment has about 2 kB; nothing longer is even read.
const LONGEST_BODY: usize = 64 * 1024;

/// The paid trade of which `raw` is the notice.
///
/// Only a payment that succeeded is notified, so the answer is always [`Trade::Paid`]. The provider uses the same form
/// for refunds and others: these are `Malformed` here, because their address is another one.
/// Errors, the first that applies: those of [`NoticeFault`] in their order. What is sealed can be judged only after it
/// was opened: a sealed text that is no payment is `Malformed` too.
/// Source: API v3, payment notice; payment decision table, rows 4 and 5.
pub(crate) fn open(merchant: &Merchant, raw: &RawNotice<'_>, now: Micros) -> Result<Trade, NoticeFault> {
    let proof = Proof { timestamp: raw.timestamp, nonce: raw.nonce, serial: raw.serial, signature: raw.signature };
    proof.at().ok_or(NoticeFault::Malformed)?;
    let resource = sealed_resource(raw.body).ok_or(NoticeFault::Malformed)?;

    merchant.platform.verify(&proof, raw.body, now).map_err(|fault| match fault {
        Unproved::Malformed => NoticeFault::Malformed,
        Unproved::Stale => NoticeFault::Stale,
        Unproved::UnknownSerial => NoticeFault::UnknownSerial,
        Unproved::WrongSignature => NoticeFault::WrongSignature,
    })?;

    let associated = resource.associated_data.as_deref().unwrap_or_default();
    let clear = merchant
        .resource_key
        .open(&resource.nonce, associated, &resource.ciphertext)
        .map_err(|_| NoticeFault::Sealed)?;
    let transaction: wire::Transaction = wire::read(&clear).ok_or(NoticeFault::Malformed)?;
    match trade::meaning(&transaction, &merchant.mchid, &merchant.appid) {
        Ok(paid @ Trade::Paid(_)) => Ok(paid),
        Ok(Trade::Refunded(_) | Trade::NotPaid | Trade::Paying | Trade::Closed | Trade::NotFound) => {
            Err(NoticeFault::Malformed)
        }
        Err(TradeFault::Foreign) => Err(NoticeFault::Foreign),
        Err(TradeFault::Incomplete | TradeFault::UnknownState) => Err(NoticeFault::Malformed),
    }
}

/// The envelope, if it is one around a payment that succeeded.
fn sealed_resource(body: &[u8]) -> Option<Resource> {
    if body.len() > LONGEST_BODY {
        return None;
    }
    let wire::Notice { event_type, resource_type, resource: Object(resource) } = wire::read(body)?;
    let expected = event_type == "TRANSACTION.SUCCESS"
        && resource_type == "encrypt-resource"
        && resource.original_type == "transaction"
        && resource.algorithm == "AEAD_AES_256_GCM";
    expected.then_some(resource)
}
