//! The reporting table: `reports.sqlite` in the data folder, fed from the journal, so that statements and reports never
//! add an index to the journal's own path.
//!
//! It is derived data. One [`ReportWriter`] at a time, fenced by a lock on `reports.lock`, takes the journal block by block;
//! how far it came is kept in the same transaction as what it took, so that a crash neither doubles nor skips a row. A
//! book that is not the one it was fed from shows by the link of the block taken last: then all of it is made again.
//! Tables and views are described in `reports.sql`, for an auditor with the `sqlite3` shell too.

mod check;
mod feed;
mod read;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use ledger::{AccountCode, AccountKey, Fen, Micros, SchoolId};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row};
use teller::StoreError;

use super::settings;
use crate::verify::Head;
pub use feed::Fed;
pub use read::{CodeTotal, MonthTotal, Movement, ReportReader};

/// Name of the file of the reporting table in a data folder.
pub const REPORTS_FILE: &str = "reports.sqlite";

/// Name of the file on which its writer holds a lock.
pub const REPORTS_LOCK: &str = "reports.lock";

/// Form of the tables; a file of another form is made again. It stands in the file as SQLite's `user_version`.
const FORM: i64 = 1;

/// Why the reporting table cannot be made, fed or read; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReportFault {
    /// Another process feeds it.
    #[error("another onecard process feeds {}: read what is there, or stop it first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was never made, or is of another version.
    #[error("there is no {}: start the server, or run `onecard report` while none runs, and it is made", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It was fed from another state of this book, or from another book.
    #[error("{} was fed from another state of the book: it is made again when it is next fed", path.display())]
    OtherBook {
        /// The file.
        path: PathBuf,
    },
    /// The journal cannot be what was committed.
    #[error("journal row {seq} {why}: run `onecard verify`, and if the book is whole, delete {REPORTS_FILE}")]
    Journal {
        /// Which row.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The book does not answer.
    #[error(transparent)]
    Book(#[from] StoreError),
    /// A file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot use the file.
    #[error("SQLite cannot use {}: delete it, it is made again from the journal", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

/// How far the journal has been taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The newest block taken; all zero for none.
    pub head: Head,
    /// When that block was recorded.
    pub recorded_at: Micros,
}

/// The one writer of the reporting table.
///
/// Promise: after every [`ReportWriter::feed`] the tables are exactly what the journal up to [`Position`] makes of them.
pub struct ReportWriter {
    connection: Connection,
    path: PathBuf,
    school: SchoolId,
    _lock: File,
}

impl ReportWriter {
    /// Opens `reports.sqlite` in the data folder `dir`; makes it when it is missing, damaged, or of another form or school.
    ///
    /// Errors, first match wins: `File`, `InUse`, `Sqlite`.
    pub fn open(dir: &Path, school: SchoolId) -> Result<ReportWriter, ReportFault> {
        let lock = lock(&dir.join(REPORTS_LOCK))?;
        let path = dir.join(REPORTS_FILE);
        let connection = match existing(&path, school) {
            Ok(Some(connection)) => connection,
            Ok(None) => fresh(&path, school)?,
            Err(source) if damaged(&source) => fresh(&path, school)?,
            Err(source) => return Err(ReportFault::Sqlite { path, source }),
        };
        Ok(ReportWriter { connection, path, school, _lock: lock })
    }

    /// How far the journal has been taken.
    pub fn position(&self) -> Result<Position, ReportFault> {
        position(&self.connection, self.school).map_err(at(&self.path))
    }

    /// Throws everything away and begins again.
    fn begin_again(&mut self) -> Result<(), ReportFault> {
        // The file must be closed before it is deleted: another name for the connection until there is a new one.
        self.connection = Connection::open_in_memory().map_err(at(&self.path))?;
        self.connection = fresh(&self.path, self.school)?;
        Ok(())
    }
}

fn lock(path: &Path) -> Result<File, ReportFault> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|source| ReportFault::File { path: path.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ReportFault::InUse { path: path.with_file_name(REPORTS_FILE) }),
        Err(TryLockError::Error(source)) => Err(ReportFault::File { path: path.to_owned(), source }),
    }
}

/// The file as it is; `None` when it is not there, or not of this form and school.
fn existing(path: &Path, school: SchoolId) -> rusqlite::Result<Option<Connection>> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = Connection::open(path)?;
    settings::for_derived(&connection)?;
    Ok(fits(&connection, school)?.then_some(connection))
}

/// The file has this form, and its tables are this school's.
fn fits(connection: &Connection, school: SchoolId) -> rusqlite::Result<bool> {
    let form: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if form != FORM {
        return Ok(false);
    }
    let found: Option<i64> = connection.query_row("SELECT school_id FROM taken", [], |row| row.get(0)).optional()?;
    Ok(found == Some(i64::from(school.get())))
}

/// A new file with nothing taken. An old one is deleted with what stands beside it.
fn fresh(path: &Path, school: SchoolId) -> Result<Connection, ReportFault> {
    for beside in ["", "-wal", "-shm", "-journal"] {
        let old = path.with_file_name(format!("{REPORTS_FILE}{beside}"));
        match std::fs::remove_file(&old) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ReportFault::File { path: old, source });
            }
            _ => {}
        }
    }
    let make = || {
        let mut connection = Connection::open(path)?;
        settings::for_derived(&connection)?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(include_str!("reports.sql"))?;
        transaction.execute("INSERT INTO taken VALUES (?1, 0, 0, zeroblob(32), 0)", [school.get()])?;
        transaction.pragma_update(None, "user_version", FORM)?;
        transaction.commit()?;
        Ok(connection)
    };
    make().map_err(at(path))
}

/// A connection that can only read. Error: `Missing`, `Sqlite`.
fn read_only(dir: &Path, school: SchoolId) -> Result<Connection, ReportFault> {
    let path = dir.join(REPORTS_FILE);
    if !path.exists() {
        return Err(ReportFault::Missing { path });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(at(&path))?;
    settings::for_reading(&connection).map_err(at(&path))?;
    match fits(&connection, school).map_err(at(&path))? {
        true => Ok(connection),
        false => Err(ReportFault::Missing { path }),
    }
}

fn position(connection: &Connection, school: SchoolId) -> rusqlite::Result<Position> {
    let sql = "SELECT block, seq, link, recorded_at FROM taken WHERE school_id = ?1";
    connection.prepare_cached(sql)?.query_row([school.get()], |row| {
        let head = Head { block: count(row, 0)?, seq: count(row, 1)?, link: row.get(2)? };
        Ok(Position { head, recorded_at: Micros::new(row.get(3)?) })
    })
}

/// SQLite says that the file is no database, or a damaged one, or one in which something is missing or there twice.
fn damaged(why: &rusqlite::Error) -> bool {
    let broken =
        [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase, ErrorCode::TypeMismatch, ErrorCode::ConstraintViolation];
    match why {
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => true,
        other => match other.sqlite_error_code() {
            // A table or a column is not there.
            Some(ErrorCode::Unknown) => true,
            Some(code) => broken.contains(&code),
            None => false,
        },
    }
}

fn at(path: &Path) -> impl Fn(rusqlite::Error) -> ReportFault {
    move |source| ReportFault::Sqlite { path: path.to_owned(), source }
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let found: i64 = row.get(column)?;
    u64::try_from(found).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, found))
}

fn fen(row: &Row<'_>, column: usize) -> rusqlite::Result<Fen> {
    row.get(column).map(Fen::new)
}

/// Reads `code, owner, part` from `column` on.
fn account(row: &Row<'_>, column: usize) -> rusqlite::Result<AccountKey> {
    let owner: [u8; 16] = row.get(column.saturating_add(1))?;
    Ok(AccountKey {
        code: AccountCode(row.get(column)?),
        owner: u128::from_be_bytes(owner),
        part: row.get(column.saturating_add(2))?,
    })
}

/// The key columns of an account: school, code, owner, part.
fn key(school: SchoolId, account: &AccountKey) -> [Value; 4] {
    [
        Value::Integer(i64::from(school.get())),
        Value::Integer(i64::from(account.code.0)),
        Value::Blob(account.owner.to_be_bytes().to_vec()),
        Value::Integer(i64::from(account.part)),
    ]
}
