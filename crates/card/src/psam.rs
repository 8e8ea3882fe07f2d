//! The purchase module of a terminal (PSAM): it holds the purchase master key, counts transactions and proves to the card
//! that the terminal may debit it.

pub mod wire;

use std::collections::BTreeMap;

use ledger::{CodecError, Reader, Writer, row_digest};

use crate::crypto::{Algorithm, Key16, same_bytes};
use crate::files::CardNumber;
use crate::session::{Kind, SessionForm, SessionKey, Stamp, Suite, Terms};

/// What the module must know to open a purchase: facts of the card's INITIALIZE answer and of the sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseRequest {
    /// The card.
    pub card: CardNumber,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's counter M before.
    pub m: u16,
    /// In fen.
    pub amount: u32,
    /// `Purchase` or `Composite`.
    pub kind: Kind,
    /// The terminal's clock.
    pub stamp: Stamp,
    /// Version of the purchase key that the card names.
    pub key_version: u8,
    /// Algorithm that the card names.
    pub algorithm: u8,
}

/// Leave to debit one card once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseGrant {
    /// Number of this transaction; never given out again by this module.
    pub tsn: u32,
    /// For DEBIT.
    pub mac1: [u8; 4],
}

/// Why the module refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PsamFault {
    /// No answer from the module.
    #[error("the purchase module does not answer")]
    NoAnswer,
    /// The card's key version has no master key here.
    #[error("the purchase module has no key of version {0}")]
    UnknownVersion(u8),
    /// The card names an algorithm that the module does not speak.
    #[error("the purchase module does not know algorithm {0:#04x}")]
    UnknownAlgorithm(u8),
    /// Every transaction number was used.
    #[error("the purchase module has no transaction number left: replace it")]
    Exhausted,
    /// No purchase is open in the module.
    #[error("no purchase is open in the purchase module")]
    NoPurchase,
    /// The card's MAC2 does not prove a debit.
    #[error("the card's MAC2 is wrong: the debit is not proved")]
    WrongMac,
}

/// A purchase module, in software or behind a reader.
pub trait Psam {
    /// The terminal id that the module signs; INITIALIZE FOR PURCHASE must carry the same.
    fn terminal(&self) -> [u8; 6];

    /// Counts a transaction and proves the terminal to the card.
    ///
    /// Errors, in order: `NoAnswer`, `UnknownAlgorithm`, `UnknownVersion`, `Exhausted`. Repeats: every call uses up a
    /// number and forgets the purchase before.
    fn begin_purchase(&mut self, request: &PurchaseRequest) -> Result<PurchaseGrant, PsamFault>;

    /// Whether MAC2, from DEBIT or from GET TRANSACTION PROVE, shows that the card was debited.
    ///
    /// Errors, in order: `NoAnswer`, `NoPurchase`, `WrongMac`. Repeats: may be asked again until the next purchase.
    fn verify_mac2(&mut self, mac2: [u8; 4]) -> Result<(), PsamFault>;
}

/// A purchase module in software. Its state must be stored before a grant leaves it: see [`SoftPsam::to_bytes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftPsam {
    terminal: [u8; 6],
    masters: BTreeMap<u8, Key16>,
    /// Masters for SM4; a module without them does not speak it.
    sm4: BTreeMap<u8, Key16>,
    form: SessionForm,
    next_tsn: u32,
    /// Lost with the power, as in a real module.
    open: Option<(SessionKey, u32)>,
}

/// First byte of a stored module without masters for SM4.
const FORMAT: u8 = 1;
/// First byte of a stored module with them.
const FORMAT_WITH_SM4: u8 = 2;

impl SoftPsam {
    /// A module of `terminal` with the purchase masters by version; its first transaction number is 1.
    pub fn new(terminal: [u8; 6], masters: BTreeMap<u8, Key16>) -> SoftPsam {
        SoftPsam { terminal, masters, sm4: BTreeMap::new(), form: SessionForm::Padded, next_tsn: 1, open: None }
    }

    /// The same module, that speaks SM4 too, with purchase masters of its own for it.
    pub fn with_sm4(self, form: SessionForm, sm4: BTreeMap<u8, Key16>) -> SoftPsam {
        SoftPsam { sm4, form, ..self }
    }

    /// [`Psam::begin_purchase`] for a card of the construction ministry's profile, whose security identifier (GET DATA)
    /// MAC1 must cover. Errors and repeats as there.
    pub fn begin_identified_purchase(
        &mut self,
        request: &PurchaseRequest,
        identifier: &[u8; 9],
    ) -> Result<PurchaseGrant, PsamFault> {
        self.begin(request, Some(identifier))
    }

    fn begin(&mut self, request: &PurchaseRequest, identifier: Option<&[u8; 9]>) -> Result<PurchaseGrant, PsamFault> {
        self.open = None;
        let algorithm = Algorithm::of(request.algorithm).map_err(|unknown| PsamFault::UnknownAlgorithm(unknown.0))?;
        let masters = match algorithm {
            Algorithm::TripleDes => &self.masters,
            Algorithm::Sm4 if self.sm4.is_empty() => return Err(PsamFault::UnknownAlgorithm(request.algorithm)),
            Algorithm::Sm4 => &self.sm4,
        };
        let master = masters.get(&request.key_version).ok_or(PsamFault::UnknownVersion(request.key_version))?;
        let tsn = self.next_tsn;
        let after = tsn.checked_add(1).ok_or(PsamFault::Exhausted)?;

        let key = algorithm.diversify(master, request.card.factor());
        let session = Suite::of(algorithm, self.form).purchase_key(&key, request.random, request.m, tsn);
        let terms = Terms { amount: request.amount, kind: request.kind, terminal: self.terminal };
        let mac1 = match identifier {
            None => session.purchase_mac1(terms, request.stamp),
            Some(identifier) => session.purchase_mac1_with(terms, request.stamp, identifier),
        };
        self.next_tsn = after;
        self.open = Some((session, request.amount));
        Ok(PurchaseGrant { tsn, mac1 })
    }

    /// The number that the next purchase will have.
    pub fn next_tsn(&self) -> u32 {
        self.next_tsn
    }

    /// Makes sure that `tsn` and all below are never given out again; for a terminal whose journal is ahead of its
    /// module. Repeats: a lower number changes nothing.
    pub fn used(&mut self, tsn: u32) {
        self.next_tsn = self.next_tsn.max(tsn.saturating_add(1));
    }

    /// Terminal, keys and counter, with a checksum: treat the bytes as a secret. Store them durably after every
    /// `begin_purchase`, before its grant is used, or a number could be given out twice.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(if self.sm4.is_empty() { FORMAT } else { FORMAT_WITH_SM4 }).raw(&self.terminal).u32(self.next_tsn);
        write_masters(&mut out, &self.masters);
        if !self.sm4.is_empty() {
            out.u8(u8::from(self.form == SessionForm::Doubled));
            write_masters(&mut out, &self.sm4);
        }
        let mut bytes = out.done();
        bytes.extend_from_slice(&checksum(&bytes));
        bytes
    }

    /// The module that `to_bytes` wrote, with no purchase open. Errors: `CodecError` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<SoftPsam, CodecError> {
        let (body, sum) = bytes.split_last_chunk::<16>().ok_or(CodecError::Short)?;
        if checksum(body) != *sum {
            return Err(CodecError::Unknown);
        }
        let mut from = Reader::new(body);
        let format = from.u8()?;
        if !matches!(format, FORMAT | FORMAT_WITH_SM4) {
            return Err(CodecError::Unknown);
        }
        let (terminal, next_tsn) = (from.array()?, from.u32()?);
        let masters = read_masters(&mut from)?;
        let (form, sm4) = if format == FORMAT_WITH_SM4 {
            let form = if from.u8()? == 0 { SessionForm::Padded } else { SessionForm::Doubled };
            (form, read_masters(&mut from)?)
        } else {
            (SessionForm::Padded, BTreeMap::new())
        };
        from.end()?;
        Ok(SoftPsam { terminal, masters, sm4, form, next_tsn, open: None })
    }
}

fn write_masters(out: &mut Writer, masters: &BTreeMap<u8, Key16>) {
    out.u16(u16::try_from(masters.len()).unwrap_or(u16::MAX));
    for (version, key) in masters {
        out.u8(*version).raw(key.expose());
    }
}

fn read_masters(from: &mut Reader<'_>) -> Result<BTreeMap<u8, Key16>, CodecError> {
    (0..from.u16()?).map(|_| Ok((from.u8()?, Key16::new(from.array()?)))).collect()
}

fn checksum(body: &[u8]) -> [u8; 16] {
    row_digest("purchase module", &[], Some(body)).content
}

impl Psam for SoftPsam {
    fn terminal(&self) -> [u8; 6] {
        self.terminal
    }

    fn begin_purchase(&mut self, request: &PurchaseRequest) -> Result<PurchaseGrant, PsamFault> {
        self.begin(request, None)
    }

    fn verify_mac2(&mut self, mac2: [u8; 4]) -> Result<(), PsamFault> {
        let (session, amount) = self.open.as_ref().ok_or(PsamFault::NoPurchase)?;
        if same_bytes(&session.purchase_mac2(*amount), &mac2) { Ok(()) } else { Err(PsamFault::WrongMac) }
    }
}
