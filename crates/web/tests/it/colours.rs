//! Every pair of colours that meets on a page can be read: 4.5:1 for text, 3:1 for borders and large marks.

use std::collections::{BTreeMap, BTreeSet};

const CSS: &str = include_str!("../../assets/app.css");

/// Contrast in thousandths that a pair must have.
const TEXT: u64 = 4_500;
const MARK: u64 = 3_000;

/// Foreground, background, contrast.
const PAIRS: [(&str, &str, u64); 32] = [
    ("ink", "page", TEXT),
    ("ink", "card", TEXT),
    ("ink", "off-tint", TEXT),
    ("soft", "page", TEXT),
    ("soft", "card", TEXT),
    ("link", "page", TEXT),
    ("link", "card", TEXT),
    ("link", "tint", TEXT),
    ("on-brand", "brand", TEXT),
    ("on-brand", "brand-press", TEXT),
    ("danger", "danger-tint", TEXT),
    ("danger", "card", TEXT),
    ("warn", "warn-tint", TEXT),
    ("warn", "card", TEXT),
    ("info", "info-tint", TEXT),
    ("info", "card", TEXT),
    ("off", "off-tint", MARK),
    ("face-ink", "face-from", TEXT),
    ("face-ink", "face-to", TEXT),
    ("face-ink", "face-light", TEXT),
    ("face-soft", "face-from", TEXT),
    ("face-soft", "face-to", TEXT),
    ("face-soft", "face-light", TEXT),
    ("face-ink", "face-off", TEXT),
    ("face-soft", "face-off", TEXT),
    ("card", "danger", TEXT),
    ("edge", "page", MARK),
    ("edge", "card", MARK),
    ("brand", "page", MARK),
    ("brand", "card", MARK),
    ("focus", "page", MARK),
    ("focus", "card", MARK),
];

/// Tokens that are no reader's affair: thin lines between rows that are told apart by space too.
const DECORATION: [&str; 1] = ["line"];

/// The blocks of tokens: light, dark by the system, dark by choice.
fn blocks() -> Vec<BTreeMap<&'static str, u32>> {
    let mut blocks = Vec::new();
    for rest in CSS.split(":root").skip(1) {
        let body = rest.split_once('{').expect("a block").1.split_once('}').expect("an end").0;
        let tokens = body.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
        blocks.push(tokens.map(|(name, value)| (name.trim(), colour(value.trim()))).collect());
    }
    blocks
}

/// `#rgb` or `#rrggbb` as a number.
fn colour(text: &str) -> u32 {
    let digits = text.strip_prefix('#').unwrap_or_else(|| panic!("{text} is no colour"));
    let long: String = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        6 => digits.to_owned(),
        _ => panic!("{text} is no colour"),
    };
    u32::from_str_radix(&long, 16).unwrap_or_else(|_| panic!("{text} is no colour"))
}

/// Relative luminance in millionths. Source: WCAG 2.2, relative luminance.
#[expect(clippy::float_arithmetic, reason = "the definition is a power of 2.4; no money here")]
fn luminance(colour: u32) -> u64 {
    let part = |shift: u32| {
        let share = f64::from((colour >> shift) & 0xFF) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    let sum = 0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0);
    (sum * 1_000_000.0) as u64
}

/// Contrast in thousandths. Source: WCAG 2.2, contrast ratio.
fn contrast(one: u32, other: u32) -> u64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 50_000) * 1_000 / (one.min(other) + 50_000)
}

#[test]
fn the_measure_agrees_with_known_contrasts() {
    for (one, other, thousandths) in [
        ("#fff", "#000", 21_000),
        ("#fff", "#07c160", 2_380),
        ("#fff", "#047a3d", 5_450),
        ("#04150b", "#07c160", 7_880),
    ] {
        let found = contrast(colour(one), colour(other));
        assert!(found.abs_diff(thousandths) <= 10, "{one} on {other}: {found}");
    }
}

#[test]
fn every_pair_of_every_look_can_be_read() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 3, "light, dark by the system, dark by choice");
    assert_eq!(blocks[1], blocks[2], "dark is dark, however it was chosen");
    for (block, look) in blocks.iter().zip(["light", "dark", "dark by choice"]) {
        for (front, back, least) in PAIRS {
            let found = contrast(block[front], block[back]);
            assert!(found >= least, "{look}: {front} on {back} has {found}, {least} is needed");
        }
    }
}

#[test]
fn no_colour_escapes_the_measure() {
    let tokens: BTreeSet<&str> = blocks()[0].keys().copied().collect();
    let measured: BTreeSet<&str> =
        PAIRS.iter().flat_map(|(front, back, _)| [*front, *back]).chain(DECORATION).collect();
    assert_eq!(tokens, measured);
    let rules = CSS.rsplit_once("* { box-sizing").expect("the rules follow the tokens").1;
    for line in rules.lines().filter(|line| line.contains('#')) {
        assert!(line.contains("background: #fff; color: #000"), "a colour outside the tokens: {line}");
    }
    let used: BTreeSet<&str> = rules.split("var(--").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert_eq!(used, tokens, "every token is used, and only tokens");
}
