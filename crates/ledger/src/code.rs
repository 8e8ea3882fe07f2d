/// Writes fixed-width, big-endian fields one after the other: the form in which rows are stored and hashed.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

/// Reads what [`Writer`] wrote, field by field.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

/// The bytes are not what the reader expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end within a field.
    #[error("stored row is cut short")]
    Short,
    /// A field has a value that no writer makes.
    #[error("stored row has an unknown value in a field")]
    Unknown,
    /// Bytes remain after the last field.
    #[error("stored row is longer than its fields")]
    Long,
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Writer {
        Writer::default()
    }
    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Writer {
        self.0.push(value);
        self
    }
    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }
    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }
    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }
    /// Eight bytes, two's complement.
    pub fn i64(&mut self, value: i64) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }
    /// Sixteen bytes.
    pub fn u128(&mut self, value: u128) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }
    /// One to ten bytes, the fewer the smaller: seven bits a byte, least significant first, the top bit says "more".
    pub fn count(&mut self, value: u64) -> &mut Writer {
        let mut rest = value;
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            if rest == 0 {
                return self.u8(low & 0x7F);
            }
            self.u8(low | 0x80);
        }
    }
    /// One to ten bytes, the fewer the nearer to 0: 0, -1, 1, -2, ... as counts.
    pub fn signed(&mut self, value: i64) -> &mut Writer {
        self.count(((value << 1) ^ (value >> 63)).cast_unsigned())
    }
    /// Bytes as they are, with no length.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }
    /// A length of four bytes, then the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes)
    }
    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// What was written so far.
    pub fn so_far(&self) -> &[u8] {
        &self.0
    }
    /// What was written.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }
    fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(CodecError::Short)?;
        self.0 = tail;
        Ok(head)
    }
    /// `N` bytes as they are.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.take(N)?.try_into().map_err(|_| CodecError::Short)
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(u8::from_be_bytes(self.array()?))
    }
    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    /// Eight bytes, two's complement.
    pub fn i64(&mut self) -> Result<i64, CodecError> {
        Ok(i64::from_be_bytes(self.array()?))
    }
    /// Sixteen bytes.
    pub fn u128(&mut self) -> Result<u128, CodecError> {
        Ok(u128::from_be_bytes(self.array()?))
    }
    /// What [`Writer::count`] wrote. Error: also a form longer than needed.
    pub fn count(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7F);
            let placed = part.checked_shl(shift).filter(|placed| placed.checked_shr(shift) == Some(part));
            value |= placed.ok_or(CodecError::Unknown)?;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(CodecError::Unknown) } else { Ok(value) };
            }
        }
        Err(CodecError::Unknown)
    }
    /// What [`Writer::signed`] wrote. Error: also a form longer than needed.
    pub fn signed(&mut self) -> Result<i64, CodecError> {
        let folded = self.count()?;
        Ok((folded >> 1).cast_signed() ^ (folded & 1).cast_signed().wrapping_neg())
    }
    /// `count` bytes as they are.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        self.take(count)
    }
    /// A length of four bytes, then that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let count = usize::try_from(self.u32()?).map_err(|_| CodecError::Short)?;
        self.take(count)
    }
    /// Nothing may remain.
    pub fn end(&self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Long) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_and_no_other_bytes_mean_them() {
        let table: [(u64, &[u8]); 6] = [
            (0, &[0]),
            (127, &[0x7F]),
            (128, &[0x80, 1]),
            (300, &[0xAC, 2]),
            (1 << 63, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]),
            (u64::MAX, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ];
        for (value, bytes) in table {
            let mut out = Writer::new();
            out.count(value);
            assert_eq!(out.so_far(), bytes, "{value}");
            assert_eq!(out.len(), bytes.len());
            assert_eq!(Reader::new(bytes).count(), Ok(value));
        }
        let bad: [&[u8]; 4] = [
            &[0x80, 0],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x81, 1],
            &[0x81, 0x80, 0],
        ];
        for bytes in bad {
            assert_eq!(Reader::new(bytes).count(), Err(CodecError::Unknown), "{bytes:?}");
        }
        assert_eq!(Reader::new(&[0x80]).count(), Err(CodecError::Short));
    }

    #[test]
    fn signed_numbers_survive_and_small_ones_are_short() {
        for (value, length) in [(0, 1), (-1, 1), (63, 1), (-64, 1), (64, 2), (i64::MAX, 10), (i64::MIN, 10)] {
            let mut out = Writer::new();
            out.signed(value);
            assert!(!out.is_empty());
            assert_eq!(out.len(), length, "{value}");
            assert_eq!(Reader::new(out.so_far()).signed(), Ok(value));
        }
    }
}
