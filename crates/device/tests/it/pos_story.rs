//! A POS on good and on ordinary bad days.

use device::agent::display::{Lamp, Screen, Source, Trouble};
use device::agent::pos::Input;
use device::agent::words;
use ledger::Fen;
use link::{Answer, Marked, ToPlatform, ToTerminal};

use crate::authorisation::authorisation;
use crate::platform::words as platform_words;
use crate::world::{ANNA, BEN, World, fen};

#[test]
fn a_paid_top_up_is_loaded_and_then_spent_from_the_purse_in_one_hold() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    let money = world.money();
    assert!(matches!(world.screen(), Screen::Idle { .. }));

    world.tap(ANNA);
    let loaded = Screen::Loaded { loaded: fen(5000), purse: fen(5000), account: Fen::ZERO };
    assert_eq!(world.screen(), loaded);
    assert!(world.screens.contains(&Screen::Loading { amount: fen(5000) }));

    world.wait_seconds(3);
    world.sell(1200);
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: fen(1200) });
    world.put(ANNA, None);
    let Screen::Paid(paid) = world.screen() else { panic!("{:?}", world.screen()) };
    assert_eq!(
        (paid.amount, paid.from, paid.purse, paid.account),
        (fen(1200), Source::Purse, fen(3800), Some(Fen::ZERO))
    );
    assert_eq!(world.screen().lamp(), Lamp::Green);
    world.take_away();
    assert_eq!((world.chip(ANNA).balance(), world.platform.merchant), (3800, 1200));
    world.wait_seconds(5);
    assert!(matches!(world.screen(), Screen::Idle { .. }));
    world.check(money, "load, then buy");
}

#[test]
fn load_and_sale_fit_into_one_hold_and_the_screen_tells_both() {
    let mut world = World::new();
    world.holder(ANNA).waiting.extend([2000, 3000, 100]);
    let money = world.money();
    world.sell(1200);
    world.tap(ANNA);
    let paid = world.paid();
    assert_eq!(paid.len(), 1);
    assert_eq!((paid[0].loaded, paid[0].purse), (fen(5100), fen(3900)));
    assert_eq!(world.chip(ANNA).loads(), 3, "several items are several loads of one hold");
    world.check(money, "three items and a sale");
}

#[test]
fn a_sale_paid_from_the_account_is_green_and_then_fills_the_purse() {
    let mut world = World::new();
    world.platform.float = 10_000;
    world.holder(ANNA).account = 20_000;
    let money = world.money();
    world.sell(1200);
    world.tap(ANNA);
    let paid = world.paid();
    assert_eq!(paid.len(), 1);
    assert_eq!(paid[0].from, Source::Account);
    assert_eq!((paid[0].filled, paid[0].purse, paid[0].account), (fen(10_000), fen(10_000), Some(fen(8_800))));
    assert_eq!(world.chip(ANNA).purchases(), 0, "the purse was not debited");
    world.check(money, "account, then fill");
}

#[test]
fn a_refused_fill_does_not_spoil_the_sale() {
    let mut world = World::new();
    world.platform.float = 10_000;
    world.holder(ANNA).account = 2_000;
    world.platform.mute = true;
    world.sell(1200);
    world.put(ANNA, None);
    world.platform.refuse_taps = Some(platform_words("BUSY", "忙", "busy"));
    let (seq, answer) = authorisation(&world);
    world.tell(ToTerminal::Answered(Marked { seq, answer }));
    assert!(matches!(world.screen(), Screen::Paid(_)), "{:?}", world.screen());
    assert!(matches!(world.sent.last(), Some(ToPlatform::TapOpen { stage: link::Stage::Fill, .. })));
}

#[test]
fn a_refusal_shows_both_balances_and_leaves_the_sale_open_for_another_card() {
    let mut world = World::new();
    world.holder(ANNA).account = 350;
    world.holder(ANNA).waiting.push_back(800);
    world.holder(BEN).account = 5000;
    let money = world.money();
    world.sell(1200);
    world.tap(ANNA);
    let Screen::Refused { amount, balances, words } = world.screen() else { panic!("{:?}", world.screen()) };
    assert_eq!((amount, balances), (Some(fen(1200)), Some((fen(350), fen(800)))));
    assert_eq!(words.code, "NOT_ENOUGH");
    let text = words::display(&world.screen());
    assert!(text.en.contains("Card 8.00, account 3.50") && text.zh.contains("卡内 8.00 元，账户 3.50 元"), "{text:?}");

    world.tap(BEN);
    assert_eq!(world.paid().len(), 1);
    assert_eq!(world.platform.merchant, 1200);
    world.check(money, "refused, then paid by another card");
}

#[test]
fn a_lost_card_is_refused_with_the_platforms_words_and_no_money_moves() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.holder(ANNA).blocked = true;
    world.sell(1200);
    world.tap(ANNA);
    assert!(
        matches!(world.screen(), Screen::Refused { ref words, balances: None, .. } if words.code == "CARD_LOST"),
        "{:?}",
        world.screen()
    );
    assert_eq!((world.chip(ANNA).balance(), world.platform.merchant), (0, 0));
}

#[test]
fn an_answer_to_an_earlier_question_is_not_taken_for_the_present_one() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.unheard = true;
    world.put(ANNA, None);
    let Some(ToPlatform::TapOpen { ask: earlier, .. }) = world.sent.last().cloned() else { panic!("no question") };
    world.take_away();
    world.put(ANNA, None);
    let apdus = world.apdus;
    let nonce = |ask| ToTerminal::TapNonce { ask, nonce: [0; 3], amount: 5000, prove: Vec::new() };
    world.tell(nonce(earlier));
    assert_eq!(world.apdus, apdus);
    world.tell(nonce(earlier + 1));
    assert_eq!(world.apdus, apdus + 1);
}

#[test]
fn r34_without_a_connection_nothing_is_loaded_or_sold_and_nothing_changes() {
    let mut world = World::off_line();
    world.holder(ANNA).waiting.push_back(5000);
    world.give(Input::LinkDown);
    assert_eq!(world.screen(), Screen::Offline);
    world.tap(ANNA);
    assert_eq!(world.screen(), Screen::CannotSync);
    assert!(words::display(&world.screen()).zh.contains("暂不可同步"));

    world.sell(1200);
    assert_eq!(world.screen(), Screen::OfflineSale { amount: fen(1200) });
    world.tap(ANNA);
    assert_eq!(world.screen(), Screen::OfflineSale { amount: fen(1200) });
    assert_eq!((world.chip(ANNA).loads(), world.chip(ANNA).purchases()), (0, 0));
    assert!(world.sent.is_empty() && world.journal_lines() == 0);

    world.connect();
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: fen(1200) });
    world.tap(ANNA);
    assert_eq!((world.paid().len(), world.chip(ANNA).balance()), (1, 3800));
}

#[test]
fn the_same_card_right_after_its_hold_is_ignored_unless_the_amount_changed() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    world.sell(1200);
    world.tap(ANNA);
    assert_eq!(world.paid().len(), 1);
    let apdus = world.apdus;
    world.tap(ANNA);
    assert_eq!(world.apdus, apdus + 1, "only the card's number is read");
    assert!(matches!(world.screen(), Screen::Paid(_)), "and the outcome stays on the display");

    world.sell(1200);
    world.tap(ANNA);
    assert_eq!(world.paid().len(), 1, "the same amount at once is rather a card held twice");
    world.sell(300);
    world.tap(ANNA);
    assert_eq!(world.paid().len(), 2, "another amount is another sale");
    world.sell(300);
    world.wait_seconds(2);
    world.tap(ANNA);
    assert_eq!(world.paid().len(), 3, "two seconds later it is another sale too");
    assert_eq!(world.platform.merchant, 1800);
}

#[test]
fn the_next_amount_is_not_paid_by_the_card_that_still_lies_there() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    world.holder(BEN).account = 5000;
    world.sell(1200);
    world.put(ANNA, None);
    world.sell(700);
    assert_eq!(world.screen(), Screen::LiftCard { amount: fen(700) });
    assert_eq!(world.platform.merchant, 1200);
    world.take_away();
    world.tap(BEN);
    assert_eq!((world.platform.merchant, world.holder(BEN).account), (1900, 4300));
}

#[test]
fn a_card_that_lies_there_unserved_pays_when_the_amount_is_entered() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    world.put(ANNA, None);
    assert!(matches!(world.screen(), Screen::Loaded { .. }));
    world.sell(1200);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200));
}

#[test]
fn a_strange_or_broken_card_is_told_to_go_to_the_service_centre() {
    let mut world = World::new();
    for answer in [vec![0x6A, 0x82], vec![0x6F, 0x00]] {
        world.give(Input::CardIn);
        world.give(Input::Apdu(answer));
        assert_eq!(world.screen(), Screen::Unreadable);
        world.give(Input::CardOut);
    }
    world.give(Input::CardIn);
    world.give(Input::Apdu(Vec::new()));
    assert_eq!(world.screen(), Screen::RemovedEarly { amount: None }, "no answer is no broken chip");
}

#[test]
fn a_platform_that_does_not_answer_a_tap_is_told_in_words_and_its_late_answer_is_not_obeyed() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.sell(1200);
    world.unheard = true;
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::Reading { amount: Some(fen(1200)) });
    world.wait_seconds(3);
    assert!(matches!(world.screen(), Screen::Refused { ref words, .. } if words.code == "NO_ANSWER"));
    let apdus = world.apdus;
    world.tell(ToTerminal::TapNonce { ask: 1, nonce: [0; 3], amount: 5000, prove: Vec::new() });
    assert_eq!(world.apdus, apdus);

    // The display asks for the card to be held again: it is heard, however soon it comes.
    world.unheard = false;
    world.take_away();
    world.put(ANNA, None);
    assert!(matches!(world.screen(), Screen::Paid(_)), "{:?}", world.screen());
}

#[test]
fn an_amount_that_is_none_is_refused_at_the_keys() {
    let mut world = World::new();
    for amount in [Fen::ZERO, Fen::new(-1), Fen::new(i64::from(u32::MAX) + 1)] {
        world.give(Input::SaleEntered(amount));
        assert_eq!(world.screen(), Screen::AmountInvalid);
    }
    world.sell(1);
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: fen(1) });
}

#[test]
fn a_quarantined_terminal_sells_no_more() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    world.tell(ToTerminal::Answered(Marked { seq: 1, answer: Answer::Quarantined }));
    assert_eq!(world.screen(), Screen::OutOfOrder(Trouble::Quarantined));
    world.sell(1200);
    world.tap(ANNA);
    assert_eq!((world.apdus, world.platform.merchant), (0, 0));
}
