//! `onecard backup` and `onecard restore`: the book and what it takes to run it again (M9).

mod manifest;
mod restore;

use std::fs::{self, File};
use std::io::{IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use ledger::{Micros, SchoolId};
use rules::epoch::Epoch;
use serde::{Deserialize, Serialize};
use store::sqlite::{BOOK_FILE, copy_book};
use store::verify::{Head, link_text};

pub use manifest::{Kept, MANIFEST, Manifest};
pub use restore::{Options as RestoreOptions, require_finished, run as restore};

use crate::anchors::{self, Notes, epoch_of};
use crate::clock::wall;
use crate::config::{self, Config};
use crate::prompt::{Said, minute};
use crate::serve::private_folder;
use crate::verify::{book_of, check};
use crate::{Failure, Place};

/// Name of the key file, in a data folder and in a backup.
pub const KEYS: &str = "keys.json";

/// Name of the configuration's copy in a backup.
pub const CONFIG: &str = "onecard.toml";

/// Files of the terminals' authority, in a data folder and in a backup.
const AUTHORITY: [&str; 2] = ["terminals/ca.pem", "terminals/ca-key.pem"];

/// Note of the newest backup, in the data folder.
pub const NEWEST: &str = "last-backup.json";

/// Options of `onecard backup`.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// The folder that the backup becomes; it must not exist. One for each backup, best with the day in its name.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Leaves the key file out, for a backup that is kept where keys must not be; keep the keys in a safe then.
    #[arg(long)]
    without_keys: bool,
}

/// What the data folder remembers of its newest backup.
#[derive(Serialize, Deserialize)]
pub struct Newest {
    /// When, microseconds since 1970.
    pub at: i64,
    /// Where to.
    pub to: PathBuf,
    /// Newest block in it.
    pub block: u64,
}

/// Copies the book beside a running server, verifies the copy, and only then gives it its name.
pub fn run(options: Options) -> Result<(), Failure> {
    let (data, school) = book_of(&options.place)?;
    let config = options.place.config.as_deref().map(config::read).transpose()?;
    let to = std::path::absolute(&options.to)?;
    if to.exists() {
        return Err(Said(format!("{} is there already; choose another name, one for each backup", to.display())).into());
    }
    let (Some(name), Some(parent)) = (to.file_name(), to.parent()) else {
        return Err(Said(format!("{} names no folder", to.display())).into());
    };
    private_folder(parent)?;
    let unfinished = parent.join(format!("{}.unfinished", name.to_string_lossy()));
    if unfinished.exists() {
        // What an interrupted backup to the same name left.
        fs::remove_dir_all(&unfinished)?;
    }
    private_folder(&unfinished)?;
    let manifest = fill(&data, school, &options, config.as_ref(), &unfinished).inspect_err(|_| {
        // A part of a backup is worth nothing; when it cannot be removed either, the next backup tries.
        let _ = fs::remove_dir_all(&unfinished);
    })?;
    fs::rename(&unfinished, &to)?;
    File::open(parent)?.sync_all()?;
    note(&data, &to, &manifest);
    tell(&to, &manifest, options.without_keys);
    Ok(())
}

/// Fills the folder, verifies what is in it, and writes the manifest last.
fn fill(
    data: &Path,
    school: SchoolId,
    options: &Options,
    config: Option<&Config>,
    folder: &Path,
) -> Result<Manifest, Failure> {
    let made_at = wall();
    let mut files = Vec::new();
    // The anchors first: what they name is in the book by the time the book is copied.
    if let Some(notes) = Notes::read(data)? {
        take(&notes.file, folder, anchors::LOG, &mut files)?;
        Notes { file: folder.join(anchors::LOG), ..notes }.write(folder)?;
        files.push(anchors::NOTES.to_owned());
    }
    let bar = bar("copying the book");
    copy_book(data, school, &folder.join(BOOK_FILE), &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    owner_alone(&folder.join(BOOK_FILE))?;
    files.push(BOOK_FILE.to_owned());
    if !options.without_keys {
        take(&data.join(KEYS), folder, KEYS, &mut files)?;
    }
    for name in AUTHORITY {
        if data.join(name).exists() {
            take(&data.join(name), folder, name, &mut files)?;
        }
    }
    if let Some(path) = &options.place.config {
        take(path, folder, CONFIG, &mut files)?;
    }
    let head = verified(folder, school)?;
    let epoch = Epoch::number_of(epoch_of(folder, school)?.as_ref());
    let kept = files.iter().map(|name| Kept::of(folder, name)).collect::<Result<Vec<_>, _>>()?;
    let elsewhere = config.map_or_else(Vec::new, Config::other_files);
    let manifest = Manifest::new(made_at, school, epoch, head, kept, elsewhere);
    manifest.write(folder)?;
    Ok(manifest)
}

/// Copies one file into the backup, durably and for its owner alone.
fn take(from: &Path, folder: &Path, name: &str, files: &mut Vec<String>) -> Result<(), Failure> {
    let to = folder.join(name);
    if let Some(parent) = to.parent() {
        private_folder(parent)?;
    }
    let copied = fs::copy(from, &to).and_then(|_| owner_alone(&to)).and_then(|()| File::open(&to)?.sync_all());
    copied.map_err(|fault| Said(format!("cannot copy {}: {fault}", from.display())))?;
    files.push(name.to_owned());
    Ok(())
}

fn owner_alone(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// Checks the whole book in `folder` with the anchors in it; gives its head.
pub fn verified(folder: &Path, school: SchoolId) -> Result<Head, Failure> {
    let anchors = Notes::read(folder)?.map(|notes| notes.anchors(school)).transpose()?;
    let heads = anchors.as_ref().map_or_else(Vec::new, |anchors| anchors.heads());
    let report = check(folder, school, &heads)?;
    let epoch = Epoch::number_of(epoch_of(folder, school)?.as_ref());
    let more = anchors.map_or_else(Vec::new, |anchors| anchors.findings(epoch));
    let Some(first) = more.first().or(report.findings.first()) else { return Ok(report.head) };
    Err(Said(format!(
        "the copy does not verify ({first}); run `onecard verify` on the book itself, and keep the last good backup"
    ))
    .into())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(what: &'static str) -> ProgressBar {
    let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

/// Leaves word in the data folder, for `onecard doctor`. The backup is good without it.
fn note(data: &Path, to: &Path, manifest: &Manifest) {
    let newest = Newest { at: manifest.made_at, to: to.to_owned(), block: manifest.block };
    let beside = data.join(format!("{NEWEST}.new"));
    let written = serde_json::to_vec_pretty(&newest).map_err(std::io::Error::from).and_then(|text| {
        File::create(&beside)?.write_all(&text)?;
        fs::rename(&beside, data.join(NEWEST))
    });
    if let Err(fault) = written {
        eprintln!("the data folder could not note this backup ({fault}); `onecard doctor` will not know of it");
    }
}

fn tell(to: &Path, manifest: &Manifest, without_keys: bool) {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    println!("backup        {}", to.display());
    println!("of            {}, epoch {}", minute(Micros::new(manifest.made_at)), manifest.epoch);
    println!("head          block {}, journal row {}", manifest.block, manifest.row);
    println!("files         {}, {bytes} bytes, verified", manifest.files.len());
    if without_keys {
        println!("no keys       it can be restored only with a copy of {KEYS}: keep one in a safe");
    } else {
        println!("with keys     who has it can read names and load cards: keep it as safe as {KEYS} itself");
    }
    for path in &manifest.elsewhere {
        println!("not in it     {}", path.display());
    }
}

/// The link of a head as a manifest has it.
fn link(head: &Head) -> String {
    link_text(&head.link)
}
