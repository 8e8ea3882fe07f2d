//! What only SQLite can promise or break: the lock, the settings, the file.

use std::path::Path;

use ledger::{SchoolId, Stage};
use rusqlite::Connection;
use store::sqlite::{BOOK_FILE, LOCK_FILE, OpenFault, SqliteArchive, SqliteReader, SqliteStore, is_served, school_of};
use teller::{CommitError, Store};

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
    assert!(is_served(folder.path()).expect("looks"));
    drop(first);
    assert!(flock(folder.path()));
    assert!(!is_served(folder.path()).expect("looks") && !is_served(Path::new("/no/such/folder")).expect("looks"));
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
        ("UPDATE account SET body = x'0000000003'", true),
        ("UPDATE account SET digest = x'00'", true),
        ("UPDATE pending SET digest = x'01'", true),
        ("UPDATE pending SET body = x'00'", true),
        ("UPDATE recovery SET replay_from = replay_from + 1", true),
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

/// Copies database and log as they stand, as another program would: the picture that a power cut leaves at best.
fn copy_of(dir: &Path) -> Folder {
    let copy = Folder::new();
    for file in [BOOK_FILE.to_owned(), format!("{BOOK_FILE}-wal")] {
        let from = dir.join(&file);
        let done = std::process::Command::new("cp").arg(from).arg(copy.path().join(file)).status().expect("runs");
        assert!(done.success());
    }
    copy
}

#[test]
fn a_log_cut_anywhere_recovers_whole_batches_and_verifies() {
    let folder = Folder::new();
    let mut store = open(folder.path()).expect("opens");
    let log = |dir: &Path| dir.join(format!("{BOOK_FILE}-wal"));
    let length = |dir: &Path| std::fs::metadata(log(dir)).expect("is there").len();
    let mut scribe = Scribe::new();
    let mut ends = vec![(length(folder.path()), scribe.block, 0)];
    for number in 0..12_u32 {
        let body = vec![u8::try_from(number).expect("small"); 3_000];
        let batch = scribe
            .batch(&[(Stage::Direct, BANK, holder(1), 5), (Stage::Pend, BANK, holder(2), 5)])
            .with_rows(vec![(order(number), Some(&body)), (order(number / 2), Some(&body))]);
        scribe.commit(&mut store, batch).expect("commits");
        ends.push((length(folder.path()), scribe.block, scribe.book.head()));
    }
    let frozen = copy_of(folder.path());
    let whole = std::fs::read(log(frozen.path())).expect("reads");
    let (mut cuts, mut seen) = (0, std::collections::BTreeSet::new());
    for cut in (usize::try_from(ends[0].0).expect("small")..=whole.len()).step_by(2_003).chain([whole.len()]) {
        let copy = Folder::new();
        std::fs::copy(frozen.path().join(BOOK_FILE), copy.path().join(BOOK_FILE)).expect("copies");
        std::fs::write(log(copy.path()), &whole[..cut]).expect("writes");
        let kept = open(copy.path()).expect("opens").recover().expect("recovers");
        let cut = u64::try_from(cut).expect("small");
        let (_, block, head) = ends.iter().rfind(|(end, ..)| *end <= cut).expect("the first is before every cut");
        assert_eq!((kept.block, kept.replay_from), (*block, *head + 1), "the log was cut at {cut}");
        let mut archive = SqliteArchive::open(copy.path(), school()).expect("opens");
        let found = store::verify::verify(school(), &mut archive, &[], &mut |_| {});
        assert!(found.clean() && found.journal_rows == *head, "the log was cut at {cut}\n{found}");
        seen.insert(kept.block.0);
        cuts += 1;
    }
    assert!(cuts > 40, "{cuts} cuts");
    assert_eq!(seen.len(), 13, "some batch was never the last to survive");
}

#[test]
fn a_book_verifies_while_it_is_written() {
    let place = OnDisk::new();
    let mut teller = crate::school::engine(place.open());
    crate::school::work(&mut teller, 20, 5);
    let writer = std::thread::spawn(move || {
        crate::school::work(&mut teller, 300, 5);
        teller.head().0
    });
    let mut newest = 0;
    let mut rounds = 0;
    while !writer.is_finished() {
        let found = store::verify::verify(school(), place.archive().as_mut(), &[], &mut |_| {});
        assert!(found.clean(), "{found}");
        assert!(found.blocks >= newest);
        (newest, rounds) = (found.blocks, rounds + 1);
    }
    let last = writer.join().expect("the writer is well");
    let found = store::verify::verify(school(), place.archive().as_mut(), &[], &mut |_| {});
    assert!(found.clean() && found.blocks == last && rounds > 2, "{rounds} rounds\n{found}");
}

#[test]
fn m9_a_copy_made_while_the_book_is_written_is_whole_and_of_one_moment() {
    let place = OnDisk::new();
    let mut teller = crate::school::engine(place.open());
    crate::school::work(&mut teller, 40, 5);
    // Some weight, of pages that are free again, so that a copy takes several steps.
    let raw = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
    raw.execute_batch("CREATE TABLE weight (x BLOB); INSERT INTO weight VALUES (zeroblob(6000000)); DROP TABLE weight")
        .expect("writes");
    drop(raw);
    let copies = Folder::new();
    let mut blocks = Vec::new();
    for number in 0..4 {
        let dir = copies.path().join(format!("{number}"));
        std::fs::create_dir(&dir).expect("a folder");
        let mut written = 0;
        // The writer commits within the copy, between two of its steps.
        store::sqlite::copy_book(place.0.path(), school(), &dir.join(BOOK_FILE), &mut |done, of| {
            assert!(done <= of);
            crate::school::work(&mut teller, 20, 8);
            written += 1;
        })
        .expect("copies");
        assert!(written > 4, "the copy was made in {written} steps");
        assert_eq!(std::fs::read_dir(&dir).expect("reads").count(), 1, "nothing lies beside the copy");
        let mut archive = SqliteArchive::open(&dir, school()).expect("opens");
        let found = store::verify::verify(school(), &mut archive, &[], &mut |_| {});
        assert!(found.clean(), "copy {number}\n{found}");
        blocks.push(found.blocks);
    }
    assert!(blocks.is_sorted_by(|earlier, later| earlier < later), "{blocks:?}");
    let last = copies.path().join("3");
    let mut again = crate::school::engine(open(&last).expect("a copy can be opened and gone on with"));
    crate::school::work(&mut again, 3, 5);
}

/// What an earlier process left in the log must be on the disk before anything is added behind it, also while somebody
/// reads an earlier moment and the log cannot be put away.
#[test]
fn m4_a_start_beside_a_reader_keeps_the_log_and_goes_on_behind_it() {
    let place = OnDisk::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    scribe.top_up(&mut store, 1, 100);
    let reader = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM journal").expect("holds a moment");
    scribe.top_up(&mut store, 2, 200);
    drop(store);
    let log = place.0.path().join(format!("{BOOK_FILE}-wal"));
    let before = std::fs::read(&log).expect("the reader keeps it");
    assert!(!before.is_empty());
    let mut store = place.open();
    assert_eq!(std::fs::read(&log).expect("is there"), before, "the log was written over with its own content");
    assert_eq!(store.recover().expect("recovers").block.0, 2);
    scribe.top_up(&mut store, 3, 300);
    drop(reader);
    drop(store);
    assert_eq!(place.open().recover().expect("recovers").block.0, 3);
    assert!(store::verify::verify(school(), place.archive().as_mut(), &[], &mut |_| {}).clean());
}

/// A damaged page is met by the command that needs it; the others, and the server, go on.
#[test]
fn m4_a_damaged_page_refuses_the_batch_that_needs_it_and_no_other() {
    use std::os::unix::fs::FileExt;
    let place = OnDisk::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    scribe.top_up(&mut store, 1, 100);
    drop(store);
    let file = place.0.path().join(BOOK_FILE);
    let raw = Connection::open(&file).expect("opens");
    let page: u32 = raw
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'listing'", [], |row| row.get(0))
        .expect("has a page");
    drop(raw);
    let written = std::fs::File::options().write(true).open(&file).expect("opens");
    written.write_all_at(&[0xEE; 4096], u64::from(page - 1) * 4096).expect("damages");
    drop(written);
    let mut store = place.open();
    let places = vec![crate::scribe::listing("orders", b"x", 5, b"k")];
    let batch = scribe.batch(&[]).with_rows(vec![(order(1), Some(b"x"))]).with_places(places, Vec::new());
    let outcome = scribe.commit(&mut store, batch.clone());
    assert!(matches!(outcome, Err(CommitError::Constraint(_))), "{outcome:?}");
    assert!(!store.failed(), "the disk is well");
    let mut without = batch;
    without.enlist.clear();
    scribe.commit(&mut store, without).expect("is kept");
    assert_eq!(store.recover().expect("recovers").block.0, 2);
}
