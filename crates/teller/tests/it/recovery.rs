//! M5: the journal is the truth, the account rows are a checkpoint.

use ledger::{Fen, Id, JournalRow, Kind, Micros, SchoolId, Stage};
use teller::{Engine, IdSource, Limits, StartFault};

use crate::shelf::{Kept, Shelf, Trouble};
use crate::shop::{BANK, Counter, Shop, act, credit, holder, pay};

/// Twelve batches; a short tail, so that every one of them writes account rows.
fn wide_book(shelf: &Shelf, lagging_after: usize) {
    let mut counter = Counter::with(shelf, Limits { tail: 64, ..Limits::default() });
    for round in 0..12_usize {
        shelf.kept().lagging = round >= lagging_after;
        let number = u32::try_from(round).expect("few");
        counter.ask(vec![
            credit(number),
            act(vec![], move |desk| {
                let seq = pay(desk, holder(number), BANK, 30, Stage::Pend)?;
                match number % 3 {
                    0 => pay(desk, holder(number), BANK, 30, Stage::Void(seq.into())),
                    1 => pay(desk, holder(number), BANK, 20, Stage::Post(seq.into())),
                    _ => Ok(seq),
                }
            }),
        ]);
    }
}

#[test]
fn m5_the_tail_of_the_journal_is_replayed_over_the_checkpoint() {
    let all = Shelf::default();
    wide_book(&all, 12);
    let right = Counter::open(&all);
    for lagging_after in 0..12 {
        let shelf = Shelf::default();
        wide_book(&shelf, lagging_after);
        assert!(shelf.kept().applied_seq < all.kept().applied_seq);
        let counter = Counter::open(&shelf);
        assert_eq!(counter.engine.book().head(), right.engine.book().head());
        assert!(
            counter.engine.book().accounts().sorted() == right.engine.book().accounts().sorted(),
            "lagging after {lagging_after}"
        );
        assert!(counter.engine.book().pendings().eq(right.engine.book().pendings()), "lagging after {lagging_after}");
        assert_eq!(counter.engine.head(), right.engine.head());
        for number in 0..12 {
            counter.balance(holder(number));
        }
    }
}

struct Never;

impl IdSource for Never {
    fn next(&mut self, _: ledger::Micros) -> Id {
        Id::new(0)
    }
}

#[test]
fn m5_a_tail_that_does_not_follow_is_not_started_from() {
    let changes: [fn(&mut JournalRow); 4] = [
        |row| row.amount = Fen::new(99),
        |row| row.debit_prev += 1,
        |row| row.credit_balance = Fen::ZERO,
        |row| row.seq += 1,
    ];
    for change in changes {
        let shelf = Shelf::default();
        wide_book(&shelf, 6);
        let last = {
            let mut kept = shelf.kept();
            let row = kept.journal.iter_mut().rfind(|row| row.kind == Kind::Direct).expect("a row that moves money");
            change(row);
            row.seq
        };
        let school = SchoolId::new(1).expect("a school");
        match Engine::<Shop, _>::start(school, shelf.clone(), Box::new(Never), Limits::default()) {
            Err(StartFault::Replay { seq, .. }) => assert_eq!(seq, last),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("started from a changed journal"),
        }
    }
}

#[test]
fn m5_after_a_crash_the_chain_goes_on_where_it_was() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1)]);
    shelf.fail_next(Trouble::LostAfter);
    assert!(counter.step(vec![credit(2)]).is_err());
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(3)]);
    let kept = shelf.kept();
    let school = SchoolId::new(1).expect("a school");
    let mut before = [0; 32];
    for (block, no) in kept.blocks.iter().zip(1..) {
        let first = usize::try_from(block.first_seq).expect("few") - 1;
        let rows = &kept.journal[first..first + usize::try_from(block.rows).expect("few")];
        assert_eq!((block.no, block.link), (no, ledger::chain_link(school, &before, block, &ledger::Bodies::of(rows))));
        before = block.link;
    }
    assert_eq!(kept.blocks.len(), 3);
}

#[test]
fn m5_an_account_row_that_does_not_fit_its_own_last_row_is_not_started_from() {
    let school = SchoolId::new(1).expect("a school");
    let start = |shelf: &Shelf| {
        let started = Engine::<Shop, _>::start(school, shelf.clone(), Box::new(Never), Limits::default());
        started.err().map(|fault| fault.to_string()).unwrap_or_default()
    };
    // Two accounts of the tail, kept in the middle of it.
    let shelf = Shelf::default();
    wide_book(&shelf, 6);
    let (seq, key) = {
        let kept = shelf.kept();
        let row = kept.journal.iter().rfind(|row| row.kind == Kind::Direct).expect("a row that moves money");
        (row.seq, row.credit)
    };
    let fits = {
        let mut book = ledger::Book::new();
        let kept = shelf.kept();
        kept.journal.iter().take_while(|row| row.seq <= seq).for_each(|row| book.replay(row).expect("follows"));
        book.account(&key)
    };
    let table = [
        (fits, ""),
        (ledger::Account { credits_posted: Fen::new(1), ..fits }, "the book does not add up from journal row"),
        (ledger::Account { last_seq: seq - 1, ..fits }, "was kept after journal row"),
        (ledger::Account { last_seq: 9_999, ..fits }, "was kept after journal row"),
    ];
    for (account, told) in table {
        shelf.kept().accounts.insert(key, account);
        let said = start(&shelf);
        assert!(if told.is_empty() { said.is_empty() } else { said.contains(told) }, "{account:?}: {said}");
    }
}

#[test]
fn m5_money_set_aside_or_an_account_that_the_journal_does_not_make_is_not_started_from() {
    type Change = fn(&mut Kept);
    let table: [(&str, Change, &str); 5] = [
        (
            "another amount",
            |kept| kept.pendings.get_mut(&8).expect("is open").amount = Fen::new(1),
            "set aside at journal row 8 ",
        ),
        (
            "the first is missing",
            |kept| {
                let _ = kept.pendings.pop_first();
            },
            "set aside at journal row 8 ",
        ),
        (
            "the last is missing",
            |kept| {
                let _ = kept.pendings.pop_last();
            },
            "set aside at journal row 32 ",
        ),
        (
            "one too many",
            |kept| {
                let _ = kept.pendings.insert(33, kept.pendings[&8]);
            },
            "set aside at journal row 33 ",
        ),
        (
            "an account that is ahead",
            |kept| kept.accounts.get_mut(&holder(3)).expect("is kept").last_seq = 33,
            "account 2000 of 1 was kept after journal row 33",
        ),
    ];
    for (what, change, says) in table {
        let shelf = Shelf::default();
        wide_book(&shelf, 12);
        assert_eq!(shelf.kept().pendings.keys().copied().collect::<Vec<_>>(), [8, 16, 24, 32]);
        change(&mut shelf.kept());
        let school = SchoolId::new(1).expect("a school");
        match Engine::<Shop, _>::start(school, shelf.clone(), Box::new(Never), Limits::default()) {
            Err(fault) => assert!(fault.to_string().contains(says), "{what}: {fault}"),
            Ok(_) => panic!("{what}: started"),
        }
    }
}

#[test]
fn a_start_tells_what_was_kept_and_what_it_may_do() {
    let shelf = Shelf::default();
    wide_book(&shelf, 12);
    let limits = Limits { batch: 77, ..Limits::default() };
    let counter = Counter::with(&shelf, limits);
    let (no, link, at) = shelf.kept().blocks.last().map(|block| (block.no, block.link, block.at)).expect("a block");
    assert_eq!((counter.engine.head(), counter.engine.at()), ((no, link), at));
    assert_eq!(at, Micros::new(1_790_000_000_000_000).after_seconds(12));
    assert_eq!(counter.engine.batch_limit(), 77);
}

#[test]
fn m5_batches_that_were_not_kept_neither_set_the_checkpoint_back_nor_leave_holes_in_it() {
    let shelf = Shelf::default();
    let limits = Limits { tail: 400, sweep: 16, ..Limits::default() };
    let mut counter = Counter::with(&shelf, limits);
    let (mut from, mut kept) = (0, 0);
    for round in 0..60_u32 {
        let lost = round % 3 == 1;
        if lost {
            shelf.fail_next(Trouble::Full);
        }
        let told = counter.ask((0..30).map(|at| credit(round * 30 + at)).collect());
        assert!(told.iter().all(|told| told.is_err() == lost), "round {round}");
        kept += if lost { 0 } else { 30 };
        let now = shelf.kept().applied_seq;
        assert!(now >= from, "round {round}: a start would replay from {now} on, after {from}");
        from = now;
    }
    assert!(from >= kept - 400, "a start would replay {from} to {kept}");
    assert!(shelf.kept().accounts.values().all(|account| account.last_seq > 0), "a row of an account nobody paid");
    let head = counter.engine.book().head();
    drop(counter);
    assert_eq!((Counter::with(&shelf, limits).engine.book().head(), head), (kept, kept));
}
