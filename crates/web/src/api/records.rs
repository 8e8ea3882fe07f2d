//! A holder's records for programs, page by page.

use axum::Json;
use axum::extract::State;
use flows::records::{Filter, Place, Record as Found, paged};
use rules::credential::Scope;
use rules::purchase::State as SaleState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cursor::{Cursor, limit};
use super::operation::{Access, Answer, Operation, shape};
use super::orders::RefundState;
use super::{Answered, Moment, Wanted};
use crate::config::Web;
use crate::records::{Way as Flow, way};
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[Operation {
    method: "GET",
    path: "/api/v1/me/records",
    name: "records",
    summary: "Top-ups, purchases and refunds, newest first",
    detail: "Ask for the next page with `after` as the last answer's `next` said it; there is none when it is null. \
             Records that come in meanwhile neither repeat nor hide any.",
    access: Access::Holder(Scope::Read),
    query: Some(shape::<Asked>),
    input: None,
    answer: Answer::Found(shape::<Records>),
    refusals: &[],
}];

/// Which page of the records.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Asked {
    /// `next` of the page before.
    after: Option<String>,
    /// Records a page, 20 unless told otherwise.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of records.
#[derive(Serialize, ToSchema)]
pub(crate) struct Records {
    /// Newest first.
    records: Vec<Record>,
    /// What the next page is asked for with; null on the last one.
    next: Option<String>,
}

/// One top-up, purchase or refund.
#[derive(Serialize, ToSchema)]
struct Record {
    /// Number that the holder can name.
    number: String,
    /// What it was.
    kind: RecordKind,
    /// Which way the money went.
    way: Way,
    /// How much, fen; never negative.
    amount_fen: i64,
    /// When.
    at: Moment,
    /// How a purchase or a refund stands; null for a top-up.
    state: Option<RecordState>,
    /// Who sold; null where nobody did.
    merchant: Option<Merchant>,
}

/// What a record is of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RecordKind {
    /// A top-up.
    TopUp,
    /// A purchase.
    Purchase,
    /// A refund.
    Refund,
}

/// Which way the money of a record went.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// To the holder.
    In,
    /// To a merchant, or back to where it was paid from.
    Out,
    /// Back to the payer, without ever having been the holder's.
    Returned,
    /// Nowhere.
    None,
}

/// How a purchase or a refund stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RecordState {
    /// Paid.
    Paid,
    /// Paid and taken back.
    Reversed,
    /// The card was asked; the terminal has not told yet how that went.
    AwaitingPurse,
    /// Given up before the card was asked.
    CalledOff,
    /// Paid from the card.
    FromPurse,
    /// The terminal says that it was paid from the card; that is not proved yet.
    Unconfirmed,
    /// The card was not debited.
    NotDebited,
    /// A person looks after it.
    Suspended,
    /// A refund on its way.
    Refunding,
    /// A refund that arrived.
    Refunded,
    /// A refund that failed.
    Failed,
}

/// Who sold.
#[derive(Serialize, ToSchema)]
pub(crate) struct Merchant {
    /// Name in Chinese.
    zh: String,
    /// Name in English.
    en: String,
}

impl Merchant {
    /// Its names.
    pub(crate) fn of(merchant: &flows::rows::Merchant) -> Merchant {
        Merchant { zh: merchant.name_zh.clone(), en: merchant.name_en.clone() }
    }
}

impl Record {
    fn of(record: &Found) -> Record {
        let (kind, state, merchant) = match record {
            Found::TopUp(..) => (RecordKind::TopUp, None, None),
            Found::Refund(refund) => {
                let state = match RefundState::of(&refund.state).0 {
                    RefundState::Refunding => RecordState::Refunding,
                    RefundState::Refunded => RecordState::Refunded,
                    RefundState::Failed => RecordState::Failed,
                };
                (RecordKind::Refund, Some(state), None)
            }
            Found::Purchase(sale, merchant) => {
                (RecordKind::Purchase, Some(sold(sale.state)), merchant.as_ref().map(Merchant::of))
            }
        };
        let way = match way(record) {
            Flow::In => Way::In,
            Flow::Out => Way::Out,
            Flow::Returned => Way::Returned,
            Flow::None => Way::None,
        };
        Record {
            number: record.number(),
            kind,
            way,
            amount_fen: record.amount().get(),
            at: Moment(record.at()),
            state,
            merchant,
        }
    }
}

const fn sold(state: SaleState) -> RecordState {
    match state {
        SaleState::Paid => RecordState::Paid,
        SaleState::Reversed => RecordState::Reversed,
        SaleState::AwaitingPurse => RecordState::AwaitingPurse,
        SaleState::CalledOff => RecordState::CalledOff,
        SaleState::FromPurse | SaleState::ByBalance(None) => RecordState::FromPurse,
        SaleState::Unconfirmed | SaleState::Untold(_) => RecordState::Unconfirmed,
        SaleState::NotDebited | SaleState::ByBalance(Some(_)) => RecordState::NotDebited,
        SaleState::Suspended(_) => RecordState::Suspended,
    }
}

/// `GET /api/v1/me/records?after=&limit=`
pub(crate) async fn json(State(web): State<Web>, holder: Holder, Wanted(asked): Wanted<Asked>) -> Answered<Records> {
    let limit = limit(asked.limit)?;
    let after = asked.after.as_deref().map(Cursor::parse).transpose()?;
    let after = after.map(|Cursor { at, number }| Place { at, number });
    let found = paged(&web.school, holder.person, &Filter::default(), after.as_ref(), limit).await?;
    Ok(Json(Records {
        records: found.records.iter().map(Record::of).collect(),
        next: found.next.map(|Place { at, number }| Cursor { at, number }.text()),
    }))
}
