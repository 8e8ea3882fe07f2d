//! Anchors outside the database find what a bare chain cannot: a cut tail, and a chain that was made anew (M8).

use std::fs;
use std::path::Path;

use ledger::Micros;
use store::anchors::{Anchor, AnchorFault, AnchorLog, Anchors, Unanchored, require_anchored};
use store::sqlite::{BOOK_FILE, SqliteArchive, SqliteHead};
use store::verify::{Head, Report, verify};
use teller::{Engine, Store};

use crate::place::{Folder, OnDisk, Place, school};
use crate::school::{Small, engine, work};

/// A stand-in for a signature that depends on every byte; the real one is tested where keys are.
fn sign(text: &[u8]) -> [u8; 64] {
    let change = ledger::row_digest("test", b"", Some(text));
    let mut signature = [7; 64];
    signature[..16].copy_from_slice(&change.content);
    signature
}

fn verifies(text: &[u8], signature: &[u8]) -> bool {
    sign(text) == signature
}

fn open(dir: &Path) -> AnchorLog {
    AnchorLog::open(&dir.join("anchors.log"), school(), &verifies).expect("opens")
}

fn head(dir: &Path) -> Head {
    SqliteHead::open(dir, school()).expect("opens").newest().expect("reads").expect("has blocks").0
}

fn anchor(log: &mut AnchorLog, dir: &Path) {
    let anchor = Anchor { school: school(), epoch: 1, head: head(dir), at: Micros::new(5) };
    log.append(&anchor, sign).expect("is written");
}

fn read(dir: &Path) -> Anchors {
    Anchors::read(&fs::read(dir.join("anchors.log")).expect("reads"), school(), &verifies)
}

fn check(dir: &Path, anchors: &[Head]) -> Report {
    let mut archive = SqliteArchive::open(dir, school()).expect("opens");
    verify(school(), &mut archive, anchors, &mut |_| {})
}

fn required(dir: &Path) -> Result<(), Unanchored> {
    let book = SqliteHead::open(dir, school()).expect("opens");
    let log = open(dir);
    let newest = log.newest().expect("has anchors");
    let kept = book.block(newest.head.block).expect("reads").map(|(head, _)| head.link);
    require_anchored(newest, 1, head(dir), kept)
}

/// Works until the book has exactly so many blocks. A batch of which every deed is refused makes none: then more deeds.
fn grow<St: Store>(teller: &mut Engine<Small, St>, blocks: u64, mut deeds: u64) {
    while teller.head().0 < blocks {
        let before = teller.head().0;
        work(teller, 1, deeds);
        deeds += u64::from(teller.head().0 == before);
    }
}

/// A book of ten blocks, then of fifteen with an anchor for each; and what it was at ten.
fn anchored() -> (OnDisk, Vec<u8>) {
    let place = OnDisk::new();
    let dir = place.0.path();
    drop({
        let mut teller = engine(place.open());
        grow(&mut teller, 10, 4);
        teller
    });
    let before = fs::read(dir.join(BOOK_FILE)).expect("reads");
    let mut log = open(dir);
    let mut teller = engine(place.open());
    for blocks in 11..=15 {
        grow(&mut teller, blocks, 4);
        anchor(&mut log, dir);
    }
    (place, before)
}

#[test]
fn m8_a_whole_book_agrees_with_its_anchors() {
    let (place, _) = anchored();
    let anchors = read(place.0.path());
    let report = check(place.0.path(), &anchors.heads());
    assert!(report.clean() && anchors.heads().len() == 5, "{report}");
    assert_eq!(anchors.findings(1), Vec::<String>::new());
    assert_eq!(required(place.0.path()), Ok(()));
}

#[test]
fn m8_a_book_whose_last_blocks_are_gone_is_found_by_the_anchors_and_only_by_them() {
    let (place, before) = anchored();
    let dir = place.0.path();
    fs::write(dir.join(BOOK_FILE), before).expect("writes");
    let bare = check(dir, &[]);
    assert!(bare.clean() && bare.blocks == 10, "the chain alone sees nothing\n{bare}");
    let report = check(dir, &read(dir).heads());
    assert_eq!(report.findings.len(), 5, "{report}");
    assert!(report.findings[4].contains("names block 15, which is not there"), "{report}");
    assert_eq!(required(dir), Err(Unanchored::Behind { anchor: 15, book: 10 }));
}

#[test]
fn m8_a_chain_that_was_edited_and_hashed_anew_is_found_by_the_anchors_and_only_by_them() {
    let (place, _) = anchored();
    let other = OnDisk::new();
    drop({
        let mut teller = engine(other.open());
        grow(&mut teller, 15, 5);
        teller
    });
    let dir = place.0.path();
    fs::copy(other.0.path().join(BOOK_FILE), dir.join(BOOK_FILE)).expect("copies");
    let bare = check(dir, &[]);
    assert!(bare.clean() && bare.blocks == 15, "the chain alone sees nothing\n{bare}");
    let report = check(dir, &read(dir).heads());
    assert_eq!(report.findings.len(), 5, "{report}");
    assert!(report.findings[0].contains("block 11 is another one than the anchor"), "{report}");
    assert_eq!(required(dir), Err(Unanchored::Other { block: 15 }));
}

#[test]
fn m8_the_last_block_deleted_with_its_rows_is_found_by_the_anchors() {
    let (place, _) = anchored();
    let dir = place.0.path();
    let raw = rusqlite::Connection::open(dir.join(BOOK_FILE)).expect("opens");
    raw.execute_batch(
        "DROP TRIGGER journal_is_never_cut; DROP TRIGGER block_is_never_cut;
         DELETE FROM journal WHERE seq >= (SELECT first_seq FROM block WHERE no = 15);
         DELETE FROM block WHERE no = 15",
    )
    .expect("deletes");
    drop(raw);
    let report = check(dir, &read(dir).heads());
    assert!(report.findings.iter().any(|found| found.contains("names block 15, which is not there")), "{report}");
    assert_eq!(required(dir), Err(Unanchored::Behind { anchor: 15, book: 14 }));
}

#[test]
fn m8_half_a_line_is_replaced_by_the_next_anchor() {
    let (place, _) = anchored();
    let dir = place.0.path();
    let path = dir.join("anchors.log");
    let whole = fs::read(&path).expect("reads");
    let last = whole.len() / 5;
    for cut in 1..last {
        fs::write(&path, &whole[..whole.len() - cut]).expect("writes");
        let mut log = open(dir);
        assert_eq!((log.torn(), log.newest().map(|newest| newest.head.block)), (true, Some(14)), "cut {cut}");
        anchor(&mut log, dir);
        assert!(!log.torn());
        assert_eq!(fs::read(&path).expect("reads"), whole, "cut {cut}");
    }
    assert_eq!(open(dir).newest().map(|newest| newest.head.block), Some(15));
}

#[test]
fn m8_a_file_whose_last_line_is_not_ours_is_not_added_to() {
    let (place, _) = anchored();
    let path = place.0.path().join("anchors.log");
    let good = fs::read(&path).expect("reads");
    let mut changed = good.clone();
    let place_of_digit = changed.len() - 2;
    changed[place_of_digit] ^= 1;
    let foreign = [good.as_slice(), b"a line of somebody else\n"].concat();
    for bytes in [changed, foreign] {
        fs::write(&path, &bytes).expect("writes");
        let fault = AnchorLog::open(&path, school(), &verifies).err().expect("is refused");
        assert!(matches!(fault, AnchorFault::LastLine { .. }), "{fault}");
        assert_eq!(fs::read(&path).expect("reads"), bytes, "nothing was changed");
    }
    let none = Folder::new();
    assert!(AnchorLog::open(&none.path().join("no/such/folder"), school(), &verifies).is_err());
}
