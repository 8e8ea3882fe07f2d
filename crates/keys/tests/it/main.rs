//! Tests of `keys` from outside.

mod card_keys;
mod key_file;
mod secrets;
