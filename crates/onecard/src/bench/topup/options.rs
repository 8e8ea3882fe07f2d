//! What `onecard bench topup` is told.

use super::super::load::Until;
use super::super::pgbench::PgOptions;
use super::super::rounds::{RoundOptions, Rounds};

/// Notices prepared for each second of a run; a machine that takes more of them ends its run earlier.
const MOST_PER_SECOND: u64 = 20_000;
/// Notices before each measurement, so that connections, caches and the log are warm.
const WARM_UP: u64 = 2_000;

/// Options of `onecard bench topup`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Rounds.
    #[command(flatten)]
    pub course: RoundOptions,
    /// Seconds that each run is measured at most; 20,000 notices are signed beforehand for each of them.
    #[arg(long, value_name = "S", default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=60),
        conflicts_with = "notices")]
    seconds: u64,
    /// Notices of each run, instead of a time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..=2_000_000))]
    notices: Option<u64>,
    /// Connections over which notices come, each with one notice at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// PostgreSQL.
    #[command(flatten)]
    pub postgresql: PgOptions,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// How many rounds.
    pub rounds: Rounds,
    /// When a measurement ends, besides when every notice was sent.
    pub until: Until,
    /// Notices that are signed for each run, those of the warm-up included.
    pub notices: u64,
    /// The first of them, which are not measured.
    pub warm_up: u64,
    /// Connections.
    pub connections: u16,
    /// Seconds of the reference.
    pub reference_seconds: u64,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        let given = if self.course.quick { Some(self.notices.unwrap_or(1000).min(1000)) } else { self.notices };
        let measured = given.unwrap_or(self.seconds * MOST_PER_SECOND);
        let warm_up = WARM_UP.min(measured / 10);
        Sizes {
            rounds: self.course.rounds(),
            until: given.map_or(Until::Seconds(self.seconds), Until::Transfers),
            notices: warm_up + measured,
            warm_up,
            connections: self.connections,
            reference_seconds: if self.course.quick { 1 } else { self.seconds },
        }
    }
}
