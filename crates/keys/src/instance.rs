//! The key by which an installation signs what it writes down outside its database, such as anchors (M8).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::Keyring;

/// Signs in the name of the installation: Ed25519.
pub struct InstanceKey(Ed25519KeyPair);

/// Checks what an [`InstanceKey`] signed; no secret. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl Keyring {
    /// The key that signs for this installation; `None` for a key file from before there was one (see [`Keyring::open`]).
    pub fn instance_key(&self) -> Option<InstanceKey> {
        let seed = self.signing.as_ref()?;
        // Every 32 bytes are a seed of Ed25519.
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).ok().map(InstanceKey)
    }
}

impl InstanceKey {
    /// What others check with.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(bytes)
    }

    /// The signature of `message`. Repeats: the same message gives the same signature (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(self.0.sign(message).as_ref()) {
            *to = *from;
        }
        bytes
    }
}

impl PublicKey {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<PublicKey> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (to, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|digit| digit != b'+'))?;
            *to = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(PublicKey(bytes))
    }

    /// Whether `signature` is this installation's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex"))
            .collect()
    }

    #[test]
    fn the_signature_is_that_of_rfc_8032_test_2() {
        let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = InstanceKey(Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed"));
        assert_eq!(key.public().to_string(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(key.sign(&[0x72]).to_vec(), bytes(expected));
        assert!(key.public().verifies(&[0x72], &bytes(expected)));
    }

    #[test]
    fn another_message_another_signature_or_another_key_does_not_verify() {
        let (key, other) = (Keyring::generate(), Keyring::generate());
        let (key, other) = (key.instance_key().expect("has one"), other.instance_key().expect("has one"));
        let signature = key.sign(b"anchor");
        assert!(key.public().verifies(b"anchor", &signature));
        assert!(!key.public().verifies(b"anchoR", &signature));
        assert!(!other.public().verifies(b"anchor", &signature));
        for place in 0..signature.len() {
            let mut flipped = signature;
            flipped[place] ^= 1;
            assert!(!key.public().verifies(b"anchor", &flipped), "{place}");
        }
        assert!(!key.public().verifies(b"anchor", &signature[..63]));
    }

    #[test]
    fn a_public_key_is_read_back_from_its_text_and_nothing_else_is() {
        let public = Keyring::generate().instance_key().expect("has one").public();
        let text = public.to_string();
        assert_eq!(PublicKey::parse(&text), Some(public));
        let plus = format!("+1{}", &text[2..]);
        for bad in ["", &text[1..], &format!("{text}0"), &text.replace(&text[..1], "x"), &plus] {
            assert_eq!(PublicKey::parse(bad), None, "{bad}");
        }
    }
}
