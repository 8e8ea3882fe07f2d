//! Tests of `web` from outside.
