//! What a card showed is judged against what the book had then: news that overtake it stop no honest card (M11).

use flows::rows::Key;
use flows::tap_load::{self, Onward};
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::card::State;
use rules::chart;
use rules::ids::TerminalNo;
use rules::load::Stage;

use crate::forged::{cases, ledger};
use crate::hand::{CARD, Campus};

/// Sends what the card did after it had answered at another terminal.
type Overtakes = fn(&mut Campus, PurseSale);

#[test]
fn m11_a_debit_that_overtakes_what_the_card_showed_before_it_stops_nobody() {
    let table: [(&str, Overtakes); 3] = [
        ("a proved debit", |campus, sale| {
            assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
        }),
        ("a torn one", |campus, sale| {
            let torn = PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale };
            assert_eq!(campus.send(Record::Sale(torn)), Answer::Taken);
        }),
        ("a torn one and its proof", |campus, sale| {
            let DebitEvidence::Tac(tac) = sale.evidence else { panic!("a TAC") };
            campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale }));
            let of = campus.last_seq();
            assert_eq!(campus.send(Record::Settle { of, tac: Some(tac) }), Answer::Taken);
        }),
    ];
    for (what, overtakes) in table {
        for anew in [false, true] {
            let mut campus = Campus::new();
            campus.top_up_and_hold("50");
            let mut till = campus.other_till(TerminalNo([0, 0, 2]));
            let mut shown = campus.init(Stage::Load).expect("a usable card");
            if anew {
                // The nonce is one that an INITIALIZE with another amount was asked for.
                campus.top_up("9");
                let Ok(Onward::Again { nonce, amount }) = campus.begin(shown) else { panic!("{what}: again") };
                shown = campus.init_with(amount, nonce);
            }
            // Its answer hangs on the line; the holder walks on and pays elsewhere.
            campus.walk_to(&mut till);
            let sale = campus.debit(1200, None);
            overtakes(&mut campus, sale);
            campus.walk_to(&mut till);
            let before = ledger(&campus);
            let words = campus.begin(shown).expect_err("it is old news");
            assert_eq!((words.code, cases(&campus), ledger(&campus)), ("TAP_AGAIN", vec![], before), "{what}");
            let card = campus.rig.row(&Key::Card(CARD)).and_then(|row| row.card().cloned()).expect("a card");
            assert_eq!(card.state, State::Active, "{what}");
            // Held again, all is well; a proof that comes after the balance has told changes nothing.
            campus.hold(Stage::Load);
            if let DebitEvidence::Tac(tac) = sale.evidence {
                campus.walk_to(&mut till);
                campus.send(Record::Settle { of: 1, tac: Some(tac) });
            }
            assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()), "{what}");
            assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200, "{what}");
            assert_eq!(cases(&campus), vec![], "{what}");
            campus.rig.verify();
        }
    }
}

#[test]
fn m11_a_sale_of_the_terminal_itself_that_comes_after_the_nonce_costs_no_second_hold() {
    for torn in [false, true] {
        let mut campus = Campus::new();
        campus.top_up_and_hold("50");
        // As at a till that asks for the next nonce while its record is on the way.
        let opened = campus.rig.run(tap_load::open(&campus.rig.school, campus.at, CARD, Stage::Fill)).unwrap();
        let mut sale = campus.debit(1200, None);
        if torn {
            sale.evidence = DebitEvidence::Unconfirmed;
        }
        assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken, "{torn}");
        let shown = campus.init_with(opened.amount, opened.nonce);
        assert!(matches!(campus.begin(shown), Ok(Onward::Done { purse: 3800, .. })), "{torn}");
        assert_eq!(campus.balance(chart::on_card(CARD)), 3800, "{torn}");

        // Another terminal's debit counts all the same, whatever the terminal itself brought before or after it.
        for own_first in [false, true] {
            let mut other = campus.other_till(TerminalNo([0, 0, 2 + u8::from(own_first)]));
            let opened = campus.rig.run(tap_load::open(&campus.rig.school, campus.at, CARD, Stage::Load)).unwrap();
            let shown = campus.init_with(opened.amount, opened.nonce);
            for own in [own_first, !own_first] {
                if !own {
                    campus.walk_to(&mut other);
                }
                let sale = campus.debit(100, None);
                assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
                if !own {
                    campus.walk_to(&mut other);
                }
            }
            assert_eq!(campus.begin(shown).expect_err("another brought news").code, "TAP_AGAIN", "{torn} {own_first}");
        }
    }
}
