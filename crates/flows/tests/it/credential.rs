//! Access tokens: made, listed, looked at, ended; and answers that are kept.

use flows::answered::{KEPT, answer, keep};
use flows::change_password::change_password;
use flows::credential::{CredentialRefusal, Listed, list, look, make, make_own, revoke};
use flows::rows::AnswerNote;
use ledger::Id;
use rules::credential::{Life, MOST, REMEMBERED, Refusal, Scope, Subject, Wish};
use rules::ids::PersonId;

use crate::change_password::{OWN, with_own_password};
use crate::people::admitted;
use crate::rig::{Rig, START, sendable};

fn wish(subject: Subject) -> Wish {
    let scopes = match subject {
        Subject::Person(_) => vec![Scope::Read],
        Subject::School => vec![Scope::EventsRead],
    };
    Wish { subject, name: "desk".to_owned(), scopes, days: 30 }
}

fn made(rig: &Rig, subject: Subject, secret: &[u8; 32]) -> Result<Listed, CredentialRefusal> {
    rig.run(sendable(make(&rig.school, wish(subject), secret)))
}

fn lives(rig: &Rig, secret: &[u8; 32]) -> bool {
    rig.run(sendable(look(&rig.school, secret))).expect("readable").is_some()
}

fn lifes(rig: &Rig, subject: Subject) -> Vec<Life> {
    rig.run(list(&rig.school, subject)).expect("readable").iter().map(|each| each.life).collect()
}

fn holder(rig: &Rig) -> (PersonId, [u8; 32]) {
    let person = admitted(rig);
    let session = with_own_password(rig, person);
    (person, session)
}

#[test]
fn a_token_opens_until_it_is_revoked_and_its_secret_is_nowhere_on_the_disk() {
    let rig = Rig::new();
    let (person, _) = holder(&rig);
    let subject = Subject::Person(person);
    let (first, second) = ([1; 32], [2; 32]);
    let one = made(&rig, subject, &first).expect("a right wish");
    assert_eq!(made(&rig, subject, &first).expect("the same again").number, one.number);
    assert!(made(&rig, subject, &second).is_ok() && lives(&rig, &first) && lives(&rig, &second));
    assert!(!lives(&rig, &[3; 32]) && !rig.disk_holds(&first));
    assert_eq!(lifes(&rig, subject), [Life::Live; 2]);

    let stranger = Subject::Person(PersonId(Id::new(77)));
    let foreign = rig.run(revoke(&rig.school, stranger, one.number));
    assert!(matches!(foreign, Err(CredentialRefusal::Unknown)), "somebody else's is unknown: {foreign:?}");
    for _ in 0..2 {
        rig.run(sendable(revoke(&rig.school, subject, one.number))).expect("ended, and stays ended");
        assert!(!lives(&rig, &first) && lives(&rig, &second));
    }
    rig.verify();
}

#[test]
fn a_new_password_ends_a_holder_s_tokens_and_none_of_the_school_s() {
    let rig = Rig::new();
    let (person, session) = holder(&rig);
    assert!(made(&rig, Subject::Person(person), &[1; 32]).is_ok() && made(&rig, Subject::School, &[2; 32]).is_ok());
    rig.run(change_password(&rig.school, &session, OWN, "another-kq7-zeppelin")).expect("a good password");
    assert!(!lives(&rig, &[1; 32]) && lives(&rig, &[2; 32]));
    assert_eq!(lifes(&rig, Subject::Person(person)), [Life::PasswordChanged]);
    assert!(made(&rig, Subject::Person(person), &[3; 32]).is_ok() && lives(&rig, &[3; 32]));
}

#[test]
fn m9_after_a_restore_no_token_made_before_it_opens_anything() {
    let mut rig = Rig::new();
    let (person, _) = holder(&rig);
    let subject = Subject::Person(person);
    assert!(made(&rig, subject, &[1; 32]).is_ok() && made(&rig, Subject::School, &[2; 32]).is_ok());
    let backup = rig.disk.copy();
    let [number] =
        rig.run(list(&rig.school, subject)).expect("readable").iter().map(|each| each.number).collect::<Vec<_>>()[..]
    else {
        panic!("one token")
    };
    rig.run(revoke(&rig.school, subject, number)).expect("ended");
    rig.restore(&backup);
    assert!(!lives(&rig, &[1; 32]) && !lives(&rig, &[2; 32]), "the revoked one came back with the backup");
    assert_eq!((lifes(&rig, subject), lifes(&rig, Subject::School)), (vec![Life::Restored], vec![Life::Restored]));
    rig.advance(1);
    assert!(made(&rig, subject, &[4; 32]).is_ok() && lives(&rig, &[4; 32]));
}

#[test]
fn there_are_twenty_live_tokens_at_most_and_those_long_ended_are_forgotten() {
    let rig = Rig::new();
    let (person, _) = holder(&rig);
    let subject = Subject::Person(person);
    let secret = |at: usize| [u8::try_from(at).expect("few"); 32];
    for at in 0..MOST {
        made(&rig, subject, &secret(at)).expect("there is room");
    }
    let more = made(&rig, subject, &secret(99));
    assert!(matches!(more, Err(CredentialRefusal::Rule(Refusal::TooMany))), "{more:?}");
    rig.advance(30 * 86_400 + 1);
    assert!(!lives(&rig, &secret(0)));
    assert_eq!(lifes(&rig, subject), [Life::Expired; MOST]);
    rig.advance(REMEMBERED);
    assert!(lifes(&rig, subject).is_empty());
    made(&rig, subject, &secret(99)).expect("there is room again");
    assert_eq!(lifes(&rig, subject), [Life::Live]);
    rig.verify();
}

#[test]
fn twenty_live_tokens_are_the_most_also_when_all_are_asked_for_at_once() {
    let rig = Rig::new();
    let (person, _) = holder(&rig);
    let subject = Subject::Person(person);
    let secrets: Vec<[u8; 32]> = (0..40).map(|at| [at; 32]).collect();
    let asked: Vec<_> = secrets.iter().map(|secret| Box::pin(make(&rig.school, wish(subject), secret))).collect();
    let made = rig.run_all(asked).into_iter().filter(Result::is_ok).count();
    assert_eq!((made, secrets.iter().filter(|secret| lives(&rig, secret)).count()), (MOST, MOST));
}

#[test]
fn a_live_token_is_listed_and_can_be_ended_however_many_were_made_and_ended_after_it() {
    let rig = Rig::new();
    let (person, _) = holder(&rig);
    let subject = Subject::Person(person);
    let oldest = made(&rig, subject, &[1; 32]).expect("a right wish").number;
    for at in 0..120_u8 {
        rig.advance(1);
        let mut secret = [2; 32];
        secret[0] = at;
        let token = made(&rig, subject, &secret).expect("there is room").number;
        rig.run(revoke(&rig.school, subject, token)).expect("ended");
    }
    let listed = rig.run(list(&rig.school, subject)).expect("readable");
    let live: Vec<Id> = listed.iter().filter(|each| each.life == Life::Live).map(|each| each.number).collect();
    assert_eq!(live, [oldest]);
    rig.run(revoke(&rig.school, subject, oldest)).expect("ended");
    assert!(!lives(&rig, &[1; 32]));
}

#[test]
fn a_holder_makes_a_token_only_in_a_session_that_lives_and_has_proved_itself_at_that_moment() {
    let rig = Rig::new();
    let (person, session) = holder(&rig);
    let subject = Subject::Person(person);
    let own = |session: &[u8; 32], subject, secret: u8| {
        rig.run(make_own(&rig.school, session, wish(subject), &[secret; 32])).map(|made| made.number)
    };
    assert!(own(&session, subject, 1).is_ok() && lives(&rig, &[1; 32]));
    let other = own(&session, Subject::School, 2);
    assert!(matches!(other, Err(CredentialRefusal::SignedOut)), "none for others: {other:?}");
    let second = rig.run(flows::sign_in::sign_in(&rig.school, "2026010101", OWN)).expect("a right password").token;
    rig.advance(rules::session::PROOF_LIFE);
    let late = own(&session, subject, 3);
    assert!(matches!(late, Err(CredentialRefusal::NotProved)), "{late:?}");
    // The password is changed in another browser while the page waits: what rests on the old one makes no token any more.
    let third = rig.run(flows::sign_in::sign_in(&rig.school, "2026010101", OWN)).expect("a right password").token;
    rig.run(change_password(&rig.school, &second, OWN, "another-kq7-zeppelin")).expect("a good password");
    let overtaken = own(&third, subject, 4);
    assert!(matches!(overtaken, Err(CredentialRefusal::SignedOut)), "{overtaken:?}");
    assert!(!lives(&rig, &[4; 32]));
    rig.verify();
}

#[test]
fn a_token_s_use_is_written_once_a_day_and_a_token_never_used_has_none() {
    let rig = Rig::new();
    made(&rig, Subject::School, &[1; 32]).expect("a right wish");
    let used = |rig: &Rig| rig.run(list(&rig.school, Subject::School)).expect("readable")[0].credential.used_at;
    assert_eq!(used(&rig), None);
    assert!(lives(&rig, &[1; 32]));
    let blocks = rig.blocks();
    rig.advance(60);
    assert!(lives(&rig, &[1; 32]));
    assert_eq!((used(&rig), rig.blocks()), (Some(START), blocks));
    rig.advance(86_400);
    assert!(lives(&rig, &[1; 32]));
    assert_eq!(used(&rig), Some(START.after_seconds(86_460)));
}

#[test]
fn i5_the_first_answer_under_a_key_is_the_one_that_is_kept_for_thirty_days() {
    let rig = Rig::new();
    let note = |body: &str| AnswerNote {
        owner: Id::new(5),
        input: [9; 32],
        status: 201,
        location: Some("/somewhere".to_owned()),
        body: body.to_owned(),
        at: START,
    };
    let kept = |key: u8, body: &str| rig.run(sendable(keep(&rig.school, [key; 16], note(body)))).expect("kept").body;
    let found = |owner: u128, key: u8| rig.run(answer(&rig.school, Id::new(owner), [key; 16])).expect("readable");
    let both = rig.run_all(vec![
        Box::pin(keep(&rig.school, [1; 16], note("first"))),
        Box::pin(keep(&rig.school, [1; 16], note("second"))),
    ]);
    let bodies: Vec<String> = both.into_iter().map(|kept| kept.expect("kept").body).collect();
    assert_eq!(bodies, ["first", "first"]);
    assert_eq!(found(5, 1).map(|note| note.body).as_deref(), Some("first"));
    assert_eq!((found(6, 1), found(5, 2)), (None, None), "a key is its owner's own");
    rig.advance(KEPT);
    assert_eq!(found(5, 1), None);
    assert_eq!(kept(2, "later"), "later");
    assert!(!rig.disk_holds(b"first"), "what is old goes");
    assert_eq!(kept(1, "anew"), "anew");
    rig.verify();
}
