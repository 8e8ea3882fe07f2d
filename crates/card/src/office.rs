//! The card office's side: builds what only the office may send, and makes a whole card of a blank one.
//!
//! The builders need a challenge that the card just gave; the card takes each command once. [`personalise`] and [`maintain`]
//! run whole sequences over a closure that sends one command and gives the answer (fewer than two bytes: none). They wait
//! for nothing, know no reader, and may be run again after any interruption.

pub mod command;
mod maintain;
mod personalise;

use crate::crypto::{Algorithm, Key16};
use crate::files::{CardNumber, Profile};
use crate::holder::HolderFile;
use crate::host::KeySet;
use crate::keystore::CONTROL_KEY;
use crate::profile::Switches;
use crate::status::Status;
use crate::terminal::{self, CardFault};

pub use maintain::{Measure, is_controlled_by, maintain};
pub use personalise::{key_version_of, personalise};

/// The way to the card: one command and its answer.
pub type Transmit<'a> = dyn FnMut(&[u8]) -> Vec<u8> + 'a;

/// A card to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// Serial number; its last eight bytes are the card number.
    pub serial: [u8; 10],
    /// The keys that it gets; the first set has the maintenance and the control key.
    pub set: KeySet,
    /// The keys of its other algorithm.
    pub others: Vec<KeySet>,
    /// Issuer, version of the keys, validity.
    pub profile: Profile,
    /// Type of card.
    pub switches: Switches,
    /// Its holder.
    pub holder: HolderFile,
    /// Two to six bytes; the project's own cards have none (M15).
    pub pin: Option<Vec<u8>>,
    /// The maker's key.
    pub transport: Key16,
    /// Its algorithm.
    pub transport_algorithm: Algorithm,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The card.
    pub card: CardNumber,
    /// False when it was finished before and was only checked.
    pub written: bool,
    /// True when the holder's file of a card that was finished before was another and was written anew.
    pub renewed: bool,
}

/// Why a card is not finished. Every text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfficeFault {
    /// The card left or the reader failed. Nothing is lost.
    #[error("the card did not answer while it was to {0}: put it on the reader again and start again")]
    NoAnswer(&'static str),
    /// The card refused a step.
    #[error("the card refused to {step}: {status}; start again, and destroy the card if it refuses again")]
    Refused {
        /// Which.
        step: &'static str,
        /// Its status.
        status: Status,
    },
    /// It answers otherwise than a card of the family.
    #[error("the card answered otherwise than expected when it was to {0}: it is not of the ordered type")]
    Malformed(&'static str),
    /// It is somebody's already.
    #[error("the card on the reader is card {number:016X} already: put a blank card on the reader", number = .0.0)]
    OtherCard(CardNumber),
    /// Neither the maker's key nor the order's opens it.
    #[error(
        "neither the transport key nor the school's keys open the card: check the transport key; if it is right, the card \
         is of another issue"
    )]
    ForeignKeys,
    /// No right answer of the office will ever be heard.
    #[error("the card has locked its control key: destroy it and take another")]
    Locked,
    /// Another key of it hears no right answer either. The card pays and is loaded as before.
    #[error(
        "the card has locked its {0}: it still pays and is loaded; give its holder another card when there is time"
    )]
    LockedKey(&'static str),
    /// It was blocked. It may be somebody's.
    #[error("the card was blocked: unblock it first; if it is locked for good, take another card")]
    Blocked,
    /// It was begun or finished under other keys of the school. Nothing was tried on it.
    #[error(
        "the card was made with keys of version {version} for {}, and the order names others: order it as it was made",
        algorithm_name(*algorithm)
    )]
    MadeUnder {
        /// Version of the master keys.
        version: u8,
        /// Identifier of the algorithm of its control key.
        algorithm: u8,
    },
    /// It was finished before, by another order. It is somebody's, and may hold money.
    #[error(
        "the card was finished before with another {0} than ordered: it is left as it was, with its money; order it as it \
         was made"
    )]
    Differs(&'static str),
    /// It was finished before and refuses a step of the check.
    #[error(
        "the card was finished before and refused to {step}: {status}; it keeps its money: start again, and order it as it \
         was made"
    )]
    RefusedFinished {
        /// Which.
        step: &'static str,
        /// Its status.
        status: Status,
    },
    /// A file of an interrupted run of another order.
    #[error("file {0:04X} on the card has another form than ordered: destroy the card and take another")]
    OtherForm(u16),
    /// What was written does not read back, or does not prove.
    #[error("the finished card fails the check of its {0}: destroy it and take another")]
    NotProved(&'static str),
    /// It signs, but not as the order's keys do. Nothing is lost: the maker's key still opens it.
    #[error(
        "the card does not answer under the {0}: check the form of SM4 session keys and which algorithms the card speaks, \
         then start again"
    )]
    OtherKeys(&'static str),
    /// The order itself does not fit on a card.
    #[error("the order cannot be written to a card: {0} is too long")]
    TooLong(&'static str),
}

impl OfficeFault {
    /// Whether the card is of no more use.
    pub const fn destroys(&self) -> bool {
        match self {
            OfficeFault::Locked | OfficeFault::OtherForm(_) | OfficeFault::NotProved(_) => true,
            OfficeFault::NoAnswer(_)
            | OfficeFault::Refused { .. }
            | OfficeFault::Malformed(_)
            | OfficeFault::OtherCard(_)
            | OfficeFault::ForeignKeys
            | OfficeFault::LockedKey(_)
            | OfficeFault::Blocked
            | OfficeFault::MadeUnder { .. }
            | OfficeFault::Differs(_)
            | OfficeFault::RefusedFinished { .. }
            | OfficeFault::OtherKeys(_)
            | OfficeFault::TooLong(_) => false,
        }
    }
}

const fn algorithm_name(identifier: u8) -> &'static str {
    match Algorithm::of(identifier) {
        Ok(Algorithm::TripleDes) => "3DES",
        Ok(Algorithm::Sm4) => "SM4",
        Err(_) => "an unknown algorithm",
    }
}

/// One step of a sequence: sends, and names the step if it fails.
fn ask(transmit: &mut Transmit<'_>, step: &'static str, command: &[u8]) -> Result<Vec<u8>, OfficeFault> {
    match terminal::data(&transmit(command)) {
        Ok(data) => Ok(data.to_vec()),
        Err(fault) => Err(named(step, fault)),
    }
}

/// The same where a missing file or record is an answer: `None`.
fn look(transmit: &mut Transmit<'_>, step: &'static str, command: &[u8]) -> Result<Option<Vec<u8>>, OfficeFault> {
    match ask(transmit, step, command) {
        Ok(data) => Ok(Some(data)),
        Err(OfficeFault::Refused { status: Status::FileNotFound | Status::RecordNotFound, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn challenge(transmit: &mut Transmit<'_>) -> Result<[u8; 4], OfficeFault> {
    let step = "give a challenge";
    let data = ask(transmit, step, &terminal::get_challenge())?;
    data.try_into().map_err(|_| OfficeFault::Malformed(step))
}

/// EXTERNAL AUTHENTICATE. False when the card has another key; that costs a try, which the right one gives back.
fn authenticate(transmit: &mut Transmit<'_>, algorithm: Algorithm, key: &Key16, id: u8) -> Result<bool, OfficeFault> {
    let step = "hear the office's proof";
    let challenge = challenge(transmit)?;
    match terminal::data(&transmit(&command::external_authenticate(algorithm, key, id, &challenge))) {
        Ok(_) => Ok(true),
        Err(CardFault::Status(Status::TriesLeft(0) | Status::AuthenticationLocked)) => {
            Err(if id == CONTROL_KEY { OfficeFault::Locked } else { OfficeFault::LockedKey("office key") })
        }
        // A card of the other algorithm takes the cryptogram for one of the wrong length or key.
        Err(CardFault::Status(Status::TriesLeft(_) | Status::WrongLength)) => Ok(false),
        Err(fault) => Err(named(step, fault)),
    }
}

fn named(step: &'static str, fault: CardFault) -> OfficeFault {
    match fault {
        CardFault::NoAnswer => OfficeFault::NoAnswer(step),
        CardFault::Malformed => OfficeFault::Malformed(step),
        CardFault::Status(Status::AuthenticationLocked) => OfficeFault::Locked,
        CardFault::Status(Status::Blocked | Status::PermanentlyLocked) => OfficeFault::Blocked,
        CardFault::Status(status) => OfficeFault::Refused { step, status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_for_other_keys_is_told_which_keys_the_card_has() {
        for (algorithm, name) in [(0x00, "3DES"), (0x04, "SM4"), (0x07, "an unknown algorithm")] {
            let text = OfficeFault::MadeUnder { version: 3, algorithm }.to_string();
            assert!(text.contains(&format!("keys of version 3 for {name}, ")), "{text}");
        }
    }

    #[test]
    fn only_a_card_of_no_more_use_is_to_be_destroyed_and_each_such_text_says_so() {
        let table = [
            (OfficeFault::NoAnswer("x"), false),
            (OfficeFault::Malformed("x"), false),
            (OfficeFault::OtherCard(CardNumber(1)), false),
            (OfficeFault::ForeignKeys, false),
            (OfficeFault::Locked, true),
            (OfficeFault::LockedKey("PIN"), false),
            (OfficeFault::Blocked, false),
            (OfficeFault::MadeUnder { version: 1, algorithm: 0 }, false),
            (OfficeFault::Differs("x"), false),
            (OfficeFault::RefusedFinished { step: "x", status: Status::UnknownKey }, false),
            (OfficeFault::OtherForm(0x15), true),
            (OfficeFault::NotProved("x"), true),
            (OfficeFault::OtherKeys("x"), false),
            (OfficeFault::TooLong("x"), false),
        ];
        for (fault, destroys) in table {
            assert_eq!(fault.destroys(), destroys, "{fault}");
            assert_eq!(fault.to_string().contains("destroy"), destroys, "{fault}");
        }
        assert!(!OfficeFault::Refused { step: "x", status: Status::UnknownKey }.destroys(), "it may be tried again");
    }

    #[test]
    fn what_a_card_answers_to_a_step_names_the_step_and_the_reason() {
        let table: [(&[u8], OfficeFault); 8] = [
            (&[], OfficeFault::NoAnswer("x")),
            (&[0x69, 0x83], OfficeFault::Locked),
            (&[0x6A, 0x81], OfficeFault::Blocked),
            (&[0x93, 0x03], OfficeFault::Blocked),
            (&[0x69, 0x82], OfficeFault::Refused { step: "x", status: Status::SecurityNotSatisfied }),
            (&[0x6A, 0x82], OfficeFault::Refused { step: "x", status: Status::FileNotFound }),
            (&[0x6A, 0x83], OfficeFault::Refused { step: "x", status: Status::RecordNotFound }),
            (&[0x6A, 0x86], OfficeFault::Refused { step: "x", status: Status::WrongParameters }),
        ];
        for (answer, fault) in table {
            assert_eq!(ask(&mut |_| answer.to_vec(), "x", &[]), Err(fault.clone()));
            let missing = matches!(answer, [0x6A, 0x82 | 0x83]);
            let looked = if missing { Ok(None) } else { Err(fault) };
            assert_eq!(look(&mut |_| answer.to_vec(), "x", &[]), looked);
        }
        assert_eq!(named("x", CardFault::Malformed), OfficeFault::Malformed("x"));
        let step = "give a challenge";
        for (answer, expected) in [
            (&[1, 2, 3, 4, 0x90, 0x00][..], Ok([1, 2, 3, 4])),
            (&[1, 2, 3, 0x90, 0x00], Err(OfficeFault::Malformed(step))),
            (&[1, 2, 3, 4, 5, 0x90, 0x00], Err(OfficeFault::Malformed(step))),
            (&[], Err(OfficeFault::NoAnswer(step))),
        ] {
            assert_eq!(challenge(&mut |_| answer.to_vec()), expected, "{answer:02X?}");
        }
    }
}
