//! Documents in and out: rosters, lists, trial balances; documents to read as PDF and XLSX.
//!
//! Architecture invariant: this crate knows no database, no HTTP and no device. It turns bytes into rows and rows into
//! bytes; what a row means is for `rules` to say.

pub mod document;
pub mod roster;
pub mod table;
pub mod trial_balance;
