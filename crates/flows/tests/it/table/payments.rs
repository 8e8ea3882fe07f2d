//! Rows about payments: notices, queries, creation and expiry.

use flows::ports::{ChannelError, NoticeFault, RefundState, Ticket, Trade};
use flows::refund;
use flows::refund::What;
use flows::rows::Key;
use flows::top_up::{self, NoticeOutcome, look_after, prepare};
use ledger::Fen;
use rules::case::Kind;
use rules::chart;
use rules::refund::{Asked, State as RefundStage};
use rules::top_up::State;
use teller::Door;

use super::{
    ask, asked, case_detail, doubtful, items, kinds, money, paid, refund_of, refunds, say, state, suspended, suspense,
    the_refund,
};
use crate::hand::{Campus, in_wechat};

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
