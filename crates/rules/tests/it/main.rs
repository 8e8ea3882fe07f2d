//! Tests of `rules` from outside.
