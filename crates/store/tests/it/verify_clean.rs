//! Verification of books in which all is well, and of tails that were cut.

use ledger::Fen;
use store::verify::{Head, Progress, Report, verify};

use crate::place::{InMemory, Place, school};
use crate::school::{engine, work};

fn report(place: &impl Place, anchors: &[Head]) -> Report {
    verify(school(), place.archive().as_mut(), anchors, &mut |_| {})
}

/// Works, verifies, and compares the report with what the engine knows.
fn a_generated_book_verifies_clean<P: Place>() {
    let place = P::new();
    let mut teller = engine(place.open());
    let (done, refused) = work(&mut teller, 300, 7);
    assert!(done > 1_000 && refused > 10, "{done} done, {refused} refused");
    let found = report(&place, &[]);
    assert!(found.clean(), "{found}");
    let (block, link) = teller.head();
    assert_eq!(found.head, Head { block, seq: teller.book().head(), link });
    assert_eq!((found.blocks, found.journal_rows), (block, teller.book().head()));
    assert!(block >= 300 && found.journal_rows > 1_000);
    assert_eq!(found.accounts, u64::try_from(teller.book().accounts().sorted().len()).expect("few"));
    assert_eq!(found.pendings, u64::try_from(teller.book().pendings().count()).expect("few"));
    assert!(found.pendings > 100);
    assert_eq!(found.guard_rows.keys().collect::<Vec<_>>(), ["order", "tally"]);
    assert!(found.guard_rows.values().all(|count| *count >= 8));
    assert_eq!(Fen::sum(found.sums.values().copied()), Some(Fen::ZERO));
    assert_eq!(found.sums.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    // Also beside a running writer, and after a restart.
    work(&mut teller, 20, 3);
    drop(teller);
    assert!(report(&place, &[found.head]).clean());
    let mut teller = engine(place.open());
    work(&mut teller, 20, 3);
    let later = report(&place, &[found.head]);
    assert!(later.clean(), "{later}");
    assert_eq!(later.blocks, found.blocks + 40);
}

#[test]
fn a_generated_book_in_memory_verifies_clean() {
    a_generated_book_verifies_clean::<InMemory>();
}

#[cfg(feature = "sqlite")]
#[test]
fn a_generated_book_on_disk_verifies_clean() {
    a_generated_book_verifies_clean::<crate::place::OnDisk>();
}

#[test]
fn an_empty_book_verifies_clean() {
    let place = InMemory::new();
    let found = report(&place, &[]);
    assert!(found.clean(), "{found}");
    assert_eq!((found.journal_rows, found.blocks, found.head), (0, 0, Head::default()));
    assert!(found.to_string().contains("the book is whole"));
}

#[test]
fn m8_an_anchor_tells_a_cut_tail_and_another_chain() {
    let place = InMemory::new();
    let mut teller = engine(place.open());
    work(&mut teller, 5, 3);
    let (block, link) = teller.head();
    let head = Head { block, seq: teller.book().head(), link };
    assert!(report(&place, &[head, head]).clean());
    let table = [
        (Head { block: block + 1, ..head }, "which is not there"),
        (Head { link: [9; 32], ..head }, "another one than the anchor"),
        (Head { seq: head.seq - 1, ..head }, "another one than the anchor"),
    ];
    for (anchor, told) in table {
        let found = report(&place, &[anchor]);
        assert_eq!(found.findings.len(), 1, "{found}");
        assert!(found.findings[0].contains(told), "{found}");
        assert!(found.to_string().contains("the book is not whole"));
    }
}

#[test]
fn progress_is_told_from_the_first_to_the_last() {
    let place = InMemory::new();
    work(&mut engine(place.open()), 200, 3);
    let mut told = Vec::new();
    let found = verify(school(), place.archive().as_mut(), &[], &mut |step| told.push(step));
    assert!(found.clean());
    assert_eq!(told.first(), Some(&Progress::Engine));
    assert!(
        matches!(told.last(), Some(Progress::GuardRows { done }) if *done == found.guard_rows.values().sum::<u64>())
    );
    let journal: Vec<u64> = told
        .iter()
        .filter_map(|step| match step {
            Progress::Journal { done, .. } => Some(*done),
            _ => None,
        })
        .collect();
    assert!(journal.len() >= 3 && journal.is_sorted());
    assert_eq!(journal.last(), Some(&found.journal_rows));
    assert_eq!(told.iter().filter(|step| **step == Progress::Accounts).count(), 1);
}
