//! The server of the drill: the real teller on the real store, behind a socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ledger::{AccountKey, Id, Micros, SchoolId};
use store::sqlite::SqliteStore;
use teller::{Balances, Door, Engine, Fault, IdSource, Limits, Paced, Rejected, Schema, Settled, Stopped, job};

use crate::operation::{Conflict, Operation};
use crate::point::{Point, arm};
use crate::schema::{Answer, Drill};
use crate::wire::{Ask, Told, sums_line, told_line};

/// Rows that a start may have to replay: few, so that the account rows are gone round often.
pub(crate) const TAIL: u64 = 4000;
/// Commands that may wait at the door.
const QUEUE: usize = 8192;
/// How long a client may leave an answer unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Exit code of a server whose store failed.
pub(crate) const STORE_FAILED: i32 = 3;
/// Exit code of a server whose drill went away.
const ALONE: i32 = 4;

/// How a server is started.
#[derive(Debug)]
pub(crate) struct Serve {
    /// The data folder.
    pub data: PathBuf,
    /// Where clients connect.
    pub socket: PathBuf,
    /// Die at this point, at this passing, and leave a mark in this file.
    pub die: Option<(Point, u64, PathBuf)>,
    /// Sync less than the product does, to show that a drill notices.
    pub weaker: Option<String>,
}

/// The school of every drill.
pub(crate) const fn school() -> SchoolId {
    match SchoolId::new(1) {
        Some(school) => school,
        None => unreachable!(),
    }
}

/// Serves until it is told `stop` on its standard input, and ends at once when that is closed.
///
/// Prints `ready <rows replayed> <newest row>` when it takes operations.
pub(crate) fn serve(options: Serve) -> Result<ExitCode, String> {
    if let Some((point, passing, mark)) = &options.die {
        arm(*point, *passing, mark)?;
    }
    let door = Door::new(QUEUE);
    // Before the book is opened, so that a server is never left behind by a drill that ended.
    std::thread::spawn({
        let door = door.clone();
        move || obey(&door)
    });
    let store = SqliteStore::open(&options.data, school(), Drill::TABLES).map_err(|fault| chain(&fault))?;
    if let Some(weaker) = &options.weaker {
        weaken(&store, weaker)?;
    }
    let limits = Limits { tail: TAIL, ..Limits::default() };
    let ids = Box::new(Ids(0));
    let mut engine = Engine::<Drill, _>::start(school(), store, ids, limits).map_err(|fault| chain(&fault))?;
    if let Err(fault) = engine.store().lay_out_log() {
        eprintln!("the log is not laid out: {fault}");
    }
    let listener = UnixListener::bind(&options.socket)
        .map_err(|fault| format!("cannot listen at {}: {fault}", options.socket.display()))?;
    let (balances, head) = (engine.balances(), engine.book().head());
    std::thread::spawn({
        let door = door.clone();
        move || greet(&listener, &door, &balances)
    });
    println!("ready {} {head}", engine.replayed());
    match teller::run(&door, &mut engine, || Paced::Follows(wall())) {
        Stopped::Closed => Ok(ExitCode::SUCCESS),
        Stopped::Store(fault) => {
            eprintln!("stopped: {}", chain(&fault));
            std::process::exit(STORE_FAILED);
        }
    }
}

/// An error with its causes.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        text.push_str(&format!(": {fault}"));
        cause = fault.source();
    }
    text
}

#[cfg(feature = "failpoints")]
fn weaken(store: &SqliteStore, synchronous: &str) -> Result<(), String> {
    store.weaken(synchronous).map_err(|fault| chain(&fault))
}

#[cfg(not(feature = "failpoints"))]
fn weaken(_: &SqliteStore, _: &str) -> Result<(), String> {
    Err("a build without fail points has no weaker store; build it with --features failpoints".to_owned())
}

fn obey(door: &Door<Drill>) {
    for line in std::io::stdin().lines() {
        match line.as_deref() {
            Ok("stop") => door.close(),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    std::process::exit(ALONE);
}

fn greet(listener: &UnixListener, door: &Door<Drill>, balances: &Balances) {
    for stream in listener.incoming().map_while(Result::ok) {
        let (door, balances) = (door.clone(), balances.clone());
        std::thread::spawn(move || {
            // A client that goes away is none of the server's business.
            drop(attend(&stream, &door, &balances));
        });
    }
}

/// Hands in what one client asks. Answers are written by the teller's own thread, right after the commit, so that a death
/// between two of them leaves one client answered and the next one not.
fn attend(stream: &UnixStream, door: &Door<Drill>, balances: &Balances) -> std::io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let out = Arc::new(Mutex::new(stream.try_clone()?));
    for line in BufReader::new(stream).lines() {
        match Ask::parse(&line?) {
            Some(Ask::Do(operation)) => hand_in(door, operation, &out),
            Some(Ask::Sums(account)) => say(&out, &sums_line(sums(balances, &account))),
            None => break,
        }
    }
    Ok(())
}

type Out = Arc<Mutex<UnixStream>>;

fn say(out: &Out, line: &str) {
    let mut stream = out.lock().unwrap_or_else(PoisonError::into_inner);
    // Who does not hear the answer asks again.
    drop(stream.write_all(line.as_bytes()));
}

fn hand_in(door: &Door<Drill>, operation: Operation, out: &Out) {
    let (key, reply) = (operation.key, Arc::clone(out));
    let settled = move |outcome| say(&reply, &told_line(key, &told(outcome)));
    if door.hand_in(job(operation, settled)).is_err() {
        say(out, &told_line(key, &Told::Busy));
    }
}

fn told(outcome: Settled<Answer, Conflict>) -> Told {
    match outcome {
        Ok(answer) => Told::Settled(answer),
        Err(Rejected::Refused(Conflict)) => Told::Conflict,
        Err(Rejected::Fault(Fault::Busy)) => Told::Busy,
        Err(Rejected::Fault(Fault::Full)) => Told::Full,
        Err(Rejected::Fault(Fault::Stopping)) => Told::Stopping,
        Err(Rejected::Fault(Fault::Poison(why))) => Told::Poison(why),
    }
}

fn sums(balances: &Balances, account: &AccountKey) -> [i64; 4] {
    let account = balances.account(account);
    [account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending]
        .map(|sum| sum.get())
}

#[expect(clippy::disallowed_methods, reason = "the clock of the drill's server")]
fn wall() -> Micros {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Micros::new(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Time-ordered identifiers, never one below the one before.
struct Ids(u128);

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        self.0 = Id::time_ordered(now, [0; 8]).get().max(self.0.saturating_add(1));
        Id::new(self.0)
    }
}
