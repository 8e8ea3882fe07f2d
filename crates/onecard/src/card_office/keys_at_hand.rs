//! The keys of one run of the office: the school's, and the card maker's.

use std::path::{Path, PathBuf};

use card::crypto::{Algorithm, Key16};
use card::files::{CardNumber, PublicFile};
use card::host::{KeySet, LoadOpening, Masters};
use card::keystore::{OFFICE_KEY, OfficeUse, SM4_KEYS};
use card::office::{OfficeFault, command, is_controlled_by};
use card::session::{Kind, SessionForm, Suite, Terms};
use card::status::Status;
use card::terminal::{self, CardFault, LoadAnswer};
use device::channel::CardChannel;
use keys::{KeyFileFault, Keyring, Sm4Masters, read_transport_key, transport_weakness};

use crate::prompt::Said;
use crate::{Failure, Place, issue};

/// The transport key of software cards in a trial, and a published one: production refuses it.
const TRIAL_TRANSPORT_KEY: [u8; 16] = *b"WATCHDATATimeCOS";

/// Where the card maker's key is.
#[derive(clap::Args)]
pub struct TransportKey {
    /// File with the card maker's transport key, 32 hexadecimal digits, readable by its owner alone. A trial may leave it
    /// out and gets a published key.
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
    /// The key. Errors: the file cannot be read, others may read it, it holds no key; its content is never repeated.
    pub fn read(&self) -> Result<ReadKey, Failure> {
        let key = match &self.transport_key_file {
            None => Key16::new(TRIAL_TRANSPORT_KEY),
            Some(path) => read_transport_key(path).map_err(|fault| Said(told(path, &fault)))?,
        };
        let published = transport_weakness(key.expose()).map(|weakness| weakness.to_string());
        Ok(ReadKey { key, published })
    }
}

fn told(path: &Path, fault: &KeyFileFault) -> String {
    match fault {
        KeyFileFault::Io(fault) => format!("{}: {fault}", path.display()),
        KeyFileFault::TooOpen(mode) => format!(
            "{} has mode {mode:04o}: others may read the transport key; run chmod 600 on it, and ask the maker for another \
             key if they did",
            path.display()
        ),
        other => format!("{}: {other}", path.display()),
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
    /// listens has the card's keys. Without a configuration that says so there is no trial. The school's own were checked
    /// when the keyring was opened.
    pub fn new(place: &Place, keyring: &Keyring, transport: &TransportKey) -> Result<KeysAtHand, Failure> {
        let trial = issue::is_trial(place)?;
        let read = transport.read()?;
        if let Some(weakness) = read.published.filter(|_| !trial) {
            return Err(Said(format!(
                "the transport key {weakness}: get cards with a key of your own from their maker and name its file with \
                 --transport-key-file, {}",
                issue::NAME_THE_TRIAL
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
        let masters = self.masters.get(&version).ok_or_else(|| {
            Said(format!("the school has no card keys of version {version}: put the key file that has them back"))
        })?;
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

/// The key set by which the card on the reader is maintained, found without costing a try of the maintenance key: three
/// wrong ones would lock the purse for good. The card encrypts a text under a key of its own, and each set says what should
/// come out. A blocked purse no longer does that: then the control key says it, which has fifteen tries and a root of its own.
pub fn maintained_by(keyring: &Keyring, public: &PublicFile, channel: &mut dyn CardChannel) -> Result<KeySet, Failure> {
    let card = public.card();
    let form = keyring.sm4_masters().map(|sm4| sm4.form).unwrap_or_default();
    let triple_des = keyring.card_masters().iter().map(|row| (Suite::TripleDes, row));
    let sm4 = keyring.sm4_masters().into_iter().flat_map(|sm4| &sm4.cards).map(|row| (Suite::Sm4(form), row));
    let mut sets: Vec<(u8, KeySet)> =
        triple_des.chain(sm4).map(|(suite, (version, masters))| (*version, masters.key_set(suite, card))).collect();
    let found = match terminal::parse_select(&channel.transmit(&terminal::select_purse())) {
        Err(CardFault::Status(Status::Blocked)) => {
            sets.retain(|(version, set)| {
                // Cards from before the two bytes said anything have zeros there.
                [[0; 2], [*version, set.suite.algorithm().identifier()]].contains(&public.issuer_data)
            });
            controlled_by(&sets, channel)?
        }
        Err(CardFault::NoAnswer) => return Err(OfficeFault::NoAnswer("select its purse").into()),
        _ => proved_by(&sets, channel)?,
    };
    let found = found.ok_or_else(|| {
        Said(
            "the card has none of the school's keys: it is of another school; leave it to them, each wrong key brings it \
             nearer to a lock for good"
                .to_owned(),
        )
    })?;
    Ok(sets.swap_remove(found).1)
}

/// The set that opens the root, each tried once.
fn controlled_by(sets: &[(u8, KeySet)], channel: &mut dyn CardChannel) -> Result<Option<usize>, Failure> {
    for (place, (_, set)) in sets.iter().enumerate() {
        match is_controlled_by(&mut |apdu| channel.transmit(apdu), set) {
            Ok(true) => return Ok(Some(place)),
            Ok(false) => {}
            // It may be anybody's, and hold money: nothing that is said here condemns it.
            Err(OfficeFault::Locked) => {
                return Err(Said(
                    "the card has locked the key that says whose it is: leave it to the school that gave it out; if that is \
                     this one, give its holder another card"
                        .to_owned(),
                )
                .into());
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(None)
}

/// The set under which the card proves itself.
fn proved_by(sets: &[(u8, KeySet)], channel: &mut dyn CardChannel) -> Result<Option<usize>, OfficeFault> {
    for (place, (_, set)) in sets.iter().enumerate() {
        if proves(set, channel)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Whether the card proves itself, or signs a load, under this set. A card that left proves nothing either way.
fn proves(set: &KeySet, channel: &mut dyn CardChannel) -> Result<bool, OfficeFault> {
    let algorithm = set.suite.algorithm();
    let offset = if algorithm == Algorithm::Sm4 { SM4_KEYS } else { 0 };
    let text = [0x5A; 16];
    let answer = channel.transmit(&command::internal_authenticate(OFFICE_KEY | offset, &text));
    match terminal::data(&answer) {
        Ok(proof) if proof == algorithm.seal(&set.office_key(OfficeUse::Card), &text) => return Ok(true),
        Err(CardFault::NoAnswer) => return Err(OfficeFault::NoAnswer("prove itself")),
        Ok(_) | Err(_) => {}
    }
    let terms = Terms { amount: 0, kind: Kind::Load, terminal: [0; 6] };
    match LoadAnswer::parse(&channel.transmit(&terminal::init_load_with(1 | offset, 0, [0; 6]))) {
        Ok(answer) => Ok(set.proves_load(&LoadOpening { terms, answer })),
        Err(CardFault::NoAnswer) => Err(OfficeFault::NoAnswer("sign a load")),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use card::files::Validity;
    use device::channel::Insertion;

    use super::*;

    /// A reader whose card answers so many commands as one that is not blocked, and leaves.
    struct Slips(usize);

    impl CardChannel for Slips {
        fn present(&mut self) -> Option<Insertion> {
            None
        }
        fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
            match self.0.checked_sub(1) {
                Some(left) => {
                    self.0 = left;
                    vec![0x6D, 0x00]
                }
                None => Vec::new(),
            }
        }
        fn removed(&mut self) {}
    }

    #[test]
    fn a_card_that_slips_off_the_reader_is_of_no_other_school() {
        let validity = Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] };
        let public =
            PublicFile { issuer: [1; 8], application: 2, version: 1, serial: [7; 10], validity, issuer_data: [0; 2] };
        let keyring = Keyring::generate();
        for (answers, told) in [(0, "answer"), (1, "answer"), (2, "answer"), (3, "of another school")] {
            let fault = maintained_by(&keyring, &public, &mut Slips(answers)).map(|_| ()).unwrap_err().to_string();
            assert!(fault.contains(told), "{answers}: {fault}");
        }
    }
}
