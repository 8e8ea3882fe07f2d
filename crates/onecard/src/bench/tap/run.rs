//! One run: a copy of the school, its gateway, terminals that tap all at once, and a look at the book afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use card::chip::Chip;
use flows::{School, merchant};
use futures_util::future::join_all;
use ledger::Fen;
use rules::chart;
use serde::Serialize;

use super::super::load::{micros_since, tick};
use super::super::onecard::{copy_book, require_whole};
use super::super::say::Say;
use super::gateway;
use super::options::Sizes;
use super::school::{MERCHANT, Paid, card_no};
use super::till::{Tap, Till};
use crate::Failure;
use crate::demo::SCHOOL;
use crate::prompt::{Refused, Said};
use crate::verify::check_and_tell;

/// What every sale costs; every top-up is at least that.
const PRICE: Fen = Fen::new(100);

/// What a tap is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A paid top-up is loaded.
    Load,
    /// An amount was keyed: a paid top-up is loaded, then the sale is paid from the purse, in one hold.
    LoadAndBuy,
    /// An amount was keyed, nothing waits: the sale is paid from the purse.
    Purse,
}

impl Kind {
    /// In the order in which a run takes them: purses must be loaded before they pay.
    pub const ALL: [Kind; 3] = [Kind::Load, Kind::LoadAndBuy, Kind::Purse];

    /// As the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Load => "load",
            Kind::LoadAndBuy => "load and purchase",
            Kind::Purse => "purse purchase",
        }
    }

    const fn sale(self) -> Option<Fen> {
        match self {
            Kind::Load => None,
            Kind::LoadAndBuy | Kind::Purse => Some(PRICE),
        }
    }

    /// Place of its first card: the purses that pay are those that were loaded.
    const fn first_card(self, cards_of_a_kind: u32) -> u32 {
        match self {
            Kind::Load | Kind::Purse => 0,
            Kind::LoadAndBuy => cards_of_a_kind,
        }
    }
}

/// What a run gave.
pub struct Outcome {
    /// Every measured tap, kind by kind.
    pub taps: Vec<(Kind, Vec<Tap>)>,
    /// From the first tap to the last, microseconds, those included that are not measured.
    pub micros: u64,
    /// Taps, those included that are not measured.
    pub made: u64,
}

/// Runs on a copy of the school in `data`, with the terminals' journals beside it, then holds book and chips together and
/// verifies the book.
///
/// Error: also when a tap does not turn out well, or the book does not hold what the chips do; `data` is left as it is.
pub fn run(
    paid: &Paid,
    sizes: &Sizes,
    terminals: u16,
    (data, journals): (&Path, &Path),
    say: &Say,
) -> Result<Outcome, Failure> {
    copy_book(paid.book(), data)?;
    std::fs::create_dir_all(journals)?;
    let gateway = gateway::start(data, paid)?;
    // Terminals are machines of their own; here they have threads of their own.
    let machines = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tapped = machines.block_on(async {
        let mut counters = Vec::new();
        for place in 0..terminals {
            let journal = journals.join(format!("journal-{place}"));
            let till = Till::start(&paid.identity(place), &journal, gateway.address, u64::from(place) + 1)?;
            counters.push(Counter { till, place, chips: BTreeMap::new() });
        }
        tap(paid, sizes, &mut counters, say).await.map(|outcome| (outcome, counters))
    });
    let (outcome, counters) = tapped?;
    let mut chips = BTreeMap::new();
    for counter in counters {
        machines.block_on(counter.till.stop())?;
        chips.extend(counter.chips);
    }
    machines.shutdown_background();
    gateway.block_on(require_agreement(gateway.school(), &chips))?;
    gateway.stop()?;
    let report = check_and_tell(data, SCHOOL, &[], &mut |step| say.verifying(step))?;
    require_whole(data, report)?;
    Ok(outcome)
}

/// A terminal and the cards of those who come to it.
struct Counter {
    till: Till,
    place: u16,
    chips: BTreeMap<u32, Chip>,
}

async fn tap(paid: &Paid, sizes: &Sizes, counters: &mut [Counter], say: &Say) -> Result<Outcome, Failure> {
    for counter in counters.iter_mut() {
        counter.till.greeted().await?;
    }
    let each = sizes.taps_each(u16::try_from(counters.len())?);
    let began = tick();
    let (mut taps, mut made) = (Vec::new(), 0);
    for (done, kind) in (0..).zip(Kind::ALL) {
        say.part(kind.name(), done, 3);
        let first = kind.first_card(sizes.cards_of_a_kind());
        let served = join_all(counters.iter_mut().map(|counter| counter.serve(paid, kind, first, each))).await;
        let mut all = Vec::new();
        for taps in served {
            all.extend(taps?);
        }
        made += u64::try_from(counters.len())? * u64::from(each);
        taps.push((kind, all));
    }
    Ok(Outcome { taps, micros: micros_since(began).max(1), made })
}

impl Counter {
    /// Serves so many cards one after the other; the first tap is not among those it gives.
    async fn serve(&mut self, paid: &Paid, kind: Kind, first: u32, each: u32) -> Result<Vec<Tap>, Failure> {
        let mut taps = Vec::new();
        for number in 0..each {
            let place = first + u32::from(self.place) * each + number;
            let chip = match self.chips.remove(&place) {
                Some(chip) => chip,
                None => paid.card(place)?,
            };
            let (chip, tap) = self.till.tap(chip, kind.sale()).await?;
            self.chips.insert(place, chip);
            if number > 0 {
                taps.push(tap);
            }
        }
        Ok(taps)
    }
}

/// Every chip holds what the book says, and the merchant has what the chips paid.
async fn require_agreement(school: &School, chips: &BTreeMap<u32, Chip>) -> Result<(), Failure> {
    let wrong = |what: String| Failure::from(Said(format!("the book and the cards do not agree: {what}")));
    let mut sales = 0;
    for (place, chip) in chips {
        let no = card_no(*place);
        let (booked, held) = (school.balance(&chart::on_card(no)), Fen::new(i64::from(chip.balance())));
        if booked != held {
            return Err(wrong(format!("card {no} holds {held}, the book says {booked}")));
        }
        if chip.loads() != 1 {
            return Err(wrong(format!("card {no} was loaded {} times", chip.loads())));
        }
        sales += i64::from(chip.purchases());
    }
    let merchant = merchant::add(school, MERCHANT, "食堂", "Canteen").await.map_err(Refused::from)?;
    let (due, has) = (Fen::new(sales * PRICE.get()), school.balance(&chart::merchant(merchant)));
    if has != due {
        return Err(wrong(format!("{sales} sales are {due}, the merchant has {has}")));
    }
    Ok(())
}
