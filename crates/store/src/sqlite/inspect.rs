use std::fs::{File, TryLockError};
use std::path::Path;

use super::{BOOK_FILE, LOCK_FILE, OpenFault, at, read_only_of_any_school};

/// Version of the SQLite in this program.
pub fn engine_version() -> &'static str {
    rusqlite::version()
}

/// Whether a process writes to the book in `dir`. Looks for an instant and changes nothing.
pub fn is_served(dir: &Path) -> Result<bool, OpenFault> {
    let path = dir.join(LOCK_FILE);
    let fault = |source| OpenFault::File { path: path.clone(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(other) => return Err(fault(other)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(other)) => Err(fault(other)),
    }
}

/// The journal mode that the book's file is in, such as `wal`. Errors: those of opening it to read.
pub fn journal_mode(dir: &Path) -> Result<String, OpenFault> {
    let connection = read_only_of_any_school(dir)?;
    connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(at(&dir.join(BOOK_FILE)))
}
