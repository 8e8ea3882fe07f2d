//! Reference: TigerBeetle's own benchmark, which makes and ends a server of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cleanup::Cleanup;
use super::histogram::Percentiles;
use super::machine;
use super::result::Figures;
use crate::Failure;
use crate::prompt::Said;

/// Transfers of a run when only a time was asked for: some ten seconds' work.
const TRANSFERS: u64 = 2_000_000;

/// TigerBeetle's program and how it is asked.
pub struct TigerBeetle {
    program: PathBuf,
    accounts: u32,
    transfers: u64,
    /// What it calls itself.
    pub version: Option<String>,
}

impl TigerBeetle {
    /// The program `program`, to run `transfers` between `accounts`. Error: there is no such file.
    pub fn new(program: &Path, accounts: u32, transfers: Option<u64>) -> Result<TigerBeetle, Failure> {
        let program = program.canonicalize().map_err(|why| {
            Said(format!("cannot use {}: {why}; name TigerBeetle's program with --tigerbeetle-bin", program.display()))
        })?;
        let version = machine::version_of(&program, "version");
        Ok(TigerBeetle { program, accounts, transfers: transfers.unwrap_or(TRANSFERS), version })
    }

    /// One run in the work folder: its data file lies on the same file system.
    pub fn run(&self, cleanup: &Cleanup) -> Result<Figures, Failure> {
        let folder = cleanup.path("tigerbeetle");
        fs::create_dir_all(&folder)?;
        let mut benchmark = Command::new(&self.program);
        benchmark.current_dir(&folder).arg("benchmark");
        benchmark.arg(format!("--account-count={}", self.accounts));
        benchmark.arg(format!("--transfer-count={}", self.transfers));
        benchmark.arg(format!("--file={}", folder.join("0_0.tigerbeetle").display()));
        let output = cleanup.run(&mut benchmark)?;
        fs::remove_dir_all(&folder)?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        read(&said, self.transfers).ok_or_else(|| Said(format!("TigerBeetle's figures cannot be read: {said}")).into())
    }
}

/// Reads what its benchmark prints; latencies are those of whole batches.
fn read(said: &str, transfers: u64) -> Option<Figures> {
    let after = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim_start);
    let number = |text: &str| {
        let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '_').collect();
        digits.replace('_', "").parse::<u64>().ok()
    };
    let per_second = after("load accepted =").and_then(number).filter(|rate| *rate > 0)?;
    let batch = |name: &str| {
        let text = after(&format!("batch latency {name} ="))?;
        let value = number(text)?;
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').trim();
        match unit {
            "ms" => Some(value * 1000),
            "us" => Some(value),
            _ => None,
        }
    };
    let latency_us = batch("p50").zip(batch("p99")).map(|(p50, p99)| {
        let most = batch("p100").unwrap_or(p99);
        Percentiles { p50, p99, p999: most, most }
    });
    let micros = u128::from(transfers) * 1_000_000 / u128::from(per_second);
    Some(Figures {
        per_second,
        micros: u64::try_from(micros).unwrap_or(0),
        acknowledged: transfers,
        moved: transfers,
        latency_us,
        ..Figures::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_tigerbeetles_benchmark_are_read() {
        let said = "1221 batches in 67.31 s\ntransfer batch size = 8190 txs\ntransfer batch delay = 0 us\n\
            load accepted = 148557 tx/s\nbatch latency p1 = 30 ms\nbatch latency p50 = 49 ms\n\
            batch latency p99 = 120 ms\nbatch latency p100 = 133 ms\n\nrss = 1 bytes\n";
        let figures = read(said, 10_000_000).expect("figures");
        assert_eq!((figures.per_second, figures.moved), (148_557, 10_000_000));
        let latency = figures.latency_us.expect("latencies");
        assert_eq!((latency.p50, latency.p99, latency.most), (49_000, 120_000, 133_000));
        assert!(read("error: unexpected argument", 1).is_none());
        assert!(read("load accepted = 0 tx/s", 1).is_none());
    }
}
