//! The terminal's side: which commands to send and what the answers say. No state, no waiting; the agent that calls this
//! decides what comes next.
//!
//! An answer proves nothing by its form: a cut answer can end in any two bytes. What ends in no status word at all is cut.
//! After CREDIT FOR LOAD only a TAC that the host verified, or the counter under the card's next good MAC1, says what
//! happened.

use ledger::{CodecError, Reader, Writer};

use crate::apdu::{Command, Init};
use crate::crypto::Algorithm;
use crate::files::{
    COUNTER_FILE, COUNTER_RECORD_LENGTH, DayCounter, KEY_ID, LOAD_LOG_FILE, LOG_FILE, LOG_RECORD_LENGTH, LogRecord,
    PUBLIC_FILE, PURSE_NAME, PublicFile, SM4_KEY_ID,
};
use crate::session::{Kind, Stamp};
use crate::status::Status;

/// Why an answer gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardFault {
    /// Fewer than two bytes, or an end that is no status word: the card left, or the reader failed. The command may or may
    /// not have been obeyed.
    #[error("the card did not answer")]
    NoAnswer,
    /// The card refused.
    #[error("the card refused: {0}")]
    Status(Status),
    /// The card agreed, but the answer is not of the expected form: cut, or no card of ours.
    #[error("the card's answer is not of the expected form")]
    Malformed,
}

impl From<CodecError> for CardFault {
    fn from(_: CodecError) -> CardFault {
        CardFault::Malformed
    }
}

/// SELECT of the purse application.
pub fn select_purse() -> Vec<u8> {
    Command::Select(PURSE_NAME.to_vec()).encode()
}

/// READ BINARY of the public file.
pub fn read_public_file() -> Vec<u8> {
    Command::ReadBinary { file: PUBLIC_FILE, offset: 0, length: PublicFile::LENGTH }.encode()
}

/// READ BINARY of any file from its beginning.
pub fn read_binary(file: u8, length: u8) -> Vec<u8> {
    Command::ReadBinary { file, offset: 0, length }.encode()
}

/// READ RECORD of any file, of whatever length.
pub fn read_record(file: u8, record: u8) -> Vec<u8> {
    Command::ReadRecord { file, record, length: 0 }.encode()
}

/// GET DATA of the security identifier of construction-ministry cards.
pub fn get_security_id() -> Vec<u8> {
    Command::GetData { object: 0x0000, length: 9 }.encode()
}

/// GET BALANCE.
pub fn get_balance() -> Vec<u8> {
    Command::GetBalance.encode()
}

/// READ RECORD of the log; record 1 is the newest.
pub fn read_log(record: u8) -> Vec<u8> {
    Command::ReadRecord { file: LOG_FILE, record, length: LOG_RECORD_LENGTH }.encode()
}

/// READ RECORD of the log of loads, on cards that keep it apart.
pub fn read_load_log(record: u8) -> Vec<u8> {
    Command::ReadRecord { file: LOAD_LOG_FILE, record, length: LOG_RECORD_LENGTH }.encode()
}

/// READ RECORD of the day counter.
pub fn read_day_counter() -> Vec<u8> {
    Command::ReadRecord { file: COUNTER_FILE, record: 1, length: COUNTER_RECORD_LENGTH }.encode()
}

/// GET CHALLENGE, four bytes.
pub fn get_challenge() -> Vec<u8> {
    Command::GetChallenge(4).encode()
}

/// The key that INITIALIZE names for a card whose answers name this algorithm; that for 3DES for an algorithm that is not
/// known here.
pub fn key_of(algorithm: u8) -> u8 {
    match Algorithm::of(algorithm) {
        Ok(Algorithm::Sm4) => SM4_KEY_ID,
        Ok(Algorithm::TripleDes) | Err(_) => KEY_ID,
    }
}

/// The key to name next when a card refused INITIALIZE with `key`: a card that has no key [`KEY_ID`] (9403) may speak SM4
/// alone. `None` when there is nothing left to ask, or when the refusal says something else.
pub fn next_key(key: u8, refusal: Status) -> Option<u8> {
    (key == KEY_ID && refusal == Status::UnknownKey).then_some(SM4_KEY_ID)
}

/// INITIALIZE FOR LOAD. `amount` in fen; the last three bytes of `terminal` carry the host's nonce (M11).
/// Repeats: changes nothing on the card but ends the transaction that was open.
pub fn init_load(amount: u32, terminal: [u8; 6]) -> Vec<u8> {
    Command::InitLoad(Init { key: KEY_ID, amount, terminal }).encode()
}

/// [`init_load`] with another key: [`SM4_KEY_ID`](crate::files::SM4_KEY_ID) picks SM4 on a card with two algorithms.
pub fn init_load_with(key: u8, amount: u32, terminal: [u8; 6]) -> Vec<u8> {
    Command::InitLoad(Init { key, amount, terminal }).encode()
}

/// CREDIT FOR LOAD. Never sent twice in one session, never again after the card lost power.
pub fn credit_load(stamp: Stamp, mac2: [u8; 4]) -> Vec<u8> {
    Command::CreditForLoad { stamp, mac2 }.encode()
}

/// INITIALIZE FOR PURCHASE. `amount` in fen.
pub fn init_purchase(amount: u32, terminal: [u8; 6]) -> Vec<u8> {
    Command::InitPurchase(Init { key: KEY_ID, amount, terminal }).encode()
}

/// [`init_purchase`] with another key.
pub fn init_purchase_with(key: u8, amount: u32, terminal: [u8; 6]) -> Vec<u8> {
    Command::InitPurchase(Init { key, amount, terminal }).encode()
}

/// INITIALIZE FOR CAPP PURCHASE. `amount` in fen.
pub fn init_composite(amount: u32, terminal: [u8; 6]) -> Vec<u8> {
    Command::InitComposite(Init { key: KEY_ID, amount, terminal }).encode()
}

/// [`init_composite`] with another key.
pub fn init_composite_with(key: u8, amount: u32, terminal: [u8; 6]) -> Vec<u8> {
    Command::InitComposite(Init { key, amount, terminal }).encode()
}

/// The day counter that the following DEBIT of a composite purchase shall write.
pub fn cache_day_counter(counter: DayCounter) -> Vec<u8> {
    Command::CacheRecord { file: COUNTER_FILE, record: 1, data: counter.encode().to_vec() }.encode()
}

/// DEBIT FOR PURCHASE. Never sent twice in one session, never again after the card lost power.
pub fn debit(tsn: u32, stamp: Stamp, mac1: [u8; 4]) -> Vec<u8> {
    Command::Debit { tsn, stamp, mac1 }.encode()
}

/// GET TRANSACTION PROVE: ask with the counter after the transaction, and on 9406 also with the one before.
pub fn prove(kind: Kind, seq: u16) -> Vec<u8> {
    Command::Prove { kind, seq }.encode()
}

/// The data of an answer that ends in 9000.
///
/// Errors, in order: `NoAnswer` below two bytes and for an end that begins with neither 6 nor 9, as every status word does
/// (ISO/IEC 7816-4), `Status` for any other word.
pub fn data(answer: &[u8]) -> Result<&[u8], CardFault> {
    let (data, word) = answer.split_last_chunk::<2>().ok_or(CardFault::NoAnswer)?;
    if !matches!(word, [0x60..=0x6F | 0x90..=0x9F, _]) {
        return Err(CardFault::NoAnswer);
    }
    match Status::of(u16::from_be_bytes(*word)) {
        Status::Done => Ok(data),
        refusal => Err(CardFault::Status(refusal)),
    }
}

pub(crate) fn read<'a, T>(
    answer: &'a [u8],
    fields: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<T, CardFault> {
    let mut bytes = Reader::new(data(answer)?);
    let value = fields(&mut bytes)?;
    bytes.end()?;
    Ok(value)
}

/// The public file out of the answer to SELECT. Errors: `NoAnswer`, `Status`, `Malformed`, also for an application that
/// puts no public file there: then [`read_public_file`] helps.
pub fn parse_select(answer: &[u8]) -> Result<PublicFile, CardFault> {
    let template = field(data(answer)?, &[0x6F])?;
    let proprietary = field(after(template, &[0x84])?, &[0xA5])?;
    let file = field(proprietary, &[0x9F, 0x0C])?;
    Ok(PublicFile::decode(file)?)
}

/// Value of the first element, which must have this tag; one byte of length.
fn field<'a>(bytes: &'a [u8], tag: &[u8]) -> Result<&'a [u8], CardFault> {
    let (length, rest) = bytes.strip_prefix(tag).and_then(<[u8]>::split_first).ok_or(CardFault::Malformed)?;
    rest.get(..usize::from(*length)).ok_or(CardFault::Malformed)
}

/// What follows the first element, which must have this tag.
fn after<'a>(bytes: &'a [u8], tag: &[u8]) -> Result<&'a [u8], CardFault> {
    let (length, rest) = bytes.strip_prefix(tag).and_then(<[u8]>::split_first).ok_or(CardFault::Malformed)?;
    rest.get(usize::from(*length)..).ok_or(CardFault::Malformed)
}

/// The public file out of the answer to READ BINARY.
pub fn parse_public_file(answer: &[u8]) -> Result<PublicFile, CardFault> {
    Ok(PublicFile::decode(data(answer)?)?)
}

/// The balance in fen.
pub fn parse_balance(answer: &[u8]) -> Result<u32, CardFault> {
    read(answer, Reader::u32)
}

/// The challenge.
pub fn parse_challenge(answer: &[u8]) -> Result<[u8; 4], CardFault> {
    read(answer, Reader::array)
}

/// The security identifier.
pub fn parse_security_id(answer: &[u8]) -> Result<[u8; 9], CardFault> {
    read(answer, Reader::array)
}

/// A log record; `None` when the card has none at that place (no such record, or a blank one).
pub fn parse_log(answer: &[u8]) -> Result<Option<LogRecord>, CardFault> {
    match data(answer) {
        Err(CardFault::Status(Status::RecordNotFound)) => Ok(None),
        Err(fault) => Err(fault),
        Ok(bytes) => {
            let record = LogRecord::decode(bytes)?;
            let blank = bytes.iter().all(|byte| *byte == 0x00) || bytes.iter().all(|byte| *byte == 0xFF);
            Ok((!blank).then_some(record))
        }
    }
}

/// The day counter.
pub fn parse_day_counter(answer: &[u8]) -> Result<DayCounter, CardFault> {
    Ok(DayCounter::decode(data(answer)?)?)
}

/// An answer without data: CAPP cache.
pub fn parse_done(answer: &[u8]) -> Result<(), CardFault> {
    read(answer, |_| Ok(()))
}

/// Answer of INITIALIZE FOR LOAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadAnswer {
    /// Balance before, in fen.
    pub old_balance: u32,
    /// Counter N before.
    pub n: u16,
    /// Version of the load key.
    pub key_version: u8,
    /// Algorithm identifier.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's proof, for the host.
    pub mac1: [u8; 4],
}

impl LoadAnswer {
    /// Reads the 16 bytes and 9000.
    pub fn parse(answer: &[u8]) -> Result<LoadAnswer, CardFault> {
        read(answer, |from| {
            Ok(LoadAnswer {
                old_balance: from.u32()?,
                n: from.u16()?,
                key_version: from.u8()?,
                algorithm: from.u8()?,
                random: from.array()?,
                mac1: from.array()?,
            })
        })
    }

    /// The 16 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u32(self.old_balance).u16(self.n).u8(self.key_version).u8(self.algorithm);
        out.raw(&self.random).raw(&self.mac1);
        out.done()
    }
}

/// Answer of INITIALIZE FOR PURCHASE, also of a composite one. The card proves nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseAnswer {
    /// Balance before, in fen.
    pub old_balance: u32,
    /// Counter M before.
    pub m: u16,
    /// Overdraft limit, in fen; 0 in a purse.
    pub overdraft: [u8; 3],
    /// Version of the purchase key.
    pub key_version: u8,
    /// Algorithm identifier.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
}

impl PurchaseAnswer {
    /// Reads the 15 bytes and 9000.
    pub fn parse(answer: &[u8]) -> Result<PurchaseAnswer, CardFault> {
        read(answer, |from| {
            Ok(PurchaseAnswer {
                old_balance: from.u32()?,
                m: from.u16()?,
                overdraft: from.array()?,
                key_version: from.u8()?,
                algorithm: from.u8()?,
                random: from.array()?,
            })
        })
    }

    /// The 15 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u32(self.old_balance).u16(self.m).raw(&self.overdraft);
        out.u8(self.key_version).u8(self.algorithm).raw(&self.random);
        out.done()
    }
}

/// The TAC out of the answer to CREDIT FOR LOAD, for the host.
pub fn parse_credit(answer: &[u8]) -> Result<[u8; 4], CardFault> {
    read(answer, Reader::array)
}

/// Answer of DEBIT FOR PURCHASE: TAC first, then MAC2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebitAnswer {
    /// For the host.
    pub tac: [u8; 4],
    /// For the purchase module.
    pub mac2: [u8; 4],
}

impl DebitAnswer {
    /// Reads the eight bytes and 9000.
    pub fn parse(answer: &[u8]) -> Result<DebitAnswer, CardFault> {
        read(answer, |from| Ok(DebitAnswer { tac: from.array()?, mac2: from.array()? }))
    }
}

/// Answer of GET TRANSACTION PROVE: MAC first, then TAC, the other way round than DEBIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProveAnswer {
    /// MAC2 of a purchase. What stands here for a load differs between cards: do not use it.
    pub mac: [u8; 4],
    /// For the host.
    pub tac: [u8; 4],
}

impl ProveAnswer {
    /// Reads the eight bytes and 9000.
    pub fn parse(answer: &[u8]) -> Result<ProveAnswer, CardFault> {
        read(answer, |from| Ok(ProveAnswer { mac: from.array()?, tac: from.array()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_than_two_bytes_and_two_that_are_no_status_word_are_no_answer() {
        for answer in [&[][..], &[0x90], &[0x00, 0x00], &[0x13, 0x88], &[0x5F, 0xFF], &[0x70, 0x00], &[0xA0, 0x00]] {
            assert_eq!(parse_balance(answer), Err(CardFault::NoAnswer));
            assert_eq!(LoadAnswer::parse(answer), Err(CardFault::NoAnswer));
            assert_eq!(DebitAnswer::parse(answer), Err(CardFault::NoAnswer));
        }
    }

    #[test]
    fn an_answer_of_another_length_is_malformed_and_a_refusal_is_named() {
        let table: [(&[u8], Result<u32, CardFault>); 5] = [
            (&[0, 0, 0x13, 0x88, 0x90, 0x00], Ok(5_000)),
            (&[0, 0x13, 0x88, 0x90, 0x00], Err(CardFault::Malformed)),
            (&[0, 0, 0, 0x13, 0x88, 0x90, 0x00], Err(CardFault::Malformed)),
            (&[0x69, 0x85], Err(CardFault::Status(Status::ConditionsNotSatisfied))),
            (&[0, 0, 0x13, 0x88], Err(CardFault::NoAnswer)),
        ];
        for (answer, expected) in table {
            assert_eq!(parse_balance(answer), expected, "{answer:02X?}");
        }
        let table: [(&[u8], Result<(), CardFault>); 4] = [
            (&[0x90, 0x00], Ok(())),
            (&[0x01, 0x90, 0x00], Err(CardFault::Malformed)),
            (&[0x69, 0x01], Err(CardFault::Status(Status::InvalidState))),
            (&[0x90], Err(CardFault::NoAnswer)),
        ];
        for (answer, expected) in table {
            assert_eq!(parse_done(answer), expected, "{answer:02X?}");
        }
    }

    #[test]
    fn only_a_card_that_does_not_know_the_first_key_is_asked_for_another_one() {
        let table = [
            (KEY_ID, Status::UnknownKey, Some(SM4_KEY_ID)),
            (SM4_KEY_ID, Status::UnknownKey, None),
            (KEY_ID, Status::NotEnoughMoney, None),
            (KEY_ID, Status::Done, None),
        ];
        for (key, refusal, next) in table {
            assert_eq!(next_key(key, refusal), next, "{key:02X} {refusal}");
        }
        assert_eq!([0x00, 0x04, 0x07].map(key_of), [KEY_ID, SM4_KEY_ID, KEY_ID]);
    }

    #[test]
    fn a_missing_or_blank_log_record_is_no_record() {
        assert_eq!(parse_log(&[0x6A, 0x83]), Ok(None));
        for blank in [0x00, 0xFF] {
            let mut answer = vec![blank; 23];
            answer.extend([0x90, 0x00]);
            assert_eq!(parse_log(&answer), Ok(None));
        }
        assert_eq!(parse_log(&[0x6A, 0x82]), Err(CardFault::Status(Status::FileNotFound)));
    }
}
