//! Tests of `store` from outside.

#[cfg(feature = "sqlite")]
mod anchors;
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
#[cfg(feature = "sqlite")]
mod statement;
#[cfg(feature = "sqlite")]
mod tamper;
mod verify_clean;
#[cfg(feature = "sqlite")]
mod verify_damage;
mod verify_lists;
#[cfg(feature = "sqlite")]
mod verify_sweep;
mod verify_tail;
