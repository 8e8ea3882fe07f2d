//! Tests of `sim` from outside.
