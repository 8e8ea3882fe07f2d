//! What a holder spent in a month, by day and by place, and what was left at the end of each day: from the same movements as
//! the statement, so that the sums are the same.

use std::collections::BTreeMap;

use ledger::{Fen, Micros};

use crate::calendar::{CampusMonth, campus_time};
use crate::chart;
use crate::ids::MerchantId;
use crate::statement::Statement;

/// A month of spending. Promise: the days, and the places, each add up to the total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Purchases, less those called off.
    pub total: Fen,
    /// The same by the day on which the book took it, from the 1st on; below nothing when more was called off than bought.
    pub days: Vec<Fen>,
    /// The same by place, the largest first; none is what a case mended.
    pub places: Vec<(Option<MerchantId>, Fen)>,
    /// All the holder's money at the end of each day, from the 1st to the last day that has begun.
    pub balances: Vec<Fen>,
}

/// Sorts a month's movements. `None` when a sum is too large to count.
///
/// Shape: `statement` is the one of `month`, made at `until` or later.
pub fn spending(month: CampusMonth, until: Micros, statement: &Statement) -> Option<Spending> {
    let days = usize::from(month.days());
    let mut spending =
        Spending { total: Fen::ZERO, days: vec![Fen::ZERO; days], places: Vec::new(), balances: Vec::new() };
    let mut places: BTreeMap<Option<MerchantId>, Fen> = BTreeMap::new();
    let mut ends: Vec<Option<Fen>> = vec![None; days];
    for entry in &statement.entries {
        let day = usize::from(campus_time(entry.recorded_at).day).checked_sub(1)?;
        *ends.get_mut(day)? = Some(entry.balance);
        let spent = entry.spent();
        if spent == Fen::ZERO {
            continue;
        }
        spending.total = spending.total.plus(spent)?;
        let of_day = spending.days.get_mut(day)?;
        *of_day = of_day.plus(spent)?;
        let of_place = places.entry(chart::merchant_of(&entry.counter)).or_default();
        *of_place = of_place.plus(spent)?;
    }
    spending.places = places.into_iter().filter(|(_, spent)| *spent != Fen::ZERO).collect();
    spending.places.sort_by_key(|(_, spent)| std::cmp::Reverse(*spent));
    let last = if until >= month.ends() { days } else { usize::from(campus_time(until).day) };
    let mut balance = statement.total.opening;
    for end in ends.into_iter().take(last) {
        balance = end.unwrap_or(balance);
        spending.balances.push(balance);
    }
    Some(spending)
}

/// The upper end of a scale for amounts up to `most`: 1, 2 or 5 with noughts behind, in yuan, at least ¥1.
pub fn top_of_scale(most: Fen) -> Fen {
    let mut top = Fen::new(100);
    for factor in [2_i64, 5, 10].into_iter().cycle() {
        if top >= most {
            break;
        }
        let ten = decade(top);
        match ten.checked_mul(factor) {
            Some(next) if next > top.get() => top = Fen::new(next),
            _ => return most,
        }
    }
    top
}

/// The power of ten that an amount begins with.
fn decade(amount: Fen) -> i64 {
    let mut ten = 1_i64;
    while let Some(next) = ten.checked_mul(10).filter(|next| *next <= amount.get()) {
        ten = next;
    }
    ten
}

/// How much of `whole` steps an amount takes on a scale that ends at `top`, rounded; nothing for what is below nothing.
pub fn on_scale(amount: Fen, top: Fen, whole: u32) -> u32 {
    let (amount, top) = (i128::from(amount.get().max(0)), i128::from(top.get().max(1)));
    let steps = amount.checked_mul(i128::from(whole)).and_then(|steps| steps.checked_add(top.checked_div(2)?));
    let steps = steps.and_then(|steps| steps.checked_div(top)).unwrap_or(0);
    u32::try_from(steps).unwrap_or(whole).min(whole)
}

#[cfg(test)]
mod tests {
    use ledger::{AccountKey, Id};

    use super::*;
    use crate::chart::Reason;
    use crate::ids::CaseId;
    use crate::statement::{Entry, Place, Sums};

    fn november() -> CampusMonth {
        CampusMonth::parse("2026-11").unwrap()
    }

    fn entry(day: i64, fen: i64, reason: Reason, counter: AccountKey, balance: i64) -> Entry {
        let (from, to) = if fen < 0 { (Some(Place::OnCard), None) } else { (None, Some(Place::OnCard)) };
        Entry {
            seq: 1,
            recorded_at: Micros::new(november().begins().get() + (day - 1) * 86_400_000_000 + 1),
            effective_at: Micros::new(0),
            amount: Fen::new(fen.abs()),
            from,
            to,
            reason: Some(reason),
            reference: Id::new(1),
            counter,
            balance: Fen::new(balance),
        }
    }

    fn merchant(number: u128) -> AccountKey {
        chart::merchant(MerchantId(Id::new(number)))
    }

    fn lived() -> Statement {
        let entries = vec![
            entry(1, 10_000, Reason::TopUp, chart::receivable(chart::Channel::WeChat), 10_500),
            entry(2, -1_200, Reason::SaleFromPurse, merchant(1), 9_300),
            entry(2, -800, Reason::SaleFromAccount, merchant(2), 8_500),
            entry(4, 800, Reason::SaleReversed, merchant(2), 9_300),
            entry(4, -2_500, Reason::SaleFromUnproved, merchant(3), 6_800),
            entry(5, 300, Reason::SaleUnexplained, chart::suspense_case(CaseId(Id::new(4))), 7_100),
            entry(6, -1_000, Reason::RefundSettled, chart::receivable(chart::Channel::WeChat), 6_100),
        ];
        let total = Sums { opening: Fen::new(500), ..Sums::default() };
        Statement { total, places: Vec::new(), entries }
    }

    #[test]
    fn days_and_places_each_add_up_to_the_total() {
        let spending = spending(november(), november().ends(), &lived()).unwrap();
        assert_eq!(spending.total, Fen::new(3_400));
        assert_eq!(spending.days.len(), 30);
        assert_eq!(spending.days[..6].iter().map(|day| day.get()).collect::<Vec<_>>(), [0, 2_000, 0, 1_700, -300, 0]);
        let places: Vec<_> =
            spending.places.iter().map(|(place, spent)| (place.map(|id| id.0.get()), spent.get())).collect();
        assert_eq!(places, [(Some(3), 2_500), (Some(1), 1_200), (None, -300)]);
        for sum in [Fen::sum(spending.days.iter().copied()), Fen::sum(spending.places.iter().map(|(_, spent)| *spent))]
        {
            assert_eq!(sum, Some(spending.total));
        }
    }

    #[test]
    fn a_day_without_movements_ends_as_the_day_before() {
        let noon_of_the_7th = Micros::new(november().begins().get() + 6 * 86_400_000_000 + 43_200_000_000);
        let spending = spending(november(), noon_of_the_7th, &lived()).unwrap();
        let balances: Vec<i64> = spending.balances.iter().map(|balance| balance.get()).collect();
        assert_eq!(balances, [10_500, 8_500, 8_500, 6_800, 7_100, 6_100, 6_100]);
        let empty = Statement { entries: Vec::new(), ..lived() };
        let still = super::spending(november(), november().ends(), &empty).unwrap();
        assert_eq!((still.total, still.places.len(), still.balances), (Fen::ZERO, 0, vec![Fen::new(500); 30]));
    }

    #[test]
    fn a_scale_ends_at_a_round_amount_that_holds_everything() {
        let table = [
            (-5, 100),
            (0, 100),
            (100, 100),
            (101, 200),
            (200, 200),
            (201, 500),
            (999, 1_000),
            (1_001, 2_000),
            (4_999, 5_000),
            (5_001, 10_000),
            (123_456, 200_000),
            (i64::MAX, i64::MAX),
        ];
        for (most, top) in table {
            assert_eq!(top_of_scale(Fen::new(most)), Fen::new(top), "{most}");
        }
        let steps = [(-5, 0), (0, 0), (1, 1), (50, 50), (99, 99), (100, 100), (101, 100), (i64::MAX, 100)];
        for (fen, step) in steps {
            assert_eq!(on_scale(Fen::new(fen), Fen::new(100), 100), step, "{fen}");
        }
        assert_eq!(on_scale(Fen::new(5), Fen::ZERO, 7), 7, "a scale of nothing is full at once");
    }
}
