//! The keys of one run of the office: the school's, and the card maker's.

use std::path::PathBuf;

use card::crypto::{Algorithm, Key16};
use card::files::{CardNumber, PublicFile};
use card::host::{KeySet, LoadOpening, Masters};
use card::keystore::{OFFICE_KEY, OfficeUse, SM4_KEYS};
use card::office::command;
use card::session::{Kind, SessionForm, Suite, Terms};
use card::status::Status;
use card::terminal::{self, CardFault, LoadAnswer};
use device::channel::CardChannel;
use keys::{Keyring, Sm4Masters, transport_weakness};

use crate::prompt::Said;
use crate::{Failure, Place, config};

/// The transport key of software cards in a trial, and a published one: production refuses it.
const TRIAL_TRANSPORT_KEY: [u8; 16] = *b"WATCHDATATimeCOS";

/// Where the card maker's key is.
#[derive(clap::Args)]
pub struct TransportKey {
    /// File with the card maker's transport key, 32 hexadecimal digits. A trial may leave it out and gets a published key.
    #[arg(long, value_name = "FILE")]
    transport_key_file: Option<PathBuf>,
}

/// A transport key and whether anyone may know it.
pub struct ReadKey {
    /// The key.
    pub key: Key16,
    published: Option<String>,
}

impl TransportKey {
    /// The key. Errors: the file cannot be read, is no key; its content is never repeated.
    pub fn read(&self) -> Result<ReadKey, Failure> {
        let bytes = match &self.transport_key_file {
            None => TRIAL_TRANSPORT_KEY,
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|fault| Said(format!("{}: {fault}", path.display())))?;
                let digits = text.trim();
                let value = (digits.len() == 32).then(|| u128::from_str_radix(digits, 16).ok()).flatten();
                let wrong = || Said(format!("{} holds no key: write 32 hexadecimal digits", path.display()));
                value.ok_or_else(wrong)?.to_be_bytes()
            }
        };
        let published = transport_weakness(&bytes).map(|weakness| weakness.to_string());
        Ok(ReadKey { key: Key16::new(bytes), published })
    }
}

/// All keys of a run.
pub struct KeysAtHand {
    /// The card maker's.
    pub transport: Key16,
    masters: std::collections::BTreeMap<u8, Masters>,
    sm4: Option<Sm4Masters>,
}

impl KeysAtHand {
    /// The keys, if they are fit: outside of a trial, no key that others know or can guess opens a blank card, or whoever
    /// listens has the card's keys. The school's own were checked when the keyring was opened.
    pub fn new(place: &Place, keyring: &Keyring, transport: &TransportKey) -> Result<KeysAtHand, Failure> {
        let production = match &place.config {
            Some(path) => !config::read(path)?.trial,
            None => false,
        };
        let read = transport.read()?;
        if let Some(weakness) = read.published.filter(|_| production) {
            return Err(Said(format!(
                "the transport key {weakness}: get cards with a key of your own from their maker and name its file with \
                 --transport-key-file"
            ))
            .into());
        }
        Ok(KeysAtHand {
            transport: read.key,
            masters: keyring.card_masters().clone(),
            sm4: keyring.sm4_masters().cloned(),
        })
    }

    /// The card's keys under 3DES.
    pub fn triple_des(&self, card: CardNumber, version: u8) -> Result<KeySet, Failure> {
        let masters = self.masters.get(&version).ok_or("the keyring has no card keys")?;
        Ok(masters.key_set(Suite::TripleDes, card))
    }

    /// The card's keys under SM4.
    pub fn sm4(&self, card: CardNumber, version: u8) -> Result<KeySet, Failure> {
        let masters = self.sm4.as_ref().and_then(|sm4| sm4.cards.get(&version));
        let masters = masters.ok_or_else(|| {
            Said(format!("the school has no SM4 keys of version {version}: run `onecard card sm4-keys` first"))
        })?;
        Ok(masters.key_set(Suite::Sm4(self.session_form()), card))
    }

    /// How the school's cards make session keys under SM4.
    pub fn session_form(&self) -> SessionForm {
        self.sm4.as_ref().map(|sm4| sm4.form).unwrap_or_default()
    }
}

/// The key set by which the card on the reader is maintained, found without costing a try: three wrong ones would lock the
/// card for good. The card encrypts a text under a key of its own, and each set says what should come out. A blocked purse
/// no longer does that: then the public file's word is taken, which the office itself wrote.
pub fn maintained_by(keyring: &Keyring, public: &PublicFile, channel: &mut dyn CardChannel) -> Result<KeySet, Failure> {
    let card = public.card();
    let form = keyring.sm4_masters().map(|sm4| sm4.form).unwrap_or_default();
    let triple_des = keyring.card_masters().iter().map(|row| (Suite::TripleDes, row));
    let sm4 = keyring.sm4_masters().into_iter().flat_map(|sm4| &sm4.cards).map(|row| (Suite::Sm4(form), row));
    let mut sets: Vec<(u8, KeySet)> =
        triple_des.chain(sm4).map(|(suite, (version, masters))| (*version, masters.key_set(suite, card))).collect();
    let blocked =
        terminal::parse_select(&channel.transmit(&terminal::select_purse())) == Err(CardFault::Status(Status::Blocked));
    let named = |(version, set): &(u8, KeySet)| public.issuer_data == [*version, set.suite.algorithm().identifier()];
    let only = sets.len() == 1;
    let found = sets.iter().position(|set| if blocked { only || named(set) } else { proves(&set.1, channel) });
    let found = found.ok_or_else(|| {
        Said(
            "the card does not say which of the school's keys it has, and a wrong one could lock it for good: it is of \
             another school"
                .to_owned(),
        )
    })?;
    Ok(sets.swap_remove(found).1)
}

/// Whether the card proves itself, or signs a load, under this set.
fn proves(set: &KeySet, channel: &mut dyn CardChannel) -> bool {
    let algorithm = set.suite.algorithm();
    let offset = if algorithm == Algorithm::Sm4 { SM4_KEYS } else { 0 };
    let text = [0x5A; 16];
    let answer = channel.transmit(&command::internal_authenticate(OFFICE_KEY | offset, &text));
    if terminal::data(&answer) == Ok(&algorithm.seal(&set.office_key(OfficeUse::Card), &text)[..]) {
        return true;
    }
    let answer = LoadAnswer::parse(&channel.transmit(&terminal::init_load_with(1 | offset, 0, [0; 6])));
    let terms = Terms { amount: 0, kind: Kind::Load, terminal: [0; 6] };
    answer.is_ok_and(|answer| set.proves_load(&LoadOpening { terms, answer }))
}
