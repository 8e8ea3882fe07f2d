//! The host's side: master keys, what a card proves, and the release of a load.

use crate::crypto::{Algorithm, Key16, same_bytes};
use crate::files::{CardKeys, CardNumber};
use crate::session::{SessionKey, Stamp, Suite, Terms};
use crate::terminal::{LoadAnswer, PurchaseAnswer};

/// The master keys of one version. Load and TAC masters stay in the host; the purchase master is also in the PSAMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters {
    /// MLK.
    pub load: Key16,
    /// MPK.
    pub purchase: Key16,
    /// MTK.
    pub tac: Key16,
    /// MAMK.
    pub maintenance: Key16,
}

impl Masters {
    /// The masters of one issuer or region below these: first of two levels, so that a stolen PSAM costs one school.
    pub fn of_issuer(&self, factor: [u8; 8]) -> Masters {
        let CardKeys { load, purchase, tac, maintenance } = self.diversified(Algorithm::TripleDes, factor);
        Masters { load, purchase, tac, maintenance }
    }

    /// The keys of one card under 3DES.
    pub fn card_keys(&self, card: CardNumber) -> CardKeys {
        self.diversified(Algorithm::TripleDes, card.factor())
    }

    /// The keys of one card under the algorithm of `suite`. Masters that serve two algorithms serve an attacker: keep a
    /// set of their own for each.
    pub fn key_set(&self, suite: Suite, card: CardNumber) -> KeySet {
        KeySet { suite, keys: self.diversified(suite.algorithm(), card.factor()) }
    }

    fn diversified(&self, algorithm: Algorithm, factor: [u8; 8]) -> CardKeys {
        CardKeys {
            load: algorithm.diversify(&self.load, factor),
            purchase: algorithm.diversify(&self.purchase, factor),
            tac: algorithm.diversify(&self.tac, factor),
            maintenance: algorithm.diversify(&self.maintenance, factor),
        }
    }
}

/// The keys of one card and how they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// Algorithm and session keys.
    pub suite: Suite,
    /// The keys.
    pub keys: CardKeys,
}

/// A load as far as INITIALIZE FOR LOAD brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOpening {
    /// What the terminal asked.
    pub terms: Terms,
    /// What the card answered.
    pub answer: LoadAnswer,
}

/// A purchase that the host itself makes, such as a correction that takes money back from a chip (M25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseOpening {
    /// What the terminal asked.
    pub terms: Terms,
    /// What the card answered.
    pub answer: PurchaseAnswer,
    /// Number of the transaction; never given out twice for one terminal id.
    pub tsn: u32,
    /// The clock that signs.
    pub stamp: Stamp,
}

impl KeySet {
    /// MAC1 that lets the card take the amount off, once and only in the field session of its random number.
    /// Repeats: the same opening gives the same MAC.
    pub fn sign_purchase(&self, purchase: &PurchaseOpening) -> [u8; 4] {
        self.purchase_session(purchase).purchase_mac1(purchase.terms, purchase.stamp)
    }

    /// Whether MAC2 proves that the card took the amount off. An answer that names another algorithm proves nothing.
    pub fn proves_debited(&self, purchase: &PurchaseOpening, mac2: [u8; 4]) -> bool {
        let expected = self.purchase_session(purchase).purchase_mac2(purchase.terms.amount);
        purchase.answer.algorithm == self.suite.algorithm().identifier() && same_bytes(&expected, &mac2)
    }

    fn purchase_session(&self, purchase: &PurchaseOpening) -> SessionKey {
        self.suite.purchase_key(&self.keys.purchase, purchase.answer.random, purchase.answer.m, purchase.tsn)
    }

    /// Whether MAC1 proves that this card answered these terms with this balance and counter. An answer that names another
    /// algorithm proves nothing.
    pub fn proves_load(&self, load: &LoadOpening) -> bool {
        let mac1 = self.load_session(load).load_mac1(load.answer.old_balance, load.terms);
        self.speaks(load) && same_bytes(&mac1, &load.answer.mac1)
    }

    /// MAC2 that lets the card add the amount, once and only in the field session of its random number.
    /// Repeats: the same opening and stamp give the same MAC.
    pub fn release_load(&self, load: &LoadOpening, stamp: Stamp) -> [u8; 4] {
        self.load_session(load).load_mac2(load.terms, stamp)
    }

    /// Whether the card's TAC proves that the load was applied.
    pub fn proves_loaded(&self, load: &LoadOpening, stamp: Stamp, tac: [u8; 4]) -> bool {
        let Some(new_balance) = load.answer.old_balance.checked_add(load.terms.amount) else {
            return false;
        };
        let expected = self.suite.load_tac(&self.keys.tac, new_balance, load.answer.n, load.terms, stamp);
        self.speaks(load) && same_bytes(&expected, &tac)
    }

    /// Whether the card's TAC proves that it was debited.
    pub fn proves_purchase(&self, terms: Terms, tsn: u32, stamp: Stamp, tac: [u8; 4]) -> bool {
        same_bytes(&self.suite.purchase_tac(&self.keys.tac, terms, tsn, stamp), &tac)
    }

    fn speaks(&self, load: &LoadOpening) -> bool {
        load.answer.algorithm == self.suite.algorithm().identifier()
    }

    fn load_session(&self, load: &LoadOpening) -> SessionKey {
        self.suite.load_key(&self.keys.load, load.answer.random, load.answer.n)
    }
}

/// The same under 3DES.
impl CardKeys {
    /// As [`KeySet::proves_load`].
    pub fn proves_load(&self, load: &LoadOpening) -> bool {
        self.triple_des().proves_load(load)
    }

    /// As [`KeySet::release_load`].
    pub fn release_load(&self, load: &LoadOpening, stamp: Stamp) -> [u8; 4] {
        self.triple_des().release_load(load, stamp)
    }

    /// As [`KeySet::proves_loaded`].
    pub fn proves_loaded(&self, load: &LoadOpening, stamp: Stamp, tac: [u8; 4]) -> bool {
        self.triple_des().proves_loaded(load, stamp, tac)
    }

    /// As [`KeySet::proves_purchase`].
    pub fn proves_purchase(&self, terms: Terms, tsn: u32, stamp: Stamp, tac: [u8; 4]) -> bool {
        self.triple_des().proves_purchase(terms, tsn, stamp, tac)
    }

    fn triple_des(&self) -> KeySet {
        KeySet { suite: Suite::TripleDes, keys: self.clone() }
    }
}
