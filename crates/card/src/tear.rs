//! A hand that pulls the card out of the field at a chosen command: the fault that every tap must survive (R32).

use crate::chip::Chip;

/// Where in the course of one command the field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutPlace {
    /// The card has not got the command.
    BeforeReceive,
    /// The card has the command and loses power before it writes.
    BeforeApply,
    /// The card has obeyed; nothing of the answer arrives.
    BeforeAnswer,
    /// The card has obeyed; this many bytes of the answer arrive (all of it, if it is shorter).
    InAnswer(usize),
}

/// A tear: at the command number `at` after insertion, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which command.
    pub at: u32,
    /// Where in its course.
    pub place: CutPlace,
}

/// A software card in a field, which it leaves at a chosen command.
#[derive(Clone, Debug)]
pub struct TearableCard {
    chip: Chip,
    cut: Option<Cut>,
    seen: u32,
    present: bool,
}

impl TearableCard {
    /// The card, not in the field.
    pub fn new(chip: Chip) -> TearableCard {
        TearableCard { chip, cut: None, seen: 0, present: false }
    }

    /// Puts the card into the field, with power fresh, and plans where it will be torn; `None` for never.
    pub fn insert(&mut self, cut: Option<Cut>) {
        self.chip.power_off();
        self.cut = cut;
        self.seen = 0;
        self.present = true;
    }

    /// The reader switches the field off and on again: the session is lost, the card stays, the plan holds.
    pub fn lose_power(&mut self) {
        self.chip.power_off();
    }

    /// Takes the card out of the field between two commands.
    pub fn remove(&mut self) {
        self.chip.power_off();
        self.present = false;
    }

    /// Plans the tear for the next command; what was planned before is forgotten.
    pub fn tear_next(&mut self, place: CutPlace) {
        self.cut = Some(Cut { at: self.seen, place });
    }

    /// Whether the card is in the field.
    pub fn present(&self) -> bool {
        self.present
    }

    /// The card, to look at what it physically holds.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The card back.
    pub fn into_chip(mut self) -> Chip {
        self.remove();
        self.chip
    }

    /// One command and its answer. A card that has left answers with no bytes at all.
    pub fn exchange(&mut self, apdu: &[u8], random: &mut dyn FnMut() -> [u8; 4]) -> Vec<u8> {
        self.turn(&mut |chip| chip.process(apdu, random))
    }

    /// The same for a command that is answered outside the chip, such as GET RESPONSE, which fetches what waits.
    pub fn hand_over(&mut self, waiting: &[u8]) -> Vec<u8> {
        self.turn(&mut |_| waiting.to_vec())
    }

    fn turn(&mut self, obey: &mut dyn FnMut(&mut Chip) -> Vec<u8>) -> Vec<u8> {
        if !self.present {
            return Vec::new();
        }
        let place = self.cut.filter(|cut| cut.at == self.seen).map(|cut| cut.place);
        self.seen = self.seen.saturating_add(1);
        let Some(place) = place else {
            return obey(&mut self.chip);
        };
        let answer = match place {
            CutPlace::BeforeReceive => Vec::new(),
            CutPlace::BeforeApply => {
                // The card works on a copy that it never gets to write back.
                let _ = obey(&mut self.chip.clone());
                Vec::new()
            }
            CutPlace::BeforeAnswer => {
                let _ = obey(&mut self.chip);
                Vec::new()
            }
            CutPlace::InAnswer(bytes) => {
                let mut answer = obey(&mut self.chip);
                answer.truncate(bytes);
                answer
            }
        };
        self.remove();
        answer
    }
}
