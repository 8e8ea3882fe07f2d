use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

use ledger::{Account, AccountKey, Block, JournalRow, Micros, Pending, SchoolId, row_digest};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use teller::{Commit, CommitError, Listing, RawKey, Recovered, RowWrite, Store, StoreError};

use super::{BOOK_FILE, LOCK_FILE, OpenFault, at, columns, doing, migrations, settings};

/// The one writer of a school's book.
///
/// Promise: when [`Store::commit`] returns `Ok`, a power cut loses nothing of the batch. While this value lives no other
/// writer can open the same data folder.
pub struct SqliteStore {
    // Dropped before the lock: the file is closed when the next writer may come.
    connection: Connection,
    school: SchoolId,
    tables: BTreeMap<&'static str, RowSql>,
    _lock: File,
}

/// The statements for one table of guard rows.
struct RowSql {
    read: String,
    write: String,
    delete: String,
}

impl RowSql {
    fn of(table: &str) -> RowSql {
        RowSql {
            read: format!("SELECT body, digest FROM row_{table} WHERE school_id = ?1 AND key = ?2"),
            write: format!(
                "INSERT INTO row_{table} VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET body = excluded.body, digest = excluded.digest"
            ),
            delete: format!("DELETE FROM row_{table} WHERE school_id = ?1 AND key = ?2"),
        }
    }
}

impl SqliteStore {
    /// Opens the book in `dir` for writing; makes folder, file and tables where they are missing.
    ///
    /// Shape: `tables` are the names of all guard rows' tables, lower-case letters and `_`.
    /// Errors, first match wins: `Name`, `File`, `InUse`, `Sqlite`, `Setting`, `Newer`, `OtherMigration`, `OtherSchool`.
    pub fn open(dir: &Path, school: SchoolId, tables: &[&'static str]) -> Result<SqliteStore, OpenFault> {
        if let Some(name) = tables.iter().find(|name| !super::plain_word(name)) {
            return Err(OpenFault::Name(name));
        }
        make_folder(dir).map_err(|source| OpenFault::File { path: dir.to_owned(), source })?;
        let lock = lock(dir)?;
        let path = dir.join(BOOK_FILE);
        let mut connection = Connection::open(&path).map_err(at(&path))?;
        settings::for_writing(&connection).map_err(at(&path))?;
        settings::require_durable(&connection, &path)?;
        connection.set_prepared_statement_cache_capacity(tables.len().saturating_mul(3).saturating_add(16));
        migrations::run(&mut connection, &path, school, tables)?;
        fail_point!("store.opened");
        // What an earlier process left in the log may lie in the page cache alone, if its sync failed: it must be in the
        // file, and the file on the disk, before anything is added behind it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(at(&path))?;
        let tables = tables.iter().map(|table| (*table, RowSql::of(table))).collect();
        Ok(SqliteStore { connection, school, tables, _lock: lock })
    }
}

#[cfg(feature = "failpoints")]
impl SqliteStore {
    /// Syncs less from now on, so that a drill can show that it notices. Never in the product.
    pub fn weaken(&self, synchronous: &str) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "synchronous", synchronous).map_err(doing("weakening the store"))
    }
}

/// Makes the data folder, for its owner alone, and sees to it that it is still there after a power cut.
fn make_folder(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(dir)?;
    #[cfg(unix)]
    if let Some(parent) = dir.canonicalize()?.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, OpenFault> {
    let path = dir.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| OpenFault::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenFault::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenFault::File { path, source }),
    }
}

impl Store for SqliteStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let transaction = self.connection.transaction().map_err(doing("reading the book"))?;
        let (school, what) = (self.school.get(), "reading the checkpoint");
        let applied = transaction
            .query_row("SELECT applied_seq FROM recovery WHERE school_id = ?1", [school], |row| row.get::<_, i64>(0))
            .optional()
            .map_err(doing(what))?
            .and_then(|seq| u64::try_from(seq).ok())
            .ok_or_else(|| damaged(what, "recovery has no applied_seq"))?;
        let accounts = accounts(&transaction, school)?;
        fail_point!("store.recovering");
        let recovered = Recovered {
            accounts,
            pendings: pendings(&transaction, school)?,
            applied_seq: applied,
            tail: tail(&transaction, school, applied)?,
            ..Recovered::default()
        };
        let newest = newest_block(&transaction, school)?;
        let head = recovered.tail.last().map_or(applied, |row| row.seq);
        crate::verify::require_head(newest.as_ref(), head)?;
        Ok(match newest {
            Some(block) => Recovered { block: (block.no, block.link), at: block.at, ..recovered },
            None => Recovered { block: (0, [0; 32]), at: Micros::default(), ..recovered },
        })
    }

    fn load(&mut self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let what = "reading rows";
        let school = self.school.get();
        let transaction = self.connection.transaction().map_err(doing(what))?;
        let mut statement: Option<(&'static str, CachedStatement<'_>)> = None;
        let mut bodies = Vec::with_capacity(wanted.len());
        for at in wanted {
            if statement.as_ref().is_none_or(|(table, _)| *table != at.table) {
                let sql = self.tables.get(at.table).ok_or_else(|| damaged(what, &no_table(at.table)))?;
                statement = Some((at.table, transaction.prepare_cached(&sql.read).map_err(doing(what))?));
            }
            let Some((_, read)) = &mut statement else { continue };
            let found = read
                .query_row(params![school, at.key], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
                .optional()
                .map_err(doing(what))?;
            if let Some((body, digest)) = &found
                && row_digest(at.table, &at.key, Some(body)).content != digest.as_slice()
            {
                return Err(damaged(what, &format!("{} {}: its digest does not fit", at.table, crate::hex(&at.key))));
            }
            bodies.push(found.map(|(body, _)| body));
        }
        Ok(bodies)
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), CommitError> {
        if commit.school != self.school {
            return Err(CommitError::Constraint("the batch is another school's".to_owned()));
        }
        if let Some(row) = commit.rows.iter().find(|row| !self.tables.contains_key(row.at.table)) {
            return Err(CommitError::Constraint(no_table(row.at.table)));
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unknown)?;
        match write(&transaction, self.school.get(), &self.tables, commit) {
            Ok(()) => {
                fail_point!("store.written");
                transaction.commit().map_err(|why| match kind_of(&why) {
                    Some(ErrorCode::DiskFull) => CommitError::Full(why.to_string()),
                    _ => unknown(why),
                })?;
                fail_point!("store.committed");
                Ok(())
            }
            Err(why) => {
                // Some errors, a full disk among them, have taken the whole transaction back already.
                if !transaction.is_autocommit() {
                    transaction.rollback().map_err(unknown)?;
                }
                Err(match kind_of(&why) {
                    Some(ErrorCode::ConstraintViolation) => CommitError::Constraint(why.to_string()),
                    Some(ErrorCode::DiskFull) => CommitError::Full(why.to_string()),
                    _ => unknown(why),
                })
            }
        }
    }
}

fn kind_of(why: &rusqlite::Error) -> Option<ErrorCode> {
    why.sqlite_error_code()
}

fn unknown(why: rusqlite::Error) -> CommitError {
    CommitError::Unknown(why.to_string())
}

fn no_table(table: &str) -> String {
    format!("there is no table {table}")
}

fn damaged(what: &'static str, why: &str) -> StoreError {
    StoreError { what, why: format!("{why}; run `onecard verify`") }
}

fn accounts(connection: &Connection, school: u16) -> Result<Vec<(AccountKey, Account)>, StoreError> {
    let what = "reading account rows";
    let sql = format!("SELECT {} FROM account WHERE school_id = ?1 ORDER BY code, owner, part", columns::ACCOUNT);
    let mut statement = connection.prepare(&sql).map_err(doing(what))?;
    let mut rows = statement.query([school]).map_err(doing(what))?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next().map_err(doing(what))? {
        let kept = columns::account(row).map_err(|misfit| damaged(what, &misfit.to_string()))?;
        if !kept.digest_fits {
            return Err(damaged(what, &format!("{}: its digest does not fit", crate::verify::name_of(&kept.key))));
        }
        accounts.push((kept.key, kept.account));
    }
    Ok(accounts)
}

fn pendings(connection: &Connection, school: u16) -> Result<Vec<(u64, Pending)>, StoreError> {
    let what = "reading the money set aside";
    let sql = format!("SELECT {} FROM pending WHERE school_id = ?1 ORDER BY seq", columns::PENDING);
    let mut statement = connection.prepare(&sql).map_err(doing(what))?;
    let mut rows = statement.query([school]).map_err(doing(what))?;
    let mut pendings = Vec::new();
    while let Some(row) = rows.next().map_err(doing(what))? {
        let kept = columns::pending(row).map_err(|misfit| damaged(what, &misfit.to_string()))?;
        if !kept.digest_fits {
            return Err(damaged(what, &format!("pending {}: its digest does not fit", kept.seq)));
        }
        pendings.push((kept.seq, kept.pending));
    }
    Ok(pendings)
}

fn tail(connection: &Connection, school: u16, applied: u64) -> Result<Vec<JournalRow>, StoreError> {
    let what = "reading the journal";
    let sql = format!("SELECT {} FROM journal WHERE school_id = ?1 AND seq > ?2 ORDER BY seq", columns::JOURNAL);
    let mut statement = connection.prepare(&sql).map_err(doing(what))?;
    let applied = columns::int(applied).map_err(doing(what))?;
    let mut rows = statement.query((school, applied)).map_err(doing(what))?;
    let mut tail = Vec::new();
    while let Some(row) = rows.next().map_err(doing(what))? {
        tail.push(columns::journal_row(row).map_err(|misfit| damaged(what, &misfit.to_string()))?);
    }
    Ok(tail)
}

fn newest_block(connection: &Connection, school: u16) -> Result<Option<Block>, StoreError> {
    let what = "reading the newest block";
    let sql = format!("SELECT {} FROM block WHERE school_id = ?1 ORDER BY no DESC LIMIT 1", columns::BLOCK);
    let found = connection.query_row(&sql, [school], |row| Ok(columns::block(row))).optional().map_err(doing(what))?;
    found.transpose().map_err(|misfit| damaged(what, &misfit.to_string()))
}

/// Writes the whole batch; the caller commits or takes it back.
fn write(
    transaction: &Transaction<'_>,
    school: u16,
    tables: &BTreeMap<&'static str, RowSql>,
    commit: &Commit<'_>,
) -> rusqlite::Result<()> {
    write_journal(transaction, school, commit.journal)?;
    write_block(transaction, school, commit.block)?;
    write_accounts(transaction, school, commit.accounts)?;
    write_pendings(transaction, school, commit)?;
    write_rows(transaction, school, tables, commit.rows)?;
    write_listings(transaction, school, commit.unlist, commit.enlist)?;
    let mut applied = transaction.prepare_cached("UPDATE recovery SET applied_seq = ?2 WHERE school_id = ?1")?;
    applied.execute((school, columns::int(commit.applied_seq)?))?;
    Ok(())
}

fn write_journal(transaction: &Transaction<'_>, school: u16, rows: &[JournalRow]) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO journal VALUES \
        (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
    let mut insert = transaction.prepare_cached(SQL)?;
    for row in rows {
        insert.execute(params![
            school,
            columns::int(row.seq)?,
            row.id.bytes(),
            columns::kind(row.kind),
            row.debit.code.0,
            row.debit.owner.to_be_bytes(),
            row.debit.part,
            row.credit.code.0,
            row.credit.owner.to_be_bytes(),
            row.credit.part,
            row.amount.get(),
            columns::int(row.ref_seq)?,
            columns::int(row.debit_prev)?,
            columns::int(row.credit_prev)?,
            row.debit_balance.get(),
            row.credit_balance.get(),
            row.recorded_at.get(),
            row.effective_at.get(),
            row.code,
            row.reference.bytes(),
        ])?;
    }
    Ok(())
}

fn write_block(transaction: &Transaction<'_>, school: u16, block: &Block) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let (no, first_seq) = (columns::int(block.no)?, columns::int(block.first_seq)?);
    insert.execute(params![school, no, first_seq, block.rows, block.at.get(), columns::changes(block), block.link])?;
    Ok(())
}

fn write_accounts(
    transaction: &Transaction<'_>,
    school: u16,
    accounts: &[(AccountKey, Account)],
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET \
        debits_posted = excluded.debits_posted, credits_posted = excluded.credits_posted, \
        debits_pending = excluded.debits_pending, credits_pending = excluded.credits_pending, \
        last_seq = excluded.last_seq, digest = excluded.digest";
    let mut upsert = transaction.prepare_cached(SQL)?;
    for (key, account) in accounts {
        upsert.execute(params![
            school,
            key.code.0,
            key.owner.to_be_bytes(),
            key.part,
            account.debits_posted.get(),
            account.credits_posted.get(),
            account.debits_pending.get(),
            account.credits_pending.get(),
            columns::int(account.last_seq)?,
            columns::account_digest(key, account),
        ])?;
    }
    Ok(())
}

fn write_pendings(transaction: &Transaction<'_>, school: u16, commit: &Commit<'_>) -> rusqlite::Result<()> {
    let mut insert =
        transaction.prepare_cached("INSERT INTO pending VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for (seq, pending) in commit.opened {
        insert.execute(params![
            school,
            columns::int(*seq)?,
            pending.debit.code.0,
            pending.debit.owner.to_be_bytes(),
            pending.debit.part,
            pending.credit.code.0,
            pending.credit.owner.to_be_bytes(),
            pending.credit.part,
            pending.amount.get(),
            columns::pending_digest(*seq, pending),
        ])?;
    }
    let mut delete = transaction.prepare_cached("DELETE FROM pending WHERE school_id = ?1 AND seq = ?2")?;
    for seq in commit.closed {
        delete.execute((school, columns::int(*seq)?))?;
    }
    Ok(())
}

fn write_rows(
    transaction: &Transaction<'_>,
    school: u16,
    tables: &BTreeMap<&'static str, RowSql>,
    rows: &[RowWrite],
) -> rusqlite::Result<()> {
    for RowWrite { at, body, digest } in rows {
        let Some(sql) = tables.get(at.table) else { continue };
        match body {
            Some(body) => {
                transaction.prepare_cached(&sql.write)?.execute(params![school, at.key, body, digest])?;
            }
            None => {
                transaction.prepare_cached(&sql.delete)?.execute(params![school, at.key])?;
            }
        }
    }
    Ok(())
}

/// Lists are derived data: a place taken twice or left twice is no reason to refuse money.
fn write_listings(
    transaction: &Transaction<'_>,
    school: u16,
    unlist: &[Listing],
    enlist: &[Listing],
) -> rusqlite::Result<()> {
    let mut delete = transaction.prepare_cached(
        "DELETE FROM listing WHERE school_id = ?1 AND list = ?2 AND owner = ?3 AND at = ?4 AND key = ?5",
    )?;
    for place in unlist {
        delete.execute(params![school, place.list, place.owner, place.at, place.key])?;
    }
    let mut insert =
        transaction.prepare_cached("INSERT INTO listing VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING")?;
    for place in enlist {
        insert.execute(params![school, place.list, place.owner, place.at, place.key])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path) -> SqliteStore {
        let school = SchoolId::new(1).expect("a school");
        SqliteStore::open(dir, school, &["order"]).expect("opens")
    }

    fn batch_of(store: &mut SqliteStore, no: u64, body: Vec<u8>) -> Result<(), CommitError> {
        let at = RawKey { table: "order", key: no.to_be_bytes().to_vec() };
        let digest = row_digest(at.table, &at.key, Some(&body)).content;
        let block = Block { no, first_seq: 1, rows: 0, at: Micros::new(1), changes: Vec::new(), link: [0; 32] };
        store.commit(&Commit {
            school: store.school,
            journal: &[],
            accounts: &[],
            opened: &[],
            closed: &[],
            rows: &[RowWrite { at, body: Some(body), digest }],
            unlist: &[],
            enlist: &[],
            block: &block,
            applied_seq: 0,
        })
    }

    #[test]
    fn m4_a_full_disk_keeps_nothing_and_works_again_when_there_is_room() {
        let dir = std::env::temp_dir().join(format!("onecard-full-{}", std::process::id()));
        let mut store = store(&dir);
        batch_of(&mut store, 1, vec![1; 100]).expect("there is room");
        let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).expect("reads");
        store.connection.pragma_update(None, "max_page_count", pages.saturating_add(2)).expect("is set");
        let full = batch_of(&mut store, 2, vec![2; 100_000]);
        assert!(matches!(full, Err(CommitError::Full(_))), "{full:?}");
        let key = |no: u64| RawKey { table: "order", key: no.to_be_bytes().to_vec() };
        assert_eq!(store.load(&[key(1), key(2)]).expect("reads"), [Some(vec![1; 100]), None]);
        batch_of(&mut store, 2, vec![3; 10]).expect("a small one still fits");
        store.connection.pragma_update(None, "max_page_count", pages.saturating_add(1000)).expect("is set");
        batch_of(&mut store, 3, vec![2; 100_000]).expect("there is room again");
        assert_eq!(store.recover().expect("reads").block.0, 3);
        drop(store);
        std::fs::remove_dir_all(&dir).expect("is removed");
    }
}
