//! Starts that are measured in a process of their own, and the books that are started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledger::AccountKey;
use rules::chart::{self, Channel};
use rules::ids::{CardNo, PersonId};
use store::sqlite::SqliteStore;
use teller::{Engine, Limits, Schema, Store};

use super::cleanup::Cleanup;
use super::load::{Load, Until, fund, micros_since, tick};
use super::machine;
use super::onecard::{Running, copy_book, school};
use super::payment::Bench;
use super::result::{Recovery, Start};
use super::workload::{Accounts, Keys, Pattern, Plan};
use crate::Failure;
use crate::clock::{Ids, wall};
use crate::prompt::Said;

/// What a process of the bench's own does.
#[derive(clap::Subcommand)]
pub enum Part {
    /// Starts an engine on a book and prints how long it took, as JSON.
    Start {
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
    },
    /// Works on a book and ends in the middle of it, without closing anything.
    Break {
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
        /// Accounts of the book.
        #[arg(long)]
        accounts: u32,
        /// Transfers before the end.
        #[arg(long)]
        transfers: u64,
        /// Transfers in flight.
        #[arg(long)]
        window: u64,
    },
}

/// Does it.
pub fn part(part: Part) -> Result<(), Failure> {
    match part {
        Part::Start { data } => {
            println!("{}", serde_json::to_string(&start_here(&data)?)?);
            Ok(())
        }
        Part::Break { data, accounts, transfers, window } => {
            let running = Running::start(&data, window)?;
            let plan = Plan::draw(Pattern::Uniform, Accounts::of(accounts));
            let mut load = Load::new(running.door.clone(), Keys::Stream, plan, window, wall());
            let phase = load.run(Until::Transfers(transfers), u64::MAX)?;
            println!("{}", phase.counts.moved);
            // No door is closed, no file is closed, nothing is dropped: what a kill leaves behind is left behind.
            std::process::exit(0);
        }
    }
}

/// Starts an engine in this process and looks at clock and memory.
fn start_here(data: &Path) -> Result<Start, Failure> {
    let resident_before_kib = machine::resident_kib();
    let began = tick();
    let store = SqliteStore::open(data, school()?, Bench::TABLES)?;
    let open_us = micros_since(began);
    let began = tick();
    let engine = Engine::<Bench, _>::start(school()?, store, Box::new(Ids::new()), Limits::default())?;
    let engine_us = micros_since(began);
    let resident_kib = machine::resident_kib();
    let accounts = u64::try_from(engine.book().accounts().len()).unwrap_or(0);
    Ok(Start { accounts, replayed_rows: 0, open_us, engine_us, resident_before_kib, resident_kib })
}

/// Starts an engine on `data` in a process of its own.
fn start(data: &Path, cleanup: &Cleanup) -> Result<Start, Failure> {
    let mut command = this_program()?;
    command.args(["bench", "part", "start", "--data"]).arg(data);
    let output = cleanup.run(&mut command)?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn this_program() -> Result<Command, Failure> {
    Ok(Command::new(std::env::current_exe()?))
}

/// Journal rows that a start on `data` must replay. They are counted on a copy: opening a book already puts its log away.
fn rows_to_replay(data: &Path, cleanup: &Cleanup) -> Result<u64, Failure> {
    let copy = cleanup.path("copy");
    copy_book(data, &copy)?;
    let store = SqliteStore::open(&copy, school()?, Bench::TABLES)?;
    let kept = store.recover()?;
    drop(store);
    fs::remove_dir_all(&copy)?;
    Ok(u64::try_from(kept.tail.len()).unwrap_or(u64::MAX))
}

/// A book with `people` people, each with an account, money that waits for the card, and a card; then the middle one of
/// its starts by time.
pub fn of_people(people: u32, window: u64, cleanup: &Cleanup) -> Result<Start, Failure> {
    let data = cleanup.path("people");
    let running = Running::start(&data, window)?;
    let accounts = (0..people).flat_map(accounts_of);
    fund(&running.door, chart::receivable(Channel::WeChat), accounts, window)?;
    running.stop()?;
    let replayed_rows = rows_to_replay(&data, cleanup)?;
    let mut starts = [start(&data, cleanup)?, start(&data, cleanup)?, start(&data, cleanup)?];
    starts.sort_by_key(|start| start.open_us + start.engine_us);
    fs::remove_dir_all(&data)?;
    let [_, middle, _] = starts;
    Ok(Start { replayed_rows, ..middle })
}

fn accounts_of(number: u32) -> [AccountKey; 3] {
    let main = Accounts::holder(number);
    let person = PersonId(ledger::Id::new(main.owner));
    let card = CardNo(2_026_000_000_000_000 + u64::from(number));
    [main, chart::awaiting_tap(person), chart::on_card(card)]
}

/// A start after a process ended in the middle of its work, with `rows` transfers after the last checkpoint.
pub fn after_break(
    template: &super::onecard::Template,
    accounts: u32,
    rows: u64,
    window: u64,
    cleanup: &Cleanup,
) -> Result<Recovery, Failure> {
    let data = cleanup.path("broken");
    template.copy(&data)?;
    let mut command = this_program()?;
    command.args(["bench", "part", "break", "--data"]).arg(&data);
    command.args(["--accounts", &accounts.to_string(), "--transfers", &rows.to_string()]);
    let output = cleanup.run(command.args(["--window", &window.to_string()]))?;
    let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let written = told.parse().map_err(|_| Said(format!("the process that was to break said {told:?}")))?;
    let replayed_rows = rows_to_replay(&data, cleanup)?;
    let start = Start { replayed_rows, ..start(&data, cleanup)? };
    fs::remove_dir_all(&data)?;
    Ok(Recovery { rows: written, start })
}
