//! Tests of `sweep` from outside: the whole enumeration in this process, and that it finds what is planted.

use card::tear::CutPlace;
use sweep::Kind;
use sweep::case::{ALL_PLACES, Extent, FOUR_PLACES, Successor};
use sweep::flow::Flow;
use sweep::hand::{Manner, Place, SoftHand};
use sweep::plant::Plant;
use sweep::run::{Ground, Options, Outcome, Part, sweep};

/// Everything, on a book in memory.
const WHOLE: Options = Options {
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

/// Commands of the hold that is swept: contactless, and with GET RESPONSE as a command of its own.
const COMMANDS: [(Flow, u32, u32); 14] = [
    (Flow::Load, 4, 8),
    (Flow::LoadTwoItems, 4, 8),
    (Flow::LoadTwice, 6, 12),
    (Flow::LoadThenPay, 4, 8),
    (Flow::PayPurse, 5, 10),
    (Flow::LoadThenPayPurse, 6, 12),
    (Flow::Composite, 5, 8),
    (Flow::Block, 3, 4),
    (Flow::ProvePaid, 3, 6),
    (Flow::ProveNotPaid, 9, 15),
    (Flow::ProveGivenUp, 5, 10),
    (Flow::ProveGivenUpNotPaid, 9, 13),
    (Flow::Fill, 4, 8),
    (Flow::PayThenFill, 4, 8),
];

fn run(flow: Flow, options: &Options) -> Outcome {
    let ground = Ground::new(options).expect("a machine with threads and files");
    let mut hand = SoftHand::new(options.manner);
    sweep(flow, options, &ground, &mut hand, &mut |_, _| {}).expect("the untorn run is good")
}

/// Every case of every flow, and no fewer: commands x places x successors.
fn every_case(manner: Manner, places: &'static [Place]) {
    let mut all = 0;
    for (flow, contactless, contact) in COMMANDS {
        let outcome = run(flow, &Options { manner, places, ..WHOLE });
        let told: String = outcome.failures.iter().take(3).map(|failure| format!("{failure}\n")).collect();
        assert!(outcome.good(), "{}: {} of {} failed\n{told}", flow.name(), outcome.failures.len(), outcome.cases);
        let commands = if manner == Manner::Contact { contact } else { contactless };
        assert_eq!(outcome.commands, commands, "{}", flow.name());
        let product = u64::from(commands) * places.len() as u64 * Successor::ALL.len() as u64;
        assert_eq!((outcome.of, outcome.cases), (product, product), "{}", flow.name());
        assert_eq!(outcome.unused(), [], "{}: allowed and never seen", flow.name());
        println!("{} {manner:?}: {commands} x {} x 5 = {product}", flow.name(), places.len());
        all += product;
    }
    let commands: u32 =
        COMMANDS.iter().map(|(_, less, more)| if manner == Manner::Contact { more } else { less }).sum();
    assert_eq!(all, u64::from(commands) * places.len() as u64 * 5);
    println!("{manner:?}: {all} cases");
}

#[test]
fn the_table_has_every_flow_once() {
    let listed: Vec<Flow> = COMMANDS.iter().map(|(flow, ..)| *flow).collect();
    assert_eq!(listed, Flow::ALL);
    for flow in Flow::ALL {
        assert_eq!(Flow::from_name(flow.name()), Some(flow));
    }
}

#[test]
fn r32_a_card_torn_anywhere_ends_as_if_never_torn() {
    every_case(Manner::Contactless, ALL_PLACES);
}

#[test]
fn r32_a_card_with_contacts_torn_anywhere_get_response_too_ends_as_if_never_torn() {
    every_case(Manner::Contact, FOUR_PLACES);
}

#[test]
fn r32_a_card_torn_twice_ends_as_if_never_torn() {
    // A sample that meets all commands and places, because it has no divisor in common with any of them; the binary does all.
    let options = Options { places: FOUR_PLACES, twice: true, part: Part { number: 5, of: 211 }, ..WHOLE };
    for flow in Flow::ALL {
        let outcome = run(flow, &options);
        assert!(outcome.good(), "{}: {:?}", flow.name(), outcome.failures.first());
    }
}

#[test]
fn a_book_on_disk_ends_as_one_in_memory() {
    let folder = std::env::temp_dir().join(format!("onecard-sweep-it-{}", std::process::id()));
    let part = Part { number: 3, of: 17 };
    for flow in [Flow::LoadTwice, Flow::PayPurse, Flow::ProveGivenUp] {
        let in_memory = run(flow, &Options { part, ..WHOLE });
        let on_disk = run(flow, &Options { part, kind: Kind::Sqlite(folder.clone()), ..WHOLE });
        assert!(on_disk.good(), "{:?}", on_disk.failures.first());
        assert_eq!(on_disk, in_memory);
    }
    std::fs::remove_dir_all(&folder).expect("the folder was made and is empty");
}

#[test]
fn the_same_options_give_the_same_ends_and_the_same_trace() {
    let options = Options { part: Part { number: 2, of: 5 }, trace: true, ..WHOLE };
    for flow in [Flow::LoadThenPayPurse, Flow::ProveNotPaid] {
        let [one, again] = [0; 2].map(|_| run(flow, &options));
        assert!(!one.trace.is_empty());
        assert_eq!(one, again);
    }
}

#[test]
fn the_parts_are_the_whole() {
    let whole = run(Flow::Load, &Options { places: FOUR_PLACES, ..WHOLE });
    let parts = [1, 2, 3].map(|number| {
        let part = Part { number, of: 3 };
        run(Flow::Load, &Options { places: FOUR_PLACES, part, ..WHOLE })
    });
    assert_eq!(parts.iter().map(|part| part.cases).sum::<u64>(), whole.cases);
    assert!(parts.iter().all(|part| part.of == whole.of && part.good()));
}

#[test]
fn a_sweep_of_no_case_is_not_good() {
    let beyond = Options { only: Some(1_000_000), ..WHOLE };
    let outcome = run(Flow::Load, &beyond);
    assert_eq!((outcome.cases, outcome.failures.len()), (0, 0));
    assert!(!outcome.good());
}

/// Where each planted bug does its harm, and what is said of it.
const PLANTED: [(Plant, Flow, CutPlace, Successor, &str); 4] = [
    (Plant::TakenByTime, Flow::Load, CutPlace::BeforeApply, Successor::SameTerminal, "card holds 0"),
    (Plant::GivenBackByTime, Flow::Load, CutPlace::BeforeAnswer, Successor::SameTerminal, "card holds 5000"),
    (Plant::CreditResent, Flow::Load, CutPlace::BeforeReceive, Successor::SameTerminal, "went out twice"),
    (Plant::IntentForgotten, Flow::PayPurse, CutPlace::BeforeAnswer, Successor::PowerCycle, "card holds 2600"),
];

#[test]
fn every_planted_bug_is_found_and_named() {
    assert_eq!(PLANTED.map(|(plant, ..)| plant), Plant::ALL);
    for (plant, flow, place, after, said) in PLANTED {
        let options = Options { places: FOUR_PLACES, plant: Some(plant), ..WHOLE };
        let outcome = run(flow, &options);
        assert!(!outcome.good(), "{} is not found", plant.name());
        let found = outcome.failures.iter().find(|failure| failure.findings.join(" ").contains(said));
        assert!(found.is_some(), "{} is found and not named: {:?}", plant.name(), outcome.failures.first());
        // The very case that does harm, by its number.
        let case = outcome.failures.iter().find_map(|failure| {
            let extent = Extent { commands: outcome.commands, places: FOUR_PLACES, twice: false };
            let case = extent.case(failure.number)?;
            (case.tear.place == Place::Cut(place) && case.after == after).then_some(failure.number)
        });
        let only = run(flow, &Options { only: case, ..options });
        assert_eq!((only.cases, only.failures.len()), (1, 1), "{}", plant.name());
    }
}
