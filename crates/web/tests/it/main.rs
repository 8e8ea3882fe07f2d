//! Tests of `web` from outside.

mod browser;
mod hand;
mod rig;

// The list of attacks, and a merchant with the keys to make them: those that the adapter's own tests use.
#[path = "../../../pay/tests/it/attacks.rs"]
mod attacks;
#[expect(dead_code, reason = "notices need a part of it")]
#[path = "../../../pay/tests/it/desk.rs"]
mod desk;

mod api;
mod card;
mod colours;
mod contract;
mod entry;
mod events;
mod forged;
mod guard;
mod guide;
mod hostile;
mod messages;
mod notice;
mod old_engines;
mod pages;
mod policy;
mod refund;
mod security;
mod spray;
mod statements;
mod texts;
mod tokens;
mod top_up;
mod twins;
mod unsafe_routes;
mod weight;
