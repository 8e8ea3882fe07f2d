//! The named switches with which the provider misbehaves, or does what it seldom does.
//!
//! One table says which there are; the control calls, the forms, the command line and the document all follow it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ledger::Micros;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a switch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Switch {
    /// The notice of a payment or a refund.
    Notice,
    /// The answer to a signed call of the merchant.
    Answer,
    /// All answers and notices.
    Dark,
    /// What a payer's payment turns into.
    Payment,
    /// What becomes of a refund.
    Refund,
    /// With which kind of key the platform signs.
    Keys,
    /// Which platform certificates there are, and which of them signs.
    Certificates,
    /// Signatures that are wrong on purpose.
    Probe,
    /// The bill of a day.
    Bill,
    /// Messages of the official account.
    Message,
}

/// A position of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    NoticeNormal,
    NoticeLost,
    NoticeLate,
    NoticeTwice,
    NoticeOutOfOrder,
    AnswerNormal,
    ErrorBefore,
    ErrorAfter,
    Unavailable,
    LimitedBefore,
    LimitedAfter,
    TimeoutBefore,
    TimeoutAfter,
    Light,
    Dark,
    PaymentNormal,
    PaidTwice,
    WrongAmount,
    WrongCurrency,
    RefundNormal,
    RefundStays,
    RefundClosed,
    RefundAbnormal,
    NotEnough,
    AccountAbnormal,
    NoMerchant,
    PublicKey,
    Certificate,
    Both,
    First,
    FirstOfTwo,
    SecondOfTwo,
    Second,
    NoProbe,
    ProbeNotices,
    ProbeAnswers,
    BillNormal,
    BillCreating,
    BillHash,
    BillTruncated,
    BillRowMissing,
    BillRowForeign,
    BillAmount,
    BillSummary,
    MessageNormal,
    MessageRefused,
    MessageBusy,
    MessageQuota,
}

/// The number that a position needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    pub(crate) most: u32,
    /// What a form offers, and what holds where a position needs a number and a program gives none may do without.
    pub(crate) usual: u32,
}

/// One position in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) switch: Switch,
    pub(crate) way: Way,
    pub(crate) name: &'static str,
    pub(crate) unit: Option<Unit>,
}

const fn row(switch: Switch, way: Way, name: &'static str) -> Row {
    Row { switch, way, name, unit: None }
}

const fn counted(switch: Switch, way: Way, name: &'static str, unit: Unit) -> Row {
    Row { switch, way, name, unit: Some(unit) }
}

/// Every position; the first of a switch is the one without a fault.
pub(crate) const TABLE: [Row; 48] = [
    row(Switch::Notice, Way::NoticeNormal, "normal"),
    row(Switch::Notice, Way::NoticeLost, "lost"),
    counted(Switch::Notice, Way::NoticeLate, "late", Unit { name: "seconds", most: 86_400, usual: 60 }),
    row(Switch::Notice, Way::NoticeTwice, "twice"),
    row(Switch::Notice, Way::NoticeOutOfOrder, "out_of_order"),
    row(Switch::Answer, Way::AnswerNormal, "normal"),
    row(Switch::Answer, Way::ErrorBefore, "error_before"),
    row(Switch::Answer, Way::ErrorAfter, "error_after"),
    row(Switch::Answer, Way::Unavailable, "unavailable"),
    row(Switch::Answer, Way::LimitedBefore, "limited_before"),
    row(Switch::Answer, Way::LimitedAfter, "limited_after"),
    row(Switch::Answer, Way::TimeoutBefore, "timeout_before"),
    row(Switch::Answer, Way::TimeoutAfter, "timeout_after"),
    row(Switch::Dark, Way::Light, "off"),
    counted(Switch::Dark, Way::Dark, "dark", Unit { name: "seconds", most: 2_592_000, usual: 172_800 }),
    row(Switch::Payment, Way::PaymentNormal, "normal"),
    row(Switch::Payment, Way::PaidTwice, "twice"),
    counted(Switch::Payment, Way::WrongAmount, "wrong_amount", Unit { name: "fen", most: 100_000, usual: 1 }),
    row(Switch::Payment, Way::WrongCurrency, "wrong_currency"),
    row(Switch::Refund, Way::RefundNormal, "normal"),
    row(Switch::Refund, Way::RefundStays, "processing"),
    row(Switch::Refund, Way::RefundClosed, "closed"),
    row(Switch::Refund, Way::RefundAbnormal, "abnormal"),
    row(Switch::Refund, Way::NotEnough, "not_enough"),
    row(Switch::Refund, Way::AccountAbnormal, "account_abnormal"),
    row(Switch::Refund, Way::NoMerchant, "no_merchant"),
    row(Switch::Keys, Way::PublicKey, "public_key"),
    row(Switch::Keys, Way::Certificate, "certificate"),
    counted(Switch::Keys, Way::Both, "both", Unit { name: "percent", most: 100, usual: 50 }),
    row(Switch::Certificates, Way::First, "first"),
    row(Switch::Certificates, Way::FirstOfTwo, "first_of_two"),
    row(Switch::Certificates, Way::SecondOfTwo, "second_of_two"),
    row(Switch::Certificates, Way::Second, "second"),
    row(Switch::Probe, Way::NoProbe, "off"),
    row(Switch::Probe, Way::ProbeNotices, "notices"),
    row(Switch::Probe, Way::ProbeAnswers, "answers"),
    row(Switch::Bill, Way::BillNormal, "normal"),
    row(Switch::Bill, Way::BillCreating, "creating"),
    row(Switch::Bill, Way::BillHash, "wrong_hash"),
    row(Switch::Bill, Way::BillTruncated, "truncated"),
    row(Switch::Bill, Way::BillRowMissing, "row_missing"),
    row(Switch::Bill, Way::BillRowForeign, "row_foreign"),
    row(Switch::Bill, Way::BillAmount, "wrong_amount"),
    row(Switch::Bill, Way::BillSummary, "wrong_summary"),
    row(Switch::Message, Way::MessageNormal, "normal"),
    row(Switch::Message, Way::MessageRefused, "refused"),
    row(Switch::Message, Way::MessageBusy, "busy"),
    row(Switch::Message, Way::MessageQuota, "quota"),
];

/// All switches in the order of the table.
pub(crate) const SWITCHES: [Switch; 10] = [
    Switch::Notice,
    Switch::Answer,
    Switch::Dark,
    Switch::Payment,
    Switch::Refund,
    Switch::Keys,
    Switch::Certificates,
    Switch::Probe,
    Switch::Bill,
    Switch::Message,
];

/// The signed calls, for a fault that hits one kind alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    #[default]
    All,
    Create,
    Query,
    Close,
    Refund,
    RefundQuery,
    Bill,
    Certificates,
}

/// The calls by the names that a program gives.
pub(crate) const CALLS: [(Call, &str); 8] = [
    (Call::All, "all"),
    (Call::Create, "create"),
    (Call::Query, "query"),
    (Call::Close, "close"),
    (Call::Refund, "refund"),
    (Call::RefundQuery, "refund_query"),
    (Call::Bill, "bill"),
    (Call::Certificates, "certificates"),
];

impl Switch {
    /// The name that a program gives.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Switch::Notice => "notice",
            Switch::Answer => "answer",
            Switch::Dark => "dark",
            Switch::Payment => "payment",
            Switch::Refund => "refund",
            Switch::Keys => "keys",
            Switch::Certificates => "certificates",
            Switch::Probe => "probe",
            Switch::Bill => "bill",
            Switch::Message => "message",
        }
    }

    /// Whether each use can spend it, so that it can be set for the next few only.
    pub(crate) fn spendable(self) -> bool {
        !matches!(self, Switch::Dark | Switch::Keys | Switch::Certificates)
    }

    /// Its positions, the one without a fault first.
    pub(crate) fn rows(self) -> impl Iterator<Item = &'static Row> {
        TABLE.iter().filter(move |row| row.switch == self)
    }

    /// The position with this name.
    pub(crate) fn row(self, name: &str) -> Option<&'static Row> {
        self.rows().find(|row| row.name == name)
    }

    fn at_rest(self) -> Set {
        // Every switch has a first row; the tests count them.
        let way = self.rows().next().map_or(Way::NoticeNormal, |row| row.way);
        Set { way, number: 0, call: Call::All, set_at: Micros::new(0) }
    }
}

impl Way {
    /// Its row of the table.
    pub(crate) fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.way == self).unwrap_or(&TABLE[0])
    }
}

/// A switch as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Set {
    pub(crate) way: Way,
    /// Seconds, fen or percent, as the position needs; else 0.
    pub(crate) number: u32,
    /// Which calls are hit; of the switch `answer` alone.
    #[serde(default)]
    pub(crate) call: Call,
    #[serde(with = "crate::stored::micros")]
    pub(crate) set_at: Micros,
}

/// A switch that stands for the next few uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Few {
    set: Set,
    times: u32,
}

/// All switches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Switches {
    all: BTreeMap<Switch, Set>,
    next: BTreeMap<Switch, Few>,
    /// Notices signed while both keys were in use: spreads a percentage evenly instead of by chance.
    mixed: u64,
}

impl Switches {
    /// Sets a switch from now on; what was set for the next few uses is taken back.
    pub(crate) fn set(&mut self, switch: Switch, set: Set) {
        self.all.insert(switch, set);
        self.next.remove(&switch);
    }

    /// Sets a switch for the next `times` uses.
    pub(crate) fn set_next(&mut self, switch: Switch, set: Set, times: u32) {
        self.next.insert(switch, Few { set, times });
    }

    /// Puts every switch back to rest.
    pub(crate) fn reset(&mut self) {
        self.all.clear();
        self.next.clear();
    }

    /// How a switch stands from now on.
    pub(crate) fn standing(&self, switch: Switch) -> Set {
        self.all.get(&switch).copied().unwrap_or_else(|| switch.at_rest())
    }

    /// How a switch stands for the next few uses, and for how many.
    pub(crate) fn standing_next(&self, switch: Switch) -> Option<(Set, u32)> {
        self.next.get(&switch).map(|few| (few.set, few.times))
    }

    /// Whether the next use of a switch may meet a fault, so that [`Switches::take`] has to be asked.
    pub(crate) fn armed(&self, switch: Switch) -> bool {
        self.next.contains_key(&switch) || self.standing(switch).way != switch.at_rest().way
    }

    /// How a switch stands for this use, which spends one of the next few.
    pub(crate) fn take(&mut self, switch: Switch) -> Set {
        let Some(few) = self.next.get_mut(&switch) else { return self.standing(switch) };
        let set = few.set;
        few.times = few.times.saturating_sub(1);
        if few.times == 0 {
            self.next.remove(&switch);
        }
        set
    }

    /// What the answer to this call meets: a fault for other calls is neither met nor spent.
    pub(crate) fn take_answer(&mut self, call: Call) -> Way {
        let hits = |set: Set| set.call == Call::All || set.call == call;
        match self.next.get(&Switch::Answer) {
            Some(few) if hits(few.set) => self.take(Switch::Answer).way,
            _ => Some(self.standing(Switch::Answer)).filter(|set| hits(*set)).map_or(Way::AnswerNormal, |set| set.way),
        }
    }

    /// Until when the provider gives no answer, if it is dark at `now`.
    pub(crate) fn dark_until(&self, now: Micros) -> Option<Micros> {
        let set = self.standing(Switch::Dark);
        let until = set.set_at.after_seconds(set.number.into());
        (set.way == Way::Dark && now < until).then_some(until)
    }

    /// Whether this notice is signed with the public key's pair: of every hundred, so many as the switch says.
    pub(crate) fn notice_by_public_key(&mut self) -> bool {
        let set = self.standing(Switch::Keys);
        match set.way {
            Way::Both => {
                let share = |count: u64| count.saturating_mul(set.number.into()) / 100;
                self.mixed = self.mixed.wrapping_add(1);
                share(self.mixed) > share(self.mixed.saturating_sub(1))
            }
            way => way != Way::Certificate,
        }
    }

    /// All of them for a program: `{"notice":{"mode":"late","seconds":30},"next_notice":null, ...}`.
    pub(crate) fn json(&self) -> Value {
        let mut all = serde_json::Map::new();
        for switch in SWITCHES {
            all.insert(switch.name().to_owned(), set_json(self.standing(switch)));
            if switch.spendable() {
                let next = self.standing_next(switch).map(|(set, times)| {
                    let mut next = set_json(set);
                    next["times"] = json!(times);
                    next
                });
                all.insert(format!("next_{}", switch.name()), next.unwrap_or(Value::Null));
            }
        }
        Value::Object(all)
    }
}

fn set_json(set: Set) -> Value {
    let row = set.way.row();
    let mut shown = json!({ "mode": row.name });
    if let Some(unit) = row.unit {
        shown[unit.name] = json!(set.number);
    }
    if set.call != Call::All {
        shown["call"] = json!(set.call);
    }
    shown
}

/// The switches and their positions, a switch a line, for the command line's help.
pub fn switch_list() -> String {
    let mut text = String::new();
    for switch in SWITCHES {
        let ways: Vec<String> = switch
            .rows()
            .map(|row| match row.unit {
                Some(unit) => format!("{} ({})", row.name, unit.name),
                None => row.name.to_owned(),
            })
            .collect();
        // Writing to a String does not fail.
        let _written = writeln!(text, "  {:<13} {}", switch.name(), ways.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(way: Way, number: u32, call: Call) -> Set {
        Set { way, number, call, set_at: Micros::from_seconds(100) }
    }

    #[test]
    fn every_switch_has_positions_with_names_of_their_own() {
        for switch in SWITCHES {
            let mut names: Vec<&str> = switch.rows().map(|row| row.name).collect();
            assert!(names.len() >= 2, "{switch:?}");
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), switch.rows().count(), "{switch:?}");
            for row in switch.rows() {
                assert_eq!(row.way.row().name, row.name);
                assert_eq!(switch.row(row.name).map(|row| row.way), Some(row.way));
            }
        }
        assert_eq!(SWITCHES.iter().map(|switch| switch.rows().count()).sum::<usize>(), TABLE.len());
    }

    #[test]
    fn a_switch_for_the_next_two_is_spent_by_two() {
        let mut switches = Switches::default();
        switches.set_next(Switch::Notice, at(Way::NoticeLost, 0, Call::All), 2);
        let ways: Vec<Way> = (0..3).map(|_| switches.take(Switch::Notice).way).collect();
        assert_eq!(ways, [Way::NoticeLost, Way::NoticeLost, Way::NoticeNormal]);
    }

    #[test]
    fn a_fault_of_one_call_is_not_spent_by_another() {
        let mut switches = Switches::default();
        switches.set_next(Switch::Answer, at(Way::ErrorAfter, 0, Call::Refund), 1);
        assert_eq!(switches.take_answer(Call::Query), Way::AnswerNormal);
        assert_eq!(switches.take_answer(Call::Refund), Way::ErrorAfter);
        assert_eq!(switches.take_answer(Call::Refund), Way::AnswerNormal);
    }

    #[test]
    fn a_percentage_is_kept_exactly_over_a_hundred() {
        for percent in [0, 1, 5, 10, 20, 50, 100] {
            let mut switches = Switches::default();
            switches.set(Switch::Keys, at(Way::Both, percent, Call::All));
            let by_key = (0..100).filter(|_| switches.notice_by_public_key()).count();
            assert_eq!(by_key, percent as usize);
        }
    }

    #[test]
    fn darkness_ends_by_itself() {
        let mut switches = Switches::default();
        switches.set(Switch::Dark, at(Way::Dark, 60, Call::All));
        assert_eq!(switches.dark_until(Micros::from_seconds(159)), Some(Micros::from_seconds(160)));
        assert_eq!(switches.dark_until(Micros::from_seconds(160)), None);
    }
}
