//! What was before the demo: some of its people have been here for weeks, so that records, statements and charts have
//! something to show from the first minute on.
//!
//! A new school is made beside its place and moved there when it is whole, so that no card and book part ways when the
//! process is stopped meanwhile.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use device::channel::store_card;
use flows::School;
use indicatif::{ProgressBar, ProgressStyle};
use rules::ids::CardNo;

use super::setup::{CARD_PREFIX, Folder, SCHOOL, first_people, settle};
use crate::clock::wall;
use crate::past::{self, Liver, Plan};
use crate::prompt::Said;
use crate::{Failure, issue};

/// The first of the people with a past, counted from 0: those before begin with nothing.
pub const FIRST_SETTLED: u32 = 3;
/// How many have one.
const SETTLED: u32 = 8;

/// Makes the school in `folder` with a past of so many days. A folder with anything in it is left as it is, and so is one
/// for people of whom none is to have a past.
pub fn give(folder: &Path, count: u32, days: u32) -> Result<(), Failure> {
    let begun = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if begun || days == 0 || count <= FIRST_SETTLED {
        return Ok(());
    }
    let making = unfinished(folder)?;
    let bar = if stderr().is_terminal() { ProgressBar::new(u64::from(days)) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("the school's last {len} days {bar:30} {pos}")?);
    {
        let school = Folder::open(&making)?;
        let plan = Plan { days, until: wall(), tills: 1, seed: u64::from(count) };
        let begin = async |book: &School| begin(book, &school, count).await;
        let livers =
            past::live((&making, SCHOOL, school.keyring()), plan, begin, &mut |day| bar.set_position(u64::from(day)))?;
        for liver in &livers {
            store_card(&school.card(liver.card), &liver.chip)?;
        }
    }
    bar.finish_and_clear();
    fs::rename(&making, folder)
        .map_err(|fault| Said(format!("cannot move the new school to {}: {fault}", folder.display())).into())
}

async fn begin(book: &School, school: &Folder, count: u32) -> Result<Vec<Liver>, Failure> {
    settle(book, school, count).await?;
    let people = first_people(book, FIRST_SETTLED + SETTLED).await?;
    let mut livers = Vec::new();
    for (number, person) in (1_u64..).zip(people).skip(FIRST_SETTLED as usize) {
        let card = CardNo(CARD_PREFIX | number);
        livers.push(Liver { person, card, chip: issue::personalise(school.keyring(), card)? });
    }
    Ok(livers)
}

/// An empty place beside `folder`. What a stopped start left there is removed.
fn unfinished(folder: &Path) -> Result<PathBuf, Failure> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let making = folder.with_file_name(format!("{name}.unfinished"));
    if making.exists() {
        let ours = making.join("keys.json").exists() || fs::read_dir(&making)?.next().is_none();
        if !ours {
            let what = making.display();
            return Err(
                Said(format!("{what} is in the way and is not the demo's; move it or choose another --data")).into()
            );
        }
        fs::remove_dir_all(&making)?;
    }
    Ok(making)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::check_and_tell;

    #[test]
    fn a_start_that_was_stopped_is_begun_anew_and_strangers_files_are_not_touched() {
        let all = std::env::temp_dir().join(format!("onecard-before-{}", std::process::id()));
        let _ = fs::remove_dir_all(&all);
        let (folder, making) = (all.join("school"), all.join("school.unfinished"));
        fs::create_dir_all(making.join("cards")).unwrap();
        fs::write(making.join("keys.json"), "half").unwrap();
        give(&folder, 5, 2).unwrap();
        assert!(!making.exists());
        let report = check_and_tell(&folder, SCHOOL, &[], &mut |_| {}).unwrap();
        assert!(report.clean() && report.journal_rows > 0, "{report:?}");
        let before = report.journal_rows;
        give(&folder, 5, 2).unwrap();
        assert_eq!(check_and_tell(&folder, SCHOOL, &[], &mut |_| {}).unwrap().journal_rows, before, "begun is begun");

        let other = all.join("other");
        fs::create_dir_all(all.join("other.unfinished")).unwrap();
        fs::write(all.join("other.unfinished").join("letter.txt"), "mine").unwrap();
        assert!(give(&other, 5, 2).unwrap_err().to_string().contains("is not the demo's"));
        assert!(all.join("other.unfinished").join("letter.txt").exists() && !other.exists());
        fs::remove_dir_all(&all).unwrap();
    }
}
