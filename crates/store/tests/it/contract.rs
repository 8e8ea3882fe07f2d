//! What every store promises, run on each of them.

use flows::ports::{ListAsk, Listed};
use ledger::{Account, AccountKey, Book, Digest, Fen, Kind, Micros, Pending, Stage};
use teller::{CommitError, RawKey, Store};

use crate::place::{InMemory, Place, now};
use crate::scribe::{BANK, Batch, Scribe, holder, listing, order, tally};

macro_rules! contract {
    ($place:ty, $name:ident: $($test:ident),+ $(,)?) => {
        mod $name {
            $(#[test]
            fn $test() {
                super::$test::<$place>();
            })+
        }
    };
}

macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        contract!(crate::place::InMemory, memory: $($test),+);
        #[cfg(feature = "sqlite")]
        contract!(crate::place::OnDisk, sqlite: $($test),+);
    };
}

on_every_store!(
    an_empty_place_recovers_nothing,
    what_was_committed_is_recovered_after_a_crash,
    m5_the_tail_after_the_checkpoint_is_recovered,
    a_batch_that_breaks_a_key_leaves_nothing,
    a_duplicate_block_or_journal_row_is_refused,
    another_schools_batch_and_an_unknown_table_are_refused,
    rows_load_in_the_order_asked_with_absents,
    rows_are_replaced_and_deleted,
    lists_are_read_forwards_backwards_and_in_part,
    a_place_taken_twice_or_left_twice_does_no_harm,
    journal_rows_are_read_by_sequence,
    readers_see_a_batch_as_soon_as_it_is_committed,
    the_largest_numbers_survive,
    a_second_writer_is_refused_until_the_first_is_gone,
    a_start_is_refused_when_journal_and_blocks_part,
);

/// Everything that recovery tells, comparable.
#[derive(Debug, PartialEq)]
struct State {
    accounts: Vec<(AccountKey, Account)>,
    pendings: Vec<(u64, Pending)>,
    open: Vec<(u64, Pending)>,
    replay_from: u64,
    tail: Vec<u64>,
    block: (u64, Digest),
    at: Micros,
}

fn state(store: &mut impl Store) -> State {
    let kept = store.recover().expect("recovers");
    State {
        accounts: kept.accounts,
        pendings: kept.pendings,
        open: kept.open,
        replay_from: kept.replay_from,
        tail: kept.tail.iter().map(|row| row.seq).collect(),
        block: kept.block,
        at: kept.at,
    }
}

fn state_of(scribe: &Scribe) -> State {
    State {
        accounts: scribe.book.accounts().sorted().into_iter().map(|(key, account)| (*key, *account)).collect(),
        pendings: scribe.book.pendings().map(|(seq, pending)| (*seq, *pending)).collect(),
        open: scribe.book.pendings().map(|(seq, pending)| (*seq, *pending)).collect(),
        replay_from: scribe.book.head() + 1,
        tail: Vec::new(),
        block: scribe.block,
        at: scribe.at,
    }
}

fn an_empty_place_recovers_nothing<P: Place>() {
    let mut store = P::new().open();
    let nothing = State {
        accounts: Vec::new(),
        pendings: Vec::new(),
        open: Vec::new(),
        replay_from: 1,
        tail: Vec::new(),
        block: (0, [0; 32]),
        at: Micros::default(),
    };
    assert_eq!(state(&mut store), nothing);
}

/// A book with every kind of row: pends open, posted in part, voided; opened and closed in one batch.
fn busy_book(store: &mut impl Store) -> Scribe {
    use Stage::{Direct, Pend, Post, Void};
    let mut scribe = Scribe::new();
    let batches: [&[(Stage, AccountKey, AccountKey, i64)]; 6] = [
        &[(Direct, BANK, holder(1), 10_000), (Direct, BANK, holder(2), 500), (Pend, holder(1), holder(2), 300)],
        &[(Pend, holder(1), BANK, 700), (Pend, holder(2), BANK, 100)],
        &[],
        &[(Post(3), holder(1), holder(2), 200), (Void(5), holder(2), BANK, 100)],
        &[(Pend, holder(1), holder(3), 50), (Post(8), holder(1), holder(3), 50)],
        &[(Pend, holder(2), holder(3), 70)],
    ];
    for transfers in batches {
        let batch = scribe.batch(transfers).with_rows(vec![(order(1), Some(b"x"))]);
        scribe.commit(store, batch).expect("commits");
    }
    scribe
}

fn what_was_committed_is_recovered_after_a_crash<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = busy_book(&mut store);
    assert_eq!(scribe.book.pendings().count(), 2);
    assert_eq!(state(&mut store), state_of(&scribe));
    drop(store);
    let mut store = place.open();
    assert_eq!(state(&mut store), state_of(&scribe), "reopened");
    scribe.top_up(&mut store, 9, 5);
    drop(store);
    assert_eq!(state(&mut place.open()), state_of(&scribe), "and written on");
}

fn m5_the_tail_after_the_checkpoint_is_recovered<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = busy_book(&mut store);
    let checkpoint = state(&mut store);
    let from = checkpoint.replay_from;
    // Each batch writes one account or none: they are kept at different times.
    let lagging = |batch: Batch, only: Option<AccountKey>| Batch {
        accounts: batch.accounts.into_iter().filter(|(key, _)| Some(*key) == only).collect(),
        replay_from: from,
        ..batch
    };
    use Stage::{Direct, Pend, Post, Void};
    type Step = (Stage, AccountKey, AccountKey, i64);
    let batches: [(&[Step], Option<AccountKey>); 4] = [
        (&[(Direct, BANK, holder(1), 1), (Pend, BANK, holder(4), 2)], None),
        (&[(Void(4), holder(1), BANK, 700), (Post(12), BANK, holder(4), 1)], Some(holder(1))),
        (&[(Direct, BANK, holder(1), 1), (Pend, holder(1), holder(4), 2)], Some(BANK)),
        (&[(Post(10), holder(2), holder(3), 70)], None),
    ];
    for (transfers, only) in batches {
        let batch = lagging(scribe.batch(transfers), only);
        scribe.commit(&mut store, batch).expect("commits");
    }
    drop(store);
    let store = place.open();
    let kept = store.recover().expect("recovers");
    assert_eq!((kept.replay_from, &kept.pendings), (from, &checkpoint.open));
    assert_ne!(kept.accounts, checkpoint.accounts);
    let mut book = Book::restore(kept.accounts, kept.pendings, kept.replay_from - 1);
    for row in &kept.tail {
        book.recover(row).expect("follows");
    }
    assert_eq!(kept.tail.len(), 7);
    assert_eq!(book.accounts().sorted(), scribe.book.accounts().sorted());
    assert!(book.pendings().eq(scribe.book.pendings()));
    assert_eq!(kept.open, scribe.book.pendings().map(|(seq, pending)| (*seq, *pending)).collect::<Vec<_>>());
    let accounts = book.accounts().sorted().into_iter().map(|(key, account)| (*key, *account)).collect();
    let all = teller::Checkpoint { accounts, replay_from: book.head() + 1 };
    for _ in 0..2 {
        store.checkpoint(&all).expect("is kept");
        let kept = store.recover().expect("recovers");
        assert_eq!((&kept.accounts, kept.replay_from, kept.tail.len()), (&all.accounts, all.replay_from, 0));
        assert_eq!(kept.pendings, kept.open);
    }
}

type Break = fn(&mut Batch);

fn a_batch_that_breaks_a_key_leaves_nothing<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = busy_book(&mut store);
    let before = state(&mut store);
    let full = |scribe: &mut Scribe| {
        scribe
            .batch(&[(Stage::Direct, BANK, holder(1), 77), (Stage::Pend, BANK, holder(6), 2)])
            .with_rows(vec![(order(1), Some(b"other")), (order(2), Some(b"new"))])
            .with_places(vec![listing("due", b"", 5, b"k")], Vec::new())
    };
    let good = full(&mut scribe);
    let breaks: [(&str, Break); 5] = [
        ("a journal row that exists, last", |batch| batch.journal[1].seq = 4),
        ("the same journal row twice", |batch| batch.journal[1].seq = batch.journal[0].seq),
        ("a block that exists", |batch| batch.block.no = 2),
        ("a pend that exists", |batch| batch.opened[0].0 = 10),
        ("the same pend twice", |batch| batch.opened.push(batch.opened[0])),
    ];
    for (what, break_it) in breaks {
        let mut batch = good.clone();
        break_it(&mut batch);
        let outcome = batch.commit_to(&mut store);
        let fenced = what.contains("journal row") || what.contains("block");
        let expected = match outcome {
            Err(CommitError::Fenced(_)) => fenced,
            Err(CommitError::Constraint(_)) => !fenced,
            _ => false,
        };
        assert!(expected, "{what}: {outcome:?}");
        assert_eq!(state(&mut store), before, "{what} left something");
        assert_eq!(store.load(&[order(1), order(2)]).expect("reads"), [Some(b"x".to_vec()), None], "{what}");
        assert!(now(place.reader().list(ask("due"))).expect("reads").is_empty(), "{what}");
    }
    scribe.commit(&mut store, good).expect("the whole one is taken");
    assert_eq!(state(&mut store), state_of(&scribe));
}

fn a_duplicate_block_or_journal_row_is_refused<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let batch = scribe.batch(&[(Stage::Direct, BANK, holder(1), 5)]);
    batch.commit_to(&mut store).expect("commits");
    for round in 0..2 {
        let outcome = batch.commit_to(&mut store);
        assert!(matches!(outcome, Err(CommitError::Fenced(_))), "round {round}: {outcome:?}");
    }
    let mut later = batch.clone();
    later.block.no = 2;
    assert!(matches!(later.commit_to(&mut store), Err(CommitError::Fenced(_))), "a journal row twice");
    assert_eq!(store.recover().expect("recovers").block.0, 1);
}

fn another_schools_batch_and_an_unknown_table_are_refused<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let unknown = RawKey { table: "nobody", key: vec![1] };
    let batch = scribe.batch(&[(Stage::Direct, BANK, holder(1), 5)]);
    let foreign = batch.clone().with_rows(vec![(order(1), Some(b"x")), (unknown.clone(), Some(b"x"))]);
    assert!(matches!(foreign.commit_to(&mut store), Err(CommitError::Constraint(_))));
    let other = teller::Commit {
        school: ledger::SchoolId::new(8).expect("a school"),
        bodies: ledger::Bodies::of(&batch.journal),
        journal: batch.journal.clone(),
        opened: Vec::new(),
        closed: Vec::new(),
        rows: Vec::new(),
        unlist: Vec::new(),
        enlist: Vec::new(),
        block: batch.block.clone(),
        checkpoint: teller::Checkpoint { accounts: Vec::new(), replay_from: 1 },
    };
    assert!(matches!(store.commit(&other), Err(CommitError::Constraint(_))));
    assert!(store.load(&[order(1), unknown.clone()]).is_err());
    assert!(now(place.reader().rows(vec![unknown])).is_err());
    assert_eq!(store.load(&[order(1)]).expect("reads"), [None]);
    assert_eq!(store.recover().expect("recovers").block.0, 0);
}

fn rows_load_in_the_order_asked_with_absents<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let empty = RawKey { table: "tally", key: Vec::new() };
    let long = RawKey { table: "tally", key: vec![0; 300] };
    let batch = scribe.batch(&[]).with_rows(vec![
        (order(2), Some(b"two")),
        (order(3), Some(b"")),
        (tally(2), Some(&[0, 255, 0])),
        (empty.clone(), Some(b"no key")),
        (long.clone(), Some(&[9; 70_000])),
    ]);
    scribe.commit(&mut store, batch).expect("commits");
    let asked = vec![
        tally(2),
        order(9),
        order(3),
        empty,
        order(2),
        tally(3),
        long,
        order(2),
        RawKey { key: vec![], ..order(0) },
    ];
    let expected = vec![
        Some(vec![0, 255, 0]),
        None,
        Some(vec![]),
        Some(b"no key".to_vec()),
        Some(b"two".to_vec()),
        None,
        Some(vec![9; 70_000]),
        Some(b"two".to_vec()),
        None,
    ];
    assert_eq!(store.load(&asked).expect("reads"), expected);
    assert_eq!(now(place.reader().rows(asked)).expect("reads"), expected);
    assert!(store.load(&[]).expect("reads").is_empty());
}

type Written = (RawKey, Option<&'static [u8]>);

fn rows_are_replaced_and_deleted<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let steps: [(&[Written], Option<&[u8]>); 5] = [
        (&[(order(1), Some(b"a")), (tally(1), Some(b"t"))], Some(b"a")),
        (&[(order(1), Some(b"bbb"))], Some(b"bbb")),
        (&[(order(1), None), (order(5), None)], None),
        (&[(order(1), None)], None),
        (&[(order(1), Some(b"c"))], Some(b"c")),
    ];
    for (rows, expected) in steps {
        let batch = scribe.batch(&[]).with_rows(rows.to_vec());
        scribe.commit(&mut store, batch).expect("commits");
        let found = store.load(&[order(1), tally(1)]).expect("reads");
        assert_eq!(found, [expected.map(<[u8]>::to_vec), Some(b"t".to_vec())]);
    }
    drop(store);
    assert_eq!(place.open().load(&[order(1), order(5)]).expect("reads"), [Some(b"c".to_vec()), None]);
}

fn ask(list: &'static str) -> ListAsk {
    ListAsk { list, owner: Vec::new(), from: i64::MIN, to: i64::MAX, backwards: false, most: 100 }
}

fn lists_are_read_forwards_backwards_and_in_part<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let places = [(5, "e"), (1, "b"), (1, "a"), (-3, "z"), (i64::MAX, "m"), (i64::MIN, "n"), (9, "i")];
    let mut enlist: Vec<_> = places.iter().map(|(at, key)| listing("orders", b"p1", *at, key.as_bytes())).collect();
    enlist.extend([
        listing("orders", b"p", 2, b"other owner"),
        listing("orders", b"p1\0", 2, b"other owner"),
        listing("orders", b"", 2, b"the school's"),
        listing("due", b"p1", 2, b"other list"),
    ]);
    let batch = scribe.batch(&[]).with_places(enlist, Vec::new());
    scribe.commit(&mut store, batch).expect("commits");
    let (min, max) = (i64::MIN, i64::MAX);
    let table: [(i64, i64, bool, u32, &[&str]); 12] = [
        (min, max, false, 100, &["n", "z", "a", "b", "e", "i", "m"]),
        (min, max, true, 100, &["m", "i", "e", "b", "a", "z", "n"]),
        (min, max, false, 3, &["n", "z", "a"]),
        (min, max, true, 2, &["m", "i"]),
        (1, 5, false, 100, &["a", "b", "e"]),
        (1, 5, true, 2, &["e", "b"]),
        (2, 4, false, 100, &[]),
        (6, max, false, 100, &["i", "m"]),
        (min, -3, true, 100, &["z", "n"]),
        (5, 1, false, 100, &[]),
        (5, 5, true, 100, &["e"]),
        (min, max, false, 0, &[]),
    ];
    let reader = place.reader();
    for (from, to, backwards, most, expected) in table {
        let ask = ListAsk { list: "orders", owner: b"p1".to_vec(), from, to, backwards, most };
        let found: Vec<Listed> = now(reader.list(ask.clone())).expect("reads");
        let keys: Vec<_> = found.iter().map(|place| String::from_utf8_lossy(&place.key).into_owned()).collect();
        assert_eq!(keys, expected, "{ask:?}");
        assert!(found.iter().all(|place| places.contains(&(place.at, std::str::from_utf8(&place.key).expect("text")))));
    }
    let schools = now(reader.list(ask("orders"))).expect("reads");
    assert_eq!(schools, [Listed { at: 2, key: b"the school's".to_vec() }]);
    assert!(now(reader.list(ask("nobody"))).expect("reads").is_empty());
}

fn a_place_taken_twice_or_left_twice_does_no_harm<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let (one, two) = (listing("due", b"", 1, b"one"), listing("due", b"", 2, b"two"));
    let steps = [
        (vec![one.clone(), one.clone()], vec![], 1),
        (vec![one.clone(), two.clone()], vec![], 2),
        (vec![], vec![one.clone(), one.clone()], 1),
        (vec![], vec![one.clone()], 1),
        (vec![one], vec![two], 1),
    ];
    for (enlist, unlist, expected) in steps {
        let batch = scribe.batch(&[]).with_places(enlist, unlist);
        scribe.commit(&mut store, batch).expect("commits");
        assert_eq!(now(place.reader().list(ask("due"))).expect("reads").len(), expected);
    }
}

fn journal_rows_are_read_by_sequence<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let batch = scribe.batch(&[
        (Stage::Direct, BANK, holder(1), 10_000),
        (Stage::Pend, holder(1), BANK, 300),
        (Stage::Pend, holder(1), BANK, 400),
        (Stage::Post(2), holder(1), BANK, 100),
        (Stage::Void(3), holder(1), BANK, 400),
    ]);
    let rows = batch.journal.clone();
    scribe.commit(&mut store, batch).expect("commits");
    let reader = place.reader();
    let found = now(reader.journal(vec![5, 1, 99, 4, 0, 3, 2, u64::MAX, 1])).expect("reads");
    assert_eq!(found, [rows[4], rows[0], rows[3], rows[2], rows[1], rows[0]]);
    assert_eq!(
        rows.iter().map(|row| row.kind).collect::<Vec<_>>(),
        [Kind::Direct, Kind::Pend, Kind::Pend, Kind::Post, Kind::Void]
    );
    assert!(now(reader.journal(vec![])).expect("reads").is_empty());
}

fn readers_see_a_batch_as_soon_as_it_is_committed<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let reader = place.reader();
    for number in 1..=50_u32 {
        let batch = scribe
            .batch(&[(Stage::Direct, BANK, holder(1), 5)])
            .with_rows(vec![(order(number), Some(&number.to_be_bytes()))])
            .with_places(vec![listing("due", b"", number.into(), b"k")], Vec::new());
        assert_eq!(now(reader.rows(vec![order(number)])).expect("reads"), [None]);
        scribe.commit(&mut store, batch).expect("commits");
        assert_eq!(now(reader.rows(vec![order(number)])).expect("reads"), [Some(number.to_be_bytes().to_vec())]);
        assert_eq!(now(reader.journal(vec![number.into()])).expect("reads").len(), 1);
        assert_eq!(now(reader.list(ask("due"))).expect("reads").len(), usize::try_from(number).expect("few"));
    }
}

fn the_largest_numbers_survive<P: Place>() {
    let place = P::new();
    let mut store = place.open();
    let mut scribe = Scribe::new();
    let far = AccountKey { code: ledger::AccountCode(u16::MAX), owner: u128::MAX, part: u32::MAX };
    let mut batch = scribe.batch(&[(Stage::Direct, far, holder(1), i64::MAX), (Stage::Pend, far, BANK, i64::MAX)]);
    for row in &mut batch.journal {
        row.code = u16::MAX;
        row.effective_at = Micros::new(i64::MIN);
    }
    let rows = batch.journal.clone();
    scribe.commit(&mut store, batch).expect("commits");
    drop(store);
    assert_eq!(state(&mut place.open()), state_of(&scribe));
    assert_eq!(now(place.reader().journal(vec![1, 2])).expect("reads"), rows);
    assert_eq!(rows[0].debit_balance, Fen::new(-i64::MAX));
}

fn a_second_writer_is_refused_until_the_first_is_gone<P: Place>() {
    let place = P::new();
    let first = place.open();
    for _ in 0..2 {
        let refusal = place.try_open().err().expect("a second writer was let in");
        assert!(refusal.contains("another"), "{refusal}");
    }
    drop(first);
    drop(place.open());
    place.open();
}

fn a_start_is_refused_when_journal_and_blocks_part<P: Place>() {
    for rows in [0, 2] {
        let place = P::new();
        let mut store = place.open();
        let mut scribe = Scribe::new();
        let mut batch = scribe.batch(&[(Stage::Direct, BANK, holder(1), 5)]);
        batch.block.rows = rows;
        batch.commit_to(&mut store).expect("a store keeps what it is given");
        drop(store);
        let refusal = place.open().recover().expect_err("recovered from a book that parts").to_string();
        assert!(refusal.contains("run `onecard verify`"), "{refusal}");
    }
}

mod memory_trouble {
    use store::memory::Trouble;

    use super::*;

    #[test]
    fn m4_each_trouble_keeps_all_or_nothing_and_a_lost_store_stays_lost() {
        let table = [
            (Trouble::Constraint, false),
            (Trouble::Full, false),
            (Trouble::LostBefore, false),
            (Trouble::LostAfter, true),
        ];
        for (trouble, kept) in table {
            let place = InMemory::new();
            let mut store = place.open();
            let mut scribe = Scribe::new();
            scribe.top_up(&mut store, 1, 100);
            place.0.fail_next(trouble);
            let batch = scribe.batch(&[(Stage::Direct, BANK, holder(1), 5)]);
            let outcome = batch.commit_to(&mut store);
            assert!(outcome.is_err(), "{trouble:?}");
            let lost = matches!(outcome, Err(CommitError::Unknown(_)));
            assert_eq!(lost, matches!(trouble, Trouble::LostBefore | Trouble::LostAfter));
            assert_eq!(store.recover().is_err(), lost, "{trouble:?}");
            assert_eq!(store.load(&[order(1)]).is_err(), lost, "{trouble:?}");
            if lost {
                assert!(matches!(batch.commit_to(&mut store), Err(CommitError::Unknown(_))), "{trouble:?}");
            }
            drop(store);
            assert_eq!(place.open().recover().expect("recovers").replay_from, if kept { 3 } else { 2 }, "{trouble:?}");
            assert_eq!(place.0.journal_from(2).len(), usize::from(kept), "{trouble:?}");
        }
    }
}
