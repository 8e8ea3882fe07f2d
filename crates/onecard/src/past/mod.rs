//! A past for invented people: days of top-ups, taps and meals before today, so that a demo and a bench begin with what a
//! school has after some weeks.
//!
//! Nothing of it is written into the book by hand. Orders, holds and sales go through the flows; terminals and cards are the
//! product's own. What is invented are the people's habits ([`habits`]), the clock, and a provider that knows only what was
//! paid here ([`payer`]). A past can be given to a new book alone, before anybody is served.

mod counter;
mod habits;
mod payer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use card::chip::Chip;
use flows::ports::{Clock, Scene};
use flows::rows::Campus;
use flows::terminal::NewTerminal;
use flows::{School, merchant, top_up};
use futures_util::future::join_all;
use keys::Keyring;
use ledger::{Fen, Micros, SchoolId};
use rules::ids::{CardNo, PersonId, TerminalNo};
use store::sqlite::SqliteStore;
use teller::{Schema, Stopped};

use crate::prompt::{Refused, Said};
use crate::{Failure, engine};
use counter::Counter;
use habits::Meal;
pub use habits::SHOPS;
use payer::Payer;

/// What is to be lived.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many days; the last of them is over when that of `until` begins.
    pub days: u32,
    /// The past ends before the day of this moment.
    pub until: Micros,
    /// Terminals of each shop. They are numbered from 0x700 on and belong to the past alone.
    pub tills: u8,
    /// The same number draws the same habits.
    pub seed: u64,
}

/// Somebody who lives it.
pub struct Liver {
    /// Who.
    pub person: PersonId,
    /// Number of the card.
    pub card: CardNo,
    /// The card, empty, as it was handed out.
    pub chip: Chip,
}

/// Purse below which somebody tops up the next morning.
const LOW: u32 = 4_000;
/// Orders made and paid at once.
const AT_ONCE: usize = 500;
/// Between two customers of a terminal, microseconds.
const TURN: i64 = 20_000_000;
const DAY: i64 = 86_400;

/// A clock that is set by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Micros {
        Micros::new(self.0.load(Ordering::SeqCst))
    }
}

/// Fills a new book in `data` by `begin`, which says who lives, on the first day; then lives every day of the plan and tells
/// `tell` how many are over. Gives the people back with their cards as they are now.
///
/// Errors: there is a book already; a flow refuses what a new school gives no cause to refuse.
pub fn live(
    (data, id, keyring): (&Path, SchoolId, &Keyring),
    plan: Plan,
    begin: impl AsyncFnOnce(&School) -> Result<Vec<Liver>, Failure>,
    tell: &mut dyn FnMut(u32),
) -> Result<Vec<Liver>, Failure> {
    let store = SqliteStore::open(data, id, Campus::TABLES)?;
    let first = habits::midnight(plan.until).after_seconds(i64::from(plan.days).saturating_mul(-DAY));
    let clock = Arc::new(Hand(AtomicI64::new(first.get())));
    let payer = Arc::new(Payer::default());
    let (school, teller) =
        engine::work(store, data, id, keyring, Arc::clone(&payer) as _, Arc::clone(&clock) as Arc<dyn Clock>)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lived = runtime.block_on(async {
        let livers = begin(&school).await?;
        let mut life = Life { school: &school, clock: &clock, payer: &payer, plan, livers };
        life.all_days(keyring, tell).await?;
        Ok(life.livers)
    });
    school.door.close();
    match (lived, teller.join()) {
        (Ok(livers), Ok(Stopped::Closed)) => Ok(livers),
        (Err(failure), _) => Err(failure),
        (Ok(_), Ok(Stopped::Store(fault))) => Err(fault.into()),
        (Ok(_), Err(_)) => Err("the teller's thread panicked while a past was made".into()),
    }
}

struct Life<'a> {
    school: &'a School,
    clock: &'a Hand,
    payer: &'a Payer,
    plan: Plan,
    livers: Vec<Liver>,
}

impl Life<'_> {
    async fn all_days(&mut self, keyring: &Keyring, tell: &mut dyn FnMut(u32)) -> Result<(), Failure> {
        let mut counters = self.counters(keyring).await?;
        let begun = self.clock.now();
        for day in 0..self.plan.days {
            let midnight = begun.after_seconds(i64::from(day).saturating_mul(DAY));
            self.pass(midnight.after_seconds(8 * 3600));
            self.top_up(day).await?;
            for meal in Meal::ALL {
                self.pass(midnight.after_seconds(meal.at()));
                self.serve(day, meal, &mut counters).await?;
            }
            tell(day.saturating_add(1));
        }
        Ok(())
    }

    /// Time goes on to `moment`, never back and never beyond the end of the past.
    fn pass(&self, moment: Micros) {
        let now = self.clock.now().max(moment.min(self.plan.until));
        self.clock.0.store(now.get(), Ordering::SeqCst);
    }

    async fn counters(&self, keyring: &Keyring) -> Result<Vec<Vec<Counter>>, Failure> {
        let mut counters = Vec::new();
        for (shop, (code, zh, en)) in (0_u8..).zip(SHOPS) {
            merchant::add(self.school, code, zh, en).await.map_err(Refused::from)?;
            let mut tills = Vec::new();
            for till in 1..=self.plan.tills {
                let new = NewTerminal {
                    terminal: TerminalNo([7, shop, till]),
                    merchant: code.to_owned(),
                    place_zh: format!("{zh} {till} 号窗口"),
                    place_en: format!("{en}, window {till}"),
                    // Nobody has its key: after the past no terminal connects with it.
                    certificate: self.school.random(),
                };
                tills.push(Counter::open(self.school, keyring, new).await?);
            }
            counters.push(tills);
        }
        Ok(counters)
    }

    /// Whoever has little left makes an order and pays it.
    async fn top_up(&self, day: u32) -> Result<(), Failure> {
        let low: Vec<(usize, &Liver)> =
            self.livers.iter().enumerate().filter(|(_, liver)| liver.chip.balance() < LOW).collect();
        for chunk in low.chunks(AT_ONCE) {
            let paid = chunk.iter().map(|(place, liver)| async move {
                let amount = habits::top_up(self.plan.seed, *place, day);
                let scene = Scene::InWeChat { openid: format!("oPast{place:023}") };
                let opened =
                    top_up::open(self.school, liver.person, &amount.to_string(), scene, self.school.random()).await;
                let no = opened.map_err(|refusal| Refused::from(refusal.words().clone()))?;
                self.payer.pay(no, amount, self.clock.now());
                top_up::look_after(self.school, no).await?;
                Ok::<_, Failure>(())
            });
            for outcome in join_all(paid).await {
                outcome?;
            }
        }
        Ok(())
    }

    /// Those who come for this meal queue up at the windows; all windows serve at once.
    async fn serve(&mut self, day: u32, meal: Meal, counters: &mut [Vec<Counter>]) -> Result<(), Failure> {
        let mut queues: Vec<Vec<(&mut Liver, Fen)>> = counters.iter().map(|_| Vec::new()).collect();
        for (place, liver) in self.livers.iter_mut().enumerate() {
            if let Some((shop, price)) = habits::comes(self.plan.seed, place, day, meal)
                && let Some(queue) = queues.get_mut(shop)
            {
                queue.push((liver, price));
            }
        }
        while queues.iter().any(|queue| !queue.is_empty()) {
            let mut holds = Vec::new();
            for (tills, queue) in counters.iter_mut().zip(&mut queues) {
                let many = queue.len().min(tills.len());
                for (till, (liver, price)) in tills.iter_mut().zip(queue.drain(..many)) {
                    holds.push(till.serve(self.school, liver, price));
                }
            }
            for outcome in join_all(holds).await {
                outcome?;
            }
            let now = self.clock.now();
            let next = Micros::new(now.get().saturating_add(TURN));
            if next > self.plan.until {
                return Err(Said(
                    "the past reaches into the present: give it fewer people or more terminals".to_owned(),
                )
                .into());
            }
            self.clock.0.store(next.get(), Ordering::SeqCst);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flows::card_issue;
    use rules::calendar::campus_day;
    use rules::{chart, roster};

    use super::*;
    use crate::clock::wall;
    use crate::demo::{self, SCHOOL, first_people};
    use crate::issue;
    use crate::verify::check_and_tell;

    #[test]
    fn a_past_is_a_book_that_adds_up_and_agrees_with_every_card() {
        let data = std::env::temp_dir().join(format!("onecard-past-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let keyring = Keyring::generate();
        let plan = Plan { days: 3, until: wall(), tills: 2, seed: 5 };
        let mut over = Vec::new();
        let mut balances = None;
        let livers = live(
            (&data, SCHOOL, &keyring),
            plan,
            async |school: &School| {
                let entries = roster::check(&demo::roster(6), campus_day(school.now()));
                let entries = entries.into_iter().filter_map(Result::ok).collect();
                flows::people::import(school, entries, false).await?;
                balances = Some(school.clone());
                let mut livers = Vec::new();
                for (number, person) in (1..).zip(first_people(school, 6).await?) {
                    let card = CardNo(0x2026_0000_0000_0000 | number);
                    card_issue::issue(school, person, card).await.map_err(Refused::from)?;
                    livers.push(Liver { person, card, chip: issue::personalise(&keyring, card)? });
                }
                Ok(livers)
            },
            &mut |day| over.push(day),
        )
        .unwrap();
        assert_eq!(over, [1, 2, 3]);
        let school = balances.unwrap();
        for liver in &livers {
            assert!(liver.chip.purchases() > 0 && liver.chip.loads() > 0, "{} had no life", liver.card);
            let booked = school.balance(&chart::on_card(liver.card)).get();
            assert_eq!(booked, i64::from(liver.chip.balance()), "{}", liver.card);
        }
        let report = check_and_tell(&data, SCHOOL, &[], &mut |_| {}).unwrap();
        assert!(report.clean(), "{report:?}");
        std::fs::remove_dir_all(&data).unwrap();
    }
}
