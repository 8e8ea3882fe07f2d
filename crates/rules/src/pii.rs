//! Personal data that must not slip into a log or a page by accident.

use std::fmt;

/// A value that names or describes a person. `Debug` prints `***`, there is no `Display`; reading it takes a reason.
#[derive(Clone, PartialEq, Eq)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Pii<T> {
        Pii(value)
    }

    /// The value itself. `reason` stands at the call so that every use can be found and questioned.
    pub const fn expose_for(&self, reason: &'static str) -> &T {
        let _ = reason;
        &self.0
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}
