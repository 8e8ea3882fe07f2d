use super::*;
use crate::binding::State;

fn own(set_at: i64) -> Secret {
    Secret::Own { hash: "h".to_owned(), set_at: Micros::new(set_at) }
}

fn by(secret: &Secret) -> Rests<'_> {
    Rests { secret, binding: None }
}

fn bound(at: i64) -> Binding {
    Binding { state: State::Bound { user: [7; 32] }, at: Micros::new(at) }
}

#[test]
fn every_kind_has_its_own_times_cookie_and_guard() {
    let table = [
        (Kind::Holder, 1_800, 604_800, SameSite::Lax, Guard::Own),
        (Kind::WeChat, 1_800, 604_800, SameSite::Lax, Guard::Own),
        (Kind::Kiosk, 60, 900, SameSite::Strict, Guard::Kiosk),
        (Kind::Device, 300, 86_400, SameSite::Strict, Guard::Terminal),
        (Kind::Staff, 900, 43_200, SameSite::Strict, Guard::Console),
    ];
    assert_eq!(table.map(|(kind, ..)| kind), Kind::ALL);
    for (kind, idle, life, same_site, passes) in table {
        let law = kind.law();
        assert_eq!((law.idle, law.life, law.same_site, law.passes), (idle, life, same_site, passes), "{kind:?}");
        assert!(law.seen_every * 10 <= law.idle, "{kind:?}: what is written down of its use is near enough");
        for guard in [Guard::Own, Guard::Kiosk, Guard::Terminal, Guard::Console] {
            assert_eq!(kind.passes(guard), guard == passes, "{kind:?} {guard:?}");
        }
    }
}

#[test]
fn a_session_ends_exactly_at_its_idle_time_and_at_its_absolute_end() {
    let start = Micros::from_seconds(1_000);
    let binding = bound(5);
    let rests = Rests { secret: &Secret::Initial, binding: Some(&binding) };
    for kind in Kind::ALL {
        let Law { idle, life, seen_every, .. } = kind.law();
        let fresh = new(kind, &rests, start);
        let used = |seconds| Times { seen_at: start.after_seconds(seconds), ..fresh };
        let table = [
            ("idle for all but a moment", fresh, start.after_seconds(idle).get() - 1, true),
            ("idle for the whole time", fresh, start.after_seconds(idle).get(), false),
            ("used in between", used(idle - 1), start.after_seconds(idle).get(), true),
            ("a moment before its end", used(life - 1), start.after_seconds(life).get() - 1, true),
            ("at its end", used(life - 1), start.after_seconds(life).get(), false),
            ("seen by a clock that is behind", fresh, start.get() - 5, true),
        ];
        for (name, times, now, expected) in table {
            assert_eq!(lives(kind, &times, &rests, Micros::new(now)), expected, "{kind:?}: {name}");
        }
        assert!(!seen_is_old(kind, &fresh, Micros::new(start.after_seconds(seen_every).get() - 1)));
        assert!(seen_is_old(kind, &fresh, start.after_seconds(seen_every)));
    }
}

#[test]
fn a_session_rests_on_the_password_it_was_made_under_even_when_the_clock_stands_still() {
    let now = Micros::new(500);
    let first = own(500);
    let under_first = new(Kind::Holder, &by(&first), now);
    let second = own(made_at(&first, now).get());
    let under_second = new(Kind::Holder, &by(&second), now);
    let table = [
        ("initial session, initial password", new(Kind::Holder, &by(&Secret::Initial), now), &Secret::Initial, true),
        ("initial session, first password", new(Kind::Holder, &by(&Secret::Initial), now), &first, false),
        ("first session, first password", under_first, &first, true),
        ("first session, second password", under_first, &second, false),
        ("second session, second password", under_second, &second, true),
    ];
    for (name, times, secret, expected) in table {
        assert_eq!(lives(Kind::Holder, &times, &by(secret), now), expected, "{name}");
    }
}

#[test]
fn a_session_by_wechat_rests_on_the_binding_it_was_made_under_and_on_the_password() {
    let now = Micros::new(500);
    let (first, secret) = (bound(500), own(400));
    let rests = |binding| Rests { secret: &secret, binding };
    let session = new(Kind::WeChat, &rests(Some(&first)), now);
    assert!(session.made_at > first.at, "also when the clock stands still");
    let ended = Binding { state: State::Ended { by: None }, at: Micros::new(501) };
    let again = bound(501);
    let changed = own(501);
    let table = [
        ("its own binding", rests(Some(&first)), true),
        ("no binding any more", rests(None), false),
        ("ended", rests(Some(&ended)), false),
        ("another one since", rests(Some(&again)), false),
        ("another password since", Rests { secret: &changed, binding: Some(&first) }, false),
    ];
    for (name, rests, expected) in table {
        assert_eq!(lives(Kind::WeChat, &session, &rests, now), expected, "{name}");
    }
    let by_password = new(Kind::Holder, &rests(None), now);
    assert!(lives(Kind::Holder, &by_password, &rests(Some(&again)), now), "a password's session needs no binding");
}

#[test]
fn a_proof_of_identity_counts_for_ten_minutes() {
    let at = Micros::from_seconds(1_000);
    let end = at.after_seconds(600).get();
    let table =
        [(None, at.get(), false), (Some(at), at.get(), true), (Some(at), end - 1, true), (Some(at), end, false)];
    for (proved_at, now, expected) in table {
        assert_eq!(proved(proved_at, Micros::new(now)), expected, "{proved_at:?} {now}");
    }
}
