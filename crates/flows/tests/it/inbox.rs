//! What a holder is told, and what is read of it (M31).

use flows::inbox::{self, Page};
use flows::refund::{self, What};
use flows::rows::Key;
use rules::load::Stage;
use rules::message::{Back, Message};
use rules::refund::{Asked, Cause};
use rules::top_up::{Arrival, Suspicion};

use ledger::Fen;
use rules::ids::PersonId;

use crate::hand::{CARD, Campus};
use crate::rig::sendable;

fn page(campus: &Campus, before: Option<u64>, most: u32) -> Page {
    campus.rig.run(sendable(inbox::page(&campus.rig.school, campus.person, before, most))).expect("the disk is whole")
}

/// Everything that was told, oldest first.
fn told(campus: &Campus) -> Vec<Message> {
    page(campus, None, 500).messages.into_iter().rev().map(|received| received.message).collect()
}

fn read(campus: &Campus, to: u64) -> u64 {
    campus.rig.run(sendable(inbox::read(&campus.rig.school, campus.person, to))).expect("a decision")
}

fn asked() -> Asked {
    Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None }
}

#[test]
fn a_holder_without_messages_has_an_empty_inbox_and_marking_it_writes_nothing() {
    let campus = Campus::new();
    let before = campus.rig.blocks();
    assert_eq!((page(&campus, None, 20), read(&campus, 5)), (Page::default(), 0));
    assert_eq!(campus.rig.run(inbox::unread(&campus.rig.school, campus.person)).unwrap(), 0);
    assert_eq!(campus.rig.blocks(), before);
}

#[test]
fn r17_a_payment_and_its_load_are_told_once_however_often_their_news_come() {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let credited = Message::Credited { order: no, amount: Fen::new(5000), arrival: Arrival::Tap, late: false };
    for _ in 0..2 {
        campus.notice(&format!("{no} t{no} 5000 CNY"));
        assert_eq!(told(&campus), [credited], "the same notice again");
    }
    let second = campus.top_up("7");
    campus.hold(Stage::Load);
    let loaded = Message::Loaded { card: CARD, amount: Fen::new(5700), order: no, more: 1 };
    let all = |campus: &Campus| (told(campus).len(), told(campus).last().copied());
    assert_eq!(all(&campus), (3, Some(loaded)));
    campus.hold(Stage::Load);
    assert_eq!(all(&campus), (3, Some(loaded)), "another hold loads nothing");
    assert!(matches!(told(&campus)[1], Message::Credited { order, .. } if order == second));
}

#[test]
fn a_load_that_only_fills_the_purse_from_the_account_is_no_news() {
    let mut campus = Campus::new();
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 1, None, "li");
    campus.rig.run(change).expect("sensible");
    campus.rig.advance(1);
    let no = campus.top_up("80");
    assert!(campus.hold(Stage::Fill).0 > 0, "the purse is filled");
    let credited = Message::Credited { order: no, amount: Fen::new(8000), arrival: Arrival::Instant, late: false };
    assert_eq!(told(&campus), [credited]);
}

#[test]
fn row_10_a_payment_after_the_order_s_time_is_told_as_late() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.rig.advance(1000);
    campus.due();
    campus.notice(&format!("{no} t{no} 5000 CNY"));
    let credited = Message::Credited { order: no, amount: Fen::new(5000), arrival: Arrival::Tap, late: true };
    assert_eq!(told(&campus), [credited]);
}

#[test]
fn a_refund_is_told_when_it_begins_and_when_it_ends_each_once() {
    for (ends, settled) in [("SUCCESS", true), ("CLOSED", false)] {
        let mut campus = Campus::new();
        let no = campus.top_up("50");
        for _ in 0..2 {
            let open = refund::open(&campus.rig.school, What::Order(no), None, asked(), [1; 16]);
            campus.rig.run(open).expect("a refund");
        }
        campus.due();
        let refund = campus.provider.refunds_asked()[0].refund;
        let (order, amount) = (no, Fen::new(5000));
        let begun = Message::RefundBegun { refund, order, amount, cause: Cause::Person };
        assert_eq!(told(&campus)[1..], [begun]);
        for _ in 0..2 {
            campus.notice(&format!("{refund} t{no} 5000 5000 {ends}"));
        }
        let end = match settled {
            true => Message::RefundSettled { refund, order, amount },
            false => Message::RefundFailed { refund, order, amount, back: Back::Waiting },
        };
        assert_eq!(told(&campus)[1..], [begun, end]);
    }
}

#[test]
fn a_payment_that_is_not_credited_is_told_with_what_becomes_of_it() {
    let mut campus = Campus::new();
    let no = campus.order("50");
    campus.notice(&format!("{no} t1 4900 CNY"));
    let odd = Message::PaymentInCase { order: no, amount: Fen::new(4900), why: Suspicion::Mismatch };
    assert_eq!(told(&campus), [odd]);
    let paid = campus.top_up("7");
    campus.notice(&format!("{paid} t2 700 CNY"));
    let last = told(&campus).last().copied();
    assert!(matches!(last, Some(Message::RefundBegun { order, cause: Cause::Twice, .. }) if order == paid), "{last:?}");
    assert_eq!(told(&campus).len(), 3, "a second payment is told by its refund alone");
}

#[test]
fn what_is_read_is_said_by_the_reader_and_what_came_meanwhile_stays_unread() {
    let mut campus = Campus::new();
    for _ in 0..3 {
        campus.top_up("1");
    }
    let shown = page(&campus, None, 20);
    assert_eq!((shown.unread, shown.read, shown.newest, shown.older), (3, 0, 3, None));
    assert_eq!(page(&campus, None, 20), shown, "looking changes nothing");
    campus.top_up("1");
    for _ in 0..2 {
        assert_eq!(read(&campus, shown.newest), 1, "the fourth came after the page was made");
    }
    let blocks = campus.rig.blocks();
    assert_eq!((read(&campus, 2), campus.rig.blocks()), (1, blocks), "nothing that was read becomes unread");
    // Somebody else's inbox is another one.
    let nobody = PersonId(ledger::Id::new(1));
    assert_eq!(campus.rig.run(inbox::page(&campus.rig.school, nobody, None, 20)).unwrap(), Page::default());
}

#[test]
fn many_messages_are_read_page_by_page_and_the_oldest_are_forgotten() {
    let mut campus = Campus::new();
    let many = 230;
    for _ in 0..many {
        let no = campus.top_up("1");
        if no.to_string().ends_with('7') {
            campus.rig.advance(1);
        }
    }
    let (mut numbers, mut before) = (Vec::new(), None);
    loop {
        let shown = page(&campus, before, 20);
        assert!(shown.messages.len() <= 20);
        numbers.extend(shown.messages.iter().map(|received| received.no));
        before = shown.older;
        if before.is_none() {
            break;
        }
    }
    let kept = u64::try_from(numbers.len()).expect("few");
    assert!((192..=208).contains(&kept), "{kept}");
    assert_eq!(numbers, (many - kept + 1..=many).rev().collect::<Vec<u64>>());
    assert_eq!(page(&campus, None, 20).unread, kept);
    assert_eq!(page(&campus, Some(5), 20).messages, [], "they are gone");
}

#[test]
fn m1_messages_of_one_batch_find_their_places_whatever_was_loaded() {
    let mut campus = Campus::new();
    let orders: Vec<_> = (0..40).map(|_| campus.order("1")).collect();
    let bodies: Vec<String> = orders.iter().map(|no| format!("{no} t{no} 100 CNY")).collect();
    let raws: Vec<_> = bodies
        .iter()
        .map(|body| flows::ports::RawNotice {
            timestamp: "",
            nonce: "",
            serial: "",
            signature: "",
            body: body.as_bytes(),
        })
        .collect();
    let school = &campus.rig.school;
    campus.rig.run_all(raws.iter().map(|raw| flows::top_up::notice(school, raw)).collect());
    assert_eq!(told(&campus).len(), 40);
    assert!(campus.rig.row(&Key::Messages(campus.person, 1)).is_some());
}
