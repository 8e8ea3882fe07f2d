//! Money that waits for its card: it is reminded of at most once for each threshold, it goes back by rule at most once, never
//! early, never out of a load, and it is not forgotten (R36). Messages are numbered without a gap (M31).

use std::collections::BTreeMap;

use flows::rows::Row;
use rules::load::Source;
use rules::message::{Message, Received};
use rules::refund::{Origin, Refund};

use super::refunds::Refunds;
use super::{Findings, People};
use crate::count::Counters;
use crate::notes::Who;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// So long after its time something may still wait: processes die, clocks leap, a long darkness.
const SLACK: i64 = 3 * HOUR;
/// As the product writes it where no person did something.
const BY_RULE: &str = "onecard";

/// An item: which order's, since when.
type Item = (u128, i64);

/// What waits, and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    /// Reminders and return, microseconds after the beginning; 0 for a return that never comes.
    pub(crate) after: [i64; 4],
    /// By holder: what waits, now and before this batch.
    items: BTreeMap<u128, Vec<Item>>,
    before: BTreeMap<u128, Vec<Item>>,
    /// When orders were made.
    made: BTreeMap<u128, i64>,
    /// Number of the newest message of each holder.
    newest: BTreeMap<u128, u64>,
    fresh: BTreeMap<(u128, u64), Received>,
    /// How many reminders of an item are over.
    reminded: BTreeMap<Item, usize>,
    /// Refunds by rule of an order's waiting money.
    returned: BTreeMap<u128, u32>,
    backs: Vec<(u128, u128, i64)>,
    seen: BTreeMap<u128, ()>,
    /// The newest restore: its number, and since when.
    epoch: Option<(u64, i64)>,
    /// In which epoch a card was met last.
    met: BTreeMap<u64, u64>,
    /// Orders of which a case tells that they do not go back by rule.
    stuck: BTreeMap<u128, ()>,
}

fn id(key: &[u8]) -> u128 {
    key.get(..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u128::from_be_bytes)
}

impl Waits {
    /// A row that became durable.
    pub(super) fn row(&mut self, key: &[u8], row: &Row, counters: &mut Counters) {
        match row {
            Row::Waiting(items) => {
                let orders = items.iter().filter_map(|item| match item.source {
                    Source::Order(no) => Some((no.id().get(), item.since.get())),
                    Source::Float => None,
                });
                let old = self.items.insert(id(key), orders.collect()).unwrap_or_default();
                self.before.entry(id(key)).or_insert(old);
            }
            Row::Order(order) => {
                self.made.insert(order.no.id().get(), order.created_at.get());
            }
            Row::Inbox(inbox) => self.told(id(key), &inbox.messages),
            Row::Messages(messages) => {
                counters.add("message: put away");
                self.told(id(key), messages);
            }
            Row::Refund(refund) => self.refund(refund),
            Row::Epoch(epoch) => self.epoch = Some((epoch.number, epoch.since.get())),
            Row::Met(met) => {
                if let Some(card) = key.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes) {
                    self.met.insert(card, met.epoch);
                }
            }
            _ => {}
        }
    }

    fn told(&mut self, person: u128, messages: &[Received]) {
        let known = self.newest.get(&person).copied().unwrap_or(0);
        for received in messages.iter().filter(|received| received.no > known) {
            self.fresh.insert((person, received.no), *received);
        }
    }

    fn refund(&mut self, refund: &Refund) {
        let first = self.seen.insert(refund.no.id().get(), ()).is_none();
        if let (true, BY_RULE, Origin::Waiting { person, order }) = (first, refund.made_by.as_str(), refund.origin) {
            self.backs.push((person.0.get(), order.id().get(), refund.made_at.get()));
        }
    }

    /// A case tells that an order's money does not go back by rule.
    pub(super) fn stuck(&mut self, order: u128) {
        self.stuck.insert(order, ());
    }

    /// Whether such a case has a cause: the book was restored, or some of the payment went back in another way.
    pub(super) fn may_be_stuck(&self, order: u128, restored: bool, touched: bool) -> bool {
        let old = self.epoch.is_some_and(|(_, since)| self.made.get(&order).is_some_and(|made| *made < since));
        (restored && old) || touched
    }

    /// Whether an order was due to go back by rule before the book was restored: it may have been held for that meanwhile.
    pub(super) fn was_due(&self, order: u128) -> bool {
        let [.., after] = self.after;
        let due = |since: i64| self.made.get(&order).is_some_and(|made| made.saturating_add(after) <= since);
        after > 0 && self.epoch.is_some_and(|(_, since)| due(since))
    }

    /// What waits of an order, or did before this batch: since when.
    fn since(&self, person: u128, order: u128) -> Option<i64> {
        let now = self.items.get(&person).into_iter().flatten();
        let before = self.before.get(&person).into_iter().flatten();
        before.chain(now).find(|item| item.0 == order).map(|item| item.1)
    }

    /// All rows of the batch are in.
    pub(super) fn settle(&mut self, people: &People, findings: &mut Findings, counters: &mut Counters) {
        for ((person, no), received) in std::mem::take(&mut self.fresh) {
            let who = people.holder(person).map_or(Who::NOBODY, Who::holder);
            let before = self.newest.insert(person, no).unwrap_or(0);
            findings.demand(no == before + 1, "M31", who, || format!("message {no} follows message {before}"));
            counters.add("message: told");
            if let Message::StillWaiting { order, since, .. } = received.message {
                counters.add("waiting: reminded");
                self.reminder(person, (order.id().get(), since.get()), received.at.get(), (who, findings));
            }
        }
        for (person, order, at) in std::mem::take(&mut self.backs) {
            let who = people.holder(person).map_or(Who::NOBODY, Who::holder);
            counters.add("waiting: went back by rule");
            let times = self.returned.entry(order).or_default();
            *times += 1;
            let times = *times;
            let (since, back) = (self.since(person, order), self.after[3]);
            let in_time = since.is_some_and(|since| back > 0 && at - since >= back);
            findings.demand(times == 1 && in_time, "R36", who, || {
                format!("{order:024} goes back by rule for the {times}. time at {at}; it waits since {since:?}")
            });
            let card = people.holder(person).map_or(0, |holder| people.card(holder));
            let old = self.epoch.filter(|(_, since)| self.made.get(&order).is_some_and(|made| made < since));
            let met = old.is_none_or(|(number, _)| self.met.get(&card) == Some(&number));
            findings.demand(met, "R36", who, || {
                format!("{order:024} is of before the restore and goes back by rule; its card has not come since")
            });
        }
        self.before.clear();
    }

    fn reminder(&mut self, person: u128, item: Item, at: i64, (who, findings): (Who, &mut Findings)) {
        let [first, second, third, _] = self.after;
        let due = [first, second, third].into_iter().filter(|after| at - item.1 >= *after).count();
        let told = self.reminded.insert(item, due).unwrap_or(0);
        let waits = self.since(person, item.0) == Some(item.1);
        findings.demand(waits && due > told, "R36", who, || {
            format!("reminded of {item:?} at {at}: it waits {waits}; {due} thresholds are over, {told} were told")
        });
    }

    /// Nothing waits beyond its time but what a person decides (liveness of the return). `now` in the book's time.
    pub(super) fn overdue(&self, now: i64, refunds: &Refunds, people: &People, findings: &mut Findings) {
        let back = self.after[3];
        if back == 0 {
            return;
        }
        for (person, items) in &self.items {
            let who = people.holder(*person).map_or(Who::NOBODY, Who::holder);
            let late = items.iter().find(|(order, since)| {
                now - since > back + SLACK && !refunds.waits_anew(*order) && !self.stuck.contains_key(order)
            });
            findings
                .demand(late.is_none(), "R36", who, || format!("{late:?} still waits at {now} and is not looked at"));
        }
    }
}
