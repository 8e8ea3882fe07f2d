//! Router, sessions, pages, JSON API, device gateway and problem+json.
//!
//! One handler, one flow: a handler unwraps what was asked, calls the flow, and turns its answer into a page or JSON.
//!
//! Architecture invariant: this crate holds no rule and no SQL, and names no payment provider's wire format. It never
//! reads the clock itself, and it shows nothing that is not committed.

pub mod gateway;
pub mod guide;

mod apart;
mod api;
mod assets;
mod card;
mod change_password;
mod config;
mod cookies;
mod display;
mod document;
mod doors;
mod events;
mod failure;
mod headers;
mod home;
mod icons;
mod messages;
mod notice;
mod order;
mod page;
mod pay;
mod problem;
mod proof;
mod records;
mod router;
mod security;
mod sign_in;
mod spending;
mod statements;
mod text;
mod tokens;
mod top_up;
mod visit;
mod wechat;

pub use api::openapi;
pub use config::{Authorize, Web, WebConfig};
pub use events::parcel_body;
pub use router::router;
pub use text::{Language, Yuan};
pub use visit::{Theme, language_of, theme_of};
