//! Top-up orders for programs: made, and followed.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flows::home::{Place as Where, Tracker, track};
use flows::top_up::{look_after, open};
use ledger::Fen;
use rules::credential::Scope;
use rules::ids::OrderNo;
use rules::refund::{self, State as Back};
use rules::top_up::{self, State as Stands};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keyed::{Key, NothingChanged};
use super::messages::RefundCause;
use super::operation::{Access, Answer, Operation, shape};
use super::{Answered, Moment, Sent};
use crate::config::Web;
use crate::failure::Failure;
use crate::top_up::scene;
use crate::visit::{Client, Holder};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "POST",
        path: "/api/v1/me/topup",
        name: "top_up",
        summary: "Make a top-up order",
        detail: "The holder pays it at `pay_address`, signed in there. Follow it until its `place` says that the money \
                 has arrived. At most the room that the school's limits leave can be ordered.",
        access: Access::Holder(Scope::TopUp),
        query: None,
        input: Some(shape::<TopUp>),
        answer: Answer::Made(shape::<MadeOrder>),
        refusals: &[
            "AMOUNT_INVALID",
            "CARD_STATE",
            "APPROVAL_REQUIRED",
            "LIMIT_PER_ORDER",
            "LIMIT_DAILY",
            "BALANCE_CAP",
            "TRY_AGAIN",
            "WECHAT_IDENTITY_NEEDED",
            "RATE_LIMITED",
        ],
    },
    Operation {
        method: "GET",
        path: "/api/v1/me/orders/{order}",
        name: "order",
        summary: "Follow a top-up order",
        detail: "An order of somebody else is not found, as one that never was.",
        access: Access::Holder(Scope::TopUp),
        query: None,
        input: None,
        answer: Answer::Found(shape::<FollowedOrder>),
        refusals: &[],
    },
    Operation {
        method: "POST",
        path: "/api/v1/me/orders/{order}/check",
        name: "check_order",
        summary: "It is paid: ask the provider now",
        detail: "The school asks by itself again and again; this asks at once, and answers how the order stands then. \
                 Asking is harmless. When nothing has changed the answer is not kept: ask again later, with the same \
                 key or another.",
        access: Access::Holder(Scope::TopUp),
        query: None,
        input: None,
        answer: Answer::Found(shape::<FollowedOrder>),
        refusals: &[],
    },
];

/// What is to be topped up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUp {
    /// How much, fen.
    #[schema(minimum = 1)]
    amount_fen: i64,
}

/// An order that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeOrder {
    /// Number of the order.
    number: String,
    /// Where its holder pays it, signed in.
    pay_address: String,
}

/// A top-up order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Order {
    /// Number of the order.
    number: String,
    /// How much, fen.
    amount_fen: i64,
    /// Through which provider.
    channel: Channel,
    /// How it stands.
    state: OrderState,
    /// Where its holder pays it, signed in; null when it can no longer be paid.
    pay_address: Option<String>,
    /// When it was made.
    created_at: Moment,
    /// It can be paid until then.
    expires_at: Moment,
    /// When it was paid.
    paid_at: Option<Moment>,
    /// When it was credited.
    credited_at: Option<Moment>,
    /// When it reached the card.
    on_card_at: Option<Moment>,
}

/// A payment provider.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentChannel)]
enum Channel {
    /// WeChat Pay.
    #[serde(rename = "wechat")]
    WeChat,
}

/// How an order stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OrderState {
    /// Made; the provider was not told yet.
    Created,
    /// The provider gave no sure answer yet.
    Unknown,
    /// It can be paid.
    Paying,
    /// Its time is over; the provider is asked whether it was paid.
    Expired,
    /// Closed unpaid.
    Closed,
    /// A person looks after its payment.
    InCase,
    /// Credited.
    Credited,
    /// On the card.
    OnCard,
    /// The money goes back to the payer.
    Refunding,
    /// The payer has it back.
    Refunded,
}

/// An order with where its money is.
#[derive(Serialize, ToSchema)]
pub(crate) struct FollowedOrder {
    #[serde(flatten)]
    order: Order,
    /// Where the money is.
    place: Place,
    /// It waits longer than it should.
    delayed: bool,
    /// It goes back by itself then, unless the card is held to a terminal before; null when it does not.
    returns_at: Option<Moment>,
    /// What went back of its payments, or was to, newest first.
    refunds: Vec<Refund>,
}

/// Where the money of an order is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// With the payer: it is not paid.
    NotPaid,
    /// Perhaps paid: the provider is asked.
    BeingChecked,
    /// With the payer: it ended unpaid.
    Ended,
    /// Safe with the school: a person looks after it.
    InCase,
    /// In the account, until the card is held to a terminal.
    WaitingForCard,
    /// Given to the card at a terminal that has not told yet how that went.
    OnItsWay,
    /// On the card.
    OnCard,
    /// In the account, spendable on line.
    InAccount,
    /// On its way back to the payer.
    Refunding,
    /// Back with the payer.
    Refunded,
}

/// A refund.
#[derive(Serialize, ToSchema)]
struct Refund {
    /// Number of the refund.
    number: String,
    /// How much, fen.
    amount_fen: i64,
    /// How it stands.
    state: RefundState,
    /// Why it was made.
    cause: RefundCause,
    /// When it was made.
    made_at: Moment,
    /// When it succeeded or failed.
    ended_at: Option<Moment>,
}

/// How a refund stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundState {
    /// On its way.
    Refunding,
    /// The payer has it.
    Refunded,
    /// It failed; the money is where it was.
    Failed,
}

impl Order {
    /// An order for programs.
    pub(crate) fn of(order: &top_up::Order, web: &Web) -> Order {
        let credited = match &order.state {
            Stands::Credited(credited) => Some(credited),
            _ => None,
        };
        let payable = web.school.now() < order.expires_at && order.open();
        Order {
            number: order.no.to_string(),
            amount_fen: order.amount.get(),
            channel: Channel::WeChat,
            state: OrderState::of(&order.state),
            pay_address: payable.then(|| pay_address(web, order.no)),
            created_at: Moment(order.created_at),
            expires_at: Moment(order.expires_at),
            paid_at: credited.map(|credited| Moment(credited.paid_at)),
            credited_at: credited.map(|credited| Moment(credited.at)),
            on_card_at: credited.and_then(|credited| credited.on_card_at).map(Moment),
        }
    }
}

impl OrderState {
    const fn of(state: &Stands) -> OrderState {
        match state {
            Stands::Created => OrderState::Created,
            Stands::Unknown { .. } => OrderState::Unknown,
            Stands::Paying { .. } => OrderState::Paying,
            Stands::ExpiredLocal { .. } => OrderState::Expired,
            Stands::Closed { .. } => OrderState::Closed,
            Stands::InCase { .. } => OrderState::InCase,
            Stands::Credited(credited) if credited.on_card_at.is_some() => OrderState::OnCard,
            Stands::Credited(_) => OrderState::Credited,
        }
    }
}

impl From<Where> for Place {
    fn from(place: Where) -> Place {
        match place {
            Where::NotPaid => Place::NotPaid,
            Where::BeingChecked => Place::BeingChecked,
            Where::Ended => Place::Ended,
            Where::InCase => Place::InCase,
            Where::WaitingForCard => Place::WaitingForCard,
            Where::OnItsWay => Place::OnItsWay,
            Where::OnCard => Place::OnCard,
            Where::InAccount => Place::InAccount,
            Where::Refunding => Place::Refunding,
            Where::Refunded => Place::Refunded,
        }
    }
}

impl RefundState {
    /// How a refund stands, and when it ended.
    pub(crate) const fn of(state: &Back) -> (RefundState, Option<Moment>) {
        match state {
            Back::Settled { at } => (RefundState::Refunded, Some(Moment(*at))),
            Back::Released { at, .. } => (RefundState::Failed, Some(Moment(*at))),
            Back::Held | Back::Sent | Back::Short { .. } | Back::Processing { .. } | Back::Abnormal { .. } => {
                (RefundState::Refunding, None)
            }
        }
    }
}

impl Refund {
    fn of(refund: &refund::Refund) -> Refund {
        let (state, ended_at) = RefundState::of(&refund.state);
        Refund {
            number: refund.no.to_string(),
            amount_fen: refund.amount.get(),
            state,
            cause: refund.cause().into(),
            made_at: Moment(refund.made_at),
            ended_at,
        }
    }
}

fn pay_address(web: &Web, no: OrderNo) -> String {
    web.config.address(&format!("/pay/{no}"))
}

/// `POST /api/v1/me/topup`: `{"amount_fen": 5000}`.
pub(crate) async fn make(
    State(web): State<Web>,
    holder: Holder,
    client: Client,
    Key(key): Key,
    Sent(TopUp { amount_fen }): Sent<TopUp>,
) -> Result<Response, Failure> {
    let scene = scene(&web, &holder, client).ok_or(Failure::NoPayer)?;
    let asked = web.doors.order(&web, holder.person, key).await?;
    let opened = open(&web.school, holder.person, &Fen::new(amount_fen).to_string(), scene, key).await;
    if opened.is_err() {
        asked.made_none();
    }
    let no = opened.map_err(|refusal| match refusal.words().code {
        "FORM_REUSED" => Failure::KeyConflict,
        _ => Failure::Words(refusal.words().clone()),
    })?;
    let place = HeaderValue::from_str(&format!("/api/v1/me/orders/{no}")).map_err(|_| Failure::Internal)?;
    let made = MadeOrder { number: no.to_string(), pay_address: pay_address(&web, no) };
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(made)).into_response())
}

/// `GET /api/v1/me/orders/{order}`
pub(crate) async fn one(State(web): State<Web>, holder: Holder, Path(order): Path<String>) -> Answered<FollowedOrder> {
    let tracker = find(&web, &holder, &order).await?;
    Ok(Json(FollowedOrder::of(&tracker, &web)))
}

/// `POST /api/v1/me/orders/{order}/check`: the provider is asked at once.
pub(crate) async fn check(
    State(web): State<Web>,
    holder: Holder,
    Path(order): Path<String>,
) -> Result<Response, Failure> {
    let before = find(&web, &holder, &order).await?;
    look_after(&web.school, before.order.no).await?;
    let after = find(&web, &holder, &order).await?;
    let answer = Json(FollowedOrder::of(&after, &web));
    let same = (before.place, &before.order.state) == (after.place, &after.order.state);
    Ok(if same { (Extension(NothingChanged), answer).into_response() } else { answer.into_response() })
}

async fn find(web: &Web, holder: &Holder, order: &str) -> Result<Tracker, Failure> {
    let no = OrderNo::parse(order).map_err(|_| Failure::NotFound)?;
    track(&web.school, holder.person, no).await?.ok_or(Failure::NotFound)
}

impl FollowedOrder {
    fn of(tracker: &Tracker, web: &Web) -> FollowedOrder {
        let mut order = Order::of(&tracker.order, web);
        // Refunding and refunded are states of an order to whoever follows it (R17).
        match tracker.place {
            Where::Refunding => order.state = OrderState::Refunding,
            Where::Refunded => order.state = OrderState::Refunded,
            _ => {}
        }
        FollowedOrder {
            order,
            place: tracker.place.into(),
            delayed: tracker.delayed,
            returns_at: tracker.returns_at.map(Moment),
            refunds: tracker.refunds.iter().map(Refund::of).collect(),
        }
    }
}
