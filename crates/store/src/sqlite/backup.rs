use std::fs::File;
use std::path::Path;

use ledger::SchoolId;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{OpenFault, at, read_only};

/// Pages copied at a time: 1 MiB.
const PAGES_A_STEP: i32 = 256;

/// Steps between two syncs of the copy, so that the disk that the writer syncs to never has a large backlog of ours.
const STEPS_A_SYNC: u32 = 16;

/// Copies the book in `dir` as it is at one moment to the new file `to`, also while a server writes; `progress` hears pages
/// copied and pages in all. The copy is durable when this returns and needs no other file beside it.
///
/// The whole copy is made under one snapshot: with a write-ahead log a reader never stops the writer, and SQLite's backup,
/// which begins anew whenever the file changes under it, has no reason to. The price is that the log cannot begin anew until
/// the copy is done, so it grows by what is written meanwhile and stays as large.
///
/// Errors: `Missing`, `Sqlite`, `Newer`, `OtherMigration`, `Older`, `OtherSchool`, `File`; a part of the copy may be there.
/// Source: SQLite, Online Backup API, and Write-Ahead Logging.
pub fn copy_book(dir: &Path, school: SchoolId, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), OpenFault> {
    let (from_path, at_to) = (dir.join(super::BOOK_FILE), at(to));
    let file_fault = |source| OpenFault::File { path: to.to_owned(), source };
    let source = read_only(dir, school)?;
    let snapshot = source.unchecked_transaction().map_err(at(&from_path))?;
    snapshot.query_row("SELECT count(*) FROM recovery", [], |_| Ok(())).map_err(at(&from_path))?;
    let mut copy = Connection::open(to).map_err(&at_to)?;
    // Half a copy is worth nothing, so it needs no journal of its own; the syncs are done here.
    copy.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(())).map_err(&at_to)?;
    copy.pragma_update(None, "synchronous", "OFF").map_err(&at_to)?;
    copy.pragma_update(None, "cache_size", -4 * 1024).map_err(&at_to)?;
    let file = File::options().read(true).write(true).open(to).map_err(file_fault)?;
    {
        let backup = Backup::new(&snapshot, &mut copy).map_err(&at_to)?;
        let mut steps = 0_u32;
        loop {
            let step = backup.step(PAGES_A_STEP).map_err(&at_to)?;
            let state = backup.progress();
            let of = u64::try_from(state.pagecount).unwrap_or(0);
            progress(of.saturating_sub(u64::try_from(state.remaining).unwrap_or(0)), of);
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS_A_SYNC) {
                file.sync_data().map_err(file_fault)?;
            }
            if step == StepResult::Done {
                break;
            }
        }
    }
    snapshot.finish().map_err(at(&from_path))?;
    // The copy says of itself that it has a write-ahead log; at rest it is easier to keep without one.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(&at_to)?;
    copy.close().map_err(|(_, why)| at_to(why))?;
    file.sync_all().map_err(file_fault)
}
