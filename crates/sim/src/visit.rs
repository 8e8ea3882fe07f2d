//! The people at a till: a clerk who enters amounts, a holder with a card in a hurry.

use card::tear::{Cut, CutPlace};
use device::agent::display::Screen;
use device::agent::pos::Input;

use crate::checker::End;
use crate::checker::Sum;
use crate::notes::Who;
use crate::rng::Rng;
use crate::world::{Event, World};

const MILLI: i64 = 1_000;
const SECOND: i64 = 1_000_000;
/// How long a card lies on a reader at most.
const PATIENCE: i64 = 30 * SECOND;
/// How often a card is held again.
const TRIES: u32 = 5;
/// Commands of a long hold: where a card may be torn.
const COMMANDS: i64 = 16;

/// Why somebody comes to a till.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// To pay so many fen.
    Lunch(i64),
    /// To load what waits.
    Tap,
}

/// A visit.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    number: u64,
    pub(crate) holder: usize,
    errand: Errand,
    tries: u32,
    waits: u32,
    /// Only the newest plan counts.
    step: u64,
    over: bool,
    /// The card was torn at a debit.
    pub(crate) torn: bool,
}

/// What the people do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Enter,
    Present,
    Retry,
    /// The card is taken away, the turn is over.
    Lift,
    /// The sale is called off and they part.
    Leave,
}

impl World {
    /// A holder queues at a till.
    pub(crate) fn go(&mut self, holder: usize, till: usize, errand: Errand) {
        if self.is_crook(holder) {
            return;
        }
        if self.holders.get(holder).is_some_and(|me| me.card_at_home) {
            self.counters.add("people: card left at home");
            return;
        }
        if let (Some(me), Some(at)) = (self.holders.get_mut(holder), self.tills.get_mut(till)) {
            me.away += 1;
            at.queue.push_back((holder, errand));
            self.next_visit(till);
        }
    }

    fn next_visit(&mut self, till: usize) {
        let Some(at) = self.tills.get_mut(till).filter(|at| at.visit.is_none()) else { return };
        let Some((holder, errand)) = at.queue.pop_front() else { return };
        at.visits += 1;
        at.visit =
            Some(Visit { number: at.visits, holder, errand, tries: 0, waits: 0, step: 0, over: false, torn: false });
        self.plan(till, Act::Enter, SECOND / 2, 2 * SECOND);
    }

    fn plan(&mut self, till: usize, act: Act, least: i64, most: i64) {
        let Some(at) = self.tills.get_mut(till) else { return };
        let Some(visit) = at.visit.as_mut() else { return };
        visit.step += 1;
        let (number, step) = (visit.number, visit.step);
        let wait = at.rng.between(least, most);
        self.at(wait, Event::People { till, visit: number, step, act });
    }

    /// The people at a till do what they planned, unless they planned something else since.
    pub(crate) fn people(&mut self, till: usize, visit: u64, step: u64, act: Act) {
        let at = self.tills.get(till).and_then(|at| at.visit.as_ref());
        if at.is_none_or(|at| (at.number, at.step) != (visit, step)) {
            return;
        }
        match act {
            Act::Enter => self.clerk_enters(till),
            Act::Present => self.present(till),
            Act::Retry => self.retry(till),
            Act::Lift | Act::Leave => self.leave(till),
        }
    }

    fn waits(&mut self, till: usize) -> u32 {
        let visit = self.tills.get_mut(till).and_then(|at| at.visit.as_mut());
        visit.map_or(u32::MAX, |visit| {
            visit.waits += 1;
            visit.waits
        })
    }

    fn clerk_enters(&mut self, till: usize) {
        let Some(at) = self.tills.get(till) else { return };
        let Some(Visit { holder, errand, .. }) = at.visit.clone() else { return };
        let unresolved = matches!(at.screen, Some(Screen::Unresolved { .. }));
        if at.agent.is_none() || at.lunch.is_some() || unresolved {
            // Without power, or an earlier sale is not over: the clerk calls that off first. After a power cut the till may
            // ask for a card again of which it had said that nothing is proved.
            if self.waits(till) > 40 {
                self.part(till);
                return;
            }
            let hurry = errand == Errand::Tap && at_chance(self, till, 300);
            if hurry {
                // Somebody holds a card to a till that still asks for another one.
                self.plan(till, Act::Present, 300 * MILLI, SECOND);
                return;
            }
            self.feed(till, Input::SaleCancelled);
            self.plan(till, Act::Enter, 2200 * MILLI, 5 * SECOND);
            return;
        }
        if let Errand::Lunch(fen) = errand {
            let lunch = self.checker.sales.entered(till, holder, Sum::from(fen));
            if let Some(at) = self.tills.get_mut(till) {
                at.lunch = Some(lunch);
            }
            self.note(Who::both(Some(holder), till), || format!("the clerk enters {fen}"));
            self.enter(till, fen);
        } else {
            self.counters.add("tap: alone");
        }
        self.plan(till, Act::Present, 300 * MILLI, 3 * SECOND);
    }

    fn present(&mut self, till: usize) {
        let faults = self.faults;
        let Some(at) = self.tills.get_mut(till) else { return };
        let Some(visit) = at.visit.as_mut() else { return };
        visit.over = false;
        let holder = visit.holder;
        let cut = at.rng.chance(faults.tear).then(|| draw_cut(&mut at.rng));
        if let Some(planned) = self.cuts.get_mut(holder) {
            *planned = cut;
        }
        let pull = self
            .tills
            .get_mut(till)
            .and_then(|at| at.rng.chance(faults.pull).then(|| at.rng.between(5 * MILLI, 2 * SECOND)));
        match self.put_card(till, holder, cut) {
            Some(insertion) => {
                if let Some(wait) = pull {
                    self.at(wait, Event::Pull { till, insertion });
                }
                // The display may have planned something already.
                let planned = self.tills.get(till).and_then(|at| at.visit.as_ref()).is_some_and(|visit| visit.over);
                if !planned {
                    self.plan(till, Act::Leave, PATIENCE, PATIENCE);
                }
            }
            None if self.waits(till) > 40 => self.part(till),
            None => self.plan(till, Act::Present, SECOND, 5 * SECOND),
        }
    }

    /// The people see the display.
    pub(crate) fn people_see(&mut self, till: usize, screen: &Screen) {
        if matches!(screen, Screen::Refused { words, .. } if words.code == "CARD_LOST") {
            self.counters.add("loss: card refused at a till");
        }
        match screen {
            Screen::Paid(_) => self.lunch_over(till, End::Paid),
            Screen::CalledOff => self.lunch_over(till, End::NotPaid),
            Screen::Unproved { .. } => self.lunch_over(till, End::Unproved),
            _ => {}
        }
        let Some(at) = self.tills.get(till) else { return };
        let Some(visit) = at.visit.as_ref() else { return };
        let (tap, present) = (visit.errand == Errand::Tap, at.reader.is_some());
        match screen {
            Screen::Paid(_) => self.ends(till, Act::Lift, 50 * MILLI, 1500 * MILLI),
            // In the end everybody waits until nothing more happens: a purse is filled after that.
            Screen::Loaded { .. } if tap && self.calm => self.ends(till, Act::Lift, 5 * SECOND, 8 * SECOND),
            Screen::Loaded { .. } if tap => self.ends(till, Act::Lift, 50 * MILLI, 2 * SECOND),
            Screen::Refused { .. } | Screen::Unproved { .. } | Screen::OutOfOrder(_) | Screen::AmountInvalid => {
                self.ends(till, Act::Leave, 200 * MILLI, 2 * SECOND);
            }
            Screen::RemovedEarly { .. }
            | Screen::NotCharged { .. }
            | Screen::Unresolved { .. }
            | Screen::Unreadable => {
                self.plan(till, Act::Retry, 200 * MILLI, 3 * SECOND);
            }
            Screen::OtherCard { .. } if present => {
                self.counters.add("card: another one came to a torn sale");
                self.plan(till, Act::Retry, SECOND, 4 * SECOND);
            }
            Screen::CannotSync | Screen::OfflineSale { .. } if present => {
                self.plan(till, Act::Retry, SECOND, 8 * SECOND);
            }
            _ => {}
        }
    }

    fn ends(&mut self, till: usize, act: Act, least: i64, most: i64) {
        if let Some(visit) = self.tills.get_mut(till).and_then(|at| at.visit.as_mut()) {
            visit.over = true;
        }
        self.plan(till, act, least, most);
    }

    fn lunch_over(&mut self, till: usize, end: End) {
        if let Some(lunch) = self.tills.get_mut(till).and_then(|at| at.lunch.take()) {
            self.checker.sales.ended(lunch, end);
        }
    }

    /// Something went wrong: the card is held again, here or elsewhere, or its holder gives up.
    fn retry(&mut self, till: usize) {
        self.lift_card(till);
        let faults = self.faults;
        let tills = self.tills.len();
        let Some(at) = self.tills.get_mut(till) else { return };
        let Some(visit) = at.visit.as_mut() else { return };
        visit.tries += 1;
        let (holder, errand, tries, torn) = (visit.holder, visit.errand, visit.tries, visit.torn);
        // Who is asked to hold the card again and again goes elsewhere, with the same meal.
        let wander = if torn { faults.wander.saturating_mul(3).min(900) } else { faults.wander };
        let hurries = torn && self.holders.get(holder).is_some_and(|me| me.hurries_from == Some(till));
        if hurries || at.rng.chance(wander) {
            let other = (till + 1 + at.rng.place(tills.saturating_sub(1))) % tills.max(1);
            self.counters.add("people: go to another till");
            if torn {
                // The clerk hopes for a while that the card comes back, and its holder wants to know what is on it.
                let looks = at.rng.between(30 * SECOND, 240 * SECOND);
                self.plan(till, Act::Leave, 2 * SECOND, 40 * SECOND);
                self.at(looks, Event::LookAfter { holder });
            } else {
                self.leave(till);
            }
            self.go(holder, other, errand);
        } else if tries >= TRIES || at.rng.chance(faults.walk_away) {
            self.counters.add("people: walk away");
            self.leave(till);
        } else {
            self.plan(till, Act::Present, 300 * MILLI, 4 * SECOND);
        }
    }

    /// Whose card made trouble wants to know soon what is on it, and holds it to whatever till is near.
    pub(crate) fn look_after_card(&mut self, holder: usize) {
        if self.calm {
            return;
        }
        let tills = self.tills.len();
        let Some(me) = self.holders.get_mut(holder) else { return };
        let till = me.rng.place(tills);
        self.counters.add("people: look after a torn card elsewhere");
        self.go(holder, till, Errand::Tap);
    }

    /// Whoever is in a hurry has the third till in reach.
    pub(crate) fn holds_to_third(&mut self, holder: usize, till: usize) {
        if !self.calm {
            self.go(holder, till, Errand::Tap);
        }
    }

    /// Cards that were left at home are there again.
    pub(crate) fn cards_come_from_home(&mut self) {
        for holder in &mut self.holders {
            holder.card_at_home = false;
        }
    }

    /// The card goes; a sale that is not over is called off, until the till lets go of it.
    fn leave(&mut self, till: usize) {
        self.lift_card(till);
        let open = |world: &World| world.tills.get(till).is_some_and(|at| at.lunch.is_some());
        if open(self) {
            self.feed(till, Input::SaleCancelled);
        }
        if open(self) && self.waits(till) <= 100 {
            self.plan(till, Act::Leave, 2200 * MILLI, 6 * SECOND);
            return;
        }
        self.part(till);
    }

    fn part(&mut self, till: usize) {
        let Some(at) = self.tills.get_mut(till) else { return };
        if let Some(visit) = at.visit.take()
            && let Some(holder) = self.holders.get_mut(visit.holder)
        {
            holder.away = holder.away.saturating_sub(1);
        }
        self.next_visit(till);
    }
}

fn at_chance(world: &mut World, till: usize, per_mille: u32) -> bool {
    world.tills.get_mut(till).is_some_and(|at| at.rng.chance(per_mille))
}

fn draw_cut(rng: &mut Rng) -> Cut {
    let at = u32::try_from(rng.between(0, COMMANDS - 1)).unwrap_or(0);
    Cut { at, place: draw_place(rng) }
}

/// Where in the course of a command a card is torn.
pub(crate) fn draw_place(rng: &mut Rng) -> CutPlace {
    match rng.below(4) {
        0 => CutPlace::BeforeReceive,
        1 => CutPlace::BeforeApply,
        2 => CutPlace::BeforeAnswer,
        _ => CutPlace::InAnswer(rng.place(20)),
    }
}
