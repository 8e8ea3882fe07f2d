//! The loop while a batch is on its way to the store: what is decided meanwhile, what is answered when, and what becomes of
//! it when the batch is not kept.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use ledger::Micros;
use teller::{Door, Fault, Job, Limits, Paced, Rejected, Stopped, job, run};

use crate::shelf::{Shelf, Trouble};
use crate::shop::{Act, BANK, Counter, Key, Shop, Told, act, count, credit, holder, pay};

/// A loop on a thread of its own over a store that waits at every commit for a word.
struct Held {
    shelf: Shelf,
    door: Door<Shop>,
    begun: Receiver<u64>,
    go: Sender<()>,
    told: Receiver<(u32, Told)>,
    tell: Sender<(u32, Told)>,
    teller: JoinHandle<(Stopped, Counter)>,
}

/// As many commands as are kept on a thread of their own, and more than a handful.
const MANY: u32 = 300;

impl Held {
    fn open(limits: Limits) -> Held {
        let shelf = Shelf::default();
        let mut counter = Counter::with(&shelf, limits);
        let door = Door::new(10_000);
        let (begun, go) = shelf.gate();
        let (tell, told) = channel();
        let inside = door.clone();
        let teller = std::thread::spawn(move || {
            let mut at = 1_790_000_000_000_000;
            let stopped = run(&inside, &mut counter.engine, || {
                at += 1;
                Paced::Follows(Micros::new(at))
            });
            (stopped, counter)
        });
        Held { shelf, door, begun, go, told, tell, teller }
    }

    fn job(&self, number: u32, act: Act) -> Box<dyn Job<Shop>> {
        let tell = self.tell.clone();
        job(act, move |outcome| tell.send((number, outcome)).expect("the test listens"))
    }

    fn ask(&self, number: u32, act: Act) {
        assert!(self.door.hand_in(self.job(number, act)).is_ok(), "the queue is full");
    }

    /// Hands these in as one, so that the loop sees all of them or none.
    fn ask_at_once(&self, first: u32, acts: Vec<Act>) {
        let mut jobs = (first..).zip(acts).map(|(number, act)| self.job(number, act)).collect();
        self.door.hand_in_all(&mut jobs);
        assert!(jobs.is_empty(), "the queue is full");
    }

    /// The batch under way is kept, and the next one is under way.
    fn next(&self, block: u64) {
        self.go.send(()).expect("the store waits");
        assert_eq!(self.begun.recv(), Ok(block));
    }

    /// The first batch, of one command, is under way; these are handed in meanwhile, all at once.
    fn while_one_is_kept(&self, acts: Vec<Act>) {
        // A batch of its own keeps the loop busy while the large one is handed in.
        self.ask(0, count(99));
        assert_eq!(self.begun.recv(), Ok(1));
        for (number, act) in (1..).zip(acts) {
            self.ask(number, act);
        }
        self.go.send(()).expect("the store waits");
    }

    fn told(&self, many: u32) -> Vec<Told> {
        let mut told: Vec<_> = (0..many).map(|_| self.told.recv().expect("is answered")).collect();
        told.sort_by_key(|(number, _)| *number);
        told.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn nobody_is_told(&self) -> bool {
        self.told.try_recv().is_err()
    }
}

#[test]
fn a_batch_is_decided_while_another_is_kept_and_answered_after_it() {
    let held = Held::open(Limits { batch: 300, ..Limits::default() });
    // Two full batches: the second counts on from what the first decided.
    held.while_one_is_kept((0..2 * MANY).map(|_| count(1)).collect());
    assert_eq!(held.told(1), [Ok(1)]);
    assert_eq!(held.begun.recv(), Ok(2));
    // The third batch can be decided and is full, but nobody hears of either before the second is kept.
    assert!(held.nobody_is_told());
    held.go.send(()).expect("the store waits");
    assert_eq!(held.told(MANY), (1..=MANY).map(Ok).collect::<Vec<_>>());
    assert_eq!(held.begun.recv(), Ok(3));
    assert!(held.nobody_is_told());
    held.go.send(()).expect("the store waits");
    assert_eq!(held.told(MANY), (MANY + 1..=2 * MANY).map(Ok).collect::<Vec<_>>());
    held.door.close();
    let (stopped, _) = held.teller.join().expect("ends");
    assert!(matches!(stopped, Stopped::Closed));
}

#[test]
fn m4_what_was_decided_on_top_of_a_batch_that_was_not_kept_is_decided_again() {
    let table: [(Trouble, Option<Fault>); 3] =
        [(Trouble::Full, Some(Fault::Full)), (Trouble::Busy, Some(Fault::Busy)), (Trouble::Constraint, None)];
    for (trouble, fault) in table {
        let held = Held::open(Limits { batch: 300, ..Limits::default() });
        // Everyone asks for the same orders: the first batch credits them, the second finds them credited.
        let acts = (0..MANY).chain(0..MANY).map(credit).collect();
        held.while_one_is_kept(acts);
        held.told(1);
        assert_eq!(held.begun.recv(), Ok(2));
        held.shelf.kept().trouble.push_back(trouble);
        let pass = std::thread::spawn({
            let (go, begun) = (held.go, held.begun);
            move || {
                while go.send(()).is_ok() && begun.recv().is_ok() {}
            }
        });
        let mut told: Vec<_> = (0..2 * MANY).map(|_| held.told.recv().expect("is answered")).collect();
        told.sort_by_key(|(number, _)| *number);
        let (first, second) = told.split_at(300);
        let failed = |told: &Told| fault.as_ref().is_none_or(|fault| *told == Err(Rejected::Fault(fault.clone())));
        match &fault {
            Some(_) => {
                assert!(first.iter().all(|(_, told)| failed(told)), "{trouble:?}");
                assert!(second.iter().all(|(_, told)| *told == Ok(1)), "{trouble:?}: credited once, by the second");
            }
            None => {
                assert!(first.iter().all(|(_, told)| *told == Ok(1)), "{trouble:?}: one by one they are kept");
                assert!(second.iter().all(|(_, told)| *told == Ok(2)), "{trouble:?}");
            }
        }
        held.door.close();
        let (stopped, counter) = held.teller.join().expect("ends");
        assert!(matches!(stopped, Stopped::Closed));
        for order in 0..MANY {
            assert_eq!(counter.balance(holder(order)), 100, "{trouble:?}");
        }
        assert_eq!(held.shelf.kept().journal.len(), 300, "{trouble:?}");
        drop(counter);
        held.shelf.kept().gate = None;
        pass.join().expect("ends");
    }
}

#[test]
fn m4_after_an_unknown_outcome_nobody_who_came_later_is_told_of_success() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::Fenced] {
        let held = Held::open(Limits { batch: 300, ..Limits::default() });
        held.while_one_is_kept((0..2 * MANY + 7).map(credit).collect());
        held.told(1);
        assert_eq!(held.begun.recv(), Ok(2));
        held.shelf.kept().trouble.push_back(trouble);
        held.go.send(()).expect("the store waits");
        let stopping: Vec<Told> = (0..2 * MANY + 7).map(|_| Err(Rejected::Fault(Fault::Stopping))).collect();
        assert_eq!(held.told(2 * MANY + 7), stopping, "{trouble:?}");
        let (stopped, _) = held.teller.join().expect("ends");
        assert!(matches!(stopped, Stopped::Store(_)), "{trouble:?}");
        let kept = if matches!(trouble, Trouble::LostAfter) { 300 } else { 0 };
        assert_eq!(held.shelf.kept().journal.len(), kept, "{trouble:?}");
    }
}

#[test]
fn m1_a_command_that_waits_for_a_row_is_decided_with_the_batch_after() {
    let held = Held::open(Limits { batch: 300, ..Limits::default() });
    let mut acts: Vec<Act> = (0..MANY).map(|_| count(1)).collect();
    // It names nothing and asks for a row that nobody else looks at.
    acts[4] = act(vec![], |desk| Ok(1_000 + desk.get(&Key::Tally(2))?.copied().unwrap_or(0)));
    held.while_one_is_kept(acts);
    held.told(1);
    assert_eq!(held.begun.recv(), Ok(2));
    held.go.send(()).expect("the store waits");
    let told = held.told(MANY);
    assert_eq!((told.get(3), told.get(4), told.get(5)), (Some(&Ok(4)), Some(&Ok(1_000)), Some(&Ok(5))));
    held.door.close();
    held.teller.join().expect("ends");
}

#[test]
fn a_batch_takes_no_more_than_its_weight() {
    let shelf = Shelf::default();
    let limits = Limits { bytes: 512 * 10, ..Limits::default() };
    let mut counter = Counter::with(&shelf, limits);
    let door = Door::new(1_000);
    let (tell, told) = channel();
    for _ in 0..95 {
        let tell = tell.clone();
        assert!(door.hand_in(job(count(1), move |outcome| tell.send(outcome).expect("listens"))).is_ok());
    }
    door.close();
    assert!(matches!(run(&door, &mut counter.engine, || Paced::Follows(Micros::new(1))), Stopped::Closed));
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<Told>>(), (1..=95).map(Ok).collect::<Vec<_>>());
    assert_eq!(shelf.kept().blocks.len(), 10, "ten commands a batch, and five");
}

/// Credits as many orders and says when the one at `saying` is decided.
fn credits(orders: std::ops::Range<u32>, saying: u32, decided: &Sender<u32>) -> Vec<Act> {
    let say = |order: u32| {
        let decided = decided.clone();
        act(vec![], move |desk| {
            decided.send(order).expect("the test listens");
            pay(desk, BANK, holder(order), 100, ledger::Stage::Direct)?;
            Ok(1)
        })
    };
    orders.map(|order| if order == saying { say(order) } else { credit(order) }).collect()
}

fn rows_of_blocks(shelf: &Shelf) -> Vec<u32> {
    shelf.kept().blocks.iter().map(|block| block.rows).collect()
}

#[test]
fn a_batch_that_is_being_formed_takes_a_handful_and_then_what_comes_until_it_is_full() {
    let held = Held::open(Limits { batch: 300, ..Limits::default() });
    let (say, decided) = channel();
    held.while_one_is_kept(credits(0..300, 999_999, &say));
    assert_eq!(held.begun.recv(), Ok(2));
    // The least that is worth deciding while another batch is kept.
    held.ask_at_once(301, credits(300..556, 555, &say));
    assert_eq!(decided.recv(), Ok(555));
    // There is room for 44 of these.
    held.ask_at_once(557, credits(556..660, 599, &say));
    assert_eq!(decided.recv(), Ok(599));
    held.next(3);
    held.next(4);
    held.go.send(()).expect("the store waits");
    assert!(held.told(661).iter().all(|told| *told == Ok(1)));
    assert_eq!(rows_of_blocks(&held.shelf), [0, 300, 300, 60]);
    held.door.close();
    held.teller.join().expect("ends");
}

#[test]
fn a_batch_that_is_heavy_enough_leaves_what_waits_at_the_door() {
    let held = Held::open(Limits { bytes: 300 * 512, ..Limits::default() });
    let (say, decided) = channel();
    held.while_one_is_kept(credits(0..300, 999_999, &say));
    assert_eq!(held.begun.recv(), Ok(2));
    held.ask_at_once(301, credits(300..560, 559, &say));
    assert_eq!(decided.recv(), Ok(559));
    // Forty of these fit; the others are put off.
    held.ask_at_once(561, credits(560..820, 599, &say));
    assert_eq!(decided.recv(), Ok(599));
    held.ask_at_once(821, credits(820..920, 999_999, &say));
    held.next(3);
    let mut waiting: VecDeque<_> = held.door.take_waiting(usize::MAX).into();
    assert_eq!(waiting.len(), 100);
    held.door.hand_in_all(&mut waiting);
    held.next(4);
    held.next(5);
    held.go.send(()).expect("the store waits");
    assert!(held.told(921).iter().all(|told| *told == Ok(1)));
    assert_eq!(rows_of_blocks(&held.shelf), [0, 300, 300, 300, 20]);
    held.door.close();
    held.teller.join().expect("ends");
}

#[test]
fn one_batch_at_a_time_is_ready_while_another_is_kept_and_none_is_lost() {
    let mut held = Held::open(Limits { batch: 300, ..Limits::default() });
    held.while_one_is_kept((0..8 * MANY).map(|_| count(1)).collect());
    // Who is forgotten is told nothing, and nobody else could tell it.
    held.tell = channel().0;
    let pass = std::thread::spawn(move || while held.begun.recv().is_ok() && held.go.send(()).is_ok() {});
    let mut told: Vec<_> = (0..8 * MANY + 1).map(|_| held.told.recv().expect("is answered")).collect();
    told.sort_by_key(|(number, _)| *number);
    assert!(told.into_iter().skip(1).map(|(_, told)| told).eq((1..=8 * MANY).map(Ok)));
    held.door.close();
    let (stopped, counter) = held.teller.join().expect("ends");
    assert!(matches!(stopped, Stopped::Closed));
    assert_eq!(held.shelf.kept().blocks.len(), 9);
    drop(counter);
    held.shelf.kept().gate = None;
    pass.join().expect("ends");
}

#[test]
fn a_small_batch_is_kept_on_the_spot_and_a_larger_one_on_a_thread_of_its_own() {
    for (commands, on_the_spot) in [(1, true), (31, true), (32, false), (33, false), (300, false)] {
        let shelf = Shelf::default();
        let mut counter = Counter::open(&shelf);
        let (door, (tell, told)) = (Door::new(1_000), channel());
        let mut jobs: VecDeque<_> = (0..commands)
            .map(|_| {
                let tell = tell.clone();
                job(count(1), move |outcome| tell.send(outcome).expect("the test listens"))
            })
            .collect();
        door.hand_in_all(&mut jobs);
        door.close();
        assert!(matches!(run(&door, &mut counter.engine, || Paced::Follows(Micros::new(1))), Stopped::Closed));
        drop(tell);
        assert_eq!(told.iter().count(), commands);
        let here: Vec<bool> = shelf.kept().kept_by.iter().map(|by| *by == std::thread::current().id()).collect();
        assert_eq!(here, [on_the_spot], "{commands} commands");
    }
}
