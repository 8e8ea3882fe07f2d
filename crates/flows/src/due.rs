//! Jobs that are due: orders of which no news came (R67).

use ledger::{Id, Micros};
use rules::ids::OrderNo;

use crate::ports::ListAsk;
use crate::rows::lists;
use crate::{ReadFault, School, top_up};

/// How long to wait when nothing is due, seconds.
const IDLE: i64 = 1;

/// Looks after every order that is due, at most `most` of them, and gives the time at which to come again.
///
/// A provider that does not answer delays its own orders alone: each keeps its next time in its row.
/// Repeats: harmless; two runs at once ask the provider twice and settle once.
pub async fn run(school: &School, most: u32) -> Result<Micros, ReadFault> {
    let now = school.now();
    let ask = ListAsk { list: lists::DUE_ORDERS, owner: Vec::new(), from: 0, to: now.get(), backwards: false, most };
    let due = school.list(ask).await?;
    let full = due.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    for listed in due {
        let Ok(key) = <[u8; 16]>::try_from(&listed.key[..]) else { continue };
        top_up::look_after(school, OrderNo::from_id(Id::from_bytes(key))).await?;
    }
    Ok(if full { school.now() } else { school.now().after_seconds(IDLE) })
}
