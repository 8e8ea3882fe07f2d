//! A terminal: the product's agent, its purchase module, its journal as bytes on a disk, and its line to the platform.

use std::collections::VecDeque;

use card::psam::SoftPsam;
use device::agent::display::Screen;
use device::agent::pos::{Config, Input, Output, PosAgent};
use device::journal::{Entry, State};
use flows::rows::Enrolment;
use keys::Keyring;
use ledger::Micros;
use link::{ToPlatform, ToTerminal};

use crate::Broken;
use crate::plant::Plant;

/// What a terminal keeps without power.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) enrolment: Enrolment,
    pub(crate) journal: Vec<u8>,
    boots: u8,
}

impl Kept {
    pub(crate) fn new(enrolment: Enrolment) -> Kept {
        Kept { enrolment, journal: Vec::new(), boots: 0 }
    }
}

/// A running terminal.
pub(crate) struct Till {
    kept: Kept,
    agent: PosAgent<SoftPsam>,
    pub(crate) queue: VecDeque<Output>,
    /// Everything that the display has said since the terminal was made.
    pub(crate) screens: Vec<Screen>,
}

fn module(keyring: &Keyring, enrolment: &Enrolment, used: Option<u32>) -> SoftPsam {
    let masters = keyring.card_masters().iter().map(|(version, masters)| (*version, masters.purchase.clone()));
    let mut module = SoftPsam::new(enrolment.terminal.with([0; 3]), masters.collect());
    if let Some(tsn) = used {
        module.used(tsn);
    }
    module
}

impl Till {
    /// Switches a terminal on; its line is not up yet.
    pub(crate) fn start(mut kept: Kept, keyring: &Keyring, now: Micros) -> Result<Till, Broken> {
        let (state, good) = State::replay(&kept.journal).map_err(Broken::of("reading a terminal's journal"))?;
        kept.journal.truncate(good);
        kept.boots = kept.boots.wrapping_add(1);
        let module = module(keyring, &kept.enrolment, state.last_tsn());
        let (agent, outputs) = PosAgent::start(Config::usual([kept.boots; 16]), module, state, now);
        Ok(Till { kept, agent, queue: outputs.into(), screens: Vec::new() })
    }

    /// The power goes: what was under way is lost, the journal stays. On again, with the screens so far.
    pub(crate) fn power_cycle(self, keyring: &Keyring, now: Micros) -> Result<Till, Broken> {
        let mut again = Till::start(self.kept, keyring, now)?;
        again.screens = self.screens;
        Ok(again)
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn give(&mut self, input: Input, now: Micros) {
        let outputs = self.agent.handle(input, now);
        self.queue.extend(outputs);
    }

    pub(crate) fn next_wake(&self) -> Option<Micros> {
        self.agent.next_wake()
    }

    pub(crate) fn screen(&self) -> Screen {
        self.agent.screen()
    }

    /// Appends to the journal; the planted bug forgets what it intends.
    pub(crate) fn append(&mut self, entry: &Entry, plant: Option<Plant>) -> Result<(), Broken> {
        if plant == Some(Plant::IntentForgotten) && matches!(entry, Entry::Intent(_)) {
            return Ok(());
        }
        let line = entry.line().map_err(Broken::of("writing a terminal's journal"))?;
        self.kept.journal.extend_from_slice(line.as_bytes());
        Ok(())
    }

    /// Rewrites the journal without old records.
    pub(crate) fn forget(&mut self, through: u64) -> Result<(), Broken> {
        let (mut state, _) = State::replay(&self.kept.journal).map_err(Broken::of("reading a terminal's journal"))?;
        state.forget(through);
        self.kept.journal.clear();
        for entry in state.entries() {
            self.append(&entry, None)?;
        }
        Ok(())
    }
}

/// What the platform hears of a message: bytes on the line.
pub(crate) fn heard(message: &ToPlatform) -> Result<ToPlatform, Broken> {
    let bytes = link::encode(message).map_err(Broken::of("a message to the platform"))?;
    link::decode(&bytes).map_err(Broken::of("a message to the platform"))
}

/// What the terminal hears.
pub(crate) fn told(message: &ToTerminal) -> Result<ToTerminal, Broken> {
    let bytes = link::encode(message).map_err(Broken::of("a message to a terminal"))?;
    link::decode(&bytes).map_err(Broken::of("a message to a terminal"))
}
