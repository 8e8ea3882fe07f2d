use std::fmt;

/// A 128-bit identifier; numbers made one after the other sort one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

/// The text was not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: 32 hexadecimal digits are expected")]
pub struct IdText;

impl Id {
    /// The identifier with this value.
    pub const fn new(value: u128) -> Id {
        Id(value)
    }

    /// The value.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// An identifier (UUID version 7) that sorts by `now`, made unique by `entropy`.
    ///
    /// Source: RFC 9562 section 5.7, with the milliseconds' fraction in the twelve bits after the version.
    pub fn time_ordered(now: crate::Micros, entropy: [u8; 8]) -> Id {
        let micros = u128::from(now.get().unsigned_abs());
        let millis = micros.checked_div(1000).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
        let fraction = micros.checked_rem(1000).unwrap_or(0) & 0xFFF;
        let random = u128::from(u64::from_be_bytes(entropy)) & 0x3FFF_FFFF_FFFF_FFFF;
        Id((millis << 80) | (7 << 76) | (fraction << 64) | (2 << 62) | random)
    }

    /// When [`Id::time_ordered`] made it; `None` for any other identifier.
    pub fn made_at(self) -> Option<crate::Micros> {
        let fraction = i64::try_from((self.0 >> 64) & 0xFFF).ok()?;
        let ordered = (self.0 >> 76) & 0xF == 7 && (self.0 >> 62) & 0b11 == 0b10 && fraction < 1000;
        let millis = i64::try_from(self.0 >> 80).ok()?;
        ordered.then(|| crate::Micros::new(millis.saturating_mul(1000).saturating_add(fraction)))
    }

    /// Sixteen bytes, most significant first.
    pub const fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The identifier of these sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Id {
        Id(u128::from_be_bytes(bytes))
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Result<Id, IdText> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(IdText);
        }
        u128::from_str_radix(text, 16).map(Id).map_err(|_| IdText)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

/// A school; first part of every key. Shape: 1..=9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchoolId(u16);

impl SchoolId {
    /// The school with this number, or `None` outside 1..=9999.
    pub const fn new(number: u16) -> Option<SchoolId> {
        if number >= 1 && number <= 9999 { Some(SchoolId(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Micros;

    #[test]
    fn later_identifiers_sort_later_and_survive_text() {
        let early = Id::time_ordered(Micros::new(1_700_000_000_000_500), [0xFF; 8]);
        let late = Id::time_ordered(Micros::new(1_700_000_000_000_501), [0; 8]);
        assert!(early < late);
        assert_eq!(late.made_at(), Some(Micros::new(1_700_000_000_000_501)));
        assert_eq!((Id::new(77).made_at(), Id::new(u128::MAX).made_at()), (None, None));
        assert_eq!(Id::parse(&late.to_string()), Ok(late));
        assert_eq!(Id::parse("+123456789012345678901234567890123"), Err(IdText));
        assert_eq!(Id::parse("xy"), Err(IdText));
    }

    #[test]
    fn an_identifier_is_a_uuid_of_version_7_that_tells_when_it_was_made() {
        let micros = 0x0102_0304_0506 * 1000 + 0x123;
        let id = Id::time_ordered(Micros::new(micros), [0xFF; 8]);
        assert_eq!(id, Id::new(0x0102_0304_0506_7123_BFFF_FFFF_FFFF_FFFF));
        assert_eq!(id.get(), 0x0102_0304_0506_7123_BFFF_FFFF_FFFF_FFFF);
        assert_eq!(id.bytes(), [1, 2, 3, 4, 5, 6, 0x71, 0x23, 0xBF, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(Id::from_bytes(id.bytes()), id);
        assert_eq!(Id::time_ordered(Micros::new(0), [0xAA; 8]), Id::new(0x7000_AAAA_AAAA_AAAA_AAAA));
        let table = [
            (0x0102_0304_0506_7123_BFFF_FFFF_FFFF_FFFF, Some(micros)),
            (0x0000_0000_0000_73E7_8000_0000_0000_0000, Some(999)),
            (0x0000_0000_0000_73E8_8000_0000_0000_0000, None),
            (0x0102_0304_0506_4123_BFFF_FFFF_FFFF_FFFF, None),
            (0x0102_0304_0506_F123_BFFF_FFFF_FFFF_FFFF, None),
            (0x0102_0304_0506_7123_3FFF_FFFF_FFFF_FFFF, None),
            (0x0102_0304_0506_7123_FFFF_FFFF_FFFF_FFFF, None),
        ];
        for (value, made_at) in table {
            assert_eq!(Id::new(value).made_at(), made_at.map(Micros::new), "{value:032x}");
        }
    }

    #[test]
    fn the_text_of_an_identifier_is_exactly_32_hexadecimal_digits() {
        let text = "0000000000000000000000000000abCD";
        assert_eq!(Id::parse(text), Ok(Id::new(0xABCD)));
        assert_eq!(Id::new(0xABCD).to_string(), text.to_lowercase());
        for bad in [
            "",
            &text[1..],
            &format!("{text}0"),
            "+000000000000000000000000000abcde",
            "00000000000000000000000000000xyz",
        ] {
            assert_eq!(Id::parse(bad), Err(IdText), "{bad}");
        }
    }

    #[test]
    fn schools_are_numbered_from_1_to_9999() {
        for (number, taken) in [(0, false), (1, true), (5_000, true), (9_999, true), (10_000, false), (u16::MAX, false)]
        {
            assert_eq!(SchoolId::new(number).map(SchoolId::get), taken.then_some(number));
        }
    }
}
