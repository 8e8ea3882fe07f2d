//! A reader for software cards in this process: a hand puts the card of a file on it and pulls it away.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use card::tear::Cut;

use super::card_file::{CardFile, CardFileFault, Plan, Pull};
use super::{CardChannel, Insertion};

/// A reader for software cards and the hand that holds them. Clones are the same reader.
#[derive(Clone)]
pub struct SoftReader(Arc<Mutex<Slot>>);

struct Slot {
    card: Option<CardFile>,
    insertions: u32,
    plan: Plan,
    random: Box<dyn FnMut() -> [u8; 4] + Send>,
}

impl SoftReader {
    /// An empty reader; `random` is the chance of its cards.
    pub fn new(random: impl FnMut() -> [u8; 4] + Send + 'static) -> SoftReader {
        SoftReader(Arc::new(Mutex::new(Slot { card: None, insertions: 0, plan: None, random: Box::new(random) })))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the card of a file on the reader.
    ///
    /// Errors, in order: `Occupied`, `File`, `Elsewhere`, `Image`.
    pub fn put(&self, path: &Path) -> Result<(), CardFileFault> {
        self.put_torn(path, None)
    }

    /// The same for a card that leaves at this command of the insertion. Errors as [`SoftReader::put`].
    pub fn put_torn(&self, path: &Path, cut: Option<Cut>) -> Result<(), CardFileFault> {
        let mut slot = self.slot();
        if slot.card.is_some() {
            return Err(CardFileFault::Occupied);
        }
        slot.card = Some(CardFile::open(path, cut)?);
        slot.insertions = slot.insertions.wrapping_add(1);
        Ok(())
    }

    /// Pulls the card away, now or within a command to come; without a card that is a command to the next one. What was
    /// planned is over when a card leaves.
    pub fn pull(&self, pull: Pull) {
        let mut slot = self.slot();
        match pull {
            Pull::Now => (slot.card, slot.plan) = (None, None),
            Pull::During(at, place) => slot.plan = Some((at, place)),
        }
    }

    /// The file of the card that lies there.
    pub fn card(&self) -> Option<PathBuf> {
        self.slot().card.as_ref().map(|card| card.path().to_owned())
    }
}

impl Slot {
    fn exchange(&mut self, command: &[u8]) -> Vec<u8> {
        let Some(card) = &mut self.card else {
            return Vec::new();
        };
        let answer = card.exchange(command, &mut self.plan, &mut self.random);
        if !card.present() {
            self.card = None;
        }
        answer
    }
}

impl CardChannel for SoftReader {
    fn present(&mut self) -> Option<Insertion> {
        let slot = self.slot();
        slot.card.as_ref().map(|_| Insertion(slot.insertions))
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.slot().exchange(command)
    }

    fn removed(&mut self) {
        if let Some(card) = &mut self.slot().card {
            card.lose_power();
        }
    }
}
