use std::collections::BTreeMap;

use card::crypto::Algorithm;
use card::files::CardNumber;
use card::host::{KeySet, LoadOpening, Masters};
use card::session::{Kind, SessionForm, Stamp, Suite, Terms};
use card::terminal::LoadAnswer;
use flows::ports::{self, CardNo, CardStamp, LoadSession, PurseDebit};

use crate::Keyring;

/// What a card proves to the host and what the host lets it do, under the master keys of every version in use.
#[derive(Clone, Debug)]
pub struct CardMasterKeys {
    masters: BTreeMap<u8, Masters>,
    sm4: BTreeMap<u8, Masters>,
    form: SessionForm,
}

impl CardMasterKeys {
    /// The card keys of a keyring.
    pub fn new(keyring: &Keyring) -> CardMasterKeys {
        let sm4 = keyring.sm4_masters();
        CardMasterKeys {
            masters: keyring.card_masters().clone(),
            sm4: sm4.map(|sm4| sm4.cards.clone()).unwrap_or_default(),
            form: sm4.map(|sm4| sm4.form).unwrap_or_default(),
        }
    }

    /// Keys of one card, if this program speaks its algorithm and holds masters of its version for it.
    fn keys(&self, card: CardNo, key_version: u8, algorithm: u8) -> Option<KeySet> {
        let algorithm = Algorithm::of(algorithm).ok()?;
        let masters = match algorithm {
            Algorithm::TripleDes => &self.masters,
            Algorithm::Sm4 => &self.sm4,
        };
        let suite = Suite::of(algorithm, self.form);
        Some(masters.get(&key_version)?.key_set(suite, CardNumber(card.0)))
    }
}

impl ports::CardKeys for CardMasterKeys {
    /// False also for a key version or an algorithm that is not known here.
    fn proves_load(&self, card: CardNo, load: &LoadSession) -> bool {
        self.keys(card, load.key_version, load.algorithm).is_some_and(|keys| keys.proves_load(&opening(load)))
    }

    /// All zero, which a card refuses, for a key version or an algorithm that is not known here: such a session never
    /// passed `proves_load`.
    fn release_load(&self, card: CardNo, load: &LoadSession, at: CardStamp) -> [u8; 4] {
        let keys = self.keys(card, load.key_version, load.algorithm);
        keys.map_or([0; 4], |keys| keys.release_load(&opening(load), stamp(at)))
    }

    fn proves_loaded(&self, card: CardNo, load: &LoadSession, at: CardStamp, tac: [u8; 4]) -> bool {
        let keys = self.keys(card, load.key_version, load.algorithm);
        keys.is_some_and(|keys| keys.proves_loaded(&opening(load), stamp(at), tac))
    }

    fn proves_purchase(&self, card: CardNo, debit: &PurseDebit, tac: [u8; 4]) -> bool {
        let terms = Terms { amount: debit.amount, kind: Kind::Purchase, terminal: debit.terminal };
        let keys = self.keys(card, debit.key_version, debit.algorithm);
        keys.is_some_and(|keys| keys.proves_purchase(terms, debit.tsn, stamp(debit.stamp), tac))
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

fn stamp(at: CardStamp) -> Stamp {
    Stamp { date: at.date, time: at.time }
}
