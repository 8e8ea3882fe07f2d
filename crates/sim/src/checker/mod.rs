//! The independent checker. It knows what cards, provider and terminals physically did, keeps its own book from the rows
//! that became durable, with its own money, and says at once what cannot be true. It shares no rule and no arithmetic with
//! the product: of the product it reads the rows alone.
//!
//! | file | invariants |
//! |---|---|
//! | `book.rs` | I1 conservation, I4 nothing negative, which accounts a reason may move money between (I10) |
//! | `payments.rs` | I2 provider, I9 limits, ACK of notices |
//! | `refunds.rs` | I2r refunds, I4 of what is held, L2 |
//! | `loads.rs` | I3 purse, ACK of released loads |
//! | `losses.rs` | I6: a card that was reported lost is granted nothing on line from then on |
//! | `crook.rs` | T1: a copied card is stopped at its first conflict, and every debit of a copy is paid once |
//! | `sales.rs` | I3 and I8 of debits, I5 once, ACK of records |
//! | `replay.rs`, `form.rs` | I7: what stands on the disk, read, hashed and added up again |
//! | (`door.rs` of the world) | M2: a try at a password that was answered is counted |
//! | `waiting.rs` | R36: reminders and the return of money that waits; M31 numbers of messages |
//! | `received.rs` | E1: what a receiver of events was told is the journal |
//! | `end.rs` | L1, L3, L4 at the end of the calm phase, M7 the book's time |

pub(crate) mod book;
mod crook;
mod end;
mod form;
mod loads;
mod losses;
mod payments;
mod received;
mod refunds;
mod replay;
mod sales;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use device::journal::State as Journal;
use flows::rows::Row;
use rules::card::State as CardState;
use rules::case::{Case, Kind as CaseKind};

use crate::count::Counters;
use crate::kept::{self, Kept};
use crate::notes::Who;
use book::Book;
use crook::Crook;
use loads::Loads;
use losses::Losses;
use payments::Payments;
pub(crate) use payments::{Capture, Charge};
pub(crate) use received::Received;
use refunds::Refunds;
pub(crate) use replay::Replay;
use sales::Sales;
pub(crate) use sales::{Debit, End};
use waiting::Waits;

/// The checker's money: fen, wide enough never to wrap.
pub(crate) type Sum = i128;

/// Something that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Name of the invariant.
    pub(crate) invariant: &'static str,
    pub(crate) who: Who,
    /// Both sides, with their numbers.
    pub(crate) text: String,
}

/// What is found, and what was found first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings(Option<Failure>);

impl Findings {
    pub(crate) fn add(&mut self, invariant: &'static str, who: Who, text: impl FnOnce() -> String) {
        if self.0.is_none() {
            self.0 = Some(Failure { invariant, who, text: text() });
        }
    }

    /// Adds it unless `holds`.
    pub(crate) fn demand(&mut self, holds: bool, invariant: &'static str, who: Who, text: impl FnOnce() -> String) {
        if !holds {
            self.add(invariant, who, text);
        }
    }
}

/// The checker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checker {
    pub(crate) findings: Findings,
    pub(crate) book: Book,
    pub(crate) people: People,
    pub(crate) payments: Payments,
    pub(crate) refunds: Refunds,
    pub(crate) loads: Loads,
    pub(crate) sales: Sales,
    pub(crate) crook: Crook,
    pub(crate) losses: Losses,
    pub(crate) replay: Replay,
    pub(crate) waits: Waits,
    /// Time of the newest block, and when it was made.
    time: Option<(i64, i64)>,
    /// A process started since, with the right time.
    pub(crate) restarted: bool,
    /// A terminal was taken over: some cases have a cause now.
    pub(crate) rogue: Option<u128>,
    /// Every case: what kind, and how much lies in it.
    cases: BTreeMap<u128, (CaseKind, Sum)>,
    /// Cases that ended in this batch.
    ended: Vec<u128>,
}

/// Who holds which account and which card; the world's numbers of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    by_id: BTreeMap<u128, usize>,
    by_card: BTreeMap<u64, usize>,
    ids: Vec<u128>,
    cards: Vec<u64>,
    /// The holder whose card is copied: nothing that is true of an honest card need be true of his.
    pub(crate) crook: Option<usize>,
    /// Holders who lost their cards, and report that.
    pub(crate) lost: BTreeSet<usize>,
}

impl People {
    pub(crate) fn holder_of_card(&self, card: u64) -> Option<usize> {
        self.by_card.get(&card).copied()
    }

    pub(crate) fn holder(&self, person: u128) -> Option<usize> {
        self.by_id.get(&person).copied()
    }

    pub(crate) fn person(&self, holder: usize) -> u128 {
        self.ids.get(holder).copied().unwrap_or_default()
    }

    pub(crate) fn card(&self, holder: usize) -> u64 {
        self.cards.get(holder).copied().unwrap_or_default()
    }

    /// Whether this card is, or will be, copied.
    pub(crate) fn of_crook(&self, card: u64) -> bool {
        self.crook.is_some() && self.holder_of_card(card) == self.crook
    }

    /// Whether this card is lost, or on the way to be reported so.
    pub(crate) fn is_lost(&self, card: u64) -> bool {
        self.holder_of_card(card).is_some_and(|holder| self.lost.contains(&holder))
    }

    fn who(&self, card: u64) -> Who {
        self.holder_of_card(card).map_or(Who::NOBODY, Who::holder)
    }

    pub(crate) fn count(&self) -> usize {
        self.ids.len()
    }
}

impl Checker {
    /// A holder and the card in his pocket.
    pub(crate) fn holder(&mut self, person: u128, card: u64) {
        let number = self.people.ids.len();
        self.people.by_id.insert(person, number);
        self.people.by_card.insert(card, number);
        self.people.ids.push(person);
        self.people.cards.push(card);
    }

    /// A backup came back: the book is as it was when that was made, and everything outside it is as it is. `kept`: what the
    /// terminals still have.
    pub(crate) fn restored(&mut self, then: Checker, kept: &BTreeMap<u128, Journal>, now_is: i64) {
        let now = std::mem::replace(self, then);
        self.findings = now.findings;
        self.people.lost = now.people.lost;
        self.payments.restored(now.payments, now_is);
        self.refunds.restored(now.refunds);
        let payments = &self.payments;
        self.loads.restored(now.loads, |order| payments.credited_before(order));
        self.sales.restored(now.sales, kept);
        self.book.restored = true;
    }

    /// What was found first.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.findings.0.as_ref()
    }

    /// A batch became durable.
    pub(crate) fn kept(&mut self, kept: &Kept, now: i64, counters: &mut Counters) {
        self.time(&kept.block, now);
        self.payments.now = now;
        let mut cases = Vec::new();
        self.replay.wrote(kept.rows.iter().map(|(at, _)| at));
        for (key, body) in &kept.rows {
            let Some(body) = body else { continue };
            let Some(row) = kept::row(body) else {
                let table = key.table;
                self.findings.add("BROKEN", Who::NOBODY, || format!("a row of {table} that was kept does not decode"));
                return;
            };
            match row {
                Row::Case(case) => cases.push(case),
                row => {
                    self.waits.row(&key.key, &row, counters);
                    self.row(&key.key, &row, counters);
                }
            }
        }
        for case in &cases {
            self.case(case, counters);
        }
        for row in &kept.journal {
            self.book.take(row, &self.people, &mut self.findings);
            self.payments.journal(row, &self.book, &self.people, &mut self.findings, counters);
            self.refunds.journal(row);
            self.loads.journal(row, &mut self.findings, &self.people);
            self.crook.journal(row, &mut self.findings);
            self.losses.journal(row, &self.sales, &self.people, &mut self.findings);
            self.sales.journal(row, (&self.book, &self.loads), &self.people, &mut self.findings, counters);
        }
        self.payments.settle(&self.book, &self.refunds, &self.people, &mut self.findings);
        self.refunds.settle(&self.book, &self.payments, &mut self.findings);
        self.ended_are_empty();
        self.loads.settle(&self.book, &self.people, &mut self.findings, counters);
        self.sales.settle(counters);
        self.waits.settle(&self.people, &mut self.findings, counters);
        self.losses.settle();
    }

    fn row(&mut self, key: &[u8], row: &Row, counters: &mut Counters) {
        match row {
            Row::Order(order) => self.payments.order(order, &self.people, &mut self.findings, counters),
            Row::Form(note) => self.payments.form(key, note.made.get(), &self.people),
            Row::Refund(refund) => self.refunds.refund(refund, &self.people, &mut self.findings, counters),
            Row::ForeignRefund(_) => self.refunds.foreign(key, &mut self.findings),
            Row::CaseEnded(ended) => self.case_ended(&ended.case),
            Row::Payment(note) => self.payments.payment(key, note),
            Row::Attempt(attempt) => {
                let (payments, refunds) = (&self.payments, &self.refunds);
                let back = |order| payments.transaction_of(order).is_some_and(|paid| refunds.given_back_unknown(paid));
                self.loads.attempt(attempt, back, &self.people, &mut self.findings, counters);
            }
            Row::Sale(sale) => {
                if self.sales.card_of(sale.id.get()).is_none() {
                    let who = self.people.who(sale.card.0);
                    self.losses.sale(sale.card.0, sale.state, who, &mut self.findings);
                }
                self.sales.sale(sale);
                if self.people.of_crook(sale.card.0) {
                    self.crook.sale(sale);
                }
            }
            Row::Record(_) => self.sales.record_kept(key, counters),
            Row::Card(card) => {
                let who = self.people.who(card.no.0);
                let state = card.state;
                let copied = self.people.of_crook(card.no.0) && self.crook.is_copied();
                let reported = state == CardState::Lost && self.people.is_lost(card.no.0);
                self.findings.demand(state == CardState::Active || copied || reported, "I8", who, || {
                    format!("the card of an honest holder was stopped: it is {state:?}")
                });
                if !self.people.of_crook(card.no.0) {
                    self.losses.card(card, who, &mut self.findings, counters);
                }
                self.sales.open_sales(card.no.0, card.unconfirmed.iter().map(|id| id.get()).collect());
            }
            Row::Waiting(items) => self.loads.waits(key, items),
            Row::Epoch(epoch) => self.payments.not_asked = !epoch.orders_asked,
            _ => {}
        }
    }

    /// A case ends when nothing lies in it any more.
    fn case_ended(&mut self, case: &Case) {
        self.ended.push(case.id.0.get());
    }

    fn ended_are_empty(&mut self) {
        for case in std::mem::take(&mut self.ended) {
            let left = self.book.held(book::code::SUSPENSE_CASE, case).posted;
            self.findings.demand(left == 0 && self.cases.contains_key(&case), "I8", Who::NOBODY, || {
                format!("case {case:x} ended with {left} in it")
            });
        }
    }

    /// What kind of case it is.
    pub(crate) fn case_kind(&self, case: u128) -> Option<CaseKind> {
        self.cases.get(&case).map(|(kind, _)| *kind)
    }

    /// Whether a case is about the copied card: itself, or a sale of it.
    fn of_crook(&self, reference: u128) -> bool {
        let card = u64::try_from(reference).is_ok_and(|card| self.people.of_crook(card));
        self.crook.is_copied() && (card || self.crook.has_sale(reference))
    }

    fn sale_of_lost(&self, case: &Case) -> bool {
        self.sales.card_of(case.reference.get()).is_some_and(|card| self.people.is_lost(card))
    }

    fn was_ahead(&self, case: &Case) -> bool {
        u64::try_from(case.reference.get()).is_ok_and(|card| self.loads.was_ahead(card))
    }

    /// Whether money that waits has a cause not to go back by rule.
    fn not_returned(&mut self, order: u128) -> (&'static str, bool) {
        self.waits.stuck(order);
        let touched = self.payments.transaction_of(order).is_some_and(|paid| self.refunds.taken(paid));
        let caused = self.waits.may_be_stuck(order, self.book.restored, touched);
        ("case: waiting money does not go back by rule", caused)
    }

    /// How a case of money that went back is counted: of an order that a restored book had credited, or of another payment.
    fn given_back(&self, reference: u128) -> &'static str {
        match self.payments.credited_before(reference) {
            true => "case: waiting money of before a restore was given back meanwhile",
            false => "case: payment given back meanwhile",
        }
    }

    /// Whether nobody can tell what became of a load with this order, since a restore.
    fn load_untold(&self, order: u128) -> bool {
        let fresh = !self.payments.credited_before(order) || self.refunds.waits_anew(order);
        let card = self.payments.holder_of(order).map(|holder| self.people.card(holder));
        // It may have been held for a refund, by rule or by hand, while the card was loaded.
        let held = self.payments.transaction_of(order).is_some_and(|paid| self.refunds.taken(paid));
        fresh || held || self.waits.was_due(order) || card.is_some_and(|card| self.loads.replaced(card))
    }

    /// Every case has a cause. That of a payment is looked for when the payment is settled.
    fn case(&mut self, case: &Case, counters: &mut Counters) {
        let (kind, restored) = (case.kind, self.book.restored);
        let first = self.cases.insert(case.id.0.get(), (kind, Sum::from(case.amount.get()))).is_none();
        if kind == CaseKind::RecordsForgotten {
            self.sales.gap(case.reference.get());
        }
        let copy = self.of_crook(case.reference.get());
        self.crook.found |= copy && stops(kind, restored);
        let (counter, allowed) = match kind {
            CaseKind::CardRolledBack if copy => ("clone: found by its counter", true),
            CaseKind::CardAhead if copy && !restored => ("clone: found by a load that the other copy denied", true),
            CaseKind::PurseAhead if copy => ("clone: found by its purse", true),
            CaseKind::CardCloned if copy => ("clone: found by a proof", true),
            CaseKind::SaleConflict if copy => ("clone: found by a debit at the same counter", true),
            CaseKind::SaleOverspent if copy => ("clone: found by overspending", true),
            CaseKind::SaleCardStopped if copy => ("clone: sale after it was stopped", true),
            CaseKind::SaleChainBroken if copy => ("clone: balances do not follow", true),
            CaseKind::SaleDisplaced if copy => ("clone: proved at the counter of a sale without a proof", true),
            // Its terminal says that it was made after the card was reported, or its clock says so.
            CaseKind::SaleCardStopped if self.sale_of_lost(case) => ("loss: debit borne by the school", true),
            CaseKind::PaymentUnknownOrder => ("case: payment of unknown order", true),
            CaseKind::PaymentMismatch => ("case: payment mismatch", true),
            CaseKind::PaymentTwice => ("case: payment twice", true),
            CaseKind::PaymentGivenBack => (self.given_back(case.reference.get()), true),
            CaseKind::RefundUnknown => ("case: refund that is none of ours", true),
            CaseKind::RefundFailed => ("case: refund failed", true),
            CaseKind::RefundShort => ("case: merchant account short", self.refunds.was_short(case.reference.get())),
            CaseKind::RefundAbnormal => ("case: refund abnormal", self.refunds.was_abnormal(case.reference.get())),
            CaseKind::LoadTacWrong => ("case: load TAC wrong", self.rogue.is_some()),
            CaseKind::SaleTacWrong => ("case: sale TAC wrong", self.rogue.is_some()),
            CaseKind::TerminalQuarantined => ("case: terminal quarantined", self.rogue.is_some()),
            CaseKind::SaleUnknownCard => ("case: sale of unknown card", self.rogue.is_some()),
            CaseKind::CardAhead => ("case: card ahead of a restored book", restored && self.was_ahead(case)),
            CaseKind::LoadUntold => {
                let caused = restored && self.load_untold(case.reference.get());
                ("case: load of before a restore that nobody can tell of", caused)
            }
            CaseKind::SaleUntold => {
                let card = self.sales.untold(case.reference.get());
                let differed = card.is_some_and(|card| self.loads.was_ahead(card) || self.sales.was_behind(card));
                ("case: sale of before a restore that nobody can tell of", restored && differed)
            }
            CaseKind::WaitingNotReturned => self.not_returned(case.reference.get()),
            CaseKind::SaleAheadOfBook => ("case: sale ahead of a restored book", restored),
            CaseKind::SaleForgotten => ("case: sale forgotten by a restore", restored),
            CaseKind::RecordsForgotten => ("case: records lost by a restore", restored),
            CaseKind::PaymentAccountClosed
            | CaseKind::RefundDiffers
            | CaseKind::RefundContradicted
            | CaseKind::CardRolledBack
            | CaseKind::PurseAhead
            | CaseKind::SaleOverspent
            | CaseKind::SaleConflict
            | CaseKind::SaleAfterReversal
            | CaseKind::CardCloned
            | CaseKind::SaleCardStopped
            | CaseKind::SaleChainBroken
            | CaseKind::SaleDateOdd
            | CaseKind::SaleTerminalStopped
            | CaseKind::SaleMissing
            | CaseKind::SaleDisplaced
            | CaseKind::WebhookPaused => ("case: without a cause", false),
        };
        if first {
            counters.add(counter);
        }
        self.payments.case(case.id.0.get());
        self.findings.demand(allowed, "I8", Who::NOBODY, || format!("a case {kind:?} has no cause: {}", case.detail));
    }
}

/// Whether the card is stopped with a case of this kind.
const fn stops(kind: CaseKind, restored: bool) -> bool {
    match kind {
        // After a restore a card that is ahead is taken as it is.
        CaseKind::CardAhead => !restored,
        CaseKind::CardRolledBack
        | CaseKind::PurseAhead
        | CaseKind::CardCloned
        | CaseKind::SaleConflict
        | CaseKind::SaleOverspent => true,
        _ => false,
    }
}
