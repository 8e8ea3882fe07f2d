//! The card office's side.
