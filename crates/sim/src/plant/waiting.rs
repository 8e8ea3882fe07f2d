//! Planted bugs about money that waits for its card (R36).

use flows::rows::{Campus, Key, Row};
use ledger::{Fen, Micros};
use rules::epoch::Met;
use rules::ids::PersonId;
use rules::load::{Item, Source};
use rules::refund::{Origin, Refund};
use rules::waiting::Reminder;
use teller::{Desk, Seen};

use super::hooks::{call_off, find, released};

type CampusDesk<'a> = Desk<'a, Campus>;

/// Whose waiting money a command looks at, if it does that.
fn looked_at(keys: &[Key]) -> Option<PersonId> {
    let other = |key: &Key| matches!(key, Key::Form(..) | Key::Payment(..) | Key::Enrolment(_));
    let refund = keys.iter().any(|key| matches!(key, Key::Refund(_)));
    let person = keys.iter().find_map(|key| if let Key::Person(person) = key { Some(*person) } else { None });
    person.filter(|_| refund && keys.contains(&Key::Epoch) && !keys.iter().any(other))
}

/// Rows that the bugs must see besides the command's own: the card and its load.
pub(super) fn needs(keys: &mut Vec<Key>, seen: &Seen<'_, Campus>) {
    let Some(person) = looked_at(keys) else { return };
    let card = seen.row(&Key::Person(person)).and_then(Row::person).and_then(|person| person.card);
    let Some(no) = card else { return };
    keys.push(Key::Card(no));
    let released = seen.row(&Key::Card(no)).and_then(Row::card).and_then(|card| card.released);
    keys.extend(released.map(|k| Key::Attempt(no, k)));
}

/// The refund that a rule began for waiting money in this command.
fn begun(keys: &[Key], desk: &CampusDesk<'_>) -> Option<(PersonId, Refund)> {
    let person = looked_at(keys)?;
    let (_, refund) = find(keys, desk, Row::refund)?;
    Some((person, refund))
}

/// What went back by rule still waits, and is due to go back once more.
pub(super) fn goes_back_again(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let (person, refund) = begun(keys, desk)?;
    let Origin::Waiting { order, .. } = refund.origin else { return None };
    let (amount, since) = (refund.amount, Micros::new(refund.made_at.get().saturating_sub(30 * 86_400_000_000)));
    let mut items = desk.get(&Key::Waiting(person)).ok()??.waiting()?.clone();
    items.push(Item { source: Source::Order(order), amount, since });
    desk.put(Key::Waiting(person), Row::Waiting(items)).ok()?;
    let repaid = Key::Repaid(refund.channel.number(), refund.transaction.clone());
    let mut row = desk.get(&repaid).ok()??.repaid()?.clone();
    (row.live, row.back) = (None, Fen::ZERO);
    desk.put(repaid, Row::Repaid(row)).ok()?;
    let mut inbox = desk.get(&Key::Inbox(person)).ok()??.inbox()?.clone();
    inbox.reminders.push(Reminder::new(order, since, false));
    inbox.look_at = Some(desk.now());
    desk.put(Key::Inbox(person), Row::Inbox(Box::new(inbox))).ok()
}

/// A load on its way is called off, so that what it carries is due like all the rest.
pub(super) fn takes_it_out_of_its_load(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    looked_at(keys)?;
    let (card, attempt) = released(keys, desk)?;
    call_off(card, attempt, desk)
}

/// What was told is forgotten, and soon looked at again.
pub(super) fn tells_again(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    let person = looked_at(keys)?;
    let mut inbox = desk.get(&Key::Inbox(person)).ok()??.inbox()?.clone();
    for reminder in &mut inbox.reminders {
        reminder.told = 0;
    }
    if !inbox.reminders.is_empty() {
        inbox.look_at = Some(desk.now().after_seconds(60));
    }
    desk.put(Key::Inbox(person), Row::Inbox(Box::new(inbox))).ok()
}

/// Marks what the bug made up.
const MADE_UP: Fen = Fen::new(-1);

/// The card seems to have come since the restore.
pub(super) fn seems_met(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    looked_at(keys)?;
    let (_, epoch) = find(keys, desk, Row::epoch)?;
    let key = keys.iter().find(|key| matches!(key, Key::Met(_)))?;
    if desk.get(key).ok()?.is_none() {
        let met = Met { epoch: epoch.number, case: None, late: Some(MADE_UP) };
        desk.put(key.clone(), Row::Met(met)).ok()?;
    }
    Some(())
}

/// And nobody sees afterwards why it seemed so.
pub(super) fn is_not_met(keys: &[Key], desk: &mut CampusDesk<'_>) -> Option<()> {
    looked_at(keys)?;
    let (key, met) = find(keys, desk, Row::met)?;
    if met.late == Some(MADE_UP) {
        desk.delete(key).ok()?;
    }
    Some(())
}
