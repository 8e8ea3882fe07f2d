use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    Account, AccountKey, Accounts, Bound, CodecError, Fen, Id, JournalRow, Kind, Micros, Reader, Slot, Writer,
};

/// What a transfer does with the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Moves it at once.
    Direct,
    /// Sets it aside.
    Pend,
    /// Sets it aside until this moment of batch time: from then on it can no longer be posted, and goes back.
    PendUntil(Micros),
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
    /// From when on it can no longer be posted, if there is such a time.
    pub expires_at: Option<Micros>,
}

impl Pending {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.debit.write_short(&mut out);
        self.credit.write_short(&mut out);
        out.signed(self.amount.get());
        if let Some(at) = self.expires_at {
            out.i64(at.get());
        }
        out.done()
    }

    /// Reads what `encode` wrote. Errors: whatever no `encode` writes.
    pub fn decode(bytes: &[u8]) -> Result<Pending, CodecError> {
        let mut from = Reader::new(bytes);
        let (debit, credit) = (AccountKey::read_short(&mut from)?, AccountKey::read_short(&mut from)?);
        let amount = Fen::new(from.signed()?);
        let expires_at = if from.end().is_ok() { None } else { Some(Micros::new(from.i64()?)) };
        from.end()?;
        Ok(Pending { debit, credit, amount, expires_at })
    }
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
    /// The time of the `Pend` is over: it can only be voided. A teller voids it with the first batch after that time, and
    /// from then on the answer is `NotPending`.
    #[error("the money set aside at journal row {0} could be had only until an earlier time")]
    Expired(u64),
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
    Account(Slot, Account),
    Opened(u64),
    Closed(u64, Pending),
    Head(u64),
}

/// The accounts of a school and the money set aside, as the journal up to `head` makes them.
///
/// Promise: the sum of all balances is 0 after every call. Changes since the last [`Book::settle`] can be taken back.
#[derive(Default)]
pub struct Book {
    accounts: Accounts,
    pending: BTreeMap<u64, Pending>,
    expiries: BTreeSet<(Micros, u64)>,
    head: u64,
    undo: VecDeque<Undo>,
    /// How many entries of the undo log were settled, ever.
    settled: usize,
}

/// A place in the book's undo log; see [`Book::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        // A list is taken over as it is, without a copy.
        let mut book = Book { head, accounts: Accounts::of(accounts.into_iter().collect()), ..Book::default() };
        for (seq, pending) in pending {
            book.set_aside(seq, pending);
        }
        book
    }

    /// Sequence of the newest row; 0 for none.
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// The account's sums; all 0 when it was never used.
    pub fn account(&self, key: &AccountKey) -> Account {
        self.accounts.get(key)
    }

    /// All accounts, each in its place.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Money set aside by the `Pend` at `seq`, while it is open.
    pub fn pending(&self, seq: u64) -> Option<Pending> {
        self.pending.get(&seq).copied()
    }

    /// Everything set aside, by sequence.
    pub fn pendings(&self) -> impl Iterator<Item = (&u64, &Pending)> {
        self.pending.iter()
    }

    /// Money whose time is over at `now`, the longest first, at most `most`.
    pub fn expired(&self, now: Micros, most: usize) -> Vec<(u64, Pending)> {
        let over = self.expiries.range(..=(now, u64::MAX)).take(most);
        over.filter_map(|(_, seq)| Some((*seq, self.pending(*seq)?))).collect()
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
        let (kind, ref_seq, expires_at) = match transfer.stage {
            Stage::Direct => (Kind::Direct, 0, None),
            Stage::Pend => (Kind::Pend, 0, None),
            Stage::PendUntil(at) => (Kind::Pend, 0, Some(at)),
            Stage::Post(seq) => (Kind::Post, seq, None),
            Stage::Void(seq) => (Kind::Void, seq, None),
        };
        let (debit_slot, credit_slot) = (self.accounts.place(&transfer.debit), self.accounts.place(&transfer.credit));
        let sums = |slot: Slot| self.accounts.at(slot).map(|(_, account)| *account).unwrap_or_default();
        let released = self.released(transfer, kind, ref_seq, recorded_at)?;
        let debit = debited(sums(debit_slot), transfer, kind, released)?;
        let credit = credited(sums(credit_slot), transfer, kind, released)?;
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
            expires_at,
            debit_prev: debit.last_seq,
            credit_prev: credit.last_seq,
            debit_balance: debit.balance(),
            credit_balance: credit.balance(),
            recorded_at,
            effective_at: transfer.effective_at,
            code: transfer.code,
            reference: transfer.reference,
        };
        self.write(debit_slot, Account { last_seq: seq, ..debit });
        self.write(credit_slot, Account { last_seq: seq, ..credit });
        self.write_pending(&row);
        self.undo.push_back(Undo::Head(self.head));
        self.head = seq;
        Ok(row)
    }

    /// What a `Post` or `Void` takes out of what is set aside; nothing for the other kinds.
    fn released(&self, transfer: &Transfer, kind: Kind, ref_seq: u64, now: Micros) -> Result<Fen, PostRefusal> {
        match kind {
            Kind::Direct | Kind::Pend => Ok(Fen::ZERO),
            Kind::Post | Kind::Void => self.pended(transfer, kind, ref_seq, now),
        }
    }

    fn pended(&self, transfer: &Transfer, kind: Kind, seq: u64, now: Micros) -> Result<Fen, PostRefusal> {
        let pending = self.pending(seq).ok_or(PostRefusal::NotPending(seq))?;
        if (pending.debit, pending.credit) != (transfer.debit, transfer.credit) {
            return Err(PostRefusal::OtherAccounts(seq));
        }
        if kind == Kind::Post && pending.expires_at.is_some_and(|at| at <= now) {
            return Err(PostRefusal::Expired(seq));
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

    fn write(&mut self, slot: Slot, account: Account) {
        let before = self.accounts.set(slot, account);
        self.undo.push_back(Undo::Account(slot, before));
    }

    fn set_aside(&mut self, seq: u64, pending: Pending) {
        self.expiries.extend(pending.expires_at.map(|at| (at, seq)));
        self.pending.insert(seq, pending);
    }

    fn take_back(&mut self, seq: u64) -> Option<Pending> {
        let pending = self.pending.remove(&seq)?;
        if let Some(at) = pending.expires_at {
            self.expiries.remove(&(at, seq));
        }
        Some(pending)
    }

    fn write_pending(&mut self, row: &JournalRow) {
        match row.kind {
            Kind::Direct => {}
            Kind::Pend => {
                let JournalRow { debit, credit, amount, expires_at, .. } = *row;
                self.set_aside(row.seq, Pending { debit, credit, amount, expires_at });
                self.undo.push_back(Undo::Opened(row.seq));
            }
            Kind::Post | Kind::Void => {
                if let Some(pending) = self.take_back(row.ref_seq) {
                    self.undo.push_back(Undo::Closed(row.ref_seq, pending));
                }
            }
        }
    }

    /// Takes a row that was posted before, and checks that it follows from the rows before it to the last figure.
    ///
    /// Errors: whatever `post` would refuse, or `NotReplayable` when a number of the row is another one; then nothing has
    /// changed.
    pub fn replay(&mut self, row: &JournalRow) -> Result<(), PostRefusal> {
        let mark = self.mark();
        let made = self.post(&wish_of(row), row.recorded_at)?;
        if made == *row {
            return Ok(());
        }
        self.rollback(mark);
        Err(PostRefusal::NotReplayable(row.seq))
    }

    /// Takes a row over accounts that were kept at different times: an account that was kept after this row has it already.
    ///
    /// Promise: rows taken in order from the first that any account lacks give the book that was, and every figure of the
    /// row that an account still lacked was checked. Errors: as [`Book::replay`]. Source: M5.
    pub fn recover(&mut self, row: &JournalRow) -> Result<(), PostRefusal> {
        let (debit_slot, credit_slot) = (self.accounts.place(&row.debit), self.accounts.place(&row.credit));
        let sums = |slot: Slot| self.accounts.at(slot).map(|(_, account)| *account).unwrap_or_default();
        let (debit, credit) = (sums(debit_slot), sums(credit_slot));
        let has = |account: &Account| account.last_seq >= row.seq;
        if !has(&debit) && !has(&credit) {
            return self.replay(row);
        }
        let (wish, wrong) = (wish_of(row), Err(PostRefusal::NotReplayable(row.seq)));
        let refers = matches!(row.kind, Kind::Post | Kind::Void);
        if self.head.checked_add(1) != Some(row.seq)
            || row.debit == row.credit
            || !row.amount.is_positive()
            || (row.ref_seq != 0 && !refers)
            || (row.expires_at.is_some() && row.kind != Kind::Pend)
        {
            return wrong;
        }
        let released = self.released(&wish, row.kind, row.ref_seq, row.recorded_at)?;
        let debit_after = if has(&debit) { debit } else { debited(debit, &wish, row.kind, released)? };
        let credit_after = if has(&credit) { credit } else { credited(credit, &wish, row.kind, released)? };
        let follows = |had: &Account, after: &Account, prev: u64, balance: Fen| {
            let kept_just_then = had.last_seq == row.seq && had.balance() == balance;
            kept_just_then || had.last_seq > row.seq || (had.last_seq, after.balance()) == (prev, balance)
        };
        if !follows(&debit, &debit_after, row.debit_prev, row.debit_balance)
            || !follows(&credit, &credit_after, row.credit_prev, row.credit_balance)
        {
            return wrong;
        }
        if !has(&debit) {
            self.write(debit_slot, Account { last_seq: row.seq, ..debit_after });
        }
        if !has(&credit) {
            self.write(credit_slot, Account { last_seq: row.seq, ..credit_after });
        }
        self.write_pending(row);
        self.undo.push_back(Undo::Head(self.head));
        self.head = row.seq;
        Ok(())
    }

    /// A place to come back to with [`Book::rollback`].
    pub fn mark(&self) -> Mark {
        Mark(self.settled.saturating_add(self.undo.len()))
    }

    /// Takes back everything since `mark`, or since the last [`Book::settle`] when that was later.
    pub fn rollback(&mut self, mark: Mark) {
        while self.settled.saturating_add(self.undo.len()) > mark.0 {
            match self.undo.pop_back() {
                Some(Undo::Account(slot, account)) => {
                    self.accounts.set(slot, account);
                }
                Some(Undo::Opened(seq)) => {
                    self.take_back(seq);
                }
                Some(Undo::Closed(seq, pending)) => self.set_aside(seq, pending),
                Some(Undo::Head(head)) => self.head = head,
                None => return,
            }
        }
    }

    /// Takes back everything since the last [`Book::settle`].
    pub fn rollback_all(&mut self) {
        self.rollback(Mark(self.settled));
    }

    /// Accounts changed since `mark`, in the order of their places.
    pub fn changed(&self, mark: Mark) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self
            .undo
            .range(mark.0.saturating_sub(self.settled).min(self.undo.len())..)
            .filter_map(|undo| match undo {
                Undo::Account(slot, _) => Some(*slot),
                _ => None,
            })
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// The changes before `mark` stand: they can no longer be taken back.
    pub fn settle(&mut self, mark: Mark) {
        let stand = mark.0.saturating_sub(self.settled).min(self.undo.len());
        self.undo.drain(..stand);
        self.settled = self.settled.saturating_add(stand);
    }

    /// All changes stand.
    pub fn settle_all(&mut self) {
        self.settle(self.mark());
    }
}

/// The giving account's sums after a transfer, but for `last_seq`. Errors: `NotEnough`, `TooLarge`.
fn debited(account: Account, wish: &Transfer, kind: Kind, released: Fen) -> Result<Account, PostRefusal> {
    let mut after = account;
    after.debits_pending = after.debits_pending.minus(released).ok_or(PostRefusal::TooLarge)?;
    let bounded = kind != Kind::Void && wish.debit.code.bound() == Bound::NeverNegative;
    if bounded && wish.amount > after.spendable() {
        return Err(PostRefusal::NotEnough { wanted: wish.amount, spendable: after.spendable() });
    }
    let sum = match kind {
        Kind::Direct | Kind::Post => &mut after.debits_posted,
        Kind::Pend => &mut after.debits_pending,
        Kind::Void => return Ok(after),
    };
    *sum = sum.plus(wish.amount).ok_or(PostRefusal::TooLarge)?;
    Ok(after)
}

/// The receiving account's sums after a transfer, but for `last_seq`. Error: `TooLarge`.
fn credited(account: Account, wish: &Transfer, kind: Kind, released: Fen) -> Result<Account, PostRefusal> {
    let mut after = account;
    after.credits_pending = after.credits_pending.minus(released).ok_or(PostRefusal::TooLarge)?;
    let sum = match kind {
        Kind::Direct | Kind::Post => &mut after.credits_posted,
        Kind::Pend => &mut after.credits_pending,
        Kind::Void => return Ok(after),
    };
    *sum = sum.plus(wish.amount).ok_or(PostRefusal::TooLarge)?;
    Ok(after)
}

/// The transfer that became this row.
const fn wish_of(row: &JournalRow) -> Transfer {
    let stage = match (row.kind, row.expires_at) {
        (Kind::Direct, _) => Stage::Direct,
        (Kind::Pend, None) => Stage::Pend,
        (Kind::Pend, Some(at)) => Stage::PendUntil(at),
        (Kind::Post, _) => Stage::Post(row.ref_seq),
        (Kind::Void, _) => Stage::Void(row.ref_seq),
    };
    Transfer {
        id: row.id,
        debit: row.debit,
        credit: row.credit,
        amount: row.amount,
        stage,
        effective_at: row.effective_at,
        code: row.code,
        reference: row.reference,
    }
}
