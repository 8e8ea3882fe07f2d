//! Opening a case inside a decision.

use rules::case::Case;
use teller::Desk;

use crate::rows::{Campus, Key, Row};

/// Puts a case with a fresh identifier on the desk.
pub(crate) fn open(desk: &mut Desk<'_, Campus>, case: Case) {
    desk.insert_new(Key::Case(case.id), Row::Case(case));
}
