//! Texts of the guide that a campus writes itself: in place of ours, or as a chapter of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::text::Language;

/// Keys of the chapter that a campus may add begin so: its title, and its paragraphs counted from 1.
const OWN: &str = "guide-own-";
/// Most paragraphs of that chapter.
const MOST_PARAGRAPHS: usize = 99;

/// A campus's own texts of the guide; none at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTexts {
    zh: BTreeMap<String, String>,
    en: BTreeMap<String, String>,
}

/// Why a campus's texts are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// A line is neither empty, nor a remark, nor a text.
    #[error("{language}, line {line}: write `key = text`")]
    Line {
        /// Tag of the language.
        language: &'static str,
        /// Counted from 1.
        line: usize,
    },
    /// The guide has no such text.
    #[error("{language}: the guide has no text {key}; its texts are those that begin with guide-")]
    Key {
        /// Tag of the language.
        language: &'static str,
        /// The key.
        key: String,
    },
    /// The text names a value that the guide does not have.
    #[error("{language}: {key} names a value {value} that the guide does not have")]
    Value {
        /// Tag of the language.
        language: &'static str,
        /// The key.
        key: String,
        /// The name in braces.
        value: String,
    },
    /// Only one language has it.
    #[error("{key} is there in one language alone; both say the same")]
    OneLanguage {
        /// The key.
        key: String,
    },
}

impl OwnTexts {
    /// Reads what a campus wrote: a line `key = text` each, values as `{ $name }`, remarks after `#`.
    ///
    /// Errors: [`TextFault`], in its order, for Chinese and then for English; `OneLanguage` last.
    pub fn read(zh: &str, en: &str) -> Result<OwnTexts, TextFault> {
        let texts = OwnTexts { zh: read(Language::Chinese, zh)?, en: read(Language::English, en)? };
        let keys = |texts: &BTreeMap<String, String>| texts.keys().cloned().collect::<BTreeSet<_>>();
        if let Some(key) = keys(&texts.zh).symmetric_difference(&keys(&texts.en)).next() {
            return Err(TextFault::OneLanguage { key: key.clone() });
        }
        Ok(texts)
    }

    fn of(&self, language: Language) -> &BTreeMap<String, String> {
        match language {
            Language::Chinese => &self.zh,
            Language::English => &self.en,
        }
    }

    /// The campus's text of a key with its values filled in; none when it has none.
    pub(super) fn text(&self, language: Language, key: &str, values: &[(&'static str, String)]) -> Option<String> {
        let text = self.of(language).get(key)?;
        Some(values.iter().fold(text.clone(), |text, (name, value)| text.replace(&format!("{{ ${name} }}"), value)))
    }

    /// Keys of the paragraphs of the campus's own chapter, if it has one.
    pub(super) fn own_chapter(&self) -> Vec<String> {
        if !self.zh.contains_key("guide-own-title") {
            return Vec::new();
        }
        (1..=MOST_PARAGRAPHS).map(|number| format!("{OWN}{number}")).filter(|key| self.zh.contains_key(key)).collect()
    }
}

fn read(language: Language, file: &str) -> Result<BTreeMap<String, String>, TextFault> {
    let tag = language.tag();
    let mut texts = BTreeMap::new();
    for (line, text) in (1..).zip(file.trim_start_matches('\u{feff}').lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, text) = text.split_once('=').ok_or(TextFault::Line { language: tag, line })?;
        let (key, text) = (key.trim().to_owned(), text.trim().to_owned());
        if text.is_empty() {
            return Err(TextFault::Line { language: tag, line });
        }
        if !may_be_written(&key, language) {
            return Err(TextFault::Key { language: tag, key });
        }
        if let Some(value) = unknown_value(&text) {
            return Err(TextFault::Value { language: tag, key, value });
        }
        texts.insert(key, text);
    }
    Ok(texts)
}

fn may_be_written(key: &str, language: Language) -> bool {
    match key.strip_prefix(OWN) {
        Some("title") => true,
        Some(number) => number.parse().is_ok_and(|number: usize| (1..=MOST_PARAGRAPHS).contains(&number)),
        None => key.starts_with("guide-") && language.has(key),
    }
}

/// The first thing in braces that is no value of the guide.
fn unknown_value(text: &str) -> Option<String> {
    let inside = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest));
    let known = |name: &str| super::content::VALUES.contains(&name);
    inside
        .filter(|inside| !inside.strip_prefix(" $").and_then(|rest| rest.strip_suffix(' ')).is_some_and(known))
        .map(|inside| format!("{{{inside}}}"))
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campus_may_write_texts_of_the_guide_and_a_chapter_of_its_own() {
        let texts = OwnTexts::read(
            "# 本校\nguide-title = 校园卡手册\nguide-own-title = 食堂开放时间\nguide-own-1 = 单笔 { $sale_max } 以内。",
            "guide-title = Card handbook\n\nguide-own-title = Canteens\nguide-own-1 = Up to { $sale_max }.",
        )
        .expect("right texts");
        let values = [("sale_max", "¥5.00".to_owned())];
        let text = |language, key| texts.text(language, key, &values);
        assert_eq!(text(Language::Chinese, "guide-own-1").as_deref(), Some("单笔 ¥5.00 以内。"));
        assert_eq!(text(Language::English, "guide-title").as_deref(), Some("Card handbook"));
        assert_eq!(text(Language::English, "guide-lead"), None);
        assert_eq!(texts.own_chapter(), ["guide-own-1"]);
        assert_eq!(OwnTexts::default().own_chapter(), [""; 0]);
    }

    #[test]
    fn a_wrong_text_of_a_campus_is_refused_with_its_place() {
        let (zh, en) = ("zh-CN", "en");
        let key = || "guide-title".to_owned();
        let table = [
            ("guide-title", "", TextFault::Line { language: zh, line: 1 }),
            ("# x\nguide-title =", "", TextFault::Line { language: zh, line: 2 }),
            ("guide-nothing = 甲", "", TextFault::Key { language: zh, key: "guide-nothing".into() }),
            ("guide-own-100 = 甲", "", TextFault::Key { language: zh, key: "guide-own-100".into() }),
            ("home-title = 甲", "", TextFault::Key { language: zh, key: "home-title".into() }),
            (
                "guide-title = { $nothing }",
                "",
                TextFault::Value { language: zh, key: key(), value: "{ $nothing }".into() },
            ),
            (
                "guide-title = {$sale_max}",
                "",
                TextFault::Value { language: zh, key: key(), value: "{$sale_max}".into() },
            ),
            (
                "",
                "guide-title = { $sale_max",
                TextFault::Value { language: en, key: key(), value: "{ $sale_max}".into() },
            ),
            ("guide-title = 甲", "", TextFault::OneLanguage { key: key() }),
        ];
        for (zh, en, fault) in table {
            assert_eq!(OwnTexts::read(zh, en), Err(fault), "{zh:?}, {en:?}");
        }
    }
}
