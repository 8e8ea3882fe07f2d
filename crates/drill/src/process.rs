//! The server as a process: started, watched, killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::AccountKey;

use crate::operation::Operation;
use crate::point::Point;
use crate::wire::{Ask, Sums, Told, read_sums, read_told};

/// How often a process or a file is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// How long a server may take to end once it must: a thousand looks a second.
const LOOKS: u32 = 30_000;

/// Lets real processes and real disks get on with it for a while.
pub(crate) fn pause(time: Duration) {
    // May end early, which a drill does not mind: nothing that it concludes depends on how long it waited.
    std::thread::park_timeout(time);
}

pub(crate) use crate::server::STORE_FAILED;

/// Where a drill has its things.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The drill's own binary, which is the server too.
    pub binary: PathBuf,
    /// The server's data folder.
    pub data: PathBuf,
    /// What must survive whatever is done to the data folder.
    pub notes: PathBuf,
}

impl Places {
    /// Where clients connect: below the system's folder, since the name of a socket must be short.
    pub(crate) fn socket(&self) -> PathBuf {
        let name = self.notes.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        std::env::temp_dir().join(format!("onecard-drill-{}-{name}", std::process::id()))
    }

    fn mark(&self) -> PathBuf {
        self.notes.join("died-at")
    }
}

/// How the server is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    /// Let it die at this point, at that passing.
    pub die: Option<(Point, u64)>,
    /// Let it sync less than the product does.
    pub weaker: Option<&'static str>,
}

/// A running server. It is killed when this value goes.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    errors: Option<JoinHandle<String>>,
    socket: PathBuf,
    /// Rows that it replayed at its start.
    pub replayed: u64,
    /// The newest row at its start.
    pub head: u64,
}

/// How a server ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it said on its standard error.
    pub said: String,
}

impl End {
    /// For people.
    pub(crate) fn told(&self) -> String {
        format!("{}: {}", self.status, self.said.trim().replace('\n', "; "))
    }
}

/// What a start came to.
#[derive(Debug)]
pub(crate) enum Started {
    /// It serves.
    Ready(Server),
    /// It ended before.
    Ended(End),
}

impl Server {
    /// Starts a server and waits until it serves or has ended.
    pub(crate) fn start(places: &Places, manner: &Manner) -> Result<Started, String> {
        let told = |what: &str, fault: &std::io::Error| format!("{what}: {fault}");
        for old in [places.socket(), places.mark()] {
            match std::fs::remove_file(&old) {
                Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
                    return Err(told(&format!("cannot remove {}", old.display()), &fault));
                }
                _ => {}
            }
        }
        let mut command = Command::new(&places.binary);
        command.arg("server").arg("--data").arg(&places.data).arg("--socket").arg(places.socket());
        if let Some((point, passing)) = &manner.die {
            command.args(["--die-at", &format!("{}:{passing}", point.name), "--mark"]).arg(places.mark());
        }
        if let Some(weaker) = manner.weaker {
            command.args(["--synchronous", weaker]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|fault| told("cannot start the server", &fault))?;
        let input = child.stdin.take();
        let errors = child.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                drop(pipe.read_to_end(&mut text));
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        let mut line = String::new();
        if let Some(pipe) = child.stdout.take() {
            BufReader::new(pipe).read_line(&mut line).map_err(|fault| told("the server says nothing", &fault))?;
        }
        let mut server = Server { child, input, errors, socket: places.socket(), replayed: 0, head: 0 };
        match ready(&line) {
            Some((replayed, head)) => {
                (server.replayed, server.head) = (replayed, head);
                Ok(Started::Ready(server))
            }
            None => Ok(Started::Ended(server.end()?)),
        }
    }

    /// Starts a server that must serve.
    pub(crate) fn must_start(places: &Places, manner: &Manner) -> Result<Server, String> {
        match Server::start(places, manner)? {
            Started::Ready(server) => Ok(server),
            Started::Ended(end) => Err(format!("the server does not start: {}", end.told())),
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> Result<End, String> {
        for _ in 0..LOOKS {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(End { status, said: self.said() }),
                Ok(None) => pause(LOOK),
                Err(fault) => return Err(format!("the server was lost: {fault}")),
            }
        }
        Err("the server does not end by itself".to_owned())
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<End, String> {
        let lost = |fault: std::io::Error| format!("the server cannot be killed: {fault}");
        self.child.kill().map_err(lost)?;
        let status = self.child.wait().map_err(lost)?;
        Ok(End { status, said: self.said() })
    }

    /// Asks it to answer what it has and to end.
    pub(crate) fn ask_to_stop(&mut self) -> Result<(), String> {
        match &mut self.input {
            Some(input) => input.write_all(b"stop\n").map_err(|fault| format!("the server does not listen: {fault}")),
            None => Ok(()),
        }
    }

    /// Lets it answer what it has and end well.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.ask_to_stop()?;
        let end = self.end()?;
        if end.status.success() { Ok(()) } else { Err(format!("the server did not stop well: {}", end.told())) }
    }

    fn said(&mut self) -> String {
        self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is as well.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.socket));
    }
}

/// Reads `ready <rows replayed> <newest row>`.
fn ready(line: &str) -> Option<(u64, u64)> {
    let (replayed, head) = line.trim_end().strip_prefix("ready ")?.split_once(' ')?;
    Some((replayed.parse().ok()?, head.parse().ok()?))
}

/// Whether an end was a death at this point: aborted, with its mark left.
pub(crate) fn died_at(places: &Places, end: &End, point: Point) -> bool {
    const ABORTED: i32 = 6;
    let mark = std::fs::read_to_string(places.mark()).unwrap_or_default();
    end.status.signal() == Some(ABORTED) && mark == point.name
}

/// Whether an end was by our own kill.
pub(crate) fn was_killed(end: &End) -> bool {
    const KILLED: i32 = 9;
    end.status.signal() == Some(KILLED)
}

/// What the server has on these accounts.
pub(crate) fn ask_sums(socket: &Path, accounts: &[AccountKey]) -> Result<Vec<Sums>, String> {
    let told = |fault: std::io::Error| format!("the server does not tell its sums: {fault}");
    let stream = UnixStream::connect(socket).map_err(told)?;
    let mut lines = BufReader::new(&stream).lines();
    let mut sums = Vec::with_capacity(accounts.len());
    for account in accounts {
        (&stream).write_all(format!("{}\n", Ask::Sums(*account)).as_bytes()).map_err(told)?;
        let line = lines.next().transpose().map_err(told)?.unwrap_or_default();
        sums.push(read_sums(&line).ok_or_else(|| format!("the server says of a sum: {line:?}"))?);
    }
    Ok(sums)
}

/// What the server says of one operation.
pub(crate) fn ask(socket: &Path, operation: Operation) -> Result<Told, String> {
    let told = |fault: std::io::Error| format!("the server does not answer: {fault}");
    let stream = UnixStream::connect(socket).map_err(told)?;
    (&stream).write_all(format!("{}\n", Ask::Do(operation)).as_bytes()).map_err(told)?;
    let line = BufReader::new(&stream).lines().next().transpose().map_err(told)?.unwrap_or_default();
    read_told(&line).map(|(_, told)| told).ok_or_else(|| format!("the server says {line:?}"))
}
