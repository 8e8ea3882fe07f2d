//! A top-up order, from its making to the card (R17 to R22, R27 to R30; M26 to M29).
//!
//! Only a proved payment moves money: a verified notice or a verified answer to a query. A browser's word, a time-out or a
//! terminal's word never does. What is unknown stays unknown until the provider says.

use ledger::{AmountText, Fen, Micros};

use crate::card;
use crate::chart::Channel;
use crate::ids::{CaseId, OrderNo, PersonId};
use crate::limits::{Limits, Setting};
use crate::person::Standing;
use crate::words::Words;

/// Where paid money goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It waits for the card (`awaiting_tap`).
    Tap,
    /// It can be spent on line at once (`available`).
    Instant,
}

/// Where an order is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Inside WeChat (JSAPI): the payer is known.
    InWeChat {
        /// The payer as the official account knows him.
        openid: String,
    },
    /// In a phone's browser, which calls WeChat (H5).
    PhoneBrowser {
        /// The payer's network address, which the provider wants to see.
        address: String,
    },
    /// By scanning a code from another screen (Native).
    Scan,
}

/// What the payer's page needs to have an order paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// For the WeChat bridge: the provider's number of the prepared payment. Good for two hours.
    Prepaid(String),
    /// The address that calls WeChat from a phone's browser. Good for five minutes; the same order gives a fresh one.
    Address(String),
    /// The text of the code to scan. Good for two hours.
    Code(String),
}

/// State of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Saved here; the provider has not been told.
    Created,
    /// Told to the provider without a sure answer: it may or may not know the order.
    Unknown {
        /// Since when.
        since: Micros,
    },
    /// The provider knows it and it can be paid.
    Paying {
        /// What the payer's page needs.
        ticket: Ticket,
    },
    /// Past its time and not paid as far as we know; the provider has not confirmed it.
    ExpiredLocal {
        /// Since when.
        since: Micros,
    },
    /// Ended unpaid: the provider says so, or refused it from the start.
    Closed {
        /// When.
        at: Micros,
    },
    /// A payment of it went to a case: the provider is asked about it once more, then a person looks. A right payment still
    /// credits.
    InCase {
        /// When.
        at: Micros,
        /// The newest case of it; filled in by the one who opens it.
        case: Option<CaseId>,
    },
    /// Paid, and the money is in the book.
    Credited(Credited),
}

/// A credited order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credited {
    /// The provider's number of the payment.
    pub transaction: String,
    /// When it was paid.
    pub paid_at: Micros,
    /// When it came into the book.
    pub at: Micros,
    /// It came after we had taken the order for expired or closed.
    pub late: bool,
    /// When the card took it; none while it waits, always none for money that arrives on line.
    pub on_card_at: Option<Micros>,
}

/// A top-up order. Everything the provider is told stands here before it is told (M28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number, the provider's `out_trade_no`.
    pub no: OrderNo,
    /// Whose.
    pub person: PersonId,
    /// Through which channel.
    pub channel: Channel,
    /// How much.
    pub amount: Fen,
    /// Where the money goes first.
    pub arrival: Arrival,
    /// Where it is paid, and by whom as far as the channel must know.
    pub scene: Scene,
    /// When it was made; its day counts for daily limits (M29).
    pub created_at: Micros,
    /// Last moment to pay; the provider has the same.
    pub expires_at: Micros,
    /// Where it stands.
    pub state: State,
    /// Last time the provider was asked, and how often.
    pub queried: Option<(Micros, u32)>,
    /// When it must be looked at again; none once it has ended.
    pub due_at: Option<Micros>,
}

/// What a new order is checked against.
#[derive(Clone, Copy, Debug)]
pub struct OpenFacts<'a> {
    /// The rules now.
    pub limits: &'a Limits,
    /// Whether the account takes part.
    pub standing: Standing,
    /// State of the holder's card; none when there is none.
    pub card: Option<card::State>,
    /// Everything that is the holder's now: on line, waiting, on its way, on the card.
    pub holds: Fen,
    /// Orders that can still be paid (M29).
    pub open_orders: Fen,
    /// WeChat orders of this campus day, without closed ones.
    pub ordered_today: Fen,
}

/// Why no order is made; the first that applies is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenRefusal {
    /// The text is no amount.
    #[error(transparent)]
    Text(#[from] AmountText),
    /// Less than the least.
    #[error("at least {0}")]
    TooLittle(Fen),
    /// The account is closed.
    #[error("the account is closed")]
    AccountClosed,
    /// There is no card.
    #[error("no card")]
    NoCard,
    /// The card's state does not allow it.
    #[error(transparent)]
    Card(#[from] card::Refusal),
    /// From this amount on, an approval and the counter are needed (R65).
    #[error("from {0} an approval is needed")]
    ApprovalRequired(Fen),
    /// More than an order may be.
    #[error("at most {0} an order")]
    PerOrder(Fen),
    /// More than a day may be; so much is left.
    #[error("{left} left today")]
    Daily {
        /// What is left today.
        left: Fen,
    },
    /// The account would hold more than it may; so much fits.
    #[error("{room} fits")]
    BalanceCap {
        /// What fits.
        room: Fen,
        /// Kept for orders that can still be paid.
        kept: Fen,
    },
    /// The number is taken; make another.
    #[error("the order number is taken")]
    NumberTaken,
}

/// Amount from which a top-up needs an approval and the counter (R62, R65), in fen; 以上 includes it.
pub(crate) const LARGE: Fen = Fen::new(200_000);

/// May this order be made? Errors, in the order of [`OpenRefusal`]. Source: R19, R21, R22, R28, R29, R65.
pub fn check_open(amount: Fen, facts: &OpenFacts<'_>) -> Result<(), OpenRefusal> {
    let least = facts.limits.fen(Setting::TopUpMin);
    if amount < least {
        return Err(OpenRefusal::TooLittle(least));
    }
    if facts.standing == Standing::Closed {
        return Err(OpenRefusal::AccountClosed);
    }
    card::usable(facts.card.ok_or(OpenRefusal::NoCard)?)?;
    if amount >= LARGE {
        return Err(OpenRefusal::ApprovalRequired(LARGE));
    }
    let per_order = facts.limits.fen(Setting::WeChatPerOrderMax);
    if amount > per_order {
        return Err(OpenRefusal::PerOrder(per_order));
    }
    let daily = facts.limits.fen(Setting::WeChatDailyMax);
    let left = rest(daily, facts.ordered_today);
    if daily > Fen::ZERO && amount > left {
        return Err(OpenRefusal::Daily { left });
    }
    let room = rest(rest(facts.limits.fen(Setting::BalanceMax), facts.holds), facts.open_orders);
    if amount > room {
        return Err(OpenRefusal::BalanceCap { room, kept: facts.open_orders });
    }
    Ok(())
}

/// The most that one order may be now; nothing when none may be made. [`check_open`] takes every amount from the least
/// top-up up to it, and none above. Source: R21, R22, R28, R29, R39, R65.
pub fn most_now(facts: &OpenFacts<'_>) -> Fen {
    let below_large = rest(LARGE, Fen::new(1));
    let daily = facts.limits.fen(Setting::WeChatDailyMax);
    let today = if daily > Fen::ZERO { rest(daily, facts.ordered_today) } else { below_large };
    let room = rest(rest(facts.limits.fen(Setting::BalanceMax), facts.holds), facts.open_orders);
    let most = facts.limits.fen(Setting::WeChatPerOrderMax).min(below_large).min(today).min(room);
    if check_open(most, facts).is_ok() { most } else { Fen::ZERO }
}

fn rest(limit: Fen, used: Fen) -> Fen {
    limit.minus(used).unwrap_or(Fen::ZERO).max(Fen::ZERO)
}

/// A proved payment, as the rule compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The provider's number of the payment.
    pub transaction: String,
    /// The order's total as the provider has it.
    pub amount: Fen,
    /// It is in CNY.
    pub in_cny: bool,
    /// When it was paid.
    pub paid_at: Micros,
}

/// What happens to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The provider took the order.
    Prepaid(Ticket),
    /// The provider gave no sure answer to the creation.
    CreateUnknown,
    /// The provider refused the creation for good.
    CreateRefused,
    /// A proved payment of this order.
    Paid(Paid),
    /// The provider says: known and not paid (or being paid).
    NotPaid,
    /// The provider has never heard of it.
    NotFound,
    /// The provider says: closed unpaid.
    ClosedThere,
    /// The provider says: paid, and given back there since, in part or whole. Nothing of it is ours to credit.
    RefundedThere(Paid),
    /// The provider could not be asked.
    NoAnswer,
    /// The provider was asked about the payment of this order that lies in a case; its word stands there (row 7).
    Confirmed,
    /// The card took this order's money.
    Loaded,
}

/// What is done about an event besides the new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The amount goes from the channel to the holder.
    Credit,
    /// The payment goes to suspense, with a case.
    Suspend(Suspicion),
}

/// Why a proved payment is not credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Another amount or currency (R20).
    Mismatch,
    /// The order was paid before, by another payment.
    Twice,
    /// The account is closed: to be refunded (R21).
    AccountClosed,
    /// The provider gave it back, in part or whole, and not at our request.
    GivenBack,
}

/// A decision on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The order as it is from now on.
    pub order: Order,
    /// What is done.
    pub effect: Effect,
}

/// Seconds after the making at which the provider is asked, when no notice comes.
pub const QUERY_AFTER: [i64; 8] = [5, 30, 60, 180, 300, 600, 1800, 3600];
/// How long after its expiry an order is "not found" for good, seconds.
const NOT_FOUND_MARGIN: i64 = 600;
/// How long to wait before asking again what should have an answer by now, seconds.
const ASK_AGAIN: i64 = 60;
/// And at most so long, when it has gone on for hours: a provider that is dark for days is not asked by all orders each
/// minute.
const ASK_SELDOM: i64 = 600;

impl Order {
    /// A new order, to be saved before the provider hears of it.
    pub fn new(no: OrderNo, person: PersonId, amount: Fen, scene: Scene, limits: &Limits, now: Micros) -> Order {
        let arrival = crate::channel::arrival(Channel::WeChat, limits);
        let mut order = Order {
            no,
            person,
            channel: Channel::WeChat,
            amount,
            arrival,
            scene,
            created_at: now,
            expires_at: now.after_seconds(limits.get(Setting::OrderPayWithin)),
            state: State::Created,
            queried: None,
            due_at: None,
        };
        order.due_at = order.next_due(now);
        order
    }

    /// It can still be paid as far as we know: its room in the account is kept (M29).
    pub const fn open(&self) -> bool {
        match self.state {
            State::Created | State::Unknown { .. } | State::Paying { .. } | State::ExpiredLocal { .. } => true,
            State::Closed { .. } | State::InCase { .. } | State::Credited(_) => false,
        }
    }

    fn next_due(&self, now: Micros) -> Option<Micros> {
        if !self.open() {
            return None;
        }
        let asked = QUERY_AFTER.into_iter().map(|seconds| self.created_at.after_seconds(seconds));
        let scheduled = asked.chain([self.expires_at]).filter(|at| *at > now && *at <= self.expires_at).min();
        let over = now.seconds().saturating_sub(self.expires_at.seconds());
        let again = over.checked_div(8).unwrap_or(0).clamp(ASK_AGAIN, ASK_SELDOM);
        Some(scheduled.unwrap_or(now.after_seconds(again)))
    }
}

/// Moves an order by one event.
///
/// Shape: `now` is batch time; `standing` that of the holder's account.
/// Repeats: an event already applied returns the order unchanged and does nothing; state only moves forward.
/// Source: requirements R17, R18, R20, R21; decision table of payments, rows 1, 2, 7 to 10, 13 to 16.
pub fn decide(order: &Order, event: &Event, standing: Standing, now: Micros) -> Decision {
    let mut next = order.clone();
    let effect = match event {
        Event::Paid(paid) => pay(&mut next, paid, standing, now),
        Event::Loaded => {
            load(&mut next, now);
            Effect::None
        }
        Event::RefundedThere(paid) => given_back(&mut next, paid, now),
        Event::Confirmed => Effect::None,
        Event::Prepaid(_)
        | Event::CreateUnknown
        | Event::CreateRefused
        | Event::NotPaid
        | Event::NotFound
        | Event::ClosedThere
        | Event::NoAnswer => {
            if matches!(event, Event::NotPaid | Event::NotFound | Event::ClosedThere) {
                let times = next.queried.map_or(0, |(_, times)| times);
                next.queried = Some((now, times.saturating_add(1)));
            }
            next.state = after_news(&next, event, now);
            Effect::None
        }
    };
    next.due_at = match (&next.state, event, effect == Effect::Suspend(Suspicion::Mismatch)) {
        // What it should have been is not asked of the notice that was wrong: the provider is asked once more (row 7).
        (State::InCase { .. }, _, true) => Some(now),
        (State::InCase { .. }, Event::Confirmed, false) => None,
        (State::InCase { .. }, _, false) => {
            order.due_at.filter(|_| !order.open()).map(|_| now.after_seconds(ASK_AGAIN))
        }
        _ => next.next_due(now),
    };
    Decision { order: next, effect }
}

/// News without a payment: every pair of state and event is written out.
fn after_news(order: &Order, event: &Event, now: Micros) -> State {
    use Event as E;
    use State as S;
    let expired = now >= order.expires_at;
    let gone = now >= order.expires_at.after_seconds(NOT_FOUND_MARGIN);
    let stay = || order.state.clone();
    match (&order.state, event) {
        // Moved by `pay` and `load`.
        (_, E::Paid(_) | E::Loaded | E::RefundedThere(_) | E::Confirmed) => stay(),
        // Ended orders stay as they are; a later payment is `Paid`'s affair.
        (
            S::Closed { .. } | S::InCase { .. } | S::Credited(_),
            E::Prepaid(_)
            | E::CreateUnknown
            | E::CreateRefused
            | E::NotPaid
            | E::NotFound
            | E::ClosedThere
            | E::NoAnswer,
        ) => stay(),
        (S::Created | S::Unknown { .. } | S::Paying { .. }, E::Prepaid(ticket)) => S::Paying { ticket: ticket.clone() },
        (S::ExpiredLocal { .. }, E::Prepaid(_)) => stay(),
        (S::Created, E::CreateUnknown) => S::Unknown { since: now },
        (S::Unknown { .. } | S::Paying { .. } | S::ExpiredLocal { .. }, E::CreateUnknown) => stay(),
        // A first creation refused for good: the provider does not have it. Later refusals of a repeat prove nothing.
        (S::Created, E::CreateRefused) => S::Closed { at: now },
        (S::Unknown { .. } | S::Paying { .. } | S::ExpiredLocal { .. }, E::CreateRefused) => stay(),
        (S::Created | S::Unknown { .. } | S::Paying { .. }, E::NotPaid) => {
            if expired {
                S::ExpiredLocal { since: now }
            } else {
                stay()
            }
        }
        (S::ExpiredLocal { .. }, E::NotPaid) => stay(),
        (S::Created | S::Unknown { .. } | S::Paying { .. } | S::ExpiredLocal { .. }, E::NotFound) => {
            if gone {
                S::Closed { at: now }
            } else {
                stay()
            }
        }
        (S::Created | S::Unknown { .. } | S::Paying { .. } | S::ExpiredLocal { .. }, E::ClosedThere) => {
            S::Closed { at: now }
        }
        (S::Created | S::Unknown { .. } | S::Paying { .. } | S::ExpiredLocal { .. }, E::NoAnswer) => stay(),
    }
}

fn pay(order: &mut Order, paid: &Paid, standing: Standing, now: Micros) -> Effect {
    if let State::Credited(credited) = &order.state {
        let same = credited.transaction == paid.transaction;
        return if same { Effect::None } else { Effect::Suspend(Suspicion::Twice) };
    }
    let suspicion = if paid.amount != order.amount || !paid.in_cny {
        Some(Suspicion::Mismatch)
    } else if standing == Standing::Closed {
        Some(Suspicion::AccountClosed)
    } else {
        None
    };
    if let Some(suspicion) = suspicion {
        order.state = State::InCase { at: now, case: None };
        return Effect::Suspend(suspicion);
    }
    let late = matches!(order.state, State::ExpiredLocal { .. } | State::Closed { .. });
    order.state = State::Credited(Credited {
        transaction: paid.transaction.clone(),
        paid_at: paid.paid_at,
        at: now,
        late,
        on_card_at: None,
    });
    Effect::Credit
}

fn given_back(order: &mut Order, paid: &Paid, now: Micros) -> Effect {
    match &order.state {
        // A refund of ours, or one that its notice tells of.
        State::Credited(credited) if credited.transaction == paid.transaction => return Effect::None,
        State::Credited(_) => {}
        State::Created
        | State::Unknown { .. }
        | State::Paying { .. }
        | State::ExpiredLocal { .. }
        | State::Closed { .. }
        | State::InCase { .. } => order.state = State::InCase { at: now, case: None },
    }
    Effect::Suspend(Suspicion::GivenBack)
}

fn load(order: &mut Order, now: Micros) {
    if let State::Credited(credited) = &mut order.state {
        credited.on_card_at.get_or_insert(now);
    }
}

/// What is wrong with an amount that was typed, in both languages.
fn misread(text: AmountText) -> (&'static str, &'static str) {
    match text {
        AmountText::Empty => ("请填写充值金额。", "Please enter an amount."),
        AmountText::NotDigits => {
            ("金额只能用数字，例如 50 或 12.50。", "Write the amount in digits, such as 50 or 12.50.")
        }
        AmountText::TooPrecise => ("金额最多保留两位小数。", "An amount has at most two digits after the point."),
        AmountText::TooLarge => ("金额过大，请重新填写。", "The amount is too large."),
    }
}

impl OpenRefusal {
    /// What the holder is told.
    pub fn words(&self) -> Words {
        match self {
            OpenRefusal::Text(text) => {
                let (zh, en) = misread(*text);
                Words::new("AMOUNT_INVALID", zh, en)
            }
            OpenRefusal::TooLittle(least) => Words::new(
                "AMOUNT_INVALID",
                format!("每次至少充值 {least} 元。"),
                format!("The least top-up is ¥{least}."),
            ),
            OpenRefusal::AccountClosed => Words::new(
                "CARD_STATE",
                "账户已注销，不能充值。如有疑问请到校园卡服务中心。",
                "This account is closed and takes no more money. Please ask at the card service centre.",
            ),
            OpenRefusal::NoCard => Words::new(
                "CARD_STATE",
                "您还没有校园卡，请先到校园卡服务中心领卡。",
                "You have no card yet; please collect one at the card service centre first.",
            ),
            OpenRefusal::Card(card::Refusal::State(card::State::Lost)) => Words::new(
                "CARD_STATE",
                "卡片已挂失冻结，现在不能充值。账户里的钱和待圈存的钱都为您保留，解挂或补办新卡后即可充值。",
                "Your card is frozen, so it cannot be topped up now. What is in your account and what waits for the card is kept for \
                 you; once the card is unfrozen or replaced you can top up again.",
            ),
            OpenRefusal::Card(refusal) => refusal.words(),
            OpenRefusal::ApprovalRequired(from) => Words::new(
                "APPROVAL_REQUIRED",
                format!("{from} 元及以上属大额充值，须先审批，并到人工窗口办理。"),
                format!("From ¥{from} a top-up needs an approval beforehand and is made at the counter."),
            ),
            OpenRefusal::PerOrder(most) => Words::new(
                "LIMIT_PER_ORDER",
                format!("微信每笔最多充值 {most} 元，请减少金额或分次充值。"),
                format!("The most per WeChat order is ¥{most}; please lower the amount or make two orders."),
            ),
            OpenRefusal::Daily { left } => Words::new(
                "LIMIT_DAILY",
                format!("今天还可充值 {left} 元。"),
                format!("¥{left} can still be topped up today."),
            ),
            OpenRefusal::BalanceCap { room, kept } if kept.is_positive() => Words::new(
                "BALANCE_CAP",
                format!("账户余额有上限，现在最多还能充值 {room} 元：未付款的订单占用 {kept} 元，付款或关闭后释放。"),
                format!(
                    "The account has a cap; at most ¥{room} fits now. ¥{kept} is kept for orders that are not paid yet, until \
                     they are paid or end."
                ),
            ),
            OpenRefusal::BalanceCap { room, .. } => Words::new(
                "BALANCE_CAP",
                format!("账户余额有上限，现在最多还能充值 {room} 元。"),
                format!("The account has a cap; at most ¥{room} fits now."),
            ),
            OpenRefusal::NumberTaken => Words::new("TRY_AGAIN", "系统繁忙，请再试一次。", "Please try once more."),
        }
    }
}

#[cfg(test)]
#[path = "top_up_tests.rs"]
mod tests;
