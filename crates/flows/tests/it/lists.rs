//! Every row of the campus stands in the lists that its schema names: the rig compares them when a test ends.

use std::collections::BTreeMap;

use flows::rows::{Campus as Rows, lists};
use rules::load::Stage;
use store::verify::{Archive, Report, verify_lists};
use teller::Listing;

use crate::hand::Campus;
use crate::rig::Rig;

/// A school in which something stands in every list of money, cards and places.
fn busy() -> Campus {
    let mut campus = Campus::new();
    campus.top_up("50");
    campus.order("30");
    let (_, hold) = campus.hold(Stage::Load);
    let sale = campus.authorise(hold, 1_000);
    campus.send(sale);
    let case = campus.notice("nobodys t9 700 CNY");
    assert!(matches!(case, flows::top_up::NoticeOutcome::Suspended(_)), "{case:?}");
    campus
}

fn compared(rig: &Rig, places_of: impl Fn(&[u8], &[u8]) -> Vec<Listing>) -> Vec<String> {
    let mut report = Report::default();
    verify_lists(&mut rig.disk.archive(), &|_, key, body| Ok(places_of(key, body)), &mut report, &mut |_| {});
    report.findings
}

#[test]
fn every_kind_of_list_is_filled_and_is_what_the_rows_say() {
    let campus = busy();
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    let mut count = |place: store::verify::Found<store::verify::KeptPlace<'_>>| {
        *found.entry(place.expect("reads").list.to_owned()).or_default() += 1;
    };
    campus.rig.disk.archive().places(&mut count).expect("reads");
    let filled = [
        lists::ATTEMPTS,
        lists::CARDS,
        lists::CASES,
        lists::CREDITED,
        lists::DUE_ORDERS,
        lists::ENROLMENTS,
        lists::MERCHANTS,
        lists::PEOPLE,
        lists::SALES,
    ];
    for list in filled {
        assert!(found.contains_key(list), "nothing stands in {list}: {found:?}");
    }
    let stored = |key: &[u8], body: &[u8]| Rows::listings_of_stored(key, body).expect("every row reads");
    assert_eq!(compared(&campus.rig, stored), Vec::<String>::new());
    // A schema that asks for more, or for less, is not satisfied: the comparison looks at each list.
    for list in filled {
        let less = |key: &[u8], body: &[u8]| -> Vec<Listing> {
            stored(key, body).into_iter().filter(|place| place.list != list).collect()
        };
        let told = compared(&campus.rig, less);
        assert_eq!(told.len(), found[list] as usize, "{told:?}");
        assert!(told.iter().all(|line| line.starts_with(&format!("list {list} of "))), "{told:?}");
    }
}
