//! Rounds: everyone once, in another order each time, between two looks at the machine.

use std::collections::VecDeque;
use std::fs::File;

use super::calibrate::{Calibration, Calibrator};
use super::cleanup::Cleanup;
use super::result::decimal;
use super::say::Say;
use crate::Failure;

/// Who runs in the rounds of a bench.
pub trait Contest {
    /// One of them.
    type Contender: Copy;
    /// What a run gives.
    type Figures;

    /// All of them, in the order of the first round.
    fn contenders(&self) -> Vec<Self::Contender>;
    /// What to call one in a line.
    fn title(&self, contender: Self::Contender) -> String;
    /// One run. Error: it cannot run, or its book is not whole afterwards.
    fn run(&mut self, contender: Self::Contender) -> Result<Self::Figures, Failure>;
    /// The figure that is told while the bench works.
    fn per_second(figures: &Self::Figures) -> u64;
}

/// One run between two looks.
pub struct Looked<C, F> {
    /// Round, from 1.
    pub round: u32,
    /// Who.
    pub contender: C,
    /// Nothing disturbed it: the calibrations agree within a quarter.
    pub valid: bool,
    /// The machine before.
    pub before: Calibration,
    /// The machine after.
    pub after: Calibration,
    /// What came out.
    pub figures: F,
}

/// Every run of a contest, in the order of time.
pub type Runs<C> = Vec<Looked<<C as Contest>::Contender, <C as Contest>::Figures>>;

/// How many rounds.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// Rounds.
    pub rounds: u32,
    /// Disturbed runs that may be repeated.
    pub extra: u32,
}

impl Rounds {
    /// All rounds. Error: the first of a run.
    pub fn run<C: Contest>(
        self,
        contest: &mut C,
        calibrator: &mut Calibrator,
        cleanup: &Cleanup,
        say: &Say,
    ) -> Result<Runs<C>, Failure> {
        let contenders = contest.contenders();
        let mut runs = Vec::new();
        let mut extra = self.extra;
        for round in 1..=self.rounds {
            let mut waiting = order(&contenders, round);
            let mut before = calibrator.look()?;
            while let Some(contender) = waiting.pop_front() {
                let title = contest.title(contender);
                say.step(&format!("round {round} of {}: {title}", self.rounds));
                let figures = contest.run(contender)?;
                let after = look_after(&before, calibrator, cleanup)?;
                let valid = !before.disturbed(&after);
                let disturbed = if valid { "" } else { " (disturbed)" };
                say.line(&format!("{title}: {}/s{disturbed}", C::per_second(&figures)));
                runs.push(Looked { round, contender, valid, before, after, figures });
                if !valid && extra > 0 {
                    extra -= 1;
                    say.more_steps(1);
                    waiting.push_back(contender);
                }
                before = after;
            }
        }
        Ok(runs)
    }
}

/// The machine after a run. What the run deleted is still being given back to the disk for a moment: that is the bench's
/// own doing and no disturbance, so a second look may mend the first.
fn look_after(before: &Calibration, calibrator: &mut Calibrator, cleanup: &Cleanup) -> Result<Calibration, Failure> {
    File::open(cleanup.path(""))?.sync_all()?;
    let first = calibrator.look()?;
    if before.disturbed(&first) { calibrator.look() } else { Ok(first) }
}

/// Rotated by one each round, and reversed every other round.
fn order<C: Copy>(contenders: &[C], round: u32) -> VecDeque<C> {
    let mut order: VecDeque<C> = contenders.iter().copied().collect();
    let by = usize::try_from(round.saturating_sub(1)).unwrap_or(0).checked_rem(order.len()).unwrap_or(0);
    order.rotate_left(by);
    if round.is_multiple_of(2) {
        order.make_contiguous().reverse();
    }
    order
}

/// Events in a second.
pub fn per_second(events: u64, micros: u64) -> u64 {
    let wide = u128::from(events) * 1_000_000;
    wide.checked_div(u128::from(micros)).and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)
}

/// Microseconds as milliseconds with two decimals.
pub fn millis(micros: u64) -> String {
    decimal(micros / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_rotates_each_round_and_is_reversed_every_other() {
        let table = [(1, ["s", "p", "t"]), (2, ["s", "t", "p"]), (3, ["t", "s", "p"]), (4, ["t", "p", "s"])];
        for (round, expected) in table {
            assert_eq!(order(&["s", "p", "t"], round), expected, "round {round}");
        }
        assert!(order::<u8>(&[], 3).is_empty());
    }
}
