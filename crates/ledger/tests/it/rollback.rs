//! Taking back: after `rollback` nothing tells that anything was ever posted.

use ledger::Book;
use proptest::prelude::*;

use crate::sample::{NOW, all_of, transfer_of, wish};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rollback_restores_the_book_at_every_mark(
        wishes in proptest::collection::vec(wish(), 1..60),
        settled in 0_usize..20,
    ) {
        let (mut book, mut pended) = (Book::new(), Vec::new());
        let (mut marks, mut start) = (Vec::new(), book.mark());
        for (at, wish) in wishes.into_iter().enumerate() {
            if at == settled {
                book.settle_all();
                marks.clear();
                prop_assert!(book.changed(book.mark()).is_empty());
                start = book.mark();
            }
            marks.push((book.mark(), all_of(&book), book.changed(start)));
            if let Ok(row) = book.post(&transfer_of(wish, &pended), NOW)
                && let Some(set) = book.pending(row.seq)
            {
                pended.push((row.seq, set));
            }
        }
        for (mark, before, changed) in marks.into_iter().rev() {
            book.rollback(mark);
            prop_assert_eq!(all_of(&book), before);
            prop_assert_eq!(book.changed(start), changed);
        }
    }

    #[test]
    fn changed_names_the_accounts_that_differ_from_the_settled_book(
        first in proptest::collection::vec(wish(), 0..20),
        then in proptest::collection::vec(wish(), 0..20),
    ) {
        let (mut book, mut pended) = (Book::new(), Vec::new());
        let mut take = |book: &mut Book, wish| {
            if let Ok(row) = book.post(&transfer_of(wish, &pended), NOW)
                && let Some(set) = book.pending(row.seq)
            {
                pended.push((row.seq, set));
            }
        };
        first.into_iter().for_each(|wish| take(&mut book, wish));
        book.settle_all();
        let start = book.mark();
        let settled = all_of(&book).1;
        then.into_iter().for_each(|wish| take(&mut book, wish));
        let differing: Vec<_> = all_of(&book).1.into_iter().filter(|account| !settled.contains(account)).collect();
        let mut changed: Vec<_> =
            book.changed(start).into_iter().map(|slot| *book.accounts().at(slot).expect("a place")).collect();
        changed.sort_unstable_by_key(|(key, _)| *key);
        prop_assert_eq!(changed, differing);
    }

    /// A batch may be settled while the next one is decided on top of it.
    #[test]
    fn settling_the_first_of_two_batches_leaves_the_second_to_be_taken_back(
        first in proptest::collection::vec(wish(), 0..20),
        then in proptest::collection::vec(wish(), 0..20),
    ) {
        let (mut book, mut pended) = (Book::new(), Vec::new());
        let mut take = |book: &mut Book, wish| {
            if let Ok(row) = book.post(&transfer_of(wish, &pended), NOW)
                && let Some(set) = book.pending(row.seq)
            {
                pended.push((row.seq, set));
            }
        };
        first.into_iter().for_each(|wish| take(&mut book, wish));
        let (between, mark) = (all_of(&book), book.mark());
        then.into_iter().for_each(|wish| take(&mut book, wish));
        book.settle(mark);
        book.rollback_all();
        prop_assert_eq!(all_of(&book), between.clone());
        book.rollback(mark);
        prop_assert_eq!(all_of(&book), between);
    }
}
