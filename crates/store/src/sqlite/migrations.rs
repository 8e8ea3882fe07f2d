//! Forward-only migrations: each runs once, in its own order, and is remembered with a checksum of its text.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::{SchoolId, row_digest};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{OpenFault, at, columns};

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Every migration there ever was; number 1 is the first. A text that was once released is never changed.
const MIGRATIONS: &[Migration] = &[Migration { name: "book", sql: include_str!("0001_book.sql") }];

const REMEMBER: &str = "CREATE TABLE IF NOT EXISTS migration (
    number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT";

fn checksum(migration: &Migration) -> [u8; 16] {
    row_digest("migration", migration.name.as_bytes(), Some(migration.sql.as_bytes())).content
}

/// Brings the file to this version, makes the tables of guard rows and begins the school's book, in one transaction.
///
/// Errors: `Newer`, `OtherMigration`, `OtherSchool`, `Sqlite`; then nothing has changed. Repeats: change nothing.
pub(super) fn run(
    connection: &mut Connection,
    path: &Path,
    school: SchoolId,
    tables: &[&str],
) -> Result<(), OpenFault> {
    let at = at(path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&at)?;
    transaction.execute_batch(REMEMBER).map_err(&at)?;
    let done = ran(&transaction, path)?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        transaction.execute_batch(migration.sql).map_err(&at)?;
        transaction
            .execute("INSERT INTO migration VALUES (?1, ?2, ?3)", (number, migration.name, checksum(migration)))
            .map_err(&at)?;
    }
    for table in tables {
        // A guard row's columns never change: its body's form is the schema's business.
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS row_{table} (school_id INTEGER NOT NULL, key BLOB NOT NULL,
                 body BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (school_id, key)) STRICT, WITHOUT ROWID"
        );
        transaction.execute_batch(&sql).map_err(&at)?;
    }
    match self::school(&transaction).map_err(&at)? {
        Some(found) if found != i64::from(school.get()) => {
            return Err(OpenFault::OtherSchool { path: path.to_owned(), found, wanted: school.get() });
        }
        Some(_) => {}
        None => {
            let digest = columns::recovery_digest(1);
            transaction.execute("INSERT INTO recovery VALUES (?1, 1, ?2)", (school.get(), digest)).map_err(&at)?;
        }
    }
    transaction.commit().map_err(&at)
}

/// How many migrations the file has had, all of them this version's, in their order.
fn ran(connection: &Connection, path: &Path) -> Result<usize, OpenFault> {
    let at = at(path);
    let mut statement =
        connection.prepare("SELECT number, name, checksum FROM migration ORDER BY number").map_err(&at)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(&at)?;
    let mut done = 0_usize;
    for (wanted, row) in (1_i64..).zip(rows) {
        let (number, name, found): (i64, String, Vec<u8>) = row.map_err(&at)?;
        match MIGRATIONS.get(done) {
            None => return Err(OpenFault::Newer { path: path.to_owned(), number }),
            Some(migration)
                if number != wanted || migration.name != name || checksum(migration) != found.as_slice() =>
            {
                return Err(OpenFault::OtherMigration { path: path.to_owned(), number });
            }
            Some(_) => done = done.saturating_add(1),
        }
    }
    Ok(done)
}

/// The file is of exactly this version. Errors: `Newer`, `OtherMigration`, `Older`, `Sqlite`.
pub(super) fn require_current(connection: &Connection, path: &Path) -> Result<(), OpenFault> {
    let known: bool = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'migration'", [], |row| row.get(0))
        .map_err(at(path))?;
    if known && ran(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    Err(OpenFault::Older { path: path.to_owned() })
}

/// Number of the school whose book the file keeps; `None` while it keeps none.
pub(super) fn school(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT school_id FROM recovery ORDER BY school_id LIMIT 1", [], |row| row.get(0)).optional()
}

/// In what the file's tables, views and triggers differ from those that this version makes: a sentence each. A trigger
/// that is gone protects nothing any more, though every row still reads the same.
pub(super) fn differences(
    connection: &Connection,
    school: SchoolId,
    tables: &[&str],
) -> Result<Vec<String>, OpenFault> {
    let path = Path::new("a book in memory");
    let mut model = Connection::open_in_memory().map_err(at(path))?;
    run(&mut model, path, school, tables)?;
    let (wanted, found) = (schema(&model).map_err(at(path))?, schema(connection).map_err(at(path))?);
    let told = |(name, sql): (&String, &String)| match found.get(name) {
        Some(other) if other == sql => None,
        Some(_) => Some(format!("{name} is another one than this version makes")),
        None => Some(format!("{name} is missing")),
    };
    let more =
        found.keys().filter(|name| !wanted.contains_key(*name)).map(|name| format!("{name} is none of this version's"));
    Ok(wanted.iter().filter_map(told).chain(more).collect())
}

/// What the schema names, by kind and name: how it was made, each blank as one.
fn schema(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    const SQL: &str = "SELECT type || ' ' || name, ifnull(sql, '') || ' on ' || tbl_name FROM sqlite_schema \
        WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut read = connection.prepare(SQL)?;
    let rows = read.query_map([], |row| {
        let text: String = row.get(1)?;
        Ok((row.get(0)?, text.split_whitespace().collect::<Vec<_>>().join(" ")))
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "book.sqlite";

    fn migrated() -> Connection {
        let mut connection = Connection::open_in_memory().expect("opens");
        run(&mut connection, Path::new(PATH), school_one(), &["order"]).expect("migrates");
        connection
    }

    fn school_one() -> SchoolId {
        SchoolId::new(1).expect("a school")
    }

    fn names(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").expect("reads");
        statement.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("reads")
    }

    #[test]
    fn a_second_run_changes_nothing_and_new_tables_are_added() {
        let mut connection = migrated();
        let before = names(&connection);
        run(&mut connection, Path::new(PATH), school_one(), &["order"]).expect("runs again");
        assert_eq!(names(&connection), before);
        require_current(&connection, Path::new(PATH)).expect("is current");
        run(&mut connection, Path::new(PATH), school_one(), &["order", "card"]).expect("runs again");
        assert!(names(&connection).contains(&"row_card".to_owned()));
    }

    #[test]
    fn a_file_of_another_version_or_school_is_refused_and_left_as_it_was() {
        type Case = (&'static str, fn(&OpenFault) -> bool);
        let cases: [Case; 5] = [
            ("INSERT INTO migration VALUES (2, 'later', x'00')", |fault| {
                matches!(fault, OpenFault::Newer { number: 2, .. })
            }),
            ("UPDATE migration SET checksum = zeroblob(16)", |fault| {
                matches!(fault, OpenFault::OtherMigration { number: 1, .. })
            }),
            ("UPDATE migration SET number = 3", |fault| matches!(fault, OpenFault::OtherMigration { number: 3, .. })),
            ("UPDATE migration SET name = 'cook'", |fault| {
                matches!(fault, OpenFault::OtherMigration { number: 1, .. })
            }),
            ("UPDATE recovery SET school_id = 2", |fault| matches!(fault, OpenFault::OtherSchool { found: 2, .. })),
        ];
        for (change, expected) in cases {
            let mut connection = migrated();
            connection.execute_batch(change).expect("changes");
            let before = names(&connection);
            let fault = run(&mut connection, Path::new(PATH), school_one(), &["card"]).expect_err(change);
            assert!(expected(&fault), "{change}: {fault}");
            assert_eq!(names(&connection), before, "{change}");
        }
    }

    #[test]
    fn a_file_that_never_migrated_is_not_current() {
        let connection = Connection::open_in_memory().expect("opens");
        assert!(matches!(require_current(&connection, Path::new(PATH)), Err(OpenFault::Older { .. })));
        connection.execute_batch(REMEMBER).expect("makes the table");
        assert!(matches!(require_current(&connection, Path::new(PATH)), Err(OpenFault::Older { .. })));
    }

    #[test]
    fn journal_and_block_rows_are_neither_changed_nor_deleted() {
        let connection = migrated();
        connection.execute_batch("INSERT INTO journal VALUES (1, 1, zeroblob(80))").expect("inserts");
        connection.execute_batch("INSERT INTO block VALUES (1, 1, 1, 1, 0, x'', zeroblob(32))").expect("inserts");
        for accident in
            ["UPDATE journal SET body = x''", "DELETE FROM journal", "UPDATE block SET at = 1", "DELETE FROM block"]
        {
            assert!(connection.execute_batch(accident).is_err(), "{accident} was done");
        }
    }

    #[test]
    fn a_table_or_trigger_that_this_version_does_not_make_is_told() {
        let told = |connection: &Connection| differences(connection, school_one(), &["order"]).expect("compares");
        assert_eq!(told(&migrated()), Vec::<String>::new());
        let trigger = "CREATE TRIGGER journal_is_never_cut";
        let table = [
            ("DROP TRIGGER journal_is_never_cut".to_owned(), "trigger journal_is_never_cut is missing"),
            (
                format!("DROP TRIGGER journal_is_never_cut; {trigger} BEFORE DELETE ON journal BEGIN SELECT 1; END"),
                "trigger journal_is_never_cut is another one than this version makes",
            ),
            ("CREATE TABLE aside (x INTEGER)".to_owned(), "table aside is none of this version's"),
            ("CREATE INDEX quick ON journal (seq)".to_owned(), "index quick is none of this version's"),
        ];
        for (change, expected) in table {
            let connection = migrated();
            connection.execute_batch(&change).expect("changes");
            assert_eq!(told(&connection), [expected], "{change}");
        }
    }
}
