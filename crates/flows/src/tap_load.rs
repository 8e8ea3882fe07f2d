//! A card is held to a terminal: it proves itself, what waits is loaded, and its holder may pay (R31 to R34; M10 to M13).
//!
//! Order of one tap: [`open`] gives nonce and amount; [`begin`] takes the card's INITIALIZE answer, settles what was open,
//! and releases a load or says that nothing is to be loaded; [`confirm`] takes the card's TAC.

mod confirmed;
mod restored;

pub use confirmed::confirm;
pub(crate) use restored::{repaid_key, set_aside};

use ledger::{Fen, Id, Stage as Leg, Transfer};
use rules::calendar::card_stamp;
use rules::card::{self, Card};
use rules::case::{self, Case};
use rules::chart::{self, Reason};
use rules::epoch::Meeting;
use rules::ids::{CardNo, CaseId, EnrolmentId, OrderNo, PersonId, TerminalNo};
use rules::limits::Limits;
use rules::load::{
    self, Ahead, Attempt, Decision, Facts, Item, Next, Purse, Refusal, Resolution, Session, Source, Stage, State,
    Unconfirmed, Verdict,
};
use rules::message::Message;
use rules::purchase::Sale;
use rules::top_up;
use rules::words::Words;
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::desk::limits;
use crate::nonces::{Known, Nonce, PROOFS_AT_ONCE};
use crate::ports::{CardStamp, LoadSession, PurseDebit};
use crate::rows::{Campus, Key, Row};
use crate::school::fault_words;
use crate::{School, by_balance, card_desk, debit, epoch, inbox};

/// Nonce and amount for the first INITIALIZE of a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// After the terminal number.
    pub nonce: [u8; 3],
    /// In fen, at least 1.
    pub amount: u32,
    /// Open purse sales for which the card shall be asked for a proof: M before each.
    pub prove: Vec<u16>,
}

/// What comes after an INITIALIZE or a CREDIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// Give this to the card.
    Release {
        /// Attempt number.
        k: u32,
        /// In fen.
        amount: u32,
        /// Platform's date and time.
        stamp: CardStamp,
        /// MAC2.
        mac2: [u8; 4],
    },
    /// INITIALIZE again.
    Again {
        /// Fresh nonce.
        nonce: [u8; 3],
        /// In fen.
        amount: u32,
    },
    /// The card is proved; nothing (more) is to be loaded.
    Done {
        /// The hold by which it may pay.
        hold: [u8; 16],
        /// What came onto the card, in fen.
        loaded: u32,
        /// The purse as the card proved it, in fen.
        purse: u32,
        /// Spendable on line.
        account: Fen,
    },
}

/// What the rows of a card say, gathered for a rule.
struct CardView {
    card: Card,
    attempt: Option<Attempt>,
    waiting: Vec<Item>,
    /// What waits as well, and must not be loaded before the provider has told of it.
    unsure: Vec<Item>,
    /// Something waits again that the provider is to be asked about.
    unasked: bool,
    purse: Purse,
    limits: Limits,
    sales: Vec<Sale>,
    meeting: Meeting,
    agreed: bool,
}

impl CardView {
    fn known(&self) -> Known {
        Known::of(&self.card, self.purse.on_card, self.purse.suspense)
    }

    fn needs(seen: &Seen<'_, Campus>, no: CardNo) -> Vec<Key> {
        let mut keys = vec![Key::Card(no), Key::Settings, Key::Spent(no)];
        keys.extend(epoch::needs(seen, no));
        let Some(card) = seen.row(&Key::Card(no)).and_then(Row::card) else { return keys };
        keys.push(Key::Waiting(card.person));
        keys.extend(card.unconfirmed.iter().map(|sale| Key::Sale(*sale)));
        if let Some(k) = card.released {
            keys.push(Key::Attempt(no, k));
        }
        keys
    }

    fn gather(desk: &Desk<'_, Campus>, no: CardNo) -> Result<Option<CardView>, NotLoaded<Key>> {
        let Some(card) = desk.get(&Key::Card(no))?.and_then(Row::card).cloned() else { return Ok(None) };
        let attempt = match card.released {
            Some(k) => desk.get(&Key::Attempt(no, k))?.and_then(Row::attempt).cloned(),
            None => None,
        };
        let waiting = desk.get(&Key::Waiting(card.person))?.and_then(Row::waiting).cloned().unwrap_or_default();
        let limits = limits(desk)?;
        let mut sales = Vec::new();
        for id in &card.unconfirmed {
            sales.extend(desk.get(&Key::Sale(*id))?.and_then(Row::sale).cloned());
        }
        let purse = Purse {
            on_card: desk.account(&chart::on_card(no)).balance(),
            suspense: desk.account(&chart::suspense_card(no)).balance(),
            available: desk.account(&chart::available(card.person)).spendable(),
        };
        let (meeting, agreed) = (epoch::meeting(desk, no)?, epoch::agreed(desk, no)?);
        let (unsure, unasked) = (Vec::new(), false);
        Ok(Some(CardView { card, attempt, waiting, unsure, unasked, purse, limits, sales, meeting, agreed }))
    }

    fn facts(&self, stage: Stage) -> Facts<'_> {
        Facts {
            card: &self.card,
            attempt: self.attempt.as_ref(),
            waiting: &self.waiting,
            purse: self.purse,
            stage,
            limits: &self.limits,
            meeting: self.meeting,
            agreed: self.agreed,
        }
    }
}

/// Looks, changes nothing: goes through the teller so that it sees what was decided last.
struct Open {
    enrolment: EnrolmentId,
    card: CardNo,
    stage: Stage,
}

impl Command<Campus> for Open {
    type Answer = (u32, Known, Vec<(Id, u16)>);
    type Refusal = Refusal;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = CardView::needs(seen, self.card);
        keys.push(Key::Enrolment(self.enrolment));
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Self::Answer, Halt<Campus, Refusal>> {
        terminal_in_use(desk, self.enrolment)?;
        let view = CardView::gather(desk, self.card)?.ok_or(Halt::Refuse(Refusal::UnknownCard))?;
        card::usable(view.card.state).map_err(|refusal| Halt::Refuse(Refusal::Card(refusal)))?;
        let newest = view.sales.iter().rev().take(PROOFS_AT_ONCE);
        let prove = newest.filter_map(|sale| sale.debit.map(|debit| (sale.id, debit.m))).collect();
        Ok((load::first_amount(&view.facts(self.stage)), view.known(), prove))
    }
}

/// A card lies on a terminal: gives nonce and amount for INITIALIZE FOR LOAD.
///
/// Errors: words of [`Refusal`], or of a fault. Repeats: a fresh nonce each time; the older one is dead. Source: M11.
pub async fn open(school: &School, enrolment: EnrolmentId, card: CardNo, stage: Stage) -> Result<Opened, Words> {
    let (amount, known, prove) = school.submit(Open { enrolment, card, stage }).await.map_err(rejected)?;
    let mut asked = [None; PROOFS_AT_ONCE];
    for (place, (sale, _)) in asked.iter_mut().zip(&prove) {
        *place = Some(*sale);
    }
    let bytes = issue(school, card, Nonce { asked, ..fresh(school, enrolment, known, stage) });
    Ok(Opened { nonce: bytes, amount, prove: prove.into_iter().map(|(_, m)| m).collect() })
}

/// The number of a terminal that takes part; one that was replaced or is quarantined takes no cards.
fn terminal_in_use(desk: &Desk<'_, Campus>, id: EnrolmentId) -> Result<TerminalNo, Halt<Campus, Refusal>> {
    let enrolment = desk.get(&Key::Enrolment(id))?.and_then(Row::enrolment);
    let in_use = enrolment.filter(|enrolment| !enrolment.replaced && !enrolment.quarantined);
    in_use.map(|enrolment| enrolment.terminal).ok_or(Halt::Refuse(Refusal::TerminalStopped))
}

fn fresh(school: &School, enrolment: EnrolmentId, known: Known, stage: Stage) -> Nonce {
    Nonce { bytes: school.random(), enrolment, known, stage, at: school.now(), asked: [None; PROOFS_AT_ONCE] }
}

fn issue(school: &School, card: CardNo, nonce: Nonce) -> [u8; 3] {
    let bytes = nonce.bytes;
    school.nonces.issue(card, nonce);
    bytes
}

fn rejected(rejected: Rejected<Refusal>) -> Words {
    match rejected {
        Rejected::Refused(refusal) => refusal.words(),
        Rejected::Fault(fault) => fault_words(&fault),
    }
}

/// Settles what was open and releases a load, in one commit.
#[derive(Clone)]
struct Begin {
    enrolment: EnrolmentId,
    card: CardNo,
    session: Session,
    nonce: Option<Nonce>,
    proofs: Proofs,
    /// What the provider says of orders that wait since before a restore, once it was asked.
    asked: Option<restored::Asked>,
}

enum Begun {
    /// Nothing was done: the provider is to be asked about these orders first.
    Ask(Vec<OrderNo>),
    Release(Box<Attempt>),
    Again {
        amount: u32,
        known: Known,
    },
    Done {
        person: PersonId,
        loaded: u32,
    },
    /// The card was frozen, now or by what was settled.
    Alarm,
}

impl Command<Campus> for Begin {
    type Answer = Begun;
    type Refusal = Refusal;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = CardView::needs(seen, self.card);
        keys.push(Key::Enrolment(self.enrolment));
        let Some(card) = seen.row(&Key::Card(self.card)).and_then(Row::card) else { return keys };
        keys.extend(inbox::needs(seen, card.person));
        keys.push(Key::Attempt(self.card, card.attempt.saturating_add(1)));
        keys.push(Key::Applied(self.card, card.n));
        for id in &card.unconfirmed {
            if let Some(sale) = seen.row(&Key::Sale(*id)).and_then(Row::sale) {
                let from = sale.asked_by.0;
                keys.extend(sale.debit.iter().flat_map(|debit| debit::needs(seen, from, self.card, debit)));
                keys.extend(seen.row(&Key::Epoch).map(|_| debit::asked_by(sale)));
            }
        }
        let attempt = card.released.and_then(|k| seen.row(&Key::Attempt(self.card, k))).and_then(Row::attempt);
        keys.extend(attempt.into_iter().flat_map(|attempt| order_keys(&attempt.items)));
        if seen.row(&Key::Epoch).is_some() {
            let waiting = seen.row(&Key::Waiting(card.person)).and_then(Row::waiting);
            let orders: Vec<Key> = waiting.into_iter().flat_map(|items| order_keys(items)).collect();
            keys.extend(
                orders.iter().filter_map(|key| seen.row(key).and_then(Row::order)).filter_map(restored::repaid_key),
            );
            keys.extend(orders);
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Begun, Halt<Campus, Refusal>> {
        let refuse = |refusal| Halt::Refuse(refusal);
        let terminal = terminal_in_use(desk, self.enrolment)?;
        let mut view = CardView::gather(desk, self.card)?.ok_or(refuse(Refusal::UnknownCard))?;
        let stage = self.nonce.as_ref().map_or(Stage::Load, |nonce| nonce.stage);
        let live = self.nonce.as_ref().is_some_and(|nonce| nonce.known == view.known())
            && self.session.terminal.starts_with(&terminal.0);
        match &self.asked {
            Some(asked) => restored::take_out(desk, &mut view, asked)?,
            // A session without a live nonce decides nothing that the provider's word could change.
            None if live => {
                let doubtful = restored::doubtful(desk, &view)?;
                if !doubtful.is_empty() {
                    return Ok(Begun::Ask(doubtful));
                }
            }
            None => {}
        }
        let mut open_sales = Vec::new();
        for sale in &view.sales {
            open_sales.push(Unconfirmed {
                amount: sale.amount,
                proved: self.proofs.proved.contains(&sale.id),
                of_this_epoch: debit::of_this_epoch(desk, sale)?,
                asked: self.nonce.as_ref().is_some_and(|nonce| nonce.asked.contains(&Some(sale.id))),
                contradicted: self.proofs.contradicted.contains(&sale.id),
                instead_of: by_balance::instead_of(desk, sale)?,
            });
        }
        let decision = load::begin(&view.facts(stage), &self.session, live, &open_sales).map_err(refuse)?;
        match (decision, view.attempt.clone()) {
            (Decision::Resend, Some(attempt)) => Ok(Begun::Release(Box::new(attempt))),
            (Decision::Resend, None) => Err(Halt::Broken("a resend of nothing".to_owned())),
            (Decision::Alarm(kind), _) => {
                alarm(desk, &view.card, kind, &self.session, self.enrolment)?;
                Ok(Begun::Alarm)
            }
            (Decision::Proceed { resolution, sales, ahead, agrees, next }, _) => {
                let begun = self.proceed(desk, view, resolution, &sales, (ahead, next))?;
                if agrees && !matches!(begun, Begun::Alarm) {
                    epoch::agree(desk, self.card)?;
                }
                Ok(begun)
            }
        }
    }
}

impl Begin {
    fn proceed(
        &self,
        desk: &mut Desk<'_, Campus>,
        mut view: CardView,
        resolution: Resolution,
        verdicts: &[Verdict],
        (ahead, next): (Option<Ahead>, Next),
    ) -> Result<Begun, Halt<Campus, Refusal>> {
        let mut loaded = 0;
        view.unasked = ahead.is_none() && restored::reopens(&view, resolution);
        let took_before = restored::took_before(&view, resolution);
        if let Some(attempt) = view.attempt.take() {
            match resolution {
                Resolution::Nothing => {}
                Resolution::Applied => {
                    loaded = attempt.session.amount;
                    applied(desk, &mut view.card, attempt)?;
                }
                Resolution::NotApplied => {
                    not_applied(desk, &mut view.card, &mut view.waiting, attempt, ahead.as_ref())?
                }
            }
        }
        restored::meet(desk, &mut view, &self.session, took_before, ahead)?;
        for (sale, verdict) in view.sales.into_iter().zip(verdicts) {
            let proved = self.proofs.proved.contains(&sale.id);
            debit::settle(desk, &mut view.card, sale, *verdict, proved)?;
        }
        restored::all_shown(desk, self.card)?;
        let person = view.card.person;
        let begun = match next {
            // One of the sales told that there are two chips: what is settled stays settled, and nothing more goes to either.
            _ if card::usable(view.card.state).is_err() => Begun::Alarm,
            Next::Done => Begun::Done { person, loaded },
            Next::Again { amount } => Begun::Again { amount, known: Known::on(desk, &view.card) },
            // What waits anew is asked about before it is loaded anew.
            Next::Release { .. } if view.unasked => {
                Begun::Again { amount: self.session.amount, known: Known::on(desk, &view.card) }
            }
            Next::Release { items, fill } => {
                view.waiting.clear();
                Begun::Release(Box::new(self.release(desk, &mut view.card, items, fill)?))
            }
        };
        if !view.unsure.is_empty() {
            view.waiting.append(&mut view.unsure);
            view.waiting.sort_by_key(|item| item.since);
        }
        desk.put(Key::Waiting(person), Row::Waiting(view.waiting))?;
        desk.put(Key::Card(self.card), Row::Card(view.card))?;
        Ok(begun)
    }

    /// Sets the money aside and writes the attempt; its MAC2 is made only after the commit (M11).
    fn release(
        &self,
        desk: &mut Desk<'_, Campus>,
        card: &mut Card,
        mut items: Vec<Item>,
        fill: Fen,
    ) -> Result<Attempt, Halt<Campus, Refusal>> {
        let k = card.attempt.saturating_add(1);
        let reference = desk.new_id();
        if fill.is_positive() {
            let (from, to) = (chart::available(card.person), chart::awaiting_tap(card.person));
            post(desk, from, to, fill, Leg::Direct, Reason::FloatSetAside, reference)?;
            items.push(Item { source: Source::Float, amount: fill, since: desk.now() });
        }
        let (from, to) = (chart::awaiting_tap(card.person), chart::on_card(card.no));
        let amount = Fen::new(i64::from(self.session.amount));
        let pend = post(desk, from, to, amount, Leg::Pend, Reason::LoadReleased, reference)?;
        let (date, time) = card_stamp(desk.now());
        let attempt = Attempt {
            card: card.no,
            k,
            session: self.session,
            date,
            time,
            items,
            pend,
            released_at: desk.now(),
            state: State::Released,
        };
        desk.put(Key::Attempt(card.no, k), Row::Attempt(Box::new(attempt.clone())))?;
        card.attempt = k;
        card.released = Some(k);
        Ok(attempt)
    }
}

fn order_keys(items: &[Item]) -> Vec<Key> {
    let orders = items.iter().filter_map(|item| match item.source {
        Source::Order(no) => Some(Key::Order(no)),
        Source::Float => None,
    });
    orders.collect()
}

/// One transfer of a load or a sale; gives its sequence.
pub(crate) fn post<R>(
    desk: &mut Desk<'_, Campus>,
    debit: ledger::AccountKey,
    credit: ledger::AccountKey,
    amount: Fen,
    stage: Leg,
    reason: Reason,
    reference: Id,
) -> Result<u64, Halt<Campus, R>> {
    let (id, effective_at) = (desk.new_id(), desk.now());
    let transfer = Transfer { id, debit, credit, amount, stage, effective_at, code: reason.number(), reference };
    match desk.post(&transfer) {
        Ok(row) => Ok(row.seq),
        Err(refusal) => Err(Halt::Broken(format!("{reason:?}: {refusal}"))),
    }
}

/// The card took the load: the money is on it, its orders are done, and what was spent early is made good (M13).
fn applied(desk: &mut Desk<'_, Campus>, card: &mut Card, mut attempt: Attempt) -> Result<(), Halt<Campus, Refusal>> {
    let amount = Fen::new(i64::from(attempt.session.amount));
    let (from, to) = (chart::awaiting_tap(card.person), chart::on_card(card.no));
    let reference = Id::new(u128::from(card.no.0));
    post(desk, from, to, amount, Leg::Post(attempt.pend), Reason::LoadApplied, reference)?;
    settle_early(desk, card.no)?;
    orders_loaded(desk, card, &attempt.items)?;
    debit::took_load(desk, card.no, &attempt.session)?;
    let n = attempt.session.n;
    attempt.state = State::Applied { at: desk.now() };
    card.n = n.saturating_add(1);
    card.released = None;
    desk.put(Key::Applied(card.no, n), Row::Applied(attempt.k))?;
    desk.put(Key::Attempt(card.no, attempt.k), Row::Attempt(Box::new(attempt)))?;
    Ok(())
}

/// What was spent before it was proved is made good out of what is on the card (M13).
fn settle_early(desk: &mut Desk<'_, Campus>, no: CardNo) -> Result<(), Halt<Campus, Refusal>> {
    let (on_card, suspense) = (chart::on_card(no), chart::suspense_card(no));
    let spent = Fen::ZERO.minus(desk.account(&suspense).balance()).unwrap_or(Fen::ZERO);
    let early = spent.min(desk.account(&on_card).balance());
    if early.is_positive() {
        let reference = Id::new(u128::from(no.0));
        post(desk, on_card, suspense, early, Leg::Direct, Reason::UnprovedSettled, reference)?;
    }
    Ok(())
}

/// The money of these items' orders is on the card, and its holder is told.
fn orders_loaded(desk: &mut Desk<'_, Campus>, card: &Card, items: &[Item]) -> Result<(), Halt<Campus, Refusal>> {
    for key in order_keys(items) {
        if let Some(order) = desk.get(&key)?.and_then(Row::order) {
            let standing = rules::person::Standing::Open;
            let moved = top_up::decide(order, &top_up::Event::Loaded, standing, desk.now()).order;
            desk.put(key, Row::Order(Box::new(moved)))?;
        }
    }
    if let Some(message) = Message::loaded(card.no, items) {
        inbox::tell(desk, card.person, message)?;
    }
    Ok(())
}

/// The card did not take it and cannot any more: its items wait again, its fill goes back to the account (M10).
fn not_applied(
    desk: &mut Desk<'_, Campus>,
    card: &mut Card,
    waiting: &mut Vec<Item>,
    mut attempt: Attempt,
    ahead: Option<&Ahead>,
) -> Result<(), Halt<Campus, Refusal>> {
    let amount = Fen::new(i64::from(attempt.session.amount));
    let (from, to) = (chart::awaiting_tap(card.person), chart::on_card(card.no));
    let reference = Id::new(u128::from(card.no.0));
    post(desk, from, to, amount, Leg::Void(attempt.pend), Reason::LoadNotApplied, reference)?;
    for item in &attempt.items {
        match item.source {
            Source::Order(_) => waiting.push(*item),
            // Of this one nobody can tell: it is set aside with the others.
            Source::Float if ahead.is_some_and(|ahead| ahead.settles(item)) => waiting.push(*item),
            Source::Float => {
                let back = chart::available(card.person);
                post(desk, from, back, item.amount, Leg::Direct, Reason::FloatReturned, reference)?;
            }
        }
    }
    waiting.sort_by_key(|item| item.since);
    attempt.state = State::NotApplied { at: desk.now() };
    card.released = None;
    desk.put(Key::Attempt(card.no, attempt.k), Row::Attempt(Box::new(attempt)))?;
    Ok(())
}

fn alarm(
    desk: &mut Desk<'_, Campus>,
    card: &Card,
    kind: case::Kind,
    session: &Session,
    at: EnrolmentId,
) -> Result<(), NotLoaded<Key>> {
    let id = CaseId(desk.new_id());
    let detail = format!(
        "card {} shows N {} and purse {}; the book has N {} and on_card {}",
        card.no,
        session.n,
        Fen::new(i64::from(session.old_balance)),
        card.n,
        desk.account(&chart::on_card(card.no)).balance()
    );
    let reference = Id::new(u128::from(card.no.0));
    crate::cases::open(desk, Case { id, kind, opened_at: desk.now(), reference, amount: Fen::ZERO, detail });
    freeze(desk, card.clone(), at, id)
}

/// Stops a card after the alarm of this case, which came of something at that terminal, and writes it.
pub(crate) fn freeze(
    desk: &mut Desk<'_, Campus>,
    mut card: Card,
    at: EnrolmentId,
    case: CaseId,
) -> Result<(), NotLoaded<Key>> {
    card_desk::stop(desk, &mut card, at, case);
    desk.put(Key::Card(card.no), Row::Card(card))
}

fn port_session(session: &Session) -> LoadSession {
    LoadSession {
        old_balance: session.old_balance,
        n: session.n,
        key_version: session.key_version,
        algorithm: session.algorithm,
        random: session.random,
        mac1: session.mac1,
        amount: session.amount,
        terminal: session.terminal,
    }
}

/// The card answered INITIALIZE FOR LOAD. `proofs` are what it answered to the proofs asked for: M before, TAC.
///
/// At the first hold after a restore the provider is asked about the orders that wait for the card since before it.
///
/// Errors: words of [`Refusal`] or of an alarm; the money has not moved then.
/// Repeats: the released session again gives the same MAC2; any other repeat needs a fresh nonce.
/// Source: M9 to M13; JR/T 0025 load transaction, torn transactions.
pub async fn begin(
    school: &School,
    enrolment: EnrolmentId,
    card: CardNo,
    session: Session,
    proofs: &[(u16, [u8; 4])],
) -> Result<Onward, Words> {
    if !school.card_keys.proves_load(card, &port_session(&session)) {
        return Err(Refusal::NotProved.words());
    }
    let proofs = checked(school, card, proofs).await?;
    // The nonce is used up last, with nothing to wait for until the command is handed in: what it proves is still so.
    let [_, _, _, a, b, c] = session.terminal;
    let take = || school.nonces.take(card, enrolment, [a, b, c], school.now());
    let nonce = take();
    let stage = nonce.as_ref().map_or(Stage::Load, |nonce| nonce.stage);
    let mut begin = Begin { enrolment, card, session, nonce, proofs, asked: None };
    let mut begun = school.submit(begin.clone()).await.map_err(rejected)?;
    if let Begun::Ask(orders) = &begun {
        // The answer may take long: a nonce that the card gets elsewhere meanwhile kills this one.
        if let Some(nonce) = begin.nonce.take() {
            school.nonces.put_back(card, nonce);
        }
        begin.asked = Some(restored::ask(school, orders).await);
        begin.nonce = take();
        begun = school.submit(begin).await.map_err(rejected)?;
    }
    Ok(match begun {
        Begun::Ask(_) => return Err(Refusal::AfterRestore.words()),
        Begun::Release(attempt) => {
            let stamp = CardStamp { date: attempt.date, time: attempt.time };
            let mac2 = school.card_keys.release_load(card, &port_session(&attempt.session), stamp);
            Onward::Release { k: attempt.k, amount: attempt.session.amount, stamp, mac2 }
        }
        Begun::Again { amount, known } => {
            Onward::Again { nonce: issue(school, card, fresh(school, enrolment, known, stage)), amount }
        }
        Begun::Done { person, loaded } => done(school, enrolment, card, person, loaded, session.old_balance),
        Begun::Alarm => return Err(load::alarm_words()),
    })
}

fn done(school: &School, enrolment: EnrolmentId, card: CardNo, person: PersonId, loaded: u32, purse: u32) -> Onward {
    let hold = school.random();
    school.nonces.hold(card, enrolment, hold, school.now());
    let account = school.balances.account(&chart::available(person)).spendable();
    Onward::Done { hold, loaded, purse, account }
}

/// What the card's proofs say of its open sales.
#[derive(Clone, Debug, Default)]
struct Proofs {
    /// A proof verifies over these.
    proved: Vec<Id>,
    /// There are proofs at the counters of these, and none verifies over them.
    contradicted: Vec<Id>,
}

/// Checks the card's proofs. What is verified never changes, so it may be read beside the teller.
///
/// Error: it could not be read; the proofs are not to be lost for that, so the tap is to be tried again.
async fn checked(school: &School, card: CardNo, given: &[(u16, [u8; 4])]) -> Result<Proofs, Words> {
    let mut proofs = Proofs::default();
    if given.is_empty() {
        return Ok(proofs);
    }
    let busy = |_| fault_words(&Fault::Busy);
    let Some(Row::Card(row)) = school.row(&Key::Card(card)).await.map_err(busy)? else { return Ok(proofs) };
    let keys: Vec<Key> = row.unconfirmed.iter().map(|id| Key::Sale(*id)).collect();
    let sales = school.rows(&keys).await.map_err(busy)?;
    for sale in sales.iter().flatten().filter_map(Row::sale) {
        let Some((debit, amount)) = sale.debit.zip(u32::try_from(sale.amount.get()).ok()) else { continue };
        let verifies = |tac| school.card_keys.proves_purchase(card, &port_debit(amount, &debit), tac);
        let mut of_it = given.iter().filter(|(m, _)| *m == debit.m).map(|(_, tac)| verifies(*tac)).peekable();
        if of_it.peek().is_none() {
            continue;
        }
        let to = if of_it.any(|verifies| verifies) { &mut proofs.proved } else { &mut proofs.contradicted };
        to.push(sale.id);
    }
    Ok(proofs)
}

/// A debit as the card keys look at it.
pub(crate) fn port_debit(amount: u32, debit: &rules::purchase::Debit) -> PurseDebit {
    PurseDebit {
        amount,
        terminal: debit.terminal,
        tsn: debit.tsn,
        stamp: CardStamp { date: debit.date, time: debit.time },
        key_version: debit.key_version,
        algorithm: debit.algorithm,
    }
}
