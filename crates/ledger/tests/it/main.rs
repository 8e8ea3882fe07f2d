//! Tests of `ledger` from outside.

mod chain;
mod model;
mod refusals;
mod replay;
mod rollback;
mod sample;
