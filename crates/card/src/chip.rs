//! The card's side: a software card that answers APDUs as a contactless CPU card with the project's profile does.
//!
//! What lies in non-volatile memory changes by CREDIT FOR LOAD and DEBIT FOR PURCHASE alone. A session lives in volatile
//! memory: it ends with the next command that does not belong to it, whether that succeeds or not, and with the power.

use std::mem;

use crate::apdu::{Command, Init};
use crate::crypto::{Algorithm, same_bytes};
use crate::files::{
    COUNTER_FILE, COUNTER_RECORD_LENGTH, CardKeys, CardNumber, DayCounter, KEY_ID, LOG_FILE, LOG_RECORD_LENGTH,
    LogRecord, PUBLIC_FILE, PURSE_NAME, Profile, PublicFile,
};
use crate::host::Masters;
use crate::memory::{Memory, Proof};
use crate::session::{Kind, SessionKey, Stamp, Terms, load_tac, purchase_tac};
use crate::status::Status;
use crate::terminal::{LoadAnswer, PurchaseAnswer};

pub use crate::memory::ImageFault;

/// A software card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    memory: Memory,
    selected: bool,
    session: Session,
}

/// What the card remembers between INITIALIZE and the command that commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Session {
    #[default]
    None,
    Load {
        key: SessionKey,
        terms: Terms,
    },
    Purchase {
        random: [u8; 4],
        terms: Terms,
        /// The new day counter; a composite purchase needs one.
        cached: Option<[u8; 16]>,
    },
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
        let public = PublicFile {
            issuer: profile.issuer,
            application: 0x02,
            version: profile.application_version,
            serial,
            validity: profile.validity,
            issuer_data: [0; 2],
        };
        let memory = Memory {
            key_version: profile.key_version,
            keys,
            public,
            balance: 0,
            n: 0,
            m: 0,
            counter: DayCounter::NEW.encode(),
            log: Vec::new(),
            proofs: Vec::new(),
        };
        Chip { memory, selected: false, session: Session::None }
    }

    /// All that survives without power, keys included, with a checksum: treat the bytes as a secret.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.memory.encode()
    }

    /// The card of an image, without power. Errors, in order: `Format`, `Damaged`.
    pub fn from_bytes(image: &[u8]) -> Result<Chip, ImageFault> {
        Ok(Chip { memory: Memory::decode(image)?, selected: false, session: Session::None })
    }

    /// The field is gone: selection and session are lost, nothing else.
    pub fn power_off(&mut self) {
        self.selected = false;
        self.session = Session::None;
    }

    /// Number of the card.
    pub fn card(&self) -> CardNumber {
        self.memory.public.card()
    }

    /// The public file.
    pub fn public_file(&self) -> &PublicFile {
        &self.memory.public
    }

    /// Balance of the purse, in fen.
    pub fn balance(&self) -> u32 {
        self.memory.balance
    }

    /// Counter N: loads so far.
    pub fn loads(&self) -> u16 {
        self.memory.n
    }

    /// Counter M: purchases so far.
    pub fn purchases(&self) -> u16 {
        self.memory.m
    }

    /// The log, newest first.
    pub fn log(&self) -> &[LogRecord] {
        &self.memory.log
    }

    /// Answers one command: data, then the status word. `random` gives the card's chance.
    ///
    /// Shape: any bytes are a command; the answer has at least two.
    pub fn process(&mut self, apdu: &[u8], random: &mut dyn FnMut() -> [u8; 4]) -> Vec<u8> {
        let session = mem::take(&mut self.session);
        let (mut data, status) = match Command::parse(apdu).and_then(|command| self.obey(command, session, random)) {
            Ok(data) => (data, Status::Done),
            Err(refusal) => (Vec::new(), refusal),
        };
        data.extend_from_slice(&status.word().to_be_bytes());
        data
    }

    fn obey(
        &mut self,
        command: Command,
        session: Session,
        random: &mut dyn FnMut() -> [u8; 4],
    ) -> Result<Vec<u8>, Status> {
        match command {
            Command::Select(name) => return self.select(&name),
            Command::GetChallenge(length) => {
                let both = [random(), random()].concat();
                return Ok(both.into_iter().take(usize::from(length)).collect());
            }
            _ if !self.selected => return Err(Status::ConditionsNotSatisfied),
            _ => {}
        }
        match command {
            Command::Select(_) | Command::GetChallenge(_) => Err(Status::ConditionsNotSatisfied),
            Command::GetBalance => Ok(self.memory.balance.to_be_bytes().to_vec()),
            Command::ReadBinary { file, offset, length } => self.read_binary(file, offset, length),
            Command::ReadRecord { file, record, length } => self.read_record(file, record, length),
            Command::InitLoad(init) => self.init_load(init, random()),
            Command::CreditForLoad { stamp, mac2 } => self.credit(session, stamp, mac2),
            Command::InitPurchase(init) => self.init_purchase(init, Kind::Purchase, random()),
            Command::InitComposite(init) => self.init_purchase(init, Kind::Composite, random()),
            Command::CacheRecord { file, record, data } => self.cache(session, file, record, &data),
            Command::Debit { tsn, stamp, mac1 } => self.debit(session, tsn, stamp, mac1),
            Command::Prove { kind, seq } => self.prove(kind, seq),
        }
    }

    fn select(&mut self, name: &[u8]) -> Result<Vec<u8>, Status> {
        if name != PURSE_NAME {
            return Err(Status::FileNotFound);
        }
        self.selected = true;
        let proprietary = tagged(&[0x9F, 0x0C], &self.memory.public.encode());
        let template = [tagged(&[0x84], &PURSE_NAME), tagged(&[0xA5], &proprietary)].concat();
        Ok(tagged(&[0x6F], &template))
    }

    fn read_binary(&self, file: u8, offset: u8, length: u8) -> Result<Vec<u8>, Status> {
        if file != PUBLIC_FILE {
            return Err(Status::FileNotFound);
        }
        let left = PublicFile::LENGTH.checked_sub(offset).filter(|left| *left > 0).ok_or(Status::WrongOffset)?;
        let length = if length == 0 { left } else { length };
        if length > left {
            return Err(Status::WrongExpectedLength(left));
        }
        let bytes = self.memory.public.encode();
        Ok(bytes.into_iter().skip(usize::from(offset)).take(usize::from(length)).collect())
    }

    fn read_record(&self, file: u8, record: u8, length: u8) -> Result<Vec<u8>, Status> {
        let place = usize::from(record).checked_sub(1).ok_or(Status::RecordNotFound)?;
        let (bytes, whole) = match file {
            LOG_FILE => (self.memory.log.get(place).map(LogRecord::encode), LOG_RECORD_LENGTH),
            COUNTER_FILE if place == 0 => (Some(self.memory.counter.to_vec()), COUNTER_RECORD_LENGTH),
            COUNTER_FILE => (None, COUNTER_RECORD_LENGTH),
            _ => return Err(Status::FileNotFound),
        };
        let bytes = bytes.ok_or(Status::RecordNotFound)?;
        if length == 0 || length == whole { Ok(bytes) } else { Err(Status::WrongExpectedLength(whole)) }
    }

    fn init_load(&mut self, init: Init, random: [u8; 4]) -> Result<Vec<u8>, Status> {
        let memory = &self.memory;
        if init.key != KEY_ID {
            return Err(Status::UnknownKey);
        }
        memory.n.checked_add(1).ok_or(Status::CounterAtMaximum)?;
        memory.balance.checked_add(init.amount).ok_or(Status::ConditionsNotSatisfied)?;

        let terms = Terms { amount: init.amount, kind: Kind::Load, terminal: init.terminal };
        let key = SessionKey::for_load(&memory.keys.load, random, memory.n);
        let answer = LoadAnswer {
            old_balance: memory.balance,
            n: memory.n,
            key_version: memory.key_version,
            algorithm: Algorithm::TripleDes.identifier(),
            random,
            mac1: key.load_mac1(memory.balance, terms),
        };
        self.session = Session::Load { key, terms };
        Ok(answer.encode())
    }

    fn credit(&mut self, session: Session, stamp: Stamp, mac2: [u8; 4]) -> Result<Vec<u8>, Status> {
        let Session::Load { key, terms } = session else {
            return Err(Status::InvalidState);
        };
        let memory = &mut self.memory;
        if !same_bytes(&key.load_mac2(terms, stamp), &mac2) {
            return Err(Status::WrongMac);
        }
        let balance = memory.balance.checked_add(terms.amount).ok_or(Status::ConditionsNotSatisfied)?;
        let seq = memory.n.checked_add(1).ok_or(Status::CounterAtMaximum)?;

        let tac = load_tac(&memory.keys.tac, balance, memory.n, terms, stamp);
        memory.balance = balance;
        memory.n = seq;
        memory.record(log_record(seq, terms, stamp), Proof { kind: terms.kind, seq, mac: mac2, tac });
        Ok(tac.to_vec())
    }

    fn init_purchase(&mut self, init: Init, kind: Kind, random: [u8; 4]) -> Result<Vec<u8>, Status> {
        let memory = &self.memory;
        if init.key != KEY_ID {
            return Err(Status::UnknownKey);
        }
        memory.m.checked_add(1).ok_or(Status::CounterAtMaximum)?;
        memory.balance.checked_sub(init.amount).ok_or(Status::NotEnoughMoney)?;

        let terms = Terms { amount: init.amount, kind, terminal: init.terminal };
        let answer = PurchaseAnswer {
            old_balance: memory.balance,
            m: memory.m,
            overdraft: [0; 3],
            key_version: memory.key_version,
            algorithm: Algorithm::TripleDes.identifier(),
            random,
        };
        self.session = Session::Purchase { random, terms, cached: None };
        Ok(answer.encode())
    }

    /// Takes the new record of a composite purchase; the session goes on.
    fn cache(&mut self, session: Session, file: u8, record: u8, data: &[u8]) -> Result<Vec<u8>, Status> {
        let Session::Purchase { random, terms: terms @ Terms { kind: Kind::Composite, .. }, .. } = session else {
            return Err(Status::InvalidState);
        };
        if file != COUNTER_FILE {
            return Err(Status::FileNotFound);
        }
        if record != 1 {
            return Err(Status::RecordNotFound);
        }
        let cached = data.try_into().map_err(|_| Status::WrongLength)?;
        self.session = Session::Purchase { random, terms, cached: Some(cached) };
        Ok(Vec::new())
    }

    fn debit(&mut self, session: Session, tsn: u32, stamp: Stamp, mac1: [u8; 4]) -> Result<Vec<u8>, Status> {
        let Session::Purchase { random, terms, cached } = session else {
            return Err(Status::InvalidState);
        };
        let memory = &mut self.memory;
        let key = SessionKey::for_purchase(&memory.keys.purchase, random, memory.m, tsn);
        if terms.kind == Kind::Composite && cached.is_none() {
            return Err(Status::InvalidState);
        }
        if !same_bytes(&key.purchase_mac1(terms, stamp), &mac1) {
            return Err(Status::WrongMac);
        }
        let balance = memory.balance.checked_sub(terms.amount).ok_or(Status::NotEnoughMoney)?;
        let seq = memory.m.checked_add(1).ok_or(Status::CounterAtMaximum)?;

        let tac = purchase_tac(&memory.keys.tac, terms, tsn, stamp);
        let mac = key.purchase_mac2(terms.amount);
        memory.balance = balance;
        memory.m = seq;
        memory.counter = cached.unwrap_or(memory.counter);
        memory.record(log_record(seq, terms, stamp), Proof { kind: terms.kind, seq, mac, tac });
        Ok([tac, mac].concat())
    }

    fn prove(&self, kind: Kind, seq: u16) -> Result<Vec<u8>, Status> {
        let found = self.memory.proofs.iter().find(|proof| proof.kind == kind && proof.seq == seq);
        found.map(|proof| [proof.mac, proof.tac].concat()).ok_or(Status::ProofNotAvailable)
    }
}

fn log_record(seq: u16, terms: Terms, stamp: Stamp) -> LogRecord {
    LogRecord { seq, overdraft: [0; 3], amount: terms.amount, kind: terms.kind.code(), terminal: terms.terminal, stamp }
}

/// An element of the file control information; values here are far below 128 bytes.
fn tagged(tag: &[u8], value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [tag, &[length], value].concat()
}
