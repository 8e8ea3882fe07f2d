//! Every number of the requirements, as configuration with history (R93): who set it, when, and from when it holds.

use ledger::{Fen, Micros};

use crate::words::Words;

/// A business rule that a campus can change without code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Least top-up (R19), fen.
    TopUpMin,
    /// Most per WeChat order (R28), fen.
    WeChatPerOrderMax,
    /// Most WeChat orders a day together (R29), fen; 0 for none.
    WeChatDailyMax,
    /// Whether WeChat money waits for the card (0) or can be spent on line at once (1).
    WeChatArrival,
    /// Most an account may hold (R22), fen.
    BalanceMax,
    /// How long an order can be paid (M28), seconds.
    OrderPayWithin,
    /// Float kept on the purse (`money path`, fill at the end of a hold), fen.
    PurseFloat,
    /// Most of one sale at a POS, fen.
    SaleMax,
    /// How long a debit may be missing between others of its card before somebody is told (R81), seconds.
    SaleMissingAfter,
    /// How old a debit may be when its record comes (R81), seconds.
    SaleLateMost,
    /// How far ahead of the platform's a debit's date may be (R81), seconds.
    SaleAheadMost,
    /// Wrong passwords until the password door locks (R77).
    PasswordTries,
    /// How long it stays locked (R77), seconds.
    PasswordLock,
    /// Age at which a change of the query password is recommended (R77), seconds.
    PasswordMaxAge,
    /// How an X at the end of an identity number counts in the first password (R25):
    /// 0 either, 1 zero, 2 keep, 3 shift.
    InitialPasswordXRule,
    /// Whether the first password must be changed before money functions (R26): 1 yes, 0 no.
    InitialPasswordForceChange,
    /// Delay after which a missing top-up may be reported (R66), seconds.
    DelayThreshold,
    /// Fee for a new card in the place of a lost or damaged one (R84, R5), fen.
    ReplaceFee,
    /// First reminder of money that waits for the card (R36), seconds.
    PendingRemindFirst,
    /// Second one.
    PendingRemindSecond,
    /// Third one.
    PendingRemindThird,
    /// When money that still waits goes back the way it came (R36), seconds; 0 for never.
    PendingRefundAfter,
    /// Wrong passwords from one network address in a minute; a whole campus may be one.
    PasswordAddressFailures,
    /// Top-up orders of one person in a minute.
    OrderPerMinute,
}

/// Name, default, least and most of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Name in the console and on the command line.
    pub name: &'static str,
    /// Value while nobody set another.
    pub default: i64,
    /// Least value that makes sense.
    pub least: i64,
    /// Greatest value that makes sense.
    pub most: i64,
}

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
const WEEK: i64 = 604_800;

impl Setting {
    /// Every setting.
    pub const ALL: [Setting; 24] = [
        Setting::TopUpMin,
        Setting::WeChatPerOrderMax,
        Setting::WeChatDailyMax,
        Setting::WeChatArrival,
        Setting::BalanceMax,
        Setting::OrderPayWithin,
        Setting::PurseFloat,
        Setting::SaleMax,
        Setting::SaleMissingAfter,
        Setting::SaleLateMost,
        Setting::SaleAheadMost,
        Setting::PasswordTries,
        Setting::PasswordLock,
        Setting::PasswordMaxAge,
        Setting::InitialPasswordXRule,
        Setting::InitialPasswordForceChange,
        Setting::DelayThreshold,
        Setting::ReplaceFee,
        Setting::PendingRemindFirst,
        Setting::PendingRemindSecond,
        Setting::PendingRemindThird,
        Setting::PendingRefundAfter,
        Setting::PasswordAddressFailures,
        Setting::OrderPerMinute,
    ];

    /// Name, default and bounds.
    pub const fn spec(self) -> Spec {
        let (name, default, least, most) = match self {
            Setting::TopUpMin => ("topup.min", 100, 1, 100_000),
            Setting::WeChatPerOrderMax => ("wechat.per_order_max", 100_000, 100, 10_000_000),
            Setting::WeChatDailyMax => ("wechat.daily_max", 0, 0, 100_000_000),
            Setting::WeChatArrival => ("wechat.arrival", 0, 0, 1),
            Setting::BalanceMax => ("balance.max", 1_000_000, 10_000, 100_000_000),
            Setting::OrderPayWithin => ("order.pay_within", 900, 360, 7200),
            Setting::PurseFloat => ("purse.float", 10_000, 0, 100_000),
            Setting::SaleMax => ("sale.max", 100_000, 100, 1_000_000),
            Setting::SaleMissingAfter => ("sale.missing_after", WEEK, HOUR, 90 * DAY),
            Setting::SaleLateMost => ("sale.late_most", 30 * DAY, DAY, 3650 * DAY),
            Setting::SaleAheadMost => ("sale.ahead_most", DAY, HOUR, 30 * DAY),
            Setting::PasswordTries => ("password.tries", 5, 1, 20),
            Setting::PasswordLock => ("password.lock", 1800, 60, DAY),
            Setting::PasswordMaxAge => ("password.max_age", 7_776_000, DAY, 157_680_000),
            Setting::InitialPasswordXRule => ("initial_password.x_rule", 0, 0, 3),
            Setting::InitialPasswordForceChange => ("initial_password.force_change", 1, 0, 1),
            Setting::DelayThreshold => ("delay.threshold", 7200, HOUR, DAY),
            Setting::ReplaceFee => ("replace.fee", 2_000, 0, 100_000),
            Setting::PendingRemindFirst => ("pending.remind_first", 2 * HOUR, 60, 90 * DAY),
            Setting::PendingRemindSecond => ("pending.remind_second", DAY, 60, 90 * DAY),
            Setting::PendingRemindThird => ("pending.remind_third", 3 * DAY, 60, 90 * DAY),
            // The provider gives a payment back for a year.
            Setting::PendingRefundAfter => ("pending.refund_after", 30 * DAY, 0, 300 * DAY),
            Setting::PasswordAddressFailures => ("password.address_failures", 60, 10, 100_000),
            Setting::OrderPerMinute => ("order.per_minute", 10, 1, 1_000),
        };
        Spec { name, default, least, most }
    }

    /// The setting with this name.
    pub fn from_name(name: &str) -> Option<Setting> {
        Setting::ALL.into_iter().find(|setting| setting.spec().name == name)
    }
}

/// One change of a setting. Shape: `value` in the unit of the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub setting: Setting,
    /// New value.
    pub value: i64,
    /// From when it holds.
    pub from: Micros,
    /// When it was set.
    pub set_at: Micros,
    /// Who set it.
    pub set_by: String,
}

/// Why a change is not taken; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// Outside what makes sense.
    #[error("{name} must be from {least} to {most}")]
    Nonsense {
        /// Name of the setting.
        name: &'static str,
        /// Least.
        least: i64,
        /// Most.
        most: i64,
    },
    /// Rules do not change for the past.
    #[error("a rule can change from now on at the earliest, not for the past")]
    Past,
    /// Least top-up above the most per order, or the like.
    #[error("{0} would leave no amount that is allowed")]
    Contradiction(&'static str),
    /// Reminders and the return of waiting money out of their order, or money that goes back before its holder can have
    /// heard of it.
    #[error("{0} would not leave reminders and return one after the other")]
    OutOfOrder(&'static str),
}

/// What holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    values: [i64; 24],
}

impl Limits {
    /// What holds at `at`: of each setting the change with the latest `from` not after `at`; of equals the one set last.
    pub fn at(history: &[Change], at: Micros) -> Limits {
        let mut values = Setting::ALL.map(|setting| setting.spec().default);
        for (setting, value) in Setting::ALL.into_iter().zip(values.iter_mut()) {
            let newest = history
                .iter()
                .filter(|change| change.setting == setting && change.from <= at)
                .max_by_key(|change| (change.from, change.set_at));
            if let Some(change) = newest {
                *value = change.value;
            }
        }
        Limits { values }
    }

    /// The value of a setting, in its unit.
    pub fn get(&self, setting: Setting) -> i64 {
        let found = Setting::ALL.into_iter().zip(self.values).find(|(each, _)| *each == setting);
        found.map_or(setting.spec().default, |(_, value)| value)
    }

    /// The value of a setting that is an amount.
    pub fn fen(&self, setting: Setting) -> Fen {
        Fen::new(self.get(setting))
    }
}

/// May this change be made at `now`? Errors, in order: `Nonsense`, `Past`, `Contradiction`, `OutOfOrder`. Source: R36, R93.
pub fn check_change(history: &[Change], change: &Change, now: Micros) -> Result<(), ChangeRefusal> {
    let Spec { name, least, most, .. } = change.setting.spec();
    if change.value < least || change.value > most {
        return Err(ChangeRefusal::Nonsense { name, least, most });
    }
    if change.from < now {
        return Err(ChangeRefusal::Past);
    }
    let mut after = history.to_vec();
    after.push(change.clone());
    let limits = Limits::at(&after, change.from);
    if limits.get(Setting::TopUpMin) > limits.get(Setting::WeChatPerOrderMax)
        || limits.get(Setting::TopUpMin) > limits.get(Setting::BalanceMax)
    {
        return Err(ChangeRefusal::Contradiction(name));
    }
    if !in_order(&limits) {
        return Err(ChangeRefusal::OutOfOrder(name));
    }
    Ok(())
}

/// Each reminder of waiting money comes after the one before, and its return, an hour of waiting at the earliest, after all.
fn in_order(limits: &Limits) -> bool {
    let [first, second, third, back] = [
        Setting::PendingRemindFirst,
        Setting::PendingRemindSecond,
        Setting::PendingRemindThird,
        Setting::PendingRefundAfter,
    ]
    .map(|setting| limits.get(setting));
    first < second && second < third && (back == 0 || (third < back && back >= HOUR))
}

impl ChangeRefusal {
    /// What the person who set it is told.
    pub fn words(&self) -> Words {
        match self {
            ChangeRefusal::Nonsense { name, least, most } => Words::new(
                "SETTING_NONSENSE",
                format!("{name} 只能取 {least} 到 {most}，请改正后再保存。"),
                format!("{name} must be from {least} to {most}; please correct it and save again."),
            ),
            ChangeRefusal::Past => Words::new(
                "SETTING_PAST",
                "规则只能从现在或以后起变更，请改生效时间。",
                "A rule can change from now on at the earliest; please choose a later time.",
            ),
            ChangeRefusal::Contradiction(name) => Words::new(
                "SETTING_CONTRADICTION",
                format!("{name} 与另一项限额相抵触，没有任何金额可用，请先调整另一项。"),
                format!(
                    "{name} contradicts another limit so that no amount is allowed; please change the other first."
                ),
            ),
            ChangeRefusal::OutOfOrder(name) => Words::new(
                "SETTING_OUT_OF_ORDER",
                format!(
                    "{name} 会打乱次序：待圈存提醒须依次推后，自动退回须在全部提醒之后且不少于 1 小时（0 表示不退）。"
                ),
                format!(
                    "{name} would break the order: reminders of waiting money come one after the other, and its return \
                     after all of them, an hour or later (0 for never)."
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(setting: Setting, value: i64, from: i64, set_at: i64) -> Change {
        let (from, set_at) = (Micros::new(from), Micros::new(set_at));
        Change { setting, value, from, set_at, set_by: "admin".into() }
    }

    #[test]
    fn r93_a_rule_holds_from_its_time_and_the_past_keeps_its_own() {
        let history = [change(Setting::TopUpMin, 500, 100, 50), change(Setting::TopUpMin, 700, 200, 60)];
        for (at, value) in [(99, 100), (100, 500), (199, 500), (200, 700)] {
            assert_eq!(Limits::at(&history, Micros::new(at)).get(Setting::TopUpMin), value, "at {at}");
        }
    }

    #[test]
    fn r93_nonsense_is_refused() {
        let now = Micros::new(10);
        let table = [
            (change(Setting::TopUpMin, 0, 10, 10), Err("Nonsense")),
            (change(Setting::TopUpMin, 500, 9, 10), Err("Past")),
            (change(Setting::WeChatPerOrderMax, 100, 10, 10), Ok(())),
            (change(Setting::TopUpMin, 100_000, 10, 10), Ok(())),
            (change(Setting::PendingRemindFirst, DAY - 1, 10, 10), Ok(())),
            (change(Setting::PendingRemindFirst, DAY, 10, 10), Err("OutOfOrder")),
            (change(Setting::PendingRemindThird, DAY, 10, 10), Err("OutOfOrder")),
            (change(Setting::PendingRemindThird, 30 * DAY, 10, 10), Err("OutOfOrder")),
            (change(Setting::PendingRefundAfter, 3 * DAY + 1, 10, 10), Ok(())),
            (change(Setting::PendingRefundAfter, 3 * DAY, 10, 10), Err("OutOfOrder")),
            (change(Setting::PendingRefundAfter, 0, 10, 10), Ok(())),
            (change(Setting::PendingRefundAfter, 301 * DAY, 10, 10), Err("Nonsense")),
        ];
        for (change, expected) in table {
            let got = check_change(&[], &change, now).map_err(|refusal| match refusal {
                ChangeRefusal::Nonsense { .. } => "Nonsense",
                ChangeRefusal::Past => "Past",
                ChangeRefusal::Contradiction(_) => "Contradiction",
                ChangeRefusal::OutOfOrder(_) => "OutOfOrder",
            });
            assert_eq!(got, expected, "{change:?}");
        }
        let low = [change(Setting::WeChatPerOrderMax, 100, 5, 5)];
        let refused = check_change(&low, &change(Setting::TopUpMin, 200, 10, 10), now);
        assert_eq!(refused, Err(ChangeRefusal::Contradiction("topup.min")));
    }

    #[test]
    fn every_setting_has_its_own_name_and_a_default_within_its_bounds() {
        for setting in Setting::ALL {
            let spec = setting.spec();
            assert_eq!(Setting::from_name(spec.name), Some(setting));
            assert!((spec.least..=spec.most).contains(&spec.default), "{}", spec.name);
        }
    }
}
