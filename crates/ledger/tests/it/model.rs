//! The book against a second book-keeper who only ever adds up lists, and shares no arithmetic with it.

use std::collections::BTreeMap;

use ledger::{AccountKey, Book, Bound, Fen, Kind, Micros, Pending, PostRefusal, Transfer};
use proptest::prelude::*;

use crate::sample::{ACCOUNTS, NOW, transfer_of, wish};

/// Lists of signed amounts: what was posted to an account, and what is set aside on it, by the pend's sequence.
#[derive(Default)]
struct Lists {
    posted_debits: BTreeMap<AccountKey, Vec<i128>>,
    posted_credits: BTreeMap<AccountKey, Vec<i128>>,
    aside: BTreeMap<u64, Pending>,
    newest: BTreeMap<AccountKey, u64>,
    head: u64,
}

const MOST: i128 = i64::MAX as i128;

impl Lists {
    fn total(lists: &BTreeMap<AccountKey, Vec<i128>>, key: &AccountKey) -> i128 {
        lists.get(key).map(|amounts| amounts.iter().sum()).unwrap_or(0)
    }

    fn balance(&self, key: &AccountKey) -> i128 {
        Self::total(&self.posted_credits, key) - Self::total(&self.posted_debits, key)
    }

    fn aside(&self, side: impl Fn(&Pending) -> AccountKey, key: &AccountKey, but: u64) -> i128 {
        self.aside
            .iter()
            .filter(|(seq, pending)| **seq != but && side(pending) == *key)
            .map(|(_, pending)| i128::from(pending.amount.get()))
            .sum()
    }

    /// What the book should say, in the order of [`PostRefusal`].
    fn judge(&self, kind: Kind, ref_seq: u64, transfer: &Transfer, now: Micros) -> Result<(), PostRefusal> {
        let wanted = transfer.amount;
        if wanted <= Fen::ZERO {
            return Err(PostRefusal::AmountNotPositive);
        }
        if transfer.debit == transfer.credit {
            return Err(PostRefusal::SameAccount);
        }
        if matches!(kind, Kind::Post | Kind::Void) {
            let Some(pending) = self.aside.get(&ref_seq) else { return Err(PostRefusal::NotPending(ref_seq)) };
            if pending.debit != transfer.debit || pending.credit != transfer.credit {
                return Err(PostRefusal::OtherAccounts(ref_seq));
            }
            if let (Kind::Post, Some(until)) = (kind, pending.expires_at)
                && now.get() >= until.get()
            {
                return Err(PostRefusal::Expired(ref_seq));
            }
            if wanted > pending.amount || (kind == Kind::Void && wanted != pending.amount) {
                return Err(PostRefusal::OtherAmount { wanted, pended: pending.amount });
            }
        }
        if kind == Kind::Void {
            return Ok(());
        }
        let amount = i128::from(wanted.get());
        let spendable = self.balance(&transfer.debit) - self.aside(|set| set.debit, &transfer.debit, ref_seq);
        if transfer.debit.code.bound() == Bound::NeverNegative && amount > spendable {
            let spendable = Fen::new(i64::try_from(spendable).expect("a holder's account is countable"));
            return Err(PostRefusal::NotEnough { wanted, spendable });
        }
        let (debits, credits) = match kind {
            Kind::Pend => {
                (self.aside(|set| set.debit, &transfer.debit, 0), self.aside(|set| set.credit, &transfer.credit, 0))
            }
            _ => {
                (Self::total(&self.posted_debits, &transfer.debit), Self::total(&self.posted_credits, &transfer.credit))
            }
        };
        if debits + amount > MOST || credits + amount > MOST {
            return Err(PostRefusal::TooLarge);
        }
        Ok(())
    }

    fn take(&mut self, kind: Kind, ref_seq: u64, transfer: &Transfer) {
        self.head += 1;
        if matches!(kind, Kind::Direct | Kind::Post) {
            let amount = i128::from(transfer.amount.get());
            self.posted_debits.entry(transfer.debit).or_default().push(amount);
            self.posted_credits.entry(transfer.credit).or_default().push(amount);
        }
        match kind {
            Kind::Direct => {}
            Kind::Pend => {
                let Transfer { debit, credit, amount, .. } = *transfer;
                let set = Pending { debit, credit, amount, expires_at: until(transfer) };
                self.aside.insert(self.head, set);
            }
            Kind::Post | Kind::Void => {
                self.aside.remove(&ref_seq);
            }
        }
        self.newest.insert(transfer.debit, self.head);
        self.newest.insert(transfer.credit, self.head);
    }
}

fn stage(transfer: &Transfer) -> (Kind, u64) {
    match transfer.stage {
        ledger::Stage::Direct => (Kind::Direct, 0),
        ledger::Stage::Pend | ledger::Stage::PendUntil(_) => (Kind::Pend, 0),
        ledger::Stage::Post(seq) => (Kind::Post, seq),
        ledger::Stage::Void(seq) => (Kind::Void, seq),
    }
}

fn until(transfer: &Transfer) -> Option<Micros> {
    match transfer.stage {
        ledger::Stage::PendUntil(at) => Some(at),
        _ => None,
    }
}

fn same(book: &Book, lists: &Lists) {
    assert_eq!(book.head(), lists.head);
    assert_eq!(book.pendings().map(|(seq, set)| (*seq, *set)).collect::<BTreeMap<_, _>>(), lists.aside);
    let mut sum = 0_i128;
    for key in &ACCOUNTS {
        let account = book.account(key);
        assert_eq!(i128::from(account.balance().get()), lists.balance(key), "{key:?}");
        let (debits, credits) = (lists.aside(|set| set.debit, key, 0), lists.aside(|set| set.credit, key, 0));
        assert_eq!((account.debits_pending.get().into(), account.credits_pending.get().into()), (debits, credits));
        assert_eq!(account.last_seq, lists.newest.get(key).copied().unwrap_or(0), "{key:?}");
        assert!(account.within(key.code), "{key:?} is below nothing: {account:?}");
        sum += i128::from(account.balance().get());
    }
    assert_eq!(sum, 0, "money was made or lost");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_book_agrees_with_one_that_adds_up_lists(wishes in proptest::collection::vec(wish(), 1..80)) {
        let (mut book, mut lists, mut pended) = (Book::new(), Lists::default(), Vec::new());
        for (step, wish) in wishes.into_iter().enumerate() {
            let now = Micros::new(NOW.get() + i64::try_from(step).expect("few"));
            let transfer = transfer_of(wish, &pended);
            let (kind, ref_seq) = stage(&transfer);
            let expected = lists.judge(kind, ref_seq, &transfer, now);
            let before = (lists.newest.get(&transfer.debit).copied(), lists.newest.get(&transfer.credit).copied());
            match book.post(&transfer, now) {
                Ok(row) => {
                    prop_assert_eq!(expected, Ok(()));
                    lists.take(kind, ref_seq, &transfer);
                    prop_assert_eq!((row.seq, row.kind, row.ref_seq), (lists.head, kind, ref_seq));
                    prop_assert_eq!((row.debit_prev, row.credit_prev), (before.0.unwrap_or(0), before.1.unwrap_or(0)));
                    prop_assert_eq!(i128::from(row.debit_balance.get()), lists.balance(&row.debit));
                    prop_assert_eq!(i128::from(row.credit_balance.get()), lists.balance(&row.credit));
                    prop_assert_eq!((row.recorded_at, row.effective_at), (now, transfer.effective_at));
                    if kind == Kind::Pend {
                        prop_assert_eq!(row.expires_at, until(&transfer));
                        pended.extend(book.pending(row.seq).map(|set| (row.seq, set)));
                    }
                }
                Err(refusal) => prop_assert_eq!(Err(refusal), expected),
            }
            same(&book, &lists);
            let over = |set: &Pending| set.expires_at.is_some_and(|at| at.get() <= now.get());
            let mut expired: Vec<_> = lists.aside.iter().filter(|(_, set)| over(set)).map(|(seq, set)| (*seq, *set)).collect();
            expired.sort_by_key(|(seq, set)| (set.expires_at, *seq));
            prop_assert_eq!(book.expired(now, 3), expired.iter().take(3).copied().collect::<Vec<_>>());
        }
    }
}
