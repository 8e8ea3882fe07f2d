//! A WeChat user is bound to an account and comes in by it; sessions are shown and ended one by one.

use flows::binding::{
    BindRefusal, EnterRefusal, Standing, UnbindRefusal, bind, enter, standing, unbind, unbind_at_counter,
};
use flows::change_password::change_password;
use flows::proof::{ProofRefusal, prove};
use flows::rows::{Campus, Key, Row};
use flows::session::{EarlySession, Entry, end_one, end_others, look, shown, sign_out};
use flows::settings::change_setting;
use flows::sign_in::{sign_in, sign_in_from};
use rules::agent::{Agent, Browser, System};
use rules::ids::PersonId;
use rules::session::Kind;
use teller::Schema;

use crate::change_password::{OWN, with_own_password};
use crate::people::{admitted, entry};
use crate::rig::{Rig, START, code, sendable};

const NUMBER: &str = "2026010101";
const FIRST: &str = "15138X";
const OPENID: &str = "oMineMineMineMineMineMineMine";
const OTHERS: &str = "oOtherOtherOtherOtherOtherOth";

fn lives(rig: &Rig, token: &[u8; 32]) -> bool {
    rig.run(sendable(look(&rig.school, token))).expect("readable").is_some()
}

fn bound(rig: &Rig, token: &[u8; 32], openid: &str, instead: bool) -> Result<(), BindRefusal> {
    rig.run(sendable(bind(&rig.school, token, openid, instead)))
}

fn by_wechat(rig: &Rig, openid: &str) -> Result<[u8; 32], EnterRefusal> {
    rig.run(sendable(enter(&rig.school, openid, &Agent::default()))).map(|signed_in| signed_in.token)
}

fn stands(rig: &Rig, person: PersonId) -> Standing {
    rig.run(standing(&rig.school, person)).expect("readable")
}

/// A holder with a password of their own, and the token of a fresh session.
fn holder(rig: &Rig) -> (PersonId, [u8; 32]) {
    let person = admitted(rig);
    (person, with_own_password(rig, person))
}

/// A second holder with a password of their own.
fn friend(rig: &Rig) -> (PersonId, [u8; 32]) {
    let rows = vec![entry("2026010102", "王雪", "E12345678", "")];
    rig.run(flows::people::import(&rig.school, rows, false)).expect("imported");
    let first = rig.run(sign_in(&rig.school, "2026010102", "345678")).expect("right");
    let token = rig.run(change_password(&rig.school, &first.token, "345678", OWN)).expect("a good password").token;
    (first.person, token)
}

#[test]
fn a_bound_user_comes_in_without_a_password_and_nobody_else_does() {
    let rig = Rig::new();
    let (person, token) = holder(&rig);
    assert_eq!(stands(&rig, person), Standing::None);
    assert_eq!(code(by_wechat(&rig, OPENID), EnterRefusal::words), "WECHAT_NOT_BOUND");
    bound(&rig, &token, OPENID, false).expect("a fresh proof, a password of one's own");
    assert_eq!(stands(&rig, person), Standing::Bound { since: START });
    let blocks = rig.blocks();
    bound(&rig, &token, OPENID, false).expect("bound already");
    assert_eq!(stands(&rig, person), Standing::Bound { since: START }, "a repeat changes nothing");
    assert!(rig.blocks() <= blocks + 1);

    let mine = by_wechat(&rig, OPENID).expect("bound");
    let session = rig.run(look(&rig.school, &mine)).expect("readable").expect("lives");
    assert_eq!((session.person, session.kind, session.proved_at), (person, Kind::WeChat, None));
    assert!(by_wechat(&rig, OTHERS).is_err(), "another user, or the same one at another application's account");
    assert!(!rig.disk_holds(OPENID.as_bytes()), "the openid itself is not kept");
}

#[test]
fn a_binding_needs_a_fresh_proof_and_a_password_of_ones_own() {
    let rig = Rig::new();
    admitted(&rig);
    rig.run(change_setting(&rig.school, "initial_password.force_change", 0, None, "li")).expect("sensible");
    let first = rig.run(sign_in(&rig.school, NUMBER, FIRST)).expect("right").token;
    assert_eq!(code(bound(&rig, &first, OPENID, false), BindRefusal::words), "PASSWORD_CHANGE_REQUIRED");
    let token = rig.run(change_password(&rig.school, &first, FIRST, OWN)).expect("a good password").token;
    rig.advance(600);
    assert_eq!(code(bound(&rig, &token, OPENID, false), BindRefusal::words), "PROOF_REQUIRED");
    let proved = rig.run(sendable(prove(&rig.school, &token, OWN))).expect("right");
    assert!(!lives(&rig, &token), "the old token has not what the proof opens");
    bound(&rig, &proved, OPENID, false).expect("proved");
    let by_openid = by_wechat(&rig, OPENID).expect("bound");
    let refused = rig.run(unbind(&rig.school, &by_openid));
    assert_eq!(code(refused, UnbindRefusal::words), "PROOF_REQUIRED", "whoever holds the phone cannot end it");
    assert_eq!(code(bound(&rig, &by_openid, OTHERS, true), BindRefusal::words), "PROOF_REQUIRED");
    let ended = [9; 32];
    assert_eq!(code(bound(&rig, &ended, OPENID, false), BindRefusal::words), "SIGNED_OUT");
}

#[test]
fn one_user_has_one_account_and_an_account_changes_its_user_only_when_asked_to() {
    let rig = Rig::new();
    let ((person, token), (other, others)) = (holder(&rig), friend(&rig));
    bound(&rig, &token, OPENID, false).expect("bound");
    assert_eq!(code(bound(&rig, &others, OPENID, true), BindRefusal::words), "WECHAT_TAKEN");
    assert_eq!(stands(&rig, other), Standing::None);
    let by_old = by_wechat(&rig, OPENID).expect("bound");
    assert_eq!(code(bound(&rig, &token, OTHERS, false), BindRefusal::words), "WECHAT_BOUND");
    rig.advance(1);
    bound(&rig, &token, OTHERS, true).expect("asked to");
    assert!(matches!(stands(&rig, person), Standing::Bound { since } if since > START));
    assert!(!lives(&rig, &by_old), "what the old user opened ends");
    assert!(lives(&rig, &token), "what the password opened goes on");
    assert!(by_wechat(&rig, OPENID).is_err());
    bound(&rig, &others, OPENID, false).expect("free again");
    assert_eq!(rig.run(look(&rig.school, &by_wechat(&rig, OPENID).unwrap())).unwrap().unwrap().person, other);
    assert_eq!(rig.run(look(&rig.school, &by_wechat(&rig, OTHERS).unwrap())).unwrap().unwrap().person, person);
}

#[test]
fn two_people_who_bind_one_user_at_once_do_not_both_get_it() {
    let rig = Rig::new();
    let ((person, token), (other, others)) = (holder(&rig), friend(&rig));
    let tries = rig.run_all(vec![bind(&rig.school, &token, OPENID, false), bind(&rig.school, &others, OPENID, false)]);
    assert_eq!(tries.iter().filter(|bound| bound.is_ok()).count(), 1);
    assert!(matches!(stands(&rig, person), Standing::Bound { .. }));
    assert_eq!(stands(&rig, other), Standing::None);
}

#[test]
fn an_ended_binding_opens_nothing_and_neither_do_its_sessions() {
    let rig = Rig::new();
    let (person, token) = holder(&rig);
    bound(&rig, &token, OPENID, false).expect("bound");
    let mine = by_wechat(&rig, OPENID).expect("bound");
    for _ in 0..2 {
        rig.run(sendable(unbind(&rig.school, &token))).expect("a fresh proof; the second time nothing happens");
    }
    assert!(matches!(stands(&rig, person), Standing::Ended { by: None, .. }));
    assert!(!lives(&rig, &mine) && lives(&rig, &token));
    assert!(by_wechat(&rig, OPENID).is_err());

    bound(&rig, &token, OPENID, false).expect("bound again");
    assert!(!lives(&rig, &mine), "also in the same moment a new binding wakes no old session");
    let again = by_wechat(&rig, OPENID).expect("bound");
    assert!(rig.run(unbind_at_counter(&rig.school, person, "li")).expect("done"));
    assert!(!rig.run(unbind_at_counter(&rig.school, person, "li")).expect("done"), "a repeat finds none");
    assert!(matches!(stands(&rig, person), Standing::Ended { by: Some(name), .. } if name == "li"));
    assert!(!lives(&rig, &again));
}

#[test]
fn r77_a_locked_password_door_does_not_lock_the_bound_user_out() {
    let rig = Rig::new();
    let (person, token) = holder(&rig);
    bound(&rig, &token, OPENID, false).expect("bound");
    for _ in 0..9 {
        assert!(rig.run(sign_in(&rig.school, NUMBER, "guess-77")).is_err());
    }
    assert!(rig.run(sign_in(&rig.school, NUMBER, OWN)).is_err(), "the door is locked");
    let mine = by_wechat(&rig, OPENID).expect("no matter");
    assert!(lives(&rig, &mine) && lives(&rig, &token));
    assert_eq!(rig.password(person).tries, 10, "coming in by WeChat is no try and forgives none");
    let proof = rig.run(prove(&rig.school, &mine, OWN));
    assert_eq!(code(proof, ProofRefusal::words), "PASSWORD_LOCKED", "the same door");
    let change = rig.run(change_password(&rig.school, &mine, "guess-78", "kp3-zebra"));
    assert!(change.is_err(), "the bound user cannot change the password without the old one");
}

#[test]
fn a_new_password_and_signing_out_end_sessions_by_wechat_too_and_leave_the_binding() {
    let rig = Rig::new();
    let (_, token) = holder(&rig);
    bound(&rig, &token, OPENID, false).expect("bound");
    let mine = by_wechat(&rig, OPENID).expect("bound");
    let changed = rig.run(change_password(&rig.school, &mine, OWN, "kp3-zebra-91")).expect("the old one is right");
    assert!(!lives(&rig, &mine) && !lives(&rig, &token) && lives(&rig, &changed.token));
    let session = rig.run(look(&rig.school, &changed.token)).unwrap().unwrap();
    assert_eq!((session.kind, session.proved_at), (Kind::WeChat, Some(START)));
    let mine = by_wechat(&rig, OPENID).expect("still bound");
    rig.run(sign_out(&rig.school, &mine)).expect("signed out");
    assert!(!lives(&rig, &mine) && !lives(&rig, &changed.token));
    assert!(by_wechat(&rig, OPENID).is_ok());
}

#[test]
fn m9_a_binding_of_before_a_restore_opens_nothing_until_it_is_made_anew() {
    let mut rig = Rig::new();
    let (person, token) = holder(&rig);
    bound(&rig, &token, OPENID, false).expect("bound");
    let backup = rig.disk.copy();
    // The holder lost the phone and ended the binding; the backup does not know.
    rig.run(unbind(&rig.school, &token)).expect("a fresh proof");
    rig.restore(&backup);
    assert_eq!(stands(&rig, person), Standing::BeforeRestore { since: START });
    assert_eq!(code(by_wechat(&rig, OPENID), EnterRefusal::words), "WECHAT_NOT_BOUND");
    rig.advance(1);
    let (_, others) = friend(&rig);
    bound(&rig, &others, OPENID, false).expect("a binding that opens nothing keeps nobody out");
    assert_eq!(stands(&rig, person), Standing::None, "and it is gone");
    let token = rig.run(sign_in(&rig.school, NUMBER, OWN)).expect("right").token;
    bound(&rig, &token, OTHERS, false).expect("made anew");
    assert!(by_wechat(&rig, OTHERS).is_ok() && by_wechat(&rig, OPENID).is_ok());
}

#[test]
fn a_proof_is_a_counted_try_and_moves_no_end() {
    let rig = Rig::new();
    let (person, token) = holder(&rig);
    let before = rig.run(look(&rig.school, &token)).unwrap().unwrap();
    rig.advance(1_000);
    for tries in 1..=2 {
        assert_eq!(code(rig.run(prove(&rig.school, &token, "wrong")), ProofRefusal::words), "PASSWORD_WRONG");
        assert_eq!(rig.password(person).tries, tries);
    }
    let proved = rig.run(prove(&rig.school, &token, OWN)).expect("right");
    assert_eq!(rig.password(person).tries, 0);
    let after = rig.run(look(&rig.school, &proved)).unwrap().unwrap();
    assert_eq!((after.ends_at, after.made_at), (before.ends_at, before.made_at));
    assert_eq!(after.proved_at, Some(rig.school.now()));
    assert_eq!(code(rig.run(prove(&rig.school, &token, OWN)), ProofRefusal::words), "SIGNED_OUT");
}

#[test]
fn sessions_are_shown_by_names_that_open_nothing_and_end_one_by_one() {
    let rig = Rig::new();
    let (person, desk) = holder(&rig);
    let phone = Agent::of("Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36");
    rig.advance(60);
    let phone = rig.run(sendable(sign_in_from(&rig.school, &phone, NUMBER, OWN))).expect("right").token;
    bound(&rig, &phone, OPENID, false).expect("bound");
    let mine = by_wechat(&rig, OPENID).expect("bound");
    let (_, others) = friend(&rig);
    let list = rig.run(sendable(shown(&rig.school, person, &phone))).expect("readable");
    assert_eq!(list.len(), 3);
    assert!(list[0].this && !list[1].this && !list[2].this, "this one first");
    let agent = list[0].session.agent;
    assert_eq!((agent.browser, agent.system), (Browser::Chrome, System::Android));
    for each in &list {
        let name = each.id.bytes();
        for token in [desk, phone, mine] {
            let hash = rig.school.secrets.token_hash(&token);
            assert!(token[..16] != name && token[16..] != name && hash[..16] != name && hash[16..] != name);
        }
        assert!(!rig.disk_holds(&name), "the name is made of the row's key and stands nowhere");
    }
    let foreign = rig.run(shown(&rig.school, rig.run(look(&rig.school, &others)).unwrap().unwrap().person, &others));
    let foreign = foreign.expect("readable")[0].id;
    assert!(
        !rig.run(end_one(&rig.school, person, foreign)).expect("done"),
        "another holder's session has no such name"
    );
    assert!(lives(&rig, &others));
    let by_openid = list.iter().find(|each| each.session.kind == Kind::WeChat).expect("listed").id;
    assert!(rig.run(sendable(end_one(&rig.school, person, by_openid))).expect("done"));
    assert!(!rig.run(end_one(&rig.school, person, by_openid)).expect("done"), "a repeat finds none");
    assert!(!lives(&rig, &mine) && lives(&rig, &desk));
    for _ in 0..2 {
        rig.run(sendable(end_others(&rig.school, person, &phone))).expect("done");
        assert!(lives(&rig, &phone) && !lives(&rig, &desk) && lives(&rig, &others));
    }
    rig.advance(1_800);
    assert_eq!(rig.run(shown(&rig.school, person, &phone)).expect("readable").len(), 0, "what ended is not shown");
}

#[test]
fn a_session_of_before_there_were_kinds_is_read_as_one_by_password() {
    let early = EarlySession {
        person: PersonId(ledger::Id::new(7)),
        entry: Entry::Browser,
        made_at: START,
        seen_at: START.after_seconds(60),
        ends_at: START.after_seconds(604_800),
        must_change: true,
    };
    // A row as it was written then: its tag, the person, the way in, three moments, one flag.
    let mut bytes = vec![3];
    bytes.extend(7_u128.to_be_bytes());
    bytes.push(1);
    for at in [early.made_at, early.seen_at, early.ends_at] {
        bytes.extend(at.get().to_be_bytes());
    }
    bytes.push(1);
    let row = Campus::decode(&Key::Session([0; 32]), &bytes).expect("an old row");
    assert_eq!(row, Row::Session(early.clone()));
    let session = row.session().expect("a session");
    assert_eq!((session.kind, session.proved_at, session.must_change), (Kind::Holder, Some(START), true));
    assert_eq!(Campus::encode(&row), bytes, "the old form is what it was");
}
