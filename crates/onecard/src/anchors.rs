//! Anchors of a running school and of its files: signed heads of the chain outside the database (M8).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use flows::ports::{Clock, Reader};
use flows::rows::{Campus, Key, Row};
use futures_util::FutureExt;
use keys::{InstanceKey, Keyring, PublicKey};
use ledger::{Micros, SchoolId};
use rules::epoch::Epoch;
use store::anchors::{Anchor, AnchorLog, Anchors, require_anchored};
use store::sqlite::{SqliteArchive, SqliteHead, SqliteReader};
use store::verify::Archive;
use teller::{RawKey, Schema};

use crate::Failure;
use crate::prompt::Said;

/// Name of the file of anchors, unless the configuration puts it elsewhere.
pub const LOG: &str = "anchors.log";

/// File in the data folder with the public key of the anchors and the place of their file; no secret.
pub const NOTES: &str = "anchors.pub";

/// How often the head is written down while it moves.
const EVERY: Duration = Duration::from_secs(60);

/// What a data folder says of its anchors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    /// By which signatures are checked.
    pub key: PublicKey,
    /// Where they are.
    pub file: PathBuf,
}

impl Notes {
    /// Reads them; `None` for a folder that never had any.
    pub fn read(data: &Path) -> Result<Option<Notes>, Failure> {
        let path = data.join(NOTES);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(Said(format!("cannot read {}: {fault}", path.display())).into()),
        };
        let mut lines = text.lines();
        let key = lines.next().and_then(PublicKey::parse);
        let key = key.ok_or_else(|| Said(format!("{} does not begin with a public key", path.display())))?;
        // `join` keeps an absolute name as it is.
        let file = data.join(lines.next().unwrap_or(LOG));
        Ok(Some(Notes { key, file }))
    }

    /// Writes them, durably and in one step.
    pub fn write(&self, data: &Path) -> Result<(), Failure> {
        let name = if self.file == data.join(LOG) { PathBuf::from(LOG) } else { std::path::absolute(&self.file)? };
        let name = name.to_str().ok_or_else(|| Said(format!("{} is no name in UTF-8", name.display())))?;
        let (path, beside) = (data.join(NOTES), data.join(format!("{NOTES}.new")));
        let mut file = fs::File::create(&beside)?;
        write!(file, "{}\n{name}\n", self.key)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        Ok(fs::File::open(data)?.sync_all()?)
    }

    /// The whole file of anchors, checked.
    pub fn anchors(&self, school: SchoolId) -> Result<Anchors, Failure> {
        let bytes = fs::read(&self.file).map_err(|fault| {
            Said(format!("the anchors of this book cannot be read from {}: {fault}", self.file.display()))
        })?;
        Ok(Anchors::read(&bytes, school, &|text, signature| self.key.verifies(text, signature)))
    }
}

/// The newest restore of the book in `data`, read from the files alone.
pub fn epoch_of(data: &Path, school: SchoolId) -> Result<Option<Epoch>, Failure> {
    let key = RawKey { table: Campus::table(&Key::Epoch), key: Campus::key_bytes(&Key::Epoch) };
    // A book that no server of this version opened yet has no such table.
    if !SqliteArchive::open(data, school)?.tables()?.iter().any(|table| table == key.table) {
        return Ok(None);
    }
    let reader = SqliteReader::open(data, school, Campus::TABLES, 1)?;
    // This reader's answers are there at once.
    let rows = reader.rows(vec![key]).now_or_never().ok_or("the epoch could not be read")??;
    let body = rows.into_iter().next().flatten();
    let row = body.map(|body| Campus::decode(&Key::Epoch, &body)).transpose()?;
    Ok(row.as_ref().and_then(Row::epoch).copied())
}

/// The anchors of a book that is open for writing.
pub struct Open {
    log: AnchorLog,
    key: InstanceKey,
    head: SqliteHead,
    school: SchoolId,
    epoch: u64,
}

/// Opens the anchors of the book in `data` and holds the book against the newest. `elsewhere` is where the configuration
/// wants their file; without it, it stays where it was.
///
/// Errors, each a sentence that says what to do: there is no key to sign with, or another than before; the file is missing;
/// its last line is wrong; the book is behind it or is another one (M8).
pub fn open(data: &Path, elsewhere: Option<&Path>, school: SchoolId, keyring: &Keyring) -> Result<Open, Failure> {
    let key = keyring.instance_key().ok_or_else(|| Said("the key file has no instance key".to_owned()))?;
    let public = key.public();
    let notes = Notes::read(data)?;
    let before = notes.as_ref().map(|notes| notes.file.clone());
    let file = elsewhere.map(Path::to_owned).or(before).unwrap_or_else(|| data.join(LOG));
    if let Some(notes) = &notes {
        require_theirs(data, notes, &file, &public)?;
    }
    let log = AnchorLog::open(&file, school, &|text, signature| public.verifies(text, signature))?;
    if log.torn() {
        tracing::warn!(
            "the last line of {} has no end: the power went while it was written; the next anchor replaces it",
            file.display()
        );
    }
    let wanted = Notes { key: public, file };
    if notes.as_ref() != Some(&wanted) {
        wanted.write(data)?;
        tracing::info!(
            "anchors are signed with {public}: note this key outside the machine, so that nobody can exchange it"
        );
    }
    let epoch = Epoch::number_of(epoch_of(data, school)?.as_ref());
    let head = SqliteHead::open(data, school)?;
    Ok(Open { log, key, head, school, epoch })
}

fn require_theirs(data: &Path, notes: &Notes, file: &Path, public: &PublicKey) -> Result<(), Said> {
    let noted = data.join(NOTES);
    if notes.key != *public {
        return Err(Said(format!(
            "{} names another key than the key file has: put the right key file back",
            noted.display()
        )));
    }
    if file.exists() {
        return Ok(());
    }
    Err(Said(match notes.file.exists() {
        true => format!(
            "the anchors are in {}, the configuration wants them in {}: stop the server and move the file there",
            notes.file.display(),
            file.display()
        ),
        false => format!(
            "the anchors of this book are missing: {} is not there. Is its disk mounted? When they are lost for good, run \
             `onecard verify`, note its head, and remove {}: the server then begins them anew",
            file.display(),
            noted.display()
        ),
    }))
}

impl Open {
    /// Refuses a book that is behind its newest anchor, or is not the book that was anchored.
    pub fn require(&self) -> Result<(), Failure> {
        let Some(newest) = self.log.newest() else { return Ok(()) };
        let head = self.head.newest()?.map_or_else(Default::default, |(head, _)| head);
        let kept = self.head.block(newest.head.block)?.map(|(head, _)| head.link);
        Ok(require_anchored(newest, self.epoch, head, kept)?)
    }

    /// When the book's newest block was made.
    pub fn newest_block_at(&self) -> Result<Option<Micros>, Failure> {
        Ok(self.head.newest()?.map(|(_, at)| at))
    }

    /// Signs the head and writes it down, if it moved.
    fn note(&mut self, clock: &dyn Clock) -> Result<(), Failure> {
        let Some((head, _)) = self.head.newest()? else { return Ok(()) };
        let anchor = Anchor { school: self.school, epoch: self.epoch, head, at: clock.now() };
        if self.log.newest().is_some_and(|newest| newest.epoch == anchor.epoch && newest.head == head) {
            return Ok(());
        }
        let key = &self.key;
        Ok(self.log.append(&anchor, |text| key.sign(text))?)
    }

    /// Begins epoch `epoch` at the book's present head: blocks that earlier anchors name after it are given up (M9).
    pub fn begin(&mut self, epoch: u64, clock: &dyn Clock) -> Result<(), Failure> {
        self.epoch = epoch;
        self.note(clock)
    }

    /// The newest anchor.
    pub const fn newest(&self) -> Option<&Anchor> {
        self.log.newest()
    }

    /// Writes the head down now, every minute while it moves, and at the end, on a thread of its own.
    pub fn keep(mut self, clock: Arc<dyn Clock>) -> Result<Keeper, Failure> {
        let (running, ended) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("anchors".to_owned()).spawn(move || {
            let mut failing = false;
            loop {
                match self.note(clock.as_ref()) {
                    Ok(()) => failing = false,
                    Err(fault) if !failing => {
                        failing = true;
                        let why = crate::prompt::sentence(fault.as_ref());
                        tracing::error!(
                            "ALARM: the anchors cannot be written, so that a cut tail would not be seen ({why}); sales go \
                             on; mend the disk, the next minute tries again"
                        );
                    }
                    Err(_) => {}
                }
                match ended.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return self.note(clock.as_ref()).is_ok(),
                }
            }
        })?;
        Ok(Keeper { running, thread })
    }
}

/// The thread that writes anchors.
pub struct Keeper {
    running: mpsc::Sender<()>,
    thread: JoinHandle<bool>,
}

impl Keeper {
    /// Writes the last anchor, when no more blocks come, and ends. `false` when it could not be written.
    pub fn stop(self) -> bool {
        drop(self.running);
        self.thread.join().unwrap_or(false)
    }
}
