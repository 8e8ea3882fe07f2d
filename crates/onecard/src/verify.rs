//! `onecard verify`: recomputes the book from the files alone.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use ledger::SchoolId;
use store::sqlite::{SqliteArchive, school_of};
use store::verify::Progress;

use crate::prompt::Said;
use crate::{Failure, Place, config};

/// Options of `onecard verify`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
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
    let report = store::verify::verify(school, &mut archive, &[], &mut |progress| match progress {
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
    });
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
