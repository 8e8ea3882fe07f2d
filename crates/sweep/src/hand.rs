//! A hand with two cards at one reader. The sweep knows no more of readers than this trait.

use card::chip::Chip;
use card::tear::{CutPlace, TearableCard};

pub use device::channel::Manner;

use crate::Broken;
use crate::ports::Chance;

/// Which of the two cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that is torn.
    Anna,
    /// Another holder's.
    Ben,
}

impl Which {
    /// Its place in an array of both.
    pub const fn place(self) -> usize {
        match self {
            Which::Anna => 0,
            Which::Ben => 1,
        }
    }
}

/// Where in the course of a command the card leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One of the four of [`CutPlace`].
    Cut(CutPlace),
    /// The card has obeyed; the rest of its answer that arrives is these two bytes, as cut answers can end in anything: a
    /// driver hands them on as a status word.
    LooksLike(u16),
}

impl Place {
    /// Whether the card has obeyed the command when it leaves.
    pub const fn obeyed(self) -> bool {
        match self {
            Place::Cut(CutPlace::BeforeReceive | CutPlace::BeforeApply) => false,
            Place::Cut(CutPlace::BeforeAnswer | CutPlace::InAnswer(_)) | Place::LooksLike(_) => true,
        }
    }
}

/// A tear at a command, counted from 1 after the card was put on the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tear {
    /// Which command.
    pub at: u32,
    /// Where in its course.
    pub place: Place,
}

/// A hand with two cards, and the reader at which it holds them.
///
/// To add a back end: a reader that notices late is waited for in `put`, `lift` and, after a torn command, in `transmit`, by
/// its own events and never for a fixed time, so that `present` is right after each of them.
pub trait Hand {
    /// These are the cards from now on; none lies on the reader.
    fn lay_out(&mut self, cards: &[Chip; 2]) -> Result<(), Broken>;

    /// Puts a card on the empty reader, which has noticed it when this returns; the card leaves by itself at `tear`.
    fn put(&mut self, card: Which, tear: Option<Tear>) -> Result<(), Broken>;

    /// One command and its answer, GET RESPONSE included. Fewer than two bytes: no answer.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Broken>;

    /// Commands that the card has been given since it was put there; GET RESPONSE is one of its own.
    fn commands(&self) -> u32;

    /// Whether a card lies there.
    fn present(&mut self) -> Result<bool, Broken>;

    /// Takes the card away, if one lies there; the reader has noticed it when this returns.
    fn lift(&mut self) -> Result<(), Broken>;

    /// Since the cards were laid out, a command had no answer although no tear was due: not what the case is about. A real
    /// reader may lose a card's session; the case is then run again.
    fn disturbed(&self) -> bool {
        false
    }

    /// What a card physically holds.
    fn chip(&self, card: Which) -> Result<Chip, Broken>;
}

/// Software cards at a reader in this process.
pub struct SoftHand {
    manner: Manner,
    cards: Vec<TearableCard>,
    on_reader: Option<usize>,
    tear: Option<Tear>,
    commands: u32,
    chance: Chance,
}

impl SoftHand {
    /// A hand without cards.
    pub const fn new(manner: Manner) -> SoftHand {
        SoftHand { manner, cards: Vec::new(), on_reader: None, tear: None, commands: 0, chance: Chance::new(1) }
    }

    /// The tear that is due at the command that comes now.
    fn due(&mut self) -> Option<Place> {
        self.commands = self.commands.saturating_add(1);
        self.tear.filter(|tear| tear.at == self.commands).map(|tear| tear.place)
    }

    fn gone(&mut self) {
        if let Some(card) = self.on_reader.take().and_then(|place| self.cards.get_mut(place)) {
            card.remove();
        }
    }

    fn torn(&mut self, command: &[u8], place: Place) -> Vec<u8> {
        let Some(card) = self.on_reader.and_then(|at| self.cards.get_mut(at)) else { return Vec::new() };
        let (cut, kept) = match place {
            Place::Cut(CutPlace::InAnswer(kept)) => (CutPlace::InAnswer(usize::MAX), kept),
            Place::Cut(cut) => (cut, 0),
            Place::LooksLike(_) => (CutPlace::BeforeAnswer, 0),
        };
        card.tear_next(cut);
        let chance = &mut self.chance;
        let mut answer = card.exchange(command, &mut || chance.four());
        self.gone();
        // Of a card with contacts the announcement arrives at most, and what it announced is never fetched.
        let announced = self.manner == Manner::Contact && command.len() > SHORT && answer.len() > 2;
        answer.truncate(if announced { 0 } else { kept });
        match place {
            Place::LooksLike(word) => word.to_be_bytes().to_vec(),
            Place::Cut(_) => answer,
        }
    }
}

/// Header and one byte of length: a longer command carries data.
const SHORT: usize = 5;

impl Hand for SoftHand {
    fn lay_out(&mut self, cards: &[Chip; 2]) -> Result<(), Broken> {
        self.on_reader = None;
        self.cards = cards.iter().cloned().map(TearableCard::new).collect();
        self.chance = Chance::new(1);
        Ok(())
    }

    fn put(&mut self, card: Which, tear: Option<Tear>) -> Result<(), Broken> {
        if self.on_reader.is_some() {
            return Err(Broken::new("a card lies on the reader already"));
        }
        let there = self.cards.get_mut(card.place()).ok_or_else(|| Broken::new("no cards were laid out"))?;
        there.insert(None);
        (self.on_reader, self.tear, self.commands) = (Some(card.place()), tear, 0);
        Ok(())
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Broken> {
        if self.on_reader.is_none() {
            return Ok(Vec::new());
        }
        if let Some(place) = self.due() {
            return Ok(self.torn(command, place));
        }
        let chance = &mut self.chance;
        let card = self.on_reader.and_then(|at| self.cards.get_mut(at));
        let mut answer = card.map(|card| card.exchange(command, &mut || chance.four())).unwrap_or_default();
        let fetched = self.manner == Manner::Contact && command.len() > SHORT && answer.len() > 2;
        if let Some(place) = fetched.then(|| self.due()).flatten() {
            self.gone();
            return Ok(match place {
                Place::LooksLike(word) => word.to_be_bytes().to_vec(),
                Place::Cut(CutPlace::InAnswer(kept)) => {
                    answer.truncate(kept);
                    answer
                }
                Place::Cut(_) => Vec::new(),
            });
        }
        Ok(answer)
    }

    fn commands(&self) -> u32 {
        self.commands
    }

    fn present(&mut self) -> Result<bool, Broken> {
        Ok(self.on_reader.is_some())
    }

    fn lift(&mut self) -> Result<(), Broken> {
        self.gone();
        Ok(())
    }

    fn chip(&self, card: Which) -> Result<Chip, Broken> {
        let there = self.cards.get(card.place()).ok_or_else(|| Broken::new("no cards were laid out"))?;
        Ok(there.chip().clone())
    }
}
