//! `onecard bench`: how fast the engine is, against references on the same disk in the same run.

mod calibrate;
mod cleanup;
mod histogram;
mod load;
mod machine;
mod onecard;
mod options;
mod payment;
mod pgbench;
mod result;
mod rounds;
mod say;
mod single;
mod sqlite_single;
mod start;
mod table;
mod targets;
mod tigerbeetle;
mod workload;

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::clock::wall;
use crate::prompt::Said;
use cleanup::Cleanup;
use load::Until;
use machine::{Machine, Versions};
use onecard::{Case, Effort};
use options::{Options, Sizes};
use pgbench::Pgbench;
use result::{Engine, History, Results, Skipped, hundredths};
use rounds::{Stand, per_second};
use say::Say;
use tigerbeetle::TigerBeetle;
use workload::Pattern;

/// What can be measured.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Measures the ledger: transfers in a second, latency, start, bytes on disk. Ctrl-C stops and removes everything.
    Ledger(Box<Options>),
    /// What the bench does in processes of its own.
    #[command(hide = true, subcommand)]
    Part(start::Part),
}

/// Runs it.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Ledger(options) => ledger(&options),
        Command::Part(part) => start::part(part),
    }
}

/// Measures everything that was asked for, then writes the file and prints the table.
///
/// Error: something cannot run, or a book is not whole after its run; no file is written then.
fn ledger(options: &Options) -> Result<(), Failure> {
    let sizes = options.sizes();
    let folder = options.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Said(format!("the folder of {} does not exist: make it first", options.out.display())).into());
    }
    let cleanup = Cleanup::begin(&sizes.dir)?;
    let say = Say::new(steps(options, &sizes))?;
    let measured = measure(options, &sizes, &cleanup, &say);
    say.done();
    let results = measured?;
    fs::write(&options.out, serde_json::to_string_pretty(&results)? + "\n")?;
    print!("{}", table::text(&results));
    println!("written to {}", options.out.display());
    Ok(())
}

fn steps(options: &Options, sizes: &Sizes) -> u64 {
    let references = usize::from(options.pgbin.is_some()) + usize::from(options.tigerbeetle_bin.is_some());
    let rounds = usize::try_from(sizes.rounds).unwrap_or(1) * (sizes.cases.len() + 1 + references);
    let pgbench = if options.pgbin.is_some() { 2 + options.pg_clients.len() } else { 0 };
    let histories = if sizes.rows.is_some() { sizes.keys.len() } else { 0 };
    let once = 2 + usize::from(sizes.tail.is_some());
    u64::try_from(sizes.accounts.len() + rounds + pgbench + histories + once).unwrap_or(0)
}

fn measure(options: &Options, sizes: &Sizes, cleanup: &Cleanup, say: &Say) -> Result<Results, Failure> {
    let mut results = Results {
        format: result::FORMAT,
        bench: "ledger",
        started_at_us: wall().get(),
        command: std::env::args().collect(),
        quick: options.quick,
        machine: Machine::look(&cleanup.path("")),
        versions: Versions::own(),
        rounds: sizes.rounds,
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
    let mut stand = Stand::new(sizes, cleanup, say)?;
    references(options, sizes, &mut stand, &mut results)?;
    for many in &sizes.accounts {
        stand.template(*many)?;
    }
    results.runs = stand.rounds()?;
    results.medians = result::medians(&results.runs);
    // What follows is the engine's own matter: no server shall disturb it.
    stand.pgbench = None;
    cleanup.stop_server();
    let few = sizes.accounts.first().copied().unwrap_or(10_000);
    say.step("single transfers, one at a time");
    let template = stand.template(few)?;
    results.single = Some(single::run(&template, sizes.singles, &mut stand.calibrator, cleanup)?);
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
    if let Some(bin) = named(options, Engine::Pgbench, options.pgbin.as_deref(), "--pgbin", results) {
        let pgbench = Pgbench::start(bin, options, sizes.reference_seconds, stand.cleanup, stand.say)?;
        results.versions.postgresql = pgbench.version.clone();
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
        results.versions.tigerbeetle = tigerbeetle.version.clone();
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
    stand.say.step(&format!("a history of {rows} rows, {}", rounds::title_of(Engine::Onecard, Some(case))));
    let effort = Effort { until: Until::Transfers(rows), window: stand.sizes.effort.window };
    let measured = stand.onecard_with(case, effort, MILLION)?;
    let before = std::iter::once(0).chain(measured.marks.iter().copied());
    let spans = before.zip(&measured.marks).map(|(from, to)| to.saturating_sub(from));
    Ok(History {
        case,
        transfers: rows,
        per_second_by_million: spans.map(|micros| per_second(MILLION, micros)).collect(),
        bytes_per_transfer_hundredths: hundredths(measured.grown, measured.rows),
    })
}
