//! Keys that must never guard money: published ones, and such as a person types.

use std::fmt;

use card::crypto::same_bytes;

use crate::Keyring;

/// Keys that stand in published vectors, sample cards, default configurations and this project's own tests.
const PUBLISHED: [[u8; 16]; 26] = [
    // Cards whose transcripts were published with their keys.
    0x374598B5C0B0EAE1E1D06609AC5BB369_u128.to_be_bytes(),
    0xCAA6025290114BFCC3C9043F70F7A07A_u128.to_be_bytes(),
    0xA338D92A10C8285411E761445C831C22_u128.to_be_bytes(),
    0x6474215EF549707831BB8DB9895FD48A_u128.to_be_bytes(),
    0xF28E92292DCB63F11EA7F5776A7122B8_u128.to_be_bytes(),
    0x6CA1901BE8F968A23A6BD5F62A20BDC8_u128.to_be_bytes(),
    0x11223344556677888877665544332211_u128.to_be_bytes(),
    // The usual sample keys; the second is also the known answer of SM4.
    0x00112233445566778899AABBCCDDEEFF_u128.to_be_bytes(),
    0x0123456789ABCDEFFEDCBA9876543210_u128.to_be_bytes(),
    0xA1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8_u128.to_be_bytes(),
    0xC0C1C2C3C4C5C6C7D0D1D2D3D4D5D6D7_u128.to_be_bytes(),
    // A chip maker's transport key, the default of GlobalPlatform cards, the default of OSDP readers (SCBK-D).
    *b"WATCHDATATimeCOS",
    0x404142434445464748494A4B4C4D4E4F_u128.to_be_bytes(),
    0x303132333435363738393A3B3C3D3E3F_u128.to_be_bytes(),
    // What cards of the project's tests carry, under 3DES and under SM4.
    0x2C40DED895E0FCFEFEFAFA64AB443F96_u128.to_be_bytes(),
    0xB6AD16265FEE08D4D503BE6DE8AD22BF_u128.to_be_bytes(),
    // The key file of the sweeps: load, purchase, TAC, maintenance; then both halves of pepper, sealing and lookup key.
    0x4DF0C4CAC193CDDB49184F7B7E1E4E0F_u128.to_be_bytes(),
    0x12D2C70576D34E7C4139282BBEF39320_u128.to_be_bytes(),
    0x8B7092397467B14798676B525CB5DFDF_u128.to_be_bytes(),
    0xFEA5B5D299C5668172B9B4C0215277B6_u128.to_be_bytes(),
    0xC640EF8D21B31B4479DABC070ECAD488_u128.to_be_bytes(),
    0x64571BE7059EE06D5F4C542B015FE657_u128.to_be_bytes(),
    0x2EF61B60E97576192A3327F85304EF2C_u128.to_be_bytes(),
    0x908C8BDD8E4995DD5601757E7548CD54_u128.to_be_bytes(),
    0xABDAE63271179461CFE71B6415CED19D_u128.to_be_bytes(),
    0xA38732364B67D5F9992163B14090FBA0_u128.to_be_bytes(),
];

/// A key that production refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key file is not fit for production: {key} {weakness}; make new keys")]
pub struct UnfitKey {
    /// Which key, such as `card load master of version 1`.
    pub key: String,
    /// Why.
    pub weakness: Weakness,
}

/// Why a key is refused; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It stands in published vectors or is somebody's default.
    Published,
    /// All bytes equal, a repeated pattern, or bytes in steady steps.
    Pattern,
    /// It equals this other key of the file.
    SameAs(String),
}

impl fmt::Display for Weakness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weakness::Published => out.write_str("is a published test key"),
            Weakness::Pattern => out.write_str("is a pattern, not chance"),
            Weakness::SameAs(other) => write!(out, "is the same as {other}"),
        }
    }
}

/// Why a card maker's transport key is unfit to guard the making of cards; `None` when it is fit. Only a trial may use a
/// published one: who listens to the making of a card under it has the card's keys.
pub fn transport_weakness(key: &[u8; 16]) -> Option<Weakness> {
    weakness(key, &[])
}

impl Keyring {
    /// Refuses keys that others know or can guess. DES parity bits are left out of every comparison.
    ///
    /// Errors: the first unfit key, in the order of the file. Source: T18 of the threat table; production mode.
    pub fn check_production(&self) -> Result<(), UnfitKey> {
        let mut seen: Vec<(String, &[u8])> = Vec::new();
        for (key, bytes) in self.named() {
            if let Some(weakness) = weakness(bytes, &seen) {
                return Err(UnfitKey { key, weakness });
            }
            seen.push((key, bytes));
        }
        Ok(())
    }

    fn named(&self) -> Vec<(String, &[u8])> {
        let mut keys: Vec<(String, &[u8])> = Vec::new();
        let sm4 = self.sm4.iter().flat_map(|sm4| &sm4.cards).map(|(version, masters)| ("SM4 card", version, masters));
        let cards = self.cards.iter().map(|(version, masters)| ("card", version, masters));
        for (card, version, masters) in cards.chain(sm4) {
            let four = [
                ("load", &masters.load),
                ("purchase", &masters.purchase),
                ("TAC", &masters.tac),
                ("maintenance", &masters.maintenance),
            ];
            keys.extend(
                four.map(|(use_, key)| (format!("{card} {use_} master of version {version}"), key.expose().as_slice())),
            );
        }
        keys.push(("pepper".to_owned(), self.pepper.expose()));
        for (version, key) in &self.sealing {
            keys.push((format!("sealing key of version {version}"), key.expose()));
        }
        keys.push(("lookup key".to_owned(), self.lookup.expose()));
        keys.extend(self.signing.iter().map(|key| ("instance key".to_owned(), key.expose().as_slice())));
        keys
    }
}

fn weakness(key: &[u8], seen: &[(String, &[u8])]) -> Option<Weakness> {
    let plain = without_parity(key);
    // A long key made of published halves is no better than they are.
    if plain.chunks(16).any(|half| PUBLISHED.iter().any(|known| same_bytes(half, &without_parity(known)))) {
        return Some(Weakness::Published);
    }
    if plain.chunks(16).any(is_pattern) || is_pattern(&plain) || key.chunks(8).all(in_steps) {
        return Some(Weakness::Pattern);
    }
    let twin = seen.iter().find(|(_, other)| same_bytes(&plain, &without_parity(other)));
    twin.map(|(name, _)| Weakness::SameAs(name.clone()))
}

fn without_parity(key: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(key.iter().map(|byte| byte & 0xFE).collect())
}

/// Whether the key repeats a shorter piece. For 3DES two equal halves would make it single DES.
fn is_pattern(key: &[u8]) -> bool {
    let half = key.len() / 2;
    (1..=half).any(|period| key.iter().zip(key.iter().skip(period)).all(|(early, late)| early == late))
}

/// Whether all bytes lie the same step apart, such as 01 02 03 or 00 11 22.
fn in_steps(piece: &[u8]) -> bool {
    let mut steps = piece.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let first = steps.next();
    steps.all(|step| Some(step) == first)
}
