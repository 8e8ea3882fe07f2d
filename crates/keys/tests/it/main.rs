//! Tests of `keys` from outside.
