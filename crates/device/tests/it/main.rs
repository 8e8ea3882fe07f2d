//! Tests of `device` from outside.
