//! The one place where the clocks are read.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use flows::ports::Clock;
use ledger::{Id, Micros};
use teller::{IdSource, Paced, pace};

/// The machine's clock, kept steady: it follows the wall by small steps and never leaps or goes back (M7). All of a
/// school's decisions and deadlines use one of these.
pub struct SteadyClock(Mutex<Steady>);

struct Steady {
    at: Micros,
    read: Instant,
    leapt: bool,
}

impl SteadyClock {
    /// A clock that begins at what the wall shows.
    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    pub fn new() -> SteadyClock {
        SteadyClock(Mutex::new(Steady { at: wall(), read: Instant::now(), leapt: false }))
    }
}

impl Clock for SteadyClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    fn now(&self) -> Micros {
        let mut steady = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Instant::now();
        let passed = i64::try_from(read.duration_since(steady.read).as_micros()).unwrap_or(i64::MAX);
        let paced = pace(steady.at, passed, wall());
        let leapt = matches!(paced, Paced::Leapt(_));
        if leapt && !steady.leapt {
            tracing::error!("the machine's clock leapt by more than 5 minutes; it is not followed until a restart");
        }
        *steady = Steady { at: paced.at(), read, leapt };
        steady.at
    }
}

/// What the wall shows.
#[expect(clippy::disallowed_methods, reason = "this is the clock port")]
pub fn wall() -> Micros {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Micros::new(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Time-ordered identifiers from the system's entropy, never one below the one before.
pub struct Ids {
    entropy: keys::SystemEntropy,
    /// Drawn in one piece: a draw costs as much as the rest of a transfer.
    drawn: [[u8; 8]; 128],
    used: usize,
    last: u128,
}

impl Ids {
    /// A fresh source.
    pub fn new() -> Ids {
        Ids { entropy: keys::SystemEntropy, drawn: [[0; 8]; 128], used: 128, last: 0 }
    }
}

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        let bytes = match self.drawn.get(self.used) {
            Some(bytes) => *bytes,
            None => {
                self.used = 0;
                flows::ports::Entropy::fill(&self.entropy, self.drawn.as_flattened_mut());
                self.drawn[0]
            }
        };
        self.used += 1;
        let id = Id::time_ordered(now, bytes).get().max(self.last.saturating_add(1));
        self.last = id;
        Id::new(id)
    }
}
