//! Sales that were taken as paid because the balance showed a debit, and what is proved at their counter (0004, 0019; M6).

use card::chip::Chip;
use flows::rows::Key;
use ledger::Fen;
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::card::State;
use rules::case::Kind;
use rules::chart;
use rules::ids::TerminalNo;
use rules::load::Stage;
use rules::purchase::State as SaleState;

use crate::forged::cases;
use crate::hand::{CARD, Campus, OtherTill};

fn torn(sale: PurseSale) -> Record {
    Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale })
}

fn tac(sale: &PurseSale) -> Option<[u8; 4]> {
    match sale.evidence {
        DebitEvidence::Tac(tac) => Some(tac),
        DebitEvidence::Unconfirmed => None,
    }
}

fn card(campus: &Campus) -> rules::card::Card {
    campus.rig.row(&Key::Card(CARD)).and_then(|row| row.card().cloned()).expect("a card")
}

fn sale(campus: &Campus, seq: u64) -> SaleState {
    let note = campus.rig.row(&Key::Record(campus.at, seq)).and_then(|row| row.record().cloned()).expect("a record");
    let id = note.sale.expect("a sale");
    campus.rig.row(&Key::Sale(id)).and_then(|row| row.sale().cloned()).expect("a sale").state
}

/// 50.00 on the card; 12.00 at the first till, torn before it was debited.
struct Torn {
    campus: Campus,
    till: OtherTill,
    /// What the first till recorded.
    first: PurseSale,
}

/// `debited`: the chip that was debited there goes on, too.
fn torn_at_the_first_till() -> (Torn, Chip) {
    let mut campus = Campus::new();
    campus.top_up_and_hold("50");
    let before = campus.chip.clone();
    let first = campus.debit(1200, None);
    let debited = std::mem::replace(&mut campus.chip, before);
    let till = campus.other_till(TerminalNo([0, 0, 2]));
    (Torn { campus, till, first }, debited)
}

/// All is calm and the holder has paid what the chip paid.
fn agrees(campus: &mut Campus, what: &str) {
    campus.hold(Stage::Load);
    assert_eq!(card(campus).state, State::Active, "{what}");
    assert_eq!(card(campus).unconfirmed, vec![], "{what}");
    assert_eq!(campus.balance(chart::on_card(CARD)), i64::from(campus.chip.balance()), "{what}");
    campus.rig.verify();
}

#[test]
fn a_sale_at_whose_counter_the_card_proves_another_one_is_not_charged_by_the_balance() {
    let (Torn { mut campus, mut till, first }, _) = torn_at_the_first_till();
    campus.walk_to(&mut till);
    let second = campus.debit(1200, None);
    assert_eq!(second.m, first.m);
    campus.walk_to(&mut till);
    assert_eq!(campus.send(torn(first)), Answer::Taken);
    let of = campus.last_seq();
    // The purse lacks just as much as the open sale is over, but the card says what it was debited for.
    let session = campus.init(Stage::Load).expect("a card");
    let proof = campus.proof(first.m);
    assert_eq!(proof, [(first.m, tac(&second).expect("a TAC"))]);
    campus.begin_with(session, &proof).expect("a good card");
    assert_eq!((sale(&campus, of), campus.balance(chart::merchant(campus.merchant))), (SaleState::Unconfirmed, 0));
    campus.walk_to(&mut till);
    assert_eq!(campus.send(Record::Sale(second)), Answer::Taken);
    campus.walk_to(&mut till);
    agrees(&mut campus, "another proof");
    assert_eq!((sale(&campus, of), campus.balance(chart::merchant(campus.merchant))), (SaleState::NotDebited, 1200));
    assert_eq!(cases(&campus), vec![]);
}

/// How the second debit becomes known as proved.
type Comes = fn(&mut Campus, PurseSale);

#[test]
fn m6_a_proved_debit_takes_the_counter_from_one_that_the_balance_alone_showed_and_the_card_goes_on() {
    let table: [(&str, Comes); 3] = [
        ("at once", |campus, second| {
            assert_eq!(campus.send(Record::Sale(second)), Answer::Taken);
        }),
        ("torn, thought not to be, and proved", |campus, second| {
            campus.send(torn(second));
            let of = campus.last_seq();
            campus.hold(Stage::Load);
            assert_eq!(sale(campus, of), SaleState::NotDebited, "the balance has counted the other one");
            campus.send(Record::Settle { of, tac: tac(&second) });
            assert_eq!(sale(campus, of), SaleState::FromPurse);
        }),
        ("torn, and proved in the next hold", |campus, second| {
            campus.send(torn(second));
            let of = campus.last_seq();
            let session = campus.init(Stage::Load).expect("a card");
            let proof = campus.proof(second.m);
            campus.begin_with(session, &proof).expect("a good card");
            assert_eq!(sale(campus, of), SaleState::FromPurse);
        }),
    ];
    for (what, comes) in table {
        let (Torn { mut campus, mut till, first }, _) = torn_at_the_first_till();
        campus.walk_to(&mut till);
        let second = campus.debit(1200, None);
        campus.walk_to(&mut till);
        campus.send(torn(first));
        let of = campus.last_seq();
        campus.hold(Stage::Load);
        assert_eq!(sale(&campus, of), SaleState::ByBalance(None), "{what}");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200, "{what}");
        campus.walk_to(&mut till);
        comes(&mut campus, second);
        campus.walk_to(&mut till);
        agrees(&mut campus, what);
        let [case] = &cases(&campus)[..] else { panic!("{what}: one case") };
        assert_eq!((case.kind, case.amount), (Kind::SaleDisplaced, Fen::new(1200)), "{what}");
        assert_eq!(sale(&campus, of), SaleState::ByBalance(Some(case.id)), "{what}");
        assert_eq!(campus.balance(chart::suspense_case(case.id)), -1200, "{what}");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 2400, "{what}: a person decides of the first");
        // The counter is the second one's: what claims it now contradicts a proof.
        campus.walk_to(&mut till);
        campus.send(Record::Sale(second));
        let kinds: Vec<Kind> = cases(&campus).iter().map(|case| case.kind).collect();
        assert_eq!(kinds, [Kind::SaleDisplaced, Kind::SaleConflict], "{what}: the same again pays nobody");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 2400, "{what}");
    }
}

#[test]
fn m6_two_debits_that_make_up_what_was_missing_take_the_place_of_the_one_that_seemed_to() {
    let (Torn { mut campus, mut till, first }, _) = torn_at_the_first_till();
    campus.walk_to(&mut till);
    let [five, seven] = [500, 700].map(|fen| campus.debit(fen, None));
    campus.walk_to(&mut till);
    campus.send(torn(first));
    campus.hold(Stage::Load);
    campus.walk_to(&mut till);
    for sale in [five, seven] {
        assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
    }
    agrees(&mut campus, "five and seven");
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200 + 500 + 700);
    let kinds: Vec<Kind> = cases(&campus).iter().map(|case| case.kind).collect();
    assert_eq!(kinds, [Kind::SaleDisplaced]);
}

#[test]
fn t1_proofs_of_two_debits_at_one_counter_stop_the_card_also_when_the_balance_came_first() {
    for displaced in [false, true] {
        // The chip was debited at both tills: the second one is a copy.
        let (Torn { mut campus, mut till, first }, mut debited) = torn_at_the_first_till();
        campus.walk_to(&mut till);
        let second = campus.debit(1200, None);
        campus.walk_to(&mut till);
        campus.send(torn(first));
        let of = campus.last_seq();
        std::mem::swap(&mut campus.chip, &mut debited);
        campus.hold(Stage::Load);
        assert_eq!(sale(&campus, of), SaleState::ByBalance(None));
        let prove = |campus: &mut Campus, till: &mut OtherTill, first_too: bool| {
            if first_too {
                assert_eq!(campus.send(Record::Settle { of, tac: tac(&first) }), Answer::Taken);
            } else {
                campus.walk_to(till);
                assert_eq!(campus.send(Record::Sale(second)), Answer::Taken);
                campus.walk_to(till);
            }
        };
        prove(&mut campus, &mut till, !displaced);
        assert_eq!(card(&campus).state, State::Active, "only one is proved");
        prove(&mut campus, &mut till, displaced);
        assert_eq!(card(&campus).state, State::Lost);
        let kinds: Vec<Kind> = cases(&campus).iter().map(|case| case.kind).collect();
        let expected = if displaced { vec![Kind::SaleDisplaced, Kind::CardCloned] } else { vec![Kind::SaleConflict] };
        assert_eq!(kinds, expected);
        // Both merchants have their money, the holder paid one of them.
        prove(&mut campus, &mut till, true);
        assert_eq!((cases(&campus).len(), campus.balance(chart::merchant(campus.merchant))), (expected.len(), 2400));
        assert_eq!(campus.balance(chart::on_card(CARD)), 5000 - 1200);
        campus.rig.verify();
    }
}
