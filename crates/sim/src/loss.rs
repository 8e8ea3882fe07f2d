//! Holders who lose their cards and report them on their page (R82): at any moment, also between paying and the tap, and while
//! a load is on its way. What the platform then grants or refuses shows at the tills, where whoever has the card goes on.

use flows::card_desk::{NotReported, Reported, report_loss};
use rules::card::Place;
use rules::ids::CardNo;

use crate::notes::Who;
use crate::rng::Rng;
use crate::server::Said;
use crate::world::{Event, World};

const MILLI: i64 = 1_000;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// After so long without an answer the form is sent again.
const PATIENCE: i64 = 45 * SECOND;
/// More cards are not lost in one school, so that enough are left that pay.
const MOST: usize = 8;

/// One form that was sent.
#[derive(Clone, Debug)]
struct Form {
    holder: usize,
    key: [u8; 16],
    answered: bool,
}

/// Who lost what.
pub(crate) struct Losses {
    forms: Vec<Form>,
    rng: Rng,
}

impl Losses {
    pub(crate) fn new(seed: u64) -> Losses {
        Losses { forms: Vec::new(), rng: Rng::fork(seed, "losses", 0) }
    }
}

impl World {
    pub(crate) fn plan_loss(&mut self) {
        let mean = i64::from(self.faults.loss_hours) * HOUR;
        if mean > 0 {
            let next = self.losses.rng.between(1, 2 * mean);
            self.at(next, Event::Loss);
        }
    }

    /// Somebody's card is gone.
    pub(crate) fn loss(&mut self) {
        let holder = self.losses.rng.place(self.holders.len());
        self.loses(holder);
        self.plan_loss();
    }

    /// A payment went through: its holder finds that the card is gone before it was held to a till.
    pub(crate) fn may_lose_after_paying(&mut self, holder: usize) {
        if self.faults.loss_hours > 0 && self.losses.rng.chance(15) {
            let wait = self.losses.rng.between(0, 3 * MINUTE);
            self.at(wait, Event::Loses { holder });
        }
    }

    /// The card gets its load at a till, in another's hand: its holder reports it in that very moment.
    pub(crate) fn may_lose_while_loading(&mut self, holder: usize) {
        if self.faults.loss_hours > 0 && self.losses.rng.chance(15) {
            let wait = self.losses.rng.between(0, 80 * MILLI);
            self.at(wait, Event::Loses { holder });
        }
    }

    /// This holder's card is gone, unless it was already.
    pub(crate) fn loses(&mut self, holder: usize) {
        let lost = &mut self.checker.people.lost;
        if self.calm || self.crook.as_ref().is_some_and(|crook| crook.holder == holder) || lost.len() >= MOST {
            return;
        }
        if lost.insert(holder) {
            self.note(Who::holder(holder), || "loses the card".to_owned());
            self.report(holder);
            if self.losses.rng.chance(300) {
                // To be quite sure, on a fresh page.
                let wait = self.losses.rng.between(SECOND, HOUR);
                self.at(wait, Event::ReportsAgain { holder });
            }
        }
    }

    pub(crate) fn report(&mut self, holder: usize) {
        let key = self.losses.rng.bytes();
        self.losses.forms.push(Form { holder, key, answered: false });
        self.at(0, Event::Reports { form: self.losses.forms.len() - 1 });
    }

    /// A form is sent, and again until it is answered.
    pub(crate) fn reports(&mut self, form: usize) {
        let Some(Form { holder, key, answered: false }) = self.losses.forms.get(form).cloned() else { return };
        self.at(PATIENCE, Event::Reports { form });
        let Some(person) = self.holders.get(holder).map(|me| me.person) else { return };
        let card = CardNo(self.checker.people.card(holder));
        let Some(live) = self.server.live.as_mut() else { return };
        let school = live.school.clone();
        live.spawn(async move {
            let outcome = report_loss(&school, person, card, Place::Pages, key).await;
            Said::Reported { form, outcome }
        });
        self.run_server();
    }

    /// The page says since when the card is refused.
    pub(crate) fn report_answered(&mut self, form: usize, outcome: &Result<Reported, NotReported>) {
        let Some(sent) = self.losses.forms.get_mut(form) else { return };
        let who = Who::holder(sent.holder);
        match outcome {
            Ok(reported) => {
                sent.answered = true;
                self.counters.add(if reported.first { "loss: reported" } else { "loss: reported again" });
                let (card, since) = (reported.card.0, reported.since.get());
                self.checker.losses.told(card, since, who, &mut self.checker.findings);
            }
            // The server could not decide: the form is sent again.
            Err(NotReported::Fault(_)) => {}
            Err(NotReported::Refused(refusal)) => {
                self.checker.findings.add("I6", who, || format!("the report of a lost card was refused: {refusal}"));
            }
        }
        self.note(who, || format!("reports the card lost and hears {outcome:?}"));
    }

    /// A backup came back: whoever sees the card active on the page again reports it again.
    pub(crate) fn reports_are_forgotten(&mut self) {
        for holder in self.checker.losses.forgotten(&self.checker.people) {
            self.counters.add("loss: forgotten by a restore");
            let wait = self.losses.rng.between(MINUTE, HOUR);
            self.at(wait, Event::ReportsAgain { holder });
        }
    }
}
