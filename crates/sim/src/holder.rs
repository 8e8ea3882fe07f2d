//! A holder with a phone: tops up, pays at the payment app or does not, presses twice, and goes to lunch.

use flows::home;
use flows::top_up::{self, Payable, Refusal};
use rules::ids::{OrderNo, PersonId};
use rules::top_up::Scene;

use crate::checker::Sum;
use crate::checker::book::code;
use crate::notes::Who;
use crate::rng::Rng;
use crate::server::{Said, now_or_never};
use crate::visit::Errand;
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// How long a person looks at a page that does not come.
const PATIENCE: i64 = 15 * SECOND;
/// How often a page is asked for again.
const TRIES: u32 = 4;

/// A holder.
pub(crate) struct Holder {
    pub(crate) person: PersonId,
    openid: String,
    clicks: Vec<Click>,
    /// Tills at which somebody waits for this holder.
    pub(crate) away: u32,
    /// The card was left at home: it comes to no till.
    pub(crate) card_at_home: bool,
    /// In a hurry, since the card was torn at a debit at this till.
    pub(crate) hurries_from: Option<usize>,
    pub(crate) rng: Rng,
}

/// One form that was sent.
#[derive(Clone, Debug)]
struct Click {
    form: [u8; 16],
    text: String,
    amount: Option<Sum>,
    order: Option<OrderNo>,
    tries: u32,
    at: At,
    answers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Sent,
    Ordered,
    Payable,
    Paid,
    Over,
}

/// What a page asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Open,
    Prepare,
    Look,
}

/// What it is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Ordered(Result<OrderNo, Refusal>),
    Prepared(Option<Payable>),
    Looked,
}

impl Holder {
    pub(crate) fn new(person: PersonId, number: usize, seed: u64) -> Holder {
        let rng = Rng::fork(seed, "holder", u64::try_from(number).unwrap_or(0));
        let openid = format!("openid-{number}");
        Holder { person, openid, clicks: Vec::new(), away: 0, card_at_home: false, hurries_from: None, rng }
    }

    /// Where a form's order is paid: the same for the same form.
    fn scene(&self, form: [u8; 16]) -> Scene {
        match form {
            [0..=50, ..] => Scene::PhoneBrowser { address: "203.0.113.7".to_owned() },
            [51..=80, ..] => Scene::Scan,
            _ => Scene::InWeChat { openid: self.openid.clone() },
        }
    }

    /// What a person types.
    fn amount(&mut self) -> (String, Option<Sum>) {
        let fen = match self.rng.below(20) {
            0 => 100_000,
            1 => 100_001,
            2 => 100,
            3 => 99,
            4 if self.rng.chance(200) => self.rng.between(150_000, 250_000),
            5 if self.rng.chance(300) => {
                let text = self.rng.pick(&["", "0", "-1", "1.001", "1e3", "五十"]).unwrap_or("");
                return (text.to_owned(), if text == "0" { Some(0) } else { None });
            }
            6..=10 => self.rng.between(1, 10) * 1000,
            11 | 12 => self.rng.between(10_000, 100_000),
            _ => self.rng.between(1000, 20_000),
        };
        (format!("{}.{:02}", fen / 100, fen % 100), Some(Sum::from(fen)))
    }
}

impl World {
    /// A holder does the next thing.
    pub(crate) fn act(&mut self, holder: usize) {
        if self.calm {
            return;
        }
        let tills = self.tills.len();
        let Some(me) = self.holders.get_mut(holder) else { return };
        let pause = me.rng.between(2 * MINUTE, 30 * MINUTE);
        let choice = me.rng.below(100);
        let till = me.rng.place(tills);
        // Whoever comes seldom leaves what he paid waiting for hours.
        let seldom = self.options.waiting.is_some() && holder.is_multiple_of(5);
        if seldom && choice >= 35 && !me.rng.chance(60) {
            self.look_home(holder);
        } else if choice < 35 {
            self.top_up(holder);
        } else if me.away == 0 && choice < 85 {
            let fen = match me.rng.below(20) {
                0 => 100_000,
                1 => 100_001,
                2 => 1,
                3 | 4 => me.rng.between(4000, 30_000),
                5 => me.rng.between(30_000, 100_000),
                // What most meals cost: the same amounts again and again.
                6..=14 => me.rng.pick(&[800, 1200, 1500]).unwrap_or(800),
                _ => me.rng.between(300, 4000),
            };
            self.go(holder, till, Errand::Lunch(fen));
        } else if me.away == 0 && choice < 97 {
            self.go(holder, till, Errand::Tap);
        } else {
            self.look_home(holder);
        }
        self.at(pause, Event::Act { holder });
    }

    pub(crate) fn top_up(&mut self, holder: usize) {
        let Some(me) = self.holders.get_mut(holder) else { return };
        let (text, amount) = me.amount();
        let form = me.rng.bytes();
        me.clicks.push(Click { form, text, amount, order: None, tries: 0, at: At::Sent, answers: 0 });
        let click = me.clicks.len() - 1;
        let twice = me.rng.chance(self.faults.double_click);
        // The same page filled in again with another amount.
        let refilled = me.rng.chance(self.faults.double_click / 4).then(|| {
            let (text, amount) = me.amount();
            me.clicks.push(Click { form, text, amount, order: None, tries: TRIES, at: At::Sent, answers: 0 });
            me.clicks.len() - 1
        });
        self.ask(holder, click, Request::Open);
        if twice {
            self.ask(holder, click, Request::Open);
        }
        if let Some(other) = refilled {
            self.ask(holder, other, Request::Open);
        }
    }

    /// A page asks the server, and asks again when nothing comes.
    fn ask(&mut self, holder: usize, click: usize, request: Request) {
        let Some(sent) = self.holders.get_mut(holder).and_then(|me| me.clicks.get_mut(click)) else { return };
        let (form, amount, answers) = (sent.form, sent.amount, sent.answers);
        sent.tries += 1;
        if request == Request::Open {
            self.checker.payments.sent(holder, form, amount);
        }
        for delay in self.net.http(&self.faults, &mut self.counters) {
            self.at(delay, Event::Request { holder, click, request });
        }
        self.at(PATIENCE, Event::Impatient { holder, click, request, answers });
    }

    /// Nothing came.
    pub(crate) fn impatient(&mut self, holder: usize, click: usize, request: Request, answers: u32) {
        let Some(sent) = self.holders.get(holder).and_then(|me| me.clicks.get(click)) else { return };
        if sent.answers == answers && sent.tries < TRIES {
            self.ask(holder, click, request);
        }
    }

    /// The request arrives at the server.
    pub(crate) fn request(&mut self, holder: usize, click: usize, request: Request) {
        let Some(me) = self.holders.get(holder) else { return };
        let (Some(sent), Some(live)) = (me.clicks.get(click).cloned(), self.server.live.as_mut()) else { return };
        let (school, person) = (live.school.clone(), me.person);
        let scene = me.scene(sent.form);
        match (request, sent.order) {
            (Request::Open, _) => live.spawn(async move {
                let outcome = top_up::open(&school, person, &sent.text, scene, sent.form).await;
                Said::Ordered { holder, click, outcome }
            }),
            (Request::Prepare, Some(no)) => live.spawn(async move {
                let payable = top_up::prepare(&school, person, no).await.ok().flatten();
                Said::Prepared { holder, click, payable }
            }),
            (Request::Look, Some(no)) => {
                self.server.wechat.page_says_paid(no);
                live.spawn(async move {
                    let _ = top_up::look_after(&school, no).await;
                    Said::Looked { holder, click }
                });
            }
            (Request::Prepare | Request::Look, None) => {}
        }
        self.run_server();
    }

    /// The server has answered a page.
    pub(crate) fn reply(&mut self, holder: usize, click: usize, reply: Reply) {
        self.note(Who::holder(holder), || format!("server answers the page: {reply:?}"));
        if let (Reply::Ordered(outcome), Some(sent)) =
            (&reply, self.holders.get(holder).and_then(|me| me.clicks.get(click)))
        {
            let copied = self.checker.people.crook == Some(holder) && self.checker.crook.was_found();
            let stopped = copied || self.checker.people.lost.contains(&holder);
            let (payments, findings) = (&self.checker.payments, &mut self.checker.findings);
            match outcome {
                // A card that was copied, or reported lost, is stopped.
                Err(refusal) if stopped && refusal.words().code == "CARD_STATE" => {}
                Ok(no) => payments.accepted(holder, sent.form, sent.amount, no.id().get(), findings),
                Err(refusal) => payments.refused(holder, sent.form, sent.amount, refusal.words().code, findings),
            }
            self.count_answer(outcome, sent.amount, sent.order);
        }
        for delay in self.net.http(&self.faults, &mut self.counters) {
            self.at(delay, Event::Reply { holder, click, reply: reply.clone() });
        }
    }

    fn count_answer(&mut self, outcome: &Result<OrderNo, Refusal>, amount: Option<Sum>, before: Option<OrderNo>) {
        let boundary = matches!(amount, Some(99 | 100 | 100_000 | 100_001));
        match outcome {
            Ok(_) if before.is_some() => self.counters.add("order: same form twice, same order"),
            Ok(_) if boundary => self.counters.add("order: limit taken at the exact boundary"),
            Ok(_) => self.counters.add("order: made"),
            Err(Refusal::Refused(_)) if boundary => self.counters.add("order: limit refused at the exact boundary"),
            Err(Refusal::Refused(words)) if words.code == "BALANCE_CAP" => self.counters.add("order: balance cap"),
            Err(Refusal::Refused(words)) if words.code == "FORM_REUSED" => self.counters.add("order: form used again"),
            Err(refusal) if refusal.words().code == "AFTER_RESTORE" => {
                self.counters.add("order: refused until open ones are asked about");
            }
            Err(_) => self.counters.add("order: refused otherwise"),
        }
    }

    /// The answer reaches the page.
    pub(crate) fn page(&mut self, holder: usize, click: usize, reply: Reply) {
        let faults = self.faults;
        let Some(me) = self.holders.get_mut(holder) else { return };
        let Some(sent) = me.clicks.get_mut(click) else { return };
        sent.answers += 1;
        match (reply, sent.at) {
            (Reply::Ordered(Ok(no)), At::Sent) => {
                (sent.order, sent.at, sent.tries) = (Some(no), At::Ordered, 0);
                self.ask(holder, click, Request::Prepare);
            }
            (Reply::Ordered(Err(Refusal::Refused(_))), At::Sent) => sent.at = At::Over,
            (Reply::Ordered(Err(Refusal::Fault(_))), At::Sent) if sent.tries < TRIES => {
                self.at(5 * SECOND, Event::Again { holder, click, request: Request::Open });
            }
            (Reply::Prepared(Some(Payable::Now { .. })), At::Ordered) => {
                sent.at = At::Payable;
                if me.rng.chance(faults.no_pay) {
                    self.counters.add("people: do not pay");
                    if me.rng.chance(faults.false_ok) {
                        self.counters.add("page: says paid without a payment");
                        self.at(3 * SECOND, Event::Again { holder, click, request: Request::Look });
                    }
                    return;
                }
                let wait = if me.rng.chance(faults.late_pay) {
                    me.rng.between(5 * MINUTE, 25 * MINUTE)
                } else {
                    me.rng.between(2 * SECOND, 60 * SECOND)
                };
                self.at(wait, Event::Pay { holder, click });
            }
            (Reply::Prepared(Some(Payable::Later(_))), At::Ordered) if sent.tries < TRIES => {
                self.at(6 * SECOND, Event::Again { holder, click, request: Request::Prepare });
            }
            _ => {}
        }
    }

    /// A page asks once more.
    pub(crate) fn again(&mut self, holder: usize, click: usize, request: Request) {
        self.ask(holder, click, request);
    }

    /// The holder types the password of the payment app.
    pub(crate) fn pays(&mut self, holder: usize, click: usize) {
        let Some(sent) = self.holders.get_mut(holder).and_then(|me| me.clicks.get_mut(click)) else { return };
        let (Some(no), At::Payable) = (sent.order, sent.at) else { return };
        sent.at = At::Paid;
        // The payer pays what the provider knows, under whatever number it got it.
        let number = self.server.wechat.number_at_provider(no);
        if self.pay(holder, &number) {
            self.may_lose_after_paying(holder);
            let look = self.holders.get_mut(holder).is_some_and(|me| me.rng.chance(700));
            if look {
                self.at(4 * SECOND, Event::Again { holder, click, request: Request::Look });
            }
        } else {
            self.counters.add("people: too late to pay");
        }
    }

    /// What a holder's page shows is what the book says (I10).
    pub(crate) fn look_home(&mut self, holder: usize) {
        let (Some(me), Some(live)) = (self.holders.get(holder), self.server.live.as_ref()) else { return };
        let school = live.school.clone();
        let Some(Ok(Some(home))) = now_or_never(home::home(&school, me.person)) else { return };
        let person = me.person.0.get();
        let card = u128::from(self.checker.people.card(holder));
        let book = &self.checker.book;
        let (available, waiting) = (book.held(code::AVAILABLE, person), book.held(code::AWAITING_TAP, person));
        let own = [
            available.posted,
            waiting.posted - waiting.leaving,
            waiting.leaving,
            book.held(code::ON_CARD, card).posted,
        ];
        let held = self.checker.refunds.held_of(holder);
        let total = own.iter().sum::<Sum>() + held + book.held(code::SUSPENSE_CARD, card).posted;
        let own = [own[0], own[1], own[2], own[3], held, total];
        let shown =
            [home.available, home.waiting.amount, home.in_transit.amount, home.on_card, home.held.amount, home.total];
        let shown = shown.map(|fen| Sum::from(fen.get()));
        self.counters.add("people: look at their page");
        self.checker.findings.demand(own == shown, "I10", Who::holder(holder), || {
            format!(
                "the page shows {shown:?} (account, waiting, on its way, on the card, on its way back, all of it), the book has {own:?}"
            )
        });
    }
}
