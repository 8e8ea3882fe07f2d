use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger::{Account, AccountKey, Block, JournalRow, Micros, Pending, SchoolId, content_digest};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use teller::{Checkpoint, Commit, CommitError, Listing, RawKey, Recovered, RowWrite, Store, StoreError};

use super::{BOOK_FILE, LOCK_FILE, LOG_FILE, OpenFault, at, columns, doing, migrations, settings};

/// The one writer of a school's book.
///
/// Promise: when [`Store::commit`] returns `Ok`, a power cut loses nothing of the batch. While this value lives no other
/// writer can open the same data folder.
pub struct SqliteStore {
    /// Shows what is committed, while the writer is at work. Dropped first, so that the writer closes the file.
    reading: Mutex<Connection>,
    // Dropped before the lock: the file is closed when the next writer may come.
    writing: Mutex<Connection>,
    school: SchoolId,
    tables: BTreeMap<&'static str, RowSql>,
    lock: File,
    log: PathBuf,
    failed: AtomicBool,
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
        settings::wait(&connection, false).map_err(at(&path))?;
        let blocked: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(at(&path))?;
        settings::wait(&connection, true).map_err(at(&path))?;
        if blocked {
            // Somebody reads an earlier moment, so the log must stay: write it over with what it says.
            let log = dir.join(LOG_FILE);
            write_again(&log).map_err(|source| OpenFault::File { path: log, source })?;
        }
        let tables: BTreeMap<_, _> = tables.iter().map(|table| (*table, RowSql::of(table))).collect();
        let reading = super::read_only(dir, school)?;
        reading.set_prepared_statement_cache_capacity(tables.len().saturating_add(16));
        Ok(SqliteStore {
            reading: Mutex::new(reading),
            writing: Mutex::new(connection),
            school,
            tables,
            lock,
            log: dir.join(LOG_FILE),
            failed: AtomicBool::new(false),
        })
    }

    /// Gives the log all the room that it takes between two checkpoints, at once: a commit that makes its file longer syncs
    /// twice as long as one that writes over blocks which exist.
    ///
    /// What follows the newest commit in the log is zero, which no reader takes for a commit. Error: there is no room; the
    /// log is as it was, and commits are as safe as ever. Repeats: does nothing.
    pub fn lay_out_log(&self) -> std::io::Result<()> {
        let _nobody_commits = self.writing();
        lay_out(&self.log, settings::LOG_BYTES)
    }

    fn writing(&self) -> MutexGuard<'_, Connection> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SQLite calls a read that failed and a damaged page by one name; a disk that is gone does not sync either.
    fn ask_the_disk(&self) {
        if self.lock.sync_all().is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
    }

    fn read_rows(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let what = "reading rows";
        let school = self.school.get();
        let mut connection = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction().map_err(doing(what))?;
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
                && content_digest(at.table, &at.key, body) != digest.as_slice()
            {
                return Err(damaged(what, &format!("{} {}: its digest does not fit", at.table, crate::hex(&at.key))));
            }
            bodies.push(found.map(|(body, _)| body));
        }
        Ok(bodies)
    }

    /// One transaction that writes: all of it, or nothing.
    fn keep(&self, work: impl FnOnce(&Transaction<'_>) -> Result<(), CommitError>) -> Result<(), CommitError> {
        let mut connection = self.writing();
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        // Nothing was written yet.
        let transaction = begun.map_err(|why| match kind_of(&why) {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CommitError::Busy(why.to_string()),
            Some(ErrorCode::DiskFull) => CommitError::Full(why.to_string()),
            _ => unknown(why),
        })?;
        match work(&transaction) {
            Ok(()) => {
                fail_point!("store.written");
                transaction.commit().map_err(|why| match kind_of(&why) {
                    Some(ErrorCode::DiskFull) => CommitError::Full(why.to_string()),
                    _ => unknown(why),
                })?;
                fail_point!("store.committed");
                Ok(())
            }
            Err(fault) => {
                if let CommitError::Constraint(why) = &fault {
                    self.ask_the_disk();
                    if self.failed() {
                        return Err(CommitError::Unknown(why.clone()));
                    }
                }
                // Some errors, a full disk among them, have taken the whole transaction back already.
                if !transaction.is_autocommit() {
                    transaction.rollback().map_err(unknown)?;
                }
                Err(fault)
            }
        }
    }
}

#[cfg(feature = "failpoints")]
impl SqliteStore {
    /// Syncs less from now on, so that a drill can show that it notices. Never in the product.
    pub fn weaken(&self, synchronous: &str) -> Result<(), StoreError> {
        self.writing().pragma_update(None, "synchronous", synchronous).map_err(doing("weakening the store"))
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

/// Makes a file `length` bytes long, with zeros that are on the disk; a longer one stays as it is.
fn lay_out(path: &Path, length: u64) -> std::io::Result<()> {
    let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
    let before = file.seek(SeekFrom::End(0))?;
    let zeros = vec![0; 1 << 16];
    let mut left = length.saturating_sub(before);
    let mut laid_out = Ok(());
    while left > 0 && laid_out.is_ok() {
        let count = left.min(1 << 16);
        let piece = zeros.get(..usize::try_from(count).unwrap_or(0)).unwrap_or_default();
        laid_out = file.write_all(piece);
        left = left.saturating_sub(count);
    }
    match laid_out.and_then(|()| file.sync_all()) {
        Ok(()) => Ok(()),
        Err(why) => file.set_len(before).and(Err(why)),
    }
}

/// Journal rows for which room is made before they are read, at most; a sequence that was never written must not cost memory.
const MOST_AT_ONCE: usize = 1 << 21;

/// Writes a file over with its own content and syncs it: what lay in the page cache alone is then on the disk.
fn write_again(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        let at = file.stream_position()?;
        let count = file.read(&mut piece)?;
        if count == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(piece.get(..count).unwrap_or_default())?;
    }
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
    fn recover(&self) -> Result<Recovered, StoreError> {
        let mut connection = self.writing();
        let transaction = connection.transaction().map_err(doing("reading the book"))?;
        let (school, what) = (self.school.get(), "reading the checkpoint");
        let sql = format!("SELECT {} FROM recovery WHERE school_id = ?1", columns::RECOVERY);
        let found = transaction.query_row(&sql, [school], |row| Ok(columns::recovery(row))).optional();
        let found = found.map_err(doing(what))?.ok_or_else(|| damaged(what, "recovery has no row"))?;
        let (replay_from, fits) = found.map_err(|misfit| damaged(what, &misfit.to_string()))?;
        if !fits {
            return Err(damaged(what, "recovery: its digest does not fit"));
        }
        // Side by side, over two connections: nobody can write meanwhile.
        let (accounts, tail) = std::thread::scope(|scope| {
            let accounts = scope.spawn(|| {
                let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
                let transaction = reading.transaction().map_err(doing("reading account rows"))?;
                accounts(&transaction, school)
            });
            fail_point!("store.recovering");
            let tail = tail(&transaction, school, replay_from);
            let accounts = accounts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((accounts?, tail?))
        })?;
        let open = pendings(&transaction, school)?;
        let recovered = Recovered {
            accounts,
            pendings: pendings_before(&transaction, school, replay_from, &open, &tail)?,
            open,
            replay_from,
            tail,
            ..Recovered::default()
        };
        let newest = newest_block(&transaction, school)?;
        let head = recovered.tail.last().map_or(replay_from.saturating_sub(1), |row| row.seq);
        crate::verify::require_head(newest.as_ref(), head)?;
        Ok(match newest {
            Some(block) => Recovered { block: (block.no, block.link), at: block.at, ..recovered },
            None => Recovered { block: (0, [0; 32]), at: Micros::default(), ..recovered },
        })
    }

    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.read_rows(wanted).inspect_err(|_| self.ask_the_disk())
    }

    fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        if commit.school != self.school {
            return Err(CommitError::Constraint("the batch is another school's".to_owned()));
        }
        if let Some(row) = commit.rows.iter().find(|row| !self.tables.contains_key(row.at.table)) {
            return Err(CommitError::Constraint(no_table(row.at.table)));
        }
        let school = self.school.get();
        self.keep(|transaction| {
            // A number that is taken was taken by another writer: no command of this batch is to blame.
            let chained = write_journal(transaction, school, commit)
                .and_then(|()| write_block(transaction, school, &commit.block));
            chained.map_err(|why| match kind_of(&why) {
                Some(ErrorCode::ConstraintViolation) => CommitError::Fenced(why.to_string()),
                _ => refused(why),
            })?;
            write_rest(transaction, school, &self.tables, commit).map_err(refused)
        })
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        self.keep(|transaction| write_checkpoint(transaction, self.school.get(), checkpoint).map_err(refused))
    }
}

/// What a statement of a batch was refused for; the batch is taken back.
fn refused(why: rusqlite::Error) -> CommitError {
    match kind_of(&why) {
        // A damaged page, or a value too large, is met by the one command that needs it.
        Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseCorrupt | ErrorCode::TooBig) => {
            CommitError::Constraint(why.to_string())
        }
        Some(ErrorCode::DiskFull) => CommitError::Full(why.to_string()),
        _ => unknown(why),
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
    let sql = format!("SELECT {} FROM account WHERE school_id = ?1 ORDER BY key", columns::ACCOUNT);
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

fn tail(connection: &Connection, school: u16, replay_from: u64) -> Result<Vec<JournalRow>, StoreError> {
    let what = "reading the journal";
    let sql = format!("SELECT {} FROM journal WHERE school_id = ?1 AND seq >= ?2 ORDER BY seq", columns::JOURNAL);
    let mut statement = connection.prepare(&sql).map_err(doing(what))?;
    let from = columns::int(replay_from).map_err(doing(what))?;
    // A list that grows by doubling would touch twice the memory; most starts of a large book have a large tail.
    let newest: i64 = connection
        .query_row("SELECT coalesce(max(seq), 0) FROM journal WHERE school_id = ?1", [school], |row| row.get(0))
        .map_err(doing(what))?;
    let most = usize::try_from(newest.saturating_sub(from).saturating_add(1)).unwrap_or(0);
    let mut rows = statement.query((school, from)).map_err(doing(what))?;
    let mut tail = Vec::with_capacity(most.min(MOST_AT_ONCE));
    while let Some(row) = rows.next().map_err(doing(what))? {
        tail.push(columns::journal_row(row).map_err(|misfit| damaged(what, &misfit.to_string()))?);
    }
    Ok(tail)
}

/// What was set aside when row `replay_from` came: what is open now, and what the tail posted or voided.
fn pendings_before(
    connection: &Connection,
    school: u16,
    replay_from: u64,
    open: &[(u64, Pending)],
    tail: &[JournalRow],
) -> Result<Vec<(u64, Pending)>, StoreError> {
    let what = "reading what was set aside";
    let before = |seq: u64| seq > 0 && seq < replay_from;
    let mut pendings: BTreeMap<u64, Pending> = open.iter().filter(|(seq, _)| before(*seq)).copied().collect();
    let sql = format!("SELECT {} FROM journal WHERE school_id = ?1 AND seq = ?2", columns::JOURNAL);
    let mut statement = connection.prepare(&sql).map_err(doing(what))?;
    for seq in tail.iter().map(|row| row.ref_seq).filter(|seq| before(*seq)) {
        let at = columns::int(seq).map_err(doing(what))?;
        let row = statement.query_row((school, at), |row| Ok(columns::journal_row(row))).optional();
        let row = row.map_err(doing(what))?.ok_or_else(|| damaged(what, &format!("journal row {seq} is missing")))?;
        let row = row.map_err(|misfit| damaged(what, &format!("journal row {seq}: {misfit}")))?;
        pendings.insert(seq, crate::set_aside_by(&row));
    }
    Ok(pendings.into_iter().collect())
}

fn newest_block(connection: &Connection, school: u16) -> Result<Option<Block>, StoreError> {
    let what = "reading the newest block";
    let sql = format!("SELECT {} FROM block WHERE school_id = ?1 ORDER BY no DESC LIMIT 1", columns::BLOCK);
    let found = connection.query_row(&sql, [school], |row| Ok(columns::block(row))).optional().map_err(doing(what))?;
    found.transpose().map_err(|misfit| damaged(what, &misfit.to_string()))
}

fn write_journal(transaction: &Transaction<'_>, school: u16, commit: &Commit) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO journal VALUES (?1, ?2, ?3)")?;
    for (row, body) in commit.journal.iter().zip(commit.bodies.iter()) {
        insert.execute(params![school, columns::int(row.seq)?, body])?;
    }
    Ok(())
}

fn write_block(transaction: &Transaction<'_>, school: u16, block: &Block) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let (no, first_seq) = (columns::int(block.no)?, columns::int(block.first_seq)?);
    insert.execute(params![school, no, first_seq, block.rows, block.at.get(), columns::changes(block), block.link])?;
    Ok(())
}

/// Writes everything but the journal and its block; the caller commits or takes it back.
fn write_rest(
    transaction: &Transaction<'_>,
    school: u16,
    tables: &BTreeMap<&'static str, RowSql>,
    commit: &Commit,
) -> rusqlite::Result<()> {
    write_checkpoint(transaction, school, &commit.checkpoint)?;
    write_pendings(transaction, school, commit)?;
    write_rows(transaction, school, tables, &commit.rows)?;
    write_listings(transaction, school, &commit.unlist, &commit.enlist)
}

fn write_checkpoint(transaction: &Transaction<'_>, school: u16, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO account VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT DO UPDATE SET body = excluded.body, digest = excluded.digest";
    let mut upsert = transaction.prepare_cached(SQL)?;
    for (key, account) in &checkpoint.accounts {
        let (key, body) = (key.bytes(), account.encode());
        upsert.execute(params![school, key, body, columns::account_digest(&key, &body)])?;
    }
    let mut recovery = transaction.prepare_cached(
        "UPDATE recovery SET replay_from = ?2, digest = ?3 WHERE school_id = ?1 AND replay_from IS NOT ?2",
    )?;
    let digest = columns::recovery_digest(checkpoint.replay_from);
    recovery.execute(params![school, columns::int(checkpoint.replay_from)?, digest])?;
    Ok(())
}

fn write_pendings(transaction: &Transaction<'_>, school: u16, commit: &Commit) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO pending VALUES (?1, ?2, ?3, ?4)")?;
    for (seq, pending) in &commit.opened {
        let body = pending.encode();
        insert.execute(params![school, columns::int(*seq)?, body, columns::pending_digest(*seq, &body)])?;
    }
    let mut delete = transaction.prepare_cached("DELETE FROM pending WHERE school_id = ?1 AND seq = ?2")?;
    for seq in &commit.closed {
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
    use ledger::Bodies;

    use super::*;

    /// An empty folder.
    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("onecard-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        dir
    }

    fn store(dir: &Path) -> SqliteStore {
        let school = SchoolId::new(1).expect("a school");
        SqliteStore::open(dir, school, &["order"]).expect("opens")
    }

    #[test]
    fn a_log_that_was_laid_out_is_no_commit_and_takes_commits_in_the_room_it_has() {
        let dir = folder("laid-out");
        let log = dir.join(super::LOG_FILE);
        let length = || std::fs::metadata(&log).map(|log| log.len()).expect("the log is there");
        let opened = store(&dir);
        batch_of(&opened, 1, vec![1]).expect("is kept");
        opened.lay_out_log().expect("there is room");
        let laid_out = length();
        assert_eq!(laid_out, settings::LOG_BYTES);
        batch_of(&opened, 2, vec![2; 9_000]).expect("is kept");
        opened.lay_out_log().expect("there is nothing to do");
        assert_eq!(length(), laid_out, "written over, not made longer");

        // What a kill leaves behind: a copy is taken while the book is open.
        let copy = folder("laid-out-copy");
        for name in [BOOK_FILE, LOG_FILE] {
            std::fs::copy(dir.join(name), copy.join(name)).expect("is copied");
        }
        let again = store(&copy);
        let newest = again.recover().expect("is read").block.0;
        assert_eq!(newest, 2, "both batches, and nothing made of zeros");
        batch_of(&again, 3, vec![3]).expect("is kept");
        drop((opened, again));
        for dir in [dir, copy] {
            std::fs::remove_dir_all(&dir).expect("is removed");
        }
    }

    #[test]
    fn a_log_for_which_there_is_no_room_stays_as_it_was() {
        // Every write to this device ends with "no room".
        assert!(lay_out(Path::new("/dev/full"), 1).is_err());
        let dir = folder("no-room");
        let file = dir.join("log");
        std::fs::write(&file, [7; 10]).expect("is written");
        lay_out(&file, 4).expect("it is longer");
        assert_eq!(std::fs::read(&file).expect("is read"), [7; 10]);
        lay_out(&file, 70_000).expect("there is room");
        let laid_out = std::fs::read(&file).expect("is read");
        assert_eq!((laid_out.len(), &laid_out[..10]), (70_000, [7; 10].as_slice()));
        assert!(laid_out[10..].iter().all(|byte| *byte == 0));
        std::fs::remove_dir_all(&dir).expect("is removed");
    }

    fn batch_of(store: &SqliteStore, no: u64, body: Vec<u8>) -> Result<(), CommitError> {
        let at = RawKey { table: "order", key: no.to_be_bytes().to_vec() };
        let digest = content_digest(at.table, &at.key, &body);
        let block = Block { no, first_seq: 1, rows: 0, at: Micros::new(1), changes: Vec::new(), link: [0; 32] };
        store.commit(&Commit {
            school: store.school,
            journal: Vec::new(),
            bodies: Bodies::default(),
            opened: Vec::new(),
            closed: Vec::new(),
            rows: vec![RowWrite { at, body: Some(body), digest }],
            unlist: Vec::new(),
            enlist: Vec::new(),
            block,
            checkpoint: Checkpoint { accounts: Vec::new(), replay_from: 1 },
        })
    }

    #[test]
    fn m4_a_full_disk_keeps_nothing_and_works_again_when_there_is_room() {
        let dir = folder("full");
        let store = store(&dir);
        batch_of(&store, 1, vec![1; 100]).expect("there is room");
        let pages: i64 = store.writing().pragma_query_value(None, "page_count", |row| row.get(0)).expect("reads");
        store.writing().pragma_update(None, "max_page_count", pages.saturating_add(2)).expect("is set");
        let full = batch_of(&store, 2, vec![2; 100_000]);
        assert!(matches!(full, Err(CommitError::Full(_))), "{full:?}");
        let key = |no: u64| RawKey { table: "order", key: no.to_be_bytes().to_vec() };
        assert_eq!(store.load(&[key(1), key(2)]).expect("reads"), [Some(vec![1; 100]), None]);
        batch_of(&store, 2, vec![3; 10]).expect("a small one still fits");
        store.writing().pragma_update(None, "max_page_count", pages.saturating_add(1000)).expect("is set");
        batch_of(&store, 3, vec![2; 100_000]).expect("there is room again");
        assert_eq!(store.recover().expect("reads").block.0, 3);
        drop(store);
        std::fs::remove_dir_all(&dir).expect("is removed");
    }
}
