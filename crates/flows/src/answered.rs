//! What programs were answered to changing calls, so that the same call again gets the same answer (I5).
//!
//! The call's own command is keyed too: an answer that could not be kept, because the server stopped in between, costs
//! nothing but a second look. Only what was done is kept; a refusal changed nothing and is decided anew.

use std::convert::Infallible;

use ledger::Id;
use teller::{Command, Desk, Fault, Halt, Rejected, Seen};

use crate::ports::ListAsk;
use crate::rows::{AnswerNote, Campus, Key, Row, lists};
use crate::{ReadFault, School};

/// An answer is kept for so many seconds at least: 30 days (M6). Older ones of the same owner go when another is kept.
pub const KEPT: i64 = 2_592_000;

/// Old answers that go with one new one at most.
const SWEEP: u32 = 16;

/// What `owner` was answered under this key, if it was.
///
/// Errors: a committed row could not be read. Repeats: harmless.
pub async fn answer(school: &School, owner: Id, key: [u8; 16]) -> Result<Option<AnswerNote>, ReadFault> {
    let row = school.row(&Key::Answer(owner, key)).await?;
    Ok(row.as_ref().and_then(Row::answer).filter(|note| !old(note, school.now())).cloned())
}

fn old(note: &AnswerNote, now: ledger::Micros) -> bool {
    note.at.after_seconds(KEPT) <= now
}

/// Keeps an answer, and gives the one that is kept: the first under its key.
///
/// Errors: the teller could not do it, or a row could not be read; nothing is kept. Repeats: the first stays.
pub async fn keep(
    school: &School,
    key: [u8; 16],
    note: AnswerNote,
) -> Result<AnswerNote, crate::unavailable::Unavailable> {
    let ask = ListAsk {
        list: lists::ANSWERS,
        owner: note.owner.bytes().to_vec(),
        from: i64::MIN,
        to: school.now().after_seconds(-KEPT).get(),
        backwards: false,
        most: SWEEP,
    };
    let places = school.list(ask).await?;
    let found = places.iter().filter_map(|place| {
        let (_, key) = place.key.split_first_chunk::<16>()?;
        Some(Key::Answer(note.owner, key.try_into().ok()?))
    });
    let sweep = found.collect();
    match school.submit(Keep { key: Key::Answer(note.owner, key), note, sweep }).await {
        Ok(note) => Ok(note),
        Err(Rejected::Fault(fault)) => Err(Fault::into(fault)),
        Err(Rejected::Refused(never)) => match never {},
    }
}

struct Keep {
    key: Key,
    note: AnswerNote,
    /// Old ones.
    sweep: Vec<Key>,
}

impl Command<Campus> for Keep {
    type Answer = AnswerNote;
    type Refusal = Infallible;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        self.sweep.iter().chain([&self.key]).cloned().collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<AnswerNote, Halt<Campus, Infallible>> {
        let now = desk.now();
        if let Some(first) = desk.get(&self.key)?.and_then(Row::answer).filter(|note| !old(note, now)) {
            return Ok(first.clone());
        }
        for key in &self.sweep {
            if desk.get(key)?.and_then(Row::answer).is_some_and(|note| old(note, now)) {
                desk.delete(key.clone())?;
            }
        }
        let note = AnswerNote { at: now, ..self.note.clone() };
        desk.put(self.key.clone(), Row::Answer(Box::new(note.clone())))?;
        Ok(note)
    }
}
