//! Where the book is kept: SQLite and memory, one contract.
//!
//! A store implements [`teller::Store`] for the one writer, [`flows::ports::Reader`] for pages and jobs, and
//! [`verify::Archive`] so that everything it keeps can be checked from end to end. One contract suite runs on all stores.
//!
//! Architecture invariant: this crate knows neither which rows exist nor what they mean; a row is a table, a key and a
//! body. Without the feature `sqlite` it does no input or output at all.

/// A place where a drill may end the process; nothing in every other build.
#[cfg(feature = "sqlite")]
macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name);
    };
}

pub mod anchors;
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod verify;

/// What a pend set aside, from its journal row.
fn set_aside_by(row: &ledger::JournalRow) -> ledger::Pending {
    ledger::Pending { debit: row.debit, credit: row.credit, amount: row.amount, expires_at: row.expires_at }
}

/// Bytes as a person reads them in a report, the first sixteen of a long key.
fn hex(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 16 {
        text.push('…');
    }
    text
}
