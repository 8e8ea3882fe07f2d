//! Events as other systems read them: one shape for who asks for them and for who is sent them.

use flows::event::{Event, Told};
use flows::ports::Parcel;
use rules::event::{Span, reason_name};
use serde::Serialize;
use utoipa::ToSchema;

use crate::text::iso;

/// An event. Members that do not apply are left out; new members may be added.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventBody {
    /// Its number: epoch and sequence, such as `1-42`. No other event of the school ever has it: know repeated events by it.
    id: String,
    /// The epoch of the book; 1 until a backup was restored.
    epoch: u64,
    /// Its place in the epochs' one journal; `0` for the event that begins an epoch.
    seq: u64,
    /// What it tells, such as `topup.credited`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When the book took it.
    recorded_at: String,
    /// What happened to money; left out of `book.restored`.
    #[serde(flatten)]
    money: Option<MoneyBody>,
    /// The last row that survived; in `book.restored` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seq: Option<u64>,
    /// All rows of earlier epochs that are still true; in `book.restored` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    survived: Option<Vec<SpanBody>>,
}

/// What happened to money.
#[derive(Serialize, ToSchema)]
struct MoneyBody {
    /// Why, in a word, such as `sale_from_purse`.
    reason: &'static str,
    /// How much, in fen.
    amount_fen: i64,
    /// Whether balances changed: not when money was only set aside or freed.
    posted: bool,
    /// When it happened outside.
    effective_at: String,
    /// Account that gives, a code of the chart of accounts.
    debit: String,
    /// Account that receives.
    credit: String,
    /// The event that set aside what this one moves or frees.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_aside_by: Option<String>,
    /// The top-up order.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// The refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<String>,
    /// The sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    sale: Option<String>,
    /// The case that keeps the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<String>,
    /// The card: its last four digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    /// Short name of the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant: Option<String>,
    /// Student or staff number of the holder, for who may have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    person_number: Option<String>,
}

/// Journal rows that follow one another.
#[derive(Serialize, ToSchema)]
struct SpanBody {
    /// Their epoch.
    epoch: u64,
    /// The first of them.
    first_seq: u64,
    /// The last of them.
    last_seq: u64,
}

impl EventBody {
    pub(crate) fn of(event: &Event) -> EventBody {
        let (recorded_at, money, restored) = match &event.told {
            Told::Moved(moved) => {
                let money = MoneyBody {
                    reason: reason_name(moved.reason),
                    amount_fen: moved.amount.get(),
                    posted: moved.posted,
                    effective_at: iso(moved.effective_at),
                    debit: moved.debit.0.to_string(),
                    credit: moved.credit.0.to_string(),
                    set_aside_by: moved.set_aside_by.map(|cursor| cursor.to_string()),
                    order: moved.order.map(|no| no.to_string()),
                    refund: moved.refund.map(|no| no.to_string()),
                    sale: moved.sale.map(|id| id.to_string()),
                    case: moved.case.map(|case| case.0.to_string()),
                    card: moved.card.clone(),
                    merchant: moved.merchant.clone(),
                    person_number: moved.person.clone(),
                };
                (moved.recorded_at, Some(money), None)
            }
            Told::Restored(restored) => (restored.at, None, Some(restored)),
        };
        let span = |span: &Span| SpanBody { epoch: span.epoch, first_seq: span.first, last_seq: span.last };
        EventBody {
            id: event.id.to_string(),
            epoch: event.id.epoch,
            seq: event.id.seq,
            kind: event.kind().name(),
            recorded_at: iso(recorded_at),
            money,
            last_seq: restored.map(|restored| restored.last_seq),
            survived: restored.map(|restored| restored.survived.iter().map(span).collect()),
        }
    }
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
    use rules::event::{Cursor, Kind};
    use rules::ids::OrderNo;
    use serde_json::json;

    use super::*;

    const AT: Micros = Micros::from_seconds(1_795_392_005);

    #[test]
    fn a_delivery_is_one_json_body_and_says_nothing_that_does_not_apply() {
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
        let body: serde_json::Value = serde_json::from_slice(&parcel_body(&parcel).expect("writes")).expect("is JSON");
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
