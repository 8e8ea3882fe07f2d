//! Tests of `teller` from outside.

mod absent;
mod answers;
mod door;
mod poison;
mod recovery;
mod shelf;
mod shop;
