//! Days of a till drawn by lot: clerks, cards, tears, lost connections, deaf platforms and power cuts in any order.

use card::tear::{Cut, CutPlace};
use device::agent::display::Screen;
use device::agent::pos::{Input, Key};

use crate::world::{ANNA, BEN, PowerCut, World};

const SEEDS: u64 = 600;
const STEPS: u32 = 50;

/// SplitMix64.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn cut(&mut self) -> Option<Cut> {
        let place = match self.below(8) {
            0 => CutPlace::BeforeReceive,
            1 => CutPlace::BeforeApply,
            2 => CutPlace::BeforeAnswer,
            3 => CutPlace::InAnswer(self.below(12) as usize),
            _ => return None,
        };
        Some(Cut { at: self.below(9) as u32, place })
    }
}

/// How often each thing happened, over all seeds.
#[derive(Debug, Default)]
struct Tally {
    paid: usize,
    unresolved: usize,
    unproved: usize,
    reversed: usize,
    torn: usize,
    power_cuts: usize,
    off_line: usize,
}

/// Some keys, any keys, and mostly ENTER at the end.
fn fingers(world: &mut World, lot: &mut Lot) {
    for _ in 0..lot.below(5) {
        let key = match lot.below(16) {
            digit @ 0..=9 => Key::Digit(digit as u8),
            10 => Key::Point,
            11 => Key::Back,
            12 | 13 => Key::Repeat,
            14 => Key::Cancel,
            _ => Key::Enter,
        };
        world.give(Input::Key(key));
    }
    if lot.below(4) > 0 {
        world.give(Input::Key(Key::Enter));
    }
}

fn step(world: &mut World, lot: &mut Lot, on_reader: &mut bool) {
    match lot.below(16) {
        0 | 1 => world.sell([300, 1200, 700, 4000][lot.below(4) as usize]),
        2 | 3 => fingers(world, lot),
        4..=8 if !*on_reader => {
            let card = if lot.below(4) == 0 { BEN } else { ANNA };
            world.deaf_reader = lot.below(2) == 0;
            let cut = lot.cut();
            world.put(card, cut);
            *on_reader = true;
        }
        4..=8 => {
            world.take_away();
            *on_reader = false;
        }
        9 => {
            world.wait(lot.below(5_000_000) as i64);
            world.cancel();
        }
        10 => world.wait(lot.below(6_000_000) as i64),
        11 if lot.below(4) == 0 => world.disconnect(),
        11 | 12 => world.connect(),
        13 => world.platform.mute = lot.below(3) == 0,
        14 => world.platform.busy = lot.below(4) == 0,
        _ => {
            let after = lot.below(2) == 0;
            world.power_cut = Some(PowerCut { at: world.done + lot.below(25) as usize, after });
        }
    }
}

fn day(seed: u64, tally: &mut Tally) {
    let mut lot = Lot(seed);
    let mut world = World::new();
    world.platform.float = [0, 10_000][lot.below(2) as usize];
    for card in [ANNA, BEN] {
        world.holder(card).account = [0, 5_000, 30_000][lot.below(3) as usize];
        world.holder(card).waiting.extend([2_000, 5_000, 100].iter().take(lot.below(4) as usize));
    }
    let money = world.money();
    let mut on_reader = false;
    for _ in 0..STEPS {
        step(&mut world, &mut lot, &mut on_reader);
    }

    // Calm: everything reachable, the clerk ends what is open, every holder taps.
    (world.power_cut, world.deaf_reader, world.platform.mute, world.platform.busy) = (None, false, false, false);
    world.take_away();
    world.connect();
    for _ in 0..2 {
        world.wait_seconds(10);
        world.cancel();
    }
    for card in [ANNA, BEN, ANNA, BEN] {
        world.wait_seconds(10);
        world.tap(card);
    }
    world.wait_seconds(10);
    world.check(money, &format!("seed {seed}"));
    let green: i64 = world.paid().iter().map(|paid| paid.amount.get()).sum();
    let (today, _) = world.agent.takings(world.now);
    let counted = i64::try_from(today.fen).expect("small");
    assert!(green <= counted, "what was green is in the day's total: {green} {counted} seed {seed}");
    assert!(counted <= i64::from(world.platform.merchant), "what is in the day's total is paid: seed {seed}");

    let shown = |wanted: fn(&Screen) -> bool| world.screens.iter().filter(|screen| wanted(screen)).count();
    tally.paid += world.paid().len();
    tally.unresolved += shown(|screen| matches!(screen, Screen::Unresolved { .. }));
    tally.unproved += shown(|screen| matches!(screen, Screen::Unproved { .. }));
    tally.reversed += shown(|screen| matches!(screen, Screen::Reversing { .. }));
    tally.torn += shown(|screen| matches!(screen, Screen::RemovedEarly { .. }));
    tally.power_cuts += world.power_cuts;
    tally.off_line += shown(|screen| matches!(screen, Screen::CannotSync | Screen::OfflineSale { .. }));
}

#[test]
fn days_drawn_by_lot_lose_nothing_pay_nothing_twice_and_leave_nothing_open() {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        day(seed, &mut tally);
    }
    println!("{SEEDS} days of {STEPS} steps: {tally:?}");
    let Tally { paid, unresolved, unproved, reversed, torn, power_cuts, off_line } = tally;
    for (what, count) in [
        ("sales paid", paid),
        ("open questions", unresolved),
        ("sales given up", unproved),
        ("requests taken back", reversed),
        ("cards removed early", torn),
        ("power cuts", power_cuts),
        ("times off line", off_line),
    ] {
        assert!(count > 0, "no {what}: this test tested less than it says");
    }
}
