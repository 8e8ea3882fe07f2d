//! `cargo xtask test`: everything that shows that the product works, from a clean checkout, in one command.

mod counts;
mod install;
mod run;
mod steps;
mod trees;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use counts::{Counts, summary};
use run::Stopwatch;
use steps::{STEPS, Step, Work};

/// Where things are.
struct Places {
    /// The repository.
    root: PathBuf,
    /// Cargo's build folder: this program runs from `<target>/debug/xtask`.
    target: PathBuf,
}

impl Places {
    fn of(root: &Path) -> Places {
        let own = std::env::current_exe().ok();
        let target = own.as_deref().and_then(Path::parent).and_then(Path::parent).map(PathBuf::from);
        Places { root: root.to_owned(), target: target.unwrap_or_else(|| root.join("target")) }
    }

    /// Where the browser tests keep their interpreter and their script; nothing of it is committed.
    fn browser(&self) -> PathBuf {
        self.target.join("browser")
    }

    fn python(&self) -> PathBuf {
        self.browser().join("venv/bin/python")
    }

    fn axe(&self) -> PathBuf {
        self.browser().join("node_modules/axe-core/axe.min.js")
    }

    fn binary(&self) -> PathBuf {
        self.target.join("release/onecard")
    }
}

/// Which steps are run.
#[derive(Clone, Copy)]
pub enum Choice<'a> {
    /// All.
    All,
    /// Those that need nothing installed and no release build.
    Quick,
    /// The one of this name.
    Only(&'a str),
}

impl Choice<'_> {
    fn takes(self, step: &Step) -> bool {
        match self {
            Choice::All => true,
            Choice::Quick => step.quick,
            Choice::Only(name) => step.name == name,
        }
    }

    /// Whether there is such a step.
    pub fn any(self) -> bool {
        STEPS.iter().any(|step| self.takes(step))
    }
}

/// What became of a step.
struct Row {
    name: &'static str,
    counts: Option<Counts>,
    seconds: u64,
}

/// Runs the steps in their order and stops at the first that fails. The last line is `N passed, M failed`.
pub fn main(root: &Path, choice: Choice<'_>) -> ExitCode {
    let places = Places::of(root);
    let steps: Vec<&Step> = STEPS.iter().filter(|step| choice.takes(step)).collect();
    let mut rows: Vec<Row> = Vec::new();
    let mut fault: Option<String> = None;
    let whole = Stopwatch::start();
    for (at, step) in (1..).zip(&steps) {
        if fault.is_some() {
            rows.push(Row { name: step.name, counts: None, seconds: 0 });
            continue;
        }
        println!("\n== [{at}/{}] {}: {}", steps.len(), step.name, step.shows);
        let watch = Stopwatch::start();
        let (counts, error) = match perform(step, &places) {
            Ok(counts) => (counts, counts.fault()),
            Err((counts, error)) => (counts, Some(error)),
        };
        let (counts, seconds) = (counts.settled(error.is_some()), watch.seconds());
        let verdict = if error.is_some() { "FAILED" } else { "ok" };
        println!("== [{at}/{}] {}: {verdict} after {seconds} s ({} s in all)", steps.len(), step.name, whole.seconds());
        fault = error.map(|error| format!("{} failed: {error}", step.name));
        rows.push(Row { name: step.name, counts: Some(counts), seconds });
    }
    let total = rows.iter().filter_map(|row| row.counts).fold(Counts::default(), Counts::plus);
    print!("\n{}", table(&rows));
    if let Some(fault) = &fault {
        println!("\n{fault}");
    }
    println!("\n{}", summary(total));
    if fault.is_none() && total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does one step: its counts, or its counts and what went wrong.
fn perform(step: &Step, places: &Places) -> Result<Counts, (Counts, String)> {
    let none = |error: String| (Counts::default(), error);
    match &step.work {
        Work::Tidy => crate::tidy::check(&places.root).map(Counts::passed).map_err(none),
        Work::Install => install::everything(places).map(|()| Counts::default()).map_err(none),
        Work::Trees => trees::check(places).map(Counts::passed).map_err(none),
        Work::Command { line, counting } => {
            let line: Vec<String> = line.iter().map(|word| filled(word, places)).collect();
            let done = run::aloud(&line, &places.root, &places.target.join("xtask"), step.name).map_err(none)?;
            let counts = counting.read(&done.lines, done.success);
            if done.success {
                counts.map_err(none)
            } else {
                let counts = counts.unwrap_or_default();
                Err((counts, format!("`{}` did not end well; its output is in {}", line.join(" "), done.log.display())))
            }
        }
    }
}

/// A word of a command line with its places put in.
fn filled(word: &str, places: &Places) -> String {
    match word {
        "{python}" => places.python().display().to_string(),
        "{axe}" => places.axe().display().to_string(),
        "{binary}" => places.binary().display().to_string(),
        word => word.to_owned(),
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<22}{:>8}{:>8}{:>9}\n", "step", "passed", "failed", "seconds");
    for row in rows {
        let line = match row.counts {
            Some(counts) => format!("{:<22}{:>8}{:>8}{:>9}\n", row.name, counts.passed, counts.failed, row.seconds),
            None => format!("{:<22}{:>25}\n", row.name, "not run"),
        };
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_ran_and_what_did_not() {
        let rows = [
            Row { name: "tidy", counts: Some(Counts { passed: 21, failed: 0 }), seconds: 1 },
            Row { name: "cargo test", counts: Some(Counts { passed: 400, failed: 2 }), seconds: 75 },
            Row { name: "browser", counts: None, seconds: 0 },
        ];
        let wanted = "\
step                    passed  failed  seconds
tidy                        21       0        1
cargo test                 400       2       75
browser                                 not run
";
        assert_eq!(table(&rows), wanted);
    }

    #[test]
    fn places_are_put_into_command_lines() {
        let places = Places { root: PathBuf::from("/r"), target: PathBuf::from("/t") };
        assert_eq!(filled("{binary}", &places), "/t/release/onecard");
        assert_eq!(filled("{python}", &places), "/t/browser/venv/bin/python");
        assert_eq!(filled("--binary", &places), "--binary");
    }
}
