//! A handful of accounts and transfers between them, for the tests to draw from.

use ledger::{Account, AccountCode, AccountKey, Book, Fen, Id, Micros, Pending, Stage, Transfer};
use proptest::prelude::*;

/// One account of each kind, and two that differ only in their part.
pub const ACCOUNTS: [AccountKey; 6] = [
    AccountKey::new(AccountCode(1000), 1),
    AccountKey::new(AccountCode(2000), 7),
    AccountKey { code: AccountCode(2000), owner: 7, part: 202_609 },
    AccountKey::new(AccountCode(2999), 8),
    AccountKey::new(AccountCode(3000), 9),
    AccountKey::new(AccountCode(4000), 0),
];

/// A moment to record at.
pub const NOW: Micros = Micros::new(1_790_000_000_000_000);

/// A transfer of `fen` between two accounts.
pub fn transfer(stage: Stage, debit: AccountKey, credit: AccountKey, fen: i64) -> Transfer {
    Transfer {
        id: Id::new(0x0190_0000_0000_7000_8000_0000_0000_0001),
        debit,
        credit,
        amount: Fen::new(fen),
        stage,
        effective_at: Micros::new(NOW.get() - 5),
        code: 3,
        reference: Id::new(77),
    }
}

/// What a test wishes for; `Post` and `Void` choose among the sequences that were ever pended, or a made-up one.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    /// Moves at once.
    Direct { debit: usize, credit: usize, fen: i64 },
    /// Sets aside.
    Pend { debit: usize, credit: usize, fen: i64 },
    /// Sets aside until some steps after [`NOW`].
    PendUntil { debit: usize, credit: usize, fen: i64, steps: i64 },
    /// Posts a share of what a pend set aside, in tenths; 10 is all, 11 too much.
    Post { pick: usize, tenths: i64 },
    /// Voids what a pend set aside, or asks for another amount.
    Void { pick: usize, exact: bool },
}

/// Any wish, mostly a sensible one.
pub fn wish() -> impl Strategy<Value = Wish> {
    let account = 0..ACCOUNTS.len();
    let amount = prop_oneof![8 => 1_i64..5_000, 1 => -2_i64..=0, 1 => (i64::MAX - 9_000)..=i64::MAX];
    prop_oneof![
        4 => (account.clone(), account.clone(), amount.clone())
            .prop_map(|(debit, credit, fen)| Wish::Direct { debit, credit, fen }),
        3 => (account.clone(), account.clone(), amount.clone())
            .prop_map(|(debit, credit, fen)| Wish::Pend { debit, credit, fen }),
        1 => (account.clone(), account, amount, 0_i64..60)
            .prop_map(|(debit, credit, fen, steps)| Wish::PendUntil { debit, credit, fen, steps }),
        2 => (0_usize..40, 0_i64..=11).prop_map(|(pick, tenths)| Wish::Post { pick, tenths }),
        2 => (0_usize..40, proptest::bool::weighted(0.8)).prop_map(|(pick, exact)| Wish::Void { pick, exact }),
    ]
}

/// The transfer that a wish means; `pended` are the pends that were ever taken, in order.
pub fn transfer_of(wish: Wish, pended: &[(u64, Pending)]) -> Transfer {
    let chosen = |pick: usize| -> (u64, Pending) {
        let unknown = Pending { debit: ACCOUNTS[0], credit: ACCOUNTS[1], amount: Fen::new(10), expires_at: None };
        if pended.is_empty() { (999_999, unknown) } else { pended[pick % pended.len()] }
    };
    match wish {
        Wish::Direct { debit, credit, fen } => transfer(Stage::Direct, ACCOUNTS[debit], ACCOUNTS[credit], fen),
        Wish::Pend { debit, credit, fen } => transfer(Stage::Pend, ACCOUNTS[debit], ACCOUNTS[credit], fen),
        Wish::PendUntil { debit, credit, fen, steps } => {
            let until = Stage::PendUntil(Micros::new(NOW.get() + steps));
            transfer(until, ACCOUNTS[debit], ACCOUNTS[credit], fen)
        }
        Wish::Post { pick, tenths } => {
            let (seq, set) = chosen(pick);
            let fen = i64::try_from(i128::from(set.amount.get()) * i128::from(tenths) / 10).unwrap_or(i64::MAX);
            transfer(Stage::Post(seq), set.debit, set.credit, fen)
        }
        Wish::Void { pick, exact } => {
            let (seq, set) = chosen(pick);
            let fen = if exact { set.amount.get() } else { set.amount.get() / 2 };
            transfer(Stage::Void(seq), set.debit, set.credit, fen)
        }
    }
}

/// Head, accounts and set-aside money.
pub type All = (u64, Vec<(AccountKey, Account)>, Vec<(u64, Pending)>);

/// Everything that can be seen of a book.
pub fn all_of(book: &Book) -> All {
    (
        book.head(),
        book.accounts().sorted().into_iter().map(|(key, account)| (*key, *account)).collect(),
        book.pendings().map(|(seq, pending)| (*seq, *pending)).collect(),
    )
}
