//! A running terminal: its agent, its reader, its journal on disk and its connection.
//!
//! | part | runs as | why |
//! |---|---|---|
//! | driver (here) | one task | the agent takes one input after the other |
//! | `uplink/line.rs` | a task | connects, again and again |
//! | `uplink/reader.rs` | a thread | readers block |
//! | `uplink/writer.rs` | a thread | disks block |

mod line;
mod reader;
mod writer;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use card::psam::Psam;
use ledger::{Fen, Micros};
use link::{ToPlatform, ToTerminal};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

use crate::agent::display::Screen;
use crate::agent::pos::{self, Config, Input, Output, PosAgent};
use crate::channel::{CardChannel, CardFileFault, Insertion, Pull, SoftReader};
use crate::journal::{DayTotal, LastSale};
use crate::journal_file::JournalFile;

/// How long a terminal sleeps at most.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// Where the platform listens for terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name or address; the platform's certificate must name it.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What a terminal proves itself with and trusts. All PEM.
#[derive(Clone)]
pub struct Identity {
    /// The terminal's certificate, with what stands between it and its authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authority that signed the platform's certificate.
    pub authority: String,
}

/// Why a terminal cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// A certificate or key is no PEM of its kind.
    #[error("the terminal's {0} cannot be read: a PEM file is expected")]
    Pem(&'static str),
    /// Certificate and key do not fit, or cannot be used.
    #[error("the terminal's certificate cannot be used")]
    Tls(#[source] rustls::Error),
    /// The host is neither a name nor an address.
    #[error("{0} is not a host name: write it without a scheme, a port or a path")]
    Host(String),
    /// The operating system gave no thread.
    #[error("no thread for the terminal's devices")]
    Thread(#[source] std::io::Error),
}

/// The reader of a terminal.
pub enum Reader {
    /// For software cards: cards are put and pulled through [`PosHandle`] or the reader itself.
    Soft(SoftReader),
    /// Any other.
    Other(Box<dyn CardChannel>),
}

/// All that a POS terminal is made of.
pub struct PosSetup<P> {
    /// Where the platform is.
    pub server: Server,
    /// Who the terminal is.
    pub identity: Identity,
    /// Its reader.
    pub reader: Reader,
    /// Its journal.
    pub journal: JournalFile,
    /// Its purchase module: gives only numbers above the journal's [`crate::journal::State::last_tsn`].
    pub module: P,
    /// Unguessable bytes.
    pub entropy: Box<dyn FnMut() -> [u8; 16] + Send>,
}

/// What happened, for somebody who watches; not for keeping: it holds cryptograms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The display changed.
    Shown(Screen),
    /// The platform is connected.
    Connected,
    /// It is not, and why.
    Disconnected(String),
    /// A card came.
    CardIn,
    /// It left.
    CardOut,
    /// A command to the card.
    Command(Vec<u8>),
    /// Its answer; fewer than two bytes for none.
    Answer(Vec<u8>),
    /// A message to the platform.
    Sent(ToPlatform),
    /// A message from it.
    Heard(ToTerminal),
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// By the terminal's clock, which never goes back within a life.
    pub at: Micros,
    /// What.
    pub event: Event,
}

/// Why a card cannot be put on a terminal's reader.
#[derive(Debug, thiserror::Error)]
pub enum PutFault {
    /// The reader takes cards of plastic only.
    #[error("this terminal's reader takes no software cards")]
    NotSoft,
    /// The card cannot be put there.
    #[error(transparent)]
    Card(#[from] CardFileFault),
}

/// Paid sales of the campus day, and the newest sale.
pub type Takings = (DayTotal, Option<LastSale>);

/// The keys, the reader and the display of a running POS. When the last one is dropped the terminal stops.
#[derive(Clone)]
pub struct PosHandle {
    keys: mpsc::UnboundedSender<Key>,
    screen: watch::Receiver<Screen>,
    takings: watch::Receiver<Takings>,
    ear: watch::Receiver<Ear>,
    clock: Clock,
    events: broadcast::Sender<Told>,
    reader: Option<SoftReader>,
}

/// Which card the terminal would hear if it came now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ear {
    /// A card lies there, as far as the agent knows.
    taken: bool,
    /// As [`PosAgent::passes_over`].
    passes_over: Option<(u64, Micros)>,
}

enum Key {
    Pressed(pos::Key),
    Sale(Fen),
    Cancel,
    Stop,
}

impl PosHandle {
    /// The clerk presses a key.
    pub fn press(&self, key: pos::Key) {
        let _ = self.keys.send(Key::Pressed(key));
    }

    /// The clerk enters and confirms an amount by other means than keys.
    pub fn enter_sale(&self, amount: Fen) {
        let _ = self.keys.send(Key::Sale(amount));
    }

    /// The clerk calls the sale off, or gives up asking for a card.
    pub fn cancel(&self) {
        let _ = self.keys.send(Key::Cancel);
    }

    /// The terminal is switched off. Its journal stays as it is.
    pub fn stop(&self) {
        let _ = self.keys.send(Key::Stop);
    }

    /// Puts a software card on the reader. Errors, in order: `NotSoft`, those of [`SoftReader::put`].
    pub fn put_card(&self, file: &Path) -> Result<(), PutFault> {
        let reader = self.reader.as_ref().ok_or(PutFault::NotSoft)?;
        Ok(reader.put(file)?)
    }

    /// Pulls a software card away, now or within a command to come: see [`SoftReader::pull`]. Another reader ignores it.
    pub fn pull_card(&self, pull: Pull) {
        if let Some(reader) = &self.reader {
            reader.pull(pull);
        }
    }

    /// The file of the software card that lies on the reader.
    pub fn card(&self) -> Option<PathBuf> {
        self.reader.as_ref().and_then(SoftReader::card)
    }

    /// Waits until the terminal has seen its reader empty, and for long enough that it takes this card for a new wish of its
    /// holder: see [`Config::repeat_micros`]. For ever while a card stays; at once when the terminal has stopped.
    pub async fn heeds(&self, card: u64) {
        let mut ear = self.ear.clone();
        loop {
            let heard = *ear.borrow_and_update();
            let left = match heard {
                Ear { taken: true, .. } => None,
                Ear { passes_over: Some((last, until)), .. } if last == card && self.clock.now() < until => {
                    Some(Duration::from_micros(until.since(self.clock.now()).max(0).unsigned_abs()))
                }
                Ear { .. } => return,
            };
            tokio::select! {
                changed = ear.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(left.unwrap_or(LONGEST_NAP)) => {}
            }
        }
    }

    /// What the display says now.
    pub fn screen(&self) -> Screen {
        self.screen.borrow().clone()
    }

    /// The display, to wait for changes.
    pub fn screens(&self) -> watch::Receiver<Screen> {
        self.screen.clone()
    }

    /// What the clerk sees beside the display: the day's total and the last sale.
    pub fn takings(&self) -> Takings {
        *self.takings.borrow()
    }

    /// The same, to wait for changes: the day turns without anything happening on the display.
    pub fn all_takings(&self) -> watch::Receiver<Takings> {
        self.takings.clone()
    }

    /// What happens from now on. A slow reader misses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Told> {
        self.events.subscribe()
    }
}

/// Makes a POS terminal ready: gives its handle, and its life to be spawned on the executor. The life ends after
/// [`PosHandle::stop`] or when no handle is left.
///
/// Errors, in order: `Host`, `Pem`, `Tls`, `Thread`.
pub fn run_pos<P: Psam + Send + 'static>(
    setup: PosSetup<P>,
) -> Result<(PosHandle, impl Future<Output = ()> + Send + 'static), StartFault> {
    let PosSetup { server, identity, reader, journal, module, mut entropy } = setup;
    let dial = line::Dial::new(&server, &identity)?;
    let clock = Clock::start();
    let book = journal.state().clone();
    let (agent, first) = PosAgent::start(Config::usual(entropy()), module, book, clock.now());

    let soft = match &reader {
        Reader::Soft(reader) => Some(reader.clone()),
        Reader::Other(_) => None,
    };
    let channel: Box<dyn CardChannel> = match reader {
        Reader::Soft(reader) => Box::new(reader),
        Reader::Other(channel) => channel,
    };
    let (screen_in, screen) = watch::channel(agent.screen());
    let (takings_in, takings) = watch::channel(agent.takings(clock.now()));
    let (ear_in, ear) = watch::channel(Ear::default());
    let (events, _) = broadcast::channel(256);
    let (keys, key_presses) = mpsc::unbounded_channel();
    let (commands, from_reader) = reader::start(channel).map_err(StartFault::Thread)?;
    let (jobs, from_writer) = writer::start(journal).map_err(StartFault::Thread)?;

    let driver = Driver {
        agent,
        clock,
        commands,
        jobs,
        here: None,
        line: None,
        screen: screen_in,
        takings: takings_in,
        ear: ear_in,
        events: events.clone(),
    };
    let inlets = Inlets { key_presses, from_reader, from_writer };
    let life = async move { driver.live(first, inlets, dial, entropy).await };
    Ok((PosHandle { keys, screen, takings, ear, clock, events, reader: soft }, life))
}

struct Inlets {
    key_presses: mpsc::UnboundedReceiver<Key>,
    from_reader: mpsc::UnboundedReceiver<reader::Event>,
    from_writer: mpsc::UnboundedReceiver<writer::Event>,
}

struct Driver<P> {
    agent: PosAgent<P>,
    clock: Clock,
    commands: std::sync::mpsc::Sender<reader::Command>,
    jobs: std::sync::mpsc::Sender<writer::Job>,
    here: Option<Insertion>,
    line: Option<mpsc::Sender<ToPlatform>>,
    screen: watch::Sender<Screen>,
    takings: watch::Sender<Takings>,
    ear: watch::Sender<Ear>,
    events: broadcast::Sender<Told>,
}

impl<P: Psam> Driver<P> {
    async fn live(
        mut self,
        first: Vec<Output>,
        mut inlets: Inlets,
        dial: line::Dial,
        entropy: Box<dyn FnMut() -> [u8; 16] + Send>,
    ) {
        let (heard, mut from_line) = mpsc::channel(64);
        let line = AbortOnDrop(tokio::spawn(line::keep(dial, heard, entropy)));
        self.carry_out(first);
        loop {
            let wake = self.until(self.agent.next_wake());
            let input = tokio::select! {
                key = inlets.key_presses.recv() => match key {
                    Some(Key::Pressed(key)) => Some(Input::Key(key)),
                    Some(Key::Sale(amount)) => Some(Input::SaleEntered(amount)),
                    Some(Key::Cancel) => Some(Input::SaleCancelled),
                    Some(Key::Stop) | None => break,
                },
                Some(event) = inlets.from_reader.recv() => self.reader_spoke(event),
                Some(event) = inlets.from_writer.recv() => Some(match event {
                    writer::Event::Written(token) => Input::Written(token),
                    writer::Event::Failed => Input::JournalFailed,
                }),
                Some(event) = from_line.recv() => Some(self.line_spoke(event)),
                () = wake => Some(Input::Tick),
            };
            if let Some(input) = input {
                let now = self.clock.now();
                let outputs = self.agent.handle(input, now);
                let takings = self.agent.takings(now);
                self.takings.send_if_modified(|told| std::mem::replace(told, takings) != takings);
                let ear = Ear { taken: self.here.is_some(), passes_over: self.agent.passes_over() };
                self.ear.send_if_modified(|told| std::mem::replace(told, ear) != ear);
                self.carry_out(outputs);
            }
        }
        drop(line);
        // Until both threads are done: the journal has all it was given, and its file and the card's are free again.
        let Driver { commands, jobs, .. } = self;
        drop((commands, jobs));
        while inlets.from_writer.recv().await.is_some() {}
        while inlets.from_reader.recv().await.is_some() {}
    }

    /// Until the agent wants to be woken, or the clock must be looked at: the day turns without anything happening.
    fn until(&self, wake: Option<Micros>) -> impl Future<Output = ()> + use<P> {
        let left = wake.map(|wake| Duration::from_micros(wake.since(self.clock.now()).max(0).unsigned_abs()));
        let nap = left.map_or(LONGEST_NAP, |left| left.min(LONGEST_NAP));
        tokio::time::sleep(nap)
    }

    fn reader_spoke(&mut self, event: reader::Event) -> Option<Input> {
        match event {
            reader::Event::In(insertion) => {
                self.here = Some(insertion);
                self.tell(|| Event::CardIn);
                Some(Input::CardIn)
            }
            reader::Event::Out => {
                self.here = None;
                self.tell(|| Event::CardOut);
                Some(Input::CardOut)
            }
            reader::Event::Answer(insertion, answer) if self.here == Some(insertion) => {
                self.tell(|| Event::Answer(answer.clone()));
                Some(Input::Apdu(answer))
            }
            reader::Event::Answer(..) => None,
        }
    }

    fn line_spoke(&mut self, event: line::Event) -> Input {
        match event {
            line::Event::Up(sender) => {
                self.line = Some(sender);
                self.tell(|| Event::Connected);
                Input::LinkUp
            }
            line::Event::Heard(message) => {
                self.tell(|| Event::Heard(message.clone()));
                Input::Platform(message)
            }
            line::Event::Down(why) => {
                self.line = None;
                self.tell(|| Event::Disconnected(why));
                Input::LinkDown
            }
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit(command) => {
                    self.tell(|| Event::Command(command.clone()));
                    if let Some(to) = self.here {
                        // The thread lives as long as this sender.
                        let _ = self.commands.send(reader::Command { to, command });
                    }
                }
                Output::Send(message) => {
                    self.tell(|| Event::Sent(message.clone()));
                    // A line that takes no more is a dead one: the line task notices, and everything is sent again.
                    if self.line.as_ref().is_some_and(|line| line.try_send(message).is_err()) {
                        self.line = None;
                    }
                }
                Output::Journal { token, entry } => {
                    let _ = self.jobs.send(writer::Job::Append { token, entry });
                }
                Output::JournalDelete { through } => {
                    let _ = self.jobs.send(writer::Job::Forget { through });
                }
                Output::Show(screen) => {
                    self.tell(|| Event::Shown(screen.clone()));
                    self.screen.send_replace(screen);
                }
            }
        }
    }

    fn tell(&self, event: impl FnOnce() -> Event) {
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(Told { at: self.clock.now(), event: event() });
        }
    }
}

/// The wall clock at the start and what has passed since, so that time never goes back within a life.
#[derive(Clone, Copy)]
struct Clock {
    started_at: Micros,
    started: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the edge of the terminal: agents take the time as a parameter")]
    fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { started_at: micros(wall), started: Instant::now() }
    }

    fn now(&self) -> Micros {
        let passed = micros(self.started.elapsed());
        Micros::new(self.started_at.get().saturating_add(passed.get()))
    }
}

fn micros(span: Duration) -> Micros {
    Micros::new(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
