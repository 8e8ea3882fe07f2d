//! What the campus allows: one file per subject; every number of the requirements stands in [`limits`].
//!
//! Architecture invariant: this crate knows nothing of SQL, HTTP, sockets, serialisation or the clock on the wall. A rule
//! takes what it must know as facts and gives what shall happen as data; it never asks anyone.

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
pub mod binding;
pub mod calendar;
pub mod card;
pub mod case;
pub mod channel;
pub mod chart;
pub mod credential;
pub mod epoch;
pub mod event;
pub mod ids;
pub mod limits;
pub mod load;
pub mod mask;
pub mod message;
pub mod pace;
pub mod password;
pub mod person;
pub mod pii;
pub mod purchase;
pub mod refund;
pub mod roster;
pub mod session;
pub mod spending;
pub mod spent;
pub mod statement;
pub mod top_up;
pub mod waiting;
pub mod webhook;
pub mod words;
