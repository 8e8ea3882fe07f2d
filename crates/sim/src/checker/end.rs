//! What must hold when everything has been calm for long enough.

use ledger::{Account, AccountKey};

use super::book::code;
use super::{Checker, Sum};
use crate::notes::Who;

impl Checker {
    /// The end of the calm phase: everything must have converged (L1, L3, L4, I5).
    pub(crate) fn converged(&mut self) {
        self.payments.converged(&mut self.findings);
        self.loads.converged(&self.book, &self.people, &mut self.findings);
        self.sales.converged(&self.people, &mut self.findings);
    }

    /// At the end a purse holds what the book says (I3).
    pub(crate) fn balance(&mut self, holder: usize, purse: Sum) {
        let card = u128::from(self.people.card(holder));
        let on_card = self.book.held(code::ON_CARD, card).posted;
        let early = self.book.held(code::SUSPENSE_CARD, card).posted;
        self.findings.demand(purse == on_card + early, "I3", Who::holder(holder), || {
            format!("the purse holds {purse}, the book has {on_card} on it and {early} in its suspense")
        });
    }

    /// The accounts that an engine has are those of the checker's own book (I7).
    pub(crate) fn same_accounts<'a>(&mut self, accounts: impl Iterator<Item = (&'a AccountKey, &'a Account)>) {
        let mut seen = 0;
        for (key, account) in accounts {
            let own = self.book.held(key.code.0, key.owner);
            let [credits, debits] = [account.credits_posted, account.debits_posted].map(|sum| Sum::from(sum.get()));
            let [coming, leaving] = [account.credits_pending, account.debits_pending].map(|sum| Sum::from(sum.get()));
            let theirs = (credits - debits, leaving, coming);
            let own = (own.posted, own.leaving, own.coming);
            self.findings.demand(theirs == own, "I7", Who::NOBODY, || {
                format!("the engine has {theirs:?} on {key:?}, the journal says {own:?}")
            });
            seen += 1;
        }
        let own = self.book.accounts().count();
        self.findings
            .demand(seen == own, "I7", Who::NOBODY, || format!("the engine has {seen} accounts, the journal {own}"));
    }
}
