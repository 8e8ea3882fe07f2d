//! A holder comes in with number and query password (R24 to R26, R77).
//!
//! Whoever is not let in gets one answer: for a wrong password, for a number that nobody has and for a locked door, in the
//! same words, after the same work. So the door tells nobody which numbers exist. The price is that a holder with a locked
//! door is told of the lock only as a possibility; the words say how long it lasts. Tries with unknown numbers are not
//! held against anybody; they are counted for the day, so that a sweep through many numbers is seen.

use std::fmt;

use rules::agent::Agent;
use rules::ids::PersonId;
use rules::password::{Secret, auth_failed, must_change, reminder, right};
use rules::roster::{NUMBER_MAX, plain};
use rules::session::{Kind, Rests};
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::password_door::{Knock, Tried, count, is_right};
use crate::rows::{Campus, Key, Row};
use crate::session::{self, NewSession, listed};
use crate::unavailable::Unavailable;
use crate::{ReadFault, School, desk};

/// A session was made.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The session's token: 256 unguessable bits, known to the holder's browser alone.
    pub token: [u8; 32],
    /// Who came in.
    pub person: PersonId,
    /// Only the change of the password is open to this session (R26).
    pub must_change: bool,
    /// A change of the password is recommended (R77).
    pub reminder: bool,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SignedIn")
            .field("person", &self.person)
            .field("must_change", &self.must_change)
            .field("reminder", &self.reminder)
            .finish_non_exhaustive()
    }
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefusal {
    /// Wrong number, wrong password or locked: the words are the same for all three.
    #[error("wrong number or password, or locked")]
    Failed(Words),
    /// The server could not say.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<ReadFault> for SignInRefusal {
    fn from(fault: ReadFault) -> Self {
        SignInRefusal::Unavailable(fault.into())
    }
}

impl SignInRefusal {
    /// What the person at the door is told.
    pub fn words(&self) -> Words {
        match self {
            SignInRefusal::Failed(words) => words.clone(),
            SignInRefusal::Unavailable(why) => why.words(),
        }
    }
}

/// Lets a holder in. `number` may be typed with blanks, full-width or in small letters.
///
/// The try is counted and durable before the password is looked at, so a hundred guesses at once count as a hundred.
/// Errors: `Failed` (`AUTH_FAILED`), `Unavailable`. Repeats: every call is a try; every right one makes another session.
/// Source: R24, R25, R26, R77.
pub async fn sign_in(school: &School, number: &str, password: &str) -> Result<SignedIn, SignInRefusal> {
    sign_in_from(school, &Agent::default(), number, password).await
}

/// As [`sign_in`], from a browser that said this of itself.
pub async fn sign_in_from(
    school: &School,
    agent: &Agent,
    number: &str,
    password: &str,
) -> Result<SignedIn, SignInRefusal> {
    let number = Some(plain(number)).filter(|number| (1..=NUMBER_MAX).contains(&number.len()));
    let counted = count(school, Knock::Number(number)).await.map_err(Unavailable::from)?;
    let known = match counted.tried {
        Tried::Open(known) => Some(known),
        Tried::Locked(_) | Tried::Unknown => None,
    };
    let fits = is_right(school, known.as_deref(), password).await.map_err(Unavailable::from)?;
    let refused = || SignInRefusal::Failed(auth_failed(&counted.limits));
    let Some(known) = known.filter(|_| fits) else { return Err(refused()) };
    let old = listed(school, known.id).await?;
    let token = school.random();
    let key = school.secrets.token_hash(&token);
    let command = Enter { person: known.id, secret: known.secret, key, agent: *agent, old };
    match school.submit(command).await {
        Ok(Entered { must_change, reminder }) => Ok(SignedIn { token, person: known.id, must_change, reminder }),
        Err(Rejected::Refused(SecretChanged)) => Err(refused()),
        Err(Rejected::Fault(fault)) => Err(SignInRefusal::Unavailable(fault.into())),
    }
}

/// Opens the door after a right password: the count starts anew, a session is made, ended ones are swept out.
struct Enter {
    person: PersonId,
    /// What the typed password was compared with.
    secret: Secret,
    key: [u8; 32],
    agent: Agent,
    old: Vec<Key>,
}

struct Entered {
    must_change: bool,
    reminder: bool,
}

/// The password was changed while the old one was being compared.
struct SecretChanged;

impl Command<Campus> for Enter {
    type Answer = Entered;
    type Refusal = SecretChanged;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        let own = [Key::Settings, Key::Person(self.person), Key::Binding(self.person), Key::Session(self.key)];
        own.into_iter().chain(self.old.iter().cloned()).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Entered, Halt<Campus, SecretChanged>> {
        let limits = desk::limits(desk)?;
        let Some(mut holder) = desk::person(desk, self.person)?.cloned() else {
            return Err(Halt::Broken("a holder is gone".to_owned()));
        };
        if holder.password.secret != self.secret {
            return Err(Halt::Refuse(SecretChanged));
        }
        holder.password = right(&holder.password);
        let now = desk.now();
        let must_change = must_change(&holder.password, &limits);
        let reminder = reminder(&holder.password, &limits, now);
        session::sweep(desk, &self.old, (self.person, &holder))?;
        let rests = Rests { secret: &holder.password.secret, binding: None };
        let new = NewSession { key: self.key, kind: Kind::Holder, agent: self.agent, proved: true, must_change };
        session::make(desk, self.person, &rests, &new)?;
        desk.put(Key::Person(self.person), Row::Person(Box::new(holder)))?;
        Ok(Entered { must_change, reminder })
    }
}
