//! Damage of every kind to every table and to the bytes of the file: found, and named by its table.

use std::collections::BTreeMap;
use std::path::Path;

use flows::rows::Campus;
use ledger::{CodecError, Stage};
use rusqlite::Connection;
use rusqlite::types::Value;
use store::sqlite::{BOOK_FILE, SqliteArchive, SqliteStore};
use store::verify::{PlacesOf, Report, verify};
use teller::{Listing, RawKey, Schema};

use crate::place::{Folder, OnDisk, Place, school};
use crate::school::{draw, engine, work};
use crate::scribe::{BANK, Scribe, holder};
use crate::tamper::{Row, Table, flip, flip_bit, tables, tamper};
use crate::verify_lists;

/// Rows of each table of guard rows: enough for a first, a middle and a last one.
const GUARD_ROWS: u8 = 4;

/// Where a row of the test's schema stands: every table's rows in a list by their first byte.
fn places_of(table: &str, key: &[u8], body: &[u8]) -> Result<Vec<Listing>, CodecError> {
    let list = if table == "card" { "cards" } else { "rows" };
    let owner = table.bytes().chain(body.first().copied()).collect();
    let last = body.last().ok_or(CodecError::Short)?;
    Ok(vec![Listing { list, owner, at: i64::from(*last), key: key.to_vec() }])
}

/// A book with all tables of the campus and something in every one of them, closed.
fn book() -> Folder {
    use Stage::{Direct, Pend, Post, Void};
    let folder = Folder::new();
    let mut store = SqliteStore::open(folder.path(), school(), Campus::TABLES).expect("opens");
    let mut scribe = Scribe::new();
    let transfers = [
        vec![(Direct, BANK, holder(1), 10_000), (Direct, BANK, holder(2), 500), (Pend, holder(1), holder(2), 300)],
        vec![(Pend, holder(1), BANK, 700), (Pend, holder(2), BANK, 100), (Pend, holder(2), BANK, 90)],
        vec![(Post(3), holder(1), holder(2), 200), (Pend, holder(1), holder(3), 50)],
        vec![(Direct, holder(2), holder(3), 70), (Void(4), holder(1), BANK, 700)],
    ];
    for (number, transfers) in (1..=GUARD_ROWS).zip(transfers) {
        let mut batch = scribe.batch(&transfers);
        for table in Campus::TABLES {
            let (key, body) = (vec![0, 9, number], format!("{number} in {table}{number}").into_bytes());
            batch = batch.with_places(places_of(table, &key, &body).expect("places"), Vec::new());
            batch = batch.with_rows(vec![(RawKey { table, key }, Some(&body))]);
        }
        scribe.commit(&mut store, batch).expect("commits");
    }
    folder
}

/// Everything that is checked, together; a file that is not even opened says why.
fn found(dir: &Path, places_of: &PlacesOf<'_>) -> Vec<String> {
    match SqliteArchive::open(dir, school()) {
        Ok(mut archive) => {
            let mut report: Report = verify(school(), &mut archive, &[], &mut |_| {});
            store::verify::verify_lists(&mut archive, places_of, &mut report, &mut |_| {});
            report.findings
        }
        Err(fault) => vec![format!("not opened: {fault}")],
    }
}

/// Words by which a finding names the table.
fn names(table: &str) -> [String; 2] {
    let row = match table {
        "journal" => "journal row".to_owned(),
        "listing" => "list ".to_owned(),
        "migration" => "migration".to_owned(),
        guard if guard.starts_with("row_") => format!("{} 0", &guard[4..]),
        own => own.to_owned(),
    };
    // A row of another school is counted, not listed; a book of another school or version is not opened at all.
    [row, format!("{table} has 1 row(s)")]
}

/// A copy of the book, damaged; what verification finds in it.
fn damaged(book: &Folder, damage: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Option<Vec<String>> {
    let copy = Folder::new();
    std::fs::copy(book.path().join(BOOK_FILE), copy.path().join(BOOK_FILE)).expect("copies");
    let raw = Connection::open(copy.path().join(BOOK_FILE)).expect("opens");
    raw.execute_batch("PRAGMA synchronous = OFF").expect("is a copy");
    let done = tamper(&raw, damage);
    drop(raw);
    done.is_ok().then(|| found(copy.path(), &places_of))
}

/// Damages the table in every way of `cases` and demands that each is found and named. Gives how many were.
fn sweep(book: &Folder, table: &Table, cases: Vec<(String, Vec<Row>)>) -> usize {
    let count = cases.len();
    for (what, rows) in cases {
        let Some(findings) = damaged(book, |raw| table.write(raw, &rows)) else {
            panic!("{}: {what}: the table refuses it, so the case shows nothing", table.name)
        };
        let named = |finding: &String| {
            names(&table.name).iter().any(|name| finding.contains(name))
                || finding.starts_with("not opened: ") && ["recovery", "migration"].contains(&table.name.as_str())
                || finding.starts_with("a guard row is missing") && table.name.starts_with("row_")
        };
        assert!(findings.iter().any(named), "{}: {what}: found {findings:?}", table.name);
    }
    count
}

fn all_tables(book: &Folder) -> Vec<Table> {
    let raw = Connection::open(book.path().join(BOOK_FILE)).expect("opens");
    let all: Vec<Table> = tables(&raw).iter().map(|name| Table::read(&raw, name).expect("reads")).collect();
    for table in &all {
        assert!(!table.rows.is_empty(), "{} is empty: the sweep would show nothing", table.name);
    }
    let guard_rows = all.iter().filter(|table| table.name.starts_with("row_")).count();
    assert_eq!((guard_rows, all.len()), (Campus::TABLES.len(), Campus::TABLES.len() + 7), "a table nobody thought of");
    all
}

/// Bits flipped in each column of each sampled row.
const BITS: usize = 3;

#[test]
fn a_flipped_bit_in_any_column_of_any_table_is_found_and_its_table_named() {
    let book = book();
    assert_eq!(found(book.path(), &places_of), Vec::<String>::new());
    let (mut state, mut done, mut wanted) = (1, 0, 0);
    for table in all_tables(&book) {
        let mut cases = Vec::new();
        for at in table.sample() {
            for (column, (name, _)) in table.columns.iter().enumerate() {
                for _ in 0..BITS {
                    let mut rows = table.rows.clone();
                    // Another bit where the first one would give the row the key of another.
                    while rows[at] == table.rows[at]
                        || rows.iter().filter(|row| key(&table, row) == key(&table, &rows[at])).count() > 1
                    {
                        rows[at][column] = flip(&table.rows[at][column], draw(&mut state, 1 << 32));
                    }
                    let (was, is) = (&table.rows[at][column], &rows[at][column]);
                    cases.push((format!("{name} of row {at}: {was:?} became {is:?}"), rows));
                }
            }
        }
        wanted += table.sample().len() * table.columns.len() * BITS;
        done += sweep(&book, &table, cases);
    }
    assert_eq!(done, wanted);
    assert!(done > 800, "{done} flips");
}

fn key<'a>(table: &Table, row: &'a Row) -> Vec<&'a Value> {
    row.iter().zip(&table.columns).filter(|(_, (_, key))| *key).map(|(value, _)| value).collect()
}

#[test]
fn a_row_deleted_added_swapped_or_of_another_school_is_found_in_every_table() {
    let book = book();
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for table in all_tables(&book) {
        let mut cases: Vec<(&str, Vec<Row>)> = Vec::new();
        for at in table.sample() {
            let mut rows = table.rows.clone();
            rows.remove(at);
            cases.push(("deleted", rows));
        }
        let last = table.rows[table.rows.len() - 1].clone();
        let last_key = table.columns.iter().rposition(|(_, key)| *key).expect("a key");
        if table.name != "recovery" {
            let mut added = last.clone();
            added[last_key] = match &last[last_key] {
                Value::Integer(number) => Value::Integer(number + 1),
                other => flip(other, 0),
            };
            cases.push(("added", [table.rows.clone(), vec![added]].concat()));
        }
        if table.columns[0].0 == "school_id" {
            let mut foreign = last.clone();
            foreign[0] = Value::Integer(i64::from(school().get()) + 1);
            cases.push(("of another school", [table.rows.clone(), vec![foreign]].concat()));
        }
        // Contents change places, keys stay.
        let body: Vec<usize> = (0..table.columns.len()).filter(|at| !table.columns[*at].1).collect();
        if table.rows.len() > 1 && !body.is_empty() {
            let mut rows = table.rows.clone();
            for column in body {
                let (one, other) = (rows[0][column].clone(), rows[1][column].clone());
                (rows[0][column], rows[1][column]) = (other, one);
            }
            assert_ne!(rows, table.rows, "{}: the rows hold the same", table.name);
            cases.push(("swapped", rows));
        }
        for (what, _) in &cases {
            *done.entry(what).or_default() += 1;
        }
        sweep(&book, &table, cases.into_iter().map(|(what, rows)| (what.to_owned(), rows)).collect());
    }
    let guard_rows = Campus::TABLES.len();
    // `recovery` and `migration` have one row, the others a first, a middle and a last one.
    assert_eq!(done["deleted"], (guard_rows + 5) * 3 + 2);
    assert_eq!(done["added"], guard_rows + 6);
    assert_eq!(done["of another school"], guard_rows + 6);
    assert_eq!(done["swapped"], guard_rows + 4);
}

/// Bits flipped in the bytes of the file, for each seed.
const FLIPS: usize = 200;

#[test]
fn a_flipped_bit_anywhere_in_the_file_is_found_or_leaves_every_row_and_the_schema_as_they_were() {
    let place = OnDisk::new();
    work(&mut engine(place.open()), 60, 7);
    let book = &place.0;
    let everything = |dir: &Path| -> Option<Vec<(String, Vec<Row>)>> {
        let raw = Connection::open(dir.join(BOOK_FILE)).ok()?;
        let names = [tables(&raw), vec!["sqlite_schema".to_owned()]].concat();
        names.into_iter().map(|name| Table::read(&raw, &name).ok().map(|table| (name, table.rows))).collect()
    };
    let sound = everything(book.path()).expect("reads");
    let file = std::fs::read(book.path().join(BOOK_FILE)).expect("reads");
    let copy = Folder::new();
    for seed in [11, 22, 33] {
        let (mut state, mut seen, mut harmless) = (seed, 0, 0);
        for _ in 0..FLIPS {
            let bits = file.len() as u64 * 8;
            let bit = draw(&mut state, bits);
            std::fs::write(copy.path().join(BOOK_FILE), flip_bit(&file, bit, 8)).expect("writes");
            if found(copy.path(), &verify_lists::places_of).is_empty() {
                let now = everything(copy.path());
                assert!(now.as_ref() == Some(&sound), "bit {bit} (seed {seed}) was flipped and is not found");
                harmless += 1;
            } else {
                seen += 1;
            }
            for beside in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(copy.path().join(format!("{BOOK_FILE}{beside}")));
            }
        }
        assert_eq!(seen + harmless, FLIPS);
        assert!(seen > harmless, "seed {seed}: {seen} found, {harmless} harmless");
    }
}
