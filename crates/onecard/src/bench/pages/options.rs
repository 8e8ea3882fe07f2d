//! What `onecard bench pages` is told.

use std::path::PathBuf;

use super::super::rounds::Rounds;

/// Options of `onecard bench pages`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Folder on the file system that is to be measured; a folder of the bench's own is made in it and removed again.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Rounds; in each one every number of readers runs once, in another order.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many disturbed runs are repeated, in all rounds together [default: as many as there are rounds].
    #[arg(long, value_name = "N")]
    extra: Option<u32>,
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
    /// File for the results, JSON.
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// One short round with few people and days: shows that everything works, says nothing about speed.
    #[arg(long)]
    pub quick: bool,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Where the work folder is made.
    pub dir: PathBuf,
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
    /// Time for the disk in each calibration, milliseconds.
    pub calibration_ms: u64,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        let quick = |given: u32, most: u32| if self.quick { given.min(most) } else { given };
        let rounds = quick(self.rounds, 1);
        let mut readers: Vec<u16> = Vec::new();
        for many in &self.readers {
            let many = if self.quick { (*many).min(3) } else { *many };
            if !readers.contains(&many) {
                readers.push(many);
            }
        }
        Sizes {
            dir: self.dir.clone(),
            rounds: Rounds { rounds, extra: if self.quick { 0 } else { self.extra.unwrap_or(rounds) } },
            people: quick(self.people, 5),
            days: quick(self.days, 32),
            readers,
            visits: quick(self.visits, 4),
            calibration_ms: if self.quick { 20 } else { 700 },
        }
    }
}
