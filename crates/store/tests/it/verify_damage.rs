//! Every kind of damage to a book on disk is found, and named.

use std::path::Path;

use ledger::{AccountKey, Fen, Id, JournalRow, Micros, Stage};
use rusqlite::Connection;
use store::sqlite::{BOOK_FILE, SqliteArchive};
use store::verify::{Report, verify};

use crate::place::{OnDisk, Place, school};
use crate::school::{engine, work};
use crate::scribe::{BANK, Scribe, holder, order, tally};
use crate::tamper::tamper;

/// A small book with something in every table, closed.
fn damaged_later() -> (OnDisk, Connection) {
    use Stage::{Direct, Pend, Post};
    let place = OnDisk::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let batches: [&[(Stage, AccountKey, AccountKey, i64)]; 5] = [
        &[(Direct, BANK, holder(1), 10_000), (Direct, BANK, holder(2), 500), (Pend, holder(1), holder(2), 300)],
        &[(Pend, holder(1), BANK, 700), (Pend, holder(2), BANK, 100)],
        &[],
        &[(Post(3), holder(1), holder(2), 200), (Pend, holder(1), holder(3), 50)],
        &[(Direct, holder(2), holder(3), 70)],
    ];
    for (number, transfers) in (1_u32..).zip(batches) {
        let mut rows = vec![(order(number), Some(b"an order".as_slice())), (tally(1), Some(b"a tally"))];
        if number > 2 {
            rows.push((order(number - 2), None));
        }
        let batch = scribe.batch(transfers).with_rows(rows);
        scribe.commit(&mut store, batch).expect("commits");
    }
    drop(store);
    let raw = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
    raw.execute_batch("PRAGMA synchronous = OFF").expect("is a copy");
    (place, raw)
}

fn report(dir: &Path) -> Report {
    let mut archive = SqliteArchive::open(dir, school()).expect("opens");
    verify(school(), &mut archive, &[], &mut |_| {})
}

/// What is done to the book, and a part of what must then be told.
const DAMAGE: &[(&str, &str)] = &[
    (
        "UPDATE journal SET body = x'00' WHERE seq = 2",
        "journal row 2: column body holds a value that was never written",
    ),
    ("DELETE FROM journal WHERE seq = 1", "journal row 1 is missing"),
    ("DELETE FROM journal WHERE seq = 4", "journal row 4 is missing"),
    ("DELETE FROM journal WHERE seq = 8", "journal row 8 is missing"),
    ("DELETE FROM journal WHERE seq > 5", "journal rows 6 to 7 are missing"),
    ("DELETE FROM journal", "journal rows 1 to 3 are missing"),
    ("DELETE FROM block WHERE no = 1", "block 1 is missing"),
    ("DELETE FROM block WHERE no IN (2, 3)", "blocks 2 to 3 are missing"),
    ("DELETE FROM block WHERE no = 5", "journal row 8 is in no block"),
    ("DELETE FROM block", "journal row 1 is in no block"),
    ("UPDATE block SET rows = 1 WHERE no = 2", "block 3 begins at journal row 6, but the block before ends before 5"),
    ("UPDATE block SET rows = 2147483647 WHERE no = 2", "block 2 claims 2147483647 journal rows"),
    ("UPDATE block SET at = at + 90000000 WHERE no = 3", "block 4 is older than the block before it"),
    ("UPDATE block SET changes = x'0102' WHERE no = 3", "block 3: column changes holds"),
    ("DELETE FROM row_order WHERE key = x'00000005'", "a guard row is missing: block 5 wrote it last"),
    ("INSERT INTO row_order VALUES (7, x'0000000A', x'01', zeroblob(16))", "order 0000000a: no block ever wrote it"),
    (
        "INSERT INTO row_order SELECT school_id, x'00000001', body, digest FROM row_order LIMIT 1",
        "order 00000001: block 3 deleted it, but it is there",
    ),
    ("UPDATE row_tally SET body = x'01'", "tally 00000001: block 5 wrote it last, with another content"),
    ("UPDATE row_tally SET digest = x'01'", "tally 00000001: the digest beside it is not its own"),
    ("UPDATE account SET body = x'0000000001' WHERE key < x'0400'", "account 1000 of 0, part 0: its row says"),
    (
        "UPDATE account SET body = x'0000000009' WHERE key < x'0400'",
        "account 1000 of 0, part 0: its row says that journal row 9 names it last, the journal does not",
    ),
    ("UPDATE account SET digest = x'01' WHERE key < x'0400'", "part 0: the digest beside it is not its own"),
    ("UPDATE account SET body = x'00' WHERE key < x'0400'", "the first account row: column body holds"),
    ("UPDATE account SET key = x'00' WHERE key < x'0400'", "account 1000 of 0, part 0: its row is missing"),
    ("DELETE FROM account WHERE key < x'0400'", "account 1000 of 0, part 0: its row is missing"),
    ("DELETE FROM pending WHERE seq = 4", "pending 4: its row is missing"),
    (
        "UPDATE pending SET body = (SELECT body FROM pending WHERE seq = 7) WHERE seq = 4",
        "pending 4: the journal set something else aside",
    ),
    ("UPDATE pending SET body = x'00' WHERE seq = 4", "pending 4: column body holds"),
    ("UPDATE pending SET seq = 6 WHERE seq = 4", "pending 6: the journal sets nothing aside there"),
    ("UPDATE recovery SET replay_from = 900", "recovery: the digest beside it is not its own"),
    ("UPDATE recovery SET replay_from = 3", "recovery: the digest beside it is not its own"),
    ("UPDATE recovery SET replay_from = -1", "the journal row from which a start replays is lost"),
    ("INSERT INTO recovery VALUES (9, 0, x'')", "recovery has 1 row(s) of another school"),
    ("UPDATE journal SET seq = -3 WHERE seq = 8", "journal has 1 row(s) with a seq below 1"),
    ("INSERT INTO journal SELECT school_id, 9, body FROM journal WHERE seq = 8", "journal row 9 is in no block"),
    (
        "INSERT INTO block SELECT school_id, 6, 9, 0, at, changes, link FROM block WHERE no = 5",
        "block 6: its link fits neither",
    ),
    ("DROP TABLE row_tally", "a guard row is missing: block 5 wrote it last"),
    ("DROP TABLE account", "no such table: account"),
];

type Edit = fn(&mut JournalRow);

/// A journal row, what is changed in it, and a part of what must then be told.
const EDITS: &[(u64, Edit, &str)] = &[
    (2, |row| row.amount = Fen::new(501), "journal row 2: "),
    (2, |row| row.effective_at = Micros::new(7), "block 1: its link fits neither"),
    (4, |row| row.code = 1, "block 2: its link fits neither"),
    (4, |row| row.reference = Id::new(9), "block 2: its link fits neither"),
    (4, |row| row.expires_at = Some(Micros::new(9)), "block 2: its link fits neither"),
    (4, |row| row.recorded_at = Micros::new(5), "journal row 4 was recorded at another time"),
    (6, |row| row.ref_seq = 4, "journal row 6: "),
    (8, |row| row.credit_balance = Fen::new(1), "journal row 8: "),
    (8, |row| row.debit_prev = 1, "journal row 8: "),
];

#[test]
fn a_changed_field_of_a_journal_row_is_named() {
    for (at, (seq, edit, told)) in EDITS.iter().enumerate() {
        let (place, raw) = damaged_later();
        let body: Vec<u8> = raw
            .query_row("SELECT body FROM journal WHERE seq = ?1", [seq.cast_signed()], |row| row.get(0))
            .expect("reads");
        let mut row = JournalRow::decode(*seq, &body).expect("is a row");
        edit(&mut row);
        tamper(&raw, |raw| {
            raw.execute("UPDATE journal SET body = ?2 WHERE seq = ?1", (seq.cast_signed(), row.encode()))
                .expect("damages");
        });
        let found = report(place.0.path());
        assert!(found.findings.iter().any(|line| line.contains(*told)), "edit {at} should tell: {told}\n{found}");
        assert!(found.findings.len() <= 12, "edit {at} tells too much\n{found}");
    }
}

/// An account row may lack some of the journal, but nothing from before the row from which a start replays.
#[test]
fn m5_an_account_row_that_lags_further_behind_than_a_start_replays_is_found() {
    let place = OnDisk::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    scribe.top_up(&mut store, 1, 100);
    let old = scribe.book.account(&holder(1));
    for replay_from in [2, 3, 1] {
        let mut batch = scribe.batch(&[(Stage::Direct, BANK, holder(1), 5)]);
        batch.accounts.retain(|(key, _)| *key == BANK);
        batch.accounts.push((holder(1), old));
        batch.replay_from = replay_from;
        scribe.commit(&mut store, batch).expect("commits");
        let found = report(place.0.path());
        assert_eq!(found.clean(), replay_from != 3, "replayed from {replay_from}\n{found}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (damage, told) in DAMAGE {
        let (place, raw) = damaged_later();
        tamper(&raw, |raw| raw.execute_batch(damage).expect(damage));
        let found = report(place.0.path());
        assert!(found.findings.iter().any(|line| line.contains(*told)), "{damage}\nshould tell: {told}\n{found}");
        assert!(found.findings.len() <= 13, "{damage} tells too much\n{found}");
    }
}

#[test]
fn findings_without_end_are_counted_not_listed() {
    let place = OnDisk::new();
    work(&mut engine(place.open()), 300, 7);
    let raw = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
    tamper(&raw, |raw| raw.execute_batch("UPDATE block SET link = zeroblob(32)").expect("damages"));
    let found = report(place.0.path());
    assert_eq!(found.findings.len(), Report::MOST);
    assert_eq!(found.more, found.blocks - 200);
    assert!(!found.clean());
}
