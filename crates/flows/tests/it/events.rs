//! Events and webhooks: what the school's other systems are told of the journal, in order, without a gap, and again after
//! everything that can go wrong on the way.

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::{Mutex, MutexGuard};

use flows::deliver::{self, Ahead, Round};
use flows::event::{self, Event, Moved, Told, Wanted};
use flows::ports::{Courier, Parcel, Receipt, Waiting};
use flows::rows::{Key, Row};
use flows::webhook::{self, Again, Delivery, NewWebhook};
use ledger::{Fen, Id, Micros, Transfer};
use link::Record;
use rules::case::Kind as CaseKind;
use rules::chart::{self, Channel, Reason};
use rules::event::{Cursor, Kind, Span};
use rules::ids::PersonId;
use rules::load::Stage;
use rules::webhook::MOST_FAILURES;
use teller::{Command, Desk, Halt, Seen};

use crate::hand::Campus;
use crate::rig::{Rig, START, sendable};

fn cursor(text: &str) -> Cursor {
    Cursor::parse(text).expect("a cursor")
}

fn page(rig: &Rig, after: &str, most: u32, wanted: &Wanted) -> event::Page {
    rig.run(sendable(event::page(rig.school.reader.as_ref(), cursor(after), most, wanted))).expect("the disk is whole")
}

fn everything() -> Wanted {
    Wanted { kinds: Vec::new(), numbers: true }
}

fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}

fn moved(event: &Event) -> &Moved {
    match &event.told {
        Told::Moved(moved) => moved,
        Told::Restored(restored) => panic!("a restore: {restored:?}"),
    }
}

/// So many payments of a cent, as the journal has them.
struct Paid(PersonId, u32);

impl Command<flows::rows::Campus> for Paid {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, _: &Seen<'_, flows::rows::Campus>) -> Vec<Key> {
        Vec::new()
    }

    fn decide(&self, desk: &mut Desk<'_, flows::rows::Campus>) -> Result<(), Halt<flows::rows::Campus, ()>> {
        for _ in 0..self.1 {
            let transfer = Transfer {
                id: desk.new_id(),
                debit: chart::receivable(Channel::WeChat),
                credit: chart::available(self.0),
                amount: Fen::new(1),
                stage: ledger::Stage::Direct,
                effective_at: desk.now(),
                code: Reason::TopUp.number(),
                reference: Id::new(7),
            };
            desk.post(&transfer).map_err(|refusal| Halt::Broken(refusal.to_string()))?;
        }
        Ok(())
    }
}

fn pay(campus: &Campus, times: u32) {
    let paid = campus.rig.run(campus.rig.school.submit(Paid(campus.person, times)));
    assert!(paid.is_ok(), "is paid");
}

/// 20.00 paid and loaded, and a sale over 3.00 from the purse.
fn lively() -> Campus {
    let mut campus = Campus::new();
    campus.top_up("20");
    campus.hold(Stage::Load);
    let sale = Record::Sale(campus.debit(300, None));
    campus.send(sale);
    campus
}

#[test]
fn every_journal_row_is_one_event_in_its_order_and_a_page_goes_on_from_the_end_of_the_one_before() {
    let campus = lively();
    let all = page(&campus.rig, "1-0", 100, &everything());
    let rows = campus.rig.disk.journal_from(1);
    assert_eq!(all.events.len(), rows.len());
    for (event, row) in all.events.iter().zip(&rows) {
        let told = moved(event);
        assert_eq!((event.id, told.amount), (Cursor { epoch: 1, seq: row.seq }, row.amount));
        assert_eq!((told.debit, told.credit), (row.debit.code, row.credit.code));
        assert_eq!((told.recorded_at, told.effective_at), (row.recorded_at, row.effective_at));
    }
    let (mut at, mut read) = (Cursor::START.to_string(), Vec::new());
    loop {
        let next = page(&campus.rig, &at, 1, &everything());
        if next.events.is_empty() {
            break;
        }
        (at, read) = (next.upto.to_string(), [read, next.events].concat());
    }
    assert_eq!(read, all.events, "one by one");
    let end = page(&campus.rig, &at, 100, &everything());
    assert_eq!((end.events.len(), end.more, end.upto), (0, false, all.upto), "nothing more, and the same place");
}

#[test]
fn an_event_says_what_happened_to_whom_and_shows_neither_name_nor_card() {
    let campus = lively();
    let all = page(&campus.rig, "1-0", 100, &everything()).events;
    let kinds: Vec<&str> = all.iter().map(|event| event.kind().name()).collect();
    assert_eq!(kinds, ["topup.credited", "money.set_aside", "card.loaded", "purchase.paid"]);
    let number = campus.rig.row(&Key::Person(campus.person)).unwrap().person().unwrap().number.clone();
    for event in &all {
        assert_eq!(moved(event).person.as_ref(), Some(&number), "{event:?}");
    }
    let (paid, aside, loaded, sale) = (moved(&all[0]), moved(&all[1]), moved(&all[2]), moved(&all[3]));
    assert!(paid.order.is_some() && paid.posted && !aside.posted && loaded.posted);
    assert_eq!(loaded.set_aside_by, Some(all[1].id));
    assert_eq!((sale.merchant.as_deref(), sale.amount), (Some("canteen"), Fen::new(300)));
    assert_eq!(sale.card.as_deref(), Some("****0042"));
    assert!(sale.sale.is_some() && loaded.sale.is_none());

    let without = Wanted { kinds: vec![Kind::PurchasePaid], numbers: false };
    let some = page(&campus.rig, "1-0", 100, &without);
    assert_eq!((some.events.len(), some.upto), (1, all[3].id), "others are passed over");
    assert_eq!(moved(&some.events[0]).person, None);
}

#[test]
fn an_unknown_place_is_known_for_one_and_a_moment_is_found() {
    let campus = lively();
    let known = |campus: &Campus, text: &str| {
        campus.rig.run(event::is_known(campus.rig.school.reader.as_ref(), cursor(text))).unwrap()
    };
    assert_eq!(["1-0", "1-4", "1-5", "2-0"].map(|text| known(&campus, text)), [true, true, false, false]);
    campus.rig.advance(3600);
    let moment = campus.rig.school.now();
    pay(&campus, 70);
    let before = campus.rig.run(event::before(campus.rig.school.reader.as_ref(), moment)).unwrap();
    let newest = campus.rig.run(event::newest(campus.rig.school.reader.as_ref())).unwrap();
    let start = campus.rig.run(event::before(campus.rig.school.reader.as_ref(), Micros::new(0))).unwrap();
    assert_eq!((before, newest, start), (cursor("1-4"), cursor("1-74"), Cursor::START));
}

#[test]
fn m9_after_a_restore_a_reader_is_set_back_and_told_what_survived() {
    let mut campus = lively();
    let backup = campus.rig.disk.copy();
    pay(&campus, 1);
    pay(&campus, 1);
    let told = page(&campus.rig, "1-4", 100, &everything());
    assert_eq!(ids(&told.events), ["1-5", "1-6"]);
    campus.rig.restore(&backup);
    let quiet = page(&campus.rig, "1-6", 100, &everything());
    assert_eq!(
        (ids(&quiet.events), quiet.after),
        (vec!["2-0".to_owned()], cursor("1-4")),
        "at once, before anything else"
    );
    let Told::Restored(restored) = &quiet.events[0].told else { panic!("{:?}", quiet.events) };
    assert_eq!((restored.epoch, restored.last_seq), (2, 4));
    assert_eq!(restored.survived, [Span { epoch: 1, first: 1, last: 4 }]);
    pay(&campus, 1);
    let next = page(&campus.rig, &quiet.upto.to_string(), 100, &everything());
    assert_eq!(ids(&next.events), ["2-5"], "the sequence comes again under another epoch");
    let all = page(&campus.rig, "1-0", 100, &Wanted { kinds: vec![Kind::TopUpCredited], numbers: false });
    assert_eq!(ids(&all.events), ["1-1", "2-0", "2-5"], "everybody is told of a restore");
    assert_eq!(ids(&page(&campus.rig, "2-0", 100, &everything()).events), ["2-5"]);

    // Restored again, from before the first restore: nobody can tell what a reader of the second epoch shares with this.
    campus.rig.restore(&backup);
    let again = page(&campus.rig, "2-5", 100, &everything());
    assert_eq!((again.after, again.events.last().map(|event| event.id)), (Cursor::START, Some(cursor("3-0"))));
}

/// A receiver: what it got, and what it answers next; the last answer stays.
#[derive(Default)]
struct Receiver {
    got: Mutex<Vec<Parcel>>,
    answers: Mutex<Vec<Option<Receipt>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics in here")
}

impl Receiver {
    fn answers(&self, answers: &[Option<Receipt>]) {
        *lock(&self.answers) = answers.iter().rev().cloned().collect();
    }

    fn got(&self) -> Vec<Vec<String>> {
        lock(&self.got).iter().map(|parcel| ids(&parcel.events)).collect()
    }
}

impl Courier for Receiver {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Waiting<'a, Receipt> {
        lock(&self.got).push(parcel.clone());
        let mut answers = lock(&self.answers);
        let answer = if answers.len() > 1 { answers.pop().flatten() } else { answers.last().cloned().flatten() };
        match answer {
            Some(receipt) => Box::pin(ready(receipt)),
            None => Box::pin(pending()),
        }
    }
}

const TAKEN: Option<Receipt> = Some(Receipt::Answered(204));

fn refused() -> Option<Receipt> {
    Some(Receipt::Answered(500))
}

fn added(rig: &Rig, name: &str) -> NewWebhook {
    let url = "https://portal.example.edu.cn/hook".to_owned();
    let new = NewWebhook {
        name: name.to_owned(),
        url,
        kinds: Vec::new(),
        numbers: false,
        from_start: true,
        by: "operator".to_owned(),
    };
    let secret = rig.run(sendable(webhook::add(&rig.school, new.clone()))).expect("a good webhook");
    assert!(secret.len() == 69 && secret.starts_with("ocwh_"), "{secret}");
    new
}

fn round(rig: &Rig, receiver: &Receiver, name: &str, ahead: &mut Ahead) -> Option<Round> {
    rig.run_as_far_as_it_goes(sendable(deliver::round(&rig.school, receiver, name, ahead)))
        .map(|round| round.expect("reads"))
}

fn standing(rig: &Rig, name: &str) -> Delivery {
    rig.run(webhook::one(rig.school.reader.as_ref(), name)).expect("reads").expect("a webhook").1
}

#[test]
fn events_come_in_order_and_again_until_they_are_taken() {
    let campus = lively();
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    added(&campus.rig, "portal");
    receiver.answers(&[
        refused(),
        Some(Receipt::Silent("it broke off".to_owned())),
        Some(Receipt::Answered(302)),
        TAKEN,
    ]);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let Some(Round::At(at)) = round(&campus.rig, &receiver, "portal", &mut ahead) else { panic!("it stands") };
        let wait = at.since(campus.rig.school.now());
        waits.push(wait / 1_000_000);
        assert!(round(&campus.rig, &receiver, "portal", &mut ahead).is_some(), "before its time nothing is sent");
        campus.rig.advance_micros(wait);
    }
    let all: Vec<String> = (1..=4).map(|seq| format!("1-{seq}")).collect();
    assert_eq!((receiver.got(), waits), (vec![all; 4], vec![10, 30, 60, 0]));
    let delivery = standing(&campus.rig, "portal");
    assert_eq!((delivery.cursor, delivery.failures, delivery.failing_since), (cursor("1-4"), 0, None));
    pay(&campus, 1);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    let last = lock(&receiver.got).last().cloned().unwrap();
    assert_eq!((ids(&last.events), last.after, last.upto), (vec!["1-5".to_owned()], cursor("1-4"), cursor("1-5")));
    assert_eq!((round(&campus.rig, &receiver, "portal", &mut ahead).is_some(), receiver.got().len()), (true, 5));
}

#[test]
fn a_process_that_dies_anywhere_repeats_one_batch_and_loses_nothing() {
    for batches in 0..4 {
        for silent in [false, true] {
            let mut campus = lively();
            added(&campus.rig, "portal");
            let receiver = Receiver::default();
            receiver.answers(&[if silent { None } else { TAKEN }]);
            campus.rig.run_for(deliver::round(&campus.rig.school, &receiver, "portal", &mut Ahead::default()), batches);
            campus.rig.restart();
            receiver.answers(&[TAKEN]);
            let mut ahead = Ahead::default();
            for _ in 0..2 {
                round(&campus.rig, &receiver, "portal", &mut ahead);
            }
            let mut counted: BTreeMap<String, u32> = BTreeMap::new();
            receiver.got().concat().into_iter().for_each(|id| *counted.entry(id).or_default() += 1);
            assert_eq!(counted.len(), 4, "{batches} {silent}");
            assert!(counted.values().all(|times| *times <= 2), "{batches} {silent}: {counted:?}");
        }
    }
}

#[test]
fn after_three_days_it_is_paused_with_a_case_and_goes_on_where_it_stood() {
    let campus = lively();
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    added(&campus.rig, "portal");
    receiver.answers(&[refused()]);
    let mut tries = 0;
    while standing(&campus.rig, "portal").paused.is_none() {
        let Some(Round::At(at)) = round(&campus.rig, &receiver, "portal", &mut ahead) else { panic!("it stands") };
        tries += 1;
        campus.rig.advance_micros(at.since(campus.rig.school.now()));
    }
    assert!(campus.rig.school.now() >= START.after_seconds(3 * 86_400) && tries == MOST_FAILURES as usize, "{tries}");
    let case = standing(&campus.rig, "portal").paused.unwrap();
    let row = campus.rig.row(&Key::Case(case)).unwrap();
    assert_eq!(row.case().unwrap().kind, CaseKind::WebhookPaused);
    campus.rig.advance(86_400);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    assert_eq!(receiver.got().len(), tries, "nothing more is sent");

    receiver.answers(&[TAKEN]);
    campus.rig.run(sendable(webhook::resume(&campus.rig.school, "portal"))).expect("resumes");
    assert!(matches!(campus.rig.row(&Key::Case(case)), Some(Row::CaseEnded(_))));
    round(&campus.rig, &receiver, "portal", &mut ahead);
    assert_eq!((receiver.got().len(), standing(&campus.rig, "portal").cursor), (tries + 1, cursor("1-4")));
    let again = campus.rig.run(webhook::resume(&campus.rig.school, "portal"));
    assert_eq!(again.unwrap_err().words().code, "WEBHOOK_NOT_PAUSED");
}

#[test]
fn days_in_which_the_server_was_off_pause_no_webhook() {
    let mut campus = lively();
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    added(&campus.rig, "portal");
    receiver.answers(&[refused()]);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    for _ in 0..3 {
        campus.rig.advance(4 * 86_400);
        campus.rig.restart();
        round(&campus.rig, &receiver, "portal", &mut Ahead::default());
    }
    let delivery = standing(&campus.rig, "portal");
    assert_eq!((delivery.failures, delivery.failing_since, delivery.paused), (4, Some(START), None));
    receiver.answers(&[TAKEN]);
    campus.rig.advance(120);
    round(&campus.rig, &receiver, "portal", &mut Ahead::default());
    assert_eq!(standing(&campus.rig, "portal").cursor, cursor("1-4"), "it goes on by itself");
}

#[test]
fn a_batch_has_a_hundred_events_and_the_next_begins_where_it_ended() {
    let campus = Campus::new();
    pay(&campus, 230);
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    added(&campus.rig, "portal");
    receiver.answers(&[TAKEN]);
    for _ in 0..4 {
        round(&campus.rig, &receiver, "portal", &mut ahead);
    }
    let got = lock(&receiver.got).clone();
    let sizes: Vec<usize> = got.iter().map(|parcel| parcel.events.len()).collect();
    assert_eq!(sizes, [100, 100, 30]);
    assert!(got.windows(2).all(|pair| pair[0].upto == pair[1].after));
    let read: Vec<String> = got.iter().flat_map(|parcel| ids(&parcel.events)).collect();
    assert_eq!(read, (1..=230).map(|seq| format!("1-{seq}")).collect::<Vec<String>>());
}

#[test]
fn what_is_not_wanted_is_passed_over_and_that_is_written_down_only_now_and_then() {
    let campus = Campus::new();
    let rig = &campus.rig;
    let new = NewWebhook { kinds: vec![Kind::RefundSettled], ..added(rig, "other") };
    rig.run(webhook::add(&rig.school, NewWebhook { name: "refunds".to_owned(), ..new })).expect("a good webhook");
    pay(&campus, 1_100);
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    receiver.answers(&[TAKEN]);
    for expected in ["1-1000", "1-1000", "1-1000"] {
        round(&campus.rig, &receiver, "refunds", &mut ahead);
        assert_eq!(standing(&campus.rig, "refunds").cursor, cursor(expected));
    }
    assert_eq!((receiver.got().len(), standing(&campus.rig, "refunds").told), (0, Cursor::START));
}

#[test]
fn m9_a_receiver_is_told_of_a_restore_and_then_of_what_came_after_it() {
    let mut campus = lively();
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    added(&campus.rig, "portal");
    receiver.answers(&[TAKEN]);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    let backup = campus.rig.disk.copy();
    pay(&campus, 1);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    campus.rig.restore(&backup);
    pay(&campus, 1);
    round(&campus.rig, &receiver, "portal", &mut Ahead::default());
    assert_eq!(receiver.got()[1..], [vec!["1-5".to_owned()], vec!["2-0".to_owned(), "2-5".to_owned()]]);
}

#[test]
fn an_operator_tells_again_changes_the_secret_and_removes() {
    let campus = lively();
    let (receiver, mut ahead) = (Receiver::default(), Ahead::default());
    let rig = &campus.rig;
    let new = added(rig, "portal");
    let add = |new: NewWebhook| rig.run(webhook::add(&rig.school, new)).map_err(|refusal| refusal.words().code);
    assert_eq!(add(new.clone()).unwrap_err(), "WEBHOOK_NAME_TAKEN");
    assert_eq!(add(NewWebhook { name: "Portal".to_owned(), ..new.clone() }).unwrap_err(), "WEBHOOK_NAME");
    assert_eq!(
        add(NewWebhook { url: "http://portal.example/".to_owned(), ..new.clone() }).unwrap_err(),
        "WEBHOOK_ADDRESS"
    );
    for number in 1..32 {
        assert!(add(NewWebhook { name: format!("system-{number}"), ..new.clone() }).is_ok(), "{number}");
    }
    assert_eq!(add(NewWebhook { name: "more".to_owned(), ..new }).unwrap_err(), "WEBHOOK_TOO_MANY");

    receiver.answers(&[TAKEN]);
    round(rig, &receiver, "portal", &mut ahead);
    let again = |again| rig.run(sendable(webhook::replay(&rig.school, "portal", again)));
    assert_eq!(again(Again::After(cursor("1-9"))).unwrap_err().words().code, "EVENT_UNKNOWN");
    assert_eq!(again(Again::After(cursor("1-2"))).expect("a place"), cursor("1-2"));
    round(rig, &receiver, "portal", &mut ahead);
    assert_eq!(again(Again::Since(START)).expect("a moment"), Cursor::START);
    round(rig, &receiver, "portal", &mut ahead);
    assert_eq!(receiver.got().iter().map(Vec::len).collect::<Vec<usize>>(), [4, 2, 4]);

    let first = lock(&receiver.got)[0].secrets.clone();
    let fresh = rig.run(sendable(webhook::rotate(&rig.school, "portal"))).expect("a secret");
    pay(&campus, 1);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    let both = lock(&receiver.got).last().unwrap().secrets.clone();
    assert_eq!((both.len(), both[0].expose_for("the test"), both[1] == first[0]), (2, &fresh, true));
    campus.rig.advance(86_401);
    pay(&campus, 1);
    round(&campus.rig, &receiver, "portal", &mut ahead);
    assert_eq!(lock(&receiver.got).last().unwrap().secrets, [both[0].clone()]);

    let rig = &campus.rig;
    rig.run(sendable(webhook::remove(&rig.school, "portal"))).expect("is removed");
    assert_eq!(round(rig, &receiver, "portal", &mut ahead), Some(Round::Removed));
    assert_eq!(rig.run(webhook::remove(&rig.school, "portal")).unwrap_err().words().code, "WEBHOOK_UNKNOWN");
    assert_eq!(rig.run(webhook::names(rig.school.reader.as_ref())).unwrap().len(), 31);
}
