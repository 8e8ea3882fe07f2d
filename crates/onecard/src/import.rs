//! `onecard import`: a roster, or merchants, into the book.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use indicatif::ProgressBar;
use report::roster::{Language, Verdict};
use rules::calendar::campus_day;

use crate::clock::wall;
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
    let roster = report::roster::read(&std::fs::read(&options.file)?)?;
    let checked = rules::roster::check(&roster.rows, campus_day(wall()));
    let mut verdicts: Vec<Verdict> =
        roster.rows.iter().zip(&checked).map(|(row, checked)| Verdict::of(row.row_number, checked, CHINESE)).collect();
    let good: Vec<_> = checked.into_iter().filter_map(Result::ok).collect();
    let results = options.results.clone().unwrap_or_else(|| options.file.with_extension("results.xlsx"));
    for sheet in &roster.other_sheets {
        println!("sheet {sheet} was not read: only the first one is");
    }
    for row in &roster.notes {
        println!("row {row} is about nobody and was left aside");
    }
    issue::with_school(&options.place, async |school| {
        let mut added = 0;
        let mut already = 0;
        let progress = progress(good.len());
        for part in good.chunks(PART) {
            let imported = flows::people::import(&school, part.to_vec(), options.dry_run).await?;
            added += imported.added();
            already += imported.already();
            for line in &imported.lines {
                if let Some(words) = line.outcome.words() {
                    refuse(&mut verdicts, line.row_number, words.zh);
                }
            }
            progress.inc(u64::try_from(part.len()).unwrap_or(0));
        }
        progress.finish_and_clear();
        std::fs::write(&results, report::roster::answer(&roster, &verdicts, CHINESE)?)?;
        let refused = verdicts.iter().filter(|verdict| !verdict.accepted).count();
        let verb = if options.dry_run { "would go in" } else { "went in" };
        println!("{} rows: {added} {verb}, {already} were there already, {refused} refused", verdicts.len());
        println!("each row's result is in {}", results.display());
        Ok(())
    })
}

/// Rows handed in at a time, so that progress can be shown.
const PART: usize = 500;
/// Card offices work in Chinese.
const CHINESE: Language = Language::Chinese;

fn refuse(verdicts: &mut [Verdict], row_number: u32, reason: String) {
    if let Some(verdict) = verdicts.iter_mut().find(|verdict| verdict.row_number == row_number) {
        verdict.accepted = false;
        verdict.reasons.push(reason);
    }
}

fn progress(rows: usize) -> ProgressBar {
    match stderr().is_terminal() {
        true => ProgressBar::new(u64::try_from(rows).unwrap_or(0)),
        false => ProgressBar::hidden(),
    }
}

fn merchants(options: Options) -> Result<(), Failure> {
    let rows = report::table::read(&std::fs::read(&options.file)?, &["code", "name_zh", "name_en"])?;
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
