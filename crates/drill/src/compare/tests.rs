use ledger::Fen;

use super::*;
use crate::recount::tests::{book, journal};
use crate::schema::Kept;

/// The operations that made the rows of `recount::tests::journal`.
pub(crate) fn operations() -> [Operation; 7] {
    let of = |key: u128, deed, fen, of: u128| Operation {
        key: Id::new(key),
        deed,
        holder: 1,
        merchant: 1,
        fen,
        of: Id::new(of),
    };
    [
        of(1, Deed::PayIn, 1000, 0),
        of(2, Deed::SetAside, 300, 0),
        of(3, Deed::Spend, 100, 0),
        of(4, Deed::Settle, 200, 2),
        of(5, Deed::SetAside, 50, 0),
        of(6, Deed::GiveBack, 50, 5),
        of(7, Deed::SetAside, 10, 0),
    ]
}

fn acknowledged(operation: Operation) -> (Id, Acknowledged) {
    (operation.key, (operation, Answer::Done(u64::try_from(operation.key.get()).expect("small"))))
}

fn all_acknowledged() -> Known {
    Known { acknowledged: operations().map(acknowledged).into(), ..Known::default() }
}

#[test]
fn a_book_that_has_what_was_told_is_good() {
    let good = book(&journal());
    assert_eq!(compare(&all_acknowledged(), &good), (Vec::new(), Unanswered::default()));

    let [kept, rest @ ..] = operations();
    let lost = Operation { key: Id::new(8), ..kept };
    let known = Known {
        acknowledged: rest.map(acknowledged).into(),
        open: [(kept.key, kept), (lost.key, lost)].into(),
        undone: [(Id::new(9), Operation { key: Id::new(9), ..kept })].into(),
    };
    assert_eq!(compare(&known, &good), (Vec::new(), Unanswered { kept: 1, not_kept: 1 }));
}

#[test]
fn whatever_was_told_and_is_not_so_is_told_with_its_key() {
    type Damage = fn(&mut Recount, &mut Known);
    let third = Id::new(3);
    let table: [(&str, Damage); 10] = [
        ("acknowledged `done 3`, LOST", |book, _| {
            book.rows.remove(&Id::new(3));
            book.kept.remove(&Id::new(3));
        }),
        ("`done 3` is kept, its journal row is LOST", |book, _| drop(book.rows.remove(&Id::new(3)))),
        ("its journal row is there, its kept answer is None", |book, _| drop(book.kept.remove(&Id::new(3)))),
        ("in the journal 2 TIMES", |book, _| {
            book.rows.entry(Id::new(3)).and_modify(|rows| rows.push(rows[0]));
        }),
        ("its journal row is JournalRow", |book, _| {
            book.rows.entry(Id::new(3)).and_modify(|rows| rows[0].amount = Fen::new(101));
        }),
        ("its kept content is another one", |book, _| {
            book.kept.entry(Id::new(3)).and_modify(|kept| kept.payload.push(0));
        }),
        ("acknowledged `done 3`, the book has `refused not-enough`", |book, _| {
            book.rows.remove(&Id::new(3));
            book.kept.entry(Id::new(3)).and_modify(|kept| kept.answer = Answer::NotEnough);
        }),
        ("told that nothing was done, but it is `done 3`", |_, known| {
            let (operation, _) = known.acknowledged.remove(&Id::new(3)).expect("is known");
            known.undone.insert(operation.key, operation);
        }),
        ("not answered, it is in the journal 2 TIMES", |book, known| {
            book.rows.entry(Id::new(3)).and_modify(|rows| rows.push(rows[0]));
            let (operation, _) = known.acknowledged.remove(&Id::new(3)).expect("is known");
            known.open.insert(operation.key, operation);
        }),
        ("in the book, and nobody asked for it", |_, known| {
            known.acknowledged.remove(&Id::new(3));
        }),
    ];
    for (wanted, damage) in table {
        let (mut book, mut known) = (book(&journal()), all_acknowledged());
        damage(&mut book, &mut known);
        let (findings, _) = compare(&known, &book);
        let told = |finding: &String| finding.contains(wanted) && finding.starts_with(&third.to_string());
        assert!(findings.iter().any(told), "{wanted}: {findings:?}");
    }
}

#[test]
fn a_repeat_must_say_what_was_said_or_what_was_kept() {
    let [first, second, third, ..] = operations();
    let lost = Operation { key: Id::new(8), ..first };
    let before = Known {
        acknowledged: [acknowledged(first)].into(),
        open: [(second.key, second), (lost.key, lost)].into(),
        undone: [(third.key, third)].into(),
    };
    let good: BTreeMap<Id, Acknowledged> =
        [acknowledged(first), acknowledged(second), acknowledged(third), (lost.key, (lost, Answer::Done(8)))].into();
    let book = book(&journal());
    assert_eq!(compare_repeats(&before, &book, &good), Vec::<String>::new());
    for (key, wanted) in [(first.key, "first `done 1`, repeated"), (second.key, "the book had `done 2`, its repeat")] {
        let mut other = good.clone();
        other.entry(key).and_modify(|(_, answer)| *answer = Answer::Done(99));
        let findings = compare_repeats(&before, &book, &other);
        assert!(findings.iter().any(|finding| finding.contains(wanted)), "{findings:?}");
    }
    assert_eq!(compare_repeats(&before, &book, &BTreeMap::new()).len(), 4);
}

#[test]
fn a_refusal_is_kept_without_a_row() {
    let refused = Operation { key: Id::new(8), fen: 9_999, ..operations()[2] };
    let mut book = book(&journal());
    book.kept.insert(refused.key, Kept { payload: refused.payload(), answer: Answer::NotEnough });
    let mut known = all_acknowledged();
    known.acknowledged.insert(refused.key, (refused, Answer::NotEnough));
    assert_eq!(compare(&known, &book).0, Vec::<String>::new());
    book.kept.remove(&refused.key);
    assert_eq!(compare(&known, &book).0.len(), 1, "a refusal that was told is kept (M3)");
}

#[test]
fn sums_of_the_server_that_the_rows_do_not_make_are_told() {
    let book = book(&journal());
    let good: Vec<(AccountKey, Sums)> = book.sums.iter().map(|(account, sums)| (*account, *sums)).collect();
    assert_eq!(compare_sums(&book, &good), Vec::<String>::new());
    for place in 0..4 {
        let mut other = good.clone();
        other[1].1[place] += 1;
        assert_eq!(compare_sums(&book, &other).len(), 1);
    }
}
