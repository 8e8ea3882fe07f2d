//! `onecard bench ledger`: the engine that the server runs, beside other engines.

use std::path::Path;

use super::calibrate::Calibrator;
use super::cleanup::Cleanup;
use super::load::Until;
use super::onecard::{Case, Effort};
use super::options::{Options, Sizes};
use super::pgbench::Pgbench;
use super::result::{self, Engine, Head, History, Results, Skipped, hundredths};
use super::rounds::per_second;
use super::say::Say;
use super::stand::{self, Stand};
use super::tigerbeetle::TigerBeetle;
use super::workload::Pattern;
use super::{report, single, start, table, targets};
use crate::Failure;

/// Measures everything that was asked for, then writes the file and prints the table.
///
/// Error: something cannot run, or a book is not whole after its run; no file is written then.
pub fn run(options: &Options) -> Result<(), Failure> {
    let sizes = options.sizes();
    let measure = |cleanup: &Cleanup, say: &Say| measure(options, &sizes, cleanup, say);
    report(&options.course, steps(options, &sizes), measure, table::text)
}

fn steps(options: &Options, sizes: &Sizes) -> u64 {
    let references = usize::from(options.postgresql.pgbin.is_some()) + usize::from(options.tigerbeetle_bin.is_some());
    let rounds = usize::try_from(sizes.rounds.rounds).unwrap_or(1) * (sizes.cases.len() + 1 + references);
    let pgbench = if options.postgresql.pgbin.is_some() { 2 + options.postgresql.pg_clients.len() } else { 0 };
    let histories = if sizes.rows.is_some() { sizes.keys.len() } else { 0 };
    let once = 2 + usize::from(sizes.tail.is_some());
    u64::try_from(sizes.accounts.len() + rounds + pgbench + histories + once).unwrap_or(0)
}

fn measure(options: &Options, sizes: &Sizes, cleanup: &Cleanup, say: &Say) -> Result<Results, Failure> {
    let mut results = Results {
        head: Head::of("ledger", result::FORMAT, &options.course, &cleanup.path("")),
        window: sizes.effort.window,
        skipped: Vec::new(),
        runs: Vec::new(),
        medians: Vec::new(),
        single: None,
        history: Vec::new(),
        start: None,
        recovery: None,
        targets: Vec::new(),
    };
    let mut calibrator = Calibrator::of_bench(cleanup, options.course.calibration_ms())?;
    let mut stand = Stand::new(sizes, cleanup, say);
    references(options, sizes, &mut stand, &mut results)?;
    for many in &sizes.accounts {
        stand.template(*many)?;
    }
    let runs = sizes.rounds.run(&mut stand, &mut calibrator, cleanup, say)?;
    results.runs = runs;
    results.medians = result::medians(&results.runs);
    // What follows is the engine's own matter: no server shall disturb it.
    stand.pgbench = None;
    cleanup.stop_server();
    let few = sizes.accounts.first().copied().unwrap_or(10_000);
    say.step("single transfers, one at a time");
    let template = stand.template(few)?;
    results.single = Some(single::run(&template, sizes.singles, &mut calibrator, cleanup)?);
    say.step(&format!("start with {} people", sizes.people));
    results.start = Some(start::of_people(sizes.people, sizes.effort.window, cleanup)?);
    if let Some(rows) = sizes.tail {
        say.step(&format!("start with {rows} rows to replay"));
        let many = sizes.accounts.iter().copied().max().unwrap_or(few);
        let template = stand.template(many)?;
        results.recovery = Some(start::after_break(&template, many, rows, sizes.effort.window, cleanup)?);
    }
    if let Some(rows) = sizes.rows {
        for keys in &sizes.keys {
            let case = Case { pattern: Pattern::Uniform, accounts: few, keys: *keys };
            results.history.push(history(&mut stand, case, rows)?);
        }
    }
    results.targets = targets::all(&results);
    Ok(results)
}

fn references(options: &Options, sizes: &Sizes, stand: &mut Stand<'_>, results: &mut Results) -> Result<(), Failure> {
    if let Some(bin) = named(options, Engine::Pgbench, options.postgresql.pgbin.as_deref(), "--pgbin", results) {
        let pgbench = Pgbench::start(
            bin,
            &options.postgresql.when(options.course.quick),
            sizes.reference_seconds,
            stand.cleanup,
            stand.say,
        )?;
        results.head.versions.postgresql = pgbench.version.clone();
        stand.pgbench = Some(pgbench);
    }
    let program = options.tigerbeetle_bin.as_deref();
    if let Some(program) = named(options, Engine::Tigerbeetle, program, "--tigerbeetle-bin", results) {
        let transfers = match sizes.effort.until {
            Until::Transfers(all) => Some(all),
            Until::Seconds(_) => None,
        };
        let accounts = sizes.accounts.first().copied().unwrap_or(10_000);
        let tigerbeetle = TigerBeetle::new(program, accounts, transfers)?;
        results.head.versions.tigerbeetle = tigerbeetle.version.clone();
        stand.tigerbeetle = Some(tigerbeetle);
    }
    Ok(())
}

/// The programs of a reference that takes part; why it does not is noted.
fn named<'a>(
    options: &Options,
    engine: Engine,
    given: Option<&'a Path>,
    option: &str,
    results: &mut Results,
) -> Option<&'a Path> {
    let why = match given {
        _ if !options.engines.contains(&engine) => "it is not among --engines".to_owned(),
        None => format!("its programs were not named with {option}"),
        Some(_) => return given,
    };
    results.skipped.push(Skipped { engine, why });
    None
}

/// Grows one book to `rows` answers and looks at each million of them.
fn history(stand: &mut Stand<'_>, case: Case, rows: u64) -> Result<History, Failure> {
    const MILLION: u64 = 1_000_000;
    stand.say.step(&format!("a history of {rows} rows, {}", stand::title_of(Engine::Onecard, Some(case))));
    let effort = Effort { until: Until::Transfers(rows), window: stand.sizes.effort.window };
    let measured = stand.onecard(case, effort, MILLION)?;
    let before = std::iter::once(0).chain(measured.marks.iter().copied());
    let spans = before.zip(&measured.marks).map(|(from, to)| to.saturating_sub(from));
    Ok(History {
        case,
        transfers: rows,
        per_second_by_million: spans.map(|micros| per_second(MILLION, micros)).collect(),
        bytes_per_transfer_hundredths: hundredths(measured.grown, measured.rows),
    })
}
