//! How much may be topped up now, for programs: what the page says before anyone types an amount.

use axum::Json;
use axum::extract::State;
use flows::room::room;
use ledger::Fen;
use rules::credential::Scope;
use rules::words::Words;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answered;
use super::operation::{Access, Answer, Operation, shape};
use crate::config::Web;
use crate::failure::Failure;
use crate::top_up::PRESETS;
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[Operation {
    method: "GET",
    path: "/api/v1/me/topup",
    name: "top_up_room",
    summary: "How much may be topped up now",
    detail: "Nothing is decided here: an order is checked again when it is made.",
    access: Access::Holder(Scope::TopUp),
    query: None,
    input: None,
    answer: Answer::Found(shape::<Room>),
    refusals: &[],
}];

/// How much may be topped up now.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUpRoom)]
pub(crate) struct Room {
    /// Least that an order may be, fen.
    least_fen: i64,
    /// Most that one order may be now, fen; 0 when none may be made.
    most_fen: i64,
    /// Most that any order may be, fen.
    per_order_fen: i64,
    /// Kept for orders that can still be paid, fen: it is free again when they are paid or end.
    kept_fen: i64,
    /// Why not even the least order may be made now; null when it may.
    closed: Option<Closed>,
    /// What is paid waits for the card to be held to a terminal; else it can be spent on line at once.
    waits_for_card: bool,
    /// Amounts that the page offers for one touch.
    presets: Vec<Preset>,
}

/// Why no order may be made: what an order would be refused with.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUpClosed)]
struct Closed {
    /// Stable code of the cause.
    code: &'static str,
    /// What to do, in Chinese.
    zh: String,
    /// What to do, in English.
    en: String,
}

/// An amount that the page offers.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUpPreset)]
struct Preset {
    /// How much, fen.
    amount_fen: i64,
    /// Whether it may be ordered now.
    allowed: bool,
}

impl From<Words> for Closed {
    fn from(words: Words) -> Closed {
        Closed { code: words.code, zh: words.zh.to_string(), en: words.en.to_string() }
    }
}

/// `GET /api/v1/me/topup`
pub(crate) async fn json(State(web): State<Web>, holder: Holder) -> Answered<Room> {
    let room = room(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let presets = PRESETS.into_iter().map(|yuan| {
        let amount = Fen::new(i64::from(yuan) * 100);
        Preset { amount_fen: amount.get(), allowed: room.allows(amount) }
    });
    Ok(Json(Room {
        least_fen: room.least.get(),
        most_fen: room.most.get(),
        per_order_fen: room.per_order.get(),
        kept_fen: room.kept.get(),
        waits_for_card: room.waits_for_card,
        presets: presets.collect(),
        closed: room.closed.map(Closed::from),
    }))
}
