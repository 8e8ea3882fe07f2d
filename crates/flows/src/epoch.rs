//! A book goes on from a backup: the epoch that it begins, what is to be done first in it, and what it explains (M9).
//!
//! Order of work after a restore: open orders, and refunds that had not ended, are asked about at the payment provider before
//! new orders are taken. The provider's bills since the backup are read by reconciliation, which is a step of its own after
//! this one; until then a payment of an order that the book forgot arrives as a notice and goes to a case, and so does the
//! notice of a refund that it forgot. What waits for a card since before the restore is asked about at the card's first hold,
//! so that money that went back meanwhile is not loaded.

use std::collections::BTreeSet;

use ledger::{Fen, Micros};
use rules::epoch::{Epoch, Meeting, Met};
use rules::event::Began;
use rules::ids::{CardNo, OrderNo, PersonId, RefundNo};
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::rows::{Campus, Key, Row, lists};
use crate::{ReadFault, School, due, event, refund, top_up};

/// Rows that tell how far a restore explains that this card and the book disagree.
pub(crate) fn needs(seen: &Seen<'_, Campus>, card: CardNo) -> Vec<Key> {
    let mut keys = vec![Key::Epoch];
    if seen.row(&Key::Epoch).is_some() {
        keys.extend([Key::Met(card), Key::Agreed(card)]);
        let met = seen.row(&Key::Met(card)).and_then(Row::met);
        keys.extend(met.and_then(|met| met.case).map(Key::Case));
    }
    keys
}

/// Whether the holder's card came since the restore: what it took before is settled then, and the provider was asked about
/// what waits (M9). Needs the holder, and [`needs`] of the card.
pub(crate) fn holder_met(desk: &Desk<'_, Campus>, person: PersonId, newest: &Epoch) -> Result<bool, NotLoaded<Key>> {
    let Some(card) = crate::desk::person(desk, person)?.and_then(|holder| holder.card) else { return Ok(false) };
    Ok(met(desk, card)?.is_some_and(|met| met.epoch == newest.number))
}

/// The newest restore. Needs [`Key::Epoch`].
pub(crate) fn newest(desk: &Desk<'_, Campus>) -> Result<Option<Epoch>, NotLoaded<Key>> {
    Ok(desk.get(&Key::Epoch)?.and_then(Row::epoch).copied())
}

/// How a card was found in this epoch, if it was. Needs what [`needs`] names.
pub(crate) fn met(desk: &Desk<'_, Campus>, card: CardNo) -> Result<Option<Met>, NotLoaded<Key>> {
    match newest(desk)? {
        Some(_) => Ok(desk.get(&Key::Met(card))?.and_then(Row::met).copied()),
        None => Ok(None),
    }
}

/// How far a restore explains that this card and the book disagree. Needs what [`needs`] names.
pub(crate) fn meeting(desk: &Desk<'_, Campus>, card: CardNo) -> Result<Meeting, NotLoaded<Key>> {
    Ok(Meeting::of(newest(desk)?.as_ref(), met(desk, card)?.as_ref()))
}

/// Whether no debit of before the newest restore can be missing in what the book has of this card. Needs what [`needs`]
/// names.
pub(crate) fn agreed(desk: &Desk<'_, Campus>, card: CardNo) -> Result<bool, NotLoaded<Key>> {
    let Some(epoch) = newest(desk)? else { return Ok(true) };
    Ok(matches!(desk.get(&Key::Agreed(card))?, Some(Row::Agreed(number)) if *number >= epoch.number))
}

/// A card showed exactly what the book has of it. Needs what [`needs`] names.
pub(crate) fn agree(desk: &mut Desk<'_, Campus>, card: CardNo) -> Result<(), NotLoaded<Key>> {
    match newest(desk)? {
        Some(epoch) if !agreed(desk, card)? => desk.put(Key::Agreed(card), Row::Agreed(epoch.number)),
        Some(_) | None => Ok(()),
    }
}

/// A purse sale of this card was posted: if the card was ahead, its purse may have shown it already.
pub(crate) fn sale_came(desk: &mut Desk<'_, Campus>, card: CardNo, amount: Fen) -> Result<(), NotLoaded<Key>> {
    if let (Meeting::Ahead { late }, Some(met)) = (meeting(desk, card)?, met(desk, card)?) {
        let late = late.plus(amount).or(Some(late));
        desk.put(Key::Met(card), Row::Met(Met { late, ..met }))?;
    }
    Ok(())
}

/// Begins an epoch; a row of the book like any other, so that the chain remembers it.
struct Begin {
    number: u64,
    /// The last row of the backup.
    head: u64,
}

/// It is never refused.
enum Never {}

impl Command<Campus> for Begin {
    type Answer = Epoch;
    type Refusal = Never;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Epoch, Key::Lineage]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Epoch, Halt<Campus, Never>> {
        let newest = desk.get(&Key::Epoch)?.and_then(Row::epoch).copied();
        if let Some(newest) = newest
            && newest.number >= self.number
        {
            return Ok(newest);
        }
        let epoch = Epoch { number: self.number, since: desk.now(), orders_asked: false };
        let mut lineage = desk.get(&Key::Lineage)?.and_then(Row::lineage).cloned().unwrap_or_default();
        lineage.push(Began { number: self.number, after: self.head, at: desk.now() });
        desk.put(Key::Lineage, Row::Lineage(lineage))?;
        desk.put(Key::Epoch, Row::Epoch(epoch))?;
        Ok(epoch)
    }
}

/// Begins epoch `number` of a book that was restored; gives the epoch that it is in from now on.
///
/// The book remembers where its journal ended then, for the readers of its events. Errors: the fault of the teller, `Poison`
/// also for a journal that cannot be read; then nothing was done. Repeats: an epoch that has begun stays as it is. Source: M9.
pub async fn begin(school: &School, number: u64) -> Result<Epoch, Fault> {
    // Nobody else works on a book that is being restored: what it holds now is what survived.
    let head = event::head(school.reader.as_ref()).await.map_err(|fault| Fault::Poison(fault.to_string()))?;
    school.submit(Begin { number, head }).await.map_err(|rejected| match rejected {
        Rejected::Refused(never) => match never {},
        Rejected::Fault(fault) => fault,
    })
}

/// Every order that was open in the backup was asked about.
struct OrdersAsked;

impl Command<Campus> for OrdersAsked {
    type Answer = ();
    type Refusal = Never;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Epoch]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Never>> {
        if let Some(epoch) = newest(desk)? {
            desk.put(Key::Epoch, Row::Epoch(Epoch { orders_asked: true, ..epoch }))?;
        }
        Ok(())
    }
}

/// More open orders, or refunds, than any school has at a time.
const MOST: u32 = 100_000;
/// Whatever its due time.
const END: Micros = Micros::new(i64::MAX);

/// After so long without a sure answer an order no longer keeps all others waiting, seconds; it is asked on as it is due.
const PATIENCE: i64 = 600;

/// The first work of a server after a restore: asks about every order and every refund that was open in the backup.
#[derive(Debug, Default)]
pub struct Reopening {
    /// Nothing is left to ask.
    done: bool,
    since: Option<Micros>,
    asked: BTreeSet<OrderNo>,
    refunds_asked: BTreeSet<RefundNo>,
}

impl Reopening {
    /// Asks about all that have no sure answer yet; once none is left, new orders are taken. Gives whether that is so.
    ///
    /// Errors: what could not be read; ask again. Repeats: only what has no answer is asked about again, for at most ten
    /// minutes each time a server starts; with no restore, or an old one, nothing is done. Source: M9.
    pub async fn run(&mut self, school: &School) -> Result<bool, ReadFault> {
        if self.done {
            return Ok(true);
        }
        let epoch = school.row(&Key::Epoch).await?.as_ref().and_then(Row::epoch).copied();
        let Some(epoch) = epoch.filter(|epoch| !epoch.orders_asked) else {
            self.done = true;
            return Ok(true);
        };
        let began = *self.since.get_or_insert(school.now());
        let left = self.ask_orders(school, &epoch).await?.saturating_add(self.ask_refunds(school, &epoch).await?);
        if left > 0 && school.now() < began.after_seconds(PATIENCE) {
            return Ok(false);
        }
        self.done = school.submit(OrdersAsked).await.is_ok();
        Ok(self.done)
    }

    /// Asks about open orders; gives how many are left without a sure answer.
    async fn ask_orders(&mut self, school: &School, epoch: &Epoch) -> Result<u32, ReadFault> {
        let all = due::listed(school, lists::DUE_ORDERS, END, MOST).await?;
        let open: Vec<OrderNo> = all.into_iter().map(OrderNo::from_id).filter(|no| !self.asked.contains(no)).collect();
        let mut left = 0_u32;
        for some in open.chunks(due::AT_ONCE) {
            let mut work: Vec<due::Work<'_, _>> = Vec::new();
            for no in some {
                work.push(Box::pin(async move { Ok((*no, top_up::look_after(school, *no).await?)) }));
            }
            for (no, order) in due::side_by_side(work).await? {
                // Nothing could be decided: that is no answer.
                let answered =
                    order.is_some_and(|order| !order.open() || order.queried.is_some_and(|(at, _)| at >= epoch.since));
                match answered {
                    true => {
                        self.asked.insert(no);
                    }
                    false => left = left.saturating_add(1),
                }
            }
        }
        Ok(left)
    }

    /// The same of refunds: one that failed since the backup gave its money back, and a card may have taken that.
    async fn ask_refunds(&mut self, school: &School, epoch: &Epoch) -> Result<u32, ReadFault> {
        let all = due::listed(school, lists::REFUNDS_DUE, END, MOST).await?;
        let live: Vec<RefundNo> =
            all.into_iter().map(RefundNo::from_id).filter(|no| !self.refunds_asked.contains(no)).collect();
        let mut left = 0_u32;
        for some in live.chunks(due::AT_ONCE) {
            let mut work: Vec<due::Work<'_, _>> = Vec::new();
            for no in some {
                work.push(Box::pin(async move { Ok((*no, refund::look_after(school, *no).await?)) }));
            }
            for (no, refund) in due::side_by_side(work).await? {
                let answered =
                    refund.is_some_and(|refund| !refund.live() || refund.heard_at.is_some_and(|at| at >= epoch.since));
                match answered {
                    true => {
                        self.refunds_asked.insert(no);
                    }
                    false => left = left.saturating_add(1),
                }
            }
        }
        Ok(left)
    }
}
