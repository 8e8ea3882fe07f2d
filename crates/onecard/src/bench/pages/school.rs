//! The school of the bench: people who topped up, held their cards and ate for weeks, and the keys to serve it with.

use std::path::PathBuf;

use flows::{School, card_issue};
use futures_util::future::join_all;
use ledger::Micros;
use rules::calendar::campus_day;
use rules::ids::{CardNo, PersonId};
use rules::roster::RawRow;

use super::super::cleanup::Cleanup;
use super::super::invented::{Comer, import, set};
use super::super::say::Say;
use super::super::topup::prepared::{CARD_PREFIX, NO_PROVIDER};
use crate::Failure;
use crate::clock::wall;
use crate::demo::{Folder, SCHOOL, roster as invented};
use crate::issue;
use crate::past::{self, Liver, Plan};
use crate::prompt::Refused;

/// Cards handed out at once.
const AT_ONCE: usize = 1000;
/// Terminals of each shop for so many people.
const PEOPLE_A_TILL: u32 = 40;

/// A school at rest.
pub struct Lived {
    /// Its keys and those of its provider.
    pub keys: Folder,
    /// Folder of the book.
    pub book: PathBuf,
    /// Everybody in it.
    pub readers: Vec<Comer>,
}

impl Lived {
    /// Makes it: so many people, so many days.
    pub fn make(many: u32, days: u32, cleanup: &Cleanup, say: &Say) -> Result<Lived, Failure> {
        let keys = Folder::open(&cleanup.path("keys"))?;
        // Makes both halves of the provider's keys; the simulator itself is not needed.
        drop(keys.sandbox(NO_PROVIDER, None)?);
        let book = cleanup.path("lived");
        let tills = u8::try_from(many.div_ceil(PEOPLE_A_TILL).clamp(1, 200))?;
        let plan = Plan { days, until: wall(), tills, seed: u64::from(many) };
        let rows = invented(many);
        let begin = async |school: &School| begin(school, &keys, &rows).await;
        past::live((&book, SCHOOL, keys.keyring()), plan, begin, &mut |day| {
            say.part("days", u64::from(day), u64::from(days));
        })?;
        let readers = rows.iter().filter_map(Comer::of).collect();
        Ok(Lived { keys, book, readers })
    }
}

async fn begin(school: &School, keys: &Folder, rows: &[RawRow]) -> Result<Vec<Liver>, Failure> {
    // Readers sign in with their first passwords: the work of a page is the same.
    set(school, "initial_password.force_change", 0).await?;
    let holders = import(school, rows).await?;
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
