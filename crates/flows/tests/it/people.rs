//! Holders: imported, found, shown (R1, R25).

use std::sync::Arc;

use flows::people::{
    ImportReport, Outcome, find_by_number, import, initial_password_hint, profile, reveal_initial_password,
};
use flows::rows::{Key, Row};
use flows::settings::change_setting;
use rules::calendar::CampusDay;
use rules::ids::PersonId;
use rules::person::AdmitRefusal;
use rules::roster::{Category, Cell, Entry, RawRow, check};
use store::memory::Trouble;
use teller::Fault;

use crate::rig::{Rig, sendable};

/// A right identity number of somebody born on 2005-03-15: its check digit is X.
pub const CARD_X: &str = "33010220050315138X";

/// One row as the reader of rosters gives it.
pub fn entry(number: &str, name: &str, document: &str, phone: &str) -> Entry {
    let text = |text: &str| if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) };
    let identity_card = document.len() == 18;
    let row = RawRow {
        row_number: 3,
        number: text(number),
        name: text(name),
        document_kind: text(if identity_card { "身份证" } else { "护照" }),
        document_number: text(document),
        category: text("学生"),
        department: text("图书馆"),
        phone: text(phone),
        remark: Cell::Empty,
    };
    check(&[row], CampusDay(20_261_123)).remove(0).expect("a right row")
}

/// The holder 林晓雨 with number 2026010101 and the identity number [`CARD_X`].
pub fn admitted(rig: &Rig) -> PersonId {
    let report = run_import(rig, vec![entry("2026010101", "林晓雨", CARD_X, "13812345678")]);
    assert_eq!(report.added(), 1);
    found(rig, "2026010101")
}

fn found(rig: &Rig, number: &str) -> PersonId {
    rig.run(find_by_number(&rig.school, number)).expect("readable").expect("admitted")
}

fn run_import(rig: &Rig, entries: Vec<Entry>) -> ImportReport {
    rig.run(sendable(import(&rig.school, entries, false))).expect("a real import reads nothing")
}

fn crowd(count: usize) -> Vec<Entry> {
    (0..count).map(|at| entry(&format!("2026{at:06}"), "林雨", &format!("E{at:08}"), "")).collect()
}

fn counts(report: &ImportReport) -> (usize, usize, usize, usize) {
    (report.added(), report.already(), report.refused(), report.not_done())
}

#[test]
fn r1_an_import_opens_an_account_for_everyone_once() {
    let rig = Rig::new();
    let first = run_import(&rig, crowd(450));
    assert_eq!(counts(&first), (450, 0, 0, 0));
    let person = found(&rig, "2026000449");
    let before = rig.row(&Key::Person(person));
    rig.advance(60);
    let second = run_import(&rig, crowd(451));
    assert_eq!(counts(&second), (1, 450, 0, 0));
    assert_eq!(rig.row(&Key::Person(person)), before, "an account stays as it is");
    assert_eq!(rig.run(find_by_number(&rig.school, "2026000451")).expect("readable"), None);
}

#[test]
fn r1_a_row_that_contradicts_an_account_is_refused_and_hinders_no_other() {
    let rig = Rig::new();
    let known = [("2026000001", "E00000001"), ("2026000002", "E00000002")];
    run_import(&rig, known.iter().map(|(number, document)| entry(number, "林雨", document, "")).collect());
    let table = [
        ("2026000001", "E00000001", Outcome::Already),
        ("2026000001", "E00000009", Outcome::Refused(AdmitRefusal::NumberTaken)),
        ("2026000001", "E00000002", Outcome::Refused(AdmitRefusal::NumberTaken)),
        ("2026000009", "E00000001", Outcome::Refused(AdmitRefusal::DocumentTaken)),
        ("2026000003", "E00000003", Outcome::Added),
        ("2026000003", "E00000003", Outcome::Already),
        ("2026000004", "E00000003", Outcome::Refused(AdmitRefusal::DocumentTaken)),
    ];
    let entries: Vec<Entry> = table.iter().map(|(number, document, _)| entry(number, "王雪", document, "")).collect();
    let before = rig.blocks();
    let foreseen = rig.run(sendable(import(&rig.school, entries.clone(), true))).expect("readable");
    assert_eq!(rig.blocks(), before, "a dry run changes nothing");
    let real = run_import(&rig, entries);
    assert_eq!(foreseen, real, "a dry run foresees what happens");
    for (line, (number, document, expected)) in real.lines.iter().zip(&table) {
        assert_eq!((line.number.as_str(), &line.outcome), (*number, expected), "{document}");
        let refused = matches!(expected, Outcome::Refused(_));
        assert_eq!(line.outcome.words().is_some(), refused);
    }
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    let mut rig = Rig::new();
    rig.disk.fail_next(Trouble::Full);
    let full = run_import(&rig, crowd(450));
    assert_eq!(counts(&full), (0, 0, 0, 450), "no room: nothing of the first batch is kept, no other is tried");
    assert!(full.lines.iter().all(|line| line.outcome == Outcome::NotDone(Fault::Full)));

    run_import(&rig, crowd(200));
    rig.disk.fail_next(Trouble::LostAfter);
    let lost = run_import(&rig, crowd(450));
    assert_eq!(counts(&lost), (0, 200, 0, 250), "the power went while the second batch was kept");
    assert!(lost.lines[200..].iter().all(|line| line.outcome == Outcome::NotDone(Fault::Stopping)));

    rig.restart();
    let again = run_import(&rig, crowd(450));
    assert_eq!(counts(&again), (50, 400, 0, 0), "the batch in doubt had been kept");
}

#[test]
fn an_import_beyond_the_tellers_queue_takes_more_turns() {
    let rig = Rig::new();
    let narrow = Rig::with(rig.school.card_keys.clone(), rig.school.wechat.clone(), 30);
    assert_eq!(counts(&run_import(&narrow, crowd(450))), (450, 0, 0, 0));
    let shut = Rig::with(rig.school.card_keys.clone(), Arc::clone(&rig.school.wechat), 0);
    assert_eq!(counts(&run_import(&shut, crowd(450))), (0, 0, 0, 450));
}

#[test]
fn a_profile_is_masked_and_the_disk_holds_no_personal_data_in_clear() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let shown = rig.run(sendable(profile(&rig.school, person))).expect("readable").expect("a holder");
    assert_eq!((shown.name.as_str(), shown.phone.as_deref()), ("林*雨", Some("138****5678")));
    assert_eq!((shown.number.as_str(), shown.department.as_str()), ("2026010101", "图书馆"));
    assert_eq!((shown.category, shown.card, shown.person), (Category::Student, None, person));
    for secret in ["林晓雨", "晓", CARD_X, "0050315", "13812345678", "2345678"] {
        assert!(!rig.disk_holds(secret.as_bytes()), "{secret} stands in clear on the disk");
    }
    assert!(rig.disk_holds("图书馆".as_bytes()), "the search itself works");

    let nobody = PersonId(rig.school.new_id());
    assert_eq!(rig.run(profile(&rig.school, nobody)).expect("readable"), None);
    assert!(rig.run(reveal_initial_password(&rig.school, nobody)).expect("readable").is_none());
}

#[test]
fn a_profile_whose_seal_is_broken_is_a_fault_and_not_a_blank() {
    let rig = Rig::new();
    let [one, other] = ["2026000001", "2026000002"].map(|number| {
        run_import(&rig, vec![entry(number, "林雨", &format!("E{number}"), "")]);
        found(&rig, number)
    });
    let moved = rig.row(&Key::Person(one)).and_then(|row| row.person().cloned()).expect("a holder");
    rig.run(rig.school.submit(Overwrite(other, Row::Person(Box::new(moved))))).expect("written");
    let fault = rig.run(profile(&rig.school, other)).expect_err("another holder's seal");
    assert_eq!(fault.words().code, "INTERNAL");
}

/// Writes a row behind the flows' back.
struct Overwrite(PersonId, Row);

impl teller::Command<flows::rows::Campus> for Overwrite {
    type Answer = ();
    type Refusal = std::convert::Infallible;

    fn needs(&self, _: &teller::Seen<'_, flows::rows::Campus>) -> Vec<Key> {
        vec![Key::Person(self.0)]
    }

    fn decide(
        &self,
        desk: &mut teller::Desk<'_, flows::rows::Campus>,
    ) -> Result<(), teller::Halt<flows::rows::Campus, Self::Refusal>> {
        Ok(desk.put(Key::Person(self.0), self.1.clone())?)
    }
}

#[test]
fn r25_the_first_password_is_told_to_the_demo_and_the_hint_to_everyone() {
    let rig = Rig::new();
    let person = admitted(&rig);
    run_import(&rig, vec![entry("2026010102", "John Smith", "AB1234", "")]);
    let foreigner = found(&rig, "2026010102");
    let hint = |rig: &Rig| rig.run(initial_password_hint(&rig.school)).expect("readable").zh;
    let reveal = |person| {
        let password = rig.run(sendable(reveal_initial_password(&rig.school, person))).expect("readable");
        password.expect("never changed").expose_for("test").clone()
    };
    assert_eq!((reveal(person).as_str(), reveal(foreigner).as_str()), ("15138X", "001234"));
    let either = hint(&rig);
    rig.run(change_setting(&rig.school, "initial_password.x_rule", 3, None, "li")).expect("sensible");
    assert_eq!((reveal(person).as_str(), reveal(foreigner).as_str()), ("315138", "001234"));
    assert_ne!(hint(&rig), either);
}

#[test]
fn a_holder_is_found_by_the_number_however_it_is_typed() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let long = "2".repeat(1_000);
    let table = [
        ("2026010101", Some(person)),
        (" ２０２６ 010101 ", Some(person)),
        ("", None),
        ("2026010102", None),
        (long.as_str(), None),
    ];
    for (typed, expected) in table {
        assert_eq!(rig.run(sendable(find_by_number(&rig.school, typed))).expect("readable"), expected, "{typed}");
    }
}
