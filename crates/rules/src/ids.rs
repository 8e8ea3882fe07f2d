//! Names of things. Each kind of thing has a type of its own, so that a card is never taken for a person.

use std::fmt;

use ledger::{Id, Micros, SchoolId};

/// A holder: a student or a member of staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub Id);

/// A merchant: a canteen, a shop, the school itself as a seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MerchantId(pub Id);

/// A case: something that a person in charge must look at. It always has an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseId(pub Id);

/// One enrolment of a terminal. A replaced device is a new enrolment, so its numbers start anew (M19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnrolmentId(pub Id);

/// Number of a terminal: the first three bytes of the terminal id that cards and the purchase module see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalNo(pub [u8; 3]);

impl TerminalNo {
    /// The six bytes given to the card: the terminal, then `tail` (a nonce for a load, zero for a purchase). Source: M11.
    pub const fn with(self, tail: [u8; 3]) -> [u8; 6] {
        let ([a, b, c], [d, e, f]) = (self.0, tail);
        [a, b, c, d, e, f]
    }
}

impl fmt::Display for TerminalNo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(out, "{a:02X}{b:02X}{c:02X}")
    }
}

/// Number of a card: the last eight bytes of the serial number in its public file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardNo(pub u64);

/// The text was not a card number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a card number has 16 hexadecimal digits")]
pub struct CardNoText;

impl CardNo {
    /// Reads 16 hexadecimal digits, as they are printed on the card.
    pub fn parse(text: &str) -> Result<CardNo, CardNoText> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CardNoText);
        }
        u64::from_str_radix(text, 16).map(CardNo).map_err(|_| CardNoText)
    }
}

impl fmt::Display for CardNo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016X}", self.0)
    }
}

/// Number of a top-up order: 24 digits, `yymmddhhmmss` in the campus's time, four digits of the school, eight at random.
///
/// The provider sees the same text (its rule: 6 to 32 digits and letters), so a notice finds its school.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNo(u128);

/// The text was not an order number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order number has 24 digits")]
pub struct OrderNoText;

impl OrderNo {
    /// A number for an order made at `now`. It is never a counter (M9); who makes it must see that it is free.
    pub fn new(school: SchoolId, now: Micros, entropy: [u8; 8]) -> OrderNo {
        let random = u64::from_be_bytes(entropy).checked_rem(100_000_000).unwrap_or(0);
        let clock = crate::calendar::clock_digits(now);
        let digits = format!("{clock:012}{:04}{random:08}", school.get());
        OrderNo(digits.parse().unwrap_or(0))
    }

    /// Reads 24 digits.
    pub fn parse(text: &str) -> Result<OrderNo, OrderNoText> {
        if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(OrderNoText);
        }
        text.parse().map(OrderNo).map_err(|_| OrderNoText)
    }

    /// The number as an identifier, for ledger references.
    pub const fn id(self) -> Id {
        Id::new(self.0)
    }

    /// The order whose [`OrderNo::id`] this is.
    pub const fn from_id(id: Id) -> OrderNo {
        OrderNo(id.get())
    }
}

/// Number of a refund: like an [`OrderNo`] with the letter R in front, the provider's `out_refund_no`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundNo(OrderNo);

/// The text was not a refund number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a refund number is the letter R and 24 digits")]
pub struct RefundNoText;

impl RefundNo {
    /// A number for a refund made at `now`. It is never a counter (M9); who makes it must see that it is free.
    pub fn new(school: SchoolId, now: Micros, entropy: [u8; 8]) -> RefundNo {
        RefundNo(OrderNo::new(school, now, entropy))
    }

    /// Reads the letter R and 24 digits.
    pub fn parse(text: &str) -> Result<RefundNo, RefundNoText> {
        let digits = text.strip_prefix('R').ok_or(RefundNoText)?;
        OrderNo::parse(digits).map(RefundNo).map_err(|_| RefundNoText)
    }

    /// The number as an identifier, for ledger references.
    pub const fn id(self) -> Id {
        self.0.id()
    }

    /// The refund whose [`RefundNo::id`] this is.
    pub const fn from_id(id: Id) -> RefundNo {
        RefundNo(OrderNo::from_id(id))
    }
}

impl fmt::Display for RefundNo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "R{}", self.0)
    }
}

impl fmt::Display for OrderNo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:024}", self.0)
    }
}
