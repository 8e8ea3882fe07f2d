//! The quick check of the journal's end: what it finds, and what it is documented not to see.

use std::collections::BTreeSet;

use store::verify::{Head, Report, verify, verify_tail};

use crate::place::{InMemory, Place, school};
use crate::school::{engine, work};

#[test]
fn every_tail_of_a_whole_book_holds_and_ends_at_its_head() {
    let place = InMemory::new();
    let mut teller = engine(place.open());
    work(&mut teller, 60, 5);
    let whole = verify(school(), place.archive().as_mut(), &[], &mut |_| {});
    assert!(whole.clean() && whole.journal_rows > 200, "{whole}");
    let mut trusted = BTreeSet::new();
    for from in 1..=whole.head.seq + 1 {
        let tail = verify_tail(school(), place.archive().as_mut(), from, &mut |_| {});
        assert!(tail.report.clean(), "from {from}: {}", tail.report);
        assert_eq!(tail.report.head, whole.head, "from {from}");
        assert!(tail.trusted.seq < from, "from {from}: row {} is believed", tail.trusted.seq);
        assert_eq!(tail.trusted.seq + tail.report.journal_rows, whole.head.seq);
        assert_eq!(tail.trusted.block + tail.report.blocks, whole.head.block);
        trusted.insert(tail.trusted.block);
    }
    assert!(trusted.contains(&whole.head.block) && trusted.len() > 40, "{trusted:?}");
}

#[test]
fn an_empty_book_has_an_empty_tail() {
    let tail = verify_tail(school(), InMemory::new().archive().as_mut(), 5, &mut |_| {});
    assert_eq!((tail.trusted, tail.report), (Head::default(), Report::default()));
}

#[cfg(feature = "sqlite")]
mod on_disk {
    use rusqlite::Connection;
    use store::sqlite::{BOOK_FILE, SqliteArchive};

    use super::*;
    use crate::place::{Folder, OnDisk};
    use crate::scribe::{BANK, Scribe, holder};
    use crate::tamper::tamper;
    use ledger::Stage::{Direct, Pend, Post, Void};

    /// Blocks 1 to 5; rows 1-3, 4-5, none, 6-7, 8-9.
    fn book() -> OnDisk {
        let place = OnDisk::new();
        let mut store = place.open();
        let mut scribe = Scribe::new();
        let batches = [
            vec![(Direct, BANK, holder(1), 10_000), (Direct, BANK, holder(2), 500), (Pend, holder(1), holder(2), 300)],
            vec![(Pend, holder(1), BANK, 700), (Pend, holder(2), BANK, 100)],
            vec![],
            vec![(Post(3), holder(1), holder(2), 200), (Pend, holder(1), holder(3), 50)],
            vec![(Direct, holder(2), holder(3), 70), (Void(4), holder(1), BANK, 700)],
        ];
        for transfers in batches {
            let batch = scribe.batch(&transfers);
            scribe.commit(&mut store, batch).expect("commits");
        }
        drop(store);
        place
    }

    fn tail(folder: &Folder, from: u64) -> Vec<String> {
        let mut archive = SqliteArchive::open(folder.path(), school()).expect("opens");
        verify_tail(school(), &mut archive, from, &mut |_| {}).report.findings
    }

    #[test]
    fn damage_from_the_asked_row_on_is_named_and_what_came_before_is_believed() {
        let link = "its link fits neither";
        let table = [
            ("DELETE FROM journal WHERE seq = 9", 6, Some("journal row 9 is missing")),
            ("DELETE FROM journal WHERE seq = 6", 6, Some("journal row 6 is missing")),
            ("DELETE FROM block WHERE no = 5", 6, Some("journal row 8 is in no block")),
            ("DELETE FROM block WHERE no = 4", 4, Some("block 4 is missing")),
            ("UPDATE block SET link = zeroblob(32) WHERE no = 4", 6, Some(link)),
            ("UPDATE block SET link = zeroblob(32) WHERE no = 3", 6, Some(link)),
            ("UPDATE block SET at = 1 WHERE no = 5", 8, Some("block 5 is older")),
            ("UPDATE block SET rows = 2147483647 WHERE no = 5", 8, Some("block 5 claims 2147483647 journal rows")),
            ("UPDATE block SET changes = x'00' WHERE no = 5", 8, Some("block 5: column changes")),
            // What the whole check finds and this one believes.
            ("DELETE FROM journal WHERE seq = 1", 6, None),
            ("UPDATE block SET link = zeroblob(32) WHERE no = 2", 6, None),
            ("UPDATE account SET digest = x'01'", 1, None),
            ("DELETE FROM pending", 1, None),
        ];
        for (damage, from, expected) in table {
            let place = book();
            assert_eq!(tail(&place.0, from), Vec::<String>::new());
            let raw = Connection::open(place.0.path().join(BOOK_FILE)).expect("opens");
            tamper(&raw, |raw| raw.execute_batch(damage).expect(damage));
            drop(raw);
            let told = tail(&place.0, from);
            match expected {
                Some(expected) => assert!(told.iter().any(|line| line.contains(expected)), "{damage}: {told:?}"),
                None => assert_eq!(told, Vec::<String>::new(), "{damage}"),
            }
            let mut archive = SqliteArchive::open(place.0.path(), school()).expect("opens");
            assert!(!verify(school(), &mut archive, &[], &mut |_| {}).clean(), "{damage}: the whole check finds it");
        }
    }
}
