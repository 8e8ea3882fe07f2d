//! The money path from a paid order to a paid lunch, broken at every place where it can break.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use flows::ports::{ChannelError, ListAsk, Listed, Payment, Reader, Trade, Waiting};
use flows::refund::What;
use flows::rows::Key;
use flows::tap_load::{self, Onward};
use flows::top_up::{NoticeOutcome, look_after, prepare};
use flows::{School, home, purchase, terminal};
use ledger::{Fen, JournalRow};
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::chart;
use rules::load::Stage;
use rules::purchase::State as SaleState;
use rules::refund::Asked;
use rules::top_up::State;
use teller::{RawKey, StoreError};

use crate::hand::{CARD, Campus, TERMINAL, enrol};

fn order_state(campus: &Campus, no: rules::ids::OrderNo) -> State {
    campus.rig.row(&Key::Order(no)).and_then(|row| row.order().cloned()).expect("an order").state
}

fn waiting(campus: &Campus) -> i64 {
    let row = campus.rig.row(&Key::Waiting(campus.person));
    let items = row.and_then(|row| row.waiting().cloned()).unwrap_or_default();
    items.iter().map(|item| item.amount.get()).sum()
}

fn sale_state(campus: &Campus, seq: u64) -> SaleState {
    let note = campus.rig.row(&Key::Record(campus.at, seq)).and_then(|row| row.record().cloned()).expect("a record");
    let sale = campus.rig.row(&Key::Sale(note.sale.expect("a sale"))).expect("its row");
    sale.sale().expect("a sale").state
}

#[test]
fn r18_a_hundred_notices_at_once_credit_once() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    let body = format!("{no} t1 5000 CNY");
    let raw = flows::ports::RawNotice { timestamp: "", nonce: "", serial: "", signature: "", body: body.as_bytes() };
    let notices = (0..100).map(|_| Box::pin(flows::top_up::notice(&campus.rig.school, &raw))).collect();
    let outcomes = campus.rig.run_all(notices);
    assert!(outcomes.iter().all(|outcome| *outcome == NoticeOutcome::Taken(no)));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 5000);
    assert_eq!(campus.rig.disk.journal_from(1).len(), 1);
    // M10
    assert_eq!(waiting(&campus), 5000, "every fen belongs to an item");
}

#[test]
fn r20_a_payment_that_differs_or_is_nobodys_goes_to_a_case_and_never_to_a_holder() {
    let mut campus = Campus::new();
    let no = campus.order("100");
    for (body, fen) in [
        (format!("{no} t1 9900 CNY"), 9900),
        (format!("{no} t2 10000 USD"), 0),
        ("261123120000000100000001 t3 700 CNY".to_owned(), 700),
        ("not-ours t4 800 CNY".to_owned(), 800),
    ] {
        let owed = campus.balance(chart::receivable(chart::Channel::WeChat));
        let NoticeOutcome::Suspended(case) = campus.notice(&body) else { panic!("{body}") };
        assert_eq!(campus.balance(chart::suspense_case(case)), fen, "{body}");
        assert_eq!(campus.balance(chart::receivable(chart::Channel::WeChat)), owed - fen);
        assert!(matches!(campus.notice(&body), NoticeOutcome::Taken(_)), "a repeat changes nothing");
    }
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    assert!(matches!(order_state(&campus, no), State::InCase { .. }), "a person looks, the clock no longer does");
    // The order can still be paid rightly, and a second payment of it is kept aside.
    assert_eq!(campus.notice(&format!("{no} t5 10000 CNY")), NoticeOutcome::Taken(no));
    assert!(matches!(campus.notice(&format!("{no} t6 10000 CNY")), NoticeOutcome::Suspended(_)));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 10_000);
}

#[test]
fn r67_a_lost_notice_is_made_good_by_a_query_and_a_late_one_finds_it_done() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap().unwrap();
    let paid = Payment {
        order: no.to_string(),
        transaction: "t1".into(),
        amount: Fen::new(5000),
        currency: "CNY".into(),
        paid_at: campus.rig.school.now(),
    };
    campus.provider.say(Ok(Trade::Paid(paid)));
    campus.rig.advance(5);
    campus.rig.run(flows::due::run(&campus.rig.school, 10)).unwrap();
    assert!(matches!(order_state(&campus, no), State::Credited(_)));
    assert_eq!(campus.notice(&format!("{no} t1 5000 CNY")), NoticeOutcome::Taken(no));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 5000);
}

#[test]
fn m28_a_creation_without_an_answer_is_repeated_word_for_word() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.provider.prepays.lock().unwrap().push(Err(ChannelError::Unknown("timeout".into())));
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    assert!(matches!(order_state(&campus, no), State::Unknown { .. }));
    campus.provider.say(Ok(Trade::NotFound));
    campus.rig.advance(30);
    campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
    assert!(matches!(order_state(&campus, no), State::Paying { .. }));
    let wishes = campus.provider.wishes.lock().unwrap();
    assert_eq!(wishes.len(), 2);
    assert_eq!(wishes[0], wishes[1]);
}

#[test]
fn an_unpaid_order_is_closed_there_before_it_is_closed_here() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    campus.provider.say(Err(ChannelError::Unknown("dark".into())));
    campus.rig.advance(901);
    campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
    assert!(matches!(order_state(&campus, no), State::Paying { .. }), "no time-out decides");
    campus.provider.say(Ok(Trade::NotPaid));
    campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
    assert!(matches!(order_state(&campus, no), State::Closed { .. }));
    // Money that was paid all the same is credited: it arrived.
    campus.notice(&format!("{no} t1 5000 CNY"));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 5000);
}

#[test]
fn m7_while_the_clock_has_leapt_no_order_expires_or_is_closed_and_payments_still_arrive() {
    let mut campus = Campus::new();
    let (unpaid, paid) = (campus.order("50"), campus.order("7"));
    for no in [unpaid, paid] {
        campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    }
    campus.rig.leap(true);
    campus.rig.advance(901);
    let next = campus.rig.run(flows::due::run(&campus.rig.school, 10)).unwrap();
    assert!(next > campus.rig.school.now(), "it comes again");
    assert!(matches!(order_state(&campus, unpaid), State::Paying { .. }));
    assert_eq!(campus.notice(&format!("{paid} t1 700 CNY")), NoticeOutcome::Taken(paid));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 700);
    campus.rig.leap(false);
    campus.rig.run(flows::due::run(&campus.rig.school, 10)).unwrap();
    assert!(matches!(order_state(&campus, unpaid), State::Closed { .. }), "confirmed: what is due goes on");
}

#[test]
fn r33_everything_that_waits_is_loaded_in_one_hold_and_its_orders_are_done() {
    let mut campus = Campus::new();
    let orders = ["50", "30.05", "1"].map(|yuan| campus.top_up(yuan));
    let before = campus.rig.run(home::home(&campus.rig.school, campus.person)).unwrap().unwrap();
    assert_eq!((before.waiting.amount, before.on_card), (Fen::new(8105), Fen::ZERO));
    assert_eq!(campus.hold(Stage::Load).0, 8105);
    assert_eq!(campus.chip.balance(), 8105);
    assert_eq!(campus.balance(chart::on_card(CARD)), 8105);
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    for no in orders {
        let tracked = campus.rig.run(home::track(&campus.rig.school, campus.person, no)).unwrap().unwrap();
        assert_eq!(tracked.place, home::Place::OnCard);
    }
    assert_eq!(campus.hold(Stage::Load).0, 0, "a second hold loads nothing");
}

/// Answers each question only when it is asked for the second time, so that others can come in between.
struct Slow(Arc<dyn Reader>);

fn later<'a, T: Send + 'a>(answer: Waiting<'a, T>) -> Waiting<'a, T> {
    Box::pin(async move {
        let mut waited = false;
        poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        answer.await
    })
}

impl Reader for Slow {
    fn rows(&self, keys: Vec<RawKey>) -> Waiting<'_, Result<Vec<Option<Vec<u8>>>, StoreError>> {
        later(self.0.rows(keys))
    }
    fn list(&self, ask: ListAsk) -> Waiting<'_, Result<Vec<Listed>, StoreError>> {
        later(self.0.list(ask))
    }
    fn journal(&self, seqs: Vec<u64>) -> Waiting<'_, Result<Vec<JournalRow>, StoreError>> {
        later(self.0.journal(seqs))
    }
}

#[test]
fn r10_a_holder_s_total_is_the_same_whatever_moves_between_the_places_while_it_is_read() {
    let mut read_in = 0;
    for at in 0..20 {
        for refunded in [false, true] {
            let mut campus = Campus::new();
            let order = campus.top_up("50");
            let school =
                School { reader: Arc::new(Slow(campus.rig.school.reader.clone())), ..campus.rig.school.clone() };
            let mut reading = pin!(home::home(&school, campus.person));
            let mut look = || reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let mut seen = Poll::Pending;
            for _ in 0..at {
                seen = if seen.is_pending() { look() } else { seen };
            }
            if refunded {
                let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
                let opened = flows::refund::open(&campus.rig.school, What::Order(order), None, asked, [1; 16]);
                campus.rig.run(opened).expect("a refund");
            } else {
                campus.hold(Stage::Load);
            }
            while seen.is_pending() {
                read_in += 1;
                seen = look();
            }
            let Poll::Ready(Ok(Some(home))) = seen else { panic!("a holder") };
            assert_eq!(home.total, Fen::new(5000), "after {at} steps, refunded: {refunded}: {home:?}");
        }
    }
    assert!(read_in > 20, "what moved moved while the page was read");
}

#[test]
fn m11_a_torn_tap_is_settled_by_the_next_authenticated_counter() {
    for took_it in [false, true] {
        let mut campus = Campus::new();
        campus.top_up("50");
        let session = campus.init(Stage::Load).unwrap();
        let Ok(Onward::Release { stamp, mac2, .. }) = campus.begin(session) else { panic!("a release") };
        if took_it {
            campus.credit(stamp, mac2);
        }
        // The TAC never arrives; the page says where the money is.
        let home = campus.rig.run(home::home(&campus.rig.school, campus.person)).unwrap().unwrap();
        assert_eq!((home.in_transit.amount, home.waiting.amount), (Fen::new(5000), Fen::ZERO));
        campus.hold(Stage::Load);
        assert_eq!(campus.chip.balance(), 5000, "took it: {took_it}");
        assert_eq!(campus.balance(chart::on_card(CARD)), 5000);
        assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    }
}

#[test]
fn m11_a_delayed_copy_of_a_tap_message_takes_nothing_back() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let probe = campus.init(Stage::Load).unwrap();
    let copy = probe;
    let Ok(Onward::Release { stamp, mac2, k, .. }) = campus.begin(probe) else { panic!("a release") };
    // The very same session again gives the very same release.
    let again = campus.begin(copy).unwrap();
    assert_eq!(again, Onward::Release { k, amount: 5000, stamp, mac2 });
    let tac = campus.credit(stamp, mac2);
    let confirmed = tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac);
    campus.rig.run(confirmed).unwrap();
    // After the load is proved, the copy is dead and changes nothing.
    assert_eq!(campus.begin(copy).unwrap_err().code, "TAP_AGAIN");
    assert_eq!(campus.balance(chart::on_card(CARD)), 5000);
    assert_eq!(campus.chip.balance(), 5000);
}

#[test]
fn m11_a_nonce_dies_with_the_process_and_with_a_newer_one() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let old = campus.init(Stage::Load).unwrap();
    let newer = campus.init(Stage::Load).unwrap();
    assert_eq!(campus.begin(old).unwrap_err().code, "TAP_AGAIN");
    campus.rig.restart();
    assert_eq!(campus.begin(newer).unwrap_err().code, "TAP_AGAIN");
    assert_eq!(campus.hold(Stage::Load).0, 5000);
}

#[test]
fn m6_a_load_that_was_not_taken_can_be_tried_again_under_the_same_counter() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let mut attempts = Vec::new();
    for _ in 0..3 {
        let session = campus.init(Stage::Load).unwrap();
        let n = session.n;
        let Ok(Onward::Release { k, .. }) = campus.begin(session) else { panic!("a release") };
        attempts.push((n, k));
    }
    assert_eq!(attempts, [(0, 1), (0, 2), (0, 3)]);
    campus.hold(Stage::Load);
    assert_eq!(campus.chip.balance(), 5000);
    assert_eq!(campus.balance(chart::on_card(CARD)), 5000);
}

#[test]
fn m12_money_on_its_way_to_the_card_is_not_spendable_and_not_released_twice() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let session = campus.init(Stage::Load).unwrap();
    campus.begin(session).unwrap();
    assert_eq!(campus.rig.school.balances.account(&chart::awaiting_tap(campus.person)).spendable(), Fen::ZERO);
    assert_eq!(waiting(&campus), 0, "its items belong to the attempt");
    campus.top_up("7");
    assert_eq!(waiting(&campus), 700);
    campus.hold(Stage::Load);
    assert_eq!(campus.chip.balance(), 5700);
}

#[test]
fn m13_spending_an_unproved_load_is_posted_early_and_made_good() {
    let mut campus = Campus::new();
    campus.top_up("10");
    campus.hold(Stage::Load);
    campus.top_up("50");
    let session = campus.init(Stage::Load).unwrap();
    let Ok(Onward::Release { stamp, mac2, .. }) = campus.begin(session) else { panic!("a release") };
    campus.credit(stamp, mac2); // The TAC is lost.
    let sale = campus.debit(4000, None);
    assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
    assert_eq!(campus.balance(chart::suspense_card(CARD)), -4000);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 4000);
    campus.hold(Stage::Load);
    assert_eq!(campus.balance(chart::suspense_card(CARD)), 0);
    assert_eq!(campus.balance(chart::on_card(CARD)), 2000);
    assert_eq!(campus.chip.balance(), 2000);
}

#[test]
fn m16_m18_a_lunch_is_paid_from_the_purse_when_the_account_does_not_cover_it() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let (_, hold) = campus.hold(Stage::Load);
    let ask = campus.authorise(hold, 1200);
    assert_eq!(campus.send(ask), Answer::PayFromPurse { amount: 1200 });
    let asked = campus.last_seq();
    assert_eq!(sale_state(&campus, asked), SaleState::AwaitingPurse);
    let sale = campus.debit(1200, Some(asked));
    assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
    assert_eq!(sale_state(&campus, asked), SaleState::FromPurse);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200);
    assert_eq!(campus.balance(chart::on_card(CARD)), 3800);
    assert_eq!(campus.chip.balance(), 3800);
    // More than the purse holds is refused with both balances, and a card nobody held pays nothing.
    let ask = campus.authorise(hold, 3801);
    let Answer::Refused { words, balances } = campus.send(ask) else { panic!("refused") };
    assert_eq!((words.code.as_str(), balances), ("BALANCE_LOW", Some((0, 3800))));
    let ask = campus.authorise([9; 16], 100);
    let Answer::Refused { words, .. } = campus.send(ask) else { panic!("refused") };
    assert_eq!(words.code, "TAP_AGAIN");
}

/// A school whose WeChat money arrives on line, with 50 yuan there.
fn on_line() -> (Campus, [u8; 16]) {
    let mut campus = Campus::new();
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 1, None, "finance");
    campus.rig.run(change).unwrap();
    campus.top_up("50");
    let (_, hold) = campus.hold(Stage::Load);
    (campus, hold)
}

#[test]
fn m17_timed_out_authorisation_then_purse_pays_once() {
    // The answer is lost: the reversal takes back what was paid, and its copies nothing more.
    let (mut campus, hold) = on_line();
    let ask = campus.authorise(hold, 1200);
    assert!(matches!(campus.send(ask), Answer::Paid { account: 3800, .. }));
    let of = campus.last_seq();
    assert_eq!(campus.send(Record::Reverse { of }), Answer::Taken);
    assert_eq!(campus.balance(chart::available(campus.person)), 5000);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 0);
    assert_eq!(campus.send(Record::Reverse { of }), Answer::Taken);
    assert_eq!(campus.balance(chart::available(campus.person)), 5000);
    // The request is slower than its reversal: it is refused when it arrives.
    let late = campus.authorise(hold, 1200);
    let seq = campus.last_seq() + 2;
    assert_eq!(campus.send_as(seq + 1, Record::Reverse { of: seq }), Answer::Taken);
    let Answer::Refused { words, .. } = campus.send_as(seq, late) else { panic!("refused") };
    assert_eq!(words.code, "SALE_CALLED_OFF");
    // The request arrives after its time: refused, and the refusal is the answer for ever (M3).
    let stale = campus.authorise(hold, 1200);
    campus.rig.advance(6);
    let refused = campus.send_as(seq + 5, stale);
    assert!(matches!(&refused, Answer::Refused { words, .. } if words.code == "SALE_TOO_LATE"));
    assert_eq!(campus.balance(chart::available(campus.person)), 5000);
}

#[test]
fn m3_a_refused_sale_stays_refused_when_its_copy_arrives_with_money_there() {
    let mut campus = Campus::new();
    let (_, hold) = campus.hold(Stage::Load);
    let ask = campus.authorise(hold, 1200);
    let refused = campus.send(ask);
    assert!(matches!(refused, Answer::Refused { .. }));
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 1, None, "finance");
    campus.rig.run(change).unwrap();
    campus.top_up("50");
    assert_eq!(campus.send_as(campus.last_seq(), ask), refused);
    assert_eq!(campus.balance(chart::available(campus.person)), 5000);
}

#[test]
fn m19_another_record_under_a_used_number_stops_the_terminal_and_a_new_enrolment_starts_anew() {
    let (mut campus, hold) = on_line();
    let ask = campus.authorise(hold, 1200);
    let paid = campus.send(ask);
    let seq = campus.last_seq();
    let other = campus.authorise(hold, 1300);
    assert_eq!(campus.send_as(seq, other), Answer::Quarantined);
    let late = campus.authorise(hold, 100);
    assert_eq!(campus.send_as(seq + 1, late), Answer::Quarantined, "no new sale until someone looked");
    assert_eq!(campus.init(Stage::Load).unwrap_err().code, "TERMINAL_STOPPED");
    // What was answered keeps its answer (M3), and what happened there is still taken: the sale that timed out is given back.
    assert_eq!(campus.send_as(seq, ask), paid);
    assert_eq!(campus.send_as(seq + 2, Record::Reverse { of: seq }), Answer::Taken);
    assert_eq!(campus.balance(chart::available(campus.person)), 5000);
    // The replaced device starts at number 1 and gets no answer that was meant for the old one.
    campus.at = enrol(&campus.rig, TERMINAL, [2; 32]);
    let (_, hold) = campus.hold(Stage::Load);
    let ask = campus.authorise(hold, 1200);
    let answer = campus.send_as(1, ask);
    assert!(matches!(answer, Answer::Paid { account: 3800, .. }), "{answer:?} is not {paid:?}");
}

#[test]
fn m6_a_debit_is_posted_once_however_often_and_under_whatever_number_it_comes() {
    let mut campus = Campus::new();
    campus.top_up("50");
    campus.hold(Stage::Load);
    let sale = campus.debit(1200, None);
    let first = campus.send(Record::Sale(sale));
    assert_eq!(campus.send_as(campus.last_seq(), Record::Sale(sale)), first);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200);
    // The same debit under another number, or with another counter beside it, is a case and pays nobody.
    campus.send(Record::Sale(sale));
    campus.send(Record::Sale(PurseSale { m: sale.m + 1, ..sale }));
    assert_eq!(campus.balance(chart::on_card(CARD)), 3800);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200);
    campus.hold(Stage::Load);
    // A second debit at the same counter is a clone: the merchant is paid out of a case, and the card stops.
    let image = campus.chip.to_bytes();
    let one = campus.debit(100, None);
    campus.send(Record::Sale(one));
    campus.chip = card::chip::Chip::from_bytes(&image).unwrap();
    let other = campus.debit(300, None);
    campus.send(Record::Sale(other));
    assert_eq!(campus.balance(chart::on_card(CARD)), 3700);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1600);
    assert_eq!(campus.init(Stage::Load).unwrap_err().code, "CARD_LOST");
}

#[test]
fn m6_a_purchase_module_that_counts_from_one_again_sells_as_before() {
    let mut campus = Campus::new();
    campus.top_up("50");
    campus.hold(Stage::Load);
    let fresh = campus.psam.clone();
    let sale = campus.debit(1200, None);
    campus.send(Record::Sale(sale));
    campus.psam = fresh;
    let again = campus.debit(300, None);
    assert_eq!(again.tsn, sale.tsn);
    campus.send(Record::Sale(again));
    assert_eq!(campus.balance(chart::on_card(CARD)), 3500);
    campus.hold(Stage::Load);
}

#[test]
fn m16_a_copy_of_a_confirmation_gives_no_hold() {
    let (mut campus, _) = on_line();
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 0, None, "finance");
    campus.rig.run(change).unwrap();
    campus.top_up("10");
    let session = campus.init(Stage::Load).unwrap();
    let Ok(Onward::Release { stamp, mac2, k, .. }) = campus.begin(session) else { panic!("a release") };
    let tac = campus.credit(stamp, mac2);
    let confirm = |tac| campus.rig.run(tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac));
    assert!(matches!(confirm(tac), Ok(Onward::Done { .. })));
    // Neither the same TAC nor a made-up one shows that the card lies there now.
    for tac in [tac, [0; 4]] {
        assert!(matches!(confirm(tac), Ok(Onward::Again { amount: 1, .. })));
    }
}

#[test]
fn a_payment_that_was_given_back_meanwhile_is_not_credited() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    let payment = Payment {
        order: no.to_string(),
        transaction: "t1".into(),
        amount: Fen::new(5000),
        currency: "CNY".into(),
        paid_at: campus.rig.school.now(),
    };
    campus.provider.say(Ok(Trade::Refunded(payment)));
    campus.rig.advance(30);
    campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
    let State::InCase { case: Some(case), .. } = order_state(&campus, no) else { panic!("in a case") };
    assert_eq!(campus.balance(chart::suspense_case(case)), 5000);
    // Nor when its own notice comes late.
    assert_eq!(campus.notice(&format!("{no} t1 5000 CNY")), NoticeOutcome::Taken(no));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    // Nor when the notice of the refund overtakes that of the payment, of an order that is open or of one that is credited.
    let (open, credited) = (campus.order("7"), campus.top_up("9"));
    for (order, transaction, fen) in [(open, "t2", 700), (credited, "t3", 900)] {
        assert!(matches!(
            campus.notice(&format!("by-hand-{transaction} {transaction} 100 {fen} SUCCESS")),
            NoticeOutcome::Suspended(_)
        ));
        let NoticeOutcome::Suspended(case) = campus.notice(&format!("{order} {transaction} {fen} CNY")) else {
            panic!("{order} was credited")
        };
        assert_eq!(campus.balance(chart::suspense_case(case)), fen);
        // No more than the rest goes back from here.
        let asked = Asked { reason: "核对".into(), by: "Lin".into(), approved_by: None };
        let refund = |amount, form| {
            let what = flows::refund::What::Case(case);
            campus.rig.run(flows::refund::open(
                &campus.rig.school,
                what,
                Some(Fen::new(amount)),
                asked.clone(),
                [form; 16],
            ))
        };
        let form = u8::try_from(fen / 100).unwrap();
        assert_eq!(refund(fen - 99, form).unwrap_err().words().code, "REFUND_TOO_MUCH");
        refund(fen - 100, form + 100).expect("the rest");
    }
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 900, "the right payment stays");
}

#[test]
fn a_torn_debit_is_kept_open_until_the_card_settles_it() {
    for debited in [false, true] {
        let mut campus = Campus::new();
        campus.top_up("50");
        let (_, hold) = campus.hold(Stage::Load);
        let ask = campus.authorise(hold, 1200);
        campus.send(ask);
        let asked = campus.last_seq();
        let image = campus.chip.to_bytes();
        let sale = campus.debit(1200, Some(asked));
        if !debited {
            campus.chip = card::chip::Chip::from_bytes(&image).unwrap();
        }
        let torn = PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale };
        campus.send(Record::Sale(torn));
        assert_eq!(sale_state(&campus, asked), SaleState::Unconfirmed);
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 0);
        // While it is open, its amount cannot be spent again.
        let (_, _) = campus.hold(Stage::Load);
        let (state, sold) = if debited { (SaleState::ByBalance(None), 1200) } else { (SaleState::NotDebited, 0) };
        assert_eq!(sale_state(&campus, asked), state);
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), sold);
        assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()));
    }
}

#[test]
fn a_rolled_back_card_is_frozen_at_its_first_contact() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let image = campus.chip.to_bytes();
    campus.hold(Stage::Load);
    campus.chip = card::chip::Chip::from_bytes(&image).unwrap();
    let session = campus.init(Stage::Load).unwrap();
    assert_eq!(campus.begin(session).unwrap_err().code, "CARD_FROZEN");
    assert_eq!(campus.balance(chart::on_card(CARD)), 5000);
    assert_eq!(campus.init(Stage::Load).unwrap_err().code, "CARD_LOST");
}

#[test]
fn a_purse_below_half_its_float_is_filled_from_the_account_and_a_torn_fill_goes_back() {
    let (mut campus, _) = on_line();
    let session = campus.init(Stage::Fill).unwrap();
    let Ok(Onward::Release { amount: 5000, .. }) = campus.begin(session) else { panic!("a fill") };
    assert_eq!(campus.balance(chart::available(campus.person)), 0);
    // Torn; the next hold is a plain one: the fill goes back to the account.
    assert_eq!(campus.hold(Stage::Load).0, 0);
    assert_eq!(campus.balance(chart::available(campus.person)), 5000);
    assert_eq!(campus.hold(Stage::Fill).0, 5000);
    assert_eq!(campus.chip.balance(), 5000);
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
}

#[test]
fn a_proof_the_card_gives_later_settles_the_sale_by_itself() {
    let mut campus = Campus::new();
    campus.top_up("50");
    campus.hold(Stage::Load);
    let sale = campus.debit(1200, None);
    let DebitEvidence::Tac(tac) = sale.evidence else { panic!("a TAC") };
    campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale }));
    let of = campus.last_seq();
    let wrong = campus.send(Record::Settle { of, tac: Some([0; 4]) });
    assert_eq!((wrong, sale_state(&campus, of)), (Answer::Taken, SaleState::Unconfirmed));
    campus.send(Record::Settle { of, tac: Some(tac) });
    assert_eq!(sale_state(&campus, of), SaleState::FromPurse);
    assert_eq!(campus.balance(chart::on_card(CARD)), 3800);
}

#[test]
fn a_card_of_sm4_alone_is_loaded_pays_and_settles_a_torn_debit() {
    let mut campus = Campus::of_sm4();
    campus.top_up("50");
    let (loaded, hold) = campus.hold(Stage::Load);
    assert_eq!((loaded, campus.chip.balance(), campus.balance(chart::on_card(CARD))), (5000, 5000, 5000));

    let ask = campus.authorise(hold, 1200);
    assert_eq!(campus.send(ask), Answer::PayFromPurse { amount: 1200 });
    let asked = campus.last_seq();
    let sale = campus.debit(1200, Some(asked));
    assert_eq!(sale.algorithm, 0x04);
    campus.send(Record::Sale(sale));
    assert_eq!(sale_state(&campus, asked), SaleState::FromPurse);

    // Torn, and settled by its TAC, not by another one.
    let sale = campus.debit(700, None);
    let DebitEvidence::Tac(tac) = sale.evidence else { panic!("a TAC") };
    campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale }));
    let of = campus.last_seq();
    campus.send(Record::Settle { of, tac: Some([tac[0] ^ 1, tac[1], tac[2], tac[3]]) });
    assert_eq!(sale_state(&campus, of), SaleState::Unconfirmed);
    campus.send(Record::Settle { of, tac: Some(tac) });
    assert_eq!(sale_state(&campus, of), SaleState::FromPurse);

    // Torn, and settled by the balance under the next MAC1.
    let sale = campus.debit(300, None);
    campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale }));
    let of = campus.last_seq();
    campus.hold(Stage::Load);
    assert_eq!(sale_state(&campus, of), SaleState::ByBalance(None));
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 2200);
    assert_eq!((campus.chip.balance(), campus.balance(chart::on_card(CARD))), (2800, 2800));
}

#[test]
fn records_are_acknowledged_up_to_the_first_gap() {
    let (campus, _) = on_line();
    for (seq, through) in [(1, 1), (3, 1), (4, 1), (2, 4)] {
        campus.send_as(seq, Record::Gap { tsn: u32::try_from(seq).unwrap() });
        let acknowledged = terminal::acknowledged(&campus.rig.school, campus.at);
        assert_eq!(campus.rig.run(acknowledged).unwrap(), through, "after {seq}");
    }
    let unknown = rules::ids::EnrolmentId(ledger::Id::new(77));
    let stranger = purchase::take(&campus.rig.school, unknown, 1, Record::Gap { tsn: 1 });
    assert_eq!(campus.rig.run(stranger), Some(Answer::Quarantined));
}

#[test]
fn r92_many_unpaid_orders_hide_no_record() {
    let mut campus = Campus::new();
    let first = campus.top_up("10");
    campus.rig.advance(1);
    for _ in 0..5 {
        campus.order("1");
        campus.rig.advance(1);
    }
    let second = campus.top_up("20");
    let now = campus.rig.school.now();
    let page = |before, most| {
        let records = flows::records::records(&campus.rig.school, campus.person, before, most);
        campus.rig.run(records).unwrap().iter().map(|record| (record.number(), record.at())).collect::<Vec<_>>()
    };
    let newest = page(now, 1);
    assert_eq!(newest[0].0, second.to_string());
    let older = page(ledger::Micros::new(newest[0].1.get() - 1), 1);
    assert_eq!(older[0].0, first.to_string());
}
