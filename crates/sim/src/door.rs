//! The door of the holders' pages: people who forgot their password, and people who guess at another's. Every try that was
//! answered counts, whatever became of the process meanwhile (M2, R77).

use std::collections::BTreeMap;

use flows::sign_in::{SignInRefusal, sign_in};

use crate::notes::Who;
use crate::rng::Rng;
use crate::server::Said;
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// A lock of the default settings is over by then.
const APART: i64 = 90 * MINUTE;
/// Wrong tries that lock the door by the default settings.
const TRIES: u32 = 5;

/// What is known of the doors.
pub(crate) struct Doors {
    rng: Rng,
    series: BTreeMap<usize, Series>,
}

/// Tries at one holder's door within a minute or two, then a long pause.
#[derive(Clone, Copy, Debug)]
struct Series {
    began: i64,
    /// Nothing was counted when it began.
    fresh: bool,
    /// Nothing is counted now.
    clean: bool,
    sent: u32,
    refused: u32,
}

impl Doors {
    pub(crate) fn new(seed: u64) -> Doors {
        Doors { rng: Rng::fork(seed, "doors", 0), series: BTreeMap::new() }
    }

    /// The book was restored: what it counted is unknown.
    pub(crate) fn forgotten(&mut self) {
        for series in self.series.values_mut() {
            (series.fresh, series.clean, series.refused) = (false, false, 0);
        }
    }
}

impl World {
    pub(crate) fn plan_door(&mut self) {
        if self.faults.guess_minutes > 0 {
            let mean = i64::from(self.faults.guess_minutes) * MINUTE;
            let next = self.net.about(mean);
            self.at(next, Event::Door);
        }
    }

    /// Somebody comes to a holder's door: with some wrong passwords, then the right one.
    pub(crate) fn come_to_door(&mut self) {
        if self.calm {
            return;
        }
        self.plan_door();
        let holder = self.doors.rng.place(self.holders.len());
        let before = self.doors.series.get(&holder).copied();
        if before.is_some_and(|before| self.now - before.began < APART) {
            return;
        }
        // What was counted before is unknown until a right password was let in.
        let fresh = before.is_none_or(|before| before.clean);
        self.doors.series.insert(holder, Series { began: self.now, fresh, clean: fresh, sent: 0, refused: 0 });
        for _ in 0..self.doors.rng.below(9) {
            let wait = self.doors.rng.between(0, 10 * SECOND);
            self.at(wait, Event::Knock { holder, right: false });
        }
        self.at(MINUTE, Event::Knock { holder, right: true });
    }

    /// A password is typed.
    pub(crate) fn knock(&mut self, holder: usize, right: bool) {
        let Some(live) = self.server.live.as_mut() else { return };
        let Some(series) = self.doors.series.get_mut(&holder) else { return };
        let locked = series.refused >= TRIES;
        let open = series.fresh && series.sent < TRIES;
        series.clean = false;
        series.sent += u32::from(!right);
        let school = live.school.clone();
        // The last six of the passport's number, as the school was told it.
        let password = if right { format!("{holder:06}") } else { "guess1".to_owned() };
        live.spawn(async move {
            let outcome = match sign_in(&school, &format!("2026{holder:04}"), &password).await {
                Ok(_) => Some(true),
                Err(SignInRefusal::Failed(_)) => Some(false),
                Err(SignInRefusal::Unavailable(_)) => None,
            };
            Said::Door { holder, right, sure: (locked, open), outcome }
        });
        self.run_server();
    }

    /// The door opened or not; `sure`: it was surely locked, surely open when the password was typed.
    pub(crate) fn door_answered(&mut self, holder: usize, right: bool, sure: (bool, bool), outcome: Option<bool>) {
        let (Some(opened), Some(series)) = (outcome, self.doors.series.get_mut(&holder)) else { return };
        let (locked, open) = sure;
        series.refused += u32::from(!opened);
        series.clean |= right && opened;
        self.counters.add(match (right, opened, locked) {
            (false, false, _) => "door: wrong password",
            (true, false, true) => "door: right password at a locked door",
            (true, false, false) => "door: right password, locked by tries without an answer",
            (_, true, _) => "door: opened",
        });
        let allowed = if opened { right && !locked } else { !(right && open) };
        self.checker.findings.demand(allowed, "M2", Who::holder(holder), || {
            let word = if right { "the right" } else { "a wrong" };
            format!("{word} password opened the door: {opened}; surely locked {locked}, surely open {open}; {series:?}")
        });
    }
}
