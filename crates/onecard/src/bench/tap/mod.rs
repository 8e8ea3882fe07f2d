//! `onecard bench tap`: cards held to terminals, from the card on the reader to the green light.

mod card_time;
mod gateway;
mod hand;
mod options;
mod result;
mod run;
mod school;
mod table;
mod targets;
mod till;
mod watch;

use std::fs;

pub use options::Options;
pub use result::Spread;

use super::calibrate::Calibrator;
use super::cleanup::Cleanup;
use super::report;
use super::result::Head;
use super::rounds::Contest;
use super::say::Say;
use super::serving::start_log;
use crate::Failure;
use crate::prompt::Said;
use options::Sizes;
use result::{AtOnce, Figures, Results};
use school::Paid;

/// Measures everything that was asked for, then writes the file and prints the table.
///
/// Error: something cannot run, a tap does not turn out well, or book and cards do not agree; no file is written then.
pub fn run(options: &Options) -> Result<(), Failure> {
    let sizes = options.sizes();
    let runs = u64::try_from(sizes.terminals.len()).unwrap_or(0) * u64::from(sizes.rounds.rounds);
    let measure = |cleanup: &Cleanup, say: &Say| measure(options, &sizes, cleanup, say);
    report(&options.course, 1 + runs, measure, table::text)
}

fn measure(options: &Options, sizes: &Sizes, cleanup: &Cleanup, say: &Say) -> Result<Results, Failure> {
    let mut results = Results {
        head: Head::of("tap", result::FORMAT, &options.course, &cleanup.path("")),
        card_time: sizes.card_time,
        runs: Vec::new(),
        medians: Vec::new(),
        targets: Vec::new(),
    };
    let mut calibrator = Calibrator::of_bench(cleanup, options.course.calibration_ms())?;
    start_log(&cleanup.path("serve.log"))?;
    let cards = 2 * sizes.cards_of_a_kind();
    let most = sizes.terminals.iter().copied().max().unwrap_or(1);
    say.step(&format!("a school with {cards} paid top-ups, terminals: {most}"));
    let paid = Paid::make(cards, most, cleanup, say)?;
    let mut stand = Stand { sizes, cleanup, say, paid };
    let runs = sizes.rounds.run(&mut stand, &mut calibrator, cleanup, say)?;
    results.runs = runs;
    results.medians = result::medians(&results.runs);
    results.targets = targets::all(&results);
    Ok(results)
}

/// Everything that runs need.
struct Stand<'a> {
    sizes: &'a Sizes,
    cleanup: &'a Cleanup,
    say: &'a Say,
    paid: Paid,
}

impl Contest for Stand<'_> {
    type Contender = AtOnce;
    type Figures = Figures;

    fn contenders(&self) -> Vec<AtOnce> {
        self.sizes.terminals.iter().map(|terminals| AtOnce { terminals: *terminals }).collect()
    }

    fn title(&self, AtOnce { terminals }: AtOnce) -> String {
        match terminals {
            1 => "1 terminal".to_owned(),
            many => format!("{many} terminals at once"),
        }
    }

    fn run(&mut self, AtOnce { terminals }: AtOnce) -> Result<Figures, Failure> {
        let (data, journals) = (self.cleanup.path("book"), self.cleanup.path("journals"));
        match run::run(&self.paid, self.sizes, terminals, (&data, &journals), self.say) {
            Ok(outcome) => {
                fs::remove_dir_all(&data)?;
                fs::remove_dir_all(&journals)?;
                Ok(Figures::of(&outcome, &self.sizes.card_time))
            }
            Err(fault) => {
                self.cleanup.keep_folder();
                Err(Said(format!("{fault}; everything is kept in {}", self.cleanup.path("").display())).into())
            }
        }
    }

    fn per_second(figures: &Figures) -> u64 {
        figures.per_second
    }
}
