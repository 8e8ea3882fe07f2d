//! What `onecard bench topup` is told.

use std::path::PathBuf;

use super::super::load::Until;
use super::super::pgbench::PgOptions;
use super::super::rounds::Rounds;

/// Notices prepared for each second of a run; a machine that takes more of them ends its run earlier.
const MOST_PER_SECOND: u64 = 20_000;
/// Notices before each measurement, so that connections, caches and the log are warm.
const WARM_UP: u64 = 2_000;

/// Options of `onecard bench topup`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Folder on the file system that is to be measured; a folder of the bench's own is made in it and removed again.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Rounds; in each one onecard and the reference run once, in another order.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many disturbed runs are repeated, in all rounds together [default: as many as there are rounds].
    #[arg(long, value_name = "N")]
    extra: Option<u32>,
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
    /// File for the results, JSON.
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// One short round with few notices: shows that everything works, says nothing about speed.
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
    /// Time for the disk in each calibration, milliseconds.
    pub calibration_ms: u64,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        let given = if self.quick { Some(self.notices.unwrap_or(1000).min(1000)) } else { self.notices };
        let measured = given.unwrap_or(self.seconds * MOST_PER_SECOND);
        let warm_up = WARM_UP.min(measured / 10);
        let rounds = if self.quick { 1 } else { self.rounds };
        let extra = if self.quick { 0 } else { self.extra.unwrap_or(rounds) };
        Sizes {
            dir: self.dir.clone(),
            rounds: Rounds { rounds, extra },
            until: given.map_or(Until::Seconds(self.seconds), Until::Transfers),
            notices: warm_up + measured,
            warm_up,
            connections: self.connections,
            reference_seconds: if self.quick { 1 } else { self.seconds },
            calibration_ms: if self.quick { 20 } else { 700 },
        }
    }
}
