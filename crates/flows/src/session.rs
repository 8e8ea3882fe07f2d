//! Sessions of holders.

use ledger::Micros;
use rules::ids::PersonId;

/// How the holder came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Number and query password in a browser.
    Browser,
}

/// A session. The token itself is never stored; the row's key is its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub person: PersonId,
    /// How the holder came in.
    pub entry: Entry,
    /// Since when.
    pub made_at: Micros,
    /// Last use, to the nearest minutes.
    pub seen_at: Micros,
    /// It ends then at the latest.
    pub ends_at: Micros,
    /// Only the change of the password is open to it (R26).
    pub must_change: bool,
}
