//! A book goes on from a backup: the epoch that it begins, and what is to be done first in it (M9).

use rules::epoch::Epoch;
use teller::{Command, Desk, Fault, Halt, Rejected, Seen};

use crate::School;
use crate::rows::{Campus, Key, Row};

/// Begins an epoch; a row of the book like any other, so that the chain remembers it.
struct Begin {
    number: u64,
}

/// It is never refused.
enum Never {}

impl Command<Campus> for Begin {
    type Answer = Epoch;
    type Refusal = Never;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Epoch]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Epoch, Halt<Campus, Never>> {
        let newest = desk.get(&Key::Epoch)?.and_then(Row::epoch).copied();
        if let Some(newest) = newest
            && newest.number >= self.number
        {
            return Ok(newest);
        }
        let epoch = Epoch { number: self.number, since: desk.now(), orders_asked: false };
        desk.put(Key::Epoch, Row::Epoch(epoch))?;
        Ok(epoch)
    }
}

/// Begins epoch `number` of a book that was restored; gives the epoch that it is in from now on.
///
/// Errors: the fault of the teller; then nothing was done. Repeats: an epoch that has begun stays as it is. Source: M9.
pub async fn begin(school: &School, number: u64) -> Result<Epoch, Fault> {
    school.submit(Begin { number }).await.map_err(|rejected| match rejected {
        Rejected::Refused(never) => match never {},
        Rejected::Fault(fault) => fault,
    })
}
