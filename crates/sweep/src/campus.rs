//! The platform as one process on one disk: the flows, the teller stepped by hand, and its start after a stop.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use flows::nonces::Nonces;
use flows::ports::{CardKeys, Pii, RawNotice, Scene, Secrets};
use flows::rows::{Campus as Rows, Enrolment};
use flows::terminal::NewTerminal;
use flows::top_up::NoticeOutcome;
use flows::{School, card_issue, merchant, people, settings, terminal};
use keys::{CardMasterKeys, Keyring, SoftSecrets};
use ledger::{Fen, Micros};
use rules::ids::{CardNo, MerchantId, PersonId, TerminalNo};
use rules::roster::{Category, Document, Entry};
use teller::{Door, Engine, Job, Limits};

use crate::Broken;
use crate::disk::{Book, Disk, Kind, school_id};
use crate::hand::Which;
use crate::plant::{Plant, PlantedKeys};
use crate::ports::{Chance, Dice, HandClock, Ids, Provider};

/// 2026-11-23 12:00:00 in Asia/Shanghai.
pub(crate) const START: Micros = Micros::from_seconds(1_795_406_400);
/// Numbers of the two cards.
pub(crate) const CARDS: [u64; 2] = [0x2026_0000_0000_0042, 0x2026_0000_0000_0043];
/// Numbers of the two terminals.
pub(crate) const TERMINALS: [TerminalNo; 2] = [TerminalNo([0, 0, 7]), TerminalNo([0, 0, 8])];
/// The tellers' queue.
const QUEUE: usize = 1_000;
/// Longer than any flow waits for a thread.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all platforms of a sweep have in common.
pub(crate) struct Ground {
    pub(crate) kind: Kind,
    pub(crate) keyring: Keyring,
    secrets: Arc<dyn Secrets>,
    card_keys: Arc<dyn CardKeys>,
}

impl Ground {
    pub(crate) fn new(kind: Kind, plant: Option<Plant>) -> Result<Ground, Broken> {
        let keyring = keyring()?;
        let secrets = Arc::new(SoftSecrets::new(&keyring).map_err(Broken::of("starting the threads of the secrets"))?);
        let honest = CardMasterKeys::new(&keyring);
        let card_keys: Arc<dyn CardKeys> = match plant {
            Some(plant) => Arc::new(PlantedKeys::new(honest, plant)),
            None => Arc::new(honest),
        };
        Ok(Ground { kind, keyring, secrets, card_keys })
    }
}

/// The same keys in every run, so that a case answers the same bytes again; through the product's own key file.
fn keyring() -> Result<Keyring, Broken> {
    const KEYS: &str = include_str!("keys.json");
    // Sweeps that go side by side in namespaces of their own have the same process numbers.
    let chance = RandomState::new().hash_one(std::process::id());
    let path: PathBuf = std::env::temp_dir().join(format!("onecard-sweep-{chance:016x}.json"));
    let fault = Broken::of("writing the key file of the sweep");
    write_private(&path, KEYS).map_err(fault)?;
    let read = Keyring::load(&path);
    // The keys guard nothing.
    let _ = std::fs::remove_file(&path);
    read.map_err(Broken::of("reading the key file of the sweep"))
}

fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// A running platform.
pub(crate) struct Campus {
    pub(crate) school: School,
    pub(crate) disk: Disk,
    /// None while the process is down.
    engine: Option<Engine<Rows, Book>>,
    put_off: Vec<Box<dyn Job<Rows>>>,
    clock: Arc<HandClock>,
    boots: u64,
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Campus {
    /// Starts the platform on what the disk holds. `seed` is its chance.
    pub(crate) fn start(ground: &Ground, disk: Disk, now: Micros, seed: u64) -> Result<Campus, Broken> {
        let clock = Arc::new(HandClock::at(now));
        let (book, reader) = disk.open()?;
        let engine = engine(book, seed, 0)?;
        let school = School {
            id: school_id(),
            door: Door::new(QUEUE),
            balances: engine.balances(),
            reader,
            clock: clock.clone(),
            entropy: Arc::new(Dice(Mutex::new(Chance::new(seed)))),
            secrets: Arc::clone(&ground.secrets),
            card_keys: Arc::clone(&ground.card_keys),
            wechat: Arc::new(Provider),
            nonces: Arc::new(Nonces::default()),
        };
        Ok(Campus { school, disk, engine: Some(engine), put_off: Vec::new(), clock, boots: 0 })
    }

    pub(crate) fn set_clock(&self, now: Micros) {
        self.clock.set(now);
    }

    /// The process ends and starts again from its disk: all that lived in memory is gone.
    pub(crate) fn restart(&mut self, seed: u64) -> Result<(), Broken> {
        self.engine = None;
        self.put_off.clear();
        self.boots = self.boots.wrapping_add(1);
        let (book, reader) = self.disk.open()?;
        let engine = engine(book, seed, self.boots)?;
        self.school.door = Door::new(QUEUE);
        self.school.balances = engine.balances();
        self.school.reader = reader;
        self.school.nonces = Arc::new(Nonces::default());
        self.engine = Some(engine);
        Ok(())
    }

    /// The process ends; its disk.
    pub(crate) fn stop(self) -> Disk {
        let Campus { disk, engine, school, .. } = self;
        drop((engine, school));
        disk
    }

    /// Runs a flow to its end, stepping the teller whenever the flow waits.
    pub(crate) fn run<T>(&mut self, flow: impl Future<Output = T>) -> Result<T, Broken> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut flow = pin!(flow);
        let mut waited = false;
        loop {
            if let Poll::Ready(output) = flow.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(output);
            }
            if self.step()? {
                waited = false;
            } else if waited {
                return Err(Broken::new("a flow waits for something that never happens"));
            } else {
                // A thread of the secrets or of the reader is at work.
                std::thread::park_timeout(PATIENCE);
                waited = true;
            }
        }
    }

    fn step(&mut self) -> Result<bool, Broken> {
        let Some(engine) = self.engine.as_mut() else { return Ok(false) };
        let mut jobs = std::mem::take(&mut self.put_off);
        jobs.extend(self.school.door.take_waiting(engine.batch_limit()));
        if jobs.is_empty() {
            return Ok(false);
        }
        self.put_off = engine.step(jobs, self.school.now()).map_err(Broken::of("the teller"))?;
        Ok(true)
    }
}

fn engine(book: Book, seed: u64, boots: u64) -> Result<Engine<Rows, Book>, Broken> {
    let ids = Box::new(Ids(seed.wrapping_add(boots.wrapping_mul(1 << 32))));
    Engine::start(school_id(), book, ids, Limits::default()).map_err(Broken::of("starting the teller"))
}

/// Who and what the school has.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) holders: [PersonId; 2],
    pub(crate) merchant: MerchantId,
    pub(crate) enrolments: [Enrolment; 2],
}

fn entry(number: u32) -> Entry {
    Entry {
        row_number: number.saturating_add(2),
        number: format!("2026{number:04}"),
        zeros_restored: false,
        name: Pii::new("持卡人".to_owned()),
        document: Document::Passport { number: Pii::new(format!("E{number:08}")) },
        category: Category::Student,
        department: None,
        phone: None,
        remark: None,
    }
}

impl Campus {
    /// Makes two holders with their cards, a canteen and two terminals in it.
    pub(crate) fn populate(&mut self) -> Result<People, Broken> {
        let school = self.school.clone();
        let report = self.run(people::import(&school, vec![entry(1), entry(2)], false))?;
        let report = report.map_err(Broken::of("importing people"))?;
        if report.added() != 2 {
            return Err(Broken::new(format!("importing people: {report:?}")));
        }
        let canteen = self.run(merchant::add(&school, "canteen", "一食堂", "Canteen"))?;
        let merchant = canteen.map_err(|words| Broken::new(words.en))?;
        let holders = [self.holder(1, CARDS[0])?, self.holder(2, CARDS[1])?];
        let enrolments = [self.enrol(0)?, self.enrol(1)?];
        Ok(People { holders, merchant, enrolments })
    }

    fn holder(&mut self, number: u32, card: u64) -> Result<PersonId, Broken> {
        let school = self.school.clone();
        let found = self.run(people::find_by_number(&school, &format!("2026{number:04}")))?;
        let found = found.map_err(Broken::of("finding a person"))?;
        let person = found.ok_or_else(|| Broken::new("a person is missing"))?;
        let issued = self.run(card_issue::issue(&school, person, CardNo(card)))?;
        issued.map_err(|words| Broken::new(words.en))?;
        Ok(person)
    }

    fn enrol(&mut self, place: u8) -> Result<Enrolment, Broken> {
        let school = self.school.clone();
        let certificate = [place.wrapping_add(1); 32];
        let new = NewTerminal {
            terminal: TERMINALS[usize::from(place)],
            merchant: "canteen".to_owned(),
            place_zh: format!("一食堂 {place} 号窗口"),
            place_en: format!("Canteen, window {place}"),
            certificate,
        };
        self.run(terminal::enrol(&school, new))?.map_err(|words| Broken::new(words.en))?;
        let found = self.run(terminal::by_certificate(&school, certificate))?;
        let found = found.map_err(Broken::of("finding an enrolment"))?;
        found.ok_or_else(|| Broken::new("an enrolment is missing"))
    }

    /// A setting, from now on.
    pub(crate) fn set(&mut self, name: &str, value: i64) -> Result<(), Broken> {
        let school = self.school.clone();
        let set = self.run(settings::change_setting(&school, name, value, None, "sweep"))?;
        set.map(|_| ()).map_err(Broken::of("a setting"))
    }

    /// The holder orders and pays a top-up.
    pub(crate) fn top_up(&mut self, people: &People, who: Which, amount: Fen) -> Result<(), Broken> {
        let school = self.school.clone();
        let person = people.holders[who.place()];
        let scene = Scene::InWeChat { openid: "payer".to_owned() };
        let opened = self.run(flows::top_up::open(&school, person, &amount.to_string(), scene, school.random()))?;
        let order = opened.map_err(|refusal| Broken::new(refusal.words().en.clone()))?;
        let body = format!("{order} t{order} {}", amount.get());
        let raw = RawNotice { timestamp: "", nonce: "", serial: "", signature: "", body: body.as_bytes() };
        match self.run(flows::top_up::notice(&school, &raw))? {
            NoticeOutcome::Taken(_) => Ok(()),
            other => Err(Broken::new(format!("a payment was not taken: {other:?}"))),
        }
    }
}
