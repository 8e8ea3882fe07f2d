//! Money that waits for its card: reminders, and its return (R36; M7, M9, M10, M12, M27).

use std::sync::atomic::Ordering;

use flows::epoch::Reopening;
use flows::ports::Trade;
use flows::refund::{self, What};
use flows::rows::Key;
use flows::{cases, home, inbox, settings, waiting};
use ledger::{Fen, Micros};
use rules::case::Kind;
use rules::chart;
use rules::ids::OrderNo;
use rules::load::Stage;
use rules::message::Message;
use rules::refund::{Asked, Cause, Origin, Refund, State};

use crate::hand::{CARD, Campus};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Reminders so far: which order, how much.
fn reminders(campus: &Campus) -> Vec<(OrderNo, i64)> {
    let page = inbox::page(&campus.rig.school, campus.person, None, 500);
    let received = campus.rig.run(page).expect("the disk is whole").messages;
    let told = received.into_iter().rev().filter_map(|received| match received.message {
        Message::StillWaiting { order, amount, .. } => Some((order, amount.get())),
        _ => None,
    });
    told.collect()
}

/// Every refund of the holder's, oldest first.
fn refunds(campus: &Campus) -> Vec<Refund> {
    let listed = refund::of_person(&campus.rig.school, campus.person, Micros::new(i64::MAX), 100);
    let mut found = campus.rig.run(listed).expect("the disk is whole");
    found.reverse();
    found
}

fn open_cases(campus: &Campus) -> Vec<Kind> {
    let listed = campus.rig.run(cases::list(campus.rig.school.reader.as_ref(), false, 100)).expect("the disk is whole");
    let kinds = listed.into_iter().filter_map(|each| match each {
        cases::Listed::Open { case, .. } => Some(case.kind),
        cases::Listed::Ended(_) => None,
    });
    kinds.collect()
}

fn waits(campus: &Campus) -> i64 {
    campus.balance(chart::awaiting_tap(campus.person))
}

/// Comes to this many seconds after `since`.
fn at(campus: &Campus, since: Micros, seconds: i64) {
    campus.rig.advance_micros(since.after_seconds(seconds).get() - campus.rig.school.now().get());
    campus.due();
}

#[test]
fn r36_reminders_come_at_2_24_and_72_hours_each_once_and_the_money_goes_back_after_30_days_once() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    let table = [
        (2 * HOUR - 1, 0),
        (2 * HOUR, 1),
        (2 * HOUR, 1),
        (DAY - 1, 1),
        (DAY, 2),
        (3 * DAY - 1, 2),
        (3 * DAY, 3),
        (29 * DAY, 3),
        (30 * DAY - 1, 3),
    ];
    for (seconds, count) in table {
        at(&campus, since, seconds);
        assert_eq!(reminders(&campus), vec![(no, 5000); count], "after {seconds} s");
        assert_eq!((refunds(&campus).len(), waits(&campus)), (0, 5000), "after {seconds} s");
    }
    for seconds in [30 * DAY, 30 * DAY, 31 * DAY, 90 * DAY] {
        at(&campus, since, seconds);
        let refunds = refunds(&campus);
        assert_eq!((refunds.len(), waits(&campus), reminders(&campus).len()), (1, 0, 3), "after {seconds} s");
        assert_eq!((refunds[0].amount, refunds[0].cause()), (Fen::new(5000), Cause::NotLoaded));
        assert_eq!(refunds[0].origin, Origin::Waiting { person: campus.person, order: no });
    }
    let wishes = campus.provider.refunds_asked();
    assert!(!wishes.is_empty() && wishes.iter().all(|wish| *wish == wishes[0]), "one number: {wishes:?}");
    let refund = wishes[0].refund;
    campus.notice(&format!("{refund} t{no} 5000 5000 SUCCESS"));
    let tracked = campus.rig.run(home::track(&campus.rig.school, campus.person, no)).unwrap().unwrap();
    assert_eq!((tracked.place, tracked.refunds[0].cause()), (home::Place::Refunded, Cause::NotLoaded));
    let row = campus.rig.row(&Key::Inbox(campus.person)).and_then(|row| row.inbox().cloned()).expect("an inbox");
    assert_eq!((row.reminders, row.look_at), (Vec::new(), None), "nothing is left to look at");
}

#[test]
fn r36_a_job_that_was_away_tells_the_newest_reminder_alone() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    at(&campus, since, 4 * DAY);
    at(&campus, since, 29 * DAY);
    assert_eq!(reminders(&campus), [(no, 5000)]);
}

#[test]
fn r36_what_has_left_is_neither_told_nor_sent_back() {
    let leave: [(&str, fn(&mut Campus, OrderNo)); 2] = [
        ("loaded", |campus, _| {
            campus.hold(Stage::Load);
        }),
        ("refunded by hand", |campus, no| {
            let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
            let open = refund::open(&campus.rig.school, What::Order(no), None, asked, [1; 16]);
            campus.rig.run(open).expect("a refund");
        }),
    ];
    for (what, leave) in leave {
        for seconds in [HOUR, 2 * HOUR, 3 * DAY] {
            let mut campus = Campus::new();
            let since = campus.rig.school.now();
            let (no, stays) = (campus.top_up("50"), campus.top_up("7"));
            at(&campus, since, seconds);
            let before = reminders(&campus).iter().filter(|(order, _)| *order == no).count();
            leave(&mut campus, no);
            let kept = if what == "loaded" { 0 } else { 1 };
            let refunds_before = refunds(&campus).len();
            at(&campus, since, 31 * DAY);
            at(&campus, since, 32 * DAY);
            let after = reminders(&campus).iter().filter(|(order, _)| *order == no).count();
            assert_eq!(after, before, "{what} after {seconds}");
            assert_eq!((refunds(&campus).len() - refunds_before, waits(&campus)), (kept, 0), "{what} after {seconds}");
            let of_other = |refund: &Refund| refund.origin.of().is_some_and(|(_, order)| order == stays);
            assert_eq!(refunds(&campus).iter().filter(|refund| of_other(refund)).count(), kept);
        }
    }
}

#[test]
fn m12_a_load_on_its_way_is_not_touched_and_comes_back_with_its_time() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    at(&campus, since, 30 * DAY - 60);
    assert_eq!(reminders(&campus).len(), 1);
    // The card is pulled away before CREDIT.
    let session = campus.init(Stage::Load).expect("a usable card");
    campus.begin(session).expect("a release");
    for days in [30, 31, 40] {
        at(&campus, since, days * DAY);
        assert_eq!((refunds(&campus).len(), waits(&campus)), (0, 5000), "after {days} days it is on its way");
    }
    // The next hold shows that it was not taken, and is torn too before anything is released.
    let session = campus.init(Stage::Load).expect("a usable card");
    campus.begin(session).expect("another release");
    at(&campus, since, 41 * DAY);
    assert_eq!(refunds(&campus).len(), 0, "it is on its way again");
    campus.hold(Stage::Load);
    assert_eq!((campus.balance(chart::on_card(CARD)), waits(&campus)), (5000, 0));
    at(&campus, since, 60 * DAY);
    assert_eq!((refunds(&campus).len(), reminders(&campus)), (0, vec![(no, 5000)]));
}

#[test]
fn r36_several_items_go_back_one_after_the_other_and_each_once() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let mut orders: Vec<OrderNo> = ["50", "7", "9"].into_iter().map(|yuan| campus.top_up(yuan)).collect();
    for _ in 0..6 {
        at(&campus, since, 30 * DAY);
    }
    let mut back: Vec<_> = refunds(&campus).iter().filter_map(|refund| refund.origin.of()).map(|(_, no)| no).collect();
    orders.sort();
    back.sort();
    assert_eq!((back, waits(&campus)), (orders, 0));
}

#[test]
fn r36_a_process_that_dies_anywhere_has_told_and_sent_back_once_or_not_yet() {
    for batches in 0..5 {
        for silent in [false, true] {
            let mut campus = Campus::new();
            let since = campus.rig.school.now();
            let no = campus.top_up("50");
            for (seconds, count) in [(2 * HOUR, 1), (DAY, 2), (3 * DAY, 3), (30 * DAY, 3)] {
                campus.rig.advance_micros(since.after_seconds(seconds).get() - campus.rig.school.now().get());
                campus.provider.silent.store(silent, Ordering::SeqCst);
                campus.rig.run_for(flows::due::run(&campus.rig.school, 10), batches);
                campus.rig.restart();
                campus.provider.silent.store(false, Ordering::SeqCst);
                campus.due();
                campus.due();
                assert_eq!(reminders(&campus), vec![(no, 5000); count], "{batches} batches, {seconds} s");
            }
            campus.rig.advance(60);
            campus.due();
            assert_eq!((refunds(&campus).len(), waits(&campus)), (1, 0), "{batches} batches");
            let wishes = campus.provider.refunds_asked();
            assert!(wishes.iter().all(|wish| *wish == wishes[0]), "{wishes:?}");
        }
    }
}

#[test]
fn r36_two_jobs_at_once_tell_and_send_back_once() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    campus.top_up("50");
    for (seconds, told, back) in [(2 * HOUR, 1, 0), (30 * DAY, 1, 1)] {
        campus.rig.advance_micros(since.after_seconds(seconds).get() - campus.rig.school.now().get());
        let school = &campus.rig.school;
        for found in campus.rig.run_all(vec![waiting::look(school, 10), waiting::look(school, 10)]) {
            assert_eq!(found.expect("the disk is whole"), 1);
        }
        assert_eq!((reminders(&campus).len(), refunds(&campus).len()), (told, back), "after {seconds} s");
    }
}

#[test]
fn m7_while_the_clock_has_leapt_nothing_is_told_and_nothing_goes_back() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    campus.top_up("50");
    campus.rig.leap(true);
    at(&campus, since, 40 * DAY);
    assert_eq!((reminders(&campus).len(), refunds(&campus).len()), (0, 0));
    campus.rig.leap(false);
    campus.due();
    assert_eq!(refunds(&campus).len(), 1);
}

#[test]
fn r36_never_means_never_and_the_rule_of_its_time_holds_for_each_payment() {
    let mut campus = Campus::new();
    let old = campus.top_up("50");
    campus.rig.advance(1);
    let set = |campus: &Campus, name, value| {
        campus.rig.run(settings::change_setting(&campus.rig.school, name, value, None, "li")).expect("sensible");
    };
    set(&campus, "pending.refund_after", 0);
    set(&campus, "pending.remind_first", HOUR);
    campus.rig.advance(1);
    let since = campus.rig.school.now();
    let new = campus.top_up("7");
    at(&campus, since, HOUR);
    assert_eq!(reminders(&campus), [(new, 700)], "the older one has its first after two hours");
    at(&campus, since, 31 * DAY);
    at(&campus, since, 200 * DAY);
    let back: Vec<_> = refunds(&campus).iter().filter_map(|refund| refund.origin.of()).map(|(_, no)| no).collect();
    assert_eq!((back, waits(&campus)), (vec![old], 700));
}

#[test]
fn m27_a_return_that_failed_for_good_is_told_and_left_to_a_person() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    at(&campus, since, 30 * DAY);
    campus.due();
    let refund = campus.provider.refunds_asked()[0].refund;
    campus.notice(&format!("{refund} t{no} 5000 5000 CLOSED"));
    assert_eq!((waits(&campus), open_cases(&campus)), (5000, vec![Kind::RefundFailed]));
    let again = campus.rig.school.now();
    at(&campus, again, 2 * HOUR);
    assert_eq!(reminders(&campus), [(no, 5000)], "it waits anew, and can be fetched");
    at(&campus, again, 100 * DAY);
    assert_eq!((refunds(&campus).len(), waits(&campus)), (1, 5000), "it does not fail every month");
    let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
    let open = refund::open(&campus.rig.school, What::Order(no), None, asked, [1; 16]);
    campus.rig.run(open).expect("a person may");
    assert!(matches!(refunds(&campus)[1].state, State::Held));
}

#[test]
fn m29_a_closed_account_is_not_reminded_and_its_money_goes_back_all_the_same() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    campus.top_up("50");
    campus.close_account();
    at(&campus, since, 4 * DAY);
    assert_eq!(reminders(&campus), []);
    at(&campus, since, 30 * DAY);
    assert_eq!((refunds(&campus).len(), waits(&campus)), (1, 0));
}

#[test]
fn row_32_a_payment_of_which_the_provider_gave_some_back_goes_to_a_case_once() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    campus.notice(&format!("portal-7 t{no} 100 5000 SUCCESS"));
    assert_eq!(open_cases(&campus), [Kind::RefundUnknown]);
    for days in [30, 31, 60] {
        at(&campus, since, days * DAY);
        assert_eq!(open_cases(&campus), [Kind::RefundUnknown, Kind::WaitingNotReturned], "after {days} days");
        assert_eq!((refunds(&campus).len(), waits(&campus)), (0, 5000));
    }
    campus.hold(Stage::Load);
    at(&campus, since, 62 * DAY);
    assert_eq!(open_cases(&campus), [Kind::RefundUnknown], "it is on the card now");
}

#[test]
fn m9_money_of_before_a_restore_goes_back_only_once_its_card_has_come() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let (lost, kept) = (campus.top_up("50"), campus.top_up("7"));
    let backup = campus.rig.disk.copy();
    // After the backup the card takes both, and the book forgets it.
    campus.hold(Stage::Load);
    campus.rig.restore(&backup);
    at(&campus, since, 30 * DAY);
    assert_eq!((refunds(&campus).len(), open_cases(&campus)), (0, vec![]), "nobody was asked yet");
    campus.provider.say(Ok(Trade::NotPaid));
    let mut work = Reopening::default();
    assert!(campus.rig.run(work.run(&campus.rig.school)).unwrap());
    for days in [31, 32, 40] {
        at(&campus, since, days * DAY);
        assert_eq!((refunds(&campus).len(), waits(&campus)), (0, 5700), "after {days} days");
        assert_eq!(open_cases(&campus), [Kind::WaitingNotReturned, Kind::WaitingNotReturned], "{lost} {kept}");
    }
    campus.hold(Stage::Load);
    assert_eq!((campus.chip.balance(), waits(&campus)), (5700, 0));
    at(&campus, since, 50 * DAY);
    assert_eq!((refunds(&campus).len(), open_cases(&campus)), (0, vec![Kind::CardAhead]));
}

#[test]
fn m9_a_return_that_a_restored_book_forgot_is_not_made_again() {
    let mut campus = Campus::new();
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    let backup = campus.rig.disk.copy();
    at(&campus, since, 30 * DAY);
    campus.due();
    let wish = campus.provider.refunds_asked()[0].clone();
    campus.notice(&format!("{} t{no} 5000 5000 SUCCESS", wish.refund));
    campus.rig.restore(&backup);
    campus.provider.say(Ok(Trade::Refunded(flows::ports::Payment {
        order: no.to_string(),
        transaction: format!("t{no}"),
        amount: Fen::new(5000),
        currency: "CNY".into(),
        paid_at: since,
    })));
    let mut work = Reopening::default();
    assert!(campus.rig.run(work.run(&campus.rig.school)).unwrap());
    at(&campus, since, 31 * DAY);
    assert_eq!((refunds(&campus).len(), open_cases(&campus)), (0, vec![Kind::WaitingNotReturned]));
    assert_eq!(campus.hold(Stage::Load).0, 0, "nor is it loaded");
    at(&campus, since, 33 * DAY);
    assert_eq!((campus.provider.refunds_asked().len(), refunds(&campus).len(), waits(&campus)), (1, 0, 0));
    assert_eq!(open_cases(&campus), [Kind::PaymentGivenBack]);
}

#[test]
fn m9_money_whose_card_came_after_the_restore_and_did_not_take_it_goes_back() {
    let mut campus = Campus::new();
    campus.top_up("20");
    campus.hold(Stage::Load);
    let since = campus.rig.school.now();
    let no = campus.top_up("50");
    let backup = campus.rig.disk.copy();
    campus.rig.restore(&backup);
    campus.provider.say(Ok(Trade::NotPaid));
    let mut work = Reopening::default();
    assert!(campus.rig.run(work.run(&campus.rig.school)).unwrap());
    at(&campus, since, 30 * DAY);
    assert_eq!(open_cases(&campus), [Kind::WaitingNotReturned]);
    // The card comes and is pulled away before it takes the load; the next hold shows that, and is pulled away as well.
    for _ in 0..2 {
        let session = campus.init(Stage::Load).expect("a usable card");
        campus.begin(session).expect("a release");
    }
    let after = campus.top_up("1");
    at(&campus, since, 32 * DAY);
    assert_eq!(refunds(&campus).len(), 0, "{no} is on its way, {after} is young");
    campus.hold(Stage::Load);
    at(&campus, since, 33 * DAY);
    assert_eq!((waits(&campus), open_cases(&campus)), (0, vec![]));
}
