//! What only SQLite can promise or break: the lock, the settings, the file.

use std::path::Path;

use ledger::{SchoolId, Stage};
use rusqlite::Connection;
use store::sqlite::{BOOK_FILE, LOCK_FILE, OpenFault, SqliteArchive, SqliteReader, SqliteStore, school_of};
use teller::Store;

use crate::place::{Folder, OnDisk, Place, TABLES, now, school};
use crate::scribe::{BANK, Scribe, holder, order};

fn open(dir: &Path) -> Result<SqliteStore, OpenFault> {
    SqliteStore::open(dir, school(), TABLES)
}

#[test]
fn a_second_writer_is_told_what_to_do_and_the_lock_is_another_processes_too() {
    let folder = Folder::new();
    let first = open(folder.path()).expect("opens");
    let fault = open(folder.path()).err().expect("a second writer was let in");
    assert!(matches!(fault, OpenFault::InUse { .. }));
    let told = fault.to_string();
    assert!(told.contains("stop it first") && told.contains(&folder.path().display().to_string()), "{told}");
    // `flock` is another program: it sees the lock, and while it holds it, we do.
    let flock = |dir: &Path| {
        let lock = dir.join(LOCK_FILE);
        std::process::Command::new("flock").arg("--nonblock").arg(lock).arg("true").status().expect("runs").success()
    };
    assert!(!flock(folder.path()));
    drop(first);
    assert!(flock(folder.path()));
    open(folder.path()).expect("opens again");
}

#[test]
fn a_folder_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let dir = folder.path().join("new").join("data");
    drop(open(&dir).expect("opens"));
    let mode = std::fs::metadata(&dir).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn names_of_tables_are_plain_words() {
    let folder = Folder::new();
    for name in ["", "Order", "order; DROP TABLE journal", "order1", "or-der", "ä"] {
        let fault = SqliteStore::open(folder.path(), school(), &["order", name]).err().expect("took it");
        assert!(matches!(fault, OpenFault::Name(bad) if bad == name), "{fault}");
        assert!(SqliteReader::open(folder.path(), school(), &[name], 1).is_err());
    }
}

#[test]
fn a_book_of_another_school_or_version_is_not_opened() {
    let folder = Folder::new();
    drop(open(folder.path()).expect("opens"));
    let other = SchoolId::new(8).expect("a school");
    let foreign = |fault: OpenFault| matches!(fault, OpenFault::OtherSchool { found: 7, wanted: 8, .. });
    assert!(SqliteStore::open(folder.path(), other, TABLES).err().is_some_and(foreign));
    assert!(SqliteReader::open(folder.path(), other, TABLES, 1).err().is_some_and(foreign));
    assert!(SqliteArchive::open(folder.path(), other).err().is_some_and(foreign));
    assert_eq!(school_of(folder.path()).expect("tells"), school());
    let raw = Connection::open(folder.path().join(BOOK_FILE)).expect("opens");
    raw.execute_batch("INSERT INTO migration VALUES (99, 'later', x'00')").expect("writes");
    drop(raw);
    let newer = |fault: OpenFault| matches!(fault, OpenFault::Newer { number: 99, .. });
    assert!(open(folder.path()).err().is_some_and(newer));
    assert!(SqliteArchive::open(folder.path(), school()).err().is_some_and(newer));
}

#[test]
fn a_folder_without_a_book_is_not_read_and_nothing_is_made_in_it() {
    let folder = Folder::new();
    let missing = |fault: OpenFault| matches!(fault, OpenFault::Missing { .. });
    assert!(SqliteReader::open(folder.path(), school(), TABLES, 1).err().is_some_and(missing));
    assert!(SqliteArchive::open(folder.path(), school()).err().is_some_and(missing));
    assert!(school_of(folder.path()).err().is_some_and(missing));
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0);
}

#[test]
fn a_file_that_cannot_have_a_write_ahead_log_is_refused() {
    let folder = Folder::new();
    drop(open(folder.path()).expect("opens"));
    // Another program keeps the file in the old journal mode and reads in it.
    let raw = Connection::open(folder.path().join(BOOK_FILE)).expect("opens");
    let mode: String = raw.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).expect("changes");
    assert_eq!(mode, "delete");
    raw.execute_batch("BEGIN; SELECT * FROM recovery").expect("reads");
    assert!(open(folder.path()).is_err(), "ran without a write-ahead log");
    raw.execute_batch("COMMIT").expect("ends");
    drop(raw);
    drop(open(folder.path()).expect("opens, and sets the mode itself"));
}

#[test]
fn the_log_is_kept_at_its_largest_size() {
    let folder = Folder::new();
    let mut store = open(folder.path()).expect("opens");
    let mut scribe = Scribe::new();
    let log = folder.path().join(format!("{BOOK_FILE}-wal"));
    let mut sizes = Vec::new();
    for number in 0..120_u32 {
        let body = vec![u8::try_from(number).expect("small"); 400_000];
        let batch = scribe.batch(&[]).with_rows(vec![(order(number % 3), Some(&body))]);
        scribe.commit(&mut store, batch).expect("commits");
        sizes.push(std::fs::metadata(&log).expect("is there").len());
    }
    assert!(sizes.is_sorted(), "the log was truncated");
    let last = sizes.last().copied().unwrap_or(0);
    assert!(last < 25_000_000, "the log is not begun anew: {last} bytes");
    assert!(last > 15_000_000, "the test never filled the log: {last} bytes");
}

#[test]
fn a_damaged_row_is_found_when_it_is_loaded_or_recovered() {
    let cases = [
        ("UPDATE row_order SET body = x'00'", false),
        ("UPDATE row_order SET digest = zeroblob(16)", false),
        ("UPDATE account SET credits_posted = credits_posted + 1 WHERE code = 2000", true),
        ("UPDATE account SET digest = x'00'", true),
        ("UPDATE pending SET amount = amount + 1", true),
        ("UPDATE pending SET credit_part = -1", true),
        ("UPDATE recovery SET applied_seq = applied_seq + 1", true),
        ("DELETE FROM recovery", true),
    ];
    for (damage, at_start) in cases {
        let place = OnDisk::new();
        let mut store = place.open();
        let mut scribe = Scribe::new();
        let batch = scribe
            .batch(&[(Stage::Direct, BANK, holder(1), 5), (Stage::Pend, BANK, holder(1), 5)])
            .with_rows(vec![(order(1), Some(b"x"))]);
        scribe.commit(&mut store, batch).expect("commits");
        let raw = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
        raw.execute_batch(damage).expect("damages");
        let told = match at_start {
            true => store.recover().expect_err(damage).to_string(),
            false => store.load(&[order(1)]).expect_err(damage).to_string(),
        };
        assert!(told.contains("onecard verify"), "{damage}: {told}");
    }
}

#[test]
fn readers_work_beside_the_writer_on_many_threads() {
    let place = OnDisk::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    scribe.top_up(&mut store, 1, 1);
    let reader = std::sync::Arc::new(SqliteReader::open(place.0.path(), school(), TABLES, 2).expect("opens"));
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            use flows::ports::Reader;
            let (reader, stop) = (std::sync::Arc::clone(&reader), std::sync::Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut newest = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let rows = now(reader.journal((1..=200).collect())).expect("reads");
                    assert!(rows.iter().map(|row| row.seq).eq(1..=u64::try_from(rows.len()).expect("few")));
                    assert!(rows.len() >= newest, "a reader went back in time");
                    newest = rows.len();
                }
                newest
            })
        })
        .collect();
    for _ in 0..150 {
        scribe.top_up(&mut store, 1, 1);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().expect("no reader failed") <= 151);
    }
}
