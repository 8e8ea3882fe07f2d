//! The electronic purse of a campus card (JR/T 0025, 3DES and SM4 profiles): what terminal, card, purchase module and host say to
//! each other, and the cryptography under it.
//!
//! | side | module | in, out |
//! |---|---|---|
//! | terminal | [`terminal`] | builds commands, reads answers; no state |
//! | card | [`chip`], [`tear`] | a software card that answers APDUs; a hand that pulls it away |
//! | card | [`profile`], [`filesystem`], [`keystore`], [`holder`] | how cards differ; their files and keys |
//! | reader | [`contact`] | what a T=0 reader does besides |
//! | card office | [`office`] | makes a card of a blank one, blocks and unblocks it, sets PINs |
//! | purchase module | [`psam`] | the trait of a PSAM, and one in software |
//! | host | [`host`] | master keys, proofs and releases |
//! | all | [`apdu`], [`status`], [`files`], [`session`], [`crypto`], [`secure`] | the shared vocabulary |
//!
//! Architecture invariant: this crate knows nothing of people's accounts, HTTP or readers. It does no input or output,
//! reads no clock and draws no random number: chance is handed in. Balances and amounts on the wire are `u32` fen, as the
//! card counts them; [`session::purse_amount`] and [`session::fen`] are the only ways from and to [`ledger::Fen`].

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

pub mod apdu;
pub mod chip;
pub mod contact;
pub mod crypto;
pub mod files;
pub mod filesystem;
pub mod holder;
pub mod host;
mod image;
pub mod keystore;
mod memory;
pub mod office;
pub mod profile;
pub mod psam;
pub mod secure;
pub mod session;
pub mod status;
pub mod tear;
pub mod terminal;
