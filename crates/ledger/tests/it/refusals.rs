//! Which refusal a transfer gets when several apply, and that a refusal leaves the book as it was.

use ledger::{Book, Fen, Micros, PostRefusal, Stage, Transfer};

use crate::model::{Lines, name};
use crate::sample::{ACCOUNTS, NOW, all_of, transfer};

const BANK: usize = 0;
const HOLDER: usize = 1;
const OTHER_HOLDER: usize = 3;
const MERCHANT: usize = 4;

fn wish(stage: Stage, debit: usize, credit: usize, fen: i64) -> Transfer {
    transfer(stage, ACCOUNTS[debit], ACCOUNTS[credit], fen)
}

/// The holder has 10.00 of which 4.00 are set aside at row 2 for the merchant; row 3 and 4 opened and closed a pend; the
/// merchant was paid something before.
fn steps() -> [Transfer; 5] {
    [
        wish(Stage::Direct, BANK, HOLDER, 1_000),
        wish(Stage::Pend, HOLDER, MERCHANT, 400),
        wish(Stage::Pend, HOLDER, MERCHANT, 100),
        wish(Stage::Void(3), HOLDER, MERCHANT, 100),
        wish(Stage::Direct, BANK, MERCHANT, 5),
    ]
}

fn book() -> Book {
    let mut book = Book::new();
    for step in steps() {
        book.post(&step, NOW).expect("the book begins like this");
    }
    book
}

#[test]
fn the_first_refusal_that_applies_is_given_and_leaves_the_book_as_it_was() {
    use PostRefusal::*;
    let not_enough = |wanted| NotEnough { wanted: Fen::new(wanted), spendable: Fen::new(600) };
    let other = |wanted| OtherAmount { wanted: Fen::new(wanted), pended: Fen::new(400) };
    let table = [
        (wish(Stage::Direct, HOLDER, MERCHANT, 0), AmountNotPositive),
        (wish(Stage::Direct, HOLDER, MERCHANT, -1), AmountNotPositive),
        (wish(Stage::Direct, HOLDER, HOLDER, 0), AmountNotPositive),
        (wish(Stage::Void(9), HOLDER, HOLDER, i64::MIN), AmountNotPositive),
        (wish(Stage::Direct, HOLDER, HOLDER, 1), SameAccount),
        (wish(Stage::Post(9), HOLDER, HOLDER, i64::MAX), SameAccount),
        (wish(Stage::Post(9), HOLDER, MERCHANT, 1), NotPending(9)),
        (wish(Stage::Post(1), BANK, HOLDER, 1_000), NotPending(1)),
        (wish(Stage::Post(3), HOLDER, MERCHANT, 100), NotPending(3)),
        (wish(Stage::Void(3), HOLDER, MERCHANT, 100), NotPending(3)),
        (wish(Stage::Void(0), BANK, MERCHANT, i64::MAX), NotPending(0)),
        (wish(Stage::Post(2), MERCHANT, HOLDER, 400), OtherAccounts(2)),
        (wish(Stage::Post(2), HOLDER, OTHER_HOLDER, i64::MAX), OtherAccounts(2)),
        (wish(Stage::Void(2), BANK, MERCHANT, 400), OtherAccounts(2)),
        (wish(Stage::Post(2), HOLDER, MERCHANT, 401), other(401)),
        (wish(Stage::Post(2), HOLDER, MERCHANT, i64::MAX), other(i64::MAX)),
        (wish(Stage::Void(2), HOLDER, MERCHANT, 399), other(399)),
        (wish(Stage::Void(2), HOLDER, MERCHANT, 401), other(401)),
        (wish(Stage::Direct, HOLDER, MERCHANT, 601), not_enough(601)),
        (wish(Stage::Pend, HOLDER, MERCHANT, 601), not_enough(601)),
        (wish(Stage::Direct, HOLDER, MERCHANT, i64::MAX), not_enough(i64::MAX)),
        (wish(Stage::Pend, HOLDER, MERCHANT, i64::MAX), not_enough(i64::MAX)),
        (wish(Stage::Direct, OTHER_HOLDER, MERCHANT, 1), NotEnough { wanted: Fen::new(1), spendable: Fen::ZERO }),
        (wish(Stage::Direct, BANK, MERCHANT, i64::MAX), TooLarge),
        (wish(Stage::Direct, MERCHANT, HOLDER, i64::MAX), TooLarge),
        (wish(Stage::Pend, BANK, MERCHANT, i64::MAX), TooLarge),
    ];
    let mut book = book();
    let before = all_of(&book);
    for (wish, refusal) in table {
        assert_eq!(book.post(&wish, NOW), Err(refusal), "{wish:?}");
        assert_eq!(all_of(&book), before, "{wish:?} left something");
    }
}

/// The refusals in the order in which they are documented. `NotReplayable` comes last and alone: a replayed row that is
/// refused is told the refusal, and only one that is taken can be another than it was.
const ORDER: [&str; 8] = [
    "AmountNotPositive",
    "SameAccount",
    "NotPending",
    "OtherAccounts",
    "Expired",
    "OtherAmount",
    "NotEnough",
    "TooLarge",
];

/// Pairs that no transfer can earn together, and why.
const NEVER_TOGETHER: [(&str, &str, &str); 5] = [
    ("AmountNotPositive", "NotEnough", "nothing, or less, is always there"),
    ("AmountNotPositive", "TooLarge", "nothing, or less, makes no sum larger"),
    ("NotPending", "OtherAccounts", "a pend that is not open has no accounts"),
    ("NotPending", "Expired", "a pend that is not open has no time"),
    ("NotPending", "OtherAmount", "a pend that is not open has no amount"),
];

#[test]
fn of_every_two_refusals_that_apply_the_one_documented_first_is_given() {
    // For each pair a transfer that earns both; the model looks at each condition by itself.
    let most = i64::MAX;
    let table = [
        ("AmountNotPositive", "SameAccount", wish(Stage::Direct, HOLDER, HOLDER, 0)),
        ("AmountNotPositive", "NotPending", wish(Stage::Post(9), HOLDER, MERCHANT, -1)),
        ("AmountNotPositive", "OtherAccounts", wish(Stage::Post(2), MERCHANT, HOLDER, 0)),
        ("AmountNotPositive", "Expired", wish(Stage::Post(6), HOLDER, MERCHANT, 0)),
        ("AmountNotPositive", "OtherAmount", wish(Stage::Void(2), HOLDER, MERCHANT, 0)),
        ("SameAccount", "NotPending", wish(Stage::Void(9), HOLDER, HOLDER, 1)),
        ("SameAccount", "OtherAccounts", wish(Stage::Post(2), HOLDER, HOLDER, 1)),
        ("SameAccount", "Expired", wish(Stage::Post(6), HOLDER, HOLDER, 1)),
        ("SameAccount", "OtherAmount", wish(Stage::Void(2), HOLDER, HOLDER, 399)),
        ("SameAccount", "NotEnough", wish(Stage::Direct, HOLDER, HOLDER, 601)),
        ("SameAccount", "TooLarge", wish(Stage::Direct, BANK, BANK, most)),
        ("NotPending", "NotEnough", wish(Stage::Post(3), HOLDER, MERCHANT, 601)),
        ("NotPending", "TooLarge", wish(Stage::Post(9), BANK, MERCHANT, most)),
        ("OtherAccounts", "Expired", wish(Stage::Post(6), MERCHANT, HOLDER, 1)),
        ("OtherAccounts", "OtherAmount", wish(Stage::Void(2), HOLDER, OTHER_HOLDER, 401)),
        ("OtherAccounts", "NotEnough", wish(Stage::Post(2), OTHER_HOLDER, MERCHANT, 1)),
        ("OtherAccounts", "TooLarge", wish(Stage::Post(2), BANK, MERCHANT, most)),
        ("Expired", "OtherAmount", wish(Stage::Post(6), HOLDER, MERCHANT, 2)),
        ("Expired", "NotEnough", wish(Stage::Post(6), HOLDER, MERCHANT, 1_001)),
        ("Expired", "TooLarge", wish(Stage::Post(6), HOLDER, MERCHANT, most)),
        ("OtherAmount", "NotEnough", wish(Stage::Post(2), HOLDER, MERCHANT, 1_001)),
        ("OtherAmount", "TooLarge", wish(Stage::Post(2), HOLDER, MERCHANT, most)),
        ("NotEnough", "TooLarge", wish(Stage::Direct, HOLDER, MERCHANT, most)),
    ];
    let mut lines = Lines::default();
    // And one fen set aside whose time is over at once.
    let over = wish(Stage::PendUntil(NOW), HOLDER, MERCHANT, 1);
    let book = || {
        let mut book = book();
        book.post(&over, NOW).expect("there is enough");
        book
    };
    for step in steps().into_iter().chain([over]) {
        lines.take(&step, NOW).expect("the book begins like this");
    }
    let mut pairs = Vec::new();
    for (first, second, asked) in table {
        let apply: Vec<_> = lines.refusals(&asked, NOW).iter().map(name).collect();
        assert!(apply.contains(&first) && apply.contains(&second), "{first}, {second}: {asked:?} earns {apply:?}");
        assert_eq!(apply[0], first, "{asked:?} earns another one before: {apply:?}");
        let given = book().post(&asked, NOW).expect_err("is refused");
        assert_eq!(name(&given), first, "{first}, {second}: {asked:?}");
        pairs.push((first, second));
    }
    let mut wanted = Vec::new();
    for (at, first) in ORDER.iter().enumerate() {
        for second in &ORDER[at + 1..] {
            if !NEVER_TOGETHER.iter().any(|(one, other, _)| (one, other) == (first, second)) {
                wanted.push((*first, *second));
            }
        }
    }
    pairs.sort_by_key(|(first, second)| [first, second].map(|one| ORDER.iter().position(|other| other == one)));
    assert_eq!(pairs, wanted);
}

#[test]
fn a_journal_that_can_be_counted_no_further_refuses_last_of_all() {
    let full = || Book::restore([], [], u64::MAX);
    assert_eq!(full().post(&wish(Stage::Direct, BANK, HOLDER, 1), NOW), Err(PostRefusal::TooLarge));
    let table = [
        (wish(Stage::Direct, BANK, HOLDER, 0), PostRefusal::AmountNotPositive),
        (wish(Stage::Post(9), BANK, HOLDER, 1), PostRefusal::NotPending(9)),
        (
            wish(Stage::Direct, HOLDER, MERCHANT, 1),
            PostRefusal::NotEnough { wanted: Fen::new(1), spendable: Fen::ZERO },
        ),
    ];
    for (asked, refusal) in table {
        assert_eq!(full().post(&asked, NOW), Err(refusal), "{asked:?}");
    }
}

#[test]
fn the_last_fen_can_be_spent_and_a_free_account_goes_below_nothing() {
    let table = [
        wish(Stage::Direct, HOLDER, MERCHANT, 600),
        wish(Stage::Pend, HOLDER, MERCHANT, 600),
        wish(Stage::Direct, BANK, MERCHANT, 1_000_000),
        wish(Stage::Direct, MERCHANT, HOLDER, 1_000_000),
        wish(Stage::Post(2), HOLDER, MERCHANT, 1),
        wish(Stage::Post(2), HOLDER, MERCHANT, 400),
        wish(Stage::Void(2), HOLDER, MERCHANT, 400),
    ];
    for wish in table {
        let mut book = book();
        assert!(book.post(&wish, NOW).is_ok(), "{wish:?}");
        assert!(book.accounts().sorted().iter().all(|(key, account)| account.within(key.code)));
    }
}

#[test]
fn what_a_post_leaves_over_goes_back() {
    let mut book = book();
    book.post(&wish(Stage::Post(2), HOLDER, MERCHANT, 150), NOW).expect("part of it");
    assert_eq!(book.pending(2), None);
    let holder = book.account(&ACCOUNTS[HOLDER]);
    assert_eq!((holder.balance(), holder.spendable()), (Fen::new(850), Fen::new(850)));
    assert_eq!(book.account(&ACCOUNTS[MERCHANT]).balance(), Fen::new(155));
}

#[test]
fn every_refusal_says_its_numbers() {
    let table = [
        (PostRefusal::NotPending(9), "no money is set aside at journal row 9"),
        (
            PostRefusal::NotEnough { wanted: Fen::new(601), spendable: Fen::new(600) },
            "6.01 is more than the 6.00 on the account",
        ),
        (PostRefusal::OtherAmount { wanted: Fen::new(1), pended: Fen::new(2) }, "0.01 does not fit the 0.02 set aside"),
    ];
    for (refusal, text) in table {
        assert_eq!(refusal.to_string(), text);
    }
}

#[test]
fn money_set_aside_until_a_time_can_be_posted_before_it_and_only_voided_from_then_on() {
    let until = NOW.after_seconds(60);
    let at = |seconds| NOW.after_seconds(seconds);
    let mut book = book();
    let row = book.post(&wish(Stage::PendUntil(until), HOLDER, MERCHANT, 50), NOW).expect("there is enough");
    assert_eq!(row.expires_at, Some(until));
    let post = |fen| wish(Stage::Post(row.seq), HOLDER, MERCHANT, fen);
    assert_eq!(book.expired(at(59), 9), []);
    assert_eq!(book.expired(at(60), 9).iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [row.seq]);
    assert_eq!(book.expired(at(60), 0), []);
    assert_eq!(book.post(&post(50), at(60)), Err(PostRefusal::Expired(row.seq)));
    assert_eq!(book.post(&post(51), at(60)), Err(PostRefusal::Expired(row.seq)), "before the amount is looked at");
    let mark = book.mark();
    assert!(book.post(&post(50), Micros::new(until.get() - 1)).is_ok(), "the last moment");
    assert_eq!(book.expired(at(99), 9), []);
    book.rollback(mark);
    assert_eq!(book.expired(at(99), 9).len(), 1, "what is taken back can expire again");
    book.post(&wish(Stage::Void(row.seq), HOLDER, MERCHANT, 50), at(99)).expect("goes back");
    assert_eq!(book.expired(at(99), 9), []);
}
