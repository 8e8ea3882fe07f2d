//! `onecard bench door`: whether the time of a refusal at sign-in tells which numbers exist.
//!
//! Guesses at four kinds of numbers come one at a time, in no order, over one connection: as the most patient guesser would
//! have them. Two kinds that nobody can tell apart take longer than one another in half of all pairs.

mod knocks;
mod options;
mod result;

pub use options::Options;

use super::calibrate::Calibrator;
use super::cleanup::Cleanup;
use super::load::{micros_since, tick};
use super::report;
use super::result::Head;
use super::rounds::Contest;
use super::say::Say;
use super::serving::{Serving, start_log};
use super::topup::prepared::NO_PROVIDER;
use super::topup::serving;
use crate::Failure;
use crate::demo::Folder;
use crate::prompt::Said;
use knocks::{Guesser, Targets};
use options::Sizes;
use result::{Figures, Results};

/// Measures everything that was asked for, then writes the file and prints the table.
///
/// Error: something cannot run, or an answer differs from the others in more than its time; no file is written then.
pub fn run(options: &Options) -> Result<(), Failure> {
    let sizes = options.sizes().map_err(Said)?;
    let measure = |cleanup: &Cleanup, say: &Say| measure(options, sizes, cleanup, say);
    report(&options.course, 2 + u64::from(sizes.rounds.rounds), measure, result::text)
}

fn measure(options: &Options, sizes: Sizes, cleanup: &Cleanup, say: &Say) -> Result<Results, Failure> {
    let mut results = Results {
        head: Head::of("door", result::FORMAT, &options.course, &cleanup.path("")),
        guesses: sizes.guesses,
        runs: Vec::new(),
        medians: Vec::new(),
        targets: Vec::new(),
    };
    let mut calibrator = Calibrator::of_bench(cleanup, options.course.calibration_ms())?;
    start_log(&cleanup.path("serve.log"))?;
    let keys = Folder::open(&cleanup.path("keys"))?;
    // Makes both halves of the provider's keys; the simulator itself is not needed.
    drop(keys.sandbox(NO_PROVIDER, None)?);
    let serving = serving::start(&cleanup.path("book"), &keys)?;
    say.step("people with and without passwords of their own");
    let targets = Targets::make(&serving, sizes.guesses, say);
    let runs = targets.and_then(|targets| {
        let guesser = Guesser::new(format!("http://{}", serving.address))?;
        let mut stand = Stand { serving: &serving, guesser, targets, run: 0 };
        say.step("a round that is not counted");
        stand.run(())?;
        sizes.rounds.run(&mut stand, &mut calibrator, cleanup, say)
    });
    serving.stop()?;
    results.runs = runs?;
    results.medians = result::medians(&results.runs);
    results.targets = result::targets(&results);
    Ok(results)
}

struct Stand<'a> {
    serving: &'a Serving,
    guesser: Guesser,
    targets: Targets,
    run: u64,
}

impl Contest for Stand<'_> {
    /// All kinds run together, so that whatever disturbs one disturbs all.
    type Contender = ();
    type Figures = Figures;

    fn contenders(&self) -> Vec<()> {
        vec![()]
    }

    fn title(&self, (): ()) -> String {
        "guesses".to_owned()
    }

    fn run(&mut self, (): ()) -> Result<Figures, Failure> {
        self.run += 1;
        let began = tick();
        let seen = self.serving.block_on(self.guesser.guess(&self.targets, self.run))?;
        Ok(Figures::of(&seen, micros_since(began).max(1)))
    }

    fn per_second(figures: &Figures) -> u64 {
        figures.per_second
    }
}
