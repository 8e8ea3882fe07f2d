//! Hands on a database file that do what no writer does.

use rusqlite::Connection;
use rusqlite::types::Value;

/// A row, value by value.
pub type Row = Vec<Value>;

/// Changes the file behind the triggers, which stand again afterwards as they stood before.
pub fn tamper<T>(raw: &Connection, change: impl FnOnce(&Connection) -> T) -> T {
    let triggers: Vec<(String, String)> = {
        let mut read = raw.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").expect("reads");
        let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("reads");
        rows.collect::<Result<_, _>>().expect("reads")
    };
    for (name, _) in &triggers {
        raw.execute_batch(&format!("DROP TRIGGER {name}")).expect("drops");
    }
    let changed = change(raw);
    for (name, sql) in &triggers {
        raw.execute_batch(sql).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    changed
}

/// Every table of the file.
pub fn tables(raw: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut read = raw.prepare(sql).expect("reads");
    read.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("reads")
}

/// A table as a test damages it.
pub struct Table {
    pub name: String,
    /// Name of a column, and whether it belongs to the key.
    pub columns: Vec<(String, bool)>,
    /// Every row, in the order of the key.
    pub rows: Vec<Row>,
}

impl Table {
    pub fn read(raw: &Connection, name: &str) -> rusqlite::Result<Table> {
        let mut info = raw.prepare(&format!("PRAGMA table_info({name})"))?;
        let columns = info.query_map([], |row| Ok((row.get(1)?, row.get::<_, i64>(5)? > 0)))?;
        let columns: Vec<(String, bool)> = columns.collect::<Result<_, _>>()?;
        let mut read = raw.prepare(&format!("SELECT * FROM {name}"))?;
        let rows = read.query_map([], |row| (0..columns.len()).map(|column| row.get(column)).collect())?;
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Table { name: name.to_owned(), columns, rows })
    }

    /// Which rows a test looks at: the first, one in the middle, the last.
    pub fn sample(&self) -> Vec<usize> {
        let last = self.rows.len() - 1;
        let mut sample = vec![0, last / 2, last];
        sample.dedup();
        sample
    }

    /// Puts `rows` in the place of all that is there. Error: two rows have one key.
    pub fn write(&self, raw: &Connection, rows: &[Row]) -> rusqlite::Result<()> {
        raw.execute_batch(&format!("BEGIN; DELETE FROM {}", self.name))?;
        let marks = vec!["?"; self.columns.len()].join(", ");
        for row in rows {
            let sql = format!("INSERT INTO {} VALUES ({marks})", self.name);
            raw.execute(&sql, rusqlite::params_from_iter(row))?;
        }
        raw.execute_batch("COMMIT")
    }
}

/// The value with one bit flipped; a value without bits gains a byte. `draw` chooses which.
pub fn flip(value: &Value, draw: u64) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number ^ (1_i64 << (draw % 64))),
        Value::Blob(bytes) if bytes.is_empty() => Value::Blob(vec![0]),
        Value::Blob(bytes) => Value::Blob(flip_bit(bytes, draw, 8)),
        // The lower bits of a letter, so that it stays text.
        Value::Text(text) => Value::Text(String::from_utf8(flip_bit(text.as_bytes(), draw, 5)).expect("stays text")),
        other => panic!("no column holds {other:?}"),
    }
}

/// `bytes` with one of the lower `bits` bits of one byte flipped.
pub fn flip_bit(bytes: &[u8], draw: u64, bits: u64) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let at = usize::try_from((draw / bits) % bytes.len() as u64).expect("within");
    changed[at] ^= 1 << (draw % bits);
    changed
}
