use ledger::{AccountCode, Fen, Micros};

use super::*;
use crate::schema::Answer;

const BANK: AccountKey = AccountKey::new(AccountCode(1100), 0);
const HOLDER: AccountKey = AccountKey::new(AccountCode(2100), 1);
const MERCHANT: AccountKey = AccountKey::new(AccountCode(3100), 1);

/// A row; balances and rows before are those of debit and credit.
fn row(
    kind: Kind,
    [debit, credit]: [AccountKey; 2],
    fen: i64,
    of: u64,
    prev: [u64; 2],
    balance: [i64; 2],
) -> JournalRow {
    JournalRow {
        seq: 0,
        id: Id::new(0),
        kind,
        debit,
        credit,
        amount: Fen::new(fen),
        ref_seq: of,
        expires_at: None,
        debit_prev: prev[0],
        credit_prev: prev[1],
        debit_balance: Fen::new(balance[0]),
        credit_balance: Fen::new(balance[1]),
        recorded_at: Micros::new(0),
        effective_at: Micros::new(0),
        code: 1,
        reference: Id::new(0),
    }
}

/// Every kind of row, as they follow from each other; row n belongs to operation n.
pub(crate) fn journal() -> Vec<JournalRow> {
    let spend = [HOLDER, MERCHANT];
    let mut rows = vec![
        row(Kind::Direct, [BANK, HOLDER], 1000, 0, [0, 0], [-1000, 1000]),
        row(Kind::Pend, spend, 300, 0, [1, 0], [1000, 0]),
        row(Kind::Direct, spend, 100, 0, [2, 2], [900, 100]),
        row(Kind::Post, spend, 200, 2, [3, 3], [700, 300]),
        row(Kind::Pend, spend, 50, 0, [4, 4], [700, 300]),
        row(Kind::Void, spend, 50, 5, [5, 5], [700, 300]),
        row(Kind::Pend, spend, 10, 0, [6, 6], [700, 300]),
    ];
    for (seq, row) in (1..).zip(&mut rows) {
        (row.seq, row.reference) = (seq, Id::new(u128::from(seq)));
    }
    rows
}

/// The book of these rows, with the guard rows that the rows of [`journal`] have.
pub(crate) fn book(rows: &[JournalRow]) -> Recount {
    let mut book = Recount { tallies: [(1, Tally { count: 7, fen: 1710 })].into(), ..Recount::default() };
    rows.iter().for_each(|row| book.add(row));
    for operation in crate::compare::tests::operations() {
        let answer = Answer::Done(u64::try_from(operation.key.get()).expect("small"));
        book.kept.insert(operation.key, Kept { payload: operation.payload(), answer });
    }
    book.finish();
    book
}

#[test]
fn rows_that_follow_from_each_other_add_up() {
    let book = book(&journal());
    assert_eq!(book.findings, Vec::<String>::new());
    assert_eq!(book.sums.get(&HOLDER), Some(&[300, 1000, 10, 0]));
    assert_eq!(book.sums.get(&MERCHANT), Some(&[0, 300, 0, 10]));
    assert_eq!(book.sums.get(&BANK), Some(&[1000, 0, 0, 0]));
    assert_eq!(book.head, 7);
}

#[test]
fn whatever_does_not_follow_is_told() {
    type Damage = fn(&mut Vec<JournalRow>);
    let table: [(&str, Damage); 11] = [
        ("journal row 4 follows row 2", |rows| {
            rows.remove(2);
        }),
        ("journal row 3 follows row 3", |rows| rows.insert(3, rows[2])),
        ("has 1001, not 10.00", |rows| rows[0].amount = Fen::new(1001)),
        ("has 900, not 8.99", |rows| rows[2].debit_balance = Fen::new(899)),
        ("has 100, not 1.01", |rows| rows[2].credit_balance = Fen::new(101)),
        ("the row before of", |rows| rows[3].credit_prev = 2),
        ("journal row 4 ends 9, which is None", |rows| rows[3].ref_seq = 9),
        ("journal row 4 ends 2, which is Some", |rows| rows[3].amount = Fen::new(301)),
        ("journal row 6 gives back 49 of 50", |rows| rows[5].amount = Fen::new(49)),
        ("moves 0 between", |rows| rows[6].amount = Fen::new(0)),
        ("falls below nothing", |rows| rows[6].amount = Fen::new(701)),
    ];
    for (wanted, damage) in table {
        let mut rows = journal();
        damage(&mut rows);
        let findings = book(&rows).findings;
        assert!(findings.iter().any(|finding| finding.contains(wanted)), "{wanted}: {findings:?}");
    }
}

#[test]
fn a_holders_count_that_is_not_the_journals_is_told() {
    for tally in [Tally { count: 6, fen: 1710 }, Tally { count: 7, fen: 1711 }] {
        let mut book = Recount { tallies: [(1, tally)].into(), ..Recount::default() };
        journal().iter().for_each(|row| book.add(row));
        book.finish();
        assert!(book.findings.iter().any(|finding| finding.starts_with("holder 1: ")), "{:?}", book.findings);
    }
}

#[test]
fn an_account_row_has_the_sums_of_its_own_moment_and_lacks_only_what_a_start_replays() {
    let kept = |newest: u64, sums: Sums, replay_from: u64| {
        let mut book = Recount { replay_from, ..Recount::default() };
        for row in journal().into_iter().filter(|row| row.debit == HOLDER) {
            book.compare_checkpoint(&row, &[(HOLDER, (newest, sums)), (MERCHANT, (9, [0; 4]))].into());
        }
        book.findings
    };
    let mut at_three = Recount::default();
    journal().iter().take(3).for_each(|row| at_three.add(row));
    assert_eq!(at_three.sums.get(&HOLDER), Some(&[100, 1000, 300, 0]));
    let compared = |sums: Sums| {
        let mut book = at_three.clone();
        book.compare_checkpoint(&journal()[2], &[(HOLDER, (3, sums)), (MERCHANT, (9, [0; 4]))].into());
        book.findings
    };
    assert_eq!(compared([100, 1000, 300, 0]), Vec::<String>::new());
    assert_eq!(compared([100, 1000, 0, 0]).len(), 1);
    let lacking = |replay_from| kept(1, [0; 4], replay_from).len();
    assert_eq!([lacking(2), lacking(3), lacking(8)], [0, 1, 6], "rows 2 to 7 are the holder's");
}
