//! The official account's callback: proof that a call comes from WeChat, and its encrypted messages. Pure.
//!
//! - `GET ?signature&timestamp&nonce&echostr`: [`proves_address`], then answer `echostr`.
//! - `POST ?timestamp&nonce&msg_signature&encrypt_type=aes` with XML: [`encrypted_part`], then [`CallbackCipher::open`];
//!   answer within 5 s with nothing, `success`, or [`CallbackCipher::seal`].
//!
//! A signature does not say when it was made for whom: whoever acts on a message must know it again by its `MsgId`.

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

/// Messages have at most some kB.
const LONGEST_MESSAGE: usize = 256 * 1024;

/// Padding fills up to a multiple of this, although the cipher's blocks are half as long.
const PADDED_TO: usize = 32;

/// Why a callback is not believed; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// No encrypted part where one must be, more than one, or too long.
    #[error("not an encrypted message of the expected form")]
    Malformed,
    /// Not signed with our token.
    #[error("wrong signature")]
    WrongSignature,
    /// It does not open under our key.
    #[error("the message cannot be decrypted")]
    Sealed,
    /// Meant for another account.
    #[error("the message is for another account")]
    Foreign,
}

/// Whether a plain call carries the signature of our `token`. Compares in constant time.
pub fn proves_address(token: &str, timestamp: &str, nonce: &str, signature: &str) -> bool {
    same(&signature_of([token, timestamp, nonce]), signature)
}

fn signature_of<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn same(expected: &str, got: &str) -> bool {
    verify_slices_are_equal(expected.as_bytes(), got.as_bytes()).is_ok()
}

/// The Base64 within `<Encrypt>`, with or without CDATA around it.
///
/// No other part of the XML is read, and XML with a document type is not read at all. Error: `Malformed`.
pub fn encrypted_part(xml: &[u8]) -> Result<&str, CallbackFault> {
    let text = std::str::from_utf8(xml).map_err(|_| CallbackFault::Malformed)?;
    if text.len() > LONGEST_MESSAGE || text.contains("<!DOCTYPE") || text.contains("<!ENTITY") {
        return Err(CallbackFault::Malformed);
    }
    let mut parts = text.split("<Encrypt>");
    let (Some(_), Some(after), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(CallbackFault::Malformed);
    };
    let (inside, _) = after.split_once("</Encrypt>").ok_or(CallbackFault::Malformed)?;
    let inside = match inside.trim().strip_prefix("<![CDATA[") {
        Some(rest) => rest.strip_suffix("]]>").ok_or(CallbackFault::Malformed)?,
        None => inside.trim(),
    };
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if inside.is_empty() || !inside.bytes().all(base64) {
        return Err(CallbackFault::Malformed);
    }
    Ok(inside)
}

/// The account's token and message key.
pub struct CallbackCipher {
    token: Zeroizing<String>,
    key: Zeroizing<[u8; 32]>,
    appid: String,
}

/// An encrypted reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedReply {
    /// Base64.
    pub encrypt: String,
    /// Its signature.
    pub msg_signature: String,
    /// Seconds since 1970, as signed.
    pub timestamp: String,
    /// Nonce, as signed.
    pub nonce: String,
}

impl SealedReply {
    /// The body of the answer.
    pub fn xml(&self) -> String {
        let SealedReply { encrypt, msg_signature, timestamp, nonce } = self;
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{msg_signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }
}

impl CallbackCipher {
    /// The cipher of an account. Shape: `encoding_aes_key` are the 43 characters of the account's page; `None` when they
    /// are not 43 letters and digits.
    pub fn new(token: &str, encoding_aes_key: &str, appid: &str) -> Option<CallbackCipher> {
        let good = encoding_aes_key.len() == 43 && encoding_aes_key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !good {
            return None;
        }
        // 43 characters are 258 bits: the last two are left over and need not be zero.
        let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
        let decoded = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(format!("{encoding_aes_key}=")).ok()?;
        let key: [u8; 32] = Zeroizing::new(decoded).as_slice().try_into().ok()?;
        Some(CallbackCipher {
            token: Zeroizing::new(token.to_owned()),
            key: Zeroizing::new(key),
            appid: appid.to_owned(),
        })
    }

    /// The XML within an encrypted message.
    ///
    /// Shape: `encrypt` as [`encrypted_part`] gives it; the other three from the query.
    /// Errors, the first that applies: `Malformed`, `WrongSignature`, `Sealed`, `Foreign`.
    pub fn open(
        &self,
        timestamp: &str,
        nonce: &str,
        msg_signature: &str,
        encrypt: &str,
    ) -> Result<String, CallbackFault> {
        if encrypt.is_empty() || encrypt.len() > LONGEST_MESSAGE {
            return Err(CallbackFault::Malformed);
        }
        if !same(&signature_of([&self.token, timestamp, nonce, encrypt]), msg_signature) {
            return Err(CallbackFault::WrongSignature);
        }
        let mut sealed = STANDARD.decode(encrypt).map_err(|_| CallbackFault::Sealed)?;
        let key = UnboundCipherKey::new(&AES_256, self.key.as_slice()).and_then(DecryptingKey::cbc);
        let key = key.map_err(|_| CallbackFault::Sealed)?;
        let context = DecryptionContext::Iv128(FixedLength::from(self.iv()));
        let clear = key.decrypt(&mut sealed, context).map_err(|_| CallbackFault::Sealed)?;
        let clear = unpadded(clear).ok_or(CallbackFault::Sealed)?;
        let (xml, appid) = parts(clear).ok_or(CallbackFault::Sealed)?;
        if appid != self.appid.as_bytes() {
            return Err(CallbackFault::Foreign);
        }
        String::from_utf8(xml.to_vec()).map_err(|_| CallbackFault::Sealed)
    }

    /// `reply` encrypted and signed. Shape: `random` is unguessable and fresh; `timestamp` in seconds since 1970.
    /// `None` when it is too long.
    pub fn seal(&self, reply: &str, timestamp: &str, nonce: &str, random: [u8; 16]) -> Option<SealedReply> {
        if reply.len() > LONGEST_MESSAGE {
            return None;
        }
        let length = u32::try_from(reply.len()).ok()?.to_be_bytes();
        let mut clear = [&random[..], &length, reply.as_bytes(), self.appid.as_bytes()].concat();
        let missing = PADDED_TO.checked_sub(clear.len().checked_rem(PADDED_TO)?)?;
        let filler = u8::try_from(missing).ok()?;
        clear.extend(std::iter::repeat_n(filler, missing));
        let key = UnboundCipherKey::new(&AES_256, self.key.as_slice()).and_then(EncryptingKey::cbc).ok()?;
        key.less_safe_encrypt(&mut clear, EncryptionContext::Iv128(FixedLength::from(self.iv()))).ok()?;
        let encrypt = STANDARD.encode(clear);
        let msg_signature = signature_of([&self.token, timestamp, nonce, &encrypt]);
        Some(SealedReply { encrypt, msg_signature, timestamp: timestamp.to_owned(), nonce: nonce.to_owned() })
    }

    /// The protocol's own choice: the first half of the key.
    fn iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        for (to, from) in iv.iter_mut().zip(self.key.iter()) {
            *to = *from;
        }
        iv
    }
}

/// Without its padding: 1 to 32 bytes of the same value, which is their number.
fn unpadded(clear: &[u8]) -> Option<&[u8]> {
    let filler = *clear.last()?;
    let count = usize::from(filler);
    if !(1..=PADDED_TO).contains(&count) {
        return None;
    }
    let (data, padding) = clear.split_at_checked(clear.len().checked_sub(count)?)?;
    padding.iter().all(|byte| *byte == filler).then_some(data)
}

/// The message and the appid: behind 16 random bytes and the message's length.
fn parts(clear: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = clear.split_at_checked(16)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
