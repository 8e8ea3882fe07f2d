//! A till's device is replaced by a new one under the same terminal number: its journal is empty and its records begin at
//! 1 (M19). The old one had told everything before it was taken away.

use flows::rows::{Key, Row};
use flows::terminal::{self, NewTerminal};
use link::{Record, ToPlatform};
use rules::ids::EnrolmentId;

use crate::disk::Disk;
use crate::notes::Who;
use crate::plant::Plant;
use crate::server::Said;
use crate::world::{Event, World};

const MINUTE: i64 = 60_000_000;

impl World {
    pub(crate) fn plan_replacement(&mut self) {
        if self.faults.replace_hours > 0 {
            let mean = 60 * MINUTE * i64::from(self.faults.replace_hours);
            let next = self.net.about(mean);
            self.at(next, Event::Replace);
        }
    }

    /// Somebody takes a device away, if it is idle and the platform has all of its records.
    pub(crate) fn replace_device(&mut self) {
        if self.calm {
            return;
        }
        self.plan_replacement();
        let till = usize::try_from(self.net.about(1_000_000)).unwrap_or(0) % self.tills.len().max(1);
        if !self.all_is_told(till) {
            return;
        }
        let Some(at) = self.tills.get_mut(till) else { return };
        (at.agent, at.screen) = (None, None);
        at.life += 1;
        if let Some(last) = at.certificate.last_mut() {
            *last = last.wrapping_add(100);
        }
        if let Some(conn) = at.conn.take() {
            self.abandon(conn);
        }
        self.note(Who::till(till), || "the device is taken away".to_owned());
        self.enrol_again(till);
    }

    fn all_is_told(&self, till: usize) -> bool {
        let Some(at) = self.tills.get(till) else { return false };
        let Some(agent) = at.agent.as_ref() else { return false };
        let row = self.server.row(&Key::Enrolment(at.enrolment));
        let through = row.as_ref().and_then(Row::enrolment).map_or(0, |enrolment| enrolment.contiguous);
        let idle = at.lunch.is_none() && at.reader.is_none() && at.visit.is_none() && !at.disk.flushing;
        let book = agent.book();
        idle && book.last_seq() == through && book.intents().is_empty() && book.unsettled().is_empty()
    }

    /// The new device is enrolled; asked for until it is.
    pub(crate) fn enrol_again(&mut self, till: usize) {
        let Some(at) = self.tills.get(till) else { return };
        let (terminal, certificate) = (at.terminal, at.certificate);
        let known = self.server.row(&Key::Enrolment(at.enrolment));
        if known.as_ref().and_then(Row::enrolment).is_some_and(|enrolment| enrolment.certificate == certificate) {
            return;
        }
        self.at(MINUTE, Event::EnrolAgain { till });
        let Some(live) = self.server.live.as_mut() else { return };
        let school = live.school.clone();
        let new = NewTerminal {
            terminal,
            merchant: "canteen".to_owned(),
            place_zh: format!("一食堂 {till} 号窗口"),
            place_en: format!("Canteen, window {till}"),
            certificate,
        };
        live.spawn(async move {
            match terminal::enrol(&school, new).await {
                Ok(enrolment) => Said::Enrolled { till, enrolment },
                Err(_) => Said::Nothing,
            }
        });
        self.run_server();
    }

    /// It is: somebody switches it on.
    pub(crate) fn enrolled(&mut self, till: usize, enrolment: EnrolmentId) {
        let Some(at) = self.tills.get_mut(till).filter(|at| at.enrolment != enrolment) else { return };
        self.replaced.insert(enrolment, at.enrolment);
        (at.enrolment, at.disk, at.agent) = (enrolment, Disk::default(), None);
        at.new_module();
        at.life += 1;
        self.counters.add("terminal: device replaced");
        self.power_on(till);
    }

    /// What the planted bug that knows a record by its terminal's number alone takes a message for: one of the old device.
    pub(crate) fn as_of_old_device(&mut self, at: EnrolmentId, message: &ToPlatform) -> Option<(EnrolmentId, Record)> {
        if self.plant != Some(Plant::P33) {
            return None;
        }
        let ToPlatform::Journal { seq, record } = message else { return None };
        let old = self.replaced.get(&at).copied();
        let told = old.and_then(|old| Some((old, *self.told.get(&(old, *seq))?)));
        if told.is_none() {
            self.told.insert((at, *seq), *record);
        }
        told
    }
}
