use std::collections::BTreeMap;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flows::ports::{Around, ListAsk, Listed, Reader, Waiting};
use ledger::{AccountKey, JournalRow, Micros, SchoolId};
use rusqlite::{Connection, OptionalExtension, params};
use teller::{RawKey, StoreError};

use super::reports::{ReportFault, ReportReader};
use super::{OpenFault, columns, doing, read_only};

/// Reads what was committed, beside the writer, over a few read-only connections.
///
/// Every call is one short read transaction, so that the writer's log can begin anew, and its future is ready at once: a
/// read is some memory accesses or, on a cold cache, some reads of a local disk.
pub struct SqliteReader {
    dir: PathBuf,
    school: SchoolId,
    rows: BTreeMap<&'static str, String>,
    idle: Mutex<Vec<Connection>>,
    most_idle: usize,
}

impl SqliteReader {
    /// Opens the book in `dir`, which a [`super::SqliteStore`] of this version must have made, for reading.
    ///
    /// Shape: `tables` as for the store; at most `connections` stay open between calls.
    /// Errors: `Name`, `Missing`, `Sqlite`, `Newer`, `OtherMigration`, `Older`, `OtherSchool`.
    pub fn open(
        dir: &Path,
        school: SchoolId,
        tables: &[&'static str],
        connections: usize,
    ) -> Result<SqliteReader, OpenFault> {
        if let Some(name) = tables.iter().find(|name| !super::plain_word(name)) {
            return Err(OpenFault::Name(name));
        }
        let sql = |table: &str| format!("SELECT body FROM row_{table} WHERE school_id = ?1 AND key = ?2");
        let reader = SqliteReader {
            dir: dir.to_owned(),
            school,
            rows: tables.iter().map(|table| (*table, sql(table))).collect(),
            idle: Mutex::new(Vec::new()),
            most_idle: connections,
        };
        let first = reader.connect()?;
        reader.give_back(first);
        Ok(reader)
    }

    fn connect(&self) -> Result<Connection, OpenFault> {
        let connection = read_only(&self.dir, self.school)?;
        connection.set_prepared_statement_cache_capacity(self.rows.len().saturating_add(8));
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.most_idle {
            idle.push(connection);
        }
    }

    /// One read transaction on an idle connection, or on a new one when all are in use. A connection that failed is
    /// closed.
    fn read<T>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().map_err(|fault| StoreError { what, why: fault.to_string() })?,
        };
        let transaction = connection.unchecked_transaction().map_err(doing(what))?;
        let found = work(&transaction)?;
        transaction.commit().map_err(doing(what))?;
        self.give_back(connection);
        Ok(found)
    }

    fn read_rows(&self, keys: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let what = "reading rows";
        self.read(what, |connection| {
            let one = |at: &RawKey| {
                let sql = self
                    .rows
                    .get(at.table)
                    .ok_or_else(|| StoreError { what, why: format!("there is no table {}", at.table) })?;
                let mut statement = connection.prepare_cached(sql).map_err(doing(what))?;
                let found = statement.query_row(params![self.school.get(), at.key], |row| row.get(0));
                found.optional().map_err(doing(what))
            };
            keys.iter().map(one).collect()
        })
    }

    fn read_list(&self, ask: &ListAsk) -> Result<Vec<Listed>, StoreError> {
        const UP: &str = "SELECT at, key FROM listing WHERE school_id = ?1 AND list = ?2 AND owner = ?3 \
            AND at BETWEEN ?4 AND ?5 ORDER BY at, key LIMIT ?6";
        const DOWN: &str = "SELECT at, key FROM listing WHERE school_id = ?1 AND list = ?2 AND owner = ?3 \
            AND at BETWEEN ?4 AND ?5 ORDER BY at DESC, key DESC LIMIT ?6";
        let what = "reading a list";
        self.read(what, |connection| {
            let sql = if ask.backwards { DOWN } else { UP };
            let mut statement = connection.prepare_cached(sql).map_err(doing(what))?;
            let asked = params![self.school.get(), ask.list, ask.owner, ask.from, ask.to, ask.most];
            let places = statement.query_map(asked, |row| Ok(Listed { at: row.get(0)?, key: row.get(1)? }));
            places.map_err(doing(what))?.collect::<Result<_, _>>().map_err(doing(what))
        })
    }

    fn read_journal(&self, seqs: &[u64]) -> Result<Vec<JournalRow>, StoreError> {
        let what = "reading journal rows";
        let sql = format!("SELECT {} FROM journal WHERE school_id = ?1 AND seq = ?2", columns::JOURNAL);
        self.read(what, |connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(doing(what))?;
            let mut found = Vec::with_capacity(seqs.len());
            for seq in seqs.iter().filter_map(|seq| i64::try_from(*seq).ok()) {
                let row = statement.query_row((self.school.get(), seq), |row| Ok(columns::journal_row(row)));
                if let Some(row) = row.optional().map_err(doing(what))? {
                    found.push(row.map_err(|misfit| StoreError {
                        what,
                        why: format!("journal row {seq}: {misfit}; run `onecard verify`"),
                    })?);
                }
            }
            Ok(found)
        })
    }
}

impl SqliteReader {
    /// Asks the reporting table. It is opened for each question: it may have been made again since the last one.
    fn read_around(&self, account: &AccountKey, moment: Micros) -> Result<Option<Around>, StoreError> {
        let found = ReportReader::open(&self.dir, self.school).and_then(|table| table.around(account, moment));
        match found {
            Ok(around) => Ok(Some(around)),
            Err(ReportFault::Missing { .. }) => Ok(None),
            Err(fault) => Err(StoreError { what: "reading the reporting table", why: fault.to_string() }),
        }
    }
}

impl Reader for SqliteReader {
    fn rows(&self, keys: Vec<RawKey>) -> Waiting<'_, Result<Vec<Option<Vec<u8>>>, StoreError>> {
        Box::pin(ready(self.read_rows(&keys)))
    }

    fn list(&self, ask: ListAsk) -> Waiting<'_, Result<Vec<Listed>, StoreError>> {
        Box::pin(ready(self.read_list(&ask)))
    }

    fn journal(&self, seqs: Vec<u64>) -> Waiting<'_, Result<Vec<JournalRow>, StoreError>> {
        Box::pin(ready(self.read_journal(&seqs)))
    }

    fn around(&self, account: AccountKey, moment: Micros) -> Waiting<'_, Result<Option<Around>, StoreError>> {
        Box::pin(ready(self.read_around(&account, moment)))
    }
}
