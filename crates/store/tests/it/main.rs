//! Tests of `store` from outside.

mod contract;
mod place;
#[cfg(feature = "sqlite")]
mod reports;
#[cfg(feature = "sqlite")]
mod reports_damage;
mod school;
mod scribe;
#[cfg(feature = "sqlite")]
mod sqlite;
mod verify_clean;
#[cfg(feature = "sqlite")]
mod verify_damage;
