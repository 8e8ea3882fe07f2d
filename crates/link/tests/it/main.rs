//! Tests of `link` from outside.

mod any;
mod frames;
mod stable;
