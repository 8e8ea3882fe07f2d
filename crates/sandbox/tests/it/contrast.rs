//! The colours of the style sheet, measured as WCAG 2 measures contrast.

use std::collections::BTreeMap;

const CSS: &str = include_str!("../../assets/sandbox.css");

/// Text or mark, its ground, and the least ratio in hundredths: 450 for text, 300 for edges and the focus ring.
const PAIRS: [(&str, &str, u32); 15] = [
    ("text", "page", 450),
    ("text", "card", 450),
    ("soft", "page", 450),
    ("soft", "card", 450),
    ("on-primary", "primary", 450),
    ("on-banner", "banner", 450),
    ("link", "page", 450),
    ("link", "card", 450),
    ("edge", "page", 300),
    ("edge", "card", 300),
    ("primary", "card", 300),
    ("primary", "page", 300),
    ("focus", "page", 300),
    ("focus", "card", 300),
    ("focus", "banner", 300),
];

#[test]
fn every_pair_of_colours_can_be_read_in_light_and_dark() {
    let blocks: Vec<BTreeMap<&str, &str>> = CSS.split(":root {").skip(1).map(colours).collect();
    let [light, dark, _print] = blocks.as_slice() else { panic!("expected light, dark and print: {}", blocks.len()) };
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for (theme, colours) in [("light", light), ("dark", dark)] {
        for (mark, ground, least) in PAIRS {
            let ratio = ratio_in_hundredths(colours[mark], colours[ground]);
            assert!(ratio >= least, "{theme}: {mark} on {ground} is {ratio}/100, needed {least}/100");
        }
    }
}

#[test]
fn the_measure_agrees_with_known_ratios() {
    assert_eq!(ratio_in_hundredths("#000000", "#ffffff"), 2100);
    assert_eq!(ratio_in_hundredths("#ffffff", "#07c160"), 238);
    assert_eq!(ratio_in_hundredths("#ffffff", "#047a3d"), 545);
}

fn colours(block: &str) -> BTreeMap<&str, &str> {
    let inside = block.split('}').next().unwrap_or_default();
    let pairs = inside.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": "));
    pairs.collect()
}

#[expect(clippy::float_arithmetic, reason = "a colour measure, no money")]
fn ratio_in_hundredths(one: &str, other: &str) -> u32 {
    let (one, other) = (luminance(one), luminance(other));
    let ratio = (one.max(other) + 0.05) / (one.min(other) + 0.05);
    (ratio * 100.0).round() as u32
}

#[expect(clippy::float_arithmetic, reason = "a colour measure, no money")]
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("hex")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}
