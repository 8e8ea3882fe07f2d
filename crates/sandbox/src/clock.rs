use ledger::Micros;

/// Tells what time it is.
///
/// Every deadline of the sandbox (signature window, expiry, code life, retry times) is measured with it, so that a
/// test moves time by hand. Any `Fn() -> Micros` is a clock.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Micros;
}

impl<F: Fn() -> Micros + Send + Sync> Clock for F {
    fn now(&self) -> Micros {
        self()
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the machine's clock")]
    fn now(&self) -> Micros {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Micros::new(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}
