//! The files of the purse application, as the project's card profile lays them out.

use ledger::{CodecError, Reader, Writer};

use crate::crypto::{Algorithm, Key16};
use crate::session::Stamp;

/// Name of the purse application. Source: JR/T 0025.1.
pub const PURSE_NAME: [u8; 9] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01];
/// Short identifier of the public file (0015).
pub const PUBLIC_FILE: u8 = 0x15;
/// Short identifier of the day counter file.
pub const COUNTER_FILE: u8 = 0x17;
/// Short identifier of the transaction log (0018).
pub const LOG_FILE: u8 = 0x18;
/// Short identifier of the log of loads, on cards that keep it apart.
pub const LOAD_LOG_FILE: u8 = 0x1A;
/// Key identifier of the SM4 load and purchase keys.
pub const SM4_KEY_ID: u8 = 0x41;
/// Key identifier of the 3DES load and purchase keys.
pub const KEY_ID: u8 = 0x01;
/// Bytes of a log record.
pub const LOG_RECORD_LENGTH: u8 = 23;
/// Bytes of the day counter record.
pub const COUNTER_RECORD_LENGTH: u8 = 16;

/// Number of a card: the last eight bytes of its serial number, and the factor of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardNumber(pub u64);

impl CardNumber {
    /// The number of the card with this serial number: its last eight bytes.
    pub const fn of_serial(serial: [u8; 10]) -> CardNumber {
        let [_, _, factor @ ..] = serial;
        CardNumber(u64::from_be_bytes(factor))
    }

    /// The diversification factor.
    pub const fn factor(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// From which day to which day a card is good, BCD `YYYYMMDD`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First day.
    pub from: [u8; 4],
    /// Last day.
    pub until: [u8; 4],
}

impl Validity {
    /// Whether the card is good on `date` (BCD).
    pub fn covers(&self, date: [u8; 4]) -> bool {
        self.from <= date && date <= self.until
    }
}

/// File 0015: who issued the card, its serial number and how long it is good. Anyone may read it; nothing proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicFile {
    /// Issuer.
    pub issuer: [u8; 8],
    /// Application type; 02 is a purse without a passbook.
    pub application: u8,
    /// Version of the application.
    pub version: u8,
    /// Ten bytes; the last eight are the card number.
    pub serial: [u8; 10],
    /// First and last day.
    pub validity: Validity,
    /// The issuer's own two bytes; on the project's cards version and algorithm of the maintenance key.
    pub issuer_data: [u8; 2],
}

impl PublicFile {
    /// Bytes of the file.
    pub const LENGTH: u8 = 30;

    /// The card's number.
    pub const fn card(&self) -> CardNumber {
        CardNumber::of_serial(self.serial)
    }

    /// The thirty bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&self.issuer).u8(self.application).u8(self.version).raw(&self.serial);
        out.raw(&self.validity.from).raw(&self.validity.until).raw(&self.issuer_data);
        out.done()
    }

    /// Reads exactly thirty bytes.
    pub fn decode(bytes: &[u8]) -> Result<PublicFile, CodecError> {
        let mut from = Reader::new(bytes);
        let file = PublicFile {
            issuer: from.array()?,
            application: from.u8()?,
            version: from.u8()?,
            serial: from.array()?,
            validity: Validity { from: from.array()?, until: from.array()? },
            issuer_data: from.array()?,
        };
        from.end()?;
        Ok(file)
    }
}

/// One record of the log. Nobody signs it: it is a hint, never a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Counter of the transaction: N for a load, M for a purchase. Cards differ in whether it is the value before or
    /// after; this project's cards write the value after.
    pub seq: u16,
    /// Overdraft limit, in fen; 0 in a purse.
    pub overdraft: [u8; 3],
    /// In fen.
    pub amount: u32,
    /// Type byte of the transaction.
    pub kind: u8,
    /// The terminal.
    pub terminal: [u8; 6],
    /// Host's time of a load, terminal's time of a purchase.
    pub stamp: Stamp,
}

impl LogRecord {
    /// The 23 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u16(self.seq).raw(&self.overdraft).u32(self.amount).u8(self.kind).raw(&self.terminal);
        out.raw(&self.stamp.date).raw(&self.stamp.time);
        out.done()
    }

    /// Reads exactly 23 bytes.
    pub fn decode(bytes: &[u8]) -> Result<LogRecord, CodecError> {
        let mut from = Reader::new(bytes);
        let record = LogRecord {
            seq: from.u16()?,
            overdraft: from.array()?,
            amount: from.u32()?,
            kind: from.u8()?,
            terminal: from.array()?,
            stamp: Stamp { date: from.array()?, time: from.array()? },
        };
        from.end()?;
        Ok(record)
    }
}

/// What was spent off line on the card's latest off-line day (M21). It stands on the card so that no number of terminals
/// passes the cap; a composite purchase rewrites it together with the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCounter {
    /// The day, BCD; all zero before the first.
    pub date: [u8; 4],
    /// Sum of that day, in fen.
    pub spent: u32,
}

impl DayCounter {
    /// Nothing spent off line yet.
    pub const NEW: DayCounter = DayCounter { date: [0; 4], spent: 0 };

    /// The counter after spending `amount` on `date`; `None` when it cannot be counted. A day that is not later than the
    /// card's adds to the card's day, so a slow terminal clock never starts a fresh allowance.
    pub fn after(self, date: [u8; 4], amount: u32) -> Option<DayCounter> {
        if date > self.date {
            return Some(DayCounter { date, spent: amount });
        }
        self.spent.checked_add(amount).map(|spent| DayCounter { date: self.date, spent })
    }

    /// The record: date, sum, eight zero bytes kept for later.
    pub const fn encode(self) -> [u8; 16] {
        let ([a, b, c, d], [e, f, g, h]) = (self.date, self.spent.to_be_bytes());
        [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    /// Reads the record; what stands in the last eight bytes does not matter.
    pub fn decode(bytes: &[u8]) -> Result<DayCounter, CodecError> {
        let mut from = Reader::new(bytes);
        let counter = DayCounter { date: from.array()?, spent: from.u32()? };
        let _: [u8; 8] = from.array()?;
        from.end()?;
        Ok(counter)
    }
}

/// What all cards of an issue have in common (M15: no PIN for load, purchase and log).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Issuer in the public file.
    pub issuer: [u8; 8],
    /// Version of the application in the public file.
    pub application_version: u8,
    /// Version of the master keys that the card's keys come from; the card names it in every INITIALIZE answer.
    pub key_version: u8,
    /// First and last day.
    pub validity: Validity,
}

impl Profile {
    /// The public file of a card of this issue whose maintenance key is for `algorithm`. The issuer's two bytes name the
    /// version and the algorithm of that key: a blocked card says nothing else by which the office could find it.
    pub const fn public_file(&self, serial: [u8; 10], algorithm: Algorithm) -> PublicFile {
        PublicFile {
            issuer: self.issuer,
            application: 0x02,
            version: self.application_version,
            serial,
            validity: self.validity,
            issuer_data: [self.key_version, algorithm.identifier()],
        }
    }
}

/// The keys that live on one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardKeys {
    /// DLK: load.
    pub load: Key16,
    /// DPK: purchase.
    pub purchase: Key16,
    /// DTK: transaction certificates.
    pub tac: Key16,
    /// DAMK: maintenance under secure messaging.
    pub maintenance: Key16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_counter_starts_anew_only_on_a_later_day() {
        let spent = DayCounter { date: [0x20, 0x26, 0x09, 0x02], spent: 4_000 };
        let table = [
            ([0x20, 0x26, 0x09, 0x02], 500, Some((spent.date, 4_500))),
            ([0x20, 0x26, 0x09, 0x01], 500, Some((spent.date, 4_500))),
            ([0x20, 0x26, 0x09, 0x03], 500, Some(([0x20, 0x26, 0x09, 0x03], 500))),
            ([0x20, 0x26, 0x09, 0x02], u32::MAX, None),
        ];
        for (date, amount, expected) in table {
            let expected = expected.map(|(date, spent)| DayCounter { date, spent });
            assert_eq!(spent.after(date, amount), expected, "{date:02X?} {amount}");
        }
        assert_eq!(DayCounter::decode(&spent.encode()), Ok(spent));
    }

    #[test]
    fn a_card_is_good_on_its_first_and_on_its_last_day() {
        let validity = Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] };
        for (date, good) in [
            ([0x20, 0x26, 0x08, 0x31], false),
            ([0x20, 0x26, 0x09, 0x01], true),
            ([0x20, 0x30, 0x07, 0x31], true),
            ([0x20, 0x30, 0x08, 0x01], false),
        ] {
            assert_eq!(validity.covers(date), good, "{date:02X?}");
        }
    }
}
