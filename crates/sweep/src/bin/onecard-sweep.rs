//! `onecard-sweep`: tears a card at every command of every kind of hold.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sweep::case::{ALL_PLACES, FOUR_PLACES};
use sweep::flow::Flow;
use sweep::hand::{Hand, Manner, SoftHand};
use sweep::plant::Plant;
use sweep::run::{Ground, Options, Outcome, Part, sweep};
use sweep::{Broken, Kind};

const USAGE: &str = "\
Usage: onecard-sweep [OPTIONS]

Pulls a card away at every command of every kind of hold, in every way, lets people go on in every way, and compares the
end with that of the hold that was not torn. Platform, terminal and card are the product's own, in one process.

  --flow NAME          This kind of hold alone (see --list); may be given more than once
  --list               Say which kinds of holds there are, and where their ends may differ
  --places all|four    Where within a command: all ways in which an answer is cut, or the four places [default: all]
  --manner NAME        How the card speaks: contactless, contact (T=0: GET RESPONSE is a command of its own), both
                       [default: both]
  --store KIND         Where the platform keeps its book: memory, or sqlite:FOLDER [default: memory]
  --part I/N           Every N-th case, from the I-th on: for N processes side by side
  --from N             Start at this case
  --case N             This case alone
  --trace              Print everything that happens in it; give a --case, or it is much
  --plant NAME         Plant this bug, which must be found: taken-by-time, given-back-by-time, credit-resent,
                       intent-forgotten
  --help               Print this text

Exit codes: 0 every case ended as it must, 1 one did not and was told, 2 wrong usage
";

/// Failures that are told; the others are counted.
const MOST_TOLD: usize = 10;

struct Arguments {
    flows: Vec<Flow>,
    manners: Vec<Manner>,
    list: bool,
    options: Options,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(fault) => {
            eprint!("{fault}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        list();
        return ExitCode::SUCCESS;
    }
    match all(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(broken) => {
            eprintln!("the sweep cannot go on: {broken}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for flow in Flow::ALL {
        println!("{}", flow.name());
        for differs in flow.differs() {
            println!("    may differ: {}", differs.what());
        }
    }
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let options = Options {
        kind: Kind::Memory,
        places: ALL_PLACES,
        plant: None,
        from: 0,
        only: None,
        part: Part::WHOLE,
        trace: false,
    };
    let manners = vec![Manner::Contactless, Manner::Contact];
    let mut arguments = Arguments { flows: Vec::new(), manners, list: false, options };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let options = &mut arguments.options;
        match word.as_str() {
            "--flow" => {
                let name = value()?;
                arguments.flows.push(Flow::from_name(name).ok_or_else(|| format!("there is no flow {name}"))?);
            }
            "--places" => {
                options.places = match value()?.as_str() {
                    "all" => ALL_PLACES,
                    "four" => FOUR_PLACES,
                    other => return Err(format!("--places {other}: write all or four")),
                };
            }
            "--manner" => {
                arguments.manners = match value()?.as_str() {
                    "contactless" => vec![Manner::Contactless],
                    "contact" => vec![Manner::Contact],
                    "both" => vec![Manner::Contactless, Manner::Contact],
                    other => return Err(format!("--manner {other}: write contactless, contact or both")),
                };
            }
            "--store" => {
                options.kind = match value()?.split_once(':') {
                    None => Kind::Memory,
                    Some(("sqlite", folder)) if !folder.is_empty() => Kind::Sqlite(PathBuf::from(folder)),
                    Some(_) => return Err("--store: write memory or sqlite:FOLDER".to_owned()),
                };
            }
            "--part" => {
                let text = value()?;
                let (number, of) = text.split_once('/').ok_or_else(|| format!("--part {text}: write I/N"))?;
                let part = Part { number: count(number)?, of: count(of)? };
                if part.number == 0 || part.number > part.of {
                    return Err(format!("--part {text}: I goes from 1 to N"));
                }
                options.part = part;
            }
            "--from" => options.from = count(value()?)?,
            "--case" => options.only = Some(count(value()?)?),
            "--trace" => options.trace = true,
            "--plant" => {
                let name = value()?;
                options.plant = Some(Plant::from_name(name).ok_or_else(|| format!("there is no plant {name}"))?);
            }
            "--list" => arguments.list = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if arguments.flows.is_empty() {
        arguments.flows = Flow::ALL.to_vec();
    }
    Ok(arguments)
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// Whether everything ended as it must.
fn all(arguments: &Arguments) -> Result<bool, Broken> {
    let ground = Ground::new(&arguments.options)?;
    let (mut cases, mut failed) = (0_u64, 0_usize);
    let mut good = true;
    for manner in &arguments.manners {
        let mut hand = SoftHand::new(*manner);
        for flow in &arguments.flows {
            let outcome = one(*flow, *manner, arguments, &ground, &mut hand)?;
            // A part may have none of a short flow's cases.
            good &= outcome.failures.is_empty() && outcome.cases == outcome.wanted;
            cases = cases.saturating_add(outcome.cases);
            failed = failed.saturating_add(outcome.failures.len());
        }
    }
    println!("{cases} cases, {failed} failed");
    Ok(good && cases > 0)
}

fn one(
    flow: Flow,
    manner: Manner,
    arguments: &Arguments,
    ground: &Ground,
    hand: &mut dyn Hand,
) -> Result<Outcome, Broken> {
    let seen = std::io::stderr().is_terminal();
    let mut told = |done: u64, of: u64| {
        if seen && (done == of || done.checked_rem(50) == Some(0)) {
            eprint!("\r{} {done} of {of}   ", flow.name());
            let _ = std::io::stderr().flush();
        }
    };
    let outcome = sweep(flow, &arguments.options, ground, hand, &mut told)?;
    if seen {
        eprint!("\r");
    }
    for line in &outcome.trace {
        println!("{line}");
    }
    let Outcome { commands, of, cases, differs, failures, digest, .. } = &outcome;
    let manner = match manner {
        Manner::Contactless => "contactless",
        Manner::Contact => "contact",
    };
    let (places, name) = (arguments.options.places.len(), flow.name());
    let digest: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    println!("{name} {manner}: {commands} commands x {places} places x 5 = {of} cases, {cases} run, ends {digest}");
    for (differs, times) in differs {
        println!("    {times} times: {}", differs.what());
    }
    for failure in failures.iter().take(MOST_TOLD) {
        println!("{failure}");
    }
    if failures.len() > MOST_TOLD {
        println!("and {} more", failures.len().saturating_sub(MOST_TOLD));
    }
    Ok(outcome)
}
