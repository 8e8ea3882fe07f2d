//! Bugs planted on purpose: a sweep that finds none of them would find nothing.

use flows::ports::{CardKeys, CardNo, CardStamp, LoadSession, PurseDebit};
use flows::rows::{Campus, Key, Row};
use keys::CardMasterKeys;
use ledger::{Stage as Leg, Transfer};
use rules::chart::{self, Reason};
use rules::load::{Item, Source, State};
use teller::{Command, Desk, Halt, Seen};

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The platform takes a load whose answer is missing as applied after some seconds.
    TakenByTime,
    /// The platform takes such a load as not applied after some seconds.
    GivenBackByTime,
    /// The terminal sends a CREDIT without an answer again when the card comes back.
    CreditResent,
    /// The terminal debits without writing down that it will.
    IntentForgotten,
}

impl Plant {
    /// All of them.
    pub const ALL: [Plant; 4] =
        [Plant::TakenByTime, Plant::GivenBackByTime, Plant::CreditResent, Plant::IntentForgotten];

    /// Its name for the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Plant::TakenByTime => "taken-by-time",
            Plant::GivenBackByTime => "given-back-by-time",
            Plant::CreditResent => "credit-resent",
            Plant::IntentForgotten => "intent-forgotten",
        }
    }

    /// What it is.
    pub const fn what(self) -> &'static str {
        match self {
            Plant::TakenByTime => "the platform takes a load without an answer as applied after some seconds",
            Plant::GivenBackByTime => "the platform takes a load without an answer as not applied after some seconds",
            Plant::CreditResent => "the terminal sends a CREDIT without an answer again when the card comes back",
            Plant::IntentForgotten => "the terminal debits the purse without writing down first that it will",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Plant> {
        Plant::ALL.into_iter().find(|plant| plant.name() == name)
    }
}

/// The TAC that the planted bug takes for any load's.
pub(crate) const NO_TAC: [u8; 4] = [0xEE; 4];

/// The product's card keys, but for what is planted.
pub(crate) struct PlantedKeys {
    honest: CardMasterKeys,
    plant: Plant,
}

impl PlantedKeys {
    pub(crate) const fn new(honest: CardMasterKeys, plant: Plant) -> PlantedKeys {
        PlantedKeys { honest, plant }
    }
}

impl CardKeys for PlantedKeys {
    fn proves_load(&self, card: CardNo, load: &LoadSession) -> bool {
        self.honest.proves_load(card, load)
    }

    fn release_load(&self, card: CardNo, load: &LoadSession, stamp: CardStamp) -> [u8; 4] {
        self.honest.release_load(card, load, stamp)
    }

    fn proves_loaded(&self, card: CardNo, load: &LoadSession, stamp: CardStamp, tac: [u8; 4]) -> bool {
        let planted = self.plant == Plant::TakenByTime && tac == NO_TAC;
        planted || self.honest.proves_loaded(card, load, stamp, tac)
    }

    fn proves_purchase(&self, card: CardNo, debit: &PurseDebit, tac: [u8; 4]) -> bool {
        self.honest.proves_purchase(card, debit, tac)
    }
}

/// The planted command: the money goes back to what waits, whatever the card did.
pub(crate) struct GiveBack(pub(crate) CardNo);

impl Command<Campus> for GiveBack {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Card(self.0)];
        if let Some(card) = seen.row(&Key::Card(self.0)).and_then(Row::card) {
            keys.push(Key::Waiting(card.person));
            keys.extend(card.released.map(|k| Key::Attempt(self.0, k)));
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, ()>> {
        let Some(mut card) = desk.get(&Key::Card(self.0))?.and_then(Row::card).cloned() else { return Ok(()) };
        let Some(k) = card.released.take() else { return Ok(()) };
        let key = Key::Attempt(self.0, k);
        let Some(mut attempt) = desk.get(&key)?.and_then(Row::attempt).cloned() else { return Ok(()) };
        let mut waiting = desk.get(&Key::Waiting(card.person))?.and_then(Row::waiting).cloned().unwrap_or_default();
        let transfer = Transfer {
            id: desk.new_id(),
            debit: chart::awaiting_tap(card.person),
            credit: chart::on_card(card.no),
            amount: ledger::Fen::new(i64::from(attempt.session.amount)),
            stage: Leg::Void(attempt.pend),
            effective_at: desk.now(),
            code: Reason::LoadNotApplied.number(),
            reference: ledger::Id::new(u128::from(card.no.0)),
        };
        desk.post(&transfer).map_err(|refusal| Halt::Broken(refusal.to_string()))?;
        let orders = |item: &&Item| matches!(item.source, Source::Order(_));
        waiting.extend(attempt.items.iter().filter(orders));
        attempt.state = State::NotApplied { at: desk.now() };
        desk.put(Key::Waiting(card.person), Row::Waiting(waiting))?;
        desk.put(key, Row::Attempt(Box::new(attempt)))?;
        desk.put(Key::Card(card.no), Row::Card(card))?;
        Ok(())
    }
}
