//! The step with card readers: each part runs beside virtual readers of its own.

use std::fs;

use super::counts::{Counting, Counts};
use super::{Outcome, Places, command};
use crate::readers::{self, Wish};

/// The tests of the reader itself; their number of readers is a test's business, so they get all.
const TESTS: [&str; 6] = ["cargo", "test", "--locked", "-p", "device", "--features"];

/// Every torn hold of the sweep, through readers; it runs them side by side, and each as well without any reader.
const SWEEP: [&str; 9] = ["cargo", "run", "--quiet", "--locked", "-p", "sweep", "--features", "pcsc", "--"];
const SWEPT: [&str; 5] = ["--manner", "contactless", "--places", "four", "--pcsc"];

/// Does all parts; ends at the first that fails.
pub fn run(places: &Places) -> Outcome {
    if let Some(why) = readers::missing(&places.root) {
        return Outcome::NotRun(why);
    }
    let binary = places.card().join("onecard").display().to_string();
    if let Err(outcome) = build(places, &binary) {
        return outcome;
    }
    let python = places.card_python().display().to_string();
    let cards = places.card().join("torn").display().to_string();
    let parts: [(&str, u8, Vec<&str>, Counting); 3] = [
        ("card reader tests", 16, [TESTS.as_slice(), &["pcsc"]].concat(), Counting::CargoTest),
        ("card readers", 4, vec![&python, "tests/card/run.py", "--binary", &binary], Counting::Summary),
        ("torn cards", 16, [SWEEP.as_slice(), &SWEPT, &[&cards]].concat(), Counting::Summary),
    ];
    let mut total = Counts::default();
    for (name, count, words, counting) in parts {
        let wish = Wish { readers: count, command: words.into_iter().map(str::to_owned).collect() };
        let line = readers::line(&places.target, &name.replace(' ', "-"), &wish);
        match command(name, &line, counting, places) {
            Outcome::Counted(counts) => total = total.plus(counts),
            Outcome::Failed(counts, error) => return Outcome::Failed(total.plus(counts), error),
            not_run @ Outcome::NotRun(_) => return not_run,
        }
    }
    Outcome::Counted(total)
}

/// Builds the binary that can use readers, and puts the one that people run back into its place.
fn build(places: &Places, binary: &str) -> Result<(), Outcome> {
    let words = ["cargo", "build", "--release", "--locked", "-p", "onecard"];
    let cargo = |more: &[&str]| {
        let line: Vec<String> = words.iter().chain(more).map(|word| (*word).to_owned()).collect();
        match command("card reader build", &line, Counting::Once, places) {
            Outcome::Counted(_) => Ok(()),
            other => Err(other),
        }
    };
    cargo(&["--features", "pcsc"])?;
    let copied = fs::create_dir_all(places.card()).and_then(|()| fs::copy(places.binary(), binary));
    let failed = |error| Outcome::Failed(Counts::default(), format!("cannot write {binary}: {error}"));
    copied.map_err(failed)?;
    cargo(&[])
}
