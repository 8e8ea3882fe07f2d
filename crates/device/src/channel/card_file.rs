//! A software card in its file.
//!
//! The file is the card's non-volatile memory: it is written and synced before the answer that tells of a change leaves
//! the card. While a card lies on a reader its file is locked, so that it lies on one reader at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use card::apdu::Command;
use card::chip::{Chip, ImageFault};
use card::tear::{Cut, CutPlace, TearableCard};

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
    /// The reader is not there.
    #[error("no virtual reader answers at {address}: start pcscd with its driver, and name the driver's port")]
    Reader {
        /// Where it should be.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
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

/// What a hand plans: shared by the cards that it puts, over when one leaves.
pub(super) type Plan = Option<(PullAt, CutPlace)>;

/// The card of a file, on a reader.
pub(super) struct CardFile {
    card: TearableCard,
    path: PathBuf,
    image: Vec<u8>,
    /// Held while the card lies here.
    _lock: File,
}

impl CardFile {
    /// Takes the card out of its file and puts it into the field; it is torn at `cut`.
    ///
    /// Errors, in order: `File`, `Elsewhere`, `Image`.
    pub(super) fn open(path: &Path, cut: Option<Cut>) -> Result<CardFile, CardFileFault> {
        let file = |source| CardFileFault::File { path: path.to_owned(), source };
        // Before the lock, so that a wrong name leaves no lock file behind.
        fs::metadata(path).map_err(file)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, "lock")).map_err(file)?;
        lock.try_lock().map_err(|_| CardFileFault::Elsewhere(path.to_owned()))?;
        let image = fs::read(path).map_err(file)?;
        let chip = Chip::from_bytes(&image).map_err(|source| CardFileFault::Image { path: path.to_owned(), source })?;

        let mut card = TearableCard::new(chip);
        card.insert(cut);
        Ok(CardFile { card, path: path.to_owned(), image, _lock: lock })
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still in the field.
    pub(super) fn present(&self) -> bool {
        self.card.present()
    }

    /// The reader takes its power away and gives it back; the card stays where it is.
    pub(super) fn lose_power(&mut self) {
        self.card.lose_power();
    }

    /// One command and its answer; when that answer is here, what it tells of is in the file. Fewer than two bytes mean
    /// that the card has left. What could not be written did not happen: the card breaks off as if it had left before.
    pub(super) fn exchange(&mut self, command: &[u8], plan: &mut Plan, random: &mut dyn FnMut() -> [u8; 4]) -> Vec<u8> {
        self.plan(command, plan);
        let answer = self.card.exchange(command, random);
        match self.keep() {
            Ok(()) => answer,
            Err(_) => {
                self.card.remove();
                Vec::new()
            }
        }
    }

    /// GET RESPONSE: hands over what waits, and is a command of this insertion like any other.
    pub(super) fn hand_over(&mut self, command: &[u8], waiting: &[u8], plan: &mut Plan) -> Vec<u8> {
        self.plan(command, plan);
        self.card.hand_over(waiting)
    }

    fn plan(&mut self, command: &[u8], plan: &mut Plan) {
        if let Some((at, place)) = *plan
            && at.is(command)
        {
            self.card.tear_next(place);
            *plan = None;
        }
    }

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
