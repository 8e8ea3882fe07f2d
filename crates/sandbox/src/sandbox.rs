use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::{error, info};

use crate::clock::{Clock, SystemClock};
use crate::config::Setup;
use crate::page::Style;
use crate::records::{Keeper, Records, Unsaved};
use crate::redirect::Redirects;
use crate::wechat::{self, WechatKeys, WechatKeysError};
use crate::{control, deliver, page};

/// The providers' side of the payment protocols, in one process. Clones share one state.
///
/// Shape: state lives in memory, and in `state.json` of the configured folder if there is one.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Setup,
    keys: WechatKeys,
    redirects: Redirects,
    style: Style,
    clock: Box<dyn Clock>,
    client: reqwest::Client,
    records: Mutex<Records>,
    keeper: Option<Keeper>,
    due: Notify,
}

/// The sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key or number of the WeChat part cannot be used.
    #[error(transparent)]
    Wechat(#[from] WechatKeysError),
    /// The folder cannot be used, or its `state.json` is not one.
    #[error("cannot use the sandbox's folder")]
    Folder(#[source] io::Error),
    /// No HTTP client could be made.
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
}

impl Sandbox {
    /// A sandbox on the machine's clock.
    ///
    /// Errors: as [`Sandbox::with_clock`].
    pub fn new(setup: Setup) -> Result<Sandbox, StartError> {
        Sandbox::with_clock(setup, SystemClock)
    }

    /// A sandbox on a clock of the caller's.
    ///
    /// Errors, in order: `Wechat`, `Folder`, `Client`.
    pub fn with_clock(setup: Setup, clock: impl Clock + 'static) -> Result<Sandbox, StartError> {
        let keys = WechatKeys::read(&setup.wechat)?;
        let (keeper, records) = match &setup.folder {
            Some(folder) => {
                let (keeper, records) = Keeper::open(folder).map_err(StartError::Folder)?;
                (Some(keeper), records)
            }
            None => (None, Records::default()),
        };
        let inner = Inner {
            redirects: Redirects::to(&setup.allowed_redirect_hosts),
            style: Style::new(),
            client: deliver::client()?,
            clock: Box::new(clock),
            records: Mutex::new(records),
            due: Notify::new(),
            setup,
            keys,
            keeper,
        };
        Ok(Sandbox { inner: Arc::new(inner) })
    }

    /// All pages and calls: the provider's API, OAuth, the cashier and the operator's controls.
    ///
    /// Who mounts it in a server of their own also runs [`Sandbox::run_notices`], else no notice is sent.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(control::home))
            .merge(control::router())
            .merge(page::assets(&self.inner.style))
            .merge(wechat::router(self))
            .fallback(page::not_found)
            .with_state(self.clone())
    }

    /// Serves the router and sends notices until the future is dropped or the listener fails.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        if let Ok(address) = listener.local_addr() {
            info!(%address, "the sandbox listens on {address}");
        }
        let router = self.router();
        tokio::select! {
            result = axum::serve(listener, router) => result,
            never = self.run_notices() => match never {},
        }
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.inner.setup
    }

    pub(crate) fn keys(&self) -> &WechatKeys {
        &self.inner.keys
    }

    pub(crate) fn redirects(&self) -> &Redirects {
        &self.inner.redirects
    }

    pub(crate) fn style(&self) -> &Style {
        &self.inner.style
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.inner.clock.as_ref()
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.inner.client
    }

    /// Reads the records.
    pub(crate) fn look<T>(&self, read: impl FnOnce(&Records) -> T) -> T {
        read(&self.lock())
    }

    /// Changes what no file keeps.
    pub(crate) fn touch<T>(&self, change: impl FnOnce(&mut Records) -> T) -> T {
        change(&mut self.lock())
    }

    /// Changes the records and writes them down; a refused change must have left them as they were.
    ///
    /// The file is written while the lock is held, so that two changes cannot overtake each other on the disk, and in
    /// one go, so that a caller who hangs up cannot leave a half.
    pub(crate) fn change<T, E: From<Unsaved>>(
        &self,
        change: impl FnOnce(&mut Records) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut records = self.lock();
        let done = change(&mut records)?;
        if let Some(keeper) = &self.inner.keeper
            && let Err(cause) = keeper.write(&records)
        {
            error!(%cause, "the sandbox could not write its state");
            return Err(Unsaved.into());
        }
        Ok(done)
    }

    /// Tells the background half that a notice may be due.
    pub(crate) fn wake(&self) {
        self.inner.due.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.inner.due.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        // A panic while the lock was held ended one request; the others go on with what stands there.
        self.inner.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
