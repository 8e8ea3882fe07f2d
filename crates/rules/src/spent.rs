//! Which debits of a card the book has: a number that is missing between two others is a sale whose record has not come
//! (JR/T 0025 host checks of an uploaded purchase; R81).
//!
//! A record without a proof shows no debit: any terminal could name any counter of any card with it. It only says that what
//! was made at its own counter may be this one, so nobody is told of that counter as long as the sale is open.
//!
//! A chip counts its debits: M goes up by one with each. What a record says of M and of the balance before is its terminal's
//! word, for no proof of the card covers it. So it never decides about money; it says where somebody must look.

use std::collections::BTreeSet;

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
    /// When it was proved that the card took it.
    pub at: Micros,
}

/// How many loads are remembered to explain balances.
const MOST_LOADS: usize = 32;

/// How many runs of counters above a missing one are remembered.
const MOST_RUNS: usize = 64;

/// How far the book remembers the debits of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Era {
    /// The epoch of the book (M9).
    pub epoch: u64,
    /// The debit that comes was made in it, and the card has shown in it exactly what the book has: nothing that follows is
    /// forgotten.
    pub whole: bool,
}

/// Counters that follow upon each other, all of debits that are in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
    /// Since when those just below are missing.
    pub since: Micros,
    /// A case tells of those.
    pub told: bool,
}

/// The debits of one card that are in the book, and the loads between which they were made. It is bounded, whatever comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The epoch of the book since which every debit is looked at (M9); 0 before the first one of a card that the book
    /// knew before it kept this.
    pub epoch: u64,
    /// The first counter that is looked at.
    pub first: u16,
    /// Every debit from `first` to below this one is in the book.
    pub next: u32,
    /// Counters above that came, lowest first, with at least one missing below each run.
    pub beyond: Vec<Run>,
    /// When somebody must look at what is missing; none when nothing is, or somebody was told of all.
    pub due_at: Option<Micros>,
    /// The case about it.
    pub case: Option<CaseId>,
    /// The newest loads, oldest first.
    pub loads: Vec<Loaded>,
}

/// What a debit that comes changes about what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// All that this case told of came: it ends.
    Came(CaseId),
    /// A restore made the book forget what came: this case ends.
    Forgotten(CaseId),
}

impl Spent {
    /// Of a card that is handed out with a chip that counts from 0, in a book that was never restored. In one that was, the
    /// chip may have been handed out before: it is looked at as any other card of before the restore.
    pub fn of_new_card() -> Spent {
        Spent { epoch: crate::epoch::Epoch::FIRST, ..Spent::default() }
    }

    /// The debit at counter `m` came into the book at `now`.
    ///
    /// After a restore nobody knows which records the book forgot. So nobody is told of what is missing, up to the first
    /// debit that was made after the restore and comes after the card agreed with the book: what lies below that one is not
    /// looked at. Repeats: change nothing. Source: R81, M9.
    pub fn came(&mut self, m: u16, now: Micros, era: Era, limits: &Limits) -> Change {
        if u32::from(m) < self.next {
            return Change::None;
        }
        let restored = self.epoch < era.epoch;
        let known = self.beyond.iter().any(|run| (run.first..=run.last).contains(&m));
        if !known {
            let place = self.beyond.partition_point(|run| run.first < m);
            // What is left of a gap has been missing as long as the gap.
            let (since, told) = self.beyond.get(place).map_or((now, false), |above| (above.since, above.told));
            self.beyond.insert(place, Run { first: m, last: m, since, told });
        }
        if restored {
            return self.after_restore(m, now, era, limits);
        }
        self.join();
        self.reckon(limits);
        match self.case {
            Some(case) if !self.beyond.iter().any(|run| run.told) => {
                self.case = None;
                Change::Came(case)
            }
            Some(_) | None => Change::None,
        }
    }

    fn after_restore(&mut self, m: u16, now: Micros, era: Era, limits: &Limits) -> Change {
        if era.whole {
            (self.epoch, self.first, self.next) = (era.epoch, m, u32::from(m));
            self.beyond.retain(|run| run.last >= m);
        }
        for run in &mut self.beyond {
            (run.since, run.told) = (now, false);
        }
        self.join();
        self.due_at = None;
        if era.whole {
            self.reckon(limits);
        }
        self.case.take().map_or(Change::None, Change::Forgotten)
    }

    /// Puts together what follows upon each other; when there are still too many runs, forgets the narrowest gaps.
    fn join(&mut self) {
        let mut runs: Vec<Run> = Vec::new();
        for run in std::mem::take(&mut self.beyond) {
            let end = u32::from(run.last).saturating_add(1);
            match runs.last_mut() {
                _ if u32::from(run.first) <= self.next => self.next = self.next.max(end),
                Some(below) if below.last.saturating_add(1) >= run.first => below.last = below.last.max(run.last),
                Some(_) | None => runs.push(run),
            }
        }
        while runs.len() > MOST_RUNS {
            let gaps =
                runs.iter().zip(runs.iter().skip(1)).map(|(below, above)| above.first.saturating_sub(below.last));
            let Some((place, _)) = gaps.enumerate().min_by_key(|(_, gap)| *gap) else { break };
            let above = runs.remove(place.saturating_add(1));
            if let Some(below) = runs.get_mut(place) {
                below.last = above.last;
            }
        }
        self.beyond = runs;
    }

    /// Sets when somebody must be told, by the settings as they are now.
    pub fn reckon(&mut self, limits: &Limits) {
        let after = limits.get(Setting::SaleMissingAfter);
        let untold = self.beyond.iter().filter(|run| !run.told).map(|run| run.since).min();
        self.due_at = untold.map(|since| since.after_seconds(after));
    }

    /// Somebody looked at `now`: what is late already and was not told of is looked at again as long as the settings say.
    pub fn looked(&mut self, now: Micros, limits: &Limits) {
        let after = limits.get(Setting::SaleMissingAfter);
        let dues = self.beyond.iter().filter(|run| !run.told).map(|run| run.since.after_seconds(after));
        self.due_at = dues.map(|due| if due > now { due } else { now.after_seconds(after) }).min();
    }

    /// The card took a load.
    pub fn loaded(&mut self, load: Loaded) {
        if self.loads.len() >= MOST_LOADS {
            self.loads.remove(0);
        }
        self.loads.push(load);
    }

    /// Counters that are missing, lowest first: first and last of each gap, with the run above it.
    fn gaps(&self) -> impl Iterator<Item = ((u16, u16), &Run)> {
        let below = std::iter::once(self.next)
            .chain(self.beyond.iter().map(|run| u32::from(run.last).saturating_add(1)))
            .map(|first| u16::try_from(first).unwrap_or(u16::MAX));
        below.zip(&self.beyond).map(|(first, run)| ((first, run.first.saturating_sub(1)), run))
    }

    /// Counters that are missing, lowest first: first and last of each gap.
    pub fn missing(&self) -> Vec<(u16, u16)> {
        self.gaps().map(|(gap, _)| gap).collect()
    }

    /// Those of [`Spent::missing`] that have been for as long as the settings say, and of which no case tells. `claimed`: the
    /// counters of open sales, whose records came without a proof; they are left out.
    pub fn late(&self, now: Micros, limits: &Limits, claimed: &BTreeSet<u16>) -> Vec<(u16, u16)> {
        self.late_below(now, limits, claimed).into_iter().flat_map(|(_, late)| late).collect()
    }

    /// The same, with the run above.
    fn late_below(&self, now: Micros, limits: &Limits, claimed: &BTreeSet<u16>) -> Vec<(Run, Vec<(u16, u16)>)> {
        let after = limits.get(Setting::SaleMissingAfter);
        let late = self.gaps().filter(|(_, run)| !run.told && run.since.after_seconds(after) <= now);
        late.map(|(gap, run)| (*run, without(gap, claimed))).collect()
    }

    /// This case tells of what was [`Spent::late`] at `now`.
    pub fn told(&mut self, case: CaseId, now: Micros, limits: &Limits, claimed: &BTreeSet<u16>) {
        let late = self.late_below(now, limits, claimed);
        for run in &mut self.beyond {
            run.told |= late.iter().any(|(above, late)| above == run && !late.is_empty());
        }
        self.case = Some(case);
        self.looked(now, limits);
    }

    /// Whether a purse that held `left` after one debit can have held `found` before the next: as much, or more by loads
    /// that followed upon each other in between. `on_its_way`: a load that may have been taken and is not proved.
    ///
    /// Not judged, so `true`: counters below the first that is looked at; a card of which a restored book may have forgotten
    /// a load; an earlier debit that was not made after the oldest load that is remembered, when older ones may be forgotten.
    pub fn follows(&self, epoch: u64, earlier: &Earlier, found: u32, on_its_way: Option<Loaded>) -> bool {
        let remembered = self.loads.len() < MOST_LOADS
            || self.loads.first().is_some_and(|oldest| earlier.made_at.is_some_and(|made_at| made_at > oldest.at));
        let judged = self.epoch >= epoch && earlier.m >= self.first && remembered;
        if earlier.left == found || !judged {
            return true;
        }
        let loads: Vec<Loaded> = self.loads.iter().copied().chain(on_its_way).collect();
        // The same balance may have been there before more than one load.
        (0..loads.len()).any(|start| {
            let mut at = earlier.left;
            loads.iter().skip(start).any(|load| {
                let fits = load.old_balance == at;
                at = if fits { at.saturating_add(load.amount) } else { u32::MAX };
                fits && at == found
            })
        })
    }
}

/// What is left of a gap without these counters, lowest first.
fn without((first, last): (u16, u16), claimed: &BTreeSet<u16>) -> Vec<(u16, u16)> {
    let (mut left, mut from) = (Vec::new(), Some(first));
    for claimed in claimed.iter().copied().filter(|m| (first..=last).contains(m)) {
        if let (Some(from), Some(to)) = (from, claimed.checked_sub(1))
            && from <= to
        {
            left.push((from, to));
        }
        from = claimed.checked_add(1);
    }
    left.extend(from.filter(|from| *from <= last).map(|from| (from, last)));
    left
}

/// The earlier one of two debits beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Its counter.
    pub m: u16,
    /// What the purse held after it, fen.
    pub left: u32,
    /// When it was made at the latest, as far as anybody knows; `None` when nobody does.
    pub made_at: Option<Micros>,
}

#[cfg(test)]
mod tests {
    use ledger::Id;

    use super::*;

    const NOW: Micros = Micros::from_seconds(1_795_400_000);
    /// First and last counter of each gap.
    type Gaps = &'static [(u16, u16)];

    const NONE: BTreeSet<u16> = BTreeSet::new();
    const FIRST: Era = Era { epoch: 1, whole: true };

    #[test]
    fn r81_a_missing_debit_is_noticed_when_a_later_one_comes_and_forgotten_when_it_comes_itself() {
        let limits = Limits::at(&[], NOW);
        let after = limits.get(Setting::SaleMissingAfter);
        let mut spent = Spent::of_new_card();
        // Counter that comes, then: what is missing, and since when in seconds.
        let table: [(u16, Gaps, Option<i64>); 10] = [
            (0, &[], None),
            (2, &[(1, 1)], Some(1)),
            (2, &[(1, 1)], Some(1)),
            (7, &[(1, 1), (3, 6)], Some(1)),
            (1, &[(3, 6)], Some(3)),
            (5, &[(3, 4), (6, 6)], Some(3)),
            (4, &[(3, 3), (6, 6)], Some(3)),
            (3, &[(6, 6)], Some(3)),
            (6, &[], None),
            (0, &[], None),
        ];
        for (at, (m, missing, since)) in (0..).zip(table) {
            assert_eq!(spent.came(m, NOW.after_seconds(at), FIRST, &limits), Change::None, "{at}: {m}");
            assert_eq!(spent.missing(), missing, "{at}: {m}");
            assert_eq!(spent.due_at, since.map(|since| NOW.after_seconds(since + after)), "{at}: {m}");
        }
        assert_eq!(spent.next, 8);
        assert_eq!(spent.came(u16::MAX, NOW, FIRST, &limits), Change::None);
        assert_eq!(spent.missing(), [(8, u16::MAX - 1)]);
    }

    #[test]
    fn r81_records_that_are_a_day_late_for_weeks_are_never_told_and_one_that_is_lost_is() {
        let limits = Limits::at(&[], NOW);
        let mut spent = Spent::of_new_card();
        // On every day the sale of the morning comes a day after that of the evening; the one at 20 never comes.
        for day in 0..30_u16 {
            let now = NOW.after_seconds(i64::from(day) * 86_400);
            spent.came(2 * day + 1, now, FIRST, &limits);
            if let Some(yesterday) = day.checked_sub(1).filter(|yesterday| *yesterday != 10) {
                spent.came(2 * yesterday, now, FIRST, &limits);
            }
            let expected: Gaps = if day >= 17 { &[(20, 20)] } else { &[] };
            assert_eq!(spent.late(now, &limits, &NONE), expected, "day {day}");
            assert_eq!(spent.due_at.is_some_and(|due| due <= now), day >= 17, "day {day}");
        }
    }

    #[test]
    fn r81_a_case_ends_when_all_that_it_told_of_came_and_later_gaps_become_due_on_their_own() {
        let limits = Limits::at(&[], NOW);
        let after = limits.get(Setting::SaleMissingAfter);
        let (case, mut spent) = (CaseId(Id::new(7)), Spent::of_new_card());
        spent.came(2, NOW, FIRST, &limits);
        let later = NOW.after_seconds(after);
        spent.came(9, later, FIRST, &limits);
        assert_eq!((spent.late(later, &limits, &NONE), spent.missing().len()), (vec![(0, 1)], 2));
        spent.told(case, later, &limits, &NONE);
        assert_eq!(spent.late(later, &limits, &NONE), []);
        assert_eq!(spent.due_at, Some(later.after_seconds(after)), "an open case swallows no later gap");
        assert_eq!(spent.came(1, later, FIRST, &limits), Change::None);
        assert_eq!(spent.came(0, later, FIRST, &limits), Change::Came(case));
        assert_eq!((spent.case, spent.missing()), (None, vec![(3, 8)]));
    }

    #[test]
    fn r81_nobody_is_told_of_the_counters_of_open_sales_and_they_are_looked_at_again() {
        let limits = Limits::at(&[], NOW);
        let after = limits.get(Setting::SaleMissingAfter);
        let (case, later) = (CaseId(Id::new(7)), NOW.after_seconds(after));
        // Counters of open sales below the debits at 5 and 9, then: what is told.
        let table: [(&[u16], Gaps); 7] = [
            (&[], &[(0, 4), (6, 8)]),
            (&[0, 4, 7], &[(1, 3), (6, 6), (8, 8)]),
            (&[1, 2, 6], &[(0, 0), (3, 4), (7, 8)]),
            (&[6, 7, 8], &[(0, 4)]),
            (&[0, 1, 2, 3, 4, 6, 7, 8], &[]),
            (&[5, 9, 49, u16::MAX], &[(0, 4), (6, 8)]),
            (&[0, 1, 2, 3, 4], &[(6, 8)]),
        ];
        for (claimed, expected) in table {
            let claimed: BTreeSet<u16> = claimed.iter().copied().collect();
            let mut spent = Spent::of_new_card();
            spent.came(5, NOW, FIRST, &limits);
            spent.came(9, NOW, FIRST, &limits);
            assert_eq!(spent.late(later, &limits, &claimed), expected, "{claimed:?}");
            spent.told(case, later, &limits, &claimed);
            assert_eq!(spent.late(later, &limits, &claimed), [], "{claimed:?}: once");
            let untold = spent.late(later, &limits, &NONE);
            let again = (!untold.is_empty()).then(|| later.after_seconds(after));
            assert_eq!(spent.due_at, again, "{claimed:?}: {untold:?} is looked at again");
        }
        assert_eq!(without((0, u16::MAX), &[0, u16::MAX].into()), [(1, u16::MAX - 1)]);
        assert_eq!(without((3, 3), &[3].into()), []);
    }

    #[test]
    fn r81_however_many_gaps_a_card_has_what_is_kept_is_bounded_and_the_widest_stay() {
        let limits = Limits::at(&[], NOW);
        let mut spent = Spent::of_new_card();
        spent.came(60_000, NOW, FIRST, &limits);
        for m in (1..40_000).step_by(2) {
            spent.came(m, NOW, FIRST, &limits);
            assert!(spent.beyond.len() <= MOST_RUNS);
        }
        let missing = spent.missing();
        assert_eq!(missing.first(), Some(&(0, 0)), "what is missing first is never forgotten");
        assert_eq!(missing.last(), Some(&(40_000, 59_999)));
        for m in 0..=60_000 {
            spent.came(m, NOW, FIRST, &limits);
        }
        assert_eq!((spent.missing(), spent.next), (vec![], 60_001));
    }

    #[test]
    fn r81_of_a_card_with_a_history_only_what_follows_its_first_debit_is_looked_at() {
        let limits = Limits::at(&[], NOW);
        let mut spent = Spent::default();
        spent.loaded(Loaded { old_balance: 10, amount: 5, at: NOW });
        let table: [(u16, Gaps); 5] = [(57, &[]), (20, &[]), (59, &[(58, 58)]), (58, &[]), (u16::MAX, &[(60, 65_534)])];
        for (m, missing) in table {
            spent.came(m, NOW, FIRST, &limits);
            assert_eq!(spent.missing(), missing, "{m}");
        }
    }

    #[test]
    fn m9_after_a_restore_nothing_is_missing_below_the_first_debit_after_card_and_book_agreed() {
        let limits = Limits::at(&[], NOW);
        let (case, mut spent) = (CaseId(Id::new(7)), Spent::of_new_card());
        for m in [0, 1, 5] {
            spent.came(m, NOW, FIRST, &limits);
        }
        spent.told(case, NOW.after_seconds(limits.get(Setting::SaleMissingAfter)), &limits, &NONE);
        let era = |whole| Era { epoch: 2, whole };
        // The one at 50000 is what a terminal says that lies: it hides nothing of what comes later.
        let table: [(u16, bool, Change, Gaps); 7] = [
            (20, false, Change::Forgotten(case), &[(2, 4), (6, 19)]),
            (12, false, Change::None, &[(2, 4), (6, 11), (13, 19)]),
            (50_000, false, Change::None, &[(2, 4), (6, 11), (13, 19), (21, 49_999)]),
            (12, false, Change::None, &[(2, 4), (6, 11), (13, 19), (21, 49_999)]),
            (30, true, Change::None, &[(31, 49_999)]),
            (32, true, Change::None, &[(31, 31), (33, 49_999)]),
            (31, true, Change::None, &[(33, 49_999)]),
        ];
        for (m, whole, change, missing) in table {
            assert_eq!((spent.came(m, NOW, era(whole), &limits), &spent.missing()[..]), (change, missing), "{m}");
            assert_eq!(spent.due_at.is_some(), whole, "{m}: nobody is told of what may be forgotten");
        }
        let mut issued_again = Spent::of_new_card();
        issued_again.came(40, NOW, era(true), &limits);
        assert_eq!(issued_again.missing(), [], "the book may have forgotten that its chip was in use");
        let earlier = |m| Earlier { m, left: 5, made_at: Some(NOW) };
        assert!(spent.follows(2, &earlier(25), 9, None), "a load between may be forgotten");
        assert!(!spent.follows(2, &earlier(30), 9, None), "from there on all loads are known");
        assert!(spent.follows(3, &earlier(30), 9, None), "until the next restore");
    }

    #[test]
    fn r81_a_balance_follows_from_the_debit_before_and_the_loads_between() {
        let load = |old_balance, amount| Loaded { old_balance, amount, at: NOW };
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
            let earlier = Earlier { m: 0, left, made_at: None };
            assert_eq!(spent.follows(1, &earlier, found, on_its_way), expected, "{what}");
        }
        let old = Spent { first: 9, ..spent.clone() };
        let earlier = Earlier { m: 8, left: 1, made_at: None };
        assert!(old.follows(1, &earlier, 2, None), "before the first that is looked at nothing is judged");
    }

    #[test]
    fn r81_a_card_with_many_loads_is_still_judged_after_the_oldest_that_is_remembered() {
        let mut spent = Spent::of_new_card();
        for at in 0..40 {
            spent.loaded(Loaded { old_balance: 1, amount: 1, at: NOW.after_seconds(at) });
        }
        assert_eq!(spent.loads.len(), MOST_LOADS);
        let follows = |made_at| spent.follows(1, &Earlier { m: 0, left: 1, made_at }, 9, None);
        assert!(follows(None), "nobody knows when");
        assert!(follows(Some(NOW.after_seconds(8))), "older loads may be forgotten");
        assert!(!follows(Some(NOW.after_seconds(9))), "all loads since are known");
    }
}
