//! Cases: what a person in charge must look at. A case always has an owner, so that money in suspense is never nobody's.

use ledger::{Fen, Id, Micros};

use crate::ids::CaseId;

/// Whose desk a case lies on (R94).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks after money matters.
    Finance,
    /// Looks after delayed credits.
    DutyOfficer,
    /// Looks after terminals.
    DeviceManager,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A proved payment whose order number is none of ours.
    PaymentUnknownOrder,
    /// A proved payment whose amount or currency is not the order's (R20).
    PaymentMismatch,
    /// A second payment of one order.
    PaymentTwice,
    /// A payment for a closed account.
    PaymentAccountClosed,
    /// The card's counter is behind: rolled back or cloned.
    CardRolledBack,
    /// The card's counter is ahead of what was ever released.
    CardAhead,
    /// The purse holds more than the book can explain.
    PurseAhead,
    /// A load's TAC does not verify.
    LoadTacWrong,
    /// A purchase's TAC does not verify.
    SaleTacWrong,
    /// A sale the purse cannot have covered.
    SaleOverspent,
    /// Another sale stands under the same card and counter, or the same terminal and number.
    SaleConflict,
    /// A sale on a card that is not known.
    SaleUnknownCard,
    /// A purse sale whose authorisation had been reversed.
    SaleAfterReversal,
    /// A terminal sent another record under a used number.
    TerminalQuarantined,
    /// A sale of a card that a restored book has less on than it spent; the card shows what it took when it comes (M9).
    SaleAheadOfBook,
    /// A sale that a terminal had paid before a restore and that the account no longer covers (M9).
    SaleForgotten,
    /// Records that a terminal had deleted as acknowledged, and that a restore lost (M9).
    RecordsForgotten,
    /// An order that was credited after a restore, of which a card that was ahead does not tell whether it took it before
    /// (M9).
    LoadUntold,
    /// A sale without a proof, of which a card that was ahead of a restored book no longer tells by its balance whether it
    /// was debited (M9).
    SaleUntold,
}

impl Kind {
    /// Who looks after it.
    pub const fn owner(self) -> Role {
        match self {
            Kind::PaymentUnknownOrder | Kind::PaymentMismatch | Kind::PaymentTwice | Kind::PaymentAccountClosed => {
                Role::Finance
            }
            Kind::CardRolledBack | Kind::CardAhead | Kind::PurseAhead | Kind::LoadTacWrong | Kind::LoadUntold => {
                Role::DutyOfficer
            }
            Kind::SaleTacWrong
            | Kind::SaleOverspent
            | Kind::SaleConflict
            | Kind::SaleUnknownCard
            | Kind::SaleAfterReversal
            | Kind::SaleAheadOfBook
            | Kind::SaleForgotten
            | Kind::SaleUntold => Role::Finance,
            Kind::TerminalQuarantined | Kind::RecordsForgotten => Role::DeviceManager,
        }
    }
}

/// A case. Shape: `amount` is what lies in its suspense account, 0 when none does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its number.
    pub id: CaseId,
    /// What happened.
    pub kind: Kind,
    /// When it was opened.
    pub opened_at: Micros,
    /// The order, attempt or sale it is about.
    pub reference: Id,
    /// Money in its suspense account when it was opened.
    pub amount: Fen,
    /// Facts for the person in charge; no personal data.
    pub detail: String,
}
