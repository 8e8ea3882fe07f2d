//! Sales without a proof that were taken as paid because the card's balance showed a debit. A proof comes for one later, or
//! a debit that is proved takes its counter (decisions 0004 and 0019).

use ledger::{Fen, Id, Stage as Leg};
use rules::card::Card;
use rules::case::{Case, Kind};
use rules::chart::{self, Reason};
use rules::ids::{CardNo, CaseId};
use rules::purchase::{self, Debit, DebitFacts, Sale, State};
use teller::{Desk, Halt, NotLoaded, Seen};

use crate::rows::{Campus, Key, Row};
use crate::tap_load::post;
use crate::{card_desk, cases};

/// The sale that has the counter of this debit.
pub(crate) fn needs(seen: &Seen<'_, Campus>, card: CardNo, debit: &Debit) -> Option<Key> {
    seen.row(&Key::Debited(card, debit.m)).and_then(Row::sold).copied().map(Key::Sale)
}

/// The other sale that has the counter of this one. Needs what [`debit::needs`](crate::debit::needs) names.
pub(crate) fn standing(desk: &Desk<'_, Campus>, sale: &Sale) -> Result<Option<Sale>, NotLoaded<Key>> {
    let Some(debit) = sale.debit else { return Ok(None) };
    let Some(other) = desk.get(&Key::Debited(sale.card, debit.m))?.and_then(Row::sold).copied() else {
        return Ok(None);
    };
    if other == sale.id {
        return Ok(None);
    }
    Ok(desk.get(&Key::Sale(other))?.and_then(Row::sale).cloned())
}

/// What a proof of this open sale takes back into the book: the sale that has its counter by the balance alone.
pub(crate) fn instead_of(desk: &Desk<'_, Campus>, sale: &Sale) -> Result<Fen, NotLoaded<Key>> {
    let other = standing(desk, sale)?.filter(|other| other.state == State::ByBalance(None));
    Ok(other.map_or(Fen::ZERO, |other| other.amount))
}

/// Takes the counter from a sale that has it by the balance alone, if this one is proved: what the card had paid for that
/// sale comes back onto it, out of a case; its merchant keeps the money until a person has decided. Gives the facts as they
/// are then.
pub(crate) fn make_room<R>(
    desk: &mut Desk<'_, Campus>,
    sale: &Sale,
    facts: DebitFacts,
) -> Result<DebitFacts, Halt<Campus, R>> {
    let Some((mut other, debit)) = standing(desk, sale)?.zip(sale.debit) else { return Ok(facts) };
    if !purchase::makes_room(other.state, &facts) {
        return Ok(facts);
    }
    let (id, amount) = (CaseId(desk.new_id()), other.amount);
    let detail = format!(
        "card {}, {amount} yuan at its counter {}: paid because its balance showed a debit; sale {} over {} yuan proved it",
        sale.card, debit.m, sale.id, sale.amount
    );
    let (kind, opened_at, reference) = (Kind::SaleDisplaced, desk.now(), other.id);
    cases::open(desk, Case { id, kind, opened_at, reference, amount, detail });
    let on_card = chart::on_card(sale.card);
    post(desk, chart::suspense_case(id), on_card, amount, Leg::Direct, Reason::SaleUnexplained, other.id)?;
    other.state = State::ByBalance(Some(id));
    desk.put(Key::Sale(other.id), Row::Sale(Box::new(other)))?;
    desk.put(Key::Debited(sale.card, debit.m), Row::Sold(sale.id))?;
    // A balance that seemed to disprove this sale had counted the other one.
    Ok(DebitFacts { taken: false, disproved: false, on_card: desk.account(&on_card).balance(), ..facts })
}

/// The balance alone showed this sale, which is posted.
pub(crate) fn posted(desk: &mut Desk<'_, Campus>, sale: Id) -> Result<(), NotLoaded<Key>> {
    let sale = desk.get(&Key::Sale(sale))?.and_then(Row::sale).filter(|sale| sale.state == State::FromPurse).cloned();
    let Some(sale) = sale else { return Ok(()) };
    let sale = Sale { state: State::ByBalance(None), ..sale };
    desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale)))
}

/// The card's proof of such a sale comes. If another debit that is proved has taken its counter, there are two chips: the
/// card is stopped with a case; the sale stays paid out of the other one. The caller writes the card.
pub(crate) fn proved<R>(
    desk: &mut Desk<'_, Campus>,
    card: &mut Card,
    mut sale: Sale,
    case: Option<CaseId>,
) -> Result<(), Halt<Campus, R>> {
    sale.state = match case {
        None => State::FromPurse,
        Some(case) => {
            let counter = sale.debit.map_or(0, |debit| debit.m);
            let detail = format!("card {}: two debits at its counter {counter} are proved", card.no);
            let alarm = cases::tell(desk, Kind::CardCloned, Id::new(u128::from(card.no.0)), detail);
            card_desk::stop(desk, card, sale.asked_by.0, alarm);
            State::Suspended(case)
        }
    };
    desk.put(Key::Sale(sale.id), Row::Sale(Box::new(sale)))?;
    Ok(())
}
