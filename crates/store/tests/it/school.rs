//! A small school on the real teller: rows, money and lists move in batches, pseudo-randomly but always the same way.

use std::sync::mpsc;

use ledger::{AccountCode, AccountKey, CodecError, Fen, Id, Micros, Stage, Transfer};
use teller::{Command, Desk, Engine, Halt, IdSource, Job, Limits, Listing, Schema, Seen, Store, job};

use crate::place::{TABLES, school};

pub struct Small;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Order(u32),
    Tally(u32),
}

impl Schema for Small {
    type Key = Key;
    type Row = Vec<u8>;
    const TABLES: &'static [&'static str] = TABLES;
    const LISTS: &'static [&'static str] = &["orders"];

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

    fn encode(row: &Vec<u8>) -> Vec<u8> {
        row.clone()
    }

    fn decode(_: &Key, body: &[u8]) -> Result<Vec<u8>, CodecError> {
        Ok(body.to_vec())
    }

    fn listings(key: &Key, row: &Vec<u8>) -> Vec<Listing> {
        match key {
            Key::Order(number) => {
                let owner = vec![row.first().copied().unwrap_or(0)];
                vec![Listing { list: "orders", owner, at: i64::from(*number), key: Small::key_bytes(key) }]
            }
            Key::Tally(_) => Vec::new(),
        }
    }
}

/// One deed of the small school, drawn from a number.
struct Deed(u64);

pub fn draw(state: &mut u64, below: u64) -> u64 {
    // SplitMix64
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % below
}

fn account(number: u64) -> AccountKey {
    match number {
        0 => AccountKey::new(AccountCode(1000), 3),
        1 => AccountKey::new(AccountCode(3000), 4),
        2 => AccountKey::new(AccountCode(4000), 0),
        number => AccountKey { code: AccountCode(2000), owner: u128::from(number) << 64, part: 1 },
    }
}

impl Deed {
    /// The rows it looks at: the deed's choices are the same each time it is asked.
    fn rows(&self) -> (Key, Key) {
        let mut state = self.0;
        (
            Key::Order(u32::try_from(draw(&mut state, 60)).expect("few")),
            Key::Tally(u32::try_from(draw(&mut state, 8)).expect("few")),
        )
    }
}

impl Command<Small> for Deed {
    type Answer = ();
    type Refusal = ();

    fn needs(&self, _: &Seen<'_, Small>) -> Vec<Key> {
        let (order, tally) = self.rows();
        vec![order, tally]
    }

    fn decide(&self, desk: &mut Desk<'_, Small>) -> Result<(), Halt<Small, ()>> {
        let mut state = self.0 ^ 0xABCD;
        let (order, tally) = self.rows();
        let count = desk.get(&tally)?.map_or(0, Vec::len);
        match draw(&mut state, 5) {
            0 => desk.delete(order)?,
            _ => desk.put(order, vec![u8::try_from(draw(&mut state, 4)).expect("small"), 1, 2, 3])?,
        }
        if draw(&mut state, 3) > 0 {
            desk.put(tally, vec![7; count + 1])?;
        }
        for _ in 0..draw(&mut state, 3) {
            let (debit, credit) = (account(draw(&mut state, 3)), account(3 + draw(&mut state, 9)));
            self.pay(desk, Stage::Direct, debit, credit, 1_000)?;
            let (debit, credit) = (account(3 + draw(&mut state, 9)), account(draw(&mut state, 3)));
            let fen = i64::try_from(1 + draw(&mut state, 1_000)).expect("small");
            let set = self.pay(desk, Stage::Pend, debit, credit, fen)?;
            match draw(&mut state, 3) {
                0 => self.pay(desk, Stage::Post(set), debit, credit, 1 + fen / 2)?,
                1 => self.pay(desk, Stage::Void(set), debit, credit, fen)?,
                _ => 0,
            };
        }
        Ok(())
    }
}

impl Deed {
    fn pay(
        &self,
        desk: &mut Desk<'_, Small>,
        stage: Stage,
        debit: AccountKey,
        credit: AccountKey,
        fen: i64,
    ) -> Result<u64, Halt<Small, ()>> {
        let transfer = Transfer {
            id: desk.new_id(),
            debit,
            credit,
            amount: Fen::new(fen),
            stage,
            effective_at: Micros::new(desk.now().get() - 500),
            code: 42,
            reference: Id::new(u128::from(self.0)),
        };
        // The holder may not have enough: then the whole deed is refused.
        desk.post(&transfer).map(|row| row.seq).map_err(|_| Halt::Refuse(()))
    }
}

struct Ids(u64);

impl IdSource for Ids {
    fn next(&mut self, now: Micros) -> Id {
        self.0 += 1;
        Id::time_ordered(now, self.0.to_be_bytes())
    }
}

pub fn engine<St: Store>(store: St) -> Engine<Small, St> {
    Engine::start(school(), store, Box::new(Ids(0)), Limits::default()).expect("starts")
}

/// Runs `batches` batches of `deeds` deeds each. Gives how many deeds were done and how many were refused.
pub fn work<St: Store>(engine: &mut Engine<Small, St>, batches: u64, deeds: u64) -> (usize, usize) {
    let (say, told) = mpsc::channel();
    let start = engine.head().0;
    for batch in start..start + batches {
        let jobs = (0..deeds)
            .map(|deed| -> Box<dyn Job<Small>> {
                let say = say.clone();
                job(Deed(batch * 1_000 + deed), move |outcome| say.send(outcome.is_ok()).expect("heard"))
            })
            .collect();
        let at = Micros::new(1_790_000_000_000_000 + i64::try_from(batch).expect("few") * 1_000_000);
        let put_off = engine.step(jobs, at).expect("commits");
        assert!(put_off.is_empty());
    }
    drop(say);
    told.iter().fold((0, 0), |(done, refused), ok| if ok { (done + 1, refused) } else { (done, refused + 1) })
}
