//! `onecard cases` and `onecard refund`, from the command line.

use std::sync::mpsc;

use flows::rows::{Campus, Key, Row, SuspendedPayment};
use ledger::{Fen, Id, Micros, Stage, Transfer};
use rules::case::{Case, Kind};
use rules::chart::{self, Channel};
use rules::ids::CaseId;
use rules::refund::Payment;
use store::sqlite::SqliteStore;
use teller::{Command, Desk, Engine, Halt, IdSource, Limits, Schema, Seen, job};

use crate::reports::school;
use crate::{Place, with};

/// A payment of another amount than its order's, as a notice leaves it.
struct Mismatch;

impl Command<Campus> for Mismatch {
    type Answer = CaseId;
    type Refusal = ();

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        Vec::new()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<CaseId, Halt<Campus, ()>> {
        let (case, at, amount) = (CaseId(desk.new_id()), desk.now(), Fen::new(9_900));
        let transfer = Transfer {
            id: desk.new_id(),
            debit: chart::receivable(Channel::WeChat),
            credit: chart::suspense_case(case),
            amount,
            stage: Stage::Direct,
            effective_at: at,
            code: 2,
            reference: Id::new(9),
        };
        desk.post(&transfer).map_err(|_| Halt::Refuse(()))?;
        let payment = Payment { channel: Channel::WeChat, transaction: "t1".into(), total: amount, paid_at: at };
        desk.insert_new(Key::Suspended(case), Row::Suspended(SuspendedPayment { payment, of: None }));
        let (kind, reference, detail) = (Kind::PaymentMismatch, Id::new(261_123), "transaction t1".to_owned());
        desk.insert_new(Key::Case(case), Row::Case(Case { id: case, kind, opened_at: at, reference, amount, detail }));
        Ok(case)
    }
}

struct Ids(u128);

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        self.0 += 1;
        Id::time_ordered(now, [7; 8]).get().checked_add(self.0).map(Id::new).expect("few")
    }
}

fn plant(place: &Place) -> CaseId {
    let store = SqliteStore::open(&place.0.join("school"), school(), Campus::TABLES).unwrap();
    let mut engine = Engine::<Campus, _>::start(school(), store, Box::new(Ids(0)), Limits::default()).unwrap();
    let (say, told) = mpsc::channel();
    let now = Micros::from_seconds(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap());
    let planted = job(Mismatch, move |outcome| say.send(outcome.ok()).unwrap());
    assert!(engine.step(vec![planted], now).unwrap().is_empty());
    told.recv().unwrap().expect("it is planted")
}

#[test]
fn row_07_a_case_is_listed_with_its_owner_and_two_persons_refund_it() {
    let place = Place::new("cases");
    let none =
        place.refused(&with(&["refund", "--order", "261123120000000100000001", "--reason", "误充", "--by", "Lin"]));
    assert!(none.contains("REFUND_UNKNOWN_PAYMENT"), "{none}");
    assert_eq!(place.succeeds(&with(&["cases"])), "0 open case(s)\n");
    let id = plant(&place).0.to_string();
    let listed = place.succeeds(&with(&["cases"]));
    for part in [
        &*id,
        "PAY_MISMATCH",
        "finance",
        "¥99.00 left",
        "0 min since",
        "two persons",
        "transaction t1",
        "1 open case(s)",
    ] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    let line = |more: &[&'static str]| {
        let refund = ["refund", "--case", &id, "--reason", "金额不符", "--by", "Lin"];
        with(&[&refund[..], more].concat()).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refused = |more: &[&'static str]| place.refused(&line(more).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(refused(&[]).contains("REFUND_TWO_PERSONS"));
    assert!(refused(&["--approved-by", "lin"]).contains("REFUND_TWO_PERSONS"));
    assert!(refused(&["--approved-by", "Wang", "--amount", "99.01"]).contains("REFUND_TOO_MUCH"));
    assert!(refused(&["--approved-by", "Wang", "--amount", "1e3"]).contains("--amount"));
    let made = line(&["--approved-by", "Wang"]);
    let said = place.succeeds(&made.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(said.starts_with("refund R") && said.contains("its money is held"), "{said}");
    assert!(refused(&["--approved-by", "Wang"]).contains("REFUND_LIVE"));
    let listed = place.succeeds(&with(&["cases", "--all"]));
    assert!(listed.contains("¥0.00 left"), "{listed}");
    assert!(place.succeeds(&with(&["verify"])).contains("the book is whole"));
}

#[test]
fn a_refund_of_nothing_or_of_two_things_is_wrong_usage() {
    let place = Place::new("refund-usage");
    let rest = ["--reason", "误充", "--by", "Lin"];
    let usage = |line: &[&str]| place.onecard(&with(&[&["refund"][..], line, &rest].concat())).status.code();
    assert_eq!(usage(&[]), Some(2));
    assert_eq!(usage(&["--order", "261123120000000100000001", "--case", "0"]), Some(2));
    let bad = place.refused(&with(&[&["refund", "--case", "7"][..], &rest].concat()));
    assert!(bad.contains("`onecard cases`"), "{bad}");
    let bad = place.refused(&with(&[&["refund", "--order", "7"][..], &rest].concat()));
    assert!(bad.contains("24 digits"), "{bad}");
}
