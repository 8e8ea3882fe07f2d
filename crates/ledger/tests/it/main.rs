//! Tests of `ledger` from outside.

mod chain;
mod forms;
mod model;
mod refusals;
mod replay;
mod rollback;
mod sample;
