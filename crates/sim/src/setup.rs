//! The school before the first day: people, cards, a canteen, tills. Made through the product's own flows, without faults.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use card::chip::Chip;
use card::tear::TearableCard;
use flows::ports::Pii;
use flows::rows::{Key, Row};
use flows::terminal::NewTerminal;
use flows::{School, card_issue, merchant, people, settings, terminal};
use rules::ids::{CardNo, EnrolmentId, PersonId, TerminalNo};
use rules::roster::{Category, Document, Entry};

use crate::crook::Crook;
use crate::holder::Holder;
use crate::notes::Who;
use crate::options::Arrival;
use crate::ports::{masters, profile};
use crate::rng::Rng;
use crate::rogue::Rogue;
use crate::till::Till;
use crate::world::{Event, World};

const MINUTE: i64 = 60_000_000;
/// First card number.
const CARDS: u64 = 0x2026_0000_0000_0100;

fn entry(number: usize) -> Entry {
    Entry {
        row_number: u32::try_from(number).unwrap_or(0) + 2,
        number: format!("2026{number:04}"),
        zeros_restored: false,
        name: Pii::new("持卡人".to_owned()),
        document: Document::Passport { number: Pii::new(format!("E{number:08}")) },
        category: Category::Student,
        department: None,
        phone: None,
        remark: None,
    }
}

impl World {
    /// Makes everything and plans the first day.
    pub(crate) fn set_up(&mut self) {
        self.start_server();
        if let Err(why) = self.make_school() {
            self.checker.findings.add("BROKEN", Who::NOBODY, || format!("the school could not be made: {why}"));
            return;
        }
        for till in 0..self.tills.len() {
            self.power_on(till);
        }
        for holder in 0..self.holders.len() {
            let first = self.net.about(10 * MINUTE);
            self.at(first, Event::Act { holder });
        }
        self.plan_stranger();
        self.plan_darkness();
        self.plan_new_key();
        self.plan_portal();
        self.plan_short();
        self.plan_clerk();
        self.plan_forgery();
        self.plan_crash();
        self.plan_rogue();
        self.plan_crook();
        self.plan_replacement();
        self.plan_leap();
        self.plan_door();
        self.plan_image();
        self.plan_backup();
        self.plan_receiver_dark();
        self.plan_arrival();
        self.plan_loss();
    }

    fn make_school(&mut self) -> Result<(), String> {
        let school = self.school()?;
        let count = self.options.holders;
        let report = self.settled(people::import(&school, (0..count).map(entry).collect(), false))?;
        let report = report.map_err(|fault| fault.to_string())?;
        if report.added() != count {
            return Err(format!("{report:?}"));
        }
        self.settled(merchant::add(&school, "canteen", "一食堂", "Canteen"))?.map_err(|words| words.en)?;
        for number in 0..count {
            let found = self.settled(people::find_by_number(&school, &format!("2026{number:04}")))?;
            let person = found.map_err(|fault| fault.to_string())?.ok_or("a holder is missing")?;
            self.hand_out(&school, number, person)?;
        }
        let tills = self.options.tills;
        for number in 0..tills {
            let (terminal, certificate, enrolment) = self.enrol(&school, number)?;
            let rng = Rng::fork(self.seed, "till", u64::try_from(number).unwrap_or(0));
            self.tills.push(Till::new(terminal, certificate, enrolment, rng));
        }
        if self.faults.rogue_minutes > 0 {
            let (_, _, enrolment) = self.enrol(&school, tills + 90)?;
            self.checker.rogue = Some(enrolment.0.get());
            let row = self.server.row(&Key::Enrolment(enrolment));
            self.rogue = row.as_ref().and_then(Row::enrolment).cloned().map(|row| Rogue::new(row, self.seed));
        }
        self.set_waiting(&school)?;
        if self.options.arrival == Arrival::Instant {
            self.set_arrival(true);
        }
        self.make_receiver(&school)?;
        self.make_crook(&school)
    }

    /// How soon waiting money is reminded of and goes back; the checker has the same figures.
    fn set_waiting(&mut self, school: &School) -> Result<(), String> {
        const NAMES: [&str; 4] =
            ["pending.remind_first", "pending.remind_second", "pending.remind_third", "pending.refund_after"];
        if let Some(minutes) = self.options.waiting {
            for (name, minutes) in NAMES.into_iter().zip(minutes) {
                let seconds = i64::from(minutes) * 60;
                self.settled(settings::change_setting(school, name, seconds, None, "finance"))?
                    .map_err(|refusal| refusal.words().en)?;
            }
        }
        let minutes = self.options.waiting.unwrap_or([120, 1440, 4320, 43_200]);
        self.checker.waits.after = minutes.map(|minutes| i64::from(minutes) * MINUTE);
        Ok(())
    }

    /// The last holder has accomplices at two terminals of their own, and will have his card copied.
    fn make_crook(&mut self, school: &School) -> Result<(), String> {
        if self.faults.clone_seconds == 0 {
            return Ok(());
        }
        let mut tills = Vec::new();
        for number in [80, 81] {
            let (_, _, enrolment) = self.enrol(school, number)?;
            let row = self.server.row(&Key::Enrolment(enrolment));
            tills.extend(row.as_ref().and_then(Row::enrolment).cloned());
        }
        let holder = self.holders.len().saturating_sub(1);
        let chip = self.cards.get(holder).map(|card| card.chip().clone()).ok_or("a card is missing")?;
        self.checker.people.crook = Some(holder);
        self.crook = Some(Crook::new(holder, &chip, tills, (self.seed, self.options.days)));
        Ok(())
    }

    pub(crate) fn school(&self) -> Result<School, String> {
        self.server.live.as_ref().map(|live| live.school.clone()).ok_or_else(|| "the server is down".to_owned())
    }

    fn hand_out(&mut self, school: &School, number: usize, person: PersonId) -> Result<(), String> {
        let card = CARDS + u64::try_from(number).unwrap_or(0);
        self.checker.holder(person.0.get(), card);
        self.settled(card_issue::issue(school, person, CardNo(card)))?.map_err(|words| words.en)?;
        let mut serial = [0; 10];
        for (to, from) in serial.iter_mut().skip(2).zip(card.to_be_bytes()) {
            *to = from;
        }
        self.cards.push(TearableCard::new(Chip::personalise(serial, &masters(), &profile())));
        self.cuts.push(None);
        self.holders.push(Holder::new(person, number, self.seed));
        Ok(())
    }

    fn enrol(&mut self, school: &School, number: usize) -> Result<(TerminalNo, [u8; 32], EnrolmentId), String> {
        let small = u8::try_from(number).unwrap_or(0);
        let (terminal, certificate) = (TerminalNo([0, 0, small + 1]), [small + 1; 32]);
        let new = NewTerminal {
            terminal,
            merchant: "canteen".to_owned(),
            place_zh: format!("一食堂 {number} 号窗口"),
            place_en: format!("Canteen, window {number}"),
            certificate,
        };
        let enrolment = self.settled(terminal::enrol(school, new))?.map_err(|words| words.en)?;
        Ok((terminal, certificate, enrolment))
    }

    /// Runs a flow to its end at once, stepping the teller by hand: for the time before the first day.
    pub(crate) fn settled<T>(&mut self, flow: impl Future<Output = T>) -> Result<T, String> {
        let mut flow = pin!(flow);
        for _ in 0..10_000 {
            if let Poll::Ready(value) = flow.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Ok(value);
            }
            self.step_by_hand();
        }
        Err("a flow waits for nothing that happens here".to_owned())
    }

    pub(crate) fn plan_arrival(&mut self) {
        if self.options.arrival == Arrival::Mixed {
            let next = self.net.about(240 * MINUTE);
            self.at(next, Event::Arrival);
        }
    }

    /// The school changes its mind about where WeChat money arrives.
    pub(crate) fn change_arrival(&mut self) {
        let instant = self.net.about(1000) % 2 == 0;
        self.set_arrival(instant);
        self.plan_arrival();
    }

    fn set_arrival(&mut self, instant: bool) {
        let Some(live) = self.server.live.as_mut() else { return };
        let school = live.school.clone();
        live.spawn(async move {
            let _ = settings::change_setting(&school, "wechat.arrival", i64::from(instant), None, "finance").await;
            crate::server::Said::Nothing
        });
        self.run_server();
    }
}
