//! Money goes back the way it came (R21, R36, R76; M10, M12, M27, M28; decision table of payments, rows 9, 20 to 26, 32).
//!
//! The money is held first, in the decision that makes the refund: what is on its way back can neither be spent nor loaded.
//! Only the provider's word about this very refund number ends it; a time-out or a "not found" never does.

mod ask;

use ledger::{Fen, Micros};

use crate::case;
use crate::chart::Channel;
use crate::ids::{CaseId, OrderNo, PersonId, RefundNo};

pub use ask::{Asked, Cause, MOST_REASON, Place, Refusal, by_rule, check, check_asked, not_loaded, of_case, of_order};

/// Whose the money was before it was held, and whose it is again when the refund fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It waited for the card: an order's whole item (M10).
    Waiting {
        /// Whose.
        person: PersonId,
        /// Of which order.
        order: OrderNo,
    },
    /// It was in the account, spendable on line.
    Account {
        /// Whose.
        person: PersonId,
        /// From which order.
        order: OrderNo,
    },
    /// It lay in the suspense of a case; the holder is the one whose order the payment named.
    Case {
        /// Which case.
        case: CaseId,
        /// The order that the payment named, and whose that is.
        of: Option<(PersonId, OrderNo)>,
    },
}

impl Origin {
    /// The holder whom it concerns, and the order.
    pub const fn of(&self) -> Option<(PersonId, OrderNo)> {
        match *self {
            Origin::Waiting { person, order } | Origin::Account { person, order } => Some((person, order)),
            Origin::Case { of, .. } => of,
        }
    }
}

/// Why a refund ended with nothing given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The provider closed it (row 25).
    Closed,
    /// The provider refused this very number for good.
    Refused {
        /// Its code.
        code: String,
    },
}

/// State of a refund. It only moves forward, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Stored, its money held; the provider has not been told.
    Held,
    /// Told, or about to be: the provider may or may not know it.
    Sent,
    /// Our account with the provider holds too little; it goes again under the same number.
    Short {
        /// Since when.
        since: Micros,
    },
    /// The provider took it; the money is on its way.
    Processing {
        /// Since when.
        since: Micros,
    },
    /// The payer's account takes nothing; not final (row 26).
    Abnormal {
        /// Since when.
        since: Micros,
    },
    /// The payer has it.
    Settled {
        /// Since when, by the provider.
        at: Micros,
    },
    /// Failed for good: its owner has the money again. A new attempt gets a new number.
    Released {
        /// Since when.
        at: Micros,
        /// Why.
        why: Failure,
    },
}

/// A refund. Everything the provider is told stands here before it is told (M28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its number, the provider's `out_refund_no`.
    pub no: RefundNo,
    /// Through which channel.
    pub channel: Channel,
    /// The provider's number of the payment that goes back.
    pub transaction: String,
    /// What that payment was in whole.
    pub total: Fen,
    /// What goes back of it.
    pub amount: Fen,
    /// What the payer reads, at most 80 bytes.
    pub reason: String,
    /// Whose the money was.
    pub origin: Origin,
    /// When it was made.
    pub made_at: Micros,
    /// Who made it; [`case::BY_RULE`] when a rule did.
    pub made_by: String,
    /// The second person, where two are needed.
    pub approved_by: Option<String>,
    /// Where it stands.
    pub state: State,
    /// When the provider was told first, or was about to be.
    pub sent_at: Option<Micros>,
    /// When the provider last gave a sure answer about it.
    pub heard_at: Option<Micros>,
    /// When it must be looked at again; none once it has ended.
    pub due_at: Option<Micros>,
    /// Cases that were opened about it, one of a kind.
    pub cases: Vec<(case::Kind, CaseId)>,
}

/// A payment that may go back, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Through which channel it came.
    pub channel: Channel,
    /// The provider's number of it.
    pub transaction: String,
    /// What it was.
    pub total: Fen,
    /// When it was made.
    pub paid_at: Micros,
}

/// What went back of one payment so far (row 21, R76).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaid {
    /// Refunds that did not fail, together.
    pub back: Fen,
    /// What the provider gave back besides, not at our request, as far as it told.
    pub foreign: Fen,
    /// The one that has not ended.
    pub live: Option<RefundNo>,
    /// Every refund of it, failed ones too, in the order of making.
    pub all: Vec<RefundNo>,
    /// When the newest was made.
    pub newest_at: Option<Micros>,
}

/// What the provider tells of a refund, as the rule compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The provider's number of the payment.
    pub transaction: String,
    /// What goes back.
    pub amount: Fen,
    /// What the payment was in whole.
    pub total: Fen,
    /// How far it is.
    pub progress: Progress,
}

/// Between two refunds of one payment, seconds: the provider's rule.
const APART: i64 = 60;

/// How far a refund is at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Accepted; the money is on its way.
    Processing,
    /// The payer has it.
    Success {
        /// Since when; the moment of the news when the provider does not tell.
        at: Micros,
    },
    /// Failed for good under this number (row 25).
    Closed,
    /// The payer's account takes nothing; not final, a person must act (row 26).
    Abnormal,
}

/// What happens to a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The request is about to leave.
    Sending,
    /// The provider knows it.
    Told(Told),
    /// The provider has never heard of it. A request on its way may still arrive (M27).
    NotFound,
    /// Our account with the provider holds too little: nothing happened.
    Short,
    /// The provider refused this very number for good.
    Refused {
        /// Its code.
        code: String,
    },
    /// The provider could not be asked.
    NoAnswer,
}

/// What is done about an event besides the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// What was held is the provider's: it is no longer owed to us (row 24).
    Settle,
    /// What was held goes back to its owner (row 25).
    Release,
    /// A case for a person.
    Tell(case::Kind),
}

/// A decision on a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The refund as it is from now on.
    pub refund: Refund,
    /// What is done.
    pub effect: Effect,
}

/// Seconds after the first sending at which the provider is asked: each minute for five, then 5, 10, 20 and 30 minutes
/// apart (row 23).
const ASK_AFTER: [i64; 9] = [60, 120, 180, 240, 300, 600, 1200, 2400, 4200];
/// Then so often, seconds.
const ASK_EVERY: i64 = 1800;

impl Refund {
    /// A new refund of `amount`, whose money is held in the same decision. The provider takes refunds of one payment a
    /// minute apart, so a later one waits that long.
    pub fn new(
        no: RefundNo,
        payment: &Payment,
        repaid: &Repaid,
        amount: Fen,
        origin: Origin,
        asked: &Asked,
        now: Micros,
    ) -> Refund {
        let earliest = repaid.newest_at.map_or(now, |newest| newest.after_seconds(APART));
        Refund {
            no,
            channel: payment.channel,
            transaction: payment.transaction.clone(),
            total: payment.total,
            amount,
            reason: asked.reason.clone(),
            origin,
            made_at: now,
            made_by: asked.by.clone(),
            approved_by: asked.approved_by.clone(),
            state: State::Held,
            sent_at: None,
            heard_at: None,
            due_at: Some(earliest.max(now)),
            cases: Vec::new(),
        }
    }

    /// It has not ended: its money is held.
    pub const fn live(&self) -> bool {
        match self.state {
            State::Held | State::Sent | State::Short { .. } | State::Processing { .. } | State::Abnormal { .. } => true,
            State::Settled { .. } | State::Released { .. } => false,
        }
    }

    /// A case of this kind about it.
    pub fn case(&self, kind: case::Kind) -> Option<CaseId> {
        self.cases.iter().find(|(each, _)| *each == kind).map(|(_, case)| *case)
    }

    fn next_due(&self, now: Micros) -> Option<Micros> {
        if !self.live() {
            return None;
        }
        let Some(sent_at) = self.sent_at else { return self.due_at };
        let scheduled = ASK_AFTER.into_iter().map(|seconds| sent_at.after_seconds(seconds)).find(|at| *at > now);
        Some(scheduled.unwrap_or(now.after_seconds(ASK_EVERY)))
    }
}

impl Repaid {
    /// A refund of the payment was made.
    pub fn made(&mut self, refund: &Refund) {
        self.back = self.back.plus(refund.amount).unwrap_or(self.back);
        self.live = Some(refund.no);
        self.all.push(refund.no);
        self.newest_at = Some(refund.made_at);
    }

    /// A refund of the payment ended.
    pub fn ended(&mut self, refund: &Refund) {
        if self.live == Some(refund.no) {
            self.live = None;
        }
        if matches!(refund.state, State::Released { .. }) {
            self.back = self.back.minus(refund.amount).unwrap_or(Fen::ZERO).max(Fen::ZERO);
        }
    }
}

/// Moves a refund by one event.
///
/// Shape: `now` is batch time.
/// Repeats: an event already applied does nothing; state only moves forward, and a case of a kind is told once.
/// Source: rows 22 to 26; M27.
pub fn decide(refund: &Refund, event: &Event, now: Micros) -> Decision {
    let mut next = refund.clone();
    let effect = match event {
        Event::Sending => {
            next.sent_at.get_or_insert(now);
            advance(&mut next, State::Sent);
            Effect::None
        }
        Event::Told(told) => {
            next.heard_at = Some(now);
            hear(&mut next, told, now)
        }
        Event::NotFound => {
            next.heard_at = Some(now);
            Effect::None
        }
        Event::Short => {
            next.heard_at = Some(now);
            match advance(&mut next, State::Short { since: now }) {
                true => Effect::Tell(case::Kind::RefundShort),
                false => Effect::None,
            }
        }
        Event::Refused { code } => {
            next.heard_at = Some(now);
            refuse(&mut next, code, now)
        }
        Event::NoAnswer => Effect::None,
    };
    next.due_at = next.next_due(now);
    let effect = match effect {
        Effect::Tell(kind) if next.case(kind).is_some() => Effect::None,
        effect => effect,
    };
    Decision { refund: next, effect }
}

/// How far a state is; only a live refund moves, and only forward.
const fn rank(state: &State) -> u8 {
    match state {
        State::Held => 0,
        State::Sent => 1,
        State::Short { .. } => 2,
        State::Processing { .. } => 3,
        State::Abnormal { .. } => 4,
        State::Settled { .. } | State::Released { .. } => 5,
    }
}

/// Goes to a state that is farther; says whether it did.
fn advance(refund: &mut Refund, to: State) -> bool {
    let farther = rank(&to) > rank(&refund.state);
    if farther {
        refund.state = to;
    }
    farther
}

fn hear(refund: &mut Refund, told: &Told, now: Micros) -> Effect {
    let same = told.transaction == refund.transaction && told.amount == refund.amount && told.total == refund.total;
    if !same {
        return Effect::Tell(case::Kind::RefundDiffers);
    }
    match &refund.state {
        State::Held | State::Sent | State::Short { .. } | State::Processing { .. } | State::Abnormal { .. } => {
            hear_of_live(refund, told.progress, now)
        }
        State::Settled { .. } => match told.progress {
            Progress::Closed => Effect::Tell(case::Kind::RefundContradicted),
            // The same again, or news older than what we know (row 10).
            Progress::Processing | Progress::Abnormal | Progress::Success { .. } => Effect::None,
        },
        State::Released { why, .. } => match (why, told.progress) {
            (Failure::Closed | Failure::Refused { .. }, Progress::Success { .. })
            | (Failure::Refused { .. }, Progress::Processing | Progress::Abnormal) => {
                Effect::Tell(case::Kind::RefundContradicted)
            }
            (Failure::Closed, Progress::Processing | Progress::Abnormal)
            | (Failure::Closed | Failure::Refused { .. }, Progress::Closed) => Effect::None,
        },
    }
}

fn hear_of_live(refund: &mut Refund, progress: Progress, now: Micros) -> Effect {
    match progress {
        Progress::Processing => {
            advance(refund, State::Processing { since: now });
            Effect::None
        }
        Progress::Abnormal => match advance(refund, State::Abnormal { since: now }) {
            true => Effect::Tell(case::Kind::RefundAbnormal),
            false => Effect::None,
        },
        Progress::Success { at } => {
            refund.state = State::Settled { at };
            Effect::Settle
        }
        Progress::Closed => {
            refund.state = State::Released { at: now, why: Failure::Closed };
            Effect::Release
        }
    }
}

fn refuse(refund: &mut Refund, code: &str, now: Micros) -> Effect {
    match refund.state {
        State::Sent | State::Short { .. } => {
            refund.state = State::Released { at: now, why: Failure::Refused { code: code.to_owned() } };
            Effect::Release
        }
        // It took the refund before: which of the two holds, a person must find out. The hold stays (M27).
        State::Processing { .. } | State::Abnormal { .. } => Effect::Tell(case::Kind::RefundContradicted),
        // Nothing was sent, or an answer that comes after the end.
        State::Held | State::Settled { .. } | State::Released { .. } => Effect::None,
    }
}

#[cfg(test)]
#[path = "refund_tests.rs"]
mod tests;
