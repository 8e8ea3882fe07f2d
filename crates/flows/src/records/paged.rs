//! Records page by page, and only some of them: of one kind, of one month (R92).
//!
//! They are in the order of their moment, and of their number where several have one moment. A page begins behind a place in
//! that order, so nothing is left out or shown twice, whatever comes in between.

use ledger::Micros;
use rules::calendar::CampusMonth;
use rules::ids::PersonId;

use super::{Record, gathered};
use crate::{ReadFault, School};

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Money that came in.
    TopUp,
    /// Money that was spent.
    Purchase,
    /// Money that went back to the payer.
    Refund,
}

/// Which records are wanted; none of both: all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these.
    pub kind: Option<Kind>,
    /// Only those of this month of the campus.
    pub month: Option<CampusMonth>,
}

impl Filter {
    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
    }
}

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

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged {
    /// Newest first.
    pub records: Vec<Record>,
    /// The place behind which the next page begins; none when this is the last.
    pub next: Option<Place>,
}

/// The newest records of `person` that pass the filter and stand behind `after`, at most `most`.
///
/// Errors: a committed row cannot be read. Repeats: harmless. Source: R92.
pub async fn paged(
    school: &School,
    person: PersonId,
    filter: &Filter,
    after: Option<&Place>,
    most: u32,
) -> Result<Paged, ReadFault> {
    let wanted = usize::try_from(most).unwrap_or(usize::MAX);
    let before = after.map_or(Micros::new(i64::MAX), |place| place.at);
    // One more than is shown, to know whether more follow; and the one at `after` itself comes again.
    let mut asked = most.saturating_add(2);
    loop {
        let found = gathered(school, person, filter, before, asked).await?;
        let whole = found.len() < usize::try_from(asked).unwrap_or(usize::MAX);
        let mut placed: Vec<(Place, Record)> = found.into_iter().map(|record| (Place::of(&record), record)).collect();
        if !whole {
            // Others of the oldest moment may have been cut off; what is newer is all there.
            let oldest = placed.iter().map(|(place, _)| place.at).min();
            placed.retain(|(place, _)| Some(place.at) != oldest);
        }
        placed.retain(|(place, _)| after.is_none_or(|after| place < after));
        if placed.len() <= wanted && !whole {
            asked = asked.saturating_mul(2);
            continue;
        }
        placed.sort_by(|(left, _), (right, _)| right.cmp(left));
        let more = placed.len() > wanted;
        placed.truncate(wanted);
        let next = placed.last().map(|(place, _)| place.clone()).filter(|_| more);
        return Ok(Paged { records: placed.into_iter().map(|(_, record)| record).collect(), next });
    }
}
