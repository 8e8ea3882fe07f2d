//! The reporting table after crashes, damage and a restored book: made right again, or told.

use std::path::Path;

use ledger::{Block, JournalRow, Micros, Stage};
use rules::calendar::CampusMonth;
use rusqlite::Connection;
use rusqlite::types::Value;
use store::sqlite::reports::{REPORTS_FILE, ReportFault, ReportReader, ReportWriter};
use store::sqlite::{BOOK_FILE, SqliteArchive};
use store::verify::{Archive, Found, GuardRow, KeptAccount, KeptPending, KeptPlace};
use teller::StoreError;

use crate::place::{Folder, InMemory, OnDisk, Place, school};
use crate::reports::three_months;
use crate::school::{engine, work};
use crate::scribe::{BANK, Scribe, holder};
use crate::tamper::tamper;

fn month(text: &str) -> CampusMonth {
    CampusMonth::parse(text).expect("a month")
}

fn writer(dir: &Path) -> ReportWriter {
    ReportWriter::open(dir, school()).expect("opens")
}

/// Feeds until nothing is left. Gives whether anything was made anew.
fn feed_all(dir: &Path, book: &mut dyn Archive) -> bool {
    let (mut writer, mut anew) = (writer(dir), false);
    loop {
        let fed = writer.feed(book, 7).expect("feeds");
        anew |= fed.anew;
        if fed.complete {
            return anew;
        }
    }
}

/// Every row of every table.
fn everything(dir: &Path) -> Vec<Vec<Value>> {
    let raw = Connection::open(dir.join(REPORTS_FILE)).expect("opens");
    let mut all = Vec::new();
    for table in ["taken", "movement", "month_total", "open_pend"] {
        let mut read = raw.prepare(&format!("SELECT * FROM {table}")).expect("reads");
        let width = read.column_count();
        let rows = read.query_map([], |row| (0..width).map(|column| row.get(column)).collect());
        all.extend(rows.expect("reads").collect::<Result<Vec<Vec<Value>>, _>>().expect("reads"));
    }
    all
}

/// What a table that was never disturbed holds.
fn undisturbed(book: &mut dyn Archive) -> Vec<Vec<Value>> {
    let folder = Folder::new();
    assert!(!feed_all(folder.path(), book));
    everything(folder.path())
}

/// A book that calls before every read of its journal, and does not answer when the call says no.
struct Watched<'a> {
    book: Box<dyn Archive>,
    each: Box<dyn FnMut() -> bool + 'a>,
}

impl Archive for Watched<'_> {
    fn freeze(&mut self) -> Result<(), StoreError> {
        self.book.freeze()
    }
    fn replay_from(&mut self) -> Result<Option<u64>, StoreError> {
        self.book.replay_from()
    }
    fn blocks(&mut self, after: u64, most: u32) -> Result<Vec<Found<Block>>, StoreError> {
        self.book.blocks(after, most)
    }
    fn journal(&mut self, from: u64, to: u64, most: u32) -> Result<Vec<Found<JournalRow>>, StoreError> {
        if !(self.each)() {
            return Err(StoreError { what: "reading the journal", why: "the test says no".to_owned() });
        }
        self.book.journal(from, to, most)
    }
    fn accounts(&mut self, each: &mut dyn FnMut(Found<KeptAccount>)) -> Result<(), StoreError> {
        self.book.accounts(each)
    }
    fn pendings(&mut self, each: &mut dyn FnMut(Found<KeptPending>)) -> Result<(), StoreError> {
        self.book.pendings(each)
    }
    fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        self.book.tables()
    }
    fn guard_rows(&mut self, table: &str, each: &mut dyn FnMut(GuardRow<'_>)) -> Result<(), StoreError> {
        self.book.guard_rows(table, each)
    }
    fn places(&mut self, each: &mut dyn FnMut(Found<KeptPlace<'_>>)) -> Result<(), StoreError> {
        self.book.places(each)
    }
    fn engine_check(&mut self) -> Result<Vec<String>, StoreError> {
        self.book.engine_check()
    }
    fn strays(&mut self) -> Result<Vec<String>, StoreError> {
        self.book.strays()
    }
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).expect("reads") {
        let file = file.expect("reads");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copies");
    }
}

#[test]
fn a_process_killed_within_any_chunk_leaves_what_was_committed_before_it_and_the_next_goes_on() {
    let place = InMemory::new();
    work(&mut engine(place.open()), 40, 7);
    let whole = undisturbed(place.archive().as_mut());
    let (folder, mut left) = (Folder::new(), Vec::new());
    // The files as they stand on the disk in the middle of each chunk: that is what a killed process leaves.
    let mut book = Watched {
        book: place.archive(),
        each: Box::new(|| {
            let killed = Folder::new();
            copy(folder.path(), killed.path());
            left.push(killed);
            true
        }),
    };
    let mut feeding = writer(folder.path());
    while !feeding.feed(&mut book, 60).expect("feeds").complete {}
    drop((feeding, book));
    assert!(left.len() >= 30, "{} moments", left.len());
    assert_eq!(everything(folder.path()), whole);
    let mut midway = 0;
    for killed in left {
        let before = writer(killed.path()).position().expect("reads").head.seq;
        midway += usize::from(before > 0);
        assert!(!feed_all(killed.path(), place.archive().as_mut()), "what is there is good");
        assert_eq!(everything(killed.path()), whole, "killed after row {before} was taken");
    }
    assert!(midway >= 15, "{midway} of them had taken something");
}

#[test]
fn a_chunk_that_cannot_be_read_to_its_end_is_not_taken_at_all() {
    let place = InMemory::new();
    work(&mut engine(place.open()), 20, 7);
    let whole = undisturbed(place.archive().as_mut());
    let folder = Folder::new();
    let mut failures = 0;
    for fails_at in 1..=12 {
        let mut reads = 0;
        let each = move || {
            reads += 1;
            reads != fails_at
        };
        let mut book = Watched { book: place.archive(), each: Box::new(each) };
        let mut writer = writer(folder.path());
        let before = writer.position().expect("reads");
        match writer.feed(&mut book, 40) {
            Ok(fed) => assert!(fed.position == before || fed.rows > 0),
            Err(fault) => {
                assert!(matches!(fault, ReportFault::Book(_)), "{fault}");
                assert_eq!(writer.position().expect("reads"), before);
                failures += 1;
            }
        }
    }
    assert!(failures >= 3, "{failures}");
    assert!(!feed_all(folder.path(), place.archive().as_mut()));
    assert_eq!(everything(folder.path()), whole);
}

#[test]
fn a_damaged_table_is_made_again() {
    let place = InMemory::new();
    work(&mut engine(place.open()), 20, 7);
    let folder = Folder::new();
    let path = folder.path().join(REPORTS_FILE);
    let damages: [(&str, &dyn Fn()); 9] = [
        ("deleted", &|| std::fs::remove_file(&path).expect("deletes")),
        ("no database", &|| std::fs::write(&path, b"not a database, but long enough for one").expect("writes")),
        ("empty", &|| std::fs::write(&path, b"").expect("writes")),
        ("cut short", &|| {
            let bytes = std::fs::read(&path).expect("reads");
            std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("writes");
        }),
        ("a table is gone", &|| sql(&path, "DROP TABLE open_pend")),
        ("the position is gone", &|| sql(&path, "DELETE FROM taken")),
        ("the position is behind what was taken", &|| sql(&path, "UPDATE taken SET block = 0, seq = 0")),
        ("of another form", &|| sql(&path, "PRAGMA user_version = 77")),
        ("a balance is another one", &|| sql(&path, "UPDATE month_total SET closing = closing + 1")),
    ];
    for (what, damage) in damages {
        feed_all(folder.path(), place.archive().as_mut());
        assert_eq!(everything(folder.path()), undisturbed(place.archive().as_mut()), "before: {what}");
        damage();
        // Something new to take, so that a wrong balance is looked at.
        work(&mut engine(place.open()), 3, 7);
        feed_all(folder.path(), place.archive().as_mut());
        assert_eq!(everything(folder.path()), undisturbed(place.archive().as_mut()), "{what}");
    }
}

fn sql(path: &Path, sql: &str) {
    Connection::open(path).expect("opens").execute_batch(sql).expect(sql);
}

#[test]
fn a_restored_or_replaced_book_is_noticed_by_the_link_of_the_block_taken_last() {
    let (place, folder) = (OnDisk::new(), Folder::new());
    let book = |place: &OnDisk| SqliteArchive::open(place.0.path(), school()).expect("opens");
    let mut store = place.open();
    let mut scribe = three_months(&mut store);
    drop(store);
    let backup = Folder::new();
    copy(place.0.path(), backup.path());
    let mut store = place.open();
    for fen in 1..=5 {
        scribe.top_up(&mut store, 1, fen);
    }
    drop(store);
    assert!(!feed_all(folder.path(), &mut book(&place)));
    let reader = ReportReader::open(folder.path(), school()).expect("opens");

    // Yesterday's backup comes back: the block taken last is not there.
    std::fs::copy(backup.path().join(BOOK_FILE), place.0.path().join(BOOK_FILE)).expect("restores");
    let told = reader.check_month(&mut book(&place), month("2026-11"), &mut |_, _| {});
    assert!(matches!(told, Err(ReportFault::OtherBook { .. })), "{told:?}");
    drop(reader);
    assert!(feed_all(folder.path(), &mut book(&place)));
    assert_eq!(everything(folder.path()), undisturbed(&mut book(&place)));
    assert!(!feed_all(folder.path(), &mut book(&place)), "once");

    // It goes on another way, past the number taken before: the block is there, with another link.
    feed_all(folder.path(), &mut book(&place));
    let mut other = Scribe::new();
    let replaced = OnDisk::new();
    let mut store = replaced.open();
    for fen in 1..=20 {
        other.top_up(&mut store, 2, fen);
    }
    drop(store);
    assert!(feed_all(folder.path(), &mut book(&replaced)));
    assert_eq!(everything(folder.path()), undisturbed(&mut book(&replaced)));
}

#[test]
fn a_journal_that_does_not_hold_together_is_not_taken() {
    let damages = [
        ("DELETE FROM journal WHERE seq = 3", "journal row 3 is missing"),
        ("DELETE FROM block WHERE no = 2", "journal row 3 is in no block"),
        ("DELETE FROM journal WHERE seq = 5", "journal row 5 is missing"),
    ];
    for (damage, expected) in damages {
        let (place, folder) = (OnDisk::new(), Folder::new());
        three_months(&mut place.open());
        let raw = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
        tamper(&raw, |raw| raw.execute_batch(damage).expect(damage));
        drop(raw);
        let mut book = SqliteArchive::open(place.0.path(), school()).expect("opens");
        let mut writer = writer(folder.path());
        let told = loop {
            match writer.feed(&mut book, 1) {
                Ok(fed) => assert!(!fed.complete, "{damage} is not noticed"),
                Err(fault) => break fault.to_string(),
            }
        };
        assert!(told.contains(expected) && told.contains("onecard verify"), "{damage}: {told}");
        assert!(writer.feed(&mut book, 1).is_err(), "{damage}: it stays so");
    }
}

#[test]
fn a_changed_total_is_told_by_the_comparison_with_the_journal() {
    let (place, folder) = (InMemory::new(), Folder::new());
    three_months(&mut place.open());
    feed_all(folder.path(), place.archive().as_mut());
    let path = folder.path().join(REPORTS_FILE);
    let kept = std::fs::read(&path).expect("reads");
    let table = [
        ("UPDATE month_total SET credits = credits + 1 WHERE month = '2026-10' AND code = 2000", "account 2000 of"),
        ("UPDATE month_total SET count = 9 WHERE month = '2026-10' AND credits > 0", "account 2000 of"),
        ("DELETE FROM month_total WHERE month = '2026-10' AND debits > 0", "the table has no row of the month"),
        ("UPDATE month_total SET part = 5 WHERE month = '2026-10' AND debits > 0", "the journal has none"),
        ("DELETE FROM month_total WHERE code = 1000", "code 1000: the table knows nothing of it"),
        (
            "UPDATE month_total SET debits = debits + 7 WHERE month = '2026-09' AND code = 1000",
            "code 1000: the table says",
        ),
    ];
    for (change, expected) in table {
        std::fs::write(&path, &kept).expect("mends");
        sql(&path, change);
        let reader = ReportReader::open(folder.path(), school()).expect("opens");
        let told = reader.check_month(place.archive().as_mut(), month("2026-10"), &mut |_, _| {}).expect("compares");
        assert!(told.iter().any(|line| line.contains(expected)), "{change}: {told:?}");
    }
}

#[test]
fn every_pend_is_in_the_table_until_it_ends() {
    let (place, folder) = (InMemory::new(), Folder::new());
    let mut store = place.open();
    let mut scribe = Scribe::new();
    scribe.top_up(&mut store, 1, 1_000);
    let steps = [(Stage::Pend, 300, 1), (Stage::Pend, 200, 2), (Stage::Post(2), 299, 1), (Stage::Void(3), 200, 0)];
    for (stage, fen, open) in steps {
        let batch = scribe.batch(&[(stage, holder(1), BANK, fen)]);
        scribe.commit(&mut store, batch).expect("commits");
        feed_all(folder.path(), place.archive().as_mut());
        let raw = Connection::open(folder.path().join(REPORTS_FILE)).expect("opens");
        let count: i64 = raw.query_row("SELECT count(*) FROM open_pend", [], |row| row.get(0)).expect("reads");
        let aside = "SELECT sum(set_aside) FROM movement WHERE code = 1000";
        let aside: i64 = raw.query_row(aside, [], |row| row.get(0)).expect("reads");
        let pended: i64 =
            raw.query_row("SELECT coalesce(sum(amount), 0) FROM open_pend", [], |row| row.get(0)).expect("reads");
        assert_eq!((count, aside), (open, pended), "after {stage:?}");
    }
    let now = Micros::new(scribe.at.get());
    let reader = ReportReader::open(folder.path(), school()).expect("opens");
    assert_eq!(reader.position().expect("reads").recorded_at, now);
}
