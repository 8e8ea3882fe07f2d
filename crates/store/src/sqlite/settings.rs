//! How connections are set up, and the refusal to run with settings under which a power cut loses money.

use std::time::Duration;

use rusqlite::Connection;

use super::OpenFault;

/// Pages after which a commit copies the write-ahead log back into the database: 16 MiB of log.
///
/// Copying costs random writes, so it pays to let one copy serve many commits; it is done within a commit, so it must not
/// take long either. The log is then begun again from its start and written over. It is never truncated
/// (`journal_size_limit = -1`): a log that must grow takes many times as long to sync as one whose blocks exist.
const PAGES_OF_LOG: i64 = 4096;

/// A log of that many pages, and one batch more of a usual size.
pub(super) const LOG_BYTES: u64 = 32 + (4096 + 256) * (24 + 4096);

const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the connection waits for a lock that another one holds.
pub(super) fn wait(connection: &Connection, patiently: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(if patiently { PATIENCE } else { Duration::ZERO })
}

/// Sets up the writer's connection. `page_size` counts only before the first table is made.
pub(super) fn for_writing(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", -1)?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_OF_LOG)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    for_any(connection)
}

/// Sets up the writer's connection to a file of derived data. After a power cut it may have forgotten the newest
/// transactions, never a part of one: they are made again.
pub(super) fn for_derived(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    for_any(connection)
}

/// Sets up a connection that only reads.
pub(super) fn for_reading(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4 * 1024)?;
    for_any(connection)
}

fn for_any(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Asks SQLite what is really in force. Error: [`OpenFault::Setting`], the first of write-ahead log and full sync that is
/// not. Source: measured power cuts; only the two together lost nothing.
pub(super) fn require_durable(connection: &Connection, path: &std::path::Path) -> Result<(), OpenFault> {
    let at = super::at(path);
    let found: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(&at)?;
    if found != "wal" {
        return Err(OpenFault::Setting { setting: "journal_mode", wanted: "wal", found });
    }
    let found: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(&at)?;
    if found != 2 {
        return Err(OpenFault::Setting { setting: "synchronous", wanted: "2 (FULL)", found: found.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn weaker_settings_are_refused() {
        let dir = std::env::temp_dir().join(format!("onecard-settings-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let path = dir.join("book.sqlite");
        let refused = |connection: &Connection| match require_durable(connection, &path) {
            Ok(()) => None,
            Err(OpenFault::Setting { setting, found, .. }) => Some((setting, found)),
            Err(other) => panic!("{other}"),
        };
        let said = |setting, found: &str| Some((setting, found.to_owned()));

        let memory = Connection::open_in_memory().expect("opens");
        for_writing(&memory).expect("is set up");
        assert_eq!(refused(&memory), said("journal_mode", "memory"), "nothing is durable in memory");

        let file = Connection::open(&path).expect("opens");
        assert_eq!(refused(&file), said("journal_mode", "delete"));
        for_writing(&file).expect("is set up");
        assert_eq!(refused(&file), None);
        for (weaker, found) in [("NORMAL", "1"), ("OFF", "0")] {
            file.pragma_update(None, "synchronous", weaker).expect("is set");
            assert_eq!(refused(&file), said("synchronous", found));
        }
        for_writing(&file).expect("is set up");
        for journal in ["DELETE", "TRUNCATE", "PERSIST"] {
            file.pragma_update(None, "journal_mode", journal).expect("is set");
            assert_eq!(refused(&file), said("journal_mode", &journal.to_lowercase()));
        }
        drop(file);
        std::fs::remove_dir_all(&dir).expect("is removed");
    }

    #[test]
    fn a_reading_connection_cannot_write() {
        let connection = Connection::open_in_memory().expect("opens");
        for_reading(&connection).expect("is set up");
        assert!(connection.execute_batch("CREATE TABLE t (x INTEGER)").is_err());
        assert!(require_durable(&connection, Path::new("x")).is_err());
    }
}
