//! Tests of `store` from outside.

mod contract;
mod place;
mod school;
mod scribe;
#[cfg(feature = "sqlite")]
mod sqlite;
mod verify_clean;
#[cfg(feature = "sqlite")]
mod verify_damage;
