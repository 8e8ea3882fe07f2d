//! Proving and opening a notice.

use flows::ports::{Notice, NoticeFault, RawNotice, RefundState, Refunded, Trade};
use ledger::Micros;

use super::config::Merchant;
use super::refund;
use super::sign::{Proof, Unproved};
use super::trade::{self, TradeFault};
use super::wire::{self, Object, Resource};

/// A notice of one payment has about 2 kB; nothing longer is even read.
const LONGEST_BODY: usize = 64 * 1024;

/// What a notice says has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Paid,
    Refunded,
    RefundAbnormal,
    RefundClosed,
}

impl Event {
    fn named(text: &str) -> Option<Event> {
        match text {
            "TRANSACTION.SUCCESS" => Some(Event::Paid),
            "REFUND.SUCCESS" => Some(Event::Refunded),
            "REFUND.ABNORMAL" => Some(Event::RefundAbnormal),
            "REFUND.CLOSED" => Some(Event::RefundClosed),
            _ => None,
        }
    }

    /// What the resource must be of.
    const fn original_type(self) -> &'static str {
        match self {
            Event::Paid => "transaction",
            Event::Refunded | Event::RefundAbnormal | Event::RefundClosed => "refund",
        }
    }
}

/// The news of which `raw` is the notice.
///
/// Of payments only success is notified; of refunds every end. What is sealed must be of the kind and the state that the
/// envelope says.
/// Errors, the first that applies: those of [`NoticeFault`] in their order. What is sealed can be judged only after it
/// was opened: a sealed text that is no such news is `Malformed` too.
/// Source: API v3, payment notice and refund notice; payment decision table, rows 4 and 5.
pub(crate) fn open(merchant: &Merchant, raw: &RawNotice<'_>, now: Micros) -> Result<Notice, NoticeFault> {
    let proof = Proof { timestamp: raw.timestamp, nonce: raw.nonce, serial: raw.serial, signature: raw.signature };
    proof.at().ok_or(NoticeFault::Malformed)?;
    let (event, resource) = sealed_resource(raw.body).ok_or(NoticeFault::Malformed)?;

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
    match event {
        Event::Paid => paid(merchant, &clear).map(Notice::Trade),
        Event::Refunded | Event::RefundAbnormal | Event::RefundClosed => {
            refunded(merchant, event, &clear, now).map(Notice::Refund)
        }
    }
}

fn paid(merchant: &Merchant, clear: &[u8]) -> Result<Trade, NoticeFault> {
    let transaction: wire::Transaction = wire::read(clear).ok_or(NoticeFault::Malformed)?;
    match trade::meaning(&transaction, &merchant.mchid, &merchant.appid).map_err(fault)? {
        paid @ Trade::Paid(_) => Ok(paid),
        Trade::Refunded(_) | Trade::NotPaid | Trade::Paying | Trade::Closed | Trade::NotFound => {
            Err(NoticeFault::Malformed)
        }
    }
}

fn refunded(merchant: &Merchant, event: Event, clear: &[u8], now: Micros) -> Result<Refunded, NoticeFault> {
    let news: wire::RefundNews = wire::read(clear).ok_or(NoticeFault::Malformed)?;
    let refunded = refund::told(news, &merchant.mchid, now).map_err(fault)?;
    let told = match refunded.state {
        RefundState::Success { .. } => Some(Event::Refunded),
        RefundState::Abnormal => Some(Event::RefundAbnormal),
        RefundState::Closed => Some(Event::RefundClosed),
        RefundState::Processing => None,
    };
    if told == Some(event) { Ok(refunded) } else { Err(NoticeFault::Malformed) }
}

fn fault(fault: TradeFault) -> NoticeFault {
    match fault {
        TradeFault::Foreign => NoticeFault::Foreign,
        TradeFault::Incomplete | TradeFault::UnknownState => NoticeFault::Malformed,
    }
}

/// The envelope, if it is one around a payment or a refund.
fn sealed_resource(body: &[u8]) -> Option<(Event, Resource)> {
    if body.len() > LONGEST_BODY {
        return None;
    }
    let wire::Notice { event_type, resource_type, resource: Object(resource) } = wire::read(body)?;
    let event = Event::named(&event_type)?;
    let expected = resource_type == "encrypt-resource"
        && resource.original_type == event.original_type()
        && resource.algorithm == "AEAD_AES_256_GCM";
    expected.then_some((event, resource))
}
