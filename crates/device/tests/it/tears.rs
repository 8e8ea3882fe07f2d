//! A card that leaves at any command, in any way, whatever comes next: nobody pays twice and no fen is lost (R32, R81).

use card::tear::{Cut, CutPlace};
use device::agent::display::Screen;

use crate::world::{ANNA, BEN, World};

const PRICE: u32 = 1200;

/// What happens after the card was torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The same card comes back.
    SameCard,
    /// Another card is held first, then the same one.
    OtherCardFirst,
    /// The same card comes back and is torn again at its first question.
    TornAgain,
    /// The terminal loses power, then the same card comes back.
    Restart,
    /// The connection is gone while the card comes back, and returns after.
    OffLine,
    /// The clerk gives up; the card is held again later.
    GivenUp,
    /// The clerk gives up, the terminal restarts, the card is held again later.
    GivenUpAndRestart,
}

const AFTER: [After; 7] = [
    After::SameCard,
    After::OtherCardFirst,
    After::TornAgain,
    After::Restart,
    After::OffLine,
    After::GivenUp,
    After::GivenUpAndRestart,
];

const PLACES: [CutPlace; 9] = [
    CutPlace::BeforeReceive,
    CutPlace::BeforeApply,
    CutPlace::BeforeAnswer,
    CutPlace::InAnswer(0),
    CutPlace::InAnswer(1),
    CutPlace::InAnswer(2),
    CutPlace::InAnswer(5),
    CutPlace::InAnswer(9),
    // The whole answer arrives and the card is gone right after it.
    CutPlace::InAnswer(usize::MAX),
];

/// How the holder's money lies before the hold.
type Scene = (&'static str, fn(&mut World));

const SCENES: [Scene; 4] = [
    ("load, then buy from the purse", |world| world.holder(ANNA).waiting.push_back(5000)),
    ("two loads, then buy from the purse", |world| world.holder(ANNA).waiting.extend([2000, 3000])),
    ("buy from the account, then fill", |world| {
        world.platform.float = 10_000;
        world.holder(ANNA).account = 9000;
    }),
    ("load, buy from the purse, fill from the account", |world| {
        world.platform.float = 10_000;
        world.holder(ANNA).account = 500;
        world.holder(ANNA).waiting.push_back(3000);
    }),
];

/// A sale of 12.00 in one hold that may be torn.
fn hold(scene: Scene, cut: Option<Cut>, deaf: bool) -> (World, u64) {
    let mut world = World::new();
    (scene.1)(&mut world);
    let money = world.money();
    world.deaf_reader = deaf;
    world.sell(PRICE);
    world.put(ANNA, cut);
    world.deaf_reader = false;
    (world, money)
}

/// What people do until the sale is over. True when the clerk gave it up.
fn go_on(world: &mut World, after: After) -> bool {
    let open = matches!(world.screen(), Screen::Unresolved { .. });
    match after {
        After::SameCard => {}
        After::OtherCardFirst if open => {
            world.tap(BEN);
            assert!(matches!(world.screen(), Screen::Unresolved { .. }), "another card settles nothing");
            assert!(world.screens.iter().any(|screen| matches!(screen, Screen::OtherCard { .. })));
        }
        // Without an open question the other card would rightly pay.
        After::OtherCardFirst => {}
        After::TornAgain => {
            world.put(ANNA, Some(Cut { at: 1, place: CutPlace::BeforeReceive }));
            world.take_away();
        }
        After::Restart => world.restart(),
        After::OffLine => {
            world.disconnect();
            world.tap(ANNA);
            world.wait_seconds(5);
            world.connect();
        }
        After::GivenUp | After::GivenUpAndRestart if open => {
            world.cancel();
            assert!(matches!(world.screen(), Screen::Unresolved { .. }), "not within the first two seconds");
            world.wait_seconds(2);
            world.cancel();
            assert!(matches!(world.screen(), Screen::Unproved { .. }), "{:?}", world.screen());
            if after == After::GivenUpAndRestart {
                world.restart();
            }
            return true;
        }
        After::GivenUp | After::GivenUpAndRestart => {}
    }
    // A restarted till forgets an amount for which nothing was asked; the clerk sees the empty display and enters it.
    for _ in 0..4 {
        world.wait_seconds(5);
        if over(world) {
            break;
        }
        if matches!(world.screen(), Screen::Idle { .. }) {
            world.sell(PRICE);
        }
        world.tap(ANNA);
    }
    assert!(over(world), "the sale is not over: {:?}", world.screen());
    false
}

/// The clerk has seen that the sale is paid, before or after a restart.
fn over(world: &World) -> bool {
    world.screens.iter().any(|screen| matches!(screen, Screen::Paid(_) | Screen::Restarted { .. }))
}

fn sweep(scene: Scene) -> usize {
    let (mut calm, money) = hold(scene, None, false);
    let commands = u32::try_from(calm.apdus).expect("few");
    calm.take_away();
    assert_eq!(calm.paid().len(), 1, "{}", scene.0);
    calm.check(money, scene.0);
    let (end, merchant) = (calm.chip(ANNA).balance(), calm.platform.merchant);
    assert_eq!(merchant, PRICE);

    let mut cases = 0;
    for at in 0..commands {
        for place in PLACES {
            for deaf in [false, true] {
                for after in AFTER {
                    let story = format!("{}: {at} {place:?} deaf {deaf} {after:?}", scene.0);
                    let (mut world, money) = hold(scene, Some(Cut { at, place }), deaf);
                    assert!(world.paid().len() <= 1, "{story}");
                    world.take_away();
                    let given_up = go_on(&mut world, after);
                    // A calm hold, which also settles what the platform does not know yet.
                    for _ in 0..2 {
                        world.wait_seconds(5);
                        world.tap(ANNA);
                    }
                    world.check(money, &story);
                    let debits = u32::from(world.chip(ANNA).purchases());
                    if given_up {
                        assert_eq!(world.platform.merchant, debits * PRICE, "what the card says: {story}");
                        assert!(debits <= 1, "{story}");
                    } else {
                        assert_eq!(world.platform.merchant, merchant, "paid once: {story}");
                        assert_eq!(world.chip(ANNA).balance(), end, "as if never torn: {story}");
                        assert!(world.paid().len() <= 1, "{story}");
                    }
                    cases += 1;
                }
            }
        }
    }
    println!("{}: {commands} commands, {cases} torn holds", scene.0);
    assert_eq!(cases, commands as usize * PLACES.len() * 2 * AFTER.len());
    cases
}

#[test]
fn r32_a_torn_load_and_a_torn_purchase_end_as_if_never_torn() {
    assert!(sweep(SCENES[0]) > 0);
}

#[test]
fn r33_several_loads_torn_anywhere_end_as_if_never_torn() {
    assert!(sweep(SCENES[1]) > 0);
}

#[test]
fn a_fill_torn_anywhere_does_not_spoil_the_sale() {
    assert!(sweep(SCENES[2]) > 0);
}

#[test]
fn a_load_a_purchase_and_a_fill_torn_anywhere_pay_once() {
    assert!(sweep(SCENES[3]) > 0);
}

#[test]
fn a_torn_debit_takes_no_other_payment_until_it_is_settled() {
    let (calm, _) = hold(SCENES[0], None, false);
    let mut torn = 0;
    for at in 0..u32::try_from(calm.apdus).expect("few") {
        let (mut world, _) = hold(SCENES[0], Some(Cut { at, place: CutPlace::BeforeAnswer }), false);
        if !matches!(world.screen(), Screen::Unresolved { .. }) {
            continue;
        }
        torn += 1;
        world.holder(BEN).account = 5000;
        world.sell(300);
        world.tap(BEN);
        assert!(matches!(world.screen(), Screen::Unresolved { .. }));
        assert_eq!((world.platform.merchant, world.holder(BEN).account), (0, 5000));
    }
    assert_eq!(torn, 1, "exactly the debit leaves an open question");
}

#[test]
fn a_card_that_stays_after_a_lost_answer_is_asked_again_without_being_lifted() {
    // The reader loses one answer but the card never leaves: the agent asks by itself.
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    let money = world.money();
    let (calm, _) = hold(SCENES[0], None, false);
    let debit = (0..calm.apdus)
        .find(|at| {
            let cut = Cut { at: u32::try_from(*at).expect("few"), place: CutPlace::BeforeAnswer };
            matches!(hold(SCENES[0], Some(cut), false).0.screen(), Screen::Unresolved { .. })
        })
        .expect("a debit");
    world.sell(PRICE);
    world.lose_answer = Some(debit);
    world.put(ANNA, None);
    assert!(matches!(world.screen(), Screen::Unresolved { .. }));
    world.wait_seconds(1);
    assert_eq!((world.paid().len(), world.chip(ANNA).purchases()), (1, 1));
    world.take_away();
    world.check(money, "asked again while it stays");
}

/// A card with 50.00 on it and a sale of 12.00: SELECT, INITIALIZE FOR LOAD as a probe, INITIALIZE FOR PURCHASE, DEBIT.
fn due() -> World {
    let mut world = World::new();
    world.holder(ANNA).waiting.push_back(5000);
    world.tap(ANNA);
    world.wait_seconds(3);
    world.sell(PRICE);
    world
}

#[test]
fn an_answer_cut_to_its_first_two_bytes_is_no_refusal_of_the_card() {
    let cut = |at| Some(Cut { at, place: CutPlace::InAnswer(2) });
    // SELECT, two proofs, the balance, the counter: whichever is cut, the question stays open.
    for at in 1..5 {
        let mut world = due();
        let money = world.money();
        world.put(ANNA, Some(Cut { at: 3, place: CutPlace::BeforeApply }));
        assert!(matches!(world.screen(), Screen::Unresolved { .. }));
        world.put(ANNA, cut(at));
        assert!(matches!(world.screen(), Screen::Unresolved { .. }), "{at}: {:?}", world.screen());
        world.tap(ANNA);
        assert_eq!((world.paid().len(), world.platform.merchant), (1, PRICE), "{at}");
        world.check(money, "settled after a cut answer");
    }
    let mut world = due();
    world.put(ANNA, cut(1));
    assert!(matches!(world.screen(), Screen::RemovedEarly { .. }), "{:?}", world.screen());
    let mut world = due();
    world.put(ANNA, cut(2));
    assert!(matches!(world.screen(), Screen::NotCharged { .. }), "{:?}", world.screen());
}
