//! Runs: one seed, and what came of it.

use crate::checker::Failure;
use crate::count::Counters;
use crate::notes::{Notes, Who};
use crate::options::{Options, Scenario};
use crate::plant::Plant;
use crate::world::World;

/// How many notes a failure shows.
const NOTES: usize = 50;

/// How to run a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Days with faults.
    pub days: u32,
    /// A bug to plant.
    pub plant: Option<Plant>,
    /// What happens whatever the seed draws; it says itself how many days there are.
    pub scenario: Option<Scenario>,
    /// Stop after this event.
    pub until: Option<u64>,
    /// Print everything that happens.
    pub trace: bool,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish { days: 3, plant: None, scenario: None, until: None, trace: false }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of which seed.
    pub seed: u64,
    /// Events that happened.
    pub events: u64,
    /// The same for the same run, and for no other.
    pub digest: u128,
    /// What was met.
    pub counters: Counters,
    /// What cannot be true; none when all held.
    pub found: Option<Found>,
}

/// A failure, with all that a person needs to look for its cause.
#[derive(Clone, Debug)]
pub struct Found {
    /// Name of the invariant.
    pub invariant: &'static str,
    /// Both sides, with their numbers.
    pub text: String,
    /// During which event.
    pub event: u64,
    /// What the seed drew.
    pub options: String,
    /// The last things that happened to the person, card, order or till concerned.
    pub notes: Vec<String>,
}

impl Found {
    /// One line to copy: runs up to the failure and tells everything.
    pub fn again(&self, seed: u64, wish: &Wish) -> String {
        let plant = wish.plant.map_or(String::new(), |plant| format!(" --plant {}", plant.name()));
        let scenario = wish.scenario.map_or(String::new(), |scenario| format!(" --scenario {}", scenario.name()));
        let (days, event) = (wish.days, self.event);
        format!("onecard-sim --seed {seed} --days {days}{plant}{scenario} --until-event {event} --trace")
    }
}

/// Runs a seed. A failing one is run again to collect what happened before.
pub fn run(seed: u64, wish: &Wish) -> Outcome {
    let (mut world, failure) = go(seed, wish, Notes::new(wish.trace, wish.trace));
    let (events, digest) = (world.events, world.digest.value());
    let counters = std::mem::take(&mut world.counters);
    let found = failure.map(|failure| {
        let (event, options) = (world.events, world.options.to_string());
        if !wish.trace {
            (world, _) = go(seed, wish, Notes::new(true, false));
        }
        let Failure { invariant, who, text } = failure;
        Found { invariant, text: format!("{}{text}", named(who)), event, options, notes: world.notes.last(NOTES, who) }
    });
    Outcome { seed, events, digest, counters, found }
}

fn named(who: Who) -> String {
    let holder = who.holder.map_or(String::new(), |holder| format!("holder {holder}: "));
    let till = who.till.map_or(String::new(), |till| format!("till {till}: "));
    format!("{holder}{till}")
}

fn go(seed: u64, wish: &Wish, notes: Notes) -> (World, Option<Failure>) {
    let drawn = Options::draw(seed, wish.days);
    let options = match wish.scenario {
        Some(scenario) => drawn.with(scenario),
        None => drawn,
    };
    let mut world = World::new(seed, options, wish.plant, notes);
    let failure = world.run(wish.until);
    (world, failure)
}

/// Found by this: two runs of a seed differ.
const DETERMINISM: &str = "determinism";

/// Looks for a planted bug.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The seed that found it by an invariant that counts, and that invariant.
    pub found: Option<(u64, &'static str)>,
    /// Seeds that failed by another invariant, with the first such one.
    pub otherwise: Vec<(u64, &'static str)>,
}

/// Runs `seeds` until the plant is found by one of the invariants named for it.
pub fn hunt(plant: Plant, days: u32, seeds: impl Iterator<Item = u64>) -> Hunt {
    let wish = Wish { days, plant: Some(plant), ..Wish::default() };
    let mut hunt = Hunt { found: None, otherwise: Vec::new() };
    for seed in seeds {
        let quiet = || Notes::new(false, false);
        let (world, failure) = go(seed, &wish, quiet());
        if failure.is_none() && plant.found_by().contains(&DETERMINISM) {
            let (again, _) = go(seed, &wish, quiet());
            if again.digest != world.digest {
                hunt.found = Some((seed, DETERMINISM));
                return hunt;
            }
        }
        match failure {
            Some(failure) if plant.found_by().contains(&failure.invariant) => {
                hunt.found = Some((seed, failure.invariant));
                return hunt;
            }
            Some(failure) => hunt.otherwise.push((seed, failure.invariant)),
            None => {}
        }
    }
    hunt
}
