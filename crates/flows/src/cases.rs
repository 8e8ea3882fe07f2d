//! Cases: opened inside a decision, told more, ended; and the list that their owners work by.

use ledger::{Fen, Id};
use rules::case::{BY_RULE, Case, Ended, Kind};
use rules::ids::CaseId;
use teller::{Desk, NotLoaded};

use crate::ReadFault;
use crate::ports::{ListAsk, Reader};
use crate::rows::{Campus, Key, Row, lists};
use crate::school::rows_of;

/// Puts a case with a fresh identifier on the desk.
pub(crate) fn open(desk: &mut Desk<'_, Campus>, case: Case) {
    desk.insert_new(Key::Case(case.id), Row::Case(case));
}

/// Opens a case without money.
pub(crate) fn tell(desk: &mut Desk<'_, Campus>, kind: Kind, reference: Id, detail: String) -> CaseId {
    let id = CaseId(desk.new_id());
    open(desk, Case { id, kind, opened_at: desk.now(), reference, amount: Fen::ZERO, detail });
    id
}

/// Writes one more fact into an open case; one that ended stays as it is. Needs the case.
pub(crate) fn note(desk: &mut Desk<'_, Campus>, id: CaseId, fact: &str) -> Result<(), NotLoaded<Key>> {
    if let Some(mut case) = desk.get(&Key::Case(id))?.and_then(Row::case).cloned() {
        case.detail.push_str("; ");
        case.detail.push_str(fact);
        desk.put(Key::Case(id), Row::Case(case))?;
    }
    Ok(())
}

/// Ends an open case by a rule. Repeats: one that ended stays as it is. Needs the case.
pub(crate) fn end(desk: &mut Desk<'_, Campus>, id: CaseId, how: String) -> Result<(), NotLoaded<Key>> {
    if let Some(case) = desk.get(&Key::Case(id))?.and_then(Row::case).cloned() {
        let ended = Ended { case, at: desk.now(), by: BY_RULE.to_owned(), how };
        desk.put(Key::Case(id), Row::CaseEnded(Box::new(ended)))?;
    }
    Ok(())
}

/// One case as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It waits for its owner.
    Open {
        /// The case.
        case: Case,
        /// What of its amount has not gone back to a payer, nor is on its way back.
        left: Fen,
    },
    /// It is done with.
    Ended(Ended),
}

/// Open cases, oldest first; with `ended` also those that are done with, before them. At most `most` of each.
///
/// It needs a reader alone, so that it can be asked beside a running server. Errors: what could not be read.
pub async fn list(reader: &dyn Reader, ended: bool, most: u32) -> Result<Vec<Listed>, ReadFault> {
    let mut found = if ended { of_list(reader, lists::CASES_ENDED, most).await? } else { Vec::new() };
    found.extend(of_list(reader, lists::CASES, most).await?);
    let mut listed = Vec::new();
    for row in found {
        match row {
            Row::Case(case) => {
                let left = left(reader, &case).await?;
                listed.push(Listed::Open { case, left });
            }
            Row::CaseEnded(ended) => listed.push(Listed::Ended(*ended)),
            _ => {}
        }
    }
    Ok(listed)
}

async fn of_list(reader: &dyn Reader, list: &'static str, most: u32) -> Result<Vec<Row>, ReadFault> {
    let ask = ListAsk { list, owner: Vec::new(), from: i64::MIN, to: i64::MAX, backwards: false, most };
    let listed = reader.list(ask).await?;
    let ids = listed.iter().filter_map(|listed| listed.key[..].try_into().ok()).map(Id::from_bytes);
    let keys: Vec<Key> = ids.map(|id| Key::Case(CaseId(id))).collect();
    Ok(rows_of(reader, &keys).await?.into_iter().flatten().collect())
}

/// What is left of a case's amount: a payment in it goes back in refunds of that payment alone.
async fn left(reader: &dyn Reader, case: &Case) -> Result<Fen, ReadFault> {
    let suspended = rows_of(reader, &[Key::Suspended(case.id)]).await?.pop().flatten();
    let Some(payment) = suspended.as_ref().and_then(Row::suspended).map(|suspended| &suspended.payment) else {
        return Ok(case.amount);
    };
    let key = Key::Repaid(payment.channel.number(), payment.transaction.clone());
    let repaid = rows_of(reader, &[key]).await?.pop().flatten();
    let back = repaid.as_ref().and_then(Row::repaid).map_or(Fen::ZERO, |repaid| repaid.back);
    Ok(case.amount.minus(back).unwrap_or(Fen::ZERO))
}
