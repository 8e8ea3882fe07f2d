//! WeChat Pay as the world has it: orders, payments, and what it answers. It believes nobody and forgets nothing.

use std::collections::BTreeMap;

use flows::ports::{ChannelError, Notice as News, Payment, PrepayWish, Scene, Ticket, Trade};
use ledger::{Fen, Micros};

use crate::checker::{Capture, Charge};
use crate::notes::Who;
use crate::payback::Paybacks;
use crate::ports::START;
use crate::rng::Rng;
use crate::wechat::{Ask, Call, MERCHANT, Reply, SERIALS};
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// How long the server waits for an answer.
const PATIENCE: i64 = 10 * SECOND;

/// An order as the provider knows it.
#[derive(Clone, Debug)]
struct Known {
    wish: PrepayWish,
    made_at: i64,
    stage: Stage,
    /// Its newest payment.
    paid: Option<(Payment, i64)>,
    /// Queries do not find it before.
    unseen_until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The bank is asked; what comes of it is not known.
    AtTheBank,
    Paid,
    Closed,
}

/// The provider.
pub(crate) struct Provider {
    orders: BTreeMap<String, Known>,
    /// Payments that are notified, in the order of their making.
    pub(crate) notices: Vec<Notice>,
    pub(crate) dark_until: i64,
    transactions: u64,
    prepays: u64,
    pub(crate) paybacks: Paybacks,
    /// From when on it signs with its other key.
    new_key_at: Option<i64>,
    pub(crate) rng: Rng,
}

/// What a notice tells of.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// A payment, by its number.
    Payment(String),
    /// A refund, by its number.
    Refund(String),
}

/// Something of which the merchant is told.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) news: News,
    pub(crate) told: Told,
    /// The order of the payment.
    order: String,
    pub(crate) merchant: &'static str,
    pub(crate) tries: usize,
    pub(crate) done: bool,
    /// It gets lost on the provider's side: no try ever leaves.
    pub(crate) silent: bool,
    /// Only a notice can tell of it: no order of ours asks.
    pub(crate) only_way: bool,
}

fn unknown(why: &str) -> ChannelError {
    ChannelError::Unknown(why.to_owned())
}

fn refused(code: &str) -> ChannelError {
    ChannelError::Refused { code: code.to_owned(), message: String::new() }
}

impl Provider {
    pub(crate) fn new(seed: u64) -> Provider {
        Provider {
            orders: BTreeMap::new(),
            notices: Vec::new(),
            dark_until: 0,
            transactions: 0,
            prepays: 0,
            paybacks: Paybacks::new(seed),
            new_key_at: None,
            rng: Rng::fork(seed, "provider", 0),
        }
    }

    /// An order that can be paid, or was; for people who forge notices.
    pub(crate) fn some_order(&mut self) -> Option<(String, Fen)> {
        let place = self.rng.place(self.orders.len());
        self.orders.iter().nth(place).map(|(number, known)| (number.clone(), known.wish.amount))
    }

    /// The key that signs now: for a day after the change one or the other.
    pub(crate) fn serial(&mut self, now: i64) -> &'static str {
        let [first, second] = SERIALS;
        match self.new_key_at {
            Some(at) if now >= at => {
                let mixed = now < at + 24 * HOUR;
                if mixed && self.rng.chance(500) { first } else { second }
            }
            _ => first,
        }
    }

    fn keys(&self, now: i64) -> Vec<String> {
        let count = if self.new_key_at.is_some_and(|at| now >= at) { 2 } else { 1 };
        SERIALS.iter().take(count).map(|serial| (*serial).to_owned()).collect()
    }

    fn prepay(&mut self, wish: PrepayWish, now: i64) -> Result<Ticket, ChannelError> {
        let number = wish.order.to_string();
        let fresh = Known { wish: wish.clone(), made_at: now, stage: Stage::Open, paid: None, unseen_until: 0 };
        let known = self.orders.entry(number).or_insert(fresh);
        if known.wish != wish {
            return Err(refused("INVALID_REQUEST"));
        }
        match known.stage {
            Stage::Open | Stage::AtTheBank => {
                self.prepays += 1;
                let number = self.prepays;
                Ok(match &known.wish.scene {
                    Scene::InWeChat { .. } => Ticket::Prepaid(format!("wx{number:010}")),
                    Scene::PhoneBrowser { .. } => Ticket::Address(format!("https://wx.example/{number:010}")),
                    Scene::Scan => Ticket::Code(format!("weixin://{number:010}")),
                })
            }
            Stage::Paid => Err(refused("OUT_TRADE_NO_USED")),
            Stage::Closed => Err(refused("ORDER_CLOSED")),
        }
    }

    /// What it says of an order, as of `at`.
    fn query(&self, number: &str, at: i64) -> Trade {
        let Some(known) = self.orders.get(number).filter(|known| known.made_at.max(known.unseen_until) <= at) else {
            return Trade::NotFound;
        };
        match (&known.paid, known.stage) {
            (Some((payment, paid_at)), _) if *paid_at <= at => match self.paybacks.touched(&payment.transaction) {
                true => Trade::Refunded(payment.clone()),
                false => Trade::Paid(payment.clone()),
            },
            (Some(_), _) | (None, Stage::Open) => Trade::NotPaid,
            (None, Stage::AtTheBank) => Trade::Paying,
            (None, Stage::Closed) => Trade::Closed,
            (None, Stage::Paid) => Trade::NotPaid,
        }
    }

    fn close(&mut self, number: &str) -> Result<(), ChannelError> {
        let Some(known) = self.orders.get_mut(number) else { return Err(refused("ORDER_NOT_EXIST")) };
        match known.stage {
            Stage::Open | Stage::Closed => {
                known.stage = Stage::Closed;
                Ok(())
            }
            Stage::AtTheBank => Err(unknown("USER_PAYING")),
            Stage::Paid => Err(refused("ORDERPAID")),
        }
    }
}

impl World {
    /// A call leaves the server.
    pub(crate) fn call_provider(&mut self, call: Call) {
        let Call { id, ask } = call;
        self.at(PATIENCE, Event::CallTimeout { call: id });
        for delay in self.net.http(&self.faults, &mut self.counters) {
            self.at(delay, Event::Asked { call: id, ask: ask.clone() });
        }
    }

    /// It arrives at the provider.
    pub(crate) fn asked(&mut self, call: u64, ask: Ask) {
        if self.now < self.provider.dark_until {
            self.counters.add("provider: silent in the dark");
            return;
        }
        let reply = match ask {
            Ask::Prepay(wish) => Reply::Prepay(self.create(wish)),
            Ask::Query(number) => Reply::Query(self.look_up(&number)),
            Ask::Close(number) => Reply::Close(self.close_there(&number)),
            Ask::Refund(wish) => Reply::Refund(self.refund_there(&wish)),
            Ask::RefundQuery(number) => Reply::Refund(self.refund_state(&number)),
            Ask::Keys => {
                self.counters.add("provider: asked for its keys");
                Reply::Keys(self.provider.keys(self.now))
            }
        };
        for delay in self.net.http(&self.faults, &mut self.counters) {
            self.at(delay, Event::Told { call, reply: reply.clone() });
        }
    }

    fn create(&mut self, wish: PrepayWish) -> Result<Ticket, ChannelError> {
        if self.provider.rng.chance(self.faults.create_error) {
            if self.provider.rng.chance(150) {
                self.counters.add("provider: creation refused for good");
                return Err(refused("PARAM_ERROR"));
            }
            if self.provider.rng.chance(500) {
                self.counters.add("provider: create not made");
                return Err(unknown("SYSTEM_ERROR"));
            }
            self.counters.add("provider: create made, answer lost");
            let _ = self.provider.prepay(wish, self.now);
            return Err(unknown("SYSTEM_ERROR"));
        }
        self.provider.prepay(wish, self.now)
    }

    fn look_up(&mut self, number: &str) -> Result<Trade, ChannelError> {
        if self.provider.rng.chance(self.faults.ask_error) {
            self.counters.add("provider: query without an answer");
            return Err(unknown("FREQUENCY_LIMITED"));
        }
        let mut at = self.now;
        if self.provider.rng.chance(self.faults.stale_query) {
            self.counters.add("provider: stale query");
            at -= self.provider.rng.between(SECOND, 20 * SECOND);
        }
        if self.checker.payments.asked_about(number) {
            self.counters.add("order: asked about after a restore");
        }
        Ok(self.provider.query(number, at))
    }

    fn close_there(&mut self, number: &str) -> Result<(), ChannelError> {
        if self.provider.rng.chance(self.faults.ask_error) {
            if self.provider.rng.chance(500) {
                let _ = self.provider.close(number);
            }
            self.counters.add("provider: close without an answer");
            return Err(unknown("SYSTEM_ERROR"));
        }
        let outcome = self.provider.close(number);
        if outcome.is_err() {
            self.counters.add("provider: close refused");
        }
        outcome
    }

    /// Its answer arrives at the server.
    pub(crate) fn told(&mut self, call: u64, reply: Reply) {
        if !self.server.wechat.waits(call) {
            self.counters.add("network: answer after nobody waited");
            return;
        }
        self.server.wechat.answer(call, reply);
        self.run_server();
    }

    /// The server has waited long enough.
    pub(crate) fn call_timeout(&mut self, call: u64) {
        if self.server.wechat.waits(call) {
            // Each kind of call reads every answer of another kind as "no sure answer".
            self.server.wechat.answer(call, Reply::Close(Err(unknown("timeout"))));
            self.run_server();
        }
    }

    /// A holder pays an order in the payment app. `false` when the app does not let him.
    pub(crate) fn pay(&mut self, holder: usize, number: &str) -> bool {
        let now = self.wall_now();
        let provider = &mut self.provider;
        let Some(known) = provider.orders.get_mut(number) else { return false };
        if known.stage != Stage::Open || now > known.wish.expires_at || self.now < provider.dark_until {
            return false;
        }
        known.stage = Stage::AtTheBank;
        let wait = if provider.rng.chance(self.faults.slow_bank) {
            self.counters.add("provider: bank took hours");
            provider.rng.between(MINUTE, 3 * HOUR)
        } else {
            provider.rng.between(SECOND / 5, 3 * SECOND)
        };
        self.at(wait, Event::Charged { holder, number: number.to_owned(), first: true });
        true
    }

    /// The bank has paid.
    pub(crate) fn charged(&mut self, holder: usize, number: &str, first: bool) {
        let Some(known) = self.provider.orders.get_mut(number) else { return };
        let right = known.wish.amount;
        known.stage = Stage::Paid;
        let (mut amount, mut charge, mut currency) = (right, Charge::Right, "CNY");
        let rng = &mut self.provider.rng;
        if first && rng.chance(self.faults.wrong_charge) {
            if rng.chance(300) {
                (charge, currency) = (Charge::Currency, "USD");
                self.counters.add("provider: charged another currency");
            } else {
                let other =
                    if rng.chance(500) { right.get() + rng.between(1, 5000) } else { rng.between(1, right.get()) };
                amount = Fen::new(other);
                charge = if amount == right { Charge::Right } else { Charge::Wrong };
                self.counters.add("provider: charged another amount");
            }
        }
        let lost_sight = first && self.provider.rng.chance(self.faults.lost_sight);
        if lost_sight && let Some(known) = self.provider.orders.get_mut(number) {
            known.unseen_until = self.now + HOUR;
            self.counters.add("provider: loses sight of an order");
        }
        let twice = first && self.provider.rng.chance(self.faults.double_charge);
        let capture = Capture { order: number.to_owned(), amount: amount.get().into(), charge, holder: Some(holder) };
        // Only the first payment is what a query tells; a second one is told by its notice alone.
        let payment = self.capture(capture, number, amount, currency);
        if first && let Some(known) = self.provider.orders.get_mut(number) {
            known.paid = Some((payment.clone(), self.now));
        }
        if !first {
            // Whichever of the two is credited first ends all questions: the other one is told by its notice alone.
            for notice in self.provider.notices.iter_mut().filter(|notice| notice.order == number) {
                (notice.silent, notice.only_way) = (false, true);
            }
        }
        let late = if lost_sight { 40 * MINUTE } else { 0 };
        self.notify_of(payment, !first || lost_sight, late);
        if twice {
            self.counters.add("provider: charged twice");
            let wait = self.provider.rng.between(SECOND, 30 * MINUTE);
            self.at(wait, Event::Charged { holder, number: number.to_owned(), first: false });
        }
    }

    fn capture(&mut self, capture: Capture, number: &str, amount: Fen, currency: &str) -> Payment {
        self.provider.transactions += 1;
        let payment = Payment {
            order: number.to_owned(),
            transaction: format!("42000{:020}", self.provider.transactions),
            amount,
            currency: currency.to_owned(),
            paid_at: self.wall_now(),
        };
        let who = capture.holder.map_or(Who::NOBODY, Who::holder);
        if currency == "CNY" {
            self.provider.paybacks.paid(&payment.transaction, number, amount);
        }
        self.checker.payments.captured(&payment.transaction, capture);
        self.note(who, || format!("provider captured {payment:?}"));
        payment
    }

    /// Somebody pays an order of another system of the same merchant.
    pub(crate) fn stranger_pays(&mut self) {
        if self.calm || self.faults.stranger_hours == 0 {
            return;
        }
        self.counters.add("provider: stranger's payment");
        let rng = &mut self.provider.rng;
        let number = if rng.chance(500) {
            format!("26112312000000019{:07}", rng.below(10_000_000))
        } else {
            format!("LIBRARY-{}", rng.below(1_000_000))
        };
        let amount = Fen::new(rng.between(1, 50_000));
        let capture =
            Capture { order: number.clone(), amount: amount.get().into(), charge: Charge::Stranger, holder: None };
        let payment = self.capture(capture, &number, amount, "CNY");
        self.notify_of(payment, true, 0);
        self.plan_stranger();
    }

    pub(crate) fn plan_stranger(&mut self) {
        if self.faults.stranger_hours > 0 {
            let mean = i64::from(self.faults.stranger_hours) * HOUR;
            let next = self.net.about(mean);
            self.at(next, Event::Stranger);
        }
    }

    /// The provider goes dark for as long as the scenario says.
    pub(crate) fn goes_dark_for_long(&mut self) {
        if let Some((_, to)) = self.options.dark {
            self.counters.add("provider: dark for days");
            self.provider.dark_until = i64::from(to) * HOUR;
        }
    }

    /// The provider goes dark for hours.
    pub(crate) fn goes_dark(&mut self) {
        if self.calm || self.faults.dark_hours == 0 {
            return;
        }
        self.counters.add("provider: dark");
        let hours = self.provider.rng.between(HOUR / 2, 4 * HOUR);
        self.provider.dark_until = self.now + hours;
        self.plan_dark();
    }

    pub(crate) fn plan_darkness(&mut self) {
        self.plan_dark();
        if let Some((from, _)) = self.options.dark {
            self.at(i64::from(from) * HOUR, Event::DarkForLong);
        }
    }

    fn plan_dark(&mut self) {
        if self.faults.dark_hours > 0 {
            let mean = i64::from(self.faults.dark_hours) * HOUR;
            let next = self.net.about(mean);
            self.at(next, Event::Dark);
        }
    }

    fn notify_of(&mut self, payment: Payment, only_way: bool, late: i64) {
        let only_way = only_way || self.checker.payments.forgot(&payment.order);
        let silent = !only_way && self.provider.rng.chance(self.faults.notice_silence);
        if silent {
            self.counters.add("notice: never sent");
        }
        let (told, news) = (Told::Payment(payment.transaction.clone()), News::Trade(Trade::Paid(payment)));
        self.push_notice(news, told, only_way, silent, late);
    }

    pub(crate) fn push_notice(&mut self, news: News, told: Told, only_way: bool, silent: bool, late: i64) {
        let order = match &news {
            News::Trade(Trade::Paid(payment)) => payment.order.clone(),
            News::Trade(_) | News::Refund(_) => String::new(),
        };
        self.provider.notices.push(Notice {
            news,
            told,
            order,
            merchant: MERCHANT,
            tries: 0,
            done: false,
            silent,
            only_way,
        });
        let wait = self.provider.rng.between(SECOND / 10, 2 * SECOND);
        self.at(late + wait, Event::Notify { notice: self.provider.notices.len() - 1 });
    }

    pub(crate) fn plan_new_key(&mut self) {
        if let Some(hour) = self.options.new_key {
            self.provider.new_key_at = Some(i64::from(hour) * HOUR);
            self.counters.add("provider: changes its key");
        }
        if self.faults.new_key_hours > 0 {
            let mean = i64::from(self.faults.new_key_hours) * HOUR;
            self.provider.new_key_at = Some(self.net.about(mean));
            self.counters.add("provider: changes its key");
        }
    }

    /// The moment as clocks on walls show it.
    pub(crate) fn wall_now(&self) -> Micros {
        Micros::new(START + self.now)
    }
}
