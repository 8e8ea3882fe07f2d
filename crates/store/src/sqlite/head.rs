use std::path::Path;

use ledger::{Micros, SchoolId};
use rusqlite::{Connection, OptionalExtension};
use teller::StoreError;

use super::{OpenFault, columns, doing, read_only};
use crate::verify::Head;

/// The end of the chain as it is in the file, read beside the writer. What a reader sees is durable: SQLite shows a commit
/// only after its sync.
pub struct SqliteHead {
    connection: Connection,
    school: i64,
}

impl SqliteHead {
    /// Opens the book in `dir`. Errors: `Missing`, `Sqlite`, `Newer`, `OtherMigration`, `Older`, `OtherSchool`.
    pub fn open(dir: &Path, school: SchoolId) -> Result<SqliteHead, OpenFault> {
        Ok(SqliteHead { connection: read_only(dir, school)?, school: i64::from(school.get()) })
    }

    /// The newest block and its time; `None` for a book with none.
    pub fn newest(&self) -> Result<Option<(Head, Micros)>, StoreError> {
        self.last_up_to(i64::MAX)
    }

    /// The block with this number and its time, if it is there.
    pub fn block(&self, no: u64) -> Result<Option<(Head, Micros)>, StoreError> {
        let no = i64::try_from(no).unwrap_or(i64::MAX);
        Ok(self.last_up_to(no)?.filter(|(head, _)| i64::try_from(head.block) == Ok(no)))
    }

    fn last_up_to(&self, no: i64) -> Result<Option<(Head, Micros)>, StoreError> {
        let what = "reading the newest block";
        let sql =
            format!("SELECT {} FROM block WHERE school_id = ?1 AND no <= ?2 ORDER BY no DESC LIMIT 1", columns::BLOCK);
        let found = self.connection.query_row(&sql, (self.school, no), |row| Ok(columns::block(row)));
        let block = found.optional().map_err(doing(what))?.transpose();
        let block = block.map_err(|misfit| StoreError { what, why: format!("{misfit}; run `onecard verify`") })?;
        Ok(block.map(|block| {
            let seq = block.first_seq.saturating_add(u64::from(block.rows)).saturating_sub(1);
            (Head { block: block.no, seq, link: block.link }, block.at)
        }))
    }
}
