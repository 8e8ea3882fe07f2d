//! What a terminal may not lose: authorisations, reversals, purse debits (R81; M3, M13, M16 to M19).
//!
//! Every record is keyed (enrolment, sequence) for ever and answered once: the same record again gets the stored answer,
//! another record under the same number stops the terminal.

use ledger::{Fen, Id, Micros, Stage as Leg};
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::card::Card;
use rules::case;
use rules::chart::{self, Reason};
use rules::ids::{CardNo, EnrolmentId};
use rules::load::Verdict;
use rules::purchase::{self, AskFacts, Debit, DebitFacts, Evidence, Odd, Payment, Refusal, Reversal, Sale, State};
use rules::words::Words;
use teller::{Command, Desk, Halt, NotLoaded, Rejected, Seen};

use crate::desk::limits;
use crate::nonces::Known;
use crate::rows::{Campus, Enrolment, Key, RecordNote, Row};
use crate::tap_load::{port_debit, post};
use crate::{ReadFault, School, by_balance, debit, epoch, resent};

/// A record with everything about it that could be checked outside the teller.
struct Take {
    enrolment: EnrolmentId,
    seq: u64,
    hash: [u8; 32],
    record: Record,
    hold_live: bool,
    evidence: Evidence,
    /// The terminal says that this authorisation was answered as paid before.
    paid_before: bool,
}

/// The answer to a record, encoded, and what the record changed.
struct Taken {
    answer: Vec<u8>,
    /// Of its card: what the book had before and has now.
    moved: Option<(CardNo, [Known; 2])>,
}

/// Nobody enrolled that terminal.
pub(crate) struct NotEnrolled;

pub(crate) type Stop = Halt<Campus, NotEnrolled>;

impl Command<Campus> for Take {
    type Answer = Taken;
    type Refusal = NotEnrolled;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Enrolment(self.enrolment), Key::Record(self.enrolment, self.seq)];
        match &self.record {
            Record::Authorise { card, .. } => keys.extend(card_keys(seen, CardNo(*card))),
            Record::Reverse { of } => keys.extend(self.earlier(seen, *of)),
            Record::Sale(sale) => {
                keys.extend(card_keys(seen, CardNo(sale.card)));
                keys.extend(debit::needs(seen, self.enrolment, CardNo(sale.card), &debit::of(sale)));
                if let Some(of) = sale.authorised_by {
                    keys.extend(self.earlier(seen, of));
                }
            }
            Record::Settle { of, .. } => keys.extend(self.earlier(seen, *of)),
            Record::Gap { .. } => {}
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Taken, Stop> {
        let card = self.card(desk)?;
        let before = known(desk, card)?;
        let answer = self.answer(desk)?;
        let moved = card.zip(before.zip(known(desk, card)?)).map(|(card, (before, now))| (card, [before, now]));
        Ok(Taken { answer, moved })
    }
}

/// What the book has of a card that it knows.
fn known(desk: &Desk<'_, Campus>, card: Option<CardNo>) -> Result<Option<Known>, NotLoaded<Key>> {
    let Some(no) = card else { return Ok(None) };
    Ok(desk.get(&Key::Card(no))?.and_then(Row::card).map(|card| Known::on(desk, card)))
}

impl Take {
    /// The card that the record is about.
    fn card(&self, desk: &Desk<'_, Campus>) -> Result<Option<CardNo>, NotLoaded<Key>> {
        Ok(match &self.record {
            Record::Authorise { card, .. } => Some(CardNo(*card)),
            Record::Sale(sale) => Some(CardNo(sale.card)),
            Record::Reverse { of } | Record::Settle { of, .. } => self.sale_behind(desk, *of)?.map(|sale| sale.card),
            Record::Gap { .. } => None,
        })
    }

    fn answer(&self, desk: &mut Desk<'_, Campus>) -> Result<Vec<u8>, Stop> {
        let enrolment = desk.get(&Key::Enrolment(self.enrolment))?.and_then(Row::enrolment).cloned();
        let Some(mut enrolment) = enrolment else { return Err(Halt::Refuse(NotEnrolled)) };
        let key = Key::Record(self.enrolment, self.seq);
        if let Some(mut note) = desk.get(&key)?.and_then(Row::record).cloned() {
            if note.hash == self.hash {
                return Ok(note.answer);
            }
            if note.hash == TOMBSTONE && matches!(self.record, Record::Authorise { .. }) {
                note.hash = self.hash;
                desk.put(key, Row::Record(note.clone()))?;
                return Ok(note.answer);
            }
            let why = format!("another record under number {}", self.seq);
            return self.quarantine(desk, enrolment, &why);
        }
        // What already happened there is still taken, and what was answered keeps its answer (M3); new sales are not taken.
        let stopped = enrolment.quarantined || enrolment.replaced;
        let forgotten = self.forgotten(desk)?;
        if stopped && !forgotten && matches!(self.record, Record::Authorise { .. }) {
            return coded(&Answer::Quarantined);
        }
        // A terminal has debits of its own alone: a record that was taken from another one is never its own (T9).
        if let Record::Sale(told) = &self.record
            && !told.terminal.starts_with(&enrolment.terminal.0)
        {
            let why = format!("a record of another terminal under number {}", self.seq);
            return self.quarantine(desk, enrolment, &why);
        }
        let (answer, sale) = match &self.record {
            Record::Authorise { card, amount, .. } if forgotten => {
                resent::paid(desk, &enrolment, self.seq, CardNo(*card), *amount)?
            }
            Record::Authorise { card, amount, not_after, .. } => {
                self.authorise(desk, &enrolment, CardNo(*card), *amount, Micros::new(*not_after))?
            }
            Record::Reverse { of } => self.reverse(desk, &mut enrolment, *of)?,
            Record::Sale(debit) => self.debit(desk, &enrolment, debit)?,
            Record::Settle { of, tac } => self.late_proof(desk, *of, tac.is_some())?,
            Record::Gap { .. } => (Answer::Taken, None),
        };
        let answer = coded(&answer)?;
        enrolment.came(self.seq);
        desk.put(key, Row::Record(RecordNote { hash: self.hash, answer: answer.clone(), sale }))?;
        desk.put(Key::Enrolment(self.enrolment), Row::Enrolment(Box::new(enrolment)))?;
        Ok(answer)
    }
}

/// Hash of a record that was reversed before it arrived.
const TOMBSTONE: [u8; 32] = [0; 32];

fn coded(answer: &Answer) -> Result<Vec<u8>, Stop> {
    link::encode(answer).map_err(|fault| Halt::Broken(fault.to_string()))
}

fn card_keys(seen: &Seen<'_, Campus>, no: CardNo) -> Vec<Key> {
    let mut keys = vec![Key::Card(no), Key::Settings];
    keys.extend(epoch::needs(seen, no));
    let open = seen.row(&Key::Card(no)).and_then(Row::card).map(|card| card.unconfirmed.clone());
    keys.extend(open.unwrap_or_default().into_iter().map(Key::Sale));
    keys
}

fn line_words(words: Words) -> link::Words {
    link::Words { code: words.code.to_owned(), zh: words.zh, en: words.en }
}

impl Take {
    /// An earlier record of this terminal, the sale behind it, and what settling that sale touches.
    fn earlier(&self, seen: &Seen<'_, Campus>, of: u64) -> Vec<Key> {
        let mut keys = vec![Key::Record(self.enrolment, of)];
        let note = seen.row(&Key::Record(self.enrolment, of)).and_then(Row::record);
        if let Some(id) = note.and_then(|note| note.sale) {
            keys.push(Key::Sale(id));
            if let Some(sale) = seen.row(&Key::Sale(id)).and_then(Row::sale) {
                keys.extend([Key::Card(sale.card), Key::Settings]);
                if let State::Untold(case) = sale.state {
                    keys.push(Key::Case(case));
                }
                let (from, card) = (sale.asked_by.0, sale.card);
                keys.extend(sale.debit.iter().flat_map(|debit| debit::needs(seen, from, card, debit)));
                keys.extend(epoch::needs(seen, sale.card));
            }
        }
        keys
    }

    fn sale_behind(&self, desk: &Desk<'_, Campus>, of: u64) -> Result<Option<Sale>, NotLoaded<Key>> {
        let note = desk.get(&Key::Record(self.enrolment, of))?.and_then(Row::record);
        match note.and_then(|note| note.sale) {
            Some(id) => Ok(desk.get(&Key::Sale(id))?.and_then(Row::sale).cloned()),
            None => Ok(None),
        }
    }

    /// A sale that was paid and that a restore made the book forget: the goods are sold.
    fn forgotten(&self, desk: &Desk<'_, Campus>) -> Result<bool, NotLoaded<Key>> {
        let Record::Authorise { not_after, .. } = &self.record else { return Ok(false) };
        let epoch = epoch::newest(desk)?;
        Ok(self.paid_before && epoch.is_some_and(|epoch| epoch.is_after(Micros::new(*not_after))))
    }

    fn authorise(
        &self,
        desk: &mut Desk<'_, Campus>,
        enrolment: &Enrolment,
        no: CardNo,
        amount: u32,
        not_after: Micros,
    ) -> Result<(Answer, Option<Id>), Stop> {
        let card = desk.get(&Key::Card(no))?.and_then(Row::card).cloned();
        let limits = limits(desk)?;
        let available =
            card.as_ref().map_or(Fen::ZERO, |card| desk.account(&chart::available(card.person)).spendable());
        let purse = match &card {
            Some(card) => sure_purse(desk, card)?,
            None => Fen::ZERO,
        };
        let amount = Fen::new(i64::from(amount));
        let facts = AskFacts {
            card: card.as_ref(),
            hold_live: self.hold_live,
            expired: desk.now() > not_after,
            reversed: false,
            available,
            purse,
            limits: &limits,
        };
        let payment = match purchase::authorise(amount, &facts) {
            Ok(payment) => payment,
            Err(refusal) => return Ok((refused(&refusal), None)),
        };
        let mut sale = Sale {
            id: desk.new_id(),
            asked_by: (self.enrolment, self.seq),
            card: no,
            person: card.as_ref().map(|card| card.person),
            merchant: enrolment.merchant,
            amount,
            at: desk.now(),
            state: State::AwaitingPurse,
            debit: None,
        };
        let answer = match (payment, &card) {
            (Payment::Account, Some(card)) => {
                let (from, to) = (chart::available(card.person), chart::merchant(enrolment.merchant));
                post(desk, from, to, amount, Leg::Direct, Reason::SaleFromAccount, sale.id)?;
                sale.state = State::Paid;
                let account = desk.account(&from).spendable().get();
                Answer::Paid { account, purse: purse.get() }
            }
            (Payment::Purse, _) => Answer::PayFromPurse { amount: u32::try_from(amount.get()).unwrap_or(0) },
            (Payment::Account, None) => return Err(Halt::Broken("paid by nobody".to_owned())),
        };
        let id = sale.id;
        if let (State::AwaitingPurse, Some(mut card)) = (sale.state, card) {
            card.awaiting.push(id);
            desk.put(Key::Card(no), Row::Card(card))?;
        }
        desk.insert_new(Key::Sale(id), Row::Sale(Box::new(sale)));
        Ok((answer, Some(id)))
    }

    fn reverse(
        &self,
        desk: &mut Desk<'_, Campus>,
        enrolment: &mut Enrolment,
        of: u64,
    ) -> Result<(Answer, Option<Id>), Stop> {
        let key = Key::Record(self.enrolment, of);
        let arrived = desk.get(&key)?.is_some();
        let sale = self.sale_behind(desk, of)?;
        // A refused authorisation made no sale: there is nothing to take back, and no tombstone is needed.
        if arrived && sale.is_none() {
            return Ok((Answer::Taken, None));
        }
        let id = sale.as_ref().map(|sale| sale.id);
        match (purchase::reverse(sale.as_ref().map(|sale| sale.state)), sale) {
            (Reversal::Tombstone, _) => {
                let answer = coded(&refused(&Refusal::Reversed))?;
                desk.put(key, Row::Record(RecordNote { hash: TOMBSTONE, answer, sale: None }))?;
                enrolment.came(of);
            }
            (Reversal::GiveBack, Some(mut sale)) => {
                let person = sale.person.ok_or_else(|| Halt::Broken("paid by nobody".to_owned()))?;
                let (from, to) = (chart::merchant(sale.merchant), chart::available(person));
                post(desk, from, to, sale.amount, Leg::Direct, Reason::SaleReversed, sale.id)?;
                sale.state = State::Reversed;
                desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale)))?;
            }
            (Reversal::CallOff, Some(mut sale)) => {
                sale.state = State::CalledOff;
                if let Some(mut card) = desk.get(&Key::Card(sale.card))?.and_then(Row::card).cloned() {
                    card.awaiting.retain(|id| *id != sale.id);
                    desk.put(Key::Card(card.no), Row::Card(card))?;
                }
                desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale)))?;
            }
            (Reversal::Nothing, _) => {}
            (Reversal::GiveBack | Reversal::CallOff, None) => {
                return Err(Halt::Broken("a reversal of nothing".to_owned()));
            }
        }
        Ok((Answer::Taken, id))
    }

    fn debit(
        &self,
        desk: &mut Desk<'_, Campus>,
        enrolment: &Enrolment,
        told: &PurseSale,
    ) -> Result<(Answer, Option<Id>), Stop> {
        let no = CardNo(told.card);
        let mut card = desk.get(&Key::Card(no))?.and_then(Row::card).cloned();
        let before = match told.authorised_by {
            Some(of) => self
                .sale_behind(desk, of)?
                .filter(|sale| sale.card == no && matches!(sale.state, State::AwaitingPurse | State::CalledOff)),
            None => None,
        };
        if let (Some(card), Some(before)) = (&mut card, &before) {
            card.awaiting.retain(|id| *id != before.id);
            desk.put(Key::Card(no), Row::Card(card.clone()))?;
        }
        let amount = Fen::new(i64::from(told.amount));
        let mut sale = before.clone().unwrap_or_else(|| Sale {
            id: Id::default(),
            asked_by: (self.enrolment, self.seq),
            card: no,
            person: card.as_ref().map(|card| card.person),
            merchant: enrolment.merchant,
            amount,
            at: desk.now(),
            state: State::Unconfirmed,
            debit: None,
        });
        if before.is_none() {
            sale.id = desk.new_id();
        }
        sale.amount = amount;
        let debit = debit::of(told);
        sale.debit = Some(debit);
        let [taken, replayed] = debit::taken_by(desk, no, &debit)?;
        let called_off = before.as_ref().is_some_and(|sale| sale.state == State::CalledOff);
        let stopped = before.is_none() && (enrolment.quarantined || enrolment.replaced);
        let plain = debit::facts(desk, &sale, card.as_ref(), self.evidence)?;
        let odd = stopped.then_some(Odd::TerminalStopped).or(plain.odd);
        let facts = DebitFacts { taken, replayed, called_off, odd, ..plain };
        let facts = by_balance::make_room(desk, &sale, facts)?;
        let acceptance = purchase::accept(amount, &facts);
        let id = sale.id;
        debit::apply(desk, card, sale, acceptance)?;
        Ok((Answer::Taken, Some(id)))
    }

    /// The terminal brings the card's proof for a sale that it had sent unconfirmed. Without a TAC it is a hint alone: the
    /// balance that the card authenticates at its next hold decides.
    fn late_proof(&self, desk: &mut Desk<'_, Campus>, of: u64, with_tac: bool) -> Result<(Answer, Option<Id>), Stop> {
        let Some(sale) = self.sale_behind(desk, of)? else { return Ok((Answer::Taken, None)) };
        let id = sale.id;
        let proved = with_tac && self.evidence == Evidence::Proved;
        let open =
            matches!(sale.state, State::Unconfirmed | State::NotDebited | State::Untold(_) | State::ByBalance(_));
        if proved
            && open
            && let Some(mut card) = desk.get(&Key::Card(sale.card))?.and_then(Row::card).cloned()
        {
            let no = card.no;
            debit::settle(desk, &mut card, sale, Verdict::Debited, true)?;
            desk.put(Key::Card(no), Row::Card(card))?;
        }
        Ok((Answer::Taken, Some(id)))
    }

    /// Stops a terminal that lies. Repeats: one case, however often it does.
    fn quarantine(&self, desk: &mut Desk<'_, Campus>, mut enrolment: Enrolment, why: &str) -> Result<Vec<u8>, Stop> {
        if enrolment.quarantined {
            return coded(&Answer::Quarantined);
        }
        enrolment.quarantined = true;
        let detail = format!("terminal {}: {why}", enrolment.terminal);
        crate::cases::tell(desk, case::Kind::TerminalQuarantined, self.enrolment.0, detail);
        desk.put(Key::Enrolment(self.enrolment), Row::Enrolment(Box::new(enrolment)))?;
        coded(&Answer::Quarantined)
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let balances = match refusal {
        Refusal::NotEnough { account, purse } => Some((account.get(), purse.get())),
        _ => None,
    };
    Answer::Refused { words: line_words(refusal.words()), balances }
}

/// What the purse surely holds: the book's shadow, less what was spent early, less sales that may have debited it.
fn sure_purse(desk: &Desk<'_, Campus>, card: &Card) -> Result<Fen, NotLoaded<Key>> {
    let mut purse = desk.account(&chart::on_card(card.no)).balance();
    let suspense = desk.account(&chart::suspense_card(card.no)).balance();
    purse = purse.plus(suspense).unwrap_or(Fen::ZERO);
    for id in &card.unconfirmed {
        if let Some(sale) = desk.get(&Key::Sale(*id))?.and_then(Row::sale) {
            purse = purse.minus(sale.amount).unwrap_or(Fen::ZERO);
        }
    }
    Ok(purse.max(Fen::ZERO))
}

impl Enrolment {
    /// Record `seq` came.
    fn came(&mut self, seq: u64) {
        self.last_seq = self.last_seq.max(seq);
        if seq > self.contiguous && !self.beyond.contains(&seq) {
            self.beyond.push(seq);
        }
        self.close_up();
    }

    /// Records below `lowest` will never come: nothing waits for them any more. Gives how many there are.
    pub(crate) fn forget_below(&mut self, lowest: u64) -> u64 {
        let through = lowest.saturating_sub(1);
        let here = self.beyond.iter().filter(|seq| **seq <= through).count();
        let missing = through.saturating_sub(self.contiguous).saturating_sub(u64::try_from(here).unwrap_or(0));
        self.beyond.retain(|seq| *seq > through);
        self.contiguous = self.contiguous.max(through);
        self.last_seq = self.last_seq.max(through);
        self.close_up();
        missing
    }

    fn close_up(&mut self) {
        while let Some(next) = self.contiguous.checked_add(1)
            && let Some(place) = self.beyond.iter().position(|each| *each == next)
        {
            self.beyond.swap_remove(place);
            self.contiguous = next;
        }
    }
}

/// Takes a journalled record of a terminal and gives the answer to it; `None` when nothing could be decided now and the
/// terminal shall send it again.
///
/// Repeats: the same record gets the stored answer, byte for byte; another one under its number is `Quarantined`.
/// Source: R81; M3, M17, M19.
pub async fn take(school: &School, enrolment: EnrolmentId, seq: u64, record: Record) -> Option<Answer> {
    take_as(school, enrolment, seq, record, false).await
}

/// As [`take`], for an authorisation that the terminal says was answered as paid: after a restore, one that the book forgot
/// is paid now, since the goods are sold (M9). To a book that knows it, this is a repeat like any other.
pub async fn take_paid(school: &School, enrolment: EnrolmentId, seq: u64, record: Record) -> Option<Answer> {
    take_as(school, enrolment, seq, record, true).await
}

async fn take_as(
    school: &School,
    enrolment: EnrolmentId,
    seq: u64,
    record: Record,
    paid_before: bool,
) -> Option<Answer> {
    let now = school.now();
    let hold_live = match &record {
        Record::Authorise { card, hold, .. } => school.nonces.holds(CardNo(*card), enrolment, *hold, now),
        _ => false,
    };
    let evidence = evidence(school, enrolment, &record).await.ok()?;
    let hash = record_hash(&record)?;
    match school.submit(Take { enrolment, seq, hash, record, hold_live, evidence, paid_before }).await {
        Ok(Taken { answer, moved }) => {
            if let Some((card, [before, now])) = moved {
                school.nonces.moved(card, enrolment, &before, now);
            }
            link::decode(&answer).ok()
        }
        Err(Rejected::Refused(NotEnrolled)) => Some(Answer::Quarantined),
        Err(Rejected::Fault(_)) => None,
    }
}

fn record_hash(record: &Record) -> Option<[u8; 32]> {
    let bytes = link::encode(record).ok()?;
    let change = ledger::row_digest("terminal record", b"", Some(&bytes));
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(change.content.iter().chain(&change.key)) {
        *to = *from;
    }
    Some(hash)
}

/// Checks a TAC over the debit it belongs to. A debit never changes, so it may be read beside the teller.
///
/// Error: it could not be read; the proof must not be acknowledged away for that.
async fn evidence(school: &School, enrolment: EnrolmentId, record: &Record) -> Result<Evidence, ReadFault> {
    let check = |card: CardNo, amount: u32, debit: &Debit, tac: [u8; 4]| match school.card_keys.proves_purchase(
        card,
        &port_debit(amount, debit),
        tac,
    ) {
        true => Evidence::Proved,
        false => Evidence::WrongTac,
    };
    Ok(match record {
        Record::Sale(told) => match told.evidence {
            DebitEvidence::Tac(tac) => check(CardNo(told.card), told.amount, &debit::of(told), tac),
            DebitEvidence::Unconfirmed => Evidence::None,
        },
        Record::Settle { of, tac: Some(tac) } => {
            let note = school.row(&Key::Record(enrolment, *of)).await?;
            let id = note.as_ref().and_then(Row::record).and_then(|note| note.sale);
            let Some(id) = id else { return Ok(Evidence::None) };
            let Some(Row::Sale(sale)) = school.row(&Key::Sale(id)).await? else { return Ok(Evidence::None) };
            let Some(debit) = sale.debit else { return Ok(Evidence::None) };
            check(sale.card, u32::try_from(sale.amount.get()).unwrap_or(0), &debit, *tac)
        }
        Record::Settle { tac: None, .. } | Record::Authorise { .. } | Record::Reverse { .. } | Record::Gap { .. } => {
            Evidence::None
        }
    })
}
