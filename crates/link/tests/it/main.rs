//! Tests of `link` from outside.
