//! At the counter: cards that slip, stay or are laid back while the next amount is entered, and what the clerk is told.

use std::collections::BTreeSet;

use card::terminal;
use device::agent::display::{Screen, Trouble};
use device::agent::pos::{Input, MOST_SALE};
use device::agent::sound::Sound;
use device::agent::words;
use ledger::Fen;
use link::{Answer, Marked, Record, ToPlatform, ToTerminal};

use crate::authorisation::authorisation;
use crate::platform::TERMINAL;
use crate::world::{ANNA, BEN, World, fen, new_module};

/// Two holders with 50.00 each on the account.
fn rich() -> World {
    let mut world = World::new();
    for card in [ANNA, BEN] {
        world.holder(card).account = 5000;
    }
    world
}

/// Anna paid 12.00, and her card slipped and lies there again.
fn slipped() -> World {
    let mut world = rich();
    world.sell(1200);
    world.tap(ANNA);
    assert_eq!(world.paid().len(), 1);
    world.wait(900_000);
    world.put(ANNA, None);
    world
}

#[test]
fn a_card_that_paid_and_slipped_does_not_pay_the_next_persons_amount() {
    for amount in [1500, 1200] {
        let mut world = slipped();
        world.wait_seconds(60);
        world.sell(amount);
        assert_eq!(world.screen(), Screen::LiftCard { amount: fen(amount) });
        assert_eq!((world.holder(ANNA).account, world.platform.merchant), (3800, 1200), "Anna paid once");
        world.take_away();
        world.tap(BEN);
        assert_eq!((world.holder(BEN).account, world.platform.merchant), (5000 - amount, 1200 + amount));
    }
}

#[test]
fn a_card_laid_back_at_once_while_the_same_amount_is_due_is_told_to_be_lifted() {
    let mut world = rich();
    world.sell(1200);
    world.tap(ANNA);
    world.sell(1200);
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::LiftCard { amount: fen(1200) });
    world.take_away();
    assert_eq!(world.screen(), Screen::ReadyToPay { amount: fen(1200) });
    world.wait_seconds(2);
    world.tap(ANNA);
    assert_eq!(world.platform.merchant, 2400, "after a while it is a second sale");
}

#[test]
fn a_card_that_only_synced_and_was_laid_back_pays_the_amount_that_is_entered() {
    let mut world = rich();
    world.tap(ANNA);
    world.put(ANNA, None);
    world.sell(1200);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200));
}

#[test]
fn an_amount_that_is_refused_as_none_replaces_the_one_that_was_due() {
    for amount in [Fen::ZERO, Fen::new(-1), Fen::new(MOST_SALE.get() + 1)] {
        let mut world = rich();
        world.sell(1200);
        world.give(Input::SaleEntered(amount));
        assert_eq!(world.screen(), Screen::AmountInvalid);
        world.tap(ANNA);
        assert_eq!((world.paid().len(), world.platform.merchant), (0, 0), "{amount}");
    }
}

/// Anna's request got no answer, its reversal gets none either, and her card was laid back and waits.
fn waiting_for_a_reversal() -> World {
    let mut world = rich();
    world.platform.mute = true;
    world.sell(1200);
    world.put(ANNA, None);
    world.platform.busy = true;
    world.wait_seconds(3);
    world.take_away();
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::Reversing { amount: fen(1200) });
    world
}

#[test]
fn a_card_that_waited_for_a_sale_that_was_called_off_pays_the_next_amount_without_being_lifted() {
    let mut world = waiting_for_a_reversal();
    world.cancel();
    assert_eq!(world.screen(), Screen::CalledOff);
    (world.platform.busy, world.platform.mute) = (false, false);
    world.sell(700);
    world.wait_seconds(5);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 700));
}

#[test]
fn a_card_that_lies_there_when_the_connection_comes_back_pays_what_is_due() {
    // The amount came while there was no connection.
    let mut world = rich();
    world.disconnect();
    world.put(ANNA, None);
    world.sell(1200);
    assert_eq!(world.screen(), Screen::OfflineSale { amount: fen(1200) });
    world.connect();
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200), "{:?}", world.screen());

    // The connection broke while the card was proved.
    let mut world = rich();
    world.sell(1200);
    world.cut_line_after = Some(world.sent.len() + 1);
    world.put(ANNA, None);
    world.cut_line_after = None;
    assert_eq!(world.screen(), Screen::OfflineSale { amount: fen(1200) });
    world.connect();
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200), "{:?}", world.screen());

    // It was served already, and the next amount came meanwhile.
    world.disconnect();
    world.sell(700);
    world.connect();
    assert_eq!(world.screen(), Screen::LiftCard { amount: fen(700) });
    assert_eq!(world.platform.merchant, 1200);
}

#[test]
fn a_card_that_the_office_blocked_is_told_so_and_is_not_called_unknown() {
    for answer in [[0x6A, 0x81], [0x93, 0x03]] {
        for amount in [None, Some(1200)] {
            let mut world = World::new();
            if let Some(amount) = amount {
                world.sell(amount);
            }
            world.give(Input::CardIn);
            world.give(Input::Apdu(answer.to_vec()));
            let screen = world.screen();
            let Screen::Refused { amount: shown, ref words, balances: None } = screen else { panic!("{screen:?}") };
            assert_eq!((shown, words.code.as_str()), (amount.map(fen), "CARD_STATE"));
            assert_eq!(Sound::of(&screen), Some(Sound::Blocked));
        }
    }
}

fn quarantine(world: &mut World, seq: u64) {
    world.tell(ToTerminal::Answered(Marked { seq, answer: Answer::Quarantined }));
}

const OUT_OF_ORDER: Screen = Screen::OutOfOrder(Trouble::Quarantined);

/// Requests that went out, each counted once however often it was sent.
fn requests(world: &World) -> usize {
    let asked = world.sent.iter().filter_map(|message| match message {
        ToPlatform::Journal { seq, record: Record::Authorise { .. } } => Some(*seq),
        _ => None,
    });
    asked.collect::<BTreeSet<_>>().len()
}

#[test]
fn a_terminal_out_of_order_says_so_over_what_it_said_before() {
    let mut world = rich();
    world.sell(1200);
    world.tap(ANNA);
    world.restart();
    assert!(matches!(world.screen(), Screen::Restarted { .. }));
    quarantine(&mut world, 99);
    assert_eq!(world.screen(), OUT_OF_ORDER);

    let mut world = rich();
    world.platform.mute = true;
    world.sell(1200);
    world.put(ANNA, None);
    let (seq, _) = authorisation(&world);
    quarantine(&mut world, seq);
    assert_eq!(world.screen(), OUT_OF_ORDER, "the request was taken back, and there is no next one");
    world.wait_seconds(10);
    assert_eq!((world.screen(), requests(&world)), (OUT_OF_ORDER, 1));
}

#[test]
fn a_terminal_out_of_order_asks_for_no_further_payment_of_a_card_that_waits() {
    let mut world = waiting_for_a_reversal();
    quarantine(&mut world, 99);
    (world.platform.busy, world.platform.mute) = (false, false);
    let before = requests(&world);
    world.wait_seconds(10);
    assert_eq!((world.screen(), world.platform.merchant), (OUT_OF_ORDER, 0));
    assert_eq!(requests(&world), before);
}

#[test]
fn a_payment_that_was_decided_before_the_trouble_is_still_shown_as_paid() {
    let mut world = rich();
    world.platform.mute = true;
    world.sell(1200);
    world.put(ANNA, None);
    let (seq, answer) = authorisation(&world);
    world.hold_journal_after = Some(0);
    world.tell(ToTerminal::Answered(Marked { seq, answer }));
    quarantine(&mut world, 99);
    world.release_journal();
    assert!(matches!(world.screen(), Screen::Paid(_)), "{:?}", world.screen());
    world.take_away();
    world.wait_seconds(5);
    assert_eq!(world.screen(), OUT_OF_ORDER);
}

#[test]
fn a_refusal_of_the_terminal_itself_has_no_english_within_the_chinese() {
    let foreign = card::psam::SoftPsam::new([9, 9, 9, 0, 0, 0], Default::default());
    let keyless = card::psam::SoftPsam::new(module_terminal(), Default::default());
    let modules =
        [(Some(foreign), "其他终端"), (Some(keyless), "版本"), (Some(new_module()), "重复"), (None, "（9403）")];
    for (module, says) in modules {
        let mut world = World::new();
        world.holder(ANNA).waiting.push_back(5000);
        world.sell(100);
        world.tap(ANNA);
        world.wait_seconds(3);
        match module {
            Some(module) => world.exchange_module(module),
            None => {
                world.answer_instead = Some((terminal::init_purchase(1200, module_terminal()), vec![0x94, 0x03]));
            }
        }
        world.sell(1200);
        world.put(ANNA, None);
        let Screen::Refused { words: ref refusal, .. } = world.screen() else { panic!("{:?}", world.screen()) };
        assert!(refusal.zh.contains(says), "{}", refusal.zh);
        let text = words::display(&world.screen());
        assert!(!text.zh.contains(|letter: char| letter.is_ascii_lowercase()), "{}", text.zh);
        assert!(text.en.is_ascii(), "{}", text.en);
    }
}

fn module_terminal() -> [u8; 6] {
    let [a, b, c] = TERMINAL;
    [a, b, c, 0, 0, 0]
}

#[test]
fn a_payment_that_was_shown_stays_shown_when_the_journal_fails_after_it() {
    let mut world = rich();
    world.sell(1200);
    world.put(ANNA, None);
    assert!(matches!(world.screen(), Screen::Paid(_)));
    world.give(Input::JournalFailed);
    assert!(matches!(world.screen(), Screen::Paid(_)), "the clerk must not charge it again");
    world.take_away();
    world.wait_seconds(10);
    assert_eq!(world.screen(), Screen::OutOfOrder(Trouble::Journal));
}
