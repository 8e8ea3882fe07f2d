//! The people of a bench: invented, imported by the flows, known with the passwords they begin with.

use flows::{School, people, settings};
use rules::calendar::campus_day;
use rules::ids::PersonId;
use rules::roster::{self, Cell, RawRow};

use crate::Failure;
use crate::demo::first_people;
use crate::prompt::{Refused, Said};

/// Number and password of somebody who comes to the door.
#[derive(Clone, Debug)]
pub struct Comer {
    /// Student or staff number.
    pub number: String,
    /// The password; at first the last six characters of the identity number.
    pub password: String,
}

impl Comer {
    /// Whoever this row of a roster speaks of.
    pub fn of(row: &RawRow) -> Option<Comer> {
        let (Cell::Text(number), Cell::Text(document)) = (&row.number, &row.document_number) else { return None };
        let password = document.get(document.len().checked_sub(6)?..)?;
        Some(Comer { number: number.clone(), password: password.to_owned() })
    }
}

/// Imports everybody. Error: a row was refused, which invented ones give no cause for.
pub async fn import(school: &School, rows: &[RawRow]) -> Result<Vec<PersonId>, Failure> {
    let entries: Vec<_> = roster::check(rows, campus_day(school.now())).into_iter().filter_map(Result::ok).collect();
    let imported = people::import(school, entries, false).await?;
    if imported.added() != rows.len() {
        let (added, all) = (imported.added(), rows.len());
        return Err(Said(format!("only {added} of {all} invented people could be imported")).into());
    }
    first_people(school, u32::try_from(rows.len())?).await
}

/// Changes a setting of the school.
pub async fn set(school: &School, setting: &str, value: i64) -> Result<(), Failure> {
    let changed = settings::change_setting(school, setting, value, None, "bench").await;
    changed.map(drop).map_err(|refusal| Refused::from(refusal.words()).into())
}
