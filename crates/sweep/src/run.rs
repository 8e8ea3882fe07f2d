//! All cases of a flow, and what is told of them.

use std::collections::BTreeMap;
use std::fmt;

use crate::card_work::{self, CardWork};
use crate::case::{Case, Extent, FOUR_PLACES};
use crate::disk::Kind;
use crate::ending::Ending;
use crate::flow::{Differs, Flow};
use crate::hand::{Hand, Manner, Place, SoftHand, Which};
use crate::plant::Plant;
use crate::world::{HERE, Prepared, Purse, World, purse};
use crate::{Broken, campus};

/// A case is run again so often, when a reader loses the card's session.
const MOST_AGAIN: u32 = 3;

/// What is swept, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the platform keeps its book.
    pub kind: Kind,
    /// How the card speaks to its reader.
    pub manner: Manner,
    /// Where a card is torn within a command.
    pub places: &'static [Place],
    /// Tear the next hold too.
    pub twice: bool,
    /// A planted bug.
    pub plant: Option<Plant>,
    /// The first case.
    pub from: u64,
    /// This case alone.
    pub only: Option<u64>,
    /// Of every so many cases the ones with this rest: for several processes side by side.
    pub part: Part,
    /// Keep everything that happens, to be told.
    pub trace: bool,
}

impl Options {
    /// The options of the command line that give cases their numbers.
    pub fn words(&self) -> String {
        let manner = match self.manner {
            Manner::Contactless => "contactless",
            Manner::Contact => "contact",
        };
        let places = if self.places == FOUR_PLACES { "four" } else { "all" };
        let twice = if self.twice { " --twice" } else { "" };
        format!("--manner {manner} --places {places}{twice}")
    }
}

/// One of several parts of all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Counted from 1.
    pub number: u64,
    /// Of so many.
    pub of: u64,
}

impl Part {
    /// Everything.
    pub const WHOLE: Part = Part { number: 1, of: 1 };

    /// Part `number` of `of` parts of this one.
    pub const fn within(self, number: u64, of: u64) -> Part {
        let before = number.saturating_sub(1).saturating_mul(self.of);
        Part { number: self.number.saturating_add(before), of: self.of.saturating_mul(of) }
    }

    fn has(self, case: u64) -> bool {
        case.checked_rem(self.of).and_then(|rest| rest.checked_add(1)) == Some(self.number)
    }
}

/// A case that did not end as it must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which flow.
    pub flow: Flow,
    /// Its number.
    pub number: u64,
    /// The case in words.
    pub case: String,
    /// What does not hold.
    pub findings: Vec<String>,
    /// Options with which that number is this case.
    pub again: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { flow, number, case, findings, again } = self;
        writeln!(out, "{} case {number}: {case}", flow.name())?;
        for finding in findings {
            writeln!(out, "  {finding}")?;
        }
        write!(out, "  again: onecard-sweep --flow {} --case {number} {again} --trace", flow.name())
    }
}

/// What became of a flow's cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which flow.
    pub flow: Flow,
    /// Commands of the untorn hold.
    pub commands: u32,
    /// Cases there are: commands x places x successors.
    pub of: u64,
    /// Cases that were to be run.
    pub wanted: u64,
    /// Cases that were run.
    pub cases: u64,
    /// Of these, void: the hold that was to be torn once more was shorter.
    pub void: u64,
    /// Times that a reader lost a card's session and the case was run again.
    pub disturbed: u64,
    /// How often an end differed by what is allowed.
    pub differs: BTreeMap<Differs, u64>,
    /// Cases that failed.
    pub failures: Vec<Failure>,
    /// Everything that happened, if it was kept.
    pub trace: Vec<String>,
    /// Over all ends, in whatever order.
    pub digest: [u8; 16],
}

impl Outcome {
    /// All that was to be run was run, and nothing failed. A sweep of no case, or of void ones alone, fails.
    pub fn good(&self) -> bool {
        self.failures.is_empty() && self.cases == self.wanted && self.cases > self.void
    }

    /// Adds what became of other cases of the same flow.
    pub fn add(&mut self, other: Outcome) {
        self.wanted = self.wanted.saturating_add(other.wanted);
        self.cases = self.cases.saturating_add(other.cases);
        self.void = self.void.saturating_add(other.void);
        self.disturbed = self.disturbed.saturating_add(other.disturbed);
        for (differs, times) in other.differs {
            let sum = self.differs.entry(differs).or_default();
            *sum = sum.saturating_add(times);
        }
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|failure| failure.number);
        self.trace.extend(other.trace);
        self.mix(other.digest);
    }

    fn mix(&mut self, digest: [u8; 16]) {
        for (to, from) in self.digest.iter_mut().zip(digest) {
            *to ^= from;
        }
    }

    /// Differences that the table allows and that never happened: the table is wrong then. Only a whole sweep can tell.
    pub fn unused(&self) -> Vec<Differs> {
        self.flow.differs().iter().copied().filter(|differs| !self.differs.contains_key(differs)).collect()
    }
}

/// The hold that was not torn.
#[derive(PartialEq, Eq)]
struct Untorn {
    commands: u32,
    /// Before the first command and after each.
    purses: Vec<Purse>,
    ending: Ending,
}

/// A flow and everything that its cases share.
struct Sweep<'a> {
    flow: Flow,
    options: &'a Options,
    ground: &'a campus::Ground,
    /// Tells its folders from those of other parts.
    name: String,
    prepared: Prepared,
    /// Which command of the hold before is its DEBIT, for flows that start with a torn one.
    debit_at: Option<u32>,
}

/// The platform and the keys that all flows of a sweep share.
pub struct Ground(campus::Ground);

impl Ground {
    /// Makes them. Errors: the machine gives no thread, no file.
    pub fn new(options: &Options) -> Result<Ground, Broken> {
        Ok(Ground(campus::Ground::new(options.kind.clone(), options.plant)?))
    }
}

/// Runs the cases of a flow; `told` hears after each how many of the wanted ones are done.
///
/// Errors: the sweep itself cannot go on. What a case finds is in the outcome.
pub fn sweep(
    flow: Flow,
    options: &Options,
    ground: &Ground,
    hand: &mut dyn Hand,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Outcome, Broken> {
    let ground = &ground.0;
    let name = format!("{}-{}", flow.name(), options.part.number);
    let prepared = Prepared::new(ground, &flow.scene(), &name)?;
    let mut sweep = Sweep { flow, options, ground, name, prepared, debit_at: None };
    // The measure is the untorn run in this process; on any other reader it must be the same.
    let mut soft = SoftHand::new(options.manner);
    sweep.find_debit(&mut soft)?;
    let untorn = sweep.untorn(&mut soft)?;
    if options.part.number == 1 && sweep.untorn(hand)? != untorn {
        return Err(Broken::new(format!("the untorn run of {} is another one at this reader", flow.name())));
    }
    let extent = Extent { commands: untorn.commands, places: options.places, twice: options.twice };
    let of = extent.count();
    let mine = |number: &u64| match options.only {
        Some(only) => *number == only,
        None => *number >= options.from && options.part.has(*number),
    };
    let wanted: Vec<u64> = (0..of).filter(mine).collect();
    let total = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
    let mut outcome = Outcome {
        flow,
        commands: untorn.commands,
        of,
        wanted: total,
        cases: 0,
        void: 0,
        disturbed: 0,
        differs: BTreeMap::new(),
        failures: Vec::new(),
        trace: Vec::new(),
        digest: [0; 16],
    };
    for number in wanted {
        if let Some(case) = extent.case(number) {
            sweep.case(hand, &untorn, (number, case), &mut outcome);
            outcome.cases = outcome.cases.saturating_add(1);
            told(outcome.cases, total);
        }
    }
    Ok(outcome)
}

impl Sweep<'_> {
    fn open<'a>(&'a self, hand: &'a mut dyn Hand, name: &str) -> Result<World<'a>, Broken> {
        let mut world = self.prepared.open(self.ground, hand, self.options.plant, name)?;
        world.trace = self.options.trace.then(Vec::new);
        Ok(world)
    }

    /// A flow that starts with a torn debit must know which command that is: it is looked up in a hold that is not torn.
    fn find_debit(&mut self, hand: &mut dyn Hand) -> Result<(), Broken> {
        let scene = self.flow.scene();
        let (Some(_), Some(price)) = (scene.torn_before, scene.price) else { return Ok(()) };
        let mut world = self.open(hand, &format!("{}-debit", self.name))?;
        world.new_sale(price)?;
        world.tap(HERE, Which::Anna)?;
        let found = world.debit_at;
        drop(world);
        self.debit_at = found;
        found.map(|_| ()).ok_or_else(|| Broken::new("the hold before has no debit"))
    }

    /// Everything before the hold that is swept.
    fn begin(&self, world: &mut World<'_>) -> Result<(), Broken> {
        let scene = self.flow.scene();
        if let Some(price) = scene.price {
            world.new_sale(price)?;
        }
        if let (Some(torn), Some(at)) = (scene.torn_before, self.debit_at) {
            world.tear_before(torn.obeyed, torn.given_up, at)?;
        }
        world.pay_late(scene.late);
        Ok(())
    }

    fn untorn(&self, hand: &mut dyn Hand) -> Result<Untorn, Broken> {
        let mut world = self.open(hand, &format!("{}-untorn", self.name))?;
        let mut work = card_work::of(self.flow, &world);
        match &mut work {
            Some(work) => work.hold(&mut world, None)?,
            None => {
                self.begin(&mut world)?;
                world.tap(HERE, Which::Anna)?;
                if world.sale.is_some() && !world.paid() {
                    return Err(Broken::new(format!("the untorn hold pays nothing: {:?}", world.screen())));
                }
            }
        }
        let (commands, purses) = (world.hand.commands(), world.purses.clone());
        let ending = finish(&mut world, work.as_deref_mut())?;
        if !world.findings.is_empty() {
            return Err(Broken::new(format!("the untorn run of {}: {:?}", self.flow.name(), world.findings)));
        }
        Ok(Untorn { commands, purses, ending })
    }

    fn case(&self, hand: &mut dyn Hand, untorn: &Untorn, (number, case): (u64, Case), outcome: &mut Outcome) {
        let mut findings = Vec::new();
        let mut end = self.play(hand, untorn, (number, case), &mut findings, &mut outcome.trace);
        for _ in 0..MOST_AGAIN {
            if !hand.disturbed() {
                break;
            }
            outcome.disturbed = outcome.disturbed.saturating_add(1);
            findings.clear();
            end = self.play(hand, untorn, (number, case), &mut findings, &mut outcome.trace);
        }
        match end {
            Ok(None) => outcome.void = outcome.void.saturating_add(1),
            Ok(Some(ending)) => {
                let text = format!("{number} {ending:?}");
                outcome.mix(ledger::row_digest("sweep", &[], Some(text.as_bytes())).content);
                let flow = self.flow;
                let allowed = if self.options.twice { flow.differs_twice() } else { flow.differs() };
                match ending.compare(&untorn.ending, allowed) {
                    Ok(differs) => {
                        for each in differs {
                            let count = outcome.differs.entry(each).or_default();
                            *count = count.saturating_add(1);
                        }
                    }
                    Err(why) => findings.push(why),
                }
            }
            Err(broken) => findings.push(format!("it came to no end: {broken}")),
        }
        if !findings.is_empty() {
            let again = self.options.words();
            outcome.failures.push(Failure { flow: self.flow, number, case: case.to_string(), findings, again });
        }
    }

    fn play(
        &self,
        hand: &mut dyn Hand,
        untorn: &Untorn,
        (number, case): (u64, Case),
        findings: &mut Vec<String>,
        trace: &mut Vec<String>,
    ) -> Result<Option<Ending>, Broken> {
        let mut world = self.open(hand, &format!("{}-{number}", self.name))?;
        let end = self.act(&mut world, untorn, case);
        findings.append(&mut world.findings);
        trace.extend(world.trace.take().into_iter().flatten());
        // A card that lies there still would be in the way of the next case.
        world.hand.lift()?;
        end
    }

    /// One case; none when it is void.
    fn act(&self, world: &mut World<'_>, untorn: &Untorn, case: Case) -> Result<Option<Ending>, Broken> {
        let mut work = card_work::of(self.flow, world);
        match &mut work {
            Some(work) => work.hold(world, Some(case.tear))?,
            None => {
                self.begin(world)?;
                world.put(HERE, Which::Anna, Some(case.tear))?;
                world.lift(HERE)?;
            }
        }
        after_the_cut(world, untorn, case)?;
        match &mut work {
            Some(work) => work.go_on(world, case.after)?,
            None => {
                world.explained()?;
                world.go_on(case.after)?;
            }
        }
        if let Some(again) = case.again {
            match &mut work {
                Some(work) => work.hold(world, Some(again))?,
                None => world.hold_again(Some(again))?,
            }
            if world.hand.commands() < again.at {
                return Ok(None);
            }
        }
        finish(world, work.as_deref_mut()).map(Some)
    }
}

/// The card left at the command it was to leave at, and its purse is the old or the new one, whole.
fn after_the_cut(world: &mut World<'_>, untorn: &Untorn, case: Case) -> Result<(), Broken> {
    if world.hand.commands() != case.tear.at {
        return Err(Broken::new(format!("the card was to leave at command {}, and got {}", case.tear.at, {
            world.hand.commands()
        })));
    }
    let after = usize::try_from(case.tear.at).unwrap_or(usize::MAX);
    let place = if case.tear.place.obeyed() { after } else { after.saturating_sub(1) };
    let (now, expected) = (purse(&world.hand.chip(Which::Anna)?), untorn.purses.get(place));
    if Some(&now) != expected {
        world.findings.push(format!("after the cut the purse is {now:?}, not {expected:?}"));
    }
    Ok(())
}

fn finish(world: &mut World<'_>, work: Option<&mut (dyn CardWork + 'static)>) -> Result<Ending, Broken> {
    match work {
        Some(work) => {
            work.calm(world)?;
            if work.with_book() { world.ending() } else { world.ending_of_cards() }
        }
        None => {
            world.calm()?;
            world.ending()
        }
    }
}
