//! The journal on disk: lines appended and synced, and now and then rewritten without what the platform acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::journal::{Entry, JournalFault, State};

/// A journal on disk, open for one terminal.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    file: File,
    state: State,
    /// Held for life, so that no second process is the same terminal.
    _lock: File,
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalFileFault {
    /// The file cannot be read or written.
    #[error("journal {path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("journal {0} is in use: this terminal runs already")]
    InUse(PathBuf),
    /// It is damaged.
    #[error("journal {path} cannot be trusted")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where.
        #[source]
        source: JournalFault,
    },
}

impl JournalFile {
    /// Opens the journal, or begins one. A torn last line is cut off.
    ///
    /// Errors, in order: `File`, `InUse`, `Damaged`.
    pub fn open(path: &Path) -> Result<JournalFile, JournalFileFault> {
        let fault = |source| JournalFileFault::File { path: path.to_owned(), source };
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(beside(path, "lock")).map_err(fault)?;
        lock.try_lock().map_err(|_| JournalFileFault::InUse(path.to_owned()))?;
        let mut file = append_to(path).map_err(fault)?;
        sync_folder(path).map_err(fault)?;

        let bytes = fs::read(path).map_err(fault)?;
        let (state, good) =
            State::replay(&bytes).map_err(|source| JournalFileFault::Damaged { path: path.to_owned(), source })?;
        if good < bytes.len() {
            file.set_len(u64::try_from(good).unwrap_or(u64::MAX)).map_err(fault)?;
            file.sync_all().map_err(fault)?;
            file = append_to(path).map_err(fault)?;
        }
        Ok(JournalFile { path: path.to_owned(), file, state, _lock: lock })
    }

    /// What the journal adds up to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Appends entries; they are durable when this returns. After an error the terminal must stop: how much of them
    /// stands in the file is known only to the next [`JournalFile::open`].
    pub fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let lines = lines(entries)?;
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()?;
        for entry in entries {
            self.state.apply(entry);
        }
        Ok(())
    }

    /// Rewrites the journal without records up to `through`. A power cut leaves the old file or the new one.
    pub fn forget(&mut self, through: u64) -> io::Result<()> {
        let mut state = self.state.clone();
        state.forget(through);
        let fresh = beside(&self.path, "new");
        let mut file = File::create(&fresh)?;
        file.write_all(lines(&state.entries())?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        sync_folder(&self.path)?;
        self.file = append_to(&self.path)?;
        self.state = state;
        Ok(())
    }
}

fn lines(entries: &[Entry]) -> io::Result<String> {
    entries.iter().map(|entry| entry.line().map_err(io::Error::other)).collect()
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Makes names in the journal's folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
