//! The step with card readers: each part runs beside virtual readers of its own.

use std::fs;
use std::iter::once_with;
use std::thread;

use super::counts::{Counting, Counts};
use super::{Outcome, Places, command};
use crate::readers::{self, Wish};

/// The tests of the reader itself; how many readers they take is their business, so they get all.
const TESTS: [&str; 7] = ["cargo", "test", "--locked", "-p", "device", "--features", "pcsc"];
/// The sweep over every command of every hold, built before the readers stand.
const SWEEP: [&str; 7] = ["cargo", "build", "--locked", "-p", "sweep", "--features", "pcsc"];
/// So many sweeps go side by side, each with all readers that one service holds: what takes time is that the service looks
/// for cards every 400 ms.
const SIDE_BY_SIDE: usize = 3;
/// All commands of all holds, each at four places, each with five things that come next.
const CASES: u64 = 71 * 4 * 5;

/// A command beside readers.
struct Part {
    name: String,
    readers: u8,
    words: Vec<String>,
    counting: Counting,
}

/// Does all parts; ends at the first that fails.
pub fn run(places: &Places) -> Outcome {
    if let Some(why) = readers::missing(&places.root) {
        return Outcome::NotRun(why);
    }
    let binary = places.card().join("onecard").display().to_string();
    if let Err(outcome) = build(places, &binary) {
        return outcome;
    }
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let python = places.card_python().display().to_string();
    let story = owned(&[&python, "tests/card/run.py", "--binary", &binary]);
    let alone = [
        Part { name: "card reader tests".to_owned(), readers: 16, words: owned(&TESTS), counting: Counting::CargoTest },
        Part { name: "card readers".to_owned(), readers: 4, words: story, counting: Counting::Summary },
    ];
    let mut total = Counts::default();
    for outcome in alone.iter().map(|part| beside_readers(part, places)).chain(once_with(|| sweep(places))) {
        match outcome {
            Outcome::Counted(counts) => total = total.plus(counts),
            Outcome::Failed(counts, error) => return Outcome::Failed(total.plus(counts), error),
            not_run @ Outcome::NotRun(_) => return not_run,
        }
    }
    Outcome::Counted(total)
}

fn beside_readers(part: &Part, places: &Places) -> Outcome {
    let wish = Wish { readers: part.readers, command: part.words.clone() };
    let line = readers::line(&places.target, &part.name.replace(' ', "-"), &wish);
    command(&part.name, &line, part.counting, places)
}

/// Every hold torn at every command, through readers; the parts of it side by side.
fn sweep(places: &Places) -> Outcome {
    let program = places.target.join("debug/onecard-sweep").display().to_string();
    let parts: Vec<Part> = (1..=SIDE_BY_SIDE)
        .map(|number| {
            let folder = places.card().join(format!("sweep-{number}")).display().to_string();
            let part = format!("{number}/{SIDE_BY_SIDE}");
            let words = [&program, "--manner", "contactless", "--places", "four", "--part", &part, "--pcsc", &folder];
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Part { name: format!("card sweep {number}"), readers: 16, words, counting: Counting::Summary }
        })
        .collect();
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let running: Vec<_> = parts.iter().map(|part| scope.spawn(|| beside_readers(part, places))).collect();
        let lost = || Outcome::Failed(Counts::default(), "a sweep was lost".to_owned());
        running.into_iter().map(|one| one.join().unwrap_or_else(|_| lost())).collect()
    });
    let all = outcomes.into_iter().fold(Outcome::Counted(Counts::default()), |sum, next| match (sum, next) {
        (Outcome::Counted(one), Outcome::Counted(other)) => Outcome::Counted(one.plus(other)),
        (Outcome::Counted(_), failed) => failed,
        (failed, _) => failed,
    });
    every_case(all)
}

/// The parts together are all cases, and not one fewer.
fn every_case(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Counted(counts) if counts.passed + counts.failed != CASES => {
            let error = format!("{} cases were run through readers, {CASES} there are", counts.passed + counts.failed);
            Outcome::Failed(counts, error)
        }
        outcome => outcome,
    }
}

/// Builds what can use readers, and puts the one that people run back into its place.
fn build(places: &Places, binary: &str) -> Result<(), Outcome> {
    let words = ["cargo", "build", "--release", "--locked", "-p", "onecard"];
    let cargo = |line: &[&str]| {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        match command("card reader build", &line, Counting::Once, places) {
            Outcome::Counted(_) => Ok(()),
            other => Err(other),
        }
    };
    cargo(&SWEEP)?;
    cargo(&[words.as_slice(), &["--features", "pcsc"]].concat())?;
    let copied = fs::create_dir_all(places.card()).and_then(|()| fs::copy(places.binary(), binary));
    let failed = |error| Outcome::Failed(Counts::default(), format!("cannot write {binary}: {error}"));
    copied.map_err(failed)?;
    cargo(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_was_not_run_is_missed() {
        let of = |passed, failed| every_case(Outcome::Counted(Counts { passed, failed }));
        assert_eq!(of(CASES, 0), Outcome::Counted(Counts { passed: CASES, failed: 0 }));
        assert_eq!(of(CASES - 1, 1), Outcome::Counted(Counts { passed: CASES - 1, failed: 1 }));
        assert!(matches!(of(CASES - 1, 0), Outcome::Failed(_, error) if error.contains("1419 cases")));
        let failed = Outcome::Failed(Counts::default(), "no readers".to_owned());
        assert_eq!(every_case(failed.clone()), failed);
    }
}
