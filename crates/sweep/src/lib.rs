//! A card is pulled away at every command of every kind of hold, in every way, and whatever people then do, the end is that
//! of the hold that was not torn (M10 to M18, R32).
//!
//! The production code runs, joined in one process and one thread: the flows with the real teller on the book in memory or
//! on SQLite, the product's card keys, the POS agent with its journal and its purchase module, the software card behind a
//! hand that tears it. Nothing is drawn at random: every case is enumerated and has a number.
//!
//! | file | what |
//! |---|---|
//! | `flow.rs` | the kinds of holds, and where the end may rightly differ |
//! | `case.rs` | the enumeration: command x place x what comes next |
//! | `hand.rs` | the trait of a hand with two cards at a reader, and the one for software cards in this process |
//! | `campus.rs`, `disk.rs`, `ports.rs` | the platform and what it is made of |
//! | `till.rs` | a terminal |
//! | `world.rs` | one case: cut, what comes next, calm taps |
//! | `pcsc.rs` | feature `pcsc`: the same hand at virtual readers of PC/SC, and many of them side by side |
//! | `card_work.rs` | holds that no POS agent makes: `composite.rs`, a composite purchase; `block.rs`, the card office |
//! | `ending.rs` | what is compared, and what must hold at any end |
//! | `plant.rs` | bugs planted on purpose, to show that the sweep finds them |
//! | `run.rs` | all cases of a flow, and what is told of them |
//!
//! Architecture invariant: time is set by hand and chance comes from a seed; the same options give the same output.

mod block;
mod campus;
mod card_work;
pub mod case;
mod composite;
mod disk;
mod ending;
pub mod flow;
pub mod hand;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod plant;
mod ports;
pub mod run;
mod till;
mod world;

pub use disk::Kind;

/// The sweep itself cannot go on: no finding about the product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl Broken {
    /// In these words.
    pub fn new(why: impl Into<String>) -> Broken {
        Broken(why.into())
    }

    /// While doing this.
    pub(crate) fn of<E: std::fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> Broken {
        move |fault| Broken(format!("{doing}: {fault}"))
    }
}
