//! `cargo xtask test`: everything that shows that the product works, from a clean checkout, in one command.

mod card_readers;
mod counts;
mod install;
pub mod run;
mod steps;
mod trees;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use counts::{Counting, Counts, summary};
use run::Stopwatch;
use steps::{STEPS, Step, Work};

use crate::power_cut;

/// Where things are.
struct Places {
    /// The repository.
    root: PathBuf,
    /// Cargo's build folder.
    target: PathBuf,
}

impl Places {
    fn of(root: &Path) -> Places {
        Places { root: root.to_owned(), target: target(root) }
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

    /// Where the merchant SDKs of others are kept; nothing of it is committed.
    fn sdk(&self) -> PathBuf {
        self.target.join("xtask/sdk")
    }

    fn sdk_python(&self) -> PathBuf {
        self.sdk().join("venv/bin/python")
    }

    fn sdk_modules(&self) -> PathBuf {
        self.sdk().join("node_modules")
    }

    /// Where the card client keeps its interpreter, and the binary that can use readers is.
    fn card(&self) -> PathBuf {
        self.target.join("xtask/card")
    }

    fn card_python(&self) -> PathBuf {
        self.card().join("venv/bin/python")
    }

    /// Where the stranger that reads the description of the interface is kept; nothing of it is committed.
    fn api(&self) -> PathBuf {
        self.target.join("xtask/api")
    }

    fn api_python(&self) -> PathBuf {
        self.api().join("venv/bin/python")
    }

    fn schemathesis(&self) -> PathBuf {
        self.api().join("venv/bin/st")
    }

    /// The Rust example of a client, which `cargo test` builds.
    fn rust_client(&self) -> PathBuf {
        self.target.join("debug/examples/top_up")
    }

    fn binary(&self) -> PathBuf {
        self.target.join("release/onecard")
    }
}

/// Cargo's build folder: this program runs from `<target>/debug/xtask`.
pub fn target(root: &Path) -> PathBuf {
    let own = std::env::current_exe().ok();
    let target = own.as_deref().and_then(Path::parent).and_then(Path::parent).map(PathBuf::from);
    target.unwrap_or_else(|| root.join("target"))
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
    outcome: Outcome,
    seconds: u64,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It passed, unless one of its checks failed.
    Counted(Counts),
    /// It failed, for this reason.
    Failed(Counts, String),
    /// This machine cannot run it, for this reason; nothing was shown.
    NotRun(String),
}

impl Outcome {
    fn of(done: Result<Counts, String>) -> Outcome {
        done.map_or_else(|error| Outcome::Failed(Counts::default(), error), Outcome::Counted)
    }

    fn fault(&self) -> Option<String> {
        match self {
            Outcome::Counted(counts) => counts.fault(),
            Outcome::Failed(_, error) => Some(error.clone()),
            Outcome::NotRun(_) => None,
        }
    }

    fn counts(&self) -> Option<Counts> {
        match self {
            Outcome::Counted(counts) | Outcome::Failed(counts, _) => Some(counts.settled(self.fault().is_some())),
            Outcome::NotRun(_) => None,
        }
    }
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
            let outcome = Outcome::NotRun("a step before it failed".to_owned());
            rows.push(Row { name: step.name, outcome, seconds: 0 });
            continue;
        }
        println!("\n== [{at}/{}] {}: {}", steps.len(), step.name, step.shows);
        let watch = Stopwatch::start();
        let outcome = perform(step, &places);
        let (error, seconds) = (outcome.fault(), watch.seconds());
        let verdict = match &outcome {
            Outcome::NotRun(why) => format!("not run: {why};"),
            _ if error.is_some() => "FAILED".to_owned(),
            _ => "ok".to_owned(),
        };
        println!("== [{at}/{}] {}: {verdict} after {seconds} s ({} s in all)", steps.len(), step.name, whole.seconds());
        fault = error.map(|error| format!("{} failed: {error}", step.name));
        rows.push(Row { name: step.name, outcome, seconds });
    }
    let total = rows.iter().filter_map(|row| row.outcome.counts()).fold(Counts::default(), Counts::plus);
    print!("\n{}", table(&rows));
    if let Some(fault) = &fault {
        println!("\n{fault}");
    }
    println!("\n{}", summary(total));
    // Who asks for one step wants to see it run.
    let asked = matches!(choice, Choice::Only(_)) && rows.iter().any(|row| matches!(row.outcome, Outcome::NotRun(_)));
    if fault.is_none() && total.failed == 0 && !asked { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does one step.
fn perform(step: &Step, places: &Places) -> Outcome {
    match &step.work {
        Work::Tidy => Outcome::of(crate::tidy::check(&places.root).map(Counts::passed)),
        Work::Install => Outcome::of(install::everything(places).map(|()| Counts::default())),
        Work::Trees => Outcome::of(trees::check(places).map(Counts::passed)),
        Work::Command { line, counting } => {
            let line: Vec<String> = line.iter().map(|word| filled(word, places)).collect();
            command(step.name, &line, *counting, places)
        }
        Work::CardReaders => card_readers::run(places),
        Work::PowerCuts(rounds) => {
            let wish = power_cut::Wish { rounds: *rounds, ..power_cut::Wish::default() };
            if let Some(why) = power_cut::missing(&places.root, &places.target, wish) {
                return Outcome::NotRun(why);
            }
            match power_cut::build(&places.root) {
                Ok(()) => command(step.name, &power_cut::line(&places.target, wish), Counting::Summary, places),
                Err(error) => Outcome::Failed(Counts::default(), error),
            }
        }
    }
}

/// Runs a program and counts what it says.
fn command(name: &str, line: &[String], counting: Counting, places: &Places) -> Outcome {
    let done = match run::aloud(line, &places.root, &places.target.join("xtask"), name) {
        Ok(done) => done,
        Err(error) => return Outcome::Failed(Counts::default(), error),
    };
    match counting.read(&done.lines, done.success) {
        counts if !done.success => {
            let program = line.iter().take(6).cloned().collect::<Vec<_>>().join(" ");
            let error = format!("`{program} ...` did not end well; its output is in {}", done.log.display());
            Outcome::Failed(counts.unwrap_or_default(), error)
        }
        counts => Outcome::of(counts),
    }
}

/// A word of a command line with its places put in.
fn filled(word: &str, places: &Places) -> String {
    match word {
        "{python}" => places.python().display().to_string(),
        "{axe}" => places.axe().display().to_string(),
        "{sdk-python}" => places.sdk_python().display().to_string(),
        "{sdk-modules}" => places.sdk_modules().display().to_string(),
        "{api-python}" => places.api_python().display().to_string(),
        "{schemathesis}" => places.schemathesis().display().to_string(),
        "{rust-client}" => places.rust_client().display().to_string(),
        "{binary}" => places.binary().display().to_string(),
        word => word.to_owned(),
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<22}{:>8}{:>8}{:>9}\n", "step", "passed", "failed", "seconds");
    for row in rows {
        let line = match (&row.outcome, row.outcome.counts()) {
            (_, Some(counts)) => {
                format!("{:<22}{:>8}{:>8}{:>9}\n", row.name, counts.passed, counts.failed, row.seconds)
            }
            (Outcome::NotRun(why), _) => format!("{:<22} not run: {why}\n", row.name),
            (_, None) => format!("{:<22} not run\n", row.name),
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
            Row { name: "tidy", outcome: Outcome::Counted(Counts { passed: 21, failed: 0 }), seconds: 1 },
            Row { name: "cargo test", outcome: Outcome::Counted(Counts { passed: 400, failed: 2 }), seconds: 75 },
            Row { name: "install", outcome: Outcome::Failed(Counts::default(), "no network".to_owned()), seconds: 2 },
            Row { name: "browser", outcome: Outcome::NotRun("a step before it failed".to_owned()), seconds: 0 },
        ];
        let wanted = "\
step                    passed  failed  seconds
tidy                        21       0        1
cargo test                 400       2       75
install                      0       1        2
browser                not run: a step before it failed
";
        assert_eq!(table(&rows), wanted);
    }

    #[test]
    fn places_are_put_into_command_lines() {
        let places = Places { root: PathBuf::from("/r"), target: PathBuf::from("/t") };
        assert_eq!(filled("{binary}", &places), "/t/release/onecard");
        assert_eq!(filled("{python}", &places), "/t/browser/venv/bin/python");
        assert_eq!(filled("{sdk-python}", &places), "/t/xtask/sdk/venv/bin/python");
        assert_eq!(filled("{sdk-modules}", &places), "/t/xtask/sdk/node_modules");
        assert_eq!(filled("{schemathesis}", &places), "/t/xtask/api/venv/bin/st");
        assert_eq!(filled("--binary", &places), "--binary");
    }
}
