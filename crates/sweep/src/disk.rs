//! The disk of the platform: the book in memory, or SQLite in a folder of its own. Each case starts from a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flows::ports::Reader;
use flows::rows::Campus;
use ledger::SchoolId;
use store::memory::{MemoryDisk, MemoryStore};
use store::sqlite::{SqliteArchive, SqliteReader, SqliteStore};
use store::verify::Archive;
use teller::{Checkpoint, Commit, CommitError, RawKey, Recovered, Schema, Store, StoreError};

use crate::Broken;

/// Where the book is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory.
    Memory,
    /// SQLite; each case has a folder of its own within this one, and removes it.
    Sqlite(PathBuf),
}

/// A disk that outlives the process of the platform.
pub(crate) enum Disk {
    Memory(MemoryDisk),
    Sqlite(Folder),
}

/// A folder that goes when its owner goes.
pub(crate) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn school_id() -> SchoolId {
    SchoolId::new(1).unwrap_or_else(|| unreachable!("1 is a number of a school"))
}

impl Disk {
    pub(crate) fn new(kind: &Kind, name: &str) -> Result<Disk, Broken> {
        Ok(match kind {
            Kind::Memory => Disk::Memory(MemoryDisk::new(school_id(), Campus::TABLES)),
            Kind::Sqlite(within) => Disk::Sqlite(folder(within, name)?),
        })
    }

    /// Another disk with the same content; no process may have this one open.
    pub(crate) fn copy(&self, kind: &Kind, name: &str) -> Result<Disk, Broken> {
        match (self, kind) {
            (Disk::Memory(disk), _) => Ok(Disk::Memory(disk.copy())),
            (Disk::Sqlite(from), Kind::Sqlite(within)) => {
                let to = folder(within, name)?;
                copy_files(&from.0, &to.0).map_err(Broken::of("copying the book"))?;
                Ok(Disk::Sqlite(to))
            }
            (Disk::Sqlite(_), Kind::Memory) => Err(Broken::new("a book of SQLite copied into memory")),
        }
    }

    /// The one writer, and a reader beside it.
    pub(crate) fn open(&self) -> Result<(Book, Arc<dyn Reader>), Broken> {
        Ok(match self {
            Disk::Memory(disk) => {
                let writer = disk.open().map_err(Broken::of("opening the book"))?;
                (Book::Memory(writer), Arc::new(disk.reader()))
            }
            Disk::Sqlite(Folder(dir)) => {
                let (school, tables) = (school_id(), Campus::TABLES);
                let writer = SqliteStore::open(dir, school, tables).map_err(Broken::of("opening the book"))?;
                let reader = SqliteReader::open(dir, school, tables, 2).map_err(Broken::of("reading the book"))?;
                (Book::Sqlite(Box::new(writer)), Arc::new(reader))
            }
        })
    }

    /// What is committed, to be verified.
    pub(crate) fn archive(&self) -> Result<Box<dyn Archive>, Broken> {
        Ok(match self {
            Disk::Memory(disk) => Box::new(disk.archive()),
            Disk::Sqlite(Folder(dir)) => {
                Box::new(SqliteArchive::open(dir, school_id()).map_err(Broken::of("opening the archive"))?)
            }
        })
    }
}

fn folder(within: &Path, name: &str) -> Result<Folder, Broken> {
    let path = within.join(name);
    fs::create_dir_all(&path).map_err(Broken::of("making a folder"))?;
    Ok(Folder(path))
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The one writer of either.
pub(crate) enum Book {
    Memory(MemoryStore),
    Sqlite(Box<SqliteStore>),
}

impl Book {
    fn store(&self) -> &dyn Store {
        match self {
            Book::Memory(store) => store,
            Book::Sqlite(store) => store.as_ref(),
        }
    }
}

impl Store for Book {
    fn recover(&self) -> Result<Recovered, StoreError> {
        self.store().recover()
    }

    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.store().load(wanted)
    }

    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        self.store().commit(commit)
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        self.store().checkpoint(checkpoint)
    }

    fn failed(&self) -> bool {
        self.store().failed()
    }
}
