//! The platform's clock face: every time it writes or shows is Beijing time, eight hours ahead all year.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use ledger::Micros;

/// `2026-11-22T12:30:05+08:00`, as the protocol writes a moment.
pub(crate) fn rfc3339(moment: Micros) -> String {
    written(moment, "%Y-%m-%dT%H:%M:%S+08:00")
}

/// `20261122123005`, as identifiers carry it.
pub(crate) fn digits(moment: Micros) -> String {
    written(moment, "%Y%m%d%H%M%S")
}

/// `20261122`, as identifiers carry it.
pub(crate) fn day(moment: Micros) -> String {
    written(moment, "%Y%m%d")
}

/// `2026-11-22 12:30:05`, for a Chinese page.
pub(crate) fn shown_zh(moment: Micros) -> String {
    written(moment, "%Y-%m-%d %H:%M:%S")
}

/// `22 Nov 2026, 12:30:05`, for an English page.
pub(crate) fn shown_en(moment: Micros) -> String {
    written(moment, "%-d %b %Y, %H:%M:%S")
}

/// Reads what [`rfc3339`] writes, with or without a fraction of a second; any other offset is refused.
pub(crate) fn parse(text: &str) -> Option<Micros> {
    if !text.ends_with("+08:00") {
        return None;
    }
    text.parse::<Timestamp>().ok().map(|stamp| Micros::new(stamp.as_microsecond()))
}

/// The first moment of the day that `2026-11-22` names, and that of the day after.
pub(crate) fn day_of(text: &str) -> Option<(Micros, Micros)> {
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let start = |date: Date| {
        let zoned = date.to_zoned(TimeZone::fixed(Offset::constant(8))).ok()?;
        Some(Micros::new(zoned.timestamp().as_microsecond()))
    };
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

fn written(moment: Micros, format: &str) -> String {
    // A moment outside jiff's years (-9999 to 9999) cannot come from a clock; it prints as the epoch.
    let stamp = Timestamp::from_microsecond(moment.get()).unwrap_or(Timestamp::UNIX_EPOCH);
    stamp.to_zoned(TimeZone::fixed(Offset::constant(8))).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_beijing_time_and_read_back() {
        let moment = Micros::from_seconds(1_795_321_805);
        assert_eq!(rfc3339(moment), "2026-11-22T12:30:05+08:00");
        assert_eq!(digits(moment), "20261122123005");
        assert_eq!(day(moment), "20261122");
        assert_eq!(shown_zh(moment), "2026-11-22 12:30:05");
        assert_eq!(shown_en(moment), "22 Nov 2026, 12:30:05");
        assert_eq!(parse("2026-11-22T12:30:05+08:00"), Some(moment));
    }

    #[test]
    fn a_day_begins_at_midnight_in_beijing() {
        let (from, until) = day_of("2026-11-22").expect("a day");
        assert_eq!(rfc3339(from), "2026-11-22T00:00:00+08:00");
        assert_eq!(rfc3339(until), "2026-11-23T00:00:00+08:00");
        for text in ["2026-11-31", "20261122", "2026-11-2", "today", "2026-11-22T00:00:00"] {
            assert_eq!(day_of(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_platforms_own_offset_is_read() {
        for text in ["2026-11-22T04:30:05Z", "2026-11-22T12:30:05", "2026-11-22 12:30", "soon+08:00", ""] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
