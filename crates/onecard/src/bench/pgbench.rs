//! Reference: PostgreSQL under its own TPC-B, in a cluster of the bench's own that listens on a socket file only.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cleanup::Cleanup;
use super::machine;
use super::result::Figures;
use super::say::Say;
use crate::Failure;
use crate::prompt::Said;

/// Users as whom a server may run when the bench itself runs as root, the first that exists.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Longest path of a socket file's folder: the system allows 107 bytes for the whole.
const LONGEST_SOCKET: usize = 80;
/// What must be in force; it is asked back from the server.
const DURABLE: [(&str, &str); 3] = [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")];
/// Only part of the socket file's name: the server listens on no port.
const PORT: &str = "54329";

/// How PostgreSQL takes part.
#[derive(clap::Args, Clone, Debug)]
pub struct PgOptions {
    /// Folder with PostgreSQL's programs (initdb, pg_ctl, pgbench); without it this reference is skipped.
    #[arg(long, value_name = "DIR")]
    pub pgbin: Option<PathBuf>,
    /// Scale of pgbench's database: 100,000 accounts and 15 MB each.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pg_scale: u32,
    /// Numbers of pgbench clients that are tried; the two best are used.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 8, 16, 32, 64],
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pg_clients: Vec<u32>,
}

impl PgOptions {
    /// The same; a quick bench fills the smallest database.
    pub fn when(&self, quick: bool) -> PgOptions {
        let pg_scale = if quick { 1 } else { self.pg_scale };
        PgOptions { pg_scale, ..self.clone() }
    }
}

/// A running cluster with pgbench's tables.
pub struct Pgbench {
    place: Place,
    /// Client counts that are used, the best first.
    best: Vec<u32>,
    seconds: u64,
    /// What the server calls itself.
    pub version: Option<String>,
}

/// Where the programs and files are, and as whom they run.
#[derive(Clone)]
struct Place {
    bin: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    user: Option<(u32, u32)>,
}

impl Place {
    /// A program of PostgreSQL, as the user of the cluster.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.current_dir(&self.socket).env("LC_ALL", "C").env_remove("PGOPTIONS");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// A program that connects.
    fn client(&self, name: &str) -> Command {
        let mut command = self.program(name);
        command.arg("-h").arg(&self.socket).args(["-p", PORT, "-U", "bench"]);
        command
    }

    fn stop(&self) {
        for mode in ["fast", "immediate"] {
            let mut stop = self.program("pg_ctl");
            stop.arg("-D").arg(&self.data).args(["-w", "-t", "30", "-m", mode, "stop"]);
            let ended = stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if ended.is_ok_and(|status| status.success()) {
                break;
            }
        }
        // Made by the bench beside the work folder when the path of that is too long; else it goes with the folder.
        let _ = fs::remove_dir_all(&self.socket);
    }
}

impl Pgbench {
    /// Makes and starts a cluster in the work folder, fills it, and tries the client counts.
    ///
    /// Error: says what to do. The server is stopped by `cleanup`, whatever happens.
    pub fn start(
        bin: &Path,
        options: &PgOptions,
        seconds: u64,
        cleanup: &Cleanup,
        say: &Say,
    ) -> Result<Pgbench, Failure> {
        let place = place(bin, cleanup)?;
        say.step("pgbench: making a cluster");
        make_cluster(&place, cleanup)?;
        let stopping = place.clone();
        cleanup.server_started(Box::new(move || stopping.stop()));
        let mut start = place.program("pg_ctl");
        start.arg("-D").arg(&place.data).arg("-l").arg(place.data.join("server.log"));
        cleanup.run(start.args(["-w", "-t", "60", "start"])).map_err(|why| {
            let log = fs::read_to_string(place.data.join("server.log")).unwrap_or_default();
            Said(format!("{why} {}", log.trim()))
        })?;
        require_durable(&place, cleanup)?;
        let scale = options.pg_scale;
        say.step(&format!("pgbench: filling scale {scale}"));
        cleanup.run(place.client("pgbench").args(["-i", "-q", "-s", &scale.to_string(), "postgres"]))?;
        cleanup.run(place.client("psql").args(["-c", "CHECKPOINT", "postgres"]))?;
        let mut pgbench = Pgbench { place, best: Vec::new(), seconds, version: None };
        pgbench.version = machine::version_of(&bin.join("postgres"), "--version");
        let mut tried = Vec::new();
        for clients in &options.pg_clients {
            say.step(&format!("pgbench: trying {clients} clients"));
            let figures = pgbench.once(*clients, seconds.div_ceil(3), cleanup)?;
            tried.push((figures.per_second, *clients));
        }
        tried.sort_unstable_by(|a, b| b.cmp(a));
        pgbench.best = tried.into_iter().take(2).map(|(_, clients)| clients).collect();
        Ok(pgbench)
    }

    /// The better of the two best client counts.
    pub fn run(&mut self, cleanup: &Cleanup) -> Result<Figures, Failure> {
        let mut best = Figures::default();
        for clients in &self.best {
            let figures = self.once(*clients, self.seconds, cleanup)?;
            if figures.per_second >= best.per_second {
                best = figures;
            }
        }
        // What it still has to write back shall not disturb who runs next.
        cleanup.run(self.place.client("psql").args(["-c", "CHECKPOINT", "postgres"]))?;
        Ok(best)
    }

    fn once(&self, clients: u32, seconds: u64, cleanup: &Cleanup) -> Result<Figures, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().try_into().unwrap_or(1));
        let mut pgbench = self.place.client("pgbench");
        pgbench.args(["-n", "-M", "prepared", "-c", &clients.to_string(), "-j", &clients.min(cores).to_string()]);
        let output = cleanup.run(pgbench.args(["-T", &seconds.to_string(), "postgres"]))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        read(&said, clients).ok_or_else(|| Said(format!("pgbench's figures cannot be read: {said}")).into())
    }
}

/// Reads what pgbench prints at its end.
fn read(said: &str, clients: u32) -> Option<Figures> {
    let after = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let whole = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    let moved: u64 = after("number of transactions actually processed:").and_then(whole)?;
    let per_second: u64 = after("tps =").and_then(whole)?;
    let micros = (u128::from(moved) * 1_000_000).checked_div(u128::from(per_second)).unwrap_or(0);
    Some(Figures {
        per_second,
        micros: u64::try_from(micros).unwrap_or(0),
        acknowledged: moved,
        moved,
        clients: Some(clients),
        ..Figures::default()
    })
}

fn place(bin: &Path, cleanup: &Cleanup) -> Result<Place, Failure> {
    for name in ["initdb", "pg_ctl", "postgres", "pgbench", "psql"] {
        if !bin.join(name).exists() {
            return Err(Said(format!(
                "there is no {name} in {}: name PostgreSQL's folder of programs with --pgbin, such as \
                 /usr/lib/postgresql/17/bin",
                bin.display()
            ))
            .into());
        }
    }
    let folder = cleanup.path("postgresql");
    fs::create_dir_all(&folder)?;
    let user = server_user()?;
    let mut socket = folder.clone();
    if socket.as_os_str().len() > LONGEST_SOCKET {
        socket = std::env::temp_dir().join(format!("onecard-bench-pg-{}", std::process::id()));
        fs::create_dir_all(&socket)?;
    }
    if let Some((user, group)) = user {
        chown(&folder, Some(user), Some(group))?;
        chown(&socket, Some(user), Some(group))?;
    }
    Ok(Place { bin: bin.canonicalize()?, data: folder.join("data"), socket, user })
}

/// As whom the server runs: `None` for as whom the bench runs. Error: nobody is there for root to become.
fn server_user() -> Result<Option<(u32, u32)>, Failure> {
    if machine::user_id() != Some(0) {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = USERS.into_iter().find_map(ids);
    found.map(Some).ok_or_else(|| {
        Said(
            "PostgreSQL does not run as root, and there is no user postgres or nobody: run the bench as another user"
                .to_owned(),
        )
        .into()
    })
}

fn make_cluster(place: &Place, cleanup: &Cleanup) -> Result<(), Failure> {
    let mut initdb = place.program("initdb");
    initdb.arg("-D").arg(&place.data).args(["-U", "bench", "--auth=trust", "-E", "UTF8", "--no-locale"]);
    cleanup.run(&mut initdb).map_err(|why| {
        Said(format!(
            "{why}; may the server's user enter every folder above {}? If not, choose another with --dir",
            place.data.display()
        ))
    })?;
    let memory = machine::Machine::look(&place.data).memory_mib;
    let settings = format!(
        "listen_addresses = ''\nunix_socket_directories = '{}'\nport = {PORT}\nmax_connections = 1100\n\
         fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nshared_buffers = {}MB\n\
         max_wal_size = 16GB\ncheckpoint_timeout = 30min\n",
        place.socket.display(),
        (memory / 4).clamp(128, 4096)
    );
    let path = place.data.join("postgresql.conf");
    let all = fs::read_to_string(&path)? + &settings;
    fs::write(&path, all)?;
    Ok(())
}

/// Asks the server what is in force. Error: a power cut could lose what it acknowledged, so nothing is compared.
fn require_durable(place: &Place, cleanup: &Cleanup) -> Result<(), Failure> {
    for (setting, wanted) in DURABLE {
        let asked = cleanup.run(place.client("psql").args(["-At", "-c", &format!("SHOW {setting}"), "postgres"]))?;
        let found = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        if found != wanted {
            return Err(Said(format!("PostgreSQL runs {setting} = {found} where {wanted} is needed")).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_pgbench_are_read() {
        let said = "transaction type: <builtin: TPC-B (sort of)>\nscaling factor: 100\n\
            number of transactions actually processed: 41021\nnumber of failed transactions: 0 (0.000%)\n\
            latency average = 3.897 ms\ntps = 4104.873211 (without initial connection time)\n";
        let figures = read(said, 16).expect("figures");
        assert_eq!((figures.per_second, figures.moved, figures.clients), (4104, 41021, Some(16)));
        assert!((9_900_000..10_100_000).contains(&figures.micros), "{}", figures.micros);
        assert!(read("pgbench: error: connection failed", 16).is_none());
    }
}
