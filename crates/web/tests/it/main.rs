//! Tests of `web` from outside.

mod browser;
mod hand;
mod rig;

mod api;
mod colours;
mod entry;
mod guard;
mod notice;
mod pages;
mod refund;
mod texts;
mod top_up;
mod weight;
