//! Where every yuan is, for programs: the twin of the home page.

use axum::Json;
use axum::extract::State;
use flows::home::{Standing, home};
use flows::people::profile;
use rules::card;
use rules::credential::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::{Access, Answer, Operation, shape};
use super::orders::Order;
use super::{Answered, Moment};
use crate::config::Web;
use crate::failure::Failure;
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[Operation {
    method: "GET",
    path: "/api/v1/me",
    name: "me",
    summary: "Who the holder is, and where every yuan is",
    detail: "",
    access: Access::Holder(Scope::Read),
    query: None,
    input: None,
    answer: Answer::Found(shape::<Me>),
    refusals: &[],
}];

/// A holder, and where every yuan is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// Student or staff number.
    number: String,
    /// Name, masked.
    name_masked: String,
    /// Department.
    department: String,
    /// The card in use; null without one.
    card: Option<Card>,
    /// Spendable on line now, fen.
    available_fen: i64,
    /// Waits for the card to be held to a terminal.
    waiting: Part,
    /// Given to the card at a terminal that has not told yet how that went.
    in_transit: Part,
    /// On the card by the book, fen.
    on_card_fen: i64,
    /// On its way back to where it was paid from.
    held: Part,
    /// All of it together, fen.
    total_fen: i64,
    /// Orders that can still be paid, newest first.
    open_orders: Vec<Order>,
    /// Messages that are not read.
    unread_messages: u64,
}

/// A card.
#[derive(Serialize, ToSchema)]
struct Card {
    /// Number on the card.
    number: String,
    /// How it stands.
    state: CardState,
}

/// How a card stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CardState {
    /// Made out, not yet used.
    Issued,
    /// In use.
    Active,
    /// Reported lost.
    Lost,
    /// Reported damaged.
    Damaged,
    /// Another took its place.
    Replaced,
    /// Closed.
    Closed,
}

impl From<card::State> for CardState {
    fn from(state: card::State) -> CardState {
        match state {
            card::State::Issued => CardState::Issued,
            card::State::Active => CardState::Active,
            card::State::Lost => CardState::Lost,
            card::State::Damaged => CardState::Damaged,
            card::State::Replaced => CardState::Replaced,
            card::State::Closed => CardState::Closed,
        }
    }
}

/// An amount and since when it is where it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Part {
    /// Fen.
    amount_fen: i64,
    /// Since when; null when it is nothing.
    since: Option<Moment>,
}

impl From<Standing> for Part {
    fn from(standing: Standing) -> Part {
        Part { amount_fen: standing.amount.get(), since: standing.since.map(Moment) }
    }
}

/// `GET /api/v1/me`
pub(crate) async fn json(State(web): State<Web>, holder: Holder) -> Answered<Me> {
    let who = profile(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let home = home(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    Ok(Json(Me {
        number: who.number,
        name_masked: who.name.to_string(),
        department: who.department,
        card: home.card.map(|(no, state)| Card { number: no.to_string(), state: state.into() }),
        available_fen: home.available.get(),
        waiting: home.waiting.into(),
        in_transit: home.in_transit.into(),
        on_card_fen: home.on_card.get(),
        held: home.held.into(),
        total_fen: home.total.get(),
        open_orders: home.open_orders.iter().map(|order| Order::of(order, &web)).collect(),
        unread_messages: home.unread,
    }))
}
