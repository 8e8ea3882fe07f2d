//! What `onecard bench tap` is told.

use super::super::rounds::{RoundOptions, Rounds};
use super::card_time::CardTime;

/// Options of `onecard bench tap`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Rounds.
    #[command(flatten)]
    pub course: RoundOptions,
    /// Numbers of terminals that tap at once, each as fast as it can.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 20],
        value_parser = clap::value_parser!(u16).range(1..=500))]
    terminals: Vec<u16>,
    /// Taps of each kind in each run, of all terminals together; the first of each terminal is made besides and not measured.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    taps: u32,
    /// Card-time model: milliseconds for each command of the card, without its bytes.
    #[arg(long, value_name = "MS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    card_ms: u64,
    /// Card-time model: milliseconds more for a command that changes the card's memory.
    #[arg(long, value_name = "MS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    card_write_ms: u64,
    /// Card-time model: microseconds for each byte on the air; 85 at 106 kbit/s.
    #[arg(long, value_name = "US", default_value_t = 85, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    card_byte_us: u64,
    /// Card-time model: milliseconds for each command of the purchase module.
    #[arg(long, value_name = "MS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    module_ms: u64,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// How many rounds.
    pub rounds: Rounds,
    /// Numbers of terminals, each once.
    pub terminals: Vec<u16>,
    /// Taps of each kind in each run, at least.
    pub taps: u32,
    /// The card-time model.
    pub card_time: CardTime,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            rounds: self.course.rounds(),
            terminals: self.course.at_once(&self.terminals),
            taps: self.course.at_most(self.taps, 6),
            card_time: CardTime {
                command_us: self.card_ms * 1000,
                write_us: self.card_write_ms * 1000,
                byte_us: self.card_byte_us,
                module_us: self.module_ms * 1000,
            },
        }
    }
}

impl Sizes {
    /// Taps of each kind that each of so many terminals makes, with the one that is not measured.
    pub fn taps_each(&self, terminals: u16) -> u32 {
        self.taps.div_ceil(u32::from(terminals)) + 1
    }

    /// Cards that one kind of tap needs in the largest run.
    pub fn cards_of_a_kind(&self) -> u32 {
        self.terminals.iter().map(|many| u32::from(*many) * self.taps_each(*many)).max().unwrap_or(0)
    }
}
