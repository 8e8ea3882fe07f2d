//! Wiring of one school: store, teller thread, ports; and the jobs that come due.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flows::nonces::Nonces;
use flows::ports::{Clock, Reader, WeChat};
use flows::rows::Campus;
use flows::{School, due};
use keys::{CardMasterKeys, Keyring, SoftSecrets, SystemEntropy};
use ledger::SchoolId;
use store::sqlite::{SqliteReader, SqliteStore};
use teller::{Door, Engine, Limits, Schema, Stopped};

use crate::clock::{Ids, SteadyClock};
use crate::{Failure, anchors, backup};

/// Commands that may wait at the teller's door.
const QUEUE: usize = 8192;
/// Connections for reading that stay open.
const READERS: usize = 8;
/// Orders looked after in one round.
const DUE_AT_ONCE: u32 = 64;

/// A running school.
pub struct Running {
    /// What the flows use.
    pub school: School,
    teller: JoinHandle<Stopped>,
    anchors: anchors::Keeper,
}

/// Where the files of a school are.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// The file of anchors, where the configuration names one.
    pub anchors: Option<&'a Path>,
}

/// Opens the book and starts its teller.
///
/// Errors: a restore did not finish, another process has the book open, it is not the book that was anchored, or it does not
/// add up.
pub fn start(files: Files<'_>, id: SchoolId, keyring: &Keyring, wechat: Arc<dyn WeChat>) -> Result<Running, Failure> {
    backup::require_finished(files.data)?;
    let store = SqliteStore::open(files.data, id, Campus::TABLES)?;
    let anchors = anchors::open(files.data, files.anchors, id, keyring)?;
    anchors.require()?;
    run(store, files.data, id, keyring, wechat, anchors)
}

/// As `start`, for a restore: with anchors that are a step ahead of the book.
pub fn start_restored(
    data: &Path,
    id: SchoolId,
    keyring: &Keyring,
    anchors: anchors::Open,
) -> Result<Running, Failure> {
    let store = SqliteStore::open(data, id, Campus::TABLES)?;
    run(store, data, id, keyring, Arc::new(no_channel::NoChannel), anchors)
}

fn run(
    store: SqliteStore,
    data: &Path,
    id: SchoolId,
    keyring: &Keyring,
    wechat: Arc<dyn WeChat>,
    anchors: anchors::Open,
) -> Result<Running, Failure> {
    let reader: Arc<dyn Reader> = Arc::new(SqliteReader::open(data, id, Campus::TABLES, READERS)?);
    let mut engine = Engine::<Campus, _>::start(id, store, Box::new(Ids::new()), Limits::default())?;
    let door = Door::new(QUEUE);
    // One clock for the teller and for everything that is compared with its decisions.
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::new());
    let balances = engine.balances();
    let teller = std::thread::Builder::new().name("teller".to_owned()).spawn({
        let (door, clock) = (door.clone(), Arc::clone(&clock));
        move || teller::run(&door, &mut engine, || clock.now())
    })?;
    let anchors = anchors.keep(Arc::clone(&clock))?;
    let school = School {
        id,
        door,
        balances,
        reader,
        clock,
        entropy: Arc::new(SystemEntropy),
        secrets: Arc::new(SoftSecrets::new(keyring)?),
        card_keys: Arc::new(CardMasterKeys::new(keyring)),
        wechat,
        nonces: Arc::new(Nonces::default()),
    };
    Ok(Running { school, teller, anchors })
}

impl Running {
    /// Closes the door, lets the teller answer what is queued, and waits for it.
    ///
    /// Error: it had ended before, because the outcome of a commit was unknown.
    pub fn stop(self) -> Result<(), Failure> {
        self.school.door.close();
        let ended = self.teller.join();
        // The thread has said why.
        let _ = self.anchors.stop();
        match ended {
            Ok(Stopped::Closed) => Ok(()),
            Ok(Stopped::Store(fault)) => Err(fault.into()),
            Err(_) => Err("the teller's thread panicked; start again, recovery tells what was kept".into()),
        }
    }

    /// Whether the teller still works; when not, the process must end so that recovery can tell what was kept (M4).
    pub fn alive(&self) -> bool {
        !self.teller.is_finished()
    }
}

/// Looks after what is due, for ever.
pub async fn run_due(school: School) {
    loop {
        let pause = match due::run(&school, DUE_AT_ONCE).await {
            Ok(next) => next.since(school.now()).max(0).unsigned_abs(),
            Err(fault) => {
                tracing::error!(%fault, "what is due could not be read; trying again");
                5_000_000
            }
        };
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
}

/// A WeChat channel for commands that never touch a payment.
pub mod no_channel {
    use flows::ports::{Bridge, ChannelError, NoticeFault, PrepayWish, RawNotice, Trade, Waiting, WeChat};
    use ledger::Micros;
    use rules::ids::OrderNo;

    /// Gives no sure answer to anything, because it asks nobody.
    pub struct NoChannel;

    fn nobody() -> ChannelError {
        ChannelError::Unknown("this command talks to no payment provider".to_owned())
    }

    impl WeChat for NoChannel {
        fn openid<'a>(&'a self, _: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn prepay<'a>(&'a self, _: &'a PrepayWish) -> Waiting<'a, Result<String, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn open_notice(&self, _: &RawNotice<'_>, _: Micros) -> Result<Trade, NoticeFault> {
            Err(NoticeFault::Malformed)
        }
        fn bridge(&self, _: &str, _: Micros, _: &str) -> Bridge {
            Bridge {
                app_id: String::new(),
                time_stamp: String::new(),
                nonce_str: String::new(),
                package: String::new(),
                pay_sign: String::new(),
            }
        }
    }
}
