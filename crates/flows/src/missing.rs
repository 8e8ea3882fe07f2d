//! Debits that a card's counter shows and of which no record came for days: somebody must look for the terminal that has
//! them (R81; JR/T 0025 host checks).

use ledger::Id;
use rules::case::Kind;
use rules::ids::CardNo;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::ports::ListAsk;
use crate::rows::{Campus, Key, Row, lists};
use crate::{ReadFault, School, cases};

/// Tells somebody of the debits that a card lacks.
struct Tell {
    card: CardNo,
}

/// It is never refused.
enum Never {}

impl Command<Campus> for Tell {
    type Answer = ();
    type Refusal = Never;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Spent(self.card)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Never>> {
        let spent = desk.get(&Key::Spent(self.card))?.and_then(Row::spent).cloned();
        let Some(mut spent) = spent.filter(|spent| spent.due_at.is_some_and(|due| due <= desk.now())) else {
            return Ok(());
        };
        let Some((first, last)) = spent.missing() else { return Ok(()) };
        let detail = format!(
            "card {}: of the sales at its counters {first} to {last} at least the first was never sent by its terminal",
            self.card
        );
        let case = cases::tell(desk, Kind::SaleMissing, Id::new(u128::from(self.card.0)), detail);
        spent.told(case);
        desk.put(Key::Spent(self.card), Row::Spent(Box::new(spent)))?;
        Ok(())
    }
}

/// Opens a case for every card of which a debit has been missing for as long as the settings say, at most `most` at once.
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
