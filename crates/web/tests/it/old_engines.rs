//! Style sheet, script and templates keep to what the oldest engines know that we promise to serve: Chromium 86 and iOS 14.
//! A browser drops what it does not understand without a word, so it is read here as strictly as no browser does.

use std::fs;
use std::path::Path;

const CSS: &str = include_str!("../../assets/app.css");
const JS: &str = include_str!("../../assets/app.js");

/// Properties that both engines know. A new one belongs here once it was looked up for both.
const PROPERTIES: &[&str] = &[
    "-webkit-text-size-adjust",
    "align-items",
    "align-self",
    "background",
    "background-color",
    "background-image",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-spacing",
    "border-top",
    "border-width",
    "bottom",
    "box-shadow",
    "box-sizing",
    "break-after",
    "break-before",
    "break-inside",
    "clear",
    "clip",
    "color",
    "column-gap",
    "content",
    "counter-increment",
    "counter-reset",
    "cursor",
    "display",
    "fill",
    "flex",
    "flex-direction",
    "flex-wrap",
    "float",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-variant-numeric",
    "font-weight",
    "gap",
    "grid-column",
    "grid-column-gap",
    "grid-row",
    "grid-template-columns",
    "grid-template-rows",
    "height",
    "justify-content",
    "left",
    "letter-spacing",
    "line-height",
    "list-style",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-height",
    "max-width",
    "min-height",
    "min-width",
    "opacity",
    "outline",
    "outline-offset",
    "overflow",
    "overflow-wrap",
    "overflow-x",
    "padding",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "page-break-after",
    "page-break-before",
    "page-break-inside",
    "position",
    "right",
    "scroll-padding-bottom",
    "stroke",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-width",
    "table-layout",
    "text-align",
    "text-anchor",
    "text-decoration",
    "text-size-adjust",
    "text-transform",
    "top",
    "transition",
    "vector-effect",
    "vertical-align",
    "visibility",
    "white-space",
    "width",
    "word-break",
    "z-index",
];
/// Properties that merely do nothing in an engine that does not know them.
const HARMLESS: &[&str] = &["accent-color", "user-select"];
/// Functions of values.
const FUNCTIONS: &[&str] = &[
    "attr",
    "calc",
    "counter",
    "env",
    "max",
    "min",
    "minmax",
    "radial-gradient",
    "rect",
    "repeat",
    "rgba",
    "url",
    "var",
];
/// Pseudo-classes and pseudo-elements. `:focus-visible` must stand alone: iOS 14 drops the whole rule, and draws its own ring.
const PSEUDO: &[&str] = &[
    ":active",
    ":after",
    ":before",
    ":checked",
    ":disabled",
    ":empty",
    ":first-child",
    ":focus",
    ":focus-visible",
    ":hover",
    ":last-child",
    ":not",
    ":nth-child",
    ":root",
];
/// Queries of `@media`.
const MEDIA: &[&str] =
    &["max-height", "max-width", "min-height", "min-width", "prefers-color-scheme", "prefers-reduced-motion"];

/// Words of scripts that one of the engines does not know, or that the web view inside WeChat does not allow.
const NOT_IN_SCRIPTS: &[&str] = &[
    "??=",
    "||=",
    "&&=",
    ".at(",
    ".findLast",
    ".flat(",
    ".hasOwn",
    ".replaceAll",
    ".replaceChildren",
    ".showModal",
    ".toSorted",
    "AbortSignal.timeout",
    "BroadcastChannel",
    "ResizeObserver",
    "WeakRef",
    "alert(",
    "await ",
    "class ",
    "clipboard",
    "confirm(",
    "dialog",
    "eval(",
    "import",
    "prompt(",
    "pushState",
    "randomUUID",
    "replaceState",
    "requestIdleCallback",
    "serviceWorker",
    "structuredClone",
    "window.open",
    "http:",
    "https:",
];
/// Parts of templates: too new, or against our own policy that lets no script, style or handler stand in a page.
const NOT_IN_TEMPLATES: &[&str] = &[
    "<dialog",
    "<style",
    " style=",
    " popover",
    " inert",
    " onclick=",
    " onload=",
    " onchange=",
    " onsubmit=",
    "javascript:",
    "<script>",
    "src=\"http",
    "enterkeyhint",
    "<iframe",
    "<svg style",
];

/// A file that is saved and opened without a server brings its own style sheet.
const SAVED: &str = "guide_file.html";

/// One rule: its selectors and its declarations.
struct Rule {
    selectors: String,
    declarations: Vec<(String, String)>,
}

/// Takes a style sheet apart; panics where a browser would silently skip something.
fn rules(css: &str) -> Vec<Rule> {
    let mut found = Vec::new();
    let mut rest = css;
    while let Some((head, after)) = rest.split_once('{') {
        let head = head.trim();
        let end = closing(after).unwrap_or_else(|| panic!("{head} has no end"));
        let (body, next) = (&after[..end], &after[end + 1..]);
        if head == "@page" {
            // Boxes in the margins of paper; who does not know them prints without.
            let (own, boxes) = body.split_once('@').unwrap_or((body, ""));
            declarations(head, own);
            assert!(boxes.is_empty() || boxes.trim_end().ends_with('}'), "{head}: {boxes}");
        } else if head.starts_with("@media") {
            media(head);
            found.extend(rules(body));
        } else {
            assert!(!head.starts_with('@') && !head.is_empty(), "{head:?} is no rule of old engines");
            assert!(!body.contains('{'), "{head}: rules within rules are too new");
            found.push(Rule { selectors: head.to_owned(), declarations: declarations(head, body) });
        }
        rest = next;
    }
    assert_eq!(rest.trim(), "", "what is left over");
    found
}

/// Where the brace that is open ends.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_u32;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn media(head: &str) {
    for query in head.split('(').skip(1) {
        let name = query.split([':', ')']).next().unwrap_or_default();
        assert!(MEDIA.contains(&name), "{head}: {name} is not known to old engines");
    }
}

fn declarations(selectors: &str, body: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in body.split(';').map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{selectors}: {line:?} says nothing"));
        let (name, value) = (name.trim(), value.trim());
        let twice = found.iter().any(|(before, _)| before == name);
        assert!(!twice, "{selectors}: {name} twice in one rule");
        let known = name.starts_with("--") || PROPERTIES.contains(&name) || HARMLESS.contains(&name);
        assert!(known, "{selectors}: {name} is not in the list");
        assert!(!value.is_empty() && balanced(value), "{selectors}: {name}: {value}");
        functions(selectors, value);
        // `font: 600 17px/1 inherit` is dropped as a whole.
        let alone = !["inherit", "initial", "unset"].iter().any(|word| {
            let parts: Vec<&str> = value.split([' ', ',', '/']).collect();
            parts.len() > 1 && parts.contains(word)
        });
        assert!(alone, "{selectors}: {name}: {value} mixes a word that must stand alone");
        found.push((name.to_owned(), value.to_owned()));
    }
    found
}

fn balanced(value: &str) -> bool {
    value.matches('(').count() == value.matches(')').count() && value.matches('"').count().is_multiple_of(2)
}

fn functions(selectors: &str, value: &str) {
    let parts: Vec<&str> = value.split('(').collect();
    for before in &parts[..parts.len() - 1] {
        let name: String =
            before.chars().rev().take_while(|letter| letter.is_ascii_lowercase() || *letter == '-').collect();
        let name: String = name.chars().rev().collect();
        assert!(name.is_empty() || FUNCTIONS.contains(&name.as_str()), "{selectors}: {name}() in {value}");
    }
}

/// Pseudo-classes of a selector, with one colon each.
fn pseudo(selectors: &str) -> Vec<String> {
    let plain = selectors.replace("::", ":");
    let names = plain.split(':').skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-').unwrap_or(rest.len());
        format!(":{}", &rest[..end])
    });
    names.collect()
}

fn without_comments(css: &str) -> String {
    let mut parts = css.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once("*/").expect("a comment ends").1)
}

#[test]
fn the_style_sheet_parses_and_old_engines_know_all_of_it() {
    let rules = rules(&without_comments(CSS));
    assert!(rules.len() > 100, "only {} rules", rules.len());
    for rule in &rules {
        for name in pseudo(&rule.selectors) {
            assert!(PSEUDO.contains(&name.as_str()), "{}: {name} is too new", rule.selectors);
        }
        let ring = rule.selectors.contains(":focus-visible") && rule.selectors.contains(',');
        assert!(!ring, "{}: an old engine would drop all of it", rule.selectors);
        assert!(!rule.selectors.contains('&'), "{}: nesting is too new", rule.selectors);
        let has = |wanted: &str| rule.declarations.iter().any(|(name, _)| name == wanted);
        let grid = rule.declarations.iter().any(|(name, value)| name == "display" && value == "grid");
        assert!(grid || !(has("gap") || has("column-gap")), "{}: iOS 14 knows gaps in grids alone", rule.selectors);
    }
}

#[test]
fn what_a_browser_would_drop_in_silence_is_found() {
    let wrong = [
        "a { font: 600 17px/1 inherit }",
        "a { colour: red }",
        "a { color }",
        "a { color: }",
        "a { inset: 0 }",
        "a { width: clamp(1px, 2px, 3px) }",
        "a { b { color: red } }",
        "@container (min-width: 1px) { a { color: red } }",
        "@media (width >= 1px) { a { color: red } }",
        "a { color: red; color: blue }",
        "a { width: calc(1px + 2px }",
        "a { color: red",
        "a { color: red } }",
    ];
    for css in wrong {
        assert!(std::panic::catch_unwind(|| rules(css)).is_err(), "{css} went through");
    }
    assert_eq!(rules("a, b:hover { color: red; } @media (min-width: 1px) { c { top: 0 } }").len(), 2);
}

#[test]
fn the_script_and_the_templates_use_nothing_newer_either() {
    for word in NOT_IN_SCRIPTS {
        assert!(!JS.contains(word), "app.js: {word}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut read = 0;
    for file in fs::read_dir(folder).expect("a folder of templates") {
        let path = file.expect("a file").path();
        if path.ends_with(SAVED) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        for word in NOT_IN_TEMPLATES {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        read += 1;
    }
    assert!(read > 10, "only {read} templates");
}
