//! The one place where the wall clock is read.

use std::time::{SystemTime, UNIX_EPOCH};

use flows::ports::Clock;
use ledger::{Id, Micros};
use teller::IdSource;

/// The machine's clock.
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Micros {
        #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
        let now = SystemTime::now();
        let micros = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Micros::new(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// Time-ordered identifiers from the system's entropy, never one below the one before.
pub struct Ids {
    entropy: keys::SystemEntropy,
    last: u128,
}

impl Ids {
    /// A fresh source.
    pub fn new() -> Ids {
        Ids { entropy: keys::SystemEntropy, last: 0 }
    }
}

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        let mut bytes = [0; 8];
        flows::ports::Entropy::fill(&self.entropy, &mut bytes);
        let id = Id::time_ordered(now, bytes).get().max(self.last.saturating_add(1));
        self.last = id;
        Id::new(id)
    }
}
