//! Yesterday's backup comes back (M9): cards are ahead of the book, terminals send again what they kept, orders were paid.

use std::pin::pin;
use std::sync::atomic::Ordering;

use flows::epoch::Reopening;
use flows::home::{Place, track};
use flows::ports::{ChannelError, ListAsk, Payment, RefundState, Repayment, Trade};
use flows::refund::What;
use flows::rows::{Key, Row, lists};
use flows::tap_load::{self, Onward};
use flows::top_up::{NoticeOutcome, look_after, prepare};
use flows::{purchase, resent};
use ledger::{Fen, Id};
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::card::State;
use rules::case::{Case, Kind};
use rules::chart;
use rules::ids::{CaseId, OrderNo, TerminalNo};
use rules::load::Stage;
use rules::message::{Back, Message};
use rules::refund::Asked;
use store::memory::MemoryDisk;

use crate::hand::{CARD, Campus, in_wechat, refunded};

fn cases(campus: &Campus) -> Vec<Case> {
    let (list, owner) = (lists::CASES, Vec::new());
    let ask = ListAsk { list, owner, from: i64::MIN, to: i64::MAX, backwards: false, most: 100 };
    let listed = campus.rig.run(campus.rig.school.list(ask)).unwrap();
    let ids = listed.iter().map(|listed| CaseId(Id::from_bytes(listed.key[..].try_into().unwrap())));
    ids.map(|id| campus.rig.row(&Key::Case(id)).unwrap().case().unwrap().clone()).collect()
}

fn of_kind(campus: &Campus, kind: Kind) -> Case {
    let found: Vec<Case> = cases(campus).into_iter().filter(|case| case.kind == kind).collect();
    assert_eq!(found.len(), 1, "{kind:?}: {found:?}");
    found[0].clone()
}

fn state(campus: &Campus) -> State {
    campus.rig.row(&Key::Card(CARD)).unwrap().card().unwrap().state
}

fn place(campus: &Campus, no: OrderNo) -> Place {
    campus.rig.run(track(&campus.rig.school, campus.person, no)).unwrap().unwrap().place
}

fn arrive(campus: &Campus, on_line: i64) {
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", on_line, None, "finance");
    campus.rig.run(change).unwrap();
}

/// The server's first work after a restore, while the provider says `trade` of every order.
fn reopen(campus: &Campus, trade: Result<Trade, ChannelError>) -> bool {
    campus.provider.say(trade);
    campus.rig.run(Reopening::default().run(&campus.rig.school)).unwrap()
}

fn paid(campus: &Campus, no: OrderNo, fen: i64) -> Trade {
    Trade::Paid(Payment {
        order: no.to_string(),
        transaction: format!("t{no}"),
        amount: Fen::new(fen),
        currency: "CNY".into(),
        paid_at: campus.rig.school.now(),
    })
}

/// 20.00 on the card, 30.00 on line, 50.00 paid and waiting, and an open order over 7.00: and the backup of that.
fn backed_up() -> (Campus, OrderNo, MemoryDisk) {
    let mut campus = Campus::new();
    campus.top_up("20");
    campus.hold(Stage::Load);
    arrive(&campus, 1);
    campus.top_up("30");
    arrive(&campus, 0);
    campus.top_up("50");
    let open = campus.order("7");
    campus.rig.run(prepare(&campus.rig.school, campus.person, open)).unwrap();
    let backup = campus.rig.disk.copy();
    (campus, open, backup)
}

#[test]
fn m9_cards_ahead_terminals_sending_again_and_open_orders_end_right_or_in_a_case() {
    let (mut campus, open, backup) = backed_up();
    // After the backup: everything is loaded, two sales are sent, an order is paid, another is made, paid and loaded.
    campus.hold(Stage::Load);
    let first = Record::Sale(campus.debit(1200, None));
    assert_eq!(campus.send(first), Answer::Taken);
    let (_, hold) = campus.hold(Stage::Load);
    let second = campus.authorise(hold, 800);
    assert!(matches!(campus.send(second), Answer::Paid { account: 2200, .. }));
    assert_eq!(campus.notice(&format!("{open} t{open} 700 CNY")), NoticeOutcome::Taken(open));
    let forgotten = campus.top_up("9");
    campus.hold(Stage::Load);
    // One sale is still at the terminal.
    let third = Record::Sale(campus.debit(300, None));
    assert_eq!(campus.chip.balance(), 2000 + 5000 - 1200 + 700 + 900 - 300);

    campus.rig.restore(&backup);
    campus.rig.verify();
    let mut form = [7; 16];
    let refused = |campus: &Campus, form| {
        let opened = flows::top_up::open(&campus.rig.school, campus.person, "5", in_wechat(), form);
        campus.rig.run(opened)
    };
    assert_eq!(refused(&campus, form).unwrap_err().words().code, "AFTER_RESTORE");
    let session = campus.init(Stage::Load).unwrap();
    assert_eq!(campus.begin(session).unwrap_err().code, "AFTER_RESTORE", "an open order may be what the card took");
    let trade = paid(&campus, open, 700);
    assert!(reopen(&campus, Ok(trade)), "every open order was asked about");
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 5700);
    form[0] = 8;
    let new = refused(&campus, form).expect("new orders are taken again");
    assert!(new != forgotten && new != open, "numbers are no counters");

    // The card comes first: it took all that waited, and spent some of it.
    assert_eq!(campus.hold(Stage::Load).0, 0, "nothing is loaded twice");
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    let case = of_kind(&campus, Kind::CardAhead);
    assert_eq!((case.amount, state(&campus)), (Fen::new(100), State::Active));
    // Of the 7.00 it shows less than all: a case keeps them until a person has looked.
    let untold = of_kind(&campus, Kind::LoadUntold);
    assert_eq!((untold.amount, campus.balance(chart::suspense_case(untold.id))), (Fen::new(700), 700));
    // The terminal sends again what it has.
    assert_eq!(campus.send_as(1, first), Answer::Taken);
    let again = campus.rig.run(purchase::take_paid(&campus.rig.school, campus.at, 2, second)).unwrap();
    assert!(matches!(again, Answer::Paid { account: 2200, .. }), "{again:?}");
    assert_eq!(campus.send_as(3, third), Answer::Taken);
    let acknowledged = campus.rig.run(flows::terminal::acknowledged(&campus.rig.school, campus.at)).unwrap();
    assert_eq!(acknowledged, 3);
    // Now the card shows that it had taken 16.00 more than the book knows: they stand against the case.
    campus.hold(Stage::Load);
    let case = of_kind(&campus, Kind::CardAhead);
    assert_eq!(case.amount, Fen::new(1600));
    assert_eq!(campus.balance(chart::suspense_case(case.id)), -1600);
    // And the payment of the forgotten order arrives as one of nobody's: the three cases make each other good.
    let NoticeOutcome::Suspended(other) = campus.notice(&format!("{forgotten} t{forgotten} 900 CNY")) else {
        panic!("a payment without an order was credited");
    };
    assert_eq!(campus.balance(chart::suspense_case(other)), 900);

    assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()));
    assert_eq!(campus.balance(chart::suspense_card(CARD)), 0);
    assert_eq!(campus.balance(chart::available(campus.person)), 2200);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200 + 800 + 300);
    assert_eq!(cases(&campus).len(), 3, "{:?}", cases(&campus));
    campus.rig.verify();
    // From here on it is a card like any other.
    campus.top_up("4");
    assert_eq!(campus.hold(Stage::Load).0, 400);
    assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()));
}

#[test]
fn m9_sales_that_come_before_their_card_are_paid_and_the_card_is_not_stopped() {
    let (mut campus, _, backup) = backed_up();
    campus.hold(Stage::Load);
    let sale = Record::Sale(campus.debit(6000, None));
    assert_eq!(campus.send(sale), Answer::Taken);
    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    assert_eq!(campus.send_as(1, sale), Answer::Taken);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 6000);
    assert_eq!(campus.balance(chart::suspense_card(CARD)), -6000, "more than the book has on the card");
    assert_eq!((of_kind(&campus, Kind::SaleAheadOfBook).amount, state(&campus)), (Fen::ZERO, State::Active));
    campus.hold(Stage::Load);
    assert_eq!(campus.balance(chart::suspense_card(CARD)), 0);
    assert_eq!(campus.balance(chart::on_card(CARD)), 1000);
    assert_eq!((campus.chip.balance(), of_kind(&campus, Kind::CardAhead).amount), (1000, Fen::ZERO));
    campus.rig.verify();
}

#[test]
fn m9_a_card_that_agreed_after_the_restore_is_stopped_like_any_other_when_it_contradicts_the_book() {
    let (mut campus, _, backup) = backed_up();
    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    let clone = campus.chip.clone();
    campus.hold(Stage::Load);
    assert_eq!((campus.chip.balance(), cases(&campus).len()), (7000, 0), "it agreed and was loaded");
    campus.chip = clone;
    let session = campus.init(Stage::Load).unwrap();
    assert_eq!(campus.begin(session).unwrap_err().code, "CARD_FROZEN");
    assert_eq!((of_kind(&campus, Kind::CardRolledBack).amount, state(&campus)), (Fen::ZERO, State::Lost));
}

#[test]
fn m9_a_released_load_of_the_backup_is_settled_by_the_card_whatever_came_after_it() {
    for spent in [0, 600] {
        let mut campus = Campus::new();
        campus.top_up("10");
        let session = campus.init(Stage::Load).unwrap();
        campus.begin(session).expect("a release");
        let backup = campus.rig.disk.copy();
        // It was torn; afterwards more was loaded under the same counter.
        campus.top_up("5");
        campus.hold(Stage::Load);
        let sale = (spent > 0).then(|| Record::Sale(campus.debit(spent, None)));
        campus.rig.restore(&backup);
        assert!(reopen(&campus, Ok(Trade::NotPaid)));
        campus.hold(Stage::Load);
        if let Some(sale) = sale {
            assert_eq!(campus.send_as(1, sale), Answer::Taken);
        }
        campus.hold(Stage::Load);
        assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()), "spent {spent}");
        let case = of_kind(&campus, Kind::CardAhead);
        assert_eq!((case.amount, campus.balance(chart::suspense_case(case.id))), (Fen::new(500), -500));
        assert_eq!(state(&campus), State::Active);
        campus.rig.verify();
    }
}

#[test]
fn m9_a_torn_sale_of_which_the_card_no_longer_tells_is_a_case_and_a_late_proof_still_pays_it() {
    let (mut campus, _, backup) = backed_up();
    campus.top_up("9");
    campus.hold(Stage::Load);
    let sale = campus.debit(1200, None);
    let DebitEvidence::Tac(tac) = sale.evidence else { panic!("a TAC") };
    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    let torn = |sale| Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale });
    assert_eq!(campus.send_as(1, torn(sale)), Answer::Taken);
    // Of the 59.00 that it took 50.00 are known, and 3.00 of them seem to be missing.
    let (_, hold) = campus.hold(Stage::Load);
    let merchant = |campus: &Campus| campus.balance(chart::merchant(campus.merchant));
    assert_eq!((merchant(&campus), state(&campus)), (0, State::Active));
    let case = of_kind(&campus, Kind::SaleUntold);
    assert_eq!(case.amount, Fen::ZERO);

    // What is authorised from now on is judged by the balance as ever.
    let asked = campus.authorise(hold, 3100);
    assert_eq!(campus.send_as(2, asked), Answer::PayFromPurse { amount: 3100 });
    let before = campus.chip.clone();
    let not_debited = campus.debit(3100, Some(2));
    campus.chip = before;
    assert_eq!(campus.send_as(3, torn(not_debited)), Answer::Taken);
    campus.hold(Stage::Load);
    assert_eq!((merchant(&campus), of_kind(&campus, Kind::SaleUntold)), (0, case.clone()));

    // The terminal had asked the card for a proof before it left.
    assert_eq!(campus.send_as(4, Record::Settle { of: 1, tac: Some(tac) }), Answer::Taken);
    assert_eq!(merchant(&campus), 1200);
    let ended = campus.rig.row(&Key::Case(case.id));
    assert!(matches!(ended, Some(Row::CaseEnded(_))), "nobody pays it a second time: {ended:?}");
    campus.hold(Stage::Load);
    assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()));
    let case = of_kind(&campus, Kind::CardAhead);
    assert_eq!((case.amount, campus.balance(chart::suspense_case(case.id))), (Fen::new(900), -900));
    campus.rig.verify();
}

#[test]
fn m9_an_order_that_the_purse_does_not_show_whole_is_neither_loaded_nor_forgotten() {
    let mut campus = Campus::new();
    let open = campus.order("7");
    campus.rig.run(prepare(&campus.rig.school, campus.person, open)).unwrap();
    let backup = campus.rig.disk.copy();
    // After the backup only another order is paid and loaded; the open one is paid while the server is down.
    campus.top_up("2");
    campus.hold(Stage::Load);
    campus.rig.restore(&backup);
    let trade = paid(&campus, open, 700);
    assert!(reopen(&campus, Ok(trade)));
    assert_eq!(campus.hold(Stage::Load).0, 0);
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    let untold = of_kind(&campus, Kind::LoadUntold);
    assert_eq!((untold.amount, campus.balance(chart::suspense_case(untold.id))), (Fen::new(700), 700));
    assert_eq!(place(&campus, open), Place::InCase, "the holder is told, and not asked to hold the card for ever");
    let case = of_kind(&campus, Kind::CardAhead);
    assert_eq!((case.amount, campus.balance(chart::suspense_case(case.id))), (Fen::new(200), -200));
    assert_eq!((campus.chip.balance(), campus.balance(chart::on_card(CARD))), (200, 200));
    // The person who decides can give it back to the payer.
    let asked = Asked { reason: "恢复后核对".into(), by: "Lin".into(), approved_by: None };
    let refund = flows::refund::open(&campus.rig.school, What::Case(untold.id), None, asked, [1; 16]);
    let refund = campus.rig.run(refund).expect("a refund");
    assert_eq!(campus.balance(chart::held(refund)), 700);
    assert_eq!(place(&campus, open), Place::Refunding);
    campus.rig.verify();
}

fn given_back(campus: &Campus, no: OrderNo, fen: i64) -> Trade {
    let Trade::Paid(payment) = paid(campus, no, fen) else { panic!("a payment") };
    Trade::Refunded(payment)
}

#[test]
fn m9_what_waited_before_a_restore_is_refunded_only_once_the_card_has_come() {
    let mut campus = Campus::new();
    let order = campus.top_up("10");
    let backup = campus.rig.disk.copy();
    // The card takes it, and the book forgets that.
    assert_eq!(campus.hold(Stage::Load).0, 1000);
    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    let ask = |campus: &Campus, form| {
        let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
        let opened = flows::refund::open(&campus.rig.school, What::Order(order), None, asked, [form; 16]);
        campus.rig.run(opened).map_err(|refusal| refusal.words().code)
    };
    assert_eq!(ask(&campus, 1), Err("REFUND_CARD_NOT_MET"));
    campus.provider.say(Ok(paid(&campus, order, 1000)));
    campus.hold(Stage::Load);
    assert_eq!(ask(&campus, 2), Err("REFUND_ON_CARD"), "the card has told what it took");
    assert_eq!(campus.balance(chart::on_card(CARD)), 1000);
    campus.rig.verify();
}

#[test]
fn m9_what_was_given_back_after_the_backup_is_not_loaded_and_no_forgotten_load_took_it() {
    // The card took the rest before the disk was lost, or did not.
    for loaded in [false, true] {
        let mut campus = Campus::new();
        let order = campus.top_up("10");
        let backup = campus.rig.disk.copy();
        let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
        let refund = flows::refund::open(&campus.rig.school, What::Order(order), None, asked, [1; 16]);
        campus.rig.run(refund).expect("a refund");
        if loaded {
            campus.top_up("2");
            assert_eq!(campus.hold(Stage::Load).0, 200);
        }

        campus.rig.restore(&backup);
        assert!(reopen(&campus, Ok(Trade::NotPaid)));
        campus.provider.say(Err(ChannelError::Unknown("dark".into())));
        let waits = campus.balance(chart::awaiting_tap(campus.person));
        let session = campus.init(Stage::Load).unwrap();
        match campus.begin(session) {
            Ok(Onward::Done { loaded: 0, .. }) => assert!(!loaded, "it waits on, and the card may pay"),
            Err(words) => assert_eq!((words.code, loaded), ("AFTER_RESTORE", true), "the card is ahead"),
            other => panic!("{other:?}"),
        }
        assert_eq!(cases(&campus), vec![], "{loaded}");
        assert_eq!(place(&campus, order), Place::WaitingForCard, "{loaded}");
        assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), waits, "{loaded}");
        assert_eq!(campus.rig.row(&Key::Waiting(campus.person)).unwrap().waiting().unwrap().len(), 1, "{loaded}");

        campus.provider.say(Ok(given_back(&campus, order, 1000)));
        assert_eq!(campus.hold(Stage::Load).0, 0, "{loaded}");
        let case = of_kind(&campus, Kind::PaymentGivenBack);
        assert_eq!((case.amount, case.subject()), (Fen::new(1000), format!("order {order}")), "{loaded}");
        assert_eq!(place(&campus, order), Place::InCase, "{loaded}");
        assert_eq!(campus.balance(chart::suspense_case(case.id)), 1000, "{loaded}");
        assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0, "{loaded}");
        let on_card = campus.balance(chart::on_card(CARD));
        assert_eq!((on_card, campus.chip.balance()), if loaded { (200, 200) } else { (0, 0) });
        campus.hold(Stage::Load);
        assert_eq!(cases(&campus).len(), if loaded { 2 } else { 1 }, "{loaded}: held again, nothing more is told");
        campus.rig.verify();
    }
}

#[test]
fn m9_a_notice_of_an_order_of_before_the_restore_is_believed_only_as_the_provider_confirms_it_now() {
    for given_back_there in [false, true] {
        let mut campus = Campus::new();
        let order = campus.order("10");
        campus.provider.say(Ok(Trade::Closed));
        campus.rig.run(look_after(&campus.rig.school, order)).unwrap();
        let backup = campus.rig.disk.copy();
        // It is paid late and credited; perhaps it goes back. The book forgets all of it, and its card comes empty.
        let notice = format!("{order} t{order} 1000 CNY");
        assert_eq!(campus.notice(&notice), NoticeOutcome::Taken(order));
        if given_back_there {
            let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
            let refund = flows::refund::open(&campus.rig.school, What::Order(order), None, asked, [1; 16]);
            campus.rig.run(refund).expect("a refund");
        }
        campus.rig.restore(&backup);
        assert!(reopen(&campus, Ok(Trade::Closed)));
        assert_eq!(campus.hold(Stage::Load).0, 0);

        for unsure in [Err(ChannelError::Unknown("dark".into())), Ok(Trade::NotFound)] {
            campus.provider.say(unsure);
            assert_eq!(campus.notice(&notice), NoticeOutcome::TryAgain);
        }
        assert_eq!((campus.balance(chart::awaiting_tap(campus.person)), cases(&campus)), (0, vec![]));

        if given_back_there {
            campus.provider.say(Ok(given_back(&campus, order, 1000)));
            let outcome = campus.notice(&notice);
            let case = of_kind(&campus, Kind::PaymentGivenBack);
            assert_eq!(outcome, NoticeOutcome::Suspended(case.id));
            assert_eq!(campus.balance(chart::suspense_case(case.id)), 1000);
            assert_eq!(campus.hold(Stage::Load).0, 0, "it is not the holder's any more");
        } else {
            campus.provider.say(Ok(paid(&campus, order, 1000)));
            assert_eq!(campus.notice(&notice), NoticeOutcome::Taken(order));
            assert_eq!(campus.hold(Stage::Load).0, 1000);
        }
        // Told once more it is known, and the provider is not asked about it.
        campus.provider.say(Err(ChannelError::Unknown("dark".into())));
        assert_eq!(campus.notice(&notice), NoticeOutcome::Taken(order), "{given_back_there}");
        campus.rig.verify();
    }
}

#[test]
fn m9_a_load_that_was_released_since_the_restore_makes_no_card_one_that_was_ahead() {
    let mut campus = Campus::new();
    let old = campus.top_up("10");
    let backup = campus.rig.disk.copy();
    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    // Of the old order the provider gives no answer; the new one is released, taken, and the card's word gets lost.
    campus.rig.advance(60);
    campus.top_up("5");
    campus.provider.say(Err(ChannelError::Unknown("dark".into())));
    let Ok(Onward::Again { nonce, amount: 500 }) = campus.init(Stage::Load).and_then(|session| campus.begin(session))
    else {
        panic!("only the new order is loaded")
    };
    let session = campus.init_with(500, nonce);
    let Ok(Onward::Release { stamp, mac2, .. }) = campus.begin(session) else { panic!("a release") };
    campus.credit(stamp, mac2);

    campus.provider.say(Ok(paid(&campus, old, 1000)));
    campus.hold(Stage::Load);
    assert_eq!((campus.balance(chart::on_card(CARD)), campus.chip.balance()), (1500, 1500));
    let met = *campus.rig.row(&Key::Met(CARD)).unwrap().met().unwrap();
    assert_eq!((met.case, met.late), (None, None), "it was not ahead, and nothing more is explained");
    assert_eq!(cases(&campus), vec![]);
    campus.rig.verify();
}

#[test]
fn m9_an_order_of_a_load_that_was_on_its_way_in_the_backup_is_asked_about_before_it_is_loaded_anew() {
    for back in [false, true] {
        let mut campus = Campus::new();
        let order = campus.top_up("10");
        let session = campus.init(Stage::Load).unwrap();
        assert!(matches!(campus.begin(session), Ok(Onward::Release { amount: 1000, .. })));
        let backup = campus.rig.disk.copy();
        // The card did not take it: the order waited again, and perhaps was refunded, before the disk was lost.
        campus.rig.restore(&backup);
        assert!(reopen(&campus, Ok(Trade::NotPaid)));
        let said = if back { given_back(&campus, order, 1000) } else { paid(&campus, order, 1000) };
        campus.provider.say(Ok(said));
        let loaded = if back { 0 } else { 1000 };
        assert_eq!(campus.hold(Stage::Load).0, loaded, "{back}");
        assert_eq!((u32::try_from(campus.balance(chart::on_card(CARD))), campus.chip.balance()), (Ok(loaded), loaded));
        let kinds: Vec<Kind> = cases(&campus).iter().map(|case| case.kind).collect();
        assert_eq!(kinds, if back { vec![Kind::PaymentGivenBack] } else { vec![] });
        campus.hold(Stage::Load);
        campus.rig.verify();
    }
}

#[test]
fn m11_while_the_provider_is_asked_a_nonce_that_the_card_gets_elsewhere_kills_the_older_one() {
    for elsewhere in [false, true] {
        let mut campus = Campus::new();
        campus.top_up("10");
        let backup = campus.rig.disk.copy();
        campus.rig.restore(&backup);
        assert!(reopen(&campus, Ok(Trade::NotPaid)));
        let mut till = campus.other_till(TerminalNo([0, 0, 2]));
        let session = campus.init(Stage::Load).unwrap();
        campus.provider.silent.store(true, Ordering::SeqCst);
        let (school, at) = (campus.rig.school.clone(), campus.at);
        let mut begin = pin!(tap_load::begin(&school, at, CARD, session, &[]));
        assert!(campus.rig.run_as_far_as_it_goes(begin.as_mut()).is_none(), "the provider is asked");
        if elsewhere {
            campus.walk_to(&mut till);
            campus.init(Stage::Load).unwrap();
        }
        campus.provider.silent.store(false, Ordering::SeqCst);
        match campus.rig.run(begin) {
            Ok(Onward::Release { amount: 1000, .. }) => assert!(!elsewhere),
            Err(words) => assert_eq!((words.code, elsewhere), ("TAP_AGAIN", true)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn m9_a_session_with_a_dead_nonce_asks_nobody() {
    let mut campus = Campus::new();
    campus.top_up("10");
    let backup = campus.rig.disk.copy();
    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    let old = campus.init(Stage::Load).unwrap();
    campus.init(Stage::Load).unwrap();
    campus.provider.silent.store(true, Ordering::SeqCst);
    assert_eq!(campus.begin(old).expect_err("its nonce is dead").code, "TAP_AGAIN");
}

#[test]
fn m9_an_order_whose_refund_failed_may_have_been_refunded_once_more_after_the_backup() {
    // The first refund had failed in the backup, or fails for the book only after the restore; the provider tells of a
    // refund, or of none.
    for (failed_before, back) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut campus = Campus::new();
        let order = campus.top_up("10");
        let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
        let refund = flows::refund::open(&campus.rig.school, What::Order(order), None, asked, [1; 16]);
        campus.rig.run(refund).expect("a refund");
        campus.due();
        let sent = campus.provider.refunds_asked().pop().expect("a request");
        let mut backup = campus.rig.disk.copy();
        campus.provider.say_of_refund(Ok(Repayment::Known(refunded(&sent, RefundState::Closed))));
        if failed_before {
            campus.rig.advance(60);
            campus.due();
            backup = campus.rig.disk.copy();
        }
        campus.rig.restore(&backup);
        assert!(reopen(&campus, Ok(Trade::NotPaid)));
        assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 1000, "it waits again");

        let said = if back { given_back(&campus, order, 1000) } else { paid(&campus, order, 1000) };
        campus.provider.say(Ok(said));
        let loaded = if back { 0 } else { 1000 };
        assert_eq!(campus.hold(Stage::Load).0, loaded, "{failed_before} {back}");
        let told: Vec<Fen> =
            cases(&campus).iter().filter(|case| case.kind == Kind::PaymentGivenBack).map(|case| case.amount).collect();
        assert_eq!(told, if back { vec![Fen::new(1000)] } else { vec![] }, "{failed_before} {back}");
        campus.rig.verify();
    }
}

#[test]
fn m9_a_refund_of_the_backup_that_fails_after_its_card_came_and_was_ahead_goes_to_a_case() {
    let mut campus = Campus::new();
    let order = campus.top_up("10");
    let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
    let refund = flows::refund::open(&campus.rig.school, What::Order(order), None, asked, [1; 16]);
    campus.rig.run(refund).expect("a refund");
    campus.due();
    let sent = campus.provider.refunds_asked().pop().expect("a request");
    let told = |campus: &Campus, state| {
        campus.provider.say_of_refund(Ok(Repayment::Known(refunded(&sent, state))));
        campus.rig.advance(60);
        campus.due();
    };
    let backup = campus.rig.disk.copy();
    // It fails, the card takes the money, and the book forgets both.
    told(&campus, RefundState::Closed);
    assert_eq!(campus.hold(Stage::Load).0, 1000);
    campus.rig.restore(&backup);
    told(&campus, RefundState::Processing);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    assert_eq!(campus.hold(Stage::Load).0, 0);
    assert_eq!((of_kind(&campus, Kind::CardAhead).amount, campus.chip.balance()), (Fen::new(1000), 1000));

    told(&campus, RefundState::Closed);
    let case = of_kind(&campus, Kind::LoadUntold);
    assert_eq!(campus.balance(chart::suspense_case(case.id)), 1000);
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 0);
    assert_eq!(place(&campus, order), Place::InCase);
    let told = campus.rig.run(flows::inbox::page(&campus.rig.school, campus.person, None, 1)).expect("readable");
    let newest = told.messages.first().map(|received| received.message);
    assert!(matches!(newest, Some(Message::RefundFailed { back: Back::InCase, .. })), "{newest:?}");
    assert_eq!((campus.hold(Stage::Load).0, campus.chip.balance()), (0, 1000), "it is not loaded again");
    campus.rig.verify();
}

#[test]
fn m9_a_fill_that_was_open_in_the_backup_and_replaced_by_a_smaller_one_is_a_case() {
    let mut campus = Campus::new();
    arrive(&campus, 1);
    campus.top_up("90");
    let session = campus.init(Stage::Fill).unwrap();
    let Ok(Onward::Release { amount: 9000, .. }) = campus.begin(session) else { panic!("a fill") };
    let backup = campus.rig.disk.copy();
    // Torn: it goes back to the account, some of it is spent there, and a smaller one is taken under the same counter.
    let (_, hold) = campus.hold(Stage::Load);
    let sale = campus.authorise(hold, 3000);
    assert!(matches!(campus.send(sale), Answer::Paid { .. }));
    assert_eq!(campus.hold(Stage::Fill).0, 6000);

    campus.rig.restore(&backup);
    assert!(reopen(&campus, Ok(Trade::NotPaid)));
    let again = campus.rig.run(purchase::take_paid(&campus.rig.school, campus.at, 1, sale)).unwrap();
    assert!(matches!(again, Answer::Paid { .. }), "{again:?}");
    campus.hold(Stage::Fill);
    assert_eq!((campus.chip.balance(), campus.balance(chart::on_card(CARD))), (6000, 6000));
    assert_eq!(campus.balance(chart::available(campus.person)), 0);
    let kinds = [(Kind::LoadUntold, 9000), (Kind::CardAhead, -6000), (Kind::SaleForgotten, -3000)];
    for (kind, held) in kinds {
        assert_eq!(campus.balance(chart::suspense_case(of_kind(&campus, kind).id)), held, "{kind:?}");
    }
    assert_eq!(state(&campus), State::Active);
    campus.rig.verify();
}

#[test]
fn m9_a_gap_of_records_that_nobody_has_any_more_is_closed_with_one_case() {
    let (mut campus, _, backup) = backed_up();
    let kept = |campus: &Campus, lowest| campus.rig.run(resent::kept(&campus.rig.school, campus.at, lowest));
    assert_eq!(kept(&campus, 10), None, "a book that was never restored closes no gap");
    campus.rig.restore(&backup);
    for seq in [4, 10, 11] {
        campus.send_as(seq, Record::Gap { tsn: u32::try_from(seq).unwrap() });
    }
    let acknowledged =
        |campus: &Campus| campus.rig.run(flows::terminal::acknowledged(&campus.rig.school, campus.at)).unwrap();
    assert_eq!(acknowledged(&campus), 0);
    for _ in 0..2 {
        assert_eq!(kept(&campus, 10), Some(11));
        let case = of_kind(&campus, Kind::RecordsForgotten);
        assert!(case.detail.contains("8 record(s) between 1 and 9"), "{}", case.detail);
    }
    campus.send_as(12, Record::Gap { tsn: 12 });
    assert_eq!(acknowledged(&campus), 12);
    campus.rig.verify();
}

#[test]
fn m9_a_forgotten_sale_that_the_account_no_longer_covers_is_the_merchants_and_a_case() {
    let (mut campus, _, backup) = backed_up();
    let (_, hold) = campus.hold(Stage::Load);
    let asked = campus.authorise(hold, 2500);
    assert!(matches!(campus.send(asked), Answer::Paid { .. }));
    campus.rig.advance(60);
    let as_paid = |campus: &Campus, seq| campus.rig.run(purchase::take_paid(&campus.rig.school, campus.at, seq, asked));
    let unheard = as_paid(&campus, 9).unwrap();
    assert!(matches!(unheard, Answer::Refused { .. }), "a book that was never restored forgot nothing");

    campus.rig.restore(&backup);
    for (seq, account, merchant) in [(1, 500, 2500), (1, 500, 2500), (2, 500, 5000)] {
        let answer = as_paid(&campus, seq).unwrap();
        assert!(matches!(answer, Answer::Paid { .. }), "{answer:?}");
        assert_eq!(campus.balance(chart::available(campus.person)), account, "record {seq}");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), merchant, "record {seq}");
    }
    let case = of_kind(&campus, Kind::SaleForgotten);
    assert_eq!((case.amount, campus.balance(chart::suspense_case(case.id))), (Fen::new(2500), -2500));
    // A sale of today is no sale of before the restore, whatever the terminal says.
    campus.rig.advance(600);
    let today = campus.authorise([9; 16], 100);
    let answer = campus.rig.run(purchase::take_paid(&campus.rig.school, campus.at, 3, today)).unwrap();
    assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    campus.rig.verify();
}

#[test]
fn m9_new_orders_wait_until_the_provider_has_said_something_of_every_open_one() {
    let (mut campus, open, backup) = backed_up();
    campus.rig.restore(&backup);
    let mut work = Reopening::default();
    let mut form = [7; 16];
    let mut opened = |campus: &Campus| {
        form[0] += 1;
        let opened = flows::top_up::open(&campus.rig.school, campus.person, "5", in_wechat(), form);
        campus.rig.run(opened).map_err(|refusal| refusal.words().code)
    };
    campus.provider.say(Err(ChannelError::Unknown("dark".into())));
    assert!(!campus.rig.run(work.run(&campus.rig.school)).unwrap());
    assert_eq!(opened(&campus), Err("AFTER_RESTORE"));
    campus.provider.say(Ok(Trade::NotPaid));
    assert!(campus.rig.run(work.run(&campus.rig.school)).unwrap());
    opened(&campus).expect("is taken");
    assert!(campus.rig.row(&Key::Order(open)).unwrap().order().unwrap().open(), "and it can still be paid");

    // A provider that stays dark does not keep the school shut for ever.
    campus.rig.restore(&backup);
    campus.provider.say(Err(ChannelError::Unknown("dark".into())));
    let mut work = Reopening::default();
    assert!(!campus.rig.run(work.run(&campus.rig.school)).unwrap());
    campus.rig.advance(601);
    assert!(campus.rig.run(work.run(&campus.rig.school)).unwrap());
    opened(&campus).expect("is taken");
}
