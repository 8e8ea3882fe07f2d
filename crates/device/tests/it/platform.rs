//! An honest platform for one terminal, with the host's real keys and a book of its own. It asserts what may never happen:
//! a number used twice, a debit told twice, money from nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use card::crypto::Algorithm;
use card::files::CardNumber;
use card::host::{KeySet, LoadOpening, Masters};
use card::session::{Kind, SessionForm, Stamp as CardStamp, Suite, Terms};
use card::terminal::LoadAnswer;
use ledger::Micros;
use link::{
    Answer, DebitEvidence, LoadInit, Marked, Proof, PurseSale, Record, Stage, Stamp, ToPlatform, ToTerminal, Words,
};

pub const TERMINAL: [u8; 3] = [0, 0, 7];
pub const STAMP: Stamp = Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0x30, 0x45] };

/// What the book has of one card and its holder, in fen.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    pub account: u32,
    /// Paid items that wait for the card, loaded one after the other.
    pub waiting: VecDeque<u32>,
    pub on_card: u32,
    released: Option<Attempt>,
    attempts: u32,
    /// Sales told as unconfirmed and not yet settled, by their record.
    pub unconfirmed: BTreeMap<u64, PurseSale>,
    pub blocked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    k: u32,
    opening: LoadOpening,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
struct Tap {
    card: u64,
    nonce: [u8; 3],
    stage: Stage,
    loaded: u32,
}

pub struct Platform {
    masters: Masters,
    sm4: Masters,
    pub holders: BTreeMap<u64, Holder>,
    pub merchant: u32,
    pub float: u32,
    /// Every record with its answer.
    pub records: BTreeMap<u64, (Record, Answer)>,
    pub heard: Vec<ToPlatform>,
    reversed: BTreeSet<u64>,
    /// Purse debits in the book: (card, M) and TSN.
    debits: BTreeSet<(u64, u16)>,
    pub tsns: BTreeSet<u32>,
    tap: Option<Tap>,
    nonces: u32,
    hold: Option<(u64, [u8; 16])>,
    /// Answers to authorisations are lost.
    pub mute: bool,
    /// Records are not decided: the database is away.
    pub busy: bool,
    /// Records that came while it was away, until they come again.
    undecided: BTreeSet<u64>,
    /// Taps are refused.
    pub refuse_taps: Option<Words>,
    /// Records up to here will never come again.
    forgotten: u64,
}

impl Platform {
    pub fn new(masters: Masters, sm4: Masters) -> Platform {
        Platform {
            masters,
            sm4,
            holders: BTreeMap::new(),
            merchant: 0,
            float: 0,
            records: BTreeMap::new(),
            heard: Vec::new(),
            reversed: BTreeSet::new(),
            debits: BTreeSet::new(),
            tsns: BTreeSet::new(),
            tap: None,
            nonces: 0,
            hold: None,
            mute: false,
            busy: false,
            undecided: BTreeSet::new(),
            refuse_taps: None,
            forgotten: 0,
        }
    }

    /// The card's keys under the algorithm that it named.
    fn keys(&self, card: u64, algorithm: u8) -> KeySet {
        let algorithm = Algorithm::of(algorithm).expect("an algorithm of ours");
        let masters = match algorithm {
            Algorithm::TripleDes => &self.masters,
            Algorithm::Sm4 => &self.sm4,
        };
        masters.key_set(Suite::of(algorithm, SessionForm::Padded), CardNumber(card))
    }

    /// It comes back from a backup: records above this one are unknown to it.
    pub fn go_back_to(&mut self, last: u64) {
        self.records.retain(|seq, _| *seq <= last);
        self.heard.clear();
    }

    /// Highest number up to which every record came.
    pub fn contiguous(&self) -> u64 {
        let next = |seq: &u64| *seq <= self.forgotten || self.records.contains_key(seq);
        (1..).take_while(next).last().unwrap_or(0)
    }

    /// Money that belongs to holders beside the chips, to nobody yet, and to the merchant.
    pub fn money(&self) -> u64 {
        let holders = self.holders.values().map(|holder| {
            let held = holder.released.map_or(0, |attempt| attempt.opening.terms.amount);
            u64::from(holder.account) + u64::from(holder.waiting.iter().sum::<u32>()) + u64::from(held)
        });
        holders.sum::<u64>() + u64::from(self.merchant)
    }

    /// Nothing is open: no load in transit, no sale in doubt.
    pub fn settled(&self) -> bool {
        self.holders.values().all(|holder| holder.released.is_none() && holder.unconfirmed.is_empty())
    }

    /// Requests that were answered `PayFromPurse` and neither led to a debit nor were taken back.
    pub fn loose_ends(&self) -> Vec<u64> {
        let ended = |seq: &u64| {
            self.reversed.contains(seq)
                || self
                    .records
                    .values()
                    .any(|(record, _)| matches!(record, Record::Sale(sale) if sale.authorised_by == Some(*seq)))
        };
        let asked = self.records.iter().filter(|(_, (_, answer))| matches!(answer, Answer::PayFromPurse { .. }));
        asked.map(|(seq, _)| *seq).filter(|seq| !ended(seq)).collect()
    }

    pub fn hear(&mut self, message: ToPlatform, now: Micros) -> Vec<ToTerminal> {
        self.heard.push(message.clone());
        match message {
            ToPlatform::Hello { .. } => {
                self.tap = None;
                vec![ToTerminal::Welcome {
                    now: now.get(),
                    last_seq: self.records.keys().last().copied().unwrap_or(0),
                    acknowledged: self.contiguous(),
                    terminal: TERMINAL,
                    place_zh: "一食堂".into(),
                    place_en: "Canteen 1".into(),
                }]
            }
            ToPlatform::TapOpen { ask, card, stage } => vec![self.open(ask, card, stage)],
            ToPlatform::TapBegin { ask, card, init, proofs } => vec![self.begin(ask, card, &init, &proofs)],
            ToPlatform::TapConfirm { ask, card, k, tac } => vec![self.confirm(ask, card, k, tac)],
            ToPlatform::Journal { seq, record } => self.journal(seq, record, now),
            ToPlatform::Ping => vec![ToTerminal::Pong { now: now.get() }],
            ToPlatform::Paid { seq, record } => {
                assert!(matches!(record, Record::Authorise { .. }));
                // The money of what it forgot is for the real platform's tests.
                let paid = (record, Answer::Paid { account: 0, purse: 0 });
                self.records.entry(seq).or_insert(paid);
                self.journal(seq, record, now)
            }
            ToPlatform::Kept { lowest } => {
                self.forgotten = lowest - 1;
                vec![ToTerminal::Acknowledged { through: self.contiguous() }]
            }
        }
    }

    fn open(&mut self, ask: u32, card: u64, stage: Stage) -> ToTerminal {
        if let Some(words) = self.refuse_taps.clone().or_else(|| self.refuses(card)) {
            return ToTerminal::TapRefused { ask, words };
        }
        let amount = match self.holders[&card].released {
            Some(attempt) => attempt.opening.terms.amount,
            None => self.wanted(card, stage, self.holders[&card].on_card).unwrap_or(1),
        };
        let nonce = self.nonce(card, stage, 0);
        let prove = self.holders[&card].unconfirmed.values().map(|sale| sale.m).collect();
        ToTerminal::TapNonce { ask, nonce, amount, prove }
    }

    fn refuses(&self, card: u64) -> Option<Words> {
        let known = self.holders.get(&card).is_some_and(|holder| !holder.blocked);
        (!known).then(|| words("CARD_LOST", "此卡已挂失", "this card is reported lost"))
    }

    fn nonce(&mut self, card: u64, stage: Stage, loaded: u32) -> [u8; 3] {
        self.nonces += 1;
        let [_, a, b, c] = self.nonces.to_be_bytes();
        self.tap = Some(Tap { card, nonce: [a, b, c], stage, loaded });
        [a, b, c]
    }

    /// What is to be loaded next.
    fn wanted(&self, card: u64, stage: Stage, purse: u32) -> Option<u32> {
        let holder = &self.holders[&card];
        match stage {
            Stage::Load => holder.waiting.front().copied(),
            Stage::Fill => {
                (purse < self.float / 2).then(|| (self.float - purse).min(holder.account)).filter(|amount| *amount > 0)
            }
        }
    }

    fn begin(&mut self, ask: u32, card: u64, init: &LoadInit, proofs: &[Proof]) -> ToTerminal {
        let tap = self.tap.expect("a tap is open");
        let [a, b, c] = TERMINAL;
        let [d, e, f] = tap.nonce;
        assert_eq!((tap.card, init.terminal), (card, [a, b, c, d, e, f]), "the live nonce");
        let opening = opening(init);
        assert!(self.keys(card, init.algorithm).proves_load(&opening), "a card of ours answers");

        self.resolve(card, init.n);
        let proved: Vec<u64> = self.holders[&card]
            .unconfirmed
            .iter()
            .filter(|(_, sale)| proofs.iter().any(|proof| proof.m == sale.m && self.proves(sale, proof.tac)))
            .map(|(seq, _)| *seq)
            .collect();
        for seq in proved {
            self.debited(card, seq);
        }
        if self.undecided.is_empty() {
            self.settle_by_balance(card, init.old_balance);
            assert_eq!(self.holders[&card].on_card, init.old_balance, "the book knows the purse");
        } else {
            assert!(self.holders[&card].on_card >= init.old_balance, "a purse never holds more than the book says");
        }

        match self.wanted(card, tap.stage, init.old_balance) {
            Some(amount) if amount == init.amount => self.release(ask, card, opening, tap.stage),
            Some(amount) => {
                let nonce = self.nonce(card, tap.stage, tap.loaded);
                ToTerminal::TapAgain { ask, nonce, amount }
            }
            None => self.done(ask, card),
        }
    }

    /// The counter under a good MAC1 says what became of the load before.
    fn resolve(&mut self, card: u64, n: u16) {
        let holder = self.holders.get_mut(&card).expect("known");
        let Some(attempt) = holder.released.take() else { return };
        let amount = attempt.opening.terms.amount;
        if n == attempt.opening.answer.n + 1 {
            holder.on_card += amount;
        } else {
            assert_eq!(n, attempt.opening.answer.n, "the counter moves by one load at most");
            match attempt.stage {
                Stage::Load => holder.waiting.push_front(amount),
                Stage::Fill => holder.account += amount,
            }
        }
    }

    /// With one sale in doubt the balance tells.
    fn settle_by_balance(&mut self, card: u64, balance: u32) {
        let holder = self.holders.get_mut(&card).expect("known");
        let Some((seq, sale)) = holder.unconfirmed.first_key_value().map(|(seq, sale)| (*seq, *sale)) else { return };
        assert_eq!(holder.unconfirmed.len(), 1, "these stories leave at most one sale in doubt");
        if balance == holder.on_card {
            holder.unconfirmed.clear();
        } else {
            assert_eq!(balance + sale.amount, holder.on_card);
            self.debited(card, seq);
        }
    }

    fn release(&mut self, ask: u32, card: u64, opening: LoadOpening, stage: Stage) -> ToTerminal {
        let keys = self.keys(card, opening.answer.algorithm);
        let holder = self.holders.get_mut(&card).expect("known");
        let amount = opening.terms.amount;
        match stage {
            Stage::Load => assert_eq!(holder.waiting.pop_front(), Some(amount)),
            Stage::Fill => holder.account -= amount,
        }
        holder.attempts += 1;
        let k = holder.attempts;
        assert!(holder.released.replace(Attempt { k, opening, stage }).is_none(), "one load in transit");
        let Stamp { date, time } = STAMP;
        ToTerminal::TapRelease {
            ask,
            k,
            amount,
            stamp: STAMP,
            mac2: keys.release_load(&opening, CardStamp { date, time }),
        }
    }

    fn confirm(&mut self, ask: u32, card: u64, k: u32, tac: [u8; 4]) -> ToTerminal {
        let holder = self.holders.get_mut(&card).expect("known");
        let attempt = holder.released.take().expect("a load in transit");
        let keys = self.keys(card, attempt.opening.answer.algorithm);
        let holder = self.holders.get_mut(&card).expect("known");
        let Stamp { date, time } = STAMP;
        assert_eq!(attempt.k, k);
        assert!(keys.proves_loaded(&attempt.opening, CardStamp { date, time }, tac), "the card says that it loaded");
        holder.on_card += attempt.opening.terms.amount;
        let purse = holder.on_card;
        let tap = self.tap.as_mut().expect("a tap is open");
        tap.loaded += attempt.opening.terms.amount;
        let (stage, loaded) = (tap.stage, tap.loaded);
        match self.wanted(card, stage, purse) {
            Some(amount) => {
                let nonce = self.nonce(card, stage, loaded);
                ToTerminal::TapAgain { ask, nonce, amount }
            }
            None => self.done(ask, card),
        }
    }

    fn done(&mut self, ask: u32, card: u64) -> ToTerminal {
        let tap = self.tap.take().expect("a tap is open");
        self.nonces += 1;
        let mut hold = [0; 16];
        hold[..4].copy_from_slice(&self.nonces.to_be_bytes());
        self.hold = Some((card, hold));
        let holder = &self.holders[&card];
        ToTerminal::TapDone { ask, hold, loaded: tap.loaded, purse: holder.on_card, account: i64::from(holder.account) }
    }

    fn journal(&mut self, seq: u64, record: Record, now: Micros) -> Vec<ToTerminal> {
        if self.busy {
            if !self.records.contains_key(&seq) {
                self.undecided.insert(seq);
            }
            return Vec::new();
        }
        self.undecided.remove(&seq);
        let answer = match self.records.get(&seq) {
            Some((before, answer)) => {
                assert_eq!(*before, record, "another record under number {seq}");
                answer.clone()
            }
            None => {
                let answer = self.take(seq, &record, now);
                self.records.insert(seq, (record, answer.clone()));
                answer
            }
        };
        if self.mute && matches!(record, Record::Authorise { .. }) {
            return Vec::new();
        }
        let through = self.contiguous();
        vec![ToTerminal::Answered(Marked { seq, answer }), ToTerminal::Acknowledged { through }]
    }

    fn take(&mut self, seq: u64, record: &Record, now: Micros) -> Answer {
        match *record {
            Record::Authorise { card, hold, amount, not_after } => {
                if self.reversed.contains(&seq) || now.get() > not_after || self.hold != Some((card, hold)) {
                    let words = words("NO_LONGER", "请求已失效", "the request is no longer good");
                    return Answer::Refused { words, balances: None };
                }
                self.authorise(card, amount)
            }
            Record::Reverse { of } => {
                self.reversed.insert(of);
                if let Some((Record::Authorise { card, amount, .. }, Answer::Paid { .. })) = self.records.get(&of) {
                    self.merchant -= amount;
                    self.holders.get_mut(card).expect("known").account += amount;
                }
                Answer::Taken
            }
            Record::Sale(sale) => {
                self.sale(seq, sale);
                Answer::Taken
            }
            Record::Settle { of, tac } => {
                let Some((Record::Sale(sale), _)) = self.records.get(&of).cloned() else { panic!("settles no sale") };
                // Without a TAC it is a hint: the next balance under a good MAC1 decides.
                if tac.is_some_and(|tac| self.proves(&sale, tac)) {
                    self.debited(sale.card, of);
                }
                Answer::Taken
            }
            Record::Gap { tsn } => {
                assert!(self.tsns.insert(tsn), "TSN {tsn} twice");
                Answer::Taken
            }
        }
    }

    fn authorise(&mut self, card: u64, amount: u32) -> Answer {
        let holder = self.holders.get_mut(&card).expect("known");
        let doubt: u32 = holder.unconfirmed.values().map(|sale| sale.amount).sum();
        if holder.account >= amount {
            holder.account -= amount;
            self.merchant += amount;
            Answer::Paid { account: i64::from(holder.account), purse: i64::from(holder.on_card) }
        } else if holder.on_card >= amount + doubt {
            Answer::PayFromPurse { amount }
        } else {
            let words = words("NOT_ENOUGH", "余额不足", "not enough money");
            Answer::Refused { words, balances: Some((i64::from(holder.account), i64::from(holder.on_card))) }
        }
    }

    fn sale(&mut self, seq: u64, sale: PurseSale) {
        assert!(self.tsns.insert(sale.tsn), "TSN {} twice", sale.tsn);
        let of = sale.authorised_by.expect("the purse is debited when the platform said so");
        assert!(!self.reversed.contains(&of), "a debit under a request that was taken back");
        self.holders.get_mut(&sale.card).expect("known").unconfirmed.insert(seq, sale);
        if let DebitEvidence::Tac(tac) = sale.evidence {
            assert!(self.proves(&sale, tac), "the card says that it was debited");
            self.debited(sale.card, seq);
        }
    }

    fn proves(&self, sale: &PurseSale, tac: [u8; 4]) -> bool {
        self.keys(sale.card, sale.algorithm).proves_purchase(terms(sale), sale.tsn, stamp(sale), tac)
    }

    fn debited(&mut self, card: u64, seq: u64) {
        let holder = self.holders.get_mut(&card).expect("known");
        let Some(sale) = holder.unconfirmed.remove(&seq) else { return };
        assert!(self.debits.insert((card, sale.m)), "two debits under M {}", sale.m);
        holder.on_card -= sale.amount;
        self.merchant += sale.amount;
    }
}

fn opening(init: &LoadInit) -> LoadOpening {
    LoadOpening {
        terms: Terms { amount: init.amount, kind: Kind::Load, terminal: init.terminal },
        answer: LoadAnswer {
            old_balance: init.old_balance,
            n: init.n,
            key_version: init.key_version,
            algorithm: init.algorithm,
            random: init.random,
            mac1: init.mac1,
        },
    }
}

fn terms(sale: &PurseSale) -> Terms {
    Terms { amount: sale.amount, kind: Kind::Purchase, terminal: sale.terminal }
}

fn stamp(sale: &PurseSale) -> CardStamp {
    CardStamp { date: sale.stamp.date, time: sale.stamp.time }
}

pub fn words(code: &str, zh: &str, en: &str) -> Words {
    Words { code: code.into(), zh: zh.into(), en: en.into() }
}
