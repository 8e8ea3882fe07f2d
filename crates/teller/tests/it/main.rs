//! Tests of `teller` from outside.

mod absent;
mod answers;
mod door;
mod expiry;
mod fairness;
mod pipeline;
mod poison;
mod recovery;
mod shelf;
mod shop;
