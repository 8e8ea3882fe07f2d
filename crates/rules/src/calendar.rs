//! Campus time: days, and the clock digits of order numbers and cards. The campus lives by Asia/Shanghai (R-preamble).

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use ledger::Micros;

/// A natural day of the campus, `yyyymmdd` as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampusDay(pub u32);

/// A month of the campus: 00:00 of its first day to 24:00 of its last in Asia/Shanghai. Shape: year 0..=9999, month 1..=12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampusMonth {
    year: u16,
    month: u8,
}

/// The text was not a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a month: a year of four digits, a hyphen and 01 to 12 are expected, such as 2026-09")]
pub struct MonthText;

impl CampusMonth {
    /// The month in which `at` falls.
    pub fn of(at: Micros) -> CampusMonth {
        let time = campus_time(at);
        CampusMonth { year: time.year, month: time.month }
    }

    /// The moment in which it begins: 00:00 of its first day.
    pub fn begins(self) -> Micros {
        let first = i16::try_from(self.year).ok().and_then(|year| {
            let civil = DateTime::new(year, i8::try_from(self.month).ok()?, 1, 0, 0, 0, 0).ok()?;
            TimeZone::fixed(Offset::constant(8)).to_timestamp(civil).ok()
        });
        Micros::new(first.map_or(0, Timestamp::as_microsecond))
    }

    /// The moment in which it is over, and the next begins.
    pub fn ends(self) -> Micros {
        self.next().map_or(Micros::new(i64::MAX), CampusMonth::begins)
    }

    /// The month after it; none after the last of the year 9999.
    pub fn next(self) -> Option<CampusMonth> {
        match self.month {
            12 => self.year.checked_add(1).filter(|year| *year <= 9999).map(|year| CampusMonth { year, month: 1 }),
            month => month.checked_add(1).map(|month| CampusMonth { year: self.year, month }),
        }
    }

    /// The month before it; none before the first of the year 0.
    pub fn before(self) -> Option<CampusMonth> {
        match self.month {
            1 => self.year.checked_sub(1).map(|year| CampusMonth { year, month: 12 }),
            month => month.checked_sub(1).map(|month| CampusMonth { year: self.year, month }),
        }
    }

    /// How many days it has: 28 to 31.
    pub fn days(self) -> u8 {
        let civil = i16::try_from(self.year).ok().zip(i8::try_from(self.month).ok());
        let first = civil.and_then(|(year, month)| jiff::civil::Date::new(year, month, 1).ok());
        first.and_then(|first| u8::try_from(first.days_in_month()).ok()).unwrap_or(31)
    }

    /// Such as 2026.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1..=12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// Reads what `Display` writes, `YYYY-MM`. Error: [`MonthText`].
    pub fn parse(text: &str) -> Result<CampusMonth, MonthText> {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let (year, month) = text.split_once('-').ok_or(MonthText)?;
        if !digits(year, 4) || !digits(month, 2) {
            return Err(MonthText);
        }
        let month = month.parse().ok().filter(|month| (1..=12).contains(month)).ok_or(MonthText)?;
        Ok(CampusMonth { year: year.parse().map_err(|_| MonthText)?, month })
    }
}

/// `YYYY-MM`: texts sort as the months do.
impl fmt::Display for CampusMonth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}", self.year, self.month)
    }
}

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

/// The moment of a date `YYYYMMDD` and a time `hhmmss` in BCD on the campus's clocks; `None` when they are none.
pub fn of_card_stamp(date: [u8; 4], time: [u8; 3]) -> Option<Micros> {
    let [century, year, month, day] = date.map(from_bcd);
    let [hour, minute, second] = time.map(from_bcd).map(|number| number.and_then(|number| i8::try_from(number).ok()));
    let year = i16::from(century?).checked_mul(100)?.checked_add(i16::from(year?))?;
    let (month, day) = (i8::try_from(month?).ok()?, i8::try_from(day?).ok()?);
    let civil = DateTime::new(year, month, day, hour?, minute?, second?, 0).ok()?;
    let moment = TimeZone::fixed(Offset::constant(8)).to_timestamp(civil).ok()?;
    Some(Micros::new(moment.as_microsecond()))
}

fn from_bcd(byte: u8) -> Option<u8> {
    let (tens, ones) = (byte >> 4, byte & 0x0F);
    (tens < 10 && ones < 10).then(|| tens.checked_mul(10)?.checked_add(ones)).flatten()
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

    #[test]
    fn a_card_stamp_is_read_as_it_was_written_and_nonsense_is_none() {
        for seconds in [0, 951_782_400, 1_795_449_599, 1_795_449_600, 4_102_444_799] {
            let at = Micros::from_seconds(seconds);
            let (date, time) = card_stamp(at);
            assert_eq!(of_card_stamp(date, time), Some(at), "{seconds}");
        }
        let good = [0x20, 0x26, 0x11, 0x23];
        let table = [
            ([0x20, 0x26, 0x02, 0x30], [0, 0, 0]),
            ([0x20, 0x26, 0x13, 0x01], [0, 0, 0]),
            ([0x20, 0x2A, 0x11, 0x01], [0, 0, 0]),
            ([0; 4], [0, 0, 0]),
            (good, [0x24, 0, 0]),
            (good, [0x12, 0x60, 0]),
            (good, [0xFF, 0xFF, 0xFF]),
        ];
        for (date, time) in table {
            assert_eq!(of_card_stamp(date, time), None, "{date:02x?} {time:02x?}");
        }
    }

    #[test]
    fn a_month_lasts_from_its_first_midnight_to_the_next_one_s() {
        let table = [
            ("2026-11", 1_793_462_400, 30),
            ("2026-12", 1_796_054_400, 31),
            ("2028-02", 1_832_947_200, 29),
            ("1970-02", 2_649_600, 28),
        ];
        for (text, begins, days) in table {
            let month = CampusMonth::parse(text).unwrap();
            assert_eq!(month.begins(), Micros::from_seconds(begins), "{text}");
            assert_eq!(month.days(), days, "{text}");
            assert_eq!(month.ends().get() - month.begins().get(), i64::from(days) * 86_400_000_000, "{text}");
            assert_eq!(CampusMonth::of(month.begins()), month);
            assert_eq!(CampusMonth::of(Micros::new(month.ends().get() - 1)), month);
            assert_eq!(month.next().and_then(CampusMonth::before), Some(month));
            assert_eq!(month.next().map(CampusMonth::begins), Some(month.ends()));
        }
        let last = CampusMonth::parse("9999-12").unwrap();
        assert_eq!((last.next(), last.ends()), (None, Micros::new(i64::MAX)));
        assert_eq!(CampusMonth::parse("0000-01").unwrap().before(), None);
    }

    #[test]
    fn the_campus_month_turns_at_midnight_in_shanghai_and_survives_its_text() {
        let before = Micros::new(1_796_054_399_999_999); // 2026-11-30 23:59:59.999999 +08:00
        let after = Micros::new(1_796_054_400_000_000);
        assert_eq!(CampusMonth::of(before).to_string(), "2026-11");
        assert_eq!(CampusMonth::of(after).to_string(), "2026-12");
        assert!(CampusMonth::of(before) < CampusMonth::of(after));
        for text in ["2026-11", "0001-01", "9999-12"] {
            assert_eq!(CampusMonth::parse(text).map(|month| month.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "2026/11", "+026-11", "2026- 1"]
        {
            assert_eq!(CampusMonth::parse(text), Err(MonthText), "{text}");
        }
    }
}
