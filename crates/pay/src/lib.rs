//! Payment channels: what the flows ask of a provider, said in that provider's words over HTTP.
//!
//! Architecture invariant: this crate knows no database and no web framework, keeps between calls nothing but the
//! provider's keys and the official account's token, and decides nothing about money. It believes a provider only what
//! carries the provider's signature, or a hash that a signed answer announced, is fresh and is meant for us; everything
//! else is [`flows::ports::ChannelError::Unknown`] or a [`flows::ports::NoticeFault`].

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

pub mod wechat;
