//! Proving and opening a notice.

use std::sync::atomic::{AtomicU64, Ordering};

use flows::ports::{Notice, NoticeFault, RawNotice, RefundState, Refunded, Trade};
use ledger::Micros;

use super::config::Merchant;
use super::refund;
use super::sign::{PlatformKeys, Proof, Unproved};
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
pub(crate) fn open(
    merchant: &Merchant,
    keys: &PlatformKeys,
    raw: &RawNotice<'_>,
    now: Micros,
) -> Result<Notice, Unopened> {
    let proof = Proof { timestamp: raw.timestamp, nonce: raw.nonce, serial: raw.serial, signature: raw.signature };
    proof.at().ok_or(NoticeFault::Malformed)?;
    let (event, resource) = sealed_resource(raw.body).ok_or(NoticeFault::Malformed)?;

    keys.verify(&proof, raw.body, now).map_err(|fault| match fault {
        Unproved::Malformed => Unopened::Fault(NoticeFault::Malformed),
        Unproved::Stale => Unopened::Fault(NoticeFault::Stale),
        Unproved::UnknownSerial => Unopened::Fault(NoticeFault::UnknownSerial),
        Unproved::Probe => Unopened::Probe,
        Unproved::WrongSignature => Unopened::Fault(NoticeFault::WrongSignature),
    })?;

    let associated = resource.associated_data.as_deref().unwrap_or_default();
    let clear = merchant
        .resource_key
        .open(&resource.nonce, associated, &resource.ciphertext)
        .map_err(|_| NoticeFault::Sealed)?;
    let news = match event {
        Event::Paid => paid(merchant, &clear).map(Notice::Trade),
        Event::Refunded | Event::RefundAbnormal | Event::RefundClosed => {
            refunded(merchant, event, &clear, now).map(Notice::Refund)
        }
    };
    news.map_err(Unopened::Fault)
}

/// Why a notice was not opened. To the world outside a probe is a wrong signature; here it is counted by itself, because
/// a probe is no attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    Probe,
    Fault(NoticeFault),
}

impl From<NoticeFault> for Unopened {
    fn from(fault: NoticeFault) -> Unopened {
        Unopened::Fault(fault)
    }
}

impl From<Unopened> for NoticeFault {
    fn from(unopened: Unopened) -> NoticeFault {
        match unopened {
            Unopened::Probe => NoticeFault::WrongSignature,
            Unopened::Fault(fault) => fault,
        }
    }
}

/// Notices that were refused since the start of the process, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedNotices {
    /// Unreadable, or no notice that we expect.
    pub malformed: u64,
    /// Out of their time.
    pub stale: u64,
    /// Under a serial that was not known.
    pub unknown_serial: u64,
    /// The provider's own probes: that they are refused is what they ask.
    pub probes: u64,
    /// Signed wrongly, probes apart.
    pub wrong_signature: u64,
    /// Not to be opened with our key.
    pub sealed: u64,
    /// Well signed, and for another merchant or application.
    pub foreign: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    malformed: AtomicU64,
    stale: AtomicU64,
    unknown_serial: AtomicU64,
    probes: AtomicU64,
    wrong_signature: AtomicU64,
    sealed: AtomicU64,
    foreign: AtomicU64,
}

impl Counts {
    pub(crate) fn count(&self, unopened: Unopened) {
        let counter = match unopened {
            Unopened::Probe => &self.probes,
            Unopened::Fault(NoticeFault::Malformed) => &self.malformed,
            Unopened::Fault(NoticeFault::Stale) => &self.stale,
            Unopened::Fault(NoticeFault::UnknownSerial) => &self.unknown_serial,
            Unopened::Fault(NoticeFault::WrongSignature) => &self.wrong_signature,
            Unopened::Fault(NoticeFault::Sealed) => &self.sealed,
            Unopened::Fault(NoticeFault::Foreign) => &self.foreign,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> RefusedNotices {
        RefusedNotices {
            malformed: self.malformed.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            unknown_serial: self.unknown_serial.load(Ordering::Relaxed),
            probes: self.probes.load(Ordering::Relaxed),
            wrong_signature: self.wrong_signature.load(Ordering::Relaxed),
            sealed: self.sealed.load(Ordering::Relaxed),
            foreign: self.foreign.load(Ordering::Relaxed),
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
