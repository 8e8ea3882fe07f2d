//! Software cards on files.

use std::fs;
use std::path::PathBuf;

use card::chip::Chip;
use card::session::{Kind, Stamp, Terms};
use card::tear::CutPlace;
use card::terminal::{self, LoadAnswer};
use device::channel::{CardChannel, CardFileFault, Pull, PullAt, SoftReader, store_card};

use crate::folder::fresh;
use crate::world::{ANNA, masters, new_chip};

const TERMINAL: [u8; 6] = [0, 0, 7, 0, 0, 1];
const STAMP: Stamp = Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0x30, 0x45] };

fn reader() -> SoftReader {
    let mut throw = 0_u32;
    SoftReader::new(move || {
        throw = throw.wrapping_add(0x9E37_79B9);
        throw.to_be_bytes()
    })
}

fn card_file(name: &str) -> PathBuf {
    let file = fresh(name).join("anna.card");
    store_card(&file, &new_chip(ANNA)).expect("can be written");
    file
}

fn stored(file: &PathBuf) -> Chip {
    Chip::from_bytes(&fs::read(file).expect("the card's file")).expect("a whole card")
}

/// CREDIT FOR LOAD of 50.00 for a card on the reader.
fn credit(reader: &mut SoftReader) -> Vec<u8> {
    terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card");
    let answer = LoadAnswer::parse(&reader.transmit(&terminal::init_load(5000, TERMINAL))).expect("can be loaded");
    let terms = Terms { amount: 5000, kind: Kind::Load, terminal: TERMINAL };
    let opening = card::host::LoadOpening { terms, answer };
    let mac2 = masters().card_keys(new_chip(ANNA).card()).release_load(&opening, STAMP);
    terminal::credit_load(STAMP, mac2)
}

#[test]
fn what_a_card_answers_is_in_its_file_before() {
    let file = card_file("soft_answers");
    let mut reader = reader();
    assert_eq!(reader.present(), None);
    assert!(reader.transmit(&terminal::select_purse()).is_empty(), "no card, no answer");
    reader.put(&file).expect("lies there");
    assert!(reader.present().is_some());
    let command = credit(&mut reader);
    assert_eq!(stored(&file).balance(), 0);
    assert!(terminal::parse_credit(&reader.transmit(&command)).is_ok());
    assert_eq!((stored(&file).balance(), stored(&file).loads()), (5000, 1));
}

#[test]
fn a_card_pulled_within_a_command_is_gone_and_its_file_tells_what_it_did() {
    let table = [
        (CutPlace::BeforeReceive, 0, 0),
        (CutPlace::BeforeApply, 0, 0),
        (CutPlace::BeforeAnswer, 0, 5000),
        (CutPlace::InAnswer(3), 3, 5000),
    ];
    for (place, answered, balance) in table {
        let file = card_file("soft_pulled");
        let mut reader = reader();
        reader.pull(Pull::During(PullAt::Credit, place));
        reader.put(&file).expect("lies there");
        let command = credit(&mut reader);
        assert!(reader.present().is_some(), "the commands before are answered");
        assert_eq!(reader.transmit(&command).len(), answered, "{place:?}");
        assert_eq!(reader.present(), None, "{place:?}");
        assert_eq!(stored(&file).balance(), balance, "{place:?}");

        reader.put(&file).expect("comes back");
        assert!(terminal::parse_select(&reader.transmit(&terminal::select_purse())).is_ok(), "and is pulled only once");
        reader.pull(Pull::Now);
        assert_eq!((reader.present(), reader.card()), (None, None));
    }
}

#[test]
fn each_insertion_differs_and_ends_the_session_before() {
    let file = card_file("soft_insertions");
    let mut reader = reader();
    reader.put(&file).expect("lies there");
    let first = reader.present();
    let command = credit(&mut reader);
    reader.pull(Pull::Now);
    reader.put(&file).expect("comes back");
    assert_ne!(reader.present(), first);
    terminal::parse_select(&reader.transmit(&terminal::select_purse())).expect("our card");
    assert!(terminal::parse_credit(&reader.transmit(&command)).is_err(), "the old MAC2 is dead");

    let command = credit(&mut reader);
    reader.removed();
    assert!(terminal::parse_credit(&reader.transmit(&command)).is_err(), "without power the session is lost");
    assert_eq!(stored(&file).balance(), 0);
}

#[test]
fn a_card_lies_on_one_reader_at_a_time() {
    let file = card_file("soft_one_place");
    let (here, there) = (reader(), reader());
    here.put(&file).expect("lies here");
    assert!(matches!(here.put(&file), Err(CardFileFault::Occupied)));
    assert!(matches!(there.put(&file), Err(CardFileFault::Elsewhere(_))));
    here.pull(Pull::Now);
    there.put(&file).expect("now there");
    assert_eq!(there.card(), Some(file));
}

#[test]
fn a_file_that_is_no_card_is_refused() {
    let folder = fresh("soft_no_card");
    let reader = reader();
    assert!(matches!(reader.put(&folder.join("none")), Err(CardFileFault::File { .. })));
    let file = folder.join("text");
    fs::write(&file, "not a card").expect("can be written");
    assert!(matches!(reader.put(&file), Err(CardFileFault::Image { .. })));
    assert_eq!(reader.card(), None);
}

#[test]
fn a_change_that_cannot_be_written_did_not_happen() {
    let file = card_file("soft_cannot_write");
    let mut reader = reader();
    reader.put(&file).expect("lies there");
    let command = credit(&mut reader);
    // The place where the new memory would be written is taken by a folder.
    fs::create_dir(file.with_extension("card.new")).expect("can be made");
    assert!(reader.transmit(&command).is_empty(), "no answer");
    assert_eq!(reader.present(), None);
    assert_eq!(stored(&file).balance(), 0);
}
