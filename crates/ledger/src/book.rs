use std::collections::BTreeMap;

use crate::{Account, AccountKey, Bound, Fen, Id, JournalRow, Kind, Micros};

/// What a transfer does with the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Moves it at once.
    Direct,
    /// Sets it aside.
    Pend,
    /// Moves what the `Pend` at this sequence set aside; the rest of it, if any, goes back.
    Post(u64),
    /// Gives back what the `Pend` at this sequence set aside.
    Void(u64),
}

/// A wish to move money; becomes a journal row when the book takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Time-ordered identifier of the row.
    pub id: Id,
    /// Account that gives.
    pub debit: AccountKey,
    /// Account that receives.
    pub credit: AccountKey,
    /// More than 0; for `Post` at most what was set aside, for `Void` exactly that.
    pub amount: Fen,
    /// What to do.
    pub stage: Stage,
    /// When it happened outside.
    pub effective_at: Micros,
    /// Reason, a number of the caller's.
    pub code: u16,
    /// The order, attempt, sale or case it belongs to.
    pub reference: Id,
}

/// Money set aside by a `Pend` and neither posted nor voided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Account that will give.
    pub debit: AccountKey,
    /// Account that will receive.
    pub credit: AccountKey,
    /// How much.
    pub amount: Fen,
}

/// Why the book does not take a transfer; the first that applies is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostRefusal {
    /// Nothing or less than nothing.
    #[error("the amount of a transfer must be more than 0.00")]
    AmountNotPositive,
    /// Debit and credit are one account.
    #[error("a transfer needs two different accounts")]
    SameAccount,
    /// No open `Pend` at that sequence: never made, or posted or voided before.
    #[error("no money is set aside at journal row {0}")]
    NotPending(u64),
    /// The `Pend` names other accounts.
    #[error("journal row {0} set money aside between other accounts")]
    OtherAccounts(u64),
    /// More than was set aside, or, for a `Void`, another amount.
    #[error("{wanted} does not fit the {pended} set aside")]
    OtherAmount {
        /// What the transfer asks for.
        wanted: Fen,
        /// What was set aside.
        pended: Fen,
    },
    /// The debit account would fall below nothing.
    #[error("{wanted} is more than the {spendable} on the account")]
    NotEnough {
        /// What the transfer asks for.
        wanted: Fen,
        /// What could be debited.
        spendable: Fen,
    },
    /// A sum can no longer be counted.
    #[error("the amount is too large to count")]
    TooLarge,
    /// A replayed row does not follow from the rows before it.
    #[error("journal row {0} does not follow from the rows before it")]
    NotReplayable(u64),
}

enum Undo {
    Account(AccountKey, Option<Account>),
    Opened(u64),
    Closed(u64, Pending),
    Head(u64),
}

/// The accounts of a school and the money set aside, as the journal up to `head` makes them.
///
/// Promise: the sum of all balances is 0 after every call. Changes since the last [`Book::settle`] can be taken back.
#[derive(Default)]
pub struct Book {
    accounts: BTreeMap<AccountKey, Account>,
    pending: BTreeMap<u64, Pending>,
    head: u64,
    undo: Vec<Undo>,
}

/// A place in the book's undo log; see [`Book::mark`].
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Book {
    /// A book with nothing in it.
    pub fn new() -> Book {
        Book::default()
    }

    /// The book as a store kept it: accounts and set-aside money right up to row `head`.
    pub fn restore(
        accounts: impl IntoIterator<Item = (AccountKey, Account)>,
        pending: impl IntoIterator<Item = (u64, Pending)>,
        head: u64,
    ) -> Book {
        Book {
            accounts: accounts.into_iter().collect(),
            pending: pending.into_iter().collect(),
            head,
            undo: Vec::new(),
        }
    }

    /// Sequence of the newest row; 0 for none.
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// The account's sums; all 0 when it was never used.
    pub fn account(&self, key: &AccountKey) -> Account {
        self.accounts.get(key).copied().unwrap_or_default()
    }

    /// Every account that was ever used, in key order.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountKey, &Account)> {
        self.accounts.iter()
    }

    /// Money set aside by the `Pend` at `seq`, while it is open.
    pub fn pending(&self, seq: u64) -> Option<Pending> {
        self.pending.get(&seq).copied()
    }

    /// Everything set aside, by sequence.
    pub fn pendings(&self) -> impl Iterator<Item = (&u64, &Pending)> {
        self.pending.iter()
    }

    /// Takes a transfer and gives the journal row it became.
    ///
    /// Errors: [`PostRefusal`], the first that applies in the order written there; then nothing has changed.
    /// Repeats: a second call is a second transfer; who must not post twice keeps a key of its own.
    pub fn post(&mut self, transfer: &Transfer, recorded_at: Micros) -> Result<JournalRow, PostRefusal> {
        if !transfer.amount.is_positive() {
            return Err(PostRefusal::AmountNotPositive);
        }
        if transfer.debit == transfer.credit {
            return Err(PostRefusal::SameAccount);
        }
        let (kind, ref_seq) = match transfer.stage {
            Stage::Direct => (Kind::Direct, 0),
            Stage::Pend => (Kind::Pend, 0),
            Stage::Post(seq) => (Kind::Post, seq),
            Stage::Void(seq) => (Kind::Void, seq),
        };
        let (debit, credit) = self.sums_after(transfer, kind, ref_seq)?;
        let seq = self.head.checked_add(1).ok_or(PostRefusal::TooLarge)?;
        // Nothing below may fail.
        let row = JournalRow {
            seq,
            id: transfer.id,
            kind,
            debit: transfer.debit,
            credit: transfer.credit,
            amount: transfer.amount,
            ref_seq,
            debit_prev: debit.last_seq,
            credit_prev: credit.last_seq,
            debit_balance: debit.balance(),
            credit_balance: credit.balance(),
            recorded_at,
            effective_at: transfer.effective_at,
            code: transfer.code,
            reference: transfer.reference,
        };
        self.write(transfer.debit, Account { last_seq: seq, ..debit });
        self.write(transfer.credit, Account { last_seq: seq, ..credit });
        self.write_pending(&row);
        self.undo.push(Undo::Head(self.head));
        self.head = seq;
        Ok(row)
    }

    /// Both accounts as they will be, with their old `last_seq`.
    fn sums_after(&self, transfer: &Transfer, kind: Kind, ref_seq: u64) -> Result<(Account, Account), PostRefusal> {
        let (mut debit, mut credit) = (self.account(&transfer.debit), self.account(&transfer.credit));
        if matches!(kind, Kind::Post | Kind::Void) {
            let pended = self.pended(transfer, kind, ref_seq)?;
            debit.debits_pending = debit.debits_pending.minus(pended).ok_or(PostRefusal::TooLarge)?;
            credit.credits_pending = credit.credits_pending.minus(pended).ok_or(PostRefusal::TooLarge)?;
        }
        let bounded = kind != Kind::Void && transfer.debit.code.bound() == Bound::NeverNegative;
        if bounded && transfer.amount > debit.spendable() {
            return Err(PostRefusal::NotEnough { wanted: transfer.amount, spendable: debit.spendable() });
        }
        let (debit_sum, credit_sum) = match kind {
            Kind::Direct | Kind::Post => (&mut debit.debits_posted, &mut credit.credits_posted),
            Kind::Pend => (&mut debit.debits_pending, &mut credit.credits_pending),
            Kind::Void => return Ok((debit, credit)),
        };
        *debit_sum = debit_sum.plus(transfer.amount).ok_or(PostRefusal::TooLarge)?;
        *credit_sum = credit_sum.plus(transfer.amount).ok_or(PostRefusal::TooLarge)?;
        Ok((debit, credit))
    }

    fn pended(&self, transfer: &Transfer, kind: Kind, seq: u64) -> Result<Fen, PostRefusal> {
        let pending = self.pending(seq).ok_or(PostRefusal::NotPending(seq))?;
        if (pending.debit, pending.credit) != (transfer.debit, transfer.credit) {
            return Err(PostRefusal::OtherAccounts(seq));
        }
        let fits = match kind {
            Kind::Void => transfer.amount == pending.amount,
            _ => transfer.amount <= pending.amount,
        };
        if fits {
            Ok(pending.amount)
        } else {
            Err(PostRefusal::OtherAmount { wanted: transfer.amount, pended: pending.amount })
        }
    }

    fn write(&mut self, key: AccountKey, account: Account) {
        let before = self.accounts.insert(key, account);
        self.undo.push(Undo::Account(key, before));
    }

    fn write_pending(&mut self, row: &JournalRow) {
        match row.kind {
            Kind::Direct => {}
            Kind::Pend => {
                self.pending.insert(row.seq, Pending { debit: row.debit, credit: row.credit, amount: row.amount });
                self.undo.push(Undo::Opened(row.seq));
            }
            Kind::Post | Kind::Void => {
                if let Some(pending) = self.pending.remove(&row.ref_seq) {
                    self.undo.push(Undo::Closed(row.ref_seq, pending));
                }
            }
        }
    }

    /// Takes a row that was posted before, and checks that it follows from the rows before it to the last figure.
    ///
    /// Errors: whatever `post` would refuse, or `NotReplayable` when a number of the row is another one.
    pub fn replay(&mut self, row: &JournalRow) -> Result<(), PostRefusal> {
        let mark = self.mark();
        let stage = match row.kind {
            Kind::Direct => Stage::Direct,
            Kind::Pend => Stage::Pend,
            Kind::Post => Stage::Post(row.ref_seq),
            Kind::Void => Stage::Void(row.ref_seq),
        };
        let transfer = Transfer {
            id: row.id,
            debit: row.debit,
            credit: row.credit,
            amount: row.amount,
            stage,
            effective_at: row.effective_at,
            code: row.code,
            reference: row.reference,
        };
        let made = self.post(&transfer, row.recorded_at)?;
        if made == *row {
            return Ok(());
        }
        self.rollback(mark);
        Err(PostRefusal::NotReplayable(row.seq))
    }

    /// A place to come back to with [`Book::rollback`].
    pub const fn mark(&self) -> Mark {
        Mark(self.undo.len())
    }

    /// Takes back everything since `mark`.
    pub fn rollback(&mut self, mark: Mark) {
        while self.undo.len() > mark.0 {
            match self.undo.pop() {
                Some(Undo::Account(key, Some(account))) => {
                    self.accounts.insert(key, account);
                }
                Some(Undo::Account(key, None)) => {
                    self.accounts.remove(&key);
                }
                Some(Undo::Opened(seq)) => {
                    self.pending.remove(&seq);
                }
                Some(Undo::Closed(seq, pending)) => {
                    self.pending.insert(seq, pending);
                }
                Some(Undo::Head(head)) => self.head = head,
                None => return,
            }
        }
    }

    /// Accounts changed since the last `settle`, in key order, as they are now.
    pub fn changed(&self) -> BTreeMap<AccountKey, Account> {
        let keys = self.undo.iter().filter_map(|undo| match undo {
            Undo::Account(key, _) => Some(*key),
            _ => None,
        });
        keys.map(|key| (key, self.account(&key))).collect()
    }

    /// The changes stand: they can no longer be taken back.
    pub fn settle(&mut self) {
        self.undo.clear();
    }
}
