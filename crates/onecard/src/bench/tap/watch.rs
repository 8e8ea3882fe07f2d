//! One tap as the terminal tells it: what was asked and answered, and when the lamp turned green.

use std::collections::BTreeMap;

use device::agent::display::{Lamp, Screen};
use device::agent::words;
use device::uplink::{Event, Told};
use ledger::Micros;
use link::{Record, Stage, ToPlatform, ToTerminal};
use serde::Serialize;

/// A question of the terminal, by what the platform does for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The tap is opened: nonce and amount.
    Open,
    /// MAC1 is verified, the attempt is durable, MAC2 is made: the host's share that the target speaks of.
    Release,
    /// MAC1 is verified, and nothing is to be loaded.
    Prove,
    /// The TAC is verified and the load is posted, durably.
    Confirm,
    /// The sale is decided, durably.
    Authorise,
    /// The record of a debit is accepted, durably; nobody waits for it.
    Sale,
}

impl Message {
    /// As the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Message::Open => "open",
            Message::Release => "verify MAC1, persist, MAC2",
            Message::Prove => "verify MAC1, nothing to load",
            Message::Confirm => "verify TAC, post",
            Message::Authorise => "authorise",
            Message::Sale => "accept the debit (after green)",
        }
    }
}

/// What was seen of a tap.
#[derive(Debug, Default)]
pub struct Watch {
    began: Option<Micros>,
    green: Option<Micros>,
    /// Commands to the card before the light.
    commands: usize,
    asked: BTreeMap<u32, (Asked, Micros)>,
    records: BTreeMap<u64, (Message, Micros)>,
    messages: Vec<(Message, u64)>,
    filled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Open,
    Begin,
    Confirm,
    /// Anything of the stage that fills the purse: it comes after the light.
    Fill,
}

/// A tap that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// From the card on the reader to the green light, microseconds.
    pub shown_us: u64,
    /// Commands to the card until then.
    pub commands: usize,
    /// Every question, with the time from its sending to its answer, microseconds.
    pub messages: Vec<(Message, u64)>,
}

impl Watch {
    /// Takes what the terminal tells. Gives the tap when it is over: green, the purse looked after, every record answered.
    ///
    /// Error: the display's words, when the tap did not turn out well.
    pub fn see(&mut self, told: &Told) -> Result<Option<Seen>, String> {
        let at = told.at;
        match &told.event {
            Event::CardIn => self.began = Some(at),
            Event::Command(_) if self.green.is_none() => self.commands += 1,
            Event::Sent(message) => self.sent(message, at),
            Event::Heard(message) => self.heard(message, at),
            Event::Shown(screen) => self.shown(screen, at)?,
            Event::Disconnected(why) => return Err(format!("the connection was lost: {why}")),
            Event::Connected | Event::CardOut | Event::Command(_) | Event::Answer(_) => {}
        }
        let (Some(began), Some(green)) = (self.began, self.green) else { return Ok(None) };
        if !self.filled || !self.records.is_empty() {
            return Ok(None);
        }
        let messages = std::mem::take(&mut self.messages);
        Ok(Some(Seen { shown_us: span(began, green), commands: self.commands, messages }))
    }

    fn sent(&mut self, message: &ToPlatform, at: Micros) {
        match message {
            ToPlatform::TapOpen { ask, stage: Stage::Load, .. } => {
                self.asked.insert(*ask, (Asked::Open, at));
            }
            ToPlatform::TapOpen { ask, stage: Stage::Fill, .. } => {
                self.asked.insert(*ask, (Asked::Fill, at));
            }
            ToPlatform::TapBegin { ask, .. } => {
                let asked = if self.green.is_some() { Asked::Fill } else { Asked::Begin };
                self.asked.insert(*ask, (asked, at));
            }
            ToPlatform::TapConfirm { ask, .. } => {
                let asked = if self.green.is_some() { Asked::Fill } else { Asked::Confirm };
                self.asked.insert(*ask, (asked, at));
            }
            ToPlatform::Journal { seq, record: Record::Authorise { .. } } => {
                self.records.insert(*seq, (Message::Authorise, at));
            }
            ToPlatform::Journal { seq, record: Record::Sale(_) } => {
                self.records.insert(*seq, (Message::Sale, at));
            }
            ToPlatform::Hello { .. }
            | ToPlatform::Journal { .. }
            | ToPlatform::Ping
            | ToPlatform::Paid { .. }
            | ToPlatform::Kept { .. } => {}
        }
    }

    fn heard(&mut self, message: &ToTerminal, at: Micros) {
        let (ask, last) = match message {
            ToTerminal::TapNonce { ask, .. }
            | ToTerminal::TapAgain { ask, .. }
            | ToTerminal::TapRelease { ask, .. } => (*ask, false),
            ToTerminal::TapDone { ask, .. } | ToTerminal::TapRefused { ask, .. } => (*ask, true),
            ToTerminal::Answered(marked) => {
                if let Some((message, sent)) = self.records.remove(&marked.seq) {
                    self.messages.push((message, span(sent, at)));
                }
                return;
            }
            ToTerminal::Welcome { .. } | ToTerminal::Acknowledged { .. } | ToTerminal::Pong { .. } => return,
        };
        let Some((asked, sent)) = self.asked.remove(&ask) else { return };
        let released = matches!(message, ToTerminal::TapRelease { .. });
        let message = match asked {
            Asked::Open => Message::Open,
            Asked::Begin if released => Message::Release,
            Asked::Begin => Message::Prove,
            Asked::Confirm => Message::Confirm,
            Asked::Fill => {
                self.filled |= last;
                return;
            }
        };
        self.messages.push((message, span(sent, at)));
    }

    fn shown(&mut self, screen: &Screen, at: Micros) -> Result<(), String> {
        match screen.lamp() {
            Lamp::Green => {
                self.green.get_or_insert(at);
                Ok(())
            }
            Lamp::Red => Err(words::display(screen).en),
            Lamp::Off | Lamp::Amber => match screen {
                Screen::Reversing { .. } | Screen::RemovedEarly { .. } | Screen::NotCharged { .. } => {
                    Err(words::display(screen).en)
                }
                _ => Ok(()),
            },
        }
    }
}

fn span(from: Micros, to: Micros) -> u64 {
    to.since(from).max(0).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use ledger::Fen;
    use link::{Answer, LoadInit, Marked};

    use super::*;

    fn sent(message: ToPlatform) -> Event {
        Event::Sent(message)
    }

    fn begin(ask: u32) -> Event {
        let init = LoadInit {
            amount: 1,
            terminal: [0; 6],
            old_balance: 0,
            n: 0,
            key_version: 1,
            algorithm: 0,
            random: [0; 4],
            mac1: [0; 4],
        };
        sent(ToPlatform::TapBegin { ask, card: 1, init, proofs: Vec::new() })
    }

    fn done(ask: u32) -> Event {
        Event::Heard(ToTerminal::TapDone { ask, hold: [0; 16], loaded: 1, purse: 1, account: 0 })
    }

    /// Every event one microsecond after the one before.
    fn watched(events: Vec<Event>) -> Result<Option<Seen>, String> {
        let mut watch = Watch::default();
        let mut last = None;
        for (at, event) in (0..).zip(events) {
            assert_eq!(last, None, "over before event {at}");
            last = watch.see(&Told { at: Micros::new(at), event })?;
        }
        Ok(last)
    }

    fn open(ask: u32, stage: Stage) -> Event {
        sent(ToPlatform::TapOpen { ask, card: 1, stage })
    }

    fn nonce(ask: u32) -> Event {
        Event::Heard(ToTerminal::TapNonce { ask, nonce: [0; 3], amount: 1, prove: Vec::new() })
    }

    fn loaded() -> Event {
        Event::Shown(Screen::Loaded { loaded: Fen::new(1), purse: Fen::new(1), account: Fen::ZERO })
    }

    #[test]
    fn a_tap_is_over_when_it_is_green_and_filled_and_its_records_are_answered() {
        let release = ToTerminal::TapRelease {
            ask: 2,
            k: 1,
            amount: 1,
            stamp: link::Stamp { date: [0; 4], time: [0; 3] },
            mac2: [0; 4],
        };
        let sale = sent(ToPlatform::Journal {
            seq: 7,
            record: Record::Authorise { card: 1, hold: [0; 16], amount: 1, not_after: 0 },
        });
        let events = vec![
            Event::CardIn,
            Event::Command(vec![]),
            open(1, Stage::Load),
            nonce(1),
            begin(2),
            Event::Heard(release),
            sent(ToPlatform::TapConfirm { ask: 3, card: 1, k: 1, tac: [0; 4] }),
            done(3),
            sale,
            loaded(),
            open(4, Stage::Fill),
            Event::Command(vec![]),
            nonce(4),
            begin(5),
            done(5),
            Event::Heard(ToTerminal::Answered(Marked { seq: 7, answer: Answer::Taken })),
        ];
        let messages = vec![(Message::Open, 1), (Message::Release, 1), (Message::Confirm, 1), (Message::Authorise, 7)];
        assert_eq!(watched(events), Ok(Some(Seen { shown_us: 9, commands: 1, messages })));
    }

    #[test]
    fn a_tap_that_does_not_turn_out_well_gives_the_displays_words() {
        let refused = watched(vec![Event::CardIn, Event::Shown(Screen::CannotSync)]);
        assert!(refused.is_err_and(|words| words.contains("Cannot sync now")));
        let early = watched(vec![Event::CardIn, Event::Shown(Screen::RemovedEarly { amount: None })]);
        assert!(early.is_err_and(|words| words.contains("removed too early")));
        assert!(watched(vec![Event::Disconnected("no route".to_owned())]).is_err());
    }

    #[test]
    fn a_card_with_nothing_to_load_is_proved_and_no_release_is_counted() {
        let events = vec![Event::CardIn, open(1, Stage::Load), nonce(1), begin(2), done(2), loaded()];
        let mut watch = Watch::default();
        for (at, event) in (0..).zip(events) {
            assert_eq!(watch.see(&Told { at: Micros::new(at), event }), Ok(None), "not over before it is filled");
        }
        assert_eq!(watch.messages, [(Message::Open, 1), (Message::Prove, 1)]);
    }
}
