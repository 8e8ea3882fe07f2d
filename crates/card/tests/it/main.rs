//! Tests of `card` from outside.

mod behaviour;
mod chance;
mod tears;
mod vectors;
mod world;
