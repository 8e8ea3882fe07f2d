//! `onecard import`: a roster, or merchants, into the book.

use std::path::PathBuf;

use flows::ports::Clock;
use rules::calendar::campus_day;
use rules::roster;

use crate::clock::WallClock;
use crate::prompt::{Refused, Said};
use crate::{Failure, Place, issue};

/// Options of `onecard import`.
#[derive(clap::Args)]
pub struct Options {
    /// What the file holds.
    what: What,
    /// XLSX, or CSV in UTF-8 or GB18030.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Checks everything and writes nothing into the book.
    #[arg(long)]
    dry_run: bool,
    /// Where to write the file again with a result beside each row; beside the file when not given.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// A roster of holders.
    People,
    /// Merchants: columns code, name_zh, name_en.
    Merchants,
}

/// Imports; rows with a fault are refused one by one, the others go in.
pub fn run(options: Options) -> Result<(), Failure> {
    match options.what {
        What::People => people(options),
        What::Merchants => merchants(options),
    }
}

fn people(options: Options) -> Result<(), Failure> {
    let sheet = report::roster::read(&options.file)?;
    let checked = roster::check(sheet.rows(), campus_day(WallClock.now()));
    let results = options.results.clone().unwrap_or_else(|| options.file.with_extension("results.xlsx"));
    issue::with_school(&options.place, async |school| {
        let outcome = flows::people::import(&school, &checked, options.dry_run).await;
        report::roster::write_results(&sheet, &outcome.notes(), &results)?;
        let verb = if options.dry_run { "would go in" } else { "went in" };
        println!(
            "{} rows: {} {verb}, {} were there already, {} refused; each row's result is in {}",
            checked.len(),
            outcome.added,
            outcome.already,
            outcome.refused,
            results.display()
        );
        Ok(())
    })
}

fn merchants(options: Options) -> Result<(), Failure> {
    let rows = report::table::read(&options.file, &["code", "name_zh", "name_en"])?;
    issue::with_school(&options.place, async |school| {
        if options.dry_run {
            println!("{} merchants would go in", rows.len());
            return Ok(());
        }
        for row in &rows {
            let [code, zh, en] = &row[..] else { return Err(Said("a row has three columns".to_owned()).into()) };
            flows::merchant::add(&school, code, zh, en).await.map_err(Refused::from)?;
        }
        println!("{} merchants are in the book", rows.len());
        Ok(())
    })
}
