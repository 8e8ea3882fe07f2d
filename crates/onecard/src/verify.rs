//! `onecard verify`: recomputes the book from the files alone.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use flows::rows::Campus;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::SchoolId;
use rules::epoch::Epoch;
use store::anchors::Anchors;
use store::sqlite::{SqliteArchive, school_of};
use store::verify::{Head, Progress, Report, Tail, link_text, verify_lists, verify_tail};

use crate::anchors::{self, Notes, epoch_of};
use crate::prompt::{Said, minute};
use crate::{Failure, Place, config};

/// Options of `onecard verify`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Another copy of the anchors to compare with, such as one that was kept on another machine.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
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
    if let Some(from) = options.from {
        return tail(school, &mut SqliteArchive::open(&data, school)?, from);
    }
    // Before the book: what was written down by now is in the book by then.
    let anchors = Compared::read(&data, school, options.anchors.as_deref())?;
    let mut report = check(&data, school, anchors.heads())?;
    let found = anchors.findings(Epoch::number_of(epoch_of(&data, school)?.as_ref()));
    report.findings.splice(0..0, found);
    print!("{anchors}{report}");
    if report.clean() {
        return Ok(());
    }
    Err(Said(
        "the book is not whole: keep this folder as it is, restore the last backup elsewhere, and compare".to_owned(),
    )
    .into())
}

/// Checks the book in `data` and shows on a terminal how far it is.
pub fn check(data: &Path, school: SchoolId, anchors: &[Head]) -> Result<Report, Failure> {
    let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {elapsed}")?);
    let report = check_and_tell(data, school, anchors, &mut |step| show(&bar, step))?;
    bar.finish_and_clear();
    Ok(report)
}

/// Checks the book in `data` and tells `progress` how far it is.
pub fn check_and_tell(
    data: &Path,
    school: SchoolId,
    anchors: &[Head],
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, Failure> {
    let mut archive = SqliteArchive::open(data, school)?;
    let mut report = store::verify::verify(school, &mut archive, anchors, progress);
    let places_of = |_: &str, key: &[u8], body: &[u8]| Campus::listings_of_stored(key, body);
    verify_lists(&mut archive, &places_of, &mut report, progress);
    Ok(report)
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

/// The anchors that a book is compared with.
pub struct Compared {
    notes: Option<Notes>,
    anchors: Option<Anchors>,
    missing: Option<String>,
    heads: Vec<Head>,
}

impl Compared {
    /// Reads the anchors of the book in `data`, or those in `file`, a copy that was kept elsewhere.
    pub fn read(data: &Path, school: SchoolId, file: Option<&Path>) -> Result<Compared, Failure> {
        let notes = Notes::read(data)?;
        let notes = match (notes, file) {
            (Some(notes), Some(file)) => Some(Notes { file: file.to_owned(), ..notes }),
            (None, Some(_)) => {
                let name = data.join(anchors::NOTES);
                return Err(Said(format!("there is no {} to check signatures with", name.display())).into());
            }
            (notes, None) => notes,
        };
        let read = notes.as_ref().map(|notes| notes.anchors(school));
        let (anchors, missing) = match read {
            Some(Ok(anchors)) => (Some(anchors), None),
            // A book that had anchors and has them no more is not known to be whole.
            Some(Err(fault)) => (None, Some(fault.to_string())),
            None => (None, None),
        };
        let heads = anchors.as_ref().map_or_else(Vec::new, Anchors::heads);
        Ok(Compared { notes, anchors, missing, heads })
    }

    /// Heads that the book must contain.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// What does not hold in the anchors themselves.
    pub fn findings(&self, epoch: u64) -> Vec<String> {
        let found = self.anchors.as_ref().map_or_else(Vec::new, |anchors| anchors.findings(epoch));
        self.missing.iter().cloned().chain(found).collect()
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(notes), Some(anchors)) = (&self.notes, &self.anchors) else {
            return writeln!(out, "anchors       none: a cut tail could not be seen");
        };
        let newest = anchors.newest().map_or_else(
            || "none yet".to_owned(),
            |newest| format!("newest block {} of {}", newest.head.block, minute(newest.at)),
        );
        writeln!(out, "anchors       {} compared, {newest}", self.heads.len())?;
        writeln!(out, "signed by     {}", notes.key)?;
        if anchors.given_up() > 0 {
            writeln!(out, "given up      {} of blocks after the backup that was restored", anchors.given_up())?;
        }
        if anchors.torn() {
            writeln!(out, "torn          the last line of the anchors has no end; the next anchor replaces it")?;
        }
        Ok(())
    }
}
