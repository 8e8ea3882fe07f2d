//! The SM4 profile: vectors worked out for this project, and taps with cards of one and of two algorithms.

use std::collections::BTreeMap;

use card::crypto::{Algorithm, Key16};
use card::files::{DayCounter, KEY_ID, SM4_KEY_ID};
use card::host::{KeySet, LoadOpening, PurchaseOpening};
use card::office::{Measure, Order, maintain};
use card::profile::Switches;
use card::psam::{Psam, PsamFault, PurchaseRequest, SoftPsam};
use card::session::{Kind, SessionForm, Stamp, Suite, Terms};
use card::tear::TearableCard;
use card::terminal::{self, DebitAnswer, LoadAnswer, PurchaseAnswer};

use crate::world::{Dice, POS, STAMP, hex, key, key_set, masters, new_chip, order, ordered_chip, send, word};

const PADDED: Suite = Suite::Sm4(SessionForm::Padded);
const DOUBLED: Suite = Suite::Sm4(SessionForm::Doubled);

#[test]
fn card_keys_and_session_keys_are_those_of_the_profile() {
    let keys = key_set(PADDED).keys;
    assert_eq!(keys.load, key("B6AD16265FEE08D4D503BE6DE8AD22BF"));
    assert_eq!(keys.purchase, key("2F9150DA000B5C06C56DB28B06605EF8"));
    assert_eq!(keys.tac, key("B4A8825F53828F9507E62D6471BA7D31"));
    assert_eq!(keys.maintenance, key("E58B174DCB7E6DF5E8BE399EC16C4CC5"));

    let load = |suite: Suite| suite.load_key(&keys.load, hex("1A2B3C4D"), 7);
    let purchase = |suite: Suite| suite.purchase_key(&keys.purchase, hex("9F8E7D6C"), 0x21, 0xA5B);
    assert_eq!(load(PADDED).expose(), hex::<16>("B88EBEBA9CF56D28EAC83E2391B56587"));
    assert_eq!(load(DOUBLED).expose(), hex::<16>("28A76772C6407DADB9CDFA66DEB7BD36"));
    assert_eq!(purchase(PADDED).expose(), hex::<16>("567BED316DE15B713A0AB3DDA81B3AFA"));
    assert_eq!(purchase(DOUBLED).expose(), hex::<16>("8232CCE17B2CB7D12A662580146AEA75"));
}

#[test]
fn a_load_and_a_purchase_under_sm4_are_signed_as_the_profile_says() {
    let keys = key_set(PADDED).keys;
    let terms = Terms { amount: 10_000, kind: Kind::Load, terminal: hex("000000000101") };
    let at = Stamp { date: hex("20260901"), time: hex("123045") };
    let session = PADDED.load_key(&keys.load, hex("1A2B3C4D"), 7);
    assert_eq!(session.load_mac1(5_000, terms), hex("801DBC4F"));
    assert_eq!(session.load_mac2(terms, at), hex("B16B90A7"));
    assert_eq!(PADDED.load_tac(&keys.tac, 15_000, 7, terms, at), hex("4ABDBC39"));

    let terms = Terms { amount: 1_250, kind: Kind::Purchase, terminal: hex("000000000202") };
    let at = Stamp { date: hex("20260901"), time: hex("123110") };
    let session = PADDED.purchase_key(&keys.purchase, hex("9F8E7D6C"), 0x21, 0xA5B);
    assert_eq!(session.purchase_mac1(terms, at), hex("599F1ED7"));
    assert_eq!(session.purchase_mac2(1_250), hex("A65C5585"));
    assert_eq!(PADDED.purchase_tac(&keys.tac, terms, 0xA5B, at), hex("53E8A981"));
}

/// A card with both algorithms in the field.
fn both(form: SessionForm) -> (TearableCard, Dice, Order) {
    let switches = Switches { session_form: form, ..Switches::CAMPUS };
    let order = Order { others: vec![key_set(Suite::Sm4(form))], switches, ..order() };
    let mut card = TearableCard::new(ordered_chip(&order));
    card.insert(None);
    (card, Dice::new(), order)
}

fn load(card: &mut TearableCard, dice: &mut Dice, set: &KeySet, id: u8, amount: u32) {
    send(card, dice, &terminal::select_purse());
    let answer = LoadAnswer::parse(&send(card, dice, &terminal::init_load_with(id, amount, POS))).unwrap();
    assert_eq!(answer.algorithm, set.suite.algorithm().identifier());
    let terms = Terms { amount, kind: Kind::Load, terminal: POS };
    let opening = LoadOpening { terms, answer };
    assert!(set.proves_load(&opening));
    let mac2 = set.release_load(&opening, STAMP);
    let tac = terminal::parse_credit(&send(card, dice, &terminal::credit_load(STAMP, mac2))).unwrap();
    assert!(set.proves_loaded(&opening, STAMP, tac));
    // No set of another algorithm takes any of it for its own.
    let other = LoadOpening { answer: LoadAnswer { algorithm: 4 - answer.algorithm, ..answer }, ..opening };
    assert!(!set.proves_load(&other) && !set.proves_loaded(&other, STAMP, tac));
}

fn module(form: SessionForm) -> SoftPsam {
    let masters = BTreeMap::from([(1, masters().purchase)]);
    SoftPsam::new(POS, masters.clone()).with_sm4(form, masters)
}

fn buy(card: &mut TearableCard, dice: &mut Dice, psam: &mut SoftPsam, set: &KeySet, id: u8, amount: u32) {
    let answer = PurchaseAnswer::parse(&send(card, dice, &terminal::init_purchase_with(id, amount, POS))).unwrap();
    let request = PurchaseRequest {
        card: card.chip().card(),
        random: answer.random,
        m: answer.m,
        amount,
        kind: Kind::Purchase,
        stamp: STAMP,
        key_version: answer.key_version,
        algorithm: answer.algorithm,
    };
    let grant = psam.begin_purchase(&request).unwrap();
    let proof = DebitAnswer::parse(&send(card, dice, &terminal::debit(grant.tsn, STAMP, grant.mac1))).unwrap();
    assert_eq!(psam.verify_mac2(proof.mac2), Ok(()));
    let terms = Terms { amount, kind: Kind::Purchase, terminal: POS };
    assert!(set.proves_purchase(terms, grant.tsn, STAMP, proof.tac));
}

#[test]
fn a_card_with_two_algorithms_picks_by_the_key_and_has_one_purse() {
    for form in [SessionForm::Padded, SessionForm::Doubled] {
        let (mut card, mut dice, order) = both(form);
        let mut psam = module(form);
        let sm4 = &order.others[0];
        load(&mut card, &mut dice, &order.set, KEY_ID, 5_000);
        load(&mut card, &mut dice, sm4, SM4_KEY_ID, 2_000);
        buy(&mut card, &mut dice, &mut psam, sm4, SM4_KEY_ID, 100);
        buy(&mut card, &mut dice, &mut psam, &order.set, KEY_ID, 30);
        let chip = card.into_chip();
        assert_eq!((chip.balance(), chip.loads(), chip.purchases()), (6_870, 2, 2));
        assert_eq!(psam.next_tsn(), 3);
        let stored = SoftPsam::from_bytes(&psam.to_bytes()).unwrap();
        assert_eq!(stored.to_bytes(), psam.to_bytes());
    }
}

#[test]
fn a_composite_purchase_under_sm4_writes_the_day_counter_together_with_the_balance() {
    let (mut card, mut dice, order) = both(SessionForm::Padded);
    let sm4 = &order.others[0];
    load(&mut card, &mut dice, sm4, SM4_KEY_ID, 2_000);
    let init = terminal::init_composite_with(SM4_KEY_ID, 150, POS);
    let answer = PurchaseAnswer::parse(&send(&mut card, &mut dice, &init)).unwrap();
    assert_eq!(answer.algorithm, Algorithm::Sm4.identifier());
    let counter = DayCounter::NEW.after(STAMP.date, 150).unwrap();
    assert_eq!(word(&mut card, &mut dice, &terminal::cache_day_counter(counter)), 0x9000);
    let terms = Terms { amount: 150, kind: Kind::Composite, terminal: POS };
    let purchase = PurchaseOpening { terms, answer, tsn: 1, stamp: STAMP };
    let debit = terminal::debit(1, STAMP, sm4.sign_purchase(&purchase));
    let proof = DebitAnswer::parse(&send(&mut card, &mut dice, &debit)).unwrap();
    assert!(sm4.proves_debited(&purchase, proof.mac2) && sm4.proves_purchase(terms, 1, STAMP, proof.tac));
    let read = send(&mut card, &mut dice, &terminal::read_day_counter());
    assert_eq!((card.chip().balance(), terminal::parse_day_counter(&read)), (1_850, Ok(counter)));
}

#[test]
fn host_and_card_must_agree_on_the_form_of_session_keys() {
    let (mut card, mut dice, _) = both(SessionForm::Doubled);
    send(&mut card, &mut dice, &terminal::select_purse());
    let answer = LoadAnswer::parse(&send(&mut card, &mut dice, &terminal::init_load_with(SM4_KEY_ID, 1, POS))).unwrap();
    let opening = LoadOpening { terms: Terms { amount: 1, kind: Kind::Load, terminal: POS }, answer };
    assert!(key_set(DOUBLED).proves_load(&opening));
    assert!(!key_set(PADDED).proves_load(&opening));
}

#[test]
fn a_card_with_sm4_alone_is_maintained_under_sm4() {
    let set = key_set(PADDED);
    let mut card = TearableCard::new(ordered_chip(&Order { set: set.clone(), ..order() }));
    let mut dice = Dice::new();
    card.insert(None);
    send(&mut card, &mut dice, &terminal::select_purse());
    assert_eq!(word(&mut card, &mut dice, &terminal::init_load(1, POS)), 0x9403);
    assert_eq!(maintain(&mut |apdu| send(&mut card, &mut dice, apdu), &set, Measure::Block), Ok(()));
    assert!(card.chip().blocked());
    assert_eq!(maintain(&mut |apdu| send(&mut card, &mut dice, apdu), &set, Measure::Unblock), Ok(()));
    assert!(!card.chip().blocked());
}

#[test]
fn a_module_without_sm4_masters_of_that_version_refuses() {
    let request = PurchaseRequest {
        card: new_chip().card(),
        random: [1; 4],
        m: 0,
        amount: 1,
        kind: Kind::Purchase,
        stamp: STAMP,
        key_version: 1,
        algorithm: Algorithm::Sm4.identifier(),
    };
    let masters = |version| BTreeMap::from([(version, Key16::new([3; 16]))]);
    let mut without = SoftPsam::new(POS, masters(1));
    assert_eq!(without.begin_purchase(&request), Err(PsamFault::UnknownAlgorithm(4)));
    let mut other = SoftPsam::new(POS, masters(1)).with_sm4(SessionForm::Padded, masters(2));
    assert_eq!(other.begin_purchase(&request), Err(PsamFault::UnknownVersion(1)));
    assert_eq!(other.next_tsn(), 1);
}
