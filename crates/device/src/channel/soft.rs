//! A reader for software cards: each card is a file, and a hand puts it on the reader and pulls it away.
//!
//! The file is the card's non-volatile memory: it is written and synced before the answer that tells of a change leaves
//! the card. While a card lies on a reader its file is locked, so that it lies on one reader at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use card::apdu::Command;
use card::chip::{Chip, ImageFault};
use card::tear::{CutPlace, TearableCard};

use super::{CardChannel, Insertion};

/// Why a card cannot be put on the reader.
#[derive(Debug, thiserror::Error)]
pub enum CardFileFault {
    /// The file cannot be read or written.
    #[error("card file {path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no card.
    #[error("{path} is not the file of a software card")]
    Image {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ImageFault,
    },
    /// It lies on another reader.
    #[error("the card of {0} lies on another reader: take it away there first")]
    Elsewhere(PathBuf),
    /// A card lies here already.
    #[error("a card lies on the reader already: take it away first")]
    Occupied,
}

/// When a hand pulls the card away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// At once, between two commands.
    Now,
    /// Within a command.
    During(PullAt, CutPlace),
}

/// Within which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullAt {
    /// The next one, whichever it is.
    Next,
    /// The one that adds money: CREDIT FOR LOAD.
    Credit,
    /// The one that takes money: DEBIT FOR PURCHASE.
    Debit,
}

/// A reader for software cards and the hand that holds them. Clones are the same reader.
#[derive(Clone)]
pub struct SoftReader(Arc<Mutex<Slot>>);

struct Slot {
    card: Option<Inserted>,
    insertions: u32,
    pull: Option<(PullAt, CutPlace)>,
    random: Box<dyn FnMut() -> [u8; 4] + Send>,
}

struct Inserted {
    card: TearableCard,
    path: PathBuf,
    image: Vec<u8>,
    /// Held while the card lies here.
    _lock: File,
}

impl SoftReader {
    /// An empty reader; `random` is the chance of its cards.
    pub fn new(random: impl FnMut() -> [u8; 4] + Send + 'static) -> SoftReader {
        SoftReader(Arc::new(Mutex::new(Slot { card: None, insertions: 0, pull: None, random: Box::new(random) })))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the card of a file on the reader.
    ///
    /// Errors, in order: `Occupied`, `File`, `Elsewhere`, `Image`.
    pub fn put(&self, path: &Path) -> Result<(), CardFileFault> {
        let mut slot = self.slot();
        if slot.card.is_some() {
            return Err(CardFileFault::Occupied);
        }
        let file = |source| CardFileFault::File { path: path.to_owned(), source };
        let image = fs::read(path).map_err(file)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, "lock")).map_err(file)?;
        lock.try_lock().map_err(|_| CardFileFault::Elsewhere(path.to_owned()))?;
        let chip = Chip::from_bytes(&image).map_err(|source| CardFileFault::Image { path: path.to_owned(), source })?;

        let mut card = TearableCard::new(chip);
        card.insert(None);
        slot.card = Some(Inserted { card, path: path.to_owned(), image, _lock: lock });
        slot.insertions = slot.insertions.wrapping_add(1);
        Ok(())
    }

    /// Pulls the card away, now or within a command to come; without a card that is a command to the next one. What was
    /// planned is over when a card leaves.
    pub fn pull(&self, pull: Pull) {
        let mut slot = self.slot();
        match pull {
            Pull::Now => (slot.card, slot.pull) = (None, None),
            Pull::During(at, place) => slot.pull = Some((at, place)),
        }
    }

    /// The file of the card that lies there.
    pub fn card(&self) -> Option<PathBuf> {
        self.slot().card.as_ref().map(|inserted| inserted.path.clone())
    }
}

impl Slot {
    fn exchange(&mut self, command: &[u8]) -> Vec<u8> {
        let Some(inserted) = &mut self.card else {
            return Vec::new();
        };
        if let Some((at, place)) = self.pull
            && at.is(command)
        {
            inserted.card.tear_next(place);
            self.pull = None;
        }
        let answer = inserted.card.exchange(command, &mut self.random);
        let kept = inserted.keep();
        let left = !inserted.card.present();
        match kept {
            Ok(()) if left => {
                self.card = None;
                answer
            }
            Ok(()) => answer,
            Err(_) => {
                // What could not be written did not happen: the card breaks off as if it had left before the command.
                self.card = None;
                Vec::new()
            }
        }
    }
}

impl PullAt {
    fn is(self, command: &[u8]) -> bool {
        match (self, Command::parse(command)) {
            (PullAt::Next, _)
            | (PullAt::Credit, Ok(Command::CreditForLoad { .. }))
            | (PullAt::Debit, Ok(Command::Debit { .. })) => true,
            (PullAt::Credit | PullAt::Debit, _) => false,
        }
    }
}

impl Inserted {
    /// Writes the card's memory when it changed.
    fn keep(&mut self) -> io::Result<()> {
        let image = self.card.chip().to_bytes();
        if image != self.image {
            store(&self.path, &image)?;
            self.image = image;
        }
        Ok(())
    }
}

impl CardChannel for SoftReader {
    fn present(&mut self) -> Option<Insertion> {
        let slot = self.slot();
        slot.card.as_ref().map(|_| Insertion(slot.insertions))
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.slot().exchange(command)
    }

    fn removed(&mut self) {
        if let Some(inserted) = &mut self.slot().card {
            inserted.card.insert(None);
        }
    }
}

/// Writes a card's memory to its file, durably and as a whole; the file is a secret and readable by its owner alone.
pub fn store_card(path: &Path, chip: &Chip) -> Result<(), CardFileFault> {
    store(path, &chip.to_bytes()).map_err(|source| CardFileFault::File { path: path.to_owned(), source })
}

fn store(path: &Path, image: &[u8]) -> io::Result<()> {
    let fresh = beside(path, "new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(image)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
