//! The query password is changed (R26, R77).

use std::sync::atomic::Ordering;

use flows::change_password::{ChangeRefusal, change_password};
use flows::ports::Waiting;
use flows::session::{look, sign_out};
use flows::sign_in::{SignedIn, sign_in};
use rules::ids::PersonId;
use rules::password::Secret;
use store::memory::Trouble;

use crate::people::{CARD_X, admitted};
use crate::rig::{Rig, code, sendable};

const NUMBER: &str = "2026010101";
const FIRST: &str = "15138X";
/// A good password.
pub const OWN: &str = "kq7-zeppelin";

fn change(rig: &Rig, token: &[u8; 32], old: &str, new: &str) -> Result<SignedIn, ChangeRefusal> {
    rig.run(sendable(change_password(&rig.school, token, old, new)))
}

fn enter(rig: &Rig, password: &str) -> Option<SignedIn> {
    rig.run(sign_in(&rig.school, NUMBER, password)).ok()
}

fn lives(rig: &Rig, token: &[u8; 32]) -> bool {
    rig.run(look(&rig.school, token)).expect("readable").is_some()
}

/// Changes the first password of the holder of [`admitted`] to [`OWN`]; gives the token of the session.
pub fn with_own_password(rig: &Rig, person: PersonId) -> [u8; 32] {
    let first = enter(rig, FIRST).expect("the first password is right");
    assert_eq!(first.person, person);
    change(rig, &first.token, FIRST, OWN).expect("a good password").token
}

#[test]
fn r26_after_the_forced_change_every_older_session_is_dead_and_the_new_one_is_free() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let [phone, desk] = [(); 2].map(|()| enter(&rig, FIRST).expect("right"));
    let changed = change(&rig, &phone.token, FIRST, OWN).expect("a good password");
    assert_eq!((changed.person, changed.must_change, changed.reminder), (person, false, false));
    assert!(!lives(&rig, &phone.token) && !lives(&rig, &desk.token));
    let session = rig.run(look(&rig.school, &changed.token)).expect("readable").expect("lives");
    assert!(!session.must_change);
    assert!(matches!(rig.password(person).secret, Secret::Own { .. }));
    assert!(!rig.disk_holds(OWN.as_bytes()), "only its hash is kept");
    assert!(enter(&rig, FIRST).is_none());
    assert!(!enter(&rig, OWN).expect("right").must_change);
    let again = change(&rig, &phone.token, FIRST, OWN);
    assert_eq!(code(again, ChangeRefusal::words), "SIGNED_OUT", "a repeat finds its session ended");
}

#[test]
fn r77_a_weak_password_is_refused_with_its_reason_and_changes_nothing() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let token = enter(&rig, FIRST).expect("right").token;
    let long = "kq7-zeppelin".repeat(6);
    let table = [
        ("8$kQz", "太短"),
        (long.as_str(), "太长"),
        ("82\t6493", "看不见"),
        (FIRST, "与原密码相同"),
        ("888888", "同一个字符"),
        ("123456", "连续"),
        ("121212", "重复"),
        ("20050315", "生日"),
        (NUMBER, "学工号"),
        ("010620", "学工号"),
        (&CARD_X[..6], "证件号码"),
        ("151380", "证件号码"),
        ("passw0rd", "很多人"),
    ];
    let before = rig.password(person);
    for (new, reason) in table {
        let refusal = change(&rig, &token, FIRST, new).expect_err(new);
        let words = refusal.words();
        assert_eq!(words.code, "PASSWORD_WEAK", "{new}");
        assert!(words.zh.contains(reason), "{new}: {}", words.zh);
        assert_eq!(rig.password(person), before, "{new}: the right old password leaves no count");
    }
    assert!(change(&rig, &token, FIRST, OWN).is_ok(), "thirteen weak wishes lock nobody out");
}

#[test]
fn r77_guessing_the_old_password_locks_the_door_here_and_outside() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let token = with_own_password(&rig, person);
    let table = ["PASSWORD_WRONG", "PASSWORD_WRONG", "PASSWORD_WRONG", "PASSWORD_WRONG", "PASSWORD_WRONG"];
    for (guess, expected) in table.into_iter().enumerate() {
        let outcome = change(&rig, &token, &format!("guess {guess}"), "lamp&3-river");
        assert_eq!(code(outcome, ChangeRefusal::words), expected, "{guess}");
    }
    let locked = change(&rig, &token, OWN, "lamp&3-river").expect_err("locked");
    assert_eq!(locked.words().code, "PASSWORD_LOCKED");
    assert!(locked.words().zh.contains("08:30"), "{}", locked.words().zh);
    assert!(enter(&rig, OWN).is_none());
    assert!(lives(&rig, &token), "a session that is open stays open");
    rig.advance(1_790);
    assert!(lives(&rig, &token));
    rig.advance(10);
    assert!(change(&rig, &token, OWN, "lamp&3-river").is_ok());
}

#[test]
fn of_two_changes_at_once_one_wins() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let token = with_own_password(&rig, person);
    let wishes = ["lamp&3-river", "moss+9-tower"];
    let outcomes = rig.run_all(wishes.iter().map(|new| change_password(&rig.school, &token, OWN, new)).collect());
    let won: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(won, [true, false]);
    for (wish, won) in wishes.iter().zip(won) {
        assert_eq!(enter(&rig, wish).is_some(), won, "{wish}");
    }
    let alive = outcomes.into_iter().flatten().next().expect("one won");
    assert!(lives(&rig, &alive.token));
}

#[test]
fn a_session_made_with_the_old_password_in_the_same_batch_is_dead() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let token = with_own_password(&rig, person);
    for sign_in_first in [true, false] {
        let (old, new) = if sign_in_first { (OWN, "lamp&3-river") } else { ("lamp&3-river", "moss+9-tower") };
        let token = if sign_in_first { token } else { enter(&rig, old).expect("right").token };
        let blocks = rig.blocks();
        let knocking = async { sign_in(&rig.school, NUMBER, old).await.map_err(|_| ()) };
        let changing = async { change_password(&rig.school, &token, old, new).await.map_err(|_| ()) };
        let mut flows: Vec<Waiting<'_, Result<SignedIn, ()>>> = vec![Box::pin(knocking), Box::pin(changing)];
        if !sign_in_first {
            flows.reverse();
        }
        let mut outcomes = rig.run_all(flows);
        if !sign_in_first {
            outcomes.reverse();
        }
        assert_eq!(rig.blocks(), blocks + 2, "both counts in one batch, both ends in the next");
        let changed = outcomes[1].as_ref().expect("changed");
        assert!(lives(&rig, &changed.token));
        match &outcomes[0] {
            Ok(entered) => assert!(sign_in_first && !lives(&rig, &entered.token), "made before the change"),
            Err(()) => assert!(!sign_in_first, "refused after the change"),
        }
    }
}

#[test]
fn a_sign_out_while_the_password_is_being_changed_stops_the_change() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let token = with_own_password(&rig, person);
    let before = rig.password(person).secret;
    let changing = async { change_password(&rig.school, &token, OWN, "lamp&3-river").await.map(|_| ()) };
    let leaving = async { Ok(sign_out(&rig.school, &token).await?) };
    let flows: Vec<Waiting<'_, Result<(), ChangeRefusal>>> = vec![Box::pin(changing), Box::pin(leaving)];
    let mut outcomes = rig.run_all(flows);
    assert!(matches!(outcomes.pop(), Some(Ok(()))), "signed out");
    assert!(matches!(outcomes.pop(), Some(Err(ChangeRefusal::SignedOut))));
    assert_eq!(rig.password(person).secret, before);
}

#[test]
fn r77_a_change_that_dies_half_way_leaves_the_old_password_and_the_count() {
    let mut rig = Rig::new();
    let person = admitted(&rig);
    let token = enter(&rig, FIRST).expect("right").token;
    rig.secrets.silent.store(true, Ordering::SeqCst);
    assert!(rig.run_as_far_as_it_goes(change_password(&rig.school, &token, FIRST, OWN)).is_none());
    rig.restart();
    rig.secrets.silent.store(false, Ordering::SeqCst);
    let kept = rig.password(person);
    assert_eq!((&kept.secret, kept.tries), (&Secret::Initial, 1));
    assert!(lives(&rig, &token));
    assert!(change(&rig, &token, FIRST, OWN).is_ok(), "the holder simply does it again");
}

#[test]
fn a_change_in_doubt_is_found_whole_or_not_at_all() {
    for (trouble, right) in [(Trouble::LostBefore, FIRST), (Trouble::LostAfter, OWN), (Trouble::Full, FIRST)] {
        let mut rig = Rig::new();
        let person = admitted(&rig);
        let token = enter(&rig, FIRST).expect("right").token;
        let outcome = rig.run(async {
            let mut flow = Box::pin(change_password(&rig.school, &token, FIRST, OWN));
            let (mut polls, disk) = (0, rig.disk.clone());
            std::future::poll_fn(move |context| {
                polls += 1;
                if polls == 2 {
                    disk.fail_next(trouble);
                }
                flow.as_mut().poll(context)
            })
            .await
        });
        assert!(matches!(outcome, Err(ChangeRefusal::Unavailable(_))), "{trouble:?}");
        rig.restart();
        assert_eq!(rig.password(person).secret == Secret::Initial, right == FIRST, "{trouble:?}");
        assert_eq!(lives(&rig, &token), right == FIRST, "{trouble:?}");
        assert!(enter(&rig, right).is_some(), "{trouble:?}");
    }
}
