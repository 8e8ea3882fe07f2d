//! One school with two terminals and a hand: what is done in one case. Everything happens when it is called for.

use std::collections::BTreeSet;

use card::chip::Chip;
use card::files::{Profile, Validity};
use card::tear::CutPlace;
use device::agent::display::Screen;
use device::agent::pos::{Input, Output};
use flows::rows::{Key, Row};
use flows::{tap_load, terminal_link};
use keys::Keyring;
use ledger::{Fen, Micros};
use link::{ToPlatform, ToTerminal};
use rules::chart;
use rules::ids::CardNo;

use crate::Broken;
use crate::campus::{CARDS, Campus, Ground, People, START};
use crate::case::Successor;
use crate::disk::Disk;
use crate::flow::{PRICE, Scene};
use crate::hand::{Hand, Manner, Place, SoftHand, Tear, Which};
use crate::plant::{GiveBack, NO_TAC, Plant};
use crate::till::{self, Kept, Till};

const SECOND: i64 = 1_000_000;
/// Longer than any notice stays, and than a card is ignored after its hold.
const CALM: i64 = 5 * SECOND;
/// More taps than any case needs.
const MOST_TAPS: u32 = 6;
/// The terminal of the hold, and the other one.
pub(crate) const HERE: usize = 0;
const ELSEWHERE: usize = 1;

/// What a purse physically holds: balance, counter of loads, counter of purchases; and whether the card is blocked.
pub(crate) type Purse = (u32, u16, u16, bool);

pub(crate) fn purse(chip: &Chip) -> Purse {
    (chip.balance(), chip.loads(), chip.purchases(), chip.blocked())
}

/// A school as it lies before the hold; every case starts from a copy of it.
pub(crate) struct Prepared {
    disk: Disk,
    people: People,
    pub(crate) chips: [Chip; 2],
    tills: [Kept; 2],
    now: Micros,
}

/// One case under way.
pub(crate) struct World<'a> {
    ground: &'a Ground,
    pub(crate) hand: &'a mut dyn Hand,
    pub(crate) campus: Campus,
    pub(crate) people: People,
    tills: Vec<Till>,
    line_up: bool,
    now: Micros,
    plant: Option<Plant>,
    /// The terminal on whose reader the card lies.
    card_at: Option<usize>,
    /// Paid as soon as a CREDIT goes out.
    late: Option<i64>,
    /// The clerk wants this paid.
    pub(crate) sale: Option<i64>,
    /// What the displays had said when the sale was entered.
    entered_at: usize,
    /// CREDIT and DEBIT commands that went out.
    moved: BTreeSet<Vec<u8>>,
    /// Which command of its hold the newest DEBIT was.
    pub(crate) debit_at: Option<u32>,
    unanswered_credit: Option<Vec<u8>>,
    /// What Anna's purse held before her hold, and after each command of it.
    pub(crate) purses: Vec<Purse>,
    /// What a case may not do.
    pub(crate) findings: Vec<String>,
    /// Everything that happened, when it is to be told.
    pub(crate) trace: Option<Vec<String>>,
}

/// INS of the commands that move money.
const CREDIT: u8 = 0x52;
const DEBIT: u8 = 0x54;

fn moves_money(command: &[u8]) -> bool {
    matches!(command, [0x80, CREDIT | DEBIT, ..])
}

impl Prepared {
    /// Makes the school of a scene, in this process whatever reader the cases use.
    pub(crate) fn new(ground: &Ground, scene: &Scene, name: &str) -> Result<Prepared, Broken> {
        let disk = Disk::new(&ground.kind, &format!("{name}-prepared"))?;
        let mut campus = Campus::start(ground, disk, START, 1)?;
        let people = campus.populate()?;
        campus.set("purse.float", 0)?;
        let mut hand = SoftHand::new(Manner::Contactless);
        let chips = [new_chip(ground, 0)?, new_chip(ground, 1)?];
        let tills = people.enrolments.clone().map(Kept::new);
        let mut world = World::over(ground, &mut hand, campus, people, (&chips, tills), START, None)?;
        world.pay_in(Which::Ben, 500)?;
        world.tap(HERE, Which::Ben)?;
        if scene.purse > 0 {
            world.pay_in(Which::Anna, scene.purse)?;
            world.tap(HERE, Which::Anna)?;
        }
        if scene.account > 0 {
            world.campus.set("wechat.arrival", 1)?;
            world.pay_in(Which::Anna, scene.account)?;
            world.campus.set("wechat.arrival", 0)?;
        }
        for amount in scene.waiting {
            world.pay_in(Which::Anna, *amount)?;
        }
        world.campus.set("purse.float", scene.float)?;
        world.wait(CALM)?;
        let chips = [world.hand.chip(Which::Anna)?, world.hand.chip(Which::Ben)?];
        let expected = u32::try_from(scene.purse).ok();
        if Some(chips[0].balance()) != expected || chips[1].balance() != 500 || !world.findings.is_empty() {
            return Err(Broken::new(format!("the school could not be prepared: {:?}", world.findings)));
        }
        let World { campus, people, tills, now, .. } = world;
        let kept: Vec<Kept> = tills.iter().map(|till| till.kept().clone()).collect();
        let tills = kept.try_into().map_err(|_| Broken::new("a terminal is missing"))?;
        Ok(Prepared { disk: campus.stop(), people, chips, tills, now })
    }

    /// A copy of it, awake, with these cards laid out.
    pub(crate) fn open<'a>(
        &self,
        ground: &'a Ground,
        hand: &'a mut dyn Hand,
        plant: Option<Plant>,
        name: &str,
    ) -> Result<World<'a>, Broken> {
        let disk = self.disk.copy(&ground.kind, name)?;
        let campus = Campus::start(ground, disk, self.now, 2)?;
        let over = (&self.chips, self.tills.clone());
        World::over(ground, hand, campus, self.people.clone(), over, self.now, plant)
    }
}

fn new_chip(ground: &Ground, place: usize) -> Result<Chip, Broken> {
    let newest = ground.keyring.newest_card_masters();
    let (key_version, masters) = newest.ok_or_else(|| Broken::new("the keyring has no card masters"))?;
    let validity = Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] };
    let profile = Profile { issuer: [1, 2, 3, 4, 5, 6, 7, 8], application_version: 1, key_version, validity };
    let mut serial = [0; 10];
    let number = CARDS.get(place).copied().unwrap_or_default();
    for (to, from) in serial.iter_mut().skip(2).zip(number.to_be_bytes()) {
        *to = from;
    }
    Ok(Chip::personalise(serial, masters, &profile))
}

impl<'a> World<'a> {
    fn over(
        ground: &'a Ground,
        hand: &'a mut dyn Hand,
        campus: Campus,
        people: People,
        (chips, kept): (&[Chip; 2], [Kept; 2]),
        now: Micros,
        plant: Option<Plant>,
    ) -> Result<World<'a>, Broken> {
        hand.lay_out(chips)?;
        let mut tills = Vec::new();
        for kept in kept {
            tills.push(Till::start(kept, &ground.keyring, now)?);
        }
        let mut world = World {
            ground,
            hand,
            campus,
            people,
            tills,
            line_up: true,
            now,
            plant,
            card_at: None,
            late: None,
            sale: None,
            entered_at: 0,
            moved: BTreeSet::new(),
            debit_at: None,
            unanswered_credit: None,
            purses: Vec::new(),
            findings: Vec::new(),
            trace: None,
        };
        for till in [HERE, ELSEWHERE] {
            world.give(till, Input::LinkUp)?;
        }
        Ok(world)
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    fn pay_in(&mut self, who: Which, fen: i64) -> Result<(), Broken> {
        let people = self.people.clone();
        self.campus.top_up(&people, who, Fen::new(fen))
    }

    /// An order that is paid while the first load is being put on the card.
    pub(crate) fn pay_late(&mut self, fen: Option<i64>) {
        self.late = fen;
    }

    pub(crate) fn screen(&self) -> Screen {
        self.tills[HERE].screen()
    }

    /// The sale was shown as paid, before or after a restart.
    pub(crate) fn paid(&self) -> bool {
        let since = self.tills[HERE].screens.iter().skip(self.entered_at);
        since.into_iter().any(|screen| matches!(screen, Screen::Paid(_) | Screen::Restarted { .. }))
    }

    /// The display said that the sale is recorded as not proved.
    fn unproved(&self) -> bool {
        let since = self.tills[HERE].screens.iter().skip(self.entered_at);
        since.into_iter().any(|screen| matches!(screen, Screen::Unproved { .. }))
    }

    /// The clerk enters the sale; a terminal that has it already ignores that.
    pub(crate) fn sell(&mut self) -> Result<(), Broken> {
        let Some(price) = self.sale else { return Ok(()) };
        self.note(|| format!("the clerk enters {}", Fen::new(price)));
        self.give(HERE, Input::SaleEntered(Fen::new(price)))
    }

    /// A new sale, which is the one from now on.
    pub(crate) fn new_sale(&mut self, price: i64) -> Result<(), Broken> {
        self.sale = Some(price);
        self.entered_at = self.tills[HERE].screens.len();
        self.sell()
    }

    pub(crate) fn cancel(&mut self) -> Result<(), Broken> {
        self.note(|| "the clerk gives up".to_owned());
        self.sale = None;
        self.give(HERE, Input::SaleCancelled)
    }

    fn give(&mut self, till: usize, input: Input) -> Result<(), Broken> {
        let now = self.now;
        self.tills[till].give(input, now);
        while let Some(output) = self.tills[till].queue.pop_front() {
            for input in self.carry_out(till, output)? {
                self.tills[till].give(input, now);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, till: usize, output: Output) -> Result<Vec<Input>, Broken> {
        match output {
            Output::Transmit(command) => self.transmit(till, command),
            Output::Send(message) => self.send(till, &message),
            Output::Journal { token, entry } => {
                self.note(|| format!("terminal {till} writes {entry:?}"));
                self.tills[till].append(&entry, self.plant)?;
                Ok(vec![Input::Written(token)])
            }
            Output::JournalDelete { through } => {
                self.tills[till].forget(through)?;
                Ok(Vec::new())
            }
            Output::Show(screen) => {
                self.note(|| format!("terminal {till} shows {screen:?}"));
                self.tills[till].screens.push(screen);
                Ok(Vec::new())
            }
        }
    }

    /// As the product's reader thread does it: the answer, and then that the card is gone.
    fn transmit(&mut self, till: usize, command: Vec<u8>) -> Result<Vec<Input>, Broken> {
        if self.card_at != Some(till) {
            return Ok(Vec::new());
        }
        if matches!(command.as_slice(), [0x80, CREDIT, ..])
            && let Some(late) = self.late.take()
        {
            self.pay_in(Which::Anna, late)?;
        }
        let answer = self.exchange(&command)?;
        if self.plant == Some(Plant::CreditResent) && matches!(command.as_slice(), [0x80, CREDIT, ..]) {
            self.unanswered_credit = (answer.len() < 6).then_some(command);
        }
        let mut inputs = vec![Input::Apdu(answer)];
        if !self.hand.present()? {
            self.note(|| "the card is gone".to_owned());
            self.card_at = None;
            inputs.push(Input::CardOut);
        }
        Ok(inputs)
    }

    /// One command to the card; what its purse holds after it is remembered.
    pub(crate) fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, Broken> {
        if moves_money(command) && !self.moved.insert(command.to_vec()) {
            self.findings.push(format!("a command that moves money went out twice: {command:02X?}"));
        }
        if matches!(command, [0x80, DEBIT, ..]) {
            self.debit_at = Some(self.hand.commands().saturating_add(1));
        }
        let answer = self.hand.transmit(command)?;
        self.note(|| format!("card {command:02X?} -> {answer:02X?}"));
        let after = purse(&self.hand.chip(Which::Anna)?);
        let commands = usize::try_from(self.hand.commands()).unwrap_or(usize::MAX);
        while self.purses.len() <= commands {
            self.purses.push(after);
        }
        Ok(answer)
    }

    fn send(&mut self, till: usize, message: &ToPlatform) -> Result<Vec<Input>, Broken> {
        if !self.line_up {
            return Ok(Vec::new());
        }
        let message = till::heard(message)?;
        self.note(|| format!("terminal {till} sends {message:?}"));
        let (school, enrolment) = (self.campus.school.clone(), self.people.enrolments[till].clone());
        let answers: Vec<ToTerminal> = self.campus.run(terminal_link::answer(&school, &enrolment, message))?;
        let mut inputs = Vec::new();
        for answer in &answers {
            self.note(|| format!("the platform answers {answer:?}"));
            inputs.push(Input::Platform(till::told(answer)?));
        }
        Ok(inputs)
    }

    /// Puts a card on a terminal's reader.
    pub(crate) fn put(&mut self, till: usize, card: Which, tear: Option<Tear>) -> Result<(), Broken> {
        self.note(|| format!("{card:?}'s card is put on the reader of terminal {till}, {tear:?}"));
        self.hand.put(card, tear)?;
        self.purses = vec![purse(&self.hand.chip(Which::Anna)?)];
        self.card_at = Some(till);
        if let Some(command) = self.unanswered_credit.take() {
            self.exchange(&command)?;
        }
        self.give(till, Input::CardIn)
    }

    /// Takes the card away.
    pub(crate) fn lift(&mut self, till: usize) -> Result<(), Broken> {
        self.hand.lift()?;
        if self.card_at.take().is_some() {
            self.note(|| "the card is taken away".to_owned());
            self.give(till, Input::CardOut)?;
        }
        Ok(())
    }

    /// Puts a card on a reader that no agent looks at.
    pub(crate) fn lay(&mut self, card: Which, tear: Option<Tear>) -> Result<(), Broken> {
        self.note(|| format!("{card:?}'s card is put on the reader, {tear:?}"));
        self.hand.put(card, tear)?;
        self.purses = vec![purse(&self.hand.chip(Which::Anna)?)];
        Ok(())
    }

    /// Takes it from there.
    pub(crate) fn take(&mut self) -> Result<(), Broken> {
        self.hand.lift()
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.ground.keyring
    }

    /// One whole hold.
    pub(crate) fn tap(&mut self, till: usize, card: Which) -> Result<(), Broken> {
        self.put(till, card, None)?;
        self.lift(till)
    }

    /// Lets so much time pass that nothing of the hold before matters.
    pub(crate) fn rest(&mut self) -> Result<(), Broken> {
        self.wait(CALM)
    }

    /// Lets time pass for everybody; agents are woken when they asked for it.
    pub(crate) fn wait(&mut self, micros: i64) -> Result<(), Broken> {
        let until = Micros::new(self.now.get().saturating_add(micros));
        for till in [HERE, ELSEWHERE] {
            let start = self.now;
            while let Some(wake) = self.tills[till].next_wake().filter(|wake| *wake <= until) {
                self.set_now(self.now.max(wake));
                self.give(till, Input::Tick)?;
                if self.tills[till].next_wake().is_some_and(|next| next <= self.now) {
                    return Err(Broken::new("an agent asks to be woken for ever"));
                }
            }
            self.set_now(start);
        }
        self.set_now(until);
        for till in [HERE, ELSEWHERE] {
            self.give(till, Input::Tick)?;
        }
        self.impatience()
    }

    fn set_now(&mut self, now: Micros) {
        self.now = now;
        self.campus.set_clock(now);
    }

    /// What is planted on the platform: it decides by time about a load without an answer.
    fn impatience(&mut self) -> Result<(), Broken> {
        let card = CardNo(CARDS[Which::Anna.place()]);
        let school = self.campus.school.clone();
        match self.plant {
            Some(Plant::TakenByTime) => {
                let row = self.campus.run(school.row(&Key::Card(card)))?.map_err(Broken::of("reading a card"))?;
                if let Some(k) = row.as_ref().and_then(Row::card).and_then(|card| card.released) {
                    let at = self.people.enrolments[HERE].id;
                    // What the platform says to that goes nowhere.
                    let _ = self.campus.run(tap_load::confirm(&school, at, card, k, NO_TAC))?;
                }
                Ok(())
            }
            Some(Plant::GivenBackByTime) => {
                let given = self.campus.run(school.submit(GiveBack(card)))?;
                given.map_err(|fault| Broken::new(format!("the planted bug came to nothing: {fault:?}")))
            }
            Some(Plant::CreditResent | Plant::IntentForgotten) | None => Ok(()),
        }
    }

    /// A debit that is torn before the hold that is swept; the terminal then asks for the card, or the clerk gives up.
    pub(crate) fn tear_before(&mut self, obeyed: bool, given_up: bool, at: u32) -> Result<(), Broken> {
        let cut = if obeyed { CutPlace::BeforeAnswer } else { CutPlace::BeforeApply };
        self.put(HERE, Which::Anna, Some(Tear { at, place: Place::Cut(cut) }))?;
        self.lift(HERE)?;
        if !matches!(self.screen(), Screen::Unresolved { .. }) {
            return Err(Broken::new(format!("the debit before was not torn: {:?}", self.screen())));
        }
        self.wait(CALM)?;
        if given_up {
            self.cancel()?;
            self.wait(CALM)?;
        }
        Ok(())
    }

    /// Right after the cut: what the purse holds is what the book has on the card, with or without the load on its way and
    /// the debit in question (I3).
    pub(crate) fn explained(&mut self) -> Result<(), Broken> {
        let card = CardNo(CARDS[Which::Anna.place()]);
        let account = self.campus.school.balances.account(&chart::on_card(card));
        let (on_card, pending) = (account.balance().get(), account.credits_pending.get());
        let holds = i64::from(self.hand.chip(Which::Anna)?.balance());
        let loads = [on_card, on_card.saturating_add(pending)];
        let explained = loads.into_iter().any(|loaded| holds == loaded || holds == loaded.saturating_sub(PRICE));
        if !explained {
            self.findings
                .push(format!("after the cut the card holds {holds}, the book {on_card} and {pending} on its way"));
        }
        Ok(())
    }

    /// What people do after the card was torn.
    pub(crate) fn go_on(&mut self, after: Successor) -> Result<(), Broken> {
        self.note(|| format!("{after:?}"));
        match after {
            Successor::SameTerminal => Ok(()),
            Successor::OtherTerminal => {
                self.wait(CALM)?;
                self.tap(ELSEWHERE, Which::Anna)
            }
            Successor::OtherCard => {
                self.wait(CALM)?;
                self.tap(HERE, Which::Ben)
            }
            Successor::PowerCycle => self.power_cycle(),
            Successor::ServerRestart => {
                self.line_up = false;
                self.campus.restart(3)?;
                for till in [HERE, ELSEWHERE] {
                    self.give(till, Input::LinkDown)?;
                }
                self.line_up = true;
                for till in [HERE, ELSEWHERE] {
                    self.give(till, Input::LinkUp)?;
                }
                Ok(())
            }
        }
    }

    fn power_cycle(&mut self) -> Result<(), Broken> {
        let till = self.tills.remove(HERE);
        let again = till.power_cycle(&self.ground.keyring, self.now)?;
        self.tills.insert(HERE, again);
        self.give(HERE, Input::Tick)?;
        self.give(HERE, Input::LinkUp)
    }

    /// The card is held again after a while.
    pub(crate) fn hold_again(&mut self, tear: Option<Tear>) -> Result<(), Broken> {
        self.wait(CALM)?;
        if self.unproved() {
            // The clerk is told not to charge it again: the platform settles it.
            self.sale = None;
        }
        // A terminal that was switched on again forgets an amount for which nothing was asked: the clerk sees that.
        if !self.paid() && matches!(self.screen(), Screen::Idle { .. }) {
            self.sell()?;
        }
        self.put(HERE, Which::Anna, tear)?;
        self.lift(HERE)
    }

    /// Calm taps until the display says done: the sale, if there is one, is paid, and the last hold came to its end.
    pub(crate) fn calm(&mut self) -> Result<(), Broken> {
        for _ in 0..MOST_TAPS {
            self.hold_again(None)?;
            let settled = self.sale.is_none() || self.paid();
            if settled && matches!(self.screen(), Screen::Loaded { .. } | Screen::Paid(_)) {
                return Ok(());
            }
        }
        let screen = self.screen();
        self.findings.push(format!("after {MOST_TAPS} calm taps the display still says {screen:?}"));
        Ok(())
    }
}
