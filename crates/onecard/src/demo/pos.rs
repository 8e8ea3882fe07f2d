//! The demo's terminals: the real terminal program with a software card reader, in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use card::tear::CutPlace;
use device::agent::display::Lamp;
use device::agent::pos::Key;
use device::agent::sound::Sound;
use device::agent::words::{self, Text};
use device::channel::{CardFileFault, Pull, PullAt};
use device::uplink::{Event, PosHandle, PutFault, Server};
use ledger::Fen;
use rules::ids::CardNo;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::timeout;

use super::setup::DemoTerminal;
use super::text::{Both, Lang, Texts};
use crate::{Failure, card_reader, terminal};

/// A terminal sees within this time that a card left, hears the same card again, and sounds when it is done with one.
const SIGHT: Duration = Duration::from_secs(10);

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
    heard: watch::Receiver<Heard>,
}

/// The newest sound, and which one since the start it is.
#[derive(Clone, Copy, Default)]
pub struct Heard {
    /// Counted from 1; 0 when nothing was heard yet.
    pub number: u64,
    /// Which.
    pub sound: Option<Sound>,
}

/// What is to be seen and heard of a terminal at one moment, in one language.
pub struct Shows {
    /// Lines of the display.
    pub lines: Vec<String>,
    /// Its lamp.
    pub lamp: Lamp,
    /// The newest sound.
    pub heard: Heard,
    /// Number of the card on the reader.
    pub card: Option<String>,
    /// The day's total, and the last sale if there was one.
    pub takings: Vec<String>,
}

/// Starts the terminals; they connect to `gateway` by themselves.
pub fn start(terminals: Vec<DemoTerminal>, gateway: SocketAddr) -> Result<Vec<Counter>, Failure> {
    terminals
        .into_iter()
        .map(|each| {
            let server = Server { host: gateway.ip().to_string(), port: gateway.port() };
            let (handle, life) = terminal::ready(&each.folder, server, card_reader::soft())?;
            let heard = listen(&handle);
            tokio::spawn(life);
            Ok(Counter { place: each.place, handle, heard })
        })
        .collect()
}

/// Follows the display and counts what sounds, for as long as the terminal lives.
fn listen(handle: &PosHandle) -> watch::Receiver<Heard> {
    let mut events = handle.events();
    let (told, heard) = watch::channel(Heard::default());
    tokio::spawn(async move {
        let mut before = None;
        loop {
            match events.recv().await {
                Ok(event) => {
                    let Event::Shown(screen) = event.event else { continue };
                    if let Some(sound) = Sound::at(before.as_ref(), &screen) {
                        told.send_modify(|heard| *heard = Heard { number: heard.number + 1, sound: Some(sound) });
                    }
                    before = Some(screen);
                }
                Err(RecvError::Lagged(_)) => before = None,
                Err(RecvError::Closed) => break,
            }
        }
    });
    heard
}

/// The key of a button on the page.
pub fn key(name: &str) -> Option<Key> {
    Some(match name {
        "." => Key::Point,
        "back" => Key::Back,
        "cancel" => Key::Cancel,
        "enter" => Key::Enter,
        "repeat" => Key::Repeat,
        digit => Key::Digit(digit.parse().ok().filter(|digit| *digit < 10)?),
    })
}

/// Why the hand could not lay a card on a reader.
#[derive(Debug, thiserror::Error)]
pub enum HoldFault {
    /// The terminal did not see in time that its reader is empty.
    #[error("the terminal did not see its card leave")]
    Blind,
    /// The card cannot be put there.
    #[error(transparent)]
    Put(#[from] PutFault),
}

impl HoldFault {
    /// What the page says of it; names no file.
    pub fn says(&self, t: &Texts) -> &'static str {
        match self {
            HoldFault::Blind => t.hold_blind(),
            HoldFault::Put(PutFault::Card(CardFileFault::Elsewhere(_))) => t.hold_elsewhere(),
            HoldFault::Put(PutFault::Card(CardFileFault::Occupied)) => t.hold_occupied(),
            HoldFault::Put(PutFault::NotSoft | PutFault::Card(_)) => t.hold_unreadable(),
        }
    }
}

/// The one hand of the demo lays the card of a file on the reader of `to`, to be pulled away as `pull_at` says. It lifts the
/// card from wherever it lies, and what lies on this reader; and it lays the card down only when the terminal takes it for a
/// new wish of its holder: up to 2 s later if the card had its turn there just now.
///
/// Errors, in order: `Blind`, `Put`.
pub async fn hold(all: &[Counter], to: &Counter, (no, file): (CardNo, &Path), pull_at: &str) -> Result<(), HoldFault> {
    for counter in all.iter().filter(|counter| counter.handle.card().is_some_and(|there| there == file)) {
        counter.pull_now();
    }
    to.pull_now();
    timeout(SIGHT, to.handle.heeds(no.0)).await.map_err(|_| HoldFault::Blind)?;
    if let Some(choice) = PULLS.iter().find(|choice| choice.name == pull_at) {
        to.handle.pull_card(choice.pull);
    }
    Ok(to.handle.put_card(file)?)
}

impl Counter {
    /// What is to be seen and heard now.
    pub fn shows(&self, lang: Lang) -> Shows {
        let pick = |text: Text| if lang.is_chinese() { text.zh } else { text.en };
        let screen = self.handle.screen();
        let (total, last) = self.handle.takings();
        let last = last.as_ref().map(words::last_sale);
        Shows {
            lines: pick(words::display(&screen)).lines().map(str::to_owned).collect(),
            lamp: screen.lamp(),
            heard: *self.heard.borrow(),
            card: self.handle.card().and_then(|path| Some(path.file_stem()?.to_str()?.to_owned())),
            takings: [words::day_total(&total)].into_iter().chain(last).map(pick).collect(),
        }
    }

    /// The clerk presses a key.
    pub fn press(&self, key: Key) {
        self.handle.press(key);
    }

    /// The clerk enters an amount.
    pub fn enter_sale(&self, amount: Fen) {
        self.handle.enter_sale(amount);
    }

    /// Waits until something sounds after the sound of this number; for a while only, if nothing does.
    pub async fn sounds_after(&self, number: u64) {
        let mut heard = self.heard.clone();
        let _ = timeout(SIGHT, heard.wait_for(|heard| heard.number != number)).await;
    }

    /// Pulls the card away now.
    pub fn pull_now(&self) {
        self.handle.pull_card(Pull::Now);
    }
}
