//! The demo's terminals: the real terminal program with a software card reader, in this process.

use std::net::SocketAddr;
use std::path::Path;

use device::agent::display::Lamp;
use device::agent::words;
use device::channel::{Pull, PullAt, SoftReader};
use ledger::Fen;

use super::setup::{DemoTerminal, Folder};
use super::text::{Both, Lang, Texts};
use crate::Failure;
use crate::tls::Authority;

/// A way to pull a card in mid-command, as the page offers it.
pub struct PullChoice {
    /// Value in the form.
    pub name: &'static str,
    /// What the page calls it.
    pub text: fn(&Texts) -> &'static str,
    at: PullAt,
    place: card::tear::CutPlace,
}
