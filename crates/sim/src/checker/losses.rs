//! Cards that were reported lost: from the time of effect the platform grants them nothing on line, and that time stays (I6).

use std::collections::BTreeMap;

use ledger::JournalRow;
use rules::card::{Card, State};
use rules::purchase::State as SaleState;

use super::book::{code, reason};
use super::sales::Sales;
use super::{Findings, People};
use crate::count::Counters;
use crate::notes::Who;

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Lost {
    since: i64,
    /// The batch in which it became lost is over: whatever comes now was decided after.
    settled: bool,
}

/// Lost cards, as the book has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses(BTreeMap<u64, Lost>);

impl Losses {
    pub(super) fn card(&mut self, card: &Card, who: Who, findings: &mut Findings, counters: &mut Counters) {
        let (no, since) = (card.no.0, card.since.get());
        match (self.0.get(&no), card.state) {
            (None, State::Lost) => {
                self.0.insert(no, Lost { since, settled: false });
                if card.released.is_some() {
                    counters.add("loss: with a load on its way");
                }
            }
            (None, _) => {}
            (Some(lost), State::Lost) => findings.demand(lost.since == since, "I6", who, || {
                format!("card {no:x} was lost since {}, and now since {since}", lost.since)
            }),
            (Some(lost), state) => {
                findings
                    .add("I6", who, || format!("card {no:x} was lost since {}, and is {state:?} again", lost.since));
            }
        }
    }

    /// Whether the card was lost before this batch.
    fn before(&self, card: u64) -> bool {
        self.0.get(&card).is_some_and(|lost| lost.settled)
    }

    /// A sale that is new in the book. One that is paid shows in the journal: after a restore, what was paid before is paid
    /// again, whatever became of its card.
    pub(super) fn sale(&self, card: u64, state: SaleState, who: Who, findings: &mut Findings) {
        let granted = state == SaleState::AwaitingPurse && self.before(card);
        findings.demand(!granted, "I6", who, || format!("card {card:x} is lost, and its purse was to be debited"));
    }

    pub(super) fn journal(&self, row: &JournalRow, sales: &Sales, people: &People, findings: &mut Findings) {
        let card = match (row.code, row.credit.code.0) {
            (reason::SALE_FROM_ACCOUNT, _) => sales.card_of(row.reference.get()),
            (reason::LOAD_RELEASED, code::ON_CARD) => u64::try_from(row.credit.owner).ok(),
            _ => None,
        };
        let Some(card) = card.filter(|card| self.before(*card)) else { return };
        let who = people.who(card);
        findings.add("I6", who, || format!("row {} moves {} on line for the lost card {card:x}", row.seq, row.amount));
    }

    /// The batch is over.
    pub(super) fn settle(&mut self) {
        for lost in self.0.values_mut() {
            lost.settled = true;
        }
    }

    /// A page says since when a card is lost.
    pub(crate) fn told(&self, card: u64, since: i64, who: Who, findings: &mut Findings) {
        let kept = self.0.get(&card).map(|lost| lost.since);
        findings.demand(kept == Some(since), "ACK", who, || {
            format!("card {card:x} was said to be lost since {since}; kept is {kept:?}")
        });
    }

    /// Whose card is lost and is not in the book.
    pub(crate) fn forgotten(&self, people: &People) -> Vec<usize> {
        people.lost.iter().copied().filter(|holder| !self.0.contains_key(&people.card(*holder))).collect()
    }

    /// Everything is calm: every report was taken.
    pub(super) fn converged(&self, people: &People, findings: &mut Findings) {
        for holder in self.forgotten(people) {
            findings.add("I6", Who::holder(holder), || "the card was reported lost and is in use".to_owned());
        }
    }
}
