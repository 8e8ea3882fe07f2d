//! Double-entry book: money, time, accounts, transfers, journal rows and the chain over them.
//!
//! Architecture invariant: this crate knows nothing of cards, people, time zones, databases or messages. It does no
//! input or output, reads no clock and draws no random number; the same calls give the same book on every machine.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod account;
mod accounts;
mod book;
mod chain;
mod code;
mod id;
mod journal;
mod money;
mod time;

pub use account::{Account, AccountCode, AccountKey, Bound};
pub use accounts::{Accounts, Slot};
pub use book::{Book, Mark, Pending, PostRefusal, Stage, Transfer};
pub use chain::{Block, Change, Digest, chain_link, content_digest, row_digest};
pub use code::{CodecError, Reader, Writer};
pub use id::{Id, IdText, SchoolId};
pub use journal::{Bodies, JournalRow, Kind};
pub use money::{AmountText, Fen};
pub use time::Micros;
