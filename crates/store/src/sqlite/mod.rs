//! The book in one SQLite file, `book.sqlite`, in a data folder.
//!
//! One process writes ([`SqliteStore`], fenced by an operating-system lock on `writer.lock`); any number read at the same
//! time ([`SqliteReader`], [`SqliteArchive`]). Tables are described in `0001_book.sql`; besides them there is one table
//! `row_<name>` for each table of guard rows.

mod archive;
mod backup;
mod columns;
mod head;
mod inspect;
mod migrations;
mod reader;
pub mod reports;
mod settings;
mod writer;

use std::path::{Path, PathBuf};

use ledger::SchoolId;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use teller::StoreError;

pub use archive::SqliteArchive;
pub use backup::copy_book;
pub use head::SqliteHead;
pub use inspect::{engine_version, is_served, journal_mode};
pub use reader::SqliteReader;
pub use writer::SqliteStore;

/// Name of the database file in a data folder.
pub const BOOK_FILE: &str = "book.sqlite";

/// Name of the write-ahead log beside it, while the book is open or after it was not closed.
const LOG_FILE: &str = "book.sqlite-wal";

/// Name of the file on which the writer holds a lock.
pub const LOCK_FILE: &str = "writer.lock";

/// Why a book cannot be opened; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Another process writes.
    #[error("another onecard process serves {}: let that server do the work, or stop it first", dir.display())]
    InUse {
        /// The data folder.
        dir: PathBuf,
    },
    /// There is no book yet.
    #[error("there is no book in {}: is this the right data folder?", dir.display())]
    Missing {
        /// The data folder.
        dir: PathBuf,
    },
    /// A power cut could lose what was acknowledged.
    #[error(
        "SQLite runs {setting} = {found} where {wanted} is needed, so a power cut could lose money; is the data folder \
         on a local disk?"
    )]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What is in force.
        found: String,
    },
    /// A table cannot have this name.
    #[error("{0:?} cannot name a table: only lower-case letters and _ can")]
    Name(&'static str),
    /// The file was written by a later version.
    #[error("{} was written by a newer version (migration {number}): install that version", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The migration that this version does not know.
        number: i64,
    },
    /// The file was not yet opened by this version's server.
    #[error("{} was written by an older version: run `onecard migrate`", path.display())]
    Older {
        /// The database file.
        path: PathBuf,
    },
    /// A migration that has run is not the one this version knows.
    #[error("migration {number} of {} is another one than this version's: was it changed after it ran?", path.display())]
    OtherMigration {
        /// The database file.
        path: PathBuf,
        /// Which one.
        number: i64,
    },
    /// The book is another school's.
    #[error("{} keeps the book of school {found}, not of school {wanted}: check the configuration", path.display())]
    OtherSchool {
        /// The database file.
        path: PathBuf,
        /// Whose book it is.
        found: i64,
        /// Whose was asked for.
        wanted: u16,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot use the file.
    #[error("SQLite cannot use {}", path.display())]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

/// Whether `name` can name a table or a list: lower-case letters and `_`.
fn plain_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Turns what SQLite says into an [`OpenFault`] that names the file.
fn at(path: &Path) -> impl Fn(rusqlite::Error) -> OpenFault {
    move |source| OpenFault::Sqlite { path: path.to_owned(), source }
}

/// Turns what SQLite says into a [`StoreError`] that names what was attempted.
fn doing(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |why| StoreError { what, why: why.to_string() }
}

/// A connection that can only read, to a book that exists and is of this version and school.
fn read_only(dir: &Path, school: SchoolId) -> Result<Connection, OpenFault> {
    let connection = read_only_of_any_school(dir)?;
    let path = dir.join(BOOK_FILE);
    if let Some(found) = migrations::school(&connection).map_err(at(&path))?
        && found != i64::from(school.get())
    {
        return Err(OpenFault::OtherSchool { path, found, wanted: school.get() });
    }
    Ok(connection)
}

fn read_only_of_any_school(dir: &Path) -> Result<Connection, OpenFault> {
    let path = dir.join(BOOK_FILE);
    if !path.exists() {
        return Err(OpenFault::Missing { dir: dir.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(at(&path))?;
    let set_up = settings::for_reading(&connection).map_err(at(&path));
    match set_up.and_then(|()| migrations::require_current(&connection, &path)) {
        Ok(()) => Ok(connection),
        // A book at rest in a folder that cannot be written, a backup perhaps: SQLite must be told that nobody writes.
        Err(OpenFault::Sqlite { source, .. }) if cannot_write(&source) && !dir.join(LOG_FILE).exists() => {
            let connection = at_rest(&path).map_err(at(&path))?;
            migrations::require_current(&connection, &path)?;
            Ok(connection)
        }
        Err(fault) => Err(fault),
    }
}

fn cannot_write(why: &rusqlite::Error) -> bool {
    matches!(why.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Opens a file to which nobody writes and beside which nothing can be made.
fn at_rest(path: &Path) -> rusqlite::Result<Connection> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match plain(*byte) {
            true => uri.push(char::from(*byte)),
            false => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    settings::for_reading(&connection)?;
    Ok(connection)
}

/// Whose book is in the data folder.
///
/// Errors: [`OpenFault`]; `Missing` also when the book was never begun.
pub fn school_of(dir: &Path) -> Result<SchoolId, OpenFault> {
    let path = dir.join(BOOK_FILE);
    let found = migrations::school(&read_only_of_any_school(dir)?).map_err(at(&path))?;
    let school = found.and_then(|number| u16::try_from(number).ok()).and_then(SchoolId::new);
    school.ok_or(OpenFault::Missing { dir: dir.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_at_rest_is_read_under_any_name_and_nothing_is_made_beside_it() {
        let dir = std::env::temp_dir().join(format!("onecard rest 100% #1?x=校 {}", std::process::id()));
        let school = SchoolId::new(3).expect("a school");
        drop(SqliteStore::open(&dir, school, &["order"]).expect("opens"));
        let files = |dir: &Path| std::fs::read_dir(dir).expect("reads").count();
        let before = files(&dir);
        assert!(!dir.join(LOG_FILE).exists(), "a closed book leaves no log");
        let connection = at_rest(&dir.join(BOOK_FILE)).expect("opens");
        migrations::require_current(&connection, &dir.join(BOOK_FILE)).expect("is current");
        assert_eq!(migrations::school(&connection).expect("reads"), Some(3));
        assert_eq!(files(&dir), before);
        assert!(connection.execute_batch("DELETE FROM recovery").is_err());
        drop(connection);
        std::fs::remove_dir_all(&dir).expect("is removed");
    }
}
