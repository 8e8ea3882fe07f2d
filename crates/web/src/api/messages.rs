//! A holder's messages for programs: facts, no sentences.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flows::inbox;
use flows::school::fault_words;
use ledger::Micros;
use rules::credential::Scope;
use rules::message::{Back, Message as Told, Received};
use rules::refund;
use rules::top_up::{Arrival, Suspicion};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cursor::{Cursor, limit};
use super::keyed::NothingChanged;
use super::operation::{Access, Answer, Operation, shape};
use super::{Answered, Moment, Sent, Wanted};
use crate::config::Web;
use crate::failure::Failure;
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/api/v1/me/messages",
        name: "messages",
        summary: "What happened to the holder's money, card and account, newest first",
        detail: "Looking changes nothing: messages are read when their reader says so.",
        access: Access::Holder(Scope::Read),
        query: Some(shape::<MessagesAsked>),
        input: None,
        answer: Answer::Found(shape::<Messages>),
        refusals: &[],
    },
    Operation {
        method: "POST",
        path: "/api/v1/me/messages/read",
        name: "read_messages",
        summary: "Messages up to a number are read",
        detail: "A message that came since has a higher number and stays unread. When all were read before the answer is not \
                 kept.",
        access: Access::Holder(Scope::Read),
        query: None,
        input: Some(shape::<ReadTo>),
        answer: Answer::Found(shape::<Unread>),
        refusals: &[],
    },
];

/// Which page of the messages.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MessagesAsked {
    /// `next` of the page before.
    after: Option<String>,
    /// Messages a page, 20 unless told otherwise.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct Messages {
    /// Newest first.
    messages: Vec<Message>,
    /// How many are not read, on all pages.
    unread: u64,
    /// Number of the newest one; 0 when there is none.
    newest: u64,
    /// What the next page is asked for with; null on the last one.
    next: Option<String>,
}

/// Up to which message everything is read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadTo {
    /// Number of a message.
    #[schema(minimum = 0)]
    to: i64,
}

/// How many messages are not read.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unread {
    /// How many.
    unread: u64,
}

/// A message.
#[derive(Serialize, ToSchema)]
struct Message {
    /// Its number: 1 is the holder's first.
    no: u64,
    /// When it came.
    at: Moment,
    /// It was read.
    read: bool,
    /// What it tells.
    #[serde(flatten)]
    what: MessageFacts,
}

/// What a message tells.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum MessageFacts {
    /// A top-up was credited.
    Credited {
        /// Number of the order.
        order: String,
        /// How much, fen.
        amount_fen: i64,
        /// It waits for the card to be held to a terminal.
        waits_for_card: bool,
        /// It was paid after the order's time.
        late: bool,
    },
    /// Money reached the card.
    Loaded {
        /// Number of the card.
        card: String,
        /// How much, fen.
        amount_fen: i64,
        /// Number of the order, or of the first of them.
        order: String,
        /// How many more orders it was of.
        more_orders: u32,
    },
    /// Money is on its way back.
    RefundBegun {
        /// Number of the refund.
        refund: String,
        /// Number of the order.
        order: String,
        /// How much, fen.
        amount_fen: i64,
        /// Why.
        cause: RefundCause,
    },
    /// Money is back where it came from.
    RefundSettled {
        /// Number of the refund.
        refund: String,
        /// Number of the order.
        order: String,
        /// How much, fen.
        amount_fen: i64,
    },
    /// Money could not go back.
    RefundFailed {
        /// Number of the refund.
        refund: String,
        /// Number of the order.
        order: String,
        /// How much, fen.
        amount_fen: i64,
        /// Where it is again.
        back: RefundBack,
    },
    /// A person looks after a payment.
    PaymentInCase {
        /// Number of the order.
        order: String,
        /// How much, fen.
        amount_fen: i64,
        /// Why.
        why: CaseCause,
    },
    /// Money still waits for the card.
    StillWaiting {
        /// Number of the order.
        order: String,
        /// How much, fen.
        amount_fen: i64,
        /// Since when.
        since: Moment,
        /// It goes back then by itself; null when it does not.
        returns_at: Option<Moment>,
    },
    /// The password was changed.
    PasswordChanged,
    /// The card was reported lost.
    CardLost {
        /// Number of the card.
        card: String,
    },
    /// A WeChat user was bound to the account.
    #[serde(rename = "wechat_bound")]
    WeChatBound,
    /// It is bound no longer.
    #[serde(rename = "wechat_unbound")]
    WeChatUnbound,
    /// Somebody signed in elsewhere.
    SignedInElsewhere,
    /// An access token was made.
    TokenMade,
}

/// Why money goes back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundCause {
    /// A person decided it.
    AskedFor,
    /// The order was paid twice.
    PaidTwice,
    /// The account is closed.
    AccountClosed,
    /// Nobody fetched it to a card in time.
    NotLoaded,
}

/// Where money of a refund that failed is again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RefundBack {
    /// It waits for the card.
    WaitingForCard,
    /// In the account.
    InAccount,
    /// With the school: a person looks after it.
    InCase,
}

/// Why a person looks after a payment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CaseCause {
    /// Its amount or currency is not the order's.
    Mismatch,
    /// The order was paid already.
    PaidTwice,
    /// The account is closed.
    AccountClosed,
    /// The provider gave it back.
    GivenBack,
}

impl From<refund::Cause> for RefundCause {
    fn from(cause: refund::Cause) -> RefundCause {
        match cause {
            refund::Cause::Person => RefundCause::AskedFor,
            refund::Cause::Twice => RefundCause::PaidTwice,
            refund::Cause::AccountClosed => RefundCause::AccountClosed,
            refund::Cause::NotLoaded => RefundCause::NotLoaded,
        }
    }
}

impl From<Back> for RefundBack {
    fn from(back: Back) -> RefundBack {
        match back {
            Back::Waiting => RefundBack::WaitingForCard,
            Back::InAccount => RefundBack::InAccount,
            Back::InCase => RefundBack::InCase,
        }
    }
}

impl From<Suspicion> for CaseCause {
    fn from(why: Suspicion) -> CaseCause {
        match why {
            Suspicion::Mismatch => CaseCause::Mismatch,
            Suspicion::Twice => CaseCause::PaidTwice,
            Suspicion::AccountClosed => CaseCause::AccountClosed,
            Suspicion::GivenBack => CaseCause::GivenBack,
        }
    }
}

impl From<Told> for MessageFacts {
    fn from(told: Told) -> MessageFacts {
        match told {
            Told::Credited { order, amount, arrival, late } => MessageFacts::Credited {
                order: order.to_string(),
                amount_fen: amount.get(),
                waits_for_card: arrival == Arrival::Tap,
                late,
            },
            Told::Loaded { card, amount, order, more } => MessageFacts::Loaded {
                card: card.to_string(),
                amount_fen: amount.get(),
                order: order.to_string(),
                more_orders: more,
            },
            Told::RefundBegun { refund, order, amount, cause } => MessageFacts::RefundBegun {
                refund: refund.to_string(),
                order: order.to_string(),
                amount_fen: amount.get(),
                cause: cause.into(),
            },
            Told::RefundSettled { refund, order, amount } => MessageFacts::RefundSettled {
                refund: refund.to_string(),
                order: order.to_string(),
                amount_fen: amount.get(),
            },
            Told::RefundFailed { refund, order, amount, back } => MessageFacts::RefundFailed {
                refund: refund.to_string(),
                order: order.to_string(),
                amount_fen: amount.get(),
                back: back.into(),
            },
            Told::PaymentInCase { order, amount, why } => {
                MessageFacts::PaymentInCase { order: order.to_string(), amount_fen: amount.get(), why: why.into() }
            }
            Told::StillWaiting { order, amount, since, returns_at } => MessageFacts::StillWaiting {
                order: order.to_string(),
                amount_fen: amount.get(),
                since: Moment(since),
                returns_at: returns_at.map(Moment),
            },
            Told::PasswordChanged => MessageFacts::PasswordChanged,
            Told::CardLost { card } => MessageFacts::CardLost { card: card.to_string() },
            Told::WeChatBound => MessageFacts::WeChatBound,
            Told::WeChatUnbound => MessageFacts::WeChatUnbound,
            Told::SignedInElsewhere => MessageFacts::SignedInElsewhere,
            Told::TokenMade => MessageFacts::TokenMade,
        }
    }
}

impl Message {
    fn of(received: &Received, read: u64) -> Message {
        Message { no: received.no, at: Moment(received.at), read: received.no <= read, what: received.message.into() }
    }
}

/// `GET /api/v1/me/messages?after=&limit=`
pub(crate) async fn json(
    State(web): State<Web>,
    holder: Holder,
    Wanted(asked): Wanted<MessagesAsked>,
) -> Answered<Messages> {
    let limit = limit(asked.limit)?;
    let before = asked.after.as_deref().map(before).transpose()?;
    let shown = inbox::page(&web.school, holder.person, before, limit).await?;
    Ok(Json(Messages {
        messages: shown.messages.iter().map(|received| Message::of(received, shown.read)).collect(),
        unread: shown.unread,
        newest: shown.newest,
        next: shown.older.map(|older| Cursor { at: Micros::default(), number: older.to_string() }.text()),
    }))
}

fn before(after: &str) -> Result<u64, Failure> {
    let wrong = |_| Failure::MalformedAt("query: after: no cursor of an earlier answer".to_owned());
    Cursor::parse(after)?.number.parse().map_err(wrong)
}

/// `POST /api/v1/me/messages/read`: `{"to": 7}`.
pub(crate) async fn read(
    State(web): State<Web>,
    holder: Holder,
    Sent(ReadTo { to }): Sent<ReadTo>,
) -> Result<Response, Failure> {
    let to = u64::try_from(to).map_err(|_| Failure::MalformedAt("to: no number of a message".to_owned()))?;
    let before = inbox::page(&web.school, holder.person, None, 1).await?;
    let unread = inbox::read(&web.school, holder.person, to).await;
    let unread = unread.map_err(|fault| Failure::Words(fault_words(&fault)))?;
    let answer = Json(Unread { unread });
    let same = to.min(before.newest) <= before.read;
    Ok(if same { (Extension(NothingChanged), answer).into_response() } else { answer.into_response() })
}
