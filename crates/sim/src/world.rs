//! The world: one line of events in the order of (time, number), and everybody in it. Nothing sleeps; time jumps.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use card::tear::{Cut, TearableCard};
use flows::ports::{Parcel, Receipt};
use link::Record;
use rules::ids::EnrolmentId;

use crate::checker::{Checker, Failure};
use crate::clerk::Clerk;
use crate::count::Counters;
use crate::crook::Crook;
use crate::digest::Digest;
use crate::door::Doors;
use crate::gateway::Pipe;
use crate::holder::{Holder, Reply, Request};
use crate::loss::Losses;
use crate::net::Net;
use crate::notes::{Notes, Who};
use crate::notice::Wire;
use crate::options::{Faults, Options};
use crate::plant::Plant;
use crate::provider::Provider;
use crate::receiver::Receiver;
use crate::restore::Backup;
use crate::rng::Rng;
use crate::rogue::Rogue;
use crate::server::Server;
use crate::till::Till;
use crate::visit::{Act, Errand};
use crate::wechat;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Something that happens at its time.
#[derive(Debug)]
pub(crate) enum Event {
    Step { boot: u64 },
    CatchUp,
    Crash,
    Start,
    Leap,
    LeapMended,
    Door,
    Anchor { boot: u64 },
    Image,
    Backup,
    DiskLost,
    Restore,
    Knock { holder: usize, right: bool },
    Due { boot: u64 },
    GiveUp { boot: u64, card: u64, k: u32, enrolment: EnrolmentId },
    Arrival,

    LinkTry { till: usize, life: u64 },
    LinkUp { till: usize, conn: u64 },
    LinkCut { conn: u64, counted: bool },
    Forget { conn: u64 },
    Frame { conn: u64, bytes: Vec<u8>, stray: bool },
    FrameBack { till: usize, conn: u64, bytes: Vec<u8> },
    Garbled { conn: u64, bytes: Vec<u8>, up: bool },

    Asked { call: u64, ask: wechat::Ask },
    Told { call: u64, reply: wechat::Reply },
    CallTimeout { call: u64 },
    Charged { holder: usize, number: String, first: bool },
    Stranger,
    Dark,
    DarkForLong,
    Notify { notice: usize },
    NoticeIn { notice: Option<usize>, wire: Wire },
    NoticeDone { notice: usize, epoch: u64 },
    Forge,
    RefundEnds { number: String },
    Portal,
    RunsShort,
    Clerk,
    ClerkAsks { form: usize },
    ClerkTidies,
    ClerkBeforeLoss,
    Feed { boot: u64 },
    Parcel { call: u64, parcel: Box<Parcel> },
    ParcelAnswered { call: u64, status: u16 },
    ParcelTimeout { call: u64 },
    ReceiverDark,
    Rogue,
    Crook,
    Replace,
    EnrolAgain { till: usize },
    Loss,
    Loses { holder: usize },
    Reports { form: usize },
    ReportsAgain { holder: usize },

    Act { holder: usize },
    Request { holder: usize, click: usize, request: Request },
    Reply { holder: usize, click: usize, reply: Reply },
    Impatient { holder: usize, click: usize, request: Request, answers: u32 },
    Again { holder: usize, click: usize, request: Request },
    Pay { holder: usize, click: usize },

    Tick { till: usize, life: u64, wake: i64 },
    Flush { till: usize, life: u64 },
    PowerCut { till: usize, life: u64 },
    PowerOn { till: usize },
    CardDoes { till: usize, insertion: u64, bytes: Vec<u8> },
    CardSays { till: usize, insertion: u64, answer: Vec<u8>, gone: bool },
    Pull { till: usize, insertion: u64 },
    People { till: usize, visit: u64, step: u64, act: Act },
    LookAfter { holder: usize },
    HoldsThird { holder: usize, till: usize },

    Calm,
    CalmTap { holder: usize },
    Overdue,
    Tidy,
}

struct Slot {
    at: i64,
    number: u64,
    event: Event,
}

impl PartialEq for Slot {
    fn eq(&self, other: &Slot) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Slot {}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Slot) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Slot) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The world of one run.
pub(crate) struct World {
    pub(crate) seed: u64,
    /// Microseconds since the first morning.
    pub(crate) now: i64,
    pub(crate) events: u64,
    planned: u64,
    heap: BinaryHeap<Reverse<Slot>>,
    pub(crate) options: Options,
    /// What is on now: nothing in the calm phase.
    pub(crate) faults: Faults,
    pub(crate) calm: bool,
    pub(crate) plant: Option<Plant>,
    pub(crate) checker: Checker,
    pub(crate) counters: Counters,
    pub(crate) notes: Notes,
    pub(crate) digest: Digest,
    pub(crate) net: Net,
    pub(crate) server: Server,
    pub(crate) provider: Provider,
    pub(crate) clerk: Clerk,
    pub(crate) receiver: Receiver,
    pub(crate) losses: Losses,
    pub(crate) holders: Vec<Holder>,
    pub(crate) cards: Vec<TearableCard>,
    /// Where each card is planned to be torn in its present hold.
    pub(crate) cuts: Vec<Option<Cut>>,
    pub(crate) card_rng: Rng,
    pub(crate) tills: Vec<Till>,
    pub(crate) hurry_rng: Rng,
    pub(crate) pipes: BTreeMap<u64, Pipe>,
    pub(crate) last_conn: u64,
    pub(crate) rogue: Option<Rogue>,
    pub(crate) crook: Option<Crook>,
    /// Enrolments of new devices, with those of the devices before them.
    pub(crate) replaced: BTreeMap<EnrolmentId, EnrolmentId>,
    /// Records by their terminal's number, for the planted bug that knows them by that alone.
    pub(crate) told: BTreeMap<(EnrolmentId, u64), Record>,
    pub(crate) doors: Doors,
    pub(crate) backup: Option<Box<Backup>>,
    /// Of the book: one more after a restore.
    pub(crate) epoch: u64,
}

impl World {
    /// A world before its first event.
    pub(crate) fn new(seed: u64, options: Options, plant: Option<Plant>, notes: Notes) -> World {
        World {
            seed,
            now: 0,
            events: 0,
            planned: 0,
            heap: BinaryHeap::new(),
            faults: options.faults,
            server: Server::new(seed, &options, plant),
            options,
            calm: false,
            plant,
            checker: Checker::default(),
            counters: Counters::default(),
            notes,
            digest: Digest::new(),
            net: Net::new(seed),
            provider: Provider::new(seed),
            clerk: Clerk::new(seed),
            receiver: Receiver::new(seed, plant),
            losses: Losses::new(seed),
            holders: Vec::new(),
            cards: Vec::new(),
            cuts: Vec::new(),
            card_rng: Rng::fork(seed, "cards", 0),
            tills: Vec::new(),
            hurry_rng: Rng::fork(seed, "hurries", 0),
            pipes: BTreeMap::new(),
            last_conn: 0,
            rogue: None,
            crook: None,
            replaced: BTreeMap::new(),
            told: BTreeMap::new(),
            doors: Doors::new(seed),
            backup: None,
            epoch: 1,
        }
    }

    /// Plans an event so many microseconds from now.
    pub(crate) fn at(&mut self, delay: i64, event: Event) {
        self.plan_at(self.now.saturating_add(delay.max(0)), event);
    }

    /// Plans an event at a time.
    pub(crate) fn plan_at(&mut self, at: i64, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse(Slot { at: at.max(self.now), number: self.planned, event }));
    }

    /// Writes a note, if anybody wants notes.
    pub(crate) fn note(&mut self, who: Who, text: impl FnOnce() -> String) {
        self.notes.add(self.events, self.now, who, text);
    }

    /// Runs to the end, to the first failure, or to event number `until`.
    pub(crate) fn run(&mut self, until: Option<u64>) -> Option<Failure> {
        self.server.set_clock(0);
        self.set_up();
        let calm_at = i64::from(self.options.days) * DAY;
        self.plan_at(calm_at, Event::Calm);
        let end = calm_at + 9 * HOUR;
        while self.checker.failure().is_none() {
            let Some(Reverse(slot)) = self.heap.pop() else { break };
            if slot.at > end || until.is_some_and(|until| self.events >= until) {
                break;
            }
            self.now = slot.at;
            self.events += 1;
            self.server.set_clock(self.now);
            self.digest.number(slot.number);
            self.digest.number(slot.at.unsigned_abs());
            self.happen(slot.event);
        }
        if self.checker.failure().is_none() && until.is_none() {
            self.finish();
        }
        self.checker.failure().cloned()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step { boot } => self.step(boot),
            Event::CatchUp => self.catch_up(),
            Event::Crash => self.crash_now(),
            Event::Start => self.start_server(),
            Event::Leap => self.leap(),
            Event::Door => self.come_to_door(),
            Event::Anchor { boot } => self.anchor_due(boot),
            Event::Image => self.take_image(),
            Event::Backup => self.take_backup(),
            Event::DiskLost => self.lose_disk(),
            Event::Restore => self.restore(),
            Event::Knock { holder, right } => self.knock(holder, right),
            Event::LeapMended => self.mend_clock(),
            Event::Due { boot } => self.run_due(boot),
            Event::GiveUp { boot, card, k, enrolment } => self.give_up_load(boot, card, k, enrolment),
            Event::Arrival => self.change_arrival(),
            Event::Asked { call, ask } => self.asked(call, ask),
            Event::Told { call, reply } => self.told(call, reply),
            Event::CallTimeout { call } => self.call_timeout(call),
            Event::Charged { holder, number, first } => self.charged(holder, &number, first),
            Event::Stranger => self.stranger_pays(),
            Event::Dark => self.goes_dark(),
            Event::DarkForLong => self.goes_dark_for_long(),
            Event::Notify { notice } => self.notify(notice),
            Event::NoticeIn { notice, wire } => self.notice_in(notice, wire),
            Event::NoticeDone { notice, epoch } => self.notice_done(notice, epoch),
            Event::Forge => self.forge(),
            Event::RefundEnds { number } => self.refund_ends(&number),
            Event::Portal => self.portal(),
            Event::RunsShort => self.runs_short(),
            Event::Clerk => self.clerk(),
            Event::ClerkAsks { form } => self.clerk_asks(form),
            Event::ClerkTidies => self.clerk_tidies(),
            Event::ClerkBeforeLoss => self.refund_before_loss(),
            Event::Feed { boot } => self.tell_receiver(boot),
            Event::Parcel { call, parcel } => self.parcel_arrives(call, &parcel),
            Event::ParcelAnswered { call, status } => self.parcel_answered(call, Receipt::Answered(status)),
            Event::ParcelTimeout { call } => self.parcel_answered(call, Receipt::Silent("nothing came".to_owned())),
            Event::ReceiverDark => self.receiver_goes_dark(),
            Event::Rogue => self.rogue_speaks(),
            Event::Crook => self.crook_acts(),
            Event::Replace => self.replace_device(),
            Event::EnrolAgain { till } => self.enrol_again(till),
            Event::Loss => self.loss(),
            Event::Loses { holder } => self.loses(holder),
            Event::Reports { form } => self.reports(form),
            Event::ReportsAgain { holder } => self.report(holder),
            Event::Act { holder } => self.act(holder),
            Event::Request { holder, click, request } => self.request(holder, click, request),
            Event::Reply { holder, click, reply } => self.page(holder, click, reply),
            Event::Impatient { holder, click, request, answers } => self.impatient(holder, click, request, answers),
            Event::Again { holder, click, request } => self.again(holder, click, request),
            Event::Pay { holder, click } => self.pays(holder, click),
            Event::Calm => self.calm_down(),
            Event::CalmTap { holder } => self.calm_tap(holder),
            Event::Overdue => self.checker.nothing_is_overdue(),
            Event::Tidy => self.tidy(),
            terminal => self.happen_at_terminal(terminal),
        }
    }

    fn happen_at_terminal(&mut self, event: Event) {
        match event {
            Event::LinkTry { till, life } => self.link_try(till, life),
            Event::LinkUp { till, conn } => self.link_up(till, conn),
            Event::LinkCut { conn, counted } => self.cut(conn, counted),
            Event::Forget { conn } => self.forget_connection(conn),
            Event::Frame { conn, bytes, stray } => self.frame(conn, &bytes, stray),
            Event::FrameBack { till, conn, bytes } => self.frame_back(till, conn, &bytes),
            Event::Garbled { conn, bytes, up } => self.garbled(conn, &bytes, up),
            Event::Tick { till, life, wake } => self.tick(till, life, wake),
            Event::Flush { till, life } => self.flush(till, life),
            Event::PowerCut { till, life } => self.power_cut(till, life),
            Event::PowerOn { till } => self.power_on(till),
            Event::CardDoes { till, insertion, bytes } => self.card_does(till, insertion, &bytes),
            Event::CardSays { till, insertion, answer, gone } => self.card_says(till, insertion, answer, gone),
            Event::Pull { till, insertion } => self.pull_card(till, insertion),
            Event::People { till, visit, step, act } => self.people(till, visit, step, act),
            Event::LookAfter { holder } => self.look_after_card(holder),
            Event::HoldsThird { holder, till } => self.holds_to_third(holder, till),
            _ => {}
        }
    }

    /// The faults end. Everything is switched on; all that was lost for good is told again.
    fn calm_down(&mut self) {
        self.note(Who::NOBODY, || "calm".to_owned());
        (self.calm, self.faults) = (true, Faults::NONE);
        self.provider.dark_until = 0;
        self.mend_clock();
        self.cards_come_from_home();
        self.restore();
        self.start_server();
        for till in 0..self.tills.len() {
            self.power_on(till);
        }
        self.tell_again();
        self.paybacks_end();
        for hours in [1, 2, 3] {
            self.at(hours * HOUR, Event::ClerkTidies);
        }
        for holder in 0..self.holders.len() {
            let stagger = i64::try_from(holder).unwrap_or(0) * 60 * SECOND;
            self.at(5 * HOUR + stagger, Event::CalmTap { holder });
            self.at(7 * HOUR + stagger, Event::CalmTap { holder });
        }
        // Before the calm taps, so that only what went back by itself counts.
        self.at(5 * HOUR - SECOND, Event::Overdue);
        self.at(HOUR, Event::Tidy);
    }

    fn calm_tap(&mut self, holder: usize) {
        let till = holder % self.tills.len().max(1);
        self.go(holder, till, Errand::Tap);
    }

    /// Clerks call off what nobody finished.
    fn tidy(&mut self) {
        for till in 0..self.tills.len() {
            if self.tills.get(till).is_some_and(|at| at.visit.is_none() && at.lunch.is_some()) {
                self.feed(till, device::agent::pos::Input::SaleCancelled);
            }
        }
        self.at(600 * SECOND, Event::Tidy);
    }

    /// The end: everything must have converged, and the book must verify.
    fn finish(&mut self) {
        self.compare_all();
        self.compare_receiver();
        self.checker.converged();
        let mut archive = self.server.disk.archive();
        let (heads, wrong) = self.server.outside.all(&self.server.disk);
        let report = store::verify::verify(crate::server::school_id(), &mut archive, &heads, &mut |_| {});
        let findings = report.findings;
        self.checker.findings.demand(findings.is_empty(), "I7", Who::NOBODY, || findings.join("; "));
        self.checker.findings.demand(wrong.is_empty(), "M8", Who::NOBODY, || wrong.join("; "));
        for (card, holder) in self.cards.iter().zip(0_usize..) {
            self.digest.number(u64::from(card.chip().balance()));
            self.checker.balance(holder, i128::from(card.chip().balance()));
        }
    }
}
