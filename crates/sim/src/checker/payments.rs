//! Orders and payments: nothing is credited that the provider did not capture, and all that it captured is credited once
//! or lies in a case.

use std::collections::{BTreeMap, BTreeSet};

use flows::rows::PaymentNote;
use ledger::JournalRow;
use rules::top_up::{Order, State};

use super::book::{Book, code, reason};
use super::refunds::Refunds;
use super::{Findings, People, Sum};
use crate::count::Counters;
use crate::notes::Who;

/// Least and most of one order, fen (R19, R28), and the amount from which a form is needed (R62).
const LEAST: Sum = 100;
const MOST: Sum = 100_000;
const LARGE: Sum = 200_000;
/// Most that an account may hold, fen (R22).
const CAP: Sum = 1_000_000;

/// At least so long after a restore new orders wait for a provider that says nothing: ten minutes of a clock that may have
/// followed leaps of some minutes.
const PATIENCE: i64 = 240_000_000;

/// How the provider charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// The order's amount.
    Right,
    /// Another amount.
    Wrong,
    /// The right figure in another currency.
    Currency,
    /// For an order that is none of ours.
    Stranger,
}

/// Money that the provider took from a payer for us.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) order: String,
    pub(crate) amount: Sum,
    pub(crate) charge: Charge,
    pub(crate) holder: Option<usize>,
}

/// An order as its row says.
#[derive(Clone, Debug)]
struct Known {
    holder: Option<usize>,
    amount: Sum,
    stage: Stage,
    credited_by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Created,
    Unknown,
    Paying,
    Expired,
    Closed,
    InCase,
    Credited,
}

impl Stage {
    fn of(state: &State) -> Stage {
        match state {
            State::Created => Stage::Created,
            State::Unknown { .. } => Stage::Unknown,
            State::Paying { .. } => Stage::Paying,
            State::ExpiredLocal { .. } => Stage::Expired,
            State::Closed { .. } => Stage::Closed,
            State::InCase { .. } => Stage::InCase,
            State::Credited(_) => Stage::Credited,
        }
    }

    fn open(self) -> bool {
        self < Stage::Closed
    }
}

/// Where a payment went.
type Settled = (Option<u128>, Option<u128>);

/// The truth and the book's word about payments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payments {
    captures: BTreeMap<String, Capture>,
    captured: Sum,
    orders: BTreeMap<u128, Known>,
    /// Amounts that a form was sent with; none for a text that is no amount.
    forms: BTreeMap<(usize, [u8; 16]), Vec<Option<Sum>>>,
    made: BTreeMap<(usize, [u8; 16]), u128>,
    settled: BTreeMap<String, Settled>,
    cases: BTreeSet<u128>,
    booked: Sum,
    fresh_orders: Vec<u128>,
    fresh_forms: Vec<u128>,
    fresh_payments: Vec<(String, Settled)>,
    credits: Vec<(u128, u128, Sum)>,
    suspended: Vec<(u128, Sum)>,
    /// Orders that a restore made the book forget: whose, and how much.
    forgotten: BTreeMap<u128, (Option<usize>, Sum)>,
    /// By the book, not every open order was asked about since the restore.
    pub(super) not_asked: bool,
    /// Orders that were open in the backup and of which the provider was not asked since; and when the backup came back.
    to_ask: (BTreeSet<u128>, i64),
    /// Orders whose money the backup had.
    credited_before: BTreeSet<u128>,
    /// What came onto a holder's card out of a case: a fill that a restored book forgot is in the account as well.
    out_of_case: BTreeMap<usize, Sum>,
    pub(super) now: i64,
}

fn number(order: u128) -> String {
    format!("{order:024}")
}

impl Payments {
    /// The book is as it was when the backup was made; what people and provider did stays done.
    pub(super) fn restored(&mut self, now: Payments, now_is: i64) {
        let open = self.orders.iter().filter(|(_, known)| known.stage.open());
        self.to_ask = (open.map(|(order, _)| *order).collect(), now_is);
        let credited = self.orders.iter().filter(|(_, known)| known.credited_by.is_some());
        self.credited_before = credited.map(|(order, _)| *order).collect();
        let gone = now.orders.into_iter().filter(|(order, _)| !self.orders.contains_key(order));
        self.forgotten = gone.map(|(order, known)| (order, (known.holder, known.amount))).collect();
        (self.captures, self.captured, self.forms) = (now.captures, now.captured, now.forms);
    }

    /// Numbers of the orders that a restore made the book forget, oldest first.
    pub(crate) fn forgotten_numbers(&self) -> Vec<String> {
        self.forgotten.keys().map(|order| number(*order)).collect()
    }

    /// Whether a restore made the book forget this order: then no question of ours finds its payment.
    pub(crate) fn forgot(&self, order: &str) -> bool {
        order.parse().is_ok_and(|order| self.forgotten.contains_key(&order))
    }

    /// Whose order it is.
    pub(super) fn holder_of(&self, order: u128) -> Option<usize> {
        self.orders.get(&order).and_then(|known| known.holder)
    }

    /// Whether the backup had the order's money.
    pub(super) fn credited_before(&self, order: u128) -> bool {
        self.credited_before.contains(&order)
    }

    /// The provider has said something of an order. `true` when a restore made that necessary.
    pub(crate) fn asked_about(&mut self, order: &str) -> bool {
        order.parse().is_ok_and(|order| self.to_ask.0.remove(&order))
    }

    /// Whether the book knows a payment.
    pub(crate) fn knows(&self, transaction: &str) -> bool {
        self.settled.contains_key(transaction)
    }

    /// The payment by which an order was credited.
    pub(super) fn transaction_of(&self, order: u128) -> Option<&str> {
        self.orders.get(&order).and_then(|known| known.credited_by.as_deref())
    }

    /// What the book has of a payment: how much, if it is credited or in a case.
    pub(super) fn booked(&self, transaction: &str) -> Option<Sum> {
        self.settled.get(transaction).and_then(|_| self.captures.get(transaction)).map(|capture| capture.amount)
    }

    /// Whether the book has the money of this order.
    pub(crate) fn credited(&self, order: u128) -> bool {
        self.orders.get(&order).is_some_and(|known| known.credited_by.is_some())
    }

    /// How many orders the book has.
    pub(crate) fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// One of them.
    pub(crate) fn some_order(&self, place: usize) -> Option<u128> {
        self.orders.keys().nth(place).copied()
    }

    /// A holder sends a form.
    pub(crate) fn sent(&mut self, holder: usize, form: [u8; 16], amount: Option<Sum>) {
        self.forms.entry((holder, form)).or_default().push(amount);
    }

    /// The provider took money.
    pub(crate) fn captured(&mut self, transaction: &str, capture: Capture) {
        if capture.charge != Charge::Currency {
            self.captured += capture.amount;
        }
        self.captures.insert(transaction.to_owned(), capture);
    }

    /// A form was answered with an order.
    pub(crate) fn accepted(
        &self,
        holder: usize,
        form: [u8; 16],
        amount: Option<Sum>,
        order: u128,
        findings: &mut Findings,
    ) {
        let who = Who::holder(holder);
        let allowed = amount.is_some_and(|amount| (LEAST..=MOST).contains(&amount));
        findings
            .demand(allowed, "I9", who, || format!("an order of {amount:?} was taken; {LEAST} to {MOST} are allowed"));
        let known = self.orders.get(&order);
        findings.demand(known.is_some(), "ACK", who, || format!("order {} was told and is not kept", number(order)));
        let same =
            self.made.get(&(holder, form)) == Some(&order) && known.map(|known| Some(known.amount)) == Some(amount);
        findings.demand(same, "I5", who, || {
            let made = self.made.get(&(holder, form)).copied().map(number);
            format!("a form for {amount:?} made order {made:?} and was answered {}: {known:?}", number(order))
        });
    }

    /// A form was refused with this code.
    pub(crate) fn refused(
        &self,
        holder: usize,
        form: [u8; 16],
        amount: Option<Sum>,
        code: &str,
        findings: &mut Findings,
    ) {
        let who = Who::holder(holder);
        let right = match (code, amount) {
            ("AMOUNT_INVALID", amount) => amount.is_none_or(|amount| amount < LEAST),
            ("LIMIT_PER_ORDER", Some(amount)) => amount > MOST && amount < LARGE,
            ("APPROVAL_REQUIRED", Some(amount)) => amount >= LARGE,
            ("FORM_REUSED", amount) => {
                let made = self.made.get(&(holder, form)).and_then(|order| self.orders.get(order));
                made.is_some_and(|known| Some(known.amount) != amount)
            }
            ("BALANCE_CAP", Some(amount)) => {
                let mine = self.orders.values().filter(|known| known.holder == Some(holder));
                let ever: Sum = mine.filter(|known| known.stage != Stage::Closed).map(|known| known.amount).sum();
                let forgotten = self.forgotten.values().filter(|(whose, _)| *whose == Some(holder));
                let twice = self.out_of_case.get(&holder).copied().unwrap_or(0);
                ever + forgotten.map(|(_, amount)| amount).sum::<Sum>() + twice + amount > CAP
            }
            ("AFTER_RESTORE", _) => self.not_asked,
            ("BUSY" | "SERVER_FULL" | "STOPPING" | "INTERNAL" | "TRY_AGAIN", _) => true,
            _ => false,
        };
        findings.demand(right, "I9", who, || format!("an order of {amount:?} was refused with {code}"));
    }

    /// The provider was told that all is well with this payment.
    pub(crate) fn acknowledged(&self, transaction: &str, findings: &mut Findings) {
        let kept = self.settled.contains_key(transaction);
        let who = self.captures.get(transaction).and_then(|capture| capture.holder).map_or(Who::NOBODY, Who::holder);
        findings.demand(kept, "ACK", who, || format!("the notice of {transaction} was answered well and is not kept"));
    }

    pub(super) fn order(&mut self, order: &Order, people: &People, findings: &mut Findings, counters: &mut Counters) {
        let (id, stage, amount) = (order.no.id().get(), Stage::of(&order.state), Sum::from(order.amount.get()));
        let holder = people.holder(order.person.0.get());
        let who = holder.map_or(Who::NOBODY, Who::holder);
        let Some(known) = self.orders.get_mut(&id) else {
            findings.demand(stage == Stage::Created, "I2", who, || format!("order {} begins as {stage:?}", number(id)));
            let (left, since) = (self.to_ask.0.len(), self.now - self.to_ask.1);
            findings.demand(left == 0 || since > PATIENCE, "M9", who, || {
                format!(
                    "order {} is made {since} us after a restore, and {left} open ones were not asked about",
                    number(id)
                )
            });
            self.orders.insert(id, Known { holder, amount, stage, credited_by: None });
            self.fresh_orders.push(id);
            return;
        };
        let before = known.stage;
        let forward = before <= stage && (known.holder, known.amount) == (holder, amount);
        findings.demand(forward, "I2", who, || {
            format!("order {} went from {before:?} back to {stage:?}, amount {amount}", number(id))
        });
        if before != stage {
            counters.add(match stage {
                Stage::Created => "order: created again",
                Stage::Unknown => "order: creation without a sure answer",
                Stage::Paying => "order: payable",
                Stage::Expired => "order: expired here",
                Stage::Closed if before == Stage::Created || before == Stage::Unknown => {
                    "order: never told to the provider"
                }
                Stage::Closed => "order: closed by the provider for us",
                Stage::InCase => "order: in a case",
                Stage::Credited if before == Stage::InCase => "order: right payment after a wrong one",
                Stage::Credited if before == Stage::Closed => "notice: after its order was closed",
                Stage::Credited if before == Stage::Expired => "order: late payment",
                Stage::Credited => "order: credited",
            });
        }
        known.stage = stage;
        if !stage.open() {
            self.to_ask.0.remove(&id);
        }
    }

    pub(super) fn form(&mut self, key: &[u8], order: u128, people: &People) {
        let Some((person, form)) = key.split_first_chunk::<16>() else { return };
        let (Some(holder), Ok(form)) = (people.holder(u128::from_be_bytes(*person)), form.try_into()) else { return };
        self.made.insert((holder, form), order);
        self.fresh_forms.push(order);
    }

    pub(super) fn payment(&mut self, key: &[u8], note: &PaymentNote) {
        let Some((_, transaction)) = key.split_first() else { return };
        let transaction = String::from_utf8_lossy(transaction).into_owned();
        let settled = (note.order.map(|no| no.id().get()), note.case.map(|case| case.0.get()));
        self.fresh_payments.push((transaction, settled));
    }

    pub(super) fn case(&mut self, case: u128) {
        self.cases.insert(case);
    }

    pub(super) fn journal(
        &mut self,
        row: &JournalRow,
        _book: &Book,
        people: &People,
        findings: &mut Findings,
        counters: &mut Counters,
    ) {
        let amount = Sum::from(row.amount.get());
        match row.code {
            reason::TOP_UP => {
                counters.add("money: credited");
                let order = row.reference.get();
                let twice = self.orders.get(&order).is_some_and(|known| known.credited_by.is_some());
                let again = self.credits.iter().any(|(other, _, _)| *other == order);
                let who = people.holder(row.credit.owner).map_or(Who::NOBODY, Who::holder);
                findings.demand(!twice && !again, "I2", who, || format!("order {} was credited twice", number(order)));
                self.credits.push((order, row.credit.owner, amount));
                self.booked += amount;
            }
            reason::LOAD_FORGOTTEN if row.debit.code.0 == code::SUSPENSE_CASE => {
                let card = u64::try_from(row.credit.owner).ok();
                if let Some(holder) = card.and_then(|card| people.holder_of_card(card)) {
                    *self.out_of_case.entry(holder).or_default() += amount;
                }
            }
            reason::TOP_UP_UNEXPLAINED => {
                self.suspended.push((row.credit.owner, amount));
                self.booked += amount;
            }
            _ => {}
        }
    }

    /// All rows and transfers of the batch are in: what belongs together must fit.
    pub(super) fn settle(&mut self, book: &Book, refunds: &Refunds, people: &People, findings: &mut Findings) {
        self.settle_orders(book, people, findings);
        let mut payments = std::mem::take(&mut self.fresh_payments);
        // Credits first: whether a payment of the same batch is a second one shows only then.
        payments.sort_by_key(|(_, (_, case))| case.is_some());
        for (transaction, settled) in payments {
            self.settle_payment(&transaction, settled, refunds, people, findings);
        }
        for (order, person, amount) in std::mem::take(&mut self.credits) {
            let who = people.holder(person).map_or(Who::NOBODY, Who::holder);
            findings.add("I2", who, || {
                format!("{amount} were credited for order {} and no payment says why", number(order))
            });
        }
        for (case, amount) in std::mem::take(&mut self.suspended) {
            findings.add("I2", Who::NOBODY, || format!("{amount} went to case {case:x} and no payment says why"));
        }
        let (booked, captured) = (self.booked, self.captured);
        findings.demand(booked <= captured, "I2", Who::NOBODY, || {
            format!("{booked} are booked as paid; the provider captured {captured}")
        });
        let owed = -book.held(code::RECEIVABLE, 1).posted;
        let settled = refunds.settled;
        findings.demand(owed == booked - settled, "I2", Who::NOBODY, || {
            format!("the provider owes {owed}, booked are {booked}, of which {settled} went back")
        });
    }

    fn settle_orders(&mut self, book: &Book, people: &People, findings: &mut Findings) {
        let forms = std::mem::take(&mut self.fresh_forms);
        for order in std::mem::take(&mut self.fresh_orders) {
            let Some(known) = self.orders.get(&order) else { continue };
            let Some(holder) = known.holder else { continue };
            let who = Who::holder(holder);
            let made = self.made.iter().filter(|(_, made)| **made == order).map(|(form, _)| form);
            let wanted =
                made.filter_map(|form| self.forms.get(form)).flatten().any(|amount| *amount == Some(known.amount));
            let once = forms.iter().filter(|made| **made == order).count() == 1;
            findings.demand(wanted && once, "I5", who, || {
                format!("order {} of {} was made, and no form asked for it", number(order), known.amount)
            });
            let person = people.person(holder);
            let mine = |code| book.held(code, person).posted;
            let card = book.held(code::ON_CARD, u128::from(people.card(holder))).posted;
            let open = self.orders.values().filter(|other| other.holder == Some(holder) && other.stage.open());
            let open: Sum = open.map(|other| other.amount).sum();
            let total = mine(code::AVAILABLE) + mine(code::AWAITING_TAP) + card + open;
            let late = self.credits.iter().any(|(_, to, _)| *to == person);
            findings.demand(total <= CAP || late, "I9", who, || {
                format!("with order {} the account may come to {total}, the cap is {CAP}", number(order))
            });
        }
    }

    fn settle_payment(
        &mut self,
        transaction: &str,
        settled: Settled,
        refunds: &Refunds,
        people: &People,
        findings: &mut Findings,
    ) {
        let Some(capture) = self.captures.get(transaction) else {
            findings.add("I2", Who::NOBODY, || format!("payment {transaction} was never made: {settled:?}"));
            return;
        };
        let who = capture.holder.map_or(Who::NOBODY, Who::holder);
        if let Some(before) = self.settled.insert(transaction.to_owned(), settled) {
            findings
                .add("I2", who, || format!("payment {transaction} was settled twice: {before:?}, then {settled:?}"));
            return;
        }
        match settled {
            (Some(order), None) => {
                let Some(place) = self.credits.iter().position(|(credited, _, _)| *credited == order) else { return };
                let (_, person, amount) = self.credits.remove(place);
                let Some(known) = self.orders.get_mut(&order) else { return };
                let right = capture.charge == Charge::Right
                    && capture.order == number(order)
                    && (amount, amount) == (capture.amount, known.amount)
                    && people.holder(person) == known.holder;
                known.credited_by = Some(transaction.to_owned());
                findings.demand(right, "I2", who, || {
                    let person = people.holder(person);
                    format!(
                        "credited {amount} to {person:?} for {transaction}: captured {capture:?}, ordered {known:?}"
                    )
                });
            }
            (_, Some(case)) => {
                let place = self.suspended.iter().position(|(suspended, _)| *suspended == case);
                let amount = place.map_or(0, |place| self.suspended.remove(place).1);
                let expected = if capture.charge == Charge::Currency { 0 } else { capture.amount };
                findings.demand(amount == expected && self.cases.contains(&case), "I2", who, || {
                    format!("{transaction} went to a case with {amount}: captured {capture:?}")
                });
                let order = capture.order.parse::<u128>().ok().and_then(|id| self.orders.get(&id));
                let credited = order.is_some_and(|known| known.credited_by.is_some());
                let forgotten = self.forgot(&capture.order);
                let good = capture.charge == Charge::Right && !credited && !forgotten && !refunds.taken(transaction);
                findings.demand(!good, "L1", who, || {
                    format!("{transaction} is a good payment of an order and went to a case: {capture:?}")
                });
            }
            (None, None) => findings.add("I2", who, || format!("payment {transaction} belongs to nothing")),
        }
    }

    /// Everything is calm: all that was captured is credited or in a case, and no order can still be paid.
    pub(super) fn converged(&self, findings: &mut Findings) {
        for (transaction, capture) in &self.captures {
            let who = capture.holder.map_or(Who::NOBODY, Who::holder);
            let credited = self.orders.values().any(|known| known.credited_by.as_deref() == Some(transaction));
            let in_case = matches!(self.settled.get(transaction), Some((_, Some(_))));
            findings.demand(credited || in_case, "L1", who, || {
                format!("{transaction} was captured and is neither credited nor in a case: {capture:?}")
            });
        }
        for (order, known) in &self.orders {
            let who = known.holder.map_or(Who::NOBODY, Who::holder);
            findings.demand(!known.stage.open(), "L1", who, || {
                format!("order {} of {} is still {:?}", number(*order), known.amount, known.stage)
            });
        }
        let (booked, captured) = (self.booked, self.captured);
        findings.demand(booked == captured, "L1", Who::NOBODY, || {
            format!("{captured} were captured, {booked} are credited or in cases")
        });
    }
}
