//! Sizes of files and functions, and words that have no place in the sources.

use super::Finding;
use super::source::{Source, word};
use super::tree::{File, Tree};

/// Longest file of code.
const FILE_LINES: usize = 700;
/// Longest function.
const FUNCTION_LINES: usize = 70;
/// Longest flat `decide`.
const DECIDE_LINES: usize = 120;
/// Kinds of files that people read as code.
const CODE: [&str; 5] = ["rs", "py", "js", "css", "html"];
/// Crates in which a float would be money sooner or later.
const NO_FLOATS: [&str; 7] = ["ledger", "rules", "card", "pay", "store", "teller", "flows"];

/// Words of Rust code, and what to write instead. Comments and strings do not count.
const WORDS: [(&str, &str); 5] = [
    ("#[ignore", "mend the test or delete it; a test that does not run proves nothing"),
    ("thread::sleep", "wait for the event: a channel, a condition, a clock that the test moves"),
    ("todo!", "write it, or leave the door out until it is written"),
    ("unimplemented!", "write it, or leave the door out until it is written"),
    ("dbg!", "use tracing with fields, or an assertion"),
];

/// Words of the browser tests.
const BROWSER_WORDS: [&str; 2] = ["time.sleep(", "wait_for_timeout("];

/// No file of code over 700 lines.
pub fn file_lengths(tree: &Tree) -> Vec<Finding> {
    let code = tree.files.iter().filter(|file| CODE.iter().any(|extension| file.is(extension)));
    code.filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > FILE_LINES).then(|| {
            let what = format!("{lines} lines, {FILE_LINES} at most");
            Finding::new(&file.path, FILE_LINES + 1, what, "split it by subject into modules of 150 to 450 lines")
        })
    })
    .collect()
}

/// No function over 70 lines, `decide` functions over 120, from `fn` to the closing brace.
pub fn function_lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("rs") {
        for function in Source::new(&file.text).functions() {
            let lines = function.last - function.first + 1;
            let limit = if function.name.starts_with("decide") { DECIDE_LINES } else { FUNCTION_LINES };
            if lines > limit {
                let what = format!("`{}` has {lines} lines, {limit} at most", function.name);
                let instead = "give each step a name and a function of its own";
                findings.push(Finding::new(&file.path, function.first, what, instead));
            }
        }
    }
    findings
}

/// No switched-off test, no waiting by the clock, nothing left for later.
pub fn banned_words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("rs") {
        let code = Source::new(&file.text).code;
        for (line, text) in (1..).zip(code.lines()) {
            for (banned, instead) in WORDS {
                if has_word(text, banned) {
                    findings.push(Finding::new(&file.path, line, format!("`{banned}`"), instead));
                }
            }
            if in_tests(file) && has_word(text, "sleep(") {
                let instead = "wait for the event, or move the test's clock";
                findings.push(Finding::new(&file.path, line, "a test sleeps", instead));
            }
        }
    }
    // An example of a client waits for a server that it has not in its hands.
    for file in tree.with_extension("py").filter(|file| !file.path.starts_with("docs/clients/")) {
        for (line, text) in file.lines() {
            if let Some(banned) = BROWSER_WORDS.iter().find(|banned| text.contains(**banned)) {
                let instead = "wait for a state that the page shows";
                findings.push(Finding::new(&file.path, line, format!("`{banned}`"), instead));
            }
        }
    }
    findings
}

/// No `f32` or `f64` where money is.
pub fn floats(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("rs") {
        if !file.crate_name().is_some_and(|name| NO_FLOATS.contains(&name)) {
            continue;
        }
        for (line, text) in (1..).zip(Source::new(&file.text).code.lines()) {
            if text.split(|c| !word(c)).any(float) {
                let instead = "`Fen` for money, integers with their unit in the name for the rest";
                findings.push(Finding::new(&file.path, line, "a float", instead));
            }
        }
    }
    findings
}

/// The type's name, or a literal that ends in it.
fn float(token: &str) -> bool {
    let literal = token.starts_with(|c: char| c.is_ascii_digit()) && !token.starts_with("0x");
    ["f32", "f64"].iter().any(|name| token == *name || literal && token.ends_with(name))
}

fn in_tests(file: &File) -> bool {
    file.path.contains("/tests/") || file.name() == "tests.rs"
}

/// Whether `text` holds `wanted`, not as a part of a longer word.
pub fn has_word(text: &str, wanted: &str) -> bool {
    let edge = |c: Option<char>, own: Option<char>| !(c.is_some_and(word) && own.is_some_and(word));
    text.match_indices(wanted).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + wanted.len()..].chars().next();
        edge(before, wanted.chars().next()) && edge(after, wanted.chars().next_back())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn banned_words_count_in_code_and_not_in_comments_or_strings() {
        let text = "\
// todo!() in a comment
let s = \"thread::sleep\";
std::thread::sleep(x);
#[ignore = \"slow\"]
todo!();
my_todo!();
// dbg!(x)
dbg!(x);
";
        let tree = Tree::of(&[("crates/web/src/lib.rs", text)]);
        assert_eq!(lines(&banned_words(&tree)), [3, 4, 5, 8]);
    }

    #[test]
    fn tests_may_not_sleep_in_any_way() {
        let text = "tokio::time::sleep(x).await;\nno_sleep(x);\n";
        let tests = Tree::of(&[("crates/web/tests/it/main.rs", text), ("tests/browser/story.py", "time.sleep(1)\n")]);
        assert_eq!(lines(&banned_words(&tests)), [1, 1]);
        let product = Tree::of(&[("crates/web/src/lib.rs", text)]);
        assert!(banned_words(&product).is_empty(), "a server may wait for a while");
    }

    #[test]
    fn floats_are_found_as_words_where_money_is() {
        let text = "fn a(x: f64) {}\nlet crc_f32x = 1; // f32\nlet y = 1_f32;\nlet z = 0xf32;\n";
        let found = |path: &str| lines(&floats(&Tree::of(&[(path, text)])));
        assert_eq!(found("crates/ledger/src/lib.rs"), [1, 3]);
        assert_eq!(found("crates/store/tests/it/main.rs"), [1, 3]);
        assert_eq!(found("crates/report/src/lib.rs"), []);
    }

    #[test]
    fn lengths_hold_to_the_last_line() {
        let function = |name: &str, lines: usize| format!("fn {name}() {{\n{}}}\n", "    x();\n".repeat(lines - 2));
        let found = |text: &str| lines(&function_lengths(&Tree::of(&[("crates/web/src/lib.rs", text)])));
        assert_eq!(found(&function("f", 70)), []);
        assert_eq!(found(&format!("// head\n{}", function("f", 71))), [2]);
        assert_eq!(found(&function("decide", 120)), []);
        assert_eq!(found(&function("decide_paid", 121)), [1]);
        let file = |lines: usize| {
            Tree::of(&[("crates/web/src/lib.rs", &"\n".repeat(lines)), ("docs/a.md", &"\n".repeat(900))])
        };
        assert!(file_lengths(&file(700)).is_empty());
        assert_eq!(lines(&file_lengths(&file(701))), [701]);
    }
}
