//! Rows about refunds.

use std::sync::atomic::Ordering;

use flows::ports::{ChannelError, RefundState, Repayment, Trade};
use flows::refund::What;
use flows::tap_load::Onward;
use flows::top_up::{NoticeOutcome, look_after};
use ledger::Fen;
use rules::case::Kind;
use rules::chart;
use rules::ids::{CaseId, OrderNo};
use rules::load::Stage;
use rules::refund::State as RefundStage;

use super::{ask, case_detail, doubtful, items, kinds, money, refund_of, refunds, say, suspended, suspense};
use crate::hand::Campus;

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
