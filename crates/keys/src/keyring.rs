use std::collections::BTreeMap;
use std::fmt;

use card::crypto::Key;
use card::host::Masters;
use card::session::SessionForm;
use ledger::Id;

use crate::entropy::random;

/// A key of 256 bits.
pub(crate) type Key32 = Key<32>;

/// All keys of one installation. `Debug` names none of them; they are wiped from memory on drop.
///
/// Losing it loses every sealed name and every password, and no card can be loaded any more: keep a copy in a safe.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyring {
    pub(crate) instance: Id,
    pub(crate) cards: BTreeMap<u8, Masters>,
    pub(crate) sm4: Option<Sm4Masters>,
    pub(crate) pepper: Key32,
    pub(crate) sealing: BTreeMap<u8, Key32>,
    pub(crate) lookup: Key32,
    pub(crate) signing: Option<Key32>,
}

/// Masters of cards that speak SM4. They are other keys than those for 3DES: who breaks one algorithm learns nothing of the
/// other.
#[derive(Clone, PartialEq, Eq)]
pub struct Sm4Masters {
    /// How the school's cards make session keys.
    pub form: SessionForm,
    /// The masters by version, as cards name it.
    pub cards: BTreeMap<u8, Masters>,
}

fn fresh_masters() -> Masters {
    Masters {
        load: Key::new(random()),
        purchase: Key::new(random()),
        tac: Key::new(random()),
        maintenance: Key::new(random()),
    }
}

impl Keyring {
    /// A keyring with fresh keys, card masters and sealing key in version 1. Every call gives another.
    pub fn generate() -> Keyring {
        Keyring {
            instance: Id::from_bytes(random()),
            cards: BTreeMap::from([(1, fresh_masters())]),
            sm4: None,
            pepper: Key::new(random()),
            sealing: BTreeMap::from([(1, Key::new(random()))]),
            lookup: Key::new(random()),
            signing: Some(Key::new(random())),
        }
    }

    /// The same keyring with fresh SM4 masters for each version of the 3DES ones. Repeats: a keyring that has SM4 masters
    /// stays as it is.
    pub fn with_sm4(mut self, form: SessionForm) -> Keyring {
        let fresh = |keys: &Keyring| keys.cards.keys().map(|version| (*version, fresh_masters())).collect();
        if self.sm4.is_none() {
            self.sm4 = Some(Sm4Masters { form, cards: fresh(&self) });
        }
        self
    }

    /// Masters of cards that speak SM4; `None` where the school has none.
    pub fn sm4_masters(&self) -> Option<&Sm4Masters> {
        self.sm4.as_ref()
    }

    /// Names the installation; no secret.
    pub fn instance(&self) -> Id {
        self.instance
    }

    /// The card masters by version: for personalising cards and provisioning purchase modules.
    pub fn card_masters(&self) -> &BTreeMap<u8, Masters> {
        &self.cards
    }

    /// Version and masters that new cards get: the newest.
    pub fn newest_card_masters(&self) -> Option<(u8, &Masters)> {
        self.cards.last_key_value().map(|(version, masters)| (*version, masters))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Keyring({})", self.instance)
    }
}
