//! What a holder is told: put into the inbox inside the decision that it tells of, read by the holder, kept as long as the
//! newest (M31).
//!
//! A command that tells something names [`needs`] among its rows and calls [`tell`] in its `decide`, so that the message and
//! what it tells of are one commit. It costs one row, written anew with each message: the newest sixteen messages at most,
//! some 40 bytes each. Every sixteenth time they are put away as they are, in a second row.

use std::convert::Infallible;

use rules::ids::PersonId;
use rules::message::{Inbox, Message, Received};
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::rows::{Campus, Key, Row};
use crate::{ReadFault, School};

/// Messages of one batch for one holder for which there is room without being put off.
const AT_ONCE: u64 = 4;

/// Rows that [`tell`] looks at.
pub(crate) fn needs(seen: &Seen<'_, Campus>, person: PersonId) -> Vec<Key> {
    let inbox = seen.row(&Key::Inbox(person)).and_then(Row::inbox);
    let place = inbox.and_then(|inbox| inbox.next_place(AT_ONCE));
    place.map(|place| Key::Messages(person, place)).into_iter().chain([Key::Inbox(person)]).collect()
}

/// The inbox as the desk has it. Needs what [`needs`] names.
pub(crate) fn on_desk(desk: &Desk<'_, Campus>, person: PersonId) -> Result<Inbox, NotLoaded<Key>> {
    Ok(desk.get(&Key::Inbox(person))?.and_then(Row::inbox).cloned().unwrap_or_default())
}

/// Tells a holder something, in the decision that it tells of. Needs what [`needs`] names.
///
/// Repeats: a message each time; a command that finds its work done must not tell again.
pub(crate) fn tell(desk: &mut Desk<'_, Campus>, person: PersonId, message: Message) -> Result<(), NotLoaded<Key>> {
    let mut inbox = on_desk(desk, person)?;
    put(desk, person, &mut inbox, message)?;
    desk.put(Key::Inbox(person), Row::Inbox(Box::new(inbox)))
}

/// As [`tell`], into an inbox that the caller writes.
pub(crate) fn put(
    desk: &mut Desk<'_, Campus>,
    person: PersonId,
    inbox: &mut Inbox,
    message: Message,
) -> Result<(), NotLoaded<Key>> {
    match inbox.take(message, desk.now()) {
        Some(away) => desk.put(Key::Messages(person, away.place), Row::Messages(away.messages)),
        None => Ok(()),
    }
}

/// Messages of a holder, as a page shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub messages: Vec<Received>,
    /// How far they are read: every message up to this number is.
    pub read: u64,
    /// How many are kept and not read, on all pages.
    pub unread: u64,
    /// Number of the newest message there is; 0 when there is none.
    pub newest: u64,
    /// There are older ones: those before this number.
    pub older: Option<u64>,
}

/// Messages of `person` with a number below `before`, newest first, at most `most`; `before` of none means from the newest.
///
/// It changes nothing: what is shown is read when its reader says so. Errors: what could not be read. Repeats: harmless.
pub async fn page(school: &School, person: PersonId, before: Option<u64>, most: u32) -> Result<Page, ReadFault> {
    let Some(inbox) = of(school, person).await? else { return Ok(Page::default()) };
    let last = before.map_or(inbox.newest, |before| before.saturating_sub(1)).min(inbox.newest);
    // One more than asked for tells whether there are older ones.
    let first = last.saturating_sub(u64::from(most)).max(1);
    let keys: Vec<Key> = inbox.places(first, last).into_iter().map(|place| Key::Messages(person, place)).collect();
    let away = if keys.is_empty() { Vec::new() } else { school.rows(&keys).await? };
    let away = away.iter().flatten().filter_map(Row::messages).flatten();
    let asked = |received: &&Received| (first..=last).contains(&received.no);
    let mut messages: Vec<Received> = away.chain(&inbox.messages).filter(asked).copied().collect();
    messages.sort_by_key(|received| std::cmp::Reverse(received.no));
    // Between the two reads the oldest row may have been written over by one that is newer than all of this.
    let whole = usize::try_from(most).unwrap_or(usize::MAX);
    let older = messages.get(whole).and_then(|_| messages.get(whole.saturating_sub(1))).map(|received| received.no);
    messages.truncate(whole);
    Ok(Page { messages, read: inbox.read, unread: inbox.unread(), newest: inbox.newest, older })
}

/// How many messages of `person` are not read: one row is looked at.
pub async fn unread(school: &School, person: PersonId) -> Result<u64, ReadFault> {
    Ok(of(school, person).await?.map_or(0, |inbox| inbox.unread()))
}

async fn of(school: &School, person: PersonId) -> Result<Option<Inbox>, ReadFault> {
    Ok(school.row(&Key::Inbox(person)).await?.and_then(|row| row.inbox().cloned()))
}

/// Marks messages as read.
struct Read {
    person: PersonId,
    to: u64,
}

impl Command<Campus> for Read {
    /// How many are not read afterwards.
    type Answer = u64;
    type Refusal = Infallible;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Inbox(self.person)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<u64, Halt<Campus, Infallible>> {
        let mut inbox = on_desk(desk, self.person)?;
        let (changed, unread) = (inbox.mark_read(self.to), inbox.unread());
        if changed {
            desk.put(Key::Inbox(self.person), Row::Inbox(Box::new(inbox)))?;
        }
        Ok(unread)
    }
}

/// The holder has read every message up to number `to`; gives how many are not read afterwards. A message that came after the
/// page was made has a higher number and stays unread.
///
/// Errors: the fault of the teller; then nothing was marked. Repeats: what is read stays read.
pub async fn read(school: &School, person: PersonId, to: u64) -> Result<u64, Fault> {
    school.submit(Read { person, to }).await.map_err(|rejected| match rejected {
        Rejected::Refused(never) => match never {},
        Rejected::Fault(fault) => fault,
    })
}
