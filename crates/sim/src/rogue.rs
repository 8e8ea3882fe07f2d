//! A terminal that somebody took over: it is enrolled, it is connected, and it lies. It has no keys of cards and no purchase
//! module; with all its messages it must not move a fen.

use std::collections::BTreeMap;

use flows::rows::Enrolment;
use flows::terminal_link;
use link::{Answer, DebitEvidence, LoadInit, Marked, PurseSale, Record, Stage, Stamp, ToPlatform, ToTerminal};

use crate::notes::Who;
use crate::plant::Plant;
use crate::rng::Rng;
use crate::server::Said;
use crate::world::{Event, World};

const MINUTE: i64 = 60_000_000;

/// The terminal.
#[derive(Clone)]
pub(crate) struct Rogue {
    enrolment: Enrolment,
    seq: u64,
    /// What it was answered to, by number.
    told: BTreeMap<u64, Record>,
    /// It was stopped.
    stopped: bool,
    rng: Rng,
}

impl Rogue {
    pub(crate) fn new(enrolment: Enrolment, seed: u64) -> Rogue {
        Rogue { enrolment, seq: 0, told: BTreeMap::new(), stopped: false, rng: Rng::fork(seed, "rogue", 0) }
    }

    /// The book forgot what it was told since.
    pub(crate) fn forgotten(&mut self, then: Rogue) {
        (self.told, self.stopped) = (then.told, then.stopped);
    }

    fn card(&mut self, cards: &[u64]) -> u64 {
        if self.rng.chance(950) { self.rng.pick(cards).unwrap_or(1) } else { self.rng.next() }
    }

    fn sale(&mut self, card: u64) -> PurseSale {
        let [a, b, c] = self.enrolment.terminal.0;
        let evidence =
            if self.rng.chance(700) { DebitEvidence::Tac(self.rng.bytes()) } else { DebitEvidence::Unconfirmed };
        PurseSale {
            card,
            authorised_by: self.rng.chance(300).then(|| self.rng.below(self.seq.saturating_add(1))),
            amount: u32::try_from(self.rng.between(1, 3000)).unwrap_or(1),
            old_balance: u32::try_from(self.rng.between(0, 20_000)).unwrap_or(0),
            m: u16::try_from(self.rng.between(0, 60)).unwrap_or(0),
            terminal: if self.rng.chance(500) { [a, b, c, 0, 0, 0] } else { [0, 0, 1, 0, 0, 0] },
            tsn: u32::try_from(self.rng.between(1, 200)).unwrap_or(1),
            stamp: Stamp { date: [0x20, 0x26, 0x11, 0x23], time: [0x12, 0, 0] },
            key_version: 1,
            algorithm: 0,
            evidence,
        }
    }

    fn record(&mut self, cards: &[u64]) -> Record {
        let card = self.card(cards);
        match self.rng.below(6) {
            0 | 1 => Record::Sale(self.sale(card)),
            2 => Record::Authorise { card, hold: self.rng.bytes(), amount: 500, not_after: i64::MAX },
            3 => Record::Reverse { of: self.rng.below(self.seq.saturating_add(2)) },
            4 => Record::Settle { of: self.rng.below(self.seq.saturating_add(1)), tac: Some(self.rng.bytes()) },
            _ => Record::Gap { tsn: 7 },
        }
    }
}

impl World {
    pub(crate) fn plan_rogue(&mut self) {
        if self.faults.rogue_minutes > 0 && self.rogue.is_some() {
            let mean = i64::from(self.faults.rogue_minutes) * MINUTE;
            let next = self.net.about(mean);
            self.at(next, Event::Rogue);
        }
    }

    /// It says something.
    pub(crate) fn rogue_speaks(&mut self) {
        if self.calm {
            return;
        }
        let cards: Vec<u64> = (0..self.checker.people.count()).map(|holder| self.checker.people.card(holder)).collect();
        let Some(rogue) = self.rogue.as_mut() else { return };
        let card = rogue.card(&cards);
        let message = match rogue.rng.below(10) {
            0 => ToPlatform::TapOpen { ask: 1, card, stage: Stage::Fill },
            1 => {
                let [a, b, c] = rogue.enrolment.terminal.0;
                let [d, e, f] = rogue.rng.bytes();
                let init = LoadInit {
                    amount: 100_000,
                    terminal: [a, b, c, d, e, f],
                    old_balance: 0,
                    n: 0,
                    key_version: 1,
                    algorithm: 0,
                    random: rogue.rng.bytes(),
                    mac1: rogue.rng.bytes(),
                };
                ToPlatform::TapBegin { ask: 1, card, init, proofs: Vec::new() }
            }
            2 | 3 => {
                let k = u32::try_from(rogue.rng.between(1, 12)).unwrap_or(1);
                ToPlatform::TapConfirm { ask: 1, card, k, tac: rogue.rng.bytes() }
            }
            _ => {
                let record = rogue.record(&cards);
                let again = rogue.seq > 0 && rogue.rng.chance(20);
                if !again {
                    rogue.seq += 1;
                }
                ToPlatform::Journal { seq: rogue.seq, record }
            }
        };
        self.counters.add(match &message {
            ToPlatform::Journal { record: Record::Sale(_), .. } => "rogue: forged sale",
            ToPlatform::TapBegin { .. } | ToPlatform::TapConfirm { .. } => "rogue: forged tap",
            _ => "rogue: other message",
        });
        self.note(Who { holder: self.checker.people.holder_of_card(card), till: None }, || {
            format!("rogue: {message:?}")
        });
        if let (Some(live), Some(rogue)) = (self.server.live.as_mut(), self.rogue.as_ref()) {
            let (school, enrolment, stopped) = (live.school.clone(), rogue.enrolment.clone(), rogue.stopped);
            let asked = message.clone();
            let heard = match (self.plant, message) {
                (Some(Plant::P67), ToPlatform::Journal { seq, record }) => {
                    ToPlatform::Journal { seq, record: rogue.told.get(&seq).copied().unwrap_or(record) }
                }
                (_, message) => message,
            };
            live.spawn(async move {
                let answers = terminal_link::answer(&school, &enrolment, heard).await;
                Said::Rogue { asked, stopped, answers }
            });
        }
        self.run_server();
        self.plan_rogue();
    }

    /// Another record under a number that was answered stops the terminal, and it stays stopped (I5, M19).
    fn rogue_is_stopped(&mut self, asked: &ToPlatform, stopped: bool, answer: &ToTerminal) {
        let (ToPlatform::Journal { seq, record }, ToTerminal::Answered(Marked { answer, .. })) = (asked, answer) else {
            return;
        };
        let Some(rogue) = self.rogue.as_mut() else { return };
        let quarantined = *answer == Answer::Quarantined;
        rogue.stopped |= quarantined;
        let before = rogue.told.get(seq).copied();
        let other = before.is_some_and(|before| before != *record);
        let asks = matches!(record, Record::Authorise { .. });
        if before.is_none() && !quarantined {
            rogue.told.insert(*seq, *record);
        }
        self.checker.findings.demand(quarantined || !(other || stopped && asks && before.is_none()), "I5", Who::NOBODY, || {
            format!("{record:?} under number {seq} was answered {answer:?}; stopped before: {stopped}, there before: {before:?}")
        });
    }

    /// The platform answers it. `stopped`: it had been told before that it is quarantined.
    pub(crate) fn rogue_answered(&mut self, asked: &ToPlatform, stopped: bool, answers: &[ToTerminal]) {
        for answer in answers {
            self.rogue_is_stopped(asked, stopped, answer);
            let granted = match answer {
                ToTerminal::TapRelease { .. } | ToTerminal::TapDone { .. } => true,
                ToTerminal::Answered(Marked { answer, .. }) => {
                    if *answer == Answer::Quarantined {
                        self.counters.add("rogue: number used twice");
                    }
                    matches!(answer, Answer::Paid { .. } | Answer::PayFromPurse { .. })
                }
                _ => false,
            };
            self.checker
                .findings
                .demand(!granted, "I8", Who::NOBODY, || format!("a terminal without a card was granted {answer:?}"));
        }
    }
}
