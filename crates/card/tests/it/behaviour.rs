//! What the software card does with commands in and out of place.

use card::apdu::{Command, Init};
use card::chip::{Chip, ImageFault};
use card::psam::{Psam, PsamFault, PurchaseRequest, SoftPsam};
use card::session::Kind;
use card::status::Status;
use card::tear::TearableCard;
use card::terminal::{self, CardFault, LoadAnswer};

use crate::world::{Dice, Host, POS, STAMP, Sale, first_image, new_chip, new_psam, profile};

/// A card with 50.00, selected.
fn card_with_money() -> (TearableCard, Dice) {
    let (mut card, mut dice, mut host) = (TearableCard::new(new_chip()), Dice::new(), Host::new());
    card.insert(None);
    assert!(host.tap(&mut card, &mut dice, 5_000));
    (card, dice)
}

fn status(card: &mut TearableCard, dice: &mut Dice, apdu: &[u8]) -> Status {
    match terminal::data(&crate::world::send(card, dice, apdu)) {
        Ok(_) => Status::Done,
        Err(CardFault::Status(status)) => status,
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn each_fault_of_a_command_has_its_status_and_changes_nothing() {
    let init = |key, amount| Command::InitLoad(Init { key, amount, terminal: POS }).encode();
    let pay = |key, amount| Command::InitPurchase(Init { key, amount, terminal: POS }).encode();
    let table: [(&str, Vec<u8>, Status); 17] = [
        ("unknown key", init(2, 1), Status::UnknownKey),
        ("unknown key", pay(0x41, 1), Status::UnknownKey),
        ("more than a purse holds", init(1, u32::MAX), Status::ConditionsNotSatisfied),
        ("more than there is", pay(1, 5_001), Status::NotEnoughMoney),
        ("credit out of place", terminal::credit_load(STAMP, [0; 4]), Status::InvalidState),
        ("debit out of place", terminal::debit(1, STAMP, [0; 4]), Status::InvalidState),
        (
            "cache out of place",
            Command::CacheRecord { file: 0x17, record: 1, data: vec![0; 16] }.encode(),
            Status::InvalidState,
        ),
        ("no such proof", terminal::prove(Kind::Purchase, 1), Status::ProofNotAvailable),
        ("no such record", terminal::read_log(2), Status::RecordNotFound),
        ("record zero", terminal::read_log(0), Status::RecordNotFound),
        ("no such file", Command::ReadRecord { file: 9, record: 1, length: 0 }.encode(), Status::FileNotFound),
        ("no such file", Command::ReadBinary { file: 0x14, offset: 0, length: 0 }.encode(), Status::FileNotFound),
        ("beyond the file", Command::ReadBinary { file: 0x15, offset: 30, length: 0 }.encode(), Status::WrongOffset),
        (
            "too much",
            Command::ReadBinary { file: 0x15, offset: 20, length: 11 }.encode(),
            Status::WrongExpectedLength(10),
        ),
        (
            "wrong length",
            Command::ReadRecord { file: 0x18, record: 1, length: 22 }.encode(),
            Status::WrongExpectedLength(23),
        ),
        ("other application", Command::Select(vec![0xA0, 1]).encode(), Status::FileNotFound),
        ("unknown instruction", vec![0x80, 0xFE, 0, 0], Status::UnknownInstruction),
    ];
    let (mut card, mut dice) = card_with_money();
    let before = card.chip().to_bytes();
    for (name, apdu, expected) in table {
        assert_eq!(status(&mut card, &mut dice, &apdu), expected, "{name}");
        assert_eq!(card.chip().to_bytes(), before, "{name}");
    }
}

#[test]
fn nothing_but_select_and_challenge_is_answered_before_the_purse_is_selected() {
    let mut card = TearableCard::new(new_chip());
    let mut dice = Dice::new();
    card.insert(None);
    for (apdu, expected) in [
        (terminal::get_balance(), Status::ConditionsNotSatisfied),
        (terminal::init_load(1, POS), Status::ConditionsNotSatisfied),
        (terminal::init_purchase(0, POS), Status::ConditionsNotSatisfied),
        (terminal::read_log(1), Status::FileNotFound),
        (terminal::read_public_file(), Status::FileNotFound),
        (terminal::prove(Kind::Load, 1), Status::ConditionsNotSatisfied),
    ] {
        assert_eq!(status(&mut card, &mut dice, &apdu), expected, "{apdu:02X?}");
    }
    assert_eq!(status(&mut card, &mut dice, &terminal::get_challenge()), Status::Done);
    assert_eq!(status(&mut card, &mut dice, &terminal::select_purse()), Status::Done);
    assert_eq!(status(&mut card, &mut dice, &terminal::get_balance()), Status::Done);
    card.insert(None);
    assert_eq!(status(&mut card, &mut dice, &terminal::get_balance()), Status::ConditionsNotSatisfied);
}

#[test]
fn select_and_the_public_file_name_the_card() {
    let mut card = TearableCard::new(new_chip());
    let mut dice = Dice::new();
    card.insert(None);
    let selected =
        terminal::parse_select(&crate::world::send(&mut card, &mut dice, &terminal::select_purse())).unwrap();
    let read =
        terminal::parse_public_file(&crate::world::send(&mut card, &mut dice, &terminal::read_public_file())).unwrap();
    assert_eq!(selected, read);
    assert_eq!(Some(selected), card.chip().public_file());
    assert_eq!(selected.card().0, 0x2026_0000_0000_0042);
    assert_eq!(selected.validity, profile().validity);
    assert_eq!(selected.issuer, profile().issuer);
}

/// INITIALIZE FOR LOAD of 1.00 and the host's release for it.
fn opened_load(card: &mut TearableCard, dice: &mut Dice) -> Vec<u8> {
    let host = Host::new();
    let answer = LoadAnswer::parse(&crate::world::send(card, dice, &terminal::init_load(100, POS))).unwrap();
    let terms = card::session::Terms { amount: 100, kind: Kind::Load, terminal: POS };
    let opening = card::host::LoadOpening { terms, answer };
    assert!(host.keys.proves_load(&opening));
    terminal::credit_load(STAMP, host.keys.release_load(&opening, STAMP))
}

#[test]
fn a_session_ends_with_any_other_command_with_a_wrong_mac_and_with_the_power() {
    let wrong = terminal::credit_load(STAMP, [0xEE; 4]);
    let table: [(&str, &[u8], Status); 6] = [
        ("balance", &terminal::get_balance(), Status::Done),
        ("wrong mac", &wrong, Status::WrongMac),
        ("debit", &terminal::debit(1, STAMP, [0; 4]), Status::InvalidState),
        ("select", &terminal::select_purse(), Status::Done),
        ("noise", &[0x80], Status::WrongLength),
        ("another initialize", &terminal::init_load(200, POS), Status::Done),
    ];
    for (name, between, expected) in table {
        let (mut card, mut dice) = card_with_money();
        let credit = opened_load(&mut card, &mut dice);
        assert_eq!(status(&mut card, &mut dice, between), expected, "{name}");
        let refusal = status(&mut card, &mut dice, &credit);
        let expected = if name == "another initialize" { Status::WrongMac } else { Status::InvalidState };
        assert_eq!(refusal, expected, "{name}");
        assert_eq!(card.chip().balance(), 5_000, "{name}");
    }
    let (mut card, mut dice) = card_with_money();
    let credit = opened_load(&mut card, &mut dice);
    card.insert(None);
    status(&mut card, &mut dice, &terminal::select_purse());
    assert_eq!(status(&mut card, &mut dice, &credit), Status::InvalidState);
}

#[test]
fn a_release_adds_the_money_once() {
    let (mut card, mut dice) = card_with_money();
    let credit = opened_load(&mut card, &mut dice);
    assert_eq!(status(&mut card, &mut dice, &credit), Status::Done);
    assert_eq!(status(&mut card, &mut dice, &credit), Status::InvalidState);
    assert_eq!((card.chip().balance(), card.chip().loads()), (5_100, 2));
}

#[test]
fn the_log_keeps_the_newest_ten_and_the_newest_comes_first() {
    let (mut card, mut dice) = card_with_money();
    let mut psam = new_psam();
    for amount in 1..=12 {
        Sale::new(amount, Kind::Purchase).tap(&mut card, &mut psam, &mut dice);
    }
    for (record, amount) in (1..=10).zip([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]) {
        let answer = crate::world::send(&mut card, &mut dice, &terminal::read_log(record));
        let found = terminal::parse_log(&answer).unwrap().unwrap();
        assert_eq!((found.amount, found.seq, found.kind), (amount, amount as u16, 0x06));
    }
    let answer = crate::world::send(&mut card, &mut dice, &terminal::read_log(11));
    assert_eq!(terminal::parse_log(&answer), Ok(None));
    assert_eq!(status(&mut card, &mut dice, &terminal::prove(Kind::Purchase, 9)), Status::Done);
    assert_eq!(status(&mut card, &mut dice, &terminal::prove(Kind::Purchase, 8)), Status::ProofNotAvailable);
    assert_eq!(status(&mut card, &mut dice, &terminal::prove(Kind::Load, 12)), Status::ProofNotAvailable);
}

#[test]
fn a_composite_purchase_without_its_record_is_refused() {
    let (mut card, mut dice) = card_with_money();
    assert_eq!(status(&mut card, &mut dice, &terminal::init_composite(100, POS)), Status::Done);
    assert_eq!(status(&mut card, &mut dice, &terminal::debit(1, STAMP, [0; 4])), Status::InvalidState);
    for (file, record, length, expected) in [
        (0x18, 1, 16, Status::WrongFileType),
        (0x19, 1, 16, Status::FileNotFound),
        (0x17, 2, 16, Status::RecordNotFound),
        (0x17, 1, 15, Status::WrongLength),
    ] {
        assert_eq!(status(&mut card, &mut dice, &terminal::init_composite(100, POS)), Status::Done);
        let cache = Command::CacheRecord { file, record, data: vec![0; length] }.encode();
        assert_eq!(status(&mut card, &mut dice, &cache), expected);
    }
    assert_eq!(card.chip().balance(), 5_000);
}

#[test]
fn a_card_at_the_end_of_its_counter_says_so() {
    let image = first_image(&Host::new().keys, 5_000, [0xFFFF; 2], &[], &[]);
    let (mut card, mut dice) = (TearableCard::new(Chip::from_bytes(&image).unwrap()), Dice::new());
    card.insert(None);
    status(&mut card, &mut dice, &terminal::select_purse());
    assert_eq!(status(&mut card, &mut dice, &terminal::init_load(1, POS)), Status::CounterAtMaximum);
    assert_eq!(status(&mut card, &mut dice, &terminal::init_purchase(1, POS)), Status::CounterAtMaximum);
}

#[test]
fn an_image_with_any_changed_byte_or_cut_is_refused() {
    let (card, _) = card_with_money();
    let chip = card.into_chip();
    let image = chip.to_bytes();
    assert_eq!(Chip::from_bytes(&image), Ok(chip));
    for place in 0..image.len() {
        let mut changed = image.clone();
        changed[place] ^= 0x01;
        let expected = if place == 0 { ImageFault::Format(3) } else { ImageFault::Damaged };
        assert_eq!(Chip::from_bytes(&changed), Err(expected), "byte {place}");
        assert_eq!(Chip::from_bytes(&image[..place]), Err(ImageFault::Damaged), "cut at {place}");
    }
}

#[test]
fn keys_show_in_no_debug_output() {
    let (mut card, mut dice) = card_with_money();
    opened_load(&mut card, &mut dice);
    let shown = format!("{:?} {:?} {:?} {:?}", card, new_psam(), Host::new().keys, crate::world::masters());
    assert!(shown.contains("Key(***)"));
    for key in ["0, 17, 34, 51", "44, 64, 222, 216", "55, 85, 86, 193"] {
        assert!(!shown.contains(key), "{shown}");
    }
}

#[test]
fn a_purchase_module_refuses_what_it_cannot_sign_and_never_counts_back() {
    let request = PurchaseRequest {
        card: new_chip().card(),
        random: [1, 2, 3, 4],
        m: 0,
        amount: 100,
        kind: Kind::Purchase,
        stamp: STAMP,
        key_version: 1,
        algorithm: 0,
    };
    let mut psam = new_psam();
    assert_eq!(psam.verify_mac2([0; 4]), Err(PsamFault::NoPurchase));
    let unknown = PurchaseRequest { key_version: 2, ..request };
    assert_eq!(psam.begin_purchase(&unknown), Err(PsamFault::UnknownVersion(2)));
    let sm4 = PurchaseRequest { algorithm: 4, ..request };
    assert_eq!(psam.begin_purchase(&sm4), Err(PsamFault::UnknownAlgorithm(4)));
    assert_eq!(psam.next_tsn(), 1, "a refusal uses up no number");
    assert_eq!(psam.begin_purchase(&request).unwrap().tsn, 1);
    assert_eq!(psam.begin_purchase(&request).unwrap().tsn, 2);
    psam.used(1);
    assert_eq!(psam.next_tsn(), 3);
    psam.used(u32::MAX - 1);
    assert_eq!(psam.begin_purchase(&request), Err(PsamFault::Exhausted));

    let stored = psam.to_bytes();
    assert_eq!(SoftPsam::from_bytes(&stored).map(|psam| psam.next_tsn()), Ok(u32::MAX));
    for place in 0..stored.len() {
        let mut changed = stored.clone();
        changed[place] ^= 0x80;
        assert!(SoftPsam::from_bytes(&changed).is_err(), "byte {place}");
        assert!(SoftPsam::from_bytes(&stored[..place]).is_err(), "cut at {place}");
    }
}

#[test]
fn an_image_of_the_first_version_opens_as_the_card_that_it_was() {
    let (card, mut dice) = card_with_money();
    let chip = card.into_chip();
    let keys = Host::new().keys;
    let record = chip.log()[0].encode();
    let mut open = TearableCard::new(chip.clone());
    open.insert(None);
    status(&mut open, &mut dice, &terminal::select_purse());
    let answer = crate::world::send(&mut open, &mut dice, &terminal::prove(Kind::Load, 1));
    let proof = [&[0x02, 0, 1][..], &answer[..8]].concat();
    let image = first_image(&keys, 5_000, [1, 0], &[record], &[proof]);
    assert_eq!(Chip::from_bytes(&image), Ok(chip));

    // What the card counted of a day stays counted (M21).
    let mut counted = image.clone();
    let at = 1 + 30 + 1 + 64 + 8;
    counted[at..at + 8].copy_from_slice(&[0x20, 0x26, 0x09, 0x01, 0, 0, 0x0F, 0xA0]);
    let end = counted.len() - 16;
    let sum = ledger::row_digest("card image", &[], Some(&counted[..end])).content;
    counted[end..].copy_from_slice(&sum);
    let mut card = TearableCard::new(Chip::from_bytes(&counted).unwrap());
    card.insert(None);
    status(&mut card, &mut dice, &terminal::select_purse());
    let answer = crate::world::send(&mut card, &mut dice, &terminal::read_day_counter());
    assert_eq!(terminal::parse_day_counter(&answer).unwrap().spent, 4_000);

    for place in 0..image.len() {
        let mut changed = image.clone();
        changed[place] ^= 0x04;
        assert!(Chip::from_bytes(&changed).is_err(), "byte {place}");
        assert!(Chip::from_bytes(&image[..place]).is_err(), "cut at {place}");
    }
}
