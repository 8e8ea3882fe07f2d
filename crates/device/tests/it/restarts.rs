//! A till that loses power at any moment: nothing is paid twice, nothing that was paid is forgotten (M17).

use card::tear::{Cut, CutPlace};
use device::agent::display::Screen;
use link::{Record, ToPlatform};

use crate::world::{ANNA, PowerCut, World};

const PRICE: u32 = 1200;

type Scene = (&'static str, fn(&mut World));

const SCENES: [Scene; 3] = [
    ("purse", |world| world.holder(ANNA).waiting.push_back(5000)),
    ("account", |world| world.holder(ANNA).account = 5000),
    ("purse, then fill", |world| {
        world.platform.float = 10_000;
        world.holder(ANNA).account = 500;
        world.holder(ANNA).waiting.push_back(3000);
    }),
];

fn sale(scene: Scene, cut: Option<PowerCut>) -> (World, u64, usize) {
    let mut world = World::new();
    (scene.1)(&mut world);
    let money = world.money();
    let start = world.done;
    world.power_cut = cut.map(|cut| PowerCut { at: start + cut.at, ..cut });
    world.sell(PRICE);
    world.put(ANNA, None);
    let outputs = world.done - start;
    (world, money, outputs)
}

/// The clerk has seen that the sale is paid, before or after the restart.
fn over(world: &World) -> bool {
    world.screens.iter().any(|screen| matches!(screen, Screen::Paid(_) | Screen::Restarted { .. }))
}

#[test]
fn a_power_cut_at_any_output_of_a_sale_pays_once_and_loses_nothing() {
    let mut cases = 0;
    for scene in SCENES {
        let (calm, _, outputs) = sale(scene, None);
        assert!(over(&calm) && outputs > 10, "{}: {outputs}", scene.0);
        for at in 0..outputs {
            for after in [false, true] {
                for lifted in [false, true] {
                    let story = format!("{}: power lost at output {at}, after {after}, card lifted {lifted}", scene.0);
                    let (mut world, money, _) = sale(scene, Some(PowerCut { at, after }));
                    assert_eq!(world.power_cuts, 1, "{story}");
                    for _ in 0..4 {
                        if lifted {
                            world.take_away();
                        }
                        world.wait_seconds(5);
                        if over(&world) {
                            break;
                        }
                        if matches!(world.screen(), Screen::Idle { .. } | Screen::Loaded { .. }) {
                            world.sell(PRICE);
                        }
                        world.take_away();
                        world.put(ANNA, None);
                    }
                    assert!(over(&world), "{story}: {:?}", world.screen());
                    world.take_away();
                    for _ in 0..2 {
                        world.wait_seconds(5);
                        world.tap(ANNA);
                    }
                    assert_eq!(world.platform.merchant, PRICE, "paid once: {story}");
                    assert!(world.paid().len() <= 1, "{story}");
                    world.check(money, &story);
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} power cuts");
    assert!(cases > 200, "{cases}");
}

#[test]
fn m17_after_a_restart_an_authorisation_without_an_end_is_taken_back_before_anything_else_is_sent() {
    let mut world = World::new();
    world.holder(ANNA).account = 5000;
    world.platform.mute = true;
    world.sell(PRICE);
    world.tap(ANNA);
    let asked = world.agent.book().last_seq();
    world.platform.mute = false;
    world.sent.clear();
    world.restart();
    let first = world.sent.iter().find(|message| !matches!(message, ToPlatform::Hello { .. }));
    assert_eq!(first, Some(&ToPlatform::Journal { seq: asked + 1, record: Record::Reverse { of: asked } }));
    assert_eq!(world.platform.merchant, 0);
}

#[test]
fn after_a_restart_the_display_says_that_the_last_sale_was_paid() {
    let (mut world, _, _) = sale(SCENES[1], None);
    world.take_away();
    world.restart();
    assert!(matches!(world.screen(), Screen::Restarted { last_paid } if last_paid.get() == i64::from(PRICE)));
    world.sell(300);
    assert!(matches!(world.screen(), Screen::ReadyToPay { .. }), "until the next key");
}

#[test]
fn a_torn_debit_survives_the_restart_as_an_open_question() {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    let money = world.money();
    world.sell(PRICE);
    // SELECT, INITIALIZE FOR LOAD (a probe), INITIALIZE FOR PURCHASE, DEBIT.
    world.put(ANNA, Some(Cut { at: 3, place: CutPlace::BeforeAnswer }));
    assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{:?}", world.screen());
    world.restart();
    assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{:?}", world.screen());
    // The purchase module has forgotten the purchase: balance, counter and the TAC for the host decide.
    world.tap(ANNA);
    assert_eq!((world.paid().len(), world.platform.merchant), (1, PRICE));
    world.check(money, "asked after a restart");
}

#[test]
fn m9_a_platform_that_went_back_to_a_backup_gets_everything_that_is_still_kept_and_waits_for_nothing_else() {
    for restarted in [false, true] {
        let mut world = World::with(|config| config.keep_records = 10);
        world.holder(ANNA).account = 1_000_000;
        for _ in 0..100 {
            world.sell(PRICE);
            world.tap(ANNA);
            world.wait_seconds(3);
        }
        let (last, lowest) = (world.agent.book().last_seq(), *world.agent.book().records().keys().next().unwrap());
        assert!(lowest > 20 && last - lowest >= 10, "{lowest} to {last} are kept");

        world.platform.go_back_to(15);
        if restarted {
            world.restart();
        } else {
            world.disconnect();
            world.connect();
        }
        world.wait_seconds(20);
        let heard = std::mem::take(&mut world.platform.heard);
        let greeting = heard.iter().position(|message| matches!(message, ToPlatform::Hello { .. })).unwrap();
        assert_eq!(heard.get(greeting + 1), Some(&ToPlatform::Kept { lowest }), "restarted: {restarted}");
        let paid: Vec<u64> = heard
            .iter()
            .filter_map(|message| match message {
                ToPlatform::Paid { seq, .. } => Some(*seq),
                _ => None,
            })
            .collect();
        assert_eq!(paid, (lowest..=last).collect::<Vec<_>>(), "each once, in order; restarted: {restarted}");
        assert_eq!(world.platform.contiguous(), last);
        // It sells as before.
        world.sell(PRICE);
        world.tap(ANNA);
        assert!(world.platform.contiguous() > last);
    }
}

#[test]
fn m9_a_platform_that_knows_everything_that_was_deleted_is_told_nothing() {
    let mut world = World::with(|config| config.keep_records = 10);
    world.holder(ANNA).account = 1_000_000;
    for _ in 0..100 {
        world.sell(PRICE);
        world.tap(ANNA);
        world.wait_seconds(3);
    }
    world.disconnect();
    world.connect();
    world.restart();
    assert!(!world.platform.heard.iter().any(|message| matches!(message, ToPlatform::Kept { .. })));
}
