//! The journal's file.

use std::fs::{self, OpenOptions};
use std::io::Write;

use device::journal::Entry;
use device::journal_file::{JournalFile, JournalFileFault};
use link::Record;

use crate::folder::fresh;

fn gap(seq: u64) -> Entry {
    Entry::Record { seq, record: Record::Gap { tsn: u32::try_from(seq).expect("small") } }
}

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let path = fresh("journal_append").join("journal");
    let mut journal = JournalFile::open(&path).expect("a new journal");
    journal.append(&[gap(1), gap(2)]).expect("written");
    journal.append(&[gap(3)]).expect("written");
    let state = journal.state().clone();
    drop(journal);
    assert_eq!(JournalFile::open(&path).expect("opens again").state(), &state);
    assert_eq!(state.last_seq(), 3);
}

#[test]
fn a_torn_last_line_is_cut_off_and_writing_goes_on_behind_it() {
    let path = fresh("journal_torn").join("journal");
    let mut journal = JournalFile::open(&path).expect("a new journal");
    journal.append(&[gap(1)]).expect("written");
    drop(journal);
    let mut raw = OpenOptions::new().append(true).open(&path).expect("the file");
    raw.write_all(b"12345678 R 2 a16").expect("half a line");
    drop(raw);
    let mut journal = JournalFile::open(&path).expect("opens");
    assert_eq!(journal.state().last_seq(), 1);
    journal.append(&[gap(2)]).expect("written");
    drop(journal);
    assert_eq!(JournalFile::open(&path).expect("opens").state().last_seq(), 2);
}

#[test]
fn damage_in_the_middle_is_refused_with_the_line() {
    let path = fresh("journal_damaged").join("journal");
    let mut journal = JournalFile::open(&path).expect("a new journal");
    journal.append(&[gap(1), gap(2), gap(3)]).expect("written");
    drop(journal);
    let mut bytes = fs::read(&path).expect("the file");
    let second = bytes.iter().position(|byte| *byte == b'\n').expect("lines") + 12;
    bytes[second] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let fault = JournalFile::open(&path).expect_err("damaged");
    assert!(matches!(fault, JournalFileFault::Damaged { .. }));
    assert!(std::error::Error::source(&fault).expect("a cause").to_string().contains("line 2"));
    assert_eq!(fs::read(&path).expect("the file"), bytes, "and nothing is changed");
}

#[test]
fn one_process_at_a_time_is_the_terminal() {
    let path = fresh("journal_in_use").join("journal");
    let first = JournalFile::open(&path).expect("a new journal");
    assert!(matches!(JournalFile::open(&path), Err(JournalFileFault::InUse(_))));
    drop(first);
    assert!(JournalFile::open(&path).is_ok());
}

#[test]
fn a_shortened_journal_is_smaller_and_keeps_its_numbers() {
    let path = fresh("journal_shortened").join("journal");
    let mut journal = JournalFile::open(&path).expect("a new journal");
    journal.append(&(1..=200).map(gap).collect::<Vec<_>>()).expect("written");
    let before = fs::metadata(&path).expect("the file").len();
    journal.forget(190).expect("rewritten");
    assert!(fs::metadata(&path).expect("the file").len() < before / 10);
    journal.append(&[gap(201)]).expect("written");
    let state = journal.state().clone();
    drop(journal);
    let journal = JournalFile::open(&path).expect("opens");
    assert_eq!(journal.state(), &state);
    assert_eq!((state.records().len(), state.last_seq(), state.last_tsn()), (11, 201, Some(201)));
}
