//! A POS: the production agent, its purchase module, its journal on a disk that can lose power, its reader, its line.

use std::collections::VecDeque;

use card::psam::SoftPsam;
use card::tear::{Cut, CutPlace};
use device::agent::display::{Screen, Source};
use device::agent::pos::{Config, Input, Output, PosAgent};
use device::journal::Entry;
use ledger::{Fen, Micros};
use link::{DebitEvidence, Record, ToPlatform};
use rules::ids::{EnrolmentId, TerminalNo};

use crate::checker::{Debit, Sum};
use crate::disk::Disk;
use crate::notes::Who;
use crate::plant::Plant;
use crate::ports::{KEY_VERSION, START, masters};
use crate::rng::Rng;
use crate::visit::{Errand, Visit, draw_place};
use crate::world::{Event, World};

const MILLI: i64 = 1_000;
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// A till.
pub(crate) struct Till {
    pub(crate) terminal: TerminalNo,
    pub(crate) certificate: [u8; 32],
    pub(crate) enrolment: EnrolmentId,
    pub(crate) agent: Option<PosAgent<SoftPsam>>,
    pub(crate) life: u64,
    pub(crate) disk: Disk,
    module: SoftPsam,
    /// Its clock less the world's.
    offset: i64,
    pub(crate) conn: Option<u64>,
    /// The next loss of the connection lasts.
    pub(crate) line_stays_out: bool,
    pub(crate) reader: Option<OnReader>,
    insertions: u64,
    pub(crate) screen: Option<Screen>,
    tick_at: Option<i64>,
    /// The lunch that is being paid.
    pub(crate) lunch: Option<usize>,
    pub(crate) queue: VecDeque<(usize, Errand)>,
    pub(crate) visit: Option<Visit>,
    pub(crate) visits: u64,
    pub(crate) rng: Rng,
}

/// A card on the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnReader {
    pub(crate) holder: usize,
    pub(crate) insertion: u64,
}

fn module(terminal: TerminalNo) -> SoftPsam {
    SoftPsam::new(terminal.with([0; 3]), [(KEY_VERSION, masters().purchase)].into())
}

impl Till {
    pub(crate) fn new(terminal: TerminalNo, certificate: [u8; 32], enrolment: EnrolmentId, rng: Rng) -> Till {
        Till {
            terminal,
            certificate,
            enrolment,
            agent: None,
            life: 0,
            disk: Disk::default(),
            module: module(terminal),
            offset: 0,
            conn: None,
            line_stays_out: false,
            reader: None,
            insertions: 0,
            screen: None,
            tick_at: None,
            lunch: None,
            queue: VecDeque::new(),
            visit: None,
            visits: 0,
            rng,
        }
    }
}

impl Till {
    /// A purchase module that has not counted yet.
    pub(crate) fn new_module(&mut self) {
        self.module = module(self.terminal);
    }
}

impl World {
    /// Somebody switches a till on.
    pub(crate) fn power_on(&mut self, till: usize) {
        let now = self.now;
        let hours = i64::from(self.faults.clock_hours);
        let (hardware, keep_records) = (self.options.hardware_modules, self.options.keep_records);
        let Some(at) = self.tills.get_mut(till).filter(|at| at.agent.is_none()) else { return };
        let state = match at.disk.replay() {
            Ok(state) => state,
            Err(fault) => {
                self.checker.findings.add("L4", Who::till(till), || format!("the till does not start again: {fault}"));
                return;
            }
        };
        at.offset = if at.rng.chance(500) { at.rng.between(-hours * HOUR, hours * HOUR) } else { 0 };
        if at.offset.abs() > HOUR {
            self.counters.add("terminal: clock off by more than an hour");
        }
        let kept = SoftPsam::from_bytes(&at.module.to_bytes());
        let mut purse_module = kept.ok().filter(|_| hardware).unwrap_or_else(|| module(at.terminal));
        if let Some(tsn) = state.last_tsn() {
            purse_module.used(tsn);
        }
        let config = Config { keep_records, ..Config::usual(at.rng.bytes()) };
        let clock = Micros::new(START + now + at.offset);
        let (agent, outputs) = PosAgent::start(config, purse_module, state, clock);
        at.agent = Some(agent);
        at.tick_at = None;
        self.carry_out(till, outputs);
        self.after_restart(till);
        self.link_again(till);
        self.plan_power_cut(till);
    }

    pub(crate) fn plan_power_cut(&mut self, till: usize) {
        if self.faults.power_cut_hours > 0 {
            let mean = i64::from(self.faults.power_cut_hours) * HOUR;
            let next = self.net.about(mean);
            let Some(life) = self.tills.get(till).map(|at| at.life) else { return };
            self.at(next, Event::PowerCut { till, life });
        }
    }

    /// What the sale that the power cut interrupted has become, as the people at the till are told.
    fn after_restart(&mut self, till: usize) {
        let Some(at) = self.tills.get_mut(till) else { return };
        let (Some(lunch), Some(agent)) = (at.lunch, at.agent.as_ref()) else { return };
        let screen = agent.screen();
        if matches!(screen, Screen::Unresolved { .. }) {
            return;
        }
        at.lunch = None;
        let told = matches!(screen, Screen::Restarted { .. });
        self.checker.sales.cut_off(lunch, told, &mut self.checker.findings);
    }

    /// The power of a till goes.
    pub(crate) fn power_cut(&mut self, till: usize, life: u64) {
        let Some(at) = self.tills.get_mut(till).filter(|at| at.life == life) else { return };
        let Some(agent) = at.agent.take() else { return };
        if self.calm {
            at.agent = Some(agent);
            return;
        }
        at.module = agent.module().clone();
        at.life += 1;
        at.screen = None;
        let cut = at.disk.power_cut(&mut at.rng);
        let holder = at.reader.take().map(|on| on.holder);
        let conn = at.conn.take();
        let off =
            if at.rng.chance(900) { at.rng.between(SECOND, 60 * SECOND) } else { at.rng.between(60, 3600) * SECOND };
        self.counters.add("terminal: power cut");
        if !cut.lost.is_empty() {
            self.counters.add("terminal: power cut with unwritten lines");
        }
        if cut.torn_line {
            self.counters.add("terminal: torn line");
        }
        self.note(Who::both(holder, till), || "power cut".to_owned());
        for entry in cut.entries {
            self.durable(till, &entry);
        }
        for entry in cut.lost {
            self.lost(till, &entry);
        }
        if let Some(card) = holder.and_then(|holder| self.cards.get_mut(holder)) {
            card.remove();
        }
        if let Some(conn) = conn {
            self.abandon(conn);
        }
        self.at(off, Event::PowerOn { till });
    }

    /// Gives the agent an input and carries out what it wants.
    pub(crate) fn feed(&mut self, till: usize, input: Input) {
        let now = self.now;
        let Some(at) = self.tills.get_mut(till) else { return };
        let clock = Micros::new(START + now + at.offset);
        let Some(agent) = at.agent.as_mut() else { return };
        let outputs = agent.handle(input, clock);
        self.carry_out(till, outputs);
    }

    fn carry_out(&mut self, till: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit(bytes) => {
                    let Some(at) = self.tills.get_mut(till) else { return };
                    let wait = at.rng.between(2 * MILLI, 30 * MILLI);
                    if let Some(on) = at.reader {
                        self.at(wait, Event::CardDoes { till, insertion: on.insertion, bytes });
                    }
                }
                Output::Send(message) => self.till_sends(till, &message),
                Output::Journal { token, entry } => self.journal(till, token, entry),
                Output::JournalDelete { through } => {
                    if let Some(at) = self.tills.get_mut(till) {
                        at.disk.forget(through);
                    }
                    self.plan_flush(till);
                }
                Output::Show(screen) => self.shows(till, screen),
            }
        }
        self.plan_tick(till);
    }

    fn plan_tick(&mut self, till: usize) {
        let Some(at) = self.tills.get_mut(till) else { return };
        let wake = at.agent.as_ref().and_then(PosAgent::next_wake).map(|at_clock| at_clock.get() - START - at.offset);
        if wake != at.tick_at {
            at.tick_at = wake;
            if let Some(wake) = wake {
                let life = at.life;
                self.plan_at(wake.max(self.now), Event::Tick { till, life, wake });
            }
        }
    }

    /// The moment that the agent asked for.
    pub(crate) fn tick(&mut self, till: usize, life: u64, wake: i64) {
        let Some(at) = self.tills.get_mut(till) else { return };
        if at.life == life && at.tick_at == Some(wake) {
            at.tick_at = None;
            self.feed(till, Input::Tick);
        }
    }

    fn journal(&mut self, till: usize, token: u64, entry: Entry) {
        let Some(at) = self.tills.get_mut(till) else { return };
        if let Entry::Record { seq, record: Record::Authorise { card, amount, .. } } = &entry {
            let name = (at.enrolment.0.get(), *seq);
            self.checker.sales.asks(name, at.lunch, *card, Sum::from(*amount), &mut self.checker.findings);
        }
        at.disk.append(token, entry);
        if at.rng.chance(self.faults.power_cut_at_write) {
            let (wait, life) = (at.rng.between(0, 15 * MILLI), at.life);
            self.at(wait, Event::PowerCut { till, life });
        }
        self.plan_flush(till);
    }

    fn plan_flush(&mut self, till: usize) {
        let slow_disk = self.faults.slow_disk;
        let Some(at) = self.tills.get_mut(till).filter(|at| !at.disk.flushing) else { return };
        at.disk.flushing = true;
        let slow = at.rng.chance(slow_disk);
        let wait = if slow { at.rng.between(300 * MILLI, 5 * SECOND) } else { at.rng.between(MILLI, 12 * MILLI) };
        let life = at.life;
        if slow {
            self.counters.add("terminal: slow disk");
        }
        self.at(wait, Event::Flush { till, life });
    }

    /// The till's disk has written what waited.
    pub(crate) fn flush(&mut self, till: usize, life: u64) {
        let Some(at) = self.tills.get_mut(till).filter(|at| at.life == life) else { return };
        let (entries, newest) = at.disk.flush();
        for entry in entries {
            self.durable(till, &entry);
        }
        if let Some(token) = newest {
            self.feed(till, Input::Written(token));
        }
    }

    /// What stands on the disk of a till is a fact.
    fn durable(&mut self, till: usize, entry: &Entry) {
        let Some(at) = self.tills.get(till) else { return };
        let name = |seq: u64| (at.enrolment.0.get(), seq);
        let sales = &mut self.checker.sales;
        match entry {
            Entry::Closed { seq, paid } => sales.closed(name(*seq), *paid),
            Entry::Record { record: Record::Sale(sale), .. } => {
                if let Some(of) = sale.authorised_by {
                    sales.recorded(name(of), sale.evidence != DebitEvidence::Unconfirmed);
                }
            }
            Entry::Record { .. } | Entry::Intent(_) | Entry::Base { .. } | Entry::Total(_) => {}
        }
    }

    /// What did not reach the disk of a till never was: its number is used again.
    fn lost(&mut self, till: usize, entry: &Entry) {
        let Some(at) = self.tills.get(till) else { return };
        if let Entry::Record { seq, record: Record::Authorise { .. } } = entry {
            self.checker.sales.withdrawn((at.enrolment.0.get(), *seq));
        }
    }

    fn till_sends(&mut self, till: usize, message: &ToPlatform) {
        let Some(at) = self.tills.get_mut(till) else { return };
        let Some(conn) = at.conn else { return };
        let holder = at.reader.map(|on| on.holder);
        if let ToPlatform::Kept { lowest } = message {
            self.checker.sales.gone(at.enrolment.0.get(), *lowest);
        }
        self.note(Who::both(holder, till), || format!("sends {message:?}"));
        self.send_up(conn, message);
        if let (Some(Plant::P34), ToPlatform::Journal { seq, record: Record::Sale(_) }) = (self.plant, message) {
            if let Some(at) = self.tills.get_mut(till) {
                at.disk.drop_record(*seq);
            }
            self.plan_flush(till);
        }
    }

    /// A hand puts a card on the reader.
    pub(crate) fn put_card(&mut self, till: usize, holder: usize, cut: Option<Cut>) -> Option<u64> {
        let at = self.tills.get_mut(till)?;
        let elsewhere = self.cards.get(holder)?.present();
        if at.agent.is_none() || at.reader.is_some() || elsewhere {
            return None;
        }
        at.insertions += 1;
        let insertion = at.insertions;
        at.reader = Some(OnReader { holder, insertion });
        self.cards.get_mut(holder)?.insert(cut);
        self.note(Who::both(Some(holder), till), || format!("card put on the reader, {cut:?}"));
        self.feed(till, Input::CardIn);
        Some(insertion)
    }

    /// A hand takes the card off.
    pub(crate) fn lift_card(&mut self, till: usize) {
        let Some(on) = self.tills.get_mut(till).and_then(|at| at.reader.take()) else { return };
        if let Some(card) = self.cards.get_mut(on.holder) {
            card.remove();
        }
        self.note(Who::both(Some(on.holder), till), || "card lifted".to_owned());
        self.feed(till, Input::CardOut);
    }

    /// A hand pulls the card away at some moment.
    pub(crate) fn pull_card(&mut self, till: usize, insertion: u64) {
        if self.tills.get(till).and_then(|at| at.reader).is_some_and(|on| on.insertion == insertion) {
            self.counters.add("card: pulled between commands");
            self.lift_card(till);
        }
    }

    /// The card gets a command.
    pub(crate) fn card_does(&mut self, till: usize, insertion: u64, bytes: &[u8]) {
        let Some(on) = self.tills.get(till).and_then(|at| at.reader).filter(|on| on.insertion == insertion) else {
            return;
        };
        let (Some(card), rng) = (self.cards.get_mut(on.holder), &mut self.card_rng) else { return };
        // CREDIT FOR LOAD and DEBIT FOR PURCHASE.
        let loads_now = matches!(bytes, [0x80, 0x52, ..]);
        let moves_money = matches!(bytes, [0x80, 0x52 | 0x54, ..]);
        if moves_money && rng.chance(self.faults.tear_money) {
            let place = draw_place(rng);
            card.tear_next(place);
            if let Some(cut) = self.cuts.get_mut(on.holder) {
                *cut = Some(Cut { at: 0, place });
            }
        }
        let chip = card.chip();
        let (number, balance, n, m) = (chip.card().0, chip.balance(), chip.loads(), chip.purchases());
        let asks_pin = self.plant == Some(Plant::P85) && matches!(bytes, [0x80, 0x50, 0x00, ..]);
        let answer = if asks_pin { vec![0x69, 0x82] } else { card.exchange(bytes, &mut || rng.bytes()) };
        let (chip, present) = (card.chip(), card.present());
        let (after, loads, purchases) = (chip.balance(), chip.loads(), chip.purchases());
        let terminal = chip.log().first().map(|record| record.terminal).unwrap_or_default();
        let who = Who::both(Some(on.holder), till);
        self.note(who, || format!("card got {bytes:02x?}, answered {answer:02x?}, still there: {present}"));
        if loads_now {
            self.may_lose_while_loading(on.holder);
        }
        let changed = (loads, purchases) != (n, m);
        if loads != n {
            let checker = &mut self.checker;
            let amount = Sum::from(after) - Sum::from(balance);
            checker.loads.taken(number, n, amount, &checker.book, &checker.people, &mut checker.findings);
        }
        if purchases != m {
            let debit = Debit { card: number, m, amount: Sum::from(balance) - Sum::from(after), terminal };
            let lunch = self.tills.get(till).and_then(|at| at.lunch);
            self.checker.sales.debited(debit, lunch, who, &mut self.checker.findings);
            self.cut_after_debit(till);
        }
        let debit = matches!(bytes, [0x80, 0x54, ..]);
        if debit && !present {
            self.torn_debit(till);
        }
        if !present {
            self.count_tear(on.holder, changed, answer.len());
        }
        self.at(2 * MILLI, Event::CardSays { till, insertion, answer, gone: !present });
    }

    fn count_tear(&mut self, holder: usize, changed: bool, length: usize) {
        let place = self.cuts.get(holder).copied().flatten().map(|cut| cut.place);
        self.counters.add(match place {
            Some(CutPlace::BeforeReceive) => "card: torn, before it got the command",
            Some(CutPlace::BeforeApply) => "card: torn, received but not applied",
            Some(CutPlace::BeforeAnswer) if changed => "card: torn, applied but no answer",
            Some(CutPlace::InAnswer(_)) if length > 0 && changed => "card: torn, answer of a transaction cut",
            Some(CutPlace::InAnswer(_)) => "card: torn, answer cut",
            Some(CutPlace::BeforeAnswer) | None => "card: torn otherwise",
        });
    }

    /// The reader hands the card's answer to the till.
    pub(crate) fn card_says(&mut self, till: usize, insertion: u64, answer: Vec<u8>, gone: bool) {
        let Some(at) = self.tills.get_mut(till) else { return };
        if at.reader.is_none_or(|on| on.insertion != insertion) {
            return;
        }
        // Some readers tell the rest of an answer, others only that the card is gone.
        if !gone || at.rng.chance(500) {
            self.feed(till, Input::Apdu(answer));
        }
        if gone {
            self.lift_card(till);
        }
    }

    fn shows(&mut self, till: usize, screen: Screen) {
        let Some(at) = self.tills.get_mut(till) else { return };
        let holder = at.visit.as_ref().map(|visit| visit.holder);
        at.screen = Some(screen.clone());
        self.note(Who::both(holder, till), || format!("shows {screen:?}"));
        if let (Screen::Paid(paid), Some(lunch)) = (&screen, self.tills.get(till).and_then(|at| at.lunch)) {
            let by_account = paid.from == Source::Account;
            let amount = Sum::from(paid.amount.get());
            self.checker.sales.shown_paid(lunch, amount, by_account, &mut self.checker.findings);
        }
        self.people_see(till, &screen);
    }

    /// The clerk types an amount.
    pub(crate) fn enter(&mut self, till: usize, fen: i64) {
        self.feed(till, Input::SaleEntered(Fen::new(fen)));
    }
}
