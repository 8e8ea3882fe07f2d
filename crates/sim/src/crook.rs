//! A holder who had his card copied and uses both copies at two terminals of accomplices: they say what the copies say, in
//! whatever order is best for them, twice, and late. Both terminals are enrolled and have purchase modules; so every proof
//! is a real one.

use card::chip::Chip;
use card::files::CardNumber;
use card::psam::{Psam, PurchaseRequest, SoftPsam};
use card::session::{Kind, Stamp as CardStamp};
use card::terminal::{self, DebitAnswer, LoadAnswer, ProveAnswer, PurchaseAnswer};
use flows::rows::Enrolment;
use flows::terminal_link;
use ledger::Micros;
use link::{Answer, DebitEvidence, LoadInit, Marked, Proof, PurseSale, Record, Stage, Stamp, ToPlatform, ToTerminal};
use rules::calendar::card_stamp;

use crate::checker::Sum;
use crate::notes::Who;
use crate::ports::{KEY_VERSION, START, masters};
use crate::rng::Rng;
use crate::server::Said;
use crate::world::{Event, World};

const SECOND: i64 = 1_000_000;
/// How many old messages may come again.
const MEMORY: usize = 12;

/// How far a copy got in a hold.
#[derive(Clone, Debug)]
enum At {
    Away,
    /// It was asked something and waits.
    Waits,
    Nonce {
        nonce: [u8; 3],
        amount: u32,
        prove: Vec<u16>,
    },
    Release {
        k: u32,
        stamp: Stamp,
        mac2: [u8; 4],
    },
    Took {
        k: u32,
        tac: [u8; 4],
    },
    Held {
        hold: [u8; 16],
    },
    Told {
        asked: u64,
        amount: u32,
    },
}

/// A copy of the card, with the terminal where it is used.
struct Copy {
    chip: Chip,
    module: SoftPsam,
    enrolment: Enrolment,
    at: At,
    seq: u64,
    /// Records that were not answered.
    unanswered: Vec<(u64, Record)>,
    /// Debits that were sent without a proof, with the proof.
    unproved: Vec<(u64, [u8; 4])>,
    old: Vec<ToPlatform>,
}

/// The holder, once he has two cards.
pub(crate) struct Crook {
    pub(crate) holder: usize,
    copies: Vec<Copy>,
    /// When the second copy is made.
    copies_at: Option<i64>,
    rng: Rng,
}

impl Crook {
    pub(crate) fn new(holder: usize, chip: &Chip, tills: Vec<Enrolment>, (seed, days): (u64, u32)) -> Crook {
        let mut rng = Rng::fork(seed, "crook", 0);
        let copies_at = Some(rng.between(0, i64::from(days) * 16 * 3600 * SECOND));
        let copy = |enrolment: Enrolment| {
            let keys = [(KEY_VERSION, masters().purchase)].into();
            let module = SoftPsam::new(enrolment.terminal.with([0; 3]), keys);
            let (unanswered, unproved, old) = (Vec::new(), Vec::new(), Vec::new());
            Copy { chip: chip.clone(), module, enrolment, at: At::Away, seq: 0, unanswered, unproved, old }
        };
        Crook { holder, copies: tills.into_iter().map(copy).collect(), copies_at, rng }
    }
}

impl Copy {
    fn card(&self) -> u64 {
        self.chip.card().0
    }

    fn record(&mut self, record: Record) -> ToPlatform {
        self.seq += 1;
        self.unanswered.push((self.seq, record));
        ToPlatform::Journal { seq: self.seq, record }
    }

    /// What it says next, if anything.
    fn says(&mut self, now: Micros, rng: &mut Rng) -> Option<ToPlatform> {
        let card = self.card();
        match std::mem::replace(&mut self.at, At::Waits) {
            At::Waits if rng.chance(700) => None,
            // Nothing came for long: the card is held again.
            At::Waits | At::Away => {
                let stage = if rng.chance(300) { Stage::Fill } else { Stage::Load };
                Some(ToPlatform::TapOpen { ask: 1, card, stage })
            }
            At::Nonce { nonce, amount, prove } => self.shows(nonce, amount, &prove, rng),
            At::Release { k, stamp, mac2 } => {
                let stamp = CardStamp { date: stamp.date, time: stamp.time };
                let answer = self.chip.process(&terminal::credit_load(stamp, mac2), &mut || rng.bytes());
                self.at = terminal::parse_credit(&answer).map_or(At::Away, |tac| At::Took { k, tac });
                None
            }
            At::Took { k, tac } => Some(ToPlatform::TapConfirm { ask: 1, card, k, tac }),
            At::Held { hold } => {
                let amount = rng.pick(&[300, 800, 1200, 2500]).unwrap_or(300);
                let not_after = now.after_seconds(5).get();
                Some(self.record(Record::Authorise { card, hold, amount, not_after }))
            }
            At::Told { asked, amount } => {
                self.at = At::Away;
                let sale = self.debit(amount, asked, now, rng)?;
                let torn = rng.chance(250);
                if let (true, DebitEvidence::Tac(tac)) = (torn, sale.evidence) {
                    self.unproved.push((self.seq + 1, tac));
                }
                let evidence = if torn { DebitEvidence::Unconfirmed } else { sale.evidence };
                Some(self.record(Record::Sale(PurseSale { evidence, ..sale })))
            }
        }
    }

    fn shows(&mut self, nonce: [u8; 3], amount: u32, prove: &[u16], rng: &mut Rng) -> Option<ToPlatform> {
        self.at = At::Away;
        self.chip.power_off();
        self.chip.process(&terminal::select_purse(), &mut || rng.bytes());
        let mut proofs = Vec::new();
        for m in prove {
            let answer = self.chip.process(&terminal::prove(Kind::Purchase, m.wrapping_add(1)), &mut || rng.bytes());
            proofs.extend(ProveAnswer::parse(&answer).ok().map(|proof| Proof { m: *m, tac: proof.tac }));
        }
        let terminal = self.enrolment.terminal.with(nonce);
        let answer = self.chip.process(&terminal::init_load(amount, terminal), &mut || rng.bytes());
        let answer = LoadAnswer::parse(&answer).ok()?;
        let init = LoadInit {
            amount,
            terminal,
            old_balance: answer.old_balance,
            n: answer.n,
            key_version: answer.key_version,
            algorithm: answer.algorithm,
            random: answer.random,
            mac1: answer.mac1,
        };
        self.at = At::Waits;
        Some(ToPlatform::TapBegin { ask: 1, card: self.card(), init, proofs })
    }

    fn debit(&mut self, amount: u32, asked: u64, now: Micros, rng: &mut Rng) -> Option<PurseSale> {
        let terminal = self.enrolment.terminal.with([0; 3]);
        self.chip.process(&terminal::select_purse(), &mut || rng.bytes());
        let opened = self.chip.process(&terminal::init_purchase(amount, terminal), &mut || rng.bytes());
        let opened = PurchaseAnswer::parse(&opened).ok()?;
        let (date, time) = card_stamp(now);
        let stamp = CardStamp { date, time };
        let request = PurchaseRequest {
            card: CardNumber(self.card()),
            random: opened.random,
            m: opened.m,
            amount,
            kind: Kind::Purchase,
            stamp,
            key_version: opened.key_version,
            algorithm: opened.algorithm,
        };
        let grant = self.module.begin_purchase(&request).ok()?;
        let answer = self.chip.process(&terminal::debit(grant.tsn, stamp, grant.mac1), &mut || rng.bytes());
        let answer = DebitAnswer::parse(&answer).ok()?;
        Some(PurseSale {
            card: self.card(),
            authorised_by: Some(asked),
            amount,
            old_balance: opened.old_balance,
            m: opened.m,
            terminal,
            tsn: grant.tsn,
            stamp: Stamp { date, time },
            key_version: opened.key_version,
            algorithm: opened.algorithm,
            evidence: DebitEvidence::Tac(answer.tac),
        })
    }

    /// It hears what the platform says to what it said last.
    fn hears(&mut self, asked: &ToPlatform, answer: &ToTerminal) {
        match (asked, answer) {
            (_, ToTerminal::TapNonce { nonce, amount, prove, .. }) => {
                self.at = At::Nonce { nonce: *nonce, amount: *amount, prove: prove.clone() };
            }
            (_, ToTerminal::TapAgain { nonce, amount, .. }) => {
                self.at = At::Nonce { nonce: *nonce, amount: *amount, prove: Vec::new() };
            }
            (_, ToTerminal::TapRelease { k, stamp, mac2, .. }) => {
                self.at = At::Release { k: *k, stamp: *stamp, mac2: *mac2 };
            }
            (_, ToTerminal::TapDone { hold, .. }) => self.at = At::Held { hold: *hold },
            (ToPlatform::Journal { record, .. }, ToTerminal::Answered(Marked { seq, answer })) => {
                self.unanswered.retain(|(kept, _)| kept != seq);
                self.at = match (record, answer) {
                    (Record::Authorise { .. }, Answer::PayFromPurse { amount }) => {
                        At::Told { asked: *seq, amount: *amount }
                    }
                    _ => At::Away,
                };
            }
            (_, ToTerminal::TapRefused { .. }) => self.at = At::Away,
            _ => {}
        }
    }
}

impl World {
    pub(crate) fn plan_crook(&mut self) {
        if self.faults.clone_seconds > 0 && self.crook.is_some() {
            let mean = i64::from(self.faults.clone_seconds) * SECOND;
            let next = self.net.about(mean);
            self.at(next, Event::Crook);
        }
    }

    /// Whether this holder keeps his card away from honest tills.
    pub(crate) fn is_crook(&self, holder: usize) -> bool {
        self.crook.as_ref().is_some_and(|crook| crook.holder == holder)
    }

    /// One of the copies does something.
    pub(crate) fn crook_acts(&mut self) {
        if self.calm {
            return;
        }
        self.copy_card();
        let now = Micros::new(START + self.now);
        let Some(crook) = self.crook.as_mut() else { return };
        let which = if crook.copies_at.is_some() { 0 } else { crook.rng.place(crook.copies.len()) };
        let rng = &mut crook.rng;
        let Some(copy) = crook.copies.get_mut(which) else { return };
        let released = if let At::Release { k, .. } = copy.at { k } else { 0 };
        let before = (copy.chip.loads(), copy.chip.purchases(), copy.chip.balance());
        // What is old is said again, now and then; what was not answered, too; and proofs come late.
        let old = rng.chance(60).then(|| copy.old.get(rng.place(copy.old.len())).cloned()).flatten();
        let again = rng.chance(150).then(|| copy.unanswered.first().copied()).flatten();
        let late = rng.chance(80).then(|| copy.unproved.pop()).flatten();
        let (fresh, message) = match (old, again, late) {
            (Some(old), ..) => (false, Some(old)),
            (None, Some((seq, record)), _) => (false, Some(ToPlatform::Journal { seq, record })),
            (None, None, Some((of, tac))) => (true, Some(copy.record(Record::Settle { of, tac: Some(tac) }))),
            (None, None, None) => (true, copy.says(now, rng)),
        };
        let after = (copy.chip.loads(), copy.chip.purchases());
        if after.0 != before.0 {
            self.checker.crook.took(which, released);
        }
        if after.1 != before.1 {
            let amount = Sum::from(before.2) - Sum::from(copy.chip.balance());
            self.checker.crook.debited(which, (copy.enrolment.terminal.0, copy.module.next_tsn()), amount);
        }
        if let Some(message) = message {
            if copy.old.len() >= MEMORY {
                copy.old.remove(0);
            }
            copy.old.push(message.clone());
            let twice = rng.chance(100);
            self.crook_says(which, fresh, message.clone());
            if twice {
                self.crook_says(which, false, message);
            }
            self.run_server();
        }
        self.plan_crook();
    }

    /// When its time has come, the card is copied.
    fn copy_card(&mut self) {
        let now = self.now;
        let Some(crook) = self.crook.as_mut().filter(|crook| crook.copies_at.is_some_and(|at| at <= now)) else {
            return;
        };
        if let [one, other] = &mut crook.copies[..] {
            (other.chip, crook.copies_at) = (one.chip.clone(), None);
            self.checker.crook.copied();
            self.counters.add("clone: made");
        }
    }

    fn crook_says(&mut self, which: usize, fresh: bool, message: ToPlatform) {
        let Some(crook) = self.crook.as_ref() else { return };
        let Some(copy) = crook.copies.get(which) else { return };
        let enrolment = copy.enrolment.clone();
        self.note(Who::holder(crook.holder), || format!("copy {which}: {message:?}"));
        self.counters.add(match (&message, fresh) {
            (ToPlatform::TapBegin { .. }, true) => "clone: held",
            (ToPlatform::TapBegin { .. } | ToPlatform::TapConfirm { .. }, false) => "clone: tap message again",
            (ToPlatform::Journal { record: Record::Sale(_), .. }, _) => "clone: sale",
            _ => "clone: other message",
        });
        // What the book had of the other copy when this one came: decided before it.
        let other = fresh && self.checker.crook.contradicts(which);
        let Some(live) = self.server.live.as_mut() else { return };
        let school = live.school.clone();
        live.spawn(async move {
            let answers = terminal_link::answer(&school, &enrolment, message.clone()).await;
            Said::Crook { which, fresh, other, asked: message, answers }
        });
    }

    /// The platform answers a copy.
    pub(crate) fn crook_answered(
        &mut self,
        (which, fresh, other): (usize, bool, bool),
        asked: &ToPlatform,
        answers: &[ToTerminal],
    ) {
        let Some(crook) = self.crook.as_mut() else { return };
        let who = Who::holder(crook.holder);
        for answer in answers {
            let granted = matches!(answer, ToTerminal::TapRelease { .. } | ToTerminal::TapDone { .. });
            let begins = matches!(asked, ToPlatform::TapBegin { .. });
            self.checker.findings.demand(!(granted && begins && other), "T1", who, || {
                format!("copy {which} was granted {answer:?} after the book had something of the other copy")
            });
            self.checker.crook_granted(granted && begins && fresh, who);
            if let (ToPlatform::TapConfirm { k, .. }, ToTerminal::TapDone { .. } | ToTerminal::TapAgain { .. }) =
                (asked, answer)
            {
                self.checker.crook.load_booked(which, *k);
            }
            if let (ToPlatform::Journal { record, .. }, ToTerminal::Answered(Marked { answer: Answer::Taken, .. })) =
                (asked, answer)
            {
                self.checker.crook.sale_booked(which, record);
            }
        }
        let Some(copy) = self.crook.as_mut().and_then(|crook| crook.copies.get_mut(which)) else { return };
        for answer in answers {
            if fresh || matches!(asked, ToPlatform::Journal { .. }) {
                copy.hears(asked, answer);
            }
        }
        self.note(who, || format!("copy {which} hears {answers:?}"));
    }
}
