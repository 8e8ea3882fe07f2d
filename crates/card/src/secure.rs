//! Secure messaging: commands that a card obeys only under a MAC, and external authentication.

use crate::crypto::{Key8, Key16, mac16, pad8};

/// CLA, INS, P1 and P2 of a command; CLA already says that secure messaging is used (its low nibble is 4).
pub type Header = [u8; 4];

/// The data does not fit in one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many bytes for one card command")]
pub struct TooLong;

/// A command under line protection: data in clear, then the MAC.
///
/// Shape: `challenge` is what GET CHALLENGE just answered; at most 251 data bytes.
/// Errors: `TooLong`. Repeats: the card takes the same command only under the same challenge, so at most once.
pub fn protect(key: &Key16, challenge: [u8; 4], header: Header, data: &[u8]) -> Result<Vec<u8>, TooLong> {
    let length = data.len().checked_add(4).and_then(|count| u8::try_from(count).ok()).ok_or(TooLong)?;
    let mut command = header.to_vec();
    command.push(length);
    command.extend_from_slice(data);
    let mac = mac16(key, initial_vector(challenge), &command);
    command.extend_from_slice(&mac);
    Ok(command)
}

/// A command under line encryption and protection: `length || data`, padded unless aligned, encrypted, then the MAC over
/// header and cipher text.
///
/// Shape and errors as [`protect`].
pub fn protect_sealed(key: &Key16, challenge: [u8; 4], header: Header, data: &[u8]) -> Result<Vec<u8>, TooLong> {
    let mut plain = vec![u8::try_from(data.len()).map_err(|_| TooLong)?];
    plain.extend_from_slice(data);
    if !plain.len().is_multiple_of(8) {
        plain = pad8(&plain);
    }
    let (blocks, _) = plain.as_chunks::<8>();
    let sealed: Vec<u8> = blocks.iter().flat_map(|block| key.encrypt(*block)).collect();
    protect(key, challenge, header, &sealed)
}

/// The answer to a challenge that EXTERNAL AUTHENTICATE carries, for a 16-byte key.
pub fn authentication(key: &Key16, challenge: [u8; 4]) -> [u8; 8] {
    key.encrypt(initial_vector(challenge))
}

/// The same for an 8-byte key.
pub fn authentication_with_single_key(key: &Key8, challenge: [u8; 4]) -> [u8; 8] {
    key.encrypt(initial_vector(challenge))
}

const fn initial_vector(challenge: [u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = challenge;
    [a, b, c, d, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_does_not_fit_is_refused() {
        let key = Key16::new([7; 16]);
        assert!(protect(&key, [0; 4], [0x04, 0xD6, 0x95, 0], &[0; 251]).is_ok());
        assert_eq!(protect(&key, [0; 4], [0x04, 0xD6, 0x95, 0], &[0; 252]), Err(TooLong));
        assert_eq!(protect_sealed(&key, [0; 4], [0x04, 0xD6, 0x95, 0], &[0; 256]), Err(TooLong));
    }
}
