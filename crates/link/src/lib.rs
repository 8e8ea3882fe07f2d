//! Messages between terminals and the platform, and their CBOR form.
//!
//! One WebSocket over mutual TLS 1.3 per terminal, opened by the terminal, binary frames, one message a frame. What must
//! not be lost is a [`Record`]: the terminal writes it to its journal before it is sent, numbers it, and keeps it until
//! the platform acknowledged it. Everything else may be lost and asked again.
//!
//! Architecture invariant: this crate knows no socket, no rule and no card algorithm; its types are plain wire types.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod codec;
mod message;

pub use codec::{FRAME_LIMIT, FrameFault, decode, encode};
pub use message::{
    Answer, DebitEvidence, LoadInit, Marked, Proof, PurseSale, Record, Stage, Stamp, ToPlatform, ToTerminal, VERSION,
    Words,
};
