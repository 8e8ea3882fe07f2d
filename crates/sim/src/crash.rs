//! How the server process ends and begins again: at any moment, at every call to its store, while it starts.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use flows::ports::Reader;
use store::memory::Trouble;
use store::verify::Archive;

use crate::checker::Replay;
use crate::kept::{Death, Perils};
use crate::notes::Who;
use crate::server::{NoStart, now_or_never, school_id};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
/// How a process ends that has written its last account rows and its last anchor.
const STOPPED: &str = "server: stopped in order";

impl World {
    pub(crate) fn plan_crash(&mut self) {
        if self.faults.crash_hours > 0 {
            let mean = i64::from(self.faults.crash_hours) * 3600 * SECOND;
            let next = self.net.about(mean);
            self.at(next, Event::Crash);
        }
    }

    /// The process dies at any moment, or is stopped in order.
    pub(crate) fn crash_now(&mut self) {
        if self.calm {
            return;
        }
        if self.server.rng.chance(400) {
            self.stop_in_order();
        } else {
            self.crash("server: crash at any moment");
        }
        self.plan_crash();
    }

    /// The process writes what a start would have to replay, and ends; it may die over that.
    fn stop_in_order(&mut self) {
        let (rng, fault) = (&mut self.server.rng, self.faults.crash_at_start);
        let at_checkpoint = rng.chance(fault.saturating_mul(3).min(600)).then(|| rng.chance(500));
        self.server.watch.perils(Perils { at_checkpoint, ..Perils::default() });
        let Some(live) = self.server.live.as_mut() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(|| live.checkpoint()));
        match (outcome, self.server.watch.take_death()) {
            (_, Some(death)) => self.crash(death.how),
            (Ok(Ok(())), None) => {
                self.write_anchor();
                self.crash(STOPPED);
            }
            (Ok(Err(fault)), None) => {
                self.checker.findings.add("BROKEN", Who::NOBODY, || format!("the last checkpoint failed: {fault}"));
            }
            (Err(panic), None) => resume_unwind(panic),
        }
    }

    /// What befalls the process in its next batch.
    pub(crate) fn draw_perils(&mut self) -> Perils {
        let (rng, faults) = (&mut self.server.rng, &self.faults);
        let mut perils = Perils::default();
        if rng.chance(faults.crash_at_load) {
            perils.at_load = u32::try_from(rng.between(1, 3)).ok();
        }
        if rng.chance(faults.crash_at_commit) {
            perils.troubles.extend(rng.pick(&[Trouble::LostBefore, Trouble::LostAfter]));
        } else if rng.chance(faults.disk_full) {
            perils.busy = rng.chance(300);
            perils.troubles.extend((!perils.busy).then_some(Trouble::Full));
        } else if rng.chance(faults.constraint) {
            perils.troubles.push_back(Trouble::Constraint);
            if faults.crash_at_commit > 0 && rng.chance(200) {
                perils.troubles.extend(rng.pick(&[Trouble::LostBefore, Trouble::LostAfter]));
            }
        }
        perils
    }

    /// The process died at its store: exactly where it was meant to.
    pub(crate) fn died(&mut self, death: Death) {
        if let Some((no, kept)) = death.block {
            let newest = self.server.disk.archive().blocks(no.saturating_sub(1), 1);
            let stands = newest.is_ok_and(|blocks| !blocks.is_empty());
            self.checker.findings.demand(stands == kept || self.plant.is_some(), "BROKEN", Who::NOBODY, || {
                format!("{death:?}, and block {no} stands on the disk: {stands}")
            });
        }
        self.crash(death.how);
    }

    /// The process dies.
    pub(crate) fn crash(&mut self, how: &'static str) {
        if self.server.live.take().is_none() {
            return;
        }
        self.counters.add(how);
        self.note(Who::NOBODY, || how.to_owned());
        if how != STOPPED {
            self.tear_anchor();
        }
        self.server.watch.power_off();
        self.server.wechat.forget_calls();
        self.server.courier.forget_calls();
        self.connections_die();
        let down = if self.server.rng.chance(100) {
            self.server.rng.between(60 * SECOND, 1800 * SECOND)
        } else {
            self.server.rng.between(SECOND / 5, 20 * SECOND)
        };
        self.at(if self.calm { SECOND } else { down }, Event::Start);
    }

    /// A process starts on what the disk holds, unless it dies over it.
    pub(crate) fn start_server(&mut self) {
        if self.server.live.is_some() || self.server.outside.lost() {
            return;
        }
        let again = self.server.boot > 0 && !self.falls_back();
        let (rng, fault) = (&mut self.server.rng, self.faults.crash_at_start);
        let mut perils = Perils::default();
        if again && rng.chance(fault) {
            perils.at_recover = Some(rng.chance(500));
        } else if again && rng.chance(fault) {
            perils.at_load = Some(1);
        }
        self.server.watch.perils(perils);
        self.set_clock_right();
        let (plant, server) = (self.plant, &mut self.server);
        match catch_unwind(AssertUnwindSafe(|| server.start(plant))) {
            Ok(Ok(())) => self.started(),
            Ok(Err(NoStart::Refused(why))) => self.refused_start(&why),
            Ok(Err(NoStart::Broken(why))) => {
                self.checker.findings.add("I7", Who::NOBODY, || format!("the server does not start again: {why}"));
            }
            Err(panic) => match self.server.watch.take_death() {
                Some(death) => self.died_starting(death),
                None => resume_unwind(panic),
            },
        }
    }

    fn started(&mut self) {
        self.note(Who::NOBODY, || "server: up".to_owned());
        if self.server.boot > 1 {
            self.counters.add("server: restarted");
        }
        self.server.died_starting = false;
        self.checker.restarted = true;
        self.require_right_disk();
        self.compare_book();
        let boot = self.server.boot;
        self.at(SECOND, Event::Due { boot });
        if self.receiver.listens() {
            self.at(SECOND, Event::Feed { boot });
        }
        self.anchor_due(boot);
    }

    fn died_starting(&mut self, death: Death) {
        self.counters.add(death.how);
        self.note(Who::NOBODY, || death.how.to_owned());
        if std::mem::replace(&mut self.server.died_starting, true) {
            self.counters.add("server: crash at two starts running");
        }
        self.server.watch.power_off();
        let wait = self.server.rng.between(SECOND / 5, 5 * SECOND);
        self.at(wait, Event::Start);
    }

    /// I7: what stands on the disk now, read again, is what recovery was given, what the engine has, what its pages show and
    /// what the checker was told.
    pub(crate) fn compare_book(&mut self) {
        let replay = &mut self.checker.replay;
        let mut outcome = replay.catch_up(school_id(), &mut self.server.disk.archive());
        if let (Ok(()), Some(given)) = (&outcome, self.server.watch.take_given()) {
            self.counters.add(if given.tail.is_empty() {
                "server: restarted without a tail to replay"
            } else {
                "server: restarted with a tail to replay"
            });
            outcome = replay.same_snapshot(&given);
        }
        if let (Ok(()), Some(live)) = (&outcome, self.server.live.as_ref()) {
            let book = live.engine().book();
            outcome = replay.same_book(book.accounts().sorted().into_iter(), book.pendings());
        }
        if let (Ok(()), Some(live)) = (&outcome, self.server.live.as_ref()) {
            outcome = replay.same_pages(|key| live.school.balances.account(key));
        }
        let touched = self.checker.replay.take_touched();
        let bodies = now_or_never(self.server.disk.reader().rows(touched.clone())).and_then(Result::ok);
        for (at, body) in touched.iter().zip(bodies.unwrap_or_default()) {
            outcome = outcome.and_then(|()| self.checker.replay.guard_row(at.table, &at.key, body.as_deref()));
        }
        outcome = outcome.and_then(|()| self.checker.same_sums());
        if let Err(why) = outcome {
            self.checker.findings.add("I7", Who::NOBODY, || why);
        }
    }

    /// I7 at the end: the same from the first row on, and every guard row.
    pub(crate) fn compare_all(&mut self) {
        self.compare_book();
        let (mut whole, mut archive) = (Replay::default(), self.server.disk.archive());
        let mut outcome = whole.catch_up(school_id(), &mut archive);
        if outcome.is_ok() && !whole.same_as(&self.checker.replay) {
            outcome = Err("the disk does not hold what it held before".to_owned());
        }
        if let Err(why) = outcome.and_then(|()| whole.guard_rows(&mut archive)) {
            self.checker.findings.add("I7", Who::NOBODY, || why);
        }
    }
}
