//! Personal fields at rest: sealed so that only the same field of the same owner opens, found through a keyed hash.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use flows::ports::{Field, Pii, SealBroken};
use ledger::Id;

use crate::Keyring;

/// Sealing keys by version, and a lookup key of each field's own.
pub(crate) struct Sealing {
    keys: BTreeMap<u8, RandomizedNonceKey>,
    lookup: hmac::Key,
}

impl Sealing {
    pub(crate) fn new(keyring: &Keyring) -> Sealing {
        let key = |bytes: &[u8; 32]| {
            RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("AES-256 takes every key of 32 bytes")
        };
        Sealing {
            keys: keyring.sealing.iter().map(|(version, bytes)| (*version, key(bytes.expose()))).collect(),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, keyring.lookup.expose()),
        }
    }

    /// `version || nonce || cipher text || tag`, under the newest key. Every call gives other bytes.
    pub(crate) fn seal(&self, field: Field, owner: Id, plain: &str) -> Vec<u8> {
        let (version, key) = self.keys.last_key_value().expect("a keyring has a sealing key");
        let mut text = plain.as_bytes().to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(bound_to(*version, field, owner)), &mut text)
            .expect("AES-GCM seals every short text");
        [&[*version][..], nonce.as_ref(), &text].concat()
    }

    pub(crate) fn open(&self, field: Field, owner: Id, sealed: &[u8]) -> Result<Pii<String>, SealBroken> {
        let (version, rest) = sealed.split_first().ok_or(SealBroken)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealBroken)?;
        let key = self.keys.get(version).ok_or(SealBroken)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut text = text.to_vec();
        let plain =
            key.open_in_place(nonce, Aad::from(bound_to(*version, field, owner)), &mut text).map_err(|_| SealBroken)?;
        let plain = std::str::from_utf8(plain).map_err(|_| SealBroken)?;
        Ok(Pii::new(plain.to_owned()))
    }

    /// HMAC-SHA256 under a key of the field's own, so that equal texts in two fields do not show as equal.
    pub(crate) fn lookup(&self, field: Field, plain: &str) -> [u8; 32] {
        let of_field = hmac::sign(&self.lookup, label(field).as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, of_field.as_ref());
        let tag = hmac::sign(&key, plain.as_bytes());
        tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes")
    }
}

/// What a sealed text is bound to and does not itself contain.
fn bound_to(version: u8, field: Field, owner: Id) -> Vec<u8> {
    [&[version][..], &owner.bytes(), label(field).as_bytes()].concat()
}

/// Stands in stored data: never changes.
const fn label(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::IdentityNumber => "identity-number",
        Field::Phone => "phone",
        Field::OpenId => "openid",
        Field::WebhookSecret => "webhook-secret",
    }
}
