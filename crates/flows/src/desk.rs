//! Rows on the desk by what they are.

use rules::ids::PersonId;
use rules::limits::Limits;
use rules::person::Person;
use teller::{Desk, NotLoaded};

use crate::rows::{Campus, Key, Row};

/// What holds at batch time. Needs [`Key::Settings`].
pub(crate) fn limits(desk: &Desk<'_, Campus>) -> Result<Limits, NotLoaded<Key>> {
    let history = desk.get(&Key::Settings)?.and_then(Row::settings);
    Ok(Limits::at(history.map_or(&[], Vec::as_slice), desk.now()))
}

/// The holder. Needs [`Key::Person`].
pub(crate) fn person<'a>(desk: &'a Desk<'_, Campus>, id: PersonId) -> Result<Option<&'a Person>, NotLoaded<Key>> {
    Ok(desk.get(&Key::Person(id))?.and_then(Row::person))
}

/// The holder with this student or staff number. Needs [`Key::Number`].
pub(crate) fn by_number(desk: &Desk<'_, Campus>, number: &str) -> Result<Option<PersonId>, NotLoaded<Key>> {
    Ok(desk.get(&Key::Number(number.to_owned()))?.and_then(Row::holder).copied())
}
