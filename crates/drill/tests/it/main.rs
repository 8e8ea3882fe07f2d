//! Tests of the drill from outside.
