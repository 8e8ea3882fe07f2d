//! `onecard bench`: how fast the platform is, against references on the same disk in the same run.

mod bound;
mod calibrate;
mod cleanup;
mod door;
mod histogram;
mod invented;
mod ledger;
mod load;
mod machine;
mod onecard;
mod options;
mod pages;
mod payment;
mod pgbench;
mod result;
mod rounds;
mod say;
mod serving;
mod sign_in;
mod single;
mod sqlite_single;
mod stand;
mod start;
mod table;
mod tap;
mod targets;
mod tigerbeetle;
mod topup;
mod workload;

use std::fs;

use serde::Serialize;

use crate::Failure;
use crate::prompt::Said;
pub use workload::Draw;

use cleanup::Cleanup;
use rounds::RoundOptions;
use say::Say;

/// What can be measured.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Measures the ledger: transfers in a second, latency, start, bytes on disk. Ctrl-C stops and removes everything.
    Ledger(Box<options::Options>),
    /// Measures top-ups: payment notices over HTTP, verified, decrypted, credited and durable, in a second, and their
    /// latency. Ctrl-C stops and removes everything.
    Topup(Box<topup::Options>),
    /// Measures taps: cards held to terminals over mutual TLS, from the card on the reader to the green light, and the
    /// platform's share of it. Ctrl-C stops and removes everything.
    Tap(Box<tap::Options>),
    /// Measures pages: how soon a holder's pages and answers come, with people who have a history. Ctrl-C stops and removes
    /// everything.
    Pages(Box<pages::Options>),
    /// Measures refusals at sign-in: whether their time tells numbers that exist from numbers that do not. Ctrl-C stops and
    /// removes everything.
    Door(Box<door::Options>),
    /// What the bench does in processes of its own.
    #[command(hide = true, subcommand)]
    Part(start::Part),
}

/// Runs it.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Ledger(options) => ledger::run(&options),
        Command::Topup(options) => topup::run(&options),
        Command::Tap(options) => tap::run(&options),
        Command::Pages(options) => pages::run(&options),
        Command::Door(options) => door::run(&options),
        Command::Part(part) => start::part(part),
    }
}

/// Measures in a work folder, in so many steps, then writes the results to the file that was named and prints them as text.
///
/// Error: that file cannot be written, checked before anything is measured; or that of `measure`, and no file is written then.
fn report<R: Serialize>(
    course: &RoundOptions,
    steps: u64,
    measure: impl FnOnce(&Cleanup, &Say) -> Result<R, Failure>,
    text: impl FnOnce(&R) -> String,
) -> Result<(), Failure> {
    let out = &course.out;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Said(format!("the folder of {} does not exist: make it first", out.display())).into());
    }
    let cleanup = Cleanup::begin(&course.dir)?;
    let say = Say::new(steps)?;
    let measured = measure(&cleanup, &say);
    say.done();
    let results = measured?;
    fs::write(out, serde_json::to_string_pretty(&results)? + "\n")?;
    print!("{}", text(&results));
    println!("written to {}", out.display());
    Ok(())
}
