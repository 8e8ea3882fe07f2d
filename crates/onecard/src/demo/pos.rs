//! The demo's terminals: the real terminal program with a software card reader, in this process.

use std::net::SocketAddr;
use std::path::Path;

use card::tear::CutPlace;
use device::agent::display::Lamp;
use device::agent::words;
use device::channel::{Pull, PullAt};
use device::uplink::{PosHandle, PutFault, Server};
use ledger::Fen;

use super::setup::DemoTerminal;
use super::text::{Both, Lang, Texts};
use crate::{Failure, card_reader, terminal};

/// A way to pull a card in mid-command, as the page offers it.
pub struct PullChoice {
    /// Value in the form.
    pub name: &'static str,
    /// What the page calls it.
    pub text: fn(&Texts) -> &'static str,
    pull: Pull,
}

const fn choice(name: &'static str, text: fn(&Texts) -> &'static str, at: PullAt, place: CutPlace) -> PullChoice {
    PullChoice { name, text, pull: Pull::During(at, place) }
}

/// Every way the page offers.
pub const PULLS: [PullChoice; 6] = [
    choice("credit-before", Texts::at_credit_before, PullAt::Credit, CutPlace::BeforeReceive),
    choice("credit-applied", Texts::at_credit_applied, PullAt::Credit, CutPlace::BeforeAnswer),
    choice("credit-cut", Texts::at_credit_cut, PullAt::Credit, CutPlace::InAnswer(1)),
    choice("debit-before", Texts::at_debit_before, PullAt::Debit, CutPlace::BeforeReceive),
    choice("debit-applied", Texts::at_debit_applied, PullAt::Debit, CutPlace::BeforeAnswer),
    choice("next", Texts::at_next, PullAt::Next, CutPlace::BeforeApply),
];

/// A running terminal of the demo, and the hand at it.
pub struct Counter {
    /// Where it stands.
    pub place: Both,
    handle: PosHandle,
}

/// Starts the terminals; they connect to `gateway` by themselves.
pub fn start(terminals: Vec<DemoTerminal>, gateway: SocketAddr) -> Result<Vec<Counter>, Failure> {
    terminals
        .into_iter()
        .map(|each| {
            let server = Server { host: gateway.ip().to_string(), port: gateway.port() };
            let (handle, life) = terminal::ready(&each.folder, server, card_reader::soft())?;
            tokio::spawn(life);
            Ok(Counter { place: each.place, handle })
        })
        .collect()
}

impl Counter {
    /// Lines of the display, the lamp, and the number of the card on the reader.
    pub fn shows(&self, lang: Lang) -> (Vec<String>, Lamp, Option<String>) {
        let screen = self.handle.screen();
        let text = words::display(&screen);
        let text = if lang.is_chinese() { text.zh } else { text.en };
        let card = self.handle.card().and_then(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        (text.lines().map(str::to_owned).collect(), screen.lamp(), card)
    }

    /// The clerk enters an amount.
    pub fn enter_sale(&self, amount: Fen) {
        self.handle.enter_sale(amount);
    }

    /// The clerk calls the sale off.
    pub fn cancel(&self) {
        self.handle.cancel();
    }

    /// Lays the card of a file on the reader, to be pulled away as `pull_at` says; a card that lies there goes first.
    pub fn hold(&self, card: &Path, pull_at: &str) -> Result<(), PutFault> {
        self.handle.pull_card(Pull::Now);
        self.handle.put_card(card)?;
        if let Some(choice) = PULLS.iter().find(|choice| choice.name == pull_at) {
            self.handle.pull_card(choice.pull);
        }
        Ok(())
    }

    /// Pulls the card away now.
    pub fn pull_now(&self) {
        self.handle.pull_card(Pull::Now);
    }
}
