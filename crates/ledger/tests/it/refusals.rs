//! Which refusal a transfer gets when several apply, and that a refusal leaves the book as it was.

use ledger::{Book, Fen, Micros, PostRefusal, Stage, Transfer};

use crate::sample::{ACCOUNTS, NOW, all_of, transfer};

const BANK: usize = 0;
const HOLDER: usize = 1;
const OTHER_HOLDER: usize = 3;
const MERCHANT: usize = 4;

fn wish(stage: Stage, debit: usize, credit: usize, fen: i64) -> Transfer {
    transfer(stage, ACCOUNTS[debit], ACCOUNTS[credit], fen)
}

/// The holder has 10.00 of which 4.00 are set aside at row 2 for the merchant; row 3 and 4 opened and closed a pend.
fn book() -> Book {
    let mut book = Book::new();
    for step in [
        wish(Stage::Direct, BANK, HOLDER, 1_000),
        wish(Stage::Pend, HOLDER, MERCHANT, 400),
        wish(Stage::Pend, HOLDER, MERCHANT, 100),
        wish(Stage::Void(3), HOLDER, MERCHANT, 100),
    ] {
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
    assert_eq!(book.account(&ACCOUNTS[MERCHANT]).balance(), Fen::new(150));
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
