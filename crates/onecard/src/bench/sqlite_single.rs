//! Reference: what a plain program does with SQLite, one durable transaction for each transfer.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::histogram::{Histogram, Percentiles};
use super::load::{Until, micros_since, tick, whole_micros};
use super::workload::{Accounts, FUNDS, Pattern, Plan, TOO_MUCH};
use crate::Failure;
use crate::prompt::Said;

const TABLES: &str = "
    CREATE TABLE account (id BLOB PRIMARY KEY, balance INTEGER NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE journal (seq INTEGER PRIMARY KEY, debit BLOB NOT NULL, credit BLOB NOT NULL, amount INTEGER NOT NULL,
        at INTEGER NOT NULL) STRICT;";

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Transfers that moved money.
    pub moved: u64,
    /// Transfers refused for want of money.
    pub refused: u64,
    /// The measured time, microseconds.
    pub micros: u64,
    /// Latencies, microseconds.
    pub latency: Percentiles,
}

/// Runs transfers between `accounts` in the new file `path`, one after the other.
///
/// Error: also when the file does not hold afterwards what was counted.
pub fn run(path: &Path, accounts: Accounts, until: Until) -> Result<Measured, Failure> {
    let mut connection = open(path, accounts)?;
    let plan = Plan::draw(Pattern::Uniform, accounts);
    let latencies = Histogram::new();
    let (mut moved, mut refused, mut at) = (0, 0, 0);
    let began = tick();
    loop {
        let over = match until {
            Until::Seconds(seconds) => micros_since(began) >= seconds * 1_000_000,
            Until::Transfers(all) => at >= all,
        };
        if over {
            break;
        }
        let wish = plan.at(at);
        let amount = if wish.fen == 0 { TOO_MUCH } else { i64::from(wish.fen) };
        let (debit, credit) = (Accounts::holder(wish.from).bytes(), Accounts::merchant(wish.to).bytes());
        let asked = tick();
        match transfer(&mut connection, &debit, &credit, amount, i64::try_from(at).unwrap_or(0))? {
            true => moved += 1,
            false => refused += 1,
        }
        latencies.add(whole_micros(tick().duration_since(asked)));
        at += 1;
    }
    let micros = micros_since(began).max(1);
    let rows: i64 = connection.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?;
    if u64::try_from(rows) != Ok(moved) {
        return Err(Said(format!("{} has {rows} rows, {moved} were written", path.display())).into());
    }
    Ok(Measured { moved, refused, micros, latency: latencies.percentiles() })
}

fn open(path: &Path, accounts: Accounts) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(TABLES)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO account VALUES (?1, ?2)")?;
        for key in accounts.all() {
            insert.execute((key.bytes(), FUNDS))?;
        }
    }
    transaction.commit()?;
    Ok(connection)
}

/// Moves money when there is enough; durable when it returns.
fn transfer(connection: &mut Connection, debit: &[u8], credit: &[u8], amount: i64, at: i64) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let paid = transaction
        .prepare_cached("UPDATE account SET balance = balance - ?2 WHERE id = ?1 AND balance >= ?2")?
        .execute((debit, amount))?;
    if paid == 0 {
        transaction.rollback()?;
        return Ok(false);
    }
    transaction.prepare_cached("UPDATE account SET balance = balance + ?2 WHERE id = ?1")?.execute((credit, amount))?;
    transaction
        .prepare_cached("INSERT INTO journal (debit, credit, amount, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((debit, credit, amount, at))?;
    transaction.commit()?;
    Ok(true)
}
