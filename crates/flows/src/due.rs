//! Jobs that are due: orders of which no news came (R67).

use std::future::{Future, poll_fn};
use std::task::Poll;

use ledger::{Id, Micros};
use rules::ids::OrderNo;

use crate::ports::ListAsk;
use crate::rows::lists;
use crate::{ReadFault, School, top_up};

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
    let mut looked: Vec<_> =
        orders.map(|id| Box::pin(top_up::look_after(school, OrderNo::from_id(id)))).map(Some).collect();
    let mut fault = None;
    poll_fn(|context| {
        for place in &mut looked {
            if let Some(look) = place
                && let Poll::Ready(outcome) = look.as_mut().poll(context)
            {
                fault = fault.take().or(outcome.err());
                *place = None;
            }
        }
        if looked.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    if let Some(fault) = fault {
        return Err(fault);
    }
    Ok(if full { school.now() } else { school.now().after_seconds(IDLE) })
}
