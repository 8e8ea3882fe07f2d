//! The hand that lays cards on a terminal's reader. The cards are software, in memory: what they and the purchase module
//! take is counted, so that it can be told apart from what the terminal and the platform take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use card::chip::Chip;
use card::psam::{Psam, PsamFault, PurchaseGrant, PurchaseRequest};
use device::channel::{CardChannel, Insertion};

use super::super::load::tick;
use super::super::workload::Draw;
use super::card_time::Exchange;

/// What card and module did in one hold, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Commands of the card.
    pub exchanges: Vec<Exchange>,
    /// What each command of the module took, nanoseconds.
    pub module_ns: Vec<u64>,
}

/// A reader and the hand at it. Clones are the same.
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Slot>>);

struct Slot {
    chip: Option<Chip>,
    insertions: u32,
    chance: Draw,
    work: Work,
}

impl Hand {
    /// An empty reader, whose cards draw the random numbers that belong to `seed`.
    pub fn new(seed: u64) -> Hand {
        Hand(Arc::new(Mutex::new(Slot { chip: None, insertions: 0, chance: Draw::new(seed), work: Work::default() })))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays a card down and begins to count anew.
    pub fn put(&self, mut chip: Chip) {
        chip.power_off();
        let mut slot = self.slot();
        slot.chip = Some(chip);
        slot.insertions = slot.insertions.wrapping_add(1);
        slot.work = Work::default();
    }

    /// Takes the card away; gives it with what was done since it came. `None` when there is none.
    pub fn take(&self) -> Option<(Chip, Work)> {
        let mut slot = self.slot();
        let chip = slot.chip.take()?;
        Some((chip, std::mem::take(&mut slot.work)))
    }
}

impl CardChannel for Hand {
    fn present(&mut self) -> Option<Insertion> {
        let slot = self.slot();
        slot.chip.as_ref().map(|_| Insertion(slot.insertions))
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let mut slot = self.slot();
        let Slot { chip: Some(chip), chance, work, .. } = &mut *slot else { return Vec::new() };
        let began = tick();
        let answer = chip.process(command, &mut || {
            let [a, b, c, d, ..] = chance.next().to_be_bytes();
            [a, b, c, d]
        });
        let bytes = u64::try_from(command.len() + answer.len()).unwrap_or(u64::MAX);
        let instruction = command.get(1).copied().unwrap_or(0);
        work.exchanges.push(Exchange { instruction, bytes, took_ns: nanos_since(began) });
        answer
    }

    fn removed(&mut self) {
        if let Some(chip) = &mut self.slot().chip {
            chip.power_off();
        }
    }
}

fn nanos_since(began: std::time::Instant) -> u64 {
    u64::try_from(tick().duration_since(began).as_nanos()).unwrap_or(u64::MAX)
}

/// A purchase module whose time is counted by the hand at the same terminal.
pub struct Counted<P> {
    module: P,
    hand: Hand,
}

impl<P> Counted<P> {
    /// The module of the terminal with this reader.
    pub const fn new(module: P, hand: Hand) -> Counted<P> {
        Counted { module, hand }
    }

    fn counted<T>(&mut self, ask: impl FnOnce(&mut P) -> T) -> T {
        let began = tick();
        let answer = ask(&mut self.module);
        let took = nanos_since(began);
        self.hand.slot().work.module_ns.push(took);
        answer
    }
}

impl<P: Psam> Psam for Counted<P> {
    fn terminal(&self) -> [u8; 6] {
        self.module.terminal()
    }

    fn begin_purchase(&mut self, request: &PurchaseRequest) -> Result<PurchaseGrant, PsamFault> {
        self.counted(|module| module.begin_purchase(request))
    }

    fn verify_mac2(&mut self, mac2: [u8; 4]) -> Result<(), PsamFault> {
        self.counted(|module| module.verify_mac2(mac2))
    }
}
