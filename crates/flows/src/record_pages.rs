//! A holder's records page by page, so that none is repeated or left out, whatever comes in meanwhile (R92).
//!
//! Records are in order of their moment, and of their number where several have one moment; a page begins after a place
//! in that order.

use ledger::Micros;
use rules::ids::PersonId;

use crate::records::{Record, records};
use crate::{ReadFault, School};

/// A record's place among a holder's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it happened.
    pub at: Micros,
    /// Its number.
    pub number: String,
}

impl Place {
    fn of(record: &Record) -> Place {
        Place { at: record.at(), number: record.number() }
    }
}

/// At most `most` records of `person`, newest first, that stand after `after`; and the place of the last, if more follow.
///
/// Errors: a committed row could not be read. Repeats: harmless. Source: R92.
pub async fn page(
    school: &School,
    person: PersonId,
    after: Option<Place>,
    most: u32,
) -> Result<(Vec<Record>, Option<Place>), ReadFault> {
    let wanted = usize::try_from(most).unwrap_or(usize::MAX);
    let before = after.as_ref().map_or(school.now(), |place| place.at);
    let mut asked = most.saturating_add(1);
    loop {
        let found = records(school, person, before, asked).await?;
        let whole = found.len() < usize::try_from(asked).unwrap_or(usize::MAX);
        let mut placed: Vec<(Place, Record)> = found.into_iter().map(|record| (Place::of(&record), record)).collect();
        if !whole {
            // Others of the oldest moment may have been cut off: what is sure are the records after it.
            let oldest = placed.iter().map(|(place, _)| place.at).min();
            placed.retain(|(place, _)| Some(place.at) != oldest);
        }
        placed.retain(|(place, _)| after.as_ref().is_none_or(|after| place < after));
        if placed.len() <= wanted && !whole {
            asked = asked.saturating_mul(2);
            continue;
        }
        placed.sort_by(|(left, _), (right, _)| right.cmp(left));
        let more = placed.len() > wanted;
        placed.truncate(wanted);
        let last = placed.last().map(|(place, _)| place.clone()).filter(|_| more);
        return Ok((placed.into_iter().map(|(_, record)| record).collect(), last));
    }
}
