//! A card comes for the first time after a restore, or shows more than it did then (M9).

use std::collections::BTreeSet;

use ledger::{Fen, Id, Stage as Leg};
use rules::case::{Case, Kind};
use rules::chart::{self, Reason};
use rules::epoch::{Meeting, Met};
use rules::ids::{CardNo, CaseId, OrderNo, PersonId};
use rules::load::{Ahead, Item, Refusal, Resolution, Session, Source};
use rules::refund;
use rules::top_up::Order;
use teller::{Desk, Halt, NotLoaded};

use super::{CardView, orders_loaded, post, settle_early};
use crate::ports::Trade;
use crate::rows::{Campus, Key, Row, SuspendedPayment};
use crate::{School, due, epoch};

/// Takes the card as it is: what forgotten loads took comes onto it in the book, out of what waited and else out of a case.
/// The earlier attempt is settled, `took_before` as [`took_before`] says of it; the caller writes card and waiting items.
///
/// Error: `AfterRestore` for a card that is ahead while not every open order, and not every one that waits for it, was asked
/// about: an order may still turn out to be what the card took, or not.
pub(super) fn meet(
    desk: &mut Desk<'_, Campus>,
    view: &mut CardView,
    session: &Session,
    took_before: bool,
    ahead: Option<Ahead>,
) -> Result<(), Halt<Campus, Refusal>> {
    let Some(epoch) = epoch::newest(desk)? else { return Ok(()) };
    let no = view.card.no;
    let before = epoch::met(desk, no)?.filter(|met| met.epoch == epoch.number);
    let Some(ahead) = ahead else {
        let late = match view.meeting {
            Meeting::Usual => return Ok(()),
            Meeting::First { .. } if !took_before => None,
            Meeting::First { .. } | Meeting::Ahead { .. } => Some(Fen::ZERO),
        };
        // With something unsure it is not over: it is asked about at the next hold.
        if view.unsure.is_empty() && !view.unasked {
            let met = Met { epoch: epoch.number, case: before.and_then(|met| met.case), late };
            desk.put(Key::Met(no), Row::Met(met))?;
        }
        return Ok(());
    };
    if !epoch.orders_asked || !view.unsure.is_empty() {
        return Err(Halt::Refuse(Refusal::AfterRestore));
    }
    let case = match before.and_then(|met| met.case) {
        Some(case) => add_to_case(desk, case, &ahead)?,
        None => open_case(desk, view, session, &ahead),
    };
    let reference = Id::new(u128::from(no.0));
    let on_card = chart::on_card(no);
    let waited = Fen::sum(ahead.items.iter().map(|item| item.amount)).unwrap_or(Fen::ZERO);
    for (from, amount) in [(chart::awaiting_tap(view.card.person), waited), (chart::suspense_case(case), ahead.rest)] {
        if amount.is_positive() {
            post(desk, from, on_card, amount, Leg::Direct, Reason::LoadForgotten, reference)?;
        }
    }
    settle_early(desk, no)?;
    orders_loaded(desk, &view.card, &ahead.items)?;
    for item in &ahead.untold {
        let amount = item.amount;
        let what = match item.source {
            Source::Order(no) => format!("order {no} over {amount} yuan was credited after the restore"),
            Source::Float => format!("a fill over {amount} yuan was on its way in the backup"),
        };
        let detail =
            format!("{what}; card {no} took more than the book knows, and does not show whether that was part of it");
        set_aside(desk, (view.card.person, view.card.no), item, Kind::LoadUntold, detail)?;
    }
    view.waiting.retain(|item| !ahead.settles(item));
    view.card.n = ahead.n;
    desk.put(Key::Met(no), Row::Met(Met { epoch: epoch.number, case: Some(case), late: Some(Fen::ZERO) }))?;
    Ok(())
}

/// The sales that this hold settled had been in what the purse showed: nothing more is explained by them.
pub(super) fn all_shown(desk: &mut Desk<'_, Campus>, no: CardNo) -> Result<(), Halt<Campus, Refusal>> {
    if let (Meeting::Ahead { .. }, Some(met)) = (epoch::meeting(desk, no)?, epoch::met(desk, no)?) {
        desk.put(Key::Met(no), Row::Met(Met { late: Some(Fen::ZERO), ..met }))?;
    }
    Ok(())
}

/// Orders that wait since before the restore for a card that nobody has met since, or since the restore itself because a
/// refund of before it failed. The provider may have given one back after the backup was made: then its money goes onto no
/// card, and a load that the book forgot did not have it.
pub(super) fn doubtful(desk: &Desk<'_, Campus>, view: &CardView) -> Result<Vec<OrderNo>, NotLoaded<Key>> {
    let Some(epoch) = epoch::newest(desk)? else { return Ok(Vec::new()) };
    if epoch::met(desk, view.card.no)?.is_some_and(|met| met.epoch == epoch.number) {
        return Ok(Vec::new());
    }
    let mut orders = Vec::new();
    for item in view.waiting.iter().filter(|item| item.since <= epoch.since) {
        if let Source::Order(no) = item.source
            && !repaid_here(desk, no)?
        {
            orders.push(no);
        }
    }
    Ok(orders)
}

/// Whether the card took a load of before the restore, or another in its place. One that was released since then is forgotten
/// by nobody: the card had shown before it that it was not ahead.
pub(super) fn took_before(view: &CardView, resolution: Resolution) -> bool {
    let Meeting::First { since } = view.meeting else { return false };
    resolution == Resolution::Applied && view.attempt.as_ref().is_some_and(|attempt| attempt.released_at < since)
}

/// Whether this ends a load of before the restore that the card did not take: its orders wait again, and the provider was
/// asked about none of them.
pub(super) fn reopens(view: &CardView, resolution: Resolution) -> bool {
    let Meeting::First { since } = view.meeting else { return false };
    let old = |item: &Item| matches!(item.source, Source::Order(_)) && item.since < since;
    resolution == Resolution::NotApplied && view.attempt.as_ref().is_some_and(|attempt| attempt.items.iter().any(old))
}

/// Where refunds of an order's payment are noted, once it is paid.
pub(crate) fn repaid_key(order: &Order) -> Option<Key> {
    refund::of_order(order, None, Fen::ZERO).ok().map(|(payment, _, _)| crate::refund::repaid_key(&payment))
}

/// Whether the book itself gave some of it back: then the provider says no news by saying so. Refunds that failed do not
/// count: after one the order waited again, and may have been refunded once more.
fn repaid_here(desk: &Desk<'_, Campus>, no: OrderNo) -> Result<bool, NotLoaded<Key>> {
    let order = desk.get(&Key::Order(no))?.and_then(Row::order);
    let Some(key) = order.and_then(repaid_key) else { return Ok(true) };
    Ok(desk.get(&key)?.and_then(Row::repaid).is_some_and(|repaid| repaid.back.is_positive()))
}

/// What the provider said of orders that wait since before the restore.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// It gave these back, in part or whole.
    given_back: BTreeSet<OrderNo>,
    /// Of these it gave no sure answer.
    unsure: BTreeSet<OrderNo>,
}

/// Asks the provider about these orders, side by side: somebody holds a card to a terminal.
pub(super) async fn ask(school: &School, orders: &[OrderNo]) -> Asked {
    let mut work: Vec<due::Work<'_, _>> = Vec::new();
    for no in orders {
        work.push(Box::pin(async move { Ok((*no, school.wechat.query(*no).await)) }));
    }
    let Ok(told) = due::side_by_side(work).await else {
        return Asked { unsure: orders.iter().copied().collect(), ..Asked::default() };
    };
    let mut asked = Asked::default();
    for (no, told) in told {
        match told {
            Ok(Trade::Refunded(_)) => asked.given_back.insert(no),
            Ok(Trade::Paid(_) | Trade::NotPaid | Trade::Paying | Trade::Closed | Trade::NotFound) => false,
            Err(_) => asked.unsure.insert(no),
        };
    }
    asked
}

/// What the provider gave back waits for no card any more: a person compares. What is unsure stays out of this hold.
pub(super) fn take_out(
    desk: &mut Desk<'_, Campus>,
    view: &mut CardView,
    asked: &Asked,
) -> Result<(), Halt<Campus, Refusal>> {
    let of = |item: &Item, orders: &BTreeSet<OrderNo>| matches!(item.source, Source::Order(no) if orders.contains(&no));
    let gone = |item: &Item| of(item, &asked.given_back);
    let items: Vec<Item> = view.waiting.iter().filter(|item| gone(item)).copied().collect();
    for item in &items {
        let detail = format!(
            "the provider tells of a refund, and the restored book has none that did not fail; {} yuan of it waited for \
             card {}",
            item.amount, view.card.no
        );
        set_aside(desk, (view.card.person, view.card.no), item, Kind::PaymentGivenBack, detail)?;
    }
    if !items.is_empty() {
        view.waiting.retain(|item| !gone(item));
        desk.put(Key::Waiting(view.card.person), Row::Waiting(view.waiting.clone()))?;
    }
    view.unsure = view.waiting.iter().filter(|item| of(item, &asked.unsure)).copied().collect();
    view.waiting.retain(|item| !of(item, &asked.unsure));
    Ok(())
}

/// What nobody can tell of is loaded neither again nor never: a person decides.
pub(crate) fn set_aside<R>(
    desk: &mut Desk<'_, Campus>,
    (person, card): (PersonId, CardNo),
    item: &Item,
    kind: Kind,
    detail: String,
) -> Result<(), Halt<Campus, R>> {
    let (id, amount, opened_at) = (CaseId(desk.new_id()), item.amount, desk.now());
    let reference = match item.source {
        Source::Order(no) => no.id(),
        Source::Float => Id::new(u128::from(card.0)),
    };
    crate::cases::open(desk, Case { id, kind, opened_at, reference, amount, detail });
    if let Source::Order(no) = item.source
        && let Some(order) = desk.get(&Key::Order(no))?.and_then(Row::order)
        && let Ok((payment, _, _)) = refund::of_order(order, None, Fen::ZERO)
    {
        // So that the person who decides can give it back to the payer.
        let of = Some((order.person, no));
        desk.insert_new(Key::Suspended(id), Row::Suspended(SuspendedPayment { payment, of }));
    }
    let from = chart::awaiting_tap(person);
    post(desk, from, chart::suspense_case(id), amount, Leg::Direct, Reason::LoadUntold, reference)?;
    Ok(())
}

fn open_case(desk: &mut Desk<'_, Campus>, view: &CardView, session: &Session, ahead: &Ahead) -> CaseId {
    let id = CaseId(desk.new_id());
    let no = view.card.no;
    let detail = format!(
        "after the restore card {no} shows N {} and purse {}, the book had N {} and on_card {}; taken as loaded: {} \
         waiting item(s), and {} out of suspense",
        session.n,
        Fen::new(i64::from(session.old_balance)),
        view.card.n,
        view.purse.on_card,
        ahead.items.len(),
        ahead.rest,
    );
    let (kind, opened_at, reference) = (Kind::CardAhead, desk.now(), Id::new(u128::from(no.0)));
    crate::cases::open(desk, Case { id, kind, opened_at, reference, amount: ahead.rest, detail });
    id
}

fn add_to_case(desk: &mut Desk<'_, Campus>, id: CaseId, ahead: &Ahead) -> Result<CaseId, Halt<Campus, Refusal>> {
    let case = desk.get(&Key::Case(id))?.and_then(Row::case).cloned();
    let Some(mut case) = case else { return Err(Halt::Broken("the case of a card that was ahead is gone".to_owned())) };
    case.amount = case.amount.plus(ahead.rest).unwrap_or(case.amount);
    case.detail.push_str(&format!("; {} more, after sales that came in late", ahead.rest));
    desk.put(Key::Case(id), Row::Case(case))?;
    Ok(id)
}
