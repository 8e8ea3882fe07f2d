//! The clerk's side: keys, what is refused at them, the day's total and the last sale.

use device::agent::display::{Screen, Source};
use device::agent::pos::{Input, Key, MOST_SALE};
use device::agent::sound::Sound;
use device::agent::words;
use device::journal::Outcome;
use ledger::Fen;
use link::{Stage, ToPlatform, ToTerminal};

use crate::world::{ANNA, BEN, World, fen};

fn press(world: &mut World, keys: &str) {
    for letter in keys.chars() {
        world.give(Input::Key(match letter {
            '.' => Key::Point,
            '<' => Key::Back,
            'c' => Key::Cancel,
            'e' => Key::Enter,
            'r' => Key::Repeat,
            digit => Key::Digit(u8::try_from(digit.to_digit(10).expect("a digit")).expect("small")),
        }));
    }
}

fn rich() -> World {
    let mut world = World::new();
    world.holder(ANNA).account = 9_000;
    world.holder(BEN).account = 9_000;
    world
}

#[test]
fn an_amount_is_typed_corrected_and_entered_and_pressing_enter_twice_asks_for_it_once() {
    let mut world = rich();
    press(&mut world, "12<3.5");
    assert_eq!(world.screen(), Screen::Entering { text: "13.5".into() });
    press(&mut world, "ee");
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: fen(1350) });
    world.tap(ANNA);
    press(&mut world, "e");
    assert!(matches!(world.screen(), Screen::Paid(_)), "{:?}", world.screen());
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1350));
}

#[test]
fn repeat_shows_the_last_amount_and_charges_nothing_until_it_is_entered() {
    let mut world = rich();
    press(&mut world, "r");
    assert!(matches!(world.screen(), Screen::Idle { .. }), "nothing was sold yet");
    press(&mut world, "8.5e");
    world.tap(ANNA);
    press(&mut world, "r");
    assert_eq!(world.screen(), Screen::Entering { text: "8.50".into() });
    world.tap(BEN);
    assert_eq!(world.platform.merchant, 850);
    press(&mut world, "e");
    world.tap(BEN);
    assert_eq!(world.platform.merchant, 1700);
    world.restart();
    press(&mut world, "r");
    assert_eq!(world.screen(), Screen::Entering { text: "8.50".into() }, "known after a restart");
}

#[test]
fn an_amount_that_is_being_replaced_is_not_paid_by_a_card_that_comes_too_early() {
    let mut world = rich();
    press(&mut world, "12e3");
    assert_eq!(world.screen(), Screen::Entering { text: "3".into() });
    world.tap(ANNA);
    assert_eq!(world.platform.merchant, 0);
    press(&mut world, "e");
    world.tap(BEN);
    assert_eq!(world.platform.merchant, 300);
}

#[test]
fn cancel_takes_back_what_was_typed_and_then_the_sale() {
    let mut world = rich();
    press(&mut world, "12c");
    assert!(matches!(world.screen(), Screen::Idle { .. }));
    press(&mut world, "7ec");
    assert_eq!(world.screen(), Screen::CalledOff);
    world.tap(ANNA);
    assert_eq!(world.platform.merchant, 0);
}

#[test]
fn keys_other_than_cancel_say_nothing_while_a_sale_is_being_decided() {
    let mut world = rich();
    world.platform.mute = true;
    press(&mut world, "12e");
    world.put(ANNA, None);
    press(&mut world, "99e");
    assert_eq!(world.screen(), Screen::Asking { amount: fen(1200) });
    world.wait_seconds(4);
    world.platform.mute = false;
    world.take_away();
    world.wait_seconds(3);
    world.tap(ANNA);
    assert_eq!(world.platform.merchant, 1200, "neither 99.00 nor twice");
}

#[test]
fn no_amount_above_the_highest_sale_is_asked_for() {
    let mut world = rich();
    let above = Fen::new(MOST_SALE.get() + 1);
    for amount in [Fen::ZERO, Fen::new(-1), above] {
        world.give(Input::SaleEntered(amount));
        assert_eq!(world.screen(), Screen::AmountInvalid);
    }
    press(&mut world, "0.00e");
    assert_eq!(world.screen(), Screen::AmountInvalid);
    assert!(words::display(&world.screen()).en.contains("0.01 to 9999.99"));
    world.give(Input::SaleEntered(MOST_SALE));
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: MOST_SALE });
}

#[test]
fn a_sale_entered_while_a_card_is_loading_is_paid_in_the_same_hold() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.slow_at = Some(2);
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::Loading { amount: fen(5000) });
    press(&mut world, "12e");
    assert_eq!(world.screen(), Screen::Loading { amount: fen(5000) }, "the card must stay");
    world.release_card();
    assert_eq!((world.paid().len(), world.chip(ANNA).balance()), (1, 3800));
}

#[test]
fn a_served_card_that_stays_is_told_to_be_lifted_before_the_next_amount_is_paid() {
    let mut world = rich();
    press(&mut world, "12e");
    world.put(ANNA, None);
    press(&mut world, "7e");
    assert_eq!(world.screen(), Screen::LiftCard { amount: fen(700) });
    assert_eq!(world.platform.merchant, 1200);
    world.take_away();
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: fen(700) });
    world.tap(BEN);
    assert_eq!((world.platform.merchant, world.holder(BEN).account), (1900, 8300));
}

#[test]
fn r33_a_card_with_more_waiting_than_one_hold_takes_is_told_to_be_held_again_and_goes_on_then() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.unheard = true;
    world.put(ANNA, None);
    let mut rounds = 0;
    loop {
        let again = match world.sent.last() {
            Some(ToPlatform::TapOpen { ask, stage: Stage::Load, .. }) => {
                ToTerminal::TapNonce { ask: *ask, nonce: [1; 3], amount: 1, prove: Vec::new() }
            }
            Some(ToPlatform::TapBegin { ask, .. }) => ToTerminal::TapAgain { ask: *ask, nonce: [1; 3], amount: 1 },
            other => panic!("{other:?}"),
        };
        world.give(Input::Platform(again));
        rounds += 1;
        if world.screen() == (Screen::HoldAgain { amount: None }) {
            break;
        }
        assert!(rounds < 100, "the hold never ends");
    }
    assert_eq!(Sound::of(&world.screen()), Some(Sound::Again));
    world.take_away();
    world.unheard = false;
    world.tap(ANNA);
    assert_eq!(world.chip(ANNA).balance(), 5000, "held again at once it goes on");
}

#[test]
fn a_refusal_sounds_as_what_it_is() {
    let mut world = World::new();
    world.holder(ANNA).account = 350;
    world.holder(BEN).blocked = true;
    press(&mut world, "12e");
    world.tap(ANNA);
    assert_eq!(Sound::of(&world.screen()), Some(Sound::NotEnough));
    world.tap(BEN);
    assert_eq!(Sound::of(&world.screen()), Some(Sound::Blocked));
}

#[test]
fn the_days_total_and_the_last_sale_come_from_the_journal_and_outlive_a_restart() {
    let mut world = World::new();
    world.holder(ANNA).account = 2000;
    world.holder(BEN).waiting.push_back(5000);
    let seen = |world: &World| {
        let (total, last) = world.agent.takings(world.now);
        (total.count, total.fen, last.map(|last| (last.fen, last.outcome)))
    };
    assert_eq!(seen(&world), (0, 0, None));
    press(&mut world, "12e");
    world.tap(ANNA);
    assert_eq!(seen(&world), (1, 1200, Some((1200, Outcome::PaidFromAccount))));
    press(&mut world, "7e");
    world.tap(BEN);
    assert_eq!(world.paid().last().map(|paid| paid.from), Some(Source::Purse));
    assert_eq!(seen(&world), (2, 1900, Some((700, Outcome::PaidFromPurse))));
    press(&mut world, "99e");
    world.tap(ANNA);
    let refused = (2, 1900, Some((9900, Outcome::NotPaid)));
    assert_eq!(seen(&world), refused);
    world.restart();
    assert_eq!(seen(&world), refused);
    let (total, last) = world.agent.takings(world.now);
    assert_eq!(words::day_total(&total).en, "Sales today: 2, 19.00 in all");
    assert!(words::last_sale(&last.expect("one")).zh.ends_with("99.00 元 未支付"));
    world.wait_seconds(24 * 3600);
    assert_eq!(seen(&world).0, 0, "a new day");
}
