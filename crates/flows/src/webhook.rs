//! Webhooks, as the school's operator sets them up: added, listed, told again from a place, resumed, removed. What is sent is
//! the work of [`crate::deliver`].

use ledger::{Id, Micros};
use rules::event::{Cursor, Kind};
use rules::ids::CaseId;
use rules::webhook::{self, Refusal};
use rules::words::Words;
use teller::{Command, Desk, Halt, NotLoaded, Rejected, Seen};

use crate::event::{self, Wanted};
use crate::ports::{Field, ListAsk, Reader};
use crate::rows::{Campus, Key, Row, lists};
use crate::school::{fault_words, rows_of};
use crate::{ReadFault, School, cases};

/// A system of the school that is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its identifier.
    pub id: Id,
    /// Its name, unique in the school.
    pub name: String,
    /// Where events are sent.
    pub url: String,
    /// What signs them, newest first, sealed.
    pub secrets: Vec<SealedSecret>,
    /// Kinds that it wants; all of them when none is named.
    pub kinds: Vec<Kind>,
    /// It is told the numbers of holders.
    pub numbers: bool,
    /// Since when it stands.
    pub made_at: Micros,
    /// Who added it.
    pub made_by: String,
}

/// A secret of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Sealed for the webhook.
    pub sealed: Vec<u8>,
    /// It signs no more from then on; the newest has no such time.
    pub until: Option<Micros>,
}

/// How far a webhook has been told, and how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Everything up to here was taken, or is not wanted.
    pub cursor: Cursor,
    /// Where the last delivery ended that was taken.
    pub told: Cursor,
    /// Since when nothing was taken.
    pub failing_since: Option<Micros>,
    /// Deliveries running that were not taken.
    pub failures: u32,
    /// Nothing is sent before then.
    pub due_at: Micros,
    /// What came of the last delivery.
    pub last: Option<Last>,
    /// Nothing is sent until somebody resumes it; the case says why.
    pub paused: Option<CaseId>,
}

/// What came of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// When it was sent.
    pub at: Micros,
    /// The status of the answer; none when none came.
    pub status: Option<u16>,
    /// Events in it.
    pub events: u32,
}

/// What an operator says of a new webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// Its name.
    pub name: String,
    /// Where events are sent.
    pub url: String,
    /// Kinds that it wants; all of them when none is named.
    pub kinds: Vec<Kind>,
    /// It is told the numbers of holders.
    pub numbers: bool,
    /// It is told from the first event on, not from now on.
    pub from_start: bool,
    /// Who adds it.
    pub by: String,
}

/// Which place to tell again from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After the event of this number.
    After(Cursor),
    /// From the first event that the book took at this moment or later.
    Since(Micros),
}

/// Why a webhook stays as it is; nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookRefusal {
    /// The rules say no.
    #[error("{}", .0.words().en)]
    Rule(Refusal),
    /// A row could not be read.
    #[error(transparent)]
    Read(#[from] ReadFault),
    /// The teller could not do it.
    #[error(transparent)]
    Fault(#[from] teller::Fault),
}

impl WebhookRefusal {
    /// What the operator is told.
    pub fn words(&self) -> Words {
        match self {
            WebhookRefusal::Rule(refusal) => refusal.words(),
            WebhookRefusal::Read(fault) => fault_words(&teller::Fault::Poison(fault.to_string())),
            WebhookRefusal::Fault(fault) => fault_words(fault),
        }
    }

    fn of(rejected: Rejected<Refusal>) -> WebhookRefusal {
        match rejected {
            Rejected::Refused(refusal) => WebhookRefusal::Rule(refusal),
            Rejected::Fault(fault) => WebhookRefusal::Fault(fault),
        }
    }
}

impl From<Refusal> for WebhookRefusal {
    fn from(refusal: Refusal) -> WebhookRefusal {
        WebhookRefusal::Rule(refusal)
    }
}

/// The text of a fresh secret: the key of the signature is these characters.
fn secret_text(bytes: &[u8; 32]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once("ocwh_".to_owned()).chain(digits).collect()
}

/// Adds a webhook; gives its secret, which is shown once and stored sealed.
///
/// Errors: `Rule` with `Name`, `Address`, `TooMany`, `NameTaken`; `Read`; `Fault`. Repeats: a second one of the same name is
/// `NameTaken`.
pub async fn add(school: &School, new: NewWebhook) -> Result<String, WebhookRefusal> {
    webhook::check_name(&new.name)?;
    webhook::host(&new.url)?;
    let most = usize::try_from(webhook::MOST).unwrap_or(usize::MAX);
    if names(school.reader.as_ref()).await?.len() >= most {
        return Err(Refusal::TooMany.into());
    }
    let cursor = match new.from_start {
        true => Cursor::START,
        false => event::newest(school.reader.as_ref()).await?,
    };
    let (id, secret) = (school.new_id(), secret_text(&school.random()));
    let NewWebhook { name, url, mut kinds, numbers, by, .. } = new;
    kinds.sort_unstable();
    kinds.dedup();
    let sealed = school.secrets.seal(Field::WebhookSecret, id, &secret);
    let (secrets, made_at) = (vec![SealedSecret { sealed, until: None }], school.now());
    let webhook = Webhook { id, name, url, secrets, kinds, numbers, made_at, made_by: by };
    school.submit(Add { webhook, cursor }).await.map_err(WebhookRefusal::of)?;
    Ok(secret)
}

struct Add {
    webhook: Webhook,
    cursor: Cursor,
}

impl Command<Campus> for Add {
    type Answer = ();
    type Refusal = Refusal;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Webhook(self.webhook.name.clone()), Key::Delivery(self.webhook.id)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Refusal>> {
        let key = Key::Webhook(self.webhook.name.clone());
        if desk.get(&key)?.is_some() {
            return Err(Halt::Refuse(Refusal::NameTaken));
        }
        let now = desk.now();
        let webhook = Webhook { made_at: now, ..self.webhook.clone() };
        desk.put(Key::Delivery(webhook.id), Row::Delivery(Box::new(Delivery::from(self.cursor, now))))?;
        desk.put(key, Row::Webhook(Box::new(webhook)))?;
        Ok(())
    }
}

impl Delivery {
    /// One that begins at a place.
    pub(crate) const fn from(cursor: Cursor, now: Micros) -> Delivery {
        Delivery { cursor, told: cursor, failing_since: None, failures: 0, due_at: now, last: None, paused: None }
    }
}

/// Names of all webhooks, in the order in which they were added.
pub async fn names(reader: &dyn Reader) -> Result<Vec<String>, ReadFault> {
    let (list, owner, most) = (lists::WEBHOOKS, Vec::new(), webhook::MOST.saturating_mul(2));
    let ask = ListAsk { list, owner, from: i64::MIN, to: i64::MAX, backwards: false, most };
    let listed = reader.list(ask).await?;
    Ok(listed.into_iter().filter_map(|place| String::from_utf8(place.key).ok()).collect())
}

/// A webhook and how it goes; it needs a reader alone, so that it can be asked beside a running server.
pub async fn one(reader: &dyn Reader, name: &str) -> Result<Option<(Webhook, Delivery)>, ReadFault> {
    let row = rows_of(reader, &[Key::Webhook(name.to_owned())]).await?.pop().flatten();
    let Some(webhook) = row.as_ref().and_then(Row::webhook).cloned() else { return Ok(None) };
    let row = rows_of(reader, &[Key::Delivery(webhook.id)]).await?.pop().flatten();
    let delivery = row.as_ref().and_then(Row::delivery).cloned().ok_or(ReadFault::Broken("delivery"))?;
    Ok(Some((webhook, delivery)))
}

/// Events that wait for a webhook: how many there are, and whether that is as far as was looked.
pub async fn waiting(reader: &dyn Reader, webhook: &Webhook, delivery: &Delivery) -> Result<(usize, bool), ReadFault> {
    let wanted = Wanted { kinds: webhook.kinds.clone(), numbers: false };
    let page = event::page(reader, delivery.cursor, 1_000, &wanted).await?;
    Ok((page.events.len(), page.more))
}

/// A webhook as it stands on the desk. Needs what [`needs`] names.
pub(crate) fn standing(desk: &Desk<'_, Campus>, name: &str) -> Result<Option<(Webhook, Delivery)>, NotLoaded<Key>> {
    let Some(webhook) = desk.get(&Key::Webhook(name.to_owned()))?.and_then(Row::webhook).cloned() else {
        return Ok(None);
    };
    let delivery = desk.get(&Key::Delivery(webhook.id))?.and_then(Row::delivery).cloned();
    Ok(delivery.map(|delivery| (webhook, delivery)))
}

/// Rows that tell of a webhook.
pub(crate) fn needs(seen: &Seen<'_, Campus>, name: &str) -> Vec<Key> {
    let key = Key::Webhook(name.to_owned());
    let delivery = seen.row(&key).and_then(Row::webhook).map(|webhook| Key::Delivery(webhook.id));
    let paused = delivery.as_ref().and_then(|key| seen.row(key)).and_then(Row::delivery);
    let case = paused.and_then(|delivery| delivery.paused).map(Key::Case);
    std::iter::once(key).chain(delivery).chain(case).collect()
}

/// What an operator does to a webhook.
enum Change {
    Remove,
    /// A new secret signs; the one before it does so beside it for a day.
    Rotate {
        sealed: Vec<u8>,
    },
    TellAgain(Cursor),
    Resume,
}

struct Set {
    name: String,
    change: Change,
}

impl Command<Campus> for Set {
    type Answer = ();
    type Refusal = Refusal;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        needs(seen, &self.name)
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Refusal>> {
        let now = desk.now();
        let (mut webhook, delivery) = standing(desk, &self.name)?.ok_or(Halt::Refuse(Refusal::Unknown))?;
        let key = Key::Delivery(webhook.id);
        match &self.change {
            Change::Remove => {
                go_on(desk, &delivery, "the webhook was removed")?;
                desk.delete(key)?;
                desk.delete(Key::Webhook(self.name.clone()))?;
            }
            Change::Rotate { sealed } => {
                webhook.secrets.truncate(1);
                for old in &mut webhook.secrets {
                    old.until = Some(now.after_seconds(webhook::OLD_SECRET));
                }
                webhook.secrets.insert(0, SealedSecret { sealed: sealed.clone(), until: None });
                desk.put(Key::Webhook(self.name.clone()), Row::Webhook(Box::new(webhook)))?;
            }
            Change::TellAgain(cursor) => {
                go_on(desk, &delivery, "it is told again from an earlier place")?;
                desk.put(key, Row::Delivery(Box::new(Delivery::from(*cursor, now))))?;
            }
            Change::Resume if delivery.paused.is_none() => return Err(Halt::Refuse(Refusal::NotPaused)),
            Change::Resume => {
                go_on(desk, &delivery, "somebody resumed it")?;
                let (cursor, told, last) = (delivery.cursor, delivery.told, delivery.last);
                let resumed = Delivery { told, last, ..Delivery::from(cursor, now) };
                desk.put(key, Row::Delivery(Box::new(resumed)))?;
            }
        }
        Ok(())
    }
}

/// Ends the case of a pause.
fn go_on(desk: &mut Desk<'_, Campus>, delivery: &Delivery, how: &str) -> Result<(), NotLoaded<Key>> {
    delivery.paused.map_or(Ok(()), |case| cases::end(desk, case, how.to_owned()))
}

async fn set(school: &School, name: &str, change: Change) -> Result<(), WebhookRefusal> {
    school.submit(Set { name: name.to_owned(), change }).await.map_err(WebhookRefusal::of)
}

/// Removes a webhook: nothing more is sent to it. Errors: `Unknown`, faults. Repeats: `Unknown`.
pub async fn remove(school: &School, name: &str) -> Result<(), WebhookRefusal> {
    set(school, name, Change::Remove).await
}

/// Gives a webhook a new secret, which is shown once. For a day deliveries carry a signature of the old one too.
///
/// Errors: `Unknown`, faults. Repeats: another secret; the one before the last signs no more.
pub async fn rotate(school: &School, name: &str) -> Result<String, WebhookRefusal> {
    let (webhook, _) = one(school.reader.as_ref(), name).await?.ok_or(Refusal::Unknown)?;
    let secret = secret_text(&school.random());
    let sealed = school.secrets.seal(Field::WebhookSecret, webhook.id, &secret);
    set(school, name, Change::Rotate { sealed }).await?;
    Ok(secret)
}

/// Tells a webhook again from an earlier place; one that was paused goes on. Gives that place.
///
/// Errors: `Unknown`, `NoSuchPlace`, faults. Repeats: again from there.
pub async fn replay(school: &School, name: &str, again: Again) -> Result<Cursor, WebhookRefusal> {
    let reader = school.reader.as_ref();
    one(reader, name).await?.ok_or(Refusal::Unknown)?;
    let cursor = match again {
        Again::After(cursor) if event::is_known(reader, cursor).await? => cursor,
        Again::After(_) => return Err(Refusal::NoSuchPlace.into()),
        Again::Since(moment) => event::before(reader, moment).await?,
    };
    set(school, name, Change::TellAgain(cursor)).await?;
    Ok(cursor)
}

/// A webhook that was paused is tried again at once, from where it stood; its case ends.
///
/// Errors: `Unknown`, `NotPaused`, faults. Repeats: `NotPaused`.
pub async fn resume(school: &School, name: &str) -> Result<(), WebhookRefusal> {
    set(school, name, Change::Resume).await
}
