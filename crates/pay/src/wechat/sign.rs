//! Signatures and decryption of API v3. Pure: the time comes in as a parameter and nothing is read or sent.
//!
//! Signatures are RSA PKCS#1 v1.5 with SHA-256 in Base64; resources are sealed with AES-256-GCM.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger::Micros;
use rustls::pki_types::pem::{PemObject, SectionKind};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// The scheme's name in `Authorization` and in `Wechatpay-Signature-Type`.
pub const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// How far a signed message's time may lie from ours, either way.
const WINDOW_MICROS: u64 = 300_000_000;

/// The provider's own probes begin with this; they must never be accepted.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// Why a key file is no key we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No PEM section in it.
    #[error("it is not a PEM file")]
    NotPem,
    /// A PEM section of another kind stands first.
    #[error("its first PEM section is of another kind")]
    WrongKind,
    /// Not an RSA key of 2048 to 8192 bits.
    #[error("it is not an RSA key of 2048 bits or more")]
    NotRsa,
    /// The certificate has another serial number than the one configured.
    #[error("the certificate in it has another serial number")]
    OtherSerial,
}

/// The private key failed to sign, which only a broken machine explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the merchant key did not sign")]
pub struct SignFailed;

/// Why a signed message is not believed; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// A header is missing or unreadable.
    #[error("a signature header is missing or unreadable")]
    Malformed,
    /// Signed more than five minutes before or after our time.
    #[error("its time is more than five minutes off")]
    Stale,
    /// Signed with a key that is not ours to trust, or outside its certificate's dates.
    #[error("unknown key serial")]
    UnknownSerial,
    /// One of the provider's probes, which shall fail.
    #[error("a probe of the provider, which shall fail")]
    Probe,
    /// The signature does not fit.
    #[error("wrong signature")]
    WrongSignature,
}

/// A sealed resource does not open under our key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the resource does not open under the APIv3 key")]
pub struct Sealed;

/// Our API certificate's private key, with the serial number by which the provider finds the public half.
pub struct MerchantKey {
    serial: String,
    pair: RsaKeyPair,
}

impl MerchantKey {
    /// Reads the private key from PEM: `PRIVATE KEY` (as the merchant portal gives it) or `RSA PRIVATE KEY`.
    ///
    /// Errors, in order: `NotPem`, `WrongKind`, `NotRsa`.
    pub fn from_pem(serial: &str, pem: &[u8]) -> Result<MerchantKey, KeyFault> {
        let (kind, der) = section(pem)?;
        let der = Zeroizing::new(der);
        let pair = match kind {
            SectionKind::PrivateKey => RsaKeyPair::from_pkcs8(&der),
            SectionKind::RsaPrivateKey => RsaKeyPair::from_der(&der),
            _ => return Err(KeyFault::WrongKind),
        };
        Ok(MerchantKey { serial: serial.to_owned(), pair: pair.map_err(|_| KeyFault::NotRsa)? })
    }

    /// Base64 of the signature over `message`. Repeats: the same message gives the same signature.
    pub fn sign(&self, message: &[u8]) -> Result<String, SignFailed> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| SignFailed)?;
        Ok(STANDARD.encode(signature))
    }

    /// The public half, as SubjectPublicKeyInfo.
    pub fn public_der(&self) -> Option<Vec<u8>> {
        self.pair.public_key().as_der().ok().map(|der| der.as_ref().to_vec())
    }

    /// Value of `Authorization` for one request.
    ///
    /// Shape: `target` is path and query exactly as sent, without the host; `nonce` at most 32 characters; `body` the
    /// bytes as sent, empty for GET. Five lines are signed and each, the last too, ends with a line feed.
    pub fn authorization(&self, mchid: &str, request: &Request<'_>) -> Result<String, SignFailed> {
        let Request { method, target, at, nonce, body } = request;
        let seconds = at.seconds();
        let mut message = format!("{method}\n{target}\n{seconds}\n{nonce}\n").into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        let signature = self.sign(&message)?;
        let serial = &self.serial;
        Ok(format!(
            "{SCHEME} mchid=\"{mchid}\",nonce_str=\"{nonce}\",signature=\"{signature}\",\
             timestamp=\"{seconds}\",serial_no=\"{serial}\""
        ))
    }

    /// `paySign` of the bridge's argument: four lines, each ended by a line feed.
    pub fn pay_sign(&self, appid: &str, seconds: &str, nonce: &str, package: &str) -> Result<String, SignFailed> {
        self.sign(format!("{appid}\n{seconds}\n{nonce}\n{package}\n").as_bytes())
    }
}

/// A request about to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query exactly as sent.
    pub target: &'a str,
    /// Our time.
    pub at: Micros,
    /// Fresh for each request.
    pub nonce: &'a str,
    /// The bytes as sent.
    pub body: &'a [u8],
}

/// A key with which the provider signs.
pub struct PlatformKey {
    id: String,
    key: ParsedPublicKey,
    dates: Option<Dates>,
}

/// From when to when a certificate is good, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dates {
    from: Micros,
    to: Micros,
}

impl PlatformKey {
    /// Reads a key from PEM: `PUBLIC KEY` (public-key mode) or `CERTIFICATE` (a platform certificate, whose serial number
    /// must be `id`).
    ///
    /// Shape: `id` as `Wechatpay-Serial` carries it: `PUB_KEY_ID_...`, or hexadecimal digits in capitals.
    /// Errors, in order: `NotPem`, `WrongKind`, `OtherSerial`, `NotRsa`.
    pub fn from_pem(id: &str, pem: &[u8]) -> Result<PlatformKey, KeyFault> {
        let (kind, der) = section(pem)?;
        let (spki, dates) = match kind {
            SectionKind::PublicKey => (der, None),
            SectionKind::Certificate => certified_key(id, &der).map(|(spki, dates)| (spki, Some(dates)))?,
            _ => return Err(KeyFault::WrongKind),
        };
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki).map_err(|_| KeyFault::NotRsa)?;
        // The library checks the size only when it verifies; a short key must not wait for the first payment.
        let bits = aws_lc_rs::rsa::PublicEncryptingKey::from_der(&spki).map_err(|_| KeyFault::NotRsa)?.key_size_bits();
        if !(2048..=8192).contains(&bits) {
            return Err(KeyFault::NotRsa);
        }
        Ok(PlatformKey { id: id.to_owned(), key, dates })
    }

    /// Whether this is the public half of `merchant`: then the wrong file was configured.
    pub fn belongs_to(&self, merchant: &MerchantKey) -> bool {
        merchant.public_der().is_some_and(|der| der == self.key.as_ref())
    }

    /// Its id, as `Wechatpay-Serial` carries it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is the same key as `other`, whatever their ids.
    pub fn same_key(&self, other: &PlatformKey) -> bool {
        self.key.as_ref() == other.key.as_ref()
    }

    /// Whether its certificate is good at `now`; a key without one always is.
    pub fn good_at(&self, now: Micros) -> bool {
        self.dates.is_none_or(|dates| dates.from <= now && now <= dates.to)
    }

    /// That `body` was signed with this key, now. Errors as [`PlatformKeys::verify`]; `UnknownSerial` when the proof names
    /// another key or the certificate is not good at `now`.
    pub fn verify(&self, proof: &Proof<'_>, body: &[u8], now: Micros) -> Result<(), Unproved> {
        proof.fresh(now)?;
        if proof.serial != self.id || !self.good_at(now) {
            return Err(Unproved::UnknownSerial);
        }
        if proof.signature.starts_with(PROBE) {
            return Err(Unproved::Probe);
        }
        let signature = STANDARD.decode(proof.signature).map_err(|_| Unproved::WrongSignature)?;
        let mut message = format!("{}\n{}\n", proof.timestamp, proof.nonce).into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        self.key.verify_sig(&message, &signature).map_err(|_| Unproved::WrongSignature)
    }

    /// Whether its certificate has ended.
    pub fn ended(&self, now: Micros) -> bool {
        self.dates.is_some_and(|dates| dates.to < now)
    }
}

/// The key inside a certificate, if the certificate is the one that `serial` names.
fn certified_key(serial: &str, der: &[u8]) -> Result<(Vec<u8>, Dates), KeyFault> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| KeyFault::NotPem)?;
    let digits: String = certificate.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect();
    if digits.trim_start_matches('0') != serial.trim_start_matches('0') {
        return Err(KeyFault::OtherSerial);
    }
    let dates = Dates {
        from: Micros::from_seconds(certificate.validity().not_before.timestamp()),
        to: Micros::from_seconds(certificate.validity().not_after.timestamp()),
    };
    Ok((certificate.tbs_certificate.subject_pki.raw.to_vec(), dates))
}

/// All keys with which the provider may sign at present: while it changes from one to the other, both.
#[derive(Default)]
pub struct PlatformKeys {
    preferred: Option<String>,
    keys: BTreeMap<String, PlatformKey>,
}

impl PlatformKeys {
    /// `preferred` is asked for in every request; a later key with the id of an earlier one replaces it.
    /// Without any (the default) they are to be learned from the provider's list of certificates.
    pub fn new(preferred: PlatformKey, others: impl IntoIterator<Item = PlatformKey>) -> PlatformKeys {
        let id = preferred.id.clone();
        let keys = std::iter::once(preferred).chain(others).map(|key| (key.id.clone(), key)).collect();
        PlatformKeys { preferred: Some(id), keys }
    }

    /// Id of the key with which the provider shall sign its answers: the preferred one. None where only certificates are
    /// known: the provider then signs with the one in use, and would refuse a request that names one it has retired.
    pub fn preferred(&self, now: Micros) -> Option<&str> {
        let preferred = self.preferred.as_ref().and_then(|id| self.keys.get(id));
        preferred.filter(|key| key.good_at(now)).map(|key| key.id.as_str())
    }

    /// Whether a message under this id can be checked now.
    pub fn knows(&self, id: &str, now: Micros) -> bool {
        self.keys.get(id).is_some_and(|key| key.good_at(now))
    }

    /// Adds keys that the provider proved; ended ones fall away. What is known under an id stays: `false` when another key
    /// came under the same id.
    pub fn learn(&mut self, keys: impl IntoIterator<Item = PlatformKey>, now: Micros) -> bool {
        self.keys.retain(|_, key| !key.ended(now));
        let mut consistent = true;
        for key in keys {
            match self.keys.get(&key.id) {
                Some(known) => consistent &= known.same_key(&key),
                None => {
                    self.keys.insert(key.id.clone(), key);
                }
            }
        }
        consistent
    }

    /// Whether a key stands under this id, also one whose time has not come.
    pub fn has(&self, id: &str) -> bool {
        self.keys.contains_key(id)
    }

    /// That `body` came from the provider, now.
    ///
    /// Shape: `body` is the raw bytes, empty for a 204.
    /// Errors, the first that applies: `Malformed`, `Stale`, `UnknownSerial`, `Probe`, `WrongSignature`.
    pub fn verify(&self, proof: &Proof<'_>, body: &[u8], now: Micros) -> Result<(), Unproved> {
        proof.fresh(now)?;
        self.keys.get(proof.serial).ok_or(Unproved::UnknownSerial)?.verify(proof, body, now)
    }
}

/// The four headers that prove a message.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// `Wechatpay-Timestamp`.
    pub timestamp: &'a str,
    /// `Wechatpay-Nonce`.
    pub nonce: &'a str,
    /// `Wechatpay-Serial`.
    pub serial: &'a str,
    /// `Wechatpay-Signature`.
    pub signature: &'a str,
}

impl Proof<'_> {
    /// When it was signed, if all four headers are there and readable.
    pub(crate) fn at(&self) -> Option<Micros> {
        let headers = [self.timestamp, self.nonce, self.serial, self.signature];
        let readable = |header: &&str| !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_graphic());
        // `parse` alone would take a sign; twelve digits reach beyond the year 30000.
        let digits = self.timestamp.len() <= 12 && self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        if !headers.iter().all(readable) || !digits {
            return None;
        }
        self.timestamp.parse().ok().map(Micros::from_seconds)
    }

    fn fresh(&self, now: Micros) -> Result<(), Unproved> {
        let at = self.at().ok_or(Unproved::Malformed)?;
        if now.since(at).unsigned_abs() > WINDOW_MICROS { Err(Unproved::Stale) } else { Ok(()) }
    }
}

/// The APIv3 key, under which the provider seals resources.
pub struct ResourceKey(LessSafeKey);

impl ResourceKey {
    /// The key made of these 32 bytes.
    pub fn new(bytes: &[u8; 32]) -> Option<ResourceKey> {
        UnboundKey::new(&AES_256_GCM, bytes).ok().map(|key| ResourceKey(LessSafeKey::new(key)))
    }

    /// The resource in clear.
    ///
    /// Shape: `nonce` has 12 bytes, `associated` may be empty, `ciphertext` is Base64 of data and 16-byte tag.
    /// Errors: `Sealed` for anything that was not sealed under this key with this nonce and associated data.
    pub fn open(&self, nonce: &str, associated: &str, ciphertext: &str) -> Result<Vec<u8>, Sealed> {
        let nonce: [u8; NONCE_LEN] = nonce.as_bytes().try_into().map_err(|_| Sealed)?;
        let mut sealed = STANDARD.decode(ciphertext).map_err(|_| Sealed)?;
        let opened = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut sealed)
            .map_err(|_| Sealed)?;
        Ok(opened.to_vec())
    }
}

/// The first PEM section of a file.
fn section(pem: &[u8]) -> Result<(SectionKind, Vec<u8>), KeyFault> {
    <(SectionKind, Vec<u8>)>::from_pem_slice(pem).map_err(|_| KeyFault::NotPem)
}
