//! Keys as they stand on a card, and as WRITE KEY brings them.

use ledger::{CodecError, Reader, Writer};

use crate::crypto::{Algorithm, Key16};
use crate::files::CardKeys;
use crate::host::KeySet;
use crate::session::Suite;

/// What a key on the card is for. The numbers are those of a widespread card operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// 30: INTERNAL AUTHENTICATE, encrypting.
    Encrypt,
    /// 31: INTERNAL AUTHENTICATE, decrypting.
    Decrypt,
    /// 32: INTERNAL AUTHENTICATE, MAC.
    Mac,
    /// 34: transaction certificates (DTK).
    Tac,
    /// 36: maintenance under secure messaging (DAMK).
    Maintenance,
    /// 37: PIN UNBLOCK (DPUK).
    UnblockPin,
    /// 38: RELOAD PIN (DRPK).
    ReloadPin,
    /// 39: EXTERNAL AUTHENTICATE; key 0 is the card's control key.
    External,
    /// 3A: the PIN.
    Pin,
    /// 3E: purchase (DPK).
    Purchase,
    /// 3F: load (DLK).
    Load,
}

const CODES: [(u8, KeyKind); 11] = [
    (0x30, KeyKind::Encrypt),
    (0x31, KeyKind::Decrypt),
    (0x32, KeyKind::Mac),
    (0x34, KeyKind::Tac),
    (0x36, KeyKind::Maintenance),
    (0x37, KeyKind::UnblockPin),
    (0x38, KeyKind::ReloadPin),
    (0x39, KeyKind::External),
    (0x3A, KeyKind::Pin),
    (0x3E, KeyKind::Purchase),
    (0x3F, KeyKind::Load),
];

impl KeyKind {
    /// The kind with this number.
    pub fn of(code: u8) -> Option<KeyKind> {
        CODES.iter().find(|row| row.0 == code).map(|row| row.1)
    }

    /// The number.
    pub fn code(self) -> u8 {
        CODES.iter().find(|row| row.1 == self).map_or(0, |row| row.0)
    }
}

/// Tries that a wrong cryptogram or PIN has: a limit of 1 to 15, and how many are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) limit: u8,
    pub(crate) left: u8,
}

impl Tries {
    pub(crate) const fn of(limit: u8) -> Tries {
        Tries { limit, left: limit }
    }

    /// One fewer.
    pub(crate) fn miss(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    pub(crate) fn reset(&mut self) {
        self.left = self.limit;
    }
}

/// A key on the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    pub(crate) kind: KeyKind,
    pub(crate) id: u8,
    pub(crate) version: u8,
    pub(crate) algorithm: Algorithm,
    pub(crate) tries: Tries,
    pub(crate) key: Key16,
}

/// The PIN on the card: two to six bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) id: u8,
    pub(crate) digits: Vec<u8>,
    pub(crate) tries: Tries,
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Pin({}, ***, {:?})", self.id, self.tries)
    }
}

/// Identifier of the control key, of kind [`KeyKind::External`].
pub const CONTROL_KEY: u8 = 0x00;
/// What the identifiers of a card's SM4 keys have more than those of its 3DES keys.
pub const SM4_KEYS: u8 = 0x40;
/// Identifier of the office's key for EXTERNAL AUTHENTICATE, and of the card's key for INTERNAL AUTHENTICATE.
pub const OFFICE_KEY: u8 = 0x01;
/// Tries of the control key: enough that an office's interrupted runs never lock a card.
pub(crate) const CONTROL_TRIES: u8 = 15;
/// Tries of every other key and of the PIN.
pub(crate) const TRIES: u8 = 3;

/// A key to be written to a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyForm {
    /// What it is for; not the PIN.
    pub kind: KeyKind,
    /// Its identifier.
    pub id: u8,
    /// Version of the master keys it comes from.
    pub version: u8,
    /// Algorithm it is used under.
    pub algorithm: Algorithm,
    /// Wrong tries that lock it, 1 to 15.
    pub tries: u8,
    /// The key.
    pub key: Key16,
}

impl KeyForm {
    /// What WRITE KEY carries inside its encryption: version, algorithm, tries, a zero byte, the key.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&key_header(self.version, self.algorithm, self.tries)).raw(self.key.expose());
        out.done()
    }

    pub(crate) fn stored(self) -> StoredKey {
        let KeyForm { kind, id, version, algorithm, tries, key } = self;
        StoredKey { kind, id, version, algorithm, tries: Tries::of(tries), key }
    }

    /// Reads the plain text of WRITE KEY.
    pub(crate) fn decode(kind: KeyKind, id: u8, plain: &[u8]) -> Result<KeyForm, CodecError> {
        let mut from = Reader::new(plain);
        let (version, algorithm, tries) = read_header(&mut from)?;
        let form = KeyForm { kind, id, version, algorithm, tries, key: Key16::new(from.array()?) };
        from.end()?;
        Ok(form)
    }
}

/// The header of a PIN's WRITE KEY, then the PIN.
pub fn pin_form(pin: &[u8]) -> Vec<u8> {
    [&key_header(0, Algorithm::TripleDes, TRIES)[..], pin].concat()
}

pub(crate) fn read_pin(id: u8, plain: &[u8]) -> Result<Pin, CodecError> {
    let mut from = Reader::new(plain);
    let (_, _, tries) = read_header(&mut from)?;
    let digits = plain.get(4..).unwrap_or_default();
    if (2..=6).contains(&digits.len()) {
        Ok(Pin { id, digits: digits.to_vec(), tries: Tries::of(tries) })
    } else {
        Err(CodecError::Unknown)
    }
}

fn key_header(version: u8, algorithm: Algorithm, tries: u8) -> [u8; 4] {
    let tries = tries & 0x0F;
    [version, algorithm.identifier(), (tries << 4) | tries, 0x00]
}

fn read_header(from: &mut Reader<'_>) -> Result<(u8, Algorithm, u8), CodecError> {
    let [version, algorithm, tries, _] = from.array()?;
    let algorithm = Algorithm::of(algorithm).map_err(|_| CodecError::Unknown)?;
    let (limit, left) = (tries >> 4, tries & 0x0F);
    if limit == 0 || limit != left { Err(CodecError::Unknown) } else { Ok((version, algorithm, limit)) }
}

/// What the office does with a card and no other key may do: each has a key of its own, made of the card's maintenance key,
/// so that no further master has to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfficeUse {
    /// Making files and writing keys.
    Control,
    /// Proving the office to the card (UK).
    Office,
    /// Proving the card to the office (IK).
    Card,
    /// PIN UNBLOCK.
    UnblockPin,
    /// RELOAD PIN.
    ReloadPin,
}

impl OfficeUse {
    const fn factor(self) -> [u8; 8] {
        match self {
            OfficeUse::Control => *b"CONTROL ",
            OfficeUse::Office => *b"EXTERNAL",
            OfficeUse::Card => *b"INTERNAL",
            OfficeUse::UnblockPin => *b"UNBLOCK ",
            OfficeUse::ReloadPin => *b"RELOAD  ",
        }
    }
}

impl KeySet {
    /// The card's key for one of the office's uses. Source: the project's profile.
    pub fn office_key(&self, office: OfficeUse) -> Key16 {
        self.suite.algorithm().diversify(&self.keys.maintenance, office.factor())
    }

    /// All keys that a card of the project gets from this set but the control key, in the order of writing.
    pub fn forms(&self, version: u8, with_pin: bool) -> Vec<KeyForm> {
        let algorithm = self.suite.algorithm();
        let offset = match self.suite {
            Suite::TripleDes => 0,
            Suite::Sm4(_) => SM4_KEYS,
        };
        let CardKeys { load, purchase, tac, maintenance } = &self.keys;
        let form = |kind, id: u8, key: Key16| KeyForm { kind, id: id | offset, version, algorithm, tries: TRIES, key };
        let mut forms = vec![
            form(KeyKind::Maintenance, 0x00, maintenance.clone()),
            form(KeyKind::Load, 0x01, load.clone()),
            form(KeyKind::Purchase, 0x01, purchase.clone()),
            form(KeyKind::Tac, 0x00, tac.clone()),
            form(KeyKind::External, OFFICE_KEY, self.office_key(OfficeUse::Office)),
            form(KeyKind::Encrypt, OFFICE_KEY, self.office_key(OfficeUse::Card)),
        ];
        if with_pin {
            forms.push(form(KeyKind::UnblockPin, 0x00, self.office_key(OfficeUse::UnblockPin)));
            forms.push(form(KeyKind::ReloadPin, 0x00, self.office_key(OfficeUse::ReloadPin)));
        }
        forms
    }

    /// The control key that a personalised card has.
    pub fn control_form(&self, version: u8) -> KeyForm {
        KeyForm {
            kind: KeyKind::External,
            id: CONTROL_KEY,
            version,
            algorithm: self.suite.algorithm(),
            tries: CONTROL_TRIES,
            key: self.office_key(OfficeUse::Control),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_being_numbered() {
        for code in 0..=u8::MAX {
            if let Some(kind) = KeyKind::of(code) {
                assert_eq!(kind.code(), code);
            }
        }
        assert_eq!(KeyKind::of(0x35), None);
    }

    #[test]
    fn a_key_is_written_with_its_version_algorithm_and_tries() {
        let form = KeyForm {
            kind: KeyKind::Load,
            id: 1,
            version: 7,
            algorithm: Algorithm::Sm4,
            tries: 3,
            key: Key16::new([9; 16]),
        };
        let plain = form.encode();
        assert_eq!(plain[..5], [7, 4, 0x33, 0, 9]);
        assert_eq!(KeyForm::decode(KeyKind::Load, 1, &plain), Ok(form));
        for (place, value) in [(1, 5), (2, 0x00), (2, 0x32)] {
            let mut wrong = plain.clone();
            wrong[place] = value;
            assert!(KeyForm::decode(KeyKind::Load, 1, &wrong).is_err(), "{place}");
        }
        assert!(KeyForm::decode(KeyKind::Load, 1, &plain[..19]).is_err());
    }

    #[test]
    fn a_pin_has_two_to_six_bytes() {
        for (length, good) in [(1, false), (2, true), (6, true), (7, false)] {
            assert_eq!(read_pin(0, &pin_form(&vec![0x12; length])).is_ok(), good, "{length}");
        }
        let pin = read_pin(0, &pin_form(&[0x12, 0x34])).unwrap();
        assert_eq!((pin.tries.limit, pin.tries.left), (3, 3));
        assert_eq!(format!("{pin:?}"), "Pin(0, ***, Tries { limit: 3, left: 3 })", "no digit shows");
    }
}
