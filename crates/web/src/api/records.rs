//! A holder's records for programs: page by page, of one kind or month or all, and one with all that is known of it (R92).

use axum::Json;
use axum::extract::{Path, State};
use flows::records::{Filter, Kind, Place, Record as Found, paged, record, terminal_of};
use flows::rows::Enrolment;
use ledger::Fen;
use rules::calendar::{CampusMonth, of_card_stamp};
use rules::credential::Scope;
use rules::purchase::{Sale, State as SaleState};
use rules::refund::{Refund, State as BackState};
use rules::top_up::{Order, State as OrderState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cursor::{Cursor, limit};
use super::messages::RefundCause;
use super::operation::{Access, Answer, Operation, shape};
use super::orders::RefundState;
use super::{Answered, Moment, Wanted};
use crate::config::Web;
use crate::failure::Failure;
use crate::records::{Way as Flow, way};
use crate::visit::Holder;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/api/v1/me/records",
        name: "records",
        summary: "Top-ups, purchases and refunds, newest first",
        detail: "Those of one kind, of one month, or all. Ask for the next page with `after` as the last answer's `next` \
                 said it, and the same filter; there is none when it is null. Records that come in meanwhile neither \
                 repeat nor hide any.",
        access: Access::Holder(Scope::Read),
        query: Some(shape::<Asked>),
        input: None,
        answer: Answer::Found(shape::<Records>),
        refusals: &[],
    },
    Operation {
        method: "GET",
        path: "/api/v1/me/records/{number}",
        name: "record",
        summary: "One record with all that is known of it",
        detail: "A record of somebody else is not found, as one that never was.",
        access: Access::Holder(Scope::Read),
        query: None,
        input: None,
        answer: Answer::Found(shape::<RecordDetail>),
        refusals: &[],
    },
];

/// Which page of the records.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Asked {
    /// Only records of this kind.
    kind: Option<RecordKind>,
    /// Only those of this month of the campus, `YYYY-MM`.
    #[schema(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    month: Option<String>,
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

/// A record with all that is known of it. What does not apply to its kind is null.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecordDetail {
    #[serde(flatten)]
    record: Record,
    /// Month of the statement that has it, `YYYY-MM`.
    month: String,
    /// Number of the order of a top-up, or of the one that a refund belongs to; it is followed under `/me/orders`.
    order: Option<String>,
    /// The payment provider's number of the payment.
    transaction: Option<String>,
    /// When the order of a top-up, or the refund, was made.
    made_at: Option<Moment>,
    /// When a top-up was paid.
    paid_at: Option<Moment>,
    /// When a top-up was credited.
    credited_at: Option<Moment>,
    /// When a top-up reached the card.
    on_card_at: Option<Moment>,
    /// When the payer had the refund.
    refunded_at: Option<Moment>,
    /// Why a refund was made.
    cause: Option<RefundCause>,
    /// Where a purchase was.
    place: Option<SalePlace>,
    /// Number of the terminal of a purchase.
    terminal: Option<String>,
    /// What a purchase was paid from.
    source: Option<Source>,
    /// Number of the card of a purchase.
    card: Option<String>,
    /// When the card was debited, by the terminal's clock.
    card_debited_at: Option<Moment>,
    /// What was on the card afterwards, fen.
    card_after_fen: Option<i64>,
}

/// Where something was sold.
#[derive(Serialize, ToSchema)]
struct SalePlace {
    /// In Chinese.
    zh: String,
    /// In English.
    en: String,
}

/// What a purchase was paid from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SaleSource)]
enum Source {
    /// The card's purse.
    Card,
    /// The account, on line.
    Account,
}

/// What a record is of.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
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

impl RecordDetail {
    fn of(record: &Found, terminal: Option<&Enrolment>) -> RecordDetail {
        let bare = RecordDetail {
            record: Record::of(record),
            month: CampusMonth::of(record.at()).to_string(),
            order: None,
            transaction: None,
            made_at: None,
            paid_at: None,
            credited_at: None,
            on_card_at: None,
            refunded_at: None,
            cause: None,
            place: None,
            terminal: None,
            source: None,
            card: None,
            card_debited_at: None,
            card_after_fen: None,
        };
        match record {
            Found::TopUp(order, _) => bare.top_up(order),
            Found::Refund(refund) => bare.refund(refund),
            Found::Purchase(sale, _) => bare.purchase(sale, terminal),
        }
    }

    fn top_up(self, order: &Order) -> RecordDetail {
        let credited = match &order.state {
            OrderState::Credited(credited) => Some(credited),
            _ => None,
        };
        RecordDetail {
            order: Some(order.no.to_string()),
            transaction: credited.map(|credited| credited.transaction.clone()),
            made_at: Some(Moment(order.created_at)),
            paid_at: credited.map(|credited| Moment(credited.paid_at)),
            credited_at: credited.map(|credited| Moment(credited.at)),
            on_card_at: credited.and_then(|credited| credited.on_card_at).map(Moment),
            ..self
        }
    }

    fn refund(self, refund: &Refund) -> RecordDetail {
        let refunded_at = match refund.state {
            BackState::Settled { at } => Some(Moment(at)),
            _ => None,
        };
        RecordDetail {
            order: refund.origin.of().map(|(_, order)| order.to_string()),
            transaction: Some(refund.transaction.clone()),
            made_at: Some(Moment(refund.made_at)),
            refunded_at,
            cause: Some(refund.cause().into()),
            ..self
        }
    }

    fn purchase(self, sale: &Sale, terminal: Option<&Enrolment>) -> RecordDetail {
        let debited = sale.debit.and_then(|debit| of_card_stamp(debit.date, debit.time));
        let after = sale.debit.and_then(|debit| Fen::new(i64::from(debit.old_balance)).minus(sale.amount));
        RecordDetail {
            place: terminal.map(|at| SalePlace { zh: at.place_zh.clone(), en: at.place_en.clone() }),
            terminal: terminal.map(|at| at.terminal.to_string()),
            source: Some(if sale.debit.is_some() { Source::Card } else { Source::Account }),
            card: Some(sale.card.to_string()),
            card_debited_at: debited.map(Moment),
            card_after_fen: after.map(Fen::get),
            ..self
        }
    }
}

impl Asked {
    fn filter(&self) -> Result<Filter, Failure> {
        let kind = self.kind.map(|kind| match kind {
            RecordKind::TopUp => Kind::TopUp,
            RecordKind::Purchase => Kind::Purchase,
            RecordKind::Refund => Kind::Refund,
        });
        let wrong = |_| Failure::MalformedAt("query: month: no month as YYYY-MM".to_owned());
        let month = self.month.as_deref().map(CampusMonth::parse).transpose().map_err(wrong)?;
        Ok(Filter { kind, month })
    }
}

/// `GET /api/v1/me/records?kind=&month=&after=&limit=`
pub(crate) async fn json(State(web): State<Web>, holder: Holder, Wanted(asked): Wanted<Asked>) -> Answered<Records> {
    let (limit, filter) = (limit(asked.limit)?, asked.filter()?);
    let after = asked.after.as_deref().map(Cursor::parse).transpose()?;
    let after = after.map(|Cursor { at, number }| Place { at, number });
    let found = paged(&web.school, holder.person, &filter, after.as_ref(), limit).await?;
    Ok(Json(Records {
        records: found.records.iter().map(Record::of).collect(),
        next: found.next.map(|Place { at, number }| Cursor { at, number }.text()),
    }))
}

/// `GET /api/v1/me/records/{number}`
pub(crate) async fn one(State(web): State<Web>, holder: Holder, Path(number): Path<String>) -> Answered<RecordDetail> {
    let record = record(&web.school, holder.person, &number).await?.ok_or(Failure::NotFound)?;
    let terminal = terminal_of(&web.school, &record).await?;
    Ok(Json(RecordDetail::of(&record, terminal.as_ref())))
}
