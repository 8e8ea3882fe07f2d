//! A holder's statements against the whole journal, added up again in the test's own words (R92).

use std::collections::{BTreeMap, BTreeSet};

use flows::monthly::{Monthly, MonthlyFault, monthly, months};
use flows::ports::{RefundState, Repayment};
use flows::refund::{self, What};
use flows::tap_load::Onward;
use flows::top_up::NoticeOutcome;
use ledger::{AccountKey, Fen, JournalRow, Kind, Micros};
use link::{Answer, Record};
use rules::calendar::CampusMonth;
use rules::chart::{self, Reason};
use rules::ids::{OrderNo, PersonId, RefundNo};
use rules::load::Stage;
use rules::refund::Asked;
use rules::statement::{Finality, Place};

use crate::hand::{CARD, Campus, refunded};

/// A holder to whom things happen, drawn from a seed.
struct Life {
    campus: Campus,
    draw: u64,
    orders: Vec<OrderNo>,
    refunds: Vec<RefundNo>,
}

impl Life {
    fn new(seed: u64) -> Life {
        Life { campus: Campus::new(), draw: seed, orders: Vec::new(), refunds: Vec::new() }
    }

    fn below(&mut self, most: u64) -> u64 {
        self.draw = self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.draw >> 33) % most
    }

    /// Something happens; then a day or two pass.
    fn step(&mut self) {
        let yuan = 10 + self.below(40);
        let fen = u32::try_from(100 + self.below(900)).expect("small");
        match self.below(9) {
            0 | 1 => {
                let order = self.campus.top_up(&yuan.to_string());
                self.orders.push(order);
            }
            2 => drop(self.campus.hold(Stage::Fill)),
            3 => self.purchase(fen, false),
            4 => self.purchase(fen, true),
            5 => self.purse(fen),
            6 => self.torn(fen),
            7 => self.refund(),
            _ => {
                let way = i64::from(self.below(2) == 0);
                let change =
                    flows::settings::change_setting(&self.campus.rig.school, "wechat.arrival", way, None, "finance");
                self.campus.rig.run(change).expect("a setting");
                let order = self.campus.order("5");
                let stranger = format!("{order} t{order} 700 CNY");
                assert!(matches!(self.campus.notice(&stranger), NoticeOutcome::Suspended(_)), "another amount: a case");
            }
        }
        let seconds = 30_000 + self.below(140_000);
        self.campus.rig.advance(i64::try_from(seconds).expect("small"));
    }

    /// At a terminal with a line; it is called off again, or not.
    fn purchase(&mut self, fen: u32, called_off: bool) {
        let (_, hold) = self.campus.hold(Stage::Load);
        let asked = self.campus.authorise(hold, fen);
        if matches!(self.campus.send(asked), Answer::Paid { .. }) && called_off {
            let of = self.campus.last_seq();
            assert_eq!(self.campus.send(Record::Reverse { of }), Answer::Taken);
        }
    }

    /// Without a line, as far as the card goes.
    fn purse(&mut self, fen: u32) {
        self.campus.hold(Stage::Load);
        if self.campus.balance(chart::on_card(CARD)) >= i64::from(fen) {
            self.campus.buy(fen);
        }
    }

    /// The load's proof is lost; money of it may be spent before the next hold.
    fn torn(&mut self, fen: u32) {
        self.campus.top_up("30");
        let session = self.campus.init(Stage::Load).expect("a usable card");
        if let Onward::Release { stamp, mac2, .. } = self.campus.begin(session).expect("a good card")
            && self.below(3) > 0
        {
            self.campus.credit(stamp, mac2);
            let rest = u32::try_from(self.campus.balance(chart::on_card(CARD))).expect("not below nothing");
            self.campus.buy(rest + fen);
        }
    }

    /// The newest order goes back; the provider says yes, no, or nothing yet.
    fn refund(&mut self) {
        let Some(order) = self.orders.pop() else { return };
        let asked = Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None };
        let form = self.below(u64::MAX).to_be_bytes();
        let form = [form, form].concat().try_into().expect("16 bytes");
        let opened = refund::open(&self.campus.rig.school, What::Order(order), None, asked, form);
        let Ok(no) = self.campus.rig.run(opened) else { return };
        self.refunds.push(no);
        self.campus.due();
        let state = match self.below(3) {
            0 => RefundState::Success { at: self.campus.rig.school.now() },
            1 => RefundState::Closed,
            _ => return,
        };
        let wish = self.campus.provider.refunds_asked().last().cloned().expect("it was asked for");
        self.campus.provider.say_of_refund(Ok(Repayment::Known(refunded(&wish, state))));
        self.campus.rig.advance(3_600);
        self.campus.due();
    }

    fn place(&self, account: &AccountKey) -> Option<Place> {
        let person: PersonId = self.campus.person;
        if *account == chart::available(person) {
            return Some(Place::Available);
        }
        if *account == chart::awaiting_tap(person) {
            return Some(Place::Waiting);
        }
        if [chart::on_card(CARD), chart::suspense_card(CARD)].contains(account) {
            return Some(Place::OnCard);
        }
        self.refunds.iter().any(|no| *account == chart::held(*no)).then_some(Place::Held)
    }

    /// Opening, in, out and closing of each place and of all of it, from every row of the journal.
    fn added_up(&self, journal: &[JournalRow], begins: Micros, ends: Micros) -> BTreeMap<Option<Place>, [i64; 4]> {
        let mut sums: BTreeMap<Option<Place>, [i64; 4]> =
            Place::ALL.into_iter().map(|place| (Some(place), [0; 4])).collect();
        sums.insert(None, [0; 4]);
        let moved = journal.iter().filter(|row| matches!(row.kind, Kind::Direct | Kind::Post));
        for row in moved.filter(|row| row.recorded_at < ends) {
            let (from, to) = (self.place(&row.debit), self.place(&row.credit));
            if from == to {
                continue;
            }
            let amount = row.amount.get();
            let mut count = |place: Option<Place>, into: bool| {
                let sums = sums.get_mut(&place).expect("a place");
                if row.recorded_at < begins {
                    sums[0] += if into { amount } else { -amount };
                } else {
                    sums[if into { 1 } else { 2 }] += amount;
                }
                sums[3] = sums[0] + sums[1] - sums[2];
            };
            for (place, into) in [(from, false), (to, true)] {
                if place.is_some() {
                    count(place, into);
                }
            }
            if from.is_none() || to.is_none() {
                count(None, from.is_none());
            }
        }
        sums
    }

    fn statement(&self, month: CampusMonth) -> Monthly {
        self.campus.rig.run(monthly(&self.campus.rig.school, self.campus.person, month)).expect("it adds up")
    }
}

fn sums_of(found: &Monthly) -> BTreeMap<Option<Place>, [i64; 4]> {
    let of = |sums: &rules::statement::Sums| [sums.opening, sums.incoming, sums.outgoing, sums.closing].map(Fen::get);
    let places = found.statement.places.iter().map(|(place, sums)| (Some(*place), of(sums)));
    places.chain([(None, of(&found.statement.total))]).collect()
}

#[test]
fn r92_every_month_s_statement_is_what_the_whole_journal_adds_up_to() {
    let mut reasons = BTreeSet::new();
    for seed in 1..=6 {
        let mut life = Life::new(seed);
        for _ in 0..70 {
            life.step();
        }
        let journal = life.campus.rig.disk.journal_from(1);
        reasons.extend(journal.iter().filter_map(|row| Reason::from_number(row.code)));
        let months = life.campus.rig.run(months(&life.campus.rig.school, life.campus.person)).expect("readable");
        assert!(months.len() >= 3 && months.is_sorted_by(|a, b| a > b), "{months:?}");
        let mut after: Option<Monthly> = None;
        for month in months {
            let found = life.statement(month);
            let expected = life.added_up(&journal, month.begins(), month.ends());
            assert_eq!(sums_of(&found), expected, "seed {seed}, {month}");
            assert_eq!(found.finality.may_change(), after.is_none(), "only the newest month still runs");
            let rows = found.statement.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();
            assert!(rows.is_sorted_by(|a, b| a < b), "each row once, in the order of the book");
            if let Some(after) = &after {
                assert_eq!(
                    after.statement.total.opening, found.statement.total.closing,
                    "one month goes on where the last ended"
                );
            }
            after = Some(found);
        }
        // And the running month closes with what the ledger says now.
        let newest = life.statement(CampusMonth::of(life.campus.rig.school.now()));
        let held: i64 = life.refunds.iter().map(|no| life.campus.balance(chart::held(*no))).sum();
        let person = life.campus.person;
        let balances =
            [chart::available(person), chart::awaiting_tap(person), chart::on_card(CARD), chart::suspense_card(CARD)];
        let ledger: i64 = balances.into_iter().map(|account| life.campus.balance(account)).sum();
        assert_eq!(newest.statement.total.closing.get(), ledger + held, "seed {seed}");
    }
    for reason in [
        Reason::TopUp,
        Reason::LoadApplied,
        Reason::LoadNotApplied,
        Reason::FloatSetAside,
        Reason::SaleFromAccount,
        Reason::SaleReversed,
        Reason::SaleFromPurse,
        Reason::SaleFromUnproved,
        Reason::UnprovedSettled,
        Reason::RefundHeld,
        Reason::RefundSettled,
        Reason::RefundReleased,
        Reason::TopUpUnexplained,
    ] {
        assert!(reasons.contains(&reason), "no life had {reason:?}");
    }
}

#[test]
fn r92_a_month_that_is_over_stays_what_it_was_and_has_the_same_number_and_hash() {
    let mut life = Life::new(3);
    while CampusMonth::of(life.campus.rig.school.now()).to_string() == "2026-11" {
        life.step();
    }
    let november = CampusMonth::parse("2026-11").expect("a month");
    life.campus.rig.advance(600);
    let before = life.statement(november);
    assert_eq!((before.finality, before.until), (Finality::Final, november.ends()));
    assert_eq!(before.number, "S202611-0001-2026010101");
    for _ in 0..20 {
        life.step();
    }
    assert_eq!(life.statement(november), before);
    let december = life.statement(CampusMonth::parse("2026-12").expect("a month"));
    assert_ne!(december.hash, before.hash);
    assert_eq!(december.statement.total.opening, before.statement.total.closing);
}

#[test]
fn a_month_turns_at_midnight_of_the_campus_and_its_statement_is_final_ten_minutes_later() {
    let mut campus = Campus::new();
    let november = CampusMonth::parse("2026-11").expect("a month");
    let december = CampusMonth::parse("2026-12").expect("a month");
    let to_the_end = november.ends().get() - campus.rig.school.now().get();
    campus.rig.advance_micros(to_the_end - 1);
    campus.top_up("10");
    campus.rig.advance_micros(1);
    campus.top_up("20");
    let of =
        |campus: &Campus, month| campus.rig.run(monthly(&campus.rig.school, campus.person, month)).expect("adds up");
    let (old, new) = (of(&campus, november), of(&campus, december));
    assert_eq!((old.statement.total.incoming, new.statement.total.incoming), (Fen::new(1_000), Fen::new(2_000)));
    assert_eq!(old.finality, Finality::Settling, "a row with an earlier time could still come");
    assert_eq!(old.until, november.ends(), "no statement tells of the next month");
    campus.rig.advance(4);
    assert_eq!(of(&campus, november), old, "without a row nothing changes, not even the hash");
    campus.rig.advance(596);
    assert_eq!(of(&campus, november), Monthly { finality: Finality::Final, ..old });
}

#[test]
fn there_is_no_statement_before_the_account_after_today_or_of_a_stranger() {
    let campus = Campus::new();
    let stranger = PersonId(ledger::Id::new(4711));
    for (person, month) in
        [(campus.person, "2026-10"), (campus.person, "2026-12"), (stranger, "2026-11"), (campus.person, "0000-01")]
    {
        let month = CampusMonth::parse(month).expect("a month");
        let found = campus.rig.run(monthly(&campus.rig.school, person, month));
        assert!(matches!(found, Err(MonthlyFault::NoSuchMonth)), "{month}: {found:?}");
    }
    assert_eq!(campus.rig.run(months(&campus.rig.school, stranger)).expect("readable"), []);
}
