//! Cards of SM4 alone, and cards that speak both algorithms, at a terminal that speaks both.

use card::chip::Chip;
use card::tear::{Cut, CutPlace};
use card::terminal;
use device::agent::display::Screen;
use link::{Record, ToPlatform};

use crate::platform::TERMINAL;
use crate::world::{ANNA, BEN, World, new_chip, old_module, sm4_chip};

const PRICE: u32 = 1200;
const PLACES: [CutPlace; 7] = [
    CutPlace::BeforeReceive,
    CutPlace::BeforeApply,
    CutPlace::BeforeAnswer,
    CutPlace::InAnswer(1),
    CutPlace::InAnswer(2),
    CutPlace::InAnswer(5),
    CutPlace::InAnswer(usize::MAX),
];

/// Anna has this card, and 50.00 wait for it.
fn world(chip: Chip) -> World {
    let mut world = World::new();
    world.exchange_card(ANNA, chip);
    world.holder(ANNA).waiting.push_back(5000);
    world
}

/// Algorithms that the card named to the host and in its sales.
fn named(world: &World) -> Vec<u8> {
    let loads = world.sent.iter().filter_map(|message| match message {
        ToPlatform::TapBegin { init, .. } => Some(init.algorithm),
        _ => None,
    });
    let sales = world.platform.records.values().filter_map(|(record, _)| match record {
        Record::Sale(sale) => Some(sale.algorithm),
        _ => None,
    });
    loads.chain(sales).collect()
}

/// One hold that loads 50.00 and pays 12.00.
fn hold(chip: Chip, cut: Option<Cut>) -> (World, u64) {
    let mut world = world(chip);
    let money = world.money();
    world.sell(PRICE);
    world.put(ANNA, cut);
    (world, money)
}

#[test]
fn a_card_of_sm4_alone_is_loaded_and_pays_and_costs_one_question_more() {
    let mut apdus = Vec::new();
    for (chip, algorithm) in [(new_chip(ANNA), 0x00), (sm4_chip(ANNA, true), 0x00), (sm4_chip(ANNA, false), 0x04)] {
        let (mut world, money) = hold(chip, None);
        world.take_away();
        assert_eq!((world.paid().len(), world.platform.merchant), (1, PRICE), "{algorithm:02X}");
        let chip = world.chip(ANNA);
        assert_eq!((chip.balance(), chip.loads(), chip.purchases()), (5000 - PRICE, 1, 1));
        let named = named(&world);
        assert!(named.len() > 1 && named.iter().all(|name| *name == algorithm), "{named:02X?}");
        world.check(money, "a calm hold");
        apdus.push(world.apdus);
        // The next hold asks from the beginning: it may be another card.
        world.wait_seconds(3);
        world.sell(300);
        world.tap(ANNA);
        assert_eq!(world.platform.merchant, PRICE + 300);
        world.check(money, "a second hold");
        world.holder(BEN).account = 1000;
        world.sell(200);
        world.tap(BEN);
        assert_eq!(world.platform.merchant, PRICE + 500, "a card of 3DES after one of {algorithm:02X}");
    }
    assert_eq!(apdus[0], apdus[1], "a card with both algorithms is asked as one of 3DES");
    assert_eq!(apdus[0] + 1, apdus[2], "the choice is kept for all of the hold");
}

#[test]
fn r32_a_card_of_sm4_alone_torn_anywhere_ends_as_if_never_torn() {
    let (calm, _) = hold(sm4_chip(ANNA, false), None);
    let commands = u32::try_from(calm.apdus).expect("few");
    let mut torn_debits = 0;
    for at in 0..commands {
        for place in PLACES {
            for restart in [false, true] {
                let story = format!("{at} {place:?}, restart {restart}");
                let (mut world, money) = hold(sm4_chip(ANNA, false), Some(Cut { at, place }));
                world.take_away();
                torn_debits += u32::from(matches!(world.screen(), Screen::Unresolved { .. }));
                if restart {
                    world.restart();
                }
                for _ in 0..4 {
                    world.wait_seconds(5);
                    if matches!(world.screen(), Screen::Idle { .. }) && world.platform.merchant == 0 {
                        world.sell(PRICE);
                    }
                    world.tap(ANNA);
                }
                world.check(money, &story);
                assert_eq!(world.platform.merchant, PRICE, "paid once: {story}");
                let chip = world.chip(ANNA);
                assert_eq!((chip.balance(), chip.loads(), chip.purchases()), (5000 - PRICE, 1, 1), "{story}");
                assert!(named(&world).iter().all(|name| *name == 0x04), "{story}");
            }
        }
    }
    // Only whole answers to DEBIT leave no question.
    assert_eq!(torn_debits, (u32::try_from(PLACES.len()).expect("few") - 1) * 2, "{commands} commands");
}

#[test]
fn a_given_up_debit_of_a_card_of_sm4_alone_is_settled_by_its_proof_or_by_its_counter() {
    for (place, debits) in [(CutPlace::BeforeAnswer, 1), (CutPlace::BeforeApply, 0)] {
        for restart in [false, true] {
            let story = format!("{place:?}, restart {restart}");
            let mut world = world(sm4_chip(ANNA, false));
            let money = world.money();
            world.tap(ANNA);
            world.wait_seconds(3);
            world.sell(PRICE);
            // SELECT, INITIALIZE FOR LOAD twice as a probe, INITIALIZE FOR PURCHASE, DEBIT.
            world.put(ANNA, Some(Cut { at: 4, place }));
            assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{story}: {:?}", world.screen());
            world.wait_seconds(2);
            world.cancel();
            assert!(matches!(world.screen(), Screen::Unproved { .. }), "{story}");
            if restart {
                world.restart();
            }
            world.tap(ANNA);
            let settled = world.platform.records.values().find_map(|(record, _)| match record {
                Record::Settle { tac, .. } => Some(tac.is_some()),
                _ => None,
            });
            assert_eq!(settled, Some(debits == 1), "{story}");
            assert_eq!(world.platform.merchant, debits * PRICE, "{story}");
            assert_eq!(u32::from(world.chip(ANNA).purchases()), debits, "{story}");
            world.check(money, &story);
        }
    }
}

#[test]
fn a_card_that_pays_under_another_algorithm_than_it_is_loaded_under_pays_all_the_same() {
    for place in [None, Some(CutPlace::BeforeApply), Some(CutPlace::BeforeAnswer)] {
        let mut world = world(sm4_chip(ANNA, true));
        let money = world.money();
        let [a, b, c] = TERMINAL;
        let first_key = terminal::init_purchase(PRICE, [a, b, c, 0, 0, 0]);
        world.answer_instead = Some((first_key, vec![0x94, 0x03]));
        world.tap(ANNA);
        world.wait_seconds(3);
        world.sell(PRICE);
        // SELECT, INITIALIZE FOR LOAD as a probe, INITIALIZE FOR PURCHASE twice, DEBIT.
        world.put(ANNA, place.map(|place| Cut { at: 4, place }));
        if place.is_some() {
            assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{place:?}: {:?}", world.screen());
            world.put(ANNA, None);
        }
        assert_eq!((world.platform.merchant, world.chip(ANNA).purchases()), (PRICE, 1), "{place:?}");
        let named = named(&world);
        assert_eq!((named.first(), named.last()), (Some(&0x00), Some(&0x04)), "{named:02X?}");
        world.check(money, "settled under the key of the debit");
    }
}

#[test]
fn a_module_without_sm4_refuses_such_a_card_before_anything_is_debited() {
    let mut world = world(sm4_chip(ANNA, false));
    let money = world.money();
    world.exchange_module(old_module());
    world.sell(PRICE);
    world.put(ANNA, None);
    let Screen::Refused { words, .. } = world.screen() else { panic!("{:?}", world.screen()) };
    assert_eq!(words.zh, "消费安全模块故障（不支持算法 04），请联系设备管理员");
    world.take_away();
    assert_eq!((world.platform.merchant, world.chip(ANNA).balance()), (0, 5000));
    world.check(money, "loaded, not paid");
}
