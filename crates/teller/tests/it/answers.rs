//! What callers are told, and when.

use ledger::{Fen, Id, Micros, Stage};
use teller::{Halt, Job};

use crate::shelf::{Shelf, Trouble};
use crate::shop::{BANK, Counter, Key, Shop, act, count, credit, holder, pay, refused};

#[test]
fn answers_are_given_only_after_the_commit_and_in_order() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1)]);
    counter.ask(vec![count(1), act(vec![], |_| Err(Halt::Refuse("closed"))), credit(2), credit(1)]);
    let told = counter.told();
    let expected = [(1, Ok(1), 1), (2, Ok(1), 2), (3, refused("closed"), 2), (4, Ok(1), 2), (5, Ok(2), 2)];
    assert_eq!(told.as_slice(), expected, "(number, outcome, blocks durable when told)");
}

#[test]
fn a_refusal_leaves_nothing() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1)]);
    let before = counter.engine.head();
    let almost = act(vec![Key::Tally(1), Key::Order(1)], |desk| {
        desk.put(Key::Tally(1), 99)?;
        desk.delete(Key::Order(1))?;
        pay(desk, BANK, holder(1), 500, Stage::Direct)?;
        let seq = pay(desk, holder(1), BANK, 300, Stage::Pend)?;
        pay(desk, holder(1), BANK, 300, Stage::Post(seq.into()))?;
        Err(Halt::Refuse("over the limit"))
    });
    assert_eq!(counter.ask(vec![almost]), [refused("over the limit")]);
    assert_eq!(counter.engine.head(), before, "a refusal made a block");
    assert_eq!((counter.balance(holder(1)), counter.balance(BANK)), (100, -100));
    assert_eq!(counter.ask(vec![count(1), credit(1)]), [Ok(1), Ok(2)]);
    assert_eq!(shelf.kept().journal.len(), 1);
}

#[test]
fn a_later_command_of_the_batch_sees_what_an_earlier_one_did_and_not_what_a_refused_one_tried() {
    let mut counter = Counter::open(&Shelf::default());
    let spend = |fen: i64| act(vec![], move |desk| pay(desk, holder(1), BANK, fen, Stage::Direct));
    let greedy = act(vec![], |desk| {
        pay(desk, holder(1), BANK, 100, Stage::Direct)?;
        pay(desk, holder(1), BANK, 1, Stage::Direct)
    });
    let no = || refused("the book says no");
    let told = counter.ask(vec![spend(1), credit(1), greedy, spend(100), spend(1)]);
    assert_eq!(told, [no(), Ok(1), no(), Ok(2), no()]);
    assert_eq!(counter.balance(holder(1)), 0);
}

#[test]
fn pages_never_see_what_is_not_durable() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let page = counter.engine.balances();
    counter.ask(vec![credit(1)]);
    assert_eq!(page.account(&holder(1)).balance().get(), 100);
    for trouble in [Trouble::Full, Trouble::LostBefore] {
        shelf.fail_next(trouble);
        let outcome = counter.step(vec![act(vec![], |desk| pay(desk, BANK, holder(1), 100, Stage::Direct))]);
        assert_eq!(outcome.is_err(), matches!(trouble, Trouble::LostBefore));
        assert_eq!(page.account(&holder(1)).balance().get(), 100, "{trouble:?}");
    }
}

#[test]
fn m7_batch_time_never_goes_back() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let tick = |counter: &mut Counter, wall: i64| {
        let jobs: Vec<Box<dyn Job<Shop>>> = vec![counter.job(count(1)), counter.job(count(2))];
        counter.engine.step(jobs, Micros::new(wall)).expect("works");
    };
    for wall in [1_000, 5_000, 2_000] {
        tick(&mut counter, wall);
    }
    let mut counter = Counter::open(&shelf);
    tick(&mut counter, 3_000);
    let times: Vec<i64> = shelf.kept().blocks.iter().map(|block| block.at.get()).collect();
    assert_eq!(times, [1_000, 5_000, 5_000, 5_000]);
}

#[test]
fn a_batch_is_one_block_with_its_rows_and_an_idle_one_is_none() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1), credit(2), count(1)]);
    counter.ask(vec![]);
    counter.ask(vec![act(vec![Key::Tally(1)], |desk| Ok(desk.get(&Key::Tally(1))?.copied().unwrap_or(0)))]);
    counter.ask(vec![count(1)]);
    counter.ask(vec![credit(3)]);
    let blocks: Vec<_> =
        shelf.kept().blocks.iter().map(|block| (block.no, block.first_seq, block.rows, block.changes.len())).collect();
    assert_eq!(blocks, [(1, 1, 2, 3), (2, 3, 0, 1), (3, 3, 1, 1)]);
}

#[test]
fn a_desk_gives_batch_time_fresh_identifiers_and_the_book_as_the_command_left_it() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let look = act(vec![], |desk| {
        assert_eq!(desk.now(), Micros::new(1_790_000_000_000_000).after_seconds(1));
        let (first, second) = (desk.new_id(), desk.new_id());
        assert_eq!((first, second), (Id::new(1), Id::new(2)));
        pay(desk, BANK, holder(1), 100, Stage::Direct)?;
        let seq = pay(desk, holder(1), BANK, 30, Stage::Pend)?;
        assert_eq!(desk.account(&holder(1)).spendable(), Fen::new(70));
        let aside = desk.pending(u64::from(seq)).expect("is open");
        assert_eq!((aside.debit, aside.credit, aside.amount), (holder(1), BANK, Fen::new(30)));
        assert_eq!(desk.pending(1), None);
        desk.insert_new(Key::Tally(u32::try_from(second.get()).expect("small")), 5);
        Ok(seq)
    });
    assert_eq!(counter.ask(vec![look]), [Ok(2)]);
    let kept = shelf.kept();
    assert_eq!(kept.journal.iter().map(|row| row.id).collect::<Vec<_>>(), [Id::new(3), Id::new(4)]);
    assert!(kept.journal.iter().all(|row| row.effective_at == row.recorded_at));
    assert_eq!(kept.rows.values().collect::<Vec<_>>(), [&[0, 0, 0, 5]], "nobody looked at it, yet it is there");
}
