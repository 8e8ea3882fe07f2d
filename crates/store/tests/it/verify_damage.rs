//! Every kind of damage to a book on disk is found, and named.

use std::path::Path;

use ledger::{AccountKey, Stage};
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
    ("UPDATE journal SET amount = amount + 1 WHERE seq = 2", "journal row 2: "),
    ("UPDATE journal SET kind = 9 WHERE seq = 2", "journal row 2: column kind holds a value that was never written"),
    ("UPDATE journal SET code = 1 WHERE seq = 4", "block 2: its link fits neither"),
    ("UPDATE journal SET recorded_at = 5 WHERE seq = 4", "journal row 4 was recorded at another time"),
    ("UPDATE journal SET reference = x'00' WHERE seq = 4", "journal row 4: column reference holds"),
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
    ("UPDATE account SET last_seq = 1 WHERE code = 1000", "account 1000 of 0, part 0: its row says"),
    ("DELETE FROM account WHERE code = 1000", "account 1000 of 0, part 0: its row is missing"),
    ("UPDATE account SET debits_posted = 0 WHERE code = 1000", "the balances of all account rows add up to 105.00"),
    ("DELETE FROM pending WHERE seq = 4", "pending 4: its row is missing"),
    ("UPDATE pending SET amount = 1 WHERE seq = 4", "pending 4: the journal set something else aside"),
    ("UPDATE pending SET seq = 6 WHERE seq = 4", "pending 6: the journal sets nothing aside there"),
    ("UPDATE recovery SET applied_seq = 900", "the journal ends at 8"),
    ("UPDATE recovery SET applied_seq = -1", "the sequence up to which account rows are right is lost"),
    ("INSERT INTO recovery VALUES (9, 0)", "recovery has 1 row(s) of another school"),
    ("UPDATE journal SET seq = -3 WHERE seq = 8", "journal has 1 row(s) with a seq below 1"),
    (
        "INSERT INTO journal SELECT school_id, 9, id, kind, debit_code, debit_owner, debit_part, credit_code,
                 credit_owner, credit_part, amount, ref_seq, 8, credit_prev, debit_balance, credit_balance, recorded_at,
                 effective_at, code, reference FROM journal WHERE seq = 8",
        "journal row 9 is in no block",
    ),
    (
        "INSERT INTO block SELECT school_id, 6, 9, 0, at, changes, link FROM block WHERE no = 5",
        "block 6: its link fits neither",
    ),
    ("DROP TABLE row_tally", "a guard row is missing: block 5 wrote it last"),
    ("DROP TABLE account", "no such table: account"),
];

#[test]
fn what_is_wrong_is_named() {
    for (damage, told) in DAMAGE {
        let (place, raw) = damaged_later();
        tamper(&raw, |raw| raw.execute_batch(damage).expect(damage));
        let found = report(place.0.path());
        assert!(found.findings.iter().any(|line| line.contains(*told)), "{damage}\nshould tell: {told}\n{found}");
        assert!(found.findings.len() <= 12, "{damage} tells too much\n{found}");
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
