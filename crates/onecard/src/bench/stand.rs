//! The engines of the ledger bench: what each of them needs, and one run of it.

use std::collections::BTreeMap;
use std::fs;

use super::cleanup::Cleanup;
use super::load::Until;
use super::onecard::{self, Case, Measured, Template};
use super::options::Sizes;
use super::pgbench::Pgbench;
use super::result::{Contender, Engine, EngineFigures, Entry, Figures, hundredths};
use super::rounds::{Contest, per_second};
use super::say::Say;
use super::sqlite_single;
use super::tigerbeetle::TigerBeetle;
use super::workload::Accounts;
use crate::Failure;

/// With a number of transfers instead of a time, SQLite alone is given this part of them: it syncs for each.
const SINGLE_PART: u64 = 20;

/// Everything that runs need.
pub struct Stand<'a> {
    /// What to do.
    pub sizes: &'a Sizes,
    /// The work folder.
    pub cleanup: &'a Cleanup,
    /// Where progress is told.
    pub say: &'a Say,
    /// Funded books by number of accounts.
    pub templates: BTreeMap<u32, Template>,
    /// PostgreSQL, when it takes part.
    pub pgbench: Option<Pgbench>,
    /// TigerBeetle, when it takes part.
    pub tigerbeetle: Option<TigerBeetle>,
}

impl<'a> Stand<'a> {
    /// Nothing is made yet, and no reference takes part.
    pub fn new(sizes: &'a Sizes, cleanup: &'a Cleanup, say: &'a Say) -> Stand<'a> {
        Stand { sizes, cleanup, say, templates: BTreeMap::new(), pgbench: None, tigerbeetle: None }
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

    /// One onecard run on a fresh copy of the funded book. Error: its folder is kept when the run itself went wrong.
    pub fn onecard(&mut self, case: Case, effort: onecard::Effort, mark_every: u64) -> Result<Measured, Failure> {
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

impl Contest for Stand<'_> {
    type Contender = Contender;
    type Figures = Figures;

    fn contenders(&self) -> Vec<Contender> {
        let mut all: Vec<Contender> = self.sizes.cases.iter().map(|case| Contender::Onecard(*case)).collect();
        all.extend(self.sizes.sqlite_single.then_some(Contender::SqliteSingle));
        all.extend(self.pgbench.iter().map(|_| Contender::Pgbench));
        all.extend(self.tigerbeetle.iter().map(|_| Contender::TigerBeetle));
        all
    }

    fn title(&self, contender: Contender) -> String {
        let Entry { engine, case } = contender.into();
        title_of(engine, case)
    }

    fn run(&mut self, contender: Contender) -> Result<Figures, Failure> {
        match contender {
            Contender::Onecard(case) => {
                let measured = self.onecard(case, self.sizes.effort, u64::MAX)?;
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

    fn per_second(figures: &Figures) -> u64 {
        figures.per_second
    }
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
