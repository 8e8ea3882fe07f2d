//! Refunds as the provider has them: taken, refused, on their way, given back, closed, or stuck at the payer's bank. What it
//! has given back it never takes again, and one number gives back once.

use std::collections::{BTreeMap, BTreeSet};

use flows::ports::{ChannelError, Notice as News, RefundState, RefundWish, Refunded, Repayment};
use ledger::Fen;

use crate::notes::Who;
use crate::provider::Told;
use crate::rng::Rng;
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// One refund there.
#[derive(Clone, Debug)]
struct Back {
    transaction: String,
    order: String,
    amount: Fen,
    total: Fen,
    made_at: i64,
    state: RefundState,
    /// A person asked for it at the portal, and not the server.
    portal: bool,
}

/// All that the provider gave back, or refused to.
pub(crate) struct Paybacks {
    backs: BTreeMap<String, Back>,
    refused: BTreeSet<String>,
    /// Payments by their number: which order, how much.
    paid: BTreeMap<String, (String, Fen)>,
    /// The merchant's account holds too little until then.
    short_until: i64,
    portal: u64,
    pub(crate) rng: Rng,
}

fn unknown(why: &str) -> ChannelError {
    ChannelError::Unknown(why.to_owned())
}

impl Paybacks {
    pub(crate) fn new(seed: u64) -> Paybacks {
        Paybacks {
            backs: BTreeMap::new(),
            refused: BTreeSet::new(),
            paid: BTreeMap::new(),
            short_until: 0,
            portal: 0,
            rng: Rng::fork(seed, "paybacks", 0),
        }
    }

    /// A payment was made.
    pub(crate) fn paid(&mut self, transaction: &str, order: &str, amount: Fen) {
        self.paid.insert(transaction.to_owned(), (order.to_owned(), amount));
    }

    /// Something of the payment went back, or is on its way back.
    pub(crate) fn touched(&self, transaction: &str) -> bool {
        self.going(transaction) > Fen::ZERO
    }

    /// What of a payment went back or is on its way back.
    fn going(&self, transaction: &str) -> Fen {
        let of =
            self.backs.values().filter(|back| back.transaction == transaction && back.state != RefundState::Closed);
        Fen::sum(of.map(|back| back.amount)).unwrap_or(Fen::ZERO)
    }

    fn told(&self, number: &str) -> Option<Refunded> {
        let back = self.backs.get(number)?;
        Some(Refunded {
            refund: number.to_owned(),
            refund_id: format!("50{number}"),
            transaction: back.transaction.clone(),
            order: back.order.clone(),
            amount: back.amount,
            total: back.total,
            state: back.state,
        })
    }

    fn refuse(&mut self, number: &str, code: &str) -> Repayment {
        self.refused.insert(number.to_owned());
        Repayment::Refused { code: code.to_owned(), message: String::new() }
    }

    /// A request: one number is one refund, however often it is asked for, and once refused it stays so.
    fn take(&mut self, wish: &RefundWish, now: i64) -> Repayment {
        let number = wish.refund.to_string();
        if self.refused.contains(&number) {
            return self.refuse(&number, "INVALID_REQUEST");
        }
        if let Some(told) = self.told(&number) {
            let same = (&told.transaction, told.amount, told.total) == (&wish.transaction, wish.amount, wish.total);
            return if same { Repayment::Known(told) } else { self.refuse(&number, "INVALID_REQUEST") };
        }
        let Some((order, total)) = self.paid.get(&wish.transaction).cloned() else {
            return self.refuse(&number, "RESOURCE_NOT_EXISTS");
        };
        let fits = self.going(&wish.transaction).plus(wish.amount).is_some_and(|all| all <= total);
        if total != wish.total || !fits || !wish.amount.is_positive() {
            return self.refuse(&number, "INVALID_REQUEST");
        }
        if now < self.short_until {
            return Repayment::Short;
        }
        let (transaction, amount) = (wish.transaction.clone(), wish.amount);
        let state = RefundState::Processing;
        self.backs
            .insert(number.clone(), Back { transaction, order, amount, total, made_at: now, state, portal: false });
        self.told(&number).map_or(Repayment::NotFound, Repayment::Known)
    }

    /// Numbers of refunds that have not ended.
    fn open(&self) -> Vec<String> {
        let open = |state| matches!(state, RefundState::Processing | RefundState::Abnormal);
        self.backs.iter().filter(|(_, back)| open(back.state)).map(|(number, _)| number.clone()).collect()
    }

    /// A refund that has not ended, as a forger imagines its end.
    pub(crate) fn forged(&mut self) -> Option<Refunded> {
        let open = self.open();
        let number = open.get(self.rng.place(open.len()))?.clone();
        let state = if self.rng.chance(500) {
            RefundState::Closed
        } else {
            RefundState::Success { at: ledger::Micros::default() }
        };
        self.told(&number).map(|told| Refunded { state, ..told })
    }
}

impl World {
    /// A request for a refund arrives at the provider.
    pub(crate) fn refund_there(&mut self, wish: &RefundWish) -> Result<Repayment, ChannelError> {
        let number = wish.refund.to_string();
        let (amount, total) = (wish.amount.get().into(), wish.total.get().into());
        self.checker.refunds.asked(&number, &wish.transaction, (amount, total), &mut self.checker.findings);
        let (now, faults) = (self.now, self.faults);
        let provider = &mut self.provider.paybacks;
        let known = provider.backs.contains_key(&number) || provider.refused.contains(&number);
        if !known && provider.rng.chance(faults.refund_refused) {
            self.counters.add("refund: refused for good");
            provider.refuse(&number, "USER_ACCOUNT_ABNORMAL");
        }
        if provider.rng.chance(faults.refund_error) {
            if provider.rng.chance(500) {
                self.counters.add("refund: request not taken, no answer");
                return Err(unknown("SYSTEM_ERROR"));
            }
            self.counters.add("refund: request taken, no answer");
            self.take_refund(wish, now);
            return Err(unknown("FREQUENCY_LIMITED"));
        }
        Ok(self.take_refund(wish, now))
    }

    fn take_refund(&mut self, wish: &RefundWish, now: i64) -> Repayment {
        let number = wish.refund.to_string();
        let provider = &mut self.provider.paybacks;
        let before = provider.backs.contains_key(&number);
        let answer = provider.take(wish, now);
        match &answer {
            Repayment::Known(_) if before => self.counters.add("refund: asked for again under its number"),
            Repayment::Known(_) => {
                self.checker.refunds.took(&wish.transaction);
                let slow = if provider.rng.chance(self.faults.refund_slow) { 6 * HOUR } else { 20 * MINUTE };
                let wait = provider.rng.between(SECOND, slow);
                self.at(wait, Event::RefundEnds { number: number.clone() });
                self.note(Who::NOBODY, || format!("provider takes refund {number}: {wish:?}"));
            }
            Repayment::Short => {
                self.counters.add("refund: merchant account short");
                self.checker.refunds.short(&number);
            }
            Repayment::Refused { .. } => self.checker.refunds.refused_there(&number),
            Repayment::NotFound => {}
        }
        answer
    }

    /// A refund is asked about.
    pub(crate) fn refund_state(&mut self, number: &str) -> Result<Repayment, ChannelError> {
        let provider = &mut self.provider.paybacks;
        if provider.rng.chance(self.faults.ask_error) {
            self.counters.add("refund: query without an answer");
            return Err(unknown("FREQUENCY_LIMITED"));
        }
        let stale =
            if provider.rng.chance(self.faults.stale_query) { provider.rng.between(SECOND, 20 * SECOND) } else { 0 };
        let at = self.now - stale;
        let seen = provider.backs.get(number).is_some_and(|back| back.made_at <= at);
        let told = provider.told(number).filter(|_| seen);
        if told.is_none() {
            self.counters.add("refund: query says not found");
        }
        Ok(told.map_or(Repayment::NotFound, Repayment::Known))
    }

    /// The payer's bank has answered, or a person repaired what was stuck.
    pub(crate) fn refund_ends(&mut self, number: &str) {
        let (faults, wall) = (self.faults, self.wall_now());
        let Some(back) = self.provider.paybacks.backs.get(number).cloned() else { return };
        let rng = &mut self.provider.paybacks.rng;
        let state = match back.state {
            RefundState::Success { .. } | RefundState::Closed => return,
            RefundState::Processing if !back.portal && rng.chance(faults.refund_abnormal) => RefundState::Abnormal,
            RefundState::Processing if !back.portal && rng.chance(faults.refund_closed) => RefundState::Closed,
            RefundState::Abnormal if rng.chance(200) => RefundState::Closed,
            RefundState::Processing | RefundState::Abnormal => RefundState::Success { at: wall },
        };
        if state == RefundState::Abnormal {
            let wait = rng.between(HOUR, 8 * HOUR);
            self.at(wait, Event::RefundEnds { number: number.to_owned() });
        }
        self.counters.add(match (state, back.state) {
            (RefundState::Success { .. }, RefundState::Abnormal) => "refund: repaired after all",
            (RefundState::Success { .. }, _) => "refund: given back",
            (RefundState::Closed, RefundState::Abnormal) => "refund: closed after it was abnormal",
            (RefundState::Closed, _) => "refund: closed by the provider",
            (RefundState::Abnormal | RefundState::Processing, _) => "refund: abnormal",
        });
        if let Some(back) = self.provider.paybacks.backs.get_mut(number) {
            back.state = state;
        }
        self.note(Who::NOBODY, || format!("provider: refund {number} is {state:?}"));
        self.checker.refunds.became(number, state);
        self.notify_of_refund(number, back.portal);
    }

    fn notify_of_refund(&mut self, number: &str, only_way: bool) {
        let Some(told) = self.provider.paybacks.told(number) else { return };
        // Of one that a restore made the book forget, no question of ours asks.
        let only_way = only_way || self.checker.refunds.forgot(number);
        let silent = !only_way && self.provider.paybacks.rng.chance(self.faults.notice_silence);
        self.push_notice(News::Refund(told), Told::Refund(number.to_owned()), only_way, silent, 0);
    }

    /// Somebody gives a payment back by hand at the provider's portal.
    pub(crate) fn portal(&mut self) {
        if self.calm || self.faults.portal_hours == 0 {
            return;
        }
        self.plan_portal();
        let paid: Vec<String> = self.provider.paybacks.paid.keys().cloned().collect();
        let provider = &mut self.provider.paybacks;
        let Some(transaction) = paid.get(provider.rng.place(paid.len())) else { return };
        let Some((order, total)) = provider.paid.get(transaction).cloned() else { return };
        let rest = total.minus(provider.going(transaction)).unwrap_or(Fen::ZERO);
        // Payments that the book has never heard of are left alone: no notice of theirs would be one of a payment any more.
        if !rest.is_positive() || !self.checker.payments.knows(transaction) {
            return;
        }
        provider.portal += 1;
        let number = format!("portal-{}", provider.portal);
        let amount = if provider.rng.chance(500) { rest } else { Fen::new(provider.rng.between(1, rest.get())) };
        let (transaction, made_at, state) = (transaction.clone(), self.now, RefundState::Processing);
        let taken = transaction.clone();
        provider.backs.insert(number.clone(), Back { transaction, order, amount, total, made_at, state, portal: true });
        let wait = provider.rng.between(MINUTE, HOUR);
        self.checker.refunds.took(&taken);
        self.counters.add("refund: by hand at the provider's portal");
        self.at(wait, Event::RefundEnds { number });
    }

    pub(crate) fn plan_portal(&mut self) {
        if self.faults.portal_hours > 0 {
            let next = self.net.about(i64::from(self.faults.portal_hours) * HOUR);
            self.at(next, Event::Portal);
        }
    }

    /// The merchant's account runs short for hours.
    pub(crate) fn runs_short(&mut self) {
        if self.calm || self.faults.short_hours == 0 {
            return;
        }
        let hours = self.provider.paybacks.rng.between(HOUR / 2, 6 * HOUR);
        self.provider.paybacks.short_until = self.now + hours;
        self.plan_short();
    }

    pub(crate) fn plan_short(&mut self) {
        if self.faults.short_hours > 0 {
            let next = self.net.about(i64::from(self.faults.short_hours) * HOUR);
            self.at(next, Event::RunsShort);
        }
    }

    /// All is calm: there is money, and persons repair what is stuck.
    pub(crate) fn paybacks_end(&mut self) {
        self.provider.paybacks.short_until = 0;
        for number in self.provider.paybacks.open() {
            let wait = self.provider.paybacks.rng.between(SECOND, HOUR);
            self.at(wait, Event::RefundEnds { number });
        }
    }

    /// Refunds that a restored book does not know come to light, as on the provider's bill.
    pub(crate) fn bill_of_refunds_is_read(&mut self) {
        for number in 0..self.provider.notices.len() {
            let Some(notice) = self.provider.notices.get_mut(number) else { continue };
            let Told::Refund(refund) = &notice.told else { continue };
            if self.checker.refunds.knows(refund) {
                continue;
            }
            (notice.done, notice.silent, notice.only_way, notice.tries) = (false, false, true, 0);
            let wait = self.server.outside.rng.between(MINUTE, 2 * HOUR);
            self.at(wait, Event::Notify { notice: number });
        }
    }
}
