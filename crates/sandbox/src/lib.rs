//! The providers' side of the payment protocols, to try and to test.
//!
//! A [`Sandbox`] stands where WeChat Pay and the official account stand: it checks every request as strictly as the
//! platform does, signs every answer, lets a person pay or cancel on a cashier page, gives money back, sends notices on
//! the real retry schedule, makes bills, and goes wrong in every way that [`switch_list`] names. No real money moves.
//!
//! Architecture invariant: this crate was written from the protocol alone and knows nothing of our flows, our store or
//! our adapter (`pay`), so that an error in one end is not repeated in the other.

mod asked;
mod beijing;
mod clock;
mod config;
mod control;
mod deliver;
mod keys;
mod notice;
mod page;
mod random;
mod records;
mod redirect;
mod sandbox;
mod stored;
mod switch_words;
mod switches;
mod text;
mod traffic;
mod wechat;

pub use clock::{Clock, SystemClock};
pub use config::{
    Config, ConfigError, PlatformCertificate, PlatformCertificateConfig, Setup, Tour, WechatConfig, WechatSetup,
};
pub use keys::{Choice, KeyError, KeySet, MerchantSide, generate};
pub use sandbox::{Sandbox, StartError};
pub use switches::switch_list;
pub use wechat::WechatKeysError;
