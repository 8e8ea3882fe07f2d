//! E1: the book of a system that is told of events. What it was told, each event once, is the journal: nothing is left out,
//! nothing is another's, nothing comes before what stands before it, and after a restore nothing is left that did not survive.

use std::collections::BTreeMap;

use flows::event::{Event, Told};
use ledger::{JournalRow, Kind};

use super::{Findings, Sum};
use crate::notes::Who;

/// What one event said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    kind: &'static str,
    amount: Sum,
    between: (u16, u16),
    posted: bool,
    at: (i64, i64),
}

impl Fact {
    /// What must be told of a journal row, from the numbers that stand in it.
    fn of(row: &JournalRow) -> Fact {
        let kind = match (row.kind, row.code) {
            (Kind::Pend, _) => "money.set_aside",
            (Kind::Void, _) => "money.freed",
            (_, 1) => "topup.credited",
            (_, 11 | 15) => "card.loaded",
            (_, 20 | 22 | 23 | 26) => "purchase.paid",
            (_, 21) => "purchase.reversed",
            (_, 30) => "refund.held",
            (_, 31) => "refund.settled",
            (_, 32) => "refund.released",
            _ => "money.moved",
        };
        Fact {
            kind,
            amount: Sum::from(row.amount.get()),
            between: (row.debit.code.0, row.credit.code.0),
            posted: matches!(row.kind, Kind::Direct | Kind::Post),
            at: (row.recorded_at.get(), row.effective_at.get()),
        }
    }
}

/// A place: epoch and sequence.
type Place = (u64, u64);

/// What a receiver knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    known: BTreeMap<Place, Fact>,
    /// The newest event.
    at: Place,
    /// Of the epochs before the newest: epoch, first, last.
    survived: Vec<(u64, u64, u64)>,
    /// What the world knows of restores: the epoch that began, and the last row that survived.
    began: Vec<Place>,
}

impl Received {
    /// A parcel; gives how many of its events were known.
    pub(crate) fn take(&mut self, events: &[Event], findings: &mut Findings) -> u64 {
        // Nothing came yet: the first epoch needs no announcement.
        self.at.0 = self.at.0.max(1);
        let mut again = 0;
        for event in events {
            let place = (event.id.epoch, event.id.seq);
            let outcome = match &event.told {
                Told::Restored(restored) => {
                    let survived = restored.survived.iter().map(|span| (span.epoch, span.first, span.last)).collect();
                    self.restored(place.0, restored.last_seq, survived)
                }
                Told::Moved(moved) => {
                    let fact = Fact {
                        kind: moved.kind.name(),
                        amount: Sum::from(moved.amount.get()),
                        between: (moved.debit.0, moved.credit.0),
                        posted: moved.posted,
                        at: (moved.recorded_at.get(), moved.effective_at.get()),
                    };
                    self.moved(place, fact)
                }
            };
            match outcome {
                Ok(fresh) => again += u64::from(!fresh),
                Err(why) => findings.add("E1", Who::NOBODY, || format!("event {}-{}: {why}", place.0, place.1)),
            }
        }
        again
    }

    fn restored(&mut self, epoch: u64, last: u64, survived: Vec<(u64, u64, u64)>) -> Result<bool, String> {
        if epoch <= self.at.0 {
            return Ok(false);
        }
        self.survived = survived;
        let known = std::mem::take(&mut self.known);
        self.known = known.into_iter().filter(|(place, _)| self.is_true(*place)).collect();
        self.at = (epoch, last);
        let rows = u64::try_from(self.known.len()).unwrap_or(0);
        if rows == last { Ok(true) } else { Err(format!("{last} rows survived, {rows} of them were told")) }
    }

    /// Whether an event of an earlier epoch survived.
    fn is_true(&self, (epoch, seq): Place) -> bool {
        self.survived.iter().any(|span| span.0 == epoch && (span.1..=span.2).contains(&seq))
    }

    fn moved(&mut self, place: Place, fact: Fact) -> Result<bool, String> {
        if place.0 < self.at.0 && !self.is_true(place) {
            // On its way since before the restore.
            return Ok(false);
        }
        if place.0 < self.at.0 || place.0 == self.at.0 && place.1 <= self.at.1 {
            return match self.known.get(&place) {
                Some(before) if *before == fact => Ok(false),
                before => Err(format!("it is {fact:?}, and was {before:?}")),
            };
        }
        if place != (self.at.0, self.at.1 + 1) {
            return Err(format!("it follows {}-{}", self.at.0, self.at.1));
        }
        self.known.insert(place, fact);
        self.at = place;
        Ok(true)
    }

    /// The world restored a backup that ends with row `head`.
    pub(crate) fn epoch_begins(&mut self, epoch: u64, head: u64) {
        self.began.push((epoch, head));
    }

    /// Whether it knows these rows, which are all of the journal, and no others.
    pub(crate) fn is_journal(&self, rows: &[JournalRow]) -> Result<(), String> {
        let epoch = |seq: u64| self.began.iter().rev().find(|began| began.1 < seq).map_or(1, |began| began.0);
        let journal: BTreeMap<Place, Fact> =
            rows.iter().map(|row| ((epoch(row.seq), row.seq), Fact::of(row))).collect();
        let missing = journal.iter().find(|(place, fact)| self.known.get(place) != Some(fact));
        if let Some((place, fact)) = missing {
            return Err(format!("row {place:?} is {fact:?}; told was {:?}", self.known.get(place)));
        }
        match self.known.keys().find(|place| !journal.contains_key(place)) {
            Some(place) => Err(format!("{place:?} was told and is no row")),
            None => Ok(()),
        }
    }
}
