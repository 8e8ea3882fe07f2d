//! Records page by page.

use std::collections::BTreeSet;

use flows::records::{Filter, Place, paged};

use crate::hand::Campus;

fn some(campus: &Campus, after: Option<Place>, most: u32) -> (Vec<String>, Option<Place>) {
    let all = Filter::default();
    let found = campus.rig.run(paged(&campus.rig.school, campus.person, &all, after.as_ref(), most)).expect("readable");
    (found.records.iter().map(flows::records::Record::number).collect(), found.next)
}

#[test]
fn r92_records_of_one_moment_and_records_that_come_meanwhile_are_neither_repeated_nor_left_out() {
    let mut campus = Campus::new();
    // The clock stands still: all of these have one moment, some after it another.
    for yuan in ["1", "2", "3", "4", "5"] {
        campus.top_up(yuan);
    }
    campus.rig.advance(1);
    for yuan in ["6", "7"] {
        campus.top_up(yuan);
    }
    let (whole, none) = some(&campus, None, 100);
    assert_eq!((whole.len(), none), (7, None));
    for most in 1..=8 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (found, next) = some(&campus, after, most);
            assert!(found.len() <= usize::try_from(most).expect("few"));
            seen.extend(found);
            match next {
                Some(place) => after = Some(place),
                None => break,
            }
        }
        assert_eq!(seen, whole, "pages of {most}");
    }

    let (first, next) = some(&campus, None, 3);
    campus.rig.advance(1);
    let newest = campus.top_up("8").to_string();
    let (rest, end) = some(&campus, next, 100);
    let all: BTreeSet<&String> = first.iter().chain(&rest).collect();
    assert_eq!((all.len(), first.len() + rest.len(), end), (7, 7, None));
    assert!(!all.contains(&newest), "it stands before the first page");
}
