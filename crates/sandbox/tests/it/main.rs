//! Tests of `sandbox` from outside.
