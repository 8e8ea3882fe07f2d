//! Who pays whom: accounts, patterns and the plan of a run, all drawn beforehand and without floats.

use clap::ValueEnum;
use ledger::{AccountKey, Id, Micros};
use rules::chart;
use rules::ids::{MerchantId, PersonId};
use serde::Serialize;

/// Clients that number their transfers.
pub const CLIENTS: u16 = 64;
/// How many of its newest answers a client's row keeps.
pub const KEPT: u64 = 16;
/// What every holder has at the start, fen: more than any plan takes.
pub const FUNDS: i64 = 100_000_000_000;
/// What a transfer that must be refused asks for.
pub const TOO_MUCH: i64 = 10 * FUNDS;
/// How far back a repeat goes, in rounds of all clients; a client has kept these answers.
const ROUNDS_BACK: u64 = 8;

/// How accounts are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Every holder and every merchant as often as any other.
    Uniform,
    /// The k-th most active holder and merchant 1/k as often as the first.
    Zipf,
    /// Holders evenly, all of them to one merchant.
    Hot,
}

/// By what a repeat of a transfer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// Each client numbers its transfers; one row for each client keeps the highest number and the newest answers.
    Stream,
    /// Each transfer has an identifier of its own and a row that stays for ever.
    Transfer,
}

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Draw(u64);

impl Draw {
    /// The sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// The next number below `end`, which is more than 0.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Spreads the bits of `value` over all of the answer.
pub const fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A set of accounts: nine holders to one merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Holders, each with one account.
    pub holders: u32,
    /// Merchants.
    pub merchants: u32,
}

impl Accounts {
    /// `total` accounts, at least one of each kind.
    pub fn of(total: u32) -> Accounts {
        let merchants = (total / 10).max(1);
        Accounts { holders: total.saturating_sub(merchants).max(1), merchants }
    }

    /// Account of a holder: its owner's identifier sorts by `number`.
    pub fn holder(number: u32) -> AccountKey {
        chart::available(PersonId(owner(u64::from(number))))
    }

    /// Account of a merchant.
    pub fn merchant(number: u32) -> AccountKey {
        chart::merchant(MerchantId(owner(u64::from(number) | 1 << 40)))
    }

    /// All of them, in the order in which they are funded.
    pub fn all(self) -> impl Iterator<Item = AccountKey> {
        (0..self.holders).map(Accounts::holder).chain((0..self.merchants).map(Accounts::merchant))
    }
}

/// A millisecond of the year 2020 for each number.
fn owner(number: u64) -> Id {
    let millis = i64::try_from(number & 0xFFFF_FFFF).unwrap_or(0);
    Id::time_ordered(Micros::new(1_577_836_800_000_000 + millis * 1000), mixed(number).to_be_bytes())
}

/// One transfer that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Holder that pays.
    pub from: u32,
    /// Merchant that is paid.
    pub to: u32,
    /// How much; 0 for more than the holder has.
    pub fen: u32,
    /// 0 for a new transfer; else it repeats the one so many places before.
    pub back: u32,
}

/// What is handed in, place by place; after the last the first comes again.
pub struct Plan(Vec<Wish>);

impl Plan {
    /// Draws a plan: 1 % repeats, 2 % refusals, the rest between 0.01 and 50.00.
    pub fn draw(pattern: Pattern, accounts: Accounts) -> Plan {
        let most = u64::from(accounts.holders).next_power_of_two().clamp(1 << 17, 1 << 20) * 2;
        let places = usize::try_from(most).unwrap_or(1 << 18);
        let mut draw = Draw::new(mixed(u64::from(accounts.holders)));
        let (from, to) = match pattern {
            Pattern::Uniform => (Choice::Even(accounts.holders), Choice::Even(accounts.merchants)),
            Pattern::Zipf => (Choice::zipf(accounts.holders), Choice::zipf(accounts.merchants)),
            Pattern::Hot => (Choice::Even(accounts.holders), Choice::Even(1)),
        };
        let mut wishes: Vec<Wish> = Vec::with_capacity(places);
        for at in 0..places {
            let chance = draw.below(100);
            let back = if chance == 0 { repeated(&wishes, at, &mut draw) } else { 0 };
            let fen = if chance == 1 || chance == 2 { 0 } else { u32::try_from(1 + draw.below(5000)).unwrap_or(1) };
            wishes.push(Wish { from: from.draw(&mut draw), to: to.draw(&mut draw), fen, back });
        }
        Plan(wishes)
    }

    /// The wish at place `ordinal`.
    pub fn at(&self, ordinal: u64) -> Wish {
        let places = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let place = usize::try_from(ordinal % places).unwrap_or(0);
        self.0[place]
    }
}

/// How far back the place lies that a repeat at `at` repeats: one of the same client, and no repeat itself; 0 if none.
fn repeated(wishes: &[Wish], at: usize, draw: &mut Draw) -> u32 {
    let first = draw.below(ROUNDS_BACK);
    let backs = (0..ROUNDS_BACK).map(|step| (1 + (first + step) % ROUNDS_BACK) * u64::from(CLIENTS));
    let fits = |back: &u64| {
        let place = usize::try_from(*back).ok().and_then(|back| at.checked_sub(back));
        place.and_then(|place| wishes.get(place)).is_some_and(|wish| wish.back == 0)
    };
    backs.into_iter().find(fits).and_then(|back| u32::try_from(back).ok()).unwrap_or(0)
}

/// How one of many is chosen.
enum Choice {
    Even(u32),
    /// Weights added up: place k has the weight 2^32 / k.
    Zipf(Vec<u64>),
}

impl Choice {
    fn zipf(many: u32) -> Choice {
        let mut sum = 0;
        Choice::Zipf(
            (1..=u64::from(many))
                .map(|rank| {
                    sum += (1 << 32) / rank;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, draw: &mut Draw) -> u32 {
        match self {
            Choice::Even(many) => u32::try_from(draw.below(u64::from(*many))).unwrap_or(0),
            Choice::Zipf(sums) => {
                let at = draw.below(sums.last().copied().unwrap_or(1));
                let rank = sums.partition_point(|sum| *sum <= at);
                // Busy accounts are not neighbours: ranks are spread by a prime larger than any number of accounts.
                let spread = u64::try_from(rank).unwrap_or(0) * 4_294_967_291 % u64::try_from(sums.len()).unwrap_or(1);
                u32::try_from(spread).unwrap_or(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_plan_repeats_one_in_a_hundred_refuses_two_and_repeats_only_what_a_client_has_kept() {
        for pattern in [Pattern::Uniform, Pattern::Zipf, Pattern::Hot] {
            let plan = Plan::draw(pattern, Accounts::of(1000)).0;
            let repeats = plan.iter().filter(|wish| wish.back > 0).count() * 1000 / plan.len();
            let refusals = plan.iter().filter(|wish| wish.fen == 0).count() * 1000 / plan.len();
            assert!((8..=12).contains(&repeats) && (17..=23).contains(&refusals), "{repeats} {refusals}");
            for (at, wish) in plan.iter().enumerate().filter(|(_, wish)| wish.back > 0) {
                assert!(u64::from(wish.back / u32::from(CLIENTS)) < KEPT && wish.back % u32::from(CLIENTS) == 0);
                assert_eq!(plan[at - wish.back as usize].back, 0, "a repeat repeats no repeat");
            }
        }
    }

    #[test]
    fn the_first_of_a_zipf_draw_is_twice_the_second_and_a_hot_plan_has_one_receiver() {
        let count = |plan: &Plan, of: fn(&Wish) -> u32| {
            let mut counts = BTreeMap::<u32, u64>::new();
            plan.0.iter().for_each(|wish| *counts.entry(of(wish)).or_default() += 1);
            let mut counts: Vec<u64> = counts.into_values().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            counts
        };
        let zipf = count(&Plan::draw(Pattern::Zipf, Accounts::of(1000)), |wish| wish.from);
        assert!((18..=22).contains(&(zipf[0] * 10 / zipf[1])), "{} {}", zipf[0], zipf[1]);
        assert!((27..=33).contains(&(zipf[0] * 10 / zipf[2])), "{} {}", zipf[0], zipf[2]);
        assert_eq!(count(&Plan::draw(Pattern::Hot, Accounts::of(1000)), |wish| wish.to).len(), 1);
        let uniform = count(&Plan::draw(Pattern::Uniform, Accounts::of(1000)), |wish| wish.from);
        assert!(uniform[0] < 2 * uniform[uniform.len() - 1], "{uniform:?}");
    }

    #[test]
    fn accounts_sort_by_their_numbers_and_are_all_different() {
        let accounts = Accounts::of(1000);
        let keys: Vec<AccountKey> = accounts.all().collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.is_sorted_by(|a, b| a < b));
    }
}
