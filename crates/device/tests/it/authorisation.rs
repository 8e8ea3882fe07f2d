//! A request to the platform may get lost, come late or be repeated: the sale is paid once (M17), and what must not be
//! lost is durable before anything depends on it.

use device::agent::display::{Screen, Trouble};
use device::agent::pos::Input;
use link::{Answer, DebitEvidence, Marked, Record, ToPlatform, ToTerminal};

use crate::world::{ANNA, BEN, World, fen};

fn records(world: &World) -> Vec<Record> {
    world.platform.records.values().map(|(record, _)| *record).collect()
}

pub fn authorisation(world: &World) -> (u64, Answer) {
    let asked = world.platform.records.iter().rev().find(|(_, (record, _))| matches!(record, Record::Authorise { .. }));
    let (seq, (_, answer)) = asked.expect("an authorisation");
    (*seq, answer.clone())
}

#[test]
fn m17_a_timed_out_authorisation_is_taken_back_before_anything_else_and_the_sale_is_paid_once() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    let money = world.money();
    world.platform.mute = true;
    world.sell(1200);
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::Asking { amount: fen(1200) });
    assert_eq!(world.platform.merchant, 1200, "the platform took it, its answer is lost");
    let (seq, late) = authorisation(&world);

    world.sent.clear();
    world.wait_seconds(3);
    let first = world.sent.first().cloned();
    assert_eq!(first, Some(ToPlatform::Journal { seq: seq + 1, record: Record::Reverse { of: seq } }));
    assert_eq!(world.platform.merchant, 0);
    assert_eq!(world.screen(), Screen::NotCharged { amount: fen(1200) });

    world.tell(ToTerminal::Answered(Marked { seq, answer: late.clone() }));
    assert!(world.paid().is_empty(), "a late answer is ignored");

    world.take_away();
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::Asking { amount: fen(1200) });
    world.tell(ToTerminal::Answered(Marked { seq, answer: late }));
    assert!(world.paid().is_empty(), "also while the next request is open");
    world.wait_seconds(3);

    world.platform.mute = false;
    world.take_away();
    world.tap(ANNA);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200));
    world.check(money, "taken back, then paid");
}

#[test]
fn m17_nothing_is_paid_for_a_sale_while_its_reversal_is_open() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    world.holder(BEN).account = 5000;
    let money = world.money();
    world.platform.mute = true;
    world.sell(1200);
    world.put(ANNA, None);
    world.platform.busy = true;
    world.wait_seconds(3);
    assert_eq!(world.screen(), Screen::Reversing { amount: fen(1200) });
    let (seq, late) = authorisation(&world);
    world.tell(ToTerminal::Answered(Marked { seq, answer: late }));
    assert_eq!(world.screen(), Screen::Reversing { amount: fen(1200) }, "a late answer ends nothing");
    world.take_away();
    world.sent.clear();
    world.tap(BEN);
    world.put(ANNA, None);
    assert!(
        !world
            .sent
            .iter()
            .any(|message| matches!(message, ToPlatform::Journal { record: Record::Authorise { .. }, .. })),
        "no other request of that sale"
    );

    // The platform can decide again: the reversal is sent again by itself, and the waiting card pays.
    world.platform.busy = false;
    world.platform.mute = false;
    world.wait_seconds(5);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200));
    world.take_away();
    world.check(money, "reversal open for a while");
}

#[test]
fn m17_a_request_that_never_arrived_is_taken_back_first_and_refused_when_it_comes() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    let money = world.money();
    world.sell(1200);
    world.platform.busy = true;
    world.put(ANNA, None);
    world.disconnect();
    world.wait_seconds(3);
    world.take_away();
    assert_eq!(world.screen(), Screen::Reversing { amount: fen(1200) });

    world.platform.busy = false;
    world.sent.clear();
    world.connect();
    let order: Vec<u64> = world.sent.iter().filter_map(journalled).collect();
    assert_eq!(order, [2, 1], "the reversal, then the request");
    assert_eq!(world.platform.merchant, 0);
    world.tap(ANNA);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200));
    world.check(money, "taken back before it arrived");
}

fn journalled(message: &ToPlatform) -> Option<u64> {
    match message {
        ToPlatform::Journal { seq, .. } | ToPlatform::Paid { seq, .. } => Some(*seq),
        _ => None,
    }
}

#[test]
fn an_answer_that_was_lost_with_the_connection_is_asked_for_again_in_the_next_one() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    let money = world.money();
    world.sell(1200);
    // TapOpen, TapBegin, and the request, which arrives; its answer and acknowledgement do not.
    world.cut_line_after = Some(world.sent.len() + 3);
    world.put(ANNA, None);
    world.cut_line_after = None;
    assert_eq!(world.platform.contiguous(), 1);
    world.wait_seconds(1);
    world.connect();
    assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200));
    assert_eq!(world.platform.records.len(), 1, "nothing had to be taken back");
    world.take_away();
    world.check(money, "answered in the next connection");
}

#[test]
fn a_debit_that_went_out_cannot_be_called_off_and_one_that_did_not_is() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    let money = world.money();
    world.sell(1200);
    world.slow_at = Some(world.apdus + 3);
    world.put(ANNA, None);
    world.cancel();
    assert_eq!(world.screen(), Screen::Debiting { amount: fen(1200) });
    world.release_card();
    assert_eq!((world.paid().len(), world.chip(ANNA).purchases()), (1, 1));
    world.take_away();
    world.wait_seconds(3);

    world.sell(300);
    world.slow_at = Some(world.apdus + 2);
    world.put(ANNA, None);
    world.cancel();
    world.release_card();
    assert_eq!(world.screen(), Screen::CalledOff);
    assert_eq!((world.paid().len(), world.chip(ANNA).purchases()), (1, 1));
    world.take_away();
    world.check(money, "called off during the debit");
}

#[test]
fn a_sale_called_off_while_it_is_asked_for_is_taken_back() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    let money = world.money();
    world.platform.mute = true;
    world.sell(1200);
    world.tap(ANNA);
    world.cancel();
    assert_eq!(world.screen(), Screen::CalledOff);
    assert_eq!(world.platform.merchant, 0);
    let (seq, late) = authorisation(&world);
    world.tell(ToTerminal::Answered(Marked { seq, answer: late }));
    assert!(world.paid().is_empty());
    world.check(money, "called off");
}

#[test]
fn the_purse_is_not_debited_when_the_card_left_before_the_answer_pay_from_purse() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    let money = world.money();
    world.platform.mute = true;
    world.sell(1200);
    world.tap(ANNA);
    world.platform.mute = false;
    let (seq, answer) = authorisation(&world);
    assert_eq!(answer, Answer::PayFromPurse { amount: 1200 });
    world.tell(ToTerminal::Answered(Marked { seq, answer }));
    assert_eq!(world.screen(), Screen::NotCharged { amount: fen(1200) });
    assert_eq!(world.chip(ANNA).purchases(), 0);
    world.tap(ANNA);
    assert_eq!((world.paid().len(), world.chip(ANNA).balance()), (1, 3800));
    world.check(money, "gone before the answer");
}

#[test]
fn a_sale_paid_from_the_account_needs_the_card_no_longer() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    let money = world.money();
    world.platform.mute = true;
    world.sell(1200);
    world.tap(ANNA);
    world.platform.mute = false;
    let (seq, answer) = authorisation(&world);
    world.tell(ToTerminal::Answered(Marked { seq, answer }));
    assert_eq!(world.paid().len(), 1);
    world.check(money, "paid after the card left");
}

#[test]
fn a_connection_lost_at_any_message_of_a_hold_never_pays_twice() {
    let story = |lost_after: Option<usize>| {
        let mut world = World::new();
        world.holder(ANNA).waiting.push_back(5000);
        let money = world.money();
        world.sell(1200);
        let start = world.sent.len();
        // The line is cut for the answers: what was sent arrives, nothing comes back.
        world.cut_line_after = lost_after.map(|count| start + count);
        world.put(ANNA, None);
        world.cut_line_after = None;
        (world, money, start)
    };
    let (calm, _, start) = story(None);
    let messages = calm.sent.len() - start;
    assert!(messages >= 6, "open, begin, confirm, authorise, sale and fill: {messages}");
    let mut cases = 0;
    for lost_after in 1..=messages {
        let (mut world, money, _) = story(Some(lost_after));
        world.take_away();
        world.wait_seconds(10);
        world.connect();
        world.wait_seconds(10);
        if world.paid().is_empty() {
            world.tap(ANNA);
        }
        world.wait_seconds(10);
        world.tap(ANNA);
        assert_eq!((world.paid().len(), world.platform.merchant), (1, 1200), "line lost after {lost_after}");
        world.check(money, &format!("line lost after {lost_after}"));
        cases += 1;
    }
    println!("{cases} cut connections");
    assert_eq!(cases, messages);
}

#[test]
fn a_terminal_whose_journal_fails_debits_nothing_more() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    world.sell(1200);
    world.disk_full = true;
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::OutOfOrder(Trouble::Journal));
    assert_eq!(world.chip(ANNA).purchases(), 0);
    assert!(records(&world).is_empty(), "what is not durable is not sent");
}

#[test]
fn acknowledged_records_leave_the_journal_and_what_is_kept_is_sent_again_to_a_restored_platform() {
    let mut world = World::with(|config| config.keep_records = 50);
    world.holder(ANNA).account = 100_000;
    for amount in 1..=130 {
        world.sell(amount);
        world.tap(ANNA);
        world.wait_seconds(2);
    }
    assert_eq!(world.paid().len(), 130);
    assert!(world.journal_lines() < 260, "shortened: {}", world.journal_lines());
    let kept = world.agent.book().records().len();
    assert!((50..=114).contains(&kept), "{kept}");

    world.disconnect();
    let oldest = *world.agent.book().records().keys().next().expect("some are kept");
    world.platform.records.retain(|seq, _| *seq < 95);
    world.sent.clear();
    world.connect();
    let again: Vec<u64> = world.sent.iter().filter_map(journalled).collect();
    assert_eq!(again, (95..=130).collect::<Vec<_>>());
    assert!(oldest <= 81);
    world.restart();
    assert_eq!(world.agent.book().last_seq(), 130);
}

#[test]
fn m19_numbers_continue_above_what_the_platform_knows() {
    let mut world = World::off_line();
    world.holder(ANNA).account = 5000;
    for seq in 1..=41 {
        world.platform.records.insert(seq, (Record::Gap { tsn: 0 }, Answer::Taken));
    }
    world.connect();
    world.sell(1200);
    world.tap(ANNA);
    assert_eq!(world.platform.records.keys().last(), Some(&42));
    assert_eq!(world.paid().len(), 1);
}

#[test]
fn the_sale_record_is_durable_before_the_light_turns_green() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.sell(1200);
    world.hold_journal_after = Some(2);
    world.put(ANNA, None);
    assert_eq!(world.chip(ANNA).purchases(), 1, "debited");
    world.give(Input::Written(1));
    assert!(world.paid().is_empty(), "but not yet recorded durably: not yet green");
    world.release_journal();
    assert_eq!(world.paid().len(), 1);
    assert!(
        records(&world)
            .iter()
            .any(|record| matches!(record, Record::Sale(sale) if sale.evidence != DebitEvidence::Unconfirmed))
    );
}

#[test]
fn the_intent_is_durable_before_the_debit_goes_out() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    let money = world.money();
    world.sell(1200);
    world.hold_journal_after = Some(1);
    world.put(ANNA, None);
    assert_eq!(world.screen(), Screen::Debiting { amount: fen(1200) });
    world.give(Input::Written(1));
    assert_eq!(world.chip(ANNA).purchases(), 0, "the intent is not durable: no debit");
    // The card leaves: its number is a gap, the request is taken back, and the sale is paid anew.
    world.take_away();
    world.release_journal();
    assert_eq!(world.screen(), Screen::NotCharged { amount: fen(1200) });
    world.tap(ANNA);
    assert_eq!((world.paid().len(), world.chip(ANNA).purchases()), (1, 1));
    world.check(money, "gone before the intent was durable");
    assert!(records(&world).contains(&Record::Gap { tsn: 1 }));
}
