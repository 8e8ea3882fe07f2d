//! `docs/requirements.md`: every number is listed, and what is marked done is named by a test.
//!
//! A row is `| R19 | done | short note |`; the state is `open`, `part` or `done`. A test names a number in its own name
//! (`r19_amounts_are_checked`), or in a comment above or inside it (`// R19`); a browser journey names it in a comment.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::source::{Source, word};
use super::tree::Tree;

const LIST: &str = "docs/requirements.md";
/// How many requirements (R) and money rules (M) there are.
const NUMBERS: [(char, u32); 2] = [('R', 95), ('M', 32)];
const STATES: [&str; 3] = ["open", "part", "done"];

/// A row of the list.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    line: usize,
    number: &'a str,
    state: &'a str,
}

fn rows(tree: &Tree) -> Vec<Row<'_>> {
    let Some(file) = tree.file(LIST) else { return Vec::new() };
    file.lines()
        .filter_map(|(line, text)| {
            let cells: Vec<&str> = text.trim().strip_prefix('|')?.split('|').map(str::trim).collect();
            let [number, state, ..] = cells.as_slice() else { return None };
            let named = number.starts_with(['R', 'M']) && number[1..].starts_with(|c: char| c.is_ascii_digit());
            named.then_some(Row { line, number, state })
        })
        .collect()
}

/// Every number stands in the list once, with a state.
pub fn listed(tree: &Tree) -> Vec<Finding> {
    let rows = rows(tree);
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let wanted: BTreeSet<String> =
        NUMBERS.into_iter().flat_map(|(letter, last)| (1..=last).map(move |n| format!("{letter}{n}"))).collect();
    for row in &rows {
        if !wanted.contains(row.number) {
            let what = format!("there is no {}", row.number);
            findings.push(Finding::new(LIST, row.line, what, "R1 to R95 and M1 to M32"));
        }
        if !STATES.contains(&row.state) {
            let what = format!("{} is `{}`", row.number, row.state);
            findings.push(Finding::new(LIST, row.line, what, "`open`, `part` or `done`"));
        }
        if seen.insert(row.number, row.line).is_some() {
            findings.push(Finding::new(LIST, row.line, format!("{} stands twice", row.number), "one row a number"));
        }
    }
    for number in wanted.iter().filter(|number| !seen.contains_key(number.as_str())) {
        let instead = "add a row `| R19 | open | short note |`";
        findings.push(Finding::new(LIST, 1, format!("{number} is not listed"), instead));
    }
    findings
}

/// Every number marked done is named by a test.
pub fn tested(tree: &Tree) -> Vec<Finding> {
    let named = named_by_tests(tree);
    rows(tree)
        .into_iter()
        .filter(|row| row.state == "done" && !named.contains(&row.number.to_lowercase()))
        .map(|row| {
            let what = format!("{} is marked done and no test names it", row.number);
            let instead = "name the number in the test that shows it (in its name or a comment), or mark it open";
            Finding::new(LIST, row.line, what, instead)
        })
        .collect()
}

/// Numbers in the names and comments of tests, in small letters.
fn named_by_tests(tree: &Tree) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for file in tree.with_extension("rs") {
        let source = Source::new(&file.text);
        let (code, comments): (Vec<&str>, Vec<&str>) =
            (source.code.lines().collect(), source.comments.lines().collect());
        for function in source.functions() {
            let head = code[function.head - 1..function.first].join(" ");
            if !head.contains("#[test]") && !head.contains("::test]") && !head.contains("::test(") {
                continue;
            }
            named.extend(function.name.split('_').map(str::to_lowercase).filter(|token| number(token)));
            for line in &comments[function.head - 1..function.last] {
                named.extend(line.split(|c| !word(c)).map(str::to_lowercase).filter(|token| number(token)));
            }
        }
    }
    for file in tree.with_extension("py").filter(|file| file.path.starts_with("tests/browser/")) {
        for (_, text) in file.lines() {
            let comment = text.split_once('#').map_or("", |(_, comment)| comment);
            named.extend(comment.split(|c| !word(c)).map(str::to_lowercase).filter(|token| number(token)));
        }
    }
    named
}

fn number(token: &str) -> bool {
    token
        .strip_prefix(['r', 'm'])
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(findings: &[Finding]) -> Vec<(usize, &str)> {
        findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect()
    }

    #[test]
    fn every_number_is_listed_once_with_a_state() {
        let mut text = "| number | state | title |\n|---|---|---|\n".to_owned();
        for (letter, last) in NUMBERS {
            for n in (1..=last).filter(|n| *n != 7) {
                text.push_str(&format!("| {letter}{n} | open | x |\n"));
            }
        }
        let missing = listed(&Tree::of(&[(LIST, &text)]));
        assert_eq!(whats(&missing), [(1, "M7 is not listed"), (1, "R7 is not listed")]);
        text.push_str("| R7 | done | x |\n| M7 | finished | x |\n| R7 | open | x |\n| R96 | open | x |\n");
        let wrong = listed(&Tree::of(&[(LIST, &text)]));
        let lines: Vec<&str> = whats(&wrong).into_iter().map(|(_, what)| what).collect();
        assert_eq!(lines, ["M7 is `finished`", "R7 stands twice", "there is no R96"]);
        assert_eq!(listed(&Tree::of(&[])).len(), 127, "no list at all");
    }

    #[test]
    fn a_number_marked_done_needs_a_test_that_names_it() {
        let list = "| R1 | done | x |\n| R2 | done | x |\n| R3 | done | x |\n| R4 | open | x |\n| M17 | done | x |\n\
            | R5 | done | x |\n| R6 | done | x |\n| R7 | done | x |\n";
        let rust = "\
#[test]
fn r1_one_account_a_person() {}

/// Source: R2.
#[tokio::test]
async fn jobs() { let r5 = 1; }

#[test]
fn inside() {
    // M17: the tombstone
    let text = \"R6\";
}

fn r3_is_no_test() {}
";
        let tree = Tree::of(&[
            (LIST, list),
            ("crates/flows/tests/it/main.rs", rust),
            ("tests/browser/story.py", "def story():\n    pass  # R7: 360 px\n"),
        ]);
        let wanted = ["R3", "R5", "R6"].map(|number| format!("{number} is marked done and no test names it"));
        let found: Vec<String> = tested(&tree).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found, wanted);
    }
}
