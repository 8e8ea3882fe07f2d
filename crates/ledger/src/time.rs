/// A moment, in microseconds since 1970-01-01T00:00:00Z.
///
/// Time zones and calendars are not this type's business: `rules::calendar` turns moments into campus days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(i64);

impl Micros {
    /// `micros` after the epoch.
    pub const fn new(micros: i64) -> Micros {
        Micros(micros)
    }

    /// `seconds` after the epoch.
    pub const fn from_seconds(seconds: i64) -> Micros {
        Micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds after the epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whole seconds after the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `seconds` more; stays at the last countable moment.
    pub const fn after_seconds(self, seconds: i64) -> Micros {
        Micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Microseconds from `earlier` to here; negative when `earlier` is later.
    pub const fn since(self, earlier: Micros) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
