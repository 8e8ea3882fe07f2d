//! Rounds: everyone once, in another order each time, between two looks at the machine.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;

use serde::Serialize;

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

/// One run between two looks, as the files have it.
#[derive(Clone, Debug, Serialize)]
pub struct Run<C, F> {
    /// Round, from 1.
    pub round: u32,
    /// Who: its fields stand among those of the run.
    #[serde(flatten)]
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
pub type Runs<C> = Vec<Run<<C as Contest>::Contender, <C as Contest>::Figures>>;

/// What every bench is told of where, how often and where to.
#[derive(clap::Args, Clone, Debug)]
pub struct RoundOptions {
    /// Folder on the file system that is to be measured; a folder of the bench's own is made in it and removed again.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Rounds; in each one everything that is compared runs once, in another order.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many disturbed runs are repeated, in all rounds together [default: as many as there are rounds].
    #[arg(long, value_name = "N")]
    extra: Option<u32>,
    /// File for the results, JSON.
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// One short round with little to do: shows that everything works, says nothing about speed.
    #[arg(long)]
    pub quick: bool,
}

impl RoundOptions {
    /// How many rounds.
    pub fn rounds(&self) -> Rounds {
        let rounds = self.at_most(self.rounds, 1);
        Rounds { rounds, extra: if self.quick { 0 } else { self.extra.unwrap_or(rounds) } }
    }

    /// Those of a bench that was told nothing else.
    #[cfg(test)]
    pub fn usual(quick: bool) -> RoundOptions {
        RoundOptions { dir: ".".into(), rounds: 3, extra: None, out: "results.json".into(), quick }
    }

    /// What was asked for; a quick run does no more than `quick` of it.
    pub fn at_most<N: Ord>(&self, asked: N, quick: N) -> N {
        if self.quick { asked.min(quick) } else { asked }
    }

    /// Different numbers of those who work at once, as they were asked for; in a quick run three at most.
    pub fn at_once(&self, asked: &[u16]) -> Vec<u16> {
        unique(&asked.iter().map(|many| self.at_most(*many, 3)).collect::<Vec<_>>())
    }

    /// Time for the disk in each look at the machine, milliseconds.
    pub fn calibration_ms(&self) -> u64 {
        self.at_most(700, 20)
    }
}

/// Each once, in the order of the first time.
pub fn unique<T: Copy + PartialEq>(given: &[T]) -> Vec<T> {
    let mut once = Vec::new();
    for value in given {
        if !once.contains(value) {
            once.push(*value);
        }
    }
    once
}

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
                runs.push(Run { round, contender, valid, before, after, figures });
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

/// The runs of one contender.
pub struct Same<'a, C, F> {
    /// Those that count: the valid ones; when there are none, the disturbed ones.
    pub counted: Vec<&'a Run<C, F>>,
    /// How many are valid.
    pub valid: u64,
    /// How many are not.
    pub disturbed: u64,
}

/// The runs of each contender, in the order of its first one.
pub fn by_contender<C: Copy + PartialEq, F>(runs: &[Run<C, F>]) -> Vec<(C, Same<'_, C, F>)> {
    let mut all: Vec<(C, Vec<&Run<C, F>>)> = Vec::new();
    for run in runs {
        match all.iter_mut().find(|(other, _)| *other == run.contender) {
            Some((_, same)) => same.push(run),
            None => all.push((run.contender, vec![run])),
        }
    }
    let count = |same: &[&Run<C, F>], valid: bool| {
        u64::try_from(same.iter().filter(|run| run.valid == valid).count()).unwrap_or(u64::MAX)
    };
    all.into_iter()
        .map(|(contender, same)| {
            let (valid, disturbed) = (count(&same, true), count(&same, false));
            let counted = same.into_iter().filter(|run| run.valid || valid == 0).collect();
            (contender, Same { counted, valid, disturbed })
        })
        .collect()
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

    #[test]
    fn disturbed_runs_count_only_where_no_other_is() {
        let runs = [("a", 1, true), ("b", 2, false), ("a", 3, false), ("b", 4, false), ("a", 5, true)];
        let runs = runs.map(|(contender, figures, valid)| {
            let look = Calibration::default();
            Run { round: 1, contender, valid, before: look, after: look, figures }
        });
        let told = by_contender(&runs).into_iter().map(|(whose, same)| {
            (whose, same.counted.iter().map(|run| run.figures).collect::<Vec<_>>(), same.valid, same.disturbed)
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told, [("a", vec![1, 5], 2, 1), ("b", vec![2, 4], 0, 2)]);
    }
}
