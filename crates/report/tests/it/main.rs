//! Tests of `report` from outside.

mod answers;
#[cfg(feature = "pdf")]
mod document;
#[cfg(feature = "pdf")]
mod pdf_text;
mod roster_file;
mod roster_forms;
mod roster_hostile;

use rules::calendar::CampusDay;

/// The day on which all rosters here are imported.
const TODAY: CampusDay = CampusDay(20_261_123);

/// The roster of 2,000 rows.
fn people() -> &'static [u8] {
    include_bytes!("../data/people-2026.xlsx")
}
