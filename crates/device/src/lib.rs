//! Terminals: readers, agents and the uplink.
//!
//! | module | what |
//! |---|---|
//! | [`agent`] | what a terminal does, without sockets, readers or clocks |
//! | [`journal`] | what a terminal may not forget: lines of text and the state they add up to |
//! | [`channel`] | the way to a card: the trait of a reader, and a reader for software cards |
//! | `journal_file`, `uplink` | feature `uplink`: the journal on disk, the connection, the task that drives an agent |
//!
//! Architecture invariant: an agent never waits, never reads a clock and never draws a random number; only `uplink` does.

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

pub mod agent;
pub mod channel;
pub mod journal;
#[cfg(feature = "uplink")]
pub mod journal_file;
#[cfg(feature = "uplink")]
pub mod uplink;
