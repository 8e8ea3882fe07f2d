//! Money set aside until a time goes back with the first batch at or after it, before anybody decides by it; and a
//! checkpoint that goes round the accounts leaves little to replay.

use ledger::{Kind, Micros, Stage};
use teller::{EXPIRED, Limits, Rejected};

use crate::shelf::Shelf;
use crate::shop::{BANK, Counter, act, credit, holder, pay, refused};

const START: i64 = 1_790_000_000_000_000;

fn set_aside(fen: i64, seconds: i64) -> crate::shop::Act {
    act(vec![], move |desk| {
        pay(desk, holder(1), BANK, fen, Stage::PendUntil(Micros::new(START).after_seconds(seconds)))
    })
}

fn post(seq: u64, fen: i64) -> crate::shop::Act {
    act(vec![], move |desk| pay(desk, holder(1), BANK, fen, Stage::Post(seq)))
}

#[test]
fn what_nobody_posted_in_time_goes_back_with_the_next_batch() {
    let shelf = Shelf::default();
    // Every batch is a second after the one before.
    let mut counter = Counter::open(&shelf);
    assert_eq!(counter.ask(vec![credit(1)]), [Ok(1)]);
    assert_eq!(counter.ask(vec![set_aside(70, 4), set_aside(20, 99)]), [Ok(2), Ok(3)]);
    assert_eq!(counter.ask(vec![set_aside(31, 99)]), [refused("the book says no")], "100 less 70 less 20");
    // The fourth second: it is void before the batch's own commands see the account.
    assert_eq!(counter.ask(vec![post(2, 70), set_aside(80, 99)]), [refused("the book says no"), Ok(5)]);
    let kept = shelf.kept();
    let void = kept.journal.get(3).expect("a row");
    assert_eq!((void.kind, void.ref_seq, void.code), (Kind::Void, 2, EXPIRED));
    assert_eq!(void.effective_at, Micros::new(START).after_seconds(4));
    assert_eq!(kept.pendings.keys().copied().collect::<Vec<_>>(), [3, 5]);
    drop(kept);
    drop(counter);
    let counter = Counter::open(&shelf);
    assert_eq!(counter.engine.book().pendings().count(), 2);
}

#[test]
fn an_expiry_that_was_not_kept_happens_again() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1)]);
    counter.ask(vec![set_aside(70, 3)]);
    shelf.fail_next(crate::shelf::Trouble::Full);
    assert_eq!(counter.ask(vec![set_aside(80, 99)]), [Err(Rejected::Fault(teller::Fault::Full))]);
    assert_eq!(counter.ask(vec![set_aside(80, 99)]), [Ok(4)]);
    assert_eq!(shelf.kept().journal.iter().filter(|row| row.kind == Kind::Void).count(), 1);
}

#[test]
fn m5_the_checkpoint_goes_round_and_a_start_replays_little() {
    let shelf = Shelf::default();
    // More accounts than a batch writes of itself.
    let limits = Limits { tail: 2_000, ..Limits::default() };
    let mut counter = Counter::with(&shelf, limits);
    let (mut longest, mut shortest) = (0, usize::MAX);
    for round in 0..60_u32 {
        counter.ask((0..300).map(|at| credit(round * 300 + at)).collect());
        let kept = shelf.kept();
        let tail = kept.journal.len() - usize::try_from(kept.applied_seq).expect("few");
        (longest, shortest) = (longest.max(tail), shortest.min(tail));
    }
    assert!(longest <= 2_000, "a start would replay {longest} rows");
    assert!(shortest >= 300 && longest > 600, "every account is written with every batch: {shortest} to {longest}");
    let head = counter.engine.book().head();
    drop(counter);
    let mut counter = Counter::with(&shelf, limits);
    assert_eq!(counter.engine.book().head(), head);
    assert!(counter.engine.replayed() >= 300 && counter.engine.replayed() <= 2_000);
    counter.engine.checkpoint().expect("is kept");
    drop(counter);
    let mut counter = Counter::with(&shelf, limits);
    assert_eq!(counter.engine.replayed(), 0);
    assert_eq!(counter.ask(vec![credit(999_999)]), [Ok(1)]);
    counter.balance(BANK);
}
