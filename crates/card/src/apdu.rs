//! Commands to the card: one value per command, written by the terminal and read by the card.

pub mod office;

use ledger::{CodecError, Reader, Writer};

use self::office::OfficeCommand;
use crate::session::{Kind, Stamp};
use crate::status::Status;

/// A command of the purse application. Source: JR/T 0025.1, ISO/IEC 7816-4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// SELECT by application name; the answer carries the public file.
    Select(Vec<u8>),
    /// SELECT by file id: the root, the application, or a file of the directory that is selected.
    SelectFile(u16),
    /// READ BINARY of a file by its short identifier.
    ReadBinary {
        /// Short file identifier; 0 is the file that is selected.
        file: u8,
        /// First byte.
        offset: u8,
        /// How many bytes; 0 asks for all.
        length: u8,
    },
    /// READ RECORD of a file by its short identifier.
    ReadRecord {
        /// Short file identifier; 0 is the file that is selected.
        file: u8,
        /// 1 is the newest of the log.
        record: u8,
        /// How many bytes; 0 asks for all.
        length: u8,
    },
    /// GET CHALLENGE: that many random bytes, 4 or 8.
    GetChallenge(u8),
    /// GET BALANCE of the purse.
    GetBalance,
    /// INITIALIZE FOR LOAD.
    InitLoad(Init),
    /// CREDIT FOR LOAD: the host's release.
    CreditForLoad {
        /// Host's clock.
        stamp: Stamp,
        /// Host's MAC2.
        mac2: [u8; 4],
    },
    /// INITIALIZE FOR PURCHASE.
    InitPurchase(Init),
    /// INITIALIZE FOR CAPP PURCHASE: a purchase that also rewrites one record.
    InitComposite(Init),
    /// UPDATE CAPP DATA CACHE: the record that the next DEBIT of a composite purchase writes.
    CacheRecord {
        /// Short file identifier.
        file: u8,
        /// Which record.
        record: u8,
        /// The whole new record.
        data: Vec<u8>,
    },
    /// DEBIT FOR PURCHASE, also of a composite one.
    Debit {
        /// Number counted by the purchase module.
        tsn: u32,
        /// Terminal's clock.
        stamp: Stamp,
        /// Purchase module's MAC1.
        mac1: [u8; 4],
    },
    /// GET TRANSACTION PROVE.
    Prove {
        /// Which transaction.
        kind: Kind,
        /// Its counter; which of before and after differs between cards.
        seq: u16,
    },
    /// EXTERNAL AUTHENTICATE: the office proves itself.
    ExternalAuthenticate {
        /// Key identifier; 0 is the control key.
        key: u8,
        /// The challenge, encrypted.
        cryptogram: Vec<u8>,
    },
    /// INTERNAL AUTHENTICATE: the card proves itself.
    InternalAuthenticate {
        /// 0 encrypts, 1 decrypts, 2 makes a MAC.
        mode: u8,
        /// Key identifier.
        key: u8,
        /// What the card works on.
        data: Vec<u8>,
    },
    /// VERIFY PIN.
    VerifyPin {
        /// Identifier of the PIN.
        id: u8,
        /// Two to six bytes.
        pin: Vec<u8>,
    },
    /// GET DATA; object 0000 is the security identifier of construction-ministry cards.
    GetData {
        /// Which object.
        object: u16,
        /// How many bytes; 0 asks for all.
        length: u8,
    },
    /// GET RESPONSE: what waits after 61xx.
    GetResponse(u8),
    /// What the card office sends.
    Office(OfficeCommand),
}

/// What the three INITIALIZE commands carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init {
    /// Key identifier.
    pub key: u8,
    /// In fen.
    pub amount: u32,
    /// Terminal id.
    pub terminal: [u8; 6],
}

/// Parameter P2 that names the purse.
const PURSE: u8 = 0x02;

impl Command {
    /// The command as bytes. Repeats: `Command::parse(&command.encode()) == Ok(command)`.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Command::Select(name) => with_data([0x00, 0xA4, 0x04, 0x00], name, None),
            Command::SelectFile(id) => with_data([0x00, 0xA4, 0x00, 0x00], &id.to_be_bytes(), None),
            Command::ReadBinary { file, offset, length } => {
                vec![0x00, 0xB0, office::binary_file(*file), *offset, *length]
            }
            Command::ReadRecord { file, record, length } => vec![0x00, 0xB2, *record, record_file(*file), *length],
            Command::GetChallenge(length) => vec![0x00, 0x84, 0x00, 0x00, *length],
            Command::GetBalance => vec![0x80, 0x5C, 0x00, PURSE, 0x04],
            Command::InitLoad(init) => with_data([0x80, 0x50, 0x00, PURSE], &init.encode(), Some(0x10)),
            Command::InitPurchase(init) => with_data([0x80, 0x50, 0x01, PURSE], &init.encode(), Some(0x0F)),
            Command::InitComposite(init) => with_data([0x80, 0x50, 0x03, PURSE], &init.encode(), Some(0x0F)),
            Command::CreditForLoad { stamp, mac2 } => {
                let mut data = Writer::new();
                data.raw(&stamp.date).raw(&stamp.time).raw(mac2);
                with_data([0x80, 0x52, 0x00, 0x00], &data.done(), Some(0x04))
            }
            Command::CacheRecord { file, record, data } => with_data([0x80, 0xDC, *record, file << 3], data, None),
            Command::Debit { tsn, stamp, mac1 } => {
                let mut data = Writer::new();
                data.u32(*tsn).raw(&stamp.date).raw(&stamp.time).raw(mac1);
                with_data([0x80, 0x54, 0x01, 0x00], &data.done(), Some(0x08))
            }
            Command::Prove { kind, seq } => with_data([0x80, 0x5A, 0x00, kind.code()], &seq.to_be_bytes(), Some(0x08)),
            Command::ExternalAuthenticate { key, cryptogram } => with_data([0x00, 0x82, 0x00, *key], cryptogram, None),
            Command::InternalAuthenticate { mode, key, data } => with_data([0x00, 0x88, *mode, *key], data, Some(0x00)),
            Command::VerifyPin { id, pin } => with_data([0x00, 0x20, 0x00, *id], pin, None),
            Command::GetData { object, length } => {
                let [high, low] = object.to_be_bytes();
                vec![0x80, 0xCA, high, low, *length]
            }
            Command::GetResponse(length) => vec![0x00, 0xC0, 0x00, 0x00, *length],
            Command::Office(command) => command.encode(),
        }
    }

    /// Reads a command as the card does.
    ///
    /// Errors, in order: 6700 for a frame that is no command, 6D00 for an unknown instruction, 6E00 for a class that the
    /// instruction does not have, 6A86 for parameters, 6700 for a body of the wrong length.
    pub fn parse(bytes: &[u8]) -> Result<Command, Status> {
        let frame = Frame::read(bytes)?;
        let [class, instruction, p1, p2] = frame.header;
        let home = match (instruction, class) {
            (0xD4 | 0xD6 | 0xE0 | 0xE2 | 0x1E | 0x18 | 0x16 | 0x24 | 0x5E, _) | (0xDC, 0x00 | 0x04) => {
                office::check_class(class, instruction)?;
                return OfficeCommand::parse(&frame).map(Command::Office);
            }
            (0xA4 | 0xB0 | 0xB2 | 0x84 | 0x82 | 0x88 | 0x20 | 0xC0, _) => 0x00,
            (0x5C | 0x50 | 0x52 | 0x54 | 0x5A | 0xDC | 0xCA, _) => 0x80,
            _ => return Err(Status::UnknownInstruction),
        };
        if class != home {
            return Err(Status::UnknownClass);
        }
        match (instruction, p1, p2) {
            (0xA4, 0x04, 0x00) if !frame.data.is_empty() => Ok(Command::Select(frame.data.to_vec())),
            (0xA4, 0x04, 0x00) => Err(Status::WrongLength),
            (0xA4, 0x00, 0x00) => match frame.data {
                [high, low] => Ok(Command::SelectFile(u16::from_be_bytes([*high, *low]))),
                _ => Err(Status::WrongLength),
            },
            (0xB0, file, offset) if file == 0 || file & 0xE0 == 0x80 => {
                Ok(Command::ReadBinary { file: file & 0x1F, offset, length: frame.only_expected()? })
            }
            (0xB2, record, file) if file & 0x07 == 0x04 => {
                Ok(Command::ReadRecord { file: file >> 3, record, length: frame.only_expected()? })
            }
            (0x84, 0x00, 0x00) => match frame.only_expected()? {
                length @ (4 | 8) => Ok(Command::GetChallenge(length)),
                _ => Err(Status::WrongLength),
            },
            (0x5C, 0x00, PURSE) => match frame.only_expected()? {
                0x00 | 0x04 => Ok(Command::GetBalance),
                _ => Err(Status::WrongExpectedLength(0x04)),
            },
            (0x50, 0x00, PURSE) => frame.body(0x10, Init::read).map(Command::InitLoad),
            (0x50, 0x01, PURSE) => frame.body(0x0F, Init::read).map(Command::InitPurchase),
            (0x50, 0x03, PURSE) => frame.body(0x0F, Init::read).map(Command::InitComposite),
            (0x52, 0x00, 0x00) => frame.body(0x04, read_credit),
            (0x54, 0x01, 0x00) => frame.body(0x08, read_debit),
            (0x5A, 0x00, code) => {
                let kind = Kind::of(code).ok_or(Status::WrongParameters)?;
                frame.body(0x08, Reader::u16).map(|seq| Command::Prove { kind, seq })
            }
            (0xDC, record, file) if file & 0x07 == 0x00 && !frame.data.is_empty() => {
                Ok(Command::CacheRecord { file: file >> 3, record, data: frame.data.to_vec() })
            }
            (0x82, 0x00, key) => match frame.data.len() {
                8 | 16 => Ok(Command::ExternalAuthenticate { key, cryptogram: frame.data.to_vec() }),
                _ => Err(Status::WrongLength),
            },
            (0x88, mode @ 0x00..=0x02, key) if !frame.data.is_empty() => {
                Ok(Command::InternalAuthenticate { mode, key, data: frame.data.to_vec() })
            }
            (0x20, 0x00, id) => match frame.data.len() {
                2..=6 => Ok(Command::VerifyPin { id, pin: frame.data.to_vec() }),
                _ => Err(Status::WrongLength),
            },
            (0xCA, high, low) => {
                let object = u16::from_be_bytes([high, low]);
                Ok(Command::GetData { object, length: frame.only_expected()? })
            }
            (0xC0, 0x00, 0x00) => frame.only_expected().map(Command::GetResponse),
            _ => Err(Status::WrongParameters),
        }
    }
}

impl Init {
    fn encode(&self) -> Vec<u8> {
        let mut data = Writer::new();
        data.u8(self.key).u32(self.amount).raw(&self.terminal);
        data.done()
    }

    fn read(data: &mut Reader<'_>) -> Result<Init, CodecError> {
        Ok(Init { key: data.u8()?, amount: data.u32()?, terminal: data.array()? })
    }
}

fn read_stamp(data: &mut Reader<'_>) -> Result<Stamp, CodecError> {
    Ok(Stamp { date: data.array()?, time: data.array()? })
}

fn read_credit(data: &mut Reader<'_>) -> Result<Command, CodecError> {
    Ok(Command::CreditForLoad { stamp: read_stamp(data)?, mac2: data.array()? })
}

fn read_debit(data: &mut Reader<'_>) -> Result<Command, CodecError> {
    Ok(Command::Debit { tsn: data.u32()?, stamp: read_stamp(data)?, mac1: data.array()? })
}

pub(crate) const fn record_file(file: u8) -> u8 {
    (file << 3) | 0x04
}

pub(crate) fn with_data(header: [u8; 4], data: &[u8], expected: Option<u8>) -> Vec<u8> {
    let mut out = header.to_vec();
    out.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(data);
    out.extend(expected);
    out
}

/// Bytes of the body of a well-formed command that has one.
pub(crate) fn body_length(bytes: &[u8]) -> Option<usize> {
    let frame = Frame::read(bytes).ok()?;
    (!frame.data.is_empty()).then_some(frame.data.len())
}

/// A short command frame, taken apart by ISO/IEC 7816-4 cases 1 to 4.
struct Frame<'a> {
    header: [u8; 4],
    data: &'a [u8],
    expected: Option<u8>,
}

impl<'a> Frame<'a> {
    fn read(bytes: &'a [u8]) -> Result<Frame<'a>, Status> {
        let (header, rest) = bytes.split_first_chunk::<4>().ok_or(Status::WrongLength)?;
        let (data, expected) = match rest {
            [] => (&[][..], None),
            [expected] => (&[][..], Some(*expected)),
            [length, body @ ..] => {
                let (data, tail) = body.split_at_checked(usize::from(*length)).ok_or(Status::WrongLength)?;
                match tail {
                    [] => (data, None),
                    [expected] => (data, Some(*expected)),
                    _ => return Err(Status::WrongLength),
                }
            }
        };
        Ok(Frame { header: *header, data, expected })
    }

    /// The expected length of a command without a body.
    fn only_expected(&self) -> Result<u8, Status> {
        if self.data.is_empty() { self.expected.ok_or(Status::WrongLength) } else { Err(Status::WrongLength) }
    }

    /// The body, when it has just the fields of `read`; the expected length may be missing, zero or right.
    fn body<T>(&self, answer: u8, read: fn(&mut Reader<'a>) -> Result<T, CodecError>) -> Result<T, Status> {
        let mut data = Reader::new(self.data);
        let body = read(&mut data).and_then(|body| data.end().map(|()| body)).map_err(|_| Status::WrongLength)?;
        match self.expected {
            Some(expected) if expected != 0 && expected != answer => Err(Status::WrongExpectedLength(answer)),
            _ => Ok(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: Init = Init { key: 1, amount: 10_000, terminal: [0, 0, 0, 0, 1, 1] };
    const STAMP: Stamp = Stamp { date: [0x20, 0x26, 0x09, 0x01], time: [0x12, 0x30, 0x45] };

    #[test]
    fn a_card_reads_what_a_terminal_writes() {
        let commands = [
            Command::Select(vec![0xA0, 0, 0]),
            Command::ReadBinary { file: 0x15, offset: 12, length: 10 },
            Command::ReadRecord { file: 0x18, record: 1, length: 23 },
            Command::GetChallenge(4),
            Command::GetChallenge(8),
            Command::GetBalance,
            Command::InitLoad(INIT),
            Command::CreditForLoad { stamp: STAMP, mac2: [1, 2, 3, 4] },
            Command::InitPurchase(INIT),
            Command::InitComposite(INIT),
            Command::CacheRecord { file: 0x17, record: 1, data: vec![9; 16] },
            Command::Debit { tsn: 0xA5B, stamp: STAMP, mac1: [4, 3, 2, 1] },
            Command::Prove { kind: Kind::Load, seq: 8 },
            Command::SelectFile(0x3F00),
            Command::ReadBinary { file: 0, offset: 0, length: 10 },
            Command::ExternalAuthenticate { key: 0, cryptogram: vec![7; 8] },
            Command::InternalAuthenticate { mode: 2, key: 1, data: vec![7; 9] },
            Command::VerifyPin { id: 0, pin: vec![0x12, 0x34] },
            Command::GetData { object: 0, length: 9 },
            Command::GetResponse(0x10),
        ];
        for command in commands {
            assert_eq!(Command::parse(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn commands_look_as_the_standard_writes_them() {
        assert_eq!(Command::ReadRecord { file: 0x18, record: 1, length: 23 }.encode(), [0x00, 0xB2, 0x01, 0xC4, 0x17]);
        assert_eq!(Command::ReadBinary { file: 0x15, offset: 0, length: 30 }.encode(), [0x00, 0xB0, 0x95, 0x00, 0x1E]);
        assert_eq!(
            Command::InitLoad(INIT).encode(),
            [0x80, 0x50, 0, 2, 0x0B, 1, 0, 0, 0x27, 0x10, 0, 0, 0, 0, 1, 1, 0x10]
        );
        assert_eq!(Command::Prove { kind: Kind::Purchase, seq: 0x0102 }.encode(), [0x80, 0x5A, 0, 6, 2, 1, 2, 8]);
    }

    #[test]
    fn a_command_that_is_none_is_refused_with_the_reason() {
        let table: [(&[u8], Status); 35] = [
            (&[0x00, 0xA4, 0x04, 0x00], Status::WrongLength),
            (&[0x00, 0xA4, 0x04, 0x01, 0x01, 0xA0], Status::WrongParameters),
            (&[0x00, 0xB0, 0x40, 0x00, 0x01], Status::WrongParameters),
            (&[0x00, 0xB0, 0x60, 0x00, 0x01], Status::WrongParameters),
            (&[0x00, 0xB0, 0x95, 0x00], Status::WrongLength),
            (&[0x00, 0xB0, 0x95, 0x00, 0x01, 0xAA, 0x04], Status::WrongLength),
            (&[0x00, 0xB2, 0x01, 0xC0, 0x17], Status::WrongParameters),
            (&[0x00, 0xB2, 0x01, 0xC3, 0x17], Status::WrongParameters),
            (&[0x00, 0x82, 0x01, 0x00, 0x08, 1, 2, 3, 4, 5, 6, 7, 8], Status::WrongParameters),
            (&[0x00, 0x88, 0x00, 0x01], Status::WrongParameters),
            (&[0x00, 0xC0, 0x00, 0x00], Status::WrongLength),
            (&[0x00, 0xC0, 0x00, 0x01, 0x10], Status::WrongParameters),
            (&[0x80, 0xCA, 0x00, 0x00], Status::WrongLength),
            (&[0x80, 0xDC, 0x01, 0xB8], Status::WrongParameters),
            (&[0x80, 0xDC, 0x01, 0xBC, 0x01, 1], Status::WrongParameters),
            (&[0x00, 0xA4, 0x00, 0x00, 0x01, 0x3F], Status::WrongLength),
            (&[0x00, 0x82, 0x00, 0x00, 0x07, 1, 2, 3, 4, 5, 6, 7], Status::WrongLength),
            (&[0x00, 0x88, 0x03, 0x00, 0x01, 1], Status::WrongParameters),
            (&[0x00, 0x20, 0x00, 0x00, 0x01, 1], Status::WrongLength),
            (&[0x00, 0x20, 0x00, 0x00, 0x07, 1, 2, 3, 4, 5, 6, 7], Status::WrongLength),
            (&[0x00, 0xCA, 0x00, 0x00, 0x09], Status::UnknownClass),
            (&[], Status::WrongLength),
            (&[0x80, 0x50, 0x00], Status::WrongLength),
            (&[0x80, 0x50, 0x00, 0x02, 0x0B, 0x01], Status::WrongLength),
            (&[0x00, 0xC7, 0x00, 0x00], Status::UnknownInstruction),
            (&[0x00, 0x5C, 0x00, 0x02, 0x04], Status::UnknownClass),
            (&[0x80, 0xA4, 0x04, 0x00, 0x01, 0xA0], Status::UnknownClass),
            (&[0x80, 0x5C, 0x00, 0x01, 0x04], Status::WrongParameters),
            (&[0x80, 0x50, 0x02, 0x02, 0x0B], Status::WrongParameters),
            (&[0x80, 0x5A, 0x00, 0x7F, 0x02, 0, 1, 8], Status::WrongParameters),
            (&[0x80, 0x5C, 0x00, 0x02, 0x05], Status::WrongExpectedLength(4)),
            (&[0x80, 0x5A, 0x00, 0x02, 0x02, 0, 1, 7], Status::WrongExpectedLength(8)),
            (&[0x80, 0x5A, 0x00, 0x02, 0x03, 0, 1, 7, 8], Status::WrongLength),
            (&[0x80, 0x5A, 0x00, 0x02, 0x02, 0, 1, 8, 9], Status::WrongLength),
            (&[0x00, 0x84, 0x00, 0x00, 0x05], Status::WrongLength),
        ];
        for (bytes, expected) in table {
            assert_eq!(Command::parse(bytes), Err(expected), "{bytes:02X?}");
        }
    }

    #[test]
    fn the_expected_length_may_be_left_out() {
        let mut bytes = Command::InitLoad(INIT).encode();
        bytes.pop();
        assert_eq!(Command::parse(&bytes), Ok(Command::InitLoad(INIT)));
        bytes.push(0);
        assert_eq!(Command::parse(&bytes), Ok(Command::InitLoad(INIT)));
    }
}
