//! One number that two runs share only if they did the same.

/// A running hash of what happened (FNV-1a over 128 bits): not secret, only sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(u128);

const BASIS: u128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;

impl Digest {
    pub(crate) const fn new() -> Digest {
        Digest(BASIS)
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ u128::from(number)).wrapping_mul(PRIME);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.number(u64::from_le_bytes(word));
        }
    }

    pub(crate) const fn value(self) -> u128 {
        self.0
    }
}
