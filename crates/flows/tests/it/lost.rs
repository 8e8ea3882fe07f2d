//! A card is reported lost at every moment (R82): what the terminals hear, where the money stays, what the holder sees.

use std::pin::Pin;

use flows::card_desk::{NotReported, Reported, card_page, report_loss};
use flows::home::{self, Place as Whereabouts};
use flows::rows::{Campus as Rows, Key, Row};
use flows::tap_load::{self, Onward};
use ledger::{Fen, Micros};
use link::{Answer, Record};
use rules::card::{Actor, LossRefusal, Place, State, Why};
use rules::case::Kind;
use rules::chart;
use rules::ids::{CardNo, OrderNo, TerminalNo};
use rules::load::Stage;
use teller::{Command, Desk, Halt, Seen};

use crate::hand::{CARD, Campus, in_wechat};

fn report(campus: &Campus, form: u8) -> Result<Reported, NotReported> {
    report_of(campus, CARD, form)
}

fn report_of(campus: &Campus, card: CardNo, form: u8) -> Result<Reported, NotReported> {
    campus.rig.run(report_loss(&campus.rig.school, campus.person, card, Place::Pages, [form; 16]))
}

fn card(campus: &Campus) -> rules::card::Card {
    campus.rig.row(&Key::Card(CARD)).unwrap().card().unwrap().clone()
}

fn refusal(answer: Answer) -> String {
    let Answer::Refused { words, .. } = answer else { panic!("{answer:?}") };
    words.code
}

/// Account, what waits, what is on its way, what is on the card: as the holder's page shows them.
fn places(campus: &Campus) -> [i64; 4] {
    let home = campus.rig.run(home::home(&campus.rig.school, campus.person)).unwrap().unwrap();
    [home.available, home.waiting.amount, home.in_transit.amount, home.on_card].map(Fen::get)
}

fn place(campus: &Campus, no: OrderNo) -> (Whereabouts, bool) {
    let tracker = campus.rig.run(home::track(&campus.rig.school, campus.person, no)).unwrap().unwrap();
    (tracker.place, tracker.delayed)
}

/// 30.00 in the account, 20.00 on the card; with the hold by which the card may pay.
fn campus_with_money() -> (Campus, [u8; 16]) {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let on_line = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 1, None, "finance");
    campus.rig.run(on_line).unwrap();
    campus.top_up("30");
    let tap = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 0, None, "finance");
    campus.rig.run(tap).unwrap();
    let (_, hold) = campus.hold(Stage::Load);
    (campus, hold)
}

#[test]
fn r82_from_the_time_of_effect_no_terminal_takes_the_card_whatever_it_had_begun() {
    let (mut campus, hold) = campus_with_money();
    campus.top_up("5");
    let mut other = campus.other_till(TerminalNo([0, 0, 2]));
    let begun = campus.init(Stage::Load).unwrap();
    let (purchase, too_much) = (campus.authorise(hold, 1200), campus.authorise(hold, 3500));
    campus.rig.advance(1);

    let reported = report(&campus, 1).unwrap();
    assert_eq!(reported, Reported { card: CARD, since: campus.rig.school.now(), first: true });
    assert_eq!((card(&campus).state, card(&campus).since), (State::Lost, reported.since));

    assert_eq!(campus.begin(begun).unwrap_err().code, "CARD_LOST", "a load that the terminal had begun");
    assert_eq!(refusal(campus.send(purchase)), "CARD_LOST", "a sale with a hold of before, out of the account");
    assert_eq!(refusal(campus.send(too_much)), "CARD_LOST", "and one out of the purse");
    assert_eq!(campus.init(Stage::Load).unwrap_err().code, "CARD_LOST");
    campus.walk_to(&mut other);
    assert_eq!(campus.init(Stage::Fill).unwrap_err().code, "CARD_LOST", "at every other terminal too");
    assert_eq!(places(&campus), [3000, 500, 0, 2000], "no money moved");
    campus.rig.verify();
}

#[test]
fn r82_a_report_beside_a_sale_and_a_load_is_decided_before_or_after_each_and_money_is_in_one_place() {
    // In every order of the three, in one batch and in three.
    for (order, together) in (0..6).flat_map(|order| [(order, false), (order, true)]) {
        let (mut campus, hold) = campus_with_money();
        campus.top_up("5");
        let session = campus.init(Stage::Load).unwrap();
        let sale = campus.authorise(hold, 1200);
        let school = campus.rig.school.clone();
        let (at, person) = (campus.at, campus.person);
        let flow = |which: usize| -> Pin<Box<dyn Future<Output = bool>>> {
            let school = school.clone();
            match which {
                0 => Box::pin(async move { report_loss(&school, person, CARD, Place::WeChat, [1; 16]).await.is_ok() }),
                1 => Box::pin(async move {
                    matches!(flows::purchase::take(&school, at, 90, sale).await, Some(Answer::Paid { .. }))
                }),
                _ => Box::pin(async move { tap_load::begin(&school, at, CARD, session, &[]).await.is_ok() }),
            }
        };
        let turns = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][order];
        let granted: Vec<bool> = match together {
            true => campus.rig.run_all(turns.iter().map(|which| flow(*which)).collect()),
            false => turns.iter().map(|which| campus.rig.run(flow(*which))).collect(),
        };
        let report = turns.iter().position(|which| *which == 0).unwrap();
        for (turn, granted) in granted.iter().enumerate() {
            assert_eq!(*granted, turn <= report, "{turns:?}, {together}: {granted}");
        }
        let (paid, released) = (turns[..report].contains(&1), turns[..report].contains(&2));
        let expected =
            [if paid { 1800 } else { 3000 }, if released { 0 } else { 500 }, if released { 500 } else { 0 }, 2000];
        assert_eq!(places(&campus), expected, "{turns:?}, {together}");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), if paid { 1200 } else { 0 });
        campus.rig.verify();
    }
}

#[test]
fn r82_a_load_whose_release_is_out_ends_as_the_card_proves_and_the_card_pays_nothing_with_it() {
    for took_it in [true, false] {
        let mut campus = Campus::new();
        let no = campus.top_up("50");
        let session = campus.init(Stage::Load).unwrap();
        let Ok(Onward::Release { k, stamp, mac2, .. }) = campus.begin(session) else { panic!("a release") };
        report(&campus, 1).unwrap();
        assert_eq!(campus.begin(session).unwrap_err().code, "CARD_LOST", "the release is not given a second time");
        assert_eq!(place(&campus, no).0, Whereabouts::OnItsWay);
        if took_it {
            let tac = campus.credit(stamp, mac2);
            let confirmed = tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac);
            let Ok(Onward::Done { hold, .. }) = campus.rig.run(confirmed) else { panic!("the proof is taken") };
            assert_eq!((place(&campus, no).0, places(&campus)), (Whereabouts::OnCard, [0, 0, 0, 5000]));
            let ask = campus.authorise(hold, 100);
            assert_eq!(refusal(campus.send(ask)), "CARD_LOST", "the hold buys nothing");
        } else {
            assert_eq!(campus.init(Stage::Load).unwrap_err().code, "CARD_LOST");
            assert_eq!(places(&campus), [0, 0, 5000, 0], "nobody decides by the clock where it is");
        }
        campus.rig.verify();
    }
}

#[test]
fn r21_what_is_paid_after_the_report_waits_for_the_next_card_and_new_orders_are_refused_in_words() {
    let mut campus = Campus::new();
    let open = campus.order("50");
    report(&campus, 1).unwrap();
    campus.notice(&format!("{open} t1 5000 CNY"));
    assert_eq!(places(&campus), [0, 5000, 0, 0]);
    campus.rig.advance(3 * 3600);
    assert_eq!(place(&campus, open), (Whereabouts::WaitingForCard, false), "it waits for another reason than a tap");
    let refused = flows::top_up::open(&campus.rig.school, campus.person, "5", in_wechat(), [9; 16]);
    assert_eq!(campus.rig.run(refused).unwrap_err().words().code, "CARD_STATE");
    let home = campus.rig.run(home::home(&campus.rig.school, campus.person)).unwrap().unwrap();
    assert_eq!(home.card, Some((CARD, State::Lost)));
    assert_eq!(home.card_since, Some(card(&campus).since));
    campus.rig.verify();
}

#[test]
fn r82_a_repeat_tells_the_first_time_of_effect_and_a_late_form_never_stops_another_or_a_found_card() {
    let campus = Campus::new();
    let first = report(&campus, 1).unwrap();
    let again = Reported { first: false, ..first };
    campus.rig.advance(600);
    assert_eq!(report(&campus, 1), Ok(again), "the same form");
    assert_eq!(report(&campus, 2), Ok(again), "another form");
    assert_eq!(card(&campus).since, first.since);
    assert_eq!(report_of(&campus, CardNo(7), 3), Err(NotReported::Refused(LossRefusal::OtherCard)));
    assert_eq!(report_of(&campus, CardNo(7), 1), Err(NotReported::Refused(LossRefusal::FormReused)));
    // The service centre gives the card back its use; a copy of the report arrives after that.
    campus.rig.run(campus.rig.school.submit(Found)).unwrap_or_else(|_| panic!("found"));
    assert_eq!(report(&campus, 1), Ok(again));
    assert_eq!(report(&campus, 2), Ok(again));
    assert_eq!(card(&campus).state, State::Active, "what was said before says nothing of now");
    let anew = report(&campus, 4).unwrap();
    assert_eq!((anew.first, anew.since, card(&campus).state), (true, campus.rig.school.now(), State::Lost));
    campus.rig.verify();
}

/// What the service centre will do; its desk is a step of its own.
struct Found;

impl Command<Rows> for Found {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, _: &Seen<'_, Rows>) -> Vec<Key> {
        vec![Key::Card(CARD)]
    }

    fn decide(&self, desk: &mut Desk<'_, Rows>) -> Result<(), Halt<Rows, ()>> {
        let Some(mut card) = desk.get(&Key::Card(CARD))?.and_then(Row::card).cloned() else {
            return Err(Halt::Refuse(()));
        };
        (card.state, card.since) = (State::Active, desk.now());
        desk.put(Key::Card(CARD), Row::Card(card))?;
        Ok(())
    }
}

#[test]
fn r82_no_report_is_refused_for_coming_often_and_a_flood_of_them_writes_nothing() {
    let campus = Campus::new();
    let first = report(&campus, 1).unwrap();
    for form in 2..=6 {
        assert_eq!(report(&campus, form).unwrap().since, first.since);
    }
    let blocks = campus.rig.blocks();
    for form in 7..=60 {
        assert_eq!(report(&campus, form), Ok(Reported { first: false, ..first }), "{form}");
    }
    assert_eq!(campus.rig.blocks(), blocks, "nothing is written any more");
    campus.rig.advance(3600);
    assert_eq!(report(&campus, 61), Ok(Reported { first: false, ..first }));
    assert_eq!(campus.rig.blocks(), blocks + 1, "another hour");
}

#[test]
fn m3_a_report_that_the_process_does_not_survive_is_made_or_not_and_the_same_form_tells() {
    for batches in 0..=1 {
        let mut campus = Campus::new();
        campus.top_up_and_hold("20");
        let asked_at = campus.rig.school.now();
        campus.rig.run_for(report_loss(&campus.rig.school, campus.person, CARD, Place::Program, [1; 16]), batches);
        campus.rig.restart();
        campus.rig.advance(60);
        let reported = report(&campus, 1).unwrap();
        let made = batches == 1;
        assert_eq!((reported.first, reported.since == asked_at), (!made, made), "{batches}");
        let page = campus.rig.run(card_page(&campus.rig.school, campus.person)).unwrap().unwrap();
        let reports = page.story.iter().filter(|told| told.change.why == Why::ReportedLost).count();
        assert_eq!((reports, page.home.on_card), (1, Fen::new(2000)), "{batches}");
        campus.rig.verify();
    }
}

#[test]
fn r3_every_change_of_a_card_is_kept_with_who_when_where_and_why() {
    let mut campus = Campus::new();
    let issued_at = campus.rig.school.now();
    campus.top_up_and_hold("20");
    let image = campus.chip.to_bytes();
    campus.top_up_and_hold("20");
    campus.chip = card::chip::Chip::from_bytes(&image).unwrap();
    campus.rig.advance(30);
    let session = campus.init(Stage::Load).unwrap();
    assert_eq!(campus.begin(session).unwrap_err().code, "CARD_FROZEN", "it shows less than it took");
    let stopped_at = campus.rig.school.now();
    campus.rig.advance(30);
    assert_eq!(report(&campus, 1), Ok(Reported { card: CARD, since: stopped_at, first: false }), "it held already");

    let page = campus.rig.run(card_page(&campus.rig.school, campus.person)).unwrap().unwrap();
    let told: Vec<_> = page.story.iter().map(|told| (told.change, told.terminal.clone())).collect();
    let [(stop, at), (issue, nowhere)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((issue.from, issue.to, issue.at), (State::Issued, State::Active, issued_at));
    assert_eq!((issue.by, issue.place, issue.why, nowhere), (Actor::Office, Place::Office, Why::HandedOut, &None));
    assert_eq!((stop.from, stop.to, stop.at), (State::Active, State::Lost, stopped_at));
    assert_eq!((stop.by, stop.place), (Actor::Platform, Place::Terminal(campus.at)));
    assert_eq!(at.as_ref().map(|(_, en)| en.as_str()), Some("Canteen"));
    let Why::Alarm(case) = stop.why else { panic!("{stop:?}") };
    assert_eq!(campus.rig.row(&Key::Case(case)).unwrap().case().unwrap().kind, Kind::CardRolledBack);
    assert_eq!(page.newest(), Some(stop));
    campus.rig.verify();
}

#[test]
fn r87_a_debit_made_after_the_report_is_the_school_s_and_one_made_before_is_the_holder_s() {
    for (hour, holder_pays) in [(0x07, true), (0x12, false)] {
        let mut campus = Campus::new();
        campus.top_up_and_hold("20");
        campus.hour = hour;
        let debit = Record::Sale(campus.debit(300, None));
        report(&campus, 1).unwrap();
        assert_eq!(campus.send(debit), Answer::Taken, "the goods are sold");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 300);
        assert_eq!(campus.balance(chart::on_card(CARD)), if holder_pays { 1700 } else { 2000 }, "{hour:x}");
        campus.rig.verify();
    }
}

#[test]
fn r82_a_report_that_the_server_cannot_take_says_so_and_stops_nothing() {
    let campus = Campus::new();
    campus.rig.school.door.close();
    let told = report(&campus, 1).unwrap_err();
    assert_eq!(told.words().code, "BUSY");
    assert!(card(&campus).since < Micros::new(i64::MAX) && card(&campus).state == State::Active);
}
