use super::*;

const NOW: Micros = Micros::from_seconds(1_795_400_000);

fn a_card(state: card::State) -> Card {
    Card {
        no: CardNo(42),
        person: PersonId(Id::new(9)),
        state,
        since: NOW,
        n: 0,
        attempt: 0,
        released: None,
        unconfirmed: Vec::new(),
        awaiting: Vec::new(),
    }
}

#[test]
fn m16_m18_the_account_pays_first_and_a_source_pays_all_or_nothing() {
    let limits = Limits::at(&[], NOW);
    let (active, lost) = (a_card(card::State::Active), a_card(card::State::Lost));
    let facts = |available, purse| AskFacts {
        card: Some(&active),
        hold_live: true,
        expired: false,
        reversed: false,
        available: Fen::new(available),
        purse: Fen::new(purse),
        limits: &limits,
    };
    let table: [(&str, i64, AskFacts<'_>, Result<Payment, &str>); 13] = [
        ("account covers it", 1200, facts(1200, 0), Ok(Payment::Account)),
        ("both cover it", 1200, facts(1200, 5000), Ok(Payment::Account)),
        ("only the purse covers it", 1200, facts(1199, 1200), Ok(Payment::Purse)),
        ("only together", 1200, facts(1199, 1199), Err("BALANCE_LOW")),
        ("nothing", 0, facts(1200, 0), Err("AMOUNT_INVALID")),
        ("less than nothing", -1, facts(1200, 0), Err("AMOUNT_INVALID")),
        ("the most", 100_000, facts(100_000, 0), Ok(Payment::Account)),
        ("more than the most", 100_001, facts(200_000, 0), Err("AMOUNT_INVALID")),
        ("no hold", 1200, AskFacts { hold_live: false, ..facts(1200, 0) }, Err("TAP_AGAIN")),
        ("lost", 1200, AskFacts { card: Some(&lost), ..facts(1200, 0) }, Err("CARD_LOST")),
        ("unknown", 1200, AskFacts { card: None, ..facts(1200, 0) }, Err("CARD_UNREADABLE")),
        ("late", 1200, AskFacts { expired: true, ..facts(1200, 0) }, Err("SALE_TOO_LATE")),
        ("reversed", 1200, AskFacts { reversed: true, ..facts(1200, 0) }, Err("SALE_CALLED_OFF")),
    ];
    for (what, amount, facts, expected) in table {
        let got = authorise(Fen::new(amount), &facts).map_err(|refusal| refusal.words().code);
        assert_eq!(got, expected, "{what}");
    }
}

#[test]
fn m17_a_reversal_takes_back_what_was_paid_and_nothing_else() {
    let table = [
        (None, Reversal::Tombstone),
        (Some(State::Paid), Reversal::GiveBack),
        (Some(State::Reversed), Reversal::Nothing),
        (Some(State::AwaitingPurse), Reversal::CallOff),
        (Some(State::CalledOff), Reversal::Nothing),
        (Some(State::FromPurse), Reversal::Nothing),
        (Some(State::Unconfirmed), Reversal::Nothing),
        (Some(State::NotDebited), Reversal::Nothing),
        (Some(State::Suspended(CaseId(Id::new(1)))), Reversal::Nothing),
    ];
    for (state, expected) in table {
        assert_eq!(reverse(state), expected, "{state:?}");
    }
}

#[test]
fn m13_a_debit_is_posted_within_what_the_card_can_hold_and_suspended_beyond() {
    let facts = |on_card, in_transit, suspense| DebitFacts {
        card_known: true,
        evidence: Evidence::Proved,
        replayed: false,
        taken: false,
        called_off: false,
        on_card: Fen::new(on_card),
        in_transit: Fen::new(in_transit),
        suspense: Fen::new(suspense),
        forgotten_load: false,
        disproved: false,
        card_stopped: false,
        odd: None,
    };
    let post = |from| Acceptance::Post { from, case: None };
    let suspend = |case, pay, freeze| Acceptance::Suspend { case, pay, freeze };
    let known = facts(1000, 0, 0);
    let table = [
        ("covered", 1000, known, post(From::OnCard)),
        ("one fen more", 1001, known, suspend(case::Kind::SaleOverspent, true, true)),
        ("out of an unproved load", 4000, facts(1000, 5000, 0), post(From::Unproved)),
        ("the load is used up", 2001, facts(1000, 5000, -4000), suspend(case::Kind::SaleOverspent, true, true)),
        ("just not used up", 2000, facts(1000, 5000, -4000), post(From::Unproved)),
        ("used before", 500, DebitFacts { taken: true, ..known }, suspend(case::Kind::SaleConflict, true, true)),
        ("the same debit again", 500, DebitFacts { replayed: true, taken: true, ..known }, {
            suspend(case::Kind::SaleConflict, false, false)
        }),
        ("nothing", 0, known, suspend(case::Kind::SaleTacWrong, false, false)),
        ("no proof", 500, DebitFacts { evidence: Evidence::None, ..known }, Acceptance::Keep),
        ("wrong proof", 500, DebitFacts { evidence: Evidence::WrongTac, ..known }, {
            suspend(case::Kind::SaleTacWrong, false, false)
        }),
        ("unknown card", 500, DebitFacts { card_known: false, ..known }, {
            suspend(case::Kind::SaleUnknownCard, true, false)
        }),
        ("unknown and unproved", 500, DebitFacts { card_known: false, evidence: Evidence::None, ..known }, {
            suspend(case::Kind::SaleUnknownCard, false, false)
        }),
        ("out of a load that a restored book forgot", 1001, DebitFacts { forgotten_load: true, ..known }, {
            Acceptance::Post { from: From::Unproved, case: Some(case::Kind::SaleAheadOfBook) }
        }),
        ("used before, after a restore", 500, DebitFacts { forgotten_load: true, taken: true, ..known }, {
            suspend(case::Kind::SaleConflict, true, true)
        }),
        ("the card had proved otherwise", 500, DebitFacts { disproved: true, ..known }, {
            suspend(case::Kind::CardCloned, true, true)
        }),
        ("made after the card was stopped", 500, DebitFacts { card_stopped: true, ..known }, {
            suspend(case::Kind::SaleCardStopped, true, false)
        }),
        ("out of the chain", 500, DebitFacts { odd: Some(Odd::ChainBroken), ..known }, {
            Acceptance::Post { from: From::OnCard, case: Some(case::Kind::SaleChainBroken) }
        }),
        ("from another time", 500, DebitFacts { odd: Some(Odd::Date), ..known }, {
            Acceptance::Post { from: From::OnCard, case: Some(case::Kind::SaleDateOdd) }
        }),
        ("called off before, and odd", 500, DebitFacts { called_off: true, odd: Some(Odd::Date), ..known }, {
            Acceptance::Post { from: From::OnCard, case: Some(case::Kind::SaleAfterReversal) }
        }),
        ("called off before", 500, DebitFacts { called_off: true, ..known }, {
            Acceptance::Post { from: From::OnCard, case: Some(case::Kind::SaleAfterReversal) }
        }),
    ];
    for (what, amount, facts, expected) in table {
        assert_eq!(accept(Fen::new(amount), &facts), expected, "{what}");
    }
}

#[test]
fn r81_what_its_terminal_alone_says_moves_no_money() {
    let table = [
        (Odd::ChainBroken, case::Kind::SaleChainBroken),
        (Odd::Date, case::Kind::SaleDateOdd),
        (Odd::TerminalStopped, case::Kind::SaleTerminalStopped),
    ];
    for (odd, kind) in table {
        let facts = DebitFacts {
            card_known: true,
            evidence: Evidence::Proved,
            replayed: false,
            taken: false,
            called_off: false,
            on_card: Fen::new(1000),
            in_transit: Fen::ZERO,
            suspense: Fen::ZERO,
            forgotten_load: false,
            disproved: false,
            card_stopped: false,
            odd: Some(odd),
        };
        let expected = Acceptance::Post { from: From::OnCard, case: Some(kind) };
        assert_eq!(accept(Fen::new(500), &facts), expected, "{odd:?}");
    }
}

#[test]
fn r81_a_date_is_believed_within_its_window() {
    let limits = Limits::at(&[], NOW);
    let (late, ahead) = (limits.get(Setting::SaleLateMost), limits.get(Setting::SaleAheadMost));
    for (seconds, expected) in [(0, true), (-late, true), (-late - 1, false), (ahead, true), (ahead + 1, false)] {
        assert_eq!(date_believable(Some(NOW.after_seconds(seconds)), NOW, &limits), expected, "{seconds}");
    }
    assert!(!date_believable(None, NOW, &limits), "what is no date is not believed");
}
