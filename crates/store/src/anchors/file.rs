use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ledger::SchoolId;

use super::{Anchor, end_of_last_line};

/// More than the longest line.
const TAIL: u64 = 4096;

/// Why the file of anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorFault {
    /// It cannot be opened, read or written.
    #[error("the anchors in {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its last line is no anchor of this installation and school.
    #[error(
        "the last line of the anchors in {} is wrong: {why}. Is it the file of this book, and are the keys the ones it \
         was signed with? `onecard verify` tells more",
        path.display()
    )]
    LastLine {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The file of anchors, open to add to it. One line costs one sync; nothing in it is ever changed.
pub struct AnchorLog {
    path: PathBuf,
    file: File,
    /// So many bytes are whole lines.
    whole: u64,
    torn: bool,
    newest: Option<Anchor>,
}

impl AnchorLog {
    /// Opens the file, or makes it, for its owner alone. Only its last line is looked at; `verify` reads all.
    ///
    /// Errors, first match wins: `Io`, `LastLine`.
    pub fn open(
        path: &Path,
        school: SchoolId,
        verifies: &dyn Fn(&[u8], &[u8]) -> bool,
    ) -> Result<AnchorLog, AnchorFault> {
        let at = |source| AnchorFault::Io { path: path.to_owned(), source };
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(at)?;
        if is_new {
            file.sync_all().and_then(|()| sync_folder(path)).map_err(at)?;
        }
        let End { newest, whole, torn } = end_of(&mut file, path, school, verifies)?;
        Ok(AnchorLog { path: path.to_owned(), file, whole, torn, newest })
    }

    /// The newest anchor in the file.
    pub const fn newest(&self) -> Option<&Anchor> {
        self.newest.as_ref()
    }

    /// The file ended in half a line when it was opened; the next anchor takes its place.
    pub const fn torn(&self) -> bool {
        self.torn
    }

    /// Adds an anchor; it is durable when this returns.
    ///
    /// Errors: `Io`; then it may be there in part, and the next one takes its place.
    pub fn append(&mut self, anchor: &Anchor, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<(), AnchorFault> {
        let line = anchor.line(sign);
        self.write(line.as_bytes()).map_err(|source| AnchorFault::Io { path: self.path.clone(), source })?;
        self.newest = Some(*anchor);
        self.torn = false;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.metadata()?.len() != self.whole {
            self.file.set_len(self.whole)?;
        }
        self.file.seek(SeekFrom::Start(self.whole))?;
        self.file.write_all(line)?;
        self.file.sync_data()?;
        self.whole = self.whole.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// The newest anchor in the file at `path`, which is only read. Errors, first match wins: `Io`, `LastLine`.
pub fn newest_anchor(
    path: &Path,
    school: SchoolId,
    verifies: &dyn Fn(&[u8], &[u8]) -> bool,
) -> Result<Option<Anchor>, AnchorFault> {
    let mut file = File::open(path).map_err(|source| AnchorFault::Io { path: path.to_owned(), source })?;
    Ok(end_of(&mut file, path, school, verifies)?.newest)
}

/// The end of a file of anchors.
struct End {
    newest: Option<Anchor>,
    whole: u64,
    torn: bool,
}

fn end_of(
    file: &mut File,
    path: &Path,
    school: SchoolId,
    verifies: &dyn Fn(&[u8], &[u8]) -> bool,
) -> Result<End, AnchorFault> {
    let at = |source| AnchorFault::Io { path: path.to_owned(), source };
    let wrong = |why: &str| AnchorFault::LastLine { path: path.to_owned(), why: why.to_owned() };
    let length = file.metadata().map_err(at)?.len();
    let from = length.saturating_sub(TAIL);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut tail)).map_err(at)?;
    let end = end_of_last_line(&tail);
    let (lines, rest) = tail.split_at(end);
    if lines.is_empty() && from > 0 {
        return Err(wrong("it has no end"));
    }
    let newest = match lines.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next()) {
        None => None,
        Some(line) => Some(Anchor::parse(line, verifies).map_err(wrong)?),
    };
    if let Some(foreign) = newest.filter(|newest| newest.school != school) {
        return Err(wrong(&format!("it belongs to school {}", foreign.school.get())));
    }
    let whole = from.saturating_add(u64::try_from(end).unwrap_or(u64::MAX));
    Ok(End { newest, whole, torn: !rest.is_empty() })
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
