//! Checks and tasks of the repository: `cargo xtask tidy`, `cargo xtask test`, `cargo xtask openapi`,
//! `cargo xtask power-cut`, `cargo xtask readers`.
//!
//! Only the standard library is used, so that this builds in seconds before anything else does.

mod openapi;
mod power_cut;
mod readers;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use test::Choice;

const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  tidy            Check what taste asks and a program can see: imports between crates, sizes, names, texts, requirements
  test [--quick | --only STEP]
                  Run everything from a clean checkout, installing what is missing; --quick runs tidy, fmt, clippy and
                  the cargo tests alone, --only a single step by its name in the table
  openapi         Write docs/openapi.json, the description of the interface for programs, as the code has it
  power-cut [--rounds N] [--fs xfs|ext4]
                  Cut the power under load, on a file system in a file (20 rounds on XFS unless told otherwise); then
                  let the disk fail and fill up. Needs root and loop devices; nothing stays mounted, also after Ctrl-C
  readers [--count N] -- COMMAND ...
                  Run a command beside N virtual card readers (2 unless told otherwise, 16 at most), named with their
                  ports in CARD_READERS. Needs root, pcscd and vsmartcard-vpcd; nothing of it stays
  help            Print this text

Exit codes: 0 all good, 1 something failed and was named, 2 wrong usage
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    match words.as_slice() {
        ["tidy"] => tidy::main(&root),
        ["test"] => test::main(&root, Choice::All),
        ["test", "--quick"] => test::main(&root, Choice::Quick),
        ["test", "--only", step] if Choice::Only(step).any() => test::main(&root, Choice::Only(step)),
        ["openapi"] => openapi::main(&root),
        ["power-cut", options @ ..] => match power_cut::Wish::read(options) {
            Some(wish) => power_cut::main(&root, wish),
            None => wrong_usage(),
        },
        ["readers", options @ ..] => match readers::Wish::read(options) {
            Some(wish) => readers::main(&root, &wish),
            None => wrong_usage(),
        },
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => wrong_usage(),
    }
}

fn wrong_usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}

/// The repository: the folder above this crate.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}
