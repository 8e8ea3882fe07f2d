//! The server process: the production engine and the production flows, stepped by hand. Everything but the disk dies with
//! the process; it starts again through the production's own recovery.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use flows::card_desk::{NotReported, Reported};
use flows::deliver::{Ahead, Round};
use flows::epoch::Reopening;
use flows::nonces::Nonces;
use flows::ports::{Clock, ListAsk, Reader};
use flows::refund::NotMade;
use flows::rows::{Campus, Enrolment, Key, Row, lists};
use flows::top_up::{NoticeOutcome, Payable, Refusal};
use flows::{School, due};
use ledger::{Micros, SchoolId};
use link::{ToPlatform, ToTerminal};
use rules::ids::{EnrolmentId, OrderNo, RefundNo};
use store::memory::MemoryDisk;
use teller::{CommitError, Door, Engine, Job, Limits, Schema};

use crate::anchors::Outside;
use crate::clock::WorldClock;
use crate::courier::WorldCourier;
use crate::gateway::Gateway;
use crate::kept::{CONSTRAINT, Death, Watch, WatchedStore};
use crate::notes::Who;
use crate::options::Options;
use crate::plant::Plant;
use crate::ports::{Chance, Ids, OpenSecrets, START, WorldKeys, lock};
use crate::rng::Rng;
use crate::watched_job::WatchedJob;
use crate::wechat::WorldWeChat;
use crate::world::{Event, World};

const MILLI: i64 = 1_000;
const SECOND: i64 = 1_000_000;
/// Orders looked after in one round.
const DUE_AT_ONCE: u32 = 64;

/// What a flow has to say when it is through.
pub(crate) enum Said {
    Connected { conn: u64, enrolment: Option<Box<Enrolment>> },
    Terminal { conn: u64, stray: bool, asked: ToPlatform, answers: Vec<ToTerminal> },
    Ordered { holder: usize, click: usize, outcome: Result<OrderNo, Refusal> },
    Prepared { holder: usize, click: usize, payable: Option<Payable> },
    Looked { holder: usize, click: usize },
    Notice { notice: Option<usize>, outcome: NoticeOutcome },
    Refund { form: usize, outcome: Result<RefundNo, NotMade> },
    Due(Reopening),
    Door { holder: usize, right: bool, sure: (bool, bool), outcome: Option<bool> },
    Rogue { asked: ToPlatform, stopped: bool, answers: Vec<ToTerminal> },
    Crook { which: usize, fresh: bool, other: bool, asked: ToPlatform, answers: Vec<ToTerminal> },
    Enrolled { till: usize, enrolment: EnrolmentId },
    Reported { form: usize, outcome: Result<Reported, NotReported> },
    Fed(Ahead, Option<Round>),
    Nothing,
}

type Task = Pin<Box<dyn Future<Output = Said> + Send>>;

#[derive(Default)]
struct Woken(Mutex<Vec<u64>>);

struct TaskWaker {
    task: u64,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        lock(&self.woken.0).push(self.task);
    }
}

/// A running process.
pub(crate) struct Live {
    engine: Engine<Campus, WatchedStore>,
    pub(crate) school: School,
    jobs: Vec<Box<dyn Job<Campus>>>,
    stepping: bool,
    tasks: BTreeMap<u64, Task>,
    last_task: u64,
    woken: Arc<Woken>,
    /// The first work after a restore, unless it is being done.
    reopening: Option<Reopening>,
    /// How far the receiver of events was looked ahead, unless it is being told.
    pub(crate) ahead: Option<Ahead>,
    pub(crate) gateway: Gateway,
}

/// The machine: its disk, its ports, and the process on it while there is one.
pub(crate) struct Server {
    pub(crate) disk: MemoryDisk,
    pub(crate) watch: Watch,
    pub(crate) boot: u64,
    pub(crate) live: Option<Live>,
    pub(crate) outside: Outside,
    /// The last start came to nothing.
    pub(crate) died_starting: bool,
    pub(crate) wechat: Arc<WorldWeChat>,
    pub(crate) courier: Arc<WorldCourier>,
    pub(crate) clock: Arc<WorldClock>,
    chance: Arc<Chance>,
    keys: Arc<WorldKeys>,
    /// What terminals heard, for the planted bug that remembers it.
    pub(crate) acknowledged: BTreeMap<EnrolmentId, u64>,
    pub(crate) rng: Rng,
    seed: u64,
}

/// The world's one school.
pub(crate) fn school_id() -> SchoolId {
    SchoolId::new(1).unwrap_or_else(|| unreachable!("1 is a number of a school"))
}

impl Server {
    pub(crate) fn new(seed: u64, options: &Options, plant: Option<Plant>) -> Server {
        let watch = Watch::default();
        watch.account_rows_every(options.account_rows_every, plant);
        Server {
            disk: MemoryDisk::new(school_id(), Campus::TABLES),
            watch,
            boot: 0,
            live: None,
            outside: Outside::new(seed),
            died_starting: false,
            wechat: Arc::new(WorldWeChat::new(plant)),
            courier: Arc::new(WorldCourier::new(plant)),
            clock: Arc::new(WorldClock::new(plant)),
            chance: Arc::new(Chance(Mutex::new(Rng::fork(seed, "server chance", 0)))),
            keys: Arc::new(WorldKeys::new(plant)),
            acknowledged: BTreeMap::new(),
            rng: Rng::fork(seed, "server", 0),
            seed,
        }
    }

    pub(crate) fn set_clock(&self, now: i64) {
        self.clock.set(now);
    }

    /// Starts a process on what the disk holds, as the product does.
    pub(crate) fn start(&mut self, plant: Option<Plant>) -> Result<(), NoStart> {
        self.boot += 1;
        let store = WatchedStore::open(&self.disk, &self.watch, plant).map_err(NoStart::broken)?;
        if plant != Some(Plant::P76) {
            self.outside.require(&self.disk).map_err(NoStart::Refused)?;
        }
        self.run(store, plant)
    }

    /// As `start`, for a restore: with anchors that are a step ahead of the book.
    pub(crate) fn start_restored(&mut self, plant: Option<Plant>) -> Result<(), NoStart> {
        self.boot += 1;
        let store = WatchedStore::open(&self.disk, &self.watch, plant).map_err(NoStart::broken)?;
        self.run(store, plant)
    }

    fn run(&mut self, store: WatchedStore, plant: Option<Plant>) -> Result<(), NoStart> {
        let ids = Box::new(Ids::new(Rng::fork(self.seed, "ids", self.boot)));
        let cached_rows = if plant == Some(Plant::P01) { 0 } else { Limits::default().cached_rows };
        // Few account rows with each batch, so that they are of different times.
        let sweep = Rng::fork(self.seed, "sweep", 0).pick(&[1, 4, 256]).unwrap_or(1);
        // With a short tail small batches write them too.
        let tail = Rng::fork(self.seed, "tail", 0).pick(&[100, 400, 1 << 40]).unwrap_or(1 << 40);
        let limits = Limits { cached_rows, sweep, tail, ..Limits::default() };
        let engine = Engine::start(school_id(), store, ids, limits).map_err(NoStart::broken)?;
        let school = School {
            id: school_id(),
            door: Door::new(8192),
            balances: engine.balances(),
            reader: Arc::new(self.disk.reader()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Arc::clone(&self.chance) as _,
            secrets: Arc::new(OpenSecrets),
            card_keys: Arc::clone(&self.keys) as _,
            wechat: Arc::clone(&self.wechat) as _,
            nonces: Arc::new(Nonces::default()),
        };
        self.live = Some(Live {
            engine,
            school,
            jobs: Vec::new(),
            stepping: false,
            tasks: BTreeMap::new(),
            last_task: 0,
            woken: Arc::default(),
            reopening: Some(Reopening::default()),
            ahead: None,
            gateway: Gateway::default(),
        });
        Ok(())
    }

    /// A committed row.
    pub(crate) fn row(&self, key: &Key) -> Option<Row> {
        row_of(&self.disk, key)
    }
}

/// A committed row of a disk.
pub(crate) fn row_of(disk: &MemoryDisk, key: &Key) -> Option<Row> {
    let reader = disk.reader();
    let raw = teller::RawKey { table: Campus::table(key), key: Campus::key_bytes(key) };
    let bodies = now_or_never(reader.rows(vec![raw]))?.ok()?;
    Campus::decode(key, bodies.first()?.as_ref()?).ok()
}

/// Why no process runs after a start.
pub(crate) enum NoStart {
    /// It must not serve this disk.
    Refused(String),
    /// The product does not start on it.
    Broken(String),
}

impl NoStart {
    fn broken(fault: impl std::fmt::Display) -> NoStart {
        NoStart::Broken(fault.to_string())
    }
}

/// What a future that waits for nothing gives.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl Live {
    /// Runs a flow beside the others.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = Said> + Send + 'static) {
        self.last_task += 1;
        self.tasks.insert(self.last_task, Box::pin(task));
        lock(&self.woken.0).push(self.last_task);
    }

    /// Polls whatever was woken; what is through.
    fn poll(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let woken = std::mem::take(&mut *lock(&self.woken.0));
            if woken.is_empty() {
                return said;
            }
            for task in woken {
                let Some(future) = self.tasks.get_mut(&task) else { continue };
                let waker = Waker::from(Arc::new(TaskWaker { task, woken: Arc::clone(&self.woken) }));
                if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    self.tasks.remove(&task);
                    said.push(done);
                }
            }
        }
    }

    /// Writes all account rows, before the process ends.
    pub(crate) fn checkpoint(&mut self) -> Result<(), CommitError> {
        self.engine.checkpoint()
    }

    /// The engine's book, to be compared.
    pub(crate) fn engine(&self) -> &Engine<Campus, WatchedStore> {
        &self.engine
    }
}

impl World {
    /// Lets the server do all it can without waiting, and sends off what it wants from others.
    pub(crate) fn run_server(&mut self) {
        loop {
            let Some(live) = self.server.live.as_mut() else { return };
            let said = live.poll();
            if said.is_empty() {
                break;
            }
            for each in said {
                self.server_said(each);
            }
        }
        let Some(live) = self.server.live.as_mut() else { return };
        let fresh = live.school.door.take_waiting(usize::MAX);
        let (plant, watch) = (self.plant, &self.server.watch);
        live.jobs.extend(fresh.into_iter().map(|job| WatchedJob::around(job, plant, watch)));
        let step = !live.jobs.is_empty() && !live.stepping;
        live.stepping |= step;
        if step {
            let sync = if self.server.rng.chance(20) {
                self.server.rng.between(20 * MILLI, 300 * MILLI)
            } else {
                self.server.rng.between(MILLI / 2, 8 * MILLI)
            };
            self.at(sync, Event::Step { boot: self.server.boot });
        }
        for call in self.server.wechat.take_calls() {
            self.call_provider(call);
        }
        for (call, parcel) in self.server.courier.take() {
            self.send_parcel(call, parcel);
        }
    }

    fn server_said(&mut self, said: Said) {
        match said {
            Said::Connected { conn, enrolment } => self.connected(conn, enrolment),
            Said::Terminal { conn, stray, asked, answers } => self.terminal_answered(conn, stray, asked, answers),
            Said::Ordered { holder, click, outcome } => {
                self.reply(holder, click, crate::holder::Reply::Ordered(outcome))
            }
            Said::Prepared { holder, click, payable } => {
                self.reply(holder, click, crate::holder::Reply::Prepared(payable));
            }
            Said::Looked { holder, click } => self.reply(holder, click, crate::holder::Reply::Looked),
            Said::Notice { notice, outcome } => self.notice_answered(notice, &outcome),
            Said::Refund { form, outcome } => self.clerk_answered(form, &outcome),
            Said::Due(reopening) => {
                if let Some(live) = self.server.live.as_mut() {
                    live.reopening = Some(reopening);
                }
                self.plan_due();
            }
            Said::Door { holder, right, sure, outcome } => self.door_answered(holder, right, sure, outcome),
            Said::Rogue { asked, stopped, answers } => self.rogue_answered(&asked, stopped, &answers),
            Said::Crook { which, fresh, other, asked, answers } => {
                self.crook_answered((which, fresh, other), &asked, &answers);
            }
            Said::Enrolled { till, enrolment } => self.enrolled(till, enrolment),
            Said::Reported { form, outcome } => self.report_answered(form, &outcome),
            Said::Fed(ahead, round) => self.fed(ahead, round),
            Said::Nothing => {}
        }
    }

    /// One batch through the teller, with whatever befalls it.
    pub(crate) fn step(&mut self, boot: u64) {
        if boot != self.server.boot {
            return;
        }
        let perils = self.draw_perils();
        self.server.watch.perils(perils);
        let Some(live) = self.server.live.as_mut() else { return };
        live.stepping = false;
        let jobs = std::mem::take(&mut live.jobs);
        let count = jobs.len();
        let now = self.server.clock.now();
        let outcome = catch_unwind(AssertUnwindSafe(|| live.engine.step(jobs, now)));
        let death = self.server.watch.take_death();
        match outcome {
            Ok(Ok(put_off)) => live.jobs = put_off,
            Ok(Err(fault)) => self.checker.findings.demand(death.is_some(), "BROKEN", Who::NOBODY, || {
                format!("the teller stopped without a cause: {fault}")
            }),
            Err(panic) if death.is_none() => resume_unwind(panic),
            Err(_) => {}
        }
        self.look_at_batch();
        self.note(Who::NOBODY, || format!("server: a batch of {count}, {death:?}"));
        match death {
            Some(Death { block: Some(_), .. }) if self.plant == Some(Plant::P72) => {}
            Some(death) => self.died(death),
            None if self.server.rng.chance(self.faults.crash_before_reply) => self.crash("server: crash before reply"),
            None => {}
        }
        self.run_server();
    }

    /// One batch without faults, at once.
    pub(crate) fn step_by_hand(&mut self) {
        let now = self.wall();
        if let Some(live) = self.server.live.as_mut() {
            let jobs = live.school.door.take_waiting(usize::MAX);
            if let Ok(put_off) = live.engine.step(jobs, now) {
                live.jobs.extend(put_off);
            }
        }
        self.look_at_batch();
    }

    /// What became durable goes to the checker.
    pub(crate) fn look_at_batch(&mut self) {
        for kept in self.server.watch.take() {
            self.digest.bytes(&kept.block.link);
            self.counters.add_many("journal rows", u64::try_from(kept.journal.len()).unwrap_or(0));
            self.counters.add("batches");
            self.checker.kept(&kept, self.now, &mut self.counters);
        }
        let met = self.server.watch.take_met();
        let wanted = met.contains(&CONSTRAINT);
        for name in met {
            self.counters.add(name);
        }
        for why in self.server.watch.take_poison() {
            self.checker.findings.demand(wanted, "BROKEN", Who::NOBODY, || format!("a command was poison: {why}"));
        }
        if self.plant == Some(Plant::P05) || self.plant == Some(Plant::P28) {
            self.at(400 * MILLI, Event::CatchUp);
        }
    }

    /// The planted bug keeps what it called kept.
    pub(crate) fn catch_up(&mut self) {
        if self.server.watch.catch_up() {
            self.look_at_batch();
        }
    }

    /// Looks after orders that are due.
    pub(crate) fn run_due(&mut self, boot: u64) {
        if boot != self.server.boot {
            return;
        }
        let Some(live) = self.server.live.as_mut() else { return };
        let Some(mut reopening) = live.reopening.take() else { return };
        let school = live.school.clone();
        live.spawn(async move {
            let _ = reopening.run(&school).await;
            let _ = due::run(&school, DUE_AT_ONCE).await;
            Said::Due(reopening)
        });
        self.run_server();
    }

    /// The next round: when something is due, and not more often than the product itself would come.
    fn plan_due(&mut self) {
        let first = |list| {
            let (owner, from, to) = (Vec::new(), i64::MIN, i64::MAX);
            let ask = ListAsk { list, owner, from, to, backwards: false, most: 1 };
            let listed = now_or_never(self.server.disk.reader().list(ask)).and_then(Result::ok).unwrap_or_default();
            listed.first().map_or(i64::MAX, |first| first.at.saturating_sub(START).saturating_sub(self.now))
        };
        let due = first(lists::DUE_ORDERS).min(first(lists::REFUNDS_DUE));
        self.at(due.clamp(SECOND, 30 * SECOND), Event::Due { boot: self.server.boot });
    }

    /// The server's wall clock, as the flows see it.
    pub(crate) fn wall(&self) -> Micros {
        self.server.clock.now()
    }
}
