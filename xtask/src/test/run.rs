//! Running programs: aloud with a log, or quietly for an answer.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// What says nothing for so long is stuck. It is ended, so that a run says what it was instead of waiting for ever.
const SILENCE: Duration = Duration::from_secs(12 * 60);

/// A program that has ended.
pub struct Done {
    /// Whether it ended well.
    pub success: bool,
    /// All lines of both of its outputs.
    pub lines: Vec<String>,
    /// The same lines in a file.
    pub log: PathBuf,
}

/// Runs a program at `root`, passing its output on line by line and keeping it in `<logs>/<name>.log`.
///
/// Errors: it cannot be started, it said nothing for twelve minutes and was ended with all that it had started, or its output
/// cannot be kept.
pub fn aloud(line: &[String], root: &Path, logs: &Path, name: &str) -> Result<Done, String> {
    within(SILENCE, line, root, logs, name)
}

fn within(silence: Duration, line: &[String], root: &Path, logs: &Path, name: &str) -> Result<Done, String> {
    let log = logs.join(format!("{}.log", name.replace(' ', "-")));
    let told = |error: std::io::Error| format!("cannot write {}: {error}", log.display());
    std::fs::create_dir_all(logs).map_err(told)?;
    let mut file = File::create(&log).map_err(told)?;
    let (program, arguments) = line.split_first().ok_or("an empty command line")?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    let (sender, receiver) = channel();
    let out = child.stdout.take().map(|pipe| pass_on(pipe, sender.clone()));
    let err = child.stderr.take().map(|pipe| pass_on(pipe, sender));
    let mut lines = Vec::new();
    while let Some(line) = next(&receiver, silence).inspect_err(|_| end(child.id()))? {
        println!("   {line}");
        writeln!(file, "{line}").map_err(told)?;
        lines.push(line);
    }
    for thread in [out, err].into_iter().flatten() {
        thread.join().map_err(|_| format!("the output of `{program}` could not be read"))?;
    }
    let status = child.wait().map_err(|error| format!("`{program}` was lost: {error}"))?;
    Ok(Done { success: status.success(), lines, log })
}

/// The next line, or `None` when there will be none.
fn next(receiver: &Receiver<String>, silence: Duration) -> Result<Option<String>, String> {
    match receiver.recv_timeout(silence) {
        Ok(line) => Ok(Some(line)),
        Err(RecvTimeoutError::Disconnected) => Ok(None),
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("it said nothing for {} s and was ended: its last line says what is stuck", silence.as_secs()))
        }
    }
}

/// Ends a process and all that it started, the youngest first. What is gone already is passed over.
fn end(process: u32) {
    for child in children(process) {
        end(child);
    }
    let _ = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status();
}

/// The processes that a process has started and that still run.
fn children(process: u32) -> Vec<u32> {
    let line = ["-o", "pid=", "--ppid", &process.to_string()];
    let listed = answer("ps", &line, Path::new("/")).unwrap_or_default();
    listed.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn pass_on(pipe: impl Read + Send + 'static, sender: Sender<String>) -> JoinHandle<()> {
    spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if sender.send(line).is_err() {
                break;
            }
        }
    })
}

/// What a program prints, or `None` if it cannot be started or ends badly.
pub fn answer<S: AsRef<OsStr>>(program: S, arguments: &[&str], root: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Seconds since it was started.
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one clock of this program; it only tells people how long they waited"
    )]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Whole seconds so far.
    pub fn seconds(&self) -> u64 {
        self.0.elapsed().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, name: &str) -> Result<Done, String> {
        let logs = std::env::temp_dir().join(format!("xtask-run-{}", std::process::id()));
        aloud(&["sh", "-c", script].map(str::to_owned), Path::new("/"), &logs, name)
    }

    #[test]
    fn output_of_both_kinds_is_kept_with_the_exit_status() {
        let done = shell("echo one; echo two >&2; printf '\\377three'; exit 3", "both kinds").expect("a shell");
        let mut lines = done.lines.clone();
        lines.sort();
        assert_eq!(lines, ["one", "two", "\u{FFFD}three"]);
        assert!(!done.success);
        assert_eq!(std::fs::read_to_string(&done.log).expect("a log").lines().count(), 3);
        assert!(done.log.ends_with("both-kinds.log"));
        assert!(shell("true", "good").expect("a shell").success);
    }

    #[test]
    fn what_says_nothing_for_too_long_is_ended_with_all_that_it_started() {
        let logs = std::env::temp_dir().join(format!("xtask-run-{}", std::process::id()));
        // The shell's child keeps the output open: it must go too, or nobody would see the end.
        let line = ["sh", "-c", "sleep 600 & echo $!; wait"].map(str::to_owned);
        let error = within(Duration::from_secs(2), &line, Path::new("/"), &logs, "stuck").err();
        assert!(error.is_some_and(|error| error.contains("said nothing for 2 s and was ended")));
        let said = std::fs::read_to_string(logs.join("stuck.log")).expect("a log");
        let state = answer("ps", &["-o", "stat=", "-p", said.trim()], Path::new("/")).unwrap_or_default();
        assert!(state.is_empty() || state.starts_with('Z'), "{said} is {state}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = aloud(&["no-such-program".to_owned()], Path::new("/"), &std::env::temp_dir(), "x").err();
        assert!(error.is_some_and(|error| error.contains("no-such-program")));
        assert_eq!(answer("no-such-program", &[], Path::new("/")), None);
        assert_eq!(answer("sh", &["-c", "exit 1"], Path::new("/")), None);
        assert_eq!(answer("sh", &["-c", "echo yes"], Path::new("/")), Some("yes\n".to_owned()));
    }
}
