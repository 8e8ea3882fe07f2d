//! Status words: the two bytes that end every answer of a card.

use std::fmt;

/// What the card says of a command. Source: ISO/IEC 7816-4 and JR/T 0025.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 9000.
    Done,
    /// 61xx: so many bytes wait for GET RESPONSE (contact readers, T=0).
    MoreData(u8),
    /// 6Cxx: ask again with this expected length.
    WrongExpectedLength(u8),
    /// 63Cx: wrong code or cryptogram, so many tries left.
    TriesLeft(u8),
    /// 6283: file or key is there, its checksum does not fit.
    Damaged,
    /// 6581.
    MemoryFailure,
    /// 6700.
    WrongLength,
    /// 6901.
    InvalidState,
    /// 6981.
    WrongFileType,
    /// 6982.
    SecurityNotSatisfied,
    /// 6983.
    AuthenticationLocked,
    /// 6985.
    ConditionsNotSatisfied,
    /// 6987.
    SecureMessagingMissing,
    /// 6988.
    SecureMessagingWrong,
    /// 6A81.
    Blocked,
    /// 6A82.
    FileNotFound,
    /// 6A83.
    RecordNotFound,
    /// 6A86.
    WrongParameters,
    /// 6A88.
    DataNotFound,
    /// 6B00.
    WrongOffset,
    /// 6D00.
    UnknownInstruction,
    /// 6E00.
    UnknownClass,
    /// 9302.
    WrongMac,
    /// 9303.
    PermanentlyLocked,
    /// 9401.
    NotEnoughMoney,
    /// 9402.
    CounterAtMaximum,
    /// 9403.
    UnknownKey,
    /// 9406.
    ProofNotAvailable,
    /// Any other word.
    Other(u16),
}

use Status::*;

/// The words that carry no number of their own.
const FIXED: [(u16, Status, &str); 25] = [
    (0x9000, Done, "done"),
    (0x6283, Damaged, "the file or key on the card is damaged"),
    (0x6581, MemoryFailure, "the card's memory failed"),
    (0x6700, WrongLength, "wrong length"),
    (0x6901, InvalidState, "no transaction is open for this command"),
    (0x6981, WrongFileType, "wrong file type"),
    (0x6982, SecurityNotSatisfied, "security status not satisfied"),
    (0x6983, AuthenticationLocked, "authentication is locked"),
    (0x6985, ConditionsNotSatisfied, "conditions of use not satisfied"),
    (0x6987, SecureMessagingMissing, "secure messaging is missing"),
    (0x6988, SecureMessagingWrong, "secure messaging is wrong"),
    (0x6A81, Blocked, "application or card is blocked"),
    (0x6A82, FileNotFound, "file or application not found"),
    (0x6A83, RecordNotFound, "record not found"),
    (0x6A86, WrongParameters, "wrong parameters"),
    (0x6A88, DataNotFound, "data not found"),
    (0x6B00, WrongOffset, "offset beyond the file"),
    (0x6D00, UnknownInstruction, "instruction not known"),
    (0x6E00, UnknownClass, "class not known"),
    (0x9302, WrongMac, "wrong MAC"),
    (0x9303, PermanentlyLocked, "application is locked for good"),
    (0x9401, NotEnoughMoney, "not enough money in the purse"),
    (0x9402, CounterAtMaximum, "transaction counter at its maximum"),
    (0x9403, UnknownKey, "key not known"),
    (0x9406, ProofNotAvailable, "no proof of that transaction is kept"),
];

impl Status {
    /// The status with this word. Every word has one.
    pub fn of(word: u16) -> Status {
        let [high, low] = word.to_be_bytes();
        match (high, low) {
            (0x61, count) => MoreData(count),
            (0x6C, length) => WrongExpectedLength(length),
            (0x63, tries) if (0xC0..=0xCF).contains(&tries) => TriesLeft(tries & 0x0F),
            _ => FIXED.iter().find(|row| row.0 == word).map_or(Other(word), |row| row.1),
        }
    }

    /// The word. Repeats: `Status::of(word).word() == word` for every word.
    pub fn word(self) -> u16 {
        match self {
            MoreData(count) => u16::from_be_bytes([0x61, count]),
            WrongExpectedLength(length) => u16::from_be_bytes([0x6C, length]),
            TriesLeft(tries) => u16::from_be_bytes([0x63, 0xC0 | (tries & 0x0F)]),
            Other(word) => word,
            fixed => FIXED.iter().find(|row| row.1 == fixed).map_or(0x6F00, |row| row.0),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        match self {
            MoreData(count) => write!(out, "{count} more bytes wait ({word:04X})"),
            WrongExpectedLength(length) => write!(out, "wrong expected length, {length} is right ({word:04X})"),
            TriesLeft(tries) => write!(out, "wrong, {tries} tries left ({word:04X})"),
            Other(_) => write!(out, "unknown status {word:04X}"),
            fixed => {
                let meaning = FIXED.iter().find(|row| row.1 == *fixed).map_or("unknown status", |row| row.2);
                write!(out, "{meaning} ({word:04X})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_being_named() {
        for word in 0..=u16::MAX {
            assert_eq!(Status::of(word).word(), word);
        }
    }

    #[test]
    fn a_status_says_in_plain_words_what_happened() {
        assert_eq!(NotEnoughMoney.to_string(), "not enough money in the purse (9401)");
        assert_eq!(Status::of(0x63C2).to_string(), "wrong, 2 tries left (63C2)");
        assert_eq!(Status::of(0x6110).to_string(), "16 more bytes wait (6110)");
        assert_eq!(Status::of(0x6C09).to_string(), "wrong expected length, 9 is right (6C09)");
        assert_eq!(Status::of(0x6F12).to_string(), "unknown status 6F12");
    }
}
