//! Words, amounts and moments as a reader sees them. Every sentence of a page stands in `i18n/`, in both languages.

use std::borrow::Cow;
use std::fmt;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, langid};
use ledger::{Fen, Micros};
use rules::calendar::{CampusMonth, CampusTime, campus_time};
use rules::words::Words;

mod loaded {
    #![expect(
        clippy::disallowed_types,
        reason = "the loader of the language files is built on hash maps; no order shows"
    )]

    use super::{Cow, FluentValue, LanguageIdentifier, Loader};

    fluent_templates::static_loader! {
        static TEXTS = {
            locales: "./i18n",
            fallback_language: "zh-CN",
            // The marks would stand in attributes and titles too; amounts and numbers have no direction of their own.
            customise: |bundle| bundle.set_use_isolating(false),
        };
    }

    /// The text of a key with its values filled in; `None` when there is no such key.
    pub(super) fn text(language: &LanguageIdentifier, key: &str, values: &[(&'static str, String)]) -> Option<String> {
        let values: std::collections::HashMap<Cow<'static, str>, FluentValue<'_>> =
            values.iter().map(|(name, value)| (Cow::Borrowed(*name), FluentValue::from(value.as_str()))).collect();
        TEXTS.try_lookup_with_args(language, key, &values)
    }
}

/// A language that every page speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese, the first language.
    Chinese,
    /// English.
    English,
}

const CHINESE: LanguageIdentifier = langid!("zh-CN");
const ENGLISH: LanguageIdentifier = langid!("en");

impl Language {
    /// The tag for `lang` attributes, cookies and forms.
    pub const fn tag(self) -> &'static str {
        match self {
            Language::Chinese => "zh-CN",
            Language::English => "en",
        }
    }

    /// The language with this tag.
    pub fn from_tag(tag: &str) -> Option<Language> {
        [Language::Chinese, Language::English].into_iter().find(|language| language.tag() == tag)
    }

    /// The other one.
    pub const fn other(self) -> Language {
        match self {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        }
    }

    /// What a browser likes best, by its `Accept-Language`; Chinese when it names neither.
    pub fn liked(accept: &str) -> Language {
        let mut best = (0, Language::Chinese);
        for range in accept.split(',') {
            let (tag, weight) = range.split_once(';').map_or((range, 1000), |(tag, rest)| (tag, weight(rest)));
            let tag = tag.trim().to_ascii_lowercase();
            let language = match tag.split('-').next() {
                Some("zh") => Language::Chinese,
                Some("en") => Language::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The text of a key. See [`Text`].
    pub fn t(self, key: impl Into<Cow<'static, str>>) -> Text {
        Text { language: self, key: key.into(), values: Vec::new() }
    }

    /// The sentence of a refusal in this language.
    pub fn words(self, words: &Words) -> &str {
        self.either(&words.zh, &words.en)
    }

    /// The one of the two that is in this language.
    pub const fn either<T: Copy>(self, zh: T, en: T) -> T {
        match self {
            Language::Chinese => zh,
            Language::English => en,
        }
    }

    /// `2026-11-22 12:30`, in English `22 Nov 2026, 12:30`, by the campus's clocks.
    pub fn moment(self, at: Micros) -> String {
        let CampusTime { year, month, day, hour, minute, .. } = campus_time(at);
        match self {
            Language::Chinese => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"),
            Language::English => format!("{day} {} {year:04}, {hour:02}:{minute:02}", month_name(month)),
        }
    }

    /// The day alone: `2026-11-22`, in English `22 Nov 2026`.
    pub fn day(self, at: Micros) -> String {
        let CampusTime { year, month, day, .. } = campus_time(at);
        match self {
            Language::Chinese => format!("{year:04}-{month:02}-{day:02}"),
            Language::English => format!("{day} {} {year:04}", month_name(month)),
        }
    }

    /// `2026年11月`, in English `Nov 2026`.
    pub fn month(self, month: CampusMonth) -> String {
        match self {
            Language::Chinese => format!("{:04}年{}月", month.year(), month.month()),
            Language::English => format!("{} {:04}", month_name(month.month()), month.year()),
        }
    }

    /// As [`Language::moment`], with the seconds.
    pub fn moment_to_the_second(self, at: Micros) -> String {
        format!("{}:{:02}", self.moment(at), campus_time(at).second)
    }

    /// A length of time, exactly: `2 小时`, `30 天`, in English `2 hours`, `1 hour 30 minutes`. Number and unit stay on one line.
    pub fn span(self, seconds: i64) -> String {
        const UNITS: [(i64, &str, &str); 4] =
            [(86_400, "天", "day"), (3600, "小时", "hour"), (60, "分钟", "minute"), (1, "秒", "second")];
        let mut rest = seconds.max(0);
        let mut parts = Vec::new();
        for (size, zh, en) in UNITS {
            let count = rest / size;
            rest %= size;
            if count > 0 || (size == 1 && parts.is_empty()) {
                let plural = if count == 1 { "" } else { "s" };
                parts.push(match self {
                    Language::Chinese => format!("{count}\u{a0}{zh}"),
                    Language::English => format!("{count}\u{a0}{en}{plural}"),
                });
            }
        }
        parts.join(" ")
    }

    /// Whether the language files have a text of this key.
    pub(crate) fn has(self, key: &str) -> bool {
        loaded::text(&self.identifier(), key, &[]).is_some()
    }

    const fn identifier(self) -> LanguageIdentifier {
        match self {
            Language::Chinese => CHINESE,
            Language::English => ENGLISH,
        }
    }
}

/// `;q=0.8` as 800; what is no weight counts as nothing.
fn weight(parameters: &str) -> u16 {
    let Some((_, digits)) = parameters.split_once("q=") else { return 1000 };
    let (whole, fraction) = digits.trim().split_once('.').unwrap_or((digits.trim(), ""));
    match whole {
        "1" => 1000,
        "0" => format!("{:0<3}", fraction.chars().take(3).collect::<String>()).parse().unwrap_or(0),
        _ => 0,
    }
}

const fn month_name(month: u8) -> &'static str {
    match month {
        1 => "Jan",
        2 => "Feb",
        3 => "Mar",
        4 => "Apr",
        5 => "May",
        6 => "Jun",
        7 => "Jul",
        8 => "Aug",
        9 => "Sep",
        10 => "Oct",
        11 => "Nov",
        _ => "Dec",
    }
}

/// `2026-11-22T12:30:05+08:00`, for programs.
pub fn iso(at: Micros) -> String {
    let CampusTime { year, month, day, hour, minute, second } = campus_time(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+08:00")
}

/// A text of the language files, with its values. It is looked up when it is shown.
#[derive(Clone, Debug)]
pub struct Text {
    language: Language,
    key: Cow<'static, str>,
    values: Vec<(&'static str, String)>,
}

impl Text {
    /// Gives the text's variable `name` its value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Text {
        self.values.push((name, value.to_string()));
        self
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match loaded::text(&self.language.identifier(), &self.key, &self.values) {
            Some(text) => out.write_str(&text),
            None => {
                tracing::error!(key = %self.key, "a page asks for a text that no language file has");
                out.write_str(&self.key)
            }
        }
    }
}

/// An amount as a page shows it: `¥1,234.50`; less than nothing with U+2212 in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yuan(pub Fen);

impl fmt::Display for Yuan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("\u{2212}", digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
        write!(out, "{sign}¥")?;
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                out.write_str(",")?;
            }
            write!(out, "{digit}")?;
        }
        write!(out, ".{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_in_groups_with_two_decimals() {
        let table = [
            (0, "¥0.00"),
            (5, "¥0.05"),
            (99_999, "¥999.99"),
            (123_450, "¥1,234.50"),
            (100_000_000, "¥1,000,000.00"),
            (-123_450, "\u{2212}¥1,234.50"),
        ];
        for (fen, text) in table {
            assert_eq!(Yuan(Fen::new(fen)).to_string(), text);
        }
    }

    #[test]
    fn a_moment_is_told_by_the_campus_clock() {
        let at = Micros::from_seconds(1_795_321_805); // 2026-11-22 12:30:05 +08:00
        assert_eq!(Language::Chinese.moment(at), "2026-11-22 12:30");
        assert_eq!(Language::English.moment(at), "22 Nov 2026, 12:30");
        assert_eq!(Language::English.moment_to_the_second(at), "22 Nov 2026, 12:30:05");
        assert_eq!((Language::Chinese.day(at), Language::English.day(at)), ("2026-11-22".into(), "22 Nov 2026".into()));
        let month = CampusMonth::of(at);
        assert_eq!(
            (Language::Chinese.month(month), Language::English.month(month)),
            ("2026年11月".into(), "Nov 2026".into())
        );
        assert_eq!(iso(at), "2026-11-22T12:30:05+08:00");
    }

    #[test]
    fn a_length_of_time_is_told_in_its_largest_units_and_exactly() {
        let table = [
            (0, "0 秒", "0 seconds"),
            (1, "1 秒", "1 second"),
            (900, "15 分钟", "15 minutes"),
            (3600, "1 小时", "1 hour"),
            (5400, "1 小时 30 分钟", "1 hour 30 minutes"),
            (7200, "2 小时", "2 hours"),
            (86_400, "1 天", "1 day"),
            (2_592_000, "30 天", "30 days"),
            (93_784, "1 天 2 小时 3 分钟 4 秒", "1 day 2 hours 3 minutes 4 seconds"),
            (-5, "0 秒", "0 seconds"),
        ];
        for (seconds, zh, en) in table {
            let spans = [Language::Chinese, Language::English].map(|each| each.span(seconds).replace('\u{a0}', " "));
            assert_eq!(spans, [zh, en], "{seconds}");
        }
    }

    #[test]
    fn the_browser_s_language_is_understood() {
        let table = [
            ("", Language::Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB,en;q=0.9", Language::English),
            ("fr-FR, en;q=0.7, zh;q=0.6", Language::English),
            ("en;q=0.3, zh;q=0.31", Language::Chinese),
            ("en;q=0, zh-TW;q=0.001", Language::Chinese),
            ("de", Language::Chinese),
            ("en;q=x", Language::Chinese),
        ];
        for (accept, language) in table {
            assert_eq!(Language::liked(accept), language, "{accept:?}");
        }
    }
}
