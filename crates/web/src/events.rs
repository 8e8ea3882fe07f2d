//! Events as other systems read them: one shape for who asks for them and for who is sent them.

use axum::Json;
use axum::extract::State;
use flows::event::{Event, Told, Wanted, is_known, page};
use flows::ports::Parcel;
use rules::credential::Scope;
use rules::event::{Cursor, Kind, Span, reason_name};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::bearer::SchoolProgram;
use crate::api::cursor::limit;
use crate::api::operation::{Access, Answer, Operation, shape};
use crate::api::{Answered, Moment, Wanted as Asked};
use crate::config::Web;
use crate::failure::Failure;

pub(crate) const OPERATIONS: &[Operation] = &[Operation {
    method: "GET",
    path: "/api/v1/events",
    name: "events",
    summary: "What happened to money, in the order of the book",
    detail: "Ask again with `after` as the last answer's `cursor` said it; an answer without events says where to go on too. \
             Nothing is left out, and the same place gives the same events again. After a restore an event `book.restored` \
             says which of the earlier events are still true. Numbers of holders are told to tokens with `events:numbers`. \
             See docs/webhooks.md.",
    access: Access::School(Scope::EventsRead),
    query: Some(shape::<Query>),
    input: None,
    answer: Answer::Found(shape::<Events>),
    refusals: &[],
}];

/// Which events.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Query {
    /// `cursor` of the answer before, or the id of the last event that is known; from the first event on without it.
    after: Option<String>,
    /// Events an answer, 20 unless told otherwise.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Types, with commas between them; all without it. `book.restored` comes always.
    types: Option<String>,
}

/// Events that follow one another.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    /// In the order in which the book took them, without a gap.
    events: Vec<EventBody>,
    /// What to ask for next with `after`, also when nothing came.
    cursor: String,
    /// Whether more can be asked for at once.
    more: bool,
}

/// An event. Members that do not apply are null; new members may be added.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventBody {
    /// Its number: epoch and sequence, such as `1-42`. No other event of the school ever has it: know repeated events by it.
    id: String,
    /// The epoch of the book; 1 until a backup was restored.
    epoch: u64,
    /// Its place in the journal; 0 for the event that begins an epoch.
    seq: u64,
    /// What it tells, such as `topup.credited`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When the book took it.
    recorded_at: Moment,
    /// Why money moved, in a word, such as `sale_from_purse`.
    reason: Option<&'static str>,
    /// How much, in fen.
    amount_fen: Option<i64>,
    /// Whether balances changed: not when money was only set aside or freed.
    posted: Option<bool>,
    /// When it happened outside.
    effective_at: Option<Moment>,
    /// Account that gives, a code of the chart of accounts.
    debit: Option<String>,
    /// Account that receives.
    credit: Option<String>,
    /// The event that set aside what this one moves or frees.
    set_aside_by: Option<String>,
    /// The top-up order.
    order: Option<String>,
    /// The refund.
    refund: Option<String>,
    /// The sale.
    sale: Option<String>,
    /// The case that keeps the money.
    case: Option<String>,
    /// The card: its last four digits.
    card: Option<String>,
    /// Short name of the merchant.
    merchant: Option<String>,
    /// Student or staff number of the holder, for who may have it.
    person_number: Option<String>,
    /// The last row that survived a restore; in `book.restored` alone.
    last_seq: Option<u64>,
    /// All rows of earlier epochs that are still true; in `book.restored` alone.
    survived: Option<Vec<EventSpan>>,
}

/// Journal rows that follow one another.
#[derive(Serialize, ToSchema)]
struct EventSpan {
    /// Their epoch.
    epoch: u64,
    /// The first of them.
    first_seq: u64,
    /// The last of them.
    last_seq: u64,
}

impl EventBody {
    pub(crate) fn of(event: &Event) -> EventBody {
        let (id, epoch, seq, kind) = (event.id.to_string(), event.id.epoch, event.id.seq, event.kind().name());
        let (moved, restored, recorded_at) = match &event.told {
            Told::Moved(moved) => (Some(moved.as_ref()), None, Moment(moved.recorded_at)),
            Told::Restored(restored) => (None, Some(restored), Moment(restored.at)),
        };
        let span = |span: &Span| EventSpan { epoch: span.epoch, first_seq: span.first, last_seq: span.last };
        EventBody {
            id,
            epoch,
            seq,
            kind,
            recorded_at,
            reason: moved.map(|moved| reason_name(moved.reason)),
            amount_fen: moved.map(|moved| moved.amount.get()),
            posted: moved.map(|moved| moved.posted),
            effective_at: moved.map(|moved| Moment(moved.effective_at)),
            debit: moved.map(|moved| moved.debit.0.to_string()),
            credit: moved.map(|moved| moved.credit.0.to_string()),
            set_aside_by: moved.and_then(|moved| moved.set_aside_by).map(|cursor| cursor.to_string()),
            order: moved.and_then(|moved| moved.order).map(|no| no.to_string()),
            refund: moved.and_then(|moved| moved.refund).map(|no| no.to_string()),
            sale: moved.and_then(|moved| moved.sale).map(|id| id.to_string()),
            case: moved.and_then(|moved| moved.case).map(|case| case.0.to_string()),
            card: moved.and_then(|moved| moved.card.clone()),
            merchant: moved.and_then(|moved| moved.merchant.clone()),
            person_number: moved.and_then(|moved| moved.person.clone()),
            last_seq: restored.map(|restored| restored.last_seq),
            survived: restored.map(|restored| restored.survived.iter().map(span).collect()),
        }
    }
}

/// `GET /api/v1/events?after=&limit=&types=`
pub(crate) async fn json(
    State(web): State<Web>,
    program: SchoolProgram,
    Asked(asked): Asked<Query>,
) -> Answered<Events> {
    let limit = limit(asked.limit)?;
    let kinds = asked.types.as_deref().map(kinds).transpose()?.unwrap_or_default();
    let numbers = program.credential.opens(Scope::EventsNumbers);
    let reader = web.school.reader.as_ref();
    let after = match asked.after.as_deref().map(Cursor::parse) {
        None => Cursor::START,
        Some(Ok(after)) if is_known(reader, after).await? => after,
        Some(_) => return Err(at("after: no place in the events of this book")),
    };
    let page = page(reader, after, limit, &Wanted { kinds, numbers }).await?;
    let events = page.events.iter().map(EventBody::of).collect();
    Ok(Json(Events { events, cursor: page.upto.to_string(), more: page.more }))
}

fn at(what: &str) -> Failure {
    Failure::MalformedAt(format!("query: {what}"))
}

fn kinds(text: &str) -> Result<Vec<Kind>, Failure> {
    let kinds =
        text.split(',').map(|name| Kind::from_name(name).ok_or_else(|| at(&format!("types: there is no {name}"))));
    kinds.collect()
}

/// A delivery to a webhook.
#[derive(Serialize)]
struct ParcelBody<'a> {
    delivery: String,
    webhook: &'a str,
    after: String,
    upto: String,
    events: Vec<EventBody>,
}

/// The body of a delivery: JSON, as `docs/webhooks.md` describes it. It is these bytes that are signed.
pub fn parcel_body(parcel: &Parcel) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&ParcelBody {
        delivery: parcel.id.to_string(),
        webhook: &parcel.webhook,
        after: parcel.after.to_string(),
        upto: parcel.upto.to_string(),
        events: parcel.events.iter().map(EventBody::of).collect(),
    })
}

#[cfg(test)]
mod tests {
    use flows::event::{Moved, Restored};
    use ledger::{AccountCode, Fen, Id, Micros};
    use rules::chart::Reason;
    use rules::ids::OrderNo;
    use serde_json::json;

    use super::*;

    const AT: Micros = Micros::from_seconds(1_795_392_005);

    #[test]
    fn a_delivery_is_one_json_body_in_which_what_does_not_apply_is_null() {
        let moved = Moved {
            kind: Kind::TopUpCredited,
            reason: Some(Reason::TopUp),
            posted: true,
            amount: Fen::new(5_000),
            recorded_at: AT,
            effective_at: AT.after_seconds(-3),
            debit: AccountCode(1100),
            credit: AccountCode(2200),
            set_aside_by: None,
            order: Some(OrderNo::from_id(Id::new(7))),
            refund: None,
            sale: None,
            case: None,
            card: None,
            merchant: None,
            person: Some("20260001".to_owned()),
        };
        let restored = Restored { epoch: 2, at: AT, last_seq: 1, survived: vec![Span { epoch: 1, first: 1, last: 1 }] };
        let parcel = Parcel {
            id: Id::new(9),
            webhook: "portal".to_owned(),
            url: String::new(),
            secrets: Vec::new(),
            at: AT,
            after: Cursor::START,
            upto: Cursor { epoch: 2, seq: 1 },
            events: vec![
                Event { id: Cursor { epoch: 1, seq: 1 }, told: Told::Moved(Box::new(moved)) },
                Event { id: Cursor { epoch: 2, seq: 0 }, told: Told::Restored(restored) },
            ],
        };
        let mut body: serde_json::Value =
            serde_json::from_slice(&parcel_body(&parcel).expect("writes")).expect("is JSON");
        for event in body["events"].as_array_mut().expect("events") {
            let members = event.as_object_mut().expect("an object");
            assert_eq!(members.len(), 21);
            members.retain(|_, value| !value.is_null());
        }
        let expected = json!({
            "delivery": "00000000000000000000000000000009",
            "webhook": "portal",
            "after": "1-0",
            "upto": "2-1",
            "events": [
                {
                    "id": "1-1", "epoch": 1, "seq": 1, "type": "topup.credited", "reason": "top_up",
                    "amount_fen": 5000, "posted": true,
                    "recorded_at": "2026-11-23T08:00:05+08:00", "effective_at": "2026-11-23T08:00:02+08:00",
                    "debit": "1100", "credit": "2200",
                    "order": "000000000000000000000007", "person_number": "20260001",
                },
                {
                    "id": "2-0", "epoch": 2, "seq": 0, "type": "book.restored",
                    "recorded_at": "2026-11-23T08:00:05+08:00", "last_seq": 1,
                    "survived": [{ "epoch": 1, "first_seq": 1, "last_seq": 1 }],
                },
            ],
        });
        assert_eq!(body, expected);
    }
}
