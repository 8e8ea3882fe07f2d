use std::fmt::Debug;

use ledger::CodecError;

/// Which guard rows a school has, and how they are written down. Implemented once, by the crate of the flows.
pub trait Schema: Sized + 'static {
    /// Names one row of one table.
    type Key: Clone + Ord + Debug + Send + Sync;
    /// What the row holds.
    type Row: Clone + Debug + Send + Sync;

    /// Every table, so that a store can make them.
    const TABLES: &'static [&'static str];

    /// Every list.
    const LISTS: &'static [&'static str];

    /// Table of the row, a plain lower-case word.
    fn table(key: &Self::Key) -> &'static str;

    /// The key within its table, in bytes. Two keys of one table never give the same bytes.
    fn key_bytes(key: &Self::Key) -> Vec<u8>;

    /// The row in bytes: the same row always gives the same bytes.
    fn encode(row: &Self::Row) -> Vec<u8>;

    /// Reads what `encode` wrote. Errors: whatever no `encode` could have written.
    fn decode(key: &Self::Key, body: &[u8]) -> Result<Self::Row, CodecError>;

    /// Lists in which the row is to be found. Derived data: it can be rebuilt from the rows.
    fn listings(key: &Self::Key, row: &Self::Row) -> Vec<Listing>;
}

/// A place in a list: "the orders of this person, by time", "what is due, by time".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listing {
    /// Name of the list, a plain lower-case word.
    pub list: &'static str,
    /// Whose list; empty for a list of the whole school.
    pub owner: Vec<u8>,
    /// Where in the list; ascending.
    pub at: i64,
    /// The row's key within its table.
    pub key: Vec<u8>,
}
