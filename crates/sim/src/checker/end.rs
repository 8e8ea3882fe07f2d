//! What must hold when everything has been calm for long enough.

use std::collections::BTreeMap;

use ledger::Block;
use rules::case::Kind as CaseKind;

use super::book::{Held, Name, code};
use super::{Checker, Sum};
use crate::notes::Who;
use crate::ports::START;

const SECOND: i64 = 1_000_000;
/// How far a clock that leapt is followed.
const FOLLOWED: i64 = 300 * SECOND;

impl Checker {
    /// The end of the calm phase: everything must have converged (L1, L2, L3, L4, I5).
    pub(crate) fn converged(&mut self) {
        self.payments.converged(&mut self.findings);
        self.refunds.converged(&self.book, &mut self.findings);
        self.loads.converged(&self.book, &self.people, &mut self.findings);
        self.sales.converged(&self.people, &mut self.findings);
        self.crook.converged(&mut self.findings);
        self.losses.converged(&self.people, &mut self.findings);
        self.money_in_cases();
    }

    /// All has been calm for hours: what waits longer than it may is a person's to decide (R36).
    pub(crate) fn nothing_is_overdue(&mut self) {
        let now = self.time.map_or(0, |(at, _)| at) + START;
        self.waits.overdue(now, &self.refunds, &self.people, &mut self.findings);
    }

    /// What lies in cases is what they say: payments that belong to no order, and, against a case, what cards and merchants
    /// have that a restored book forgot (M9).
    fn money_in_cases(&mut self) {
        for (id, (kind, amount)) in &self.cases {
            let against = matches!(kind, CaseKind::CardAhead | CaseKind::SaleForgotten | CaseKind::SaleCardStopped)
                || super::stops(*kind, self.book.restored);
            let (held, due) =
                (self.book.held(code::SUSPENSE_CASE, *id).posted, if against { -amount } else { *amount });
            // What went back to payers is there no more.
            let due = due - self.refunds.out_of_case(*id);
            self.findings.demand(held == due, "M9", Who::NOBODY, || format!("case {kind:?} of {due} holds {held}"));
        }
        let known = |name: &Name| name.0 != code::SUSPENSE_CASE || self.cases.contains_key(&name.1);
        let other = self.book.accounts().map(|(name, _)| name).find(|name| !known(name));
        self.findings.demand(other.is_none(), "M9", Who::NOBODY, || format!("{other:?} is no case"));
    }

    /// At the end a purse holds what the book says (I3).
    pub(crate) fn balance(&mut self, holder: usize, purse: Sum) {
        if self.people.crook == Some(holder) {
            return;
        }
        let card = u128::from(self.people.card(holder));
        let on_card = self.book.held(code::ON_CARD, card).posted;
        let early = self.book.held(code::SUSPENSE_CARD, card).posted;
        // What the chip paid with records that were lost in a restore, the book never hears of.
        let mut lost = self.sales.lost(self.people.card(holder));
        if self.people.lost.contains(&holder) {
            // What only its next hold could have told of a card that was restored and then lost, nobody tells.
            if self.book.restored {
                return;
            }
            // Nor of a torn debit; and what was paid after the report is not the holder's.
            lost += self.sales.outside(self.people.card(holder));
        }
        // A load that was on its way to a lost card stays so, taken or not: only its next hold could tell.
        let coming = if self.people.lost.contains(&holder) { self.book.held(code::ON_CARD, card).coming } else { 0 };
        let more = on_card + early - purse;
        let explained = (0..=lost).contains(&more) || (0..=lost).contains(&(more + coming));
        self.findings.demand(explained, "I3", Who::holder(holder), || {
            format!(
                "the purse holds {purse}, the book has {on_card} on it and {early} in its suspense; lost are {lost}"
            )
        });
    }

    /// What the checker was told batch by batch is what the disk holds (I7).
    pub(crate) fn same_sums(&self) -> Result<(), String> {
        let mut read: BTreeMap<Name, Held> = BTreeMap::new();
        for (key, sums) in self.replay.accounts() {
            let held = read.entry((key.code.0, key.owner)).or_default();
            held.posted += sums.into - sums.out;
            held.leaving += sums.leaving;
            held.coming += sums.coming;
        }
        match self.book.accounts().find(|(name, held)| read.get(name) != Some(held)) {
            None if read.len() == self.book.accounts().count() => Ok(()),
            other => Err(format!("told was {other:?}; on the disk are {} accounts", read.len())),
        }
    }

    /// M7: the book's time never goes back, never steps by more than five minutes beyond what passed (ten over a start), and
    /// does not stay in tomorrow or yesterday.
    pub(super) fn time(&mut self, block: &Block, now: i64) {
        let at = block.at.get() - START;
        let (before, then) = self.time.replace((at, now)).unwrap_or((at, now));
        let (step, passed) = (at - before, now - then);
        // A clock that stood behind is put right by a start.
        let most = if std::mem::take(&mut self.restarted) { 2 * FOLLOWED } else { FOLLOWED };
        self.findings.demand(
            step >= 0 && step <= passed + most && (at - now).abs() <= 2 * FOLLOWED,
            "M7",
            Who::NOBODY,
            || {
                format!(
                    "block {} is {} s after the one before it, {} s passed; it is {} s off",
                    block.no,
                    step / SECOND,
                    passed / SECOND,
                    (at - now) / SECOND
                )
            },
        );
    }
}
