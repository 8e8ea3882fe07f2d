//! Nothing is left behind: the work folder goes, servers stop, also when the bench fails or is interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Failure;
use crate::prompt::Said;
use crate::serve::stop_asked;

/// How a server of the bench is stopped; called once.
type StopServer = Box<dyn FnOnce() + Send>;

/// What must be undone at the end, whoever comes to the end first. Dropping the last owner undoes it.
#[derive(Clone)]
pub struct Cleanup(Arc<Mutex<Left>>);

struct Left {
    folder: PathBuf,
    keep: bool,
    server: Option<StopServer>,
    child: Option<u32>,
}

impl Drop for Left {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Left {
    fn undo(&mut self) {
        if let Some(id) = self.child.take() {
            // A child that has ended meanwhile is no fault.
            let _ = Command::new("kill").arg(id.to_string()).stderr(Stdio::null()).status();
        }
        if let Some(stop) = self.server.take() {
            stop();
        }
        if !self.keep && self.folder.exists() {
            // What the bench has just made can only be missing already.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Cleanup {
    /// Makes a work folder in `dir`, and watches for Ctrl-C and SIGTERM: they stop and remove everything and end the
    /// process with exit code 1.
    pub fn begin(dir: &Path) -> Result<Cleanup, Failure> {
        let folder = dir.join(format!("onecard-bench-{}", std::process::id()));
        let made = fs::create_dir_all(&folder).and_then(|()| folder.canonicalize());
        let folder = made.map_err(|why| {
            Said(format!("cannot make {}: {why}; choose another folder with --dir", folder.display()))
        })?;
        let cleanup = Cleanup(Arc::new(Mutex::new(Left { folder, keep: false, server: None, child: None })));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The watcher holds no share of its own, so that the bench's own end is the end.
        let left = Arc::downgrade(&cleanup.0);
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            runtime.block_on(stop_asked());
            if let Some(left) = left.upgrade() {
                lock(&left).undo();
            }
            eprintln!("onecard: interrupted; servers are stopped and the work folder is removed");
            std::process::exit(1);
        })?;
        Ok(cleanup)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        lock(&self.0)
    }

    /// A path in the work folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.left().folder.join(name)
    }

    /// The folder stays, for someone to look at.
    pub fn keep_folder(&self) {
        self.left().keep = true;
    }

    /// A server runs from now on; `stop` stops it.
    pub fn server_started(&self, stop: StopServer) {
        self.left().server = Some(stop);
    }

    /// Stops the server, if one runs.
    pub fn stop_server(&self) {
        let stop = self.left().server.take();
        if let Some(stop) = stop {
            stop();
        }
    }

    /// Runs a program to its end, and ends it early when the bench is interrupted.
    ///
    /// Error: it cannot be started, or does not end well; the sentence has its last words.
    pub fn run(&self, command: &mut Command) -> Result<Output, Failure> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = self.started(command).map_err(|why| Said(format!("cannot run {name}: {why}")))?;
        let output = child.wait_with_output();
        self.left().child = None;
        let output = output?;
        if output.status.success() {
            return Ok(output);
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Said(format!("{name} ended with {}: {words}", output.status)).into())
    }

    fn started(&self, command: &mut Command) -> std::io::Result<Child> {
        let mut left = self.left();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        left.child = Some(child.id());
        Ok(child)
    }
}

fn lock(left: &Mutex<Left>) -> MutexGuard<'_, Left> {
    left.lock().unwrap_or_else(PoisonError::into_inner)
}
