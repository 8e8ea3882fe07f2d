//! Tests of `device` from outside.

mod platform;
mod pos_story;
mod restarts;
mod tears;
mod world;
