//! The server as `onecard serve` wires it, as far as notices meet it: engine, router, listener, reporting table.
//!
//! Left out: the gateway, because there are no terminals, and the jobs that come due. In life a notice comes seconds after
//! its order; here all orders wait for theirs at once, and each would be asked about at a provider that is not there.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use flows::School;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::prepared::NO_PROVIDER;
use crate::clock::SteadyClock;
use crate::demo::{Folder, SCHOOL, web_config};
use crate::engine::{self, Files};
use crate::prompt::{Said, start_log_to};
use crate::serve::loopback;
use crate::{Failure, listen, reports};

/// A server that answers.
pub struct Serving {
    runtime: Runtime,
    running: engine::Running,
    handle: Handle<SocketAddr>,
    pages: JoinHandle<Result<(), Failure>>,
    reports: JoinHandle<()>,
    /// Where.
    pub address: SocketAddr,
}

/// The server's log, a line for each notice, goes to this file, as that of a service does.
pub fn start_log(path: &Path) -> Result<(), Failure> {
    start_log_to("info", false, Arc::new(File::create(path)?));
    Ok(())
}

impl Serving {
    /// Opens the book in `data` and listens on a free port of this machine.
    pub fn start(data: &Path, keys: &Folder) -> Result<Serving, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = listen::bind(loopback(0))?;
        let address = listener.local_addr()?;
        let base = format!("http://{address}");
        let clock = Arc::new(SteadyClock::new());
        let wechat = keys.channel(NO_PROVIDER, &base, Arc::clone(&clock))?;
        let files = Files { data, anchors: None };
        let running = engine::start(files, SCHOOL, keys.keyring(), wechat.clone(), clock)?;
        let config = web_config(&base, NO_PROVIDER, wechat);
        let router = web::router(web::Web::new(running.school.clone(), config));
        let handle = Handle::new();
        let pages_handle = handle.clone();
        let pages = runtime.spawn(async move { listen::pages(listener, router, None, pages_handle).await });
        let reports = runtime.spawn(reports::feed(data.to_owned(), SCHOOL));
        Ok(Serving { runtime, running, handle, pages, reports, address })
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
        let ended = self.runtime.block_on(self.pages);
        self.running.stop()?;
        // A chunk of the reporting table may still be under way; its file goes with the folder.
        self.runtime.shutdown_timeout(Duration::from_secs(30));
        ended.map_err(|_| Said("the listener ended by itself".to_owned()))?
    }
}
