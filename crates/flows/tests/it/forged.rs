//! Attacks with a card or a terminal: nothing of the ledger changes, and the words say why (T1, T2, T9; M11, I8).

use card::session::Stamp;
use card::terminal;
use flows::rows::{Campus as Rows, Key, Row, lists};
use flows::tap_load::{self, Onward};
use keys::Keyring;
use link::{Answer, DebitEvidence, PurseSale, Record};
use rules::case::{Case, Kind};
use rules::ids::{CardNo, TerminalNo};
use rules::load::{Session, Stage};
use rules::words::Words;
use store::verify::Archive;
use teller::Schema;

use crate::hand::{CARD, Campus, personalised};

/// Every open case, oldest first.
pub fn cases(campus: &Campus) -> Vec<Case> {
    let (mut archive, mut found) = (campus.rig.disk.archive(), Vec::new());
    assert!(Rows::LISTS.contains(&lists::CASES));
    let mut look = |row: store::verify::GuardRow<'_>| {
        if let Ok(Row::Case(case)) = Rows::decode(&Key::Settings, row.body) {
            found.push(case);
        }
    };
    archive.guard_rows("open_case", &mut look).expect("the disk is whole");
    found.sort_by_key(|case| (case.opened_at, case.id));
    found
}

/// All money and every movement of it.
pub fn ledger(campus: &Campus) -> Vec<String> {
    let mut archive = campus.rig.disk.archive();
    let journal = archive.journal(1, u64::MAX, u32::MAX).expect("the disk is whole");
    let mut rows: Vec<String> = journal.iter().map(|row| format!("{row:?}")).collect();
    archive.pendings(&mut |pending| rows.push(format!("{pending:?}"))).expect("the disk is whole");
    rows
}

/// Codes of refusals, each with words in both languages.
fn said<T: std::fmt::Debug>(outcome: Result<T, Words>, what: &str) -> &'static str {
    let words = match outcome {
        Ok(granted) => panic!("{what}: granted {granted:?}"),
        Err(words) => words,
    };
    assert!(words.en.len() > 10 && words.zh.chars().any(|letter| letter > '\u{4e00}'), "{what}: {words:?}");
    words.code
}

/// A second holder's card, with nothing on it.
const OTHER: CardNo = CardNo(0x2026_0000_0000_0043);

/// A school with 20.00 on the card and 50.00 that wait for it.
fn campus() -> Campus {
    let mut campus = Campus::new();
    campus.top_up_and_hold("20");
    campus.top_up("50");
    campus
}

fn begin_as(campus: &Campus, card: CardNo, session: Session) -> Result<Onward, Words> {
    campus.rig.run(tap_load::begin(&campus.rig.school, campus.at, card, session, &[]))
}

type Attack = fn(&mut Campus) -> Result<Onward, Words>;

/// What a card, or what is between it and us, can say that is not so; and what is said to it.
const ATTACKS: [(&str, Attack, &str); 8] = [
    (
        "a card of another school",
        |campus| {
            campus.chip = personalised(CardNo(0x9999_0000_0000_0001), &Keyring::generate());
            let no = CardNo(campus.chip.card().0);
            campus.rig.run(tap_load::open(&campus.rig.school, campus.at, no, Stage::Load)).map(|_| unreachable!())
        },
        "CARD_UNREADABLE",
    ),
    (
        "a card of another school that has our number",
        |campus| {
            campus.chip = personalised(CARD, &Keyring::generate());
            let session = campus.init(Stage::Load)?;
            campus.begin(session)
        },
        "CARD_UNREADABLE",
    ),
    (
        "a card of ours that says it is another one",
        |campus| {
            campus.chip = campus.another_chip(OTHER);
            let session = campus.init(Stage::Load)?;
            campus.begin(session)
        },
        "CARD_UNREADABLE",
    ),
    (
        "a balance that was made larger on the way",
        |campus| {
            let session = campus.init(Stage::Load)?;
            campus.begin(Session { old_balance: 100_000, ..session })
        },
        "CARD_UNREADABLE",
    ),
    (
        "an amount that was made larger on the way",
        |campus| {
            let session = campus.init(Stage::Load)?;
            campus.begin(Session { amount: 9_000, ..session })
        },
        "CARD_UNREADABLE",
    ),
    (
        "a key version that does not exist",
        |campus| {
            let session = campus.init(Stage::Load)?;
            campus.begin(Session { key_version: 99, ..session })
        },
        "CARD_UNREADABLE",
    ),
    (
        "a nonce of its own",
        |campus| {
            campus.init(Stage::Load)?;
            let session = campus.init_with(5000, [1, 2, 3]);
            campus.begin(session)
        },
        "TAP_AGAIN",
    ),
    (
        "a nonce that was given to another terminal",
        |campus| {
            let session = campus.init(Stage::Load)?;
            let mut till = campus.other_till(TerminalNo([0, 0, 2]));
            campus.walk_to(&mut till);
            campus.begin(session)
        },
        "TAP_AGAIN",
    ),
];

#[test]
fn t1_cards_that_are_not_ours_change_nothing_and_are_told_why() {
    for (what, attack, code) in ATTACKS {
        let mut campus = campus();
        let (honest, before) = (campus.chip.clone(), ledger(&campus));
        let outcome = attack(&mut campus);
        assert_eq!(said(outcome, what), code, "{what}");
        assert_eq!((ledger(&campus), cases(&campus)), (before, vec![]), "{what}");
        // The real card still gets what is its own.
        campus.chip = honest;
        assert_eq!(campus.hold(Stage::Load).0, 5000, "{what}");
    }
}

#[test]
fn m11_a_card_that_was_swapped_in_the_middle_of_a_tap_changes_nothing() {
    // INITIALIZE by one card, sent on as another's.
    let mut campus = campus();
    let before = ledger(&campus);
    let session = campus.init(Stage::Load).expect("a card");
    assert_eq!(said(begin_as(&campus, OTHER, session), "begun as another"), "CARD_UNREADABLE");
    assert_eq!((ledger(&campus), cases(&campus)), (before, vec![]));
    // Released to one card, CREDIT given to another one of the school: it refuses the MAC2 and gives no TAC.
    let Ok(Onward::Release { k, stamp, mac2, .. }) = campus.begin(session) else { panic!("a release") };
    let released = ledger(&campus);
    let mut other = campus.another_chip(OTHER);
    let chance = &mut || [7; 4];
    other.process(&terminal::select_purse(), chance);
    other.process(&terminal::init_load(5000, session.terminal), chance);
    let stamp = Stamp { date: stamp.date, time: stamp.time };
    let answer = other.process(&terminal::credit_load(stamp, mac2), chance);
    assert_eq!((answer, other.balance()), (vec![0x93, 0x02], 0));
    // A TAC that is another card's, or made up, decides nothing: a case, and the card's next counter tells.
    for tac in [[0; 4], [0xA5; 4]] {
        let confirmed = campus.rig.run(tap_load::confirm(&campus.rig.school, campus.at, CARD, k, tac));
        assert_eq!(said(confirmed, "a TAC of another"), "CARD_UNREADABLE");
        assert_eq!(ledger(&campus), released);
    }
    assert!(cases(&campus).iter().all(|case| case.kind == Kind::LoadTacWrong));
    assert_eq!((cases(&campus).len(), campus.hold(Stage::Load).0, campus.chip.balance()), (2, 5000, 7000));
}

#[test]
fn t2_edited_records_of_a_debit_move_no_money_and_lie_in_a_case_with_words() {
    type Edit = fn(&mut PurseSale);
    let table: [(&str, Edit); 6] = [
        ("another amount", |sale| sale.amount += 1),
        ("another terminal number counted", |sale| sale.tsn += 1),
        ("another day", |sale| sale.stamp.date[3] = 0x24),
        ("another second", |sale| sale.stamp.time[2] ^= 1),
        ("a made-up proof", |sale| sale.evidence = DebitEvidence::Tac([1, 2, 3, 4])),
        ("another key version", |sale| sale.key_version = 77),
    ];
    for (what, edit) in table {
        let mut campus = campus();
        let sale = campus.debit(700, None);
        let (mut forged, before) = (sale, ledger(&campus));
        edit(&mut forged);
        assert_eq!(campus.send(Record::Sale(forged)), Answer::Taken, "{what}");
        assert_eq!(ledger(&campus), before, "{what}");
        let [case] = &cases(&campus)[..] else { panic!("{what}: one case") };
        let words = case.kind.words();
        assert_eq!((case.kind, words.code, case.amount.get()), (Kind::SaleTacWrong, "SALE_TAC_WRONG", 0), "{what}");
        assert!(!words.zh.is_empty() && !words.en.is_empty());
        // The true record is taken all the same.
        assert_eq!(campus.send(Record::Sale(sale)), Answer::Taken);
        assert_eq!(campus.balance(rules::chart::merchant(campus.merchant)), 700, "{what}");
    }
}

#[test]
fn t9_a_batch_of_records_that_another_terminal_replays_pays_nobody_and_stops_that_terminal() {
    let mut campus = campus();
    let batch = [700, 50, 120].map(|fen| Record::Sale(campus.debit(fen, None)));
    let mut thief = campus.other_till(TerminalNo([0, 0, 9]));
    // Before their own terminal sends them, and after.
    for sent in [false, true] {
        if sent {
            for record in &batch {
                assert_eq!(campus.send(*record), Answer::Taken);
            }
        }
        let before = ledger(&campus);
        campus.walk_to(&mut thief);
        for _ in 0..3 {
            for record in &batch {
                assert_eq!(campus.send(*record), Answer::Quarantined);
                assert_eq!(ledger(&campus), before);
            }
        }
        assert_eq!(said(campus.init(Stage::Load), "it takes no cards"), "TERMINAL_STOPPED");
        campus.walk_to(&mut thief);
    }
    // With its own number written into them the card's proof no longer fits.
    let before = ledger(&campus);
    campus.walk_to(&mut thief);
    for record in &batch {
        let Record::Sale(sale) = record else { continue };
        let own = PurseSale { terminal: [0, 0, 9, 0, 0, 0], ..*sale };
        assert_eq!(campus.send(Record::Sale(own)), Answer::Taken);
    }
    campus.walk_to(&mut thief);
    assert_eq!(ledger(&campus), before);
    let kinds: Vec<Kind> = cases(&campus).iter().map(|case| case.kind).collect();
    let wrong = [Kind::SaleTacWrong; 3];
    assert_eq!(kinds, [&[Kind::TerminalQuarantined][..], &wrong].concat(), "one case for the terminal");
    assert_eq!(campus.balance(rules::chart::merchant(campus.merchant)), 870);
    // Nor does its own terminal get them paid twice.
    for record in &batch {
        assert_eq!(campus.send(*record), Answer::Taken);
    }
    assert_eq!(campus.balance(rules::chart::merchant(campus.merchant)), 870);
    campus.hold(Stage::Load);
}
