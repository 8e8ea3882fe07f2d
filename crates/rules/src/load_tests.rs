use ledger::{Id, SchoolId};

use super::*;
use crate::ids::PersonId;

const NOW: Micros = Micros::from_seconds(1_795_400_000);

fn a_card(n: u16, released: Option<u32>) -> Card {
    Card {
        no: CardNo(42),
        person: PersonId(Id::new(9)),
        state: card::State::Active,
        since: NOW,
        n,
        attempt: released.unwrap_or(0),
        released,
        unconfirmed: Vec::new(),
        awaiting: Vec::new(),
    }
}

fn shown(n: u16, old_balance: u32, amount: u32) -> Session {
    Session {
        old_balance,
        n,
        key_version: 1,
        algorithm: 0,
        random: [1, 2, 3, 4],
        mac1: [0; 4],
        amount,
        terminal: [0, 0, 1, 7, 7, 7],
    }
}

fn item(amount: i64) -> Item {
    let order = OrderNo::new(SchoolId::new(1).unwrap(), NOW, [3; 8]);
    Item { source: Source::Order(order), amount: Fen::new(amount), since: NOW }
}

fn an_attempt(n: u16, old_balance: u32, items: &[Item]) -> Attempt {
    let amount = Fen::sum(items.iter().map(|item| item.amount)).unwrap().get();
    let session = Session { random: [9; 4], ..shown(n, old_balance, u32::try_from(amount).unwrap()) };
    Attempt {
        card: CardNo(42),
        k: 1,
        session,
        date: [0; 4],
        time: [0; 3],
        items: items.to_vec(),
        pend: 5,
        released_at: NOW,
        state: State::Released,
    }
}

struct Case<'a> {
    what: &'static str,
    n: u16,
    attempt: Option<&'a Attempt>,
    waiting: &'a [Item],
    on_card: i64,
    suspense: i64,
    available: i64,
    stage: Stage,
    session: Session,
    live: bool,
    expected: Result<Decision, Refusal>,
}

fn proceed(resolution: Resolution, next: Next) -> Result<Decision, Refusal> {
    proceed_agreeing(resolution, next, true)
}

fn proceed_agreeing(resolution: Resolution, next: Next, agrees: bool) -> Result<Decision, Refusal> {
    Ok(Decision::Proceed { resolution, sales: Vec::new(), ahead: None, agrees, next })
}

fn case<'a>(what: &'static str, session: Session, expected: Result<Decision, Refusal>) -> Case<'a> {
    Case {
        what,
        n: 3,
        attempt: None,
        waiting: &[],
        on_card: 1000,
        suspense: 0,
        available: 0,
        stage: Stage::Load,
        session,
        live: true,
        expected,
    }
}

fn release(amount: i64) -> Next {
    Next::Release { items: vec![item(amount)], fill: Fen::ZERO }
}

fn check<'a>(table: impl IntoIterator<Item = Case<'a>>) {
    let limits = Limits::at(&[], NOW);
    for case in table {
        let card = a_card(case.n, case.attempt.map(|attempt| attempt.k));
        let purse = Purse {
            on_card: Fen::new(case.on_card),
            suspense: Fen::new(case.suspense),
            available: Fen::new(case.available),
        };
        let (attempt, waiting, stage) = (case.attempt, case.waiting, case.stage);
        let facts = Facts {
            card: &card,
            attempt,
            waiting,
            purse,
            stage,
            limits: &limits,
            meeting: Meeting::Usual,
            agreed: true,
        };
        assert_eq!(begin(&facts, &case.session, case.live, &[]), case.expected, "{}", case.what);
    }
}

#[test]
fn torn_tap_is_settled_by_the_card_counter() {
    let fifty = [item(5000)];
    let attempt = an_attempt(3, 1000, &fifty);
    let torn = |what, session, expected| Case { attempt: Some(&attempt), ..case(what, session, expected) };
    check([
        torn(
            "N stayed: not applied, and released anew",
            shown(3, 1000, 5000),
            proceed(Resolution::NotApplied, release(5000)),
        ),
        torn("N moved: applied", shown(4, 6000, 5000), proceed(Resolution::Applied, Next::Done)),
        Case {
            suspense: -4000,
            ..torn(
                "applied and partly spent before it was proved",
                shown(4, 2000, 5000),
                proceed(Resolution::Applied, Next::Done),
            )
        },
        Case { live: false, ..torn("the released session again", attempt.session, Ok(Decision::Resend)) },
        Case { live: false, ..torn("old news", shown(3, 1000, 5000), Err(Refusal::NonceDead)) },
        torn("N two ahead", shown(5, 1000, 5000), Ok(Decision::Alarm(case::Kind::CardAhead))),
    ]);
}

#[test]
fn a_tap_loads_all_that_waits_and_an_odd_card_is_an_alarm() {
    let fifty = [item(5000)];
    check([
        case("nothing waits", shown(3, 1000, 1), proceed(Resolution::Nothing, Next::Done)),
        Case {
            waiting: &fifty,
            ..case("all that waits is released", shown(3, 1000, 5000), proceed(Resolution::Nothing, release(5000)))
        },
        Case {
            waiting: &fifty,
            ..case("another amount", shown(3, 1000, 1), proceed(Resolution::Nothing, Next::Again { amount: 5000 }))
        },
        Case { live: false, ..case("dead nonce", shown(3, 1000, 1), Err(Refusal::NonceDead)) },
        case("N behind", shown(2, 1000, 1), Ok(Decision::Alarm(case::Kind::CardRolledBack))),
        case("N ahead, nothing released", shown(4, 1000, 1), Ok(Decision::Alarm(case::Kind::CardAhead))),
        case("more in the purse than explained", shown(3, 1001, 1), Ok(Decision::Alarm(case::Kind::PurseAhead))),
        case("less: sales not uploaded yet", shown(3, 1, 1), {
            proceed_agreeing(Resolution::Nothing, Next::Done, false)
        }),
    ]);
}

#[test]
fn the_float_is_filled_from_the_account_below_half_of_it() {
    let float = [Item { source: Source::Float, ..item(6000) }];
    let fill = an_attempt(3, 1000, &float);
    let filling =
        |available, what, session, expected| Case { stage: Stage::Fill, available, ..case(what, session, expected) };
    let all = Next::Release { items: vec![], fill: Fen::new(9000) };
    check([
        filling(50_000, "up to the float", shown(3, 1000, 9000), proceed(Resolution::Nothing, all)),
        Case {
            on_card: 5000,
            ..filling(50_000, "half is enough", shown(3, 5000, 1), proceed(Resolution::Nothing, Next::Done))
        },
        Case {
            attempt: Some(&fill),
            ..filling(
                3000,
                "a fill that failed is made anew from the account",
                shown(3, 1000, 6000),
                proceed(Resolution::NotApplied, Next::Again { amount: 9000 }),
            )
        },
    ]);
}

#[test]
fn a_lost_card_loads_nothing_even_with_a_good_proof() {
    let limits = Limits::at(&[], NOW);
    let card = Card { state: card::State::Lost, ..a_card(3, None) };
    let purse = Purse { on_card: Fen::ZERO, suspense: Fen::ZERO, available: Fen::ZERO };
    let facts = Facts {
        card: &card,
        attempt: None,
        waiting: &[],
        purse,
        stage: Stage::Load,
        limits: &limits,
        meeting: Meeting::Usual,
        agreed: true,
    };
    let refused = begin(&facts, &shown(3, 0, 1), true, &[]);
    assert_eq!(refused, Err(Refusal::Card(card::Refusal::State(card::State::Lost))));
}

/// What is said of open sales when the book has `explained` on the card and it shows `purse`; `None` for an alarm.
fn judged(
    (explained, purse): (i64, u32),
    sales: &[Unconfirmed],
    others: bool,
    (meeting, agreed): (Meeting, bool),
) -> Option<(Vec<Verdict>, bool)> {
    let awaiting = if others { vec![Id::new(3)] } else { Vec::new() };
    let card = Card { awaiting, ..a_card(3, None) };
    let limits = Limits::at(&[], NOW);
    let held = Purse { on_card: Fen::new(explained), suspense: Fen::ZERO, available: Fen::ZERO };
    let (stage, limits) = (Stage::Load, &limits);
    let facts = Facts { card: &card, attempt: None, waiting: &[], purse: held, stage, limits, meeting, agreed };
    match begin(&facts, &shown(3, purse, 1), true, sales).expect("a live nonce") {
        Decision::Proceed { sales, agrees, .. } => Some((sales, agrees)),
        Decision::Alarm(_) => None,
        Decision::Resend => panic!("resent"),
    }
}

fn open(amount: i64, proved: bool) -> Unconfirmed {
    Unconfirmed {
        amount: Fen::new(amount),
        proved,
        of_this_epoch: true,
        asked: true,
        contradicted: false,
        instead_of: Fen::ZERO,
    }
}

#[test]
fn an_open_sale_is_settled_by_proof_or_by_the_authenticated_balance() {
    use Verdict::*;
    let table = [
        ("nothing missing", 1000, vec![open(300, false)], Some((vec![NotDebited], true))),
        ("exactly it is missing", 700, vec![open(300, false)], Some((vec![Debited], true))),
        ("less is missing", 800, vec![open(300, false)], Some((vec![NotDebited], false))),
        ("more is missing", 500, vec![open(300, false)], Some((vec![Open], false))),
        ("proved", 700, vec![open(300, true)], Some((vec![Debited], true))),
        ("one proved, the other not taken", 700, vec![open(300, true), open(200, false)], {
            Some((vec![Debited, NotDebited], true))
        }),
        ("both taken", 500, vec![open(300, false), open(200, false)], Some((vec![Debited, Debited], true))),
        ("one of two taken, nobody knows which", 700, vec![open(300, false), open(300, false)], {
            Some((vec![Open, Open], false))
        }),
        ("purse ahead", 1001, vec![open(300, false)], None),
        ("proved, yet nothing is missing", 1000, vec![open(300, true)], None),
    ];
    let usual = (Meeting::Usual, true);
    for (what, purse, sales, expected) in table {
        assert_eq!(judged((1000, purse), &sales, false, usual), expected, "{what}");
    }
    let other = Unconfirmed { contradicted: true, ..open(300, false) };
    let table = [
        ("the proof of another sale is at its counter", 700, vec![other], vec![Open]),
        ("which does not charge it, nor does it call it off", 600, vec![other], vec![Open]),
        ("nor the one beside it", 500, vec![other, open(200, false)], vec![Open, Open]),
        ("nothing is missing whatever was proved", 1000, vec![other], vec![NotDebited]),
        ("the other sale proves itself", 700, vec![other, open(300, true)], vec![NotDebited, Debited]),
    ];
    for (what, purse, sales, expected) in table {
        let verdicts = judged((1000, purse), &sales, false, usual).map(|(verdicts, _)| verdicts);
        assert_eq!(verdicts, Some(expected), "{what}");
    }
    let instead = |amount| [Unconfirmed { instead_of: Fen::new(amount), ..open(300, true) }];
    assert_eq!(judged((1000, 1000), &instead(300), false, usual), Some((vec![Debited], true)), "one for the other");
    assert_eq!(judged((1000, 1000), &instead(200), false, usual), None, "it must have been as much");
    let one = [open(300, false)];
    let others = |purse| judged((1000, purse), &one, true, usual).map(|(verdicts, _)| verdicts);
    assert_eq!(others(700), Some(vec![Open]), "another debit may explain it");
    assert_eq!(others(1000), Some(vec![NotDebited]), "nothing is missing, whoever else debits");
}

#[test]
fn m9_a_card_that_never_agreed_since_a_restore_is_not_judged_debited_by_its_balance() {
    use Verdict::*;
    let older = |asked| Unconfirmed { of_this_epoch: false, asked, ..open(300, false) };
    let (first, usual) = (Meeting::First { since: NOW }, Meeting::Usual);
    let ahead = |late| Meeting::Ahead { late: Fen::new(late) };
    // The book has 10.00 on the card; the open sale is over 3.00.
    let table = [
        ("nothing is missing", (usual, false), open(300, false), 1000, (NotDebited, true)),
        ("less than it", (usual, false), open(300, false), 701, (NotDebited, false)),
        ("just so much, which may be another's", (usual, false), open(300, false), 700, (Untold, false)),
        ("more than it", (usual, false), older(true), 600, (Untold, false)),
        ("the card was not asked yet", (usual, false), older(false), 600, (Open, false)),
        ("the card proves it", (usual, false), open(300, true), 600, (Debited, false)),
        ("it comes for the first time", (first, false), older(true), 700, (Untold, false)),
        ("and lacks nothing", (first, false), older(true), 1000, (NotDebited, true)),
        ("once it agreed", (usual, true), older(true), 700, (Debited, true)),
        ("it was ahead and agreed", (ahead(0), true), open(300, false), 700, (Debited, true)),
        ("it was ahead, and what came in late may hide it", (ahead(300), true), open(300, false), 1000, (Untold, true)),
        ("what came in late cannot hide it", (ahead(299), true), open(300, false), 1000, (NotDebited, true)),
    ];
    for (what, state, sale, purse, (verdict, agrees)) in table {
        assert_eq!(judged((1000, purse), &[sale], false, state), Some((vec![verdict], agrees)), "{what}");
    }
}

#[test]
fn a_tac_applies_once_and_a_wrong_one_decides_nothing() {
    let attempt = |state| Attempt { state, ..an_attempt(3, 0, &[item(5000)]) };
    let (released, applied) = (attempt(State::Released), attempt(State::Applied { at: NOW }));
    let (gone, doubted) = (attempt(State::NotApplied { at: NOW }), attempt(State::Doubted));
    let table = [
        (None, true, Confirmation::NoSuchAttempt),
        (Some(&released), true, Confirmation::Applied),
        (Some(&released), false, Confirmation::TacWrong),
        (Some(&doubted), true, Confirmation::Applied),
        (Some(&doubted), false, Confirmation::TacWrong),
        (Some(&applied), true, Confirmation::AlreadyApplied),
        (Some(&applied), false, Confirmation::AlreadyApplied),
        (Some(&gone), true, Confirmation::Contradicted),
        (Some(&gone), false, Confirmation::NoSuchAttempt),
    ];
    for (attempt, verifies, expected) in table {
        assert_eq!(confirm(attempt, verifies, true), expected);
    }
    assert_eq!(confirm(Some(&gone), true, false), Confirmation::NoSuchAttempt, "a restore may have forgotten it");
}

#[test]
fn m9_a_card_that_is_ahead_of_a_restored_book_is_taken_as_it_is_and_nothing_of_it_is_a_gift() {
    let since = NOW.after_seconds(100);
    let first = Meeting::First { since };
    let late = |fen| Meeting::Ahead { late: Fen::new(fen) };
    let (before, after) = (item(5000), Item { since: since.after_seconds(5), ..item(700) });
    let took = |items: &[Item], rest| Some(Some((items.to_vec(), vec![], Fen::new(rest))));
    let untold = |items: &[Item], rest| Some(Some((vec![], items.to_vec(), Fen::new(rest))));
    let attempt = an_attempt(3, 1000, &[item(3000)]);
    let filling = an_attempt(3, 1000, &[item(3000), Item { source: Source::Float, ..item(2000) }]);
    let made_since = Attempt { released_at: since.after_seconds(1), ..filling.clone() };
    // The book has 10.00 on the card, and N 3.
    type Found = Option<Option<(Vec<Item>, Vec<Item>, Fen)>>;
    type Row<'a> = (&'a str, Meeting, Option<&'a Attempt>, Vec<Item>, (u16, u32), Found);
    let table: Vec<Row<'_>> = vec![
        ("agrees", first, None, vec![], (3, 1000), Some(None)),
        ("took what waited", first, None, vec![before], (4, 6000), took(&[before], 0)),
        ("and spent some since", first, None, vec![before], (4, 2000), took(&[before], 0)),
        ("and spent all since", first, None, vec![before], (4, 0), took(&[before], 0)),
        ("took what nobody knows of", first, None, vec![], (4, 6000), took(&[], 5000)),
        ("took both, in two loads", first, None, vec![before], (5, 9000), took(&[before], 3000)),
        ("took an order of which we heard since", first, None, vec![after], (4, 1700), took(&[after], 0)),
        ("which the purse does not show whole", first, None, vec![after], (4, 1699), untold(&[after], 699)),
        ("and did not take it", first, None, vec![before, after], (4, 6000), took(&[before], 0)),
        ("took the attempt", first, Some(&attempt), vec![], (4, 4000), Some(None)),
        ("took another of more instead", first, Some(&attempt), vec![], (4, 4500), took(&[], 500)),
        ("took the attempt and one more", first, Some(&attempt), vec![], (5, 9000), took(&[], 5000)),
        ("took the attempt with its fill", first, Some(&filling), vec![], (4, 6000), Some(None)),
        ("took the order and perhaps less of a fill", first, Some(&filling), vec![], (4, 4500), {
            Some(Some((vec![filling.items[0]], vec![filling.items[1]], Fen::new(500))))
        }),
        ("took a fill that was released since, and spent", first, Some(&made_since), vec![], (4, 4500), Some(None)),
        ("more in the purse without a load", first, None, vec![], (3, 1001), None),
        ("rolled back", first, None, vec![], (2, 1000), None),
        ("a sale came in late", late(300), None, vec![before], (3, 1300), took(&[], 300)),
        ("more than came in late", late(299), None, vec![before], (3, 1300), None),
        ("ahead again", late(300), None, vec![], (4, 6000), None),
        ("ahead without a restore", Meeting::Usual, None, vec![], (4, 6000), None),
    ];
    for (what, meeting, attempt, waiting, (n, purse), expected) in table {
        let card = a_card(3, attempt.map(|attempt| attempt.k));
        let purse_now = Purse { on_card: Fen::new(1000), suspense: Fen::ZERO, available: Fen::ZERO };
        let limits = Limits::at(&[], NOW);
        let facts = Facts {
            card: &card,
            attempt,
            waiting: &waiting,
            purse: purse_now,
            stage: Stage::Load,
            limits: &limits,
            meeting,
            agreed: true,
        };
        let found = match begin(&facts, &shown(n, purse, 1), true, &[]).expect("a live nonce") {
            Decision::Proceed { ahead, .. } => Some(ahead.map(|ahead| {
                assert_eq!(ahead.n, n, "{what}");
                (ahead.items, ahead.untold, ahead.rest)
            })),
            Decision::Alarm(_) => None,
            Decision::Resend => panic!("{what}: resent"),
        };
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn m9_r36_what_was_due_to_go_back_before_the_restore_counts_as_loaded_only_where_the_purse_shows_it() {
    let limits = Limits::at(&[], NOW);
    let since = NOW.after_seconds(100);
    let after = limits.get(crate::limits::Setting::PendingRefundAfter);
    let due = Item { since: since.after_seconds(-after), ..item(5000) };
    let almost = Item { since: Micros::new(due.since.get() + 1), ..due };
    let card = a_card(3, None);
    // The book has 10.00 on the card, and N 3; the card shows N 4.
    let took = |waiting: Item, purse| {
        let facts = Facts {
            card: &card,
            attempt: None,
            waiting: &[waiting],
            purse: Purse { on_card: Fen::new(1000), suspense: Fen::ZERO, available: Fen::ZERO },
            stage: Stage::Load,
            limits: &limits,
            meeting: Meeting::First { since },
            agreed: true,
        };
        match begin(&facts, &shown(4, purse, 1), true, &[]) {
            Ok(Decision::Proceed { ahead: Some(ahead), .. }) => (ahead.items.len(), ahead.untold.len()),
            other => panic!("{other:?}"),
        }
    };
    let table = [
        ("not due yet, and all of it spent", almost, 0, (1, 0)),
        ("due, and the purse shows it", due, 6000, (1, 0)),
        ("due, and the purse shows some of it", due, 5999, (0, 1)),
        ("due, and the purse shows none of it", due, 1000, (0, 1)),
        ("given back since, and the purse shows it", Item { since, ..due }, 6000, (1, 0)),
        ("given back since, and the purse shows none of it", Item { since, ..due }, 1000, (0, 1)),
    ];
    for (what, waiting, purse, expected) in table {
        assert_eq!(took(waiting, purse), expected, "{what}");
    }
}

#[test]
fn m9_what_a_forgotten_load_took_is_not_loaded_again() {
    let since = NOW.after_seconds(100);
    let card = a_card(3, None);
    let (before, after) = (item(5000), Item { since: since.after_seconds(5), ..item(700) });
    let limits = Limits::at(&[], NOW);
    let facts = Facts {
        card: &card,
        attempt: None,
        waiting: &[before, after],
        purse: Purse { on_card: Fen::new(1000), suspense: Fen::ZERO, available: Fen::ZERO },
        stage: Stage::Load,
        limits: &limits,
        meeting: Meeting::First { since },
        agreed: false,
    };
    let next = |amount| match begin(&facts, &shown(4, 6000, amount), true, &[]) {
        Ok(Decision::Proceed { next, .. }) => next,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(5700), Next::Again { amount: 700 });
    assert_eq!(next(700), Next::Release { items: vec![after], fill: Fen::ZERO });
}

#[test]
fn m9_the_balance_of_a_card_that_was_ahead_tells_nothing_of_sales_that_may_be_older() {
    use Verdict::*;
    let (first, ahead) = (Meeting::First { since: NOW }, Meeting::Ahead { late: Fen::ZERO });
    let attempt = an_attempt(3, 1000, &[item(3000)]);
    // The book has 10.00 on the card, and N 3; the open sale is over 3.00.
    let table = [
        ("no load was forgotten", first, None, false, (3, 1000), NotDebited),
        ("one was, and may be more than it seems", first, None, false, (4, 6000), Untold),
        ("the attempt may have been of more", first, Some(&attempt), false, (4, 4000), Untold),
        ("it was taken over as it is", ahead, None, false, (3, 1000), Untold),
        ("it is missing, or another is", ahead, None, false, (3, 700), Untold),
        ("authorised since", ahead, None, true, (3, 1000), NotDebited),
        ("never restored", Meeting::Usual, None, false, (3, 1000), NotDebited),
    ];
    for (what, meeting, attempt, of_this_epoch, (n, purse), expected) in table {
        let card = a_card(3, attempt.map(|attempt| attempt.k));
        let limits = Limits::at(&[], NOW);
        let purse_now = Purse { on_card: Fen::new(1000), suspense: Fen::ZERO, available: Fen::ZERO };
        let facts = Facts {
            card: &card,
            attempt,
            waiting: &[],
            purse: purse_now,
            stage: Stage::Load,
            limits: &limits,
            meeting,
            agreed: true,
        };
        let open = [Unconfirmed { amount: Fen::new(300), proved: false, of_this_epoch, ..open(300, false) }];
        let Ok(Decision::Proceed { sales, .. }) = begin(&facts, &shown(n, purse, 1), true, &open) else {
            panic!("{what}");
        };
        assert_eq!(sales, [expected], "{what}");
    }
}

#[test]
fn m9_a_sale_that_the_card_proves_only_now_explains_what_it_had_taken_more() {
    let card = a_card(3, None);
    let limits = Limits::at(&[], NOW);
    let facts = Facts {
        card: &card,
        attempt: None,
        waiting: &[],
        purse: Purse { on_card: Fen::new(1000), suspense: Fen::ZERO, available: Fen::ZERO },
        stage: Stage::Load,
        limits: &limits,
        meeting: Meeting::Ahead { late: Fen::new(100) },
        agreed: false,
    };
    // The book has 10.00 on the card; with the sale of 3.00 it shows up to 4.00 more than that.
    for (purse, of_this_epoch, rest) in
        [(1000, false, Some(300)), (1100, false, Some(400)), (1101, false, None), (1000, true, None)]
    {
        let open = [Unconfirmed { amount: Fen::new(300), proved: true, of_this_epoch, ..open(300, true) }];
        let found = match begin(&facts, &shown(3, purse, 1), true, &open) {
            Ok(Decision::Proceed { ahead, .. }) => ahead.map(|ahead| ahead.rest.get()),
            _ => None,
        };
        assert_eq!(found, rest, "purse {purse}, of this epoch: {of_this_epoch}");
    }
}
