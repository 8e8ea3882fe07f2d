//! What invented people do in a day: when they eat, where, for how much, and what they top up. The same seed draws the same
//! habits.

use ledger::{Fen, Micros};
use rules::calendar::{CampusTime, campus_time};

use crate::bench::Draw;

/// Shops of a past: short name, name in Chinese, name in English.
pub const SHOPS: [(&str, &str, &str); 3] = [
    ("canteen-1", "第一食堂", "First canteen"),
    ("canteen-2", "第二食堂", "Second canteen"),
    ("shop", "校园超市", "Campus shop"),
];

/// What people come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meal {
    /// At half past seven.
    Breakfast,
    /// At half past eleven.
    Lunch,
    /// At half past five.
    Dinner,
    /// To the shop, at half past eight in the evening.
    Shop,
}

impl Meal {
    /// In the order of a day. Breakfast comes after the morning's top-ups.
    pub const ALL: [Meal; 4] = [Meal::Breakfast, Meal::Lunch, Meal::Dinner, Meal::Shop];

    /// When its first customers come, seconds of the day.
    pub const fn at(self) -> i64 {
        match self {
            Meal::Breakfast => 8 * 3600 + 600,
            Meal::Lunch => 11 * 3600 + 1800,
            Meal::Dinner => 17 * 3600 + 1800,
            Meal::Shop => 20 * 3600 + 1800,
        }
    }

    /// How many of a hundred come; least price and how much more, in tenths of a yuan.
    const fn usual(self) -> (u64, u64, u64) {
        match self {
            Meal::Breakfast => (40, 20, 60),
            Meal::Lunch => (85, 80, 110),
            Meal::Dinner => (65, 80, 130),
            Meal::Shop => (15, 30, 320),
        }
    }
}

/// The campus midnight with which the day of `moment` began.
pub fn midnight(moment: Micros) -> Micros {
    let CampusTime { hour, minute, second, .. } = campus_time(moment);
    let passed = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Micros::from_seconds(moment.seconds()).after_seconds(-passed)
}

fn draw(seed: u64, place: usize, day: u32, what: u64) -> Draw {
    let place = u64::try_from(place).unwrap_or(u64::MAX);
    Draw::new(seed ^ (place << 24) ^ (u64::from(day) << 8) ^ what)
}

/// Whether the person at `place` comes for a meal: to which shop, and what it costs.
pub fn comes(seed: u64, place: usize, day: u32, meal: Meal) -> Option<(usize, Fen)> {
    let mut draw = draw(seed, place, day, meal as u64 + 1);
    let (comes, least, more) = meal.usual();
    if draw.below(100) >= comes {
        return None;
    }
    let price = Fen::new(i64::try_from((least + draw.below(more)) * 10).ok()?);
    let shop = if meal == Meal::Shop { 2 } else { usize::try_from(draw.below(2)).ok()? };
    Some((shop, price))
}

/// What the person at `place` tops up on a day.
pub fn top_up(seed: u64, place: usize, day: u32) -> Fen {
    let amounts = [10_000, 10_000, 20_000, 30_000, 5_000];
    let chosen = draw(seed, place, day, 0).below(5);
    Fen::new(usize::try_from(chosen).ok().and_then(|place| amounts.get(place)).copied().unwrap_or(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_person_has_the_same_day_and_days_differ() {
        let day = |seed, place, day| Meal::ALL.map(|meal| comes(seed, place, day, meal));
        assert_eq!(day(7, 3, 5), day(7, 3, 5));
        let days: Vec<_> = (0..30).map(|number| day(7, 3, number)).collect();
        assert!(days.iter().any(|other| *other != days[0]));
        let sales = (0..200).flat_map(|place| day(7, place, 0)).flatten().count();
        assert!((300..500).contains(&sales), "about two a person: {sales}");
    }
}
