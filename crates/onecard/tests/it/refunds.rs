//! `onecard refund` and `onecard cases`: what is refused, and how it is said. Refunds that are made are followed to their end
//! in the browser.

use crate::{Place, with};

const ASKED: [&str; 4] = ["--reason", "误充", "--by", "Lin, finance"];
const ORDER: &str = "261124000000000112345678";
const CASE: &str = "01a20783f284725080af5fe8791208dd";

#[test]
fn r36_a_refund_of_what_cannot_go_back_is_refused_in_a_sentence_and_writes_nothing() {
    let place = Place::new("refunds");
    assert!(place.succeeds(&with(&["settings", "set", "topup.min", "500", "--by", "finance"])).contains("topup.min"));
    assert_eq!(place.succeeds(&with(&["cases", "--ended"])), "there is no case\n");
    let table: [(&[&str], &str); 7] = [
        (&["--order", "12"], "--order has 24 digits"),
        (&["--case", "12"], "--case is the identifier of a case"),
        (&["--order", ORDER, "--amount", "1.001"], "--amount"),
        (&["--order", ORDER], "REFUND_"),
        (&["--case", CASE], "REFUND_"),
        (&["--order", ORDER, "--by", " "], "REFUND_BY"),
        (&["--order", ORDER, "--reason", ""], "REFUND_REASON"),
    ];
    for (line, expected) in table {
        let given = |name: &str| line.contains(&name);
        let rest = ASKED.chunks(2).filter(|pair| !given(pair[0])).flatten().copied();
        let line: Vec<&str> = ["refund"].into_iter().chain(line.iter().copied()).chain(rest).collect();
        let said = place.refused(&with(&line));
        assert!(said.contains(expected), "{line:?}: {said}");
    }
    assert!(place.succeeds(&with(&["verify"])).contains("the book is whole"));
}

#[test]
fn a_refund_names_one_payment_a_reason_and_a_person() {
    let place = Place::new("refund-usage");
    let wrong: [&[&str]; 4] = [
        &["refund", "--reason", "误充", "--by", "Lin"],
        &["refund", "--order", ORDER, "--case", CASE, "--reason", "误充", "--by", "Lin"],
        &["refund", "--order", ORDER, "--by", "Lin"],
        &["refund", "--order", ORDER, "--reason", "误充"],
    ];
    for line in wrong {
        assert_eq!(place.onecard(&with(line)).status.code(), Some(2), "{line:?}");
    }
}
