//! Tests of `flows` from outside.
