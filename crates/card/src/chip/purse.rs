//! Loads, purchases and their proofs.

use super::{Cached, Chip, Init, Session};
use crate::crypto::same_bytes;
use crate::files::LogRecord;
use crate::filesystem::Shape;
use crate::keystore::KeyKind;
use crate::memory::Proof;
use crate::profile::Counted;
use crate::session::{Kind, Stamp, Suite, Terms};
use crate::status::Status;
use crate::terminal::{LoadAnswer, PurchaseAnswer};

impl Chip {
    pub(super) fn init_load(&mut self, init: Init, random: [u8; 4]) -> Result<Vec<u8>, Status> {
        let application = self.purse()?;
        if self.memory.switches.pin_for_load && !self.field.pin {
            return Err(Status::SecurityNotSatisfied);
        }
        let key = application.key(KeyKind::Load, init.key)?;
        let purse = &application.purse;
        purse.n.checked_add(1).ok_or(Status::CounterAtMaximum)?;
        purse.balance.checked_add(init.amount).ok_or(Status::ConditionsNotSatisfied)?;

        let terms = Terms { amount: init.amount, kind: Kind::Load, terminal: init.terminal };
        let suite = Suite::of(key.algorithm, self.memory.switches.session_form);
        let session = suite.load_key(&key.key, random, purse.n);
        let answer = LoadAnswer {
            old_balance: purse.balance,
            n: purse.n,
            key_version: key.version,
            algorithm: key.algorithm.identifier(),
            random,
            mac1: session.load_mac1(purse.balance, terms),
        };
        self.field.session = Session::Load { suite, key: session, terms };
        Ok(answer.encode())
    }

    pub(super) fn credit(&mut self, session: Session, stamp: Stamp, mac2: [u8; 4]) -> Result<Vec<u8>, Status> {
        let Session::Load { suite, key, terms } = session else {
            return Err(Status::InvalidState);
        };
        let switches = self.memory.switches;
        let application = self.application_mut()?;
        if !same_bytes(&key.load_mac2(terms, stamp), &mac2) {
            return Err(Status::WrongMac);
        }
        let before = application.purse.n;
        let balance = application.purse.balance.checked_add(terms.amount).ok_or(Status::ConditionsNotSatisfied)?;
        let seq = before.checked_add(1).ok_or(Status::CounterAtMaximum)?;
        let tac = suite.load_tac(application.tac_key(suite.algorithm())?, balance, before, terms, stamp);

        application.purse.balance = balance;
        application.purse.n = seq;
        let shown = shown(switches.log_seq, before, seq);
        let proof = Proof { kind: terms.kind, seq, mac: mac2, tac };
        application.record(log_record(shown, terms, stamp), proof, switches.loads_apart);
        Ok(tac.to_vec())
    }

    pub(super) fn init_purchase(&mut self, init: Init, kind: Kind, random: [u8; 4]) -> Result<Vec<u8>, Status> {
        let application = self.purse()?;
        let key = application.key(KeyKind::Purchase, init.key)?;
        let purse = &application.purse;
        purse.m.checked_add(1).ok_or(Status::CounterAtMaximum)?;
        purse.balance.checked_sub(init.amount).ok_or(Status::NotEnoughMoney)?;

        let terms = Terms { amount: init.amount, kind, terminal: init.terminal };
        let answer = PurchaseAnswer {
            old_balance: purse.balance,
            m: purse.m,
            overdraft: [0; 3],
            key_version: key.version,
            algorithm: key.algorithm.identifier(),
            random,
        };
        let suite = Suite::of(key.algorithm, self.memory.switches.session_form);
        self.field.session = Session::Purchase { suite, key: init.key, random, terms, cached: None };
        Ok(answer.encode())
    }

    /// Takes the new record of a composite purchase; the session goes on.
    pub(super) fn cache(&mut self, session: Session, file: u8, record: u8, data: Vec<u8>) -> Result<Vec<u8>, Status> {
        let Session::Purchase { suite, key, random, terms: terms @ Terms { kind: Kind::Composite, .. }, .. } = session
        else {
            return Err(Status::InvalidState);
        };
        let target = self.file(file)?;
        let Shape::Fixed { length, .. } = target.form.shape else {
            return Err(Status::WrongFileType);
        };
        let id = target.form.id;
        target.record(record)?;
        if data.len() != usize::from(length) {
            return Err(Status::WrongLength);
        }
        let cached = Some(Cached { file: id, record, data });
        self.field.session = Session::Purchase { suite, key, random, terms, cached };
        Ok(Vec::new())
    }

    pub(super) fn debit(&mut self, session: Session, tsn: u32, stamp: Stamp, mac1: [u8; 4]) -> Result<Vec<u8>, Status> {
        let Session::Purchase { suite, key, random, terms, cached } = session else {
            return Err(Status::InvalidState);
        };
        if terms.kind == Kind::Composite && cached.is_none() {
            return Err(Status::InvalidState);
        }
        let switches = self.memory.switches;
        let application = self.application_mut()?;
        let before = application.purse.m;
        let key = suite.purchase_key(&application.key(KeyKind::Purchase, key)?.key, random, before, tsn);
        let expected = match &switches.security_id {
            None => key.purchase_mac1(terms, stamp),
            Some(identifier) => key.purchase_mac1_with(terms, stamp, identifier),
        };
        if !same_bytes(&expected, &mac1) {
            return Err(Status::WrongMac);
        }
        let balance = application.purse.balance.checked_sub(terms.amount).ok_or(Status::NotEnoughMoney)?;
        let seq = before.checked_add(1).ok_or(Status::CounterAtMaximum)?;
        let tac = suite.purchase_tac(application.tac_key(suite.algorithm())?, terms, tsn, stamp);
        let mac = key.purchase_mac2(terms.amount);

        if let Some(Cached { file, record, data }) = cached {
            let target = application.files.iter_mut().find(|other| other.form.id == file);
            target.ok_or(Status::FileNotFound)?.replace(record, &data)?;
        }
        application.purse.balance = balance;
        application.purse.m = seq;
        let shown = shown(switches.log_seq, before, seq);
        let proof = Proof { kind: terms.kind, seq, mac, tac };
        application.record(log_record(shown, terms, stamp), proof, switches.loads_apart);
        Ok([tac, mac].concat())
    }

    pub(super) fn prove(&self, kind: Kind, seq: u16) -> Result<Vec<u8>, Status> {
        let after = match self.memory.switches.proof_seq {
            Counted::After => Some(seq),
            Counted::Before => seq.checked_add(1),
        };
        let proofs = &self.purse()?.purse.proofs;
        let found = proofs.iter().find(|proof| proof.kind == kind && Some(proof.seq) == after);
        found.map(|proof| [proof.mac, proof.tac].concat()).ok_or(Status::ProofNotAvailable)
    }
}

const fn shown(switch: Counted, before: u16, after: u16) -> u16 {
    match switch {
        Counted::After => after,
        Counted::Before => before,
    }
}

fn log_record(seq: u16, terms: Terms, stamp: Stamp) -> LogRecord {
    LogRecord { seq, overdraft: [0; 3], amount: terms.amount, kind: terms.kind.code(), terminal: terms.terminal, stamp }
}
