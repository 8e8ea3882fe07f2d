//! A blank card becomes a card of the school, whatever interrupts it.

use card::chip::{Chip, Interface};
use card::contact;
use card::crypto::{Algorithm, Key16};
use card::filesystem::{Access, FileForm, Guard, Shape};
use card::host::KeySet;
use card::keystore::{KeyForm, KeyKind};
use card::office::{Made, OfficeFault, Order, command, personalise};
use card::profile::{Counted, PUBLIC_ID, PURSE_DF, ROOT_ID, Switches};
use card::session::{SessionForm, Suite};
use card::tear::{Cut, CutPlace, TearableCard};
use card::terminal;

use crate::world::{Dice, Host, SERIAL, blank_chip, key_set, masters, new_chip, order, ordered_chip, send, word};

fn run(card: &mut TearableCard, dice: &mut Dice, order: &Order) -> Result<Made, OfficeFault> {
    personalise(&mut |apdu| send(card, dice, apdu), order)
}

/// Runs on a card fresh in the field.
fn make(card: &mut TearableCard, dice: &mut Dice, order: &Order) -> Result<Made, OfficeFault> {
    card.insert(None);
    run(card, dice, order)
}

fn sm4_set() -> KeySet {
    key_set(Suite::Sm4(SessionForm::Padded))
}

/// All types of cards that differ in what the office does.
fn orders() -> Vec<(&'static str, Order)> {
    let apart = Switches { loads_apart: true, log_records: 20, log_seq: Counted::Before, ..Switches::CAMPUS };
    let identified = Switches { security_id: Some([7; 9]), proof_seq: Counted::Before, ..Switches::CAMPUS };
    vec![
        ("the project's own", order()),
        ("logs apart", Order { switches: apart, ..order() }),
        ("construction ministry", Order { switches: identified, ..order() }),
        ("SM4 alone", Order { set: sm4_set(), ..order() }),
        ("both algorithms", Order { others: vec![sm4_set()], ..order() }),
        ("a maker with SM4", Order { transport_algorithm: Algorithm::Sm4, ..order() }),
    ]
}

#[test]
fn m15_m21_a_blank_card_becomes_the_ordered_one_and_a_second_run_only_checks_it() {
    for (name, order) in orders() {
        let (mut card, mut dice) = (TearableCard::new(blank_chip(&order)), Dice::new());
        let made = make(&mut card, &mut dice, &order);
        assert_eq!(made.as_ref().map(|made| (made.card.0, made.written)), Ok((0x2026_0000_0000_0042, true)), "{name}");
        assert_eq!(card.chip().to_bytes(), ordered_chip(&order).to_bytes(), "{name}");
        let made = make(&mut card, &mut dice, &order);
        assert_eq!(made.map(|made| made.written), Ok(false), "{name}");
        assert_eq!(card.chip().to_bytes(), ordered_chip(&order).to_bytes(), "{name}");
    }
}

#[test]
fn a_card_with_a_pin_wants_it_for_load_and_log() {
    let switches = Switches { pin_for_load: true, pin_for_log: true, ..Switches::CAMPUS };
    let order = Order { switches, pin: Some(vec![0x12, 0x34, 0x56]), ..order() };
    let (mut card, mut dice) = (TearableCard::new(blank_chip(&order)), Dice::new());
    make(&mut card, &mut dice, &order).unwrap();
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    let load = terminal::init_load(100, [0; 6]);
    let (right, wrong) = (command::verify_pin(0, &[0x12, 0x34, 0x56]), command::verify_pin(0, &[0x12, 0x34]));
    let table = [
        (&load, 0x6982),
        (&terminal::read_log(1), 0x6982),
        (&wrong, 0x63C2),
        (&right, 0x9000),
        (&load, 0x9000),
        (&terminal::read_log(1), 0x6A83),
        (&wrong, 0x63C2),
        (&load, 0x6982),
        (&wrong, 0x63C1),
        (&wrong, 0x63C0),
        (&right, 0x6983),
    ];
    for (apdu, expected) in table {
        assert_eq!(word(&mut card, &mut dice, apdu), expected, "{apdu:02X?}");
    }
    let challenge = |card: &mut TearableCard, dice: &mut Dice| {
        terminal::parse_challenge(&send(card, dice, &terminal::get_challenge())).unwrap()
    };
    let given = challenge(&mut card, &mut dice);
    let other = command::unblock_pin(&order.set, given, 0, &[0x99, 0x99]).unwrap();
    assert_eq!(word(&mut card, &mut dice, &other), 0x6988);
    let given = challenge(&mut card, &mut dice);
    let unblock = command::unblock_pin(&order.set, given, 0, &[0x12, 0x34, 0x56]).unwrap();
    assert_eq!(word(&mut card, &mut dice, &unblock), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &right), 0x9000);

    let mut forged = command::reload_pin(&order.set, 0, &[0x77, 0x77]);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(word(&mut card, &mut dice, &forged), 0x9302);
    let reload = command::reload_pin(&order.set, 0, &[0x77, 0x77]);
    assert_eq!(word(&mut card, &mut dice, &reload), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &right), 0x63C2);
    assert_eq!(word(&mut card, &mut dice, &command::verify_pin(0, &[0x77, 0x77])), 0x9000);
    for _ in 0..3 {
        assert_eq!(word(&mut card, &mut dice, &forged), 0x9302);
    }
    assert_eq!(word(&mut card, &mut dice, &reload), 0x6983);
    // Rights of the PIN end with the directory.
    assert_eq!(word(&mut card, &mut dice, &command::select_file(ROOT_ID)), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &load), 0x6982);
}

/// What the card holds before each command of an untorn run, and at its end.
fn snapshots(order: &Order) -> Vec<Vec<u8>> {
    let (mut card, mut dice) = (TearableCard::new(blank_chip(order)), Dice::new());
    let mut held = vec![card.chip().to_bytes()];
    card.insert(None);
    let made = personalise(
        &mut |apdu| {
            let answer = send(&mut card, &mut dice, apdu);
            held.push(card.chip().to_bytes());
            answer
        },
        order,
    );
    assert!(made.is_ok());
    held
}

#[test]
fn r32_a_run_torn_anywhere_is_finished_by_the_next() {
    let (mut cases, mut twice) = (0_usize, 0);
    for (name, order) in [orders().swap_remove(0), orders().swap_remove(4)] {
        let expected = ordered_chip(&order).to_bytes();
        let held = snapshots(&order);
        let commands = held.len() as u32 - 1;
        assert!(commands > 50, "{commands}");
        let places = [CutPlace::BeforeReceive, CutPlace::BeforeApply, CutPlace::BeforeAnswer];
        let partly = [0, 1, 2, 3, 5].map(CutPlace::InAnswer);
        for at in 0..commands {
            for place in places.into_iter().chain(partly) {
                let cut = Cut { at, place };
                let (mut card, mut dice) = (TearableCard::new(blank_chip(&order)), Dice::new());
                card.insert(Some(cut));
                let torn = run(&mut card, &mut dice, &order);
                assert!(!card.present(), "{name} {cut:?} did not tear");
                let (old, new) = (&held[at as usize], &held[at as usize + 1]);
                let left = card.chip().to_bytes();
                let obeyed = !matches!(place, CutPlace::BeforeReceive | CutPlace::BeforeApply);
                assert_eq!(&left, if obeyed { new } else { old }, "{name} {cut:?}: old or new, never between");
                assert!(
                    torn.as_ref().err().is_none_or(|fault| !fault.destroys() || at + 1 == commands),
                    "{cut:?} {torn:?}"
                );
                if at % 7 == 0 {
                    twice += 1;
                    card.insert(Some(cut));
                    let _ = run(&mut card, &mut dice, &order);
                }
                let made = make(&mut card, &mut dice, &order);
                assert!(made.is_ok(), "{name} {cut:?}: {made:?}");
                assert_eq!(card.chip().to_bytes(), expected, "{name} {cut:?}");
                cases += 1;
            }
        }
    }
    println!("{cases} torn runs, {twice} of them twice");
    assert_eq!(cases, [0, 4].map(|at| (snapshots(&orders()[at].1).len() - 1) * 8).iter().sum::<usize>());
}

#[test]
fn a_finished_card_keeps_its_money_when_it_is_ordered_again() {
    let order = order();
    let (mut card, mut dice) = (TearableCard::new(blank_chip(&order)), Dice::new());
    make(&mut card, &mut dice, &order).unwrap();
    card.insert(None);
    assert!(Host::new().tap(&mut card, &mut dice, 5_000));
    let before = card.chip().to_bytes();
    assert_eq!(make(&mut card, &mut dice, &order).map(|made| made.written), Ok(false));
    assert_eq!(card.chip().to_bytes(), before);
}

#[test]
fn a_card_that_is_not_the_ordered_blank_is_refused_with_the_reason() {
    let order = order();
    let mut dice = Dice::new();
    let other = Order { serial: [0, 0, 9, 9, 9, 9, 9, 9, 9, 9], ..order.clone() };
    let mut card = TearableCard::new(ordered_chip(&other));
    let fault = make(&mut card, &mut dice, &order).unwrap_err();
    assert_eq!(fault, OfficeFault::OtherCard(card.chip().card()));
    assert!(fault.to_string().contains("card 0909090909090909"), "{fault}");
    assert!(!fault.destroys());

    // The same number under keys of another school.
    let foreign = masters().of_issuer([1; 8]).key_set(Suite::TripleDes, card::files::CardNumber::of_serial(SERIAL));
    let mut card = TearableCard::new(ordered_chip(&Order { set: foreign, ..order.clone() }));
    let before = card.chip().to_bytes();
    assert_eq!(make(&mut card, &mut dice, &order), Err(OfficeFault::ForeignKeys));
    assert_eq!(card.chip().to_bytes(), before, "no try was lost");

    // A blank card under another transport key: each run costs two tries; when none is left the card says so at once.
    let mut card = TearableCard::new(blank_chip(&Order { transport: Key16::new([0x5C; 16]), ..order.clone() }));
    for _ in 0..7 {
        assert_eq!(make(&mut card, &mut dice, &order), Err(OfficeFault::ForeignKeys));
    }
    let fault = make(&mut card, &mut dice, &order).unwrap_err();
    assert!(fault == OfficeFault::Locked && fault.destroys());
    assert_eq!(make(&mut card, &mut dice, &order), Err(OfficeFault::Locked));
}

#[test]
fn a_file_of_another_form_condemns_the_card() {
    let order = order();
    let (mut card, mut dice) = (TearableCard::new(blank_chip(&order)), Dice::new());
    card.insert(None);
    let control = |card: &mut TearableCard, dice: &mut Dice| {
        let given = terminal::parse_challenge(&send(card, dice, &terminal::get_challenge())).unwrap();
        command::external_authenticate(Algorithm::TripleDes, &order.transport, 0, &given)
    };
    let application = FileForm {
        id: PURSE_DF,
        guard: Guard::Plain,
        read: Access::Authenticated,
        write: Access::Never,
        shape: Shape::Application(card::files::PURSE_NAME.to_vec()),
    };
    let public = |length| FileForm {
        id: PUBLIC_ID,
        guard: Guard::Mac,
        read: Access::Free,
        write: Access::Free,
        shape: Shape::Binary(length),
    };
    let proof = control(&mut card, &mut dice);
    let table =
        [(command::create_file(application.clone()), 0x6982), (terminal::get_challenge(), 0x9000), (proof, 0x63CE)];
    for (apdu, expected) in table {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "a challenge is good for the next command alone");
    }
    let proof = control(&mut card, &mut dice);
    let table = [
        (proof, 0x9000),
        (command::create_file(public(0)), 0x6A86),
        (command::create_file(application.clone()), 0x9000),
        (command::create_file(application), 0x6985),
        (command::select_file(PURSE_DF), 0x9000),
        (command::create_file(public(29)), 0x9000),
        (command::create_file(public(30)), 0x6985),
    ];
    for (apdu, expected) in table {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
    // Twenty-nine bytes are no public file.
    let fault = make(&mut card, &mut dice, &order).unwrap_err();
    assert!(fault == OfficeFault::OtherForm(PUBLIC_ID) && fault.destroys(), "{fault}");
}

#[test]
fn a_card_that_makes_session_keys_otherwise_is_found_before_the_makers_key_is_gone() {
    let wrong = Order { others: vec![key_set(Suite::Sm4(SessionForm::Doubled))], ..order() };
    let (mut card, mut dice) = (TearableCard::new(blank_chip(&wrong)), Dice::new());
    for _ in 0..2 {
        let fault = make(&mut card, &mut dice, &wrong).unwrap_err();
        assert!(fault == OfficeFault::OtherKeys("load key") && !fault.destroys(), "{fault}");
    }
    let right = Order { others: vec![sm4_set()], ..order() };
    assert_eq!(make(&mut card, &mut dice, &right).map(|made| made.written), Ok(true));
    assert_eq!(card.chip().to_bytes(), ordered_chip(&right).to_bytes());
}

#[test]
fn a_contact_reader_makes_and_uses_the_same_card() {
    let order = order();
    let (mut chip, mut dice) = (blank_chip(&order).on(Interface::Contact), Dice::new());
    let mut fetched = 0;
    let made = personalise(
        &mut |apdu| {
            contact::exchange(apdu, &mut |frame| {
                fetched += u32::from(frame.starts_with(&[0x00, 0xC0]));
                chip.process(frame, &mut || dice.throw())
            })
        },
        &order,
    );
    assert_eq!(made.map(|made| made.written), Ok(true));
    assert!(fetched > 5);
    assert_eq!(chip.to_bytes(), ordered_chip(&order).to_bytes());
}

#[test]
fn get_response_gives_what_waits_and_no_transaction_ends_by_it() {
    let (mut chip, mut dice) = (new_chip().on(Interface::Contact), Dice::new());
    let mut ask = |apdu: &[u8]| chip.process(apdu, &mut || dice.throw());
    let response = |length| vec![0x00, 0xC0, 0x00, 0x00, length];
    assert_eq!(ask(&terminal::select_purse()), [0x61, 0x30]);
    let first = ask(&response(0x10));
    assert_eq!((first.len(), &first[16..]), (18, &[0x61, 0x20][..]));
    assert_eq!(ask(&response(0x21)), [0x6C, 0x20]);
    let rest = ask(&response(0));
    assert_eq!((rest.len(), &rest[32..]), (34, &[0x90, 0x00][..]));
    assert_eq!(ask(&response(0)), [0x69, 0x85]);
    assert!(terminal::parse_select(&[&first[..16], &rest].concat()).is_ok());

    let mut init = terminal::init_load(100, [0; 6]);
    init.pop();
    assert_eq!(ask(&init), [0x61, 0x10]);
    assert_eq!(ask(&response(0x10)).len(), 18);
    let wrong = terminal::credit_load(crate::world::STAMP, [0; 4]);
    assert_eq!(ask(&wrong), [0x93, 0x02], "the transaction is still open");
    // What was not fetched is gone with the next command, and a command without a body answers at once.
    assert_eq!(ask(&init), [0x61, 0x10]);
    assert_eq!(ask(&terminal::get_balance()), [0, 0, 0, 0, 0x90, 0x00]);
    assert_eq!(ask(&response(0x10)), [0x69, 0x85]);
}

#[test]
fn keys_are_replaced_under_the_control_key_alone() {
    let order = order();
    let (mut card, mut dice) = (TearableCard::new(ordered_chip(&order)), Dice::new());
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    let form = KeyForm {
        kind: KeyKind::Load,
        id: 1,
        version: 9,
        algorithm: Algorithm::TripleDes,
        tries: 3,
        key: Key16::new([0x3C; 16]),
    };
    let mut write = |card: &mut TearableCard, key: &Key16| {
        let given = terminal::parse_challenge(&send(card, &mut dice, &terminal::get_challenge())).unwrap();
        let apdu = command::write_key(Algorithm::TripleDes, key, given, &form).unwrap();
        word(card, &mut dice, &apdu)
    };
    let before = card.chip().clone();
    assert_eq!(write(&mut card, &order.set.keys.maintenance), 0x6988);
    assert_eq!(card.chip().loads(), before.loads());
    assert_eq!(write(&mut card, &order.set.control_form(1).key), 0x9000);
    let answer = terminal::LoadAnswer::parse(&send(&mut card, &mut Dice::new(), &terminal::init_load(1, [0; 6])));
    assert_eq!(answer.unwrap().key_version, 9);
    for _ in 0..15 {
        assert_eq!(write(&mut card, &order.set.keys.maintenance), 0x6988);
    }
    assert_eq!(write(&mut card, &order.set.control_form(1).key), 0x6983);
    assert!(!card.chip().blocked());
}

#[test]
fn a_card_has_room_for_sixty_four_keys_and_replaces_one_when_it_is_full() {
    let order = order();
    let (mut card, mut dice) = (TearableCard::new(ordered_chip(&order)), Dice::new());
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    let control = order.set.control_form(1);
    let mut write = |card: &mut TearableCard, id: u8, version: u8| {
        let given = terminal::parse_challenge(&send(card, &mut dice, &terminal::get_challenge())).unwrap();
        let form = KeyForm { kind: KeyKind::Encrypt, id, version, ..control.clone() };
        let apdu = command::write_key(Algorithm::TripleDes, &control.key, given, &form).unwrap();
        word(card, &mut dice, &apdu)
    };
    let there = order.set.forms(1, false).len();
    for id in (0x10_u8..).take(64 - there) {
        assert_eq!(write(&mut card, id, 1), 0x9000, "{id:02X}");
    }
    assert_eq!(write(&mut card, 0x80, 1), 0x6A86, "the sixty-fifth");
    let before = card.chip().to_bytes();
    assert_eq!(write(&mut card, 0x10, 2), 0x9000);
    assert_eq!(card.chip().to_bytes().len(), before.len());
    assert_ne!(card.chip().to_bytes(), before);
}

#[test]
fn a_blank_card_survives_storage_and_has_no_money() {
    let blank = blank_chip(&order());
    assert_eq!((blank.card().0, blank.balance(), blank.loads(), blank.purchases()), (0, 0, 0, 0));
    assert_eq!(blank.public_file(), None);
    assert!(blank.log().is_empty() && !blank.blocked());
    assert_eq!(Chip::from_bytes(&blank.to_bytes()), Ok(blank));
}
