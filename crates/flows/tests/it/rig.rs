//! A school to test flows in: the real teller over the book in memory, a clock that is set by hand, seeded chance, and
//! fast doubles of the ports that cost time or money. Nothing happens but in [`Rig::run`].

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use flows::School;
use flows::nonces::Nonces;
use flows::ports::{
    Bridge, CardKeys, CardStamp, ChannelError, Clock, Entropy, Field, LoadSession, Notice, NoticeFault, PrepayWish,
    PurseDebit, RawNotice, RefundWish, Repayment, SealBroken, Secrets, Ticket, Trade, Waiting, WeChat,
};
use flows::rows::{Campus, Key, Row};
use ledger::{Id, Micros, SchoolId};
use rules::ids::{CardNo, OrderNo, PersonId, RefundNo};
use rules::password::Password;
use rules::pii::Pii;
use store::memory::{MemoryDisk, MemoryStore};
use store::verify::Archive;
use teller::{Door, Engine, IdSource, Job, Limits, Schema};

/// 2026-11-23 08:00:00 in Asia/Shanghai.
pub const START: Micros = Micros::from_seconds(1_795_392_000);

/// One school, and the hand that steps it.
pub struct Rig {
    pub school: School,
    pub disk: MemoryDisk,
    pub secrets: Arc<PlainSecrets>,
    clock: Arc<HandClock>,
    queue: usize,
    engine: RefCell<Option<Engine<Campus, MemoryStore>>>,
    waiting: RefCell<Vec<Box<dyn Job<Campus>>>>,
}

impl Rig {
    /// A school without people, at [`START`]; card keys and payment provider say no to everything.
    pub fn new() -> Rig {
        Rig::with(Arc::new(Nobody), Arc::new(Nobody), 100_000)
    }

    /// A school with these card keys, this provider and room for so many commands in the teller's queue.
    pub fn with(card_keys: Arc<dyn CardKeys>, wechat: Arc<dyn WeChat>, queue: usize) -> Rig {
        let id = SchoolId::new(1).expect("a school's number");
        let disk = MemoryDisk::new(id, Campus::TABLES);
        let clock = Arc::new(HandClock { now: AtomicI64::new(START.get()), leapt: AtomicBool::new(false) });
        let secrets = Arc::new(PlainSecrets::default());
        let engine = start(&disk);
        let school = School {
            id,
            door: Door::new(queue),
            balances: engine.balances(),
            reader: Arc::new(disk.reader()),
            clock: clock.clone(),
            entropy: Arc::new(Seeded(Mutex::new(1))),
            secrets: secrets.clone(),
            card_keys,
            wechat,
            nonces: Arc::new(Nonces::default()),
        };
        let waiting = RefCell::default();
        Rig { school, disk, secrets, clock, queue, engine: RefCell::new(Some(engine)), waiting }
    }

    /// The clock goes on by so many seconds.
    pub fn advance(&self, seconds: i64) {
        self.advance_micros(seconds * 1_000_000);
    }

    /// The clock goes on by so many microseconds.
    pub fn advance_micros(&self, micros: i64) {
        self.clock.now.fetch_add(micros, Ordering::SeqCst);
    }

    /// The machine's clock leapt, and is not followed; or that is over.
    pub fn leap(&self, leapt: bool) {
        self.clock.leapt.store(leapt, Ordering::SeqCst);
    }

    /// The process ends, whatever it was doing, and starts again from what the disk kept.
    pub fn restart(&mut self) {
        self.engine.replace(None);
        self.waiting.take();
        let engine = start(&self.disk);
        self.school.door = Door::new(self.queue);
        self.school.balances = engine.balances();
        self.school.nonces = Arc::new(Nonces::default());
        self.engine.replace(Some(engine));
    }

    /// The process stops taking anything; [`Rig::restart`] brings it back.
    pub fn stop(&self) {
        self.engine.replace(None);
    }

    /// The disk is lost; the school goes on from a backup of it, in the next epoch. Nobody is asked about anything yet.
    pub fn restore(&mut self, backup: &MemoryDisk) {
        let number = self.row(&Key::Epoch).and_then(|row| row.epoch().copied()).map_or(1, |epoch| epoch.number) + 1;
        self.engine.replace(None);
        self.disk = backup.copy();
        self.school.reader = Arc::new(self.disk.reader());
        self.restart();
        self.advance(120);
        let epoch = self.run(flows::epoch::begin(&self.school, number)).expect("begins");
        assert_eq!((epoch.number, epoch.orders_asked), (number, false));
    }

    /// Everything in the book is checked against everything else.
    pub fn verify(&self) {
        let report = store::verify::verify(self.school.id, &mut self.disk.archive(), &[], &mut |_| {});
        assert!(report.clean(), "{report}");
    }

    /// Runs a flow to its end, stepping the teller whenever the flow waits.
    pub fn run<T>(&self, flow: impl Future<Output = T>) -> T {
        self.run_as_far_as_it_goes(flow).expect("the flow waits for something else than the teller")
    }

    /// Runs a flow until it ends, or until it waits for something that is not the teller; then it is dropped.
    pub fn run_as_far_as_it_goes<T>(&self, flow: impl Future<Output = T>) -> Option<T> {
        let mut flow = pin!(flow);
        loop {
            if let Poll::Ready(output) = flow.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Some(output);
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// Runs a flow until it ends or so many batches were taken; then it is dropped, as when the process dies.
    pub fn run_for<T>(&self, flow: impl Future<Output = T>, batches: usize) {
        let mut flow = pin!(flow);
        for taken in 0..=batches {
            let ready = flow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            if ready || taken == batches || !self.step() {
                return;
            }
        }
    }

    /// Runs flows side by side: what they hand in at the same time makes one batch.
    pub fn run_all<T: Unpin>(&self, flows: Vec<impl Future<Output = T>>) -> Vec<T> {
        let mut flows: Vec<Pin<Box<_>>> = flows.into_iter().map(Box::pin).collect();
        let mut outputs: Vec<Option<T>> = flows.iter().map(|_| None).collect();
        self.run(poll_fn(|context| {
            for (flow, output) in flows.iter_mut().zip(&mut outputs) {
                if output.is_none()
                    && let Poll::Ready(done) = flow.as_mut().poll(context)
                {
                    *output = Some(done);
                }
            }
            if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
        }));
        outputs.into_iter().flatten().collect()
    }

    /// Takes one batch through the teller; `false` when nothing waits. An engine that lost its disk takes none.
    fn step(&self) -> bool {
        let mut engine = self.engine.borrow_mut();
        let Some(engine) = engine.as_mut() else { return false };
        let mut jobs = self.waiting.take();
        jobs.extend(self.school.door.take_waiting(engine.batch_limit()));
        if jobs.is_empty() {
            return false;
        }
        if let Ok(put_off) = engine.step(jobs, self.clock.now()) {
            self.waiting.replace(put_off);
        }
        true
    }

    /// A committed row.
    pub fn row(&self, key: &Key) -> Option<Row> {
        self.run(self.school.row(key)).expect("the disk is whole")
    }

    /// A holder's password and its door, as committed.
    pub fn password(&self, person: PersonId) -> Password {
        self.row(&Key::Person(person)).and_then(|row| row.person().cloned()).expect("a holder").password
    }

    /// How many batches were committed.
    pub fn blocks(&self) -> usize {
        self.disk.archive().blocks(0, u32::MAX).expect("the disk is whole").len()
    }

    /// Whether these bytes stand anywhere in a committed row or its key.
    pub fn disk_holds(&self, bytes: &[u8]) -> bool {
        let mut found = false;
        let mut archive = self.disk.archive();
        for table in Campus::TABLES {
            let mut look = |row: store::verify::GuardRow<'_>| {
                found |= [row.key, row.body].iter().any(|text| text.windows(bytes.len()).any(|part| part == bytes));
            };
            archive.guard_rows(table, &mut look).expect("the disk is whole");
        }
        found
    }
}

/// Whatever a test did, the book it leaves is whole, and every row stands in the lists in which it belongs.
impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut archive = self.disk.archive();
        let mut report = store::verify::verify(self.school.id, &mut archive, &[], &mut |_| {});
        let places_of = |_: &str, key: &[u8], body: &[u8]| Campus::listings_of_stored(key, body);
        store::verify::verify_lists(&mut archive, &places_of, &mut report, &mut |_| {});
        assert!(report.clean(), "{report}");
    }
}

fn start(disk: &MemoryDisk) -> Engine<Campus, MemoryStore> {
    let store = disk.open().expect("one writer");
    let school = SchoolId::new(1).expect("a school's number");
    Engine::start(school, store, Box::new(Counting(0)), Limits::default()).expect("the book adds up")
}

/// Asserts that a flow's future can be run by an executor with many threads.
pub fn sendable<F: Future + Send>(flow: F) -> F {
    flow
}

/// The words' code of a refusal, or what was granted instead.
pub fn code<T: Debug, E>(outcome: Result<T, E>, words: impl Fn(&E) -> rules::words::Words) -> &'static str {
    match outcome {
        Ok(granted) => panic!("granted: {granted:?}"),
        Err(refusal) => words(&refusal).code,
    }
}

struct HandClock {
    now: AtomicI64,
    leapt: AtomicBool,
}

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros::new(self.now.load(Ordering::SeqCst))
    }

    fn leapt(&self) -> bool {
        self.leapt.load(Ordering::SeqCst)
    }
}

/// Chance that is the same in every run (splitmix64).
struct Seeded(Mutex<u64>);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().expect("no test panics in here");
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

struct Counting(u64);

impl IdSource for Counting {
    fn next(&mut self, now: Micros) -> Id {
        self.0 += 1;
        Id::time_ordered(now, self.0.to_be_bytes())
    }
}

/// Secrets that cost nothing: they keep the port's promises but no secret.
#[derive(Default)]
pub struct PlainSecrets {
    /// Checks against a hash.
    pub compared: AtomicU64,
    /// Checks against no hash, which do the same work.
    pub compared_with_nothing: AtomicU64,
    /// Hashing never answers any more, as in a process that dies meanwhile.
    pub silent: AtomicBool,
}

impl PlainSecrets {
    fn answer<T: Send + 'static>(&self, answer: T) -> Waiting<'static, T> {
        if self.silent.load(Ordering::SeqCst) { Box::pin(pending()) } else { Box::pin(ready(answer)) }
    }

    /// What came in for checking so far: against a hash, against nothing.
    pub fn checks(&self) -> (u64, u64) {
        (self.compared.load(Ordering::SeqCst), self.compared_with_nothing.load(Ordering::SeqCst))
    }
}

fn digest(label: &str, plain: &[u8]) -> [u8; 32] {
    let change = ledger::row_digest("test", label.as_bytes(), Some(plain));
    let mut hash = [0; 32];
    // What differs comes first, as in a real hash.
    hash[..16].copy_from_slice(&change.content);
    hash[16..].copy_from_slice(&change.key);
    hash
}

impl Secrets for PlainSecrets {
    fn hash_password<'a>(&'a self, password: &'a str) -> Waiting<'a, String> {
        self.answer(format!("{:02x?}", digest("password", password.as_bytes())))
    }

    fn check_password<'a>(&'a self, password: &'a str, hash: Option<&'a str>) -> Waiting<'a, bool> {
        let counter = if hash.is_some() { &self.compared } else { &self.compared_with_nothing };
        counter.fetch_add(1, Ordering::SeqCst);
        let right = format!("{:02x?}", digest("password", password.as_bytes()));
        self.answer(hash == Some(right.as_str()))
    }

    fn seal(&self, field: Field, owner: Id, plain: &str) -> Vec<u8> {
        format!("{field:?} {owner} {plain}").bytes().map(|byte| byte ^ 0x5A).collect()
    }

    fn open(&self, field: Field, owner: Id, sealed: &[u8]) -> Result<Pii<String>, SealBroken> {
        let text = String::from_utf8(sealed.iter().map(|byte| byte ^ 0x5A).collect()).map_err(|_| SealBroken)?;
        let plain = text.strip_prefix(&format!("{field:?} {owner} ")).ok_or(SealBroken)?;
        Ok(Pii::new(plain.to_owned()))
    }

    fn lookup(&self, field: Field, plain: &str) -> [u8; 32] {
        digest(&format!("{field:?}"), plain.as_bytes())
    }

    fn token_hash(&self, token: &[u8; 32]) -> [u8; 32] {
        digest("token", token)
    }
}

/// Card keys that prove nothing, and a provider that refuses everything.
struct Nobody;

impl CardKeys for Nobody {
    fn proves_load(&self, _: CardNo, _: &LoadSession) -> bool {
        false
    }

    fn release_load(&self, _: CardNo, _: &LoadSession, _: CardStamp) -> [u8; 4] {
        [0; 4]
    }

    fn proves_loaded(&self, _: CardNo, _: &LoadSession, _: CardStamp, _: [u8; 4]) -> bool {
        false
    }

    fn proves_purchase(&self, _: CardNo, _: &PurseDebit, _: [u8; 4]) -> bool {
        false
    }
}

fn refused<T: Send + 'static>() -> Waiting<'static, Result<T, ChannelError>> {
    let refused = ChannelError::Refused { code: "NOBODY".to_owned(), message: "no provider here".to_owned() };
    Box::pin(ready(Err(refused)))
}

impl WeChat for Nobody {
    fn openid<'a>(&'a self, _: &'a str) -> Waiting<'a, Result<String, ChannelError>> {
        refused()
    }

    fn prepay<'a>(&'a self, _: &'a PrepayWish) -> Waiting<'a, Result<Ticket, ChannelError>> {
        refused()
    }

    fn query(&self, _: OrderNo) -> Waiting<'_, Result<Trade, ChannelError>> {
        refused()
    }

    fn close(&self, _: OrderNo) -> Waiting<'_, Result<(), ChannelError>> {
        refused()
    }

    fn refund<'a>(&'a self, _: &'a RefundWish) -> Waiting<'a, Result<Repayment, ChannelError>> {
        refused()
    }

    fn query_refund(&self, _: RefundNo) -> Waiting<'_, Result<Repayment, ChannelError>> {
        refused()
    }

    fn open_notice(&self, _: &RawNotice<'_>, _: Micros) -> Result<Notice, NoticeFault> {
        Err(NoticeFault::UnknownSerial)
    }

    fn learn_serial<'a>(&'a self, _: &'a str) -> Waiting<'a, bool> {
        Box::pin(ready(false))
    }

    fn bridge(&self, prepay_id: &str, _: Micros, _: &str) -> Bridge {
        Bridge {
            app_id: String::new(),
            time_stamp: String::new(),
            nonce_str: String::new(),
            package: format!("prepay_id={prepay_id}"),
            pay_sign: String::new(),
        }
    }
}
