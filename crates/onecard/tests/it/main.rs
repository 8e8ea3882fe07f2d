//! Tests of `onecard` from outside.
