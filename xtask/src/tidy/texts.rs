//! Words on pages: every text stands in the language files, in both languages, and is used.
//!
//! A page asks for a text with `t("key")`, in templates and in Rust alike. A key that is put together at run time counts
//! as used if its beginning, up to and with a hyphen, stands in quotes: `"order-state-{state}"` or `"order-state-"`.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::tree::{File, Tree};

const LANGUAGES: [&str; 2] = ["zh-CN", "en"];
const TEXTS: &str = "crates/web/i18n/";

/// A text of a language file.
#[derive(Clone, Debug)]
struct Message {
    path: String,
    line: usize,
    variables: BTreeSet<String>,
}

/// No template prints a value without escaping it.
pub fn escaping(tree: &Tree) -> Vec<Finding> {
    let instead = "let the template escape; markup belongs into a template, not into a value";
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.contains("/templates/")) {
        for (line, text) in file.lines() {
            let safe = text.split('|').skip(1).any(|filter| {
                let filter = filter.trim_start();
                filter
                    .strip_prefix("safe")
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            });
            if safe {
                findings.push(Finding::new(&file.path, line, "`|safe`", instead));
            }
        }
    }
    for file in tree.with_extension("rs").filter(|file| file.path.starts_with("crates/")) {
        for (line, text) in file.lines().filter(|(_, text)| text.contains("escape = \"none\"")) {
            if !text.trim_start().starts_with("//") {
                findings.push(Finding::new(&file.path, line, "a template without escaping", instead));
            }
        }
    }
    findings
}

/// No Chinese character in a template of the pages.
pub fn han_in_templates(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.starts_with("crates/web/templates/")) {
        for (line, text) in file.lines().filter(|(_, text)| text.chars().any(han)) {
            let what = format!("Chinese text `{}`", text.chars().filter(|c| han(*c)).take(12).collect::<String>());
            let instead = "a key in crates/web/i18n/zh-CN and en, asked for with t(\"key\")";
            findings.push(Finding::new(&file.path, line, what, instead));
        }
    }
    findings
}

fn han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// Both languages have the same texts with the same variables, and each text once.
pub fn languages(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let [zh, en] = LANGUAGES.map(|language| messages(tree, language, &mut findings));
    for (own, other, language) in [(&zh, &en, "en"), (&en, &zh, "zh-CN")] {
        for (key, message) in own {
            match other.get(key) {
                None => {
                    let what = format!("`{key}` is missing in {language}");
                    findings.push(Finding::new(
                        &message.path,
                        message.line,
                        what,
                        "write both languages in the same change",
                    ));
                }
                Some(twin) if language == "en" && twin.variables != message.variables => {
                    let what = format!(
                        "`{key}` has the variables {:?} here and {:?} in en",
                        message.variables, twin.variables
                    );
                    findings.push(Finding::new(&message.path, message.line, what, "use the same variables in both"));
                }
                Some(_) => {}
            }
        }
    }
    findings
}

/// No text that no page asks for.
pub fn unused_keys(tree: &Tree) -> Vec<Finding> {
    let (mut whole, mut beginnings) = (BTreeSet::new(), BTreeSet::new());
    for file in tree.files.iter().filter(|file| asks(file)) {
        collect(&file.text, &mut whole, &mut beginnings);
    }
    for file in language_files(tree, "zh-CN") {
        for (_, text) in file.lines() {
            let value = text.split_once('=').map_or(text, |(_, value)| value);
            collect(value, &mut whole, &mut BTreeSet::new());
        }
    }
    messages(tree, "zh-CN", &mut Vec::new())
        .into_iter()
        .filter(|(key, _)| {
            !whole.contains(key.as_str()) && !beginnings.iter().any(|beginning| key.starts_with(beginning))
        })
        .map(|(key, message)| {
            Finding::new(&message.path, message.line, format!("`{key}` is used nowhere"), "delete it in both languages")
        })
        .collect()
}

/// No page asks for a text that is not there.
pub fn missing_keys(tree: &Tree) -> Vec<Finding> {
    let known = messages(tree, "zh-CN", &mut Vec::new());
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.starts_with("crates/web/") && asks(file)) {
        for (line, text) in file.lines() {
            for (at, _) in text.match_indices("t(\"") {
                let own_word = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
                let key = text[at + 3..].split('"').next().unwrap_or_default();
                let shaped = !key.is_empty() && !key.ends_with('-') && key.chars().all(key_char);
                if own_word && shaped && !known.contains_key(key) {
                    let instead = "write the text in crates/web/i18n, in both languages";
                    findings.push(Finding::new(&file.path, line, format!("there is no text `{key}`"), instead));
                }
            }
        }
    }
    findings
}

/// Whether a file is one that asks for texts: a template or code of the product.
fn asks(file: &File) -> bool {
    let code = file.is("rs") && !file.path.contains("/tests/") && file.name() != "tests.rs";
    file.path.starts_with("crates/") && (code || file.path.contains("/templates/"))
}

fn key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Words as keys are written, and beginnings of keys in quotes.
fn collect<'a>(text: &'a str, whole: &mut BTreeSet<&'a str>, beginnings: &mut BTreeSet<&'a str>) {
    let mut at = 0;
    for word in text.split(|c| !key_char(c)) {
        let next = text[at + word.len()..].chars().next();
        if word.len() > 1 && word.ends_with('-') && matches!(next, Some('{' | '"')) && text[..at].ends_with('"') {
            beginnings.insert(word);
        } else if !word.is_empty() {
            whole.insert(word);
        }
        at += word.len() + next.map_or(0, char::len_utf8);
    }
}

fn language_files<'a>(tree: &'a Tree, language: &str) -> impl Iterator<Item = &'a File> {
    let folder = format!("{TEXTS}{language}/");
    tree.with_extension("ftl").filter(move |file| file.path.starts_with(&folder))
}

/// All texts of a language by key; a term's key begins with a hyphen. Doubled keys become findings.
fn messages(tree: &Tree, language: &str, findings: &mut Vec<Finding>) -> BTreeMap<String, Message> {
    let mut all: BTreeMap<String, Message> = BTreeMap::new();
    for file in language_files(tree, language) {
        let mut current: Option<String> = None;
        for (line, text) in file.lines().filter(|(_, text)| !text.starts_with('#')) {
            let key = text.split_once('=').map(|(key, _)| key.trim_end());
            let starts = key.filter(|key| !key.is_empty() && key.chars().all(key_char));
            if let Some(key) = starts {
                if all.contains_key(key) {
                    let what = format!("`{key}` stands twice in {language}");
                    findings.push(Finding::new(&file.path, line, what, "keep one of them"));
                }
                let message = Message { path: file.path.clone(), line, variables: BTreeSet::new() };
                all.entry(key.to_owned()).or_insert(message);
                current = Some(key.to_owned());
            }
            if let Some(message) = current.as_ref().and_then(|key| all.get_mut(key)) {
                let names = text.split('$').skip(1).map(|rest| rest.split(|c| !key_char(c)).next().unwrap_or_default());
                message.variables.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZH: &str = "crates/web/i18n/zh-CN/top-up.ftl";
    const EN: &str = "crates/web/i18n/en/top-up.ftl";

    fn whats(findings: &[Finding]) -> Vec<(usize, &str)> {
        findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect()
    }

    #[test]
    fn escaping_cannot_be_switched_off() {
        let template = "{{ name|safe }}\n{{ name | safe }}\n{{ name|safely }}\n{{ name }} is safe\n";
        let tree = Tree::of(&[
            ("crates/web/templates/me.html", template),
            ("crates/web/src/me.rs", "#[template(path = \"me.html\", escape = \"none\")]\n"),
        ]);
        let lines: Vec<usize> = escaping(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2, 1]);
    }

    #[test]
    fn chinese_stands_in_language_files_alone() {
        let tree = Tree::of(&[
            ("crates/web/templates/me/card.html", "<p>ok</p>\n<p>余额 𠮷</p>\n"),
            ("crates/sandbox/templates/cashier.html", "付款"),
            (ZH, "balance = 余额\n"),
        ]);
        assert_eq!(whats(&han_in_templates(&tree)), [(2, "Chinese text `余额𠮷`")]);
    }

    #[test]
    fn languages_have_the_same_keys_and_variables_once_each() {
        let zh =
            "# head\nbalance = 余额 { $amount }\npaid = 已付\n    .title = { $order }\nonly-zh = 一\nonly-zh = 二\n";
        let en = "balance = Balance\npaid =\n    Paid { $order ->\n        [one] x\n       *[other] y = { $order }\n    }\nonly-en = x\n";
        let found = languages(&Tree::of(&[(ZH, zh), (EN, en)]));
        assert_eq!(
            whats(&found),
            [
                (6, "`only-zh` stands twice in zh-CN"),
                (2, "`balance` has the variables {\"amount\"} here and {} in en"),
                (5, "`only-zh` is missing in en"),
                (7, "`only-en` is missing in zh-CN"),
            ]
        );
    }

    #[test]
    fn texts_that_nobody_asks_for_are_found() {
        let zh = "used = 一\nstate-paid = 二\nin-rust = 三\nreferred = 四\nouter = { referred } { -school }\n\
            -school = 校\nstale = 五\nused-in-test = 六\n";
        let tree = Tree::of(&[
            (ZH, zh),
            ("crates/web/templates/me.html", "{{ t(\"used\") }} {{ t(\"outer\") }}"),
            ("crates/web/src/me.rs", "t(\"in-rust\"); t(&format!(\"state-{}\", state)); a - b"),
            ("crates/web/src/me/tests.rs", "t(\"used-in-test\")"),
        ]);
        assert_eq!(whats(&unused_keys(&tree)), [(7, "`stale` is used nowhere"), (8, "`used-in-test` is used nowhere")]);
    }

    #[test]
    fn texts_that_are_not_there_are_found() {
        let tree = Tree::of(&[
            (ZH, "here = 一\n"),
            ("crates/web/templates/me.html", "{{ t(\"here\") }}\n{{ lang.t(\"gone\") }} {{ format(\"x\") }}\n"),
            ("crates/web/src/me.rs", "page.t(\"lost\", 1);\nlet a = t(\"state-\");\nassert(\"no\");\n"),
        ]);
        assert_eq!(whats(&missing_keys(&tree)), [(2, "there is no text `gone`"), (1, "there is no text `lost`")]);
    }
}
