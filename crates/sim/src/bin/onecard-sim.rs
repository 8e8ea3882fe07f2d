//! `onecard-sim`: runs the simulator over seeds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Instant;

use sim::plant::Plant;
use sim::run::{Outcome, Wish, hunt, run};
use sim::{Counters, Scenario};

const USAGE: &str = "\
Usage: onecard-sim (--seeds A..B | --seed N | --plants) [OPTIONS]

Runs a school with people, cards, tills, a payment provider and a server under the faults that each seed draws, and checks
that no fen is lost and none is doubled.

  --seeds A..B      Run these seeds, both ends included; every 20th is run twice and must give the same digest
  --seed N          Run one seed
  --plants          Plant every bug in turn and demand that it is found within 200 seeds

Options:
  --plant NAME      Plant this bug (see --list-plants)
  --list-plants     Say what the planted bugs are
  --scenario NAME   What happens whatever the seed draws: dark (the provider is dark for two days), dark-with-new-key
  --days N          Days with faults before the calm [default: 3; with --plants 1]
  --until-event N   Stop after this event
  --trace           Print everything that happens
  --twice           Run every seed twice and compare
  --help            Print this text

Exit codes: 0 all held, 1 something failed and was told, 2 wrong usage
";

/// Every how many seeds of a range one is run twice.
const TWICE_EVERY: u64 = 20;
/// Seeds in which a planted bug must be found.
const HUNT: RangeInclusive<u64> = 1..=200;

#[derive(Default)]
struct Arguments {
    seeds: Option<RangeInclusive<u64>>,
    range: bool,
    plants: bool,
    list: bool,
    days: Option<u32>,
    twice: bool,
    wish: Wish,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let mut arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprint!("{fault}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        for plant in Plant::ALL {
            println!("{}  {} ({})", plant.name(), plant.what(), plant.found_by().join(", "));
        }
        return ExitCode::SUCCESS;
    }
    let (passed, failed) = if arguments.plants {
        plants(arguments.days.unwrap_or(1))
    } else {
        arguments.wish.days = arguments.days.unwrap_or(arguments.wish.days);
        seeds(&arguments)
    };
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seeds" => {
                let text = value()?;
                let (first, last) = text.split_once("..").ok_or_else(|| format!("--seeds {text}: write A..B"))?;
                arguments.seeds = Some(number(first)?..=number(last)?);
                arguments.range = true;
            }
            "--seed" => {
                let seed = number(value()?)?;
                arguments.seeds = Some(seed..=seed);
            }
            "--plant" => {
                let name = value()?;
                let plant = Plant::from_name(name).ok_or_else(|| format!("there is no plant {name}"))?;
                arguments.wish.plant = Some(plant);
            }
            "--scenario" => {
                let name = value()?;
                let scenario = Scenario::from_name(name).ok_or_else(|| format!("there is no scenario {name}"))?;
                arguments.wish.scenario = Some(scenario);
            }
            "--days" => arguments.days = Some(number(value()?)?),
            "--until-event" => arguments.wish.until = Some(number(value()?)?),
            "--trace" => arguments.wish.trace = true,
            "--twice" => arguments.twice = true,
            "--plants" => arguments.plants = true,
            "--list-plants" => arguments.list = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    let empty = arguments.seeds.as_ref().is_none_or(RangeInclusive::is_empty);
    if empty && !arguments.plants && !arguments.list {
        return Err("which seeds? write --seeds A..B or --seed N".to_owned());
    }
    Ok(arguments)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: Display,
{
    text.parse().map_err(|fault| format!("{text}: {fault}"))
}

fn seeds(arguments: &Arguments) -> (u64, u64) {
    let Some(range) = arguments.seeds.clone() else { return (0, 1) };
    let wish = &arguments.wish;
    let clock = started();
    let (mut passed, mut failed, mut events, mut all) = (0, 0, 0_u64, 0_u128);
    let mut counters = Counters::default();
    for seed in range {
        let outcome = run(seed, wish);
        events += outcome.events;
        counters.merge(&outcome.counters);
        all = all.rotate_left(7) ^ outcome.digest;
        let twice = arguments.twice || (arguments.range && seed % TWICE_EVERY == 0);
        let differs = twice && run(seed, wish).digest != outcome.digest;
        println!("seed {seed}: {} events, digest {:032x}", outcome.events, outcome.digest);
        if differs {
            println!("FAILED seed {seed}: a second run did something else");
        }
        if outcome.found.is_some() {
            tell(&outcome, wish);
        }
        if differs || outcome.found.is_some() { failed += 1 } else { passed += 1 }
    }
    let millis = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    print!("\n{counters}");
    println!("\n{events} events in {}.{:03} s, {} events/s", millis / 1000, millis % 1000, events * 1000 / millis);
    println!("digest of all: {all:032x}");
    if arguments.range && passed + failed >= 100 && wish.plant.is_none() && wish.scenario.is_none() {
        for name in counters.missing() {
            println!("FAILED: never met: {name}");
            failed += 1;
        }
    }
    (passed, failed)
}

fn tell(outcome: &Outcome, wish: &Wish) {
    let Some(found) = &outcome.found else { return };
    println!("FAILED {} at event {}: {}", found.invariant, found.event, found.text);
    println!("  again: {}", found.again(outcome.seed, wish));
    println!("  drawn: {}", found.options);
    println!("  the last {} events of those concerned:", found.notes.len());
    for note in &found.notes {
        println!("    {note}");
    }
}

fn plants(days: u32) -> (u64, u64) {
    let (mut passed, mut failed) = (0, 0);
    for plant in Plant::ALL {
        let hunt = hunt(*plant, days, HUNT);
        match hunt.found {
            Some((seed, invariant)) => {
                passed += 1;
                println!("{} found by {invariant} with seed {seed}: {}", plant.name(), plant.what());
            }
            None => {
                failed += 1;
                let others = hunt.otherwise.first();
                println!("FAILED {}: not found in {HUNT:?}: {}; otherwise {others:?}", plant.name(), plant.what());
            }
        }
    }
    (passed, failed)
}

fn started() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how fast the simulator is shows on a real clock alone")]
    Instant::now()
}
