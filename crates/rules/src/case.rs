//! Cases: what a person in charge must look at. A case always has an owner, so that money in suspense is never nobody's.

use ledger::{Fen, Id, Micros};

use crate::ids::{CardNo, CaseId, OrderNo, RefundNo};
use crate::words::Words;

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
    /// A payment that the provider gave back, in part or whole, before it was credited here; or one that waited for a card,
    /// and that it gave back at the request of a refund that a restored book forgot (M9).
    PaymentGivenBack,
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
    /// Our account with the provider holds too little for a refund; the same number goes again once there is money.
    RefundShort,
    /// The payer's account takes nothing back: a person must repair the refund at the provider (row 26).
    RefundAbnormal,
    /// A refund failed for good and its holder has the money back.
    RefundFailed,
    /// The provider tells of a refund that is none of ours: made by hand at its portal, or forgotten by a restore.
    RefundUnknown,
    /// The provider tells another amount or payment under the number of a refund of ours.
    RefundDiffers,
    /// The provider says of an ended refund that it ended otherwise.
    RefundContradicted,
    /// Two chips answer under one number: one of them proved what another had proved impossible.
    CardCloned,
    /// A sale that was made on a card after it was stopped.
    SaleCardStopped,
    /// The balance before a sale does not follow from the sale before it and the loads between.
    SaleChainBroken,
    /// A sale whose date is too old, or in the future.
    SaleDateOdd,
    /// A sale that nobody authorised, from a terminal that was replaced or stopped.
    SaleTerminalStopped,
    /// A card's counter shows debits whose records have not come for days.
    SaleMissing,
    /// A sale that was paid because the balance showed a debit, and a debit that the card proved has its counter.
    SaleDisplaced,
    /// Money has waited for its card as long as it may, and a rule cannot send it back (R36).
    WaitingNotReturned,
    /// A system of the school has taken no events for days; none are sent to it until somebody says so.
    WebhookPaused,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 35] = [
        Kind::PaymentUnknownOrder,
        Kind::PaymentMismatch,
        Kind::PaymentTwice,
        Kind::PaymentAccountClosed,
        Kind::PaymentGivenBack,
        Kind::CardRolledBack,
        Kind::CardAhead,
        Kind::PurseAhead,
        Kind::LoadTacWrong,
        Kind::SaleTacWrong,
        Kind::SaleOverspent,
        Kind::SaleConflict,
        Kind::SaleUnknownCard,
        Kind::SaleAfterReversal,
        Kind::TerminalQuarantined,
        Kind::SaleAheadOfBook,
        Kind::SaleForgotten,
        Kind::RecordsForgotten,
        Kind::LoadUntold,
        Kind::SaleUntold,
        Kind::RefundShort,
        Kind::RefundAbnormal,
        Kind::RefundFailed,
        Kind::RefundUnknown,
        Kind::RefundDiffers,
        Kind::RefundContradicted,
        Kind::CardCloned,
        Kind::SaleCardStopped,
        Kind::SaleChainBroken,
        Kind::SaleDateOdd,
        Kind::SaleTerminalStopped,
        Kind::SaleMissing,
        Kind::SaleDisplaced,
        Kind::WaitingNotReturned,
        Kind::WebhookPaused,
    ];

    /// Who looks after it.
    pub const fn owner(self) -> Role {
        match self {
            Kind::PaymentUnknownOrder
            | Kind::PaymentMismatch
            | Kind::PaymentTwice
            | Kind::PaymentAccountClosed
            | Kind::PaymentGivenBack
            | Kind::RefundShort
            | Kind::RefundAbnormal
            | Kind::RefundFailed
            | Kind::RefundUnknown
            | Kind::RefundDiffers
            | Kind::RefundContradicted
            | Kind::WaitingNotReturned => Role::Finance,
            Kind::CardRolledBack
            | Kind::CardAhead
            | Kind::PurseAhead
            | Kind::LoadTacWrong
            | Kind::LoadUntold
            | Kind::CardCloned => Role::DutyOfficer,
            Kind::SaleTacWrong
            | Kind::SaleOverspent
            | Kind::SaleConflict
            | Kind::SaleUnknownCard
            | Kind::SaleAfterReversal
            | Kind::SaleAheadOfBook
            | Kind::SaleForgotten
            | Kind::SaleUntold
            | Kind::SaleCardStopped
            | Kind::SaleChainBroken
            | Kind::SaleDisplaced => Role::Finance,
            Kind::TerminalQuarantined
            | Kind::RecordsForgotten
            | Kind::SaleDateOdd
            | Kind::SaleTerminalStopped
            | Kind::SaleMissing
            | Kind::WebhookPaused => Role::DeviceManager,
        }
    }
}

impl Role {
    /// Name of the role: Chinese, English.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Role::Finance => ("财务处", "finance"),
            Role::DutyOfficer => ("值班老师", "duty officer"),
            Role::DeviceManager => ("设备管理员", "device manager"),
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

/// A case that is done with. It stays for ever, so that what was decided can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The case as it was.
    pub case: Case,
    /// When it ended.
    pub at: Micros,
    /// Who ended it; the product itself when a rule did.
    pub by: String,
    /// How.
    pub how: String,
}

/// Name of the product where a rule, and no person, did something.
pub const BY_RULE: &str = "onecard";

impl Case {
    /// What it is about, as a person looks it up: an order, a refund, a card, or the plain number.
    pub fn subject(&self) -> String {
        match self.kind {
            Kind::PaymentMismatch
            | Kind::PaymentTwice
            | Kind::PaymentAccountClosed
            | Kind::PaymentGivenBack
            | Kind::WaitingNotReturned => {
                format!("order {}", OrderNo::from_id(self.reference))
            }
            Kind::RefundShort
            | Kind::RefundAbnormal
            | Kind::RefundFailed
            | Kind::RefundDiffers
            | Kind::RefundContradicted => format!("refund {}", RefundNo::from_id(self.reference)),
            Kind::CardRolledBack
            | Kind::CardAhead
            | Kind::PurseAhead
            | Kind::LoadTacWrong
            | Kind::LoadUntold
            | Kind::CardCloned
            | Kind::SaleMissing => {
                // A load that nobody can tell of is about an order, whose number is longer than a card's.
                match u64::try_from(self.reference.get()) {
                    Ok(card) => format!("card {}", CardNo(card)),
                    Err(_) => format!("order {}", OrderNo::from_id(self.reference)),
                }
            }
            Kind::PaymentUnknownOrder
            | Kind::RefundUnknown
            | Kind::SaleTacWrong
            | Kind::SaleOverspent
            | Kind::SaleConflict
            | Kind::SaleUnknownCard
            | Kind::SaleAfterReversal
            | Kind::SaleAheadOfBook
            | Kind::SaleForgotten
            | Kind::SaleUntold
            | Kind::SaleCardStopped
            | Kind::SaleChainBroken
            | Kind::SaleDateOdd
            | Kind::SaleTerminalStopped
            | Kind::SaleDisplaced
            | Kind::TerminalQuarantined
            | Kind::RecordsForgotten
            | Kind::WebhookPaused => self.reference.to_string(),
        }
    }
}

impl Kind {
    /// What happened, and what its owner does next.
    pub fn words(self) -> Words {
        Words::new(self.code(), self.zh(), self.en())
    }

    const fn code(self) -> &'static str {
        match self {
            Kind::PaymentUnknownOrder => "PAY_UNKNOWN_ORDER",
            Kind::PaymentMismatch => "PAY_MISMATCH",
            Kind::PaymentTwice => "PAY_TWICE",
            Kind::PaymentAccountClosed => "PAY_ACCOUNT_CLOSED",
            Kind::PaymentGivenBack => "PAY_GIVEN_BACK",
            Kind::CardRolledBack => "CARD_ROLLED_BACK",
            Kind::CardAhead => "CARD_AHEAD",
            Kind::PurseAhead => "PURSE_AHEAD",
            Kind::LoadTacWrong => "LOAD_TAC_WRONG",
            Kind::SaleTacWrong => "SALE_TAC_WRONG",
            Kind::SaleOverspent => "SALE_OVERSPENT",
            Kind::SaleConflict => "SALE_CONFLICT",
            Kind::SaleUnknownCard => "SALE_UNKNOWN_CARD",
            Kind::SaleAfterReversal => "SALE_AFTER_REVERSAL",
            Kind::TerminalQuarantined => "TERMINAL_QUARANTINED",
            Kind::SaleAheadOfBook => "SALE_AHEAD_OF_BOOK",
            Kind::SaleForgotten => "SALE_FORGOTTEN",
            Kind::RecordsForgotten => "RECORDS_FORGOTTEN",
            Kind::LoadUntold => "LOAD_UNTOLD",
            Kind::SaleUntold => "SALE_UNTOLD",
            Kind::RefundShort => "REFUND_SHORT",
            Kind::RefundAbnormal => "REFUND_ABNORMAL",
            Kind::RefundFailed => "REFUND_FAILED",
            Kind::RefundUnknown => "REFUND_UNKNOWN",
            Kind::RefundDiffers => "REFUND_DIFFERS",
            Kind::RefundContradicted => "REFUND_CONTRADICTED",
            Kind::CardCloned => "CARD_CLONED",
            Kind::SaleCardStopped => "SALE_CARD_STOPPED",
            Kind::SaleChainBroken => "SALE_CHAIN_BROKEN",
            Kind::SaleDateOdd => "SALE_DATE_ODD",
            Kind::SaleTerminalStopped => "SALE_TERMINAL_STOPPED",
            Kind::SaleMissing => "SALE_MISSING",
            Kind::SaleDisplaced => "SALE_DISPLACED",
            Kind::WaitingNotReturned => "WAITING_NOT_RETURNED",
            Kind::WebhookPaused => "WEBHOOK_PAUSED",
        }
    }

    const fn zh(self) -> &'static str {
        match self {
            Kind::PaymentUnknownOrder => "收到不属于任何订单的付款，款项在差错挂账；查明后退款或更正。",
            Kind::PaymentMismatch => "付款金额或币种与订单不符，款项在差错挂账；核实后由两人办理退款。",
            Kind::PaymentTwice => "同一订单付了两次，第二笔正在自动退回；若退款失败请重新办理。",
            Kind::PaymentAccountClosed => "已注销账户收到付款，正在自动退回；若退款失败请重新办理。",
            Kind::PaymentGivenBack => {
                "支付平台已退回此付款（全部或部分），未入账或未圈存，款项挂账；请核对后更正或退回余下部分。"
            }
            Kind::CardRolledBack => "卡内计数倒退，疑似克隆，卡已冻结。",
            Kind::CardAhead => "卡内计数超前；恢复备份后按卡为准，否则卡已冻结。",
            Kind::PurseAhead => "卡内余额多于账户记录，卡已冻结。",
            Kind::LoadTacWrong => "圈存凭证校验未通过；下次贴卡时按计数判定。",
            Kind::SaleTacWrong => "消费凭证校验未通过，款项挂账。",
            Kind::SaleOverspent => "消费超出卡内可能余额，款项挂账。",
            Kind::SaleConflict => "同一计数下另有消费，款项挂账。",
            Kind::SaleUnknownCard => "消费卡不在册，款项挂账。",
            Kind::SaleAfterReversal => "已冲正的消费又扣了卡，款项挂账。",
            Kind::TerminalQuarantined => "终端重复使用编号上传不同记录，已停用。",
            Kind::SaleAheadOfBook => "恢复备份后的消费，待卡片贴卡核对。",
            Kind::SaleForgotten => "恢复备份前的消费，账户余额已不足，差额挂账。",
            Kind::RecordsForgotten => "恢复备份丢失了终端已删除的记录，请核对。",
            Kind::LoadUntold => "恢复备份后入账的充值，无法判断卡片此前是否已圈存，款项挂账；请核对后更正。",
            Kind::SaleUntold => "恢复备份后，无法由卡内余额判断此笔无凭证消费是否扣款；请核对。",
            Kind::RefundShort => "商户号余额不足，退款暂停；请充值，系统会用原单号自动再试。",
            Kind::RefundAbnormal => "付款方账户无法收款；请在支付平台处理异常退款，款项仍冻结。",
            Kind::RefundFailed => "退款最终失败，款项已退还持卡人账户；请改用其他方式或重新办理。",
            Kind::RefundUnknown => "支付平台通知了一笔并非本系统发起的退款；请核对账户并更正。",
            Kind::RefundDiffers => "支付平台所报退款与我方不符，未入账；请联系支付平台核对。",
            Kind::RefundContradicted => "已了结的退款出现相反消息，未入账；请联系支付平台核对。",
            Kind::CardCloned => "两张芯片使用同一卡号，必有克隆，卡已冻结；请收回两张卡。",
            Kind::SaleCardStopped => "停用后的卡又有消费，款项挂账，不由持卡人承担。",
            Kind::SaleChainBroken => "消费前余额与上一笔不衔接；已入账，请核对终端与卡片。",
            Kind::SaleDateOdd => "消费日期过旧或在未来；已入账，请核对终端时钟。",
            Kind::SaleTerminalStopped => "已停用的终端上传了未授权的消费；已入账，请核对该终端。",
            Kind::SaleMissing => "卡片计数显示有消费记录多日未上传；请检查离线终端。补传后自动结案。",
            Kind::SaleDisplaced => {
                "无凭证的消费曾按余额付给商户，现有凭证的另一笔占用其计数；款项挂账，请向商户核对后更正。"
            }
            Kind::WaitingNotReturned => "待圈存款项已到自动退回期限但不能自动退回；请核对后办理退款，或请持卡人贴卡。",
            Kind::WebhookPaused => {
                "接收事件的系统三天未应答，已暂停推送，事件不会丢失；修复后请运行 onecard webhook resume。"
            }
        }
    }

    const fn en(self) -> &'static str {
        match self {
            Kind::PaymentUnknownOrder => {
                "A payment names no order of ours; it is kept aside. Find out whose it is, then refund or correct it."
            }
            Kind::PaymentMismatch => {
                "A payment differs from its order in amount or currency; it is kept aside. Check it, then two persons refund it."
            }
            Kind::PaymentTwice => "An order was paid twice; the second payment goes back by itself, else refund it.",
            Kind::PaymentAccountClosed => {
                "A payment came for a closed account; it is refunded by itself. If that fails, refund it again."
            }
            Kind::PaymentGivenBack => {
                "The provider gave this payment back, in part or whole; no holder has it. Compare, then refund the rest."
            }
            Kind::CardRolledBack => "The card's counter went back, perhaps a copy; it is frozen.",
            Kind::CardAhead => "The card is ahead of the book; after a restore the card counts, else it is frozen.",
            Kind::PurseAhead => "The purse holds more than the book explains; the card is frozen.",
            Kind::LoadTacWrong => "A load's proof does not verify; the card's next tap decides.",
            Kind::SaleTacWrong => "A sale's proof does not verify; it is kept aside.",
            Kind::SaleOverspent => "A sale that the purse cannot have covered is kept aside.",
            Kind::SaleConflict => "Another sale stands under the same counter; this one is kept aside.",
            Kind::SaleUnknownCard => "A sale on a card that is not known is kept aside.",
            Kind::SaleAfterReversal => "A sale debited the card after it was called off; it is kept aside.",
            Kind::TerminalQuarantined => "A terminal sent another record under a used number; it is stopped.",
            Kind::SaleAheadOfBook => "A sale that a restored book cannot explain yet; the card's next tap shows.",
            Kind::SaleForgotten => {
                "A sale from before a restore that the account no longer covers; the rest is kept aside."
            }
            Kind::RecordsForgotten => "A restore lost records that the terminal had deleted; compare its totals.",
            Kind::LoadUntold => {
                "Whether the card took this top-up before a restore cannot be told; the money is kept aside. Compare and correct."
            }
            Kind::SaleUntold => {
                "Whether this sale without a proof debited the card cannot be told after a restore; compare and settle it."
            }
            Kind::RefundShort => {
                "The merchant account holds too little for a refund; put money there, the same refund goes again by itself."
            }
            Kind::RefundAbnormal => {
                "The payer's account takes nothing back; repair the refund at the provider. The money stays held."
            }
            Kind::RefundFailed => {
                "A refund failed for good and the holder has the money back; refund it anew or in another way."
            }
            Kind::RefundUnknown => {
                "The provider tells of a refund that was not made here; compare it with the account and correct that."
            }
            Kind::RefundDiffers => {
                "The provider tells other figures of a refund; nothing was posted. Clear it up with the provider."
            }
            Kind::RefundContradicted => {
                "An ended refund is told to have ended otherwise; nothing was posted. Clear it up with the provider."
            }
            Kind::CardCloned => "Two chips answer under this number: one is a copy. The card is frozen; collect both.",
            Kind::SaleCardStopped => "A sale was made on a card after it was stopped; it is kept aside.",
            Kind::SaleChainBroken => "Its balance before does not fit the sale before; check terminal and card.",
            Kind::SaleDateOdd => "The date of a posted sale is too old or in the future; check its terminal's clock.",
            Kind::SaleTerminalStopped => "A stopped terminal sent a sale nobody authorised; it is posted. Check it.",
            Kind::SaleMissing => {
                "Sales of this card have not come for days; check terminals off line. It ends by itself."
            }
            Kind::SaleDisplaced => "Paid without a proof, while a proved sale has its counter; ask the merchant.",
            Kind::WaitingNotReturned => "Waiting money cannot go back by rule; compare it, then refund it by hand.",
            Kind::WebhookPaused => "A receiver took no events for three days; mend it, then resume its webhook.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_an_owner_words_of_its_own_and_a_subject() {
        let codes: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.words().code).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let (zh, en) = kind.owner().names();
            assert!(!zh.is_empty() && !en.is_empty());
            let (id, reference) = (CaseId(Id::new(1)), Id::new(42));
            let case =
                Case { id, kind, opened_at: Micros::default(), reference, amount: Fen::ZERO, detail: String::new() };
            assert!(
                case.subject().to_lowercase().contains("2a") || case.subject().contains("42"),
                "{kind:?}: {}",
                case.subject()
            );
        }
    }
}
