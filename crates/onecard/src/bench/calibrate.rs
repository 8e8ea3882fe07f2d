//! How fast the machine is at this moment: one disk and one processor figure, taken before and after each run.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::cleanup::Cleanup;
use super::histogram::percentile;
use super::load::{micros_since, tick};
use super::workload::{Draw, mixed};
use crate::Failure;

/// Bytes that are written over.
const SIZE: u64 = 16 * 1024 * 1024;
const BLOCK: [u8; 4096] = [0x5A; 4096];
const LEAST_SYNCS: usize = 50;
const LOOPS: u64 = 50_000_000;
/// A run is disturbed when the later figure is more than this many hundredths of the earlier one, or the other way round.
const DISTURBED: u64 = 125;

/// What the machine did at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calibration {
    /// Overwrites of 4 KiB, each followed by `fdatasync`, in a second.
    pub syncs_per_second: u64,
    /// Half of them took at most so long, microseconds.
    pub sync_p50_us: u64,
    /// 99 of 100 took at most so long, microseconds.
    pub sync_p99_us: u64,
    /// Rounds of an arithmetic loop in a second, millions.
    pub cpu_million_loops_per_second: u64,
}

impl Calibration {
    /// Whether so much lies between the two that what was measured between them does not count.
    pub fn disturbed(&self, after: &Calibration) -> bool {
        let apart = |a: u64, b: u64| a.max(b) * 100 > a.min(b) * DISTURBED;
        apart(self.sync_p50_us.max(1), after.sync_p50_us.max(1))
            || apart(self.cpu_million_loops_per_second, after.cpu_million_loops_per_second)
    }
}

/// The file and the loop.
pub struct Calibrator {
    file: File,
    draw: Draw,
    span: Duration,
}

impl Calibrator {
    /// Makes the file in `dir`, every block of it on the disk; each look takes about `span` for the disk.
    fn new(dir: &Path, span: Duration) -> Result<Calibrator, Failure> {
        let file = File::options().create(true).truncate(true).read(true).write(true).open(dir.join("calibration"))?;
        for at in (0..SIZE).step_by(BLOCK.len()) {
            file.write_all_at(&BLOCK, at)?;
        }
        file.sync_all()?;
        Ok(Calibrator { file, draw: Draw::new(1), span })
    }

    /// The file in the bench's work folder; each look takes about so many milliseconds for the disk.
    pub fn of_bench(cleanup: &Cleanup, millis: u64) -> Result<Calibrator, Failure> {
        let folder = cleanup.path("calibration.d");
        fs::create_dir_all(&folder)?;
        Calibrator::new(&folder, Duration::from_millis(millis))
    }

    /// One overwrite made durable, nanoseconds.
    pub fn sync_once(&mut self) -> Result<u64, Failure> {
        let at = self.draw.below(SIZE / 4096) * 4096;
        let began = tick();
        self.file.write_all_at(&BLOCK, at)?;
        self.file.sync_data()?;
        Ok(u64::try_from(tick().duration_since(began).as_nanos()).unwrap_or(u64::MAX))
    }

    /// Looks at the machine.
    pub fn look(&mut self) -> Result<Calibration, Failure> {
        let began = tick();
        let mut nanos = Vec::new();
        while nanos.len() < LEAST_SYNCS || tick().duration_since(began) < self.span {
            nanos.push(self.sync_once()?);
        }
        let sync_micros = micros_since(began).max(1);
        let syncs = u64::try_from(nanos.len()).unwrap_or(0);
        nanos.sort_unstable();
        let began = tick();
        let sum = (0..LOOPS).fold(0, |sum, at| mixed(sum ^ at));
        black_box(sum);
        let cpu_micros = micros_since(began).max(1);
        Ok(Calibration {
            syncs_per_second: syncs * 1_000_000 / sync_micros,
            sync_p50_us: percentile(&nanos, 50) / 1000,
            sync_p99_us: percentile(&nanos, 99) / 1000,
            cpu_million_loops_per_second: LOOPS / cpu_micros,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_disturbed_when_disk_or_processor_differ_by_more_than_a_quarter() {
        let at = |sync_p50_us, cpu_million_loops_per_second| Calibration {
            sync_p50_us,
            cpu_million_loops_per_second,
            ..Calibration::default()
        };
        let table = [
            ("the same", at(100, 400), at(100, 400), false),
            ("at the bound", at(100, 400), at(125, 500), false),
            ("slower disk", at(100, 400), at(126, 400), true),
            ("faster disk", at(126, 400), at(100, 400), true),
            ("slower processor", at(100, 400), at(100, 319), true),
        ];
        for (what, before, after, disturbed) in table {
            assert_eq!(before.disturbed(&after), disturbed, "{what}");
        }
    }
}
