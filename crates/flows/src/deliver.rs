//! Sends events to the school's other systems: in order, at least once, each webhook by itself (decision 0024).
//!
//! How far a webhook was told moves after its receiver's 2xx, in a command of the teller. If the process dies anywhere before
//! that, the same events are sent once more; a receiver knows them by their numbers.

use ledger::{Id, Micros};
use rules::case::Kind as CaseKind;
use rules::event::Cursor;
use rules::ids::CaseId;
use rules::webhook::{self, BATCH};
use teller::{Command, Desk, Halt, Seen};

use crate::event::{self, Page, Wanted};
use crate::ports::{Courier, Field, Parcel, Reader, Receipt, Secrets};
use crate::rows::{Campus, Key, Row};
use crate::webhook::{Delivery, Last, Webhook, needs, one, standing};
use crate::{ReadFault, School, alarm, cases};

/// How long to wait when there is nothing to tell, seconds.
const IDLE: i64 = 1;
/// How long to wait when nothing is sent, seconds: a pause ends by a command on a stopped school.
const PAUSED: i64 = 60;
/// So many rows that are not wanted are passed over before that is written down.
const PASSED_OVER: u64 = 1_000;

/// How far one webhook was looked ahead; lives as long as the process.
#[derive(Debug, Default)]
pub struct Ahead {
    /// From this place on there was nothing wanted up to that one.
    passed: Option<(Cursor, Cursor)>,
}

impl Ahead {
    fn from(&self, stored: Cursor) -> Cursor {
        self.passed.filter(|(from, _)| *from == stored).map_or(stored, |(_, upto)| upto)
    }
}

/// When to come again for a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// At this time.
    At(Micros),
    /// It was removed.
    Removed,
}

/// Tells one webhook what is due to it: at most one delivery, of at most [`BATCH`] events.
///
/// Each webhook has rounds of its own, so that a receiver that does not answer delays nobody else. Errors: what could not be
/// read; come again. Repeats: after a delivery that was taken, what follows it; after any other, the same events when their
/// time has come. Source: decision 0024.
pub async fn round(school: &School, courier: &dyn Courier, name: &str, ahead: &mut Ahead) -> Result<Round, ReadFault> {
    let reader = school.reader.as_ref();
    let Some((webhook, delivery)) = one(reader, name).await? else { return Ok(Round::Removed) };
    let now = school.now();
    if delivery.paused.is_some() {
        return Ok(Round::At(now.after_seconds(PAUSED)));
    }
    if now < delivery.due_at {
        return Ok(Round::At(delivery.due_at));
    }
    let wanted = Wanted { kinds: webhook.kinds.clone(), numbers: webhook.numbers };
    let page = event::page(reader, ahead.from(delivery.cursor), BATCH, &wanted).await?;
    if page.events.is_empty() {
        return Ok(pass_over(school, name, &delivery, &page, ahead).await);
    }
    let parcel = parcel(school.secrets.as_ref(), (school.new_id(), school.now()), &webhook, &delivery, page);
    let receipt = send(courier, &parcel).await;
    let status = match &receipt {
        Receipt::Answered(status) => Some(*status),
        Receipt::Silent(why) => {
            tracing::warn!(webhook = name, why, "a delivery of events got no answer");
            None
        }
    };
    let events = u32::try_from(parcel.events.len()).unwrap_or(u32::MAX);
    let (from, upto, last) = (delivery.cursor, parcel.upto, Last { at: now, status, events });
    let ended = school.submit(Ended { name: name.to_owned(), from, upto, last }).await;
    Ok(match ended {
        Ok(Became::Paused(case)) => {
            alarm::webhook_paused(name, case);
            Round::At(school.now().after_seconds(PAUSED))
        }
        Ok(Became::Due(at)) => Round::At(at),
        Ok(Became::Gone) => Round::Removed,
        // Nothing was kept: the same again, a little later.
        Err(_) => Round::At(school.now().after_seconds(IDLE)),
    })
}

/// Nothing of what was read is wanted: remember that, and write it down now and then.
async fn pass_over(school: &School, name: &str, delivery: &Delivery, page: &Page, ahead: &mut Ahead) -> Round {
    ahead.passed = Some((delivery.cursor, page.upto));
    let again = if page.more { school.now() } else { school.now().after_seconds(IDLE) };
    if page.upto.seq.saturating_sub(delivery.cursor.seq) >= PASSED_OVER {
        let passed = PassedOver { name: name.to_owned(), from: delivery.cursor, upto: page.upto };
        if school.submit(passed).await.is_err() {
            return Round::At(school.now().after_seconds(IDLE));
        }
    }
    Round::At(again)
}

fn parcel(opens: &dyn Secrets, (id, now): (Id, Micros), webhook: &Webhook, delivery: &Delivery, page: Page) -> Parcel {
    let live = webhook.secrets.iter().filter(|secret| secret.until.is_none_or(|until| now < until));
    let secrets = live.filter_map(|secret| opens.open(Field::WebhookSecret, webhook.id, &secret.sealed).ok()).collect();
    Parcel {
        id,
        webhook: webhook.name.clone(),
        url: webhook.url.clone(),
        secrets,
        at: now,
        after: delivery.told,
        upto: page.upto,
        events: page.events,
    }
}

/// A parcel without events, by which an operator sees whether a receiver takes any; none when there is no such webhook. It
/// needs a reader and the secrets alone, so that it can be sent beside a running server. `fresh` is its number and time.
///
/// Errors: what could not be read. Repeats: sends another.
pub async fn trial(
    (reader, secrets): (&dyn Reader, &dyn Secrets),
    courier: &dyn Courier,
    name: &str,
    fresh: (Id, Micros),
) -> Result<Option<Receipt>, ReadFault> {
    let Some((webhook, delivery)) = one(reader, name).await? else { return Ok(None) };
    let told = delivery.told;
    let page = Page { events: Vec::new(), after: told, upto: told, more: false };
    Ok(Some(send(courier, &parcel(secrets, fresh, &webhook, &delivery, page)).await))
}

async fn send(courier: &dyn Courier, parcel: &Parcel) -> Receipt {
    if parcel.secrets.is_empty() {
        // The key file is another: nobody could check what would be sent.
        return Receipt::Silent("no secret of the webhook opens; is the key file the school's?".to_owned());
    }
    courier.deliver(parcel).await
}

/// What became of a webhook.
enum Became {
    Due(Micros),
    Paused(CaseId),
    Gone,
}

/// Nobody can refuse it.
enum Never {}

/// A delivery ended.
struct Ended {
    name: String,
    from: Cursor,
    upto: Cursor,
    last: Last,
}

impl Command<Campus> for Ended {
    type Answer = Became;
    type Refusal = Never;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        needs(seen, &self.name)
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Became, Halt<Campus, Never>> {
        let now = desk.now();
        let Some((webhook, mut delivery)) = standing(desk, &self.name)? else { return Ok(Became::Gone) };
        if delivery.cursor != self.from || delivery.paused.is_some() {
            // Somebody set it to another place meanwhile: what was sent says nothing of that.
            return Ok(Became::Due(now));
        }
        delivery.last = Some(self.last.clone());
        let became = if self.last.status.is_some_and(webhook::taken) {
            (delivery.cursor, delivery.told) = (self.upto, self.upto);
            (delivery.failing_since, delivery.failures, delivery.due_at) = (None, 0, now);
            Became::Due(now)
        } else {
            delivery.failing_since.get_or_insert(now);
            delivery.failures = delivery.failures.saturating_add(1);
            delivery.due_at = now.after_seconds(webhook::wait(delivery.failures));
            if webhook::gives_up(delivery.failures) {
                let case = give_up(desk, &webhook, &delivery);
                delivery.paused = Some(case);
                Became::Paused(case)
            } else {
                Became::Due(delivery.due_at)
            }
        };
        desk.put(Key::Delivery(webhook.id), Row::Delivery(Box::new(delivery)))?;
        Ok(became)
    }
}

fn give_up(desk: &mut Desk<'_, Campus>, webhook: &Webhook, delivery: &Delivery) -> CaseId {
    let status = delivery.last.as_ref().and_then(|last| last.status);
    let answer = status.map_or("no answer".to_owned(), |status| format!("status {status}"));
    let (name, failures, cursor) = (&webhook.name, delivery.failures, delivery.cursor);
    let detail =
        format!("webhook {name}: {failures} deliveries were not taken, the last with {answer}; told up to {cursor}");
    cases::tell(desk, CaseKind::WebhookPaused, webhook.id, detail)
}

/// Rows that are not wanted were passed over.
struct PassedOver {
    name: String,
    from: Cursor,
    upto: Cursor,
}

impl Command<Campus> for PassedOver {
    type Answer = ();
    type Refusal = Never;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        needs(seen, &self.name)
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Never>> {
        let Some((webhook, delivery)) = standing(desk, &self.name)? else { return Ok(()) };
        if delivery.cursor == self.from {
            let passed = Delivery { cursor: self.upto, ..delivery };
            desk.put(Key::Delivery(webhook.id), Row::Delivery(Box::new(passed)))?;
        }
        Ok(())
    }
}
