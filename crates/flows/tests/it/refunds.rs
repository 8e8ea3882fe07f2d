//! Refunds beside everything else: a process that dies, a restore, a holder who looks, a card that comes.

use std::sync::atomic::Ordering;

use flows::epoch::Reopening;
use flows::ports::{RefundState, Repayment, Trade};
use flows::refund::{self, What};
use flows::rows::Key;
use flows::top_up::NoticeOutcome;
use flows::{cases, home, records};
use ledger::{Fen, Micros};
use rules::case::Kind;
use rules::chart;
use rules::ids::{OrderNo, RefundNo};
use rules::load::Stage;
use rules::refund::{Asked, State};

use crate::hand::{CARD, Campus, refunded};

fn asked() -> Asked {
    Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None }
}

fn refund(campus: &Campus, no: OrderNo, form: u8) -> RefundNo {
    let opened = refund::open(&campus.rig.school, What::Order(no), None, asked(), [form; 16]);
    campus.rig.run(opened).expect("a refund")
}

fn state(campus: &Campus, no: RefundNo) -> State {
    campus.rig.row(&Key::Refund(no)).and_then(|row| row.refund().cloned()).expect("a refund").state
}

/// The provider says of the newest request that it stands like this; of none, that it never heard of it.
fn says(campus: &Campus, state: RefundState) {
    let answer = match campus.provider.refunds_asked().last() {
        Some(wish) => Repayment::Known(refunded(wish, state)),
        None => Repayment::NotFound,
    };
    campus.provider.say_of_refund(Ok(answer));
}

fn open_cases(campus: &Campus) -> Vec<Kind> {
    let listed = campus.rig.run(cases::list(campus.rig.school.reader.as_ref(), false, 100)).expect("the disk is whole");
    let kinds = listed.into_iter().filter_map(|each| match each {
        cases::Listed::Open { case, .. } => Some(case.kind),
        cases::Listed::Ended(_) => None,
    });
    kinds.collect()
}

#[test]
fn m27_a_process_that_dies_anywhere_in_a_refund_sends_the_same_again_and_ends_it_once() {
    let mut sent = Vec::new();
    for (batches, silent) in [(0, false), (1, false), (1, true), (2, false), (3, false)] {
        let mut campus = Campus::new();
        let no = campus.top_up("50");
        let refund = refund(&campus, no, 1);
        campus.provider.silent.store(silent, Ordering::SeqCst);
        campus.rig.run_for(flows::due::run(&campus.rig.school, 10), batches);
        sent.push(campus.provider.refunds_asked().len());
        campus.rig.restart();
        campus.provider.silent.store(false, Ordering::SeqCst);
        assert_eq!(campus.balance(chart::held(refund)), 5000, "after {batches} batches");
        for _ in 0..3 {
            says(&campus, RefundState::Processing);
            campus.rig.advance(3600);
            campus.due();
        }
        says(&campus, RefundState::Success { at: campus.rig.school.now() });
        campus.rig.advance(3600);
        campus.due();
        assert!(matches!(state(&campus, refund), State::Settled { .. }), "after {batches} batches");
        let wishes = campus.provider.refunds_asked();
        assert!(wishes.iter().all(|wish| *wish == wishes[0]), "{wishes:?}");
        for account in
            [chart::receivable(chart::Channel::WeChat), chart::held(refund), chart::awaiting_tap(campus.person)]
        {
            assert_eq!(campus.balance(account), 0, "after {batches} batches");
        }
    }
    assert_eq!(sent, [0, 1, 1, 1, 1], "it died before, while and after it was sent");
}

#[test]
fn m28_a_process_that_dies_in_the_making_of_a_refund_has_made_it_or_not_and_the_form_tells() {
    for batches in [0, 1] {
        let mut campus = Campus::new();
        let no = campus.top_up("50");
        let open = refund::open(&campus.rig.school, What::Order(no), None, asked(), [1; 16]);
        campus.rig.run_for(open, batches);
        campus.rig.restart();
        let first = refund(&campus, no, 1);
        assert_eq!(refund(&campus, no, 1), first);
        assert_eq!(campus.balance(chart::held(first)), 5000);
    }
}

#[test]
fn r17_a_holder_sees_what_is_held_where_it_goes_and_when_it_came_back() {
    let mut campus = Campus::new();
    let (kept, no) = (campus.top_up("7"), campus.top_up("50"));
    let look = |campus: &Campus| campus.rig.run(home::home(&campus.rig.school, campus.person)).unwrap().unwrap();
    let track =
        |campus: &Campus, no| campus.rig.run(home::track(&campus.rig.school, campus.person, no)).unwrap().unwrap();
    let refund = refund(&campus, no, 1);
    let made_at = campus.rig.school.now();
    let seen = look(&campus);
    assert_eq!(
        (seen.waiting.amount, seen.held.amount, seen.held.since),
        (Fen::new(700), Fen::new(5000), Some(made_at))
    );
    assert_eq!(seen.total, Fen::new(5700), "nothing is lost from view");
    assert_eq!(track(&campus, no).place, home::Place::Refunding);
    assert_eq!((track(&campus, kept).place, track(&campus, kept).refunds.len()), (home::Place::WaitingForCard, 0));
    campus.due();
    says(&campus, RefundState::Success { at: campus.rig.school.now() });
    campus.rig.advance(60);
    campus.due();
    let tracked = track(&campus, no);
    assert_eq!((tracked.place, tracked.refunds.len()), (home::Place::Refunded, 1));
    assert_eq!(tracked.refunds[0].state, State::Settled { at: made_at });
    assert_eq!((look(&campus).held.amount, look(&campus).total), (Fen::ZERO, Fen::new(700)));
    let listed =
        campus.rig.run(records::records(&campus.rig.school, campus.person, Micros::new(i64::MAX), 10)).unwrap();
    let numbers: Vec<String> = listed.iter().map(records::Record::number).collect();
    assert!(numbers.contains(&refund.to_string()), "{numbers:?}");
    let one = campus.rig.run(records::record(&campus.rig.school, campus.person, &refund.to_string())).unwrap();
    assert!(matches!(one, Some(records::Record::Refund(found)) if found.no == refund));
    // Somebody else's number shows nothing.
    let nobody = rules::ids::PersonId(ledger::Id::new(1));
    let hidden = campus.rig.run(records::record(&campus.rig.school, nobody, &refund.to_string())).unwrap();
    assert!(hidden.is_none());
    // A second payment on its way back is told on the order's tracker, and is no money of the holder's.
    campus.notice(&format!("{kept} t9 700 CNY"));
    assert_eq!((track(&campus, kept).place, track(&campus, kept).refunds.len()), (home::Place::WaitingForCard, 1));
    assert_eq!(look(&campus).total, Fen::new(700));
}

#[test]
fn m9_a_restored_book_asks_about_refunds_that_were_open_before_it_takes_orders_or_cards_that_are_ahead() {
    let mut campus = Campus::new();
    campus.top_up("20");
    campus.hold(Stage::Load);
    let no = campus.top_up("50");
    let refund = refund(&campus, no, 1);
    campus.due();
    let backup = campus.rig.disk.copy();
    // After the backup it fails, and the card takes the money. Another order is refunded, which the backup never knew.
    campus.notice(&format!("{refund} t{no} 5000 5000 CLOSED"));
    campus.hold(Stage::Load);
    assert_eq!(campus.chip.balance(), 7000);
    let later = campus.top_up("9");
    let forgotten = self::refund(&campus, later, 2);
    campus.rig.restore(&backup);
    assert_eq!(campus.balance(chart::held(refund)), 5000);
    let session = campus.init(Stage::Load).unwrap();
    assert_eq!(campus.begin(session).unwrap_err().code, "AFTER_RESTORE", "a refund may be what the card took");
    let mut work = Reopening::default();
    campus.provider.say(Ok(Trade::NotPaid));
    campus.provider.say_of_refund(Err(flows::ports::ChannelError::Unknown("dark".into())));
    assert!(!campus.rig.run(work.run(&campus.rig.school)).unwrap(), "it has not answered");
    let wish = campus.provider.refunds_asked().into_iter().find(|wish| wish.refund == refund).expect("a request");
    campus.provider.say_of_refund(Ok(Repayment::Known(refunded(&wish, RefundState::Closed))));
    assert!(campus.rig.run(work.run(&campus.rig.school)).unwrap());
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 5000);
    assert_eq!(campus.hold(Stage::Load).0, 0, "nothing is loaded twice");
    assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()));
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    // The refund that it forgot comes as a notice: a person compares it with the account.
    let outcome = campus.notice(&format!("{forgotten} t-later 900 900 SUCCESS"));
    assert!(matches!(outcome, NoticeOutcome::Suspended(_)), "{outcome:?}");
    assert!(open_cases(&campus).contains(&Kind::RefundUnknown));
    campus.rig.verify();
}

#[test]
fn row_22_other_figures_under_our_number_make_one_case_and_move_nothing() {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let refund = refund(&campus, no, 1);
    campus.due();
    for body in [
        format!("{refund} t{no} 4999 5000 SUCCESS"),
        format!("{refund} t{no} 5000 5001 SUCCESS"),
        format!("{refund} t-other 5000 5000 CLOSED"),
    ] {
        assert_eq!(campus.notice(&body), NoticeOutcome::Refund(refund), "{body}");
        assert_eq!((campus.balance(chart::held(refund)), open_cases(&campus)), (5000, vec![Kind::RefundDiffers]));
    }
}
