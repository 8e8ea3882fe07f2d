//! A card that was copied: what each copy physically did, and what the book may still grant to it (T1, I8).

use std::collections::{BTreeMap, BTreeSet};

use ledger::JournalRow;
use link::{DebitEvidence, PurseSale, Record};
use rules::purchase::Sale;

use super::book::{code, reason};
use super::{Checker, Findings, Sum};
use crate::notes::Who;

/// A debit, as its terminal's module counted it.
type Name = ([u8; 3], u32);

/// Something that a copy did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// It took the load of this attempt.
    Load(u32),
    Debit(Name),
}

#[derive(Clone, Debug, Default)]
struct Copy {
    /// Something of what it did since it was made is in the book.
    booked: bool,
    /// What it did since and is not known to be in the book.
    pending: BTreeSet<Deed>,
}

/// The card that is copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crook {
    /// There are two of it.
    copied: bool,
    copies: [Copy; 2],
    /// What the copies paid.
    debits: BTreeMap<Name, Sum>,
    /// Debits whose proof the platform has taken.
    proved: BTreeSet<Name>,
    sales: BTreeMap<u128, Name>,
    paid: BTreeMap<Name, Sum>,
    /// The platform has seen a contradiction.
    pub(super) found: bool,
}

impl Crook {
    /// From now on there are two of it.
    pub(crate) fn copied(&mut self) {
        (self.copied, self.copies) = (true, Default::default());
    }

    /// Whether there are two of it.
    pub(super) fn is_copied(&self) -> bool {
        self.copied
    }

    fn done(&mut self, which: usize, deed: Deed) {
        if let Some(copy) = self.copies.get_mut(which) {
            copy.pending.insert(deed);
        }
    }

    fn booked(&mut self, which: usize, deed: Deed) {
        if let Some(copy) = self.copies.get_mut(which) {
            copy.booked |= copy.pending.remove(&deed);
        }
    }

    /// A copy took the load of an attempt.
    pub(crate) fn took(&mut self, which: usize, k: u32) {
        self.done(which, Deed::Load(k));
    }

    /// A copy was debited.
    pub(crate) fn debited(&mut self, which: usize, (terminal, next): Name, amount: Sum) {
        let name = (terminal, next - 1);
        self.debits.insert(name, amount);
        self.done(which, Deed::Debit(name));
    }

    /// The platform has said that this load is in the book.
    pub(crate) fn load_booked(&mut self, which: usize, k: u32) {
        self.booked(which, Deed::Load(k));
    }

    /// The platform has taken a record.
    pub(crate) fn sale_booked(&mut self, which: usize, record: &Record) {
        if let Record::Sale(sale @ PurseSale { evidence: DebitEvidence::Tac(_), .. }) = record {
            let name = named(sale.terminal, sale.tsn);
            self.proved.insert(name);
            self.booked(which, Deed::Debit(name));
        }
    }

    /// The book has something of the other copy, and all of this one's: what this one shows contradicts the book.
    pub(crate) fn contradicts(&self, which: usize) -> bool {
        let [one, other] = &self.copies;
        let (own, its) = if which == 0 { (one, other) } else { (other, one) };
        self.copied && its.booked && own.pending.is_empty()
    }

    pub(super) fn sale(&mut self, sale: &Sale) {
        if let Some(debit) = sale.debit {
            self.sales.insert(sale.id.get(), named(debit.terminal, debit.tsn));
        }
    }

    /// Whether the platform has seen that there are two.
    pub(crate) fn was_found(&self) -> bool {
        self.found
    }

    /// Whether this sale is one of the copied card.
    pub(super) fn has_sale(&self, sale: u128) -> bool {
        self.sales.contains_key(&sale)
    }

    /// A debit is paid once, with its amount, whoever bears it.
    pub(super) fn journal(&mut self, row: &JournalRow, findings: &mut Findings) {
        let debit = matches!(row.code, reason::SALE_FROM_PURSE | reason::SALE_FROM_UNPROVED | reason::SALE_UNEXPLAINED);
        let Some(name) = self.sales.get(&row.reference.get()).filter(|_| debit) else { return };
        let amount = Sum::from(row.amount.get());
        if (row.code, row.credit.code.0) == (reason::SALE_UNEXPLAINED, code::ON_CARD) {
            let paid = self.paid.get(name).copied();
            findings.demand(paid == Some(amount), "I3", Who::NOBODY, || {
                format!("row {} gives {amount} back for {name:?}; the card had paid {paid:?}", row.seq)
            });
            return;
        }
        let made = self.debits.get(name).copied();
        let before = self.paid.insert(*name, amount);
        findings.demand(made == Some(amount) && before.is_none(), "I3", Who::NOBODY, || {
            format!("row {} pays {amount} for {name:?}; a copy paid {made:?}, in the book was {before:?}", row.seq)
        });
        findings
            .demand(row.credit.code.0 == code::MERCHANT, "I3", Who::NOBODY, || format!("row {} pays nobody", row.seq));
    }

    /// Every debit that was proved is paid.
    pub(super) fn converged(&self, findings: &mut Findings) {
        let unpaid = self.proved.iter().find(|name| !self.paid.contains_key(name));
        findings.demand(unpaid.is_none(), "L4", Who::NOBODY, || format!("debit {unpaid:?} of a copy is not paid"));
    }
}

impl Checker {
    /// A copy was granted a load or a hold.
    pub(crate) fn crook_granted(&mut self, granted: bool, who: Who) {
        let found = self.crook.found;
        self.findings.demand(!(granted && found), "T1", who, || {
            "a copied card goes on after the platform saw that there are two".to_owned()
        });
    }
}

const fn named([a, b, c, ..]: [u8; 6], tsn: u32) -> Name {
    ([a, b, c], tsn)
}
