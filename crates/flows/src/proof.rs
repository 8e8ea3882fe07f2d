//! A holder who is signed in proves again who they are, before something that gives access to others or opens a door.

use rules::ids::PersonId;
use rules::password::{Locked, Secret, right};
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::change_password::ChangeRefusal;
use crate::password_door::{Shut, admit};
use crate::rows::{Campus, Key, Row};
use crate::session::{self, Session, living, look};
use crate::unavailable::Unavailable;
use crate::{School, desk};

/// Why the proof does not count; the first that applies.
#[derive(Debug, thiserror::Error)]
pub enum ProofRefusal {
    /// The session is over, or the password was changed at the same moment.
    #[error("the session is over")]
    SignedOut,
    /// Too many wrong tries.
    #[error("locked until {:?}", .0.until)]
    Locked(Locked),
    /// The password is wrong.
    #[error("the password is wrong")]
    Wrong,
    /// The server could not say.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<Shut> for ProofRefusal {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::Locked(locked) => ProofRefusal::Locked(locked),
            Shut::Wrong => ProofRefusal::Wrong,
            Shut::Gone => ProofRefusal::SignedOut,
            Shut::Unavailable(why) => ProofRefusal::Unavailable(why),
        }
    }
}

impl ProofRefusal {
    /// What the holder is told.
    pub fn words(&self) -> Words {
        match self {
            ProofRefusal::SignedOut => ChangeRefusal::SignedOut.words(),
            ProofRefusal::Locked(locked) => locked.words(),
            ProofRefusal::Wrong => rules::password::wrong(),
            ProofRefusal::Unavailable(why) => why.words(),
        }
    }
}

/// Takes the query password as a proof of identity; gives the token under which the session goes on.
///
/// The session's end stays where it was; its old token ends, so that whoever had it has not what the proof opens. The
/// password goes through the same door as at sign-in: every call is a counted try, a locked door is locked here too.
/// Errors, in order: `SignedOut`, `Locked`, `Wrong`; `Unavailable` at any point. Repeats: the old token has ended, so a
/// second call with it is `SignedOut`.
pub async fn prove(school: &School, token: &[u8; 32], password: &str) -> Result<[u8; 32], ProofRefusal> {
    let Some(session) = look(school, token).await.map_err(Unavailable::from)? else {
        return Err(ProofRefusal::SignedOut);
    };
    let known = admit(school, session.person, password).await?;
    let fresh = school.random();
    let command = Prove {
        person: known.id,
        secret: known.secret,
        by: school.secrets.token_hash(token),
        key: school.secrets.token_hash(&fresh),
    };
    match school.submit(command).await {
        Ok(()) => Ok(fresh),
        Err(Rejected::Refused(Overtaken)) => Err(ProofRefusal::SignedOut),
        Err(Rejected::Fault(fault)) => Err(ProofRefusal::Unavailable(fault.into())),
    }
}

/// Writes the proof down, under a new token.
struct Prove {
    person: PersonId,
    /// What the password was compared with.
    secret: Secret,
    /// The session that asks.
    by: [u8; 32],
    /// Its new key.
    key: [u8; 32],
}

/// The session ended or the password changed meanwhile.
struct Overtaken;

impl Command<Campus> for Prove {
    type Answer = ();
    type Refusal = Overtaken;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let own = [Key::Person(self.person), Key::Session(self.key)];
        own.into_iter().chain(session::needs(seen, self.by)).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Overtaken>> {
        let asks = living(desk, self.by)?.filter(|session| session.person == self.person);
        let holder = desk::person(desk, self.person)?.filter(|holder| holder.password.secret == self.secret).cloned();
        let (Some(asks), Some(mut holder)) = (asks, holder) else { return Err(Halt::Refuse(Overtaken)) };
        let now = desk.now();
        holder.password = right(&holder.password);
        let proved = Session { seen_at: now, proved_at: Some(now), ..asks };
        desk.delete(Key::Session(self.by))?;
        session::put_new(desk, self.key, proved)?;
        desk.put(Key::Person(self.person), Row::Person(Box::new(holder)))?;
        Ok(())
    }
}
