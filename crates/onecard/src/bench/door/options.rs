//! What `onecard bench door` is told.

use super::super::rounds::{RoundOptions, Rounds};
use super::knocks::MOST_TRIES;

/// Options of `onecard bench door`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Rounds.
    #[command(flatten)]
    pub course: RoundOptions,
    /// Wrong guesses of each kind in each run, one at a time, the kinds in no order.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    guesses: u32,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// How many rounds.
    pub rounds: Rounds,
    /// Wrong guesses of each kind in each run.
    pub guesses: u32,
}

impl Options {
    /// What is to be done. Error: more runs than guesses at one number stay below its lock.
    pub fn sizes(&self) -> Result<Sizes, String> {
        let rounds = self.course.rounds();
        let runs = i64::from(rounds.rounds) + i64::from(rounds.extra);
        // Each run guesses once at every number, and one guess goes before all runs.
        if runs + 1 >= MOST_TRIES {
            return Err(format!(
                "{runs} runs would lock the numbers that are guessed at: at most {} with --rounds and --extra together",
                MOST_TRIES - 2
            ));
        }
        Ok(Sizes { rounds, guesses: self.course.at_most(self.guesses, 4) })
    }
}
