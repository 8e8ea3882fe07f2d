//! The disk is lost, and the newest backup comes back (M9): the world does what `onecard restore` does and goes on. Cards
//! are ahead of the book then, terminals send again what they kept, and the provider's bill tells of payments that the book
//! forgot.

use std::collections::BTreeMap;

use device::journal::State;
use store::memory::MemoryDisk;

use crate::checker::Checker;
use crate::checkpoint::Held;
use crate::notes::Who;
use crate::plant::Plant;
use crate::provider::Told;
use crate::rogue::Rogue;
use crate::server::{NoStart, school_id};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What the school has of a moment: the disk, the anchors beside it, and what was true of the book then.
pub(crate) struct Backup {
    disk: MemoryDisk,
    held: Held,
    anchors: usize,
    checker: Checker,
    rogue: Option<Rogue>,
}

impl World {
    pub(crate) fn plan_backup(&mut self) {
        let hours = i64::from(self.faults.disk_lost_hours);
        if hours > 0 {
            let days = i64::from(self.options.days);
            let latest = (24 * days - hours - 2) * HOUR;
            let wait = self.server.outside.rng.between(HOUR / 2, latest);
            self.at(wait, Event::Backup);
            self.at(wait + hours * HOUR, Event::DiskLost);
            for _ in 0..self.faults.refunds_before_loss {
                // Early, so that the provider is mostly through with it when the disk is lost.
                let then = self.clerk.before_loss.between(MINUTE, hours * HOUR * 2 / 3);
                self.at(wait + then, Event::ClerkBeforeLoss);
            }
        }
    }

    /// A backup is made: while the server serves, as in the product.
    pub(crate) fn take_backup(&mut self) {
        if self.server.live.is_none() {
            self.at(MINUTE, Event::Backup);
            return;
        }
        self.note(Who::NOBODY, || "a backup is made".to_owned());
        self.backup = Some(Box::new(Backup {
            disk: self.server.disk.copy(),
            held: self.server.watch.held(),
            anchors: self.server.outside.length(),
            checker: self.checker.clone(),
            rogue: self.rogue.clone(),
        }));
    }

    /// The disk is gone, whatever is on it.
    pub(crate) fn lose_disk(&mut self) {
        if self.calm || self.backup.is_none() {
            return;
        }
        self.crash("server: crash at any moment");
        self.counters.add("server: disk lost");
        self.server.outside.lose_disk();
        self.note(Who::NOBODY, || "the disk is lost".to_owned());
        let wait = self.server.outside.rng.between(MINUTE, 3 * HOUR);
        self.at(wait, Event::Restore);
    }

    /// The newest backup comes back, and a new epoch begins.
    pub(crate) fn restore(&mut self) {
        if !self.server.outside.lost() {
            return;
        }
        let Some(backup) = self.backup.take() else { return };
        let Backup { disk, held, anchors, checker, rogue } = *backup;
        self.note(Who::NOBODY, || "the backup comes back".to_owned());
        self.server.watch.power_off();
        self.server.disk = disk;
        self.server.watch.put_back(held);
        let kept = self.journals();
        self.checker.restored(checker, &kept, self.now);
        self.epoch += 1;
        self.receiver_forgets(self.epoch);
        self.server.wechat.forgot(self.checker.payments.forgotten_numbers());
        if let (Some(rogue), Some(then)) = (self.rogue.as_mut(), rogue) {
            rogue.forgotten(then);
        }
        self.doors.forgotten();
        self.reports_are_forgotten();
        self.cards_come_from_home();
        self.bill_is_read();
        self.bill_of_refunds_is_read();
        if self.plant == Some(Plant::P78) {
            self.server.outside.copied_back(anchors);
        } else {
            self.begin_epoch(anchors);
        }
        self.counters.add("server: restored from a backup");
        self.at(SECOND, Event::Start);
    }

    /// What the terminals have, by enrolment.
    fn journals(&mut self) -> BTreeMap<u128, State> {
        let state = |till: &mut crate::till::Till| {
            let on = till.agent.as_ref().map(|agent| agent.book().clone());
            on.or_else(|| till.disk.replay().ok())
        };
        self.tills.iter_mut().filter_map(|till| Some((till.enrolment.0.get(), state(till)?))).collect()
    }

    fn begin_epoch(&mut self, anchors: usize) {
        let number = self.server.outside.begin(anchors, &self.server.disk, self.wall());
        let (heads, _) = self.server.outside.all(&self.server.disk);
        let report = store::verify::verify(school_id(), &mut self.server.disk.archive(), &heads, &mut |_| {});
        self.checker.findings.demand(report.findings.is_empty(), "M9", Who::NOBODY, || report.findings.join("; "));
        self.set_clock_right();
        if let Err(NoStart::Refused(why) | NoStart::Broken(why)) = self.server.start_restored(self.plant) {
            self.checker.findings.add("M9", Who::NOBODY, || format!("the backup cannot be opened: {why}"));
            return;
        }
        self.compare_book();
        self.checker.restarted = true;
        let begun = self.school().and_then(|school| self.settled(flows::epoch::begin(&school, number)));
        let begun = begun.is_ok_and(|begun| begun.is_ok_and(|epoch| epoch.number == number));
        self.checker.findings.demand(begun, "M9", Who::NOBODY, || format!("epoch {number} did not begin"));
        let stopped = self.server.live.as_mut().map(|live| live.checkpoint().is_ok());
        self.checker.findings.demand(stopped == Some(true), "M9", Who::NOBODY, || "the restore did not end".to_owned());
        self.write_anchor();
        self.server.live = None;
        self.server.watch.power_off();
    }

    /// Payments since the backup come to light: their notices were answered well, and the book forgot them. This stands for
    /// the provider's bill, which is not read yet.
    fn bill_is_read(&mut self) {
        for number in 0..self.provider.notices.len() {
            let Some(notice) = self.provider.notices.get_mut(number) else { continue };
            let Told::Payment(transaction) = &notice.told else { continue };
            if self.checker.payments.knows(transaction) {
                continue;
            }
            (notice.done, notice.silent, notice.only_way, notice.tries) = (false, false, true, 0);
            let wait = self.server.outside.rng.between(MINUTE, 2 * HOUR);
            self.at(wait, Event::Notify { notice: number });
        }
    }
}
