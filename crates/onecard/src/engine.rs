//! Wiring of one school: store, teller thread, ports; and the jobs that come due.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flows::epoch::Reopening;
use flows::nonces::Nonces;
use flows::ports::{Clock, Reader, WeChat};
use flows::rows::Campus;
use flows::{School, due};
use keys::{CardMasterKeys, Keyring, SoftSecrets, SystemEntropy};
use ledger::SchoolId;
use store::sqlite::{SqliteReader, SqliteStore};
use teller::{Door, Engine, Limits, Paced, Schema, Stopped};

use crate::clock::{Ids, SteadyClock};
use crate::confirmation::Confirmation;
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
    clock: Arc<SteadyClock>,
    confirmation: Confirmation,
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
pub fn start(
    files: Files<'_>,
    id: SchoolId,
    keyring: &Keyring,
    wechat: Arc<dyn WeChat>,
    clock: Arc<SteadyClock>,
) -> Result<Running, Failure> {
    backup::require_finished(files.data)?;
    let store = SqliteStore::open(files.data, id, Campus::TABLES)?;
    let anchors = anchors::open(files.data, files.anchors, id, keyring)?;
    anchors.require()?;
    run(store, files.data, id, keyring, wechat, (anchors, clock))
}

/// As `start`, for a restore: with anchors that are a step ahead of the book.
pub fn start_restored(
    data: &Path,
    id: SchoolId,
    keyring: &Keyring,
    anchors: anchors::Open,
) -> Result<Running, Failure> {
    let store = SqliteStore::open(data, id, Campus::TABLES)?;
    run(store, data, id, keyring, Arc::new(no_channel::NoChannel), (anchors, Arc::new(SteadyClock::new())))
}

fn run(
    store: SqliteStore,
    data: &Path,
    id: SchoolId,
    keyring: &Keyring,
    wechat: Arc<dyn WeChat>,
    (anchors, steady): (anchors::Open, Arc<SteadyClock>),
) -> Result<Running, Failure> {
    // One clock for the teller and for everything that is compared with its decisions.
    if let Some(newest) = anchors.newest_block_at()? {
        steady.not_before(newest);
    }
    let clock: Arc<dyn Clock> = Arc::clone(&steady) as Arc<dyn Clock>;
    let (school, teller) = work(store, data, id, keyring, wechat, Arc::clone(&clock))?;
    let anchors = anchors.keep(clock)?;
    let confirmation = Confirmation::new(data);
    Ok(Running { school, teller, anchors, clock: steady, confirmation })
}

/// The teller of a book on a thread of its own, and what the flows use.
pub fn work(
    store: SqliteStore,
    data: &Path,
    id: SchoolId,
    keyring: &Keyring,
    wechat: Arc<dyn WeChat>,
    clock: Arc<dyn Clock>,
) -> Result<(School, JoinHandle<Stopped>), Failure> {
    let reader: Arc<dyn Reader> = Arc::new(SqliteReader::open(data, id, Campus::TABLES, READERS)?);
    let mut engine = Engine::<Campus, _>::start(id, store, Box::new(Ids::new()), Limits::default())?;
    if let Err(fault) = engine.store().lay_out_log() {
        tracing::warn!(%fault, "there is no room for the book's log (18 MB); payments take longer until there is");
    }
    let door = Door::new(QUEUE);
    let balances = engine.balances();
    let teller = std::thread::Builder::new().name("teller".to_owned()).spawn({
        let (door, clock) = (door.clone(), Arc::clone(&clock));
        move || {
            let time = || if clock.leapt() { Paced::Leapt(clock.now()) } else { Paced::Follows(clock.now()) };
            teller::run(&door, &mut engine, time)
        }
    })?;
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
    Ok((school, teller))
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

/// Looks after what is due, for ever; after the clock, on which that depends; and first, after a restore, after every open
/// order.
pub async fn run_due(running: &Running) {
    let school = &running.school;
    let mut reopening = Reopening::default();
    loop {
        running.confirmation.attend(&running.clock);
        match reopening.run(school).await {
            Ok(_) => {}
            Err(fault) => tracing::error!(%fault, "open orders could not be read after the restore; trying again"),
        }
        let pause = match due::run(school, DUE_AT_ONCE).await {
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
    use flows::ports::{
        Bridge, ChannelError, Notice, NoticeFault, OrderNo, PrepayWish, RawNotice, RefundNo, RefundWish, Repayment,
        Ticket, Trade, Waiting, WeChat,
    };
    use ledger::Micros;

    /// Gives no sure answer to anything, because it asks nobody.
    pub struct NoChannel;

    fn nobody() -> ChannelError {
        ChannelError::Unknown("this command talks to no payment provider".to_owned())
    }

    impl WeChat for NoChannel {
        fn openid<'a>(&'a self, _: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn prepay<'a>(&'a self, _: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn refund<'a>(&'a self, _: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn query_refund(&self, _: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
            Box::pin(async { Err(nobody()) })
        }
        fn open_notice(&self, _: &RawNotice<'_>, _: Micros) -> Result<Notice, NoticeFault> {
            Err(NoticeFault::Malformed)
        }
        fn learn_serial<'a>(&'a self, _: &'a str) -> Waiting<'a, bool> {
            Box::pin(async { false })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::wall;

    #[test]
    fn m7_a_start_on_a_book_that_is_ahead_of_the_wall_waits_for_a_confirmation_and_goes_on_after_it() {
        let data = std::env::temp_dir().join(format!("onecard-engine-{}", std::process::id()));
        let school = SchoolId::new(1).expect("a school");
        let (keyring, files) = (Keyring::generate(), Files { data: &data, anchors: None });
        let open = |clock: &Arc<SteadyClock>| {
            start(files, school, &keyring, Arc::new(no_channel::NoChannel), Arc::clone(clock)).expect("starts")
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runs");
        let sell = |running: &Running, code: &str| {
            runtime.block_on(flows::merchant::add(&running.school, code, "食堂", "Canteen")).expect("is added");
        };

        // The machine's clock stood a day ahead.
        let ahead = Arc::new(SteadyClock::new());
        ahead.not_before(wall().after_seconds(86_400));
        let running = open(&ahead);
        sell(&running, "canteen");
        running.stop().expect("stops");

        let clock = Arc::new(SteadyClock::new());
        let running = open(&clock);
        let newest = wall().after_seconds(86_300);
        assert!(running.school.clock.leapt() && running.school.now() > newest, "time does not go back");
        sell(&running, "shop");
        running.confirmation.attend(&running.clock);
        crate::confirmation::confirm(&data).expect("writes");
        running.confirmation.attend(&running.clock);
        assert!(!running.school.clock.leapt() && running.school.now() > newest, "it slows down and never goes back");
        sell(&running, "bakery");
        running.stop().expect("stops");
        let anchors = crate::verify::Compared::read(&data, school, None).expect("reads");
        assert!(crate::verify::check(&data, school, anchors.heads()).expect("checks").clean());
        std::fs::remove_dir_all(&data).expect("is removed");
    }
}
