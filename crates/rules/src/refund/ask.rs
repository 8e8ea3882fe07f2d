//! Wishes for a refund: what is asked of whom, and why it is refused (rows 7, 20, 21, 32; R76; M12, M25).

use ledger::{Fen, Micros};

use super::{Origin, Payment, Refund, Repaid};
use crate::case::{BY_RULE, Case, Kind};
use crate::ids::{OrderNo, PersonId, RefundNo};
use crate::top_up::{Arrival, Order, State, Suspicion};
use crate::words::Words;

/// Who wants a refund, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What the payer reads.
    pub reason: String,
    /// Who asks; [`crate::case::BY_RULE`] when a rule does.
    pub by: String,
    /// The second person.
    pub approved_by: Option<String>,
}

/// Where the payment's money is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It waits for the card, so much in one piece.
    Waiting(Fen),
    /// A load that was released carries it (M12).
    OnItsWay,
    /// It is on the card (row 32).
    OnCard,
    /// In the account, where so much can be spent.
    Account(Fen),
    /// In a case's suspense: so much is left there.
    Suspense {
        /// What is left.
        left: Fen,
        /// The case is of a kind that two persons decide (row 7).
        two_persons: bool,
    },
}

/// Why no refund is made; the first that applies is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No reason is given, or a longer one than the payer can be shown.
    #[error("a reason of 1 to {MOST_REASON} bytes is needed")]
    Reason,
    /// Nobody is named who asks.
    #[error("somebody must ask for it by name")]
    Nobody,
    /// There is no such order, or no such case with a payment.
    #[error("no such payment")]
    Unknown,
    /// The order was never paid (row 20).
    #[error("the order is not paid")]
    NotPaid,
    /// Its payment lies in a case: refund the case.
    #[error("the payment lies in a case")]
    InCase,
    /// A refund of this payment has not ended.
    #[error("refund {0} of this payment has not ended")]
    Live(RefundNo),
    /// All of it went back.
    #[error("nothing is left of this payment")]
    NothingLeft,
    /// A load carries it to the card (M12).
    #[error("the money is on its way to the card")]
    OnItsWay,
    /// It is on the card: that needs the card (row 32, M25).
    #[error("the money is on the card")]
    OnCard,
    /// The book was restored and the card has not come since: it may have taken the money before (M9).
    #[error("the card has not come since the restore")]
    NotMet,
    /// The provider gives back for a year, and at most fifty times.
    #[error("the provider takes no more refunds of this payment")]
    TooLate,
    /// Nothing, or more than is left.
    #[error("at most {0}")]
    TooMuch(Fen),
    /// What waits for the card goes back as a whole.
    #[error("{0} goes back as a whole or not at all")]
    WholeOnly(Fen),
    /// The holder has spent it: so much is there.
    #[error("only {0} is in the account")]
    Spent(Fen),
    /// Another person must approve it (row 7).
    #[error("a second person must approve it")]
    TwoPersons,
    /// The number is taken; make another.
    #[error("the refund number is taken")]
    NumberTaken,
}

/// Most bytes of a reason: the provider's field.
pub const MOST_REASON: usize = 80;
/// Most refunds of one payment: the provider's rule.
const MOST_REFUNDS: usize = 50;
/// How long after a payment the provider gives it back, seconds: 365 days.
const GIVEN_BACK_WITHIN: i64 = 31_536_000;

/// Why a payment goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person asked for it.
    Person,
    /// By rule: the order was paid twice (row 8).
    Twice,
    /// By rule: the account is closed (row 9).
    AccountClosed,
    /// By rule: it was not loaded in time (R36).
    NotLoaded,
}

/// The wish that a rule itself has for a payment that is not credited; none where a person must look first (rows 8, 9).
pub fn by_rule(suspicion: Suspicion) -> Option<Asked> {
    let cause = match suspicion {
        Suspicion::Twice => Cause::Twice,
        Suspicion::AccountClosed => Cause::AccountClosed,
        Suspicion::Mismatch | Suspicion::GivenBack => return None,
    };
    asked_by_rule(cause)
}

/// The wish that a rule has for money that was not loaded in time (R36).
pub fn not_loaded() -> Option<Asked> {
    asked_by_rule(Cause::NotLoaded)
}

fn asked_by_rule(cause: Cause) -> Option<Asked> {
    let (zh, _) = reason_by_rule(cause)?;
    Some(Asked { reason: zh.to_owned(), by: BY_RULE.to_owned(), approved_by: None })
}

/// What a rule gives as its reason: the Chinese is what the provider is told, and what is kept.
const fn reason_by_rule(cause: Cause) -> Option<(&'static str, &'static str)> {
    match cause {
        Cause::Twice => Some(("重复付款，原路退回", "Paid twice; goes back the way it came")),
        Cause::AccountClosed => Some(("账户已注销，原路退回", "The account is closed; goes back the way it came")),
        Cause::NotLoaded => {
            Some(("超期未圈存，原路退回", "Not loaded onto the card in time; goes back the way it came"))
        }
        Cause::Person => None,
    }
}

impl Asked {
    /// Why it is wished.
    pub fn cause(&self) -> Cause {
        cause(&self.by, &self.reason)
    }
}

fn cause(by: &str, reason: &str) -> Cause {
    let told = |cause: &Cause| reason_by_rule(*cause).is_some_and(|(zh, _)| by == BY_RULE && reason == zh);
    [Cause::Twice, Cause::AccountClosed, Cause::NotLoaded].into_iter().find(told).unwrap_or(Cause::Person)
}

impl Refund {
    /// Why the money goes back.
    pub fn cause(&self) -> Cause {
        cause(&self.made_by, &self.reason)
    }

    /// Why the money goes back, in Chinese and in English. What a person gave as a reason is the same in both.
    pub fn reason_words(&self) -> (&str, &str) {
        reason_by_rule(self.cause()).unwrap_or((&self.reason, &self.reason))
    }
}

/// The payment of an order, and where its money is. `item` is what waits for the card of this order, `spendable` what its
/// holder can spend on line.
///
/// Errors: `NotPaid` for an order without a payment, `InCase` for one whose payment lies in a case. Source: rows 20, 32.
pub fn of_order(order: &Order, item: Option<Fen>, spendable: Fen) -> Result<(Payment, Place, Origin), Refusal> {
    let credited = match &order.state {
        State::Credited(credited) => credited,
        State::InCase { .. } => return Err(Refusal::InCase),
        State::Created
        | State::Unknown { .. }
        | State::Paying { .. }
        | State::ExpiredLocal { .. }
        | State::Closed { .. } => return Err(Refusal::NotPaid),
    };
    let payment = Payment {
        channel: order.channel,
        transaction: credited.transaction.clone(),
        total: order.amount,
        paid_at: credited.paid_at,
    };
    let (person, order) = (order.person, (order.no, order.arrival));
    Ok(match (order, credited.on_card_at, item) {
        ((order, Arrival::Instant), _, _) => (payment, Place::Account(spendable), Origin::Account { person, order }),
        ((order, Arrival::Tap), Some(_), _) => (payment, Place::OnCard, Origin::Waiting { person, order }),
        ((order, Arrival::Tap), None, Some(item)) => (payment, Place::Waiting(item), Origin::Waiting { person, order }),
        ((order, Arrival::Tap), None, None) => (payment, Place::OnItsWay, Origin::Waiting { person, order }),
    })
}

/// Where the money of a payment in suspense is; `left` is what lies there. Source: row 7.
pub fn of_case(case: &Case, left: Fen, of: Option<(PersonId, OrderNo)>) -> (Place, Origin) {
    let two_persons = case.kind == Kind::PaymentMismatch;
    (Place::Suspense { left, two_persons }, Origin::Case { case: case.id, of })
}

/// May this refund be made, and of how much? `wanted` of none means all that can go back.
///
/// Errors, in the order of [`Refusal`]. Source: rows 7, 20, 21, 32; R76; M12; M25.
pub fn check(
    payment: &Payment,
    repaid: &Repaid,
    place: Place,
    wanted: Option<Fen>,
    asked: &Asked,
    now: Micros,
) -> Result<Fen, Refusal> {
    check_asked(asked)?;
    if let Some(live) = repaid.live {
        return Err(Refusal::Live(live));
    }
    let gone = repaid.back.plus(repaid.foreign).unwrap_or(payment.total);
    let left = payment.total.minus(gone).unwrap_or(Fen::ZERO);
    if !left.is_positive() {
        return Err(Refusal::NothingLeft);
    }
    let there = match place {
        Place::OnItsWay => return Err(Refusal::OnItsWay),
        Place::OnCard => return Err(Refusal::OnCard),
        Place::Waiting(there) | Place::Account(there) | Place::Suspense { left: there, .. } => there,
    };
    if now > payment.paid_at.after_seconds(GIVEN_BACK_WITHIN) || repaid.all.len() >= MOST_REFUNDS {
        return Err(Refusal::TooLate);
    }
    let amount = wanted.unwrap_or_else(|| left.min(there));
    if amount > left || (!amount.is_positive() && wanted.is_some()) {
        return Err(Refusal::TooMuch(left));
    }
    match place {
        Place::Waiting(item) if amount != item => Err(Refusal::WholeOnly(item)),
        Place::Account(there) if amount > there || !amount.is_positive() => Err(Refusal::Spent(there)),
        Place::Suspense { left: there, .. } if amount > there => Err(Refusal::TooMuch(there)),
        Place::Suspense { .. } if !amount.is_positive() => Err(Refusal::NothingLeft),
        Place::Suspense { two_persons: true, .. } if !two_persons(asked) => Err(Refusal::TwoPersons),
        Place::Waiting(_) | Place::Account(_) | Place::Suspense { .. } => Ok(amount),
        Place::OnItsWay => Err(Refusal::OnItsWay),
        Place::OnCard => Err(Refusal::OnCard),
    }
}

/// Is the wish itself complete? Errors: `Reason`, `Nobody`.
pub fn check_asked(asked: &Asked) -> Result<(), Refusal> {
    if asked.reason.trim().is_empty() || asked.reason.len() > MOST_REASON {
        return Err(Refusal::Reason);
    }
    if asked.by.trim().is_empty() {
        return Err(Refusal::Nobody);
    }
    Ok(())
}

fn two_persons(asked: &Asked) -> bool {
    let second = asked.approved_by.as_deref().unwrap_or_default().trim();
    !second.is_empty() && second.to_lowercase() != asked.by.trim().to_lowercase()
}

impl Refusal {
    /// What the person who asked is told.
    pub fn words(&self) -> Words {
        match self {
            Refusal::Reason => Words::new(
                "REFUND_REASON",
                format!("请写明退款原因，最多 {MOST_REASON} 字节；付款人会看到。"),
                format!("Give a reason of at most {MOST_REASON} bytes; the payer reads it."),
            ),
            Refusal::Nobody => {
                Words::new("REFUND_BY", "请写明办理人姓名。", "Name the person who asks for the refund.")
            }
            Refusal::Unknown => Words::new(
                "REFUND_UNKNOWN_PAYMENT",
                "没有这个订单，或该差错中没有可退的付款；请核对单号。",
                "There is no such order, or no payment in that case; please check the number.",
            ),
            Refusal::NotPaid => Words::new(
                "REFUND_NOT_PAID",
                "此订单没有付款，没有可退的钱。",
                "This order is not paid; there is nothing to give back.",
            ),
            Refusal::InCase => Words::new(
                "REFUND_IN_CASE",
                "此订单的付款在差错处理中，请按差错编号办理退款。",
                "The payment of this order lies in a case; refund that case instead (`onecard cases` lists it).",
            ),
            Refusal::Live(no) => Words::new(
                "REFUND_LIVE",
                format!("此付款的退款 {no} 尚未完成，请等它结束。"),
                format!("Refund {no} of this payment has not ended; please wait for it."),
            ),
            Refusal::NothingLeft => {
                Words::new("REFUND_NOTHING_LEFT", "此付款已全部退回。", "All of this payment went back already.")
            }
            Refusal::OnItsWay => Words::new(
                "REFUND_ON_ITS_WAY",
                "这笔钱正在写入卡片，贴卡确认之前不能退款。",
                "The money is on its way to the card; hold the card to a terminal first.",
            ),
            Refusal::OnCard => Words::new(
                "REFUND_ON_CARD",
                "这笔钱已在卡内，退款须持卡办理错账更正。",
                "The money is on the card; giving it back needs the card and a correction.",
            ),
            Refusal::NotMet => not_met(),
            Refusal::TooLate => Words::new(
                "REFUND_TOO_LATE",
                "支付平台不再受理此付款的退款，请用其他方式退还。",
                "The provider takes no more refunds of this payment; give the money back in another way.",
            ),
            Refusal::TooMuch(left) => {
                Words::new("REFUND_TOO_MUCH", format!("最多可退 {left} 元。"), format!("At most ¥{left} can go back."))
            }
            Refusal::WholeOnly(amount) => Words::new(
                "REFUND_WHOLE_ONLY",
                format!("待圈存的款项只能整笔退回：{amount} 元。"),
                format!("Money that waits for the card goes back as a whole: ¥{amount}."),
            ),
            Refusal::Spent(there) => Words::new(
                "REFUND_SPENT",
                format!("账户余额不足，现在最多可退 {there} 元。"),
                format!("The account holds too little; at most ¥{there} can go back now."),
            ),
            Refusal::TwoPersons => Words::new(
                "REFUND_TWO_PERSONS",
                "此类差错须两人办理，请另一人复核（--approved-by）。",
                "Two persons decide such a case; name another one who approves (--approved-by).",
            ),
            Refusal::NumberTaken => Words::new("TRY_AGAIN", "系统繁忙，请再试一次。", "Please try once more."),
        }
    }
}

fn not_met() -> Words {
    Words::new(
        "REFUND_CARD_NOT_MET",
        "系统恢复后此卡还没有贴过消费机，这笔钱可能已在卡内。请先贴一次卡，再办理退款。",
        "The book was restored and the card has not come since: it may hold this money. Hold it to a terminal first.",
    )
}
