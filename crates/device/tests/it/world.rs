//! A canteen till: the agent, its purchase module, its journal on a disk that can lose power, cards, and the platform.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use card::chip::Chip;
use card::crypto::Key16;
use card::files::{CardNumber, Profile, Validity};
use card::holder::HolderFile;
use card::host::Masters;
use card::profile::Switches;
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, SessionForm, Stamp, Suite};
use card::tear::{Cut, TearableCard};
use card::terminal::{self, PurchaseAnswer};
use device::agent::display::{Paid, Screen};
use device::agent::pos::{Config, Input, Output, PosAgent};
use device::journal::{Entry, State};
use ledger::{Fen, Micros};
use link::{ToPlatform, ToTerminal};

use crate::platform::{Holder, Platform, TERMINAL};

pub const ANNA: u64 = 0x2026_0000_0000_0042;
pub const BEN: u64 = 0x2026_0000_0000_0043;
const SECOND: i64 = 1_000_000;

/// Where the terminal loses power: at output number `at`, before it is carried out or after it, with what it caused lost.
#[derive(Clone, Copy, Debug)]
pub struct PowerCut {
    pub at: usize,
    pub after: bool,
}

pub struct World {
    pub agent: PosAgent<SoftPsam>,
    pub platform: Platform,
    cards: BTreeMap<u64, TearableCard>,
    on_reader: Option<u64>,
    /// A torn answer does not even reach the agent: it hears only that the card is gone.
    pub deaf_reader: bool,
    disk: Vec<u8>,
    line_up: bool,
    pub now: Micros,
    queue: VecDeque<Output>,
    /// Outputs so far.
    pub done: usize,
    pub power_cut: Option<PowerCut>,
    pub power_cuts: usize,
    pub screens: Vec<Screen>,
    pub sent: Vec<ToPlatform>,
    pub apdus: usize,
    /// The line breaks when so many messages were sent: the last one still arrives, its answer does not.
    pub cut_line_after: Option<usize>,
    /// Messages to the platform are lost.
    pub unheard: bool,
    pub disk_full: bool,
    /// After so many entries the disk takes its time, until released.
    pub hold_journal_after: Option<usize>,
    held: Option<u64>,
    /// The reader loses the answer to this command, counted from 0; the card stays.
    pub lose_answer: Option<usize>,
    /// The card takes its time over this command, counted from 0, until released.
    pub slow_at: Option<usize>,
    slow: Option<Input>,
    /// DEBIT and CREDIT commands that went out.
    committed: BTreeSet<Vec<u8>>,
    /// The card answers this command with that.
    pub answer_instead: Option<(Vec<u8>, Vec<u8>)>,
    /// The answer to DEBIT carries a wrong MAC2.
    pub forge_debits: bool,
    next_module: Option<SoftPsam>,
    config: Config,
    dice: u32,
    boots: u8,
}

pub fn masters() -> Masters {
    let key = |seed: u8| Key16::new(std::array::from_fn(|place| seed ^ (place as u8).wrapping_mul(29)));
    Masters { load: key(1), purchase: key(2), tac: key(3), maintenance: key(4) }
}

/// Those for SM4 are others.
pub fn sm4_masters() -> Masters {
    let key = |seed: u8| Key16::new(std::array::from_fn(|place| seed ^ (place as u8).wrapping_mul(31)));
    Masters { load: key(5), purchase: key(6), tac: key(7), maintenance: key(8) }
}

const PROFILE: Profile = Profile {
    issuer: [1, 2, 3, 4, 5, 6, 7, 8],
    application_version: 1,
    key_version: 1,
    validity: Validity { from: [0x20, 0x26, 0x09, 0x01], until: [0x20, 0x30, 0x07, 0x31] },
};

fn serial(card: u64) -> [u8; 10] {
    let mut serial = [0; 10];
    serial[2..].copy_from_slice(&card.to_be_bytes());
    serial
}

pub fn new_chip(card: u64) -> Chip {
    Chip::personalise(serial(card), &masters(), &PROFILE)
}

/// A card of SM4 alone, or of both algorithms.
pub fn sm4_chip(card: u64, both: bool) -> Chip {
    let sm4 = sm4_masters().key_set(Suite::Sm4(SessionForm::Padded), CardNumber(card));
    let first = masters().key_set(Suite::TripleDes, CardNumber(card));
    let (set, others) = if both { (first, vec![sm4]) } else { (sm4, Vec::new()) };
    Chip::with_key_sets(serial(card), &set, &others, &PROFILE, Switches::CAMPUS, &HolderFile::NOBODY)
}

/// A module that does not speak SM4.
pub fn old_module() -> SoftPsam {
    let [a, b, c] = TERMINAL;
    SoftPsam::new([a, b, c, 0, 0, 0], BTreeMap::from([(1, masters().purchase)]))
}

pub fn new_module() -> SoftPsam {
    old_module().with_sm4(SessionForm::Padded, BTreeMap::from([(1, sm4_masters().purchase)]))
}

pub fn module(used: Option<u32>) -> SoftPsam {
    let mut module = new_module();
    if let Some(used) = used {
        module.used(used);
    }
    module
}

pub fn fen(fen: u32) -> Fen {
    Fen::new(i64::from(fen))
}

impl World {
    /// A terminal with a connection, a clean journal and two holders with empty cards.
    pub fn new() -> World {
        let mut world = World::off_line();
        world.connect();
        world
    }

    /// The same with other numbers.
    pub fn with(change: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::usual([0; 16]);
        change(&mut config);
        let mut world = World::started(config);
        world.connect();
        world
    }

    pub fn off_line() -> World {
        World::started(Config::usual([0; 16]))
    }

    fn started(config: Config) -> World {
        let now = Micros::new(1_795_400_000 * SECOND);
        let (agent, outputs) = PosAgent::start(config, module(None), State::default(), now);
        let mut platform = Platform::new(masters(), sm4_masters());
        let cards = [ANNA, BEN].map(|card| (card, TearableCard::new(new_chip(card))));
        platform.holders = [ANNA, BEN].map(|card| (card, Holder::default())).into();
        let mut world = World {
            agent,
            platform,
            cards: cards.into(),
            on_reader: None,
            deaf_reader: false,
            disk: Vec::new(),
            line_up: false,
            now,
            queue: outputs.into(),
            done: 0,
            power_cut: None,
            power_cuts: 0,
            screens: Vec::new(),
            sent: Vec::new(),
            apdus: 0,
            cut_line_after: None,
            unheard: false,
            disk_full: false,
            hold_journal_after: None,
            held: None,
            lose_answer: None,
            slow_at: None,
            slow: None,
            committed: BTreeSet::new(),
            answer_instead: None,
            forge_debits: false,
            next_module: None,
            config,
            dice: 0x9E37_79B9,
            boots: 0,
        };
        world.run();
        world
    }

    /// The holder of `card` has this one instead.
    pub fn exchange_card(&mut self, card: u64, chip: Chip) {
        self.cards.insert(card, TearableCard::new(chip));
    }

    pub fn holder(&mut self, card: u64) -> &mut Holder {
        self.platform.holders.get_mut(&card).expect("known")
    }

    pub fn chip(&self, card: u64) -> &Chip {
        self.cards[&card].chip()
    }

    /// All money: on chips, with holders, on its way, with the merchant.
    pub fn money(&self) -> u64 {
        self.platform.money() + self.cards.values().map(|card| u64::from(card.chip().balance())).sum::<u64>()
    }

    pub fn screen(&self) -> Screen {
        self.agent.screen()
    }

    /// The sales that were shown as paid; one that stays on the display while the purse is filled is one.
    pub fn paid(&self) -> Vec<Paid> {
        let mut paid: Vec<Paid> = Vec::new();
        let mut stays = false;
        for screen in &self.screens {
            if let Screen::Paid(now) = screen {
                if stays {
                    paid.pop();
                }
                paid.push(now.clone());
            }
            stays = matches!(screen, Screen::Paid(_));
        }
        paid
    }

    pub fn give(&mut self, input: Input) {
        let outputs = self.agent.handle(input, self.now);
        self.queue.extend(outputs);
        self.run();
    }

    pub fn connect(&mut self) {
        self.line_up = true;
        self.give(Input::LinkUp);
    }

    pub fn disconnect(&mut self) {
        self.line_up = false;
        self.give(Input::LinkDown);
    }

    pub fn sell(&mut self, amount: u32) {
        self.give(Input::SaleEntered(fen(amount)));
    }

    pub fn cancel(&mut self) {
        self.give(Input::SaleCancelled);
    }

    /// Puts a card on the reader; it may be torn.
    pub fn put(&mut self, card: u64, cut: Option<Cut>) {
        self.cards.get_mut(&card).expect("known").insert(cut);
        self.on_reader = Some(card);
        self.give(Input::CardIn);
    }

    pub fn take_away(&mut self) {
        if let Some(card) = self.on_reader.take() {
            self.cards.get_mut(&card).expect("known").remove();
            self.give(Input::CardOut);
        }
    }

    /// One whole hold.
    pub fn tap(&mut self, card: u64) {
        self.put(card, None);
        self.take_away();
    }

    /// Lets time pass; the agent is woken whenever it asked for it.
    pub fn wait(&mut self, micros: i64) {
        let until = Micros::new(self.now.get() + micros);
        while let Some(wake) = self.agent.next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.give(Input::Tick);
            assert!(self.agent.next_wake().is_none_or(|next| next > self.now), "the agent asks to be woken for ever");
        }
        self.now = until;
        self.give(Input::Tick);
    }

    pub fn wait_seconds(&mut self, seconds: i64) {
        self.wait(seconds * SECOND);
    }

    /// The terminal loses power and starts again from its disk; a card on the reader is found there.
    pub fn restart(&mut self) {
        self.queue.clear();
        let (state, good) = State::replay(&self.disk).expect("a journal that this agent wrote");
        self.disk.truncate(good);
        self.boots += 1;
        let module = self.next_module.take().unwrap_or_else(|| module(state.last_tsn()));
        let config = Config { boot: [self.boots; 16], ..self.config };
        let (agent, outputs) = PosAgent::start(config, module, state, self.now);
        self.agent = agent;
        self.queue = outputs.into();
        self.run();
        if let Some(card) = self.on_reader {
            self.cards.get_mut(&card).expect("known").insert(None);
            self.give(Input::CardIn);
        }
        if self.line_up {
            self.give(Input::LinkUp);
        }
    }

    fn run(&mut self) {
        while let Some(output) = self.queue.pop_front() {
            let cut = self.power_cut.filter(|cut| cut.at == self.done);
            self.done += 1;
            match cut {
                Some(PowerCut { after: false, .. }) => return self.lose_power(),
                Some(PowerCut { after: true, .. }) => {
                    self.carry_out(output);
                    return self.lose_power();
                }
                None => {
                    for input in self.carry_out(output) {
                        let outputs = self.agent.handle(input, self.now);
                        self.queue.extend(outputs);
                    }
                }
            }
        }
    }

    fn lose_power(&mut self) {
        self.power_cut = None;
        self.power_cuts += 1;
        self.restart();
    }

    fn carry_out(&mut self, output: Output) -> Vec<Input> {
        match output {
            Output::Transmit(command) => self.exchange(&command),
            Output::Send(message) => {
                self.sent.push(message.clone());
                if !self.line_up || self.unheard {
                    return Vec::new();
                }
                let heard = self.platform.hear(message, self.now);
                if self.cut_line_after == Some(self.sent.len()) {
                    self.line_up = false;
                    return vec![Input::LinkDown];
                }
                heard.into_iter().map(Input::Platform).collect()
            }
            Output::Journal { token, entry } => {
                if self.disk_full {
                    return vec![Input::JournalFailed];
                }
                self.disk.extend(entry.line().expect("has a line").into_bytes());
                match self.hold_journal_after {
                    Some(0) => {
                        self.held = Some(token);
                        Vec::new()
                    }
                    Some(left) => {
                        self.hold_journal_after = Some(left - 1);
                        vec![Input::Written(token)]
                    }
                    None => vec![Input::Written(token)],
                }
            }
            Output::JournalDelete { through } => {
                let (mut state, _) = State::replay(&self.disk).expect("good");
                state.forget(through);
                let lines = state.entries().into_iter().map(|entry| entry.line().expect("has a line"));
                self.disk = lines.collect::<String>().into_bytes();
                Vec::new()
            }
            Output::Show(screen) => {
                self.screens.push(screen);
                Vec::new()
            }
        }
    }

    fn exchange(&mut self, command: &[u8]) -> Vec<Input> {
        let Some(no) = self.on_reader else {
            return Vec::new();
        };
        self.apdus += 1;
        if let [_, 0x52 | 0x54, ..] = command {
            assert!(self.committed.insert(command.to_vec()), "CREDIT or DEBIT went out twice: {command:02X?}");
        }
        let card = self.cards.get_mut(&no).expect("known");
        let dice = &mut self.dice;
        let answer = card.exchange(command, &mut || {
            *dice = dice.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
            dice.to_be_bytes()
        });
        if card.present() {
            let answer = Input::Apdu(self.on_its_way(command, answer));
            if self.slow_at == Some(self.apdus - 1) {
                self.slow = Some(answer);
                return Vec::new();
            }
            return vec![answer];
        }
        self.on_reader = None;
        if self.deaf_reader { vec![Input::CardOut] } else { vec![Input::Apdu(answer), Input::CardOut] }
    }

    /// What becomes of an answer between the card and the agent.
    fn on_its_way(&self, command: &[u8], mut answer: Vec<u8>) -> Vec<u8> {
        if self.lose_answer == Some(self.apdus - 1) {
            return Vec::new();
        }
        if let Some((asked, instead)) = &self.answer_instead
            && asked == command
        {
            return instead.clone();
        }
        if self.forge_debits && command.get(1) == Some(&0x54) {
            answer[7] ^= 1;
        }
        answer
    }

    /// The slow card answers at last.
    pub fn release_card(&mut self) {
        let answer = self.slow.take().expect("a card that takes its time");
        self.give(answer);
    }

    /// A terminal that lost its journal, or another one in its place: only the platform knows what was.
    pub fn forget_journal(&mut self) {
        let used = self.agent.book().last_tsn();
        self.disk = Entry::Base { last_seq: 0, last_tsn: used }.line().expect("has a line").into_bytes();
        self.restart();
    }

    /// Another purchase module is put into the terminal, which is switched off for that.
    pub fn exchange_module(&mut self, module: SoftPsam) {
        self.next_module = Some(module);
        self.restart();
    }

    /// The card pays at a terminal that is not connected.
    pub fn pay_elsewhere(&mut self, card: u64, amount: u32) {
        let mut module = SoftPsam::new([8; 6], BTreeMap::from([(1, masters().purchase)]));
        let there = self.cards.get_mut(&card).expect("known");
        there.insert(None);
        let mut send = |command: &[u8]| there.exchange(command, &mut || [5, 6, 7, 8]);
        send(&terminal::select_purse());
        let answer = PurchaseAnswer::parse(&send(&terminal::init_purchase(amount, [8; 6]))).expect("holds enough");
        let stamp = Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x13, 0, 0] };
        let request = PurchaseRequest {
            card: CardNumber(card),
            random: answer.random,
            m: answer.m,
            amount,
            kind: Kind::Purchase,
            stamp,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
        };
        let grant = module.begin_purchase(&request).expect("the module knows the card");
        send(&terminal::debit(grant.tsn, stamp, grant.mac1));
        there.remove();
    }

    /// The disk is done with everything it was given.
    pub fn release_journal(&mut self) {
        self.hold_journal_after = None;
        if let Some(token) = self.held.take() {
            self.give(Input::Written(token));
        }
    }

    /// Says something to the agent that the platform did not say just now: a late or repeated message.
    pub fn tell(&mut self, message: ToTerminal) {
        self.give(Input::Platform(message));
    }

    pub fn journal_lines(&self) -> usize {
        self.disk.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Nothing was lost, doubled or left open, and every number of the purchase module is accounted for.
    pub fn check(&self, money: u64, story: &str) {
        assert_eq!(self.money(), money, "money is conserved: {story}");
        assert!(self.platform.settled(), "nothing is left open: {story}");
        for (card, holder) in &self.platform.holders {
            assert_eq!(holder.on_card, self.chip(*card).balance(), "the book knows the purse: {story}");
        }
        let last = self.agent.book().last_tsn().unwrap_or(0);
        let told: Vec<u32> = self.platform.tsns.iter().copied().collect();
        assert_eq!(told, (1..=last).collect::<Vec<_>>(), "every TSN is a sale or a gap: {story}");
        assert_eq!(self.platform.contiguous(), self.agent.book().last_seq(), "every record came: {story}");
        let loose = self.platform.loose_ends();
        assert!(loose.is_empty(), "the purse may be debited, and nobody says what became of it: {loose:?} {story}");
    }
}
