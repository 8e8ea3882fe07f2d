//! The decision table of payments, row by row, for WeChat Pay: what happens, and where every fen is afterwards.
//!
//! Each test is named after its row. The list of rows and tests is `docs/decision-table.md`; the last test here makes it and
//! compares.

use std::sync::atomic::Ordering;

use flows::ports::{ChannelError, NoticeFault, Payment, RefundState, Repayment, Ticket, Trade};
use flows::refund::What;
use flows::rows::Key;
use flows::tap_load::Onward;
use flows::top_up::{NoticeOutcome, look_after, prepare};
use flows::{cases, refund, top_up};
use ledger::Fen;
use rules::case::Kind;
use rules::chart::{self, Channel};
use rules::ids::{CaseId, OrderNo, RefundNo};
use rules::load::Stage;
use rules::refund::{Asked, Refund, State as RefundStage};
use rules::top_up::State;
use teller::Door;

use crate::hand::{CARD, Campus, in_wechat, refunded};

/// What each account holds: owed by the provider, waiting for the card, in the account, held, on the card.
fn money(campus: &Campus) -> [i64; 5] {
    let held: i64 = refunds(campus).iter().map(|refund| campus.balance(chart::held(refund.no))).sum();
    [
        -campus.balance(chart::receivable(Channel::WeChat)),
        campus.balance(chart::awaiting_tap(campus.person)),
        campus.balance(chart::available(campus.person)),
        held,
        campus.balance(chart::on_card(CARD)),
    ]
}

fn suspense(campus: &Campus, case: CaseId) -> i64 {
    campus.balance(chart::suspense_case(case))
}

fn items(campus: &Campus) -> Vec<i64> {
    let row = campus.rig.row(&Key::Waiting(campus.person));
    row.and_then(|row| row.waiting().cloned()).unwrap_or_default().iter().map(|item| item.amount.get()).collect()
}

fn state(campus: &Campus, no: OrderNo) -> State {
    campus.rig.row(&Key::Order(no)).and_then(|row| row.order().cloned()).expect("an order").state
}

fn refunds(campus: &Campus) -> Vec<Refund> {
    let end = ledger::Micros::new(i64::MAX);
    campus.rig.run(refund::of_person(&campus.rig.school, campus.person, end, 100)).expect("the disk is whole")
}

fn the_refund(campus: &Campus) -> Refund {
    let mut found = refunds(campus);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn refund_of(campus: &Campus, no: RefundNo) -> Refund {
    campus.rig.row(&Key::Refund(no)).and_then(|row| row.refund().cloned()).expect("a refund")
}

/// Kinds of open cases, and of those that ended.
fn kinds(campus: &Campus) -> (Vec<Kind>, Vec<Kind>) {
    let listed = campus.rig.run(cases::list(&campus.rig.school, true, 100)).expect("the disk is whole");
    let mut found = (Vec::new(), Vec::new());
    for each in listed {
        match each {
            cases::Listed::Open { case, .. } => found.0.push(case.kind),
            cases::Listed::Ended(ended) => found.1.push(ended.case.kind),
        }
    }
    found
}

fn case_detail(campus: &Campus, case: CaseId) -> String {
    campus.rig.row(&Key::Case(case)).and_then(|row| row.case().cloned()).expect("an open case").detail
}

fn suspended(campus: &Campus, body: &str) -> CaseId {
    match campus.notice(body) {
        NoticeOutcome::Suspended(case) => case,
        other => panic!("{body}: {other:?}"),
    }
}

fn paid(campus: &Campus, no: OrderNo, transaction: &str, fen: i64) -> Trade {
    Trade::Paid(Payment {
        order: no.to_string(),
        transaction: transaction.to_owned(),
        amount: Fen::new(fen),
        currency: "CNY".into(),
        paid_at: campus.rig.school.now(),
    })
}

fn asked() -> Asked {
    Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None }
}

fn ask(campus: &Campus, what: What, fen: Option<i64>, form: u8) -> Result<RefundNo, &'static str> {
    let opened = refund::open(&campus.rig.school, what, fen.map(Fen::new), asked(), [form; 16]);
    campus.rig.run(opened).map_err(|refusal| refusal.words().code)
}

/// An order over 50.00 that is paid and waits for the card, and its refund that the provider was told of, without an answer.
fn doubtful() -> (Campus, OrderNo, RefundNo) {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let refund = ask(&campus, What::Order(no), None, 1).expect("a refund");
    campus.provider.repay(Err(ChannelError::Unknown("timeout".into())));
    campus.due();
    assert_eq!(refund_of(&campus, refund).state, RefundStage::Sent);
    assert_eq!(money(&campus), [5000, 0, 0, 5000, 0]);
    (campus, no, refund)
}

fn say(campus: &Campus, state: RefundState) {
    let wish = campus.provider.refunds_asked().last().expect("a request").clone();
    campus.provider.say_of_refund(Ok(Repayment::Known(refunded(&wish, state))));
}

#[test]
fn row_01_a_good_notice_of_an_open_order_marks_it_paid_and_credits_it_at_once() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    assert_eq!(campus.notice(&format!("{no} t1 5000 CNY")), NoticeOutcome::Taken(no));
    assert!(matches!(state(&campus, no), State::Credited(credited) if !credited.late && credited.transaction == "t1"));
    assert_eq!((money(&campus), items(&campus)), ([5000, 5000, 0, 0, 0], vec![5000]));
    assert_eq!(campus.rig.disk.journal_from(1).len(), 1, "one posting, in the commit that moved the order");
}

#[test]
fn row_02_the_same_notice_again_is_answered_well_and_changes_nothing() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    for _ in 0..5 {
        assert_eq!(campus.notice(&format!("{no} t1 5000 CNY")), NoticeOutcome::Taken(no));
        campus.rig.restart();
    }
    assert_eq!((money(&campus), campus.rig.disk.journal_from(1).len()), ([5000, 5000, 0, 0, 0], 1));
}

#[test]
fn row_03_two_deliveries_at_once_credit_once() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    let body = format!("{no} t1 5000 CNY");
    let raw = flows::ports::RawNotice { timestamp: "", nonce: "", serial: "", signature: "", body: body.as_bytes() };
    campus.provider.say(Ok(paid(&campus, no, "t1", 5000)));
    let school = &campus.rig.school;
    let outcomes =
        campus.rig.run_all(vec![Box::pin(top_up::notice(school, &raw)), Box::pin(top_up::notice(school, &raw))]);
    assert_eq!(outcomes, [NoticeOutcome::Taken(no), NoticeOutcome::Taken(no)]);
    campus.rig.run(look_after(school, no)).unwrap();
    assert_eq!((money(&campus), items(&campus)), ([5000, 5000, 0, 0, 0], vec![5000]));
}

#[test]
fn row_04_what_is_not_proved_changes_nothing_and_is_not_even_looked_up() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    let blocks = campus.rig.blocks();
    for (serial, body, fault) in [
        ("", "forged", NoticeFault::WrongSignature),
        ("", "stale", NoticeFault::Stale),
        ("", "sealed", NoticeFault::Sealed),
        ("PUB_KEY_ID_9", &format!("{no} t1 5000 CNY"), NoticeFault::UnknownSerial),
    ] {
        assert_eq!(campus.notice_under(serial, body), NoticeOutcome::NotBelieved(fault));
    }
    assert_eq!((money(&campus), campus.rig.blocks()), ([0; 5], blocks), "nothing was even handed to the teller");
}

#[test]
fn row_05_a_good_signature_for_another_merchant_changes_nothing() {
    let mut campus = Campus::new();
    campus.order("50");
    let blocks = campus.rig.blocks();
    assert_eq!(campus.notice("foreign"), NoticeOutcome::NotBelieved(NoticeFault::Foreign));
    assert_eq!((money(&campus), campus.rig.blocks()), ([0; 5], blocks));
}

#[test]
fn row_06_a_payment_of_no_order_of_ours_waits_in_a_case_of_finance_and_is_refunded_after_review() {
    let campus = Campus::new();
    let case = suspended(&campus, "not-ours t1 800 CNY");
    assert_eq!((suspense(&campus, case), kinds(&campus).0), (800, vec![Kind::PaymentUnknownOrder]));
    assert_eq!(Kind::PaymentUnknownOrder.owner(), rules::case::Role::Finance);
    campus.due();
    assert!(campus.provider.refunds_asked().is_empty(), "nobody has looked yet");
    let refund = ask(&campus, What::Case(case), None, 1).expect("a refund");
    assert_eq!((suspense(&campus, case), campus.balance(chart::held(refund))), (0, 800));
    campus.due();
    let wish = campus.provider.refunds_asked().remove(0);
    assert_eq!((wish.transaction.as_str(), wish.amount, wish.total), ("t1", Fen::new(800), Fen::new(800)));
    assert_eq!(campus.notice(&format!("{refund} t1 800 800 SUCCESS")), NoticeOutcome::Refund(refund));
    assert_eq!((money(&campus)[0], campus.balance(chart::held(refund))), (0, 0));
    assert_eq!(kinds(&campus), (vec![], vec![Kind::PaymentUnknownOrder]), "its case is done with");
    assert_eq!(ask(&campus, What::Case(case), None, 2), Err("REFUND_NOTHING_LEFT"));
}

#[test]
fn row_07_another_amount_or_currency_never_credits_is_asked_about_and_two_persons_refund_it() {
    let mut campus = Campus::new();
    let no = campus.order("100");
    let case = suspended(&campus, &format!("{no} t1 9900 CNY"));
    let dollars = suspended(&campus, &format!("{no} t2 10000 USD"));
    assert_eq!((money(&campus), suspense(&campus, case), suspense(&campus, dollars)), ([9900, 0, 0, 0, 0], 9900, 0));
    // The provider is asked once, and its word stands in the newest case.
    campus.provider.say(Err(ChannelError::Unknown("dark".into())));
    campus.due();
    campus.provider.say(Ok(paid(&campus, no, "t1", 9900)));
    campus.rig.advance(60);
    campus.due();
    assert!(case_detail(&campus, dollars).ends_with("asked again, the provider says: paid, transaction t1, 99.00 CNY"));
    campus.provider.say(Ok(paid(&campus, no, "t9", 10_000)));
    campus.rig.advance(3600);
    campus.due();
    assert_eq!(money(&campus)[1], 0, "it is not asked again");
    // One person is not enough, the same person twice neither.
    let open = |asked: Asked, form: u8| {
        let opened = refund::open(&campus.rig.school, What::Case(case), None, asked, [form; 16]);
        campus.rig.run(opened).map_err(|refusal| refusal.words().code)
    };
    let by = |second: &str| Asked { approved_by: Some(second.into()), ..asked() };
    assert_eq!(open(asked(), 1), Err("REFUND_TWO_PERSONS"));
    assert_eq!(open(by("LIN"), 2), Err("REFUND_TWO_PERSONS"));
    let refund = open(by("Wang"), 3).expect("two persons");
    campus.due();
    campus.notice(&format!("{refund} t1 9900 9900 SUCCESS"));
    assert_eq!((money(&campus), suspense(&campus, case)), ([0; 5], 0));
    // The right payment still arrives.
    assert_eq!(campus.notice(&format!("{no} t5 10000 CNY")), NoticeOutcome::Taken(no));
    assert_eq!(money(&campus), [10_000, 10_000, 0, 0, 0]);
}

#[test]
fn row_08_a_late_payment_credits_under_the_rules_of_its_order_and_one_of_a_closed_account_goes_back() {
    // Expired and closed orders: the money arrived, so it is credited, with a note that it is late.
    for closed in [false, true] {
        let mut campus = Campus::new();
        let no = campus.order("50");
        campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
        campus.rig.advance(901);
        let close = if closed { Ok(()) } else { Err(ChannelError::Unknown("dark".into())) };
        campus.provider.closes.lock().unwrap().push(close);
        campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
        assert_eq!(matches!(state(&campus, no), State::Closed { .. }), closed);
        // A limit that is lower now does not bind an order of before.
        let change = flows::settings::change_setting(&campus.rig.school, "wechat.per_order_max", 1000, None, "finance");
        campus.rig.run(change).unwrap();
        assert_eq!(campus.notice(&format!("{no} t1 5000 CNY")), NoticeOutcome::Taken(no));
        assert!(matches!(state(&campus, no), State::Credited(credited) if credited.late));
        assert_eq!(money(&campus), [5000, 5000, 0, 0, 0]);
    }
    // R21: an account that is closed meanwhile takes nothing; the payer has it back without anybody's doing.
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.close_account();
    let case = suspended(&campus, &format!("{no} t1 5000 CNY"));
    assert_eq!((money(&campus), suspense(&campus, case)), ([5000, 0, 0, 5000, 0], 0));
    campus.due();
    let refund = the_refund(&campus).no;
    campus.notice(&format!("{refund} t1 5000 5000 SUCCESS"));
    assert_eq!((money(&campus), kinds(&campus)), ([0; 5], (vec![], vec![Kind::PaymentAccountClosed])));
}

#[test]
fn row_09_a_second_payment_of_one_order_is_kept_apart_and_refunded_in_full_by_itself() {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let case = suspended(&campus, &format!("{no} t2 5000 CNY"));
    assert_eq!((money(&campus), suspense(&campus, case)), ([10_000, 5000, 0, 5000, 0], 0), "held in the same commit");
    assert_eq!(campus.notice(&format!("{no} t2 5000 CNY")), NoticeOutcome::Taken(no), "once");
    campus.due();
    let wish = campus.provider.refunds_asked().remove(0);
    assert_eq!((wish.transaction.as_str(), wish.amount, wish.total), ("t2", Fen::new(5000), Fen::new(5000)));
    say(&campus, RefundState::Success { at: campus.rig.school.now() });
    campus.rig.advance(60);
    campus.due();
    assert_eq!(money(&campus), [5000, 5000, 0, 0, 0], "the first payment is the holder's");
    assert_eq!((items(&campus), kinds(&campus)), (vec![5000], (vec![], vec![Kind::PaymentTwice])));
    assert_eq!(campus.provider.refunds_asked().len(), 1);
}

#[test]
fn row_10_news_older_than_what_is_known_change_nothing() {
    let (campus, no, refund) = doubtful();
    say(&campus, RefundState::Success { at: campus.rig.school.now() });
    campus.rig.advance(60);
    campus.due();
    assert_eq!(money(&campus), [0; 5]);
    // The payment's own notice, and the refund's trouble of before, arrive after its success.
    assert_eq!(campus.notice(&format!("{no} t{no} 5000 CNY")), NoticeOutcome::Taken(no));
    assert_eq!(campus.notice(&format!("{refund} t{no} 5000 5000 ABNORMAL")), NoticeOutcome::Refund(refund));
    assert_eq!(campus.notice(&format!("{refund} t{no} 5000 5000 SUCCESS")), NoticeOutcome::Refund(refund));
    assert_eq!((money(&campus), kinds(&campus)), ([0; 5], (vec![], vec![])));
    assert!(matches!(refund_of(&campus, refund).state, RefundStage::Settled { .. }));
}

#[test]
fn row_12_while_our_database_is_down_nothing_is_done_and_the_provider_is_told_to_come_again() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    let body = format!("{no} t1 5000 CNY");
    let door = std::mem::replace(&mut campus.rig.school.door, Door::new(0));
    assert_eq!(campus.notice(&body), NoticeOutcome::TryAgain);
    campus.rig.school.door = door;
    // The process ends between the decision and its commit: nobody was told that all is well.
    let raw = flows::ports::RawNotice { timestamp: "", nonce: "", serial: "", signature: "", body: body.as_bytes() };
    campus.rig.stop();
    let answer = campus.rig.run_as_far_as_it_goes(top_up::notice(&campus.rig.school, &raw));
    assert_eq!(answer, None, "no answer before the commit");
    campus.rig.restart();
    assert_eq!((state(&campus, no), money(&campus)), (State::Created, [0; 5]));
    assert_eq!(campus.notice(&body), NoticeOutcome::Taken(no));
    assert_eq!(money(&campus), [5000, 5000, 0, 0, 0]);
}

#[test]
fn row_13_a_creation_without_an_answer_is_repeated_under_the_same_number_with_the_same_parameters() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    for _ in 0..2 {
        campus.provider.prepays.lock().unwrap().push(Err(ChannelError::Unknown("timeout".into())));
        campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
        assert!(matches!(state(&campus, no), State::Unknown { .. }));
        campus.rig.restart();
    }
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    assert!(matches!(state(&campus, no), State::Paying { ticket: Ticket::Prepaid(_) }));
    let wishes = campus.provider.wishes.lock().unwrap().clone();
    assert_eq!(wishes.len(), 3);
    assert!(wishes.iter().all(|wish| *wish == wishes[0] && wish.order == no && wish.scene == in_wechat()));
    assert_eq!(money(&campus), [0; 5]);
}

#[test]
fn row_14_without_a_notice_the_provider_is_asked_on_a_schedule_and_its_answer_credits() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    let mut asked = Vec::new();
    for second in 1..=900 {
        campus.rig.advance(1);
        let before = campus.rig.row(&Key::Order(no)).unwrap().order().unwrap().queried;
        campus.due();
        if campus.rig.row(&Key::Order(no)).unwrap().order().unwrap().queried != before {
            asked.push(second);
        }
        if second == 600 {
            campus.provider.say(Ok(paid(&campus, no, "t1", 5000)));
        }
    }
    assert_eq!(asked, [5, 30, 60, 180, 300, 600], "seconds after its making; at the expiry it was found paid");
    assert_eq!(money(&campus), [5000, 5000, 0, 0, 0]);
}

#[test]
fn row_15_not_found_is_final_only_ten_minutes_after_the_expiry() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.provider.say(Ok(Trade::NotFound));
    for (seconds, ended) in [(899, false), (2, false), (598, false), (1, true)] {
        campus.rig.advance(seconds);
        campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
        assert_eq!(matches!(state(&campus, no), State::Closed { .. }), ended, "{:?}", state(&campus, no));
    }
    assert_eq!(campus.provider.wishes.lock().unwrap().len(), 1, "told again while there was time, under its number");
    assert_eq!(money(&campus), [0; 5]);
}

#[test]
fn row_16_an_expired_order_is_queried_then_closed_there_and_only_the_providers_word_closes_it_here() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    campus.rig.advance(901);
    for why in ["USER_PAYING", "FREQUENCY_LIMITED", "timeout"] {
        campus.provider.closes.lock().unwrap().push(Err(ChannelError::Unknown(why.into())));
        campus.due();
        assert!(matches!(state(&campus, no), State::ExpiredLocal { .. }), "{why}");
        campus.rig.advance(60);
    }
    // It was paid while we asked to close it: that is a late payment.
    let refused = ChannelError::Refused { code: "ORDERPAID".into(), message: String::new() };
    campus.provider.closes.lock().unwrap().push(Err(refused));
    campus.due();
    assert!(matches!(state(&campus, no), State::ExpiredLocal { .. }));
    campus.provider.say(Ok(paid(&campus, no, "t1", 5000)));
    campus.rig.advance(60);
    campus.due();
    assert!(matches!(state(&campus, no), State::Credited(credited) if credited.late));
    assert_eq!(money(&campus), [5000, 5000, 0, 0, 0]);
}

#[test]
fn row_17_a_browser_that_says_ok_makes_us_ask_and_credits_nothing() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.rig.run(prepare(&campus.rig.school, campus.person, no)).unwrap();
    for trade in [Ok(Trade::Paying), Ok(Trade::NotPaid), Err(ChannelError::Unknown("dark".into()))] {
        campus.provider.say(trade);
        campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
        assert_eq!(money(&campus), [0; 5]);
        let tracked = campus.rig.run(flows::home::track(&campus.rig.school, campus.person, no)).unwrap().unwrap();
        assert_eq!(tracked.place, flows::home::Place::NotPaid);
    }
    campus.provider.say(Ok(paid(&campus, no, "t1", 5000)));
    campus.rig.run(look_after(&campus.rig.school, no)).unwrap();
    assert_eq!(money(&campus), [5000, 5000, 0, 0, 0]);
}

#[test]
fn row_20_an_order_that_is_not_paid_or_not_known_is_refused_here_and_the_provider_hears_nothing() {
    let mut campus = Campus::new();
    let open = campus.order("50");
    let closed = campus.order("7");
    campus.provider.say(Ok(Trade::Closed));
    campus.rig.run(look_after(&campus.rig.school, closed)).unwrap();
    let in_case = campus.order("9");
    let case = suspended(&campus, &format!("{in_case} t1 800 CNY"));
    let unknown = OrderNo::parse("261123120000000100000001").unwrap();
    let table = [
        (What::Order(open), "REFUND_NOT_PAID"),
        (What::Order(closed), "REFUND_NOT_PAID"),
        (What::Order(unknown), "REFUND_UNKNOWN_PAYMENT"),
        (What::Order(in_case), "REFUND_IN_CASE"),
        (What::Case(CaseId(ledger::Id::new(77))), "REFUND_UNKNOWN_PAYMENT"),
    ];
    for ((what, code), form) in table.into_iter().zip(1..) {
        assert_eq!(ask(&campus, what, None, form), Err(code), "{what:?}");
    }
    campus.due();
    assert!(campus.provider.refunds_asked().is_empty());
    assert_eq!((money(&campus), suspense(&campus, case)), ([800, 0, 0, 0, 0], 800));
}

#[test]
fn row_21_the_money_is_held_before_the_provider_hears_of_it_and_never_more_than_was_paid() {
    // What waits for the card: its whole item leaves, so that no load can take it.
    let mut campus = Campus::new();
    let (kept, no) = (campus.top_up("7"), campus.top_up("50"));
    assert_eq!(ask(&campus, What::Order(no), Some(4999), 1), Err("REFUND_WHOLE_ONLY"));
    assert_eq!(ask(&campus, What::Order(no), Some(5001), 2), Err("REFUND_TOO_MUCH"));
    let refund = ask(&campus, What::Order(no), None, 3).expect("a refund");
    assert_eq!(ask(&campus, What::Order(no), None, 3), Ok(refund), "the same form is the same refund");
    assert_eq!(ask(&campus, What::Order(kept), None, 3), Err("FORM_REUSED"));
    assert_eq!(ask(&campus, What::Order(no), None, 4), Err("REFUND_LIVE"));
    assert!(campus.provider.refunds_asked().is_empty(), "held first");
    assert_eq!((money(&campus), items(&campus)), ([5700, 700, 0, 5000, 0], vec![700]));
    assert_eq!(campus.hold(Stage::Load).0, 700, "what is held is not loaded");
    campus.due();
    assert_eq!(campus.provider.refunds_asked().len(), 1);
    say(&campus, RefundState::Success { at: campus.rig.school.now() });
    campus.rig.advance(60);
    campus.due();
    assert_eq!(ask(&campus, What::Order(no), None, 5), Err("REFUND_NOTHING_LEFT"));
    assert_eq!(money(&campus), [700, 0, 0, 0, 700]);

    // What is on line: in parts, one at a time, a minute apart, never more than is there nor than was paid.
    let mut campus = Campus::new();
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 1, None, "finance");
    campus.rig.run(change).unwrap();
    let no = campus.top_up("50");
    let first = ask(&campus, What::Order(no), Some(2000), 1).expect("a part");
    assert_eq!(money(&campus), [5000, 0, 3000, 2000, 0]);
    assert_eq!(ask(&campus, What::Order(no), Some(1000), 2), Err("REFUND_LIVE"));
    campus.due();
    campus.notice(&format!("{first} t{no} 2000 5000 SUCCESS"));
    let (_, hold) = campus.hold(Stage::Load);
    let sale = campus.authorise(hold, 1200);
    campus.send(sale);
    assert_eq!(ask(&campus, What::Order(no), Some(3001), 3), Err("REFUND_TOO_MUCH"));
    assert_eq!(ask(&campus, What::Order(no), Some(1801), 4), Err("REFUND_SPENT"));
    let second = ask(&campus, What::Order(no), None, 5).expect("the rest that is there");
    assert_eq!((refund_of(&campus, second).amount, money(&campus)), (Fen::new(1800), [3000, 0, 0, 1800, 0]));
    campus.due();
    assert_eq!(campus.provider.refunds_asked().len(), 1, "a minute apart");
    campus.rig.advance(60);
    campus.due();
    campus.notice(&format!("{second} t{no} 1800 5000 SUCCESS"));
    assert_eq!(money(&campus), [1200, 0, 0, 0, 0]);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200);
}

#[test]
fn row_22_without_an_answer_the_same_number_and_parameters_go_again_and_never_another() {
    let (mut campus, _, refund) = doubtful();
    let doubts = [
        (Ok(Repayment::NotFound), Err(ChannelError::Unknown("500 SYSTEM_ERROR".into()))),
        (Ok(Repayment::NotFound), Err(ChannelError::Unknown("429 FREQUENCY_LIMITED".into()))),
        (Ok(Repayment::NotFound), Err(ChannelError::Refused { code: "SIGN_ERROR".into(), message: String::new() })),
        (Ok(Repayment::NotFound), Ok(Repayment::Short)),
        (Ok(Repayment::NotFound), Ok(Repayment::NotFound)),
    ];
    for (query, answer) in doubts {
        campus.provider.say_of_refund(query);
        campus.provider.repay(answer);
        campus.rig.advance(3600);
        campus.due();
        assert!(refund_of(&campus, refund).live(), "a doubt ends nothing");
        assert_eq!(money(&campus), [5000, 0, 0, 5000, 0]);
        campus.rig.restart();
    }
    // A query that is not answered, or refused, sends nothing.
    let before = campus.provider.refunds_asked().len();
    for query in [
        Err(ChannelError::Unknown("dark".into())),
        Ok(Repayment::Refused { code: "PARAM_ERROR".into(), message: String::new() }),
    ] {
        campus.provider.say_of_refund(query);
        campus.rig.advance(3600);
        campus.due();
        assert!(refund_of(&campus, refund).live());
    }
    let wishes = campus.provider.refunds_asked();
    assert_eq!((wishes.len(), before), (6, 6));
    assert!(wishes.iter().all(|wish| *wish == wishes[0] && wish.refund == refund));
    assert_eq!(kinds(&campus).0, [Kind::RefundShort], "finance hears once that money is short");
    // The process dies between the writing down and the answer: the same request again.
    campus.provider.say_of_refund(Ok(Repayment::NotFound));
    campus.provider.silent.store(true, Ordering::SeqCst);
    campus.rig.advance(3600);
    assert!(campus.rig.run_as_far_as_it_goes(flows::due::run(&campus.rig.school, 10)).is_none());
    campus.rig.restart();
    campus.provider.silent.store(false, Ordering::SeqCst);
    campus.rig.advance(3600);
    campus.due();
    assert!(matches!(refund_of(&campus, refund).state, RefundStage::Processing { .. }));
    assert!(campus.provider.refunds_asked().iter().all(|wish| *wish == wishes[0]));
}

#[test]
fn row_23_a_refund_under_way_is_asked_about_each_minute_then_less_and_less_and_stays_held() {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let refund = ask(&campus, What::Order(no), None, 1).expect("a refund");
    campus.due();
    say(&campus, RefundState::Processing);
    let mut asked = Vec::new();
    for minute in 1..=130 {
        campus.rig.advance(60);
        let before = refund_of(&campus, refund).heard_at;
        campus.due();
        if refund_of(&campus, refund).heard_at != before {
            asked.push(minute);
        }
    }
    assert_eq!(asked, [1, 2, 3, 4, 5, 10, 20, 40, 70, 100, 130]);
    assert_eq!((money(&campus), campus.provider.refunds_asked().len()), ([5000, 0, 0, 5000, 0], 1));
    // M7: while the clock has leapt, nothing that is due by time alone is done.
    campus.rig.leap(true);
    campus.rig.advance(86_400);
    say(&campus, RefundState::Success { at: campus.rig.school.now() });
    campus.due();
    assert!(refund_of(&campus, refund).live());
    campus.rig.leap(false);
    campus.due();
    assert!(!refund_of(&campus, refund).live());
}

#[test]
fn row_24_success_by_notice_or_by_query_settles_once() {
    for first in ["notice", "query"] {
        let (campus, no, refund) = doubtful();
        let body = format!("{refund} t{no} 5000 5000 SUCCESS");
        say(&campus, RefundState::Success { at: campus.rig.school.now() });
        for door in [first, "notice", "query", "notice"] {
            match door {
                "notice" => assert_eq!(campus.notice(&body), NoticeOutcome::Refund(refund)),
                _ => {
                    campus.rig.advance(60);
                    campus.due();
                }
            }
            assert_eq!(money(&campus), [0; 5], "{first} first, then {door}");
        }
        assert_eq!(kinds(&campus), (vec![], vec![]));
    }
    // A refund that was made by hand at the provider's portal is told once, in one case, and posts nothing.
    let campus = Campus::new();
    let case = suspended(&campus, "by-hand-77 t1 100 5000 ABNORMAL");
    for body in ["by-hand-77 t1 100 5000 ABNORMAL", "by-hand-77 t1 100 5000 SUCCESS", "by-hand-77 t1 100 5000 SUCCESS"]
    {
        assert_eq!(suspended(&campus, body), case);
    }
    assert_eq!((kinds(&campus).0, money(&campus)), (vec![Kind::RefundUnknown], [0; 5]));
    assert!(case_detail(&campus, case).contains("by-hand-77"));
}

#[test]
fn row_25_only_closed_or_a_final_refusal_of_that_number_gives_the_money_back_and_the_next_try_has_a_new_number() {
    let refused = || Ok(Repayment::Refused { code: "INVALID_REQUEST".into(), message: String::new() });
    for closed in [false, true] {
        let (mut campus, no, refund) = doubtful();
        match closed {
            true => say(&campus, RefundState::Closed),
            false => {
                campus.provider.say_of_refund(Ok(Repayment::NotFound));
                campus.provider.repay(refused());
            }
        }
        campus.rig.advance(60);
        campus.due();
        assert!(matches!(refund_of(&campus, refund).state, RefundStage::Released { .. }));
        assert_eq!((money(&campus), items(&campus)), ([5000, 5000, 0, 0, 0], vec![5000]), "M10: it is an item again");
        assert_eq!(kinds(&campus).0, [Kind::RefundFailed], "finance hears why");
        campus.notice(&format!("{refund} t{no} 5000 5000 CLOSED"));
        assert_eq!(money(&campus), [5000, 5000, 0, 0, 0], "once");
        let next = ask(&campus, What::Order(no), None, 9).expect("another try");
        assert_ne!(next, refund);
        campus.rig.advance(60);
        campus.due();
        campus.notice(&format!("{next} t{no} 5000 5000 SUCCESS"));
        assert_eq!(money(&campus), [0; 5]);
        // The failed one is told to have succeeded after all: posted is nothing, a person finds out.
        campus.notice(&format!("{refund} t{no} 5000 5000 SUCCESS"));
        assert_eq!((money(&campus), kinds(&campus).0), ([0; 5], vec![Kind::RefundFailed, Kind::RefundContradicted]));
        assert_eq!(campus.hold(Stage::Load).0, 0);
    }
    // Money of a case goes back into it, and the case stays.
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let case = suspended(&campus, &format!("{no} t2 5000 CNY"));
    campus.provider.repay(refused());
    campus.due();
    assert_eq!((money(&campus), suspense(&campus, case)), ([10_000, 5000, 0, 0, 0], 5000));
    assert_eq!(kinds(&campus), (vec![Kind::PaymentTwice], vec![]));
    assert!(case_detail(&campus, case).contains("INVALID_REQUEST"), "{}", case_detail(&campus, case));
    let next = ask(&campus, What::Case(case), None, 1).expect("by hand");
    campus.rig.advance(60);
    campus.due();
    campus.notice(&format!("{next} t2 5000 5000 SUCCESS"));
    assert_eq!((money(&campus), kinds(&campus)), ([5000, 5000, 0, 0, 0], (vec![], vec![Kind::PaymentTwice])));
}

#[test]
fn row_26_an_abnormal_refund_stays_held_with_a_case_for_finance_and_may_still_succeed_or_close() {
    for success in [true, false] {
        let (mut campus, no, refund) = doubtful();
        for _ in 0..3 {
            campus.notice(&format!("{refund} t{no} 5000 5000 ABNORMAL"));
            say(&campus, RefundState::Abnormal);
            campus.rig.advance(1800);
            campus.due();
        }
        assert_eq!((money(&campus), kinds(&campus).0), ([5000, 0, 0, 5000, 0], vec![Kind::RefundAbnormal]));
        assert_eq!(campus.hold(Stage::Load).0, 0);
        say(&campus, if success { RefundState::Success { at: campus.rig.school.now() } } else { RefundState::Closed });
        campus.rig.advance(1800);
        campus.due();
        let expected = if success { [0; 5] } else { [5000, 5000, 0, 0, 0] };
        assert_eq!(money(&campus), expected);
        assert!(kinds(&campus).1.contains(&Kind::RefundAbnormal), "what finance had to do is done");
    }
}

#[test]
fn row_32_after_the_release_of_a_load_its_money_is_not_refunded_and_on_the_card_it_needs_the_card() {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let session = campus.init(Stage::Load).unwrap();
    let Ok(Onward::Release { .. }) = campus.begin(session) else { panic!("a release") };
    assert_eq!(ask(&campus, What::Order(no), None, 1), Err("REFUND_ON_ITS_WAY"));
    // The card did not take it: it waits again, and now it can go back.
    campus.rig.restart();
    campus.hold(Stage::Load);
    assert_eq!(ask(&campus, What::Order(no), None, 2), Err("REFUND_ON_CARD"));
    assert_eq!((money(&campus), refunds(&campus).len()), ([5000, 0, 0, 0, 5000], 0));
    campus.due();
    assert!(campus.provider.refunds_asked().is_empty());
}

#[test]
fn row_33_a_key_change_in_flight_loses_nothing_and_keys_are_fetched_once_for_a_serial_that_is_not_known() {
    let mut campus = Campus::new();
    let (old, new) = (campus.order("50"), campus.order("7"));
    campus.provider.serials.lock().unwrap().push("PUB_KEY_ID_2");
    assert_eq!(campus.notice_under("PUB_KEY_ID_2", &format!("{new} t2 700 CNY")), NoticeOutcome::Taken(new));
    assert_eq!(campus.notice(&format!("{old} t1 5000 CNY")), NoticeOutcome::Taken(old), "the old key holds meanwhile");
    assert_eq!(campus.notice_under("PUB_KEY_ID_2", &format!("{new} t2 700 CNY")), NoticeOutcome::Taken(new));
    assert_eq!(campus.provider.learnt.lock().unwrap().len(), 1);
    let unknown = campus.notice_under("PUB_KEY_ID_3", &format!("{new} t3 700 CNY"));
    assert_eq!(unknown, NoticeOutcome::NotBelieved(NoticeFault::UnknownSerial));
    assert_eq!(money(&campus), [5700, 5700, 0, 0, 0]);
}

#[test]
fn row_35_news_of_the_end_of_an_older_attempt_never_touch_one_that_was_paid() {
    let mut campus = Campus::new();
    let (older, newer) = (campus.order("50"), campus.order("50"));
    assert_eq!(campus.notice(&format!("{newer} t2 5000 CNY")), NoticeOutcome::Taken(newer));
    // A query of the paid one was under way when it was paid; its answer comes late.
    campus.provider.say(Ok(Trade::Closed));
    campus.rig.run(look_after(&campus.rig.school, older)).unwrap();
    campus.rig.run(look_after(&campus.rig.school, newer)).unwrap();
    assert!(matches!(state(&campus, older), State::Closed { .. }));
    assert!(matches!(state(&campus, newer), State::Credited(_)));
    assert_eq!((money(&campus), items(&campus)), ([5000, 5000, 0, 0, 0], vec![5000]));
    // And the older one was paid all the same: another top-up, and no second payment of the newer one.
    assert_eq!(campus.notice(&format!("{older} t1 5000 CNY")), NoticeOutcome::Taken(older));
    assert_eq!((money(&campus), refunds(&campus).len()), ([10_000, 10_000, 0, 0, 0], 0));
}

/// Rows of the table that WeChat Pay can come to, and what each is about.
const ROWS: [(u8, &str); 26] = [
    (1, "good notice of an open order"),
    (2, "the same notice again"),
    (3, "two deliveries at once"),
    (4, "forged, stale, unknown key, wrong tag, probe"),
    (5, "good signature, another merchant"),
    (6, "good, unknown order"),
    (7, "good, another amount or currency"),
    (8, "good, order expired or closed; account closed"),
    (9, "second payment of one order"),
    (10, "news older than what is known"),
    (12, "our database is down"),
    (13, "creation without an answer"),
    (14, "no notice"),
    (15, "a query says: not found"),
    (16, "expiry"),
    (17, "the browser says ok"),
    (20, "refund of an order that is not paid"),
    (21, "refund: held first, never over what was paid"),
    (22, "refund without an answer"),
    (23, "refund under way"),
    (24, "refund done"),
    (25, "refund closed or refused for good"),
    (26, "refund abnormal"),
    (32, "money on its way to the card, or on it"),
    (33, "key change in flight"),
    (35, "end of an older attempt"),
];

#[test]
fn every_row_has_a_test_and_the_list_of_them_is_the_one_in_the_documents() {
    let source = include_str!("table.rs");
    let tests: Vec<&str> = source
        .split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .filter(|name| name.starts_with("row_"))
        .collect();
    let mut list = String::from(
        "# Decision table of payments: what tests it\n\n\
         Every thing that can happen to a payment or a refund through WeChat Pay has a row in the decision table, and each\n\
         row a test in `crates/flows/tests/it/table.rs` that is named after it. This list is made by the last test there.\n\n\
         | row | what happens | test |\n|---|---|---|\n",
    );
    for (row, about) in ROWS {
        let found: Vec<&str> =
            tests.iter().copied().filter(|name| name.starts_with(&format!("row_{row:02}_"))).collect();
        assert!(!found.is_empty(), "row {row} has no test");
        for name in found {
            list.push_str(&format!("| {row} | {about} | `{name}` |\n"));
        }
    }
    assert_eq!(tests.len(), ROWS.len(), "a test of a row that is not in the list");
    let kept = include_str!("../../../../docs/decision-table.md");
    assert_eq!(kept, list, "docs/decision-table.md is to be:\n{list}");
}
