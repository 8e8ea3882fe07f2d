//! A purchase (消费): on line from the account, or from the card's purse (R81; M16 to M19; JR/T 0025 purchase).
//!
//! One sale has one source (M18). While a terminal is connected, the purse is debited only when the platform says so (M16).
//! A record of a debit is never dropped and never blocks the next one: it is posted, or it becomes a case.

use ledger::{Fen, Id, Micros};

use crate::card::{self, Card};
use crate::case;
use crate::ids::{CardNo, CaseId, EnrolmentId, MerchantId, PersonId};
use crate::limits::{Limits, Setting};
use crate::words::Words;

/// Where a sale stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Paid from the account.
    Paid,
    /// Paid from the account and called off: the money went back.
    Reversed,
    /// The terminal was told to debit the purse; its record has not come.
    AwaitingPurse,
    /// The terminal was told to debit the purse and called it off before it did.
    CalledOff,
    /// Paid from the purse, as the card proved.
    FromPurse,
    /// Paid from the purse: no proof came, and the balance alone showed the debit. With a case: a debit that the card
    /// proved has its counter now, so that this one was none.
    ByBalance(Option<CaseId>),
    /// The purse may or may not have been debited.
    Unconfirmed,
    /// Proved later: the purse was not debited.
    NotDebited,
    /// In a case.
    Suspended(CaseId),
    /// As unconfirmed, and the balance will never tell: this case asks a person. A proof that still comes pays it (M9).
    Untold(CaseId),
}

/// A debit of a purse, as its terminal recorded it. Amounts in fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// Balance before.
    pub old_balance: u32,
    /// Off-line counter M before.
    pub m: u16,
    /// Terminal id given to the card.
    pub terminal: [u8; 6],
    /// Number the purchase module counted.
    pub tsn: u32,
    /// The terminal's date, BCD.
    pub date: [u8; 4],
    /// The terminal's time, BCD.
    pub time: [u8; 3],
    /// Key version.
    pub key_version: u8,
    /// Algorithm.
    pub algorithm: u8,
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Its identifier, the reference of its journal rows.
    pub id: Id,
    /// Terminal enrolment and sequence of its authorisation or, off line, of its debit.
    pub asked_by: (EnrolmentId, u64),
    /// Which card.
    pub card: CardNo,
    /// Its holder; none for a card that is not known.
    pub person: Option<PersonId>,
    /// Who sold.
    pub merchant: MerchantId,
    /// How much.
    pub amount: Fen,
    /// When the platform first heard of it.
    pub at: Micros,
    /// Where it stands.
    pub state: State,
    /// The purse debit, when there was one.
    pub debit: Option<Debit>,
}

/// What an authorisation is decided on.
#[derive(Clone, Copy, Debug)]
pub struct AskFacts<'a> {
    /// The card; none when it is not known.
    pub card: Option<&'a Card>,
    /// The card proved itself at this terminal in the hold that goes on.
    pub hold_live: bool,
    /// The request came after its `not_after` (M17).
    pub expired: bool,
    /// The terminal had reversed this number before it arrived (M17).
    pub reversed: bool,
    /// What can be spent on line.
    pub available: Fen,
    /// What the purse surely holds: by the book, less open sales.
    pub purse: Fen,
    /// The rules now.
    pub limits: &'a Limits,
}

/// From where a sale is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// From the account, now.
    Account,
    /// From the purse: the terminal shall debit it.
    Purse,
}

/// Why a sale is refused; the first that applies. All of them are stored and replayed (M3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Called off before it arrived.
    #[error("called off")]
    Reversed,
    /// Arrived too late.
    #[error("too late")]
    Expired,
    /// The card is not known.
    #[error("the card is not known")]
    UnknownCard,
    /// The card's state does not allow it.
    #[error(transparent)]
    Card(#[from] card::Refusal),
    /// The card has not proved itself in this hold.
    #[error("no hold")]
    NoHold,
    /// Nothing, or more than a sale may be.
    #[error("amount out of range, at most {0}")]
    Amount(Fen),
    /// Neither the account nor the purse covers it whole (M18).
    #[error("account {account}, purse {purse}")]
    NotEnough {
        /// On line.
        account: Fen,
        /// On the purse.
        purse: Fen,
    },
}

/// May this sale be paid, and from where? The account comes first; a source pays all or nothing.
///
/// Errors: [`Refusal`], in its order. Source: R81, M16 to M18.
pub fn authorise(amount: Fen, facts: &AskFacts<'_>) -> Result<Payment, Refusal> {
    if facts.reversed {
        return Err(Refusal::Reversed);
    }
    if facts.expired {
        return Err(Refusal::Expired);
    }
    card::usable(facts.card.ok_or(Refusal::UnknownCard)?.state)?;
    if !facts.hold_live {
        return Err(Refusal::NoHold);
    }
    let most = facts.limits.fen(Setting::SaleMax);
    if !amount.is_positive() || amount > most {
        return Err(Refusal::Amount(most));
    }
    if facts.available >= amount {
        Ok(Payment::Account)
    } else if facts.purse >= amount {
        Ok(Payment::Purse)
    } else {
        Err(Refusal::NotEnough { account: facts.available, purse: facts.purse })
    }
}

/// What a reversal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// Nothing is there yet: whatever arrives under that number later is refused.
    Tombstone,
    /// The money goes back to the account.
    GiveBack,
    /// The purse shall not be debited any more.
    CallOff,
    /// Nothing is to be done.
    Nothing,
}

/// Decides on a reversal of the sale that stands under the number, if any. Repeats: the second does nothing.
/// Source: M17.
pub const fn reverse(sale: Option<State>) -> Reversal {
    match sale {
        None => Reversal::Tombstone,
        Some(State::Paid) => Reversal::GiveBack,
        Some(State::AwaitingPurse) => Reversal::CallOff,
        Some(
            State::Reversed
            | State::CalledOff
            | State::FromPurse
            | State::ByBalance(_)
            | State::Unconfirmed
            | State::NotDebited
            | State::Suspended(_)
            | State::Untold(_),
        ) => Reversal::Nothing,
    }
}

/// How sure the terminal is, after the platform checked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The card's TAC verifies over this debit.
    Proved,
    /// There is a TAC and it does not verify.
    WrongTac,
    /// There is none: the card left before it answered.
    None,
}

/// What a debit record is decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebitFacts {
    /// The card is known.
    pub card_known: bool,
    /// The check of the TAC.
    pub evidence: Evidence,
    /// This very debit (card, terminal, number, date and time: what its TAC covers) stands in the book.
    pub replayed: bool,
    /// Another debit stands under the same card and counter.
    pub taken: bool,
    /// The authorisation it refers to was called off.
    pub called_off: bool,
    /// Posted balance of `on_card`.
    pub on_card: Fen,
    /// What is on its way to the card.
    pub in_transit: Fen,
    /// Posted balance of `suspense(card)`, never above nothing.
    pub suspense: Fen,
    /// A load that a restored book forgot may explain that the card spent more than the book has on it (M9).
    pub forgotten_load: bool,
    /// The card had proved by its balance that it was not debited for this sale.
    pub disproved: bool,
    /// By its date it was made after the card was stopped.
    pub card_stopped: bool,
    /// What about it must be looked at though it is posted.
    pub odd: Option<Odd>,
}

/// What is odd about a debit that the card proves. It is the terminal's word alone, so it moves no money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// The balance before it does not follow from the debit before and the loads between.
    ChainBroken,
    /// Its date is too old, in the future, or none.
    Date,
    /// Its terminal takes no part any more, and it was never authorised.
    TerminalStopped,
}

/// From where the merchant gets the money of a debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// From what the book has on the card.
    OnCard,
    /// Out of a load that is not proved yet (M13).
    Unproved,
}

/// What is done about a debit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is posted; a case besides, when something about it must be looked at.
    Post {
        /// Out of what.
        from: From,
        /// What must be looked at.
        case: Option<case::Kind>,
    },
    /// It may or may not have happened: kept open until the card proves it.
    Keep,
    /// A case; with `pay` the merchant gets the money out of the case's suspense, with `freeze` the card is stopped.
    Suspend {
        /// What happened.
        case: case::Kind,
        /// The merchant is paid out of suspense.
        pay: bool,
        /// The card is frozen.
        freeze: bool,
    },
}

/// Decides on the record of a debit. It is never refused: the goods are sold.
///
/// Source: R81, M6, M13, I8; JR/T 0025 host checks of an uploaded purchase.
pub fn accept(amount: Fen, facts: &DebitFacts) -> Acceptance {
    let suspend = |case, pay, freeze| Acceptance::Suspend { case, pay, freeze };
    if !amount.is_positive() {
        return suspend(case::Kind::SaleTacWrong, false, false);
    }
    match facts.evidence {
        Evidence::WrongTac => return suspend(case::Kind::SaleTacWrong, false, false),
        Evidence::None if facts.card_known => return Acceptance::Keep,
        Evidence::None => return suspend(case::Kind::SaleUnknownCard, false, false),
        Evidence::Proved if !facts.card_known => return suspend(case::Kind::SaleUnknownCard, true, false),
        Evidence::Proved => {}
    }
    if facts.replayed {
        return suspend(case::Kind::SaleConflict, false, false);
    }
    if facts.taken {
        return suspend(case::Kind::SaleConflict, true, true);
    }
    if facts.disproved {
        return suspend(case::Kind::CardCloned, true, true);
    }
    if facts.card_stopped {
        return suspend(case::Kind::SaleCardStopped, true, false);
    }
    let called_off = facts.called_off.then_some(case::Kind::SaleAfterReversal);
    let covered = facts.on_card.plus(facts.in_transit).and_then(|sum| sum.plus(facts.suspense));
    if covered.is_none_or(|covered| amount > covered) {
        if facts.forgotten_load {
            // The card shows at its next hold what it took.
            let case = called_off.unwrap_or(case::Kind::SaleAheadOfBook);
            return Acceptance::Post { from: From::Unproved, case: Some(case) };
        }
        return suspend(case::Kind::SaleOverspent, true, true);
    }
    let from = if amount <= facts.on_card { From::OnCard } else { From::Unproved };
    let odd = facts.odd.map(|odd| match odd {
        Odd::ChainBroken => case::Kind::SaleChainBroken,
        Odd::Date => case::Kind::SaleDateOdd,
        Odd::TerminalStopped => case::Kind::SaleTerminalStopped,
    });
    Acceptance::Post { from, case: called_off.or(odd) }
}

/// Whether the debit that has a counter makes room for this one: the balance alone showed it, and this one is proved. What
/// the balance showed was this one then, not that a chip was debited twice; so the card is not stopped.
///
/// Source: decision 0019.
pub const fn makes_room(standing: State, facts: &DebitFacts) -> bool {
    let proved = matches!(facts.evidence, Evidence::Proved) && facts.card_known;
    matches!(standing, State::ByBalance(None)) && proved && !facts.replayed && !facts.card_stopped
}

/// Whether a debit of `made_at`, whose record comes at `now`, has a date that can be believed. Source: R81.
pub fn date_believable(made_at: Option<Micros>, now: Micros, limits: &Limits) -> bool {
    made_at.is_some_and(|made_at| {
        let oldest = now.after_seconds(limits.get(Setting::SaleLateMost).saturating_neg());
        made_at >= oldest && made_at <= now.after_seconds(limits.get(Setting::SaleAheadMost))
    })
}

impl Refusal {
    /// What the person at the terminal is told.
    pub fn words(&self) -> Words {
        match self {
            Refusal::Reversed => Words::new(
                "SALE_CALLED_OFF",
                "本次消费已取消，没有扣款。",
                "This sale was called off; nothing was charged.",
            ),
            Refusal::Expired => Words::new(
                "SALE_TOO_LATE",
                "网络超时，没有扣款，请重新输入金额。",
                "The network was too slow and nothing was charged; please enter the amount again.",
            ),
            Refusal::UnknownCard => Words::new(
                "CARD_UNREADABLE",
                "此卡不是本校的校园卡，请到校园卡服务中心查询。",
                "This is not a card of this school; please ask at the card service centre.",
            ),
            Refusal::Card(refusal) => refusal.words(),
            Refusal::NoHold => {
                Words::new("TAP_AGAIN", "请重新贴卡，没有扣款。", "Please hold the card again; nothing was charged.")
            }
            Refusal::Amount(most) => Words::new(
                "AMOUNT_INVALID",
                format!("每笔消费须大于 0 且不超过 {most} 元。"),
                format!("A sale must be more than ¥0.00 and at most ¥{most}."),
            ),
            Refusal::NotEnough { account, purse } => Words::new(
                "BALANCE_LOW",
                format!("余额不足：账户 {account} 元，卡内 {purse} 元。没有扣款，请先充值。"),
                format!("Not enough money: account ¥{account}, card ¥{purse}. Nothing was charged; please top up."),
            ),
        }
    }
}

#[cfg(test)]
#[path = "purchase_tests.rs"]
mod tests;
