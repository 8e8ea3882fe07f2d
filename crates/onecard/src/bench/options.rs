//! What `onecard bench ledger` is told.

use std::path::PathBuf;

use super::load::Until;
use super::onecard::{Case, Effort};
use super::pgbench::PgOptions;
use super::result::Engine;
use super::rounds::{RoundOptions, Rounds, unique};
use super::workload::{Keys, Pattern};

/// Options of `onecard bench ledger`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Rounds.
    #[command(flatten)]
    pub course: RoundOptions,
    /// Seconds that each run is measured.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600),
        conflicts_with = "transfers")]
    seconds: u64,
    /// Transfers of each run, instead of a time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..))]
    transfers: Option<u64>,
    /// Numbers of accounts, the first one for every comparison that needs only one.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [10_000, 1_000_000],
        value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    accounts: Vec<u32>,
    /// How accounts are chosen.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_enum,
        default_values_t = [Pattern::Uniform, Pattern::Zipf, Pattern::Hot])]
    patterns: Vec<Pattern>,
    /// How a repeated transfer is recognised: by its client's numbers, or by a row of its own.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_enum,
        default_values_t = [Keys::Stream, Keys::Transfer])]
    keys: Vec<Keys>,
    /// Transfers in flight.
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = clap::value_parser!(u64).range(128..=1_000_000))]
    window: u64,
    /// Grows the history to so many rows and compares the last million with the first (10000000 for target P3).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2_000_000..))]
    rows: Option<u64>,
    /// Measures a start that has so many journal rows to replay (1000000 for the target).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..))]
    tail: Option<u64>,
    /// Who runs; the last two only with their programs.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_enum,
        default_values_t = [Engine::Onecard, Engine::SqliteSingle, Engine::Pgbench, Engine::Tigerbeetle])]
    pub engines: Vec<Engine>,
    /// PostgreSQL.
    #[command(flatten)]
    pub postgresql: PgOptions,
    /// TigerBeetle's program; without it this reference is skipped.
    #[arg(long, value_name = "FILE")]
    pub tigerbeetle_bin: Option<PathBuf>,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// How many rounds.
    pub rounds: Rounds,
    /// Each run.
    pub effort: Effort,
    /// Seconds of a reference that can only be told a time.
    pub reference_seconds: u64,
    /// Numbers of accounts.
    pub accounts: Vec<u32>,
    /// Whether SQLite with one transaction for each transfer runs.
    pub sqlite_single: bool,
    /// The onecard runs of a round.
    pub cases: Vec<Case>,
    /// Kinds of keys, without repetition.
    pub keys: Vec<Keys>,
    /// See [`Options`].
    pub rows: Option<u64>,
    /// See [`Options`].
    pub tail: Option<u64>,
    /// Single transfers, one at a time.
    pub singles: u32,
    /// People in the book whose start is measured.
    pub people: u32,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        let mut accounts = unique(&self.accounts);
        if self.course.quick {
            accounts = unique(&accounts.iter().map(|many| (*many).min(1000)).collect::<Vec<_>>());
        }
        let keys = unique(&self.keys);
        let mut cases = Vec::new();
        let own = self.engines.contains(&Engine::Onecard);
        for many in accounts.iter().filter(|_| own) {
            for pattern in unique(&self.patterns) {
                cases.extend(keys.iter().map(|keys| Case { pattern, accounts: *many, keys: *keys }));
            }
        }
        let transfers = if self.course.quick { Some(self.transfers.unwrap_or(4000).min(4000)) } else { self.transfers };
        let until = transfers.map_or(Until::Seconds(self.seconds), Until::Transfers);
        Sizes {
            rounds: self.course.rounds(),
            effort: Effort { until, window: self.window },
            reference_seconds: if self.course.quick { 1 } else { self.seconds },
            accounts,
            sqlite_single: self.engines.contains(&Engine::SqliteSingle),
            cases,
            keys,
            rows: self.rows,
            tail: self.tail,
            singles: if self.course.quick { 20 } else { 1000 },
            people: if self.course.quick { 300 } else { 100_000 },
        }
    }
}
