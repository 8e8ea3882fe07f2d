//! A card that was copied, both copies in use: it is stopped at the first thing that contradicts another, whatever the copies
//! did and in whatever order, and nobody loses or gains by it (T1; M11, M13, I8).

use card::chip::Chip;
use flows::rows::Key;
use flows::tap_load::{self, Onward};
use ledger::Fen;
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::card::State;
use rules::case::{Case, Kind};
use rules::chart;
use rules::ids::TerminalNo;
use rules::load::{Session, Stage};

use crate::forged::cases;
use crate::hand::{CARD, Campus, OtherTill};

/// What the holder of a copy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    Load,
    Buy,
}

/// How far a copy got.
#[derive(Clone, Copy)]
enum Step {
    Shown(Session),
    Released { k: u32, onward: [u8; 4], stamp: flows::ports::CardStamp },
    Credited { k: u32, tac: [u8; 4] },
    Held([u8; 16]),
    Told { asked: u64 },
    Debited(PurseSale),
    Over,
}

/// One copy of the card, in use at a terminal of its own.
struct Copy {
    walk: Walk,
    chip: Chip,
    till: OtherTill,
    step: Option<Step>,
    /// The book has something that this copy did since it was made.
    booked: bool,
}

const PRICE: u32 = 700;
/// Steps of either walk.
const STEPS: usize = 4;

impl Copy {
    fn swap(&mut self, campus: &mut Campus) {
        campus.walk_to(&mut self.till);
        std::mem::swap(&mut campus.chip, &mut self.chip);
    }

    /// Goes one step further. `other`: the book has something of the other copy.
    fn go(&mut self, campus: &mut Campus, other: bool, what: &str) {
        self.swap(campus);
        self.step = Some(match (self.step, self.walk) {
            (None, Walk::Load) => match campus.init(Stage::Load) {
                Ok(session) => Step::Shown(session),
                Err(words) => over(&words, other, what),
            },
            (None, Walk::Buy) => self.hold(campus, other, what),
            (Some(Step::Shown(session)), _) => match campus.begin(session) {
                Ok(Onward::Release { k, stamp, mac2, .. }) => {
                    assert!(!other, "{what}: released to one copy after the book had something of the other");
                    Step::Released { k, onward: mac2, stamp }
                }
                Ok(Onward::Again { .. } | Onward::Done { .. }) => Step::Over,
                Err(words) => over(&words, true, what),
            },
            (Some(Step::Released { k, onward, stamp }), _) => {
                let before = campus.chip.loads();
                let tac = campus.credit(stamp, onward);
                assert_eq!(campus.chip.loads(), before + 1);
                Step::Credited { k, tac }
            }
            (Some(Step::Credited { k, tac }), _) => {
                let confirmed = campus.rig.run(tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac));
                self.booked |= confirmed.is_ok();
                Step::Over
            }
            (Some(Step::Held(hold)), _) => {
                let ask = campus.authorise(hold, PRICE);
                match campus.send(ask) {
                    Answer::PayFromPurse { .. } => Step::Told { asked: campus.last_seq() },
                    _ => Step::Over,
                }
            }
            (Some(Step::Told { asked }), _) => Step::Debited(campus.debit(PRICE, Some(asked))),
            (Some(Step::Debited(sale)), _) => {
                assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
                self.booked = true;
                Step::Over
            }
            (Some(Step::Over), _) => Step::Over,
        });
        self.swap(campus);
    }

    /// A whole hold; what waits is loaded in it.
    fn hold(&mut self, campus: &mut Campus, other: bool, what: &str) -> Step {
        let mut shown = campus.init(Stage::Load).and_then(|session| campus.begin(session));
        loop {
            let onward = match shown {
                Ok(onward) => onward,
                Err(words) => return over(&words, other, what),
            };
            assert!(!other, "{what}: {onward:?} for one copy after the book had something of the other");
            shown = match onward {
                Onward::Done { hold, .. } => return Step::Held(hold),
                Onward::Release { k, stamp, mac2, .. } => {
                    let tac = campus.credit(stamp, mac2);
                    self.booked = true;
                    campus.rig.run(tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac))
                }
                Onward::Again { nonce, amount } => {
                    let session = campus.init_with(amount, nonce);
                    campus.begin(session)
                }
            };
        }
    }

    /// It did something that a chip never undoes.
    fn changed(&self, image: &Chip) -> bool {
        (self.chip.loads(), self.chip.purchases()) != (image.loads(), image.purchases())
    }
}

fn over(words: &rules::words::Words, expected: bool, what: &str) -> Step {
    assert!(expected || words.code == "CARD_LOST", "{what}: {words:?}");
    assert!(["CARD_FROZEN", "CARD_LOST", "TAP_AGAIN"].contains(&words.code), "{what}: {words:?}");
    assert!(!words.zh.is_empty() && !words.en.is_empty());
    Step::Over
}

/// A card with 30.00 on it, copied; 5.00 more wait if one of the copies comes to load.
fn copied(walks: [Walk; 2]) -> (Campus, [Copy; 2]) {
    let mut campus = Campus::new();
    // Its terminals' clocks are slow, so that every sale counts as made before the card was stopped.
    campus.hour = 0x07;
    campus.top_up_and_hold("30");
    if walks.contains(&Walk::Load) {
        campus.top_up("5");
    }
    let tills = [2, 3].map(|number| campus.other_till(TerminalNo([0, 0, number])));
    let chip = campus.chip.clone();
    let mut walks = walks.into_iter();
    let copies = tills.map(|till| {
        let walk = walks.next().expect("two");
        Copy { walk, chip: chip.clone(), till, step: None, booked: false }
    });
    (campus, copies)
}

fn state(campus: &Campus) -> State {
    campus.rig.row(&Key::Card(CARD)).and_then(|row| row.card().cloned()).expect("a card").state
}

/// Every order in which two times `STEPS` steps can be taken: which copy goes, eight times.
fn orders() -> Vec<Vec<usize>> {
    let all = 0_u32..1 << (2 * STEPS);
    let half = all.filter(|bits| bits.count_ones() == u32::try_from(STEPS).expect("few"));
    half.map(|bits| (0..2 * STEPS).map(|place| usize::from(bits >> place & 1 == 1)).collect()).collect()
}

#[test]
fn t1_both_copies_of_a_card_in_use_are_stopped_at_the_first_conflict_in_every_order() {
    let (mut runs, mut froze_in_the_walks) = (0, 0);
    for walks in [[Walk::Load, Walk::Load], [Walk::Buy, Walk::Buy], [Walk::Load, Walk::Buy]] {
        for order in orders() {
            let what = format!("{walks:?} {order:?}");
            let (mut campus, mut copies) = copied(walks);
            let image = campus.chip.clone();
            for which in &order {
                let other = copies[1 - which].booked;
                copies[*which].go(&mut campus, other, &what);
            }
            froze_in_the_walks += usize::from(state(&campus) != State::Active);
            let changed = copies.iter().filter(|copy| copy.changed(&image)).count();
            for copy in &mut copies {
                copy.swap(&mut campus);
                let held = campus.init(Stage::Load).and_then(|session| campus.begin(session));
                copy.swap(&mut campus);
                assert!(changed == 0 || held.is_err() || state(&campus) == State::Active, "{what}: {held:?}");
            }
            assert_eq!(state(&campus) != State::Active, changed > 0, "{what}: {changed} changed");
            // Every debit that a chip made is paid, once; what a copy took twice the holder does not pay.
            let debits = copies.iter().map(|copy| i64::from(copy.chip.purchases() - image.purchases())).sum::<i64>();
            let merchant = campus.balance(chart::merchant(campus.merchant));
            assert_eq!(merchant, debits * i64::from(PRICE), "{what}");
            let fresh = 3000 + 500 - i64::from(PRICE) * i64::from(debits > 0);
            let holders = [chart::on_card(CARD), chart::awaiting_tap(campus.person), chart::suspense_card(CARD)];
            let has: i64 = holders.into_iter().map(|account| campus.balance(account)).sum();
            let no_top_up = walks == [Walk::Buy, Walk::Buy];
            assert_eq!(has, if no_top_up { fresh - 500 } else { fresh }, "{what}");
            runs += 1;
        }
    }
    assert_eq!(runs, 3 * 70);
    assert!(froze_in_the_walks > 70, "{froze_in_the_walks}: some are only found at the next hold, many before");
}

#[test]
fn t1_an_old_image_of_the_same_card_is_stopped_before_it_pays_or_loads() {
    // What happened since the image was made, and what its counter or purse shows then.
    type Since = fn(&mut Campus);
    let table: [(&str, Since, Kind); 3] = [
        ("a load", |campus| campus.top_up_and_hold("5"), Kind::CardRolledBack),
        ("a sale", |campus| assert_eq!(campus.buy(700).amount, 700), Kind::PurseAhead),
        (
            "a load and a sale of as much",
            |campus| {
                campus.top_up_and_hold("7");
                campus.buy(700);
            },
            Kind::CardRolledBack,
        ),
    ];
    for (what, since, kind) in table {
        let mut campus = Campus::new();
        campus.top_up_and_hold("30");
        let image = campus.chip.clone();
        since(&mut campus);
        campus.top_up("9");
        let money = crate::forged::ledger(&campus);
        campus.chip = image;
        let session = campus.init(Stage::Load).expect("nobody knows yet");
        let words = campus.begin(session).expect_err("frozen");
        assert_eq!(words.code, "CARD_FROZEN", "{what}");
        assert_eq!((state(&campus), crate::forged::ledger(&campus)), (State::Lost, money), "{what}");
        let [Case { kind: found, amount, .. }] = &cases(&campus)[..] else { panic!("{what}: one case") };
        assert_eq!((*found, *amount), (kind, Fen::ZERO), "{what}");
        let again = campus.init(Stage::Load).expect_err("it stays so");
        assert_eq!(again.code, "CARD_LOST", "{what}");
    }
}

#[test]
fn t1_a_load_that_the_card_proved_not_to_have_taken_and_a_copy_took_stops_it() {
    let mut campus = Campus::new();
    campus.top_up("50");
    let session = campus.init(Stage::Load).expect("a card");
    let Ok(Onward::Release { k, stamp, mac2, .. }) = campus.begin(session) else { panic!("a release") };
    // The copy is still in the field of the first reader; the other one proves that its counter has not moved.
    let mut copy = campus.chip.clone();
    let probe = campus.init(Stage::Load).expect("a card");
    let Ok(Onward::Release { .. }) = campus.begin(probe) else { panic!("released anew") };
    std::mem::swap(&mut campus.chip, &mut copy);
    let tac = campus.credit(stamp, mac2);
    let confirm = |tac| campus.rig.run(tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac));
    assert_eq!(confirm([1; 4]).expect_err("a wrong TAC").code, "TAP_AGAIN");
    assert_eq!(state(&campus), State::Active, "a wrong one proves nothing");
    let money = crate::forged::ledger(&campus);
    for _ in 0..3 {
        assert_eq!(confirm(tac).expect_err("frozen").code, "CARD_FROZEN");
        assert_eq!((state(&campus), crate::forged::ledger(&campus)), (State::Lost, money.clone()));
    }
    let kinds: Vec<Kind> = cases(&campus).iter().map(|case| case.kind).collect();
    assert_eq!(kinds, [Kind::CardCloned]);
}

#[test]
fn t1_a_proof_of_a_sale_that_the_card_had_disproved_stops_it_and_its_merchant_is_paid_out_of_a_case() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("50");
    let copy = campus.chip.clone();
    let sale = campus.debit(1200, None);
    let DebitEvidence::Tac(tac) = sale.evidence else { panic!("a TAC") };
    campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..sale }));
    let of = campus.last_seq();
    // The copy, which was not debited, disproves it.
    campus.chip = copy;
    campus.hold(Stage::Load);
    assert_eq!(state(&campus), State::Active);
    for _ in 0..2 {
        campus.send(Record::Settle { of, tac: Some(tac) });
        assert_eq!(state(&campus), State::Lost);
        assert_eq!(campus.balance(chart::on_card(CARD)), 5000, "the holder does not pay it");
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200);
        let [case] = &cases(&campus)[..] else { panic!("one case") };
        assert_eq!((case.kind, case.amount), (Kind::CardCloned, Fen::new(1200)));
    }
}

#[test]
fn m6_a_debit_that_a_case_paid_is_not_paid_again_under_another_number() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("10");
    let copy = campus.chip.clone();
    let (one, mut till) = (campus.debit(1000, None), campus.other_till(TerminalNo([0, 0, 2])));
    campus.send(Record::Sale(one));
    campus.walk_to(&mut till);
    campus.chip = copy;
    let other = campus.debit(1000, None);
    for _ in 0..3 {
        campus.send(Record::Sale(other));
        assert_eq!(campus.balance(chart::merchant(campus.merchant)), 2000);
    }
    assert_eq!(campus.balance(chart::on_card(CARD)), 0);
}

#[test]
fn t1_nothing_is_released_to_a_card_that_its_own_proof_has_just_stopped() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("50");
    let mut copy = campus.chip.clone();
    let (torn, later) = (campus.debit(1200, None), campus.debit(700, None));
    let DebitEvidence::Tac(tac) = torn.evidence else { panic!("a TAC") };
    campus.send(Record::Sale(PurseSale { evidence: DebitEvidence::Unconfirmed, ..torn }));
    // The copy is debited at the same counter; what the first chip has paid since hides the copy's debit in its balance.
    let mut till = campus.other_till(TerminalNo([0, 0, 2]));
    std::mem::swap(&mut campus.chip, &mut copy);
    campus.walk_to(&mut till);
    assert_eq!(campus.buy(700).m, torn.m);
    campus.walk_to(&mut till);
    std::mem::swap(&mut campus.chip, &mut copy);
    campus.top_up("9");
    let session = campus.init(Stage::Load).expect("nobody knows yet");
    let proofs = [(torn.m, tac)];
    let begun = campus.rig.run(tap_load::begin(&campus.rig.school, campus.at, CARD, session, &proofs));
    assert_eq!(begun.expect_err("frozen").code, "CARD_FROZEN");
    assert_eq!(state(&campus), State::Lost);
    assert_eq!(campus.balance(chart::awaiting_tap(campus.person)), 900, "what waits goes on waiting");
    let card = campus.rig.row(&Key::Card(CARD)).and_then(|row| row.card().cloned()).expect("a card");
    assert_eq!((card.released, card.unconfirmed), (None, vec![]));
    let [case] = &cases(&campus)[..] else { panic!("one case") };
    assert_eq!((case.kind, case.amount), (Kind::SaleConflict, Fen::new(1200)));
    // The record of the second debit comes: the merchant is paid, and nothing else moves.
    assert_eq!(campus.send(Record::Sale(later)), Answer::Taken);
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 700 + 1200 + 700);
    campus.rig.verify();
}

#[test]
fn t1_a_counter_that_a_terminal_tells_wrong_stops_the_card_costs_its_holder_nothing_and_names_both_terminals() {
    let mut campus = Campus::new();
    campus.top_up_and_hold("50");
    let first = campus.debit(1200, None);
    // No proof covers the counter: the first till tells the one after it.
    assert_eq!(campus.send(Record::Sale(PurseSale { m: first.m + 1, ..first })), Answer::Taken);
    let mut till = campus.other_till(TerminalNo([0, 0, 2]));
    campus.walk_to(&mut till);
    let second = campus.buy(800);
    assert_eq!((second.m, state(&campus)), (first.m + 1, State::Lost));
    assert_eq!(campus.balance(chart::merchant(campus.merchant)), 1200 + 800);
    assert_eq!(campus.balance(chart::on_card(CARD)), 5000 - 1200, "what the conflict cost stands against its case");
    let [case] = &cases(&campus)[..] else { panic!("one case") };
    assert_eq!((case.kind, case.amount), (Kind::SaleConflict, Fen::new(800)));
    for sale in [first, second] {
        assert!(case.detail.contains(&format!("{:02X?}", sale.terminal)), "{}", case.detail);
    }
    let spent = campus.rig.row(&Key::Spent(CARD)).and_then(|row| row.spent().cloned()).expect("debits");
    assert_eq!((first.m, spent.next), (0, 0), "the true counter of the first never comes");
}
