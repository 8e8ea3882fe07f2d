//! A holder changes the query password, because it is the first one or because it is old (R26, R77).

use rules::ids::PersonId;
use rules::message::Message;
use rules::password::{Locked, Secret, Weak, changed, check_new, old_wrong};
use rules::session::Rests;
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::password_door::{Shut, admit, forgive};
use crate::rows::{Campus, Key, Row};
use crate::session::{self, NewSession, listed, living, look};
use crate::sign_in::SignedIn;
use crate::unavailable::Unavailable;
use crate::{School, desk, inbox};

/// Why the password stays as it is; the first that applies.
#[derive(Debug, thiserror::Error)]
pub enum ChangeRefusal {
    /// The session is over, or the password was changed elsewhere at the same moment.
    #[error("the session is over")]
    SignedOut,
    /// Too many wrong tries.
    #[error("locked until {:?}", .0.until)]
    Locked(Locked),
    /// The old password is wrong.
    #[error("the old password is wrong")]
    OldWrong,
    /// The new one is too weak.
    #[error("the new password is weak: {0}")]
    Weak(Weak),
    /// The server could not do it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl ChangeRefusal {
    /// What the holder is told.
    pub fn words(&self) -> Words {
        match self {
            ChangeRefusal::SignedOut => Words::new(
                "SIGNED_OUT",
                "登录已失效，请重新登录后再修改密码。",
                "You are signed out; please sign in again and then change the password.",
            ),
            ChangeRefusal::Locked(locked) => locked.words(),
            ChangeRefusal::OldWrong => old_wrong(),
            ChangeRefusal::Weak(weak) => weak.words(),
            ChangeRefusal::Unavailable(why) => why.words(),
        }
    }
}

impl From<Shut> for ChangeRefusal {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::Locked(locked) => ChangeRefusal::Locked(locked),
            Shut::Wrong => ChangeRefusal::OldWrong,
            Shut::Gone => ChangeRefusal::SignedOut,
            Shut::Unavailable(why) => ChangeRefusal::Unavailable(why),
        }
    }
}

/// Changes the password of the holder of this session. Every session made under the old one ends; the holder goes on with
/// the new session that is given back.
///
/// The old password goes through the same door as at sign-in: every call is a counted try, and a locked door locks here
/// too. A right old password with a weak new one starts the count anew.
/// Errors, in order: `SignedOut`, `Locked`, `OldWrong`, `Weak`; `Unavailable` at any point.
/// Repeats: the session has ended with the first call, so a second one is `SignedOut`. Source: R26, R77.
pub async fn change_password(
    school: &School,
    token: &[u8; 32],
    old: &str,
    new: &str,
) -> Result<SignedIn, ChangeRefusal> {
    let Some(session) = look(school, token).await.map_err(Unavailable::from)? else {
        return Err(ChangeRefusal::SignedOut);
    };
    let known = admit(school, session.person, old).await?;
    let verdict = known.with_holder(school, |holder| check_new(new, old, holder)).map_err(Unavailable::from)?;
    if let Err(weak) = verdict {
        forgive(school, &known).await?;
        return Err(ChangeRefusal::Weak(weak));
    }
    let hash = school.secrets.hash_password(new).await;
    let sessions = listed(school, known.id).await.map_err(Unavailable::from)?;
    let fresh = school.random();
    let command = Change {
        person: known.id,
        secret: known.secret,
        hash,
        by: school.secrets.token_hash(token),
        key: school.secrets.token_hash(&fresh),
        sessions,
    };
    match school.submit(command).await {
        Ok(()) => Ok(SignedIn { token: fresh, person: known.id, must_change: false, reminder: false }),
        Err(Rejected::Refused(Overtaken)) => Err(ChangeRefusal::SignedOut),
        Err(Rejected::Fault(fault)) => Err(ChangeRefusal::Unavailable(fault.into())),
    }
}

/// Puts the new password in the old one's place, ends the sessions and makes one anew.
struct Change {
    person: PersonId,
    /// What the old password was compared with.
    secret: Secret,
    hash: String,
    /// The session that asks.
    by: [u8; 32],
    /// The session that is made.
    key: [u8; 32],
    sessions: Vec<Key>,
}

/// The session ended or the password changed while the old password was being compared.
struct Overtaken;

impl Command<Campus> for Change {
    type Answer = ();
    type Refusal = Overtaken;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let own = [Key::Person(self.person), Key::Binding(self.person), Key::Session(self.key)];
        let asks = session::needs(seen, self.by);
        let others = asks.into_iter().chain(self.sessions.iter().cloned());
        own.into_iter().chain(others).chain(inbox::needs(seen, self.person)).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Overtaken>> {
        let asks = living(desk, self.by)?.filter(|session| session.person == self.person);
        let holder = desk::person(desk, self.person)?.filter(|holder| holder.password.secret == self.secret).cloned();
        let (Some(asks), Some(mut holder)) = (asks, holder) else { return Err(Halt::Refuse(Overtaken)) };
        holder.password = changed(&holder.password, self.hash.clone(), desk.now());
        for session in &self.sessions {
            desk.delete(session.clone())?;
        }
        desk.delete(Key::Session(self.by))?;
        let new = NewSession { key: self.key, kind: asks.kind, agent: asks.agent, proved: true, must_change: false };
        let binding = desk.get(&Key::Binding(self.person))?.and_then(Row::binding).cloned();
        let rests = Rests { secret: &holder.password.secret, binding: binding.as_ref() };
        session::make(desk, self.person, &rests, &new)?;
        desk.put(Key::Person(self.person), Row::Person(Box::new(holder)))?;
        inbox::tell(desk, self.person, Message::PasswordChanged)?;
        Ok(())
    }
}
