//! The one door for money: queue, batch, load, decide, commit, answer.
//!
//! Every change of money and of the rows that guard it goes through one [`Engine`] per school, in one order. A
//! [`Command`] names the rows it must see ([`Command::needs`]), decides on them without waiting ([`Command::decide`]),
//! and is answered only after what it decided is durable.
//!
//! Architecture invariant: this crate knows neither which rows and commands exist nor how a store keeps them.

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

/// A place where a drill may end the process; nothing in every other build.
macro_rules! fail_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name);
    };
}

mod balances;
mod cache;
mod command;
mod desk;
mod engine;
mod pace;
mod pipeline;
mod queue;
mod round;
mod schema;
mod store;
mod sweep;

pub use balances::Balances;
pub use command::{Command, Fault, Halt, Job, Rejected, Settled, Step, job};
pub use desk::{Desk, Look, NotLoaded, Seen};
pub use engine::{Engine, IdSource, Limits, StartFault};
pub use pace::{Paced, pace};
pub use pipeline::{Stopped, run};
pub use queue::{Door, QueueFull};
pub use round::EXPIRED;
pub use schema::{Listing, Schema};
pub use store::{Checkpoint, Commit, CommitError, RawKey, Recovered, RowWrite, Store, StoreError};
