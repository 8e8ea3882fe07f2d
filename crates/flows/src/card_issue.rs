//! A card is handed to its holder (R1, R3).

use rules::card::{Actor, Card, Event, Place, Refusal, State, Why};
use rules::ids::{CardNo, PersonId};
use rules::spent::Spent;
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::rows::{Campus, Key, Row};
use crate::school::fault_words;
use crate::{School, card_desk};

struct Issue {
    person: PersonId,
    no: CardNo,
}

enum Stop {
    NobodyThere,
    Card(Refusal),
}

impl Command<Campus> for Issue {
    type Answer = ();
    type Refusal = Stop;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Person(self.person), Key::Card(self.no), Key::Spent(self.no)];
        let old = seen.row(&Key::Person(self.person)).and_then(Row::person).and_then(|person| person.card);
        keys.extend(old.map(Key::Card));
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Stop>> {
        let holder = desk.get(&Key::Person(self.person))?.and_then(Row::person).cloned();
        let Some(mut holder) = holder else { return Err(Halt::Refuse(Stop::NobodyThere)) };
        let same = desk.get(&Key::Card(self.no))?.and_then(Row::card);
        if let Some(same) = same {
            let again = same.person == self.person && holder.card == Some(self.no);
            return if again { Ok(()) } else { Err(Halt::Refuse(Stop::Card(Refusal::NumberTaken))) };
        }
        if let Some(old) = holder.card {
            let old = desk.get(&Key::Card(old))?.and_then(Row::card).map(|card| card.state);
            if matches!(old, Some(State::Issued | State::Active | State::Lost | State::Damaged)) {
                return Err(Halt::Refuse(Stop::Card(Refusal::AlreadyActive)));
            }
        }
        let mut card = Card {
            no: self.no,
            person: self.person,
            state: State::Issued,
            since: desk.now(),
            n: 0,
            attempt: 0,
            released: None,
            unconfirmed: Vec::new(),
            awaiting: Vec::new(),
        };
        card_desk::happen(desk, &mut card, Event::HandOut, (Actor::Office, Place::Office, Why::HandedOut))
            .map_err(|refusal| Halt::Refuse(Stop::Card(refusal)))?;
        holder.card = Some(self.no);
        desk.put(Key::Card(self.no), Row::Card(card))?;
        desk.put(Key::Spent(self.no), Row::Spent(Box::new(Spent::of_new_card())))?;
        desk.put(Key::Person(self.person), Row::Person(Box::new(holder)))?;
        Ok(())
    }
}

/// Hands the freshly personalised card `no` to `person`; it is active at once.
///
/// Errors: `PERSON_UNKNOWN`, then the words of [`Refusal`]: the number is taken, the holder has a card.
/// Repeats: the same card to the same person again changes nothing. Source: R1, R3.
pub async fn issue(school: &School, person: PersonId, no: CardNo) -> Result<(), Words> {
    school.submit(Issue { person, no }).await.map_err(|rejected| match rejected {
        Rejected::Refused(Stop::NobodyThere) => Words::new(
            "PERSON_UNKNOWN",
            "没有此持卡人，请先导入名单。",
            "There is no such holder; import the roster first.",
        ),
        Rejected::Refused(Stop::Card(refusal)) => refusal.words(),
        Rejected::Fault(fault) => fault_words(&fault),
    })
}
