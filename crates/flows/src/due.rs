//! Jobs that are due: orders of which no news came (R67).

use std::future::{Future, poll_fn};
use std::task::Poll;

use ledger::{Id, Micros};
use rules::ids::OrderNo;
use rules::top_up::Order;

use crate::ports::ListAsk;
use crate::rows::lists;
use crate::{ReadFault, School, top_up};

/// Orders that are looked after side by side.
pub(crate) const AT_ONCE: usize = 64;

/// How long to wait when nothing is due, seconds.
const IDLE: i64 = 1;

/// Looks after every order that is due, at most `most` of them at once, and gives the time at which to come again.
///
/// They are looked after side by side, so that an answer that does not come delays one order and not the others.
/// While the clock has leapt and nobody confirmed it, nothing is due: an order must not expire by a time that may be wrong
/// (M7). Notices, and holders who look, settle orders all the same.
/// Repeats: harmless; two runs at once ask the provider twice and settle once.
pub async fn run(school: &School, most: u32) -> Result<Micros, ReadFault> {
    let now = school.now();
    if school.clock.leapt() {
        return Ok(now.after_seconds(IDLE));
    }
    let ask = ListAsk { list: lists::DUE_ORDERS, owner: Vec::new(), from: 0, to: now.get(), backwards: false, most };
    let due = school.list(ask).await?;
    let full = due.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    let orders = due.iter().filter_map(|listed| listed.key[..].try_into().ok()).map(Id::from_bytes);
    let orders: Vec<OrderNo> = orders.map(OrderNo::from_id).collect();
    look_after_all(school, &orders).await?;
    Ok(if full { school.now() } else { school.now().after_seconds(IDLE) })
}

/// Looks after these orders side by side; gives each as it is afterwards, `None` when nothing could be decided.
///
/// Error: the first that could not be read; the others were looked after all the same.
pub(crate) async fn look_after_all(
    school: &School,
    orders: &[OrderNo],
) -> Result<Vec<(OrderNo, Option<Order>)>, ReadFault> {
    let mut looked: Vec<_> = orders.iter().map(|no| (*no, Some(Box::pin(top_up::look_after(school, *no))))).collect();
    let (mut found, mut fault) = (Vec::new(), None);
    poll_fn(|context| {
        for (no, place) in &mut looked {
            if let Some(look) = place
                && let Poll::Ready(outcome) = look.as_mut().poll(context)
            {
                match outcome {
                    Ok(order) => found.push((*no, order)),
                    Err(why) => fault = fault.take().or(Some(why)),
                }
                *place = None;
            }
        }
        if looked.iter().all(|(_, place)| place.is_none()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    fault.map_or(Ok(found), Err)
}
