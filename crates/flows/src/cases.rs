//! Cases: opened inside a decision, told more, ended; and the list that their owners work by.

use ledger::{Fen, Id};
use rules::case::{BY_RULE, Case, Ended, Kind};
use rules::chart;
use rules::ids::CaseId;
use teller::{Desk, NotLoaded};

use crate::ports::ListAsk;
use crate::rows::{Campus, Key, Row, lists};
use crate::{ReadFault, School};

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
        /// What lies in its suspense now.
        left: Fen,
    },
    /// It is done with.
    Ended(Ended),
}

/// Open cases, oldest first; with `ended` also those that are done with, before them. At most `most` of each.
///
/// Errors: what could not be read.
pub async fn list(school: &School, ended: bool, most: u32) -> Result<Vec<Listed>, ReadFault> {
    let mut found = if ended { rows(school, lists::CASES_ENDED, most).await? } else { Vec::new() };
    found.extend(rows(school, lists::CASES, most).await?);
    let listed = found.into_iter().filter_map(|row| match row {
        Row::Case(case) => {
            let left = school.balance(&chart::suspense_case(case.id));
            Some(Listed::Open { case, left })
        }
        Row::CaseEnded(ended) => Some(Listed::Ended(*ended)),
        _ => None,
    });
    Ok(listed.collect())
}

async fn rows(school: &School, list: &'static str, most: u32) -> Result<Vec<Row>, ReadFault> {
    let ask = ListAsk { list, owner: Vec::new(), from: i64::MIN, to: i64::MAX, backwards: false, most };
    let listed = school.list(ask).await?;
    let ids = listed.iter().filter_map(|listed| listed.key[..].try_into().ok()).map(Id::from_bytes);
    let keys: Vec<Key> = ids.map(|id| Key::Case(CaseId(id))).collect();
    Ok(school.rows(&keys).await?.into_iter().flatten().collect())
}
