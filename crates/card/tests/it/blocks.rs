//! Secure messaging, authentication and blocks: who may do what, and what three wrong MACs cost.

use card::apdu::Command;
use card::crypto::{Algorithm, mac_sm4, mac16};
use card::host::KeySet;
use card::keystore::{KeyForm, KeyKind, OFFICE_KEY, OfficeUse};
use card::office::{Measure, OfficeFault, command, is_controlled_by, maintain};
use card::profile::{PURSE_DF, ROOT_ID};
use card::secure::{protect, protect_sealed};
use card::session::{Kind, SessionForm, Suite};
use card::status::Status;
use card::tear::{Cut, CutPlace, TearableCard};
use card::terminal::{self, CardFault};

use crate::world::{Dice, Host, POS, bytes, hex, key, key_set, new_chip, order, ordered_chip, send, word};

fn set() -> KeySet {
    key_set(Suite::TripleDes)
}

/// A card in the field, its purse selected.
fn selected() -> (TearableCard, Dice) {
    let (mut card, mut dice) = (TearableCard::new(new_chip()), Dice::new());
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    (card, dice)
}

fn challenge(card: &mut TearableCard, dice: &mut Dice) -> [u8; 4] {
    terminal::parse_challenge(&send(card, dice, &terminal::get_challenge())).unwrap()
}

fn take(card: &mut TearableCard, dice: &mut Dice, measure: Measure) -> Result<(), OfficeFault> {
    maintain(&mut |apdu| send(card, dice, apdu), &set(), measure)
}

#[test]
fn a_blocked_purse_answers_6a81_until_it_is_unblocked() {
    let (mut card, mut dice) = (TearableCard::new(new_chip()), Dice::new());
    card.insert(None);
    assert!(Host::new().tap(&mut card, &mut dice, 5_000));
    for _ in 0..2 {
        assert_eq!(take(&mut card, &mut dice, Measure::Block), Ok(()));
        assert!(card.chip().blocked());
        card.insert(None);
        let table = [
            (terminal::select_purse(), 0x6A81),
            (terminal::get_balance(), 0x6A81),
            (terminal::init_load(1, POS), 0x6A81),
            (terminal::init_purchase(1, POS), 0x6A81),
            (terminal::read_log(1), 0x6A81),
            (terminal::prove(Kind::Load, 1), 0x6A81),
            (command::select_file(0x0018), 0x6A81),
            (command::select_file(0x0015), 0x9000),
            (terminal::read_public_file(), 0x9000),
            (terminal::get_challenge(), 0x9000),
        ];
        for (apdu, expected) in table {
            assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
        }
    }
    assert_eq!(card.chip().balance(), 5_000);
    for _ in 0..2 {
        assert_eq!(take(&mut card, &mut dice, Measure::Unblock), Ok(()));
    }
    assert!(!card.chip().blocked());
    assert_eq!(word(&mut card, &mut dice, &terminal::init_purchase(1, POS)), 0x9000);
}

#[test]
fn the_office_finds_the_keys_of_a_blocked_card_and_a_wrong_set_costs_a_try_that_the_right_one_gives_back() {
    let (mut card, mut dice) = selected();
    assert_eq!(take(&mut card, &mut dice, Measure::Block), Ok(()));
    let before = card.chip().to_bytes();
    let mut foreign = set();
    foreign.keys.maintenance = key("6474215EF549707831BB8DB9895FD48A");
    let sm4 = key_set(Suite::Sm4(SessionForm::Padded));
    let mut ask =
        |card: &mut TearableCard, set: &KeySet| is_controlled_by(&mut |apdu| send(card, &mut dice, apdu), set);
    // Far more rounds than the control key has tries.
    for _ in 0..20 {
        for (set, own) in [(&foreign, false), (&sm4, false), (&set(), true)] {
            assert_eq!(ask(&mut card, set), Ok(own));
        }
        assert_eq!(card.chip().to_bytes(), before);
    }
    for _ in 0..14 {
        assert_eq!(ask(&mut card, &foreign), Ok(false));
    }
    assert_eq!(ask(&mut card, &foreign), Err(OfficeFault::Locked), "the fifteenth in a row");
    assert_eq!(ask(&mut card, &set()), Err(OfficeFault::Locked));
    card.remove();
    assert_eq!(ask(&mut card, &set()), Err(OfficeFault::NoAnswer("select its root")));
}

#[test]
fn what_is_locked_for_good_stays_locked() {
    let (mut card, mut dice) = selected();
    assert_eq!(take(&mut card, &mut dice, Measure::LockForGood), Ok(()));
    assert_eq!(take(&mut card, &mut dice, Measure::LockForGood), Ok(()));
    card.insert(None);
    assert_eq!(take(&mut card, &mut dice, Measure::Unblock), Err(OfficeFault::Blocked));
    let table = [
        (terminal::select_purse(), 0x9303),
        (terminal::get_challenge(), 0x9303),
        (command::unblock_application(&set(), [0; 4]), 0x9303),
        (command::select_file(ROOT_ID), 0x9000),
        (terminal::get_challenge(), 0x9000),
        (command::select_file(PURSE_DF), 0x9303),
    ];
    for (apdu, expected) in table {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }

    let (mut card, mut dice) = selected();
    assert_eq!(take(&mut card, &mut dice, Measure::BlockCard), Ok(()));
    assert_eq!(take(&mut card, &mut dice, Measure::BlockCard), Ok(()));
    assert_eq!(take(&mut card, &mut dice, Measure::Unblock), Err(OfficeFault::Blocked));
    for apdu in [terminal::select_purse(), terminal::get_challenge(), command::select_file(ROOT_ID)] {
        assert_eq!(word(&mut card, &mut dice, &apdu), 0x6A81);
    }
}

#[test]
fn three_wrong_macs_in_a_row_lock_the_purse_and_a_right_one_between_them_forgives() {
    let wrong = Command::parse(&command::unblock_application(&set(), [0; 4])).unwrap().encode();
    let table: [(&[bool], u16); 4] = [
        (&[false, false, true, false, false], 0x6988),
        (&[false, false, false], 0x9303),
        (&[true, false, false], 0x6988),
        (&[false, false, true, false, false, false], 0x9303),
    ];
    for (tries, last) in table {
        let (mut card, mut dice) = selected();
        let mut seen = 0;
        for right in tries {
            // The counter lives in the card, not in the field.
            card.insert(None);
            word(&mut card, &mut dice, &terminal::select_purse());
            let given = challenge(&mut card, &mut dice);
            let apdu = if *right { command::unblock_application(&set(), given) } else { wrong.clone() };
            seen = word(&mut card, &mut dice, &apdu);
            assert!(*right == (seen == 0x9000));
        }
        assert_eq!((seen, card.chip().blocked()), (last, last == 0x9303), "{tries:?}");
        let after = word(&mut card, &mut dice, &terminal::get_balance());
        assert_eq!(after, if last == 0x9303 { 0x9303 } else { 0x9000 }, "{tries:?}");
    }
}

#[test]
fn a_protected_command_needs_a_challenge_of_its_own() {
    let (mut card, mut dice) = selected();
    let given = challenge(&mut card, &mut dice);
    let block = command::block_application(&set(), given, false);
    assert_eq!(word(&mut card, &mut dice, &terminal::get_balance()), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &block), 0x6985);
    let eight = Command::GetChallenge(8).encode();
    assert_eq!(word(&mut card, &mut dice, &eight), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &block), 0x6985, "a challenge of eight bytes is for authentication");
    let given = challenge(&mut card, &mut dice);
    let block = command::block_application(&set(), given, false);
    assert_eq!(word(&mut card, &mut dice, &block), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &block), 0x6985, "never twice");
}

#[test]
fn the_office_and_the_card_prove_themselves() {
    let (mut card, mut dice) = selected();
    let (office, own) = (set().office_key(OfficeUse::Office), set().office_key(OfficeUse::Card));
    let holder = terminal::read_binary(0x16, 55);
    let prove = |key, given: &[u8]| command::external_authenticate(Algorithm::TripleDes, key, OFFICE_KEY, given);
    assert_eq!(word(&mut card, &mut dice, &holder), 0x6982);
    assert_eq!(word(&mut card, &mut dice, &prove(&office, &[0; 4])), 0x6985);
    let given = challenge(&mut card, &mut dice);
    assert_eq!(word(&mut card, &mut dice, &prove(&own, &given)), 0x63C2);
    let given = send(&mut card, &mut dice, &Command::GetChallenge(8).encode());
    assert_eq!(word(&mut card, &mut dice, &prove(&office, &given[..8])), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &holder), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &command::select_file(ROOT_ID)), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    assert_eq!(word(&mut card, &mut dice, &holder), 0x6982, "the right ended with the directory");
    for tries in [0x63C2, 0x63C1, 0x63C0, 0x6983] {
        let given = challenge(&mut card, &mut dice);
        assert_eq!(word(&mut card, &mut dice, &prove(&own, &given)), tries);
    }
    let given = challenge(&mut card, &mut dice);
    assert_eq!(word(&mut card, &mut dice, &prove(&office, &given)), 0x6983);

    let answer = send(&mut card, &mut dice, &command::internal_authenticate(OFFICE_KEY, &[7; 16]));
    assert_eq!(answer, [Algorithm::TripleDes.seal(&own, &[7; 16]), vec![0x90, 0x00]].concat());
    for (apdu, expected) in [
        (command::internal_authenticate(OFFICE_KEY, &[7; 15]), 0x6700),
        (command::internal_authenticate(9, &[7; 16]), 0x9403),
        (Command::InternalAuthenticate { mode: 1, key: OFFICE_KEY, data: vec![7; 8] }.encode(), 0x9403),
        (command::verify_pin(0, &[0x12, 0x34]), 0x9403),
        (command::external_authenticate(Algorithm::TripleDes, &office, 9, &[0; 4]), 0x6985),
    ] {
        assert_eq!(word(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
}

#[test]
fn the_card_obeys_the_recorded_block_command() {
    // Recorded: a card with this maintenance key gave this challenge.
    let mut keys = set();
    keys.keys.maintenance = key("6474215EF549707831BB8DB9895FD48A");
    let mut chip = card::chip::Chip::with_keys(crate::world::SERIAL, keys.keys, &crate::world::profile());
    let mut ask = |apdu: &[u8]| chip.process(apdu, &mut || hex("1EA2B2E6"));
    ask(&terminal::select_purse());
    assert_eq!(ask(&terminal::get_challenge()), bytes("1EA2B2E6 9000"));
    assert_eq!(ask(&bytes("841E000004 A86CC6A8")), bytes("9000"));
    assert_eq!(ask(&terminal::select_purse()), bytes("6A81"));

    // The project's own set: block, unblock, update with a MAC, authentication.
    let mut chip = new_chip();
    let mut ask = |random: &str, apdu: &[u8]| chip.process(apdu, &mut || hex(random));
    ask("00000000", &terminal::select_purse());
    let table = [
        ("11223344", "841E000004 DB80BDD5", "9000"),
        ("11223344", "8418000004 1193A7BF", "9000"),
        ("4D5E6F70", "04D695000C 1122334455667788 103DA903", "9000"),
        ("4D5E6F70", "04D6950014 698B4FD82EFBDCDEF2C7CD6B942B5B29 9EC1A68A", "9000"),
    ];
    for (random, apdu, expected) in table {
        ask(random, &terminal::get_challenge());
        assert_eq!(ask(random, &bytes(apdu)), bytes(expected), "{apdu}");
    }
    let head = ask("00000000", &terminal::read_binary(0x15, 20));
    assert_eq!(
        head,
        bytes("698B4FD82EFBDCDEF2C7CD6B942B5B29 00000042 9000"),
        "a file under a MAC takes the body as it is"
    );
}

#[test]
fn a_wrong_cipher_text_under_a_right_mac_changes_nothing() {
    let (mut card, mut dice) = selected();
    let maintenance = set().keys.maintenance;
    let before = card.chip().to_bytes();
    // A right MAC over clear text where the file wants it encrypted, a length that lies, padding that is none.
    let sealed = |plain: &[u8]| Algorithm::TripleDes.seal(&maintenance, plain);
    let bodies = [
        b"clear!!!".to_vec(),
        vec![1; 7],
        sealed(&[9, 1, 2, 3, 4, 5, 6, 7]),
        sealed(&[3, 1, 2, 3, 0x80, 0, 0, 1]),
        sealed(&[3, 1, 2, 3, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for body in bodies {
        let given = challenge(&mut card, &mut dice);
        let apdu = protect(&maintenance, given, [0x04, 0xD6, 0x96, 0], &body).unwrap();
        assert_eq!(word(&mut card, &mut dice, &apdu), 0x6988, "{body:02X?}");
    }
    assert_eq!(card.chip().to_bytes(), before);
    let given = challenge(&mut card, &mut dice);
    let apdu = protect_sealed(&maintenance, given, [0x04, 0xD6, 0x96, 0], &[1, 2, 3]).unwrap();
    assert_eq!(word(&mut card, &mut dice, &apdu), 0x9000);
    assert_ne!(card.chip().to_bytes(), before);
}

/// Cuts of every command at every kind of place.
fn cuts(commands: u32) -> impl Iterator<Item = Cut> {
    let places = [CutPlace::BeforeReceive, CutPlace::BeforeApply, CutPlace::BeforeAnswer];
    let places: Vec<_> = places.into_iter().chain((0..=8).map(CutPlace::InAnswer)).collect();
    (0..commands).flat_map(move |at| places.clone().into_iter().map(move |place| Cut { at, place }))
}

#[test]
fn r32_a_measure_torn_anywhere_was_taken_or_not_and_the_next_run_takes_it() {
    let mut cases = 0;
    for measure in [Measure::Block, Measure::Unblock, Measure::LockForGood, Measure::BlockCard] {
        let (mut start, mut dice) = selected();
        if measure == Measure::Unblock {
            assert_eq!(take(&mut start, &mut dice, Measure::Block), Ok(()));
        }
        let before = start.into_chip();
        let mut whole = TearableCard::new(before.clone());
        whole.insert(None);
        assert_eq!(take(&mut whole, &mut dice, measure), Ok(()));
        let after = whole.into_chip().to_bytes();
        for cut in cuts(3) {
            let mut card = TearableCard::new(before.clone());
            card.insert(Some(cut));
            let _ = take(&mut card, &mut dice, measure);
            assert!(!card.present(), "{cut:?} did not tear");
            let left = card.chip().to_bytes();
            assert!(left == before.to_bytes() || left == after, "{measure:?} {cut:?}");
            card.insert(None);
            assert_eq!(take(&mut card, &mut dice, measure), Ok(()), "{measure:?} {cut:?}");
            assert_eq!(card.chip().to_bytes(), after, "{measure:?} {cut:?}");
            cases += 1;
        }
    }
    assert_eq!(cases, 4 * 3 * 12);
}

#[test]
fn r32_a_torn_update_left_the_old_bytes_or_the_new() {
    type Build = fn([u8; 4]) -> Vec<u8>;
    let builds: [(&str, Build); 3] = [
        ("binary", |given| command::update_binary(&set(), given, (0x15, 2), &[0xAB; 8], false).unwrap()),
        ("sealed binary", |given| command::update_binary(&set(), given, (0x16, 0), &[0xAB; 55], true).unwrap()),
        ("record", |given| command::update_record(&set(), given, (0x17, 1), &[0xAB; 16]).unwrap()),
    ];
    let chip = ordered_chip(&order());
    for (name, build) in builds {
        let update = |card: &mut TearableCard, dice: &mut Dice| -> Result<(), CardFault> {
            terminal::parse_select(&send(card, dice, &terminal::select_purse()))?;
            let given = terminal::parse_challenge(&send(card, dice, &terminal::get_challenge()))?;
            terminal::parse_done(&send(card, dice, &build(given)))
        };
        let mut whole = TearableCard::new(chip.clone());
        whole.insert(None);
        assert_eq!(update(&mut whole, &mut Dice::new()), Ok(()), "{name}");
        let after = whole.into_chip().to_bytes();
        assert_ne!(after, chip.to_bytes());
        for cut in cuts(3) {
            let (mut card, mut dice) = (TearableCard::new(chip.clone()), Dice::new());
            card.insert(Some(cut));
            let _ = update(&mut card, &mut dice);
            let left = card.chip().to_bytes();
            assert!(left == chip.to_bytes() || left == after, "{name} {cut:?}");
            card.insert(None);
            assert_eq!(update(&mut card, &mut dice), Ok(()), "{name} {cut:?}");
            assert_eq!(card.chip().to_bytes(), after, "{name} {cut:?}");
        }
    }
}

#[test]
fn a_blocked_card_is_told_as_such() {
    let (mut card, mut dice) = selected();
    take(&mut card, &mut dice, Measure::Block).unwrap();
    let answer = send(&mut card, &mut dice, &terminal::select_purse());
    assert_eq!(terminal::parse_select(&answer), Err(CardFault::Status(Status::Blocked)));
}

#[test]
fn the_card_encrypts_decrypts_and_signs_with_the_key_for_each() {
    let secret = key("9B1D924E05595603C08346DF9F1D457A");
    let control = order().set.control_form(1).key;
    for algorithm in [Algorithm::TripleDes, Algorithm::Sm4] {
        let (mut card, mut dice) = (TearableCard::new(ordered_chip(&order())), Dice::new());
        card.insert(None);
        word(&mut card, &mut dice, &terminal::select_purse());
        for kind in [KeyKind::Encrypt, KeyKind::Decrypt, KeyKind::Mac] {
            let form = KeyForm { kind, id: 7, version: 1, algorithm, tries: 3, key: secret.clone() };
            let given = challenge(&mut card, &mut dice);
            let write = command::write_key(Algorithm::TripleDes, &control, given, &form).unwrap();
            assert_eq!(word(&mut card, &mut dice, &write), 0x9000);
        }
        let text = [0x5A; 32];
        let sealed = algorithm.seal(&secret, &text);
        let mac = match algorithm {
            Algorithm::TripleDes => mac16(&secret, [0; 8], &text[..5]),
            Algorithm::Sm4 => mac_sm4(&secret, [0; 16], &text[..5]),
        };
        for (mode, data, expected) in [
            (0, &text[..], Some(&sealed[..])),
            (1, &sealed, Some(&text)),
            (2, &text[..5], Some(&mac)),
            (0, &text[..31], None),
            (1, &sealed[..31], None),
        ] {
            let apdu = Command::InternalAuthenticate { mode, key: 7, data: data.to_vec() }.encode();
            let answer = send(&mut card, &mut dice, &apdu);
            assert_eq!(terminal::data(&answer).ok(), expected, "{algorithm:?} {mode}");
        }
    }
}
