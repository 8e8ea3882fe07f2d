//! Statements and spending for programs (R92).

use axum::Json;
use axum::extract::{Path, State};
use flows::monthly::{Monthly, months};
use rules::calendar::CampusMonth;
use rules::chart;
use rules::credential::Scope;
use rules::ids::MerchantId;
use rules::statement::{Entry, Place as Where, Sums as Added};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::operation::{Access, Answer, Operation, shape};
use super::{Answered, Moment, Wanted};
use crate::config::Web;
use crate::failure::Failure;
use crate::visit::Holder;
use crate::{spending, statements};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/api/v1/me/statements",
        name: "statements",
        summary: "Months that have a statement, newest first",
        detail: "",
        access: Access::Holder(Scope::Read),
        query: None,
        input: None,
        answer: Answer::Found(shape::<Months>),
        refusals: &[],
    },
    Operation {
        method: "GET",
        path: "/api/v1/me/statements/{month}",
        name: "statement",
        summary: "The statement of a month, from the journal's rows alone",
        detail: "The month is written `2026-11`. Opening and in, less out, are the closing balance, for all the money and \
                 for each place of it. A movement counts in the month in which the school booked it.",
        access: Access::Holder(Scope::Read),
        query: None,
        input: None,
        answer: Answer::Found(shape::<Statement>),
        refusals: &["STATEMENT_UNSURE"],
    },
    Operation {
        method: "GET",
        path: "/api/v1/me/spending",
        name: "spending",
        summary: "What was spent in a month, by day and by place, and what was left at the end of each day",
        detail: "Days and places each add up to what was spent; the movements are those of the statement.",
        access: Access::Holder(Scope::Read),
        query: Some(shape::<Asked>),
        input: None,
        answer: Answer::Found(shape::<Spending>),
        refusals: &["STATEMENT_UNSURE"],
    },
];

/// Which month.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Asked {
    /// Such as 2026-11; the one that runs unless told otherwise.
    month: Option<String>,
}

/// Months that have a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct Months {
    /// Newest first.
    statements: Vec<Month>,
}

/// A month that has a statement.
#[derive(Serialize, ToSchema)]
struct Month {
    /// Such as 2026-11.
    month: String,
    /// It is not over.
    running: bool,
}

/// A month's statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct Statement {
    /// Such as 2026-11.
    month: String,
    /// Number of the statement.
    number: String,
    /// BLAKE3 of the rows and balances that it is made of, 64 hexadecimal digits.
    hash: String,
    /// The month is not over: there will be more.
    running: bool,
    /// Up to when it tells.
    until: Moment,
    /// All the money.
    total: Sums,
    /// Each place of money.
    places: Vec<PlaceSums>,
    /// Oldest first.
    movements: Vec<Movement>,
}

/// What was there, came, went, and is there.
#[derive(Serialize, ToSchema)]
struct Sums {
    /// At the beginning.
    opening_fen: i64,
    /// What came.
    in_fen: i64,
    /// What went.
    out_fen: i64,
    /// At the end.
    closing_fen: i64,
}

/// The same of one place; what came from another place is in, what went to one is out.
#[derive(Serialize, ToSchema)]
struct PlaceSums {
    /// Which.
    place: Place,
    /// Its sums.
    sums: Sums,
}

/// Where money can be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// In the account, spendable on line.
    Available,
    /// Waiting for the card, or on its way to it.
    Waiting,
    /// On the card.
    OnCard,
    /// Held for a refund.
    Held,
}

/// One movement.
#[derive(Serialize, ToSchema)]
struct Movement {
    /// Its number in the book.
    booking: String,
    /// Number of the record it belongs to; null where it is none of its own.
    record: Option<String>,
    /// What it was, in a word.
    what: &'static str,
    /// When the school booked it.
    recorded_at: Moment,
    /// When it happened.
    effective_at: Moment,
    /// How much, fen.
    amount_fen: i64,
    /// What it added to all the money; below 0 when it took, 0 when it only changed places.
    change_fen: i64,
    /// All the money afterwards.
    balance_fen: i64,
    /// The place it left; null when it came from outside.
    from: Option<Place>,
    /// The place it went to; null when it went outside.
    to: Option<Place>,
    /// Who sold; null where nobody did.
    merchant: Option<Seller>,
}

/// Who sold.
#[derive(Serialize, ToSchema)]
struct Seller {
    /// Name in Chinese.
    zh: String,
    /// Name in English.
    en: String,
}

/// What was spent in a month.
#[derive(Serialize, ToSchema)]
pub(crate) struct Spending {
    /// Such as 2026-11.
    month: String,
    /// The month is not over.
    running: bool,
    /// Up to when it tells.
    until: Moment,
    /// Purchases, less those called off.
    spent_fen: i64,
    /// Every day of the month.
    days: Vec<DaySpent>,
    /// The largest first.
    places: Vec<PlaceSpent>,
    /// Every day that has begun.
    balances: Vec<DayEnd>,
}

/// What was spent on a day.
#[derive(Serialize, ToSchema)]
struct DaySpent {
    /// Such as 2026-11-23.
    day: String,
    /// Below 0 when more was called off than bought.
    spent_fen: i64,
}

/// What was spent at a place.
#[derive(Serialize, ToSchema)]
struct PlaceSpent {
    /// Who sold; null for what was put right afterwards.
    merchant: Option<Seller>,
    /// How much.
    spent_fen: i64,
}

/// What was left at the end of a day.
#[derive(Serialize, ToSchema)]
struct DayEnd {
    /// Such as 2026-11-23.
    day: String,
    /// All the money.
    balance_fen: i64,
}

impl From<&Added> for Sums {
    fn from(sums: &Added) -> Sums {
        Sums {
            opening_fen: sums.opening.get(),
            in_fen: sums.incoming.get(),
            out_fen: sums.outgoing.get(),
            closing_fen: sums.closing.get(),
        }
    }
}

impl From<Where> for Place {
    fn from(place: Where) -> Place {
        match place {
            Where::Available => Place::Available,
            Where::Waiting => Place::Waiting,
            Where::OnCard => Place::OnCard,
            Where::Held => Place::Held,
        }
    }
}

fn seller(found: &Monthly, merchant: Option<MerchantId>) -> Option<Seller> {
    let merchant = found.merchants.get(&merchant?)?;
    Some(Seller { zh: merchant.name_zh.clone(), en: merchant.name_en.clone() })
}

fn movement(found: &Monthly, entry: &Entry) -> Movement {
    Movement {
        booking: entry.booking(),
        record: entry.record(),
        what: statements::what(entry),
        recorded_at: Moment(entry.recorded_at),
        effective_at: Moment(entry.effective_at),
        amount_fen: entry.amount.get(),
        change_fen: entry.change().get(),
        balance_fen: entry.balance.get(),
        from: entry.from.map(Place::from),
        to: entry.to.map(Place::from),
        merchant: seller(found, chart::merchant_of(&entry.counter)),
    }
}

/// `GET /api/v1/me/statements`
pub(crate) async fn list(State(web): State<Web>, holder: Holder) -> Answered<Months> {
    let now = CampusMonth::of(web.school.now());
    let months = months(&web.school, holder.person).await?;
    let month = |month: CampusMonth| Month { month: month.to_string(), running: month == now };
    Ok(Json(Months { statements: months.into_iter().map(month).collect() }))
}

/// `GET /api/v1/me/statements/{month}`
pub(crate) async fn one(State(web): State<Web>, holder: Holder, Path(month): Path<String>) -> Answered<Statement> {
    let month = CampusMonth::parse(&month).map_err(|_| Failure::NotFound)?;
    let found = statements::look(&web, &holder, month).await?;
    let places = found.statement.places.iter();
    Ok(Json(Statement {
        month: month.to_string(),
        number: found.number.clone(),
        hash: statements::hex(&found.hash),
        running: found.running,
        until: Moment(found.until),
        total: Sums::from(&found.statement.total),
        places: places.map(|(place, sums)| PlaceSums { place: (*place).into(), sums: sums.into() }).collect(),
        movements: found.statement.entries.iter().map(|entry| movement(&found, entry)).collect(),
    }))
}

/// `GET /api/v1/me/spending?month=`
pub(crate) async fn spent(State(web): State<Web>, holder: Holder, Wanted(asked): Wanted<Asked>) -> Answered<Spending> {
    let (found, spent) = spending::look(&web, &holder, asked.month.as_deref()).await?;
    let day = |place: usize| format!("{}-{:02}", found.month, place + 1);
    let days = spent.days.iter().enumerate();
    let ends = spent.balances.iter().enumerate();
    let places = spent.places.iter();
    Ok(Json(Spending {
        month: found.month.to_string(),
        running: found.running,
        until: Moment(found.until),
        spent_fen: spent.total.get(),
        days: days.map(|(place, spent)| DaySpent { day: day(place), spent_fen: spent.get() }).collect(),
        places: places
            .map(|(merchant, spent)| PlaceSpent { merchant: seller(&found, *merchant), spent_fen: spent.get() })
            .collect(),
        balances: ends.map(|(place, left)| DayEnd { day: day(place), balance_fen: left.get() }).collect(),
    }))
}
