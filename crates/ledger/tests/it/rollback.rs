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
        let mut marks = Vec::new();
        for (at, wish) in wishes.into_iter().enumerate() {
            if at == settled {
                book.settle();
                marks.clear();
                prop_assert!(book.changed().is_empty());
            }
            marks.push((book.mark(), all_of(&book), book.changed()));
            if let Ok(row) = book.post(&transfer_of(wish, &pended), NOW)
                && let Some(set) = book.pending(row.seq)
            {
                pended.push((row.seq, set));
            }
        }
        for (mark, before, changed) in marks.into_iter().rev() {
            book.rollback(mark);
            prop_assert_eq!(all_of(&book), before);
            prop_assert_eq!(book.changed(), changed);
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
        book.settle();
        let settled = all_of(&book).1;
        then.into_iter().for_each(|wish| take(&mut book, wish));
        let differing: Vec<_> = all_of(&book).1.into_iter().filter(|account| !settled.contains(account)).collect();
        prop_assert_eq!(book.changed().into_iter().collect::<Vec<_>>(), differing);
    }
}
