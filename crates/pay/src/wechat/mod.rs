//! WeChat Pay, API v3 (JSAPI, H5, Native), and the official account beside it.
//!
//! - `config`: the settings and key files, read and checked at start-up;
//! - `sign`: signatures and decryption, and the keys that prove the provider, pure;
//! - `certificates`: platform certificates, downloaded, proved and kept;
//! - `wire`: the JSON as it travels;
//! - `call`: one signed request, and whether its answer is proved and sure;
//! - `trade`: what a transaction of the provider means to us, pure;
//! - `channel`: orders, and what each answer means;
//! - `refund`: refunds, and what each answer means;
//! - `notice`: proving and opening a notice, pure;
//! - `bills`: the provider's bills of a day, read while they come;
//! - `account`: the official account: token, menu, messages, callback.

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
