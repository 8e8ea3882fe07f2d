//! The school of the bench: people with cards and open orders, all made by the flows, at rest in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flows::ports::Scene;
use flows::{School, card_issue, top_up};
use futures_util::future::join_all;
use ledger::Fen;
use rules::ids::{CardNo, OrderNo, PersonId};

use super::super::cleanup::Cleanup;
use super::super::invented::{import, set};
use super::super::say::Say;
use super::super::workload::Draw;
use crate::Failure;
use crate::clock::SteadyClock;
use crate::demo::{Folder, SCHOOL, roster as invented};
use crate::engine::no_channel::NoChannel;
use crate::engine::{self, Files};
use crate::prompt::Refused;

/// Open orders of each holder. In life there are one or two; a holder's row of them is written with each payment.
pub const ORDERS_EACH: u32 = 8;
/// Commands in flight while the school is made.
const AT_ONCE: usize = 2000;
/// Cards of the bench carry this prefix; then they are counted from 1.
pub const CARD_PREFIX: u64 = 0x2026_0000_0000_0000;
/// How long an order can be paid, seconds: the most that the rule allows, so that none expires within a bench.
const PAY_WITHIN: i64 = 7200;
/// Nobody listens there: no order is told to the provider, and none is asked about.
pub const NO_PROVIDER: &str = "http://127.0.0.1:9";

/// An open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub no: OrderNo,
    /// Whose.
    pub person: PersonId,
    /// How much.
    pub amount: Fen,
}

/// A school at rest, of which every run gets a copy.
pub struct Prepared {
    /// Its keys and those of its provider.
    pub keys: Folder,
    /// Folder of the book.
    pub book: PathBuf,
    /// Its open orders.
    pub orders: Vec<Order>,
}

impl Prepared {
    /// Makes keys on the spot, and a book with `orders` open orders, `each` of every holder; the orders come holder by
    /// holder, as do the cards, until every holder has one, and then again.
    ///
    /// Error: a flow refuses, which a fresh school gives no cause for.
    pub fn make(orders: u32, each: u32, cleanup: &Cleanup, say: &Say) -> Result<Prepared, Failure> {
        let keys = Folder::open(&cleanup.path("keys"))?;
        // Makes both halves of the provider's keys; the simulator itself is not needed.
        drop(keys.sandbox(NO_PROVIDER, None)?);
        let book = cleanup.path("prepared");
        let files = Files { data: &book, anchors: None };
        let clock = Arc::new(SteadyClock::new());
        let running = engine::start(files, SCHOOL, keys.keyring(), Arc::new(NoChannel), clock)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let made = runtime.block_on(fill(&running.school, orders, each, say));
        running.stop()?;
        Ok(Prepared { keys, book, orders: made? })
    }

    /// Folder of the provider's half of the keys.
    pub fn provider(&self) -> PathBuf {
        provider_of(self.keys.path())
    }
}

/// Where a [`Folder`] has the provider's keys.
fn provider_of(keys: &Path) -> PathBuf {
    keys.join("sandbox")
}

async fn fill(school: &School, orders: u32, each: u32, say: &Say) -> Result<Vec<Order>, Failure> {
    set(school, "order.pay_within", PAY_WITHIN).await?;
    let many = orders.div_ceil(each);
    say.part("people", 0, u64::from(many));
    let holders = import(school, &invented(many)).await?;
    hand_out_cards(school, &holders).await?;
    open_orders(school, &holders, orders, say).await
}

async fn hand_out_cards(school: &School, holders: &[PersonId]) -> Result<(), Failure> {
    let numbered: Vec<_> = (1_u64..).zip(holders).collect();
    for chunk in numbered.chunks(AT_ONCE) {
        let issued = chunk.iter().map(|(no, person)| card_issue::issue(school, **person, CardNo(CARD_PREFIX | no)));
        for outcome in join_all(issued).await {
            outcome.map_err(Refused::from)?;
        }
    }
    Ok(())
}

/// Orders of 1.00 to 50.00. Neighbours are of different holders, so that those under way together are too.
async fn open_orders(school: &School, holders: &[PersonId], many: u32, say: &Say) -> Result<Vec<Order>, Failure> {
    let mut draw = Draw::new(u64::from(many));
    let mut wishes = Vec::new();
    for (place, person) in (0..many).zip(holders.iter().cycle()) {
        let amount = Fen::new(100 + i64::try_from(draw.below(4901))?);
        wishes.push((*person, amount, Scene::InWeChat { openid: format!("oBench{place:022}") }));
    }
    let mut orders = Vec::new();
    for chunk in wishes.chunks(AT_ONCE) {
        let opened = chunk.iter().map(|(person, amount, scene)| async move {
            let made = top_up::open(school, *person, &amount.to_string(), scene.clone(), school.random()).await;
            made.map(|no| Order { no, person: *person, amount: *amount })
        });
        for outcome in join_all(opened).await {
            orders.push(outcome.map_err(|refusal| Refused::from(refusal.words().clone()))?);
        }
        say.part("orders", u64::try_from(orders.len())?, u64::from(many));
    }
    Ok(orders)
}
