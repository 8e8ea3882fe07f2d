use std::path::Path;

use ledger::{AccountKey, Block, JournalRow, SchoolId};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use teller::StoreError;

use super::{OpenFault, columns, doing, migrations, read_only};
use crate::verify::{Archive, Found, GuardRow, KeptAccount, KeptPending, KeptPlace, Unreadable};

/// The book in a data folder, opened to be verified: from the files alone, read-only, also while the server runs.
pub struct SqliteArchive {
    connection: Connection,
    school: i64,
    frozen: bool,
}

impl SqliteArchive {
    /// Opens the book in `dir`. Errors: `Missing`, `Sqlite`, `Newer`, `OtherMigration`, `Older`, `OtherSchool`.
    pub fn open(dir: &Path, school: SchoolId) -> Result<SqliteArchive, OpenFault> {
        Ok(SqliteArchive { connection: read_only(dir, school)?, school: i64::from(school.get()), frozen: false })
    }

    /// Runs `sql` and hands every row to `each`.
    fn every(
        &self,
        what: &'static str,
        sql: &str,
        params: impl Params,
        each: &mut dyn FnMut(&Row<'_>),
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(doing(what))?;
        let mut rows = statement.query(params).map_err(doing(what))?;
        while let Some(row) = rows.next().map_err(doing(what))? {
            each(row);
        }
        Ok(())
    }

    fn row_tables(&self) -> Result<Vec<String>, StoreError> {
        let what = "listing the tables";
        let mut tables = Vec::new();
        let sql = "SELECT substr(name, 5) FROM sqlite_schema WHERE type = 'table' AND name GLOB 'row_*' ORDER BY name";
        self.every(what, sql, [], &mut |row| tables.extend(row.get::<_, String>(0)))?;
        tables.retain(|table| super::plain_word(table));
        Ok(tables)
    }
}

/// The value of the first column, for naming a row whose other columns cannot be read.
fn first(row: &Row<'_>) -> u64 {
    row.get::<_, i64>(0).ok().and_then(|at| u64::try_from(at).ok()).unwrap_or(0)
}

/// A sequence as SQLite can compare it.
fn bound(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

impl Archive for SqliteArchive {
    fn freeze(&mut self) -> Result<(), StoreError> {
        let what = "holding a snapshot";
        if !self.frozen {
            self.connection.execute_batch("BEGIN").map_err(doing(what))?;
            self.frozen = true;
        }
        self.connection.query_row("SELECT count(*) FROM recovery", [], |_| Ok(())).map_err(doing(what))
    }

    fn replay_from(&mut self) -> Result<Option<u64>, StoreError> {
        let (what, sql) =
            ("reading recovery", format!("SELECT {} FROM recovery WHERE school_id = ?1", columns::RECOVERY));
        let found = self.connection.query_row(&sql, [self.school], |row| Ok(columns::recovery(row))).optional();
        match found.map_err(doing(what))? {
            Some(Ok((_, false))) => {
                Err(StoreError { what, why: "recovery: the digest beside it is not its own".to_owned() })
            }
            Some(Ok((from, true))) => Ok(Some(from)),
            Some(Err(_)) | None => Ok(None),
        }
    }

    fn blocks(&mut self, after: u64, most: u32) -> Result<Vec<Found<Block>>, StoreError> {
        let sql = format!("SELECT {} FROM block WHERE school_id = ?1 AND no > ?2 ORDER BY no LIMIT ?3", columns::BLOCK);
        let mut found = Vec::new();
        self.every("reading blocks", &sql, (self.school, bound(after), most), &mut |row| {
            found.push(columns::block(row).map_err(|misfit| Unreadable {
                at: first(row),
                row: format!("block {}", first(row)),
                why: misfit.to_string(),
            }));
        })?;
        Ok(found)
    }

    fn journal(&mut self, from: u64, to: u64, most: u32) -> Result<Vec<Found<JournalRow>>, StoreError> {
        let sql = format!(
            "SELECT {} FROM journal WHERE school_id = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4",
            columns::JOURNAL
        );
        let mut found = Vec::new();
        let asked = (self.school, bound(from), bound(to), most);
        self.every("reading the journal", &sql, asked, &mut |row| {
            found.push(columns::journal_row(row).map_err(|misfit| Unreadable {
                at: first(row),
                row: format!("journal row {}", first(row)),
                why: misfit.to_string(),
            }));
        })?;
        Ok(found)
    }

    fn accounts(&mut self, each: &mut dyn FnMut(Found<KeptAccount>)) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM account WHERE school_id = ?1 ORDER BY key", columns::ACCOUNT);
        let mut before: Option<AccountKey> = None;
        self.every("reading account rows", &sql, [self.school], &mut |row| {
            let kept = columns::account(row).map_err(|misfit| Unreadable {
                at: 0,
                row: match before {
                    Some(key) => format!("the account row after {}", crate::verify::name_of(&key)),
                    None => "the first account row".to_owned(),
                },
                why: misfit.to_string(),
            });
            before = kept.as_ref().map(|kept| kept.key).ok().or(before);
            each(kept);
        })
    }

    fn pendings(&mut self, each: &mut dyn FnMut(Found<KeptPending>)) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM pending WHERE school_id = ?1 ORDER BY seq", columns::PENDING);
        self.every("reading the money set aside", &sql, [self.school], &mut |row| {
            each(columns::pending(row).map_err(|misfit| Unreadable {
                at: first(row),
                row: format!("pending {}", first(row)),
                why: misfit.to_string(),
            }));
        })
    }

    fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        self.row_tables()
    }

    fn guard_rows(&mut self, table: &str, each: &mut dyn FnMut(GuardRow<'_>)) -> Result<(), StoreError> {
        if !super::plain_word(table) {
            return Err(StoreError { what: "reading guard rows", why: format!("{table:?} names no table") });
        }
        let sql = format!("SELECT key, body, digest FROM row_{table} WHERE school_id = ?1 ORDER BY key");
        self.every("reading guard rows", &sql, [self.school], &mut |row| {
            // A value of another type reads as nothing, and then fits no digest.
            let bytes = |column| row.get_ref(column).ok().and_then(|value| value.as_blob().ok()).unwrap_or_default();
            each(GuardRow { key: bytes(0), body: bytes(1), digest: bytes(2) });
        })
    }

    fn places(&mut self, each: &mut dyn FnMut(Found<KeptPlace<'_>>)) -> Result<(), StoreError> {
        let sql = "SELECT list, owner, at, key FROM listing WHERE school_id = ?1 ORDER BY list, owner, at, key";
        self.every("reading the lists", sql, [self.school], &mut |row| {
            let place = || {
                let (list, owner, at, key) = (row.get_ref(0)?, row.get_ref(1)?, row.get(2)?, row.get_ref(3)?);
                Ok::<_, rusqlite::Error>(KeptPlace {
                    list: list.as_str()?,
                    owner: owner.as_blob()?,
                    at,
                    key: key.as_blob()?,
                })
            };
            each(place().map_err(|why| Unreadable {
                at: 0,
                row: "a place in a list".to_owned(),
                why: why.to_string(),
            }));
        })
    }

    fn engine_check(&mut self) -> Result<Vec<String>, StoreError> {
        let mut said = Vec::new();
        self.every("checking the file", "PRAGMA integrity_check(50)", [], &mut |row| {
            said.push(row.get(0).unwrap_or_else(|why| format!("the answer cannot be read: {why}")));
        })?;
        said.retain(|line| line != "ok");
        let tables = self.row_tables()?;
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        if let Some(school) = u16::try_from(self.school).ok().and_then(SchoolId::new) {
            match migrations::differences(&self.connection, school, &tables) {
                Ok(told) => said.extend(told),
                Err(fault) => said.push(format!("its tables cannot be listed: {fault}")),
            }
        }
        Ok(said)
    }

    fn strays(&mut self) -> Result<Vec<String>, StoreError> {
        let what = "counting rows that belong to nobody";
        let mut tables: Vec<String> =
            ["journal", "block", "account", "pending", "recovery", "listing"].map(String::from).into();
        tables.extend(self.row_tables()?.into_iter().map(|table| format!("row_{table}")));
        let mut strays = Vec::new();
        for table in tables {
            let sql = format!("SELECT count(*) FROM {table} WHERE school_id < ?1 OR school_id > ?1");
            let count: i64 = self.connection.query_row(&sql, [self.school], |row| row.get(0)).map_err(doing(what))?;
            if count != 0 {
                strays.push(format!("{table} has {count} row(s) of another school"));
            }
        }
        for (table, column) in [("journal", "seq"), ("block", "no")] {
            let sql = format!("SELECT count(*) FROM {table} WHERE school_id = ?1 AND {column} < 1");
            let count: i64 = self.connection.query_row(&sql, [self.school], |row| row.get(0)).map_err(doing(what))?;
            if count != 0 {
                strays.push(format!("{table} has {count} row(s) with a {column} below 1"));
            }
        }
        Ok(strays)
    }
}
