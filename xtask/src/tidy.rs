//! `cargo xtask tidy`: taste that a program can check. Every finding says where, what, and what to do instead.

mod code;
mod crates;
mod locked;
mod parts;
mod requirements;
mod source;
mod texts;
mod tree;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use tree::Tree;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the repository.
    path: String,
    /// From 1; 1 when the whole file is meant.
    line: usize,
    what: String,
    instead: &'static str,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, instead: &'static str) -> Finding {
        Finding { path: path.to_owned(), line, what: what.into(), instead }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}\n    instead: {}", self.path, self.line, self.what, self.instead)
    }
}

/// A check: its name and what it does.
type Check = (&'static str, fn(&Tree) -> Vec<Finding>);

const CHECKS: &[Check] = &[
    ("imports between crates", crates::imports),
    ("dependencies of the pure crates", crates::pure_dependencies),
    ("direct dependencies", crates::direct_dependencies),
    ("lints of every crate", crates::lints),
    ("deny list of the pure crates", crates::deny_lists),
    ("one clippy.toml", crates::one_clippy_toml),
    ("names of crates and modules", crates::names),
    ("one test binary a crate", crates::test_binaries),
    ("length of files", code::file_lengths),
    ("length of functions", code::function_lengths),
    ("banned words", code::banned_words),
    ("no floats near money", code::floats),
    ("locked dependencies", locked::packages),
    ("no foreign files", locked::foreign_files),
    ("escaping in templates", texts::escaping),
    ("no Chinese outside the language files", texts::han_in_templates),
    ("languages are complete", texts::languages),
    ("no text unused", texts::unused_keys),
    ("no text missing", texts::missing_keys),
    ("parts of the test run", parts::present),
    ("requirements are listed", requirements::listed),
    ("done requirements are tested", requirements::tested),
];

/// Runs all checks, prints the findings, and fails if there are any.
pub fn main(root: &Path) -> ExitCode {
    match check(root) {
        Ok(count) => {
            println!("tidy: {count} checks, nothing found");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all checks: how many there were, or the findings as text.
pub fn check(root: &Path) -> Result<usize, String> {
    let tree = Tree::read(root)?;
    let mut text = String::new();
    let mut count = 0_usize;
    for (name, check) in CHECKS {
        let mut findings = check(&tree);
        findings.sort();
        findings.dedup();
        count += findings.len();
        for finding in findings {
            text.push_str(&format!("[{name}] {finding}\n"));
        }
    }
    if count == 0 { Ok(CHECKS.len()) } else { Err(format!("{text}tidy: {count} findings")) }
}
