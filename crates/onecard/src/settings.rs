//! `onecard settings`: business rules with their history (R93).

use std::path::Path;

use flows::ports::Reader;
use flows::rows::{Campus, Key, Row};
use ledger::{Micros, SchoolId};
use rules::limits::{Change, Limits, Setting};
use store::sqlite::SqliteReader;
use teller::{RawKey, Schema};

use crate::clock::wall;
use crate::prompt::Refused;
use crate::{Failure, Place, issue, verify};

/// Subcommands of `onecard settings`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Prints every rule with the value that holds now.
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Sets a rule; the server must not be running on the folder.
    Set {
        #[command(flatten)]
        place: Place,
        /// Name, as `show` prints it.
        name: String,
        /// New value, in fen, seconds or as `show` says.
        value: i64,
        /// From when it holds, in seconds from now.
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// Who sets it.
        #[arg(long)]
        by: String,
    },
}

/// Shows or sets.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Show { place } => show(&place),
        Command::Set { place, name, value, after, by } => issue::with_school(&place, async |school| {
            let from: Option<Micros> = (after > 0).then(|| wall().after_seconds(after));
            let changed = flows::settings::change_setting(&school, &name, value, from, &by).await;
            changed.map_err(|refusal| Refused::from(refusal.words()))?;
            println!("{name} = {value}");
            Ok(())
        }),
    }
}

/// Reads beside a running server: nothing is opened for writing.
fn show(place: &Place) -> Result<(), Failure> {
    let (data, school) = verify::book_of(place)?;
    let limits = Limits::at(&history(&data, school)?, wall());
    for setting in Setting::ALL {
        let spec = setting.spec();
        println!("{:32} {:>12}  ({} to {})", spec.name, limits.get(setting), spec.least, spec.most);
    }
    Ok(())
}

/// Every change of a setting in the book of a data folder, oldest first; also beside a running server.
pub fn history(data: &Path, school: SchoolId) -> Result<Vec<Change>, Failure> {
    let reader = SqliteReader::open(data, school, Campus::TABLES, 1)?;
    let key = RawKey { table: Campus::table(&Key::Settings), key: Campus::key_bytes(&Key::Settings) };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let body = runtime.block_on(reader.rows(vec![key]))?.pop().flatten();
    let row = body.map(|body| Campus::decode(&Key::Settings, &body)).transpose()?;
    Ok(row.as_ref().and_then(Row::settings).cloned().unwrap_or_default())
}
