use std::collections::BTreeMap;

use ledger::{CodecError, Writer, row_digest};
use teller::Listing;

use super::{Archive, Found, GuardRow, Progress, Report};
use crate::hex;

/// A place that a row takes in a list, as a store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptPlace<'a> {
    /// Name of the list.
    pub list: &'a str,
    /// Whose list; empty for a list of the whole school.
    pub owner: &'a [u8],
    /// Where in the list.
    pub at: i64,
    /// The row's key within its table.
    pub key: &'a [u8],
}

impl KeptPlace<'_> {
    fn of(place: &Listing) -> KeptPlace<'_> {
        KeptPlace { list: place.list, owner: &place.owner, at: place.at, key: &place.key }
    }

    fn hash(&self) -> [u8; 16] {
        let mut out = Writer::new();
        out.bytes(self.list.as_bytes()).bytes(self.owner).i64(self.at).bytes(self.key);
        row_digest("listing", &out.done(), None).key
    }

    fn name(&self) -> String {
        let owner = if self.owner.is_empty() { "the school".to_owned() } else { hex(self.owner) };
        format!("list {} of {owner}, place {}, key {}", self.list, self.at, hex(self.key))
    }
}

/// Which places a guard row takes, from its table, key and body: what the schema's `listings` says. Errors: the body is
/// none that was ever written.
pub type PlacesOf<'a> = dyn Fn(&str, &[u8], &[u8]) -> Result<Vec<Listing>, CodecError> + 'a;

/// Compares the lists with the guard rows, both ways, and adds what differs to `report`: every row stands where it
/// belongs, and nothing else stands in any list.
///
/// Lists are derived, no chain covers them; guard rows are believed here, so call [`super::verify`] on the same archive
/// first: then both see one moment. Memory: a hash for each place.
pub fn verify_lists(
    archive: &mut dyn Archive,
    places_of: &PlacesOf<'_>,
    report: &mut Report,
    progress: &mut dyn FnMut(Progress),
) {
    let mut compare = Compare { kept: BTreeMap::new(), missing: Vec::new(), report };
    if let Err(fault) = compare.all(archive, places_of, progress) {
        compare.report.add(fault.to_string());
    }
}

struct Compare<'a> {
    /// Every place of the lists by its hash, and whether a row belongs there.
    kept: BTreeMap<[u8; 16], bool>,
    missing: Vec<String>,
    report: &'a mut Report,
}

impl Compare<'_> {
    fn all(
        &mut self,
        archive: &mut dyn Archive,
        places_of: &PlacesOf<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), teller::StoreError> {
        archive.freeze()?;
        archive.places(&mut |found| self.place(found))?;
        let mut done = 0_u64;
        for table in archive.tables()? {
            archive.guard_rows(&table, &mut |row| {
                self.row(&table, row, places_of);
                done = done.saturating_add(1);
                if done.is_multiple_of(4096) {
                    progress(Progress::Lists { done });
                }
            })?;
        }
        progress(Progress::Lists { done });
        for missing in std::mem::take(&mut self.missing) {
            self.report.add(missing);
        }
        if self.kept.values().all(|belongs| *belongs) {
            return Ok(());
        }
        // Hashes have no names: what stands wrongly is read once more.
        archive.places(&mut |found| {
            if let Ok(place) = found
                && self.kept.get(&place.hash()) == Some(&false)
            {
                self.report.add(format!("{}: no row belongs there", place.name()));
            }
        })
    }

    fn place(&mut self, found: Found<KeptPlace<'_>>) {
        match found {
            Ok(place) => drop(self.kept.insert(place.hash(), false)),
            Err(unreadable) => self.report.add(format!("{}: {}", unreadable.row, unreadable.why)),
        }
    }

    fn row(&mut self, table: &str, row: GuardRow<'_>, places_of: &PlacesOf<'_>) {
        let places = match places_of(table, row.key, row.body) {
            Ok(places) => places,
            Err(why) => {
                let key = hex(row.key);
                return self.report.add(format!("{table} {key}: {why}, so its places in lists are unknown"));
            }
        };
        for place in &places {
            let place = KeptPlace::of(place);
            match self.kept.get_mut(&place.hash()) {
                Some(belongs) => *belongs = true,
                None => self.missing.push(format!("{}: {table} {} is not there", place.name(), hex(row.key))),
            }
        }
    }
}
