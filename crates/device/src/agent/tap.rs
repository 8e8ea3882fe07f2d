//! One stage of a tap (圈存): everything between "a card lies here" and "the card is proved and has what was waiting".
//!
//! Terminal's half of M11: the platform gives nonce and amount, the card answers INITIALIZE FOR LOAD under them, the
//! platform releases or asks again. The terminal decides nothing here and remembers nothing: whatever breaks off, the next
//! tap settles it by the card's counter. CREDIT FOR LOAD is sent once per release and never repeated.
//!
//! A card is asked for its 3DES key first. One that does not know it is asked for that of SM4, with the same nonce and
//! amount, and from then on only for that one: INITIALIZE changes nothing on a card that refuses it.

use card::session::{Kind, Stamp as CardStamp};
use card::status::Status;
use card::terminal::{self, CardFault, LoadAnswer, ProveAnswer};
use ledger::{Fen, Micros};
use link::{LoadInit, Proof, Stage, Stamp, ToPlatform, ToTerminal, Words};
use rules::ids::TerminalNo;

use super::later;

/// INITIALIZEs in one stage. A hold is short: what then still waits is loaded by the next one (R33).
pub const MOST_ROUNDS: u8 = 32;

/// Numbers for questions, so that an answer to an earlier one is not taken for the answer to this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks(u32);

impl Asks {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// A stage under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    card: u64,
    /// The key that INITIALIZE names.
    key: u8,
    terminal: TerminalNo,
    stage: Stage,
    ask: u32,
    rounds: u8,
    at: At,
    /// How long an answer of the platform may take.
    patience_micros: i64,
    until: Option<Micros>,
    crediting: Option<Fen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// The platform was asked to open the stage.
    Opening,
    /// The card is asked for proofs of earlier purchases.
    Proving { nonce: [u8; 3], amount: u32, left: Vec<u16>, asked: Asked, proofs: Vec<Proof> },
    /// The card was given INITIALIZE FOR LOAD.
    Initialising { terminal: [u8; 6], amount: u32, proofs: Vec<Proof> },
    /// The platform has the card's answer.
    Beginning,
    /// The card was given CREDIT FOR LOAD.
    Crediting { k: u32 },
    /// The platform has the card's TAC.
    Confirming,
    /// Nothing more is expected.
    Over,
}

/// With which counter the card was asked for a proof; cards differ (JR/T 0025 does not say).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The one after the purchase.
    After(u16),
    /// The one before it.
    Before(u16),
}

/// What the platform said at the end of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Names this hold for an authorisation.
    pub hold: [u8; 16],
    /// Put on the card by this hold.
    pub loaded: Fen,
    /// On the card.
    pub purse: Fen,
    /// Spendable on line.
    pub account: Fen,
}

/// What a stage wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give this to the card.
    Transmit(Vec<u8>),
    /// Give this to the card: it adds this much.
    Credit {
        /// CREDIT FOR LOAD.
        command: Vec<u8>,
        /// In fen.
        amount: Fen,
    },
    /// Send this to the platform.
    Send(ToPlatform),
    /// Over; the card is proved.
    Done(Held),
    /// Over; the platform refused.
    Refused(Words),
    /// Over; the card refused a command that changes nothing.
    CardRefused(Status),
    /// Over for this hold; more waits.
    TooMany,
    /// Over; the card did not answer, or not as a whole. The next tap settles what was under way.
    Torn,
    /// Nothing: it was not for this stage.
    Ignored,
}

impl Tap {
    /// Opens a stage for the selected card, whose INITIALIZE names `key`. Gives the stage and the question to the platform.
    pub fn open(
        asks: &mut Asks,
        (card, key): (u64, u8),
        terminal: TerminalNo,
        stage: Stage,
        patience_micros: i64,
        now: Micros,
    ) -> (Tap, ToPlatform) {
        let ask = asks.next();
        let until = Some(later(now, patience_micros));
        let (rounds, at, crediting) = (0, At::Opening, None);
        let tap = Tap { card, key, terminal, stage, ask, rounds, at, patience_micros, until, crediting };
        (tap, ToPlatform::TapOpen { ask, card, stage })
    }

    /// The card.
    pub fn number(&self) -> u64 {
        self.card
    }

    /// The key that the card knows, as far as it was asked.
    pub fn key(&self) -> u8 {
        self.key
    }

    /// Which stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What is being put on the card, from CREDIT FOR LOAD on.
    pub fn crediting(&self) -> Option<Fen> {
        self.crediting
    }

    /// When the platform's answer is late; `None` while the card is asked.
    pub fn deadline(&self) -> Option<Micros> {
        self.until
    }

    /// Notes whose turn it is after `step`.
    fn turned(&mut self, step: Step, now: Micros) -> Step {
        match &step {
            Step::Send(_) => self.until = Some(later(now, self.patience_micros)),
            Step::Credit { amount, .. } => (self.crediting, self.until) = (Some(*amount), None),
            Step::Ignored => {}
            Step::Transmit(_)
            | Step::Done(_)
            | Step::Refused(_)
            | Step::CardRefused(_)
            | Step::TooMany
            | Step::Torn => self.until = None,
        }
        step
    }

    /// The platform's turn; else the card's.
    pub fn waits_for_platform(&self) -> bool {
        match self.at {
            At::Opening | At::Beginning | At::Confirming => true,
            At::Proving { .. } | At::Initialising { .. } | At::Crediting { .. } | At::Over => false,
        }
    }

    /// The platform spoke.
    pub fn platform(&mut self, message: &ToTerminal, now: Micros) -> Step {
        let step = self.heard(message);
        self.turned(step, now)
    }

    fn heard(&mut self, message: &ToTerminal) -> Step {
        match message {
            ToTerminal::TapNonce { ask, nonce, amount, prove } if self.expects(*ask, &At::Opening) => {
                let left = prove.iter().rev().copied().collect();
                self.prove_next(*nonce, *amount, left, Vec::new())
            }
            ToTerminal::TapAgain { ask, nonce, amount } if self.expects_answer(*ask) => {
                self.initialise(*nonce, *amount, Vec::new())
            }
            ToTerminal::TapRelease { ask, k, amount, stamp, mac2 } if self.expects(*ask, &At::Beginning) => {
                self.at = At::Crediting { k: *k };
                let Stamp { date, time } = *stamp;
                let command = terminal::credit_load(CardStamp { date, time }, *mac2);
                Step::Credit { command, amount: card::session::fen(*amount) }
            }
            ToTerminal::TapDone { ask, hold, loaded, purse, account } if self.expects_any(*ask) => {
                self.at = At::Over;
                Step::Done(Held {
                    hold: *hold,
                    loaded: card::session::fen(*loaded),
                    purse: card::session::fen(*purse),
                    account: Fen::new(*account),
                })
            }
            ToTerminal::TapRefused { ask, words } if self.expects_any(*ask) => {
                self.at = At::Over;
                Step::Refused(words.clone())
            }
            _ => Step::Ignored,
        }
    }

    fn expects(&self, ask: u32, at: &At) -> bool {
        self.ask == ask && self.at == *at
    }

    fn expects_answer(&self, ask: u32) -> bool {
        self.expects(ask, &At::Beginning) || self.expects(ask, &At::Confirming)
    }

    fn expects_any(&self, ask: u32) -> bool {
        self.ask == ask && self.waits_for_platform()
    }

    /// The card answered; fewer than two bytes say that it did not.
    pub fn card(&mut self, asks: &mut Asks, answer: &[u8], now: Micros) -> Step {
        let step = self.answered(asks, answer);
        self.turned(step, now)
    }

    fn answered(&mut self, asks: &mut Asks, answer: &[u8]) -> Step {
        match std::mem::replace(&mut self.at, At::Over) {
            At::Proving { nonce, amount, left, asked, proofs } => {
                self.proved(answer, nonce, amount, left, asked, proofs)
            }
            At::Initialising { terminal, amount, proofs } => match LoadAnswer::parse(answer) {
                Ok(init) => {
                    self.at = At::Beginning;
                    self.ask = asks.next();
                    let init = load_init(&init, amount, terminal);
                    Step::Send(ToPlatform::TapBegin { ask: self.ask, card: self.card, init, proofs })
                }
                Err(CardFault::Status(status)) if answer.len() == 2 => match terminal::next_key(self.key, status) {
                    Some(key) => {
                        self.key = key;
                        self.ask_card(terminal, amount, proofs)
                    }
                    None => Step::CardRefused(status),
                },
                Err(_) => Step::Torn,
            },
            // Whatever is not a whole TAC may be the rest of one: only the card's counter says at the next tap what was.
            At::Crediting { k } => match terminal::parse_credit(answer) {
                Ok(tac) => {
                    self.at = At::Confirming;
                    self.ask = asks.next();
                    Step::Send(ToPlatform::TapConfirm { ask: self.ask, card: self.card, k, tac })
                }
                Err(_) => Step::Torn,
            },
            waiting @ (At::Opening | At::Beginning | At::Confirming | At::Over) => {
                self.at = waiting;
                Step::Ignored
            }
        }
    }

    fn proved(
        &mut self,
        answer: &[u8],
        nonce: [u8; 3],
        amount: u32,
        left: Vec<u16>,
        asked: Asked,
        mut proofs: Vec<Proof>,
    ) -> Step {
        match (ProveAnswer::parse(answer), asked) {
            (Ok(proof), Asked::After(m) | Asked::Before(m)) => {
                proofs.push(Proof { m, tac: proof.tac });
                self.prove_next(nonce, amount, left, proofs)
            }
            (Err(CardFault::Status(_)), Asked::After(m)) if answer.len() == 2 => {
                self.at = At::Proving { nonce, amount, left, asked: Asked::Before(m), proofs };
                Step::Transmit(terminal::prove(Kind::Purchase, m))
            }
            (Err(CardFault::Status(_)), Asked::Before(_)) if answer.len() == 2 => {
                self.prove_next(nonce, amount, left, proofs)
            }
            (Err(_), _) => Step::Torn,
        }
    }

    /// Asks for the next proof, or goes on to INITIALIZE when none is left. `left` is taken from its end.
    fn prove_next(&mut self, nonce: [u8; 3], amount: u32, mut left: Vec<u16>, proofs: Vec<Proof>) -> Step {
        let Some(m) = left.pop() else {
            return self.initialise(nonce, amount, proofs);
        };
        self.at = At::Proving { nonce, amount, left, asked: Asked::After(m), proofs };
        // The counter has sixteen bits and stops before it would start anew; a card at its end has no proof under zero.
        Step::Transmit(terminal::prove(Kind::Purchase, m.wrapping_add(1)))
    }

    fn initialise(&mut self, nonce: [u8; 3], amount: u32, proofs: Vec<Proof>) -> Step {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds > MOST_ROUNDS {
            self.at = At::Over;
            return Step::TooMany;
        }
        self.ask_card(self.terminal.with(nonce), amount, proofs)
    }

    fn ask_card(&mut self, terminal: [u8; 6], amount: u32, proofs: Vec<Proof>) -> Step {
        self.at = At::Initialising { terminal, amount, proofs };
        Step::Transmit(terminal::init_load_with(self.key, amount, terminal))
    }
}

fn load_init(answer: &LoadAnswer, amount: u32, terminal: [u8; 6]) -> LoadInit {
    LoadInit {
        amount,
        terminal,
        old_balance: answer.old_balance,
        n: answer.n,
        key_version: answer.key_version,
        algorithm: answer.algorithm,
        random: answer.random,
        mac1: answer.mac1,
    }
}
