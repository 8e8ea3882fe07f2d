//! Every text is there in both languages, and every refusal has words for its reader.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use web::Language;

/// Key and variables of every text of a language.
fn texts(language: Language) -> Vec<(String, BTreeSet<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("i18n").join(language.tag());
    let mut all = Vec::new();
    for file in fs::read_dir(folder).expect("a folder of texts") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("UTF-8");
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) = line.split_once(" = ").expect("one text a line");
            let variables = value.split("{ $").skip(1).filter_map(|rest| Some(rest.split_once(" }")?.0.to_owned()));
            all.push((key.to_owned(), variables.collect()));
        }
    }
    all.sort();
    all
}

#[test]
fn both_languages_have_the_same_texts_with_the_same_variables() {
    let (chinese, english) = (texts(Language::Chinese), texts(Language::English));
    assert_eq!(chinese, english);
    assert!(chinese.len() > 150, "only {} texts", chinese.len());
}

#[test]
fn every_text_is_found_and_says_what_it_is_given() {
    for language in [Language::Chinese, Language::English] {
        for (key, variables) in texts(language) {
            let text = variables.iter().fold(language.t(key.clone()), |text, name| {
                text.with(Box::leak(name.clone().into_boxed_str()), format!("<{name}>"))
            });
            let text = text.to_string();
            assert_ne!(text, key, "{language:?}");
            assert!(!text.contains(['{', '}', '\u{2068}']), "{key}: {text}");
            for name in variables {
                assert!(text.contains(&format!("<{name}>")), "{key}: {text}");
            }
            let chinese = text.chars().any(|letter| ('\u{4e00}'..'\u{9fff}').contains(&letter));
            let named_otherwise = ["frame-other-language"].contains(&key.as_str());
            assert_eq!(chinese, (language == Language::Chinese) != named_otherwise, "{key}: {text}");
        }
    }
}
