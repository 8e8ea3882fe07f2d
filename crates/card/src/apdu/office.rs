//! Commands of the card office: making files and keys, writing, blocking, PINs.

use super::{Frame, with_data};
use crate::filesystem::FileForm;
use crate::keystore::KeyKind;
use crate::secure::{Header, Protected};
use crate::status::Status;

/// A command that changes more than money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfficeCommand {
    /// CREATE FILE in the directory that is selected.
    CreateFile(FileForm),
    /// WRITE KEY, encrypted under the control key.
    WriteKey {
        /// What it is for.
        kind: KeyKind,
        /// Its identifier.
        id: u8,
        /// The key.
        body: Protected,
    },
    /// UPDATE BINARY.
    UpdateBinary {
        /// Short file identifier; 0 is the file that is selected.
        file: u8,
        /// First byte.
        offset: u8,
        /// The new bytes.
        body: Body,
    },
    /// UPDATE RECORD.
    UpdateRecord {
        /// Short file identifier; 0 is the file that is selected.
        file: u8,
        /// Which, counted from 1.
        record: u8,
        /// The whole new record.
        body: Body,
    },
    /// APPEND RECORD.
    AppendRecord {
        /// Short file identifier; 0 is the file that is selected.
        file: u8,
        /// The record.
        body: Body,
    },
    /// APPLICATION BLOCK.
    BlockApplication {
        /// For good.
        permanent: bool,
        /// No data, a MAC.
        body: Protected,
    },
    /// APPLICATION UNBLOCK.
    UnblockApplication(Protected),
    /// CARD BLOCK: nothing is ever answered again but that.
    BlockCard(Protected),
    /// PIN UNBLOCK: the tries begin anew.
    UnblockPin {
        /// Identifier of the PIN.
        id: u8,
        /// The PIN, encrypted under the key for it.
        body: Protected,
    },
    /// RELOAD PIN: another PIN, and the tries begin anew.
    ReloadPin {
        /// Identifier of the PIN.
        id: u8,
        /// Two to six bytes.
        pin: Vec<u8>,
        /// Under the key for it.
        mac: [u8; 4],
    },
}

/// The body of a command that writes a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In clear.
    Plain(Vec<u8>),
    /// Under secure messaging.
    Protected(Protected),
}

/// Header of UPDATE BINARY under secure messaging.
pub const fn update_binary_header(file: u8, offset: u8) -> Header {
    [0x04, 0xD6, binary_file(file), offset]
}

/// Header of UPDATE RECORD under secure messaging.
pub const fn update_record_header(file: u8, record: u8) -> Header {
    [0x04, 0xDC, record, super::record_file(file)]
}

/// Header of APPEND RECORD under secure messaging.
pub const fn append_record_header(file: u8) -> Header {
    [0x04, 0xE2, 0x00, file << 3]
}

/// Header of APPLICATION BLOCK.
pub const fn block_application_header(permanent: bool) -> Header {
    [0x84, 0x1E, 0x00, if permanent { 0x01 } else { 0x00 }]
}

/// Header of APPLICATION UNBLOCK.
pub const UNBLOCK_APPLICATION: Header = [0x84, 0x18, 0x00, 0x00];

/// Header of CARD BLOCK.
pub const BLOCK_CARD: Header = [0x84, 0x16, 0x00, 0x00];

/// Header of PIN UNBLOCK.
pub const fn unblock_pin_header(id: u8) -> Header {
    [0x84, 0x24, 0x00, id]
}

/// Header of WRITE KEY.
pub fn write_key_header(kind: KeyKind, id: u8) -> Header {
    [0x84, 0xD4, kind.code(), id]
}

/// Parameter P1 of a binary command: a short identifier, or 0 for the file that is selected.
pub(super) const fn binary_file(file: u8) -> u8 {
    if file == 0 { 0x00 } else { 0x80 | file }
}

impl OfficeCommand {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            OfficeCommand::CreateFile(form) => {
                let [high, low] = form.id.to_be_bytes();
                with_data([0x80, 0xE0, high, low], &form.encode(), None)
            }
            OfficeCommand::UpdateBinary { file, offset, body } => {
                body.encode([0x00, 0xD6, binary_file(*file), *offset])
            }
            OfficeCommand::UpdateRecord { file, record, body } => {
                body.encode([0x00, 0xDC, *record, super::record_file(*file)])
            }
            OfficeCommand::AppendRecord { file, body } => body.encode([0x00, 0xE2, 0x00, *file << 3]),
            OfficeCommand::WriteKey { body, .. }
            | OfficeCommand::BlockApplication { body, .. }
            | OfficeCommand::UnblockApplication(body)
            | OfficeCommand::BlockCard(body)
            | OfficeCommand::UnblockPin { body, .. } => body.encode(),
            OfficeCommand::ReloadPin { id, pin, mac } => {
                with_data([0x80, 0x5E, 0x00, *id], &[&pin[..], mac].concat(), None)
            }
        }
    }

    pub(super) fn parse(frame: &Frame<'_>) -> Result<OfficeCommand, Status> {
        let [_, instruction, p1, p2] = frame.header;
        match (instruction, p1, p2) {
            (0xE0, high, low) => {
                FileForm::decode(u16::from_be_bytes([high, low]), frame.data).map(OfficeCommand::CreateFile)
            }
            (0xD6, file, offset) if file == 0 || file & 0xE0 == 0x80 => {
                Ok(OfficeCommand::UpdateBinary { file: file & 0x1F, offset, body: Body::read(frame)? })
            }
            (0xDC, record, file) if file & 0x07 == 0x04 => {
                Ok(OfficeCommand::UpdateRecord { file: file >> 3, record, body: Body::read(frame)? })
            }
            (0xE2, 0x00, file) if file & 0x07 == 0x00 => {
                Ok(OfficeCommand::AppendRecord { file: file >> 3, body: Body::read(frame)? })
            }
            (0xD4, kind, id) => {
                let kind = KeyKind::of(kind).ok_or(Status::WrongParameters)?;
                Ok(OfficeCommand::WriteKey { kind, id, body: protected(frame)? })
            }
            (0x1E, 0x00, permanent @ (0x00 | 0x01)) => {
                Ok(OfficeCommand::BlockApplication { permanent: permanent == 0x01, body: bare(frame)? })
            }
            (0x18, 0x00, 0x00) => bare(frame).map(OfficeCommand::UnblockApplication),
            (0x16, 0x00, 0x00) => bare(frame).map(OfficeCommand::BlockCard),
            (0x24, 0x00, id) => Ok(OfficeCommand::UnblockPin { id, body: protected(frame)? }),
            (0x5E, 0x00, id) => {
                let (pin, mac) = frame.data.split_last_chunk::<4>().ok_or(Status::WrongLength)?;
                if !(2..=6).contains(&pin.len()) {
                    return Err(Status::WrongLength);
                }
                Ok(OfficeCommand::ReloadPin { id, pin: pin.to_vec(), mac: *mac })
            }
            _ => Err(Status::WrongParameters),
        }
    }
}

/// Which class an instruction of the office has. A command that must be protected and is not gets 6987.
pub(super) fn check_class(class: u8, instruction: u8) -> Result<(), Status> {
    let allowed: &[u8] = match instruction {
        0xE0 | 0x5E => &[0x80],
        0xD6 | 0xDC | 0xE2 => &[0x00, 0x04],
        _ => match class {
            0x84 => return Ok(()),
            0x80 => return Err(Status::SecureMessagingMissing),
            _ => return Err(Status::UnknownClass),
        },
    };
    if allowed.contains(&class) { Ok(()) } else { Err(Status::UnknownClass) }
}

fn protected(frame: &Frame<'_>) -> Result<Protected, Status> {
    Protected::of(frame.header, frame.data).ok_or(Status::SecureMessagingMissing)
}

/// A MAC and nothing else.
fn bare(frame: &Frame<'_>) -> Result<Protected, Status> {
    let body = protected(frame)?;
    if body.data.is_empty() { Ok(body) } else { Err(Status::WrongLength) }
}

impl Body {
    fn read(frame: &Frame<'_>) -> Result<Body, Status> {
        let [class, ..] = frame.header;
        match class {
            0x04 => Protected::of(frame.header, frame.data)
                .filter(|body| !body.data.is_empty())
                .map(Body::Protected)
                .ok_or(Status::SecureMessagingMissing),
            _ if frame.data.is_empty() => Err(Status::WrongLength),
            _ => Ok(Body::Plain(frame.data.to_vec())),
        }
    }

    fn encode(&self, header: Header) -> Vec<u8> {
        match self {
            Body::Plain(data) => with_data(header, data, None),
            Body::Protected(body) => body.encode(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::Command;
    use crate::filesystem::{Access, Guard, Shape};

    fn body(header: Header, data: &[u8]) -> Protected {
        Protected { header, data: data.to_vec(), mac: [1, 2, 3, 4] }
    }

    #[test]
    fn a_card_reads_what_the_office_writes() {
        let form = FileForm {
            id: 0x0015,
            guard: Guard::Mac,
            read: Access::Free,
            write: Access::Free,
            shape: Shape::Binary(30),
        };
        let commands = [
            OfficeCommand::CreateFile(form),
            OfficeCommand::WriteKey {
                kind: KeyKind::Load,
                id: 1,
                body: body(write_key_header(KeyKind::Load, 1), &[7; 24]),
            },
            OfficeCommand::UpdateBinary { file: 0x15, offset: 3, body: Body::Plain(vec![1]) },
            OfficeCommand::UpdateBinary { file: 0, offset: 3, body: Body::Plain(vec![1]) },
            OfficeCommand::UpdateBinary {
                file: 0x15,
                offset: 3,
                body: Body::Protected(body(update_binary_header(0x15, 3), &[9])),
            },
            OfficeCommand::UpdateRecord {
                file: 0x17,
                record: 1,
                body: Body::Protected(body(update_record_header(0x17, 1), &[9; 16])),
            },
            OfficeCommand::AppendRecord { file: 1, body: Body::Protected(body(append_record_header(1), &[9; 16])) },
            OfficeCommand::BlockApplication { permanent: true, body: body(block_application_header(true), &[]) },
            OfficeCommand::BlockApplication { permanent: false, body: body(block_application_header(false), &[]) },
            OfficeCommand::UnblockApplication(body(UNBLOCK_APPLICATION, &[])),
            OfficeCommand::BlockCard(body(BLOCK_CARD, &[])),
            OfficeCommand::UnblockPin { id: 0, body: body(unblock_pin_header(0), &[8; 8]) },
            OfficeCommand::ReloadPin { id: 0, pin: vec![0x12, 0x34], mac: [1, 2, 3, 4] },
        ];
        for command in commands {
            let command = Command::Office(command);
            assert_eq!(Command::parse(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn a_command_that_must_be_protected_says_so() {
        let table: [(&[u8], Status); 23] = [
            (&[0x84, 0xD6, 0x95, 0, 5, 9, 1, 2, 3, 4], Status::UnknownClass),
            (&[0x04, 0xD6, 0x60, 0, 5, 9, 1, 2, 3, 4], Status::WrongParameters),
            (&[0x00, 0xD6, 0x40, 0, 1, 9], Status::WrongParameters),
            (&[0x00, 0xDC, 1, 0xB8, 1, 9], Status::WrongParameters),
            (&[0x00, 0xDC, 1, 0x03, 1, 9], Status::WrongParameters),
            (&[0x00, 0xE2, 0, 0x0C, 1, 9], Status::WrongParameters),
            (&[0x00, 0xE2, 1, 0x08, 1, 9], Status::WrongParameters),
            (&[0x00, 0xE0, 0, 0x15, 7, 0x28, 0, 1, 0xF0, 0xF0, 0xFF, 0xFF], Status::UnknownClass),
            (&[0x84, 0x5E, 0, 0, 6, 1, 2, 1, 2, 3, 4], Status::UnknownClass),
            (&[0x84, 0x18, 0, 1, 4, 1, 2, 3, 4], Status::WrongParameters),
            (&[0x80, 0x5E, 0, 0, 11, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4], Status::WrongLength),
            (&[0x80, 0x1E, 0, 0], Status::SecureMessagingMissing),
            (&[0x84, 0x1E, 0, 0], Status::SecureMessagingMissing),
            (&[0x84, 0x1E, 0, 0, 3, 1, 2, 3], Status::SecureMessagingMissing),
            (&[0x84, 0x1E, 0, 0, 5, 1, 2, 3, 4, 5], Status::WrongLength),
            (&[0x84, 0x1E, 0, 2, 4, 1, 2, 3, 4], Status::WrongParameters),
            (&[0x00, 0x18, 0, 0, 4, 1, 2, 3, 4], Status::UnknownClass),
            (&[0x80, 0xD4, 0x3F, 1, 1, 1], Status::SecureMessagingMissing),
            (&[0x84, 0xD4, 0x35, 1, 4, 1, 2, 3, 4], Status::WrongParameters),
            (&[0x04, 0xD6, 0x95, 0, 4, 1, 2, 3, 4], Status::SecureMessagingMissing),
            (&[0x80, 0xD6, 0x95, 0, 4, 1, 2, 3, 4], Status::UnknownClass),
            (&[0x00, 0xD6, 0x95, 0], Status::WrongLength),
            (&[0x80, 0x5E, 0, 0, 5, 1, 1, 2, 3, 4], Status::WrongLength),
        ];
        for (bytes, expected) in table {
            assert_eq!(Command::parse(bytes), Err(expected), "{bytes:02X?}");
        }
    }
}
