use std::collections::BTreeMap;
use std::fmt;

use card::crypto::Key;
use card::host::Masters;
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
    pub(crate) pepper: Key32,
    pub(crate) sealing: BTreeMap<u8, Key32>,
    pub(crate) lookup: Key32,
    pub(crate) signing: Option<Key32>,
}

impl Keyring {
    /// A keyring with fresh keys, card masters and sealing key in version 1. Every call gives another.
    pub fn generate() -> Keyring {
        let masters = Masters {
            load: Key::new(random()),
            purchase: Key::new(random()),
            tac: Key::new(random()),
            maintenance: Key::new(random()),
        };
        Keyring {
            instance: Id::from_bytes(random()),
            cards: BTreeMap::from([(1, masters)]),
            pepper: Key::new(random()),
            sealing: BTreeMap::from([(1, Key::new(random()))]),
            lookup: Key::new(random()),
            signing: Some(Key::new(random())),
        }
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
