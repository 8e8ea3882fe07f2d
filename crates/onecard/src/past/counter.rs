//! A window of a past: the product's terminal agent with its purchase module, talking to the platform's flows in one thread.

use std::collections::VecDeque;

use card::chip::Chip;
use card::psam::SoftPsam;
use device::agent::display::Screen;
use device::agent::pos::{Config, Input, Output, PosAgent};
use device::journal::State;
use flows::rows::Enrolment;
use flows::terminal::{self, NewTerminal};
use flows::{School, terminal_link};
use keys::Keyring;
use ledger::Fen;

use super::Liver;
use crate::Failure;
use crate::prompt::{Refused, Said};

/// A terminal that is on and connected.
pub struct Counter {
    agent: PosAgent<SoftPsam>,
    enrolment: Enrolment,
}

impl Counter {
    /// Enrols the terminal and greets the platform.
    pub async fn open(school: &School, keyring: &Keyring, new: NewTerminal) -> Result<Counter, Failure> {
        let (certificate, number) = (new.certificate, new.terminal);
        terminal::enrol(school, new).await.map_err(Refused::from)?;
        let enrolment = terminal::by_certificate(school, certificate).await?;
        let enrolment = enrolment.ok_or_else(|| Said(format!("terminal {number} was enrolled and is not there")))?;
        let masters = keyring.card_masters().iter().map(|(version, masters)| (*version, masters.purchase.clone()));
        let module = SoftPsam::new(number.with([0; 3]), masters.collect());
        let (agent, outputs) = PosAgent::start(Config::usual(school.random()), module, State::default(), school.now());
        let mut counter = Counter { agent, enrolment };
        counter.carry_out(school, None, outputs.into()).await;
        counter.give(school, None, Input::LinkUp).await;
        Ok(counter)
    }

    /// One customer: the clerk enters the price, the card is held until the terminal is done with it, and taken away.
    ///
    /// Error: the card could not pay what it has the money for.
    pub async fn serve(&mut self, school: &School, liver: &mut Liver, price: Fen) -> Result<(), Failure> {
        self.give(school, None, Input::Tick).await;
        self.give(school, None, Input::SaleEntered(price)).await;
        self.give(school, Some(&mut liver.chip), Input::CardIn).await;
        let screen = self.agent.screen();
        liver.chip.power_off();
        self.give(school, None, Input::CardOut).await;
        match screen {
            Screen::Paid(_) => Ok(()),
            // Somebody who has too little goes without.
            Screen::Refused { balances: Some(_), .. } => {
                self.give(school, None, Input::SaleCancelled).await;
                Ok(())
            }
            other => {
                Err(Said(format!("card {} was to pay {price} and the terminal shows {other:?}", liver.card)).into())
            }
        }
    }

    async fn give(&mut self, school: &School, chip: Option<&mut Chip>, input: Input) {
        let outputs = self.agent.handle(input, school.now());
        self.carry_out(school, chip, outputs.into()).await;
    }

    async fn carry_out(&mut self, school: &School, mut chip: Option<&mut Chip>, mut outputs: VecDeque<Output>) {
        while let Some(output) = outputs.pop_front() {
            let inputs = match output {
                Output::Transmit(command) => match chip.as_deref_mut() {
                    Some(chip) => vec![Input::Apdu(chip.process(&command, &mut || school.random()))],
                    None => Vec::new(),
                },
                Output::Send(message) => {
                    let answers = terminal_link::answer(school, &self.enrolment, message).await;
                    answers.into_iter().map(Input::Platform).collect()
                }
                // No past loses its power: what is written is kept as long as it lasts.
                Output::Journal { token, .. } => vec![Input::Written(token)],
                Output::JournalDelete { .. } | Output::Show(_) => Vec::new(),
            };
            for input in inputs {
                outputs.extend(self.agent.handle(input, school.now()));
            }
        }
    }
}
