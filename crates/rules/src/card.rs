//! A card's life and what the book knows of its chip (R1, R3); its holder reports it lost (R82).

mod loss;

use ledger::{Id, Micros};

use crate::ids::{CardNo, CaseId, EnrolmentId, PersonId};
use crate::words::Words;

pub use loss::{LossRefusal, MOST_REPORTS, Report, Reports, report_lost};

/// State of a card (R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Made, not handed out (待激活).
    Issued,
    /// In use (正常).
    Active,
    /// Reported lost, or frozen by an alarm (挂失冻结).
    Lost,
    /// Reported damaged (损坏).
    Damaged,
    /// A new card took its place (已补办).
    Replaced,
    /// Closed (已注销).
    Closed,
}

/// What happens to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is handed to its holder.
    HandOut,
    /// An alarm about its chip: frozen until someone looked.
    Freeze,
    /// Its holder reports it lost (挂失).
    ReportLost,
}

/// Who moved a card from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Its holder.
    Holder,
    /// The card office.
    Office,
    /// The platform, by a rule.
    Platform,
}

/// Where a card was moved from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the holder's pages, in a browser.
    Pages,
    /// On the same pages, inside WeChat.
    WeChat,
    /// By a program of the holder's.
    Program,
    /// At the card office.
    Office,
    /// At a terminal: where it was held, or that sent a record of it.
    Terminal(EnrolmentId),
}

/// Why a card was moved from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Handed to its holder.
    HandedOut,
    /// Reported lost by its holder.
    ReportedLost,
    /// Chip and book contradict each other; the case tells how.
    Alarm(CaseId),
}

/// One change of a card's state, kept for ever (R3). Shape: `from` and `to` differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its identifier; by time.
    pub id: Id,
    /// Which card.
    pub card: CardNo,
    /// Its holder then.
    pub person: PersonId,
    /// What it was.
    pub from: State,
    /// What it is from then on.
    pub to: State,
    /// When that took effect.
    pub at: Micros,
    /// Who.
    pub by: Actor,
    /// Where.
    pub place: Place,
    /// Why.
    pub why: Why,
}

/// A card. Shape: `n` is the on-line counter its chip must show when no load is in transit; `attempt` the number of its
/// newest load attempt, 0 for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its number.
    pub no: CardNo,
    /// Its holder.
    pub person: PersonId,
    /// Its state.
    pub state: State,
    /// When that began.
    pub since: Micros,
    /// Loads its chip is proved to have taken.
    pub n: u16,
    /// Newest load attempt.
    pub attempt: u32,
    /// The attempt whose MAC2 is out and whose result is not proved.
    pub released: Option<u32>,
    /// Purse sales that may or may not have debited it.
    pub unconfirmed: Vec<Id>,
    /// Purse sales that a terminal was told to debit and has not reported.
    pub awaiting: Vec<Id>,
}

/// Why nothing was done with the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The card's state does not allow it.
    #[error("the card is {0:?}")]
    State(State),
    /// The holder has an active card already.
    #[error("the holder has an active card")]
    AlreadyActive,
    /// The number is taken.
    #[error("a card with this number exists")]
    NumberTaken,
}

/// Moves a card by one event.
///
/// Errors: `State` for every pair that is not a listed transition; nothing changes.
/// Repeats: an event that has happened is refused like any other unlisted pair.
/// Source: R3.
pub fn decide(state: State, event: Event) -> Result<State, Refusal> {
    match (state, event) {
        (State::Issued, Event::HandOut) => Ok(State::Active),
        (State::Active, Event::HandOut)
        | (State::Lost, Event::HandOut)
        | (State::Damaged, Event::HandOut)
        | (State::Replaced, Event::HandOut)
        | (State::Closed, Event::HandOut) => Err(Refusal::State(state)),
        (State::Issued, Event::Freeze) | (State::Active, Event::Freeze) => Ok(State::Lost),
        (State::Lost, Event::Freeze)
        | (State::Damaged, Event::Freeze)
        | (State::Replaced, Event::Freeze)
        | (State::Closed, Event::Freeze) => Err(Refusal::State(state)),
        (State::Issued, Event::ReportLost) | (State::Active, Event::ReportLost) => Ok(State::Lost),
        (State::Lost, Event::ReportLost)
        | (State::Damaged, Event::ReportLost)
        | (State::Replaced, Event::ReportLost)
        | (State::Closed, Event::ReportLost) => Err(Refusal::State(state)),
    }
}

/// May the card be used at a terminal, and may money be put on its way to it? Source: R21, R82.
pub const fn usable(state: State) -> Result<(), Refusal> {
    match state {
        State::Active => Ok(()),
        State::Issued | State::Lost | State::Damaged | State::Replaced | State::Closed => Err(Refusal::State(state)),
    }
}

impl Refusal {
    /// What the person is told.
    pub fn words(&self) -> Words {
        match self {
            Refusal::State(State::Lost) => Words::new(
                "CARD_LOST",
                "此卡已冻结（挂失或异常）。请持身份证和此卡到校园卡服务中心办理。",
                "This card is frozen: reported lost, or stopped by an alarm. Bring it and your identity card to the card service centre.",
            ),
            Refusal::State(State::Issued) => Words::new(
                "CARD_STATE",
                "此卡尚未启用，请到校园卡服务中心领取并启用。",
                "This card is not in use yet; please collect it at the card service centre.",
            ),
            Refusal::State(State::Active) => {
                Words::new("CARD_STATE", "此卡已在使用中。", "This card is in use already.")
            }
            Refusal::State(State::Damaged | State::Replaced | State::Closed) => Words::new(
                "CARD_STATE",
                "此卡已停用，请使用新卡；如有疑问请到校园卡服务中心。",
                "This card is no longer in use. Please use the new one, or ask at the card service centre.",
            ),
            Refusal::AlreadyActive => Words::new(
                "CARD_ALREADY_ACTIVE",
                "该持卡人已有一张有效卡，不能再发。请先挂失或注销原卡。",
                "This holder has an active card. Report the old one lost or close it first.",
            ),
            Refusal::NumberTaken => Words::new(
                "CARD_NUMBER_TAKEN",
                "此卡号已被使用，请换一张卡。",
                "A card with this number exists; please take another card.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_only_listed_transitions_happen() {
        use State::*;
        let table = [
            (Issued, Event::HandOut, Some(Active)),
            (Active, Event::HandOut, None),
            (Lost, Event::HandOut, None),
            (Damaged, Event::HandOut, None),
            (Replaced, Event::HandOut, None),
            (Closed, Event::HandOut, None),
            (Issued, Event::Freeze, Some(Lost)),
            (Active, Event::Freeze, Some(Lost)),
            (Lost, Event::Freeze, None),
            (Damaged, Event::Freeze, None),
            (Replaced, Event::Freeze, None),
            (Closed, Event::Freeze, None),
            (Issued, Event::ReportLost, Some(Lost)),
            (Active, Event::ReportLost, Some(Lost)),
            (Lost, Event::ReportLost, None),
            (Damaged, Event::ReportLost, None),
            (Replaced, Event::ReportLost, None),
            (Closed, Event::ReportLost, None),
        ];
        for (state, event, expected) in table {
            assert_eq!(decide(state, event).ok(), expected, "{state:?} {event:?}");
        }
    }
}
