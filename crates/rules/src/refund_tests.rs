use ledger::{Id, SchoolId};

use super::*;
use crate::top_up::Suspicion;

const T0: Micros = Micros::from_seconds(1_795_400_000);
const CASE: CaseId = CaseId(Id::new(5));

fn number(entropy: u8) -> RefundNo {
    RefundNo::new(SchoolId::new(1).unwrap(), T0, [entropy; 8])
}

fn payment() -> Payment {
    Payment { channel: Channel::WeChat, transaction: "t1".into(), total: Fen::new(5000), paid_at: T0 }
}

fn asked() -> Asked {
    Asked { reason: "误充".into(), by: "Lin".into(), approved_by: None }
}

fn refund(state: State) -> Refund {
    let origin = Origin::Case { case: CASE, of: None };
    let mut refund = Refund::new(number(7), &payment(), &Repaid::default(), Fen::new(2000), origin, &asked(), T0);
    refund.sent_at = (state != State::Held).then_some(T0);
    refund.state = state;
    refund
}

fn told(progress: Progress) -> Event {
    Event::Told(Told { transaction: "t1".into(), amount: Fen::new(2000), total: Fen::new(5000), progress })
}

fn states() -> [State; 8] {
    [
        State::Held,
        State::Sent,
        State::Short { since: T0 },
        State::Processing { since: T0 },
        State::Abnormal { since: T0 },
        State::Settled { at: T0 },
        State::Released { at: T0, why: Failure::Closed },
        State::Released { at: T0, why: Failure::Refused { code: "INVALID_REQUEST".into() } },
    ]
}

fn name(state: &State) -> &'static str {
    match state {
        State::Held => "held",
        State::Sent => "sent",
        State::Short { .. } => "short",
        State::Processing { .. } => "processing",
        State::Abnormal { .. } => "abnormal",
        State::Settled { .. } => "settled",
        State::Released { why: Failure::Closed, .. } => "closed",
        State::Released { why: Failure::Refused { .. }, .. } => "refused",
    }
}

/// What a decision does, as the table writes it.
const fn mark(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "",
        Effect::Settle => "+settle",
        Effect::Release => "+release",
        Effect::Tell(case::Kind::RefundShort) => "+short",
        Effect::Tell(case::Kind::RefundAbnormal) => "+abnormal",
        Effect::Tell(case::Kind::RefundContradicted) => "+contradicted",
        Effect::Tell(_) => "+another",
    }
}

#[test]
fn every_state_and_every_news_has_its_written_outcome() {
    let refused = Event::Refused { code: "INVALID_REQUEST".into() };
    // From: held, sent, short, processing, abnormal, settled, closed, refused.
    let table = [
        (Event::Sending, "sent sent short processing abnormal settled closed refused"),
        (
            told(Progress::Processing),
            "processing processing processing processing abnormal settled closed refused+contradicted",
        ),
        (
            told(Progress::Success { at: T0 }),
            "settled+settle settled+settle settled+settle settled+settle settled+settle settled closed+contradicted \
             refused+contradicted",
        ),
        (
            told(Progress::Closed),
            "closed+release closed+release closed+release closed+release closed+release settled+contradicted closed refused",
        ),
        (
            told(Progress::Abnormal),
            "abnormal+abnormal abnormal+abnormal abnormal+abnormal abnormal+abnormal abnormal settled closed \
             refused+contradicted",
        ),
        (Event::NotFound, "held sent short processing abnormal settled closed refused"),
        (Event::Short, "short+short short+short short processing abnormal settled closed refused"),
        (
            refused,
            "held refused+release refused+release processing+contradicted abnormal+contradicted settled closed refused",
        ),
        (Event::NoAnswer, "held sent short processing abnormal settled closed refused"),
    ];
    for (event, expected) in table {
        let got: Vec<String> = states()
            .into_iter()
            .map(|state| {
                let decision = decide(&refund(state), &event, T0.after_seconds(30));
                assert_eq!(decision.refund.due_at.is_some(), decision.refund.live(), "{event:?}");
                format!("{}{}", name(&decision.refund.state), mark(decision.effect))
            })
            .collect();
        assert_eq!(got.join(" "), expected, "{event:?}");
    }
}

#[test]
fn row_22_other_figures_under_our_number_post_nothing_and_are_told_once() {
    let other = |transaction: &str, amount, total| {
        let progress = Progress::Success { at: T0 };
        Event::Told(Told {
            transaction: transaction.into(),
            amount: Fen::new(amount),
            total: Fen::new(total),
            progress,
        })
    };
    for event in [other("t2", 2000, 5000), other("t1", 1999, 5000), other("t1", 2000, 5001)] {
        for state in states() {
            let decision = decide(&refund(state.clone()), &event, T0);
            assert_eq!(decision.effect, Effect::Tell(case::Kind::RefundDiffers), "{event:?}");
            assert_eq!(decision.refund.state, state);
            let mut known = decision.refund;
            known.cases.push((case::Kind::RefundDiffers, CASE));
            assert_eq!(decide(&known, &event, T0).effect, Effect::None);
        }
    }
}

#[test]
fn row_23_the_provider_is_asked_each_minute_then_ever_less_often() {
    let mut refund = decide(&refund(State::Held), &Event::Sending, T0).refund;
    let mut asked = Vec::new();
    for _ in 0..12 {
        let now = refund.due_at.unwrap();
        asked.push(now.since(T0) / 60_000_000);
        refund = decide(&refund, &Event::NoAnswer, now).refund;
    }
    assert_eq!(asked, [1, 2, 3, 4, 5, 10, 20, 40, 70, 100, 130, 160]);
}

#[test]
fn r76_refunds_of_one_payment_never_exceed_it_and_go_one_at_a_time() {
    let mut repaid = Repaid::default();
    let ask = |repaid: &Repaid, left, fen| {
        let place = Place::Suspense { left: Fen::new(left), two_persons: false };
        check(&payment(), repaid, place, Some(Fen::new(fen)), &asked(), T0)
    };
    assert_eq!(ask(&repaid, 5000, 5001), Err(Refusal::TooMuch(Fen::new(5000))));
    assert_eq!(ask(&repaid, 5000, 2000), Ok(Fen::new(2000)));
    let first = refund(State::Held);
    repaid.made(&first);
    assert_eq!(ask(&repaid, 3000, 1000), Err(Refusal::Live(first.no)));
    let settled = decide(&first, &told(Progress::Success { at: T0 }), T0).refund;
    repaid.ended(&settled);
    assert_eq!(ask(&repaid, 3000, 3001), Err(Refusal::TooMuch(Fen::new(3000))));
    assert_eq!(ask(&repaid, 3000, 3000), Ok(Fen::new(3000)));
    // A failed one counts no more, a settled one for ever.
    let second = Refund::new(number(8), &payment(), &repaid, Fen::new(3000), first.origin, &asked(), T0);
    assert_eq!(second.due_at, Some(T0.after_seconds(60)), "the provider takes them a minute apart");
    repaid.made(&second);
    let told =
        Told { transaction: "t1".into(), amount: second.amount, total: second.total, progress: Progress::Closed };
    let closed = decide(&second, &Event::Told(told), T0).refund;
    repaid.ended(&closed);
    assert_eq!((repaid.back, repaid.live), (Fen::new(2000), None));
    assert_eq!(ask(&repaid, 3000, 3000), Ok(Fen::new(3000)));
}

#[test]
fn row_20_row_21_row_32_a_wrong_refund_is_refused_with_words() {
    let fen = Fen::new;
    let suspense = |left, two_persons| Place::Suspense { left: fen(left), two_persons };
    let by = |approved_by: &str| Asked { approved_by: Some(approved_by.into()), ..asked() };
    let spent = Repaid { back: fen(5000), ..Repaid::default() };
    let often = Repaid { all: vec![number(1); 50], ..Repaid::default() };
    let live = Repaid { live: Some(number(1)), back: fen(5000), ..Repaid::default() };
    let none = Repaid::default();
    let year = T0.after_seconds(365 * 86_400);
    type Line<'a> = (&'a Repaid, Place, Option<i64>, Asked, Micros, Result<i64, &'a str>);
    let table: [Line<'_>; 25] = [
        (&none, Place::OnItsWay, None, asked(), T0, Err("REFUND_ON_ITS_WAY")),
        (&none, Place::OnCard, None, asked(), T0, Err("REFUND_ON_CARD")),
        (&spent, Place::OnItsWay, None, asked(), T0, Err("REFUND_NOTHING_LEFT")),
        (&live, Place::OnItsWay, None, asked(), T0, Err("REFUND_LIVE")),
        (&often, Place::Waiting(fen(5000)), None, asked(), T0, Err("REFUND_TOO_LATE")),
        (&none, Place::Waiting(fen(5000)), None, asked(), year, Ok(5000)),
        (&none, Place::Waiting(fen(5000)), None, asked(), year.after_seconds(1), Err("REFUND_TOO_LATE")),
        (&none, Place::Waiting(fen(5000)), None, asked(), T0, Ok(5000)),
        (&none, Place::Waiting(fen(5000)), Some(5000), asked(), T0, Ok(5000)),
        (&none, Place::Waiting(fen(5000)), Some(4999), asked(), T0, Err("REFUND_WHOLE_ONLY")),
        (&none, Place::Waiting(fen(5000)), Some(5001), asked(), T0, Err("REFUND_TOO_MUCH")),
        (&none, Place::Account(fen(3000)), None, asked(), T0, Ok(3000)),
        (&none, Place::Account(fen(9000)), None, asked(), T0, Ok(5000)),
        (&none, Place::Account(fen(3000)), Some(3001), asked(), T0, Err("REFUND_SPENT")),
        (&none, Place::Account(fen(0)), None, asked(), T0, Err("REFUND_SPENT")),
        (&none, Place::Account(fen(3000)), Some(0), asked(), T0, Err("REFUND_TOO_MUCH")),
        (&none, Place::Account(fen(3000)), Some(-1), asked(), T0, Err("REFUND_TOO_MUCH")),
        (&none, suspense(0, false), None, asked(), T0, Err("REFUND_NOTHING_LEFT")),
        (&none, suspense(4000, false), Some(4001), asked(), T0, Err("REFUND_TOO_MUCH")),
        (&none, suspense(5000, true), None, asked(), T0, Err("REFUND_TWO_PERSONS")),
        (&none, suspense(5000, true), None, by(" lin "), T0, Err("REFUND_TWO_PERSONS")),
        (&none, suspense(5000, true), None, by("Wang"), T0, Ok(5000)),
        (&none, suspense(5000, false), None, Asked { reason: " ".into(), ..asked() }, T0, Err("REFUND_REASON")),
        (&none, suspense(5000, false), None, Asked { reason: "x".repeat(81), ..asked() }, T0, Err("REFUND_REASON")),
        (&none, suspense(5000, false), None, Asked { by: String::new(), ..asked() }, T0, Err("REFUND_BY")),
    ];
    for (repaid, place, wanted, asked, now, expected) in table {
        let got = check(&payment(), repaid, place, wanted.map(Fen::new), &asked, now);
        let got = got.map(Fen::get).map_err(|refusal| refusal.words().code);
        assert_eq!(got, expected, "{place:?} {wanted:?} {asked:?}");
    }
}

#[test]
fn row_20_only_a_paid_order_can_go_back_and_its_place_is_known() {
    use crate::limits::Limits;
    use crate::top_up::{Arrival, Credited, Order, Scene, State as OrderState};
    let no = OrderNo::new(SchoolId::new(1).unwrap(), T0, [7; 8]);
    let made = Order::new(no, PersonId(Id::new(9)), Fen::new(5000), Scene::Scan, &Limits::at(&[], T0), T0);
    let of = |state: OrderState, arrival, item: Option<i64>| {
        let order = Order { state, arrival, ..made.clone() };
        of_order(&order, item.map(Fen::new), Fen::new(3000)).map(|(payment, place, _)| (payment, place))
    };
    for state in [
        OrderState::Created,
        OrderState::Unknown { since: T0 },
        OrderState::ExpiredLocal { since: T0 },
        OrderState::Closed { at: T0 },
    ] {
        assert_eq!(of(state, Arrival::Tap, Some(5000)), Err(Refusal::NotPaid));
    }
    assert_eq!(of(OrderState::InCase { at: T0, case: None }, Arrival::Tap, None), Err(Refusal::InCase));
    let credited = |on_card_at| {
        let transaction = "t1".to_owned();
        OrderState::Credited(Credited { transaction, paid_at: T0, at: T0, late: false, on_card_at })
    };
    let table = [
        (None, Arrival::Tap, Some(5000), Place::Waiting(Fen::new(5000))),
        (None, Arrival::Tap, None, Place::OnItsWay),
        (Some(T0), Arrival::Tap, None, Place::OnCard),
        (None, Arrival::Instant, None, Place::Account(Fen::new(3000))),
    ];
    for (on_card_at, arrival, item, place) in table {
        assert_eq!(of(credited(on_card_at), arrival, item), Ok((payment(), place)));
    }
}

#[test]
fn a_rules_reason_is_read_in_either_language_and_a_persons_as_it_was_given() {
    for suspicion in [Suspicion::Twice, Suspicion::AccountClosed] {
        let Asked { reason, by, .. } = by_rule(suspicion).expect("a rule gives it back");
        let mut refund = refund(State::Held);
        (refund.reason, refund.made_by) = (reason.clone(), by);
        let (zh, en) = refund.reason_words();
        assert_eq!(zh, reason);
        assert!(en.is_ascii() && en != zh, "{en}");
        refund.made_by = "Lin".into();
        assert_eq!(refund.reason_words(), (reason.as_str(), reason.as_str()), "a person wrote the same");
    }
    assert_eq!(refund(State::Held).reason_words(), ("误充", "误充"));
}
