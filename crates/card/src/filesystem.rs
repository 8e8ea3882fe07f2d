//! Files of a card: how CREATE FILE names them, what they hold, and who may read and write them.
//!
//! The numbers of file types and rights are those of a widespread card operating system; other makers number them
//! differently, and then this file is the only one that changes.

use ledger::{CodecError, Reader, Writer};

use crate::status::Status;

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Free,
    /// After VERIFY PIN.
    Pin,
    /// After EXTERNAL AUTHENTICATE.
    Authenticated,
    /// Nobody; the card itself may.
    Never,
}

/// How a command that writes the file must be protected; a protected command is always good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// In clear.
    Plain,
    /// With a MAC.
    Mac,
    /// Encrypted and with a MAC.
    Sealed,
}

/// What kind of file, and how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many bytes.
    Binary(u8),
    /// `most` records of `length` bytes, there from the beginning, all zero.
    Fixed {
        /// How many.
        most: u8,
        /// Bytes of each.
        length: u8,
    },
    /// At most `most` records of at most `length` bytes, appended.
    Variable {
        /// How many.
        most: u8,
        /// Bytes of the longest.
        length: u8,
    },
    /// The newest `most` records of `length` bytes, newest first.
    Cyclic {
        /// How many.
        most: u8,
        /// Bytes of each.
        length: u8,
    },
    /// The electronic purse.
    Purse,
    /// The file of the keys.
    Keys,
    /// An application with this name.
    Application(Vec<u8>),
}

/// A file as CREATE FILE describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileForm {
    /// File id; its last five bits are the short one.
    pub id: u16,
    /// Protection of writing.
    pub guard: Guard,
    /// Who may read; for an application, who may make files in it.
    pub read: Access,
    /// Who may write.
    pub write: Access,
    /// Kind and size.
    pub shape: Shape,
}

impl Access {
    const fn code(self) -> u8 {
        match self {
            Access::Free => 0xF0,
            Access::Pin => 0xF1,
            Access::Authenticated => 0xF2,
            Access::Never => 0xEF,
        }
    }

    const fn of(code: u8) -> Option<Access> {
        match code {
            0xF0 => Some(Access::Free),
            0xF1 => Some(Access::Pin),
            0xF2 => Some(Access::Authenticated),
            0xEF => Some(Access::Never),
            _ => None,
        }
    }
}

impl Guard {
    /// The two highest bits of a file type.
    const fn bits(self) -> u8 {
        match self {
            Guard::Plain => 0x00,
            Guard::Mac => 0x80,
            Guard::Sealed => 0xC0,
        }
    }
}

impl FileForm {
    /// What CREATE FILE carries.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, first, second) = match &self.shape {
            Shape::Binary(length) => (0x28, 0, *length),
            Shape::Fixed { most, length } => (0x2A, *most, *length),
            Shape::Variable { most, length } => (0x2C, *most, *length),
            Shape::Cyclic { most, length } => (0x2E, *most, *length),
            Shape::Purse => (0x2F, 0x02, 0x08),
            Shape::Keys => (0x3F, 0x01, 0x80),
            Shape::Application(_) => (0x38, 0x08, 0x00),
        };
        let mut out = Writer::new();
        out.u8(kind | self.guard.bits()).u8(first).u8(second).u8(self.read.code()).u8(self.write.code());
        out.raw(&[0xFF, 0xFF]);
        if let Shape::Application(name) = &self.shape {
            out.raw(name);
        }
        out.done()
    }

    /// Reads what CREATE FILE carries. Errors, in order: 6700 for a body that ends early or goes on, 6A86 for a type, size
    /// or right that there is not.
    pub fn decode(id: u16, data: &[u8]) -> Result<FileForm, Status> {
        let mut from = Reader::new(data);
        let mut fields = || -> Result<([u8; 5], [u8; 2]), CodecError> { Ok((from.array()?, from.array()?)) };
        let ([kind, first, second, read, write], _) = fields().map_err(|_| Status::WrongLength)?;
        let name = data.get(7..).unwrap_or_default();
        let (guard, kind) = match kind {
            0x28..=0x3F => (Guard::Plain, kind),
            0xA8..=0xBF => (Guard::Mac, kind & 0x3F),
            0xE8..=0xFF => (Guard::Sealed, kind & 0x3F),
            _ => return Err(Status::WrongParameters),
        };
        let shape = match (kind, first, second) {
            (0x28, 0, length) if length > 0 => Shape::Binary(length),
            (0x2A, most, length) if most > 0 && length > 0 => Shape::Fixed { most, length },
            (0x2C, most, length) if most > 0 && length > 0 => Shape::Variable { most, length },
            (0x2E, most, length) if most > 0 && length > 0 => Shape::Cyclic { most, length },
            (0x2F, _, _) => Shape::Purse,
            (0x3F, _, _) => Shape::Keys,
            (0x38, _, _) if (5..=16).contains(&name.len()) => Shape::Application(name.to_vec()),
            _ => return Err(Status::WrongParameters),
        };
        if !name.is_empty() && !matches!(shape, Shape::Application(_)) {
            return Err(Status::WrongLength);
        }
        let access = |code| Access::of(code).ok_or(Status::WrongParameters);
        Ok(FileForm { id, guard, read: access(read)?, write: access(write)?, shape })
    }
}

/// A file and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) form: FileForm,
    /// One piece of a binary file, the records of another. Purse and logs hold theirs elsewhere.
    pub(crate) rows: Vec<Vec<u8>>,
}

impl File {
    /// The file as it is when it was just made.
    pub(crate) fn new(form: FileForm) -> File {
        let rows = match &form.shape {
            Shape::Binary(length) => vec![vec![0; usize::from(*length)]],
            Shape::Fixed { most, length } => vec![vec![0; usize::from(*length)]; usize::from(*most)],
            Shape::Variable { .. } | Shape::Cyclic { .. } | Shape::Purse | Shape::Keys | Shape::Application(_) => {
                Vec::new()
            }
        };
        File { form, rows }
    }

    /// The short identifier.
    pub(crate) fn short(&self) -> u8 {
        let [_, low] = self.form.id.to_be_bytes();
        low & 0x1F
    }

    /// The bytes of a binary file. Error: 6981.
    pub(crate) fn bytes(&self) -> Result<&[u8], Status> {
        match (&self.form.shape, self.rows.first()) {
            (Shape::Binary(_), Some(bytes)) => Ok(bytes),
            _ => Err(Status::WrongFileType),
        }
    }

    /// Overwrites a part of a binary file. Errors, in order: 6981, 6B00 beyond the file.
    pub(crate) fn overwrite(&mut self, offset: u8, data: &[u8]) -> Result<(), Status> {
        self.bytes()?;
        let bytes = self.rows.first_mut().ok_or(Status::WrongFileType)?;
        let from = usize::from(offset);
        let until = from.checked_add(data.len()).ok_or(Status::WrongOffset)?;
        bytes.get_mut(from..until).ok_or(Status::WrongOffset)?.copy_from_slice(data);
        Ok(())
    }

    /// Replaces a record. Errors, in order: 6981 for a file without records and a cyclic one, 6A83, 6700.
    pub(crate) fn replace(&mut self, record: u8, data: &[u8]) -> Result<(), Status> {
        let fits = match &self.form.shape {
            Shape::Fixed { length, .. } => data.len() == usize::from(*length),
            Shape::Variable { length, .. } => !data.is_empty() && data.len() <= usize::from(*length),
            _ => return Err(Status::WrongFileType),
        };
        let row = usize::from(record).checked_sub(1).and_then(|place| self.rows.get_mut(place));
        let row = row.ok_or(Status::RecordNotFound)?;
        if !fits {
            return Err(Status::WrongLength);
        }
        *row = data.to_vec();
        Ok(())
    }

    /// Appends a record; a cyclic file loses its oldest. Errors, in order: 6981 for a file that takes none, 6700, 6985 for
    /// a full one.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<(), Status> {
        match &self.form.shape {
            Shape::Variable { length, .. } if data.is_empty() || data.len() > usize::from(*length) => {
                Err(Status::WrongLength)
            }
            Shape::Variable { most, .. } if self.rows.len() >= usize::from(*most) => {
                Err(Status::ConditionsNotSatisfied)
            }
            Shape::Variable { .. } => {
                self.rows.push(data.to_vec());
                Ok(())
            }
            Shape::Cyclic { length, .. } if data.len() != usize::from(*length) => Err(Status::WrongLength),
            Shape::Cyclic { most, .. } => {
                self.rows.insert(0, data.to_vec());
                self.rows.truncate(usize::from(*most));
                Ok(())
            }
            _ => Err(Status::WrongFileType),
        }
    }

    /// A record, counted from 1. Errors, in order: 6981, 6A83.
    pub(crate) fn record(&self, record: u8) -> Result<&[u8], Status> {
        match &self.form.shape {
            Shape::Fixed { .. } | Shape::Variable { .. } | Shape::Cyclic { .. } => {}
            Shape::Binary(_) | Shape::Purse | Shape::Keys | Shape::Application(_) => return Err(Status::WrongFileType),
        }
        let row = usize::from(record).checked_sub(1).and_then(|place| self.rows.get(place));
        row.map(Vec::as_slice).ok_or(Status::RecordNotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(guard: Guard, shape: Shape) -> FileForm {
        FileForm { id: 0x0015, guard, read: Access::Free, write: Access::Pin, shape }
    }

    #[test]
    fn a_card_reads_the_form_that_the_office_writes() {
        let shapes = [
            Shape::Binary(30),
            Shape::Fixed { most: 1, length: 16 },
            Shape::Variable { most: 4, length: 32 },
            Shape::Cyclic { most: 10, length: 23 },
            Shape::Purse,
            Shape::Keys,
            Shape::Application(b"\xA0\0\0\0\x03".to_vec()),
        ];
        for shape in shapes {
            for guard in [Guard::Plain, Guard::Mac, Guard::Sealed] {
                for read in [Access::Free, Access::Pin, Access::Authenticated, Access::Never] {
                    let form = FileForm { read, ..form(guard, shape.clone()) };
                    assert_eq!(FileForm::decode(0x0015, &form.encode()), Ok(form));
                }
            }
        }
    }

    #[test]
    fn file_types_are_those_of_the_card_system() {
        let kinds = [(Guard::Plain, 0x28), (Guard::Mac, 0xA8), (Guard::Sealed, 0xE8)];
        for (guard, kind) in kinds {
            assert_eq!(form(guard, Shape::Binary(30)).encode(), [kind, 0, 30, 0xF0, 0xF1, 0xFF, 0xFF]);
        }
    }

    #[test]
    fn a_form_that_is_none_is_refused_with_the_reason() {
        let table: [(&[u8], Status); 14] = [
            (&[0x2A, 1, 0, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x2C, 0, 16, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x2C, 1, 0, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x2E, 0, 16, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x28, 0, 1, 0xF0, 0xF3, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x28, 0, 30, 0xF0, 0xF0, 0xFF], Status::WrongLength),
            (&[0x28, 0, 30, 0xF0, 0xF0, 0xFF, 0xFF, 1], Status::WrongLength),
            (&[0x28, 0, 0, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x28, 1, 0, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x2A, 0, 16, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x2E, 10, 0, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x27, 0, 1, 0xF0, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x28, 0, 1, 0xF3, 0xF0, 0xFF, 0xFF], Status::WrongParameters),
            (&[0x38, 0, 1, 0xF0, 0xF0, 0xFF, 0xFF, 1, 2, 3, 4], Status::WrongParameters),
        ];
        for (bytes, expected) in table {
            assert_eq!(FileForm::decode(1, bytes), Err(expected), "{bytes:02X?}");
        }
    }

    #[test]
    fn a_cyclic_file_keeps_the_newest_and_a_variable_one_is_full_at_its_end() {
        let mut cyclic = File::new(form(Guard::Plain, Shape::Cyclic { most: 2, length: 1 }));
        for row in [1, 2, 3] {
            cyclic.append(&[row]).unwrap();
        }
        assert_eq!((cyclic.record(1), cyclic.record(2)), (Ok(&[3][..]), Ok(&[2][..])));
        assert_eq!(cyclic.record(3), Err(Status::RecordNotFound));
        assert_eq!(cyclic.append(&[1, 2]), Err(Status::WrongLength));
        assert_eq!(cyclic.replace(1, &[9]), Err(Status::WrongFileType));

        let mut longest = File::new(form(Guard::Plain, Shape::Variable { most: 1, length: 2 }));
        assert_eq!(longest.append(&[1, 2]), Ok(()), "the longest record there may be");
        let mut variable = File::new(form(Guard::Plain, Shape::Variable { most: 1, length: 2 }));
        assert_eq!(variable.append(&[]), Err(Status::WrongLength));
        assert_eq!(variable.append(&[1, 2, 3]), Err(Status::WrongLength));
        assert_eq!(variable.append(&[1]), Ok(()));
        assert_eq!(variable.append(&[1]), Err(Status::ConditionsNotSatisfied));
        assert_eq!(variable.replace(1, &[5, 6]), Ok(()));
        assert_eq!(variable.replace(1, &[]), Err(Status::WrongLength));
        assert_eq!(variable.replace(1, &[5, 6, 7]), Err(Status::WrongLength));
        assert_eq!(variable.record(1), Ok(&[5, 6][..]));
        assert_eq!(variable.overwrite(0, &[1]), Err(Status::WrongFileType));
    }

    #[test]
    fn a_binary_file_is_overwritten_within_its_bounds() {
        let mut file = File::new(form(Guard::Plain, Shape::Binary(4)));
        assert_eq!(file.overwrite(1, &[7, 8, 9]), Ok(()));
        assert_eq!(file.bytes(), Ok(&[0, 7, 8, 9][..]));
        for offset in [2, 4, 255] {
            assert_eq!(file.overwrite(offset, &[1, 2, 3]), Err(Status::WrongOffset), "{offset}");
        }
        assert_eq!(file.record(1), Err(Status::WrongFileType));
        assert_eq!(file.append(&[1]), Err(Status::WrongFileType));
        assert_eq!(file.short(), 0x15);
    }
}
