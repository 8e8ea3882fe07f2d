//! `onecard report`, and the task that feeds the reporting table while the server runs.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ledger::{Fen, SchoolId};
use report::trial_balance::{self, Line};
use rules::calendar::CampusMonth;
use rules::chart::kind_name;
use store::sqlite::SqliteArchive;
use store::sqlite::reports::{Fed, Position, REPORTS_FILE, ReportFault, ReportReader, ReportWriter};

use crate::prompt::Said;
use crate::verify::book_of;
use crate::{Failure, Place};

/// Journal rows taken in one transaction: some tens of milliseconds.
const CHUNK: u32 = 2_000;
/// Between two chunks while there is more, so that a long way to catch up leaves the machine to the school.
const BREATH: Duration = Duration::from_millis(20);
/// When everything is taken.
const IDLE: Duration = Duration::from_secs(1);
/// After a fault.
const LATER: Duration = Duration::from_secs(30);

/// `onecard report`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Trial balance of a campus month: what every kind of account had, gave and received. It adds up to 0.00.
    ///
    /// The figures come from the reporting table (reports.sqlite in the data folder), which is fed from the journal first
    /// unless a running server feeds it. The first line tells how far the journal was taken.
    Month(Month),
}

/// Options of `onecard report month`.
#[derive(clap::Args)]
pub struct Month {
    /// The month, such as 2026-09; it begins and ends at midnight in Shanghai, by the time of recording.
    #[arg(value_name = "YYYY-MM", value_parser = CampusMonth::parse)]
    month: CampusMonth,
    #[command(flatten)]
    place: Place,
    /// Writes the table to this file too: .csv or .xlsx.
    #[arg(long, value_name = "FILE", value_parser = table_file)]
    out: Option<PathBuf>,
    /// Compares every account's month with the journal, read from its first row on; exit code 1 when they differ.
    #[arg(long)]
    check: bool,
}

fn table_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match form_of(&path) {
        Some(_) => Ok(path),
        None => Err("the name of the file must end in .csv or .xlsx".to_owned()),
    }
}

#[derive(Clone, Copy)]
enum Form {
    Csv,
    Xlsx,
}

fn form_of(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(Form::Csv),
        "xlsx" => Some(Form::Xlsx),
        _ => None,
    }
}

/// Runs a report.
pub fn run(command: Command) -> Result<(), Failure> {
    let Command::Month(options) = command;
    month(options)
}

fn month(options: Month) -> Result<(), Failure> {
    let (data, school) = book_of(&options.place)?;
    let mut book = SqliteArchive::open(&data, school)?;
    feed_here(&data, school, &mut book)?;
    let reader = ReportReader::open(&data, school)?;
    let (position, totals) = reader.trial_balance(options.month)?;
    let lines: Vec<Line> = totals
        .iter()
        .map(|total| Line {
            code: total.code,
            opening: total.opening,
            debits: total.debits,
            credits: total.credits,
            closing: total.closing,
        })
        .collect();
    print(options.month, &position, &lines)?;
    if let Some(path) = &options.out {
        let bytes = match form_of(path) {
            Some(Form::Xlsx) => trial_balance::xlsx(options.month, &lines)?,
            Some(Form::Csv) | None => trial_balance::csv(&lines)?,
        };
        std::fs::write(path, bytes).map_err(|fault| Said(format!("cannot write {}: {fault}", path.display())))?;
        println!("the table is in {}", path.display());
    }
    if options.check {
        check(&reader, &mut book, options.month)?;
    }
    match trial_balance::balanced(&lines) {
        true => Ok(()),
        false => Err(mend(&data, "the trial balance does not add up to 0.00")),
    }
}

/// What a person does about a table that is wrong.
fn mend(data: &Path, what: &str) -> Failure {
    let file = data.join(REPORTS_FILE);
    let next = "run `onecard verify`; if the book is whole, stop the server, delete";
    Said(format!("{what}: {next} {} and ask again, it is made anew", file.display())).into()
}

/// Takes what is missing, unless another process does.
pub fn feed_here(data: &Path, school: SchoolId, book: &mut SqliteArchive) -> Result<(), Failure> {
    let mut writer = match ReportWriter::open(data, school) {
        Ok(writer) => writer,
        Err(ReportFault::InUse { .. }) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let bar = if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("journal rows taken {pos} {elapsed}")?);
    loop {
        let Fed { position, complete, .. } = writer.feed(book, CHUNK)?;
        bar.set_position(position.head.seq);
        if complete {
            bar.finish_and_clear();
            return Ok(());
        }
    }
}

fn print(month: CampusMonth, position: &Position, lines: &[Line]) -> Result<(), Failure> {
    let total = trial_balance::total(lines).ok_or("the sums of the trial balance are too large to count")?;
    println!("trial balance of {month}; the journal is taken up to row {}", position.head.seq);
    let line = |code: &str, name: &str, sums: [String; 4]| {
        let [opening, debits, credits, closing] = sums;
        println!("{code:<5} {name:<15} {opening:>18} {debits:>18} {credits:>18} {closing:>18}");
    };
    line("code", "account", ["opening", "debits", "credits", "closing"].map(str::to_owned));
    let text = |sums: [Fen; 4]| sums.map(|sum| sum.to_string());
    for each in lines {
        let sums = [each.opening, each.debits, each.credits, each.closing];
        line(&each.code.0.to_string(), kind_name(each.code), text(sums));
    }
    line("", "total", text(total));
    Ok(())
}

fn check(reader: &ReportReader, book: &mut SqliteArchive, month: CampusMonth) -> Result<(), Failure> {
    let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("comparing with the journal {bar:40} {pos}/{len} {elapsed}")?);
    let told = reader.check_month(book, month, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    if told.is_empty() {
        println!("every account's month is what the journal says");
        return Ok(());
    }
    for line in told {
        println!("WRONG  {line}");
    }
    let next = "run `onecard verify`; if the book is whole, stop the server, delete reports.sqlite and ask again";
    Err(Said(format!("the reporting table differs from the journal: {next}")).into())
}

/// What the feeding task holds between two chunks.
type Hands = (ReportWriter, SqliteArchive);

/// Feeds the reporting table from the journal in short chunks, for ever. What fails is told once and tried again.
pub async fn feed(data: PathBuf, school: SchoolId) {
    let (mut hands, mut told) = (None, String::new());
    loop {
        let (data, held) = (data.clone(), hands.take());
        let chunk = tokio::task::spawn_blocking(move || take_chunk(&data, school, held)).await;
        let pause = match chunk {
            Ok(Ok((fed, held))) => {
                if fed.anew {
                    tracing::warn!("{REPORTS_FILE} did not fit the book; it is made anew from the journal");
                }
                hands = Some(held);
                told.clear();
                if fed.complete { IDLE } else { BREATH }
            }
            Ok(Err(fault)) => {
                let text = crate::prompt::sentence(fault.as_ref());
                if text != told {
                    tracing::error!("the reporting table is not fed: {text}");
                    told = text;
                }
                LATER
            }
            Err(_) => {
                tracing::error!("feeding the reporting table panicked; trying again");
                LATER
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn take_chunk(data: &Path, school: SchoolId, held: Option<Hands>) -> Result<(Fed, Hands), Failure> {
    let (mut writer, mut book) = match held {
        Some(held) => held,
        None => (ReportWriter::open(data, school)?, SqliteArchive::open(data, school)?),
    };
    let fed = writer.feed(&mut book, CHUNK)?;
    Ok((fed, (writer, book)))
}
