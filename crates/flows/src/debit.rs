//! A debit of a purse comes into the book: what stands there already, what is odd about it, and where its money comes from
//! (R81; M6, M13; JR/T 0025 host checks of an uploaded purchase).

use ledger::{Fen, Micros, Stage as Leg};
use link::{Answer, PurseSale};
use rules::calendar;
use rules::card::{Card, State as CardState};
use rules::case::{self, Case};
use rules::chart::{self, Reason};
use rules::epoch::Epoch;
use rules::ids::{CardNo, CaseId, EnrolmentId, TerminalNo};
use rules::load::Verdict;
use rules::purchase::{
    self, Acceptance, Debit, DebitFacts, Evidence, From as PaidFrom, Odd, Sale, State, date_believable,
};
use rules::spent::{Change, Earlier, Era, Loaded, Spent};
use teller::{Desk, Halt, NotLoaded, Seen};

use crate::desk::limits;
use crate::rows::{Campus, Key, Row};
use crate::tap_load::{freeze, post};
use crate::{by_balance, card_desk, cases, epoch, odd};

/// A debit as its terminal recorded it.
pub(crate) fn of(told: &PurseSale) -> Debit {
    Debit {
        old_balance: told.old_balance,
        m: told.m,
        terminal: told.terminal,
        tsn: told.tsn,
        date: told.stamp.date,
        time: told.stamp.time,
        key_version: told.key_version,
        algorithm: told.algorithm,
    }
}

/// Rows that a debit of this card, told of by this enrolment, is decided on, besides the card, the settings and what a
/// restore explains.
pub(crate) fn needs(seen: &Seen<'_, Campus>, from: EnrolmentId, card: CardNo, debit: &Debit) -> Vec<Key> {
    let mut keys = claims(card, debit).to_vec();
    keys.extend(odd::needs(seen, from));
    keys.push(Key::Spent(card));
    let spent = seen.row(&Key::Spent(card)).and_then(Row::spent);
    keys.extend(spent.and_then(|spent| spent.case).map(Key::Case));
    let released = seen.row(&Key::Card(card)).and_then(Row::card).and_then(|card| card.released);
    keys.extend(released.map(|k| Key::Attempt(card, k)));
    for beside in beside(card, debit) {
        keys.extend(seen.row(&beside).and_then(Row::sold).copied().map(Key::Sale));
        keys.push(beside);
    }
    keys.extend(by_balance::needs(seen, card, debit));
    keys
}

/// The debits before and after this one.
fn beside(card: CardNo, debit: &Debit) -> impl Iterator<Item = Key> {
    let counters = [debit.m.checked_sub(1), debit.m.checked_add(1)];
    counters.into_iter().flatten().map(move |m| Key::Debited(card, m))
}

/// The card's counter, and the debit itself as its TAC covers it: what a debit claims for ever (M6).
fn claims(card: CardNo, debit: &Debit) -> [Key; 2] {
    let [a, b, c, ..] = debit.terminal;
    let counted = Key::Counted(card, TerminalNo([a, b, c]), debit.tsn, debit.date, debit.time);
    [Key::Debited(card, debit.m), counted]
}

/// Which of the claims stand in the book already.
pub(crate) fn taken_by(desk: &Desk<'_, Campus>, card: CardNo, debit: &Debit) -> Result<[bool; 2], NotLoaded<Key>> {
    let [debited, counted] = claims(card, debit);
    Ok([desk.get(&debited)?.is_some(), desk.get(&counted)?.is_some()])
}

/// A debit of a card, with nothing else standing in its way.
pub(crate) fn facts(
    desk: &Desk<'_, Campus>,
    sale: &Sale,
    card: Option<&Card>,
    evidence: Evidence,
) -> Result<DebitFacts, NotLoaded<Key>> {
    let (no, now) = (sale.card, desk.now());
    let on_card = desk.account(&chart::on_card(no));
    let made_at = sale.debit.and_then(|debit| calendar::of_card_stamp(debit.date, debit.time));
    let stopped = card.filter(|card| card.state != CardState::Active);
    let odd = match sale.debit {
        Some(debit) if !follows(desk, sale, &debit, card)? => Some(Odd::ChainBroken),
        Some(_) if !date_believable(made_at, now, &limits(desk)?) => Some(Odd::Date),
        Some(_) | None => None,
    };
    Ok(DebitFacts {
        card_known: card.is_some(),
        evidence,
        replayed: false,
        taken: false,
        called_off: false,
        on_card: on_card.balance(),
        in_transit: on_card.credits_pending,
        suspense: desk.account(&chart::suspense_card(no)).balance(),
        forgotten_load: epoch::meeting(desk, no)?.explains_overspending(),
        disproved: sale.state == State::NotDebited,
        card_stopped: stopped.is_some_and(|card| made_at.is_none_or(|made_at| made_at >= card.since)),
        odd,
    })
}

fn spent(desk: &Desk<'_, Campus>, card: CardNo) -> Result<Spent, NotLoaded<Key>> {
    Ok(desk.get(&Key::Spent(card))?.and_then(Row::spent).cloned().unwrap_or_default())
}

/// How far the book remembers the debits of the card when this one comes. Needs what [`epoch::needs`] names.
fn era(desk: &Desk<'_, Campus>, sale: &Sale) -> Result<Era, NotLoaded<Key>> {
    let newest = epoch::newest(desk)?;
    let made_at = sale.debit.and_then(|debit| made_at(sale, &debit));
    // A debit of before the restore may come after its card agreed: its own loads and neighbours are forgotten all the same.
    let made_since = newest.is_none_or(|epoch| made_at.is_some_and(|made_at| !epoch.is_after(made_at)));
    let whole = made_since && epoch::agreed(desk, sale.card)?;
    Ok(Era { epoch: Epoch::number_of(newest.as_ref()), whole })
}

/// When a debit was made at the latest: as its terminal says, but not after it was heard of.
fn made_at(sale: &Sale, debit: &Debit) -> Option<Micros> {
    calendar::of_card_stamp(debit.date, debit.time).map(|made_at| made_at.min(sale.at))
}

/// Whether the balance that the terminal saw fits to the debits beside this one.
fn follows(desk: &Desk<'_, Campus>, sale: &Sale, debit: &Debit, card: Option<&Card>) -> Result<bool, NotLoaded<Key>> {
    let spent = spent(desk, sale.card)?;
    let epoch = Epoch::number_of(epoch::newest(desk)?.as_ref());
    let on_its_way = match card.and_then(|card| card.released) {
        Some(k) => desk
            .get(&Key::Attempt(sale.card, k))?
            .and_then(Row::attempt)
            .map(|attempt| loaded(&attempt.session, desk.now())),
        None => None,
    };
    for key in beside(sale.card, debit) {
        let Some(other) = desk.get(&key)?.and_then(Row::sold).copied() else { continue };
        let other = desk.get(&Key::Sale(other))?.and_then(Row::sale);
        let Some((other, beside)) = other.and_then(|other| Some((other, other.debit?))) else { continue };
        let (own, its) = ((sale, debit), (other, &beside));
        let ((first, earlier), (_, later)) = if beside.m < debit.m { (its, own) } else { (own, its) };
        let left = earlier.old_balance.checked_sub(u32::try_from(first.amount.get()).unwrap_or(u32::MAX));
        if !left.is_some_and(|left| {
            let earlier = Earlier { m: earlier.m, left, made_at: made_at(first, earlier) };
            spent.follows(epoch, &earlier, later.old_balance, on_its_way)
        }) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn loaded(session: &rules::load::Session, at: Micros) -> Loaded {
    Loaded { old_balance: session.old_balance, amount: session.amount, at }
}

/// The card took a load. Needs [`Key::Spent`].
pub(crate) fn took_load(
    desk: &mut Desk<'_, Campus>,
    card: CardNo,
    session: &rules::load::Session,
) -> Result<(), NotLoaded<Key>> {
    let mut spent = spent(desk, card)?;
    spent.loaded(loaded(session, desk.now()));
    desk.put(Key::Spent(card), Row::Spent(Box::new(spent)))
}

/// A debit is in the book: it stands there for ever, and its card lacks it no more.
fn stands(desk: &mut Desk<'_, Campus>, sale: &Sale, card_known: bool) -> Result<(), NotLoaded<Key>> {
    let Some(debit) = sale.debit else { return Ok(()) };
    for key in claims(sale.card, &debit) {
        if desk.get(&key)?.is_none() {
            desk.put(key, Row::Sold(sale.id))?;
        }
    }
    if card_known { came(desk, sale) } else { Ok(()) }
}

/// A debit came into the book: its card lacks it no more.
fn came(desk: &mut Desk<'_, Campus>, sale: &Sale) -> Result<(), NotLoaded<Key>> {
    let Some(debit) = sale.debit else { return Ok(()) };
    let (mut spent, limits, era) = (spent(desk, sale.card)?, limits(desk)?, era(desk, sale)?);
    match spent.came(debit.m, desk.now(), era, &limits) {
        Change::None => {}
        Change::Came(case) => cases::end(desk, case, "the missing records came".to_owned())?,
        Change::Forgotten(case) => {
            cases::end(desk, case, "the book was restored: the records may have come before".to_owned())?;
        }
    }
    desk.put(Key::Spent(sale.card), Row::Spent(Box::new(spent)))
}

/// What tells whether an open sale was authorised on line: the answer to the record that asked.
pub(crate) fn asked_by(sale: &Sale) -> Key {
    Key::Record(sale.asked_by.0, sale.asked_by.1)
}

/// Whether a sale was authorised on line since the book was restored last. Needs [`asked_by`] and [`Key::Epoch`].
pub(crate) fn of_this_epoch(desk: &Desk<'_, Campus>, sale: &Sale) -> Result<bool, NotLoaded<Key>> {
    let Some(epoch) = epoch::newest(desk)? else { return Ok(true) };
    let note = desk.get(&asked_by(sale))?.and_then(Row::record);
    let answer = note.and_then(|note| link::decode::<Answer>(&note.answer).ok());
    Ok(sale.at >= epoch.since && matches!(answer, Some(Answer::PayFromPurse { .. })))
}

/// Puts on the desk what was decided about a debit; writes the sale, and the card when it changes.
pub(crate) fn apply<R>(
    desk: &mut Desk<'_, Campus>,
    card: Option<Card>,
    sale: Sale,
    acceptance: Acceptance,
) -> Result<(), Halt<Campus, R>> {
    let card_known = card.is_some();
    put(desk, card, card_known, sale, acceptance)?;
    Ok(())
}

/// Gives the case in which the money of the debit is, or the debit alone, when there is one.
fn put<R>(
    desk: &mut Desk<'_, Campus>,
    card: Option<Card>,
    card_known: bool,
    mut sale: Sale,
    acceptance: Acceptance,
) -> Result<Option<CaseId>, Halt<Campus, R>> {
    let mut suspended = None;
    match acceptance {
        Acceptance::Keep => {
            sale.state = State::Unconfirmed;
            if let Some(mut card) = card {
                card.unconfirmed.push(sale.id);
                desk.put(Key::Card(card.no), Row::Card(card))?;
            }
        }
        Acceptance::Post { from, case } => {
            let (account, reason) = match from {
                PaidFrom::OnCard => (chart::on_card(sale.card), Reason::SaleFromPurse),
                PaidFrom::Unproved => (chart::suspense_card(sale.card), Reason::SaleFromUnproved),
            };
            post(desk, account, chart::merchant(sale.merchant), sale.amount, Leg::Direct, reason, sale.id)?;
            epoch::sale_came(desk, sale.card, sale.amount)?;
            sale.state = State::FromPurse;
            stands(desk, &sale, card_known)?;
            if let Some(kind) = case {
                open_case(desk, kind, &sale, Fen::ZERO)?;
            }
        }
        Acceptance::Suspend { case, pay, freeze: alarm } => {
            let paid = if pay { sale.amount } else { Fen::ZERO };
            let id = open_case(desk, case, &sale, paid)?;
            if pay {
                let (from, to) = (chart::suspense_case(id), chart::merchant(sale.merchant));
                post(desk, from, to, sale.amount, Leg::Direct, Reason::SaleUnexplained, sale.id)?;
                stands(desk, &sale, card_known)?;
            }
            sale.state = State::Suspended(id);
            suspended = Some(id);
            if case == case::Kind::SaleConflict
                && let Some(other) = by_balance::standing(desk, &sale)?
            {
                // One of the two terminals may have told a counter that the chip did not show.
                let terminal = other.debit.map_or([0; 6], |debit| debit.terminal);
                let fact = format!("its counter has sale {} over {} yuan, {terminal:02X?}", other.id, other.amount);
                cases::note(desk, id, &fact)?;
            }
            if alarm && let Some(card) = card {
                freeze(desk, card, sale.asked_by.0, id)?;
            }
        }
    }
    desk.insert_new(Key::Sale(sale.id), Row::Sale(Box::new(sale)));
    Ok(suspended)
}

fn open_case(
    desk: &mut Desk<'_, Campus>,
    kind: case::Kind,
    sale: &Sale,
    amount: Fen,
) -> Result<CaseId, NotLoaded<Key>> {
    let debit = sale.debit.map_or(String::new(), |debit| {
        let Debit { m, tsn, terminal, date, time, .. } = debit;
        format!(", M {m}, TSN {tsn}, terminal id {terminal:02X?}, made {date:02X?} {time:02X?}")
    });
    let detail = format!("card {}, {} yuan{debit}", sale.card, sale.amount);
    if odd::of_terminal(kind) {
        return odd::tell(desk, kind, sale, detail);
    }
    let id = CaseId(desk.new_id());
    cases::open(desk, Case { id, kind, opened_at: desk.now(), reference: sale.id, amount, detail });
    Ok(id)
}

/// Settles an open sale, or one that was thought not to have debited the card; `proved` by the card's TAC, else by its
/// balance. The caller writes the card.
pub(crate) fn settle<R>(
    desk: &mut Desk<'_, Campus>,
    card: &mut Card,
    mut sale: Sale,
    verdict: Verdict,
    proved: bool,
) -> Result<(), Halt<Campus, R>> {
    match verdict {
        Verdict::Open => return Ok(()),
        Verdict::NotDebited => {
            sale.state = State::NotDebited;
            desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale.clone())))?;
        }
        // A proof that still comes pays it, and ends the case.
        Verdict::Untold => {
            sale.state = State::Untold(open_case(desk, case::Kind::SaleUntold, &sale, Fen::ZERO)?);
            desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale.clone())))?;
        }
        Verdict::Debited => {
            if let State::ByBalance(case) = sale.state {
                return by_balance::proved(desk, card, sale, case);
            }
            if let State::Untold(case) = sale.state {
                cases::end(desk, case, "the card's proof came".to_owned())?;
            }
            let [taken, replayed] = match &sale.debit {
                Some(debit) => taken_by(desk, sale.card, debit)?,
                None => [false; 2],
            };
            let mut facts = DebitFacts { taken, replayed, ..facts(desk, &sale, Some(card), Evidence::Proved)? };
            if proved {
                facts = by_balance::make_room(desk, &sale, facts)?;
            }
            match purchase::accept(sale.amount, &facts) {
                // Its counter belongs to another proved sale: by the balance alone this one never debited the card.
                Acceptance::Suspend { case: case::Kind::SaleConflict, pay, .. } if !proved || !pay => {
                    sale.state = State::NotDebited;
                    desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale.clone())))?;
                }
                acceptance => {
                    let case = put(desk, None, true, sale.clone(), acceptance)?;
                    if let (Acceptance::Suspend { freeze: true, .. }, Some(case)) = (acceptance, case) {
                        card_desk::stop(desk, card, sale.asked_by.0, case);
                    }
                    if !proved {
                        by_balance::posted(desk, sale.id)?;
                    }
                }
            }
        }
    }
    card.unconfirmed.retain(|id| *id != sale.id);
    Ok(())
}
