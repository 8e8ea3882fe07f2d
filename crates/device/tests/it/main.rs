//! Tests of `device` from outside.

mod algorithms;
mod authorisation;
mod counter;
mod doubt;
mod folder;
#[cfg(feature = "uplink")]
mod journal_on_disk;
mod keys;
#[cfg(feature = "pcsc")]
mod pcsc_reader;
mod platform;
mod pos_story;
mod restarts;
mod soak;
mod soft_reader;
mod tears;
mod terminals_page;
#[cfg(feature = "uplink")]
mod uplink;
mod virtual_reader;
mod world;
