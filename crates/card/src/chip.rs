//! The card's side: a software card that answers APDUs as a CPU card of the family does, from its maker's blank to its last
//! purchase.
//!
//! One command changes all that it changes in non-volatile memory, or nothing. Money and counters change by CREDIT FOR LOAD
//! and DEBIT FOR PURCHASE alone. A transaction and a challenge live in volatile memory: they end with the next command,
//! whether that succeeds or not, and with the power.

mod guard;
mod making;
mod purse;
mod storage;

use std::mem;

use crate::apdu::office::OfficeCommand;
use crate::apdu::{Command, Init};
use crate::crypto::{Algorithm, Key16};
use crate::files::{CardKeys, CardNumber, DayCounter, LogRecord, PUBLIC_FILE, Profile, PublicFile};
use crate::holder::HolderFile;
use crate::host::{KeySet, Masters};
use crate::memory::{Application, Lock, Memory};
use crate::profile::Switches;
use crate::session::{Kind, SessionKey, Suite, Terms};
use crate::status::Status;

pub use crate::image::ImageFault;

/// A software card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    memory: Memory,
    field: Field,
    interface: Interface,
}

/// How the card is talked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interface {
    /// ISO/IEC 14443-4: data and status come at once.
    #[default]
    Contactless,
    /// ISO/IEC 7816-3 T=0: after a command with a body, `61xx` says how much waits for GET RESPONSE.
    Contact,
}

/// What is lost with the power.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Field {
    place: Place,
    /// The file that is selected in that directory.
    file: Option<u16>,
    session: Session,
    challenge: Option<Vec<u8>>,
    /// EXTERNAL AUTHENTICATE with the control key.
    controlled: bool,
    /// EXTERNAL AUTHENTICATE with a key of the application.
    authenticated: bool,
    /// VERIFY PIN.
    pin: bool,
    /// Waits for GET RESPONSE.
    waiting: Vec<u8>,
}

/// The directory that is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Root,
    Application,
}

/// What the card remembers between INITIALIZE and the command that commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Session {
    #[default]
    None,
    Load {
        suite: Suite,
        key: SessionKey,
        terms: Terms,
    },
    Purchase {
        suite: Suite,
        /// Identifier of the purchase key.
        key: u8,
        random: [u8; 4],
        terms: Terms,
        /// The record that is written together with the balance; a composite purchase needs one.
        cached: Option<Cached>,
    },
}

/// A record that a composite purchase writes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cached {
    /// File id.
    file: u16,
    record: u8,
    data: Vec<u8>,
}

impl Chip {
    /// A new card with an empty purse, counters at zero, an empty log and a fresh day counter (M21).
    ///
    /// Shape: the last eight bytes of `serial` are the card number and the factor of the card's keys; `masters` are
    /// those of `profile.key_version`. Repeats: the same input gives the same card.
    pub fn personalise(serial: [u8; 10], masters: &Masters, profile: &Profile) -> Chip {
        Chip::with_keys(serial, masters.card_keys(CardNumber::of_serial(serial)), profile)
    }

    /// The same for a card whose own keys are known, such as one that another system personalised.
    pub fn with_keys(serial: [u8; 10], keys: CardKeys, profile: &Profile) -> Chip {
        let set = KeySet { suite: Suite::TripleDes, keys };
        Chip::with_key_sets(serial, &set, &[], profile, Switches::CAMPUS, &HolderFile::NOBODY)
    }

    /// A card as [`crate::office::personalise`] leaves it: the same files, keys and rights. `set` has the control and
    /// maintenance key; a card with two algorithms has the other set in `others`.
    pub fn with_key_sets(
        serial: [u8; 10],
        set: &KeySet,
        others: &[KeySet],
        profile: &Profile,
        switches: Switches,
        holder: &HolderFile,
    ) -> Chip {
        let counter = DayCounter::NEW.encode();
        Chip::of(Memory::personalised(serial, (set, others), profile, switches, holder, counter))
    }

    /// A card as its maker delivers it: no file, no application, nothing but a transport key.
    pub fn blank(switches: Switches, transport: Key16, algorithm: Algorithm) -> Chip {
        Chip::of(Memory::blank(switches, transport, algorithm))
    }

    fn of(memory: Memory) -> Chip {
        Chip { memory, field: Field::default(), interface: Interface::Contactless }
    }

    /// The same card in a reader of this kind, without power.
    pub fn on(self, interface: Interface) -> Chip {
        Chip { memory: self.memory, field: Field::default(), interface }
    }

    /// All that survives without power, keys included, with a checksum: treat the bytes as a secret.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.memory.encode()
    }

    /// The card of an image, contactless and without power; images of earlier versions too.
    /// Errors, in order: `Format`, `Damaged`.
    pub fn from_bytes(image: &[u8]) -> Result<Chip, ImageFault> {
        Ok(Chip::of(Memory::decode(image)?))
    }

    /// The field is gone: selection, rights and session are lost, nothing else.
    pub fn power_off(&mut self) {
        self.field = Field::default();
    }

    /// Number of the card; 0 for a blank one.
    pub fn card(&self) -> CardNumber {
        self.memory.card()
    }

    /// The public file; `None` on a blank card.
    pub fn public_file(&self) -> Option<PublicFile> {
        self.memory.public()
    }

    /// Balance of the purse, in fen.
    pub fn balance(&self) -> u32 {
        self.memory.application.as_ref().map_or(0, |application| application.purse.balance)
    }

    /// Counter N: loads so far.
    pub fn loads(&self) -> u16 {
        self.memory.application.as_ref().map_or(0, |application| application.purse.n)
    }

    /// Counter M: purchases so far.
    pub fn purchases(&self) -> u16 {
        self.memory.application.as_ref().map_or(0, |application| application.purse.m)
    }

    /// The log, newest first; without the loads on a card that keeps them apart.
    pub fn log(&self) -> &[LogRecord] {
        self.memory.application.as_ref().map_or(&[], |application| &application.purse.log)
    }

    /// Whether the application, or the whole card, was blocked.
    pub fn blocked(&self) -> bool {
        let locked = |application: &Application| application.lock != Lock::Open;
        self.memory.blocked || self.memory.application.as_ref().is_some_and(locked)
    }

    /// Answers one command: data, then the status word. `random` gives the card's chance.
    ///
    /// Shape: any bytes are a command; the answer has at least two.
    pub fn process(&mut self, apdu: &[u8], random: &mut dyn FnMut() -> [u8; 4]) -> Vec<u8> {
        let command = Command::parse(apdu);
        if let Ok(Command::GetResponse(length)) = command {
            return self.rest(length);
        }
        self.field.waiting = Vec::new();
        let session = mem::take(&mut self.field.session);
        let challenge = self.field.challenge.take();
        let obeyed = command.and_then(|command| {
            self.admit(&command)?;
            self.obey(command, session, challenge, random)
        });
        match obeyed {
            Ok(data) if self.interface == Interface::Contact && apdu.len() > 5 && !data.is_empty() => {
                let status = Status::MoreData(u8::try_from(data.len()).unwrap_or(0));
                self.field.waiting = data;
                answer(Vec::new(), status)
            }
            Ok(data) => answer(data, Status::Done),
            Err(refusal) => answer(Vec::new(), refusal),
        }
    }

    /// GET RESPONSE: a transaction goes on over it. 6985 when nothing waits.
    fn rest(&mut self, length: u8) -> Vec<u8> {
        let there = self.field.waiting.len();
        let wanted = if length == 0 { there } else { usize::from(length) };
        if there == 0 {
            return answer(Vec::new(), Status::ConditionsNotSatisfied);
        }
        if wanted > there {
            return answer(Vec::new(), Status::WrongExpectedLength(u8::try_from(there).unwrap_or(0)));
        }
        let left = self.field.waiting.split_off(wanted);
        let data = mem::replace(&mut self.field.waiting, left);
        match u8::try_from(self.field.waiting.len()) {
            Ok(0) => answer(data, Status::Done),
            more => answer(data, Status::MoreData(more.unwrap_or(0))),
        }
    }

    /// What a blocked card or application still hears. The public file stays readable, so that a terminal can say which
    /// card it is and the office finds its keys.
    fn admit(&self, command: &Command) -> Result<(), Status> {
        if self.memory.blocked {
            return Err(Status::Blocked);
        }
        let lock = match (self.field.place, &self.memory.application) {
            (Place::Application, Some(application)) => application.lock,
            _ => Lock::Open,
        };
        let heard = matches!(
            command,
            Command::Select(_)
                | Command::SelectFile(_)
                | Command::GetChallenge(_)
                | Command::ReadBinary { file: PUBLIC_FILE, .. }
                | Command::Office(
                    OfficeCommand::UnblockApplication(_)
                        | OfficeCommand::BlockApplication { .. }
                        | OfficeCommand::BlockCard(_)
                )
        );
        match lock {
            Lock::Open => Ok(()),
            Lock::Temporary if heard => Ok(()),
            Lock::Temporary => Err(Status::Blocked),
            Lock::Permanent if matches!(command, Command::Select(_) | Command::SelectFile(_)) => Ok(()),
            Lock::Permanent => Err(Status::PermanentlyLocked),
        }
    }

    fn obey(
        &mut self,
        command: Command,
        session: Session,
        challenge: Option<Vec<u8>>,
        random: &mut dyn FnMut() -> [u8; 4],
    ) -> Result<Vec<u8>, Status> {
        match command {
            Command::Select(name) => self.select(&name),
            Command::SelectFile(id) => self.select_file(id),
            Command::GetChallenge(length) => {
                let both = [random(), random()].concat();
                let challenge: Vec<u8> = both.into_iter().take(usize::from(length)).collect();
                self.field.challenge = Some(challenge.clone());
                Ok(challenge)
            }
            Command::ReadBinary { file, offset, length } => self.read_binary(file, offset, length),
            Command::ReadRecord { file, record, length } => self.read_record(file, record, length),
            Command::ExternalAuthenticate { key, cryptogram } => self.authenticate(key, &cryptogram, challenge),
            Command::InternalAuthenticate { mode, key, data } => self.prove_self(mode, key, &data),
            Command::VerifyPin { id, pin } => self.verify_pin(id, &pin),
            Command::GetData { object, length } => self.data_object(object, length),
            Command::GetResponse(_) => Err(Status::ConditionsNotSatisfied),
            Command::GetBalance => self.purse().map(|application| application.purse.balance.to_be_bytes().to_vec()),
            Command::InitLoad(init) => self.init_load(init, random()),
            Command::CreditForLoad { stamp, mac2 } => self.credit(session, stamp, mac2),
            Command::InitPurchase(init) => self.init_purchase(init, Kind::Purchase, random()),
            Command::InitComposite(init) => self.init_purchase(init, Kind::Composite, random()),
            Command::CacheRecord { file, record, data } => self.cache(session, file, record, data),
            Command::Debit { tsn, stamp, mac1 } => self.debit(session, tsn, stamp, mac1),
            Command::Prove { kind, seq } => self.prove(kind, seq),
            Command::Office(command) => self.serve_office(command, challenge),
        }
    }

    /// The application that is selected. Error: 6985.
    fn application(&self) -> Result<&Application, Status> {
        match self.field.place {
            Place::Application => self.memory.application.as_ref().ok_or(Status::ConditionsNotSatisfied),
            Place::Root => Err(Status::ConditionsNotSatisfied),
        }
    }

    fn application_mut(&mut self) -> Result<&mut Application, Status> {
        match self.field.place {
            Place::Application => self.memory.application.as_mut().ok_or(Status::ConditionsNotSatisfied),
            Place::Root => Err(Status::ConditionsNotSatisfied),
        }
    }

    /// The application that is selected, if it has a purse. Errors, in order: 6985, 6A82.
    fn purse(&self) -> Result<&Application, Status> {
        let application = self.application()?;
        if application.has_purse() { Ok(application) } else { Err(Status::FileNotFound) }
    }
}

fn answer(mut data: Vec<u8>, status: Status) -> Vec<u8> {
    data.extend_from_slice(&status.word().to_be_bytes());
    data
}
