//! `cargo xtask openapi`: writes the description of the interface for programs, as the code has it.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Where it is checked in.
const PLACE: &str = "docs/openapi.json";

/// Writes the document anew.
pub fn main(root: &Path) -> ExitCode {
    match write(root) {
        Ok(()) => {
            println!("{PLACE} is what the code says");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn write(root: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--locked", "-p", "web", "--example", "openapi"]).current_dir(root);
    let made = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    std::fs::write(root.join(PLACE), made.stdout).map_err(|error| format!("cannot write {PLACE}: {error}"))
}
