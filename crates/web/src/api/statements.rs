//! Statements by month and spending, for programs.

use axum::Json;
use axum::extract::{Path, State};
use flows::monthly::{Monthly, months};
use ledger::Fen;
use rules::calendar::CampusMonth;
use rules::chart;
use rules::credential::Scope;
use rules::statement::{Entry, Finality, Place, Sums};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::operation::{Access, Answer, Operation, shape};
use super::records::Merchant;
use super::{Answered, Moment, Wanted};
use crate::config::Web;
use crate::failure::Failure;
use crate::spending;
use crate::statements::{hex, look, what};
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/api/v1/me/statements",
        name: "statements",
        summary: "Months of which there is a statement, newest first",
        detail: "",
        access: Access::Holder(Scope::Read),
        query: None,
        input: None,
        answer: Answer::Found(shape::<Statements>),
        refusals: &[],
    },
    Operation {
        method: "GET",
        path: "/api/v1/me/statements/{month}",
        name: "statement",
        summary: "The statement of a month",
        detail: "The month as `2026-11`. Its sums are those of the journal; a month that does not add up is not shown.",
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
        summary: "What was spent in a month, by day and place, and the balance at the end of each day",
        detail: "",
        access: Access::Holder(Scope::Read),
        query: Some(shape::<SpendingAsked>),
        input: None,
        answer: Answer::Found(shape::<Spending>),
        refusals: &["STATEMENT_UNSURE"],
    },
];

/// Months of which there is a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct Statements {
    /// Newest first.
    statements: Vec<StatementMonth>,
}

/// A month of which there is a statement.
#[derive(Serialize, ToSchema)]
struct StatementMonth {
    /// Such as `2026-11`.
    month: String,
    /// Its statement may still change: it is not over, or was over less than ten minutes ago.
    running: bool,
}

/// The statement of a month.
#[derive(Serialize, ToSchema)]
pub(crate) struct Statement {
    /// Such as `2026-11`.
    month: String,
    /// Number of the statement.
    number: String,
    /// What it says, as a hash: another statement has another.
    hash: String,
    /// This may still change: the month is not over, or was over less than ten minutes ago.
    running: bool,
    /// Up to when it goes; never later than the month's end.
    until: Moment,
    /// Everything of the holder together.
    total: StatementSums,
    /// The same by where the money is.
    places: StatementPlaces,
    /// Every movement, oldest first.
    movements: Vec<Movement>,
}

/// What came and went in a month.
#[derive(Serialize, ToSchema)]
struct StatementSums {
    /// At its beginning, fen.
    opening_fen: i64,
    /// What came, fen.
    in_fen: i64,
    /// What went, fen.
    out_fen: i64,
    /// At its end, fen.
    closing_fen: i64,
}

/// What came and went, by where the money is.
#[derive(Serialize, ToSchema)]
struct StatementPlaces {
    /// Spendable on line.
    available: Option<StatementSums>,
    /// Waiting for the card.
    waiting: Option<StatementSums>,
    /// On the card.
    on_card: Option<StatementSums>,
    /// On its way back to the payer.
    held: Option<StatementSums>,
}

/// A movement of a statement.
#[derive(Serialize, ToSchema)]
struct Movement {
    /// Number of the booking.
    booking: String,
    /// Number of the record that it belongs to; null where there is none.
    record: Option<String>,
    /// What it was, in a word.
    what: &'static str,
    /// When it was booked.
    recorded_at: Moment,
    /// When it happened.
    effective_at: Moment,
    /// How much, fen; never negative.
    amount_fen: i64,
    /// By how much the holder's money changed, fen.
    change_fen: i64,
    /// The holder's money after it, fen.
    balance_fen: i64,
    /// From which of the holder's places; null when from elsewhere.
    from: Option<MoneyPlace>,
    /// To which of the holder's places; null when to elsewhere.
    to: Option<MoneyPlace>,
    /// Who sold; null where nobody did.
    merchant: Option<Merchant>,
}

/// Where money of a holder is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MoneyPlace {
    /// Spendable on line.
    Available,
    /// Waiting for the card.
    Waiting,
    /// On the card.
    OnCard,
    /// On its way back to the payer.
    Held,
}

/// Which month.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SpendingAsked {
    /// Such as `2026-11`; the month that runs unless told otherwise.
    month: Option<String>,
}

/// What was spent in a month.
#[derive(Serialize, ToSchema)]
pub(crate) struct Spending {
    /// Such as `2026-11`.
    month: String,
    /// This may still change: the month is not over, or was over less than ten minutes ago.
    running: bool,
    /// Up to when it goes; never later than the month's end.
    until: Moment,
    /// Altogether, fen.
    spent_fen: i64,
    /// By day.
    days: Vec<SpendingDay>,
    /// By place, the most first.
    places: Vec<SpendingPlace>,
    /// What was left at the end of each day.
    balances: Vec<BalanceDay>,
}

/// What was spent on a day.
#[derive(Serialize, ToSchema)]
struct SpendingDay {
    /// Such as `2026-11-23`.
    day: String,
    /// Fen.
    spent_fen: i64,
}

/// What was spent at a place.
#[derive(Serialize, ToSchema)]
struct SpendingPlace {
    /// Who sold; null where it is not known.
    merchant: Option<Merchant>,
    /// Fen.
    spent_fen: i64,
}

/// What was left at the end of a day.
#[derive(Serialize, ToSchema)]
struct BalanceDay {
    /// Such as `2026-11-23`.
    day: String,
    /// Fen.
    balance_fen: i64,
}

impl From<Place> for MoneyPlace {
    fn from(place: Place) -> MoneyPlace {
        match place {
            Place::Available => MoneyPlace::Available,
            Place::Waiting => MoneyPlace::Waiting,
            Place::OnCard => MoneyPlace::OnCard,
            Place::Held => MoneyPlace::Held,
        }
    }
}

fn sums(sums: &Sums) -> StatementSums {
    StatementSums {
        opening_fen: sums.opening.get(),
        in_fen: sums.incoming.get(),
        out_fen: sums.outgoing.get(),
        closing_fen: sums.closing.get(),
    }
}

fn merchant(found: &Monthly, id: Option<rules::ids::MerchantId>) -> Option<Merchant> {
    found.merchants.get(&id?).map(Merchant::of)
}

fn movement(found: &Monthly, entry: &Entry) -> Movement {
    Movement {
        booking: entry.booking(),
        record: entry.record(),
        what: what(entry),
        recorded_at: Moment(entry.recorded_at),
        effective_at: Moment(entry.effective_at),
        amount_fen: entry.amount.get(),
        change_fen: entry.change().get(),
        balance_fen: entry.balance.get(),
        from: entry.from.map(MoneyPlace::from),
        to: entry.to.map(MoneyPlace::from),
        merchant: merchant(found, chart::merchant_of(&entry.counter)),
    }
}

/// `GET /api/v1/me/statements`
pub(crate) async fn list(State(web): State<Web>, holder: Holder) -> Answered<Statements> {
    let now = web.school.now();
    let months = months(&web.school, holder.person).await?;
    let month = |month: CampusMonth| StatementMonth {
        month: month.to_string(),
        running: Finality::of(month, now).may_change(),
    };
    Ok(Json(Statements { statements: months.into_iter().map(month).collect() }))
}

/// `GET /api/v1/me/statements/{month}`
pub(crate) async fn one(State(web): State<Web>, holder: Holder, Path(month): Path<String>) -> Answered<Statement> {
    let month = CampusMonth::parse(&month).map_err(|_| Failure::NotFound)?;
    let found = look(&web, &holder, month).await?;
    let mut places = StatementPlaces { available: None, waiting: None, on_card: None, held: None };
    for (place, of) in &found.statement.places {
        let slot = match place {
            Place::Available => &mut places.available,
            Place::Waiting => &mut places.waiting,
            Place::OnCard => &mut places.on_card,
            Place::Held => &mut places.held,
        };
        *slot = Some(sums(of));
    }
    Ok(Json(Statement {
        month: month.to_string(),
        number: found.number.to_string(),
        hash: hex(&found.hash),
        running: found.finality.may_change(),
        until: Moment(found.until),
        total: sums(&found.statement.total),
        places,
        movements: found.statement.entries.iter().map(|entry| movement(&found, entry)).collect(),
    }))
}

/// `GET /api/v1/me/spending?month=`
pub(crate) async fn spent(
    State(web): State<Web>,
    holder: Holder,
    Wanted(asked): Wanted<SpendingAsked>,
) -> Answered<Spending> {
    let (found, spent) = spending::look(&web, &holder, asked.month.as_deref()).await?;
    let date = |place: usize| format!("{}-{:02}", found.month, place.saturating_add(1));
    let day = |(place, spent): (usize, &Fen)| SpendingDay { day: date(place), spent_fen: spent.get() };
    let left = |(place, left): (usize, &Fen)| BalanceDay { day: date(place), balance_fen: left.get() };
    Ok(Json(Spending {
        month: found.month.to_string(),
        running: found.finality.may_change(),
        until: Moment(found.until),
        spent_fen: spent.total.get(),
        days: spent.days.iter().enumerate().map(day).collect(),
        places: spent
            .places
            .iter()
            .map(|(id, spent)| SpendingPlace { merchant: merchant(&found, *id), spent_fen: spent.get() })
            .collect(),
        balances: spent.balances.iter().enumerate().map(left).collect(),
    }))
}
