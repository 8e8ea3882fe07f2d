//! Records of purse debits as they come in: early, late, out of order, odd, or not at all (R81; M6, M13).

use flows::rows::{Key, Row};
use ledger::Fen;
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::case::Kind;
use rules::chart;
use rules::ids::TerminalNo;
use rules::limits::{Limits, Setting};
use rules::load::Stage;

use crate::forged::cases;
use crate::hand::{CARD, Campus, TERMINAL, enrol};

fn merchant(campus: &Campus) -> i64 {
    campus.balance(chart::merchant(campus.merchant))
}

fn kinds(campus: &Campus) -> Vec<Kind> {
    cases(campus).iter().map(|case| case.kind).collect()
}

#[test]
fn r81_debits_are_posted_in_whatever_order_their_records_come() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut campus = Campus::new();
        campus.top_up_and_hold("20");
        let mut sales = vec![campus.debit(700, None)];
        campus.top_up_and_hold("5");
        sales.extend([campus.debit(50, None), campus.debit(120, None)]);
        for place in order {
            assert_eq!(campus.send(Record::Sale(sales[place])), Answer::Taken);
        }
        assert_eq!((merchant(&campus), kinds(&campus)), (870, vec![]), "{order:?}");
        let spent = campus.rig.row(&Key::Spent(CARD)).and_then(|row| row.spent().cloned()).expect("kept");
        assert_eq!((spent.next, spent.missing(), spent.due_at), (3, vec![], None), "{order:?}");
        campus.hold(Stage::Load);
        assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()));
    }
}

#[test]
fn r81_a_debit_that_is_missing_for_days_is_told_once_and_the_case_ends_when_its_record_comes() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let sales = [700, 50, 120].map(|fen| campus.debit(fen, None));
    campus.send(Record::Sale(sales[0]));
    campus.send(Record::Sale(sales[2]));
    let after = Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter);
    campus.rig.advance(after - 1);
    campus.due();
    assert_eq!(kinds(&campus), []);
    campus.rig.advance(1);
    for _ in 0..2 {
        campus.due();
        let [case] = &cases(&campus)[..] else { panic!("one case") };
        assert_eq!((case.kind, case.amount), (Kind::SaleMissing, Fen::ZERO));
        assert!(case.detail.contains("counters 1 to 1"), "{}", case.detail);
        assert!(case.subject().contains(&CARD.to_string()));
    }
    // The card may be used meanwhile: it shows less than the book has, which is what is missing.
    campus.hold(Stage::Load);
    assert_eq!(campus.send(Record::Sale(sales[1])), Answer::Taken);
    assert_eq!((merchant(&campus), kinds(&campus)), (870, vec![]), "it ended by itself");
    let case = flows::cases::list(campus.rig.school.reader.as_ref(), true, 10);
    let ended = campus.rig.run(case).expect("reads");
    assert!(matches!(&ended[..], [flows::cases::Listed::Ended(ended)] if ended.case.kind == Kind::SaleMissing));
}

#[test]
fn r81_what_is_odd_about_a_proved_debit_is_a_case_and_the_merchant_is_paid() {
    type Odd = fn(&mut Campus) -> PurseSale;
    let table: [(&str, Odd, Kind); 4] = [
        (
            "its balance does not follow from the one before",
            |campus| PurseSale { old_balance: 4_321, ..campus.debit(700, None) },
            Kind::SaleChainBroken,
        ),
        (
            "it comes much too late",
            |campus| {
                let sale = campus.debit(700, None);
                let late = Limits::at(&[], campus.rig.school.now()).get(Setting::SaleLateMost);
                campus.rig.advance(late + 86_400);
                sale
            },
            Kind::SaleDateOdd,
        ),
        (
            "its terminal was replaced and nobody had authorised it",
            |campus| {
                let sale = campus.debit(700, None);
                enrol(&campus.rig, TERMINAL, [2; 32]);
                sale
            },
            Kind::SaleTerminalStopped,
        ),
        (
            "its authorisation had been called off",
            |campus| {
                let (_, hold) = campus.hold(Stage::Load);
                let ask = campus.authorise(hold, 700);
                assert!(matches!(campus.send(ask), Answer::PayFromPurse { .. }));
                let asked = campus.last_seq();
                campus.send(Record::Reverse { of: asked });
                campus.debit(700, Some(asked))
            },
            Kind::SaleAfterReversal,
        ),
    ];
    for (what, odd, kind) in table {
        let mut campus = Campus::new();
        campus.top_up_and_hold("20");
        campus.buy(50);
        let sale = odd(&mut campus);
        assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken, "{what}");
        assert_eq!((merchant(&campus), kinds(&campus)), (750, vec![kind]), "{what}");
        assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()), "{what}");
        let card = campus.rig.row(&Key::Card(CARD)).and_then(|row| row.card().cloned()).expect("a card");
        assert_eq!(card.state, rules::card::State::Active, "{what}: a terminal's word stops no card");
    }
}

#[test]
fn i8_a_card_that_was_stopped_spends_nothing_of_its_holders_any_more_and_what_came_before_counts() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("10");
    let image = campus.chip.clone();
    campus.top_up_and_hold("10");
    let before = campus.debit(700, None);
    // An old image of it comes to a terminal an hour later.
    campus.rig.advance(5 * 3600);
    let chip = std::mem::replace(&mut campus.chip, image);
    let session = campus.init(Stage::Load).expect("nobody knows yet");
    assert_eq!(campus.begin(session).expect_err("frozen").code, "CARD_FROZEN");
    (campus.chip, campus.hour) = (chip, 0x14);
    let after = campus.debit(50, None);
    campus.send(Record::Sale(after));
    assert_eq!((merchant(&campus), campus.balance(chart::on_card(CARD))), (50, 2000), "the school's, not the holder's");
    campus.send(Record::Sale(before));
    assert_eq!((merchant(&campus), campus.balance(chart::on_card(CARD))), (750, 1300));
    assert!(kinds(&campus).contains(&Kind::SaleCardStopped));
}

#[test]
fn r81_a_record_is_kept_whatever_it_says_and_its_copy_gets_the_same_answer() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let sale = campus.debit(700, None);
    let table = [
        ("nothing", PurseSale { amount: 0, ..sale }),
        ("all there is", PurseSale { amount: u32::MAX, ..sale }),
        ("a card of nobody", PurseSale { card: 7, ..sale }),
        ("the last counter", PurseSale { m: u16::MAX, ..sale }),
        ("no date", PurseSale { stamp: link::Stamp { date: [0xFF; 4], time: [0xFF; 3] }, ..sale }),
    ];
    for (what, odd) in table {
        let answer = campus.send(Record::Sale(odd));
        let seq = campus.last_seq();
        assert_eq!(answer, Answer::Taken, "{what}");
        assert_eq!(campus.send_as(seq, Record::Sale(odd)), Answer::Taken, "{what}");
        let note = campus.rig.row(&Key::Record(campus.at, seq)).and_then(|row| row.record().cloned()).expect("kept");
        assert!(matches!(campus.rig.row(&Key::Sale(note.sale.expect("a sale"))), Some(Row::Sale(_))), "{what}");
    }
    let mut other = campus.other_till(TerminalNo([0, 0, 2]));
    campus.walk_to(&mut other);
    campus.hold(Stage::Load);
}

#[test]
fn r81_a_record_without_a_proof_shows_no_debit_at_the_counters_below_it() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let week = Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter);
    let sales = [700, 50].map(|fen| campus.debit(fen, None));
    campus.send(Record::Sale(sales[0]));
    // A terminal that lies names counters that the chip never had.
    for m in [9, 40, u16::MAX] {
        campus.send(Record::Sale(PurseSale { m, evidence: DebitEvidence::Unconfirmed, ..sales[1] }));
    }
    campus.rig.advance(week);
    campus.due();
    assert_eq!(kinds(&campus), []);
    campus.send(Record::Sale(sales[1]));
    let spent = campus.rig.row(&Key::Spent(CARD)).and_then(|row| row.spent().cloned()).expect("kept");
    assert_eq!((spent.next, spent.missing(), spent.due_at), (2, vec![], None), "what the card proved, and no more");
    let later = [30, 40].map(|fen| campus.debit(fen, None));
    campus.send(Record::Sale(later[1]));
    campus.rig.advance(week);
    campus.due();
    let told = cases(&campus);
    assert!(matches!(&told[..], [case] if case.detail.contains("counters 2 to 2 were")), "{told:?}");
}

#[test]
fn r81_an_open_sale_that_was_not_made_hides_no_debit_at_its_counter() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let week = Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter);
    // A sale is torn before the card was debited; the debit that the card then makes at that counter is never sent.
    let lost = campus.debit(50, None);
    let torn = PurseSale { amount: 700, tsn: 90, evidence: DebitEvidence::Unconfirmed, ..lost };
    campus.send(Record::Sale(torn));
    let later = campus.debit(120, None);
    campus.send(Record::Sale(later));
    campus.rig.advance(week);
    campus.due();
    assert_eq!(kinds(&campus), [], "the record at that counter is here");
    campus.hold(Stage::Load);
    let card = campus.rig.row(&Key::Card(CARD)).and_then(|row| row.card().cloned()).expect("a card");
    assert_eq!(card.unconfirmed, [], "50 are missing, so it cannot be the one over 700");
    campus.rig.advance(week);
    campus.due();
    let told = cases(&campus);
    assert!(matches!(&told[..], [case] if case.detail.contains("counters 0 to 0 were")), "{told:?}");
    campus.send(Record::Sale(lost));
    assert_eq!((merchant(&campus), kinds(&campus)), (170, vec![]), "it ended by itself");
}

#[test]
fn r81_a_record_without_a_proof_has_come_and_is_not_missing() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let sales = [700, 50, 120].map(|fen| campus.debit(fen, None));
    campus.send(Record::Sale(sales[0]));
    campus.send(Record::Sale(sales[2]));
    campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sales[1] }));
    campus.rig.advance(Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter));
    campus.due();
    assert_eq!(kinds(&campus), []);
}

#[test]
fn r81_a_case_of_missing_debits_is_told_of_those_that_are_missing_later() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let sales = [10, 20, 30, 40, 50, 60].map(|fen| campus.debit(fen, None));
    let after = Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter);
    for (place, detail) in [(2, "0 to 1"), (5, "3 to 4")] {
        campus.send(Record::Sale(sales[place]));
        campus.rig.advance(after);
        campus.due();
        let told: Vec<_> = cases(&campus).into_iter().filter(|case| case.kind == Kind::SaleMissing).collect();
        assert!(matches!(&told[..], [case] if case.detail.contains(detail)), "{detail}: {told:?}");
    }
}

#[test]
fn m9_debits_that_a_restore_forgot_are_not_missing_and_those_of_after_it_are() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    campus.buy(100);
    let backup = campus.rig.disk.copy();
    let forgotten = [200, 300, 400].map(|fen| campus.buy(fen));
    campus.rig.restore(&backup);
    campus.buy(50);
    campus.rig.advance(Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter));
    campus.due();
    assert!(!kinds(&campus).contains(&Kind::SaleMissing), "{:?}", kinds(&campus));
    // Once card and book agree, those that are made from then on are looked for again.
    for sale in forgotten {
        campus.send(Record::Sale(sale));
    }
    campus.hold(Stage::Load);
    campus.hour = 0x14;
    campus.buy(10);
    campus.debit(20, None);
    campus.buy(30);
    campus.rig.advance(Limits::at(&[], campus.rig.school.now()).get(Setting::SaleMissingAfter));
    campus.due();
    let told: Vec<_> = cases(&campus).into_iter().filter(|case| case.kind == Kind::SaleMissing).collect();
    assert!(matches!(&told[..], [case] if case.detail.contains("6 to 6")), "{told:?}");
}

#[test]
fn r81_balances_of_a_card_with_many_loads_are_still_compared() {
    let mut campus = Campus::new();
    for _ in 0..40 {
        campus.top_up_and_hold("1");
    }
    campus.rig.advance(3600);
    (campus.hour, _) = (0x12, campus.buy(50));
    campus.top_up_and_hold("1");
    let sale = campus.debit(50, None);
    campus.rig.advance(5 * 3600);
    campus.send(Record::Sale(PurseSale { old_balance: 4_321, ..sale }));
    assert_eq!(kinds(&campus), [Kind::SaleChainBroken]);
}

#[test]
fn r81_debits_that_are_odd_in_the_same_way_are_one_case_of_their_terminal() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    let sales = [100, 200, 300].map(|fen| campus.debit(fen, None));
    let mut other = campus.other_till(TerminalNo([0, 0, 2]));
    campus.walk_to(&mut other);
    let elsewhere = [10, 20].map(|fen| campus.debit(fen, None));
    campus.walk_to(&mut other);
    campus.rig.advance(Limits::at(&[], campus.rig.school.now()).get(Setting::SaleLateMost) + 86_400);
    for sale in sales {
        campus.send(Record::Sale(sale));
    }
    // Of two things that are odd the balance is told; the one after does not follow from it either.
    campus.walk_to(&mut other);
    let broken = PurseSale { old_balance: 4_321, ..elsewhere[0] };
    for sale in [broken, elsewhere[1]] {
        campus.send(Record::Sale(sale));
    }
    let told = cases(&campus);
    let details: Vec<_> = told.iter().map(|case| (case.kind, case.detail.contains("; last card"))).collect();
    assert_eq!(
        details,
        [(Kind::SaleDateOdd, true), (Kind::SaleChainBroken, true)],
        "one for each enrolment and kind: {told:?}"
    );
    let [of_three, ..] = &told[..] else { panic!("{told:?}") };
    for part in ["3 sales", "first card 2026000000000042, 1.00 yuan, M 0", "last card 2026000000000042, 3.00 yuan, M 2"]
    {
        assert!(of_three.detail.contains(part), "{part}: {}", of_three.detail);
    }
    assert_eq!(merchant(&campus), 630, "each is paid");
}
