use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest frame, in bytes; a longer one is refused unread.
pub const FRAME_LIMIT: usize = 16 * 1024;

/// Why a frame is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Longer than [`FRAME_LIMIT`].
    #[error("frame longer than {FRAME_LIMIT} bytes")]
    TooLong,
    /// Not CBOR of the expected shape, or bytes after it.
    #[error("frame is not a message of this protocol")]
    Malformed,
}

/// A message as the bytes of a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameFault> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).map_err(|_| FrameFault::Malformed)?;
    if bytes.len() > FRAME_LIMIT { Err(FrameFault::TooLong) } else { Ok(bytes) }
}

/// Reads the bytes of a frame. Errors, in order: `TooLong`, `Malformed` (also when bytes remain).
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameFault> {
    if bytes.len() > FRAME_LIMIT {
        return Err(FrameFault::TooLong);
    }
    let mut rest = bytes;
    let message = ciborium::from_reader(&mut rest).map_err(|_| FrameFault::Malformed)?;
    if rest.is_empty() { Ok(message) } else { Err(FrameFault::Malformed) }
}
