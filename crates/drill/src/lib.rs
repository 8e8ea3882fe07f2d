//! Drills: the real teller on the real store in a process of its own, under load, killed, cut off from its disk, out of
//! room; then every acknowledged operation must be there exactly once, every other one once or not at all.
//!
//! `server` is the process that is drilled, `load` its clients. `recount` adds the book up again from its rows with
//! arithmetic of its own, `compare` holds it against what the clients were told.
//!
//! Architecture invariant: this crate knows no rule of the campus, and is in no product binary.

mod chance;
mod command_line;
mod compare;
mod disk;
mod kill;
mod load;
mod log;
mod notes;
mod operation;
mod point;
mod process;
mod recount;
mod round;
mod schema;
mod server;
mod total;
mod volume;
mod wire;

pub use command_line::main;
