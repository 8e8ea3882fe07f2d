//! Keys and the block-cipher constructions of both profiles: 3DES, and SM4 with blocks of sixteen bytes.

use std::fmt;
use std::hint::black_box;

use des::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde2};
use sm4::Sm4;
use zeroize::Zeroize;

/// A secret of `N` bytes. `Debug` prints `***`, comparison takes the same time whatever differs, memory is wiped on drop.
#[derive(Clone)]
pub struct Key<const N: usize>([u8; N]);

/// A single DES key.
pub type Key8 = Key<8>;
/// A two-key 3DES key.
pub type Key16 = Key<16>;

/// The algorithm that a card names in its answers.
///
/// Source: JR/T 0025.1; observed on cards: 00 is 3DES, 04 is SM4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Two-key 3DES.
    TripleDes,
    /// SM4 (GB/T 32907).
    Sm4,
}

/// The card names an algorithm that this program does not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card names algorithm {0:#04x}, which is not supported")]
pub struct UnknownAlgorithm(pub u8);

impl Algorithm {
    /// The algorithm with this identifier. Errors: `UnknownAlgorithm`, so that a MAC of another algorithm is never
    /// computed with the wrong formula.
    pub const fn of(identifier: u8) -> Result<Algorithm, UnknownAlgorithm> {
        match identifier {
            0x00 => Ok(Algorithm::TripleDes),
            0x04 => Ok(Algorithm::Sm4),
            other => Err(UnknownAlgorithm(other)),
        }
    }

    /// The identifier that cards use.
    pub const fn identifier(self) -> u8 {
        match self {
            Algorithm::TripleDes => 0x00,
            Algorithm::Sm4 => 0x04,
        }
    }

    /// Bytes of a block.
    pub const fn block(self) -> usize {
        match self {
            Algorithm::TripleDes => 8,
            Algorithm::Sm4 => 16,
        }
    }

    /// The card's own key of a master key: [`Key16::diversify`], or `SM4(factor || NOT factor)`.
    pub fn diversify(self, master: &Key16, factor: [u8; 8]) -> Key16 {
        match self {
            Algorithm::TripleDes => master.diversify(factor),
            Algorithm::Sm4 => Key::new(master.sm4_encrypt(doubled(factor))),
        }
    }

    /// Padding method 2 to whole blocks; an aligned text grows by a block.
    pub fn pad(self, text: &[u8]) -> Vec<u8> {
        padded(text, self.block())
    }

    /// The MAC of secure messaging: [`mac16`], or the SM4 chain; the initial vector is the challenge and zeros.
    pub fn secure_mac(self, key: &Key16, challenge: [u8; 4], text: &[u8]) -> [u8; 4] {
        match self {
            Algorithm::TripleDes => mac16(key, challenge_block(challenge), text),
            Algorithm::Sm4 => mac_sm4(key, challenge_block(challenge), text),
        }
    }

    /// Encrypts whole blocks, each by itself; what is left after the last whole block is not taken.
    pub fn seal(self, key: &Key16, plain: &[u8]) -> Vec<u8> {
        match self {
            Algorithm::TripleDes => plain.as_chunks::<8>().0.iter().flat_map(|block| key.encrypt(*block)).collect(),
            Algorithm::Sm4 => plain.as_chunks::<16>().0.iter().flat_map(|block| key.sm4_encrypt(*block)).collect(),
        }
    }

    /// Undoes [`Algorithm::seal`]. `None` unless there are whole blocks alone.
    pub fn open(self, key: &Key16, sealed: &[u8]) -> Option<Vec<u8>> {
        match (self, sealed.as_chunks::<8>(), sealed.as_chunks::<16>()) {
            (Algorithm::TripleDes, (blocks, []), _) => {
                Some(blocks.iter().flat_map(|block| key.decrypt(*block)).collect())
            }
            (Algorithm::Sm4, _, (blocks, [])) => {
                Some(blocks.iter().flat_map(|block| key.sm4_decrypt(*block)).collect())
            }
            (Algorithm::TripleDes | Algorithm::Sm4, _, _) => None,
        }
    }
}

impl<const N: usize> Key<N> {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; N]) -> Key<N> {
        Key(bytes)
    }

    /// The bytes. Only for a key file, a card's image or a sealed export; the name can be searched for.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl Key8 {
    /// Single DES of one block.
    pub fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let mut block = block.into();
        Des::new(&self.0.into()).encrypt_block(&mut block);
        block.into()
    }

    fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let mut block = block.into();
        Des::new(&self.0.into()).decrypt_block(&mut block);
        block.into()
    }
}

impl Key16 {
    /// Two-key 3DES of one block: encrypt left, decrypt right, encrypt left. Parity bits do not matter.
    pub fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let mut block = block.into();
        TdesEde2::new(&self.0.into()).encrypt_block(&mut block);
        block.into()
    }

    fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let mut block = block.into();
        TdesEde2::new(&self.0.into()).decrypt_block(&mut block);
        block.into()
    }

    /// SM4 of one block.
    pub fn sm4_encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        Sm4::new(&self.0.into()).encrypt_block(&mut block);
        block.into()
    }

    fn sm4_decrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = block.into();
        Sm4::new(&self.0.into()).decrypt_block(&mut block);
        block.into()
    }

    /// The card's own key of a master key: `E(factor) || E(NOT factor)`.
    ///
    /// Shape: `factor` is the last eight bytes of the card's serial number, or an issuer's factor for the first of two
    /// levels. Source: JR/T 0025.2 key diversification.
    pub fn diversify(&self, factor: [u8; 8]) -> Key16 {
        Key::join(self.encrypt(factor), self.encrypt(factor.map(|byte| !byte)))
    }

    /// The single DES key that signs TACs: left half XOR right half.
    pub fn tac_key(&self) -> Key8 {
        let (left, right) = self.halves();
        Key(xor(left.0, right.0))
    }

    fn halves(&self) -> (Key8, Key8) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = self.0;
        (Key([a, b, c, d, e, f, g, h]), Key([i, j, k, l, m, n, o, p]))
    }

    fn join(left: [u8; 8], right: [u8; 8]) -> Key16 {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(left.iter().chain(&right)) {
            *to = *from;
        }
        Key(bytes)
    }
}

impl<const N: usize> Drop for Key<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Key<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(***)")
    }
}

impl<const N: usize> PartialEq for Key<N> {
    fn eq(&self, other: &Key<N>) -> bool {
        same_bytes(&self.0, &other.0)
    }
}

impl<const N: usize> Eq for Key<N> {}

/// Whether both are equal, in a time that depends on the lengths alone. MACs are compared with nothing else.
pub fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    let difference = left.iter().zip(right).fold(0, |seen, (a, b)| seen | (a ^ b));
    left.len() == right.len() && black_box(difference) == 0
}

/// Padding method 2 of ISO/IEC 9797-1: `80`, then zeros to a multiple of eight; an aligned text grows by a whole block.
pub fn pad8(text: &[u8]) -> Vec<u8> {
    padded(text, 8)
}

fn padded(text: &[u8], block: usize) -> Vec<u8> {
    let mut padded = text.to_vec();
    padded.push(0x80);
    let length = padded.len().next_multiple_of(block);
    padded.resize(length, 0);
    padded
}

/// Eight bytes, then their complement.
pub(crate) fn doubled(bytes: [u8; 8]) -> [u8; 16] {
    let mut both = [0; 16];
    for (to, from) in both.iter_mut().zip(bytes.iter().copied().chain(bytes.map(|byte| !byte))) {
        *to = from;
    }
    both
}

/// A challenge of four bytes, then zeros.
pub(crate) fn challenge_block<const N: usize>(challenge: [u8; 4]) -> [u8; N] {
    let mut block = [0; N];
    for (to, from) in block.iter_mut().zip(challenge) {
        *to = from;
    }
    block
}

/// Single-DES CBC over the padded text; the left four bytes of the last block.
///
/// Shape: `iv` is all zero for MAC1, MAC2 and TAC. Source: JR/T 0025.1; checked with the answers of real cards.
pub fn mac8(key: &Key8, iv: [u8; 8], text: &[u8]) -> [u8; 4] {
    left4(chain(key, iv, text))
}

/// Retail MAC (ISO/IEC 9797-1 algorithm 3, padding 2): the chain under the left half, its last block decrypted under the
/// right and encrypted under the left half; the left four bytes. Used for secure messaging.
pub fn mac16(key: &Key16, iv: [u8; 8], text: &[u8]) -> [u8; 4] {
    let (left, right) = key.halves();
    left4(left.encrypt(right.decrypt(chain(&left, iv, text))))
}

/// SM4 CBC over the text padded to blocks of sixteen; the left four bytes of the last block.
///
/// Shape: `iv` is all zero for MAC1, MAC2 and TAC. Source: the SM4 profile of JR/T 0025.
pub fn mac_sm4(key: &Key16, iv: [u8; 16], text: &[u8]) -> [u8; 4] {
    let padded = padded(text, 16);
    left4(padded.as_chunks::<16>().0.iter().fold(iv, |last, block| key.sm4_encrypt(xor(last, *block))))
}

fn chain(key: &Key8, iv: [u8; 8], text: &[u8]) -> [u8; 8] {
    let padded = pad8(text);
    let (blocks, _) = padded.as_chunks::<8>();
    blocks.iter().fold(iv, |last, block| key.encrypt(xor(last, *block)))
}

fn xor<const N: usize>(mut left: [u8; N], right: [u8; N]) -> [u8; N] {
    for (to, from) in left.iter_mut().zip(right) {
        *to ^= from;
    }
    left
}

fn left4<const N: usize>(block: [u8; N]) -> [u8; 4] {
    let mut left = [0; 4];
    for (to, from) in left.iter_mut().zip(block) {
        *to = from;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_always_grows_when_it_is_padded() {
        for (length, padded) in [(0, 8), (1, 8), (7, 8), (8, 16), (15, 16), (16, 24)] {
            let text = vec![0xAA; length];
            let result = pad8(&text);
            assert_eq!(result.len(), padded, "{length}");
            assert_eq!(result[length], 0x80);
            assert!(result[length + 1..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn sm4_gives_the_known_answer_of_the_standard() {
        let both = 0x0123456789ABCDEFFEDCBA9876543210_u128.to_be_bytes();
        let sealed = 0x681EDF34D206965E86B3E94F536E4246_u128.to_be_bytes();
        assert_eq!(Key::new(both).sm4_encrypt(both), sealed);
        assert_eq!(Key::new(both).sm4_decrypt(sealed), both);
    }

    #[test]
    fn what_is_sealed_opens_again_in_whole_blocks_only() {
        let key = Key16::new([7; 16]);
        for algorithm in [Algorithm::TripleDes, Algorithm::Sm4] {
            let plain: Vec<u8> = (0..32).collect();
            let sealed = algorithm.seal(&key, &plain);
            assert_ne!(sealed, plain);
            assert_eq!(algorithm.open(&key, &sealed), Some(plain));
            assert_eq!(algorithm.open(&key, &sealed[..31]), None);
            assert_eq!(algorithm.open(&key, &sealed[..algorithm.block() + 4]), None);
        }
    }

    #[test]
    fn a_key_never_shows_itself() {
        assert_eq!(format!("{:?}", Key::new([0x42; 16])), "Key(***)");
    }

    #[test]
    fn only_equal_bytes_of_equal_length_are_the_same() {
        assert!(same_bytes(b"", b""));
        assert!(same_bytes(b"abcd", b"abcd"));
        // The last: two differences that would cancel each other.
        let table: [(&[u8], &[u8]); 5] =
            [(b"abcd", b"abce"), (b"abcd", b"abc"), (b"", b"a"), (b"xbcd", b"abcd"), (b"abcd", b"bacd")];
        for (left, right) in table {
            assert!(!same_bytes(left, right));
        }
        assert!(Key::new([7; 16]) == Key::new([7; 16]) && Key::new([7; 16]) != Key::new([8; 16]));
    }

    #[test]
    fn an_algorithm_that_is_not_known_is_refused() {
        for algorithm in [Algorithm::TripleDes, Algorithm::Sm4] {
            assert_eq!(Algorithm::of(algorithm.identifier()), Ok(algorithm));
        }
        for identifier in (1..=255).filter(|identifier| *identifier != 4) {
            assert_eq!(Algorithm::of(identifier), Err(UnknownAlgorithm(identifier)));
        }
    }
}
