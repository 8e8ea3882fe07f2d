//! One file per thing a person does: async outside, pure inside.
//!
//! A flow gathers what a command needs from outside (a provider's answer, a checked proof), hands the command to the
//! teller, and turns the outcome into an answer. It holds no rule: rules are in `rules`, and `decide` asks them.
//!
//! Architecture invariant: this crate knows neither which database keeps the rows, nor a provider's wire format, nor HTTP.

pub mod nonces;
pub mod ports;
pub mod rows;
pub mod school;
pub mod session;
mod stored;

pub use school::{ReadFault, School};
