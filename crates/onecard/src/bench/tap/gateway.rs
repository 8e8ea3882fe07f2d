//! The platform as `onecard serve` wires it, as far as terminals meet it: engine, gateway over mutual TLS, reporting table.
//!
//! Left out: the pages, because nobody looks at them, and the jobs that come due, because nothing does within a run.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use flows::School;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::school::Paid;
use crate::clock::SteadyClock;
use crate::demo::SCHOOL;
use crate::engine::no_channel::NoChannel;
use crate::engine::{self, Files};
use crate::prompt::Said;
use crate::serve::loopback;
use crate::{Failure, listen, reports};

/// A platform that takes terminals.
pub struct Gateway {
    runtime: Runtime,
    running: engine::Running,
    handle: Handle<SocketAddr>,
    listening: JoinHandle<Result<(), Failure>>,
    reports: JoinHandle<()>,
    /// Where.
    pub address: SocketAddr,
}

impl Gateway {
    /// Opens the book in `data` and listens on a free port of this machine.
    pub fn start(data: &Path, paid: &Paid) -> Result<Gateway, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = listen::bind(loopback(0))?;
        let address = listener.local_addr()?;
        let files = Files { data, anchors: None };
        let clock = Arc::new(SteadyClock::new());
        let running = engine::start(files, SCHOOL, paid.keys().keyring(), Arc::new(NoChannel), clock)?;
        let (handle, school, authority) = (Handle::new(), running.school.clone(), paid.authority()?);
        let stopped_by = handle.clone();
        let listening = runtime.spawn(async move {
            listen::terminals(listener, school, &authority, &address.ip().to_string(), stopped_by).await
        });
        let reports = runtime.spawn(reports::feed(data.to_owned(), SCHOOL));
        Ok(Gateway { runtime, running, handle, listening, reports, address })
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
        self.handle.graceful_shutdown(Some(Duration::from_secs(2)));
        let ended = self.runtime.block_on(self.listening);
        self.running.stop()?;
        // A chunk of the reporting table may still be under way; its file goes with the folder.
        self.runtime.shutdown_timeout(Duration::from_secs(30));
        ended.map_err(|_| Said("the listener ended by itself".to_owned()))?
    }
}
