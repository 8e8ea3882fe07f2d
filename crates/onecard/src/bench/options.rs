//! What `onecard bench ledger` is told.

use std::path::PathBuf;

use super::load::Until;
use super::onecard::{Case, Effort};
use super::pgbench::PgOptions;
use super::result::Engine;
use super::workload::{Keys, Pattern};

/// Options of `onecard bench ledger`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Folder on the file system that is to be measured; a folder of the bench's own is made in it and removed again.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Rounds; in each one every engine runs once, in another order.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many disturbed runs are repeated, in all rounds together [default: as many as there are rounds].
    #[arg(long, value_name = "N")]
    extra: Option<u32>,
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
    /// File for the results, JSON.
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// One short round on a small book: shows that everything works, says nothing about speed.
    #[arg(long)]
    pub quick: bool,
}

/// The sizes of a bench, after `--quick` had its say.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Where the work folder is made.
    pub dir: PathBuf,
    /// Rounds.
    pub rounds: u32,
    /// Disturbed runs that may be repeated.
    pub extra: u32,
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
    /// Time for the disk in each calibration, milliseconds.
    pub calibration_ms: u64,
}

impl Options {
    /// What is to be done.
    pub fn sizes(&self) -> Sizes {
        let mut accounts = unique(&self.accounts);
        if self.quick {
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
        let transfers = if self.quick { Some(self.transfers.unwrap_or(4000).min(4000)) } else { self.transfers };
        let until = transfers.map_or(Until::Seconds(self.seconds), Until::Transfers);
        let rounds = if self.quick { 1 } else { self.rounds };
        Sizes {
            dir: self.dir.clone(),
            rounds,
            extra: if self.quick { 0 } else { self.extra.unwrap_or(rounds) },
            effort: Effort { until, window: self.window },
            reference_seconds: if self.quick { 1 } else { self.seconds },
            accounts,
            sqlite_single: self.engines.contains(&Engine::SqliteSingle),
            cases,
            keys,
            rows: self.rows,
            tail: self.tail,
            singles: if self.quick { 20 } else { 1000 },
            people: if self.quick { 300 } else { 100_000 },
            calibration_ms: if self.quick { 20 } else { 700 },
        }
    }
}

/// Each once, in the order of the first time.
fn unique<T: Copy + PartialEq>(given: &[T]) -> Vec<T> {
    let mut once = Vec::new();
    for value in given {
        if !once.contains(value) {
            once.push(*value);
        }
    }
    once
}
