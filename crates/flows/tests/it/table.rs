//! The decision table of payments, row by row, for WeChat Pay: what happens, and where every fen is afterwards.
//!
//! Each test is named after its row. The list of rows and tests is `docs/decision-table.md`; the last test here makes it and
//! compares.

mod payments;
mod refunds;

use flows::ports::{ChannelError, Payment, RefundState, Repayment, Trade};
use flows::refund::What;
use flows::rows::Key;
use flows::top_up::NoticeOutcome;
use flows::{cases, refund};
use ledger::Fen;
use rules::case::Kind;
use rules::chart::{self, Channel};
use rules::ids::{CaseId, OrderNo, RefundNo};
use rules::refund::{Asked, Refund, State as RefundStage};
use rules::top_up::State;

use crate::hand::{CARD, Campus, refunded};

/// What each account holds: owed by the provider, waiting for the card, in the account, held, on the card.
pub fn money(campus: &Campus) -> [i64; 5] {
    let held: i64 = refunds(campus).iter().map(|refund| campus.balance(chart::held(refund.no))).sum();
    [
        -campus.balance(chart::receivable(Channel::WeChat)),
        campus.balance(chart::awaiting_tap(campus.person)),
        campus.balance(chart::available(campus.person)),
        held,
        campus.balance(chart::on_card(CARD)),
    ]
}

pub fn suspense(campus: &Campus, case: CaseId) -> i64 {
    campus.balance(chart::suspense_case(case))
}

pub fn items(campus: &Campus) -> Vec<i64> {
    let row = campus.rig.row(&Key::Waiting(campus.person));
    row.and_then(|row| row.waiting().cloned()).unwrap_or_default().iter().map(|item| item.amount.get()).collect()
}

pub fn state(campus: &Campus, no: OrderNo) -> State {
    campus.rig.row(&Key::Order(no)).and_then(|row| row.order().cloned()).expect("an order").state
}

pub fn refunds(campus: &Campus) -> Vec<Refund> {
    let end = ledger::Micros::new(i64::MAX);
    campus.rig.run(refund::of_person(&campus.rig.school, campus.person, end, 100)).expect("the disk is whole")
}

pub fn the_refund(campus: &Campus) -> Refund {
    let mut found = refunds(campus);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

pub fn refund_of(campus: &Campus, no: RefundNo) -> Refund {
    campus.rig.row(&Key::Refund(no)).and_then(|row| row.refund().cloned()).expect("a refund")
}

/// Kinds of open cases, and of those that ended.
pub fn kinds(campus: &Campus) -> (Vec<Kind>, Vec<Kind>) {
    let listed = campus.rig.run(cases::list(campus.rig.school.reader.as_ref(), true, 100)).expect("the disk is whole");
    let mut found = (Vec::new(), Vec::new());
    for each in listed {
        match each {
            cases::Listed::Open { case, .. } => found.0.push(case.kind),
            cases::Listed::Ended(ended) => found.1.push(ended.case.kind),
        }
    }
    found
}

pub fn case_detail(campus: &Campus, case: CaseId) -> String {
    campus.rig.row(&Key::Case(case)).and_then(|row| row.case().cloned()).expect("an open case").detail
}

pub fn suspended(campus: &Campus, body: &str) -> CaseId {
    match campus.notice(body) {
        NoticeOutcome::Suspended(case) => case,
        other => panic!("{body}: {other:?}"),
    }
}

pub fn paid(campus: &Campus, no: OrderNo, transaction: &str, fen: i64) -> Trade {
    Trade::Paid(Payment {
        order: no.to_string(),
        transaction: transaction.to_owned(),
        amount: Fen::new(fen),
        currency: "CNY".into(),
        paid_at: campus.rig.school.now(),
    })
}

pub fn asked() -> Asked {
    Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None }
}

pub fn ask(campus: &Campus, what: What, fen: Option<i64>, form: u8) -> Result<RefundNo, &'static str> {
    let opened = refund::open(&campus.rig.school, what, fen.map(Fen::new), asked(), [form; 16]);
    campus.rig.run(opened).map_err(|refusal| refusal.words().code)
}

/// An order over 50.00 that is paid and waits for the card, and its refund that the provider was told of, without an answer.
pub fn doubtful() -> (Campus, OrderNo, RefundNo) {
    let mut campus = Campus::new();
    let no = campus.top_up("50");
    let refund = ask(&campus, What::Order(no), None, 1).expect("a refund");
    campus.provider.repay(Err(ChannelError::Unknown("timeout".into())));
    campus.due();
    assert_eq!(refund_of(&campus, refund).state, RefundStage::Sent);
    assert_eq!(money(&campus), [5000, 0, 0, 5000, 0]);
    (campus, no, refund)
}

pub fn say(campus: &Campus, state: RefundState) {
    let wish = campus.provider.refunds_asked().last().expect("a request").clone();
    campus.provider.say_of_refund(Ok(Repayment::Known(refunded(&wish, state))));
}

/// Rows of the table that WeChat Pay can come to, and what each is about.
const ROWS: [(u8, &str); 26] = [
    (1, "good notice of an open order"),
    (2, "the same notice again"),
    (3, "two deliveries at once"),
    (4, "forged, stale, unknown key, wrong tag, probe"),
    (5, "good signature, another merchant"),
    (6, "good, unknown order"),
    (7, "good, another amount or currency"),
    (8, "good, order expired or closed; account closed"),
    (9, "second payment of one order"),
    (10, "news older than what is known"),
    (12, "our database is down"),
    (13, "creation without an answer"),
    (14, "no notice"),
    (15, "a query says: not found"),
    (16, "expiry"),
    (17, "the browser says ok"),
    (20, "refund of an order that is not paid"),
    (21, "refund: held first, never over what was paid"),
    (22, "refund without an answer"),
    (23, "refund under way"),
    (24, "refund done"),
    (25, "refund closed or refused for good"),
    (26, "refund abnormal"),
    (32, "money on its way to the card, or on it"),
    (33, "key change in flight"),
    (35, "end of an older attempt"),
];

#[test]
fn every_row_has_a_test_and_the_list_of_them_is_the_one_in_the_documents() {
    let source = concat!(include_str!("table/payments.rs"), include_str!("table/refunds.rs"));
    let tests: Vec<&str> = source
        .split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .filter(|name| name.starts_with("row_"))
        .collect();
    let mut list = String::from(
        "# Decision table of payments: what tests it\n\n\
         Every thing that can happen to a payment or a refund through WeChat Pay has a row in the decision table, and each\n\
         row a test under `crates/flows/tests/it/table/` that is named after it. This list is made by a test, too.\n\n\
         | row | what happens | test |\n|---|---|---|\n",
    );
    for (row, about) in ROWS {
        let found: Vec<&str> =
            tests.iter().copied().filter(|name| name.starts_with(&format!("row_{row:02}_"))).collect();
        assert!(!found.is_empty(), "row {row} has no test");
        for name in found {
            list.push_str(&format!("| {row} | {about} | `{name}` |\n"));
        }
    }
    assert_eq!(tests.len(), ROWS.len(), "a test of a row that is not in the list");
    let kept = include_str!("../../../../docs/decision-table.md");
    assert_eq!(kept, list, "docs/decision-table.md is to be:\n{list}");
}
