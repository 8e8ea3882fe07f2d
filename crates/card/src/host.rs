//! The host's side: master keys, what a card proves, and the release of a load.

use crate::crypto::{Algorithm, Key16, same_bytes};
use crate::files::{CardKeys, CardNumber};
use crate::session::{SessionKey, Stamp, Terms, load_tac, purchase_tac};
use crate::terminal::LoadAnswer;

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
        let CardKeys { load, purchase, tac, maintenance } = self.diversified(factor);
        Masters { load, purchase, tac, maintenance }
    }

    /// The keys of one card.
    pub fn card_keys(&self, card: CardNumber) -> CardKeys {
        self.diversified(card.factor())
    }

    fn diversified(&self, factor: [u8; 8]) -> CardKeys {
        CardKeys {
            load: self.load.diversify(factor),
            purchase: self.purchase.diversify(factor),
            tac: self.tac.diversify(factor),
            maintenance: self.maintenance.diversify(factor),
        }
    }
}

/// A load as far as INITIALIZE FOR LOAD brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOpening {
    /// What the terminal asked.
    pub terms: Terms,
    /// What the card answered.
    pub answer: LoadAnswer,
}

impl CardKeys {
    /// Whether MAC1 proves that this card answered these terms with this balance and counter. An algorithm that is not
    /// known proves nothing.
    pub fn proves_load(&self, load: &LoadOpening) -> bool {
        let mac1 = self.load_session(load).load_mac1(load.answer.old_balance, load.terms);
        Algorithm::of(load.answer.algorithm).is_ok() && same_bytes(&mac1, &load.answer.mac1)
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
        let expected = load_tac(&self.tac, new_balance, load.answer.n, load.terms, stamp);
        Algorithm::of(load.answer.algorithm).is_ok() && same_bytes(&expected, &tac)
    }

    /// Whether the card's TAC proves that it was debited.
    pub fn proves_purchase(&self, terms: Terms, tsn: u32, stamp: Stamp, tac: [u8; 4]) -> bool {
        same_bytes(&purchase_tac(&self.tac, terms, tsn, stamp), &tac)
    }

    fn load_session(&self, load: &LoadOpening) -> SessionKey {
        SessionKey::for_load(&self.load, load.answer.random, load.answer.n)
    }
}
