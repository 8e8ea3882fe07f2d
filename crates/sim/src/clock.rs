//! The server's clock: the machine's wall clock, which leaps, behind the product's own rule for following it (M7).

use std::sync::Mutex;

use flows::ports::Clock;
use ledger::Micros;
use teller::pace;

use crate::plant::Plant;
use crate::ports::{START, lock};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// What a machine that starts does not take for its own clock's slowness.
const PLAUSIBLE: i64 = 5 * MINUTE;

/// The server's clock. Its monotonic clock is the world's time.
pub(crate) struct WorldClock {
    steady: Mutex<Steady>,
    plant: Option<Plant>,
}

#[derive(Default)]
struct Steady {
    truth: i64,
    /// The wall clock less the truth.
    off: i64,
    at: i64,
    read: i64,
}

impl WorldClock {
    pub(crate) fn new(plant: Option<Plant>) -> WorldClock {
        WorldClock { steady: Mutex::new(Steady { at: START, ..Steady::default() }), plant }
    }

    /// Time goes on.
    pub(crate) fn set(&self, micros: i64) {
        lock(&self.steady).truth = micros;
    }

    /// A process starts: it takes what the wall shows.
    pub(crate) fn start(&self) {
        let mut steady = lock(&self.steady);
        (steady.at, steady.read) = (START + steady.truth + steady.off, steady.truth);
    }

    fn leap(&self, off: i64) {
        lock(&self.steady).off = off;
    }

    fn off(&self) -> i64 {
        lock(&self.steady).off
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Micros {
        let mut steady = lock(&self.steady);
        let wall = Micros::new(START + steady.truth + steady.off);
        if self.plant == Some(Plant::P74) {
            return wall;
        }
        let paced = pace(Micros::new(steady.at), steady.truth - steady.read, wall);
        (steady.at, steady.read) = (paced.at().get(), steady.truth);
        paced.at()
    }
}

impl World {
    pub(crate) fn plan_leap(&mut self) {
        if self.faults.leap_hours > 0 {
            let mean = i64::from(self.faults.leap_hours) * HOUR;
            let next = self.net.about(mean);
            self.at(next, Event::Leap);
        }
    }

    /// Somebody, or a time server, sets the machine's clock.
    pub(crate) fn leap(&mut self) {
        if self.calm {
            return;
        }
        let rng = &mut self.server.rng;
        let (off, name) = match rng.below(6) {
            0 => (24 * HOUR, "clock: a day ahead"),
            1 => (-24 * HOUR, "clock: a day back"),
            2 => (rng.between(6, 90) * MINUTE, "clock: more than minutes ahead"),
            3 => (-rng.between(6, 90) * MINUTE, "clock: more than minutes back"),
            4 => (rng.between(1, 150) * SECOND, "clock: seconds or minutes ahead"),
            _ => (-rng.between(1, 150) * SECOND, "clock: seconds or minutes back"),
        };
        let lasts = if rng.chance(500) { rng.between(SECOND, 10 * MINUTE) } else { rng.between(MINUTE, 4 * HOUR) };
        self.counters.add(name);
        self.server.clock.leap(off);
        self.at(lasts, Event::LeapMended);
        self.plan_leap();
    }

    /// The machine's clock is right again.
    pub(crate) fn mend_clock(&mut self) {
        self.server.clock.leap(0);
    }

    /// A machine that starts asks for the time before anything else; a small error stays.
    pub(crate) fn set_clock_right(&mut self) {
        if self.server.clock.off().abs() > PLAUSIBLE {
            self.server.clock.leap(0);
        }
        self.server.clock.start();
    }
}
