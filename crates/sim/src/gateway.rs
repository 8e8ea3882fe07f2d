//! Terminals' connections: bytes on their way, and the platform's end of them, served as the product serves them, message by
//! message in order. What was on its way when a connection broke may still arrive.

use std::collections::{BTreeMap, VecDeque};

use flows::nonces::{Known, Nonce, PROOFS_AT_ONCE};
use flows::rows::{Enrolment, Key, Row};
use flows::{School, tap_load, terminal, terminal_link};
use link::{Answer, DebitEvidence, LoadInit, Marked, PurseSale, Record, ToPlatform, ToTerminal, VERSION};
use rules::chart;
use rules::ids::{CardNo, EnrolmentId};
use rules::load::Stage;

use crate::notes::Who;
use crate::plant::{IMPATIENCE, NO_TAC, Plant};
use crate::server::Said;
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;

/// The platform's end of all connections; dies with the process.
#[derive(Default)]
pub(crate) struct Gateway {
    conns: BTreeMap<u64, Conn>,
    /// The two newest nonces of each card, for the planted bug that accepts both.
    nonces: BTreeMap<u64, Vec<[u8; 3]>>,
    /// Highest number of each enrolment, for the planted bug that acknowledges it.
    highest: BTreeMap<EnrolmentId, u64>,
}

struct Conn {
    enrolment: Enrolment,
    greeted: bool,
    queue: VecDeque<ToPlatform>,
    busy: bool,
}

/// A connection between two ends.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) till: usize,
    up_last: i64,
    down_last: i64,
    /// Nothing gets through any more, and nobody has noticed.
    hung: bool,
    /// The terminal knows that it is gone.
    cut: bool,
}

impl World {
    /// A terminal connects.
    pub(crate) fn connect(&mut self, till: usize) {
        self.last_conn += 1;
        let conn = self.last_conn;
        let Some(certificate) = self.tills.get(till).map(|till| till.certificate) else { return };
        let pipe = Pipe { till, up_last: 0, down_last: 0, hung: false, cut: false };
        let Some(live) = self.server.live.as_mut() else {
            self.link_refused(till);
            return;
        };
        self.pipes.insert(conn, pipe);
        let school = live.school.clone();
        live.spawn(async move {
            let enrolment = terminal::by_certificate(&school, certificate).await.ok().flatten().map(Box::new);
            Said::Connected { conn, enrolment }
        });
        self.run_server();
    }

    pub(crate) fn connected(&mut self, conn: u64, enrolment: Option<Box<Enrolment>>) {
        let Some(till) = self.pipes.get(&conn).map(|pipe| pipe.till) else { return };
        let (Some(enrolment), Some(live)) = (enrolment, self.server.live.as_mut()) else {
            self.pipes.remove(&conn);
            self.link_refused(till);
            return;
        };
        let fresh = Conn { enrolment: *enrolment, greeted: false, queue: VecDeque::new(), busy: false };
        live.gateway.conns.insert(conn, fresh);
        self.at(30_000, Event::LinkUp { till, conn });
        if self.faults.cut_seconds > 0 {
            let mean = i64::from(self.faults.cut_seconds) * SECOND;
            let cut = self.net.about(mean);
            self.at(cut, Event::LinkCut { conn, counted: true });
        }
    }

    /// The process died: its connections break, and each terminal notices in its own time.
    pub(crate) fn connections_die(&mut self) {
        let alive: Vec<u64> = self.pipes.iter().filter(|(_, pipe)| !pipe.cut).map(|(conn, _)| *conn).collect();
        for conn in alive {
            let noticed = if conn % 2 == 0 { 50_000 } else { self.net.noticed_after() };
            self.at(noticed, Event::LinkCut { conn, counted: false });
        }
    }

    /// A connection is gone, as far as its terminal sees.
    pub(crate) fn cut(&mut self, conn: u64, counted: bool) {
        let Some(pipe) = self.pipes.get_mut(&conn).filter(|pipe| !pipe.cut) else { return };
        pipe.cut = true;
        let till = pipe.till;
        if counted {
            self.counters.add("network: connection cut");
        }
        self.link_down(till, conn);
        // What is on its way may still arrive; the record of it is dropped when that is over.
        self.at(3600 * SECOND, Event::Forget { conn });
    }

    /// Nobody speaks of this connection any more.
    pub(crate) fn forget_connection(&mut self, conn: u64) {
        self.pipes.remove(&conn);
        if let Some(live) = self.server.live.as_mut() {
            live.gateway.conns.remove(&conn);
        }
    }

    /// A frame leaves a terminal.
    pub(crate) fn send_up(&mut self, conn: u64, message: &ToPlatform) {
        let Ok(bytes) = link::encode(message) else { return };
        let Some(pipe) = self.pipes.get_mut(&conn).filter(|pipe| !pipe.cut && !pipe.hung) else { return };
        let fate = self.net.frame(bytes.len(), &self.faults, &mut self.counters);
        let arrival = (self.now + fate.delay).max(pipe.up_last + 1);
        pipe.up_last = arrival;
        pipe.hung = fate.lost;
        if let Some(after) = fate.again {
            self.at(after, Event::Frame { conn, bytes: bytes.clone(), stray: true });
        }
        if fate.lost {
            self.hangs(conn);
            return;
        }
        let bytes = corrupted(bytes, fate.corrupt);
        let event = match fate.corrupt {
            // The line's own protection sees it and breaks the connection.
            Some(_) => Event::Garbled { conn, bytes, up: true },
            None => Event::Frame { conn, bytes, stray: false },
        };
        self.plan_at(arrival, event);
    }

    /// A frame leaves the platform.
    fn send_down(&mut self, conn: u64, message: &ToTerminal, stray: bool) {
        let Ok(bytes) = link::encode(message) else { return };
        let Some(pipe) = self.pipes.get_mut(&conn).filter(|pipe| !pipe.cut && !pipe.hung) else { return };
        let till = pipe.till;
        let fate = self.net.frame(bytes.len(), &self.faults, &mut self.counters);
        let mut arrival = self.now + fate.delay;
        if stray {
            self.counters.add("network: overtaken");
        } else {
            arrival = arrival.max(pipe.down_last + 1);
            pipe.down_last = arrival;
        }
        pipe.hung = fate.lost;
        if let Some(after) = fate.again {
            self.at(after, Event::FrameBack { till, conn, bytes: bytes.clone() });
        }
        if fate.lost {
            self.hangs(conn);
            return;
        }
        let bytes = corrupted(bytes, fate.corrupt);
        let event = match fate.corrupt {
            Some(_) => Event::Garbled { conn, bytes, up: false },
            None => Event::FrameBack { till, conn, bytes },
        };
        self.plan_at(arrival, event);
    }

    /// Nothing gets through any more; some time later somebody notices.
    fn hangs(&mut self, conn: u64) {
        let noticed = self.net.noticed_after();
        self.at(noticed, Event::LinkCut { conn, counted: false });
    }

    /// Whether a terminal may use this connection.
    pub(crate) fn pipe_open(&self, conn: u64) -> bool {
        self.pipes.get(&conn).is_some_and(|pipe| !pipe.cut)
    }

    /// A terminal drops a connection without a word.
    pub(crate) fn abandon(&mut self, conn: u64) {
        if let Some(pipe) = self.pipes.get_mut(&conn) {
            pipe.cut = true;
            self.at(3600 * SECOND, Event::Forget { conn });
        }
    }

    /// Bytes that are not what was sent: they are read all the same, to see that nothing breaks, and the line is cut.
    pub(crate) fn garbled(&mut self, conn: u64, bytes: &[u8], up: bool) {
        self.digest.number(if up {
            u64::from(link::decode::<ToPlatform>(bytes).is_ok())
        } else {
            u64::from(link::decode::<ToTerminal>(bytes).is_ok())
        });
        self.cut(conn, false);
    }

    /// A frame arrives at the platform.
    pub(crate) fn frame(&mut self, conn: u64, bytes: &[u8], stray: bool) {
        let Some(live) = self.server.live.as_mut() else { return };
        let Some(open) = live.gateway.conns.get_mut(&conn) else { return };
        let Ok(message) = link::decode::<ToPlatform>(bytes) else { return };
        let hello = matches!(message, ToPlatform::Hello { version: VERSION, .. });
        if stray {
            if !hello {
                self.serve(conn, message, true);
            }
            return;
        }
        if hello == open.greeted {
            self.cut(conn, false);
            return;
        }
        open.greeted = true;
        open.queue.push_back(message);
        self.serve_next(conn);
    }

    fn serve_next(&mut self, conn: u64) {
        let Some(live) = self.server.live.as_mut() else { return };
        let Some(open) = live.gateway.conns.get_mut(&conn).filter(|open| !open.busy) else { return };
        let Some(message) = open.queue.pop_front() else { return };
        open.busy = true;
        self.serve(conn, message, false);
    }

    fn serve(&mut self, conn: u64, message: ToPlatform, stray: bool) {
        if let ToPlatform::TapConfirm { card, k, .. } = &message {
            self.checker.loads.confirming(*card, *k);
        }
        let plant = self.plant;
        let at = self.server.live.as_ref().and_then(|live| live.gateway.conns.get(&conn));
        let Some(mut enrolment) = at.map(|open| open.enrolment.clone()) else { return };
        let old = self.as_of_old_device(enrolment.id, &message);
        let Some(live) = self.server.live.as_mut() else { return };
        let believed = match (&message, plant) {
            (ToPlatform::TapBegin { .. }, Some(Plant::P26)) => true,
            (ToPlatform::TapBegin { card, init, .. }, Some(Plant::P27)) => {
                let nonce = nonce_of(init.terminal);
                live.gateway.nonces.get(card).is_some_and(|last| last.contains(&nonce))
            }
            _ => false,
        };
        let school = live.school.clone();
        let asked = message.clone();
        let mut told = planted_message(plant, message);
        if let (Some((before, record)), ToPlatform::Journal { seq, .. }) = (old, &told) {
            enrolment.id = before;
            told = ToPlatform::Journal { seq: *seq, record };
        }
        live.spawn(async move {
            if let (true, ToPlatform::TapBegin { card, init, .. }) = (believed, &told) {
                believe(&school, enrolment.id, *card, init).await;
            }
            let answers = terminal_link::answer(&school, &enrolment, told).await;
            Said::Terminal { conn, stray, asked, answers }
        });
        self.run_server();
    }

    /// The platform has answered a message of a terminal.
    pub(crate) fn terminal_answered(&mut self, conn: u64, stray: bool, asked: ToPlatform, answers: Vec<ToTerminal>) {
        let till = self.pipes.get(&conn).map(|pipe| pipe.till);
        for mut answer in answers {
            self.check_answer(conn, &asked, &answer);
            self.planted_answer(conn, &asked, &mut answer);
            let who = Who { holder: self.holder_asked(&asked), till };
            self.note(who, || format!("platform answers {asked:?}: {answer:?}"));
            self.send_down(conn, &answer, stray);
        }
        if !stray {
            if let Some(open) = self.server.live.as_mut().and_then(|live| live.gateway.conns.get_mut(&conn)) {
                open.busy = false;
            }
            self.serve_next(conn);
        }
    }

    fn holder_asked(&self, asked: &ToPlatform) -> Option<usize> {
        let card = match asked {
            ToPlatform::TapOpen { card, .. }
            | ToPlatform::TapBegin { card, .. }
            | ToPlatform::TapConfirm { card, .. }
            | ToPlatform::Journal { record: Record::Authorise { card, .. }, .. } => *card,
            ToPlatform::Journal { record: Record::Sale(sale), .. } => sale.card,
            _ => return None,
        };
        self.checker.people.holder_of_card(card)
    }

    /// What leaves the platform must be durable, and the same record has one answer.
    fn check_answer(&mut self, conn: u64, asked: &ToPlatform, answer: &ToTerminal) {
        let Some(live) = self.server.live.as_ref() else { return };
        let Some(enrolment) = live.gateway.conns.get(&conn).map(|open| open.enrolment.id) else { return };
        let who = self.pipes.get(&conn).map_or(Who::NOBODY, |pipe| Who::till(pipe.till));
        let checker = &mut self.checker;
        let findings = &mut checker.findings;
        match (answer, asked) {
            (ToTerminal::Answered(Marked { seq, answer }), ToPlatform::Journal { record, .. }) => {
                let (Ok(record), Ok(answer)) = (link::encode(record), link::encode(answer)) else { return };
                let again = checker.sales.answered((enrolment.0.get(), *seq), record, answer, who, findings);
                if again {
                    self.counters.add("record: answered again");
                }
            }
            (ToTerminal::Acknowledged { through } | ToTerminal::Welcome { acknowledged: through, .. }, _) => {
                checker.sales.acknowledged(enrolment.0.get(), *through, who, findings);
            }
            (ToTerminal::TapRelease { k, amount, .. }, ToPlatform::TapBegin { card, .. }) => {
                checker.loads.released(*card, *k, i128::from(*amount), &checker.people, findings);
            }
            _ => {}
        }
        if let (ToTerminal::Answered(Marked { answer: Answer::Refused { words, .. }, .. }), _) = (answer, asked) {
            match words.code.as_str() {
                "BALANCE_LOW" => self.counters.add("sale: not enough money"),
                "SALE_CALLED_OFF" => self.counters.add("record: reversed before it arrived"),
                "SALE_TOO_LATE" => self.counters.add("sale: asked too late"),
                "TAP_AGAIN" => self.counters.add("sale: hold is over"),
                _ => self.counters.add("sale: refused otherwise"),
            }
        }
    }

    /// Planted bugs in what the platform says.
    fn planted_answer(&mut self, conn: u64, asked: &ToPlatform, answer: &mut ToTerminal) {
        let Some(live) = self.server.live.as_mut() else { return };
        let gateway = &mut live.gateway;
        let Some(enrolment) = gateway.conns.get(&conn).map(|open| open.enrolment.id) else { return };
        match (self.plant, asked, answer) {
            (
                Some(Plant::P27),
                ToPlatform::TapOpen { card, .. }
                | ToPlatform::TapBegin { card, .. }
                | ToPlatform::TapConfirm { card, .. },
                ToTerminal::TapNonce { nonce, .. } | ToTerminal::TapAgain { nonce, .. },
            ) => {
                let last = gateway.nonces.entry(*card).or_default();
                last.push(*nonce);
                let old = last.len().saturating_sub(2);
                last.drain(..old);
            }
            (Some(Plant::P35), _, ToTerminal::Welcome { last_seq, acknowledged, .. }) => *acknowledged = *last_seq,
            (
                Some(Plant::P79),
                _,
                ToTerminal::Welcome { acknowledged: through, .. } | ToTerminal::Acknowledged { through },
            ) => {
                let before = self.server.acknowledged.entry(enrolment).or_default();
                *before = (*before).max(*through);
                *through = *before;
            }
            (Some(Plant::P35), ToPlatform::Journal { seq, .. }, ToTerminal::Acknowledged { through }) => {
                let highest = gateway.highest.entry(enrolment).or_default();
                *highest = (*highest).max(*seq).max(*through);
                *through = *highest;
            }
            (
                Some(Plant::P63),
                ToPlatform::Journal { record: Record::Authorise { amount, .. }, .. },
                ToTerminal::Answered(Marked { answer: answer @ Answer::Paid { .. }, .. }),
            ) => *answer = Answer::PayFromPurse { amount: *amount },
            (Some(Plant::P24), ToPlatform::TapBegin { card, .. }, ToTerminal::TapRelease { k, .. }) => {
                let event = Event::GiveUp { boot: self.server.boot, card: *card, k: *k, enrolment };
                self.at(IMPATIENCE * SECOND, event);
            }
            _ => {}
        }
    }

    /// The planted bug decides by the clock that a load was applied.
    pub(crate) fn give_up_load(&mut self, boot: u64, card: u64, k: u32, enrolment: EnrolmentId) {
        if boot != self.server.boot {
            return;
        }
        let Some(live) = self.server.live.as_mut() else { return };
        let school = live.school.clone();
        live.spawn(async move {
            let _ = tap_load::confirm(&school, enrolment, CardNo(card), k, NO_TAC).await;
            Said::Nothing
        });
        self.run_server();
    }
}

fn corrupted(mut bytes: Vec<u8>, flip: Option<(usize, u8)>) -> Vec<u8> {
    if let Some((place, flip)) = flip
        && let Some(byte) = bytes.get_mut(place)
    {
        *byte ^= flip;
    }
    bytes
}

const fn nonce_of(terminal: [u8; 6]) -> [u8; 3] {
    let [_, _, _, a, b, c] = terminal;
    [a, b, c]
}

/// The planted bug takes a dead nonce for a live one.
async fn believe(school: &School, enrolment: EnrolmentId, card: u64, init: &LoadInit) {
    let card = CardNo(card);
    let row = school.row(&Key::Card(card)).await.ok().flatten();
    let Some(row) = row.as_ref().and_then(Row::card) else { return };
    // Only where it does harm at once: another counter would raise the alarm, which is no loss.
    if row.released.is_some() && row.n == init.n {
        let (bytes, at) = (nonce_of(init.terminal), school.now());
        let [on_card, suspense] =
            [chart::on_card(card), chart::suspense_card(card)].map(|account| school.balance(&account));
        let known = Known::of(row, on_card, suspense);
        let (stage, asked) = (Stage::Load, [None; PROOFS_AT_ONCE]);
        school.nonces.issue(card, Nonce { bytes, enrolment, known, stage, at, asked });
    }
}

/// Planted bugs in what the platform hears.
fn planted_message(plant: Option<Plant>, message: ToPlatform) -> ToPlatform {
    let message = match (plant, message) {
        (Some(Plant::P83), ToPlatform::Paid { seq, record }) => ToPlatform::Journal { seq, record },
        (_, message) => message,
    };
    let ToPlatform::Journal { seq, record } = message else { return message };
    let record = match (plant, record) {
        (Some(Plant::P39), Record::Sale(sale)) if sale.evidence == DebitEvidence::Unconfirmed => {
            Record::Sale(PurseSale { evidence: DebitEvidence::Tac(NO_TAC), ..sale })
        }
        (Some(Plant::P61), Record::Reverse { .. }) => Record::Gap { tsn: u32::MAX },
        (Some(Plant::P86), Record::Authorise { card, hold, amount, not_after }) => {
            Record::Authorise { card, hold, amount: amount.div_ceil(2), not_after }
        }
        (Some(Plant::P62), Record::Authorise { card, hold, amount, .. }) => {
            Record::Authorise { card, hold, amount, not_after: i64::MAX }
        }
        (_, record) => record,
    };
    ToPlatform::Journal { seq, record }
}
