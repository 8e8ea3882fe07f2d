//! Loads: the book never says that a card took what it did not take, or did not take what it took.

use std::collections::{BTreeMap, BTreeSet};

use ledger::JournalRow;
use rules::load::{Attempt, Item, Source, State};

use super::book::{Book, code, reason};
use super::{Findings, People, Sum};
use crate::count::Counters;
use crate::notes::Who;

/// What a chip physically took, and what its counter was before.
#[derive(Clone, Debug, Default)]
struct Chip {
    taken: Sum,
    /// Amount by counter before.
    loads: BTreeMap<u16, Sum>,
    n: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Released,
    Applied,
    NotApplied,
}

#[derive(Clone, Debug)]
struct Known {
    stage: Stage,
    n: u16,
    amount: Sum,
    orders: Vec<u128>,
    /// It carries a fill from the account.
    fills: bool,
}

/// The truth and the book's word about loads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loads {
    chips: BTreeMap<u64, Chip>,
    booked: BTreeMap<u64, Sum>,
    attempts: BTreeMap<(u64, u32), Known>,
    /// Attempts of which a TAC came in.
    confirming: BTreeSet<(u64, u32)>,
    fresh: Vec<(u64, u32, Stage)>,
    touched: BTreeSet<u64>,
    /// At most so much the card took that a restored book does not have yet.
    ahead: BTreeMap<u64, Sum>,
    /// Attempts that were open in the backup: the card took them, or others that carried the same.
    reopened: BTreeSet<(u64, u32)>,
    /// Cards that had taken something of that kind.
    was_ahead: BTreeSet<u64>,
    /// Orders that waited in the backup and that a forgotten load took.
    spent: BTreeSet<u128>,
    /// What waits for each holder's card, item by item, added up.
    waiting: BTreeMap<u128, Sum>,
}

impl Loads {
    /// The book is as it was when the backup was made; what the chips took they have.
    pub(super) fn restored(&mut self, now: Loads, credited: impl Fn(u128) -> bool) {
        let taken = |chips: &BTreeMap<u64, Chip>, card: &u64| chips.get(card).map_or(0, |chip| chip.taken);
        let open = self.attempts.iter().filter(|(_, known)| known.stage == Stage::Released);
        self.reopened = open.map(|(key, _)| *key).collect();
        for ((card, k), known) in &now.attempts {
            let took = now.chips.get(card).and_then(|chip| chip.loads.get(&known.n));
            let forgotten = !self.attempts.contains_key(&(*card, *k)) && took == Some(&known.amount);
            if forgotten && !self.reopened.iter().any(|(other, _)| other == card) {
                self.spent.extend(known.orders.iter().copied().filter(|order| credited(*order)));
            }
        }
        let booked = |card: &u64| self.booked.get(card).copied().unwrap_or(0);
        self.ahead = now.chips.keys().map(|card| (*card, taken(&now.chips, card) - booked(card))).collect();
        self.was_ahead = self.ahead.iter().filter(|(_, ahead)| **ahead > 0).map(|(card, _)| *card).collect();
        self.chips = now.chips;
    }

    /// Whether the card had taken something that the restored book did not have.
    pub(super) fn was_ahead(&self, card: u64) -> bool {
        self.was_ahead.contains(&card)
    }

    /// Whether an attempt was open on the card in the backup, and the card had taken another in its place: that it took as
    /// much as the book explains by the first hides what else was in the second.
    pub(super) fn replaced(&self, card: u64) -> bool {
        self.was_ahead(card) && self.reopened.iter().any(|(other, _)| *other == card)
    }

    /// How much the card may have taken that the book does not have yet.
    pub(super) fn ahead(&self, card: u64) -> Sum {
        self.ahead.get(&card).copied().unwrap_or(0)
    }

    /// A chip took a load at this counter.
    pub(crate) fn taken(
        &mut self,
        card: u64,
        n: u16,
        amount: Sum,
        book: &Book,
        people: &People,
        findings: &mut Findings,
    ) {
        let chip = self.chips.entry(card).or_default();
        let twice = chip.loads.insert(n, amount).is_some();
        chip.taken += amount;
        chip.n = n.wrapping_add(1);
        findings.demand(!twice, "I3", people.who(card), || format!("card {card:x} took two loads at counter {n}"));
        self.equation(card, book, people, findings);
    }

    /// What waits for a holder's card (M10).
    pub(super) fn waits(&mut self, person: &[u8], items: &[Item]) {
        let Ok(person) = person.try_into().map(u128::from_be_bytes) else { return };
        self.waiting.insert(person, items.iter().map(|item| Sum::from(item.amount.get())).sum());
    }

    /// A TAC for this attempt reached the platform.
    pub(crate) fn confirming(&mut self, card: u64, k: u32) {
        self.confirming.insert((card, k));
    }

    /// MAC2 of this attempt leaves the platform.
    pub(crate) fn released(&self, card: u64, k: u32, amount: Sum, people: &People, findings: &mut Findings) {
        let kept = self.attempts.get(&(card, k));
        findings.demand(kept.is_some_and(|known| known.amount == amount), "I3", people.who(card), || {
            format!("MAC2 of attempt {k} for {amount} leaves; durable is {kept:?}")
        });
    }

    pub(super) fn attempt(
        &mut self,
        attempt: &Attempt,
        given_back: impl Fn(u128) -> bool,
        people: &People,
        findings: &mut Findings,
        counters: &mut Counters,
    ) {
        let key = (attempt.card.0, attempt.k);
        let stage = match attempt.state {
            State::Released | State::Doubted => Stage::Released,
            State::Applied { .. } => Stage::Applied,
            State::NotApplied { .. } => Stage::NotApplied,
        };
        let of_order = |item: &Item| match item.source {
            Source::Order(no) => Some(no.id().get()),
            Source::Float => None,
        };
        let orders: Vec<u128> = attempt.items.iter().filter_map(of_order).collect();
        let again = orders.iter().find(|order| self.spent.contains(order));
        let who = people.who(key.0);
        findings.demand(again.is_none(), "M9", who, || {
            format!("attempt {} carries {again:?}, which the card took before the restore", key.1)
        });
        let count = orders.len();
        // One that was open in the backup may have let go of it before the disk was lost.
        let twice = orders.iter().find(|order| !self.attempts.contains_key(&key) && given_back(**order));
        findings.demand(twice.is_none(), "M9", who, || {
            format!("attempt {} carries {twice:?}, whose payer has the money back since before the restore", key.1)
        });
        let (n, amount, fills) = (attempt.session.n, Sum::from(attempt.session.amount), attempt.items.len() > count);
        let known = Known { stage, n, amount, orders, fills };
        if self.attempts.insert(key, known).is_none_or(|before| before.stage != stage) {
            let confirmed = self.confirming.contains(&key);
            counters.add(match stage {
                Stage::Released => "load: released",
                Stage::Applied if confirmed => "load: applied, proved by TAC",
                Stage::Applied => "load: applied, proved by the counter",
                Stage::NotApplied => "load: not applied",
            });
        }
        if stage == Stage::Released {
            if count > 1 {
                counters.add("load: several orders at once");
            }
            if fills {
                counters.add("load: with a fill of the purse");
            }
        }
        self.fresh.push((key.0, key.1, stage));
        self.touched.insert(key.0);
    }

    pub(super) fn journal(&mut self, row: &JournalRow, findings: &mut Findings, people: &People) {
        let forgotten = row.code == reason::LOAD_FORGOTTEN;
        if !forgotten && !matches!(row.code, reason::LOAD_RELEASED | reason::LOAD_APPLIED | reason::LOAD_NOT_APPLIED) {
            return;
        }
        let Ok(card) = u64::try_from(row.credit.owner) else {
            findings.add("I3", Who::NOBODY, || format!("row {} loads {:?}, which is no card", row.seq, row.credit));
            return;
        };
        if forgotten || row.code == reason::LOAD_APPLIED {
            *self.booked.entry(card).or_default() += Sum::from(row.amount.get());
        }
        findings
            .demand(people.holder_of_card(card).is_some(), "I3", Who::NOBODY, || format!("card {card:x} is nobody's"));
        self.touched.insert(card);
    }

    pub(super) fn settle(&mut self, book: &Book, people: &People, findings: &mut Findings, _: &mut Counters) {
        for (card, k, stage) in std::mem::take(&mut self.fresh) {
            let Some(known) = self.attempts.get(&(card, k)) else { continue };
            let took = self.chips.get(&card).and_then(|chip| chip.loads.get(&known.n)).copied();
            let true_word = match stage {
                _ if people.of_crook(card) => true,
                Stage::Released => true,
                Stage::Applied if self.reopened.contains(&(card, k)) => took.is_some(),
                Stage::Applied => took == Some(known.amount),
                // It was replaced by another, or spent; a case has its fill.
                Stage::NotApplied if self.reopened.contains(&(card, k)) && known.fills => true,
                Stage::NotApplied => took.is_none(),
            };
            findings.demand(true_word, "I3", people.who(card), || {
                format!("attempt {k} of card {card:x} is {stage:?} in the book, {known:?}; at that counter the chip took {took:?}")
            });
        }
        for card in std::mem::take(&mut self.touched) {
            self.equation(card, book, people, findings);
            let open = book.on_their_way().filter(|(to, _)| *to == u128::from(card)).count();
            findings.demand(open <= 1, "I3", people.who(card), || {
                format!("{open} loads are on their way to card {card:x}")
            });
        }
    }

    /// What the chip took is what the book has, or more by exactly the load on its way; after a restore, more by what the
    /// book forgot, which only becomes less.
    fn equation(&mut self, card: u64, book: &Book, people: &People, findings: &mut Findings) {
        if people.of_crook(card) {
            return;
        }
        let taken = self.chips.get(&card).map_or(0, |chip| chip.taken);
        let booked = self.booked.get(&card).copied().unwrap_or(0);
        let coming = book.held(code::ON_CARD, u128::from(card)).coming;
        let more = taken - booked;
        let ahead = self.ahead(card);
        let forgotten = 0..=ahead;
        findings.demand(
            forgotten.contains(&more) || forgotten.contains(&(more - coming)),
            "I3",
            people.who(card),
            || format!("card {card:x} took {taken}, the book has {booked} and {coming} on its way, and forgot {ahead}"),
        );
        if coming == 0 && ahead > 0 {
            self.ahead.insert(card, more);
        }
    }

    /// Everything is calm: no load is on its way and nothing waits.
    pub(super) fn converged(&self, book: &Book, people: &People, findings: &mut Findings) {
        for ((card, k), known) in &self.attempts {
            let stopped = people.of_crook(*card) || people.is_lost(*card);
            findings.demand(known.stage != Stage::Released || stopped, "L3", people.who(*card), || {
                format!("attempt {k} of card {card:x} is not settled: {known:?}")
            });
        }
        for holder in (0..people.count()).filter(|holder| people.crook != Some(*holder)) {
            let waiting = book.held(code::AWAITING_TAP, people.person(holder));
            if people.lost.contains(&holder) {
                // It is kept for the next card, every fen of it.
                let items = self.waiting.get(&people.person(holder)).copied().unwrap_or(0);
                findings.demand(waiting.posted - waiting.leaving == items, "L3", Who::holder(holder), || {
                    format!(
                        "{} wait for the next card, of which {} are on their way; items have {items}",
                        waiting.posted, waiting.leaving
                    )
                });
                continue;
            }
            findings.demand((waiting.posted, waiting.leaving) == (0, 0), "L3", Who::holder(holder), || {
                format!(
                    "after two calm taps {} still wait for the card, {} of them on their way",
                    waiting.posted, waiting.leaving
                )
            });
        }
    }
}
