//! Tests of `sim` from outside: a few seeds of every kind. The mass runs are the binary's.

use sim::Scenario;
use sim::plant::Plant;
use sim::run::{Wish, hunt, run};

/// A day of faults, cut short: enough for hundreds of taps and sales, little enough for an unoptimised build.
const SHORT: Wish = Wish { days: 1, plant: None, scenario: None, until: Some(12_000), trace: false };

#[test]
fn fixed_seeds_hold_every_invariant_as_far_as_they_go() {
    for seed in 1..=20 {
        let outcome = run(seed, &SHORT);
        assert!(outcome.found.is_none(), "seed {seed}: {:?}", outcome.found);
        assert_eq!(outcome.events, 12_000, "seed {seed} has that much to do");
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let [one, again, other] = [7, 7, 8].map(|seed| run(seed, &SHORT).digest);
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn a_planted_bug_is_found_and_named() {
    for name in ["P02", "P03"] {
        let plant = Plant::from_name(name).expect("a plant of that name");
        let found = hunt(plant, 1, 1..=3).found;
        let invariant = found.map(|(_, invariant)| invariant);
        assert!(invariant.is_some_and(|name| plant.found_by().contains(&name)), "{name}: {found:?}");
    }
}

/// The provider is dark for two days, with and without a new key in the middle; afterwards everything settles, refunds end,
/// and nothing happened twice: the checker says so.
#[test]
fn l1_l2_the_provider_is_dark_for_two_days_and_then_everything_settles_and_refunds_end() {
    for scenario in Scenario::ALL {
        let wish = Wish { scenario: Some(scenario), ..Wish::default() };
        let outcome = run(5, &wish);
        assert!(outcome.found.is_none(), "{scenario:?}: {:?}", outcome.found);
        let met = |name: &str| outcome.counters.of(name);
        for name in [
            "provider: dark for days",
            "provider: silent in the dark",
            "order: credited",
            "refund: settled",
            "refund: made",
        ] {
            assert!(met(name) > 0, "{scenario:?} never met: {name}");
        }
        let new_key = u64::from(scenario == Scenario::DarkWithNewKey);
        assert_eq!(met("provider: changes its key"), new_key);
        assert!(met("notice: under the new key") >= new_key, "{scenario:?}");
    }
}
