//! Tests of `card` from outside.
