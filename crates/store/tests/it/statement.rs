//! Statements by account on disk: the reporting table shows the way, the journal's pointers have the say.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use flows::ports::{Around, ListAsk, Listed, Reader, Waiting};
use flows::statement::{last_from, newest_at};
use ledger::{AccountKey, Book, JournalRow, Micros};
use store::sqlite::reports::{REPORTS_FILE, ReportWriter};
use store::sqlite::{SqliteArchive, SqliteReader};
use store::verify::Archive;
use teller::{RawKey, StoreError};

use crate::place::{OnDisk, Place, TABLES, now, school};
use crate::school::{draw, engine, work};

/// What a hint is made into before the flow sees it.
type Bend = Box<dyn FnMut(Option<Around>) -> Result<Option<Around>, StoreError> + Send>;

/// Counts what is read of the journal, and bends hints.
struct Counted {
    reader: SqliteReader,
    read: AtomicUsize,
    bend: Mutex<Bend>,
}

impl Counted {
    fn new(place: &OnDisk, bend: Bend) -> Counted {
        let reader = SqliteReader::open(place.0.path(), school(), TABLES, 2).expect("opens");
        Counted { reader, read: AtomicUsize::new(0), bend: Mutex::new(bend) }
    }
}

impl Reader for Counted {
    fn rows(&self, keys: Vec<RawKey>) -> Waiting<'_, Result<Vec<Option<Vec<u8>>>, StoreError>> {
        self.reader.rows(keys)
    }
    fn list(&self, ask: ListAsk) -> Waiting<'_, Result<Vec<Listed>, StoreError>> {
        self.reader.list(ask)
    }
    fn journal(&self, seqs: Vec<u64>) -> Waiting<'_, Result<Vec<JournalRow>, StoreError>> {
        self.read.fetch_add(seqs.len(), Ordering::SeqCst);
        self.reader.journal(seqs)
    }
    fn around(&self, account: AccountKey, moment: Micros) -> Waiting<'_, Result<Option<Around>, StoreError>> {
        let found = now(self.reader.around(account, moment)).expect("reads");
        let bent = (self.bend.lock().expect("no test panics in here"))(found);
        Box::pin(std::future::ready(bent))
    }
}

/// The whole journal, and every account with its newest row, by a book that replays it.
fn whole(place: &OnDisk) -> (Vec<JournalRow>, Vec<(AccountKey, u64)>) {
    let mut archive = SqliteArchive::open(place.0.path(), school()).expect("opens");
    let rows = archive.journal(1, u64::MAX, u32::MAX).expect("reads");
    let rows: Vec<JournalRow> = rows.into_iter().collect::<Result<_, _>>().expect("reads");
    let mut book = Book::new();
    rows.iter().for_each(|row| book.replay(row).expect("follows"));
    let newest = book.accounts().sorted().into_iter().map(|(key, account)| (*key, account.last_seq)).collect();
    (rows, newest)
}

/// Compares with the list of all rows. Gives how many journal rows were read for the moments.
fn agree(reader: &Counted, rows: &[JournalRow], newest: &[(AccountKey, u64)]) -> usize {
    let mut read = 0;
    for (account, newest) in newest {
        let own: Vec<&JournalRow> = rows.iter().filter(|row| row.debit == *account || row.credit == *account).collect();
        let lines = now(Box::pin(last_from(reader, account, *newest, 7))).expect("reads");
        let expected: Vec<&JournalRow> = own.iter().rev().take(7).copied().collect();
        assert_eq!(lines.iter().map(|line| &line.row).collect::<Vec<_>>(), expected);
        for row in rows.iter().step_by(9) {
            let moment = row.recorded_at;
            let before = reader.read.load(Ordering::SeqCst);
            let line = now(Box::pin(newest_at(reader, account, *newest, moment))).expect("reads");
            read += reader.read.load(Ordering::SeqCst) - before;
            let expected = own.iter().rev().find(|row| row.recorded_at <= moment);
            assert_eq!(line.as_ref().map(|line| &line.row), expected.copied(), "{account:?} at {moment:?}");
        }
    }
    read
}

fn feed(place: &OnDisk, rows: u32) {
    let mut archive = SqliteArchive::open(place.0.path(), school()).expect("opens");
    let mut writer = ReportWriter::open(place.0.path(), school()).expect("opens");
    writer.feed(&mut archive, rows).expect("feeds");
}

#[test]
fn with_and_without_the_reporting_table_statements_are_the_same_and_with_it_long_ago_is_near() {
    let place = OnDisk::new();
    work(&mut engine(place.open()), 60, 5);
    let (rows, newest) = whole(&place);
    assert!(rows.len() > 200 && newest.len() > 8, "{} rows, {} accounts", rows.len(), newest.len());
    let straight = || Counted::new(&place, Box::new(Ok));
    let without = agree(&straight(), &rows, &newest);
    feed(&place, 60);
    let some = agree(&straight(), &rows, &newest);
    feed(&place, u32::MAX);
    let with = agree(&straight(), &rows, &newest);
    let questions = newest.len() * rows.len().div_ceil(9);
    assert!(with < some && some < without, "{without} reads without the table, {some} with a part, {with} with all");
    assert!(with <= questions * 2, "{with} reads for {questions} questions");
    assert!(without > questions * 5, "{without} reads for {questions} questions: there was nothing to gain");
}

#[test]
fn a_table_that_lies_or_does_not_answer_changes_no_statement() {
    let place = OnDisk::new();
    work(&mut engine(place.open()), 25, 5);
    feed(&place, u32::MAX);
    let (rows, newest) = whole(&place);
    let most = rows.len() as u64 + 5;
    let mut state = 5;
    let bends: [Bend; 5] = [
        Box::new(|_| Ok(None)),
        Box::new(|_| Err(StoreError { what: "asking", why: "the table is gone".to_owned() })),
        Box::new(|hint| Ok(hint.map(|hint| Around { last: hint.last.saturating_sub(1), ..hint }))),
        Box::new(|hint| Ok(hint.map(|hint| Around { last: 0, next: hint.next.map(|next| next + 1) }))),
        Box::new(move |_| {
            let next = Some(draw(&mut state, most));
            Ok(Some(Around { last: draw(&mut state, most), next }))
        }),
    ];
    for bend in bends {
        agree(&Counted::new(&place, bend), &rows, &newest);
    }
    std::fs::write(place.0.path().join(REPORTS_FILE), b"no database at all, only some words").expect("writes");
    let reader = SqliteReader::open(place.0.path(), school(), TABLES, 2).expect("opens");
    let told = now(reader.around(newest[0].0, Micros::new(0)));
    assert!(told.is_err_and(|fault| fault.what == "reading the reporting table"));
    let (account, last) = newest[0];
    let line = now(Box::pin(newest_at(&reader, &account, last, Micros::new(i64::MAX)))).expect("reads");
    assert_eq!(line.map(|line| line.row.seq), Some(last));
}

#[test]
fn a_pointer_that_leads_nowhere_is_an_error_not_a_statement() {
    let place = OnDisk::new();
    work(&mut engine(place.open()), 5, 5);
    let (rows, newest) = whole(&place);
    let reader = SqliteReader::open(place.0.path(), school(), TABLES, 2).expect("opens");
    let (account, _) = newest[0];
    let strange = rows.iter().find(|row| row.debit != account && row.credit != account).expect("another account's");
    for seq in [strange.seq, rows.len() as u64 + 1] {
        let told = now(Box::pin(last_from(&reader, &account, seq, 3)));
        assert!(told.is_err_and(|fault| fault.to_string().contains("onecard verify")), "row {seq}");
        assert!(now(Box::pin(newest_at(&reader, &account, seq, Micros::new(0)))).is_err(), "row {seq}");
    }
}
