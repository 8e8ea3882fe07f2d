//! The door and the sessions behind it (R24 to R26, R77).

use std::sync::atomic::Ordering;

use flows::ports::ListAsk;
use flows::rows::{Key, Row, lists};
use flows::session::{look, sign_out};
use flows::settings::change_setting;
use flows::sign_in::{SignInRefusal, SignedIn, sign_in};
use rules::ids::PersonId;
use rules::password::Secret;
use store::memory::Trouble;

use crate::change_password::OWN;
use crate::people::{admitted, entry};
use crate::rig::{Rig, code, sendable};

const NUMBER: &str = "2026010101";
const FIRST: &str = "15138X";

fn knock(rig: &Rig, number: &str, password: &str) -> Result<SignedIn, SignInRefusal> {
    rig.run(sendable(sign_in(&rig.school, number, password)))
}

fn words(refusal: &SignInRefusal) -> rules::words::Words {
    refusal.words()
}

fn lives(rig: &Rig, token: &[u8; 32]) -> bool {
    rig.run(sendable(look(&rig.school, token))).expect("readable").is_some()
}

fn listed(rig: &Rig, person: PersonId) -> usize {
    let owner = person.0.bytes().to_vec();
    let ask = ListAsk { list: lists::SESSIONS, owner, from: i64::MIN, to: i64::MAX, backwards: false, most: 1_000 };
    rig.run(rig.school.list(ask)).expect("readable").len()
}

#[test]
fn r24_wrong_unknown_and_locked_get_the_same_words_after_the_same_work() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let own = crate::change_password::with_own_password(&rig, person);
    assert!(lives(&rig, &own));
    let expected = knock(&rig, "2026999999", OWN).expect_err("nobody there").words();
    assert_eq!(expected.code, "AUTH_FAILED");
    let long = "9".repeat(4_000);
    let table = [
        ("wrong", NUMBER, "no-such-1"),
        ("wrong, the first one", NUMBER, FIRST),
        ("empty", NUMBER, ""),
        ("unknown", "2026999998", OWN),
        ("no number", "", OWN),
        ("far too long", long.as_str(), OWN),
        ("the fourth wrong", NUMBER, "no-such-4"),
        ("the fifth wrong", NUMBER, "no-such-5"),
        ("locked", NUMBER, "no-such-6"),
        ("locked and right", NUMBER, OWN),
    ];
    for (name, number, password) in table {
        let (blocks, (with, without)) = (rig.blocks(), rig.secrets.checks());
        let refusal = knock(&rig, number, password).expect_err(name);
        assert_eq!(refusal.words(), expected, "{name}");
        let (with_after, without_after) = rig.secrets.checks();
        assert_eq!(with_after + without_after, with + without + 1, "{name}: one slow check");
        assert_eq!(rig.blocks(), blocks + 1, "{name}: one commit");
    }
}

#[test]
fn r77_a_hundred_wrong_guesses_at_once_count_as_a_hundred() {
    // M2: a refusal that must leave a trace is a decision.
    let rig = Rig::new();
    let person = admitted(&rig);
    crate::change_password::with_own_password(&rig, person);
    let guesses: Vec<String> = (0..100).map(|n| if n == 50 { OWN.to_owned() } else { format!("guess {n}") }).collect();
    let before = rig.secrets.checks().0;
    let outcomes = rig.run_all(guesses.iter().map(|guess| sign_in(&rig.school, NUMBER, guess)).collect());
    assert!(outcomes.iter().all(Result::is_err), "the right one was the fifty-first");
    assert_eq!(rig.secrets.checks().0, before + 5, "five were compared with the password");
    assert_eq!(rig.password(person).tries, 100);
    assert!(knock(&rig, NUMBER, OWN).is_err());
    assert_eq!(rig.password(person).tries, 101);
}

#[test]
fn r77_the_door_opens_again_exactly_when_the_lock_is_over() {
    let rig = Rig::new();
    admitted(&rig);
    for guess in 1..=4 {
        assert!(knock(&rig, NUMBER, "wrong").is_err(), "guess {guess}");
    }
    assert!(knock(&rig, NUMBER, FIRST).is_ok(), "four wrong tries do not lock, and a right one clears them");
    for _ in 1..=5 {
        assert!(knock(&rig, NUMBER, "wrong").is_err());
    }
    rig.advance_micros(1_800 * 1_000_000 - 1);
    assert!(knock(&rig, NUMBER, FIRST).is_err(), "a moment too early");
    rig.advance_micros(1);
    assert!(knock(&rig, NUMBER, FIRST).is_ok(), "tries at the locked door did not prolong the lock");
}

#[test]
fn r26_the_first_password_leads_to_the_change_page_unless_the_campus_does_not_want_it() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let first = knock(&rig, " ２０２６０１０１０１ ", FIRST).expect("right");
    assert_eq!((first.person, first.must_change, first.reminder), (person, true, true));
    let session = rig.run(look(&rig.school, &first.token)).expect("readable").expect("lives");
    assert!(session.must_change);
    rig.run(change_setting(&rig.school, "initial_password.force_change", 0, None, "li")).expect("sensible");
    let second = knock(&rig, NUMBER, FIRST).expect("right");
    assert_eq!((second.must_change, second.reminder), (false, true));
    assert_ne!(first.token, second.token);
    assert!(!format!("{first:?}").contains("token"), "a token is not printed");
}

#[test]
fn r25_the_door_keeps_the_rule_that_holds_for_an_x() {
    let all = ["15138X", "15138x", "151380", "315138"];
    let table = [(0, &all[..3]), (1, &all[2..3]), (2, &all[..2]), (3, &all[3..])];
    for (rule, right) in table {
        let rig = Rig::new();
        admitted(&rig);
        rig.run(change_setting(&rig.school, "initial_password.x_rule", rule, None, "li")).expect("sensible");
        for typed in all {
            assert_eq!(knock(&rig, NUMBER, typed).is_ok(), right.contains(&typed), "rule {rule}, {typed}");
        }
    }
}

#[test]
fn a_session_ends_exactly_at_its_idle_time() {
    let rig = Rig::new();
    admitted(&rig);
    let token = knock(&rig, NUMBER, FIRST).expect("right").token;
    let idle = 1_800 * 1_000_000;
    rig.advance_micros(idle - 1);
    assert!(lives(&rig, &token));
    rig.advance_micros(idle - 1);
    assert!(lives(&rig, &token), "the look before counts as use");
    rig.advance_micros(idle);
    assert!(!lives(&rig, &token));
    rig.advance_micros(-1);
    assert!(lives(&rig, &token), "looking at an ended session changes nothing");
}

#[test]
fn a_session_in_steady_use_ends_exactly_after_seven_days() {
    let rig = Rig::new();
    admitted(&rig);
    let token = knock(&rig, NUMBER, FIRST).expect("right").token;
    for _ in 0..(604_800 / 1_200 - 1) {
        rig.advance(1_200);
        assert!(lives(&rig, &token));
    }
    rig.advance_micros(1_200 * 1_000_000 - 1);
    assert!(lives(&rig, &token));
    rig.advance_micros(1);
    assert!(!lives(&rig, &token));
}

#[test]
fn the_last_use_is_written_at_most_once_a_minute() {
    let rig = Rig::new();
    admitted(&rig);
    let token = knock(&rig, NUMBER, FIRST).expect("right").token;
    let blocks = rig.blocks();
    rig.advance_micros(60 * 1_000_000 - 1);
    assert!(lives(&rig, &token));
    assert_eq!(rig.blocks(), blocks);
    rig.advance_micros(1);
    let looks = rig.run_all((0..20).map(|_| look(&rig.school, &token)).collect());
    assert!(looks.iter().all(|look| look.as_ref().is_ok_and(Option::is_some)));
    assert_eq!(rig.blocks(), blocks + 1, "twenty looks at once are one batch");
    assert!(lives(&rig, &token));
    assert_eq!(rig.blocks(), blocks + 1);
    rig.advance(60);
    rig.disk.fail_next(Trouble::Full);
    assert!(lives(&rig, &token), "a full disk signs nobody out");
}

#[test]
fn a_token_opens_its_own_session_alone_and_is_not_stored() {
    let rig = Rig::new();
    admitted(&rig);
    let token = knock(&rig, NUMBER, FIRST).expect("right").token;
    assert!(!rig.disk_holds(&token[..8]));
    let mut other = token;
    other[31] ^= 1;
    assert!(!lives(&rig, &other));
    assert!(lives(&rig, &token));
}

#[test]
fn signing_out_ends_every_session_of_the_holder_and_no_other() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let friend = entry("2026010102", "王雪", "E12345678", "");
    rig.run(flows::people::import(&rig.school, vec![friend], false)).expect("imported");
    let [phone, desk] = [(); 2].map(|()| knock(&rig, NUMBER, FIRST).expect("right").token);
    let other = knock(&rig, "2026010102", "345678").expect("right").token;
    for _ in 0..2 {
        rig.run(sendable(sign_out(&rig.school, &phone))).expect("signed out, also the second time");
        assert!(!lives(&rig, &phone) && !lives(&rig, &desk) && lives(&rig, &other));
    }
    assert_eq!(listed(&rig, person), 0);
    let later = knock(&rig, NUMBER, FIRST).expect("right").token;
    rig.run(sign_out(&rig.school, &phone)).expect("nothing to do");
    assert!(lives(&rig, &later), "an ended session's token signs nobody out");
}

#[test]
fn m9_a_restore_ends_every_session_of_the_backup_and_new_ones_live() {
    let mut rig = Rig::new();
    admitted(&rig);
    let before = knock(&rig, NUMBER, FIRST).unwrap();
    let backup = rig.disk.copy();
    assert!(lives(&rig, &before.token));
    // It was signed out after the backup; the backup does not know.
    rig.run(flows::session::sign_out(&rig.school, &before.token)).unwrap();
    rig.restore(&backup);
    assert!(!lives(&rig, &before.token));
    rig.advance(1);
    assert!(lives(&rig, &knock(&rig, NUMBER, FIRST).unwrap().token));
}

#[test]
fn signing_in_sweeps_out_the_holders_ended_sessions() {
    let rig = Rig::new();
    let person = admitted(&rig);
    for _ in 0..3 {
        knock(&rig, NUMBER, FIRST).expect("right");
    }
    rig.advance(1_799);
    let live = knock(&rig, NUMBER, FIRST).expect("right").token;
    assert_eq!(listed(&rig, person), 4);
    rig.advance(1);
    knock(&rig, NUMBER, FIRST).expect("right");
    assert_eq!(listed(&rig, person), 2);
    assert!(lives(&rig, &live));
}

#[test]
fn r77_a_try_remains_counted_when_the_process_dies_before_it_is_checked() {
    let mut rig = Rig::new();
    let person = admitted(&rig);
    for tries in 1..=5 {
        rig.secrets.silent.store(true, Ordering::SeqCst);
        assert!(rig.run_as_far_as_it_goes(sign_in(&rig.school, NUMBER, FIRST)).is_none(), "nobody was let in");
        rig.restart();
        assert_eq!(rig.password(person).tries, tries);
    }
    rig.secrets.silent.store(false, Ordering::SeqCst);
    assert!(knock(&rig, NUMBER, FIRST).is_err(), "five tries that nobody saw the end of lock the door");
    assert_eq!(listed(&rig, person), 0);
}

#[test]
fn a_try_or_a_session_in_doubt_is_found_after_the_restart() {
    // Commit 1 counts the try, commit 2 makes the session.
    let table = [
        (1, Trouble::LostBefore, 0, 0),
        (1, Trouble::LostAfter, 1, 0),
        (2, Trouble::LostBefore, 1, 0),
        (2, Trouble::LostAfter, 0, 1),
        (1, Trouble::Full, 0, 0),
        (2, Trouble::Full, 1, 0),
    ];
    for (commit, trouble, tries, sessions) in table {
        let mut rig = Rig::new();
        let person = admitted(&rig);
        let outcome = if commit == 1 {
            rig.disk.fail_next(trouble);
            knock(&rig, NUMBER, FIRST)
        } else {
            let disk = rig.disk.clone();
            rig.run(async {
                let mut flow = Box::pin(sign_in(&rig.school, NUMBER, FIRST));
                let mut polls = 0;
                std::future::poll_fn(move |context| {
                    polls += 1;
                    if polls == 2 {
                        disk.fail_next(trouble);
                    }
                    flow.as_mut().poll(context)
                })
                .await
            })
        };
        let stopped = if trouble == Trouble::Full { "SERVER_FULL" } else { "STOPPING" };
        assert_eq!(code(outcome, words), stopped, "{commit} {trouble:?}");
        rig.restart();
        assert_eq!(rig.password(person).tries, tries, "{commit} {trouble:?}");
        assert_eq!(listed(&rig, person), sessions, "{commit} {trouble:?}");
        assert!(knock(&rig, NUMBER, FIRST).is_ok(), "{commit} {trouble:?}: the holder simply tries again");
    }
}

#[test]
fn tries_with_unknown_numbers_are_counted_for_the_day() {
    let rig = Rig::new();
    let person = admitted(&rig);
    let tries = || rig.row(&Key::Strangers).as_ref().and_then(Row::strangers).map(|strangers| strangers.tries);
    for number in ["1", "2", "no number at all, and far too long for one"] {
        assert!(knock(&rig, number, "x").is_err());
    }
    assert!(knock(&rig, NUMBER, "x").is_err());
    assert_eq!((tries(), rig.password(person).tries), (Some(3), 1));
    rig.advance(86_400);
    assert!(knock(&rig, "1", "x").is_err());
    assert_eq!(tries(), Some(1));
}

#[test]
fn a_reminder_comes_when_the_password_is_ninety_days_old() {
    let rig = Rig::new();
    let person = admitted(&rig);
    crate::change_password::with_own_password(&rig, person);
    assert!(matches!(rig.password(person).secret, Secret::Own { .. }));
    rig.advance(7_776_000);
    assert!(!knock(&rig, NUMBER, OWN).expect("right").reminder);
    rig.advance(1);
    assert!(knock(&rig, NUMBER, OWN).expect("right").reminder);
}
