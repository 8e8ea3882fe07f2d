//! Chart of accounts: where money can be, and why it moves. Source: `docs/glossary.md`, chart of accounts.

use ledger::{AccountCode, AccountKey, Id};

use crate::ids::{CardNo, CaseId, MerchantId, PersonId, RefundNo};

/// A payment channel that owes us what was paid through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// WeChat Pay.
    WeChat,
}

impl Channel {
    /// Every one.
    pub const ALL: [Channel; 1] = [Channel::WeChat];

    /// Number in keys and accounts.
    pub const fn number(self) -> u8 {
        match self {
            Channel::WeChat => 1,
        }
    }
}

const RECEIVABLE: AccountCode = AccountCode(1100);
const AVAILABLE: AccountCode = AccountCode(2100);
const AWAITING_TAP: AccountCode = AccountCode(2200);
const ON_CARD: AccountCode = AccountCode(2300);
const HELD: AccountCode = AccountCode(2400);
const MERCHANT: AccountCode = AccountCode(3100);
const SUSPENSE_CARD: AccountCode = AccountCode(3200);
const SUSPENSE_CASE: AccountCode = AccountCode(3300);

/// What the channel owes the school.
pub fn receivable(channel: Channel) -> AccountKey {
    AccountKey::new(RECEIVABLE, u128::from(channel.number()))
}

/// Spendable on line now (自主充值).
pub const fn available(person: PersonId) -> AccountKey {
    AccountKey::new(AVAILABLE, person.0.get())
}

/// Paid and waiting for the card (待圈存); every fen belongs to an item (M10).
pub const fn awaiting_tap(person: PersonId) -> AccountKey {
    AccountKey::new(AWAITING_TAP, person.0.get())
}

/// The book's shadow of the chip's purse.
pub fn on_card(card: CardNo) -> AccountKey {
    AccountKey::new(ON_CARD, u128::from(card.0))
}

/// Taken from its owner for one refund, until the payer has it or the owner has it back (M27).
pub const fn held(refund: RefundNo) -> AccountKey {
    AccountKey::new(HELD, refund.id().get())
}

/// Spending of a load that is not proved yet; never above nothing (M13).
pub fn suspense_card(card: CardNo) -> AccountKey {
    AccountKey::new(SUSPENSE_CARD, u128::from(card.0))
}

/// Money whose owner or reason is unknown; the case has an owner.
pub const fn suspense_case(case: CaseId) -> AccountKey {
    AccountKey::new(SUSPENSE_CASE, case.0.get())
}

/// Owed to a merchant until settled.
pub const fn merchant(merchant: MerchantId) -> AccountKey {
    AccountKey::new(MERCHANT, merchant.0.get())
}

/// The merchant whose account it is; none for an account of another kind.
pub const fn merchant_of(account: &AccountKey) -> Option<MerchantId> {
    if account.code.0 == MERCHANT.0 { Some(MerchantId(Id::new(account.owner))) } else { None }
}

/// Name of the account's kind, for reports: its code and a word.
pub const fn kind_name(code: AccountCode) -> &'static str {
    match code {
        RECEIVABLE => "receivable",
        AVAILABLE => "available",
        AWAITING_TAP => "awaiting_tap",
        ON_CARD => "on_card",
        HELD => "held",
        MERCHANT => "merchant",
        SUSPENSE_CARD => "suspense(card)",
        SUSPENSE_CASE => "suspense(case)",
        _ => "unknown",
    }
}

/// The same in Chinese, as finance reads it.
pub const fn kind_name_zh(code: AccountCode) -> &'static str {
    match code {
        RECEIVABLE => "应收支付渠道款",
        AVAILABLE => "账户余额",
        AWAITING_TAP => "待圈存",
        ON_CARD => "卡内余额",
        HELD => "退款冻结款",
        MERCHANT => "应付商户款",
        SUSPENSE_CARD => "卡片挂账",
        SUSPENSE_CASE => "差错挂账",
        _ => "未知科目",
    }
}

/// Why money moves; the code of a journal row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A payment arrived and waits for the card.
    TopUp,
    /// A payment arrived that no order explains.
    TopUpUnexplained,
    /// A load was released to the card.
    LoadReleased,
    /// The card proved that it took the load.
    LoadApplied,
    /// The card proved that it did not take the load.
    LoadNotApplied,
    /// Set aside from the account to fill the purse up to the float.
    FloatSetAside,
    /// The fill was not taken: back to the account.
    FloatReturned,
    /// A sale paid from the account.
    SaleFromAccount,
    /// That sale was called off.
    SaleReversed,
    /// A sale paid from the purse.
    SaleFromPurse,
    /// A sale paid from the purse out of a load not yet proved.
    SaleFromUnproved,
    /// That load is proved now.
    UnprovedSettled,
    /// A sale that the card does not pay, out of a case: to its merchant, or back to a card that had paid it.
    SaleUnexplained,
    /// A sale paid from the account before a restore, posted again (M9).
    SaleForgotten,
    /// A load that the card took and a restored book forgot (M9).
    LoadForgotten,
    /// What waited, and after a restore nobody can tell whether the card took it before, or the provider gave it back (M9).
    LoadUntold,
    /// Taken from its owner for a refund.
    RefundHeld,
    /// The payer has it back.
    RefundSettled,
    /// The refund failed for good: its owner has the money back.
    RefundReleased,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 19] = [
        Reason::TopUp,
        Reason::TopUpUnexplained,
        Reason::LoadReleased,
        Reason::LoadApplied,
        Reason::LoadNotApplied,
        Reason::FloatSetAside,
        Reason::FloatReturned,
        Reason::SaleFromAccount,
        Reason::SaleReversed,
        Reason::SaleFromPurse,
        Reason::SaleFromUnproved,
        Reason::UnprovedSettled,
        Reason::SaleUnexplained,
        Reason::SaleForgotten,
        Reason::LoadForgotten,
        Reason::LoadUntold,
        Reason::RefundHeld,
        Reason::RefundSettled,
        Reason::RefundReleased,
    ];

    /// Number in the journal; a number is never given a new meaning.
    pub const fn number(self) -> u16 {
        match self {
            Reason::TopUp => 1,
            Reason::TopUpUnexplained => 2,
            Reason::LoadReleased => 10,
            Reason::LoadApplied => 11,
            Reason::LoadNotApplied => 12,
            Reason::FloatSetAside => 13,
            Reason::FloatReturned => 14,
            Reason::SaleFromAccount => 20,
            Reason::SaleReversed => 21,
            Reason::SaleFromPurse => 22,
            Reason::SaleFromUnproved => 23,
            Reason::UnprovedSettled => 24,
            Reason::SaleUnexplained => 25,
            Reason::SaleForgotten => 26,
            Reason::LoadForgotten => 15,
            Reason::LoadUntold => 16,
            Reason::RefundHeld => 30,
            Reason::RefundSettled => 31,
            Reason::RefundReleased => 32,
        }
    }

    /// The reason with this number.
    pub fn from_number(number: u16) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.number() == number)
    }
}

/// Whose an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// A holder's.
    Person(PersonId),
    /// A card's.
    Card(CardNo),
    /// A refund's.
    Refund(RefundNo),
    /// A merchant's.
    Merchant(MerchantId),
    /// A case's.
    Case(CaseId),
    /// The school's own, or a channel's.
    School,
}

/// Whose this account is.
pub fn whose(account: &AccountKey) -> Whose {
    let id = ledger::Id::new(account.owner);
    match account.code {
        AVAILABLE | AWAITING_TAP => Whose::Person(PersonId(id)),
        ON_CARD | SUSPENSE_CARD => u64::try_from(account.owner).map_or(Whose::School, |no| Whose::Card(CardNo(no))),
        HELD => Whose::Refund(RefundNo::from_id(id)),
        MERCHANT => Whose::Merchant(MerchantId(id)),
        SUSPENSE_CASE => Whose::Case(CaseId(id)),
        _ => Whose::School,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_number_of_its_own_and_is_found_by_it() {
        let numbers: BTreeSet<u16> = Reason::ALL.into_iter().map(Reason::number).collect();
        assert_eq!(numbers.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason.number()), Some(reason));
        }
        assert_eq!(Reason::from_number(0), None);
    }

    #[test]
    fn money_held_for_a_refund_belongs_to_a_holder_and_is_named_in_both_languages() {
        let account = held(RefundNo::from_id(Id::new(7)));
        assert_eq!(account.code.bound(), ledger::Bound::NeverNegative, "nobody gets back what was not held");
        assert_eq!((kind_name(account.code), kind_name_zh(account.code)), ("held", "退款冻结款"));
    }

    #[test]
    fn an_account_says_whose_it_is() {
        let id = Id::new(7);
        let table = [
            (receivable(Channel::WeChat), Whose::School),
            (available(PersonId(id)), Whose::Person(PersonId(id))),
            (awaiting_tap(PersonId(id)), Whose::Person(PersonId(id))),
            (on_card(CardNo(7)), Whose::Card(CardNo(7))),
            (suspense_card(CardNo(7)), Whose::Card(CardNo(7))),
            (held(RefundNo::from_id(id)), Whose::Refund(RefundNo::from_id(id))),
            (merchant(MerchantId(id)), Whose::Merchant(MerchantId(id))),
            (suspense_case(CaseId(id)), Whose::Case(CaseId(id))),
        ];
        for (account, expected) in table {
            assert_eq!(whose(&account), expected, "{account:?}");
        }
    }
}
