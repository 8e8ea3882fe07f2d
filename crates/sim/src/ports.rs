//! The ports of the flows, answered by the world: its clock, its chance, its card keys. Personal data is of no account
//! here, so the secrets keep their promises and no secret.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use card::crypto::Key16;
use card::files::{self, CardNumber, Profile, Validity};
use card::host::{LoadOpening, Masters};
use card::session::{Kind, Stamp, Terms};
use card::terminal::LoadAnswer;
use flows::ports::{
    CardKeys, CardNo, CardStamp, Entropy, Field, LoadSession, Pii, PurseDebit, SealBroken, Secrets, Waiting,
};
use ledger::{Id, Micros};
use teller::IdSource;

use crate::plant::Plant;
use crate::rng::Rng;

/// 2026-11-23 08:00:00 in Asia/Shanghai: the world's second 0.
pub(crate) const START: i64 = 1_795_392_000_000_000;

/// Takes a lock that nobody ever poisons for long: the world has one thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server's chance.
pub(crate) struct Chance(pub(crate) Mutex<Rng>);

impl Entropy for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        lock(&self.0).fill(bytes);
    }
}

/// Time-ordered identifiers, never one below the one before.
pub(crate) struct Ids {
    rng: Rng,
    last: u128,
}

impl Ids {
    pub(crate) fn new(rng: Rng) -> Ids {
        Ids { rng, last: 0 }
    }
}

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        let id = Id::time_ordered(now, self.rng.bytes()).get().max(self.last.saturating_add(1));
        self.last = id;
        Id::new(id)
    }
}

/// Keeps the promises of the port and no secret.
pub(crate) struct OpenSecrets;

impl Secrets for OpenSecrets {
    fn hash_password<'a>(&'a self, password: &'a str) -> Waiting<'a, String> {
        Box::pin(ready(password.to_owned()))
    }

    fn check_password<'a>(&'a self, password: &'a str, hash: Option<&'a str>) -> Waiting<'a, bool> {
        Box::pin(ready(hash == Some(password)))
    }

    fn seal(&self, field: Field, owner: Id, plain: &str) -> Vec<u8> {
        format!("{field:?} {owner} {plain}").into_bytes()
    }

    fn open(&self, field: Field, owner: Id, sealed: &[u8]) -> Result<Pii<String>, SealBroken> {
        let text = std::str::from_utf8(sealed).map_err(|_| SealBroken)?;
        let plain = text.strip_prefix(&format!("{field:?} {owner} ")).ok_or(SealBroken)?;
        Ok(Pii::new(plain.to_owned()))
    }

    fn lookup(&self, field: Field, plain: &str) -> [u8; 32] {
        let mut hash = [0; 32];
        let change = ledger::row_digest("lookup", format!("{field:?}").as_bytes(), Some(plain.as_bytes()));
        for (to, from) in hash.iter_mut().zip(change.key.iter().chain(&change.content)) {
            *to = *from;
        }
        hash
    }

    fn token_hash(&self, token: &[u8; 32]) -> [u8; 32] {
        *token
    }
}

/// Version of the master keys.
pub(crate) const KEY_VERSION: u8 = 1;

/// The master keys of the world.
pub(crate) fn masters() -> Masters {
    let key = |seed: u8| {
        let mut bytes = [seed; 16];
        for (byte, place) in bytes.iter_mut().zip(0_u8..) {
            *byte ^= place.wrapping_mul(29);
        }
        Key16::new(bytes)
    };
    Masters { load: key(0x11), purchase: key(0x52), tac: key(0x93), maintenance: key(0xD4) }
}

/// What all cards of the world have in common.
pub(crate) const fn profile() -> Profile {
    Profile {
        issuer: [1, 2, 3, 4, 5, 6, 7, 8],
        application_version: 1,
        key_version: KEY_VERSION,
        validity: Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] },
    }
}

/// The platform's card keys: the real cryptography over the world's masters.
pub(crate) struct WorldKeys {
    masters: Masters,
    plant: Option<Plant>,
    /// Keys of cards seen before: diversifying is most of the work.
    known: Mutex<BTreeMap<u64, Arc<files::CardKeys>>>,
}

impl WorldKeys {
    pub(crate) fn new(plant: Option<Plant>) -> WorldKeys {
        WorldKeys { masters: masters(), plant, known: Mutex::default() }
    }

    fn keys(&self, card: CardNo) -> Arc<files::CardKeys> {
        let mut known = lock(&self.known);
        let fresh = || Arc::new(self.masters.card_keys(CardNumber(card.0)));
        Arc::clone(known.entry(card.0).or_insert_with(fresh))
    }
}

fn opening(load: &LoadSession) -> LoadOpening {
    LoadOpening {
        terms: Terms { amount: load.amount, kind: Kind::Load, terminal: load.terminal },
        answer: LoadAnswer {
            old_balance: load.old_balance,
            n: load.n,
            key_version: load.key_version,
            algorithm: load.algorithm,
            random: load.random,
            mac1: load.mac1,
        },
    }
}

const fn stamp(at: CardStamp) -> Stamp {
    Stamp { date: at.date, time: at.time }
}

impl CardKeys for WorldKeys {
    fn proves_load(&self, card: CardNo, load: &LoadSession) -> bool {
        load.key_version == KEY_VERSION && self.keys(card).proves_load(&opening(load))
    }

    fn release_load(&self, card: CardNo, load: &LoadSession, at: CardStamp) -> [u8; 4] {
        self.keys(card).release_load(&opening(load), stamp(at))
    }

    fn proves_loaded(&self, card: CardNo, load: &LoadSession, at: CardStamp, tac: [u8; 4]) -> bool {
        let planted = self.plant == Some(Plant::P24) && tac == crate::plant::NO_TAC;
        planted || self.keys(card).proves_loaded(&opening(load), stamp(at), tac)
    }

    fn proves_purchase(&self, card: CardNo, debit: &PurseDebit, tac: [u8; 4]) -> bool {
        let planted = match self.plant {
            Some(Plant::P37) => true,
            Some(Plant::P39) => tac == crate::plant::NO_TAC,
            _ => false,
        };
        let terms = Terms { amount: debit.amount, kind: Kind::Purchase, terminal: debit.terminal };
        let proved = debit.key_version == KEY_VERSION
            && self.keys(card).proves_purchase(terms, debit.tsn, stamp(debit.stamp), tac);
        planted || proved
    }
}
