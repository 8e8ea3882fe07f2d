//! `onecard verify`, from the command line.

use crate::reports::two_months;
use crate::{Place, with};

fn sql(place: &Place, sql: &str) {
    let raw = rusqlite::Connection::open(place.0.join("school/book.sqlite")).unwrap();
    raw.execute_batch(sql).unwrap();
}

#[test]
fn a_place_that_a_list_lost_is_told() {
    let place = Place::new("verify-lists");
    std::fs::write(place.0.join("merchants.csv"), "code,name_zh,name_en\ncanteen-1,第一食堂,First canteen\n").unwrap();
    place.succeeds(&with(&["import", "merchants", "merchants.csv"]));
    assert!(place.succeeds(&with(&["verify"])).contains("the book is whole"));
    sql(&place, "DELETE FROM listing WHERE list = 'merchants'");
    let told = place.onecard(&with(&["verify"]));
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("WRONG         list merchants of the school") && text.contains("is not there"), "{text}");
}

#[test]
fn the_end_of_the_journal_is_checked_alone_and_the_rest_is_believed() {
    let place = Place::new("verify-from");
    two_months(&place);
    let tail = place.succeeds(&with(&["verify", "--from", "3"]));
    assert!(tail.contains("believed      up to block 1, journal row 2"), "{tail}");
    assert!(tail.contains("without --from checks the whole book"), "{tail}");
    sql(&place, "UPDATE account SET debits_posted = 5");
    place.succeeds(&with(&["verify", "--from", "3"]));
    assert!(place.refused(&with(&["verify"])).contains("not whole"));
    sql(&place, "DROP TRIGGER block_is_never_changed; UPDATE block SET link = zeroblob(32) WHERE no = 2");
    let told = place.onecard(&with(&["verify", "--from", "3"]));
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("WRONG         block 2: its link fits neither"), "{text}");
    let beyond = place.refused(&with(&["verify", "--from", "4"]));
    assert!(beyond.contains("the journal ends at row 3: nothing was checked"), "{beyond}");
    assert_eq!(place.onecard(&with(&["verify", "--from", "0"])).status.code(), Some(2));
}
