//! File 0016: whose card it is.

use ledger::{CodecError, Reader, Writer};

/// What the card says of its holder. It is a label, never a proof: the platform's book says whose card it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderFile {
    /// Kind of card; the school's own numbers.
    pub card_type: u8,
    /// 01 for staff.
    pub staff: u8,
    /// Name in GB 18030, zeros behind it.
    pub name: [u8; 20],
    /// Student or staff number, zeros behind it. The file has room for an identity number; this project never writes one.
    pub number: [u8; 32],
    /// Kind of that number; 05 is a number of the school's own.
    pub number_type: u8,
}

impl HolderFile {
    /// Bytes of the file.
    pub const LENGTH: u8 = 55;
    /// Nobody's card.
    pub const NOBODY: HolderFile =
        HolderFile { card_type: 0, staff: 0, name: [0; 20], number: [0; 32], number_type: 0 };
    /// Kind of number: the school's own.
    pub const SCHOOL_NUMBER: u8 = 0x05;

    /// A holder known by a number of the school. `name` is GB 18030 already; what does not fit is cut between characters.
    /// `None` when the number has more than 32 bytes: a cut number would be another's.
    pub fn of_school(name: &[u8], number: &[u8], staff: bool) -> Option<HolderFile> {
        if number.len() > 32 {
            return None;
        }
        Some(HolderFile {
            card_type: 1,
            staff: u8::from(staff),
            name: filled(whole_characters(name, 20)),
            number: filled(number),
            number_type: HolderFile::SCHOOL_NUMBER,
        })
    }

    /// The 55 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(self.card_type).u8(self.staff).raw(&self.name).raw(&self.number).u8(self.number_type);
        out.done()
    }

    /// Reads exactly 55 bytes.
    pub fn decode(bytes: &[u8]) -> Result<HolderFile, CodecError> {
        let mut from = Reader::new(bytes);
        let file = HolderFile {
            card_type: from.u8()?,
            staff: from.u8()?,
            name: from.array()?,
            number: from.array()?,
            number_type: from.u8()?,
        };
        from.end()?;
        Ok(file)
    }
}

/// The longest beginning of at most `most` bytes that ends between two characters of GB 18030.
fn whole_characters(text: &[u8], most: usize) -> &[u8] {
    let mut length = 0_usize;
    while let Some(rest) = text.get(length..).filter(|rest| !rest.is_empty()) {
        let character = match rest {
            [0x81..=0xFE, 0x30..=0x39, ..] => 4,
            [0x81..=0xFE, ..] => 2,
            _ => 1,
        };
        match length.checked_add(character) {
            Some(next) if next <= most && next <= text.len() => length = next,
            _ => break,
        }
    }
    text.get(..length).unwrap_or(text)
}

fn filled<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_between_characters_and_a_number_never() {
        let table: [(&[u8], usize, &[u8]); 6] = [
            (b"Wang", 20, b"Wang"),
            (&[0xD5, 0xC5, 0xC8, 0xFD], 20, &[0xD5, 0xC5, 0xC8, 0xFD]),
            (&[0xD5, 0xC5, 0xC8, 0xFD], 3, &[0xD5, 0xC5]),
            (&[0x82, 0x30, 0x81, 0x30, 0x41], 4, &[0x82, 0x30, 0x81, 0x30]),
            (&[0x41, 0x82, 0x30, 0x81, 0x30], 4, &[0x41]),
            (&[0x41, 0xD5], 20, &[0x41]),
        ];
        for (text, most, expected) in table {
            assert_eq!(whole_characters(text, most), expected, "{text:02X?} {most}");
        }
        assert!(HolderFile::of_school(b"", &[b'1'; 32], true).is_some());
        assert_eq!(HolderFile::of_school(b"", &[b'1'; 33], true), None);
    }

    #[test]
    fn a_holder_is_read_as_it_was_written() {
        let holder = HolderFile::of_school(b"Li Lei", b"2026010001", false).unwrap();
        let bytes = holder.encode();
        assert_eq!(bytes.len(), usize::from(HolderFile::LENGTH));
        assert_eq!(HolderFile::decode(&bytes), Ok(holder));
        assert_eq!(&bytes[..8], b"\x01\x00Li Lei");
        assert!(HolderFile::decode(&bytes[1..]).is_err());
    }
}
