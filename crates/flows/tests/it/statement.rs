//! The last rows of an account and its balance at a moment, against the whole journal read from its first row.

use flows::statement::{balance_at, last};
use ledger::{AccountKey, Fen, JournalRow, Kind, Micros};
use rules::chart;
use rules::load::Stage;

use crate::hand::{CARD, Campus};

/// A day in which money came in, was loaded, torn, spent and given back.
fn a_day() -> Campus {
    let mut campus = Campus::new();
    campus.top_up("50");
    campus.rig.advance(60);
    let (_, hold) = campus.hold(Stage::Load);
    campus.rig.advance(60);
    campus.top_up("30.05");
    campus.top_up("7");
    // Released and never proved.
    let session = campus.init(Stage::Load).expect("a usable card");
    campus.begin(session).expect("a good card");
    campus.rig.advance(3_600);
    let (_, _) = campus.hold(Stage::Load);
    let change = flows::settings::change_setting(&campus.rig.school, "wechat.arrival", 1, None, "finance");
    campus.rig.run(change).expect("a setting");
    campus.top_up("12");
    let sale = campus.authorise(hold, 1_000);
    campus.send(sale);
    campus
}

fn names(row: &JournalRow, account: &AccountKey) -> bool {
    row.debit == *account || row.credit == *account
}

/// What a row moved on the account, in the test's own words.
fn moved(row: &JournalRow, account: &AccountKey) -> i64 {
    match row.kind {
        Kind::Pend | Kind::Void => 0,
        Kind::Direct | Kind::Post if row.debit == *account => -row.amount.get(),
        Kind::Direct | Kind::Post => row.amount.get(),
    }
}

#[test]
fn the_last_rows_and_the_balance_at_every_moment_are_those_of_the_whole_journal() {
    let campus = a_day();
    let school = &campus.rig.school;
    let journal = campus.rig.disk.journal_from(1);
    assert!(
        [Kind::Direct, Kind::Pend, Kind::Post, Kind::Void]
            .iter()
            .all(|kind| journal.iter().any(|row| row.kind == *kind))
    );
    let accounts = [
        chart::receivable(chart::Channel::WeChat),
        chart::awaiting_tap(campus.person),
        chart::available(campus.person),
        chart::on_card(CARD),
        chart::merchant(campus.merchant),
        chart::suspense_card(CARD),
    ];
    for account in &accounts {
        let rows: Vec<JournalRow> = journal.iter().filter(|row| names(row, account)).copied().collect();
        for most in [0, 1, 3, 1_000] {
            let found = campus.rig.run(last(school, account, most)).expect("reads");
            let expected: Vec<JournalRow> = rows.iter().rev().take(most).copied().collect();
            assert_eq!(found.iter().map(|line| line.row).collect::<Vec<_>>(), expected, "{account:?}");
            for line in &found {
                assert_eq!(line.amount().get(), moved(&line.row, account));
                let upto = rows.iter().filter(|row| row.seq <= line.row.seq);
                assert_eq!(line.balance().get(), upto.map(|row| moved(row, account)).sum::<i64>());
            }
        }
        let moments = journal.iter().flat_map(|row| [-1, 0, 1].map(|micro| row.recorded_at.get() + micro));
        for moment in moments.chain([i64::MIN, 0, i64::MAX]) {
            let before = rows.iter().filter(|row| row.recorded_at.get() <= moment);
            let expected: i64 = before.map(|row| moved(row, account)).sum();
            let found = campus.rig.run(balance_at(school, account, Micros::new(moment))).expect("reads");
            assert_eq!(found.get(), expected, "{account:?} at {moment}");
        }
    }
    let nobodys = chart::suspense_card(rules::ids::CardNo(1));
    assert_eq!(campus.rig.run(last(school, &nobodys, 5)).expect("reads"), []);
    assert_eq!(campus.rig.run(balance_at(school, &nobodys, Micros::new(i64::MAX))).expect("reads"), Fen::ZERO);
}
