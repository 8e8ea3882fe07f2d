//! Secure messaging: commands that a card obeys only under a MAC, and external authentication. Both sides are here: what the
//! office sends and what the card checks.

use crate::crypto::{Algorithm, Key8, Key16, challenge_block, mac_sm4, mac8, same_bytes};

/// CLA, INS, P1 and P2 of a command; CLA already says that secure messaging is used (its low nibble is 4).
pub type Header = [u8; 4];

/// The data does not fit in one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many bytes for one card command")]
pub struct TooLong;

/// The body of a protected command, as the card got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Header of the command; the MAC covers it.
    pub header: Header,
    /// In clear, or encrypted.
    pub data: Vec<u8>,
    /// The sender's MAC.
    pub mac: [u8; 4],
}

impl Protected {
    /// Takes the MAC off the end of a body; `None` for a body of fewer than four bytes.
    pub fn of(header: Header, body: &[u8]) -> Option<Protected> {
        let (data, mac) = body.split_last_chunk::<4>()?;
        Some(Protected { header, data: data.to_vec(), mac: *mac })
    }

    /// The command as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut command = self.covered();
        command.extend_from_slice(&self.mac);
        command
    }

    /// Whether the MAC is that of `key` under the challenge.
    pub fn proves(&self, algorithm: Algorithm, key: &Key16, challenge: [u8; 4]) -> bool {
        same_bytes(&algorithm.secure_mac(key, challenge, &self.covered()), &self.mac)
    }

    /// The data of an encrypted body: what the length byte names, with nothing but padding behind it. `None` for any other
    /// plain text.
    pub fn opened(&self, algorithm: Algorithm, key: &Key16) -> Option<Vec<u8>> {
        let plain = algorithm.open(key, &self.data)?;
        let (length, rest) = plain.split_first()?;
        let data = rest.get(..usize::from(*length))?;
        (sealed_text(algorithm, data).ok()? == plain).then(|| data.to_vec())
    }

    /// What the MAC covers; the length counts the MAC.
    fn covered(&self) -> Vec<u8> {
        let length = self.data.len().saturating_add(4);
        let mut text = self.header.to_vec();
        text.push(u8::try_from(length).unwrap_or(u8::MAX));
        text.extend_from_slice(&self.data);
        text
    }
}

/// A command under line protection: data in clear, then the MAC. Under 3DES.
///
/// Shape: `challenge` is what GET CHALLENGE just answered; at most 251 data bytes.
/// Errors: `TooLong`. Repeats: the card takes the same command only under the same challenge, so at most once.
pub fn protect(key: &Key16, challenge: [u8; 4], header: Header, data: &[u8]) -> Result<Vec<u8>, TooLong> {
    protect_under(Algorithm::TripleDes, key, challenge, header, data)
}

/// A command under line encryption and protection: `length || data`, padded unless aligned, encrypted, then the MAC over
/// header and cipher text. Under 3DES.
///
/// Shape and errors as [`protect`].
pub fn protect_sealed(key: &Key16, challenge: [u8; 4], header: Header, data: &[u8]) -> Result<Vec<u8>, TooLong> {
    protect_sealed_under(Algorithm::TripleDes, key, challenge, header, data)
}

/// [`protect`] under an algorithm.
pub fn protect_under(
    algorithm: Algorithm,
    key: &Key16,
    challenge: [u8; 4],
    header: Header,
    data: &[u8],
) -> Result<Vec<u8>, TooLong> {
    if data.len() > MOST_DATA {
        return Err(TooLong);
    }
    let mut command = Protected { header, data: data.to_vec(), mac: [0; 4] };
    command.mac = algorithm.secure_mac(key, challenge, &command.covered());
    Ok(command.encode())
}

/// [`protect_sealed`] under an algorithm.
pub fn protect_sealed_under(
    algorithm: Algorithm,
    key: &Key16,
    challenge: [u8; 4],
    header: Header,
    data: &[u8],
) -> Result<Vec<u8>, TooLong> {
    let sealed = algorithm.seal(key, &sealed_text(algorithm, data)?);
    protect_under(algorithm, key, challenge, header, &sealed)
}

/// Bytes that fit beside a MAC in a short command.
const MOST_DATA: usize = 251;

/// `length || data`, padded unless aligned.
fn sealed_text(algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, TooLong> {
    let mut plain = vec![u8::try_from(data.len()).map_err(|_| TooLong)?];
    plain.extend_from_slice(data);
    Ok(if plain.len().is_multiple_of(algorithm.block()) { plain } else { algorithm.pad(&plain) })
}

/// The answer to a challenge that EXTERNAL AUTHENTICATE carries, for a 16-byte key under 3DES.
pub fn authentication(key: &Key16, challenge: [u8; 4]) -> [u8; 8] {
    key.encrypt(challenge_block(challenge))
}

/// The same for an 8-byte key.
pub fn authentication_with_single_key(key: &Key8, challenge: [u8; 4]) -> [u8; 8] {
    key.encrypt(challenge_block(challenge))
}

/// The answer to a challenge of four or eight bytes: one block, the challenge and zeros, encrypted.
pub fn authentication_under(algorithm: Algorithm, key: &Key16, challenge: &[u8]) -> Vec<u8> {
    let mut block = challenge.to_vec();
    block.resize(algorithm.block(), 0);
    algorithm.seal(key, &block)
}

/// The MAC of RELOAD PIN: the chain over the PIN under the folded key, or under SM4 as it is.
pub fn reload_mac(algorithm: Algorithm, key: &Key16, digits: &[u8]) -> [u8; 4] {
    match algorithm {
        Algorithm::TripleDes => mac8(&key.tac_key(), [0; 8], digits),
        Algorithm::Sm4 => mac_sm4(key, [0; 16], digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reloaded_pin_is_signed_under_the_folded_key_or_under_sm4_as_it_is() {
        let key = Key16::new(*b"reload-pin-key-0");
        let pin = [0x12, 0x34, 0x56];
        let triple_des = reload_mac(Algorithm::TripleDes, &key, &pin);
        assert_eq!(triple_des, mac8(&key.tac_key(), [0; 8], &pin));
        let sm4 = reload_mac(Algorithm::Sm4, &key, &pin);
        assert_eq!(sm4, mac_sm4(&key, [0; 16], &pin));
        assert!(triple_des != sm4 && reload_mac(Algorithm::Sm4, &key, &[0x12, 0x34]) != sm4);
    }

    #[test]
    fn data_that_does_not_fit_is_refused() {
        let key = Key16::new([7; 16]);
        assert!(protect(&key, [0; 4], [0x04, 0xD6, 0x95, 0], &[0; 251]).is_ok());
        assert_eq!(protect(&key, [0; 4], [0x04, 0xD6, 0x95, 0], &[0; 252]), Err(TooLong));
        assert_eq!(protect_sealed(&key, [0; 4], [0x04, 0xD6, 0x95, 0], &[0; 256]), Err(TooLong));
    }
}
