//! The school of the bench: people who topped up, held their cards and ate for weeks, and the keys to serve it with.

use std::path::PathBuf;

use flows::{School, card_issue, people, settings};
use futures_util::future::join_all;
use ledger::Micros;
use rules::calendar::campus_day;
use rules::ids::{CardNo, PersonId};
use rules::roster::{self, Cell, RawRow};

use super::super::cleanup::Cleanup;
use super::super::say::Say;
use super::super::topup::prepared::{CARD_PREFIX, NO_PROVIDER};
use crate::Failure;
use crate::clock::wall;
use crate::demo::{Folder, SCHOOL, first_people, roster as invented};
use crate::issue;
use crate::past::{self, Liver, Plan};
use crate::prompt::{Refused, Said};

/// Cards handed out at once.
const AT_ONCE: usize = 1000;
/// Terminals of each shop for so many people.
const PEOPLE_A_TILL: u32 = 40;

/// Number and first password of somebody who reads pages.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Student or staff number.
    pub number: String,
    /// The last six characters of the identity number.
    pub password: String,
}

/// A school at rest.
pub struct Lived {
    /// Its keys and those of its provider.
    pub keys: Folder,
    /// Folder of the book.
    pub book: PathBuf,
    /// Everybody in it.
    pub readers: Vec<Reader>,
}

impl Lived {
    /// Makes it: so many people, so many days.
    pub fn make(many: u32, days: u32, cleanup: &Cleanup, say: &Say) -> Result<Lived, Failure> {
        let keys = Folder::open(&cleanup.path("keys"))?;
        // Makes both halves of the provider's keys; the simulator itself is not needed.
        drop(keys.sandbox(NO_PROVIDER)?);
        let book = cleanup.path("lived");
        let tills = u8::try_from(many.div_ceil(PEOPLE_A_TILL).clamp(1, 200))?;
        let plan = Plan { days, until: wall(), tills, seed: u64::from(many) };
        let rows = invented(many);
        let begin = async |school: &School| begin(school, &keys, &rows).await;
        past::live((&book, SCHOOL, keys.keyring()), plan, begin, &mut |day| {
            say.part("days", u64::from(day), u64::from(days));
        })?;
        let readers = rows.iter().filter_map(reader).collect();
        Ok(Lived { keys, book, readers })
    }
}

fn reader(row: &RawRow) -> Option<Reader> {
    let (Cell::Text(number), Cell::Text(document)) = (&row.number, &row.document_number) else { return None };
    let password = document.get(document.len().checked_sub(6)?..)?;
    Some(Reader { number: number.clone(), password: password.to_owned() })
}

async fn begin(school: &School, keys: &Folder, rows: &[RawRow]) -> Result<Vec<Liver>, Failure> {
    // Readers sign in with their first passwords: the work of a page is the same.
    let set = settings::change_setting(school, "initial_password.force_change", 0, None, "bench").await;
    set.map_err(|refusal| Refused::from(refusal.words()))?;
    let entries: Vec<_> = roster::check(rows, campus_day(school.now())).into_iter().filter_map(Result::ok).collect();
    let imported = people::import(school, entries, false).await?;
    if imported.added() != rows.len() {
        return Err(
            Said(format!("only {} of {} invented people could be imported", imported.added(), rows.len())).into()
        );
    }
    let holders: Vec<PersonId> = first_people(school, u32::try_from(rows.len())?).await?;
    let numbered: Vec<(CardNo, PersonId)> =
        (1_u64..).zip(holders).map(|(number, person)| (CardNo(CARD_PREFIX | number), person)).collect();
    let mut livers = Vec::new();
    for chunk in numbered.chunks(AT_ONCE) {
        for outcome in join_all(chunk.iter().map(|(card, person)| card_issue::issue(school, *person, *card))).await {
            outcome.map_err(Refused::from)?;
        }
        for (card, person) in chunk {
            livers.push(Liver { person: *person, card: *card, chip: issue::personalise(keys.keyring(), *card)? });
        }
    }
    Ok(livers)
}

/// The month before the one of `now`, as addresses name it.
pub fn month_before(now: Micros) -> String {
    let day = campus_day(now).0;
    let (year, month) = (day / 10_000, day / 100 % 100);
    if month == 1 { format!("{:04}-12", year - 1) } else { format!("{year:04}-{:02}", month - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_before_january_is_december() {
        assert_eq!(month_before(Micros::from_seconds(1_795_400_000)), "2026-10");
        assert_eq!(month_before(Micros::from_seconds(1_799_600_000)), "2026-12");
    }
}
