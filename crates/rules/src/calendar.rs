//! Campus time: days, and the clock digits of order numbers and cards. The campus lives by Asia/Shanghai (R-preamble).

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use ledger::Micros;

/// A natural day of the campus, `yyyymmdd` as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampusDay(pub u32);

/// A moment as the campus's clocks show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampusTime {
    /// Such as 2026.
    pub year: u16,
    /// 1..=12.
    pub month: u8,
    /// 1..=31.
    pub day: u8,
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
    /// 0..=59.
    pub second: u8,
}

/// The campus's wall clock at `at`. Asia/Shanghai has kept +08:00 since 1991; earlier moments do not occur.
pub fn campus_time(at: Micros) -> CampusTime {
    let moment = Timestamp::from_microsecond(at.get()).unwrap_or(Timestamp::UNIX_EPOCH);
    let civil = TimeZone::fixed(Offset::constant(8)).to_datetime(moment);
    CampusTime {
        year: u16::try_from(civil.year()).unwrap_or(0),
        month: u8::try_from(civil.month()).unwrap_or(1),
        day: u8::try_from(civil.day()).unwrap_or(1),
        hour: u8::try_from(civil.hour()).unwrap_or(0),
        minute: u8::try_from(civil.minute()).unwrap_or(0),
        second: u8::try_from(civil.second()).unwrap_or(0),
    }
}

/// The campus day of `at`: 00:00 to 24:00 in Asia/Shanghai.
pub fn campus_day(at: Micros) -> CampusDay {
    let time = campus_time(at);
    let digits = format!("{:04}{:02}{:02}", time.year, time.month, time.day);
    CampusDay(digits.parse().unwrap_or(0))
}

/// `yymmddhhmmss` as a number.
pub(crate) fn clock_digits(at: Micros) -> u64 {
    let time = campus_time(at);
    let year = time.year.checked_rem(100).unwrap_or(0);
    let digits =
        format!("{year:02}{:02}{:02}{:02}{:02}{:02}", time.month, time.day, time.hour, time.minute, time.second);
    digits.parse().unwrap_or(0)
}

/// Date `YYYYMMDD` and time `hhmmss` of `at` in BCD, as cards write them.
pub fn card_stamp(at: Micros) -> ([u8; 4], [u8; 3]) {
    let time = campus_time(at);
    let century = u8::try_from(time.year.checked_div(100).unwrap_or(0)).unwrap_or(0);
    let year = u8::try_from(time.year.checked_rem(100).unwrap_or(0)).unwrap_or(0);
    ([bcd(century), bcd(year), bcd(time.month), bcd(time.day)], [bcd(time.hour), bcd(time.minute), bcd(time.second)])
}

fn bcd(value: u8) -> u8 {
    let (tens, ones) = (value.checked_div(10).unwrap_or(0), value.checked_rem(10).unwrap_or(0));
    (tens << 4) | ones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_campus_day_turns_at_midnight_in_shanghai() {
        let before = Micros::new(1_795_449_599_999_999); // 2026-11-23 23:59:59.999999 +08:00
        let after = Micros::new(1_795_449_600_000_000);
        assert_eq!(campus_day(before), CampusDay(20_261_123));
        assert_eq!(campus_day(after), CampusDay(20_261_124));
        assert_eq!(card_stamp(before), ([0x20, 0x26, 0x11, 0x23], [0x23, 0x59, 0x59]));
        assert_eq!(clock_digits(before), 261_123_235_959);
    }
}
