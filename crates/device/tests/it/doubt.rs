//! Sales in doubt after the clerk gave them up, and purchase modules that misbehave.

use card::tear::{Cut, CutPlace};
use card::terminal;
use device::agent::display::Screen;
use link::{DebitEvidence, Record, ToPlatform};

use crate::platform::TERMINAL;
use crate::world::{ANNA, World, module, new_module};

const PRICE: u32 = 1200;
/// SELECT, INITIALIZE FOR LOAD as a probe, INITIALIZE FOR PURCHASE, DEBIT.
const DEBIT: u32 = 3;

/// A card with 50.00, whose debit of 12.00 was torn and given up.
fn given_up(place: CutPlace) -> (World, u64) {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    let money = world.money();
    world.sell(PRICE);
    world.put(ANNA, Some(Cut { at: DEBIT, place }));
    assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{:?}", world.screen());
    world.wait_seconds(2);
    world.cancel();
    assert!(matches!(world.screen(), Screen::Unproved { .. }));
    assert_eq!(world.holder(ANNA).unconfirmed.len(), 1, "told at once, as unconfirmed");
    (world, money)
}

fn record(world: &World, wanted: impl Fn(&Record) -> bool) -> Option<(u64, Record)> {
    world.platform.records.iter().map(|(seq, (record, _))| (*seq, *record)).find(|(_, record)| wanted(record))
}

#[test]
fn a_sale_given_up_is_settled_by_the_same_card_at_the_next_hold_at_this_terminal() {
    for (place, debited) in [(CutPlace::BeforeAnswer, true), (CutPlace::BeforeApply, false)] {
        for restart in [false, true] {
            let story = format!("{place:?}, restart {restart}");
            let (mut world, money) = given_up(place);
            if restart {
                world.restart();
            }
            let (sale, _) = record(&world, |record| matches!(record, Record::Sale(_))).expect("recorded");
            world.tap(ANNA);
            let settled = record(&world, |record| matches!(record, Record::Settle { .. }));
            let Some((_, Record::Settle { of, tac })) = settled else { panic!("not settled: {story}") };
            assert_eq!((of, tac.is_some()), (sale, debited), "{story}");
            assert_eq!(world.platform.merchant, if debited { PRICE } else { 0 }, "{story}");
            world.check(money, &story);
            world.wait_seconds(3);
            let records = world.platform.records.len();
            world.tap(ANNA);
            assert_eq!(world.platform.records.len(), records, "settled once: {story}");
        }
    }
}

#[test]
fn a_terminal_that_knows_nothing_of_the_sale_brings_the_proof_that_the_platform_asks_for() {
    for (place, debited) in [(CutPlace::BeforeAnswer, true), (CutPlace::BeforeApply, false)] {
        let (mut world, money) = given_up(place);
        world.forget_journal();
        world.sent.clear();
        world.tap(ANNA);
        let proofs = world.sent.iter().find_map(|message| match message {
            ToPlatform::TapBegin { proofs, .. } => Some(proofs.clone()),
            _ => None,
        });
        let proofs = proofs.expect("a tap");
        assert_eq!(proofs.iter().map(|proof| proof.m).collect::<Vec<_>>(), if debited { vec![0] } else { vec![] });
        assert_eq!(world.platform.merchant, if debited { PRICE } else { 0 });
        assert_eq!(world.money(), money);
        assert!(world.platform.settled());
    }
}

#[test]
fn the_terminal_keeps_asking_when_the_clerk_gives_up_too_early() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    world.sell(PRICE);
    world.put(ANNA, Some(Cut { at: DEBIT, place: CutPlace::BeforeAnswer }));
    world.cancel();
    assert!(matches!(world.screen(), Screen::Unresolved { .. }));
    world.tap(ANNA);
    assert_eq!(world.paid().len(), 1);
    let sales = world.platform.records.values().filter(|(record, _)| matches!(record, Record::Sale(_))).count();
    assert_eq!(sales, 1);
}

#[test]
fn a_card_that_moved_on_elsewhere_leaves_the_sale_to_the_platform() {
    let (mut world, _) = given_up(CutPlace::BeforeApply);
    // Somewhere else the card pays the very same sum; this terminal's module cannot check that proof.
    world.pay_elsewhere(ANNA, PRICE);
    let records = world.platform.records.len();
    world.disconnect();
    world.tap(ANNA);
    assert_eq!(world.platform.records.len(), records);
    assert!(world.agent.book().records().values().all(|record| !matches!(record, Record::Settle { .. })));
}

#[test]
fn numbers_that_the_module_counted_alone_are_told_as_gaps() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.sell(PRICE);
    world.tap(ANNA);
    let mut ahead = new_module();
    ahead.used(4);
    world.exchange_module(ahead);
    world.sell(300);
    world.tap(ANNA);
    world.wait_seconds(3);
    assert_eq!(world.platform.merchant, PRICE + 300);
    let gaps: Vec<u32> = world
        .platform
        .records
        .values()
        .filter_map(|(record, _)| match record {
            Record::Gap { tsn } => Some(*tsn),
            _ => None,
        })
        .collect();
    assert_eq!(gaps, [2, 3, 4]);
    assert_eq!(world.agent.book().last_tsn(), Some(5));
}

#[test]
fn a_module_that_repeats_its_numbers_debits_nothing() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.sell(PRICE);
    world.tap(ANNA);
    world.exchange_module(new_module());
    world.sell(300);
    world.put(ANNA, None);
    assert!(matches!(world.screen(), Screen::Refused { ref words, .. } if words.code == "PURCHASE_MODULE"));
    assert_eq!((world.chip(ANNA).purchases(), world.platform.merchant), (1, PRICE));
}

#[test]
fn a_module_of_another_terminal_or_without_the_key_debits_nothing_and_the_request_is_taken_back() {
    let [a, b, c] = TERMINAL;
    let masters = std::collections::BTreeMap::new();
    let keyless = card::psam::SoftPsam::new([a, b, c, 0, 0, 0], masters.clone());
    let foreign = card::psam::SoftPsam::new([9, 9, 9, 0, 0, 0], masters);
    for wrong in [keyless, foreign] {
        let mut world = World::new();
        world.holder(ANNA).waiting.push_back(5000);
        let money = world.money();
        world.exchange_module(wrong);
        world.sell(PRICE);
        world.tap(ANNA);
        assert!(matches!(world.screen(), Screen::Refused { ref words, .. } if words.code == "PURCHASE_MODULE"));
        assert_eq!(world.chip(ANNA).purchases(), 0);
        assert!(record(&world, |record| matches!(record, Record::Reverse { .. })).is_some());
        world.exchange_module(module(None));
        world.sell(PRICE);
        world.tap(ANNA);
        assert_eq!(world.paid().len(), 1, "with its own module it sells again");
        world.check(money, "another module");
    }
}

#[test]
fn a_purse_that_holds_less_than_the_book_says_is_refused_and_the_request_is_taken_back() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    world.sell(PRICE);
    // The card is not what the book says: INITIALIZE FOR PURCHASE is refused with 9401.
    world.answer_instead = Some((terminal::init_purchase(PRICE, [0, 0, 7, 0, 0, 0]), vec![0x94, 0x01]));
    world.put(ANNA, None);
    assert!(matches!(world.screen(), Screen::Refused { ref words, .. } if words.code == "PURSE_SHORT"));
    assert!(record(&world, |record| matches!(record, Record::Reverse { .. })).is_some());
}

#[test]
fn a_wrong_proof_of_a_debit_is_no_payment() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    let money = world.money();
    world.sell(PRICE);
    // The card that lies there agrees to everything but cannot make MAC2: neither the debit nor its proof counts.
    world.forge_debits = true;
    world.put(ANNA, None);
    assert!(world.paid().is_empty());
    assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{:?}", world.screen());
    world.forge_debits = false;
    world.wait_seconds(1);
    assert_eq!((world.paid().len(), world.chip(ANNA).purchases()), (1, 1), "the card's own proof counts");
    world.take_away();
    world.check(money, "a forged answer");
    let tac =
        record(&world, |record| matches!(record, Record::Sale(sale) if sale.evidence != DebitEvidence::Unconfirmed));
    assert!(tac.is_some());
}
