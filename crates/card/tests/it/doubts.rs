//! The check at the end of making a card believes nothing: a card that answers one command otherwise is not finished.

use card::files::{DayCounter, LogRecord};
use card::holder::HolderFile;
use card::keystore::OFFICE_KEY;
use card::office::{Made, OfficeFault, Order, command, key_version_of, personalise};
use card::profile::Switches;
use card::session::{Kind, SessionForm, Suite};
use card::tear::TearableCard;
use card::terminal;

use crate::world::{
    Dice, Host, POS, SERIAL, STAMP, Sale, blank_chip, key_set, new_psam, order, ordered_chip, send, word,
};

/// What stands in the place of an answer.
type Lie = fn(Vec<u8>) -> Vec<u8>;

/// Makes a blank card that answers `asked` otherwise than it is.
fn make_with(order: &Order, asked: &[u8], lie: Lie) -> Result<Made, OfficeFault> {
    let (mut card, mut dice) = (TearableCard::new(blank_chip(order)), Dice::new());
    card.insert(None);
    let tell = &mut |apdu: &[u8]| {
        let answer = send(&mut card, &mut dice, apdu);
        if apdu == asked { lie(answer) } else { answer }
    };
    personalise(tell, order)
}

/// The answer with one byte of it changed.
fn changed(mut answer: Vec<u8>, place: usize) -> Vec<u8> {
    if let Some(byte) = answer.get_mut(place) {
        *byte ^= 0x04;
    }
    answer
}

fn answered(data: &[u8]) -> Vec<u8> {
    [data, &[0x90, 0x00]].concat()
}

fn some_record() -> Vec<u8> {
    let record = LogRecord { seq: 1, overdraft: [0; 3], amount: 1, kind: 2, terminal: POS, stamp: STAMP };
    answered(&record.encode())
}

/// The text by which a card proves itself: its serial number, over and over.
fn proof_text() -> Vec<u8> {
    SERIAL.iter().copied().cycle().take(16).collect()
}

#[test]
fn a_fresh_card_that_answers_the_check_otherwise_is_not_finished() {
    let load = terminal::init_load(1, [0; 6]);
    let purchase = terminal::init_purchase(0, [0; 6]);
    let table: [(&str, Vec<u8>, Lie, OfficeFault); 14] = [
        ("money", terminal::get_balance(), |_| answered(&[0, 0, 0, 1]), OfficeFault::NotProved("empty purse")),
        (
            "a day's sum",
            terminal::read_day_counter(),
            |_| answered(&DayCounter { date: [0; 4], spent: 1 }.encode()),
            OfficeFault::NotProved("empty purse"),
        ),
        ("a log", terminal::read_log(1), |_| some_record(), OfficeFault::NotProved("log")),
        ("another version", terminal::select_purse(), |told| changed(told, 27), OfficeFault::NotProved("public file")),
        (
            "no issuer's bytes",
            terminal::select_purse(),
            |mut told| {
                let end = told.len() - 2;
                told[end - 2..end].fill(0);
                told
            },
            OfficeFault::NotProved("public file"),
        ),
        (
            "another holder",
            terminal::read_binary(0x16, HolderFile::LENGTH),
            |told| changed(told, 3),
            OfficeFault::NotProved("holder's file"),
        ),
        ("a wrong MAC1", load.clone(), |told| changed(told, 12), OfficeFault::OtherKeys("load key")),
        ("another version of the load key", load, |told| changed(told, 6), OfficeFault::OtherKeys("key version")),
        ("a purchase before", purchase.clone(), |told| changed(told, 5), OfficeFault::OtherKeys("purchase counter")),
        ("another purchase key", purchase.clone(), |told| changed(told, 9), OfficeFault::OtherKeys("purchase key")),
        ("another algorithm", purchase.clone(), |told| changed(told, 10), OfficeFault::OtherKeys("purchase key")),
        ("half an answer", purchase, |told| told[2..].to_vec(), OfficeFault::Malformed("open a purchase")),
        (
            "another own key",
            command::internal_authenticate(OFFICE_KEY, &proof_text()),
            |told| changed(told, 0),
            OfficeFault::OtherKeys("own key"),
        ),
        (
            "a root of another form",
            command::select_file(0x0001),
            |told| if told.len() > 2 { changed(told, 5) } else { vec![0x6F, 2, 0x82, 0, 0x90, 0x00] },
            OfficeFault::OtherForm(0x0001),
        ),
    ];
    for (name, asked, lie, fault) in table {
        assert_eq!(make_with(&order(), &asked, lie), Err(fault), "{name}");
    }
    assert!(make_with(&order(), &[], |told| told).is_ok());
}

#[test]
fn a_log_behind_a_pin_must_not_be_read_without_it() {
    let switches = Switches { pin_for_log: true, ..Switches::CAMPUS };
    let order = Order { switches, pin: Some(vec![0x12, 0x34]), ..order() };
    assert_eq!(make_with(&order, &terminal::read_log(1), |_| vec![0x6A, 0x83]), Err(OfficeFault::NotProved("log")));
    assert!(make_with(&order, &[], |told| told).is_ok());
}

#[test]
fn a_card_that_was_loaded_while_it_was_made_is_not_finished() {
    let order = order();
    let (mut card, mut dice, mut host) = (TearableCard::new(blank_chip(&order)), Dice::new(), Host::new());
    card.insert(None);
    let check = terminal::init_load(1, [0; 6]);
    let mut loaded = false;
    let made = personalise(
        &mut |apdu| {
            if apdu == check && !loaded {
                loaded = host.tap(&mut card, &mut dice, 5_000);
            }
            send(&mut card, &mut dice, apdu)
        },
        &order,
    );
    assert!(loaded);
    assert_eq!(made, Err(OfficeFault::OtherKeys("load counter")));
}

#[test]
fn a_finished_card_that_paid_is_checked_like_one_that_was_loaded() {
    let order = order();
    let (mut card, mut dice) = (TearableCard::new(ordered_chip(&order)), Dice::new());
    card.insert(None);
    assert!(Host::new().tap(&mut card, &mut dice, 5_000));
    let mut psam = new_psam();
    for kind in [Kind::Purchase, Kind::Composite] {
        let mut sale = Sale::new(100, kind);
        sale.tap(&mut card, &mut psam, &mut dice);
        assert!(sale.paid.is_some());
    }
    card.insert(None);
    let made = personalise(&mut |apdu| send(&mut card, &mut dice, apdu), &order);
    assert_eq!(made.map(|made| (made.written, made.renewed)), Ok((false, false)));
    assert_eq!((card.chip().balance(), card.chip().purchases()), (4_800, 2));
}

#[test]
fn an_sm4_card_whose_public_file_does_not_say_so_names_its_version_by_its_load_key() {
    let order = Order { set: key_set(Suite::Sm4(SessionForm::Padded)), ..order() };
    let (mut card, mut dice) = (TearableCard::new(ordered_chip(&order)), Dice::new());
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
    let unsaid = command::update_binary(&order.set, given, (0x15, 28), &[0; 2], false).unwrap();
    assert_eq!(word(&mut card, &mut dice, &unsaid), 0x9000);
    card.insert(None);
    assert_eq!(key_version_of(&mut |apdu| send(&mut card, &mut dice, apdu), SERIAL), Ok(Some(1)));
}
