//! Refunds: nothing is given back that was not held first, nothing twice, nothing beyond its payment (I2r, I4), and nothing
//! stays held for ever (L2).

use std::collections::{BTreeMap, BTreeSet};

use flows::ports::RefundState;
use ledger::JournalRow;
use rules::refund::{Origin, Refund, State};

use super::book::{Book, Name, code, reason};
use super::payments::Payments;
use super::{Findings, People, Sum};
use crate::count::Counters;
use crate::notes::Who;

/// A refund as its row says.
#[derive(Clone, Debug)]
struct Known {
    transaction: String,
    amount: Sum,
    total: Sum,
    holder: Option<usize>,
    case: Option<u128>,
    stage: Stage,
    /// Account that it was held from.
    from: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Held,
    Sent,
    Short,
    Processing,
    Abnormal,
    Settled,
    Released,
}

impl Stage {
    fn of(state: &State) -> Stage {
        match state {
            State::Held => Stage::Held,
            State::Sent => Stage::Sent,
            State::Short { .. } => Stage::Short,
            State::Processing { .. } => Stage::Processing,
            State::Abnormal { .. } => Stage::Abnormal,
            State::Settled { .. } => Stage::Settled,
            State::Released { .. } => Stage::Released,
        }
    }

    fn live(self) -> bool {
        self < Stage::Settled
    }
}

/// What the provider did with a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Truth {
    given_back: bool,
    closed: bool,
    refused: bool,
    abnormal: bool,
    short: bool,
}

/// The truth and the book's word about refunds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refunds {
    truth: BTreeMap<String, Truth>,
    known: BTreeMap<String, Known>,
    /// By the refund's identifier, which the journal and the accounts name.
    numbers: BTreeMap<u128, String>,
    /// Payments of which the provider gave something back, or began to.
    taken: BTreeSet<String>,
    /// Refunds of others that the book tells of.
    foreign: BTreeSet<String>,
    /// Refunds that a restore made the book forget, and of which payment they were.
    forgotten: BTreeMap<String, String>,
    fresh: Vec<String>,
    touched: BTreeSet<String>,
    moved: Vec<(u128, u16, Name)>,
    /// Orders whose money waits anew, because a refund of it failed.
    anew: BTreeSet<u128>,
    /// What the channel owes us less.
    pub(super) settled: Sum,
}

impl Refunds {
    /// The book is as it was when the backup was made; what the provider did stays done.
    pub(super) fn restored(&mut self, now: Refunds) {
        let gone = now.known.iter().filter(|(number, _)| !self.known.contains_key(*number));
        self.forgotten = gone.map(|(number, known)| (number.clone(), known.transaction.clone())).collect();
        self.forgotten.extend(now.forgotten);
        (self.truth, self.taken) = (now.truth, now.taken);
    }

    /// Whether the book knows this number, as one of ours or as another's.
    pub(crate) fn knows(&self, number: &str) -> bool {
        self.known.contains_key(number) || self.foreign.contains(number)
    }

    /// Whether a restore made the book forget it.
    pub(crate) fn forgot(&self, number: &str) -> bool {
        self.forgotten.contains_key(number)
    }

    /// Whether a refund that a restore made the book forget has given some of this payment back.
    pub(super) fn given_back_unknown(&self, transaction: &str) -> bool {
        let of = self.forgotten.iter().filter(|(_, of)| *of == transaction);
        of.filter_map(|(number, _)| self.truth.get(number)).any(|truth| truth.given_back)
    }

    /// A request for it arrives at the provider: it was written down before it left, word for word.
    pub(crate) fn asked(&self, number: &str, transaction: &str, sums: (Sum, Sum), findings: &mut Findings) {
        let right = match self.known.get(number) {
            Some(known) => {
                known.transaction == transaction && (known.amount, known.total) == sums && known.stage != Stage::Held
            }
            None => self.forgotten.contains_key(number),
        };
        findings.demand(right, "I2r", Who::NOBODY, || {
            format!(
                "refund {number} of {sums:?} of {transaction} is asked for; the book has {:?}",
                self.known.get(number)
            )
        });
    }

    fn truth(&mut self, number: &str) -> &mut Truth {
        self.truth.entry(number.to_owned()).or_default()
    }

    /// The provider begins to give a payment back.
    pub(crate) fn took(&mut self, transaction: &str) {
        self.taken.insert(transaction.to_owned());
    }

    /// Whether it ever did.
    pub(super) fn taken(&self, transaction: &str) -> bool {
        self.taken.contains(transaction)
    }

    /// The provider refused the number for good.
    pub(crate) fn refused_there(&mut self, number: &str) {
        self.truth(number).refused = true;
    }

    /// The merchant's account was short when it was asked for.
    pub(crate) fn short(&mut self, number: &str) {
        self.truth(number).short = true;
    }

    /// The provider is through with it, or stuck.
    pub(crate) fn became(&mut self, number: &str, state: RefundState) {
        let truth = self.truth(number);
        match state {
            RefundState::Success { .. } => truth.given_back = true,
            RefundState::Closed => truth.closed = true,
            RefundState::Abnormal => truth.abnormal = true,
            RefundState::Processing => {}
        }
    }

    /// A person was told this number.
    pub(crate) fn made_known(&self, number: &str, findings: &mut Findings) {
        findings.demand(self.known.contains_key(number), "ACK", Who::NOBODY, || {
            format!("refund {number} was told to a person and is not kept")
        });
    }

    /// The provider was told that all is well with this news.
    pub(crate) fn acknowledged(&self, number: &str, findings: &mut Findings) {
        findings.demand(self.knows(number), "ACK", Who::NOBODY, || {
            format!("the notice of refund {number} was answered well and is not kept")
        });
    }

    /// What is held of a holder's own money.
    pub(crate) fn held_of(&self, holder: usize) -> Sum {
        let own = self.known.values().filter(|known| known.holder == Some(holder) && known.case.is_none());
        own.filter(|known| known.stage.live()).map(|known| known.amount).sum()
    }

    /// What left the suspense of a case and did not come back.
    pub(super) fn out_of_case(&self, case: u128) -> Sum {
        let of = self.known.values().filter(|known| known.case == Some(case) && known.stage != Stage::Released);
        of.map(|known| known.amount).sum()
    }

    /// Whether an order's money waits anew since a refund of it failed.
    pub(super) fn waits_anew(&self, order: u128) -> bool {
        self.anew.contains(&order)
    }

    /// Whether a case about this refund has a cause: what the provider did.
    pub(super) fn was_short(&self, refund: u128) -> bool {
        self.of(refund).is_some_and(|truth| truth.short)
    }

    pub(super) fn was_abnormal(&self, refund: u128) -> bool {
        self.of(refund).is_some_and(|truth| truth.abnormal)
    }

    fn of(&self, refund: u128) -> Option<&Truth> {
        self.truth.get(&format!("R{refund:024}"))
    }

    pub(super) fn foreign(&mut self, key: &[u8], findings: &mut Findings) {
        let Some((_, number)) = key.split_first() else { return };
        let number = String::from_utf8_lossy(number).into_owned();
        let not_ours = !self.known.contains_key(&number);
        findings.demand(not_ours && self.truth.contains_key(&number), "I2r", Who::NOBODY, || {
            format!("refund {number} is taken for another's; the provider has {:?}", self.truth.get(&number))
        });
        self.foreign.insert(number);
    }

    pub(super) fn refund(
        &mut self,
        refund: &Refund,
        people: &People,
        findings: &mut Findings,
        counters: &mut Counters,
    ) {
        let (number, stage) = (refund.no.to_string(), Stage::of(&refund.state));
        let amount = Sum::from(refund.amount.get());
        self.touched.insert(number.clone());
        let Some(known) = self.known.get_mut(&number) else {
            findings
                .demand(stage == Stage::Held, "I2r", Who::NOBODY, || format!("refund {number} begins as {stage:?}"));
            let (holder, case) = match refund.origin {
                Origin::Waiting { person, .. } | Origin::Account { person, .. } => {
                    (people.holder(person.0.get()), None)
                }
                Origin::Case { case, of } => {
                    (of.and_then(|(person, _)| people.holder(person.0.get())), Some(case.0.get()))
                }
            };
            let (transaction, total) = (refund.transaction.clone(), Sum::from(refund.total.get()));
            self.numbers.insert(refund.no.id().get(), number.clone());
            self.known.insert(number.clone(), Known { transaction, amount, total, holder, case, stage, from: None });
            self.fresh.push(number);
            counters.add("refund: made");
            return;
        };
        let who = known.holder.map_or(Who::NOBODY, Who::holder);
        let same = (known.transaction.as_str(), known.amount) == (refund.transaction.as_str(), amount);
        let forward = known.stage <= stage && (known.stage.live() || known.stage == stage);
        findings.demand(same && forward, "I2r", who, || {
            format!("refund {number} went from {known:?} to {stage:?}, {amount} of {}", refund.transaction)
        });
        if known.stage != stage {
            let truth = self.truth.get(&number).copied().unwrap_or_default();
            let right = match stage {
                Stage::Settled => truth.given_back,
                Stage::Released => (truth.closed || truth.refused) && !truth.given_back,
                Stage::Held | Stage::Sent | Stage::Short | Stage::Processing | Stage::Abnormal => true,
            };
            findings.demand(right, "I2r", who, || format!("refund {number} is {stage:?}; the provider did {truth:?}"));
            counters.add(match stage {
                Stage::Settled => "refund: settled",
                Stage::Released => "refund: released to its owner",
                Stage::Held | Stage::Sent => "refund: told to the provider",
                Stage::Short => "refund: waits for money",
                Stage::Processing => "refund: under way",
                Stage::Abnormal => "refund: stuck",
            });
        }
        known.stage = stage;
        if let (Stage::Released, Origin::Waiting { order, .. }) = (stage, refund.origin) {
            self.anew.insert(order.id().get());
        }
    }

    pub(super) fn journal(&mut self, row: &JournalRow) {
        match row.code {
            reason::REFUND_HELD => {
                self.moved.push((row.credit.owner, row.code, (row.debit.code.0, row.debit.owner)));
            }
            reason::REFUND_SETTLED => {
                self.settled += Sum::from(row.amount.get());
                self.moved.push((row.debit.owner, row.code, (row.credit.code.0, row.credit.owner)));
            }
            reason::REFUND_RELEASED => {
                self.moved.push((row.debit.owner, row.code, (row.credit.code.0, row.credit.owner)));
            }
            _ => {}
        }
    }

    /// All rows and transfers of the batch are in.
    pub(super) fn settle(&mut self, book: &Book, payments: &Payments, findings: &mut Findings) {
        for (refund, code, other) in std::mem::take(&mut self.moved) {
            let known = self.numbers.get(&refund).and_then(|number| self.known.get_mut(number));
            let right = match known {
                Some(known) if code == reason::REFUND_HELD => {
                    known.from.replace(other).is_none()
                        && known.case.is_none_or(|case| other == (code::SUSPENSE_CASE, case))
                }
                Some(known) if code == reason::REFUND_RELEASED => known.from == Some(other),
                Some(_) => true,
                None => false,
            };
            findings.demand(right, "I2r", Who::NOBODY, || {
                format!("reason {code} moved money of refund {refund:024}, which it may not, from or to {other:?}")
            });
        }
        for number in std::mem::take(&mut self.fresh) {
            self.fits_its_payment(&number, payments, findings);
        }
        for number in std::mem::take(&mut self.touched) {
            let Some(known) = self.known.get(&number) else { continue };
            let who = known.holder.map_or(Who::NOBODY, Who::holder);
            let id = number.trim_start_matches('R').parse().unwrap_or_default();
            let (held, due) = (book.held(code::HELD, id).posted, if known.stage.live() { known.amount } else { 0 });
            findings.demand(held == due, "I4", who, || format!("refund {number} holds {held}: {known:?}"));
            if let Some(case) = known.case {
                let left = book.held(code::SUSPENSE_CASE, case).posted;
                findings.demand(left >= 0, "I4", who, || format!("case {case:x} has {left} after refund {number}"));
            }
        }
    }

    fn fits_its_payment(&self, number: &str, payments: &Payments, findings: &mut Findings) {
        let Some(known) = self.known.get(number) else { return };
        let who = known.holder.map_or(Who::NOBODY, Who::holder);
        let captured = payments.booked(&known.transaction);
        findings.demand(captured == Some(known.total), "I2r", who, || {
            format!("refund {number} is of a payment over {captured:?} that the book has: {known:?}")
        });
        let same = self.known.values().filter(|other| other.transaction == known.transaction);
        let counting = same.filter(|other| other.stage != Stage::Released);
        let (mut all, mut live) = (0, 0);
        for other in counting {
            all += other.amount;
            live += u32::from(other.stage.live());
        }
        findings.demand(all <= known.total && live == 1, "I2r", who, || {
            format!("with refund {number} go back {all} of {}, {live} of them at a time: {known:?}", known.total)
        });
    }

    /// Everything is calm: nothing is held any more, and all that the provider gave back for us is settled (L2).
    pub(super) fn converged(&self, book: &Book, findings: &mut Findings) {
        for (number, known) in &self.known {
            let who = known.holder.map_or(Who::NOBODY, Who::holder);
            findings.demand(!known.stage.live(), "L2", who, || format!("refund {number} has not ended: {known:?}"));
        }
        let held: Sum = book.accounts().filter(|(name, _)| name.0 == code::HELD).map(|(_, held)| held.posted).sum();
        findings.demand(held == 0, "L2", Who::NOBODY, || format!("{held} are held, and no refund is open"));
        for (number, truth) in self.truth.iter().filter(|(_, truth)| truth.given_back) {
            let settled = self.known.get(number).is_some_and(|known| known.stage == Stage::Settled);
            findings.demand(settled || self.foreign.contains(number), "L2", Who::NOBODY, || {
                format!("refund {number} was given back and the book has {:?}; {truth:?}", self.known.get(number))
            });
        }
    }
}
