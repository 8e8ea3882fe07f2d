//! Jobs that are due: orders and refunds of which no news came (R67; rows 14, 23), debits of which no record came (R81), and
//! money that waits for its card (R36).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use ledger::{Id, Micros};
use rules::ids::{OrderNo, RefundNo};

use crate::ports::ListAsk;
use crate::rows::lists;
use crate::{ReadFault, School, missing, refund, top_up, waiting};

/// Orders or refunds that are looked after side by side.
pub(crate) const AT_ONCE: usize = 64;

/// How long to wait when nothing is due, seconds.
const IDLE: i64 = 1;

/// Looks after every order, every refund and every holder's waiting money that is due, at most `most` of each at once, and
/// gives the time at which to come again.
///
/// They are looked after side by side, so that an answer that does not come delays one of them and not the others.
/// While the clock has leapt and nobody confirmed it, nothing is due: an order must not expire, a refund be sent, or waiting
/// money go back by a time that may be wrong (M7). Notices, and holders who look, settle orders and refunds all the same.
/// Repeats: harmless; two runs at once ask the provider twice and settle once.
pub async fn run(school: &School, most: u32) -> Result<Micros, ReadFault> {
    let now = school.now();
    if school.clock.leapt() {
        return Ok(now.after_seconds(IDLE));
    }
    let orders = listed(school, lists::DUE_ORDERS, now, most).await?;
    let refunds = listed(school, lists::REFUNDS_DUE, now, most).await?;
    let many = usize::try_from(most).unwrap_or(usize::MAX);
    // First, so that a refund that begins is sent at the next coming, as one that a person asked for.
    let waiting = waiting::look(school, most).await?;
    let full = [orders.len(), refunds.len(), waiting].into_iter().any(|found| found >= many);
    let mut work: Vec<Work<'_, ()>> = Vec::new();
    for id in orders {
        work.push(Box::pin(async move { top_up::look_after(school, OrderNo::from_id(id)).await.map(|_| ()) }));
    }
    for id in refunds {
        work.push(Box::pin(async move { refund::look_after(school, RefundNo::from_id(id)).await.map(|_| ()) }));
    }
    side_by_side(work).await?;
    missing::look(school, most).await?;
    Ok(if full { school.now() } else { school.now().after_seconds(IDLE) })
}

/// What stands in a list of the school up to a moment.
pub(crate) async fn listed(school: &School, list: &'static str, to: Micros, most: u32) -> Result<Vec<Id>, ReadFault> {
    let ask = ListAsk { list, owner: Vec::new(), from: i64::MIN, to: to.get(), backwards: false, most };
    let listed = school.list(ask).await?;
    Ok(listed.iter().filter_map(|listed| listed.key[..].try_into().ok()).map(Id::from_bytes).collect())
}

/// A piece of work that may wait.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, ReadFault>> + Send + 'a>>;

/// Does all of it side by side; gives what came of each, in the order in which it came.
///
/// Error: the first that could not be read; the rest was done all the same.
pub(crate) async fn side_by_side<T>(work: Vec<Work<'_, T>>) -> Result<Vec<T>, ReadFault> {
    let mut places: Vec<Option<Work<'_, T>>> = work.into_iter().map(Some).collect();
    let (mut found, mut fault) = (Vec::new(), None);
    poll_fn(|context| {
        for place in &mut places {
            if let Some(work) = place
                && let Poll::Ready(outcome) = work.as_mut().poll(context)
            {
                match outcome {
                    Ok(done) => found.push(done),
                    Err(why) => fault = fault.take().or(Some(why)),
                }
                *place = None;
            }
        }
        if places.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    fault.map_or(Ok(found), Err)
}
