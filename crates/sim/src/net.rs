//! The network: what becomes of a message on its way.

use crate::count::Counters;
use crate::options::Faults;
use crate::rng::Rng;

const MILLI: i64 = 1_000;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// The network's chance.
#[derive(Debug)]
pub(crate) struct Net(Rng);

/// What becomes of a frame on a terminal's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameFate {
    /// It never arrives, and nothing after it.
    pub(crate) lost: bool,
    /// It arrives with another byte at this place.
    pub(crate) corrupt: Option<(usize, u8)>,
    pub(crate) delay: i64,
    /// It arrives once more.
    pub(crate) again: Option<i64>,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Net {
        Net(Rng::fork(seed, "network", 0))
    }

    fn delay(&mut self, faults: &Faults, counters: &mut Counters) -> i64 {
        if self.0.chance(faults.slow) {
            counters.add("network: slow");
            self.0.between(300 * MILLI, 20 * SECOND)
        } else {
            self.0.between(2 * MILLI, 60 * MILLI)
        }
    }

    /// A frame on a connection, which keeps the order.
    pub(crate) fn frame(&mut self, length: usize, faults: &Faults, counters: &mut Counters) -> FrameFate {
        let lost = self.0.chance(faults.drop);
        if lost {
            counters.add("network: dropped");
        }
        let corrupt = self.0.chance(faults.corrupt).then(|| {
            counters.add("network: corrupted");
            let flip = u8::try_from(self.0.between(1, 255)).unwrap_or(1);
            (self.0.place(length), flip)
        });
        let delay = self.delay(faults, counters);
        let again = self.0.chance(faults.duplicate).then(|| {
            counters.add("network: duplicated");
            if self.0.chance(200) { self.0.between(SECOND, 30 * MINUTE) } else { self.0.between(MILLI, 5 * SECOND) }
        });
        FrameFate { lost, corrupt, delay, again }
    }

    /// A request or an answer over HTTP: after which time it arrives, never, once or twice. Nothing keeps an order.
    pub(crate) fn http(&mut self, faults: &Faults, counters: &mut Counters) -> Vec<i64> {
        let mut arrivals = Vec::new();
        if self.0.chance(faults.drop) {
            counters.add("network: dropped");
        } else if self.0.chance(faults.very_slow) {
            counters.add("network: hours late");
            arrivals.push(self.0.between(MINUTE, 150 * MINUTE));
        } else {
            arrivals.push(self.delay(faults, counters));
        }
        if self.0.chance(faults.duplicate) {
            counters.add("network: duplicated");
            arrivals.push(self.0.between(10 * MILLI, 10 * SECOND));
        }
        arrivals
    }

    /// After which time a hung connection is noticed.
    pub(crate) fn noticed_after(&mut self) -> i64 {
        self.0.between(SECOND, MINUTE)
    }

    /// A moment about `mean` away.
    pub(crate) fn about(&mut self, mean: i64) -> i64 {
        self.0.between(1, mean.saturating_mul(2))
    }
}
