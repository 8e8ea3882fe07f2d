//! The client side of a run: a window of transfers in flight, and a tally of what came back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::{AccountKey, Fen, Id, Micros};
use teller::{Door, Settled, job};

use super::histogram::Histogram;
use super::payment::{Bench, Fund, Key, Misuse, Pay, Told};
use super::workload::{Accounts, CLIENTS, FUNDS, Keys, Plan, TOO_MUCH, mixed};
use crate::Failure;
use crate::prompt::Said;

/// Transfers whose answers are remembered to compare repeats with: more than are ever between the two.
const REMEMBERED: u64 = 1 << 16;
/// Transfers handed in between two looks at the clock and at the window.
const BURST: u64 = 64;
/// How much of the window must be free before the client is woken: one wake-up serves many transfers.
const ROOM: u64 = 1024;

/// Reads the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "a stopwatch must read the clock")]
pub fn tick() -> Instant {
    Instant::now()
}

/// Microseconds since `from`.
pub fn micros_since(from: Instant) -> u64 {
    whole_micros(tick().duration_since(from))
}

/// A span in whole microseconds.
pub fn whole_micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// So many seconds after its start.
    Seconds(u64),
    /// When so many transfers were handed in, repeats and refusals included.
    Transfers(u64),
}

/// What came back from the teller, counted by its own threads.
pub struct Tally {
    /// How long each answer took, microseconds.
    pub latencies: Histogram,
    answers: Box<[AtomicU64]>,
    moved: AtomicU64,
    refused: AtomicU64,
    repeated: AtomicU64,
    wrong: AtomicU64,
    seen: AtomicU64,
    done: AtomicU64,
    wake_at: AtomicU64,
    mark_every: AtomicU64,
    marks: Mutex<Vec<Instant>>,
    gate: Mutex<()>,
    news: Condvar,
}

/// Sums of a tally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered with a journal row.
    pub moved: u64,
    /// Refused for want of money.
    pub refused: u64,
    /// Answered again, nothing moved.
    pub repeated: u64,
    /// Answered with a fault, or with another answer than the first one.
    pub wrong: u64,
}

impl Counts {
    /// Everything that was answered as it should be.
    pub fn acknowledged(&self) -> u64 {
        self.moved + self.refused + self.repeated
    }

    /// Both together.
    pub fn with(self, other: Counts) -> Counts {
        Counts {
            moved: self.moved + other.moved,
            refused: self.refused + other.refused,
            repeated: self.repeated + other.repeated,
            wrong: self.wrong + other.wrong,
        }
    }
}

/// Place of the answer to the transfer at `ordinal`.
fn place(ordinal: u64) -> usize {
    usize::try_from(ordinal % REMEMBERED).unwrap_or(0)
}

impl Tally {
    /// Nothing came back yet.
    pub fn new() -> Tally {
        Tally {
            latencies: Histogram::new(),
            answers: (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect(),
            moved: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            done: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            mark_every: AtomicU64::new(u64::MAX),
            marks: Mutex::new(Vec::new()),
            gate: Mutex::new(()),
            news: Condvar::new(),
        }
    }

    /// Begins a new phase: counts from 0. Nothing may be in flight.
    fn clear(&self, mark_every: u64) {
        self.latencies.clear();
        for count in [&self.moved, &self.refused, &self.repeated, &self.wrong, &self.seen, &self.done] {
            count.store(0, Ordering::SeqCst);
        }
        self.wake_at.store(u64::MAX, Ordering::SeqCst);
        self.mark_every.store(mark_every, Ordering::SeqCst);
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts {
            moved: of(&self.moved),
            refused: of(&self.refused),
            repeated: of(&self.repeated),
            wrong: of(&self.wrong),
        }
    }

    /// Takes the answer to the transfer at `ordinal`, or to a repeat of it.
    fn take(&self, ordinal: u64, repeat: bool, handed_in: Instant, outcome: Settled<Told, Misuse>) {
        let now = tick();
        self.latencies.add(whole_micros(now.duration_since(handed_in)));
        let first = &self.answers[place(ordinal)];
        let counted = match outcome {
            // A repeat must bring the very answer of the first time.
            Ok(told) if told.repeat == repeat && (!repeat || first.load(Ordering::Relaxed) == told.seq) => {
                if !repeat {
                    first.store(told.seq, Ordering::Relaxed);
                }
                match (repeat, told.seq) {
                    (true, _) => &self.repeated,
                    (false, 0) => &self.refused,
                    (false, _) => &self.moved,
                }
            }
            _ => &self.wrong,
        };
        counted.fetch_add(1, Ordering::Relaxed);
        self.one_done(now);
    }

    fn one_done(&self, now: Instant) {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if seen.is_multiple_of(self.mark_every.load(Ordering::Relaxed)) {
            self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        }
        // Last: the client may go on, and begin the next phase, as soon as it sees this.
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if done >= self.wake_at.load(Ordering::SeqCst) {
            self.wake_at.store(u64::MAX, Ordering::SeqCst);
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.news.notify_all();
        }
    }

    /// Waits until so many came back.
    fn wait_for(&self, done: u64) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake_at.store(done, Ordering::SeqCst);
        while self.done.load(Ordering::SeqCst) < done {
            gate = self.news.wait(gate).unwrap_or_else(PoisonError::into_inner);
            self.wake_at.store(done, Ordering::SeqCst);
        }
        self.wake_at.store(u64::MAX, Ordering::SeqCst);
    }

    /// Waits, when `window` are in flight, until a part of it is free.
    fn wait_for_room(&self, sent: u64, window: u64) {
        if sent - self.done.load(Ordering::SeqCst) + BURST > window {
            self.wait_for((sent + ROOM.min(window / 2)).saturating_sub(window).max(1));
        }
    }
}

/// What a phase took.
pub struct Phase {
    /// From the first hand-in to the last answer, microseconds.
    pub micros: u64,
    /// What came back.
    pub counts: Counts,
    /// When each full `mark_every` was answered, microseconds from the first hand-in.
    pub marks: Vec<u64>,
}

/// 64 clients with a window of transfers in flight between them.
pub struct Load {
    door: Door<Bench>,
    keys: Keys,
    plan: Plan,
    window: u64,
    /// Place of the next transfer in the plan.
    next: u64,
    /// The number that each client gave last.
    numbers: Vec<u64>,
    /// Number or identifier of each remembered transfer.
    given: Vec<u128>,
    began: Micros,
    /// What came back.
    pub tally: Arc<Tally>,
}

impl Load {
    /// Clients that follow `plan`; their identifiers are of the time `began` and after.
    pub fn new(door: Door<Bench>, keys: Keys, plan: Plan, window: u64, began: Micros) -> Load {
        Load {
            door,
            keys,
            plan,
            window: window.max(2 * BURST),
            next: 0,
            numbers: vec![0; usize::from(CLIENTS)],
            given: vec![0; place(REMEMBERED - 1) + 1],
            began,
            tally: Arc::new(Tally::new()),
        }
    }

    /// Hands in until the end, waits for the last answer. Error: the teller stopped.
    pub fn run(&mut self, until: Until, mark_every: u64) -> Result<Phase, Failure> {
        self.tally.clear(mark_every.max(1));
        let began = tick();
        let mut sent = 0;
        loop {
            self.tally.wait_for_room(sent, self.window);
            let burst = match until {
                Until::Seconds(seconds) if micros_since(began) >= seconds * 1_000_000 => 0,
                Until::Seconds(_) => BURST,
                Until::Transfers(all) => BURST.min(all - sent),
            };
            if burst == 0 {
                break;
            }
            for _ in 0..burst {
                self.hand_in_next()?;
            }
            sent += burst;
        }
        if sent > 0 {
            self.tally.wait_for(sent);
        }
        let micros = micros_since(began).max(1);
        let marks = self.tally.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = marks.iter().map(|mark| whole_micros(mark.duration_since(began))).collect();
        Ok(Phase { micros, counts: self.tally.counts(), marks })
    }

    fn hand_in_next(&mut self) -> Result<(), Failure> {
        let (pay, ordinal, repeat) = self.pay_next();
        let tally = Arc::clone(&self.tally);
        let handed_in = tick();
        let reply = move |outcome: Settled<Told, Misuse>| tally.take(ordinal, repeat, handed_in, outcome);
        self.door.hand_in(job(pay, reply)).map_err(|_| closed())
    }

    /// The command at the next place of the plan, and whose answer it must get.
    fn pay_next(&mut self) -> (Pay, u64, bool) {
        let now = self.next;
        self.next += 1;
        let mut wish = self.plan.at(now);
        let mut ordinal = now;
        // The first repeats after the plan's start over may look back past its start: then they are new transfers.
        let repeat = wish.back > 0 && now >= u64::from(wish.back);
        if repeat {
            ordinal = now - u64::from(wish.back);
            wish = self.plan.at(ordinal);
        }
        let client = u16::try_from(ordinal % u64::from(CLIENTS)).unwrap_or(0);
        let given = match (repeat, self.keys) {
            (true, _) => self.given[place(ordinal)],
            (false, Keys::Stream) => {
                let number = &mut self.numbers[usize::from(client)];
                *number += 1;
                u128::from(*number)
            }
            (false, Keys::Transfer) => {
                let at = Micros::new(self.began.get() + i64::try_from(ordinal).unwrap_or(0));
                Id::time_ordered(at, mixed(ordinal).to_be_bytes()).get()
            }
        };
        self.given[place(ordinal)] = given;
        let amount = Fen::new(if wish.fen == 0 { TOO_MUCH } else { i64::from(wish.fen) });
        let (from, to) = (Accounts::holder(wish.from), Accounts::merchant(wish.to));
        let mark = mixed(u64::from(wish.from) << 32 | u64::from(wish.to)) ^ mixed(amount.get().unsigned_abs());
        let (key, number, reference) = match self.keys {
            Keys::Stream => {
                (Key::Client(client), u64::try_from(given).unwrap_or(0), Id::new(u128::from(client) << 64 | given))
            }
            Keys::Transfer => (Key::Once(Id::new(given)), 0, Id::new(given)),
        };
        (Pay { key, number, mark, from, to, amount, reference }, ordinal, repeat)
    }
}

/// Gives every account its first money by real transfers. Error: the teller stopped or refused.
pub fn fund(
    door: &Door<Bench>,
    from: AccountKey,
    accounts: impl Iterator<Item = AccountKey>,
    window: u64,
) -> Result<u64, Failure> {
    let tally = Arc::new(Tally::new());
    let mut sent = 0;
    for to in accounts {
        if sent % BURST == 0 {
            tally.wait_for_room(sent, window.max(2 * BURST));
        }
        let (ordinal, handed_in) = (sent, tick());
        let counting = Arc::clone(&tally);
        let reply = move |outcome: Settled<Told, Misuse>| counting.take(ordinal, false, handed_in, outcome);
        door.hand_in(job(Fund { from, to, amount: Fen::new(FUNDS) }, reply)).map_err(|_| closed())?;
        sent += 1;
    }
    if sent > 0 {
        tally.wait_for(sent);
    }
    if tally.counts().moved != sent {
        return Err(Said(format!("only {} of {sent} accounts could be funded", tally.counts().moved)).into());
    }
    Ok(sent)
}

fn closed() -> Failure {
    Said("the teller took no more transfers: it stopped, or its queue is shorter than the window".to_owned()).into()
}

#[cfg(test)]
mod tests {
    use teller::{Fault, Rejected};

    use super::*;

    #[test]
    fn an_answer_is_right_only_if_a_repeat_brings_that_of_the_first_time() {
        let told = |seq, repeat| Ok(Told { seq, repeat });
        let counts = |moved, refused, repeated, wrong| Counts { moved, refused, repeated, wrong };
        let table = [
            ("moved and repeated", told(7, false), told(7, true), counts(1, 0, 1, 0)),
            ("refused and repeated", told(0, false), told(0, true), counts(0, 1, 1, 0)),
            ("another answer", told(7, false), told(8, true), counts(1, 0, 0, 1)),
            ("moved twice", told(7, false), told(8, false), counts(1, 0, 0, 1)),
            ("a first one taken for a repeat", told(7, true), told(7, true), counts(0, 0, 0, 2)),
            ("a fault", told(7, false), Err(Rejected::Fault(Fault::Busy)), counts(1, 0, 0, 1)),
        ];
        for (what, first, again, expected) in table {
            let tally = Tally::new();
            tally.take(3, false, tick(), first);
            tally.take(3, true, tick(), again);
            tally.wait_for(2);
            assert_eq!(tally.counts(), expected, "{what}");
        }
    }

    #[test]
    fn a_repeat_asks_for_exactly_what_was_asked_before() {
        for keys in [Keys::Stream, Keys::Transfer] {
            let plan = Plan::draw(super::super::workload::Pattern::Uniform, Accounts::of(100));
            let mut load = Load::new(Door::new(1), keys, plan, 128, Micros::new(1));
            let mut asked = Vec::new();
            let mut repeats = 0;
            for _ in 0..5000 {
                let (pay, ordinal, repeat) = load.pay_next();
                let what = (pay.key, pay.number, pay.mark, pay.from, pay.to, pay.amount, pay.reference);
                if repeat {
                    repeats += 1;
                    assert_eq!(Some(&what), asked.get(usize::try_from(ordinal).unwrap()));
                }
                asked.push(what);
            }
            assert!(repeats > 20, "{keys:?}: {repeats}");
        }
    }
}
