//! Tests of `card` from outside.

mod behaviour;
mod blocks;
mod chance;
mod doubts;
mod files;
mod finished;
mod host;
mod making;
mod sm4;
mod tears;
mod vectors;
mod world;
