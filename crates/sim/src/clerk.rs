//! A clerk of finance at the command line: refunds what was reported, works off cases, and asks for wrong things now and
//! then. He asks again when no answer came, with the same form.

use flows::cases::Listed;
use flows::refund::{self, NotMade, What};
use flows::rows::{Key, Row};
use ledger::Fen;
use rules::case::Kind;
use rules::ids::{OrderNo, RefundNo};
use rules::load::Source;
use rules::refund::Asked;

use crate::notes::Who;
use crate::rng::Rng;
use crate::server::{Said, now_or_never};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// How long he waits for an answer, and how often he asks.
const PATIENCE: i64 = 20 * SECOND;
const TRIES: u32 = 5;
/// Cases that he looks at.
const MOST: u32 = 200;

/// One form that he sent.
#[derive(Clone, Debug)]
struct Form {
    what: What,
    amount: Option<Fen>,
    asked: Asked,
    key: [u8; 16],
    tries: u32,
    answered: bool,
    /// What the book knew when it was first sent.
    paid_before: bool,
}

/// The clerk.
pub(crate) struct Clerk {
    forms: Vec<Form>,
    rng: Rng,
    /// For what he does between a backup and the loss of the disk.
    pub(crate) before_loss: Rng,
}

impl Clerk {
    pub(crate) fn new(seed: u64) -> Clerk {
        let [rng, before_loss] = ["clerk", "clerk before a loss"].map(|label| Rng::fork(seed, label, 0));
        Clerk { forms: Vec::new(), rng, before_loss }
    }
}

impl World {
    pub(crate) fn plan_clerk(&mut self) {
        if self.faults.clerk_minutes > 0 {
            let next = self.net.about(i64::from(self.faults.clerk_minutes) * MINUTE);
            self.at(next, Event::Clerk);
        }
    }

    /// He does the next thing.
    pub(crate) fn clerk(&mut self) {
        if self.calm || self.faults.clerk_minutes == 0 {
            return;
        }
        self.plan_clerk();
        match self.clerk.rng.below(10) {
            0..6 => self.refund_order(),
            _ => self.refund_case(),
        }
    }

    /// All is calm: every case with a payment is worked off.
    pub(crate) fn clerk_tidies(&mut self) {
        for (what, _) in self.cases_with_money() {
            self.send(what, None, true);
        }
    }

    /// An order that waits for a card, of somebody who is asked at random: what is reported to finance is mostly still there.
    fn waiting_order(&mut self) -> Option<u128> {
        for _ in 0..self.holders.len() {
            let person = self.holders.get(self.clerk.rng.place(self.holders.len()))?.person;
            let row = self.server.row(&Key::Waiting(person));
            let items = row.as_ref().and_then(Row::waiting).map(Vec::as_slice).unwrap_or_default();
            let orders = items.iter().filter_map(|item| match item.source {
                Source::Order(no) => Some(no.id().get()),
                Source::Float => None,
            });
            let orders: Vec<u128> = orders.collect();
            if !orders.is_empty() {
                return orders.get(self.clerk.rng.place(orders.len())).copied();
            }
        }
        None
    }

    /// The disk will be lost, and the book forget this: he gives back what waits for a card. Its holder, who has the money
    /// again, mostly leaves the card at home until then; else the card takes the rest of what waits.
    pub(crate) fn refund_before_loss(&mut self) {
        if self.calm || self.backup.is_none() {
            return;
        }
        let mut waiting = Vec::new();
        for (holder, place) in self.holders.iter().zip(0_usize..) {
            let row = self.server.row(&Key::Waiting(holder.person));
            let items = row.as_ref().and_then(Row::waiting).map(Vec::as_slice).unwrap_or_default();
            let orders = items.iter().filter_map(|item| match item.source {
                Source::Order(no) => Some((place, no)),
                Source::Float => None,
            });
            waiting.extend(orders);
        }
        let Some((holder, order)) = self.clerk.before_loss.pick(&waiting) else { return };
        let (key, stays) = (self.clerk.before_loss.bytes(), self.clerk.before_loss.chance(600));
        self.counters.add("refund: asked for by hand between backup and loss");
        self.send_under(key, What::Order(order), None, true);
        if let Some(me) = self.holders.get_mut(holder) {
            me.card_at_home = stays;
        }
    }

    fn refund_order(&mut self) {
        let waiting = if self.clerk.rng.chance(600) { self.waiting_order() } else { None };
        let place = self.clerk.rng.place(self.checker.payments.order_count());
        let Some(order) = waiting.or_else(|| self.checker.payments.some_order(place)) else { return };
        let amount = match self.clerk.rng.below(10) {
            0 => Some(Fen::new(self.clerk.rng.between(1, 100_000))),
            _ => None,
        };
        let two = self.clerk.rng.chance(200);
        self.send(What::Order(OrderNo::from_id(ledger::Id::new(order))), amount, two);
    }

    fn refund_case(&mut self) {
        let cases = self.cases_with_money();
        let Some((what, left)) = cases.get(self.clerk.rng.place(cases.len())).copied() else { return };
        let amount = match self.clerk.rng.below(10) {
            0 => Some(Fen::new(self.clerk.rng.between(1, left.get().max(1)))),
            1 => left.plus(Fen::new(1)),
            _ => None,
        };
        let two = self.clerk.rng.chance(700);
        self.send(what, amount, two);
    }

    /// Open cases of payments, and what lies in them.
    fn cases_with_money(&self) -> Vec<(What, Fen)> {
        let Ok(school) = self.school() else { return Vec::new() };
        let listed = now_or_never(flows::cases::list(school.reader.as_ref(), false, MOST))
            .and_then(Result::ok)
            .unwrap_or_default();
        let open = listed.into_iter().filter_map(|listed| match listed {
            Listed::Open { case, left } if left.is_positive() => Some((What::Case(case.id), left)),
            Listed::Open { .. } | Listed::Ended(_) => None,
        });
        open.collect()
    }

    fn send(&mut self, what: What, amount: Option<Fen>, two: bool) {
        let key = self.clerk.rng.bytes();
        self.send_under(key, what, amount, two);
    }

    fn send_under(&mut self, key: [u8; 16], what: What, amount: Option<Fen>, two: bool) {
        let approved_by = two.then(|| "Wang".to_owned());
        let asked = Asked { reason: "核对后退款".to_owned(), by: "Lin".to_owned(), approved_by };
        let paid_before = match what {
            What::Order(no) => self.checker.payments.credited(no.id().get()),
            What::Case(_) => true,
        };
        self.clerk.forms.push(Form { what, amount, asked, key, tries: 0, answered: false, paid_before });
        self.at(0, Event::ClerkAsks { form: self.clerk.forms.len() - 1 });
    }

    /// He sends a form, and once more when nothing comes.
    pub(crate) fn clerk_asks(&mut self, form: usize) {
        let Some(sent) = self.clerk.forms.get_mut(form).filter(|sent| !sent.answered && sent.tries < TRIES) else {
            return;
        };
        sent.tries += 1;
        let Form { what, amount, asked, key, .. } = sent.clone();
        self.at(PATIENCE, Event::ClerkAsks { form });
        let Some(live) = self.server.live.as_mut() else { return };
        let school = live.school.clone();
        live.spawn(async move {
            let outcome = refund::open(&school, what, amount, asked, key).await;
            Said::Refund { form, outcome }
        });
        self.run_server();
    }

    /// The server has answered him.
    pub(crate) fn clerk_answered(&mut self, form: usize, outcome: &Result<RefundNo, NotMade>) {
        let Some(sent) = self.clerk.forms.get_mut(form) else { return };
        sent.answered = !matches!(outcome, Err(NotMade::Fault(_)));
        let sent = sent.clone();
        self.note(Who::NOBODY, || format!("clerk: {sent:?} is answered {outcome:?}"));
        let two = sent.asked.approved_by.is_some();
        let mismatch = match sent.what {
            What::Case(case) => self.checker.case_kind(case.0.get()) == Some(Kind::PaymentMismatch),
            What::Order(_) => false,
        };
        let code = match outcome {
            Ok(no) => {
                self.checker.refunds.made_known(&no.to_string(), &mut self.checker.findings);
                let alone = mismatch && !two;
                self.checker
                    .findings
                    .demand(!alone, "I2r", Who::NOBODY, || format!("one person alone refunded {:?}: {no}", sent.what));
                self.counters.add("refund: made by hand");
                return;
            }
            Err(refusal) => refusal.words().code,
        };
        let allowed = match code {
            "REFUND_TWO_PERSONS" => mismatch && !two,
            "REFUND_NOT_PAID" => !sent.paid_before,
            "REFUND_IN_CASE" => matches!(sent.what, What::Order(_)),
            "REFUND_UNKNOWN_PAYMENT" => self.epoch > 1 || matches!(sent.what, What::Case(_)),
            "REFUND_CARD_NOT_MET" => self.epoch > 1 && matches!(sent.what, What::Order(_)),
            "REFUND_LIVE"
            | "REFUND_NOTHING_LEFT"
            | "REFUND_ON_ITS_WAY"
            | "REFUND_ON_CARD"
            | "REFUND_TOO_LATE"
            | "REFUND_TOO_MUCH"
            | "REFUND_WHOLE_ONLY"
            | "REFUND_SPENT" => true,
            "BUSY" | "SERVER_FULL" | "STOPPING" | "INTERNAL" | "TRY_AGAIN" => true,
            _ => false,
        };
        self.checker.findings.demand(allowed, "I2r", Who::NOBODY, || {
            format!("a refund of {:?} by {:?} was refused with {code}", sent.what, sent.asked)
        });
        self.counters.add(match code {
            "REFUND_TWO_PERSONS" => "refund: refused, needs two persons",
            "REFUND_NOT_PAID" => "refund: refused, not paid",
            "REFUND_ON_CARD" => "refund: refused, on the card",
            "REFUND_ON_ITS_WAY" => "refund: refused, on its way to the card",
            "REFUND_LIVE" => "refund: refused, another has not ended",
            "REFUND_CARD_NOT_MET" => "refund: refused, the card has not come since a restore",
            "REFUND_NOTHING_LEFT" => "refund: refused, nothing left",
            _ => "refund: refused otherwise",
        });
    }
}
