//! Lists are compared with the rows they are derived from, both ways.

use ledger::CodecError;
use store::verify::{Archive, Progress, Report, verify, verify_lists};
use teller::{Listing, Schema};

use crate::place::{InMemory, Place, school};
use crate::school::{Key, Small, engine, work};
use crate::scribe::{Scribe, listing, order, tally};

/// What the small school's schema says, from stored bytes.
pub fn places_of(table: &str, key: &[u8], body: &[u8]) -> Result<Vec<Listing>, CodecError> {
    let number = u32::from_be_bytes(key.try_into().map_err(|_| CodecError::Short)?);
    let key = match table {
        "order" => Key::Order(number),
        _ => Key::Tally(number),
    };
    Ok(Small::listings(&key, &body.to_vec()))
}

fn lists(archive: &mut dyn Archive) -> Report {
    let mut report = Report::default();
    verify_lists(archive, &places_of, &mut report, &mut |_| {});
    report
}

fn lists_of_a_worked_school_are_whole<P: Place>() {
    let place = P::new();
    let mut teller = engine(place.open());
    work(&mut teller, 60, 7);
    let mut archive = place.archive();
    let mut report = verify(school(), archive.as_mut(), &[], &mut |_| {});
    // What the teller does meanwhile is not of the moment that is looked at.
    work(&mut teller, 5, 7);
    let mut told = Vec::new();
    verify_lists(archive.as_mut(), &places_of, &mut report, &mut |step| told.push(step));
    assert!(report.clean(), "{report}");
    let rows = report.guard_rows.values().sum();
    assert_eq!(told.last(), Some(&Progress::Lists { done: rows }));
    let mut places = 0;
    archive.places(&mut |_| places += 1).expect("reads");
    assert_eq!(places, report.guard_rows["order"]);
    assert!(lists(place.archive().as_mut()).clean());
}

#[test]
fn lists_of_a_school_in_memory_are_whole() {
    lists_of_a_worked_school_are_whole::<InMemory>();
}

#[cfg(feature = "sqlite")]
#[test]
fn lists_of_a_school_on_disk_are_whole() {
    lists_of_a_worked_school_are_whole::<crate::place::OnDisk>();
}

#[test]
fn a_place_that_is_missing_or_belongs_to_no_row_is_named() {
    let (owner, key) = (b"a", [0, 0, 0, 1]);
    let right = listing("orders", owner, 1, &key);
    let not_there = "list orders of 61, place 1, key 00000001: order 00000001 is not there";
    let table = [
        (vec![right.clone()], vec![]),
        (vec![], vec![not_there.to_owned()]),
        (
            vec![listing("orders", owner, 2, &key)],
            vec![not_there.to_owned(), "list orders of 61, place 2, key 00000001: no row belongs there".to_owned()],
        ),
        (
            vec![right.clone(), listing("tallies", b"", 1, &key)],
            vec!["list tallies of the school, place 1, key 00000001: no row belongs there".to_owned()],
        ),
        (
            vec![right, listing("orders", owner, 1, &[0, 0, 0, 2])],
            vec!["list orders of 61, place 1, key 00000002: no row belongs there".to_owned()],
        ),
    ];
    for (places, expected) in table {
        let place = InMemory::new();
        let mut store = place.open();
        let mut scribe = Scribe::new();
        let rows = vec![(order(1), Some(b"an order".as_slice())), (tally(1), Some(b"a tally"))];
        let batch = scribe.batch(&[]).with_rows(rows).with_places(places.clone(), Vec::new());
        scribe.commit(&mut store, batch).expect("commits");
        assert_eq!(lists(place.archive().as_mut()).findings, expected, "{places:?}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_named_instead_of_its_places() {
    let place = InMemory::new();
    let mut scribe = Scribe::new();
    let batch = scribe.batch(&[]).with_rows(vec![(order(1), Some(b"an order".as_slice()))]);
    scribe.commit(&mut place.open(), batch).expect("commits");
    let mut report = Report::default();
    verify_lists(place.archive().as_mut(), &|_, _, _| Err(CodecError::Unknown), &mut report, &mut |_| {});
    let told = "order 00000001: stored row has an unknown value in a field, so its places in lists are unknown";
    assert_eq!(report.findings, [told]);
}
