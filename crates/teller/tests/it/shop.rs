//! A tiny school: orders that are credited once, and tallies that count.

use std::sync::{Arc, Mutex, MutexGuard};

use ledger::{AccountCode, AccountKey, CodecError, Fen, Id, Micros, Stage, Transfer};
use teller::{
    CommitError, Desk, Engine, Halt, IdSource, Job, Limits, Listing, NotLoaded, Rejected, Schema, Seen, Settled, job,
};

use crate::shelf::Shelf;

/// The row types of the shop.
#[derive(Debug)]
pub struct Shop;

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Order(u32),
    Tally(u32),
}

/// A number; for an order, the tally that it counts on.
pub type Row = u32;

impl Schema for Shop {
    type Key = Key;
    type Row = Row;
    const TABLES: &'static [&'static str] = &["order", "tally"];
    const LISTS: &'static [&'static str] = &["orders_by_tally"];

    fn table(key: &Key) -> &'static str {
        match key {
            Key::Order(_) => "order",
            Key::Tally(_) => "tally",
        }
    }

    fn key_bytes(key: &Key) -> Vec<u8> {
        let (Key::Order(number) | Key::Tally(number)) = key;
        number.to_be_bytes().to_vec()
    }

    fn encode(row: &Row) -> Vec<u8> {
        if *row == 0xBAD0 { crate::shelf::UNWANTED.to_vec() } else { row.to_be_bytes().to_vec() }
    }

    fn decode(_: &Key, body: &[u8]) -> Result<Row, CodecError> {
        body.try_into().map(u32::from_be_bytes).map_err(|_| CodecError::Short)
    }

    fn listings(key: &Key, row: &Row) -> Vec<Listing> {
        match key {
            Key::Order(number) => vec![Listing {
                list: "orders_by_tally",
                owner: row.to_be_bytes().to_vec(),
                at: i64::from(*number),
                key: Shop::key_bytes(key),
            }],
            Key::Tally(_) => Vec::new(),
        }
    }
}

type Needs = Box<dyn Fn(&Seen<'_, Shop>) -> Vec<Key> + Send>;
type Outcome = Result<u32, Halt<Shop, &'static str>>;
type Deed = Box<dyn Fn(&mut Desk<'_, Shop>) -> Outcome + Send>;

/// A command made of two closures.
pub struct Act {
    needs: Needs,
    deed: Deed,
}

impl teller::Command<Shop> for Act {
    type Answer = u32;
    type Refusal = &'static str;
    fn needs(&self, seen: &Seen<'_, Shop>) -> Vec<Key> {
        (self.needs)(seen)
    }
    fn decide(&self, desk: &mut Desk<'_, Shop>) -> Outcome {
        (self.deed)(desk)
    }
}

/// A command that names these rows and does this.
pub fn act(needs: Vec<Key>, deed: impl Fn(&mut Desk<'_, Shop>) -> Outcome + Send + 'static) -> Act {
    act_on(move |_| needs.clone(), deed)
}

/// A command that names rows by the rows it has seen.
pub fn act_on(
    needs: impl Fn(&Seen<'_, Shop>) -> Vec<Key> + Send + 'static,
    deed: impl Fn(&mut Desk<'_, Shop>) -> Outcome + Send + 'static,
) -> Act {
    Act { needs: Box::new(needs), deed: Box::new(deed) }
}

pub const BANK: AccountKey = AccountKey::new(AccountCode(1000), 0);

pub const fn holder(number: u32) -> AccountKey {
    AccountKey { code: AccountCode(2000), owner: 1, part: number }
}

/// Moves money on the desk.
pub fn pay(desk: &mut Desk<'_, Shop>, debit: AccountKey, credit: AccountKey, fen: i64, stage: Stage) -> Outcome {
    let id = desk.new_id();
    let wish = Transfer {
        id,
        debit,
        credit,
        amount: Fen::new(fen),
        stage,
        effective_at: desk.now(),
        code: 1,
        reference: Id::new(0),
    };
    match desk.post(&wish) {
        Ok(row) => u32::try_from(row.seq).map_err(|_| Halt::Refuse("too many rows")),
        Err(_) => Err(Halt::Refuse("the book says no")),
    }
}

/// Credits an order once: 1.00 for its holder. Answers 1 for the first call and 2 for a repeat.
pub fn credit(order: u32) -> Act {
    act(vec![Key::Order(order)], move |desk| {
        if desk.get(&Key::Order(order))?.is_some() {
            return Ok(2);
        }
        desk.put(Key::Order(order), 7)?;
        pay(desk, BANK, holder(order), 100, Stage::Direct)?;
        Ok(1)
    })
}

/// Adds one to a tally and answers what it then is.
pub fn count(tally: u32) -> Act {
    act(vec![Key::Tally(tally)], move |desk| {
        let now = desk.get(&Key::Tally(tally))?.copied().unwrap_or(0) + 1;
        desk.put(Key::Tally(tally), now)?;
        Ok(now)
    })
}

/// What one caller was told.
pub type Told = Settled<u32, &'static str>;

pub fn refused(why: &'static str) -> Told {
    Err(Rejected::Refused(why))
}

struct Counting(u128);

impl IdSource for Counting {
    fn next(&mut self, _: Micros) -> Id {
        self.0 += 1;
        Id::new(self.0)
    }
}

type Log = Arc<Mutex<Vec<(u32, Told, usize)>>>;

/// An engine over a shelf, and what its callers were told, with the number of blocks durable at that moment.
pub struct Counter {
    pub engine: Engine<Shop, Shelf>,
    pub shelf: Shelf,
    told: Log,
    asked: u32,
    at: i64,
}

impl Counter {
    pub fn open(shelf: &Shelf) -> Counter {
        Counter::with(shelf, Limits::default())
    }

    pub fn with(shelf: &Shelf, limits: Limits) -> Counter {
        let school = ledger::SchoolId::new(1).expect("a school");
        let engine = Engine::start(school, shelf.clone(), Box::new(Counting(0)), limits).expect("starts");
        Counter { engine, shelf: shelf.clone(), told: Log::default(), asked: 0, at: 1_790_000_000_000_000 }
    }

    /// A job whose outcome lands among the told, under the next number.
    pub fn job(&mut self, act: Act) -> Box<dyn Job<Shop>> {
        self.asked += 1;
        let (number, told, shelf) = (self.asked, Arc::clone(&self.told), self.shelf.clone());
        job(act, move |outcome| {
            let blocks = shelf.kept().blocks.len();
            told.lock().expect("no caller panics").push((number, outcome, blocks));
        })
    }

    /// One batch. Gives back what was put off.
    pub fn step(&mut self, acts: Vec<Act>) -> Result<Vec<Box<dyn Job<Shop>>>, CommitError> {
        let jobs = acts.into_iter().map(|act| self.job(act)).collect();
        self.step_jobs(jobs)
    }

    pub fn step_jobs(&mut self, jobs: Vec<Box<dyn Job<Shop>>>) -> Result<Vec<Box<dyn Job<Shop>>>, CommitError> {
        self.at += 1_000_000;
        self.engine.step(jobs, Micros::new(self.at))
    }

    /// One batch that puts nothing off; gives what each caller was told, in the order asked.
    pub fn ask(&mut self, acts: Vec<Act>) -> Vec<Told> {
        let from = self.asked;
        let put_off = self.step(acts).expect("the store works");
        assert!(put_off.is_empty(), "{} commands were put off", put_off.len());
        self.told_since(from)
    }

    /// What callers after number `from` were told, in the order asked.
    pub fn told_since(&self, from: u32) -> Vec<Told> {
        let mut told: Vec<_> = self.told().iter().filter(|(number, ..)| *number > from).cloned().collect();
        told.sort_by_key(|(number, ..)| *number);
        told.into_iter().map(|(_, outcome, _)| outcome).collect()
    }

    /// (number asked, outcome, blocks durable when told), in the order told.
    pub fn told(&self) -> MutexGuard<'_, Vec<(u32, Told, usize)>> {
        self.told.lock().expect("no caller panics")
    }

    pub fn balance(&self, key: AccountKey) -> i64 {
        let (book, page) = (self.engine.book().account(&key), self.engine.balances().account(&key));
        assert_eq!(book, page, "pages see another balance than the book");
        book.balance().get()
    }
}

/// Says that a row was not loaded, as a rule does that asks for one it did not name.
pub fn missing(key: Key) -> Halt<Shop, &'static str> {
    NotLoaded(key).into()
}
