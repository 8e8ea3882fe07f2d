//! WeChat Pay, API v3, JSAPI: orders, queries, closes, notices, and the payer's openid by OAuth2.
//!
//! - `config`: the settings and key files, read and checked at start-up;
//! - `sign`: signatures and decryption, pure;
//! - `wire`: the JSON as it travels;
//! - `trade`: what a transaction of the provider means to us, pure;
//! - `notice`: proving and opening a notice, pure;
//! - `channel`: HTTP, and what each answer means.

pub mod account;
pub mod bills;
mod call;
mod certificates;
mod channel;
mod config;
mod notice;
mod refund;
pub mod sign;
mod trade;
mod wire;

pub use certificates::CertificateFault;
pub use channel::WeChatPay;
pub use config::{ConfigFault, Merchant, PlatformKeyConfig, WeChatConfig};
pub use notice::RefusedNotices;
