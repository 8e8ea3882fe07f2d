use ledger::SchoolId;

use super::*;
use ledger::Id;

const T0: Micros = Micros::from_seconds(1_795_400_000);

fn order(state: State) -> Order {
    let no = OrderNo::new(SchoolId::new(1).unwrap(), T0, [7; 8]);
    let mut order = Order::new(
        no,
        PersonId(Id::new(9)),
        Fen::new(5000),
        Scene::InWeChat { openid: "payer".into() },
        &Limits::at(&[], T0),
        T0,
    );
    order.state = state;
    if !order.open() {
        order.due_at = None;
    }
    order
}

fn paid(transaction: &str, amount: i64) -> Event {
    Event::Paid(Paid { transaction: transaction.into(), amount: Fen::new(amount), in_cny: true, paid_at: T0 })
}

fn states() -> [State; 7] {
    [
        State::Created,
        State::Unknown { since: T0 },
        State::Paying { ticket: Ticket::Prepaid("wx1".into()) },
        State::ExpiredLocal { since: T0 },
        State::Closed { at: T0 },
        State::InCase { at: T0, case: None },
        State::Credited(Credited { transaction: "t1".into(), paid_at: T0, at: T0, late: false, on_card_at: None }),
    ]
}

fn name(state: &State) -> &'static str {
    match state {
        State::Created => "created",
        State::Unknown { .. } => "unknown",
        State::Paying { .. } => "paying",
        State::ExpiredLocal { .. } => "expired",
        State::Closed { .. } => "closed",
        State::InCase { .. } => "in case",
        State::Credited(_) => "credited",
    }
}

#[test]
fn every_state_and_every_news_has_its_written_outcome() {
    // Columns: created, unknown, paying, expired, closed, in case, credited.
    let in_time = T0.after_seconds(60);
    let after_expiry = T0.after_seconds(901);
    let long_after = T0.after_seconds(900 + 600);
    let Event::Paid(payment) = paid("t1", 5000) else { panic!("a payment") };
    let given_back = Event::RefundedThere(payment);
    let table: [(Event, Micros, [&str; 7]); 15] = [
        (
            Event::Prepaid(Ticket::Prepaid("wx2".into())),
            in_time,
            ["paying", "paying", "paying", "expired", "closed", "in case", "credited"],
        ),
        (Event::CreateUnknown, in_time, ["unknown", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (Event::CreateRefused, in_time, ["closed", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (Event::NotPaid, in_time, ["created", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (Event::NotPaid, after_expiry, ["expired", "expired", "expired", "expired", "closed", "in case", "credited"]),
        (Event::NotFound, in_time, ["created", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (Event::NotFound, after_expiry, ["created", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (Event::NotFound, long_after, ["closed", "closed", "closed", "closed", "closed", "in case", "credited"]),
        (Event::ClosedThere, in_time, ["closed", "closed", "closed", "closed", "closed", "in case", "credited"]),
        (Event::NoAnswer, long_after, ["created", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (Event::Loaded, in_time, ["created", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (
            paid("t1", 5000),
            in_time,
            ["credited", "credited", "credited", "credited", "credited", "credited", "credited"],
        ),
        (paid("t1", 4999), in_time, ["in case", "in case", "in case", "in case", "in case", "in case", "credited"]),
        (Event::Confirmed, in_time, ["created", "unknown", "paying", "expired", "closed", "in case", "credited"]),
        (given_back, in_time, ["in case", "in case", "in case", "in case", "in case", "in case", "credited"]),
    ];
    for (event, now, expected) in table {
        for (state, expected) in states().into_iter().zip(expected) {
            let decision = decide(&order(state.clone()), &event, Standing::Open, now);
            assert_eq!(name(&decision.order.state), expected, "{} then {event:?}", name(&state));
            let open = decision.order.open();
            let doubted = event == paid("t1", 4999) && name(&decision.order.state) == "in case";
            assert_eq!(decision.order.due_at.is_some(), open || doubted, "an open order is looked at again: {event:?}");
        }
    }
}

#[test]
fn r18_a_payment_is_credited_once_and_a_repeat_does_nothing() {
    for state in states().into_iter().take(6) {
        let first = decide(&order(state.clone()), &paid("t9", 5000), Standing::Open, T0);
        assert_eq!(first.effect, Effect::Credit, "{}", name(&state));
        let again = decide(&first.order, &paid("t9", 5000), Standing::Open, T0.after_seconds(9));
        assert_eq!((again.effect, &again.order), (Effect::None, &first.order));
        let other = decide(&first.order, &paid("t10", 5000), Standing::Open, T0);
        assert_eq!((other.effect, &other.order), (Effect::Suspend(Suspicion::Twice), &first.order));
    }
}

#[test]
fn r20_another_amount_or_currency_never_credits() {
    let paying = order(State::Paying { ticket: Ticket::Prepaid("wx1".into()) });
    for (amount, in_cny) in [(4999, true), (5001, true), (5000, false)] {
        let event = Event::Paid(Paid { transaction: "t".into(), amount: Fen::new(amount), in_cny, paid_at: T0 });
        let decision = decide(&paying, &event, Standing::Open, T0);
        assert_eq!(decision.effect, Effect::Suspend(Suspicion::Mismatch));
        assert_eq!(decision.order.state, State::InCase { at: T0, case: None });
        assert_eq!(decision.order.due_at, Some(T0), "row 7: the provider is asked about it once more");
        let unheard = decide(&decision.order, &Event::NoAnswer, Standing::Open, T0).order;
        assert_eq!(unheard.due_at, Some(T0.after_seconds(60)));
        let confirmed = decide(&unheard, &Event::Confirmed, Standing::Open, T0).order;
        assert_eq!(confirmed.due_at, None, "from then on a person looks after it, not the clock");
        let again = decide(&confirmed, &Event::NoAnswer, Standing::Open, T0).order;
        assert_eq!(again.due_at, None);
        let right = decide(&decision.order, &paid("t2", 5000), Standing::Open, T0);
        assert_eq!(right.effect, Effect::Credit, "the right payment still arrives");
    }
}

#[test]
fn m29_a_late_payment_is_credited_unless_the_account_is_closed() {
    for state in [State::ExpiredLocal { since: T0 }, State::Closed { at: T0 }] {
        let late = decide(&order(state.clone()), &paid("t", 5000), Standing::Open, T0.after_seconds(9000));
        let State::Credited(credited) = &late.order.state else { panic!("credited") };
        assert!(credited.late);
        let closed = decide(&order(state), &paid("t", 5000), Standing::Closed, T0);
        assert_eq!(closed.effect, Effect::Suspend(Suspicion::AccountClosed));
    }
}

#[test]
fn the_provider_is_asked_on_a_schedule_and_at_expiry() {
    let mut order = order(State::Paying { ticket: Ticket::Prepaid("wx1".into()) });
    let mut asked = Vec::new();
    let mut now = T0;
    for _ in 0..9 {
        now = order.next_due(now).unwrap();
        asked.push(now.since(T0) / 1_000_000);
        order = decide(&order, &Event::NoAnswer, Standing::Open, now).order;
    }
    assert_eq!(asked, [5, 30, 60, 180, 300, 600, 900, 960, 1020]);
    for (hours, wait) in [(1, 337), (2, 600), (48, 600)] {
        let now = T0.after_seconds(hours * 3600);
        assert_eq!(order.next_due(now).unwrap().since(now) / 1_000_000, wait, "after {hours} h without an answer");
    }
}

#[test]
fn r19_r21_r22_r28_r29_r65_an_order_is_checked_at_the_exact_boundary() {
    let default = Limits::at(&[], T0);
    let daily = Limits::at(
        &[crate::limits::Change {
            setting: Setting::WeChatDailyMax,
            value: 150_000,
            from: T0,
            set_at: T0,
            set_by: "finance".into(),
        }],
        T0,
    );
    let facts = |limits, holds, open, today| OpenFacts {
        limits,
        standing: Standing::Open,
        card: Some(card::State::Active),
        holds: Fen::new(holds),
        open_orders: Fen::new(open),
        ordered_today: Fen::new(today),
    };
    let table: [(i64, OpenFacts<'_>, Result<(), &str>); 14] = [
        (99, facts(&default, 0, 0, 0), Err("AMOUNT_INVALID")),
        (100, facts(&default, 0, 0, 0), Ok(())),
        (100_000, facts(&default, 0, 0, 0), Ok(())),
        (100_001, facts(&default, 0, 0, 0), Err("LIMIT_PER_ORDER")),
        (199_999, facts(&default, 0, 0, 0), Err("LIMIT_PER_ORDER")),
        (200_000, facts(&default, 0, 0, 0), Err("APPROVAL_REQUIRED")),
        (100_000, facts(&default, 0, 0, 100_000), Ok(())),
        (50_000, facts(&daily, 0, 0, 100_000), Ok(())),
        (50_001, facts(&daily, 0, 0, 100_000), Err("LIMIT_DAILY")),
        (100_000, facts(&default, 800_000, 100_000, 0), Ok(())),
        (100_000, facts(&default, 800_000, 100_001, 0), Err("BALANCE_CAP")),
        (100, OpenFacts { card: Some(card::State::Lost), ..facts(&default, 0, 0, 0) }, Err("CARD_STATE")),
        (100, OpenFacts { card: None, ..facts(&default, 0, 0, 0) }, Err("CARD_STATE")),
        (100, OpenFacts { standing: Standing::Closed, ..facts(&default, 0, 0, 0) }, Err("CARD_STATE")),
    ];
    for (amount, facts, expected) in table {
        let got = check_open(Fen::new(amount), &facts).map_err(|refusal| refusal.words().code);
        assert_eq!(got, expected, "{amount} fen, {facts:?}");
    }
}

#[test]
fn the_most_now_is_taken_and_one_fen_more_is_not() {
    let change = |setting, value| crate::limits::Change { setting, value, from: T0, set_at: T0, set_by: "a".into() };
    let histories = [
        vec![],
        vec![change(Setting::WeChatPerOrderMax, 500_000)],
        vec![change(Setting::WeChatDailyMax, 60_000)],
        vec![change(Setting::BalanceMax, 90_000)],
    ];
    let mut allowed = 0_u32;
    for history in &histories {
        let limits = Limits::at(history, T0);
        for holds in [0, 50_000, 89_950, 1_000_000] {
            for state in [None, Some(card::State::Active), Some(card::State::Lost)] {
                let facts = OpenFacts {
                    limits: &limits,
                    standing: Standing::Open,
                    card: state,
                    holds: Fen::new(holds),
                    open_orders: Fen::new(100),
                    ordered_today: Fen::new(10_000),
                };
                let most = most_now(&facts);
                let more = most.plus(Fen::new(1)).unwrap();
                assert!(check_open(more, &facts).is_err(), "{facts:?}");
                if most.is_positive() {
                    allowed += 1;
                    assert_eq!(check_open(most, &facts), Ok(()), "{facts:?}");
                } else {
                    assert!(check_open(limits.fen(Setting::TopUpMin), &facts).is_err(), "{facts:?}");
                }
            }
        }
    }
    assert_eq!(allowed, 11);
}
