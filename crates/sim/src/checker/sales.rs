//! Sales: each lunch is paid once or not at all, every debit of a purse comes into the book, and nothing is charged that no
//! card and no account paid.

use std::collections::{BTreeMap, BTreeSet};

use device::journal::State as Journal;
use ledger::JournalRow;
use link::Record;
use rules::purchase::{Sale, State};

use super::book::{Book, code, reason};
use super::loads::Loads;
use super::{Findings, People, Sum};
use crate::count::Counters;
use crate::notes::Who;

/// Enrolment and number of a record.
pub(crate) type RecordName = (u128, u64);

/// A debit that a chip physically made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debit {
    pub(crate) card: u64,
    /// Counter M before.
    pub(crate) m: u16,
    pub(crate) amount: Sum,
    pub(crate) terminal: [u8; 6],
}

/// How a sale at a till ended for the people there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Paid,
    NotPaid,
    /// "Recorded as not proved: do not charge it again."
    Unproved,
}

/// A lunch: one amount that a clerk entered for one holder.
#[derive(Clone, Debug)]
struct Lunch {
    till: usize,
    holder: usize,
    amount: Sum,
    asked: Vec<RecordName>,
    debits: Vec<(u64, u16)>,
    end: Option<End>,
}

#[derive(Clone, Debug)]
struct Known {
    asked_by: RecordName,
    card: u64,
    amount: Sum,
    debit: Option<(u16, [u8; 6])>,
    unconfirmed: bool,
}

#[derive(Clone, Debug)]
struct Charge {
    amount: Sum,
    reversed: bool,
}

/// The truth and the book's word about sales.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sales {
    lunches: Vec<Lunch>,
    /// What a terminal asked, by its record: for which lunch, card and amount.
    asked: BTreeMap<RecordName, (usize, u64, Sum)>,
    closed_paid: BTreeSet<RecordName>,
    /// Debits that stand recorded at their terminal, by the request that led to them: proved or not.
    recorded: BTreeMap<RecordName, bool>,
    debits: BTreeMap<(u64, u16), (Debit, bool)>,
    sales: BTreeMap<u128, Known>,
    charges: BTreeMap<RecordName, Charge>,
    records: BTreeSet<RecordName>,
    /// Of each enrolment: every record up to here is kept.
    through: BTreeMap<u128, u64>,
    answers: BTreeMap<RecordName, (Vec<u8>, Vec<u8>)>,
    open: BTreeMap<u64, Vec<u128>>,
    settled: Vec<&'static str>,
    /// Charges that a restore made the book forget.
    forgotten: BTreeMap<RecordName, Charge>,
    /// Those of them, and debits, of which no terminal has the record any more.
    lost: (BTreeSet<RecordName>, BTreeSet<(u64, u16)>),
    /// Charges that the backup had and that were reversed after it, of whose reversal no terminal has the record any more: a
    /// case tells of the gap, and a person gives the money back.
    stay_charged: BTreeSet<RecordName>,
    restored: bool,
    /// Of each enrolment: records below this one are kept nowhere.
    gone: BTreeMap<u128, u64>,
    /// Enrolments with a case of records that were lost.
    gaps: BTreeSet<u128>,
    /// Records that the book had and forgot; whether their terminal still has them.
    to_come: BTreeMap<RecordName, bool>,
    /// Sales of which a case says that nobody can tell.
    untold: BTreeSet<u128>,
    /// Cards that had paid what the restored book did not have.
    was_behind: BTreeSet<u64>,
    /// Debits of lost cards that the school bears.
    borne: BTreeSet<(u64, u16)>,
}

impl Sales {
    /// The book is as it was when the backup was made; what chips and terminals did stays done. `kept`: what the terminals
    /// still have.
    pub(super) fn restored(&mut self, now: Sales, kept: &BTreeMap<u128, Journal>) {
        let records = || kept.values().flat_map(|state| state.records().values());
        let sent: BTreeSet<_> = records()
            .filter_map(|record| match record {
                Record::Sale(sale) => Some((sale.card, sale.m, sale.terminal, Sum::from(sale.amount))),
                _ => None,
            })
            .collect();
        for (name, (debit, posted)) in &now.debits {
            let before = self.debits.get(name).is_some_and(|(_, posted)| *posted);
            if *posted && !before && !sent.contains(&(debit.card, debit.m, debit.terminal, debit.amount)) {
                self.lost.1.insert(*name);
            }
            self.debits.insert(*name, (*debit, before));
        }
        self.was_behind = self.debits.values().filter(|(_, posted)| !posted).map(|(debit, _)| debit.card).collect();
        let reversed = now.charges.iter().filter(|(name, charge)| {
            let reverses = |record: &Record| matches!(record, Record::Reverse { of } if *of == name.1);
            let sent_again = kept.get(&name.0).is_some_and(|state| state.records().values().any(reverses));
            charge.reversed && !sent_again && self.charges.get(name).is_some_and(|then| !then.reversed)
        });
        self.stay_charged = reversed.map(|(name, _)| *name).collect();
        for (name, charge) in now.charges.into_iter().filter(|(_, charge)| !charge.reversed) {
            if self.charges.contains_key(&name) {
                continue;
            }
            if !kept.get(&name.0).is_some_and(|state| state.records().contains_key(&name.1)) {
                self.lost.0.insert(name);
            }
            self.forgotten.insert(name, charge);
        }
        let has = |name: &RecordName| kept.get(&name.0).is_some_and(|state| state.records().contains_key(&name.1));
        let honest = now.records.iter().filter(|name| kept.contains_key(&name.0) && !self.records.contains(name));
        self.to_come = honest.map(|name| (*name, has(name))).collect();
        self.restored = true;
        (self.lunches, self.asked, self.closed_paid) = (now.lunches, now.asked, now.closed_paid);
        self.recorded = now.recorded;
    }

    /// A terminal says that it has no records below this one.
    pub(crate) fn gone(&mut self, enrolment: u128, lowest: u64) {
        if self.restored {
            let gone = self.gone.entry(enrolment).or_default();
            *gone = lowest.max(*gone);
        }
    }

    /// A case stands for records of this enrolment.
    pub(super) fn gap(&mut self, enrolment: u128) {
        self.gaps.insert(enrolment);
    }

    /// A case says that nobody can tell whether a card was debited for this sale; which card.
    pub(super) fn untold(&mut self, sale: u128) -> Option<u64> {
        self.untold.insert(sale);
        self.sales.get(&sale).map(|known| known.card)
    }

    /// Whether the card had paid something that the restored book did not have.
    pub(super) fn was_behind(&self, card: u64) -> bool {
        self.was_behind.contains(&card)
    }

    /// What the chip paid and the book never hears of: no terminal can tell any more, or a case says that nobody can.
    pub(super) fn lost(&self, card: u64) -> Sum {
        let untold = self.untold_debits();
        let lost = self.debits.iter().filter(|(name, (debit, posted))| {
            debit.card == card && !posted && (self.lost.1.contains(name) || untold.contains(&named(debit)))
        });
        lost.map(|(_, (debit, _))| debit.amount).sum()
    }

    /// The card of a sale that the book has.
    pub(super) fn card_of(&self, sale: u128) -> Option<u64> {
        self.sales.get(&sale).map(|known| known.card)
    }

    /// What a lost card paid and what was not taken from it in the book: torn debits that no hold settles any more, and those
    /// that the school bears.
    pub(super) fn outside(&self, card: u64) -> Sum {
        let own = self.debits.values().filter(|(debit, posted)| debit.card == card && !posted);
        own.map(|(debit, _)| debit.amount).sum()
    }

    /// Debits of which a case says that nobody can tell.
    fn untold_debits(&self) -> BTreeSet<(u64, u16, [u8; 6], Sum)> {
        self.debits_of(self.untold.iter()).collect()
    }

    /// The debits of these sales.
    fn debits_of<'a>(
        &'a self,
        sales: impl Iterator<Item = &'a u128>,
    ) -> impl Iterator<Item = (u64, u16, [u8; 6], Sum)> {
        let sales = sales.filter_map(|sale| self.sales.get(sale));
        let debits = sales.filter_map(|known| Some((known.card, known.debit?, known.amount)));
        debits.map(|(card, (m, terminal), amount)| (card, m, terminal, amount))
    }

    /// A clerk enters an amount for a holder; gives the number of the lunch.
    pub(crate) fn entered(&mut self, till: usize, holder: usize, amount: Sum) -> usize {
        self.lunches.push(Lunch { till, holder, amount, asked: Vec::new(), debits: Vec::new(), end: None });
        self.lunches.len() - 1
    }

    /// A terminal asks whether a lunch may be paid.
    pub(crate) fn asks(
        &mut self,
        name: RecordName,
        lunch: Option<usize>,
        card: u64,
        amount: Sum,
        findings: &mut Findings,
    ) {
        let Some((number, at)) = lunch.and_then(|number| Some((number, self.lunches.get_mut(number)?))) else {
            findings
                .add("I5", Who::NOBODY, || format!("record {name:?} asks for {amount} and no clerk entered a sale"));
            return;
        };
        let who = Who::both(Some(at.holder), at.till);
        findings.demand(at.amount == amount && at.end.is_none(), "I5", who, || {
            format!("record {name:?} asks for {amount}; the lunch is {at:?}")
        });
        at.asked.push(name);
        self.asked.insert(name, (number, card, amount));
    }

    /// A request was lost with the power before it was sent.
    pub(crate) fn withdrawn(&mut self, name: RecordName) {
        if let Some((lunch, _, _)) = self.asked.remove(&name)
            && let Some(lunch) = self.lunches.get_mut(lunch)
        {
            lunch.asked.retain(|asked| *asked != name);
        }
    }

    /// The answer "paid" is durable at the terminal.
    pub(crate) fn closed(&mut self, name: RecordName, paid: bool) {
        if paid {
            self.closed_paid.insert(name);
        }
    }

    /// The record of a debit is durable at the terminal.
    pub(crate) fn recorded(&mut self, name: RecordName, proved: bool) {
        let before = self.recorded.get(&name).copied().unwrap_or(false);
        self.recorded.insert(name, before || proved);
    }

    /// The power cut ended a lunch: as its terminal's journal has it. `told`: the display says that the last sale before was
    /// paid.
    pub(crate) fn cut_off(&mut self, lunch: usize, told: bool, findings: &mut Findings) {
        let Some(at) = self.lunches.get(lunch) else { return };
        let newest = at.asked.last();
        let recorded = newest.and_then(|name| self.recorded.get(name)).copied();
        let end = match (newest.is_some_and(|name| self.closed_paid.contains(name)), recorded) {
            (true, _) | (_, Some(true)) => End::Paid,
            (false, Some(false)) => End::Unproved,
            (false, None) => End::NotPaid,
        };
        let who = Who::both(Some(at.holder), at.till);
        findings.demand(told || end != End::Paid, "ACK", who, || {
            format!("the till was switched on again and does not say that the last lunch is paid: {at:?}")
        });
        self.ended(lunch, end);
    }

    /// A chip was debited at a till where this lunch is being paid.
    pub(crate) fn debited(&mut self, debit: Debit, lunch: Option<usize>, who: Who, findings: &mut Findings) {
        self.debits.insert((debit.card, debit.m), (debit, false));
        let charged = lunch.is_some_and(|lunch| self.charged_ever(lunch) > 0);
        let Some(lunch) = lunch.and_then(|lunch| self.lunches.get_mut(lunch)) else {
            findings.add("I5", who, || format!("{debit:?} was made and no clerk entered a sale"));
            return;
        };
        lunch.debits.push((debit.card, debit.m));
        let once = lunch.debits.len() == 1 && !charged && lunch.end.is_none() && lunch.amount == debit.amount;
        findings.demand(once, "I5", who, || format!("{debit:?}, charged to the account: {charged}, lunch {lunch:?}"));
    }

    /// As the book has it, or had it before a restore.
    fn charged_ever(&self, lunch: usize) -> usize {
        self.charged_or(lunch, |name| self.forgotten.contains_key(name))
    }

    fn charged_or(&self, lunch: usize, also: impl Fn(&RecordName) -> bool) -> usize {
        let asked = self.lunches.get(lunch).map(|lunch| lunch.asked.as_slice()).unwrap_or_default();
        let charged = |name: &&RecordName| self.charges.get(name).map_or_else(|| also(name), |charge| !charge.reversed);
        asked.iter().filter(charged).count()
    }

    /// The display says that a lunch is paid.
    pub(crate) fn shown_paid(&mut self, lunch: usize, amount: Sum, by_account: bool, findings: &mut Findings) {
        let charged = self.charged_ever(lunch);
        let Some(lunch) = self.lunches.get_mut(lunch) else { return };
        let who = Who::both(Some(lunch.holder), lunch.till);
        let sources = if by_account { (1, 0) } else { (0, 1) };
        let true_word = (charged, lunch.debits.len()) == sources && amount == lunch.amount;
        findings.demand(true_word, "ACK", who, || {
            let from = if by_account { "account" } else { "purse" };
            format!("the display says that {amount} are paid from the {from}; charges {charged}, lunch {lunch:?}")
        });
        lunch.end = Some(End::Paid);
    }

    /// A lunch ended in another way. One that ended stays as it is.
    pub(crate) fn ended(&mut self, lunch: usize, end: End) {
        if let Some(lunch) = self.lunches.get_mut(lunch) {
            lunch.end = lunch.end.or(Some(end));
        }
    }

    /// The platform answers a record of an honest terminal.
    pub(crate) fn answered(
        &mut self,
        name: RecordName,
        record: Vec<u8>,
        answer: Vec<u8>,
        who: Who,
        findings: &mut Findings,
    ) -> bool {
        findings.demand(self.records.contains(&name), "ACK", who, || {
            format!("record {name:?} was answered and is not kept")
        });
        let Some((before, said)) = self.answers.get(&name) else {
            self.answers.insert(name, (record, answer));
            return false;
        };
        findings.demand((before, said) == (&record, &answer), "I5", who, || {
            let [before, said, record, answer] = [before, said, &record, &answer].map(|bytes| words(bytes));
            format!("record {name:?} {record} was answered {answer}, before: {before} and {said}")
        });
        true
    }

    /// The platform says that it has every record up to here.
    pub(crate) fn acknowledged(&mut self, enrolment: u128, through: u64, who: Who, findings: &mut Findings) {
        let (kept, mut gap) = (self.through.entry(enrolment).or_default(), false);
        let gone = self.gone.get(&enrolment).copied().unwrap_or(0);
        loop {
            let next = *kept + 1;
            let here = self.records.contains(&(enrolment, next));
            if !here && (next >= gone || through < next) {
                break;
            }
            gap |= !here;
            *kept = next;
        }
        findings.demand(!gap || self.gaps.contains(&enrolment), "M9", who, || {
            format!("records up to {through} are acknowledged, and no case tells of those that are lost")
        });
        findings.demand(through <= *kept, "L4", who, || {
            format!("records up to {through} are acknowledged, kept are those up to {kept}")
        });
    }

    pub(super) fn record_kept(&mut self, key: &[u8], counters: &mut Counters) {
        let Some((enrolment, seq)) = key.split_first_chunk::<16>() else { return };
        let Ok(seq) = seq.try_into().map(u64::from_be_bytes) else { return };
        let name = (u128::from_be_bytes(*enrolment), seq);
        self.records.insert(name);
        if self.to_come.remove(&name).is_some() {
            counters.add("record: sent again after a restore");
        }
    }

    pub(super) fn open_sales(&mut self, card: u64, sales: Vec<u128>) {
        self.open.insert(card, sales);
    }

    pub(super) fn sale(&mut self, sale: &Sale) {
        let known = Known {
            asked_by: (sale.asked_by.0.0.get(), sale.asked_by.1),
            card: sale.card.0,
            amount: Sum::from(sale.amount.get()),
            debit: sale.debit.map(|debit| (debit.m, debit.terminal)),
            unconfirmed: matches!(sale.state, State::Unconfirmed | State::Untold(_)),
        };
        let before = self.sales.insert(sale.id.get(), known).is_some_and(|before| before.unconfirmed);
        match (before, sale.state) {
            (false, State::Unconfirmed) => self.settled.push("sale: unconfirmed"),
            (true, State::NotDebited) => self.settled.push("sale: torn, not debited"),
            (true, State::FromPurse | State::ByBalance(None)) => self.settled.push("sale: torn, proved later"),
            _ => {}
        }
    }

    pub(super) fn settle(&mut self, counters: &mut Counters) {
        for name in std::mem::take(&mut self.settled) {
            counters.add(name);
        }
    }

    pub(super) fn journal(
        &mut self,
        row: &JournalRow,
        (book, loads): (&Book, &Loads),
        people: &People,
        findings: &mut Findings,
        counters: &mut Counters,
    ) {
        let (sale, amount) = (row.reference.get(), Sum::from(row.amount.get()));
        let counter = match row.code {
            reason::SALE_FROM_ACCOUNT => "sale: from the account",
            reason::SALE_REVERSED => "sale: reversed",
            reason::SALE_FROM_PURSE => "sale: from the purse",
            reason::SALE_FROM_UNPROVED => "sale: out of a load not yet proved",
            reason::SALE_FORGOTTEN => "sale: paid again after a restore",
            reason::SALE_UNEXPLAINED => "sale: paid out of a case",
            _ => return,
        };
        counters.add(counter);
        let Some(known) = self.sales.get(&sale).cloned() else {
            findings.add("I5", Who::NOBODY, || format!("row {} charges {amount} for no sale", row.seq));
            return;
        };
        let who = people.who(known.card);
        if people.of_crook(known.card) {
            return;
        }
        let ahead = loads.ahead(known.card);
        match row.code {
            reason::SALE_FROM_ACCOUNT => self.charge(row, &known, who, people, findings),
            reason::SALE_UNEXPLAINED => self.bear(row, &known, who, people, findings),
            reason::SALE_REVERSED => {
                let paid = self.closed_paid.contains(&known.asked_by);
                let charge = self.charges.get_mut(&known.asked_by);
                let fits = charge.as_ref().is_some_and(|charge| !charge.reversed && charge.amount == amount) && !paid;
                findings.demand(fits, "I5", who, || {
                    format!(
                        "row {} gives {amount} back for {known:?}; charged {charge:?}, paid at the till: {paid}",
                        row.seq
                    )
                });
                if let Some(charge) = charge {
                    charge.reversed = true;
                }
            }
            reason::SALE_FORGOTTEN => {
                let paid = self.closed_paid.contains(&known.asked_by);
                findings.demand(paid, "M9", who, || {
                    format!("row {} pays {amount} again for {known:?}, which was not paid", row.seq)
                });
                self.charge(row, &known, who, people, findings);
            }
            _ => self.purse(row, &known, (book, ahead), who, findings),
        }
    }

    fn charge(&mut self, row: &JournalRow, known: &Known, who: Who, people: &People, findings: &mut Findings) {
        let amount = Sum::from(row.amount.get());
        let asked = self.asked.get(&known.asked_by);
        let wanted = asked.is_some_and(|(_, card, wanted)| (*card, *wanted) == (known.card, amount));
        let own = people.holder(row.debit.owner) == people.holder_of_card(known.card)
            || row.debit.code.0 == code::SUSPENSE_CASE;
        findings.demand(wanted && own, "I5", who, || {
            format!("row {} charges {amount} for {known:?}; its terminal asked {asked:?}", row.seq)
        });
        let charge = Charge { amount, reversed: false };
        if let Some(before) = self.charges.insert(known.asked_by, charge) {
            findings.add("I5", who, || format!("row {} charges {:?} again: {before:?}", row.seq, known.asked_by));
        }
    }

    /// The school pays for a debit that was made with a lost card: a chip made it, and nobody else pays.
    fn bear(&mut self, row: &JournalRow, known: &Known, who: Who, people: &People, findings: &mut Findings) {
        let name = known.debit.map(|(m, _)| (known.card, m));
        let made = name.and_then(|name| self.debits.get(&name)).copied();
        let first = name.is_some_and(|name| self.borne.insert(name));
        let amount = Sum::from(row.amount.get());
        let right = first && made.is_some_and(|(debit, posted)| debit.amount == amount && !posted);
        findings.demand(right && people.is_lost(known.card), "I3", who, || {
            format!("row {} pays {amount} for {known:?} out of a case; the chip made {made:?}", row.seq)
        });
    }

    /// A purse sale comes into the book: a chip must have made that debit, and the card must have had the money.
    fn purse(
        &mut self,
        row: &JournalRow,
        known: &Known,
        (book, ahead): (&Book, Sum),
        who: Who,
        findings: &mut Findings,
    ) {
        let amount = Sum::from(row.amount.get());
        let made = known.debit.and_then(|(m, terminal)| {
            let (debit, posted) = self.debits.get_mut(&(known.card, m))?;
            Some((debit, posted, terminal))
        });
        match made {
            Some((debit, posted, terminal)) => {
                let first = !*posted;
                *posted = true;
                let same = (debit.amount, debit.terminal) == (amount, terminal);
                findings.demand(first && same, "I3", who, || {
                    format!(
                        "row {} takes {amount} for {known:?}; the chip made {debit:?}, posted before: {}",
                        row.seq, !first
                    )
                });
            }
            None => {
                findings.add("I3", who, || format!("row {} takes {amount} for {known:?}; no chip made it", row.seq))
            }
        }
        let card = u128::from(known.card);
        let (on_card, suspense) = (book.held(code::ON_CARD, card), book.held(code::SUSPENSE_CARD, card));
        let covered = on_card.posted + on_card.coming + suspense.posted + ahead;
        findings.demand(covered >= 0, "I8", who, || {
            format!("row {} takes {amount}, {} more than the card can have had", row.seq, -covered)
        });
    }

    /// Everything is calm: every debit is in the book and every lunch was paid as often as the people there believe.
    pub(super) fn converged(&self, people: &People, findings: &mut Findings) {
        let lost = self.to_come.iter().find(|(_, kept)| **kept);
        findings.demand(lost.is_none(), "M9", Who::NOBODY, || {
            format!("record {lost:?} was acknowledged before the restore, its terminal has it, and the book has it not")
        });
        let untold = self.untold_debits();
        // Torn debits of lost cards: no hold tells of them any more.
        let lost = self.open.iter().filter(|(card, _)| people.is_lost(**card)).flat_map(|(_, open)| open);
        let open: BTreeSet<_> = self.debits_of(lost).collect();
        for (name, (debit, posted)) in &self.debits {
            let told = *posted || self.lost.1.contains(name) || untold.contains(&named(debit));
            let told = told || self.borne.contains(name) || open.contains(&named(debit));
            findings
                .demand(told, "L4", people.who(debit.card), || format!("{debit:?} was made and is not in the book"));
        }
        for (card, open) in &self.open {
            findings.demand(
                open.is_empty() || people.of_crook(*card) || people.is_lost(*card),
                "L4",
                people.who(*card),
                || format!("sales {open:x?} of card {card:x} are still not proved"),
            );
        }
        for (number, lunch) in self.lunches.iter().enumerate() {
            let stay = lunch.asked.iter().filter(|name| self.stay_charged.contains(name)).count();
            let charged = self.charged_or(number, |name| self.lost.0.contains(name)).saturating_sub(stay);
            let debited = lunch.debits.len();
            let right = match lunch.end {
                Some(End::Paid) => charged + debited == 1,
                Some(End::NotPaid) => charged + debited == 0,
                Some(End::Unproved) => charged == 0 && debited <= 1,
                None => false,
            };
            findings.demand(right, "I5", Who::both(Some(lunch.holder), lunch.till), || {
                let sales: Vec<_> = lunch.asked.iter().filter_map(|name| self.charges.get(name)).collect();
                format!("charged {charged} times and debited {debited} times: {lunch:?}, {sales:?}")
            });
        }
    }
}

const fn named(debit: &Debit) -> (u64, u16, [u8; 6], Sum) {
    (debit.card, debit.m, debit.terminal, debit.amount)
}

fn words(bytes: &[u8]) -> String {
    let record = link::decode::<link::Record>(bytes).map(|record| format!("{record:?}"));
    let answer = link::decode::<link::Answer>(bytes).map(|answer| format!("{answer:?}"));
    record.or(answer).unwrap_or_else(|_| format!("{bytes:02x?}"))
}
