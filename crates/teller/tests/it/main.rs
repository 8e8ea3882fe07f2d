//! Tests of `teller` from outside.
