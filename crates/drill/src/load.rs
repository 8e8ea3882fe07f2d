//! Clients: many at once, each with several operations on their way, so that the teller has batches to make.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use ledger::Id;

use crate::chance::Chance;
use crate::notes::{Acknowledged, Notes};
use crate::operation::{Deed, Operation};
use crate::schema::Answer;
use crate::wire::{Ask, Told, read_told, told_line};

/// Clients at once.
const CLIENTS: u64 = 24;
/// Operations that one client has on their way.
const WINDOW: usize = 16;
/// Holders; so many that not every account is written with every batch.
const HOLDERS: u64 = 3000;
/// Of whom these have most of the operations, so that operations meet on their accounts.
const BUSY: u64 = 64;
/// Merchants; every spend is on one of these accounts.
const MERCHANTS: u64 = 4;
/// How long a client waits for an answer before it takes the server for stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of the clients' operations.
#[derive(Debug, Default)]
pub(crate) struct Shift {
    /// Asked and not answered: done once or not at all.
    pub open: Vec<Operation>,
    /// Answered that nothing was done for want of room.
    pub full: Vec<Operation>,
    /// What no client should be told.
    pub wrong: Vec<String>,
    /// Answers that were final.
    pub answered: u64,
}

/// Counts that can be looked at while clients work.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Answers that were final.
    pub answered: AtomicU64,
    /// Answers that there was no room.
    pub full: AtomicU64,
    stop: AtomicBool,
    deaf: AtomicBool,
}

impl Gauge {
    /// Whatever clients read from now on they have not heard: the power has gone for them too.
    pub(crate) fn deafen(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }
}

/// Clients at work.
pub(crate) struct Crew {
    /// What is going on.
    pub gauge: Arc<Gauge>,
    clients: Vec<JoinHandle<Shift>>,
    notes: Notes,
}

impl Crew {
    /// Clients that draw what they ask from `seed`, under keys of run `run`, until they are stopped or cut off.
    pub(crate) fn start(socket: &Path, notes: &Path, seed: u64, run: u32) -> Result<Crew, String> {
        let sources = (0..CLIENTS).map(|client| Source::Drawn(Box::new(Drawn::new(seed, run, client)))).collect();
        Crew::with(socket, notes, sources)
    }

    /// Clients that ask exactly this and then end.
    pub(crate) fn resend(socket: &Path, notes: &Path, operations: &[Operation]) -> Result<Crew, String> {
        let each = operations.len().div_ceil(usize::try_from(CLIENTS).unwrap_or(1)).max(1);
        let sources = operations.chunks(each).map(|part| Source::Given(VecDeque::from(part.to_vec()))).collect();
        Crew::with(socket, notes, sources)
    }

    fn with(socket: &Path, notes: &Path, sources: Vec<Source>) -> Result<Crew, String> {
        let notes = Notes::append(notes)?;
        let gauge = Arc::new(Gauge::default());
        let mut clients = Vec::new();
        for source in sources {
            let told = |fault: std::io::Error| format!("cannot connect to {}: {fault}", socket.display());
            let stream = UnixStream::connect(socket).map_err(told)?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
            let client = Client {
                stream: BufReader::new(stream),
                source,
                gauge: Arc::clone(&gauge),
                notes: notes.sender(),
                open: BTreeMap::new(),
                again: Vec::new(),
                shift: Shift::default(),
            };
            clients.push(std::thread::spawn(move || client.work()));
        }
        Ok(Crew { gauge, clients, notes })
    }

    /// Asks for nothing more, waits for what is on its way.
    pub(crate) fn stop(&self) {
        self.gauge.stop.store(true, Ordering::SeqCst);
    }

    /// Waits for all clients and for their notes.
    pub(crate) fn join(self) -> Result<Shift, String> {
        let mut all = Shift::default();
        for client in self.clients {
            let shift = client.join().map_err(|_| "a client of the drill panicked".to_owned())?;
            all.open.extend(shift.open);
            all.full.extend(shift.full);
            all.wrong.extend(shift.wrong);
            all.answered += shift.answered;
        }
        self.notes.close()?;
        Ok(all)
    }
}

/// Where a client's operations come from.
enum Source {
    Drawn(Box<Drawn>),
    Given(VecDeque<Operation>),
}

/// Draws operations, and remembers what it may refer to.
struct Drawn {
    chance: Chance,
    /// First half of its keys: the run and the client.
    prefix: u128,
    made: u64,
    set_aside: Vec<Operation>,
    last: Option<Operation>,
}

impl Drawn {
    fn new(seed: u64, run: u32, client: u64) -> Drawn {
        let part = (u64::from(run) << 32) | client;
        Drawn {
            chance: Chance::of(seed, part),
            prefix: u128::from(part) << 64,
            made: 0,
            set_aside: Vec::new(),
            last: None,
        }
    }

    fn next(&mut self) -> Operation {
        let chance = &mut self.chance;
        let drawn = chance.between(0, 99);
        // A network that sends twice.
        if drawn < 2
            && let Some(last) = self.last
        {
            return last;
        }
        self.made += 1;
        let most = if chance.between(1, 3) == 1 { HOLDERS } else { BUSY };
        let holder = u32::try_from(chance.between(1, most)).unwrap_or(1);
        let merchant = u32::try_from(chance.between(1, MERCHANTS)).unwrap_or(1);
        let key = Id::new(self.prefix | u128::from(self.made));
        let plain = Operation { key, deed: Deed::PayIn, holder, merchant, fen: chance.fen(5000), of: Id::new(0) };
        match drawn {
            2..70 if drawn % 5 < 2 => Operation { deed: Deed::Spend, fen: chance.fen(4000), ..plain },
            2..70 => plain,
            70..84 => Operation { deed: Deed::SetAside, fen: chance.fen(2000), ..plain },
            _ => match self.set_aside.pop() {
                None => plain,
                Some(aside) if drawn < 94 => {
                    let fen = chance.fen(aside.fen);
                    Operation { key, deed: Deed::Settle, fen, of: aside.key, ..aside }
                }
                Some(aside) => Operation { key, deed: Deed::GiveBack, of: aside.key, ..aside },
            },
        }
    }

    fn learn(&mut self, operation: Operation, answer: Answer) {
        self.last = Some(operation);
        if operation.deed == Deed::SetAside && matches!(answer, Answer::Done(_)) {
            self.set_aside.push(operation);
        }
    }
}

struct Client {
    stream: BufReader<UnixStream>,
    source: Source,
    gauge: Arc<Gauge>,
    notes: Sender<Acknowledged>,
    /// On their way, and how many times.
    open: BTreeMap<Id, (Operation, u32)>,
    again: Vec<Operation>,
    shift: Shift,
}

impl Client {
    fn work(mut self) -> Shift {
        loop {
            let connected = self.fill();
            if !connected || self.open.is_empty() {
                break;
            }
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                // A line without its end is an answer that did not arrive.
                Ok(_) if self.gauge.deaf.load(Ordering::SeqCst) => break,
                Ok(_) if line.ends_with('\n') => self.hear(line.trim_end()),
                Ok(_) => break,
                Err(fault) if matches!(fault.kind(), std::io::ErrorKind::WouldBlock) => {
                    self.shift.wrong.push(format!("no answer within {} s", PATIENCE.as_secs()));
                    break;
                }
                Err(_) => break,
            }
        }
        self.shift.open.extend(self.open.into_values().map(|(operation, _)| operation));
        self.shift
    }

    /// Sends until enough is on its way. `false`: the server is gone.
    fn fill(&mut self) -> bool {
        while self.open.len() < WINDOW {
            let next = self.again.pop().or_else(|| match &mut self.source {
                Source::Given(given) => given.pop_front(),
                Source::Drawn(_) if self.gauge.stop.load(Ordering::SeqCst) => None,
                Source::Drawn(drawn) => Some(drawn.next()),
            });
            let Some(operation) = next else { return true };
            self.open.entry(operation.key).or_insert((operation, 0)).1 += 1;
            if self.stream.get_ref().write_all(format!("{}\n", Ask::Do(operation)).as_bytes()).is_err() {
                return false;
            }
        }
        true
    }

    fn hear(&mut self, line: &str) {
        let Some((key, told)) = read_told(line) else {
            self.shift.wrong.push(format!("the server says {line:?}"));
            return;
        };
        let Some((operation, times)) = self.open.remove(&key) else {
            self.shift.wrong.push(format!("{key}: an answer that nobody asked for: {line}"));
            return;
        };
        if times > 1 {
            self.open.insert(key, (operation, times - 1));
        }
        match told {
            Told::Settled(answer) => {
                self.shift.answered += 1;
                self.gauge.answered.fetch_add(1, Ordering::SeqCst);
                if let Source::Drawn(drawn) = &mut self.source {
                    drawn.learn(operation, answer);
                }
                // Fails only when the notes cannot be written, which the end of the round tells.
                let _ = self.notes.send((operation, answer));
            }
            Told::Busy => self.again.push(operation),
            Told::Full => {
                self.gauge.full.fetch_add(1, Ordering::SeqCst);
                self.shift.full.push(operation);
            }
            Told::Stopping => self.shift.open.push(operation),
            told @ (Told::Conflict | Told::Poison(_)) => {
                self.shift.wrong.push(format!("{operation}: {}", told_line(key, &told).trim_end()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_depends_on_seed_run_and_client_alone_and_keys_are_never_drawn_twice() {
        let draw = |seed, run, client| {
            let mut drawn = Drawn::new(seed, run, client);
            let mut all = Vec::new();
            for seq in 1..=400 {
                let operation = drawn.next();
                drawn.learn(operation, Answer::Done(seq));
                all.push(operation);
            }
            all
        };
        let first = draw(1, 1, 0);
        assert_eq!(first, draw(1, 1, 0));
        let deeds = [Deed::PayIn, Deed::Spend, Deed::SetAside, Deed::Settle, Deed::GiveBack];
        for deed in deeds {
            assert!(first.iter().filter(|operation| operation.deed == deed).count() > 10, "{deed:?}");
        }
        let mut known: BTreeMap<Id, Operation> = BTreeMap::new();
        for operation in first.into_iter().chain(draw(1, 1, 1)).chain(draw(1, 2, 0)) {
            let before = known.insert(operation.key, operation);
            assert!(before.is_none_or(|before| before == operation), "{operation} and {before:?}");
        }
        let repeats = 1200 - known.len();
        assert!(repeats > 5, "{repeats} repeats");
    }
}
