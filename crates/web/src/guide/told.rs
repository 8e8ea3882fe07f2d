//! Which setting the guide tells of, under which name its texts know it, and how its value is written.

use rules::limits::{Limits, Setting};

use crate::text::{Language, Yuan};

/// What a setting's number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Fen.
    Money,
    /// Seconds.
    Span,
    /// Times.
    Times,
    /// Which of several; the texts have one sentence for each.
    Choice,
}

/// One setting in the guide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// Which.
    pub(crate) setting: Setting,
    /// Name of its variable in the texts.
    pub(crate) name: &'static str,
    /// How it is written.
    pub(crate) unit: Unit,
    /// The chapter that tells of it, others may do so too; or why none does.
    pub(crate) place: Result<&'static str, &'static str>,
}

const fn told(setting: Setting, name: &'static str, unit: Unit, chapter: &'static str) -> Told {
    Told { setting, name, unit, place: Ok(chapter) }
}

const fn untold(setting: Setting, name: &'static str, unit: Unit, why: &'static str) -> Told {
    Told { setting, name, unit, place: Err(why) }
}

/// Every setting.
pub(crate) const TOLD: [Told; 24] = [
    told(Setting::TopUpMin, "topup_min", Unit::Money, "topup"),
    told(Setting::WeChatPerOrderMax, "wechat_per_order_max", Unit::Money, "topup"),
    told(Setting::WeChatDailyMax, "wechat_daily_max", Unit::Money, "topup"),
    told(Setting::WeChatArrival, "wechat_arrival", Unit::Choice, "channels"),
    told(Setting::BalanceMax, "balance_max", Unit::Money, "topup"),
    told(Setting::OrderPayWithin, "order_pay_within", Unit::Span, "topup"),
    told(Setting::PurseFloat, "purse_float", Unit::Money, "spend"),
    told(Setting::SaleMax, "sale_max", Unit::Money, "spend"),
    untold(
        Setting::SaleMissingAfter,
        "sale_missing_after",
        Unit::Span,
        "the school looks for it; no holder waits for it",
    ),
    untold(
        Setting::SaleLateMost,
        "sale_late_most",
        Unit::Span,
        "a check of terminals; the holder pays once either way",
    ),
    untold(Setting::SaleAheadMost, "sale_ahead_most", Unit::Span, "a check of terminals' clocks"),
    told(Setting::PasswordTries, "password_tries", Unit::Times, "first"),
    told(Setting::PasswordLock, "password_lock", Unit::Span, "first"),
    told(Setting::PasswordMaxAge, "password_max_age", Unit::Span, "password"),
    told(Setting::InitialPasswordXRule, "initial_password_x_rule", Unit::Choice, "first"),
    told(Setting::InitialPasswordForceChange, "initial_password_force_change", Unit::Choice, "first"),
    told(Setting::DelayThreshold, "delay_threshold", Unit::Span, "missing"),
    told(Setting::PendingRemindFirst, "pending_remind_first", Unit::Span, "waiting"),
    told(Setting::PendingRemindSecond, "pending_remind_second", Unit::Span, "waiting"),
    told(Setting::PendingRemindThird, "pending_remind_third", Unit::Span, "waiting"),
    told(Setting::PendingRefundAfter, "pending_refund_after", Unit::Span, "waiting"),
    told(Setting::PasswordAddressFailures, "password_address_failures", Unit::Times, "first"),
    told(Setting::OrderPerMinute, "order_per_minute", Unit::Times, "topup"),
    told(Setting::ReplaceFee, "replace_fee", Unit::Money, "loss"),
];

impl Told {
    /// The value that holds, as a reader sees it.
    pub(crate) fn value(&self, limits: &Limits, language: Language) -> String {
        match self.unit {
            Unit::Money => Yuan(limits.fen(self.setting)).to_string(),
            Unit::Span => language.span(limits.get(self.setting)),
            Unit::Times | Unit::Choice => limits.get(self.setting).to_string(),
        }
    }
}
