//! `onecard report month`, from the command line.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use flows::rows::{Campus, Key};
use ledger::{AccountKey, Fen, Id, Micros, SchoolId, Stage, Transfer};
use rules::chart::{self, Channel};
use rules::ids::{MerchantId, PersonId};
use store::sqlite::SqliteStore;
use store::sqlite::reports::{REPORTS_FILE, ReportReader, ReportWriter};
use teller::{Command, Desk, Engine, Halt, IdSource, Job, Limits, Schema, Seen, job};

use crate::{CONFIG, Place, with};

/// Money as a payment, or a sale, moves it.
struct Pay(AccountKey, AccountKey, i64);

impl Command<Campus> for Pay {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        Vec::new()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, ()>> {
        let transfer = Transfer {
            id: desk.new_id(),
            debit: self.0,
            credit: self.1,
            amount: Fen::new(self.2),
            stage: Stage::Direct,
            effective_at: desk.now(),
            code: 1,
            reference: Id::new(9),
        };
        desk.post(&transfer).map(|_| ()).map_err(|_| Halt::Refuse(()))
    }
}

struct Ids(u128);

impl IdSource for Ids {
    fn next(&mut self, _: Micros) -> Id {
        self.0 += 1;
        Id::new(self.0)
    }
}

pub fn school() -> SchoolId {
    SchoolId::new(1).unwrap()
}

/// 2026-09-30 23:59:59 and a second later, in Shanghai.
const SEPTEMBER: Micros = Micros::from_seconds(1_790_783_999);
const OCTOBER: Micros = Micros::from_seconds(1_790_784_000);

fn pay(folder: &Path, at: Micros, payments: Vec<Pay>) {
    let store = SqliteStore::open(&folder.join("school"), school(), Campus::TABLES).unwrap();
    let mut engine = Engine::<Campus, _>::start(school(), store, Box::new(Ids(0)), Limits::default()).unwrap();
    let (say, told) = mpsc::channel();
    let jobs: Vec<Box<dyn Job<Campus>>> = payments
        .into_iter()
        .map(|payment| {
            let say = say.clone();
            job(payment, move |outcome| say.send(outcome.is_ok()).unwrap())
        })
        .collect();
    assert!(engine.step(jobs, at).unwrap().is_empty());
    drop(say);
    assert!(told.iter().all(|paid| paid), "the test pays what it has");
    engine.checkpoint().unwrap();
}

/// A school in which one holder topped up in September and bought in both months.
pub fn two_months(place: &Place) {
    let holder = PersonId(Id::new(7));
    let canteen = chart::merchant(MerchantId(Id::new(8)));
    let wechat = chart::receivable(Channel::WeChat);
    pay(
        &place.0,
        SEPTEMBER,
        vec![Pay(wechat, chart::available(holder), 50_000), Pay(chart::available(holder), canteen, 1_250)],
    );
    pay(&place.0, OCTOBER, vec![Pay(chart::available(holder), canteen, 1_001)]);
}

fn report<'a>(line: &[&'a str]) -> Vec<&'a str> {
    with(&[&["report", "month"], line].concat())
}

#[test]
fn a_month_is_reported_written_and_compared_with_the_journal() {
    let place = Place::new("report");
    two_months(&place);
    let september = place.succeeds(&report(&["2026-09", "--check", "--out", "september.csv"]));
    let line = |text: &str, code: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(code)).expect(code);
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(line(&september, "2100"), ["2100", "available", "0.00", "12.50", "500.00", "487.50"], "{september}");
    assert!(september.contains("every account's month is what the journal says"), "{september}");
    let october = place.succeeds(&report(&["2026-10", "--check", "--out", "october.xlsx"]));
    assert!(october.contains("up to row 3"), "{october}");
    assert_eq!(line(&october, "1100"), ["1100", "receivable", "-500.00", "0.00", "0.00", "-500.00"], "{october}");
    assert_eq!(line(&october, "3100"), ["3100", "merchant", "12.50", "0.00", "10.01", "22.51"], "{october}");
    assert_eq!(line(&october, "      total"), ["total", "0.00", "10.01", "10.01", "0.00"], "{october}");
    let text = fs::read_to_string(place.0.join("september.csv")).unwrap();
    assert!(text.contains("期末余额 Closing\n") && text.contains(",合计,Total,0.00,512.50,512.50,0.00"), "{text}");
    assert!(fs::read(place.0.join("october.xlsx")).unwrap().starts_with(b"PK"));
    // Nothing had moved yet.
    let august = place.succeeds(&report(&["2026-08"]));
    assert!(!august.contains("2100"), "{august}");
}

#[test]
fn a_table_that_differs_from_the_journal_fails_the_comparison_until_it_is_deleted() {
    let place = Place::new("report-differs");
    two_months(&place);
    place.succeeds(&report(&["2026-10", "--check"]));
    let file = place.0.join("school").join(REPORTS_FILE);
    // What one account had and another one owed, both a yuan more: the sums still add up to nothing.
    let change = "UPDATE month_total SET opening = opening + iif(code = 2100, 100, -100), \
        closing = closing + iif(code = 2100, 100, -100) WHERE month = '2026-10'";
    rusqlite::Connection::open(&file).unwrap().execute_batch(change).unwrap();
    let told = place.onecard(&report(&["2026-10", "--check"]));
    assert_eq!(told.status.code(), Some(1));
    let wrong = String::from_utf8(told.stdout).unwrap();
    assert!(wrong.contains("WRONG  account 2100 of 7"), "{wrong}");
    assert!(String::from_utf8(told.stderr).unwrap().contains("delete reports.sqlite"));
    fs::remove_file(&file).unwrap();
    place.succeeds(&report(&["2026-10", "--check"]));
}

#[test]
fn while_another_process_feeds_the_table_what_is_there_is_reported() {
    let place = Place::new("report-fed");
    two_months(&place);
    place.succeeds(&report(&["2026-10"]));
    let feeding = ReportWriter::open(&place.0.join("school"), school()).unwrap();
    pay(&place.0, OCTOBER, vec![Pay(chart::receivable(Channel::WeChat), chart::available(PersonId(Id::new(7))), 5)]);
    let read = place.succeeds(&report(&["2026-10", "--check"]));
    assert!(read.contains("up to row 3"), "{read}");
    drop(feeding);
    let fed = place.succeeds(&report(&["2026-10", "--check"]));
    assert!(fed.contains("up to row 4"), "{fed}");
}

#[test]
fn a_report_that_is_killed_again_and_again_goes_on_and_ends_right() {
    let place = Place::new("report-killed");
    for batch in 0..5_u128 {
        let payer = |number: u128| chart::available(PersonId(Id::new(1 + (batch * 7 + number) % 300)));
        let payments = (0..2_000).map(|number| Pay(chart::receivable(Channel::WeChat), payer(number), 100)).collect();
        pay(&place.0, OCTOBER, payments);
    }
    let folder = place.0.join("school");
    let taken = || ReportReader::open(&folder, school()).and_then(|table| table.position()).map(|at| at.head.seq);
    let (mut midway, mut rounds) = (0, 0);
    while midway < 3 {
        rounds += 1;
        assert!(rounds <= 50, "{midway} kills in {rounds} came between the first and the last chunk");
        let (line, before) = (report(&["2026-10"]), taken().unwrap_or(0));
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_onecard"))
            .current_dir(&place.0)
            .args(&line)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed as soon as it has taken something more: it is within its next chunk then.
        while taken().unwrap_or(0) <= before && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        match taken() {
            Ok(seq @ 1..10_000) if seq > before => midway += 1,
            // It was through before it was killed: again, from nothing.
            Ok(10_000) => fs::remove_file(folder.join(REPORTS_FILE)).unwrap(),
            _ => {}
        }
    }
    let end = place.succeeds(&report(&["2026-10", "--check"]));
    assert!(end.contains("up to row 10000") && end.contains("every account's month"), "{end}");
    assert!(
        end.lines().any(|line| line.split_whitespace().eq([
            "2100",
            "available",
            "0.00",
            "0.00",
            "10000.00",
            "10000.00"
        ])),
        "{end}"
    );
}

#[test]
fn a_wrong_month_or_file_name_is_wrong_usage() {
    let place = Place::new("report-usage");
    for line in
        [&["report", "month", "2026-13"][..], &["report", "month", "2026-10", "--out", "table.pdf"], &["report"]]
    {
        let told = place.onecard(&[line, &CONFIG].concat());
        assert_eq!(told.status.code(), Some(2), "{line:?}: {told:?}");
    }
    let missing = place.refused(&report(&["2026-10"]));
    assert!(missing.contains("there is no book"), "{missing}");
}
