//! All that the sandbox remembers, and its file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::notice::Outbox;
use crate::switches::Switches;
use crate::traffic::Traffic;
use crate::wechat::{Account, Book, Codes, Links, Pace};

const FILE: &str = "state.json";

/// Everything that changes. A part that a later version adds starts empty when an older file is read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Records {
    pub(crate) wechat: Book,
    pub(crate) codes: Codes,
    pub(crate) account: Account,
    pub(crate) notices: Outbox,
    #[serde(rename = "faults")]
    pub(crate) switches: Switches,
    #[serde(skip)]
    pub(crate) traffic: Traffic,
    #[serde(skip)]
    pub(crate) bills: Links,
    #[serde(skip)]
    pub(crate) pace: Pace,
}

/// The change was made but could not be written; the caller is told "unknown", as a provider in trouble would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox could not write its state")]
pub(crate) struct Unsaved;

/// The file that keeps [`Records`] over a restart.
pub(crate) struct Keeper {
    path: PathBuf,
}

impl Keeper {
    /// Opens `folder` (made if missing) and reads what an earlier run left there.
    pub(crate) fn open(folder: &Path) -> io::Result<(Keeper, Records)> {
        fs::create_dir_all(folder)?;
        let keeper = Keeper { path: folder.join(FILE) };
        let mut records = match fs::read(&keeper.path) {
            Ok(bytes) => serde_json::from_slice::<Records>(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Records::default(),
            Err(error) => return Err(error),
        };
        records.notices.reindex();
        records.wechat.complete();
        Ok((keeper, records))
    }

    /// Replaces the file in one step: a reader sees the old content or the new, whole.
    ///
    /// The file is not forced to the disk: it has to outlive the process, not a power cut.
    pub(crate) fn write(&self, records: &Records) -> io::Result<()> {
        let fresh = self.path.with_extension("json.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // It names payers.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&fresh)?.write_all(&serde_json::to_vec(records)?)?;
        fs::rename(&fresh, &self.path)
    }
}
