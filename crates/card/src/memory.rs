//! What a card keeps without power.

use std::iter;

use crate::crypto::{Algorithm, Key16};
use crate::files::{CardNumber, LogRecord, Profile, PublicFile};
use crate::filesystem::{File, FileForm, Shape};
use crate::holder::HolderFile;
use crate::host::KeySet;
use crate::keystore::{CONTROL_KEY, CONTROL_TRIES, KeyForm, KeyKind, Pin, StoredKey, Tries};
use crate::profile::{COUNTER_ID, DIRECTORY_ID, HOLDER_ID, LOAD_LOG_ID, LOG_ID, PUBLIC_ID, PURSE_ID, Switches};
use crate::profile::{application_form, directory_form, directory_record, purse_forms};
use crate::session::Kind;
use crate::status::Status;

/// Proofs that GET TRANSACTION PROVE can still find. Real cards keep few; nobody may rely on more.
pub(crate) const PROOF_DEPTH: usize = 4;

/// What GET TRANSACTION PROVE answers for one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) kind: Kind,
    /// Counter after the transaction.
    pub(crate) seq: u16,
    pub(crate) mac: [u8; 4],
    pub(crate) tac: [u8; 4],
}

/// Survives a power cut as a whole: a command changes all that it changes, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) switches: Switches,
    /// CARD BLOCK.
    pub(crate) blocked: bool,
    /// Key 0 of EXTERNAL AUTHENTICATE; WRITE KEY is encrypted under it.
    pub(crate) control: StoredKey,
    /// Files of the root.
    pub(crate) files: Vec<File>,
    pub(crate) application: Option<Application>,
}

/// Whether an application works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Open,
    /// Until APPLICATION UNBLOCK.
    Temporary,
    /// For good.
    Permanent,
}

/// The purse application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) id: u16,
    pub(crate) name: Vec<u8>,
    pub(crate) lock: Lock,
    /// Wrong MACs of secure messaging since the last right one.
    pub(crate) failures: u8,
    pub(crate) files: Vec<File>,
    pub(crate) keys: Vec<StoredKey>,
    pub(crate) pin: Option<Pin>,
    pub(crate) purse: Purse,
}

/// Money, counters and what tells of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) balance: u32,
    pub(crate) n: u16,
    pub(crate) m: u16,
    /// Newest first.
    pub(crate) log: Vec<LogRecord>,
    /// Newest first; used by cards that keep loads apart.
    pub(crate) loads: Vec<LogRecord>,
    /// Newest first.
    pub(crate) proofs: Vec<Proof>,
}

impl Memory {
    /// A card as its maker delivers it: nothing but a transport key.
    pub(crate) fn blank(switches: Switches, transport: Key16, algorithm: Algorithm) -> Memory {
        let control = StoredKey {
            kind: KeyKind::External,
            id: CONTROL_KEY,
            version: 0,
            algorithm,
            tries: Tries::of(CONTROL_TRIES),
            key: transport,
        };
        Memory { switches, blocked: false, control, files: Vec::new(), application: None }
    }

    /// The card that the office makes of a blank one. The first set has the control and maintenance key.
    pub(crate) fn personalised(
        serial: [u8; 10],
        (set, others): (&KeySet, &[KeySet]),
        profile: &Profile,
        switches: Switches,
        holder: &HolderFile,
        counter: [u8; 16],
    ) -> Memory {
        let control = set.control_form(profile.key_version).stored();
        let mut directory = File::new(directory_form());
        directory.rows.push(directory_record());
        let public = profile.public_file(serial, set.suite.algorithm());
        let mut application = Application::new(application_form());
        for form in purse_forms(&switches) {
            let mut file = File::new(form);
            match file.form.id {
                PUBLIC_ID => file.rows = vec![public.encode()],
                HOLDER_ID => file.rows = vec![holder.encode()],
                COUNTER_ID => file.rows = vec![counter.to_vec()],
                _ => {}
            }
            application.files.push(file);
        }
        let keys = iter::once(set).chain(others).flat_map(|set| set.forms(profile.key_version, false));
        application.keys = keys.map(KeyForm::stored).collect();
        Memory { switches, blocked: false, control, files: vec![directory], application: Some(application) }
    }

    /// The public file, when there is one.
    pub(crate) fn public(&self) -> Option<PublicFile> {
        let file = self.application.as_ref()?.file(PUBLIC_ID)?;
        PublicFile::decode(file.bytes().ok()?).ok()
    }

    /// The card's number; 0 for a blank card.
    pub(crate) fn card(&self) -> CardNumber {
        self.public().map_or(CardNumber(0), |public| public.card())
    }

    /// Whether the root has its directory of applications.
    pub(crate) fn has_directory(&self) -> bool {
        self.files.iter().any(|file| file.form.id == DIRECTORY_ID)
    }
}

impl Application {
    /// The application as CREATE FILE leaves it.
    pub(crate) fn new(form: FileForm) -> Application {
        let name = if let Shape::Application(name) = form.shape { name } else { Vec::new() };
        Application {
            id: form.id,
            name,
            lock: Lock::Open,
            failures: 0,
            files: Vec::new(),
            keys: Vec::new(),
            pin: None,
            purse: Purse::default(),
        }
    }

    /// The file with this id.
    pub(crate) fn file(&self, id: u16) -> Option<&File> {
        self.files.iter().find(|file| file.form.id == id)
    }

    /// Whether there is a purse to pay from.
    pub(crate) fn has_purse(&self) -> bool {
        self.file(PURSE_ID).is_some()
    }

    /// The key for a use. Error: 9403.
    pub(crate) fn key(&self, kind: KeyKind, id: u8) -> Result<&StoredKey, Status> {
        self.keys.iter().find(|key| key.kind == kind && key.id == id).ok_or(Status::UnknownKey)
    }

    /// The first key for a use. Error: 9403.
    pub(crate) fn first_key(&self, kind: KeyKind) -> Result<&StoredKey, Status> {
        self.keys.iter().find(|key| key.kind == kind).ok_or(Status::UnknownKey)
    }

    /// The key of transaction certificates under an algorithm. Error: 9406.
    pub(crate) fn tac_key(&self, algorithm: Algorithm) -> Result<&Key16, Status> {
        let found = self.keys.iter().find(|key| key.kind == KeyKind::Tac && key.algorithm == algorithm);
        found.map(|key| &key.key).ok_or(Status::ProofNotAvailable)
    }

    /// Writes one transaction to its log and to the proofs. A card without a log file keeps the proof alone.
    pub(crate) fn record(&mut self, record: LogRecord, proof: Proof, apart: bool) {
        let id = if apart && proof.kind == Kind::Load { LOAD_LOG_ID } else { LOG_ID };
        let most = match self.file(id).map(|file| &file.form.shape) {
            Some(Shape::Cyclic { most, .. }) => usize::from(*most),
            _ => 0,
        };
        let log = if id == LOAD_LOG_ID { &mut self.purse.loads } else { &mut self.purse.log };
        log.insert(0, record);
        log.truncate(most);
        self.purse.proofs.insert(0, proof);
        self.purse.proofs.truncate(PROOF_DEPTH);
    }
}
