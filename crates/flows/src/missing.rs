//! Debits that a card's counter shows and of which no record came for days: somebody must look for the terminal that has
//! them (R81; JR/T 0025 host checks).

use std::collections::BTreeSet;

use ledger::Id;
use rules::case::Kind;
use rules::epoch::Epoch;
use rules::ids::{CardNo, CaseId};
use teller::{Command, Desk, Halt, NotLoaded, Rejected, Seen};

use crate::desk::limits;
use crate::ports::ListAsk;
use crate::rows::{Campus, Key, Row, lists};
use crate::{ReadFault, School, cases, epoch};

/// Tells somebody of the debits that a card lacks.
struct Tell {
    card: CardNo,
}

/// It is never refused.
enum Never {}

impl Command<Campus> for Tell {
    type Answer = ();
    type Refusal = Never;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Spent(self.card), Key::Settings, Key::Epoch];
        let spent = seen.row(&Key::Spent(self.card)).and_then(Row::spent);
        keys.extend(spent.and_then(|spent| spent.case).map(Key::Case));
        keys.push(Key::Card(self.card));
        let open = seen.row(&Key::Card(self.card)).and_then(Row::card).map(|card| card.unconfirmed.as_slice());
        keys.extend(open.unwrap_or_default().iter().map(|sale| Key::Sale(*sale)));
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Never>> {
        let spent = desk.get(&Key::Spent(self.card))?.and_then(Row::spent).cloned();
        let Some(mut spent) = spent.filter(|spent| spent.due_at.is_some_and(|due| due <= desk.now())) else {
            return Ok(());
        };
        let (limits, now) = (limits(desk)?, desk.now());
        let claimed = self.claimed(desk)?;
        let late = spent.late(now, &limits, &claimed);
        if spent.epoch < Epoch::number_of(epoch::newest(desk)?.as_ref()) {
            // The record may have come before the restore: nobody can tell (M9).
            spent.due_at = None;
        } else if late.is_empty() {
            spent.looked(now, &limits);
        } else {
            let case = self.tell(desk, spent.case, &late)?;
            spent.told(case, now, &limits, &claimed);
        }
        desk.put(Key::Spent(self.card), Row::Spent(Box::new(spent)))?;
        Ok(())
    }
}

/// So many gaps are told one by one.
const MOST_TOLD: usize = 8;

impl Tell {
    /// Counters at which a sale is open: whether it was made is not known, but its record is here.
    fn claimed(&self, desk: &Desk<'_, Campus>) -> Result<BTreeSet<u16>, NotLoaded<Key>> {
        let mut claimed = BTreeSet::new();
        let Some(card) = desk.get(&Key::Card(self.card))?.and_then(Row::card) else { return Ok(claimed) };
        for sale in &card.unconfirmed {
            let debit = desk.get(&Key::Sale(*sale))?.and_then(Row::sale).and_then(|sale| sale.debit);
            claimed.extend(debit.map(|debit| debit.m));
        }
        Ok(claimed)
    }

    /// Tells of these in the case that is open about this card, else in a new one.
    fn tell(
        &self,
        desk: &mut Desk<'_, Campus>,
        open: Option<CaseId>,
        late: &[(u16, u16)],
    ) -> Result<CaseId, NotLoaded<Key>> {
        let mut counters: Vec<String> =
            late.iter().take(MOST_TOLD).map(|(first, last)| format!("{first} to {last}")).collect();
        let more = late.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            counters.push(format!("{more} gaps more"));
        }
        let counters = counters.join(", ");
        if let Some(case) = open
            && desk.get(&Key::Case(case))?.and_then(Row::case).is_some()
        {
            cases::note(desk, case, &format!("nor were those at its counters {counters}"))?;
            return Ok(case);
        }
        let detail = format!("card {}: sales at its counters {counters} were never sent by their terminals", self.card);
        Ok(cases::tell(desk, Kind::SaleMissing, Id::new(u128::from(self.card.0)), detail))
    }
}

/// Opens a case for every card of which a debit has been missing for as long as the settings say, at most `most` at once.
/// One whose record came without a proof is not missing as long as its sale is open.
///
/// Errors: what could not be read. Repeats: one case for what is missing; it ends when the records come. Source: R81.
pub async fn look(school: &School, most: u32) -> Result<(), ReadFault> {
    let to = school.now().get();
    let ask = ListAsk { list: lists::MISSING_DUE, owner: Vec::new(), from: i64::MIN, to, backwards: false, most };
    for listed in school.list(ask).await? {
        let Ok(card) = listed.key[..].try_into() else { continue };
        let told = school.submit(Tell { card: CardNo(u64::from_be_bytes(card)) }).await;
        match told {
            Ok(()) | Err(Rejected::Fault(_)) => {}
            Err(Rejected::Refused(never)) => match never {},
        }
    }
    Ok(())
}
