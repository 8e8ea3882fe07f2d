//! `onecard bench topup`: payment notices over HTTP, from the provider's request to the durable credit.

pub mod clients;
pub mod notices;
mod options;
pub mod plan;
pub mod prepared;
mod result;
mod run;
pub mod serving;
mod table;
mod targets;

use std::fs;

pub use options::Options;

use super::calibrate::Calibrator;
use super::cleanup::Cleanup;
use super::pgbench::Pgbench;
use super::report;
use super::result::{Engine, Head, Skipped};
use super::rounds::Contest;
use super::say::Say;
use super::serving::start_log;
use crate::Failure;
use crate::prompt::Said;
use notices::{Provider, Signed};
use options::Sizes;
use plan::Wish;
use prepared::Prepared;
use result::{Figures, Results, Who};

/// Measures everything that was asked for, then writes the file and prints the table.
///
/// Error: something cannot run, an answer is wrong, or a book does not hold what was answered; no file is written then.
pub fn run(options: &Options) -> Result<(), Failure> {
    let sizes = options.sizes();
    let measure = |cleanup: &Cleanup, say: &Say| measure(options, &sizes, cleanup, say);
    report(&options.course, steps(options, &sizes), measure, table::text)
}

fn steps(options: &Options, sizes: &Sizes) -> u64 {
    let tries = u64::try_from(options.postgresql.pg_clients.len()).unwrap_or(0);
    let (pgbench, contenders) = if options.postgresql.pgbin.is_some() { (2 + tries, 2) } else { (0, 1) };
    2 + pgbench + contenders * u64::from(sizes.rounds.rounds)
}

fn measure(options: &Options, sizes: &Sizes, cleanup: &Cleanup, say: &Say) -> Result<Results, Failure> {
    let mut results = Results {
        head: Head::of("topup", result::FORMAT, &options.course, &cleanup.path("")),
        connections: sizes.connections,
        notices: sizes.notices,
        warm_up: sizes.warm_up,
        orders: 0,
        signings: 0,
        signing_s: 0,
        skipped: Vec::new(),
        runs: Vec::new(),
        medians: Vec::new(),
        targets: Vec::new(),
    };
    let mut calibrator = Calibrator::of_bench(cleanup, options.course.calibration_ms())?;
    start_log(&cleanup.path("serve.log"))?;
    let pgbench = match &options.postgresql.pgbin {
        Some(bin) => {
            let options = options.postgresql.when(options.course.quick);
            Some(Pgbench::start(bin, &options, sizes.reference_seconds, cleanup, say)?)
        }
        None => {
            let why = "its programs were not named with --pgbin".to_owned();
            results.skipped.push(Skipped { engine: Engine::Pgbench, why });
            None
        }
    };
    results.head.versions.postgresql = pgbench.as_ref().and_then(|pgbench| pgbench.version.clone());
    let (plan, orders) = plan::draw(sizes.notices);
    results.orders = u64::from(orders);
    say.step(&format!("a school with {orders} open orders"));
    let prepared = Prepared::make(orders, prepared::ORDERS_EACH, cleanup, say)?;
    let provider = Provider::read(&prepared.provider())?;
    let mut stand =
        Stand { sizes, cleanup, say, plan, prepared, provider, pgbench, signed: None, signings: 0, signing_s: 0 };
    say.step(&format!("signing {} notices", sizes.notices));
    stand.sign()?;
    let runs = sizes.rounds.run(&mut stand, &mut calibrator, cleanup, say)?;
    results.runs = runs;
    (results.signings, results.signing_s) = (stand.signings, stand.signing_s);
    results.medians = result::medians(&results.runs);
    results.targets = targets::all(&results);
    Ok(results)
}

/// Everything that runs need.
struct Stand<'a> {
    sizes: &'a Sizes,
    cleanup: &'a Cleanup,
    say: &'a Say,
    plan: Vec<Wish>,
    prepared: Prepared,
    provider: Provider,
    pgbench: Option<Pgbench>,
    /// Every run works on a copy of the same book, so notices serve again while they are good.
    signed: Option<Signed>,
    signings: u32,
    signing_s: i64,
}

impl Stand<'_> {
    /// Signs everything. Error: by the end of a run the notices would be too old.
    fn sign(&mut self) -> Result<(), Failure> {
        // The old ones first: there is no room for two.
        self.signed = None;
        let signed = self.provider.sign(&self.plan, &self.prepared.orders, self.say)?;
        self.signings += 1;
        self.signing_s = self.signing_s.max(signed.took);
        let (left, needs) = (signed.good_for(), run::needs(self.sizes.until));
        if left < needs {
            return Err(Said(format!(
                "signing took {} s: the notices are good for {left} s more and a run needs {needs} s; ask for fewer",
                signed.took
            ))
            .into());
        }
        self.signed = Some(signed);
        Ok(())
    }

    fn notified(&mut self) -> Result<Figures, Failure> {
        let needs = run::needs(self.sizes.until);
        if self.signed.as_ref().is_none_or(|signed| signed.good_for() < needs) {
            self.sign()?;
        }
        let Some(signed) = &self.signed else { return Err(Said("no notices are signed".to_owned()).into()) };
        let data = self.cleanup.path("book");
        let ran = run::run(&self.prepared, &signed.notices, self.sizes, &data, self.say);
        match ran {
            Ok(outcome) => {
                fs::remove_dir_all(&data)?;
                Ok(Figures::of(&outcome))
            }
            Err(fault) => {
                self.cleanup.keep_folder();
                let kept = self.cleanup.path("");
                let old = if signed.good_for() < 0 { "; the run outlasted its notices, ask for fewer" } else { "" };
                Err(Said(format!("{fault}{old}; everything is kept in {}", kept.display())).into())
            }
        }
    }
}

impl Contest for Stand<'_> {
    type Contender = Who;
    type Figures = Figures;

    fn contenders(&self) -> Vec<Who> {
        let reference = self.pgbench.iter().map(|_| Engine::Pgbench);
        std::iter::once(Engine::Onecard).chain(reference).map(|engine| Who { engine }).collect()
    }

    fn title(&self, Who { engine }: Who) -> String {
        match engine {
            Engine::Onecard => "onecard, notices over HTTP".to_owned(),
            other => other.name().to_owned(),
        }
    }

    fn run(&mut self, Who { engine }: Who) -> Result<Figures, Failure> {
        match (engine, &mut self.pgbench) {
            (Engine::Pgbench, Some(pgbench)) => Ok(Figures::of_reference(&pgbench.run(self.cleanup)?)),
            _ => self.notified(),
        }
    }

    fn per_second(figures: &Figures) -> u64 {
        figures.per_second
    }
}
