//! Tests of `store` from outside.

#[cfg(feature = "sqlite")]
mod anchors;
mod contract;
mod place;
mod school;
mod scribe;
#[cfg(feature = "sqlite")]
mod sqlite;
mod verify_clean;
#[cfg(feature = "sqlite")]
mod verify_damage;
