//! Facts about the machine and this process, from `/proc`. What cannot be read is empty or 0.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// Clock ticks of `/proc` in a second, as every Linux has them.
const TICKS_PER_SECOND: u64 = 100;

/// Where the figures come from.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors this process may use.
    pub cores: u64,
    /// What the processor calls itself.
    pub processor: String,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Kind of the file system of the work folder.
    pub file_system: String,
    /// What it lies on.
    pub device: String,
}

/// What was measured with what.
#[derive(Clone, Debug, Serialize)]
pub struct Versions {
    /// This program.
    pub onecard: String,
    /// Its source, when the build was told (`ONECARD_COMMIT`).
    pub commit: Option<String>,
    /// `release` or `debug`.
    pub build: &'static str,
    /// SQLite, built in.
    pub sqlite: String,
    /// PostgreSQL, when it took part.
    pub postgresql: Option<String>,
    /// TigerBeetle, when it took part.
    pub tigerbeetle: Option<String>,
}

impl Machine {
    /// Looks at the machine and at the file system under `dir`.
    pub fn look(dir: &Path) -> Machine {
        let (file_system, device) = file_system(dir);
        Machine {
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get().try_into().unwrap_or(0)),
            processor: field("/proc/cpuinfo", "model name"),
            memory_mib: number(&field("/proc/meminfo", "MemTotal")) / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            file_system,
            device,
        }
    }
}

impl Versions {
    /// This program's own; the references add theirs.
    pub fn own() -> Versions {
        Versions {
            onecard: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("ONECARD_COMMIT").map(str::to_owned),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            sqlite: rusqlite::version().to_owned(),
            postgresql: None,
            tigerbeetle: None,
        }
    }
}

/// First line that a program prints about itself.
pub fn version_of(program: &Path, ask: &str) -> Option<String> {
    let said = Command::new(program).arg(ask).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().trim().to_owned();
    (!said.is_empty()).then_some(said)
}

/// Processor time of this process so far, microseconds.
pub fn cpu_micros() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets that may hold blanks; the times are the 14th and 15th.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(number).sum();
    ticks * 1_000_000 / TICKS_PER_SECOND
}

/// Processor time of the calling thread so far, nanoseconds; 0 where the kernel does not count it.
pub fn thread_cpu_nanos() -> u64 {
    number(&fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default())
}

/// Memory of this process that is in use now, KiB.
pub fn resident_kib() -> u64 {
    number(&field("/proc/self/status", "VmRSS"))
}

/// Who this process runs as: its effective user.
pub fn user_id() -> Option<u32> {
    let ids = field("/proc/self/status", "Uid");
    ids.split_whitespace().nth(1)?.parse().ok()
}

/// The digits that `text` begins with.
fn number(text: &str) -> u64 {
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// What stands after the colon of the line that begins with `name`.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or(String::new(), |(_, value)| value.trim().to_owned())
}

/// Kind and source of the mount that holds `dir`.
fn file_system(dir: &Path) -> (String, String) {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let parts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).filter(|parts| parts.len() > 2);
    let holding = parts.filter(|parts| dir.starts_with(parts[1]));
    holding
        .max_by_key(|parts| parts[1].len())
        .map_or_else(Default::default, |parts| (parts[2].to_owned(), parts[0].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_known_by_its_facts() {
        let machine = Machine::look(Path::new("."));
        assert!(machine.cores > 0 && machine.memory_mib > 0, "{machine:?}");
        assert!(!machine.kernel.is_empty() && !machine.file_system.is_empty(), "{machine:?}");
        assert!(resident_kib() > 0 && user_id().is_some());
    }
}
