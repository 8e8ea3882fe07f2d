//! What the guide says: chapters of plain blocks, made from what holds now. Pages, file, JSON and PDF show the same blocks.

use ledger::Micros;
use rules::channel::{Terms, terms};
use rules::chart::Channel;
use rules::limits::{Limits, Setting};
use rules::password::{MAX_LENGTH, MIN_LENGTH};
use rules::top_up::{Arrival, QUERY_AFTER};

use super::chapters::CHAPTERS;
use super::told::TOLD;
use super::{OwnTexts, Service};
use crate::text::{Language, Yuan};

/// Everything that the guide is made from.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The settings in force.
    pub limits: &'a Limits,
    /// At this moment.
    pub at: Micros,
    /// Name of the school in the reader's language.
    pub school: &'a str,
    /// The service centre.
    pub service: &'a Service,
    /// Texts that the campus writes itself.
    pub texts: &'a OwnTexts,
    /// WeChat Pay may be called from a phone's browser.
    pub pay_in_phone_browser: bool,
    /// WeChat Pay may be called by a code on another screen.
    pub pay_by_code: bool,
}

/// The guide in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guide {
    /// Its language.
    pub language: Language,
    /// Its title.
    pub title: String,
    /// Name of the school.
    pub school: String,
    /// From when it is, and what counts.
    pub lead: String,
    /// Its chapters, in order.
    pub chapters: Vec<Chapter>,
}

/// A chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Its name in addresses.
    pub topic: &'static str,
    /// Its title.
    pub title: String,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A part of a chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading within the chapter.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// What is done one after the other.
    Steps(Vec<String>),
    /// A list.
    Points(Vec<String>),
    /// A paragraph to heed.
    Note(String),
    /// Names and values.
    Pairs(Vec<(String, String)>),
    /// A table with a head.
    Table {
        /// Titles of the columns.
        head: Vec<String>,
        /// As many cells a row as there are titles.
        rows: Vec<Vec<String>>,
    },
}

/// Values that a text may name. A campus's own texts may name no other.
pub(super) const VALUES: [&str; 32] = [
    "topup_min",
    "wechat_per_order_max",
    "wechat_daily_max",
    "wechat_arrival",
    "balance_max",
    "order_pay_within",
    "purse_float",
    "sale_max",
    "sale_missing_after",
    "sale_late_most",
    "sale_ahead_most",
    "password_tries",
    "password_lock",
    "password_max_age",
    "initial_password_x_rule",
    "initial_password_force_change",
    "delay_threshold",
    "pending_remind_first",
    "pending_remind_second",
    "pending_remind_third",
    "pending_refund_after",
    "password_address_failures",
    "order_per_minute",
    "replace_fee",
    "school",
    "at",
    "per_order",
    "float_half",
    "password_least",
    "password_most",
    "first_query",
    "last_query",
];

/// Looks texts up: the campus's own first, then ours, with every value filled in.
pub(super) struct Teller<'a> {
    pub(super) language: Language,
    pub(super) facts: Facts<'a>,
    values: Vec<(&'static str, String)>,
}

impl Guide {
    /// The guide of a school as things stand.
    pub fn of(facts: Facts<'_>, language: Language) -> Guide {
        let teller = Teller { language, facts, values: values(&facts, language) };
        let mut chapters: Vec<Chapter> = CHAPTERS
            .iter()
            .map(|(topic, blocks)| Chapter {
                topic,
                title: teller.say(&format!("guide-{topic}-title")),
                blocks: blocks(&teller),
            })
            .collect();
        let own = facts.texts.own_chapter();
        if !own.is_empty() {
            let blocks = own.iter().map(|key| Block::Text(teller.say(key))).collect();
            chapters.push(Chapter { topic: "own", title: teller.say("guide-own-title"), blocks });
        }
        Guide {
            language,
            title: teller.say("guide-title"),
            school: facts.school.to_owned(),
            lead: teller.say("guide-lead"),
            chapters,
        }
    }

    /// The chapter of this name, with those before and after it.
    pub fn chapter(&self, topic: &str) -> Option<(Option<&Chapter>, &Chapter, Option<&Chapter>)> {
        let index = self.chapters.iter().position(|chapter| chapter.topic == topic)?;
        let before = index.checked_sub(1).and_then(|before| self.chapters.get(before));
        Some((before, self.chapters.get(index)?, self.chapters.get(index + 1)))
    }
}

/// The values of all texts, in the order of [`VALUES`].
fn values(facts: &Facts<'_>, language: Language) -> Vec<(&'static str, String)> {
    let mut values: Vec<_> = TOLD.iter().map(|told| (told.name, told.value(facts.limits, language))).collect();
    let float = facts.limits.fen(Setting::PurseFloat);
    let half = ledger::Fen::new(float.get() / 2);
    let per_order = terms(facts.limits).map(|terms| terms.per_order);
    let [first, .., last] = QUERY_AFTER;
    values.extend([
        ("school", facts.school.to_owned()),
        ("at", language.moment(facts.at)),
        ("per_order", per_order.first().map(|most| Yuan(*most).to_string()).unwrap_or_default()),
        ("float_half", Yuan(half).to_string()),
        ("password_least", MIN_LENGTH.to_string()),
        ("password_most", MAX_LENGTH.to_string()),
        ("first_query", language.span(first)),
        ("last_query", language.span(last)),
    ]);
    values
}

impl Teller<'_> {
    /// The text of a key.
    pub(super) fn say(&self, key: &str) -> String {
        let own = self.facts.texts.text(self.language, key, &self.values);
        own.unwrap_or_else(|| {
            let text = self.language.t(key.to_owned());
            self.values.iter().fold(text, |text, (name, value)| text.with(name, value)).to_string()
        })
    }

    /// The value of this name, as a reader sees it.
    pub(super) fn value(&self, name: &str) -> String {
        self.values.iter().find(|(each, _)| *each == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// A paragraph.
    pub(super) fn text(&self, key: &str) -> Block {
        Block::Text(self.say(key))
    }

    /// The texts of several keys.
    pub(super) fn all(&self, keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| self.say(key)).collect()
    }

    /// A setting's value.
    pub(super) fn get(&self, setting: Setting) -> i64 {
        self.facts.limits.get(setting)
    }

    /// A row of a list of names and values.
    pub(super) fn pair(&self, key: &str, value: impl Into<String>) -> (String, String) {
        (self.say(key), value.into())
    }

    /// The table of channels (R41): whatever the platform has.
    pub(super) fn channels(&self) -> Block {
        let head = ["method", "arrival", "order", "day"];
        let row = |terms: &Terms| {
            let day = terms.a_day.map_or_else(|| self.say("guide-channels-no-day"), |most| Yuan(most).to_string());
            vec![
                self.say(&format!("guide-channels-{}", channel_word(terms.channel))),
                self.say(&format!("guide-channels-{}", arrival_word(terms.arrival))),
                Yuan(terms.per_order).to_string(),
                day,
            ]
        };
        Block::Table {
            head: head.iter().map(|column| self.say(&format!("guide-channels-head-{column}"))).collect(),
            rows: terms(self.facts.limits).iter().map(row).collect(),
        }
    }
}

/// The word for a channel in texts and in JSON.
pub(crate) const fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::WeChat => "wechat",
    }
}

/// The word for where paid money goes first, in texts.
pub(super) const fn arrival_word(arrival: Arrival) -> &'static str {
    match arrival {
        Arrival::Tap => "tap",
        Arrival::Instant => "instant",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rules::limits::Change;

    use super::*;

    fn limits(values: &[(Setting, i64)]) -> Limits {
        let (from, set_at) = (Micros::new(0), Micros::new(0));
        let changes: Vec<Change> = values
            .iter()
            .map(|(setting, value)| Change { setting: *setting, value: *value, from, set_at, set_by: "test".into() })
            .collect();
        Limits::at(&changes, Micros::new(1))
    }

    fn guide(limits: &Limits, language: Language) -> Guide {
        let facts = Facts {
            limits,
            at: Micros::from_seconds(1_795_408_205),
            school: "示范大学 Model",
            service: &Service::default(),
            texts: &OwnTexts::default(),
            pay_in_phone_browser: true,
            pay_by_code: true,
        };
        Guide::of(facts, language)
    }

    /// Another value of a setting that may hold.
    fn other(setting: Setting) -> i64 {
        let spec = setting.spec();
        let candidates = [spec.default + 1, spec.default * 2, spec.default * 2 + 60, spec.least, spec.most];
        let fits = |value: &&i64| **value != spec.default && (spec.least..=spec.most).contains(*value);
        *candidates.iter().find(fits).expect("a setting that can be set")
    }

    #[test]
    fn r91_every_setting_is_told_of_in_its_chapter_or_has_a_reason_why_not() {
        let told: Vec<Setting> = TOLD.iter().map(|told| told.setting).collect();
        let missing: Vec<_> = Setting::ALL.into_iter().filter(|setting| !told.contains(setting)).collect();
        assert!(missing.is_empty(), "the guide says nowhere whether it tells of {missing:?}");
        assert_eq!(told.len(), Setting::ALL.len(), "one place each");
        for language in [Language::Chinese, Language::English] {
            let usual = guide(&limits(&[]), language);
            for told in TOLD {
                let changed = guide(&limits(&[(told.setting, other(told.setting))]), language);
                match told.place {
                    Ok(topic) => {
                        let chapter = |guide: &Guide| guide.chapter(topic).map(|(_, chapter, _)| chapter.clone());
                        assert!(chapter(&usual).is_some(), "there is no chapter {topic}");
                        assert_ne!(chapter(&usual), chapter(&changed), "{topic} does not tell {}", told.name);
                    }
                    Err(why) => assert_eq!(usual, changed, "{}: {why}", told.name),
                }
            }
        }
    }

    #[test]
    fn the_values_that_a_campus_may_name_are_those_that_there_are() {
        let facts = Facts {
            limits: &limits(&[]),
            at: Micros::new(0),
            school: "",
            service: &Service::default(),
            texts: &OwnTexts::default(),
            pay_in_phone_browser: true,
            pay_by_code: true,
        };
        let names: Vec<&str> = values(&facts, Language::English).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, VALUES);
    }

    #[test]
    fn every_choice_of_every_setting_has_its_words_in_both_languages() {
        let choices = [
            (Setting::WeChatArrival, 0..=1),
            (Setting::WeChatDailyMax, 0..=1),
            (Setting::InitialPasswordXRule, 0..=3),
            (Setting::InitialPasswordForceChange, 0..=1),
            (Setting::PurseFloat, 0..=1),
            (Setting::PendingRefundAfter, 0..=1),
        ];
        for language in [Language::Chinese, Language::English] {
            for (setting, values) in choices.clone() {
                let guides: Vec<Guide> = values.map(|value| guide(&limits(&[(setting, value)]), language)).collect();
                for guide in &guides {
                    let text = super::super::print::text(guide);
                    assert!(!text.contains("guide-") && !text.contains("{ $"), "{setting:?}: {text}");
                }
                assert!(guides.windows(2).all(|pair| pair[0] != pair[1]), "{setting:?}");
            }
        }
    }

    #[test]
    fn chapters_have_names_of_their_own_and_all_say_something() {
        for language in [Language::Chinese, Language::English] {
            let guide = guide(&limits(&[]), language);
            let topics: BTreeSet<&str> = guide.chapters.iter().map(|chapter| chapter.topic).collect();
            assert_eq!(topics.len(), guide.chapters.len());
            for chapter in &guide.chapters {
                assert!(!chapter.blocks.is_empty(), "{}", chapter.topic);
                assert!(!["all", "guide"].contains(&chapter.topic), "an address of its own");
            }
        }
    }

    #[test]
    fn r41_the_table_of_channels_has_a_row_for_every_channel() {
        let guide = guide(&limits(&[(Setting::WeChatPerOrderMax, 50_000)]), Language::Chinese);
        let (_, chapter, _) = guide.chapter("channels").expect("a chapter");
        let Some(Block::Table { head, rows }) =
            chapter.blocks.iter().find(|block| matches!(block, Block::Table { .. }))
        else {
            panic!("no table")
        };
        assert_eq!(rows.len(), Channel::ALL.len());
        assert!(rows.iter().all(|row| row.len() == head.len()));
        assert_eq!(rows[0][2], "¥500.00");
    }
}
