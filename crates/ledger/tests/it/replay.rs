//! Replay: a book takes its own rows again, and no row in which anything was altered that the book knows of.

use std::collections::BTreeMap;

use ledger::{Account, AccountCode, AccountKey, Book, Fen, JournalRow, Kind, Micros, PostRefusal, Stage};
use proptest::prelude::*;

use crate::sample::{ACCOUNTS, NOW, all_of, transfer, transfer_of, wish};

fn rows_of(wishes: Vec<crate::sample::Wish>) -> (Book, Vec<JournalRow>) {
    let (mut book, mut rows, mut pended) = (Book::new(), Vec::new(), Vec::new());
    for (at, wish) in wishes.into_iter().enumerate() {
        let now = Micros::new(NOW.get() + i64::try_from(at).expect("few"));
        if let Ok(row) = book.post(&transfer_of(wish, &pended), now) {
            rows.push(row);
            if let Some(set) = book.pending(row.seq) {
                pended.push((row.seq, set));
            }
        }
    }
    (book, rows)
}

/// Changes of one field that a replay notices at that row. Id, times, code and reference are free text to the book, and
/// so is an account that was never used before: those the chain covers.
fn altered(book: &Book, row: &JournalRow) -> Vec<JournalRow> {
    let mut all = vec![
        JournalRow { seq: row.seq + 1, ..*row },
        JournalRow { seq: row.seq - 1, ..*row },
        JournalRow { ref_seq: row.ref_seq + 1_000_000, ..*row },
        JournalRow { debit_prev: row.debit_prev + 1, ..*row },
        JournalRow { credit_prev: row.credit_prev + 1, ..*row },
        JournalRow { amount: Fen::ZERO, ..*row },
        JournalRow { amount: Fen::new(-row.amount.get()), ..*row },
        JournalRow { debit_balance: Fen::new(row.debit_balance.get().wrapping_add(1)), ..*row },
        JournalRow { credit_balance: Fen::new(row.credit_balance.get().wrapping_sub(1)), ..*row },
        JournalRow { debit: row.credit, ..*row },
        JournalRow { credit: row.debit, ..*row },
    ];
    if row.kind != Kind::Pend {
        all.push(JournalRow { expires_at: Some(Micros::new(1)), ..*row });
        all.push(JournalRow { amount: Fen::new(row.amount.get() - 1), ..*row });
        all.push(JournalRow { amount: Fen::new(row.amount.get().wrapping_add(1)), ..*row });
    }
    let kinds = [Kind::Direct, Kind::Pend, Kind::Post, Kind::Void];
    all.extend(kinds.into_iter().filter(|kind| *kind != row.kind).map(|kind| JournalRow { kind, ..*row }));
    for other in ACCOUNTS {
        let last = book.account(&other).last_seq;
        if last != row.debit_prev {
            all.push(JournalRow { debit: other, ..*row });
        }
        if last != row.credit_prev {
            all.push(JournalRow { credit: other, ..*row });
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_of_its_own_rows_makes_the_same_book(wishes in proptest::collection::vec(wish(), 0..60)) {
        let (book, rows) = rows_of(wishes);
        let mut again = Book::new();
        for row in &rows {
            prop_assert_eq!(again.replay(row), Ok(()));
        }
        prop_assert_eq!(all_of(&again), all_of(&book));
    }

    #[test]
    fn replay_from_any_checkpoint_makes_the_same_book(
        wishes in proptest::collection::vec(wish(), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let (book, rows) = rows_of(wishes);
        let (early, late) = rows.split_at(if rows.is_empty() { 0 } else { cut.index(rows.len()) });
        let mut first = Book::new();
        for row in early {
            prop_assert_eq!(first.replay(row), Ok(()));
        }
        let (head, accounts, pendings) = all_of(&first);
        let mut second = Book::restore(accounts, pendings, head);
        for row in late {
            prop_assert_eq!(second.replay(row), Ok(()));
        }
        prop_assert_eq!(all_of(&second), all_of(&book));
    }

    #[test]
    fn replay_refuses_an_altered_row_and_stays_as_it_was(
        wishes in proptest::collection::vec(wish(), 1..40),
        at in any::<prop::sample::Index>(),
    ) {
        let (_, rows) = rows_of(wishes);
        prop_assume!(!rows.is_empty());
        let at = at.index(rows.len());
        let mut book = Book::new();
        for row in &rows[..at] {
            prop_assert_eq!(book.replay(row), Ok(()));
        }
        let before = all_of(&book);
        for changed in altered(&book, &rows[at]) {
            prop_assert!(book.replay(&changed).is_err(), "took {changed:?} for {:?}", rows[at]);
            prop_assert_eq!(all_of(&book), before.clone());
        }
        if at > 0 {
            prop_assert!(book.replay(&rows[at - 1]).is_err(), "took a row twice");
        }
        prop_assert_eq!(book.replay(&rows[at]), Ok(()));
    }

    #[test]
    fn a_row_survives_its_stored_form(wishes in proptest::collection::vec(wish(), 1..20)) {
        for row in rows_of(wishes).1 {
            let bytes = row.encode();
            prop_assert!(bytes.len() <= 170, "{} bytes", bytes.len());
            prop_assert_eq!(JournalRow::decode(row.seq, &bytes), Ok(row));
            for end in 0..bytes.len() {
                prop_assert!(JournalRow::decode(row.seq, &bytes[..end]).is_err(), "{end} bytes of {bytes:?}");
            }
            let mut long = bytes.clone();
            long.push(0);
            prop_assert_eq!(JournalRow::decode(row.seq, &long), Err(ledger::CodecError::Long));
        }
    }

    #[test]
    fn a_stored_form_with_a_bit_flipped_is_another_row_or_none(wishes in proptest::collection::vec(wish(), 1..4)) {
        for row in rows_of(wishes).1 {
            let bytes = row.encode();
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if let Ok(other) = JournalRow::decode(row.seq, &flipped) {
                    prop_assert_ne!(other, row);
                    prop_assert_eq!(other.encode(), flipped, "a row has two forms");
                }
            }
        }
    }

    /// M5: every account may have been kept at another time.
    #[test]
    fn m5_recovery_over_accounts_kept_at_different_times_makes_the_same_book(
        wishes in proptest::collection::vec(wish(), 1..80),
        from in any::<prop::sample::Index>(),
        kept_at in proptest::collection::vec(any::<prop::sample::Index>(), ACCOUNTS.len()),
    ) {
        let (book, rows) = rows_of(wishes);
        prop_assume!(!rows.is_empty());
        let from = from.index(rows.len());
        let (mut grown, mut before_tail) = (Book::new(), Vec::new());
        let mut kept = BTreeMap::new();
        for at in 0..=rows.len() {
            if at == from {
                before_tail = all_of(&grown).2;
            }
            for (key, moment) in ACCOUNTS.iter().zip(&kept_at) {
                if at == from + moment.index(rows.len() - from + 1) && grown.account(key) != ledger::Account::default() {
                    kept.insert(*key, grown.account(key));
                }
            }
            if let Some(row) = rows.get(at) {
                prop_assert_eq!(grown.replay(row), Ok(()));
            }
        }
        let mut second = Book::restore(kept, before_tail, u64::try_from(from).expect("few"));
        for row in &rows[from..] {
            prop_assert_eq!(second.recover(row), Ok(()));
        }
        prop_assert_eq!(all_of(&second), all_of(&book));
    }
}

/// Changes that a recovery notices even when both accounts have the row already.
fn never_a_row(row: &JournalRow) -> Vec<JournalRow> {
    let mut all = vec![
        JournalRow { seq: row.seq - 1, ..*row },
        JournalRow { seq: row.seq + 1, ..*row },
        JournalRow { debit: row.credit, ..*row },
        JournalRow { credit: row.debit, ..*row },
        JournalRow { amount: Fen::ZERO, ..*row },
        JournalRow { amount: Fen::new(-1), ..*row },
    ];
    match row.kind {
        Kind::Direct => all.extend([
            JournalRow { ref_seq: 1, ..*row },
            JournalRow { expires_at: Some(NOW), ..*row },
            JournalRow { kind: Kind::Post, ref_seq: 1, ..*row },
        ]),
        Kind::Pend => all.push(JournalRow { ref_seq: 1, ..*row }),
        Kind::Post | Kind::Void => {
            all.push(JournalRow { expires_at: Some(NOW), ..*row });
            all.push(JournalRow { ref_seq: 1, ..*row });
            all.push(JournalRow { kind: Kind::Direct, ..*row });
            all.push(JournalRow { amount: Fen::new(row.amount.get() + 1_000), ..*row });
        }
    }
    all
}

/// The row, one fen off on one side.
fn with_another_balance(row: &JournalRow, debit: bool) -> [JournalRow; 2] {
    [1, -1].map(|off| match debit {
        true => JournalRow { debit_balance: Fen::new(row.debit_balance.get() + off), ..*row },
        false => JournalRow { credit_balance: Fen::new(row.credit_balance.get() + off), ..*row },
    })
}

/// What a recovery notices of the side that lacks the row.
fn of_one_side(row: &JournalRow, debit: bool) -> Vec<JournalRow> {
    let one_more = |fen: Fen| Fen::new(fen.get() + 1);
    match debit {
        true => vec![
            JournalRow { debit_prev: row.debit_prev + 1, ..*row },
            JournalRow { debit_balance: one_more(row.debit_balance), ..*row },
        ],
        false => vec![
            JournalRow { credit_prev: row.credit_prev + 1, ..*row },
            JournalRow { credit_balance: one_more(row.credit_balance), ..*row },
        ],
    }
}

#[test]
fn m5_recovery_refuses_an_altered_row_whichever_of_its_accounts_have_it_and_stays_as_it_was() {
    let [bank, holder, _, other, merchant, _] = ACCOUNTS;
    let steps = [
        transfer(Stage::Direct, bank, holder, 1_000),
        transfer(Stage::PendUntil(NOW.after_seconds(9)), holder, merchant, 400),
        transfer(Stage::Pend, holder, merchant, 100),
        transfer(Stage::Post(2), holder, merchant, 150),
        transfer(Stage::Void(3), holder, merchant, 100),
        transfer(Stage::Direct, bank, other, 5),
        transfer(Stage::Direct, holder, other, 7),
    ];
    let mut whole = Book::new();
    for step in steps {
        let (head, accounts, pendings) = all_of(&whole);
        let row = whole.post(&step, NOW).expect("there is enough");
        for (debit_has, credit_has) in [(true, false), (false, true), (true, true)] {
            let kept = [(row.debit, debit_has), (row.credit, credit_has)].into_iter().filter(|(_, has)| *has);
            let kept = kept.map(|(key, _)| (key, whole.account(&key)));
            let mut book = Book::restore(accounts.iter().copied().chain(kept), pendings.clone(), head);
            let before = all_of(&book);
            let mut altered = never_a_row(&row);
            for (has, debit) in [(debit_has, true), (credit_has, false)] {
                altered.extend(of_one_side(&row, debit).into_iter().filter(|_| !has));
                // Kept with this row as its newest, an account has the balance that the row says.
                altered.extend(with_another_balance(&row, debit).into_iter().filter(|_| has));
            }
            for changed in altered {
                assert!(book.recover(&changed).is_err(), "{debit_has} {credit_has}: took {changed:?} for {row:?}");
                assert_eq!(all_of(&book), before, "{changed:?} left something");
            }
            assert_eq!(book.recover(&row), Ok(()));
            assert_eq!(all_of(&book), all_of(&whole), "{debit_has} {credit_has}: {row:?}");
        }
    }
}

#[test]
fn m5_a_row_that_one_account_has_is_refused_when_the_other_cannot_have_taken_it() {
    let [bank, holder, ..] = ACCOUNTS;
    let mut whole = Book::new();
    let row = whole.post(&transfer(Stage::Direct, bank, holder, 10), NOW).expect("is taken");
    let spent = JournalRow { debit: holder, credit: bank, ..row };
    let mut book = Book::restore([(bank, whole.account(&bank))], [], 0);
    let refusal = PostRefusal::NotEnough { wanted: Fen::new(10), spendable: Fen::ZERO };
    assert_eq!(book.recover(&spent), Err(refusal));
    let full = Account { credits_posted: Fen::new(i64::MAX), ..Account::default() };
    let mut book = Book::restore([(bank, whole.account(&bank)), (holder, full)], [], 0);
    assert_eq!(book.recover(&row), Err(PostRefusal::TooLarge));
}

#[test]
fn account_keys_sort_as_their_bytes_do() {
    let mut keys = ACCOUNTS.to_vec();
    keys.push(AccountKey { code: AccountCode(2000), owner: u128::MAX, part: 0 });
    keys.push(AccountKey { code: AccountCode(256), owner: 0, part: u32::MAX });
    keys.sort();
    let bytes: Vec<_> = keys.iter().map(AccountKey::bytes).collect();
    assert!(bytes.is_sorted());
    assert!(bytes.iter().all(|key| key.len() == 22));
}
