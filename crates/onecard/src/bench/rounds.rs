//! Rounds: every engine once, in another order each time, between two looks at the machine.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::time::Duration;

use super::calibrate::{Calibration, Calibrator};
use super::cleanup::Cleanup;
use super::load::Until;
use super::onecard::{self, Case, Measured, Template};
use super::options::Sizes;
use super::pgbench::Pgbench;
use super::result::{Engine, EngineFigures, Figures, Run, decimal, hundredths};
use super::say::Say;
use super::sqlite_single;
use super::tigerbeetle::TigerBeetle;
use super::workload::Accounts;
use crate::Failure;

/// With a number of transfers instead of a time, SQLite alone is given this part of them: it syncs for each.
const SINGLE_PART: u64 = 20;

/// One engine with one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The product's engine.
    Onecard(Case),
    /// One SQLite transaction for each transfer.
    SqliteSingle,
    /// PostgreSQL.
    Pgbench,
    /// TigerBeetle.
    TigerBeetle,
}

/// Everything that runs need.
pub struct Stand<'a> {
    /// What to do.
    pub sizes: &'a Sizes,
    /// The work folder.
    pub cleanup: &'a Cleanup,
    /// Where progress is told.
    pub say: &'a Say,
    /// The machine's own speed.
    pub calibrator: Calibrator,
    /// Funded books by number of accounts.
    pub templates: BTreeMap<u32, Template>,
    /// PostgreSQL, when it takes part.
    pub pgbench: Option<Pgbench>,
    /// TigerBeetle, when it takes part.
    pub tigerbeetle: Option<TigerBeetle>,
}

impl<'a> Stand<'a> {
    /// Makes the calibration file.
    pub fn new(sizes: &'a Sizes, cleanup: &'a Cleanup, say: &'a Say) -> Result<Stand<'a>, Failure> {
        let folder = cleanup.path("calibration.d");
        fs::create_dir_all(&folder)?;
        Ok(Stand {
            sizes,
            cleanup,
            say,
            calibrator: Calibrator::new(&folder, Duration::from_millis(sizes.calibration_ms))?,
            templates: BTreeMap::new(),
            pgbench: None,
            tigerbeetle: None,
        })
    }

    /// The funded book with so many accounts; made at the first call.
    pub fn template(&mut self, many: u32) -> Result<Template, Failure> {
        if let Some(template) = self.templates.get(&many) {
            return Ok(template.clone());
        }
        self.say.step(&format!("funding {many} accounts"));
        let dir = self.cleanup.path(&format!("template-{many}"));
        let template = Template::make(dir, Accounts::of(many), self.sizes.effort.window)?;
        self.templates.insert(many, template.clone());
        Ok(template)
    }

    fn contenders(&self) -> Vec<Contender> {
        let mut all: Vec<Contender> = self.sizes.cases.iter().map(|case| Contender::Onecard(*case)).collect();
        all.extend(self.sizes.sqlite_single.then_some(Contender::SqliteSingle));
        all.extend(self.pgbench.iter().map(|_| Contender::Pgbench));
        all.extend(self.tigerbeetle.iter().map(|_| Contender::TigerBeetle));
        all
    }

    /// All rounds. Error: an engine cannot run, or a book does not verify; its folder is then kept.
    pub fn rounds(&mut self) -> Result<Vec<Run>, Failure> {
        let contenders = self.contenders();
        let mut runs = Vec::new();
        let mut extra = self.sizes.extra;
        for round in 1..=self.sizes.rounds {
            let mut waiting = order(&contenders, round);
            let mut before = self.calibrator.look()?;
            while let Some(contender) = waiting.pop_front() {
                self.say.step(&format!("round {round} of {}: {}", self.sizes.rounds, title(contender)));
                let figures = self.run(contender)?;
                let after = self.look_after(&before)?;
                let valid = !before.disturbed(&after);
                let (engine, case) = engine_of(contender);
                self.tell(contender, &figures, valid);
                runs.push(Run { round, engine, case, valid, before, after, figures });
                if !valid && extra > 0 {
                    extra -= 1;
                    self.say.more_steps(1);
                    waiting.push_back(contender);
                }
                before = after;
            }
        }
        Ok(runs)
    }

    /// The machine after a run. What the run deleted is still being given back to the disk for a moment: that is the
    /// bench's own doing and no disturbance, so a second look may mend the first.
    fn look_after(&mut self, before: &Calibration) -> Result<Calibration, Failure> {
        File::open(self.cleanup.path(""))?.sync_all()?;
        let first = self.calibrator.look()?;
        if before.disturbed(&first) { self.calibrator.look() } else { Ok(first) }
    }

    fn tell(&self, contender: Contender, figures: &Figures, valid: bool) {
        let disturbed = if valid { "" } else { " (disturbed)" };
        self.say.line(&format!("{}: {}/s{disturbed}", title(contender), figures.per_second));
    }

    fn run(&mut self, contender: Contender) -> Result<Figures, Failure> {
        match contender {
            Contender::Onecard(case) => {
                let measured = self.onecard(case, u64::MAX)?;
                Ok(figures_of(&measured))
            }
            Contender::SqliteSingle => self.sqlite_single(),
            Contender::Pgbench => match &mut self.pgbench {
                Some(pgbench) => pgbench.run(self.cleanup),
                None => Ok(Figures::default()),
            },
            Contender::TigerBeetle => match &self.tigerbeetle {
                Some(tigerbeetle) => tigerbeetle.run(self.cleanup),
                None => Ok(Figures::default()),
            },
        }
    }

    /// One onecard run on a fresh copy of the funded book. Error: its folder is kept when the run itself went wrong.
    pub fn onecard(&mut self, case: Case, mark_every: u64) -> Result<Measured, Failure> {
        let effort = self.sizes.effort;
        self.onecard_with(case, effort, mark_every)
    }

    /// The same with another effort.
    pub fn onecard_with(&mut self, case: Case, effort: onecard::Effort, mark_every: u64) -> Result<Measured, Failure> {
        let template = self.template(case.accounts)?;
        let data = self.cleanup.path("book");
        let measured = onecard::run(&template, case, effort, mark_every, &data, self.say);
        match &measured {
            Ok(_) => fs::remove_dir_all(&data)?,
            Err(_) => self.cleanup.keep_folder(),
        }
        measured
    }

    fn sqlite_single(&self) -> Result<Figures, Failure> {
        let folder = self.cleanup.path("single");
        fs::create_dir_all(&folder)?;
        let accounts = Accounts::of(self.sizes.accounts.first().copied().unwrap_or(10_000));
        let until = match self.sizes.effort.until {
            Until::Transfers(all) => Until::Transfers(all.div_ceil(SINGLE_PART)),
            seconds @ Until::Seconds(_) => seconds,
        };
        let measured = sqlite_single::run(&folder.join("single.sqlite"), accounts, until)?;
        fs::remove_dir_all(&folder)?;
        Ok(Figures {
            per_second: per_second(measured.moved, measured.micros),
            micros: measured.micros,
            acknowledged: measured.moved + measured.refused,
            moved: measured.moved,
            refused: measured.refused,
            latency_us: Some(measured.latency),
            ..Figures::default()
        })
    }
}

/// Events in a second.
pub fn per_second(events: u64, micros: u64) -> u64 {
    let wide = u128::from(events) * 1_000_000;
    wide.checked_div(u128::from(micros)).and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)
}

fn figures_of(measured: &Measured) -> Figures {
    let counts = measured.counts;
    Figures {
        per_second: per_second(counts.moved, measured.micros),
        micros: measured.micros,
        acknowledged: counts.acknowledged(),
        moved: counts.moved,
        refused: counts.refused,
        repeated: counts.repeated,
        latency_us: Some(measured.latency),
        clients: None,
        engine: Some(EngineFigures {
            batches: measured.batches,
            journal_rows: measured.rows,
            bytes_per_transfer_hundredths: hundredths(measured.grown, measured.rows),
            cpu_ns_per_answer: (measured.cpu_micros * 1000).checked_div(counts.acknowledged()).unwrap_or(0),
            client_cpu_ns_per_answer: measured.client_nanos.checked_div(counts.acknowledged()).unwrap_or(0),
            verified: true,
        }),
    }
}

/// Rotated by one each round, and reversed every other round.
fn order(contenders: &[Contender], round: u32) -> VecDeque<Contender> {
    let mut order: VecDeque<Contender> = contenders.iter().copied().collect();
    let by = usize::try_from(round.saturating_sub(1)).unwrap_or(0).checked_rem(order.len()).unwrap_or(0);
    order.rotate_left(by);
    if round.is_multiple_of(2) {
        order.make_contiguous().reverse();
    }
    order
}

fn engine_of(contender: Contender) -> (Engine, Option<Case>) {
    match contender {
        Contender::Onecard(case) => (Engine::Onecard, Some(case)),
        Contender::SqliteSingle => (Engine::SqliteSingle, None),
        Contender::Pgbench => (Engine::Pgbench, None),
        Contender::TigerBeetle => (Engine::Tigerbeetle, None),
    }
}

fn title(contender: Contender) -> String {
    let (engine, case) = engine_of(contender);
    title_of(engine, case)
}

/// What to call an engine and a case in a line.
pub fn title_of(engine: Engine, case: Option<Case>) -> String {
    case.map_or_else(
        || engine.name().to_owned(),
        |case| {
            let (pattern, keys) = (format!("{:?}", case.pattern), format!("{:?}", case.keys));
            format!("{} {} {} {}", engine.name(), pattern.to_lowercase(), case.accounts, keys.to_lowercase())
        },
    )
}

/// Microseconds as milliseconds with two decimals.
pub fn millis(micros: u64) -> String {
    decimal(micros / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Contender::{Pgbench as P, SqliteSingle as S, TigerBeetle as T};

    #[test]
    fn the_order_rotates_each_round_and_is_reversed_every_other() {
        let table = [(1, [S, P, T]), (2, [S, T, P]), (3, [T, S, P]), (4, [T, P, S])];
        for (round, expected) in table {
            assert_eq!(order(&[S, P, T], round), expected, "round {round}");
        }
        assert!(order(&[], 3).is_empty());
    }
}
