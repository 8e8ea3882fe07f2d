//! The platform as `onecard serve` wires it, as far as a bench needs it: engine, one listener, reporting table, log.
//!
//! Left out are the other listener, and the jobs that come due.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use flows::School;
use flows::ports::WeChat;
use keys::Keyring;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::clock::SteadyClock;
use crate::demo::SCHOOL;
use crate::engine::{self, Files};
use crate::prompt::{Said, start_log_to};
use crate::serve::loopback;
use crate::{Failure, listen, reports};

/// The server's log goes to this file, as that of a service does.
pub fn start_log(path: &Path) -> Result<(), Failure> {
    start_log_to("info", false, Arc::new(File::create(path)?));
    Ok(())
}

/// A free place of this machine where nobody is answered yet.
pub struct Bound {
    listener: TcpListener,
    /// Where.
    pub address: SocketAddr,
    /// What the platform goes by.
    pub clock: Arc<SteadyClock>,
}

impl Bound {
    /// Takes a free port.
    pub fn new() -> Result<Bound, Failure> {
        let listener = listen::bind(loopback(0))?;
        let address = listener.local_addr()?;
        Ok(Bound { listener, address, clock: Arc::new(SteadyClock::new()) })
    }
}

/// A platform that answers.
pub struct Serving {
    runtime: Runtime,
    running: engine::Running,
    handle: Handle<SocketAddr>,
    listening: JoinHandle<Result<(), Failure>>,
    reports: JoinHandle<()>,
    /// Where.
    pub address: SocketAddr,
}

impl Serving {
    /// Opens the book in `data` and lets `listen` answer at the place that was taken.
    pub fn start<L>(
        data: &Path,
        keyring: &Keyring,
        wechat: Arc<dyn WeChat>,
        bound: Bound,
        listen: impl FnOnce(TcpListener, School, Handle<SocketAddr>) -> L,
    ) -> Result<Serving, Failure>
    where
        L: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let Bound { listener, address, clock } = bound;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let running = engine::start(Files { data, anchors: None }, SCHOOL, keyring, wechat, clock)?;
        let handle = Handle::new();
        let listening = runtime.spawn(listen(listener, running.school.clone(), handle.clone()));
        let reports = runtime.spawn(reports::feed(data.to_owned(), SCHOOL));
        Ok(Serving { runtime, running, handle, listening, reports, address })
    }

    /// The school that it serves.
    pub const fn school(&self) -> &School {
        &self.running.school
    }

    /// Waits for a flow.
    pub fn block_on<T>(&self, flow: impl Future<Output = T>) -> T {
        self.runtime.block_on(flow)
    }

    /// Answers what it has, then closes the book. Error: something ended before.
    pub fn stop(self) -> Result<(), Failure> {
        self.reports.abort();
        self.handle.graceful_shutdown(Some(Duration::from_secs(5)));
        let ended = self.runtime.block_on(self.listening);
        self.running.stop()?;
        // A chunk of the reporting table may still be under way; its file goes with the folder.
        self.runtime.shutdown_timeout(Duration::from_secs(30));
        ended.map_err(|_| Said("the listener ended by itself".to_owned()))?
    }
}
