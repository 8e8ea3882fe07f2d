//! Nobody waits for ever behind those who came later, and nobody is left without an answer.

use std::sync::mpsc::channel;

use ledger::{Id, Micros, Stage};
use teller::{
    Checkpoint, Commit, CommitError, Door, Engine, Fault, IdSource, Limits, Paced, RawKey, Recovered, Rejected,
    Stopped, Store, StoreError, job, run,
};

use crate::shelf::{Shelf, Trouble};
use crate::shop::{BANK, Counter, Key, Shop, Told, act, count, credit, holder, pay};

/// So many full batches through a loop whose every commit begins before the next one may end.
fn served(limits: Limits, total: u32, special: impl Fn(u32) -> Option<crate::shop::Act>) -> Vec<(u32, Told)> {
    let shelf = Shelf::default();
    let mut counter = Counter::with(&shelf, limits);
    let door = Door::new(100_000);
    let (tell, told) = channel();
    for number in 0..total {
        let tell = tell.clone();
        let act = special(number).unwrap_or_else(|| count(1));
        let job = job(act, move |outcome| tell.send((number, outcome)).expect("the test listens"));
        assert!(door.hand_in(job).is_ok());
    }
    drop(tell);
    door.close();
    let (begun, go) = shelf.gate();
    // Each commit takes as long as it takes to fill the next batch.
    let pass = std::thread::spawn(move || while begun.recv().is_ok() && go.send(()).is_ok() {});
    let mut at = 1;
    let stopped = run(&door, &mut counter.engine, || {
        at += 1;
        Paced::Follows(Micros::new(at))
    });
    assert!(matches!(stopped, Stopped::Closed));
    shelf.kept().gate = None;
    pass.join().expect("ends");
    told.iter().collect()
}

#[test]
fn m1_who_was_put_off_goes_before_who_came_later() {
    let limits = Limits { batch: 64, ..Limits::default() };
    let unnamed = |number| {
        (number == 3).then(|| act(vec![], |desk| Ok(1_000_000 + desk.get(&Key::Tally(2))?.copied().unwrap_or(0))))
    };
    let told = served(limits, 64 * 40, unnamed);
    let place = told.iter().position(|(number, _)| *number == 3).expect("is answered");
    assert!(place < 64 * 3, "it was answered as number {place} of {}", told.len());
}

#[test]
fn what_is_too_heavy_for_a_batch_stays_first_in_line() {
    let limits = Limits { batch: 64, bytes: 512 * 40, ..Limits::default() };
    let told = served(limits, 64 * 40, |_| None);
    assert!(told.is_sorted_by_key(|(number, _)| *number), "somebody was overtaken");
    assert_eq!(told.len(), 64 * 40);
}

#[test]
fn everything_that_expired_goes_back_before_anybody_decides() {
    let shelf = Shelf::default();
    let mut counter = Counter::with(&shelf, Limits { batch: 4, ..Limits::default() });
    counter.ask(vec![credit(1)]);
    let aside = || {
        act(vec![], |desk| {
            let until = Micros::new(1_790_000_000_000_000).after_seconds(5);
            pay(desk, holder(1), BANK, 10, Stage::PendUntil(until))
        })
    };
    counter.ask((0..4).map(|_| aside()).collect());
    counter.ask((0..4).map(|_| aside()).collect());
    counter.ask(vec![count(1)]);
    let all = act(vec![], |desk| pay(desk, holder(1), BANK, 100, Stage::Direct));
    assert_eq!(counter.ask(vec![all]), [Ok(18)], "eight of ten fen each are back");
}

#[test]
fn m7_by_a_clock_that_leapt_nothing_expires() {
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    counter.ask(vec![credit(1)]);
    let until = Micros::new(1_790_000_000_000_000).after_seconds(5);
    counter.ask(vec![act(vec![], move |desk| pay(desk, holder(1), BANK, 10, Stage::PendUntil(until)))]);
    let late = until.after_seconds(9);
    for (time, open) in [(Paced::Leapt(late), 1), (Paced::Follows(late), 0)] {
        let door = Door::new(9);
        assert!(door.hand_in(job(count(1), |_| {})).is_ok());
        door.close();
        assert!(matches!(run(&door, &mut counter.engine, || time), Stopped::Closed));
        assert_eq!(counter.engine.book().pendings().count(), open, "{time:?}");
    }
}

#[test]
fn m4_when_there_is_no_room_for_one_of_them_the_others_are_told_so_at_once() {
    let table = [(Trouble::Busy, Fault::Busy), (Trouble::Full, Fault::Full)];
    for (trouble, fault) in table {
        let shelf = Shelf::default();
        let mut counter = Counter::open(&shelf);
        shelf.kept().trouble.extend([Trouble::Constraint, trouble]);
        let told = counter.ask(vec![count(1), count(1), count(1)]);
        assert_eq!(told, vec![Err(Rejected::Fault(fault)); 3], "{trouble:?}");
        assert_eq!(counter.ask(vec![count(1)]), [Ok(1)], "{trouble:?}: there is room again");
    }
}

struct Panics(Shelf);

impl Store for Panics {
    fn recover(&self) -> Result<Recovered, StoreError> {
        self.0.recover()
    }
    fn load(&self, wanted: &[RawKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.0.load(wanted)
    }
    fn commit(&self, _: &Commit) -> Result<(), CommitError> {
        panic!("the store panics")
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), CommitError> {
        self.0.checkpoint(checkpoint)
    }
}

struct Counting(u128);

impl IdSource for Counting {
    fn next(&mut self, _: Micros) -> Id {
        self.0 += 1;
        Id::new(self.0)
    }
}

#[test]
fn m4_a_store_that_panics_ends_the_loop_and_everybody_is_told() {
    // Kept on the spot, and on the thread of its own.
    for batch in [1, 40] {
        let limits = Limits { batch, ..Limits::default() };
        let school = ledger::SchoolId::new(1).expect("a school");
        let store = Panics(Shelf::default());
        let mut engine = Engine::<Shop, _>::start(school, store, Box::new(Counting(0)), limits).expect("starts");
        let door: Door<Shop> = Door::new(1_000);
        let (tell, told) = channel();
        for _ in 0..batch + 100 {
            let tell = tell.clone();
            let asked = job(count(1), move |outcome: Told| tell.send(outcome).expect("the test listens"));
            assert!(door.hand_in(asked).is_ok());
        }
        drop(tell);
        let stopped = run(&door, &mut engine, || Paced::Follows(Micros::new(1)));
        assert!(matches!(stopped, Stopped::Store(CommitError::Unknown(_))), "{stopped:?}");
        let told: Vec<Told> = told.iter().collect();
        assert_eq!(told, vec![Err(Rejected::Fault(Fault::Stopping)); batch + 100]);
        assert!(door.hand_in(job(count(1), |_| {})).is_err(), "the door is open");
    }
}
