//! `onecard-sweep`: tears a card at every command of every kind of hold.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sweep::case::{AGAIN, ALL_PLACES, FOUR_PLACES};
use sweep::flow::Flow;
use sweep::hand::{Manner, Place, SoftHand};
use sweep::plant::Plant;
use sweep::run::{Failure, Ground, Options, Outcome, Part, sweep};
use sweep::{Broken, Kind};

const USAGE: &str = "\
Usage: onecard-sweep [OPTIONS]

Pulls a card away at every command of every kind of hold, in every way, lets people go on in every way, and compares the
end with that of the hold that was not torn. Platform, terminal and card are the product's own, in one process.

  --flow NAME          This kind of hold alone (see --list); may be given more than once
  --list               Say which kinds of holds there are, and where their ends may differ
  --places all|four    Where within a command: all ways in which an answer is cut, or the four places [default: all]
  --twice              Tear the next hold too, at every command and place; void cases, whose next hold is shorter, are counted
  --manner NAME        How the card speaks: contactless, contact (T=0: GET RESPONSE is a command of its own), both
                       [default: both]
  --pcsc FOLDER        Through virtual readers of PC/SC, all of CARD_READERS side by side (`cargo xtask readers` names
                       them); the cards lie in this folder. Each flow is then swept in this process too, and must end alike
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
    /// The folder of the cards, when they lie at readers of PC/SC.
    pcsc: Option<PathBuf>,
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
        manner: Manner::Contactless,
        places: ALL_PLACES,
        twice: false,
        plant: None,
        from: 0,
        only: None,
        part: Part::WHOLE,
        trace: false,
    };
    let manners = vec![Manner::Contactless, Manner::Contact];
    let mut arguments = Arguments { pcsc: None, flows: Vec::new(), manners, list: false, options };
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
                options.places = places(value()?)?;
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
            "--pcsc" => arguments.pcsc = Some(PathBuf::from(value()?)),
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
            "--twice" => options.twice = true,
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

fn places(text: &str) -> Result<&'static [Place], String> {
    match text {
        "all" => Ok(ALL_PLACES),
        "four" => Ok(FOUR_PLACES),
        other => Err(format!("--places {other}: write all or four")),
    }
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
        let options = Options { manner: *manner, ..arguments.options.clone() };
        for outcome in swept(arguments, &options, &ground)? {
            tell(&outcome, &options);
            // A part may have none of a short flow's cases.
            good &= outcome.failures.is_empty() && outcome.cases == outcome.wanted;
            cases = cases.saturating_add(outcome.cases).saturating_sub(outcome.void);
            failed = failed.saturating_add(outcome.failures.len());
        }
    }
    println!("{} passed, {failed} failed", cases.saturating_sub(u64::try_from(failed).unwrap_or(u64::MAX)));
    Ok(good && cases > 0)
}

/// What became of each flow.
fn swept(arguments: &Arguments, options: &Options, ground: &Ground) -> Result<Vec<Outcome>, Broken> {
    let here = |flow: &Flow| {
        let mut hand = SoftHand::new(options.manner);
        let mut told = |done, of| progress(flow.name(), done, of);
        sweep(*flow, options, ground, &mut hand, &mut told)
    };
    let Some(folder) = &arguments.pcsc else { return arguments.flows.iter().map(here).collect() };
    let mut outcomes = at_readers(&arguments.flows, options, ground, folder)?;
    for outcome in &mut outcomes {
        let alike = here(&outcome.flow)?;
        if (alike.cases, alike.digest, &alike.differs) != (outcome.cases, outcome.digest, &outcome.differs) {
            let (flow, case) = (outcome.flow, "all of them together".to_owned());
            let finding = "they end otherwise at these readers than in this process".to_owned();
            let findings = vec![finding];
            outcome.failures.push(Failure { flow, number: 0, case, findings, again: options.words() });
        }
    }
    Ok(outcomes)
}

#[cfg(feature = "pcsc")]
fn at_readers(
    flows: &[Flow],
    options: &Options,
    ground: &Ground,
    folder: &std::path::Path,
) -> Result<Vec<Outcome>, Broken> {
    #[expect(clippy::disallowed_methods, reason = "named by who made the readers, and read here alone")]
    let named = std::env::var("CARD_READERS");
    let named = named.map_err(|_| Broken::new("CARD_READERS names no readers; run this by `cargo xtask readers`"))?;
    let readers = sweep::pcsc::ReaderAt::list(&named).map_err(Broken::new)?;
    let told = |done| progress("cases at the readers", done, 0);
    sweep::pcsc::side_by_side(flows, options, ground, &readers, folder, &told)
}

#[cfg(not(feature = "pcsc"))]
fn at_readers(_: &[Flow], _: &Options, _: &Ground, _: &std::path::Path) -> Result<Vec<Outcome>, Broken> {
    Err(Broken::new("this program was built without PC/SC; build it with --features pcsc"))
}

/// One line on a terminal that a person looks at.
fn progress(what: &str, done: u64, of: u64) {
    let seen = std::io::stderr().is_terminal();
    if seen && (done == of || done.checked_rem(20) == Some(0)) {
        eprint!("\r{what} {done}{}   \r", if of > 0 { format!(" of {of}") } else { String::new() });
        // A line that does not show harms nobody.
        let _ = std::io::stderr().flush();
    }
}

fn tell(outcome: &Outcome, options: &Options) {
    for line in &outcome.trace {
        println!("{line}");
    }
    let Outcome { flow, commands, of, cases, void, disturbed, differs, failures, digest, .. } = outcome;
    let manner = match options.manner {
        Manner::Contactless => "contactless",
        Manner::Contact => "contact",
    };
    let (places, name) = (options.places.len(), flow.name());
    let twice = if options.twice { format!(" x {AGAIN} x {places}") } else { String::new() };
    let digest: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{name} {manner}: {commands} commands x {places} places x 5{twice} = {of} cases, {cases} run, ends {digest}"
    );
    if *disturbed > 0 {
        println!("    {disturbed} times a reader lost a card's session, and the case was run again");
    }
    if options.twice {
        println!("    {void} of them void: the next hold was shorter");
    }
    for (differs, times) in differs {
        println!("    {times} times: {}", differs.what());
    }
    for failure in failures.iter().take(MOST_TOLD) {
        println!("{failure}");
    }
    if failures.len() > MOST_TOLD {
        println!("and {} more", failures.len().saturating_sub(MOST_TOLD));
    }
}
