//! The queue in front of the teller, and the loop behind it.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use ledger::Micros;
use teller::{Door, Fault, Limits, Paced, QueueFull, Rejected, Stopped, job, run};

use crate::shelf::{Shelf, Trouble};
use crate::shop::{Counter, Key, Shop, Told, act, count, credit};

type Heard = Arc<Mutex<Vec<Told>>>;

fn asking(heard: &Heard, act: crate::shop::Act) -> Box<dyn teller::Job<Shop>> {
    let heard = Arc::clone(heard);
    job(act, move |outcome| heard.lock().expect("fine").push(outcome))
}

fn hand_in(door: &Door<Shop>, heard: &Heard, act: crate::shop::Act) -> Result<(), QueueFull<Shop>> {
    door.hand_in(asking(heard, act))
}

#[test]
fn a_full_queue_gives_the_command_back_unanswered() {
    let (door, heard) = (Door::new(3), Heard::default());
    for _ in 0..3 {
        assert!(hand_in(&door, &heard, count(1)).is_ok());
    }
    let Err(QueueFull(back)) = hand_in(&door, &heard, count(1)) else { panic!("the queue took a fourth") };
    assert!(heard.lock().expect("fine").is_empty(), "it was answered behind the caller's back");
    let mut counter = Counter::open(&Shelf::default());
    let taken = door.take_waiting(2);
    assert_eq!(taken.len(), 2);
    assert!(door.hand_in(back).is_ok(), "there is room again");
    counter.step_jobs(taken).expect("works");
    counter.step_jobs(door.take_waiting(9)).expect("works");
    assert_eq!(*heard.lock().expect("fine"), [Ok(1), Ok(2), Ok(3), Ok(4)]);
}

#[test]
fn many_are_handed_in_at_once_as_far_as_there_is_room_and_in_order() {
    let (door, heard) = (Door::new(5), Heard::default());
    assert!(hand_in(&door, &heard, count(1)).is_ok());
    let mut jobs: VecDeque<_> = (0..6).map(|_| asking(&heard, count(1))).collect();
    door.hand_in_all(&mut jobs);
    assert_eq!(jobs.len(), 2, "room for four");
    door.hand_in_all(&mut jobs);
    assert_eq!(jobs.len(), 2, "and for no more");
    let mut counter = Counter::open(&Shelf::default());
    counter.step_jobs(door.take_waiting(usize::MAX)).expect("works");
    door.hand_in_all(&mut jobs);
    assert!(jobs.is_empty());
    counter.step_jobs(door.take_waiting(usize::MAX)).expect("works");
    assert_eq!(*heard.lock().expect("fine"), (1..=7).map(Ok).collect::<Vec<Told>>());
    door.close();
    let mut late: VecDeque<_> = [asking(&heard, count(1))].into();
    door.hand_in_all(&mut late);
    assert_eq!((late.len(), door.take_waiting(1).len()), (1, 0), "a closed door took a command");
}

#[test]
fn closing_answers_what_is_queued_and_takes_nothing_more() {
    let (door, heard) = (Door::new(5_000), Heard::default());
    let shelf = Shelf::default();
    let mut counter = Counter::with(&shelf, Limits { batch: 100, ..Limits::default() });
    for _ in 0..1_000 {
        assert!(hand_in(&door, &heard, count(1)).is_ok());
    }
    // One of them must wait for a row and is answered nevertheless.
    assert!(hand_in(&door, &heard, act(vec![], |desk| Ok(desk.get(&Key::Tally(2))?.copied().unwrap_or(77)))).is_ok());
    door.close();
    assert!(hand_in(&door, &heard, count(1)).is_err(), "a closed door took a command");
    assert!(matches!(run(&door, &mut counter.engine, || Paced::Follows(Micros::new(1))), Stopped::Closed));
    let heard = heard.lock().expect("fine");
    let expected: Vec<Told> = (1..=1_000).map(Ok).chain([Ok(77)]).collect();
    assert_eq!(*heard, expected);
    assert_eq!(shelf.kept().blocks.len(), 10, "batches of at most 100");
}

#[test]
fn the_loop_serves_callers_on_other_threads_until_the_door_closes() {
    let door = Door::<Shop>::new(64);
    let shelf = Shelf::default();
    let mut counter = Counter::open(&shelf);
    let inside = door.clone();
    let teller = std::thread::spawn(move || {
        let mut at = 0;
        let stopped = run(&inside, &mut counter.engine, || {
            at += 1;
            Paced::Follows(Micros::new(at))
        });
        matches!(stopped, Stopped::Closed)
    });
    let callers: Vec<_> = (0..8_u32)
        .map(|caller| {
            let door = door.clone();
            std::thread::spawn(move || {
                let (say, told) = mpsc::channel();
                for order in 0..200 {
                    let say = say.clone();
                    // Every order is asked for by two callers: exactly one of them credits it.
                    let mut waiting = job(credit(caller / 2 * 1_000 + order), move |outcome| {
                        say.send(outcome).expect("the caller listens");
                    });
                    while let Err(QueueFull(back)) = door.hand_in(waiting) {
                        waiting = back;
                        std::thread::yield_now();
                    }
                }
                drop(say);
                told.iter().map(|outcome| outcome.expect("answered")).collect::<Vec<u32>>()
            })
        })
        .collect();
    let answers: Vec<u32> = callers.into_iter().flat_map(|caller| caller.join().expect("fine")).collect();
    door.close();
    assert!(teller.join().expect("the loop ends"));
    assert_eq!(answers.len(), 1_600);
    assert_eq!(answers.iter().filter(|answer| **answer == 1).count(), 800);
    assert_eq!(shelf.kept().journal.len(), 800);
}

#[test]
fn m4_a_lost_store_ends_the_loop_and_tells_everyone() {
    let (door, heard) = (Door::new(100), Heard::default());
    let shelf = Shelf::default();
    let mut counter = Counter::with(&shelf, Limits { batch: 2, ..Limits::default() });
    for _ in 0..5 {
        assert!(hand_in(&door, &heard, count(1)).is_ok());
    }
    shelf.fail_next(Trouble::LostBefore);
    assert!(matches!(run(&door, &mut counter.engine, || Paced::Follows(Micros::new(1))), Stopped::Store(_)));
    let stopping = || Err(Rejected::Fault(Fault::Stopping));
    assert_eq!(*heard.lock().expect("fine"), [stopping(), stopping(), stopping(), stopping(), stopping()]);
    assert!(hand_in(&door, &heard, count(1)).is_err());
}
