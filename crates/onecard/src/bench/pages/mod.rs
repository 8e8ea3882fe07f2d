//! `onecard bench pages`: how fast a holder's pages come when the school has a history.

mod options;
mod readers;
mod result;
mod school;

pub use options::Options;
use store::sqlite::SqliteArchive;

use super::calibrate::Calibrator;
use super::cleanup::Cleanup;
use super::load::{micros_since, tick};
use super::onecard::require_whole;
use super::report;
use super::result::Head;
use super::rounds::{Contest, per_second};
use super::say::Say;
use super::serving::start_log;
use super::tap::Spread;
use super::topup::serving;
use crate::Failure;
use crate::demo::SCHOOL;
use crate::reports::feed_here;
use crate::verify::check_and_tell;
use options::Sizes;
use readers::{Readers, SignedIn};
use result::{AtOnce, Figures, Read, Results};
use school::Lived;

/// People who read pages; whose page it is hardly matters, everybody has the same kind of past.
const MOST_SIGNED_IN: usize = 60;

/// Measures everything that was asked for, then writes the file and prints the table.
///
/// Error: something cannot run, a page fails, or the book is not whole; no file is written then.
pub fn run(options: &Options) -> Result<(), Failure> {
    let sizes = options.sizes();
    let steps = 4 + u64::from(sizes.rounds.rounds) * u64::try_from(sizes.readers.len()).unwrap_or(1);
    let measure = |cleanup: &Cleanup, say: &Say| measure(options, &sizes, cleanup, say);
    report(&options.course, steps, measure, result::text)
}

fn measure(options: &Options, sizes: &Sizes, cleanup: &Cleanup, say: &Say) -> Result<Results, Failure> {
    let mut results = Results {
        head: Head::of("pages", result::FORMAT, &options.course, &cleanup.path("")),
        people: sizes.people,
        days: sizes.days,
        journal_rows: 0,
        runs: Vec::new(),
        medians: Vec::new(),
        targets: Vec::new(),
    };
    let mut calibrator = Calibrator::of_bench(cleanup, options.course.calibration_ms())?;
    start_log(&cleanup.path("serve.log"))?;
    say.step(&format!("{} days in the lives of {} people", sizes.days, sizes.people));
    let lived = Lived::make(sizes.people, sizes.days, cleanup, say)?;
    say.step("verifying the book");
    let report = check_and_tell(&lived.book, SCHOOL, &[], &mut |step| say.verifying(step))?;
    results.journal_rows = require_whole(&lived.book, report)?.journal_rows;
    say.step("the reporting table");
    // In life it follows the journal within seconds.
    feed_here(&lived.book, SCHOOL, &mut SqliteArchive::open(&lived.book, SCHOOL)?)?;
    let serving = serving::start(&lived.book, &lived.keys)?;
    say.step("signing in");
    let browsers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let readers = Readers::new(format!("http://{}", serving.address))?;
    let mut people = Vec::new();
    for reader in lived.readers.iter().take(MOST_SIGNED_IN) {
        people.push(browsers.block_on(readers.sign_in(reader))?);
    }
    let mut stand = Stand { sizes, browsers, readers, people };
    let runs = sizes.rounds.run(&mut stand, &mut calibrator, cleanup, say);
    stand.browsers.shutdown_background();
    serving.stop()?;
    results.runs = runs?;
    results.medians = result::medians(&results.runs);
    results.targets = result::targets(&results);
    Ok(results)
}

struct Stand<'a> {
    sizes: &'a Sizes,
    browsers: tokio::runtime::Runtime,
    readers: Readers,
    people: Vec<SignedIn>,
}

impl Contest for Stand<'_> {
    type Contender = AtOnce;
    type Figures = Figures;

    fn contenders(&self) -> Vec<AtOnce> {
        self.sizes.readers.iter().map(|readers| AtOnce { readers: *readers }).collect()
    }

    fn title(&self, AtOnce { readers }: AtOnce) -> String {
        match readers {
            1 => "1 reader".to_owned(),
            many => format!("{many} readers at once"),
        }
    }

    fn run(&mut self, AtOnce { readers }: AtOnce) -> Result<Figures, Failure> {
        let Stand { sizes, browsers, readers: pages, people } = self;
        // Connections, statements and caches are warm in a server that runs.
        browsers.block_on(pages.run(people, readers, sizes.visits / 10, true))?;
        let began = tick();
        let read = browsers.block_on(pages.run(people, readers, sizes.visits, false))?;
        let micros = micros_since(began).max(1);
        let made = read.iter().map(|(_, times, _)| times.len()).sum::<usize>();
        let pages = read.into_iter().map(|(page, times, bytes)| Read { page, us: Spread::of(times), bytes });
        Ok(Figures { per_second: per_second(u64::try_from(made)?, micros), pages: pages.collect() })
    }

    fn per_second(figures: &Figures) -> u64 {
        figures.per_second
    }
}
