//! `onecard verify`: recomputes the book from the files alone.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use flows::rows::Campus;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::SchoolId;
use store::sqlite::{SqliteArchive, school_of};
use store::verify::{Progress, Tail, link_text, verify_lists, verify_tail};

use crate::prompt::Said;
use crate::{Failure, Place, config};

/// Options of `onecard verify`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Checks only the chain and the journal from this journal row on, and believes what comes before: quick, for every
    /// night. Weaker than the whole check: accounts, rows and lists are not looked at.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
}

/// The data folder that is meant, and the school whose book it holds.
pub fn book_of(place: &Place) -> Result<(PathBuf, SchoolId), Failure> {
    match (&place.data, &place.config) {
        (Some(data), _) => Ok((data.clone(), school_of(data)?)),
        (None, Some(path)) => {
            let config = config::read(path)?;
            Ok((config.data.clone(), config.school_id()?))
        }
        (None, None) => Err(Said("name the data folder (--data) or the configuration (--config)".to_owned()).into()),
    }
}

/// Checks the book and prints what it found; also while the server runs.
pub fn run(options: Options) -> Result<(), Failure> {
    let (data, school) = book_of(&options.place)?;
    let mut archive = SqliteArchive::open(&data, school)?;
    let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {elapsed}")?);
    if let Some(from) = options.from {
        return tail(school, &mut archive, from);
    }
    let mut report = store::verify::verify(school, &mut archive, &[], &mut |step| show(&bar, step));
    let places_of = |_: &str, key: &[u8], body: &[u8]| Campus::listings_of_stored(key, body);
    verify_lists(&mut archive, &places_of, &mut report, &mut |step| show(&bar, step));
    bar.finish_and_clear();
    print!("{report}");
    if report.clean() {
        return Ok(());
    }
    Err(Said(
        "the book is not whole: keep this folder as it is, restore the last backup elsewhere, and compare".to_owned(),
    )
    .into())
}

fn show(bar: &ProgressBar, step: Progress) {
    match step {
        Progress::Engine => bar.set_message("database file"),
        Progress::Journal { done, of } => {
            bar.set_message("journal");
            bar.set_length(of);
            bar.set_position(done);
        }
        Progress::Accounts => bar.set_message("accounts"),
        Progress::GuardRows { done } => {
            bar.set_message("rows");
            bar.set_position(done);
        }
        Progress::Lists { done } => {
            bar.set_message("lists");
            bar.set_position(done);
        }
    }
}

/// Checks the end of the journal alone.
fn tail(school: SchoolId, archive: &mut SqliteArchive, from: u64) -> Result<(), Failure> {
    let Tail { trusted, report } = verify_tail(school, archive, from, &mut |_| {});
    if report.clean() && from > report.head.seq {
        return Err(Said(format!("the journal ends at row {}: nothing was checked", report.head.seq)).into());
    }
    println!("believed      up to block {}, journal row {}", trusted.block, trusted.seq);
    println!("journal rows  {}", report.journal_rows);
    println!("blocks        {}", report.blocks);
    println!("head          block {}, journal row {}", report.head.block, report.head.seq);
    println!("link          {}", link_text(&report.head.link));
    for finding in &report.findings {
        println!("WRONG         {finding}");
    }
    if report.more > 0 {
        println!("WRONG         and {} more", report.more);
    }
    if report.clean() {
        println!("the journal holds from there on; `onecard verify` without --from checks the whole book");
        return Ok(());
    }
    Err(Said("the end of the journal does not hold: run `onecard verify` without --from".to_owned()).into())
}
