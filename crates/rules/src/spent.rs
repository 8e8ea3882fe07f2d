//! Which debits of a card the book has: a number that is missing between two others is a sale whose record has not come
//! (JR/T 0025 host checks of an uploaded purchase; R81).
//!
//! A chip counts its debits: M goes up by one with each. What a record says of M and of the balance before is its terminal's
//! word, for no proof of the card covers it. So it never decides about money; it says where somebody must look.

use ledger::Micros;

use crate::ids::CaseId;
use crate::limits::{Limits, Setting};

/// A load as the card showed it when it was released. Amounts in fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Purse before.
    pub old_balance: u32,
    /// How much.
    pub amount: u32,
}

/// How many loads are remembered to explain balances.
const MOST_LOADS: usize = 32;

/// The debits of one card that the book has, and the loads between which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The first counter that is looked at; none before the first debit of a card that the book knew before it kept this.
    pub first: Option<u16>,
    /// Every debit from `first` to below this one is in the book.
    pub next: u16,
    /// Debits above that are in the book.
    pub beyond: Vec<u16>,
    /// Since when one below those is missing.
    pub missing_since: Option<Micros>,
    /// When somebody must look at that; none when nothing is missing, or somebody was told.
    pub due_at: Option<Micros>,
    /// The case about it.
    pub case: Option<CaseId>,
    /// The newest loads, oldest first.
    pub loads: Vec<Loaded>,
}

/// What a debit that comes into the book changes about what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Nothing is missing any more: a case about it ends.
    Whole(Option<CaseId>),
}

impl Spent {
    /// Of a card that is handed out with a chip that counts from 0.
    pub fn of_new_card() -> Spent {
        Spent { first: Some(0), ..Spent::default() }
    }

    /// The debit at counter `m` came into the book at `now`. Repeats: change nothing.
    pub fn came(&mut self, m: u16, now: Micros, limits: &Limits) -> Change {
        if self.first.is_none() {
            (self.first, self.next) = (Some(m), m);
        }
        if m < self.next || self.beyond.contains(&m) {
            return Change::None;
        }
        self.beyond.push(m);
        while let Some(place) = self.beyond.iter().position(|each| *each == self.next)
            && let Some(next) = self.next.checked_add(1)
        {
            self.beyond.swap_remove(place);
            self.next = next;
        }
        if self.beyond.is_empty() {
            let was_missing = self.missing_since.take().is_some();
            self.due_at = None;
            return if was_missing { Change::Whole(self.case.take()) } else { Change::None };
        }
        if self.missing_since.is_none() {
            self.missing_since = Some(now);
            let days = limits.get(Setting::SaleMissingAfter);
            self.due_at = Some(now.after_seconds(days));
        }
        Change::None
    }

    /// The card took a load.
    pub fn loaded(&mut self, load: Loaded) {
        if self.loads.len() >= MOST_LOADS {
            self.loads.remove(0);
        }
        self.loads.push(load);
    }

    /// Counters of debits that are missing: the first, and the last below one that is there; `None` when none is.
    pub fn missing(&self) -> Option<(u16, u16)> {
        let highest = self.beyond.iter().max()?;
        Some((self.next, highest.saturating_sub(1)))
    }

    /// A case was opened about what is missing.
    pub fn told(&mut self, case: CaseId) {
        (self.case, self.due_at) = (Some(case), None);
    }

    /// Whether a purse that held `left` after one debit can have held `found` before the next: as much, or more by loads
    /// that followed upon each other in between. `on_its_way`: a load that may have been taken and is not proved.
    /// Counters below the first that is looked at, and times before the oldest load that is remembered, are not judged.
    pub fn follows(&self, earlier: u16, left: u32, found: u32, on_its_way: Option<Loaded>) -> bool {
        let judged = self.first.is_some_and(|first| earlier >= first) && self.loads.len() < MOST_LOADS;
        if left == found || !judged {
            return true;
        }
        let loads: Vec<Loaded> = self.loads.iter().copied().chain(on_its_way).collect();
        // The same balance may have been there before more than one load.
        (0..loads.len()).any(|start| {
            let mut at = left;
            loads.iter().skip(start).any(|load| {
                let fits = load.old_balance == at;
                at = if fits { at.saturating_add(load.amount) } else { u32::MAX };
                fits && at == found
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use ledger::Id;

    use super::*;

    const NOW: Micros = Micros::from_seconds(1_795_400_000);

    #[test]
    fn r81_a_missing_debit_is_noticed_when_a_later_one_comes_and_forgotten_when_it_comes_itself() {
        let limits = Limits::at(&[], NOW);
        let day = limits.get(Setting::SaleMissingAfter);
        let mut spent = Spent::of_new_card();
        // Counter that comes, then: what is missing, and what changed.
        let case = CaseId(Id::new(7));
        let table = [
            (0, None, Change::None),
            (2, Some((1, 1)), Change::None),
            (2, Some((1, 1)), Change::None),
            (5, Some((1, 4)), Change::None),
            (1, Some((3, 4)), Change::None),
            (4, Some((3, 4)), Change::None),
            (3, None, Change::Whole(Some(case))),
            (3, None, Change::None),
            (0, None, Change::None),
        ];
        for (at, (m, missing, change)) in (0..).zip(table) {
            let now = NOW.after_seconds(at);
            assert_eq!((spent.came(m, now, &limits), spent.missing()), (change, missing), "{at}: {m}");
            assert_eq!(spent.missing_since.is_some(), missing.is_some(), "{at}: {m}");
            if at == 3 {
                assert_eq!(spent.due_at, Some(NOW.after_seconds(1 + day)), "counted from the first that was missing");
                spent.told(case);
                assert_eq!(spent.due_at, None);
            }
        }
        assert_eq!(spent.next, 6);
    }

    #[test]
    fn r81_of_a_card_with_a_history_only_what_follows_its_first_debit_is_looked_at() {
        let limits = Limits::at(&[], NOW);
        let mut spent = Spent::default();
        spent.loaded(Loaded { old_balance: 10, amount: 5 });
        for (m, missing) in [(57, None), (20, None), (59, Some((58, 58))), (58, None), (u16::MAX, Some((60, 65_534)))] {
            spent.came(m, NOW, &limits);
            assert_eq!(spent.missing(), missing, "{m}");
        }
    }

    #[test]
    fn r81_a_balance_follows_from_the_debit_before_and_the_loads_between() {
        let load = |old_balance, amount| Loaded { old_balance, amount };
        let mut spent = Spent::of_new_card();
        for load in [load(0, 5000), load(3800, 1000), load(4800, 200), load(0, 60), load(900, 9000)] {
            spent.loaded(load);
        }
        let on_its_way = Some(load(9900, 100));
        let table = [
            ("nothing between", 3800, 3800, None, true),
            ("one of two from the same balance", 0, 5000, None, true),
            ("the other of them", 0, 60, None, true),
            ("one load", 3800, 4800, None, true),
            ("two loads", 3800, 5000, None, true),
            ("not half of one", 3800, 4000, None, false),
            ("less than was left", 3800, 3700, None, false),
            ("a load that was made at another balance", 3700, 4700, None, false),
            ("the newest", 900, 9900, None, true),
            ("and one that is not proved", 900, 10_000, on_its_way, true),
            ("which alone explains it", 9900, 10_000, on_its_way, true),
            ("and is not there", 9900, 10_000, None, false),
        ];
        for (what, left, found, on_its_way, expected) in table {
            assert_eq!(spent.follows(0, left, found, on_its_way), expected, "{what}");
        }
        let old = Spent { first: Some(9), ..spent.clone() };
        assert!(old.follows(8, 1, 2, None), "before the first that is looked at nothing is judged");
        for _ in 0..MOST_LOADS {
            spent.loaded(load(1, 1));
        }
        assert_eq!(spent.loads.len(), MOST_LOADS);
        assert!(spent.follows(0, 1, 9, None), "older loads may be forgotten");
    }
}
