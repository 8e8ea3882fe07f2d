//! A finished card that is ordered again keeps its money and is never condemned, whatever changed since.

use card::chip::Chip;
use card::files::{CardNumber, Profile};
use card::holder::HolderFile;
use card::host::{KeySet, Masters};
use card::keystore::{CONTROL_KEY, OFFICE_KEY};
use card::office::{Made, OfficeFault, Order, command, key_version_of, personalise};
use card::session::{SessionForm, Suite};
use card::tear::TearableCard;
use card::terminal;

use crate::world::{Dice, Host, SERIAL, first_image, key, key_set, masters, order, ordered_chip, profile, send, word};

fn sm4_set() -> KeySet {
    key_set(Suite::Sm4(SessionForm::Padded))
}

/// Keys of the same card under the school's next masters.
fn next_set() -> KeySet {
    let next = Masters { maintenance: key("5BD1E995A3C47F1029E8B6D40F7C3A92"), ..masters() };
    next.key_set(Suite::TripleDes, CardNumber::of_serial(SERIAL))
}

fn again(card: &mut TearableCard, order: &Order) -> Result<Made, OfficeFault> {
    card.insert(None);
    let mut dice = Dice::new();
    personalise(&mut |apdu| send(card, &mut dice, apdu), order)
}

/// A card of this order with 50.00 on it.
fn in_use(order: &Order) -> TearableCard {
    let mut card = TearableCard::new(ordered_chip(order));
    card.insert(None);
    assert!(Host::new().tap(&mut card, &mut Dice::new(), 5_000));
    card
}

fn staff() -> HolderFile {
    HolderFile::of_school(b"Li Lei-Wang", b"2026010001", true).unwrap()
}

fn holder_on(card: &mut TearableCard) -> HolderFile {
    let mut dice = Dice::new();
    card.insert(None);
    assert_eq!(word(card, &mut dice, &terminal::select_purse()), 0x9000);
    let set = key_set(Suite::TripleDes);
    let given = terminal::parse_challenge(&send(card, &mut dice, &terminal::get_challenge())).unwrap();
    let office = set.office_key(card::keystore::OfficeUse::Office);
    let proof = command::external_authenticate(set.suite.algorithm(), &office, OFFICE_KEY, &given);
    assert_eq!(word(card, &mut dice, &proof), 0x9000);
    let read = send(card, &mut dice, &terminal::read_binary(0x16, HolderFile::LENGTH));
    HolderFile::decode(terminal::data(&read).unwrap()).unwrap()
}

#[test]
fn a_holder_who_changed_is_written_anew_and_the_money_stays() {
    let (first, now) = (order(), Order { holder: staff(), ..order() });
    let mut card = in_use(&first);
    let number = CardNumber::of_serial(SERIAL);
    assert_eq!(again(&mut card, &now), Ok(Made { card: number, written: false, renewed: true }));
    assert_eq!((card.chip().balance(), card.chip().loads()), (5_000, 1));
    assert_eq!(holder_on(&mut card), staff());
    assert_eq!(again(&mut card, &now), Ok(Made { card: number, written: false, renewed: false }));
}

#[test]
fn a_card_from_before_the_office_is_checked_like_its_own() {
    let log = vec![];
    let image = first_image(&key_set(Suite::TripleDes).keys, 5_000, [1, 0], &log, &log);
    for (name, issuer_data) in [("as it was written", None), ("without the issuer's bytes", Some([0, 0]))] {
        let mut image = image.clone();
        if let Some(bytes) = issuer_data {
            // The public file stands behind the byte of the format; a checksum of 16 bytes ends the image.
            image[29..31].copy_from_slice(&bytes);
            image.truncate(image.len() - 16);
            let sum = ledger::row_digest("card image", &[], Some(&image)).content;
            image.extend(sum);
        }
        let mut card = TearableCard::new(Chip::from_bytes(&image).unwrap());
        card.insert(None);
        let mut dice = Dice::new();
        let version = key_version_of(&mut |apdu| send(&mut card, &mut dice, apdu), SERIAL);
        assert_eq!(version, Ok(Some(1)), "{name}");
        let made = again(&mut card, &order());
        assert_eq!(made.map(|made| (made.written, made.renewed)), Ok((false, true)), "{name}");
        assert_eq!(card.chip().balance(), 5_000, "{name}");
        assert_eq!(holder_on(&mut card), order().holder, "{name}");
    }
}

#[test]
fn a_finished_card_that_is_not_as_ordered_is_left_as_it_is() {
    let later = Profile { key_version: 2, ..profile() };
    let other = Profile { application_version: 9, ..profile() };
    let table = [
        ("both algorithms", Order { others: vec![sm4_set()], ..order() }),
        ("SM4", Order { set: sm4_set(), ..order() }),
        ("newer masters", Order { set: next_set(), profile: later, ..order() }),
        ("another profile", Order { profile: other, ..order() }),
        ("keys of another school", Order { set: next_set(), ..order() }),
    ];
    for (name, asked) in table {
        let mut card = in_use(&order());
        let before = card.chip().to_bytes();
        // Far more runs than the control key has tries.
        for _ in 0..20 {
            let fault = again(&mut card, &asked).expect_err(name);
            assert!(!fault.destroys() && !fault.to_string().contains("destroy"), "{name}: {fault}");
        }
        assert_eq!(card.chip().to_bytes(), before, "{name}: neither money nor a try is lost");
        assert_eq!(again(&mut card, &order()).map(|made| made.written), Ok(false), "{name}");
    }
}

#[test]
fn a_card_says_which_version_of_keys_it_has_and_a_blank_or_another_says_none() {
    let later = Order { set: next_set(), profile: Profile { key_version: 2, ..profile() }, ..order() };
    let blank = crate::world::blank_chip(&order());
    let table = [
        (ordered_chip(&order()), SERIAL, Some(1)),
        (ordered_chip(&later), SERIAL, Some(2)),
        (ordered_chip(&order()), [9; 10], None),
        (blank, SERIAL, None),
    ];
    for (chip, serial, expected) in table {
        let (mut card, mut dice) = (TearableCard::new(chip), Dice::new());
        card.insert(None);
        let before = card.chip().to_bytes();
        assert_eq!(key_version_of(&mut |apdu| send(&mut card, &mut dice, apdu), serial), Ok(expected));
        assert_eq!(card.chip().to_bytes(), before);
    }
}

#[test]
fn a_locked_control_key_condemns_a_blank_card_and_no_card_that_is_somebodys() {
    let mut card = in_use(&order());
    let mut dice = Dice::new();
    card.insert(None);
    let algorithm = key_set(Suite::TripleDes).suite.algorithm();
    let mut said = 0;
    for _ in 0..16 {
        let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
        let wrong = command::external_authenticate(algorithm, &key(&"7E".repeat(16)), CONTROL_KEY, &given);
        said = word(&mut card, &mut dice, &wrong);
    }
    assert_eq!(said, 0x6983);
    let fault = again(&mut card, &order()).unwrap_err();
    assert!(fault == OfficeFault::LockedKey("control key") && !fault.destroys(), "{fault}");
}

#[test]
fn a_locked_office_key_is_called_so_and_condemns_nothing() {
    let mut card = in_use(&order());
    let mut dice = Dice::new();
    card.insert(None);
    assert_eq!(word(&mut card, &mut dice, &terminal::select_purse()), 0x9000);
    let set = key_set(Suite::TripleDes);
    for left in [0x63C2, 0x63C1, 0x63C0, 0x6983] {
        let given = terminal::parse_challenge(&send(&mut card, &mut dice, &terminal::get_challenge())).unwrap();
        let wrong = command::external_authenticate(set.suite.algorithm(), &key(&"7E".repeat(16)), OFFICE_KEY, &given);
        assert_eq!(word(&mut card, &mut dice, &wrong), left);
    }
    let fault = again(&mut card, &order()).unwrap_err();
    assert!(fault == OfficeFault::LockedKey("office key") && !fault.destroys(), "{fault}");
    assert_eq!(card.chip().balance(), 5_000);
}
