//! What `onecard bench pages` is told.

use super::super::rounds::{RoundOptions, Rounds};

/// Options of `onecard bench pages`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Rounds.
    #[command(flatten)]
    pub course: RoundOptions,
    /// People with a past.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    people: u32,
    /// Days of that past, a whole month at least: two purchases a day each, and a top-up when the card is nearly empty.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(32..=800))]
    days: u32,
    /// Numbers of readers who ask at once, each for the next page as soon as one is there.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 8],
        value_parser = clap::value_parser!(u16).range(1..=500))]
    readers: Vec<u16>,
    /// Answers of each page in each run, of all readers together.
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    visits: u32,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// How many rounds.
    pub rounds: Rounds,
    /// People with a past.
    pub people: u32,
    /// Days of it.
    pub days: u32,
    /// Numbers of readers, each once.
    pub readers: Vec<u16>,
    /// Answers of each page in each run.
    pub visits: u32,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            rounds: self.course.rounds(),
            people: self.course.at_most(self.people, 5),
            days: self.course.at_most(self.days, 32),
            readers: self.course.at_once(&self.readers),
            visits: self.course.at_most(self.visits, 4),
        }
    }
}
