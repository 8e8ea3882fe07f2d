//! A composite purchase: balance, counter M, log and the day counter change together or not at all (M21).
//!
//! The POS agent works on line and makes none; this is what any terminal that does must send, with the product's commands,
//! purchase module and proofs. The book does not take part, so the card alone is compared.

use card::files::{CardNumber, DayCounter};
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, Stamp, Terms};
use card::terminal::{self, DebitAnswer, ProveAnswer, PurchaseAnswer};
use rules::calendar::card_stamp;

use crate::Broken;
use crate::campus::{CARDS, START, TERMINALS};
use crate::card_work::CardWork;
use crate::case::Successor;
use crate::flow::PRICE;
use crate::hand::{Tear, Which};
use crate::world::{HERE, World};

/// Taps until a composite purchase is paid, at most.
const MOST_TAPS: u32 = 6;

/// A debit that may have happened, as it stands in the terminal's journal.
#[derive(Clone, Copy)]
struct Intent {
    old_balance: u32,
    m: u16,
    tsn: u32,
    stamp: Stamp,
}

/// A terminal that sells off line, as far as the card sees it.
pub(crate) struct Counter {
    terminal: [u8; 6],
    module: SoftPsam,
    intent: Option<Intent>,
    paid: bool,
    /// M before the sale.
    first_m: Option<u16>,
}

/// The hold came to its end, or the card left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Left,
}

impl Counter {
    pub(crate) fn new(world: &World<'_>) -> Counter {
        let terminal = TERMINALS[HERE].with([0; 3]);
        let masters = world.keyring().card_masters().iter();
        let masters = masters.map(|(version, masters)| (*version, masters.purchase.clone())).collect();
        Counter { terminal, module: SoftPsam::new(terminal, masters), intent: None, paid: false, first_m: None }
    }

    fn sell(&mut self, world: &mut World<'_>) -> Result<End, Broken> {
        if terminal::parse_select(&world.exchange(&terminal::select_purse())?).is_err() {
            return Ok(End::Left);
        }
        if let Some(intent) = self.intent
            && self.settle(world, intent)? == End::Left
        {
            return Ok(End::Left);
        }
        let Ok(counter) = terminal::parse_day_counter(&world.exchange(&terminal::read_day_counter())?) else {
            return Ok(End::Left);
        };
        self.agrees(world, counter)?;
        if self.paid { Ok(End::Done) } else { self.buy(world, counter) }
    }

    /// The day counter goes with the balance, whatever was torn.
    fn agrees(&mut self, world: &mut World<'_>, counter: DayCounter) -> Result<(), Broken> {
        let m = world.hand.chip(Which::Anna)?.purchases();
        let first = *self.first_m.get_or_insert(m);
        let expected = i64::from(m.saturating_sub(first)).saturating_mul(PRICE);
        if i64::from(counter.spent) != expected {
            world.findings.push(format!("the day counter says {}, the purchases make {expected}", counter.spent));
        }
        Ok(())
    }

    fn terms(&self) -> Terms {
        Terms { amount: u32::try_from(PRICE).unwrap_or(0), kind: Kind::Composite, terminal: self.terminal }
    }

    fn buy(&mut self, world: &mut World<'_>, counter: DayCounter) -> Result<End, Broken> {
        let terms = self.terms();
        let (date, time) = card_stamp(START);
        let stamp = Stamp { date, time };
        let answer = world.exchange(&terminal::init_composite(terms.amount, self.terminal))?;
        let Ok(purse) = PurchaseAnswer::parse(&answer) else { return Ok(End::Left) };
        let request = PurchaseRequest {
            card: CardNumber(CARDS[Which::Anna.place()]),
            random: purse.random,
            m: purse.m,
            amount: terms.amount,
            kind: Kind::Composite,
            stamp,
            key_version: purse.key_version,
            algorithm: purse.algorithm,
        };
        let grant = self.module.begin_purchase(&request).map_err(Broken::of("the purchase module"))?;
        let next = counter.after(date, terms.amount).ok_or_else(|| Broken::new("the day counter is full"))?;
        let cached = world.exchange(&terminal::cache_day_counter(next))?;
        if terminal::parse_done(&cached).is_err() {
            return Ok(End::Left);
        }
        // Written down before DEBIT goes out.
        self.intent = Some(Intent { old_balance: purse.old_balance, m: purse.m, tsn: grant.tsn, stamp });
        let answer = world.exchange(&terminal::debit(grant.tsn, stamp, grant.mac1))?;
        match DebitAnswer::parse(&answer) {
            Ok(proof) if self.module.verify_mac2(proof.mac2).is_ok() => {
                self.paid_by(world, grant.tsn, stamp, proof.tac);
                Ok(End::Done)
            }
            Ok(_) | Err(_) => Ok(End::Left),
        }
    }

    /// The host's proof decides: a purchase module that lost its power cannot check any more.
    fn proves(&self, world: &World<'_>, tsn: u32, stamp: Stamp, tac: [u8; 4]) -> bool {
        let newest = world.keyring().newest_card_masters();
        let keys = newest.map(|(_, masters)| masters.card_keys(CardNumber(CARDS[Which::Anna.place()])));
        keys.is_some_and(|keys| keys.proves_purchase(self.terms(), tsn, stamp, tac))
    }

    fn paid_by(&mut self, world: &mut World<'_>, tsn: u32, stamp: Stamp, tac: [u8; 4]) {
        if !self.proves(world, tsn, stamp, tac) {
            world.findings.push("the TAC of a composite purchase does not verify".to_owned());
        }
        (self.intent, self.paid) = (None, true);
    }

    /// Asks the card what became of a torn debit.
    fn settle(&mut self, world: &mut World<'_>, intent: Intent) -> Result<End, Broken> {
        for seq in [intent.m.wrapping_add(1), intent.m] {
            let answer = world.exchange(&terminal::prove(Kind::Composite, seq))?;
            match ProveAnswer::parse(&answer) {
                Ok(proof) if self.proves(world, intent.tsn, intent.stamp, proof.tac) => {
                    self.paid_by(world, intent.tsn, intent.stamp, proof.tac);
                    return Ok(End::Done);
                }
                Ok(_) => {}
                Err(_) if answer.len() == 2 && world.hand.present()? => {}
                Err(_) => return Ok(End::Left),
            }
        }
        let answer = world.exchange(&terminal::init_composite(self.terms().amount, self.terminal))?;
        let Ok(purse) = PurchaseAnswer::parse(&answer) else { return Ok(End::Left) };
        if (purse.old_balance, purse.m) == (intent.old_balance, intent.m) {
            self.intent = None;
        } else {
            world.findings.push("the card was debited and gives no proof".to_owned());
        }
        Ok(End::Done)
    }
}

impl CardWork for Counter {
    fn hold(&mut self, world: &mut World<'_>, tear: Option<Tear>) -> Result<(), Broken> {
        world.lay(Which::Anna, tear)?;
        self.sell(world)?;
        world.take()
    }

    fn go_on(&mut self, world: &mut World<'_>, after: Successor) -> Result<(), Broken> {
        match after {
            Successor::SameTerminal => Ok(()),
            Successor::OtherTerminal => look(world, Which::Anna),
            Successor::OtherCard => look(world, Which::Ben),
            Successor::PowerCycle => {
                let kept = self.module.to_bytes();
                self.module = SoftPsam::from_bytes(&kept).map_err(Broken::of("starting the purchase module"))?;
                Ok(())
            }
            Successor::ServerRestart => world.go_on(after),
        }
    }

    fn calm(&mut self, world: &mut World<'_>) -> Result<(), Broken> {
        for _ in 0..MOST_TAPS {
            world.lay(Which::Anna, None)?;
            let end = self.sell(world)?;
            world.take()?;
            if self.paid && end == End::Done {
                return Ok(());
            }
        }
        world.findings.push(format!("after {MOST_TAPS} calm holds the composite purchase is not paid"));
        Ok(())
    }

    fn with_book(&self) -> bool {
        false
    }
}

/// A terminal that knows nothing of the sale reads the balance.
fn look(world: &mut World<'_>, card: Which) -> Result<(), Broken> {
    world.lay(card, None)?;
    for command in [terminal::select_purse(), terminal::get_balance()] {
        world.exchange(&command)?;
    }
    world.take()
}
