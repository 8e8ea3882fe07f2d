//! Odd debits of a terminal: a wrong clock or a stopped device makes all of them odd in the same way, and one case tells of
//! them all (R81).

use ledger::Fen;
use rules::case::{Case, Kind};
use rules::ids::{CaseId, EnrolmentId};
use rules::purchase::Sale;
use teller::{Desk, NotLoaded, Seen};

use crate::cases;
use crate::rows::{Campus, Key, OddDebits, Row};

/// Whether an enrolment has one case for all debits of this kind. They are posted, and what must be looked at is the terminal.
pub(crate) const fn of_terminal(kind: Kind) -> bool {
    matches!(kind, Kind::SaleChainBroken | Kind::SaleDateOdd | Kind::SaleTerminalStopped)
}

/// Rows that [`tell`] needs.
pub(crate) fn needs(seen: &Seen<'_, Campus>, enrolment: EnrolmentId) -> Vec<Key> {
    let mut keys = vec![Key::Odd(enrolment)];
    let told = seen.row(&Key::Odd(enrolment)).and_then(Row::odd);
    keys.extend(told.into_iter().flatten().map(|odd| Key::Case(odd.case)));
    keys
}

/// Tells of an odd debit: in the open case of its enrolment and kind, else in a new one. The case refers to the newest debit
/// and says how many there are, the first and the last. Needs what [`needs`] names.
pub(crate) fn tell(
    desk: &mut Desk<'_, Campus>,
    kind: Kind,
    sale: &Sale,
    what: String,
) -> Result<CaseId, NotLoaded<Key>> {
    let key = Key::Odd(sale.asked_by.0);
    let mut told = desk.get(&key)?.and_then(Row::odd).cloned().unwrap_or_default();
    let place = told.iter().position(|odd| odd.kind == kind);
    if let Some(odd) = place.and_then(|place| told.get_mut(place))
        && let Some(case) = desk.get(&Key::Case(odd.case))?.and_then(Row::case).cloned()
    {
        odd.debits = odd.debits.saturating_add(1);
        let detail = format!("{} sales of one terminal; first {}; last {what}", odd.debits, odd.first);
        let id = case.id;
        desk.put(Key::Case(id), Row::Case(Case { reference: sale.id, detail, ..case }))?;
        desk.put(key, Row::Odd(told))?;
        return Ok(id);
    }
    let id = CaseId(desk.new_id());
    let opened_at = desk.now();
    cases::open(desk, Case { id, kind, opened_at, reference: sale.id, amount: Fen::ZERO, detail: what.clone() });
    told.retain(|odd| odd.kind != kind);
    told.push(OddDebits { kind, case: id, debits: 1, first: what });
    desk.put(key, Row::Odd(told))?;
    Ok(id)
}
