//! Tests of `pay` from outside.
