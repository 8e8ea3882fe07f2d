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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_down_and_a_moment_stays_countable() {
        let table =
            [(0, 0), (999_999, 0), (1_000_000, 1), (-1, -1), (-1_000_000, -1), (i64::MAX, i64::MAX / 1_000_000)];
        for (micros, seconds) in table {
            assert_eq!(Micros::new(micros).seconds(), seconds, "{micros}");
        }
        assert_eq!(Micros::from_seconds(3), Micros::new(3_000_000));
        assert_eq!(Micros::from_seconds(i64::MAX).get(), i64::MAX);
        assert_eq!(Micros::new(5).after_seconds(-2), Micros::new(-1_999_995));
        assert_eq!(Micros::new(i64::MAX - 1).after_seconds(1).get(), i64::MAX);
        assert_eq!((Micros::new(7).since(Micros::new(5)), Micros::new(5).since(Micros::new(7))), (2, -2));
        assert_eq!(Micros::new(i64::MIN).since(Micros::new(1)), i64::MIN);
    }
}
