use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flows::rows::Campus;
use keys::Keyring;
use ledger::SchoolId;
use rules::epoch::Epoch;
use store::sqlite::SqliteStore;
use store::verify::Head;
use teller::Schema;

use super::{CONFIG, KEYS, MANIFEST, Manifest, link, take};
use crate::Failure;
use crate::anchors::{self, Notes, epoch_of};
use crate::clock::SteadyClock;
use crate::engine;
use crate::prompt::Said;
use crate::serve::private_folder;
use crate::verify::check;

/// Lies in a data folder while a restore works on it; a server refuses such a folder.
const UNFINISHED: &str = "restore-unfinished";

/// Options of `onecard restore`.
#[derive(clap::Args)]
pub struct Options {
    /// The backup: a folder that `onecard backup` made.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// The data folder to be; empty, or not there yet.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The key file, for a backup that was made without keys.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The anchors as they were when the old folder was lost, if they lived on another disk; the new ones are added there.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
}

/// Refuses a data folder in which a restore did not come to its end.
pub fn require_finished(data: &Path) -> Result<(), Said> {
    if !data.join(UNFINISHED).exists() {
        return Ok(());
    }
    Err(Said(format!(
        "a restore into {} did not finish: empty the folder and run `onecard restore` again",
        data.display()
    )))
}

/// Brings a backup back into an empty folder and begins a new epoch of the book.
pub fn run(options: Options) -> Result<(), Failure> {
    let Options { from, data, .. } = &options;
    if data.exists() && fs::read_dir(data)?.next().is_some() {
        return Err(Said(format!(
            "{} is not empty: a restore never writes over anything; choose a new folder, and keep the old one as it is",
            data.display()
        ))
        .into());
    }
    if let Some(file) = options.anchors.as_deref().filter(|file| !file.exists()) {
        return Err(Said(format!(
            "there are no anchors in {}; leave --anchors out, and name their place in the configuration later",
            file.display()
        ))
        .into());
    }
    let manifest = Manifest::read(from)?;
    let school = manifest.school_id()?;
    let has_keys = manifest.files.iter().any(|file| file.name == KEYS);
    if !has_keys && options.keys.is_none() {
        return Err(Said(format!("the backup has no keys: name a copy of {KEYS} with --keys")).into());
    }
    private_folder(data)?;
    File::create(data.join(UNFINISHED))?.sync_all()?;
    let mut copied = Vec::new();
    for file in &manifest.files {
        take(&from.join(&file.name), data, &file.name, &mut copied)?;
    }
    take(&from.join(MANIFEST), data, MANIFEST, &mut copied)?;
    if let (false, Some(keys)) = (has_keys, &options.keys) {
        take(keys, data, KEYS, &mut copied)?;
    }
    fs::rename(data.join(MANIFEST), data.join("restored-from.json"))?;
    // Tables that this version adds are made now; what was there stays.
    drop(SqliteStore::open(data, school, Campus::TABLES)?);
    let head = verify_copy(data, school, &manifest, options.anchors.as_deref())?;
    let epoch = begin(data, school, options.anchors.as_deref(), manifest.epoch)?;
    fs::remove_file(data.join(UNFINISHED))?;
    File::open(data)?.sync_all()?;
    tell(&options, &manifest, head, epoch);
    Ok(())
}

/// The book in the folder is whole, is the one that the manifest names, and agrees with every anchor up to its head. Later
/// anchors are of what is lost: the new epoch gives their blocks up.
fn verify_copy(data: &Path, school: SchoolId, manifest: &Manifest, kept: Option<&Path>) -> Result<Head, Failure> {
    let notes = Notes::read(data)?.map(|notes| match kept {
        Some(file) => Notes { file: file.to_owned(), ..notes },
        None => notes,
    });
    let anchors = notes.map(|notes| notes.anchors(school)).transpose()?;
    let mut heads = anchors.as_ref().map_or_else(Vec::new, |anchors| anchors.heads());
    heads.retain(|head| head.block <= manifest.block);
    let report = check(data, school, &heads)?;
    let newest = anchors.as_ref().and_then(|anchors| anchors.newest()).map_or(manifest.epoch, |anchor| anchor.epoch);
    let wrong = anchors.map_or_else(Vec::new, |anchors| anchors.findings(newest));
    if let Some(first) = report.findings.first().or(wrong.first()) {
        return Err(Said(format!("the backup does not verify: {first}; take another backup")).into());
    }
    if (report.head.block, link(&report.head)) != (manifest.block, manifest.link.clone()) {
        return Err(Said("the book is not the one that the manifest names; take another backup".to_owned()).into());
    }
    Ok(report.head)
}

/// Begins the epoch: first its signed anchor, which says from which block the book goes on; then its row in the book.
fn begin(data: &Path, school: SchoolId, kept: Option<&Path>, before: u64) -> Result<Epoch, Failure> {
    let keyring = Keyring::open(&data.join(KEYS))?;
    let mut anchors = anchors::open(data, kept, school, &keyring)?;
    let newest = anchors.newest().map_or(before, |anchor| anchor.epoch);
    let number = newest.max(before).max(Epoch::FIRST).saturating_add(1);
    anchors.begin(number, &SteadyClock::new())?;
    let running = engine::start_restored(data, school, &keyring, anchors)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = runtime.block_on(flows::epoch::begin(&running.school, number));
    running.stop()?;
    begun?;
    epoch_of(data, school)?.filter(|epoch| epoch.number == number).ok_or_else(|| "the epoch is not in the book".into())
}

fn tell(options: &Options, manifest: &Manifest, head: Head, epoch: Epoch) {
    let data = options.data.display();
    println!("restored      {data} from {}", options.from.display());
    println!("book          whole up to block {}, journal row {}", head.block, head.seq);
    println!("epoch         {}", epoch.number);
    println!();
    println!("What happened after the backup is not in the book. Next:");
    println!(
        "1. Put the configuration right: `data` is {data}. A copy of the old one is {CONFIG} there, if it was backed up."
    );
    for path in &manifest.elsewhere {
        println!("   It names {}, which is not part of a backup.", path.display());
    }
    println!(
        "2. Start `onecard serve`. It first asks the payment provider about every order that was open in the backup;"
    );
    println!("   until each was asked, new top-ups are refused with \"try again in a moment\".");
    println!(
        "3. Let every terminal connect. Each sends again what it still has; what it no longer has becomes a case."
    );
    println!("   Terminals that were enrolled after the backup must be enrolled again.");
    println!(
        "4. Cards that are ahead of the book are taken as they are, each with a case for the duty officer; payments of"
    );
    println!(
        "   orders that the book no longer knows go to a case of finance. Work these cases off; the money is in them."
    );
    println!("5. People, cards, settings and passwords of after the backup must be entered again. Make a backup.");
}
