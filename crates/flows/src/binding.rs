//! A holder binds their WeChat user to the account and comes in by it from then on (security of the WeChat way in).
//!
//! Two rows tell of a binding, one from each side, and both change in one command: the user names the holder, the holder's
//! row names the user. Neither holds the openid itself, only its keyed hash.

use std::convert::Infallible;

use ledger::Micros;
use rules::agent::Agent;
use rules::binding::{Binding, Refusal as Rule, State, Step, Wish, bind as decide_bind, end, not_bound};
use rules::ids::PersonId;
use rules::password::{must_change, reminder};
use rules::session::{Kind, Rests};
use rules::words::Words;
use teller::{Command, Desk, Halt, Rejected, Seen};

use crate::change_password::ChangeRefusal;
use crate::ports::Field;
use crate::rows::{Campus, Key, Row};
use crate::session::{self, NewSession, listed, living, look};
use crate::sign_in::SignedIn;
use crate::unavailable::Unavailable;
use crate::{ReadFault, School, desk, epoch};

/// How it stands with an account's WeChat user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None was ever bound.
    None,
    /// One is bound.
    Bound {
        /// Since when.
        since: Micros,
    },
    /// One was bound before the book was restored, and must be bound again (M9).
    BeforeRestore {
        /// Since when it was.
        since: Micros,
    },
    /// The last one was taken away.
    Ended {
        /// When.
        at: Micros,
        /// Who of the staff did it; `None` when the holder did.
        by: Option<String>,
    },
}

/// How it stands with the holder's WeChat user. Errors: a committed row could not be read.
pub async fn standing(school: &School, person: PersonId) -> Result<Standing, ReadFault> {
    let rows = school.rows(&[Key::Binding(person), Key::Epoch]).await?;
    let [binding, epoch] = &rows[..] else { return Ok(Standing::None) };
    let Some(binding) = binding.as_ref().and_then(Row::binding) else { return Ok(Standing::None) };
    let opens = binding.opens(epoch.as_ref().and_then(Row::epoch));
    Ok(match &binding.state {
        State::Bound { .. } if opens => Standing::Bound { since: binding.at },
        State::Bound { .. } => Standing::BeforeRestore { since: binding.at },
        State::Ended { by } => Standing::Ended { at: binding.at, by: by.clone() },
    })
}

/// Whether the WeChat user with this openid is the one that opens this holder's account. Errors: as [`standing`].
pub async fn is_of(school: &School, person: PersonId, openid: &str) -> Result<bool, ReadFault> {
    let rows = school.rows(&[Key::Binding(person), Key::Epoch]).await?;
    let [binding, epoch] = &rows[..] else { return Ok(false) };
    let user = school.secrets.lookup(Field::OpenId, openid);
    let binding = binding.as_ref().and_then(Row::binding);
    let epoch = epoch.as_ref().and_then(Row::epoch);
    Ok(binding.is_some_and(|binding| binding.opens(epoch) && binding.user() == Some(&user)))
}

/// Why nothing was bound.
#[derive(Debug, thiserror::Error)]
pub enum BindRefusal {
    /// The session is over.
    #[error("the session is over")]
    SignedOut,
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] Rule),
    /// The server could not do it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl BindRefusal {
    /// What the holder is told.
    pub fn words(&self) -> Words {
        match self {
            BindRefusal::SignedOut => ChangeRefusal::SignedOut.words(),
            BindRefusal::Rule(rule) => rule.words(),
            BindRefusal::Unavailable(why) => why.words(),
        }
    }
}

/// Binds the WeChat user with this openid to the holder of this session. `instead`: the holder was told that another one is
/// bound, and wants this one in its place.
///
/// A binding that replaces another ends the sessions that the other opened.
/// Errors, in order: `SignedOut`, those of [`rules::binding::bind`]; `Unavailable` at any point. Repeats: nothing more happens.
pub async fn bind(school: &School, token: &[u8; 32], openid: &str, instead: bool) -> Result<(), BindRefusal> {
    let Some(session) = look(school, token).await.map_err(Unavailable::from)? else {
        return Err(BindRefusal::SignedOut);
    };
    let by = school.secrets.token_hash(token);
    let user = school.secrets.lookup(Field::OpenId, openid);
    match school.submit(Bind { person: session.person, by, user, instead }).await {
        Ok(()) => Ok(()),
        Err(Rejected::Refused(None)) => Err(BindRefusal::SignedOut),
        Err(Rejected::Refused(Some(rule))) => Err(BindRefusal::Rule(rule)),
        Err(Rejected::Fault(fault)) => Err(BindRefusal::Unavailable(fault.into())),
    }
}

struct Bind {
    person: PersonId,
    /// The session that asks.
    by: [u8; 32],
    user: [u8; 32],
    instead: bool,
}

impl Command<Campus> for Bind {
    type Answer = ();
    /// `None`: the session is over.
    type Refusal = Option<Rule>;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = session::needs(seen, self.by);
        keys.extend([Key::Epoch, Key::Person(self.person), Key::Binding(self.person)]);
        let own = seen.row(&Key::Binding(self.person)).and_then(Row::binding).and_then(Binding::user);
        keys.extend(own.map(|user| Key::WeChatUser(*user)));
        let key = Key::WeChatUser(self.user);
        keys.extend(seen.row(&key).and_then(Row::holder).map(|other| Key::Binding(*other)));
        keys.push(key);
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Option<Rule>>> {
        let asks = living(desk, self.by)?.filter(|session| session.person == self.person);
        let holder = desk::person(desk, self.person)?;
        let (Some(asks), Some(holder)) = (asks, holder) else { return Err(Halt::Refuse(None)) };
        let epoch = epoch::newest(desk)?;
        let other = match desk.get(&Key::WeChatUser(self.user))?.and_then(Row::holder) {
            Some(other) => desk.get(&Key::Binding(*other))?.and_then(Row::binding).map(|binding| (*other, binding)),
            None => None,
        };
        let wish = Wish {
            person: self.person,
            proved_at: asks.proved_at,
            secret: &holder.password.secret,
            user: &self.user,
            own: desk.get(&Key::Binding(self.person))?.and_then(Row::binding),
            other,
            instead: self.instead,
            epoch: epoch.as_ref(),
        };
        let step = decide_bind(&wish, desk.now()).map_err(|rule| Halt::Refuse(Some(rule)))?;
        let Step::Bind { binding, leaves, from } = step else { return Ok(()) };
        if let Some(user) = leaves {
            leave(desk, user, self.person)?;
        }
        if let Some(other) = from {
            desk.delete(Key::Binding(other))?;
        }
        desk.put(Key::WeChatUser(self.user), Row::Holder(self.person))?;
        desk.put(Key::Binding(self.person), Row::Binding(binding))?;
        Ok(())
    }
}

/// A user is this holder's no more; one that has gone on to another holder stays there.
fn leave<R>(desk: &mut Desk<'_, Campus>, user: [u8; 32], person: PersonId) -> Result<(), Halt<Campus, R>> {
    let key = Key::WeChatUser(user);
    if desk.get(&key)?.and_then(Row::holder) == Some(&person) {
        desk.delete(key)?;
    }
    Ok(())
}

/// Why nothing was unbound.
#[derive(Debug, thiserror::Error)]
pub enum UnbindRefusal {
    /// The session is over.
    #[error("the session is over")]
    SignedOut,
    /// There is no fresh proof of identity.
    #[error("a fresh proof of identity is needed")]
    NotProved,
    /// The server could not do it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl UnbindRefusal {
    /// What the holder is told.
    pub fn words(&self) -> Words {
        match self {
            UnbindRefusal::SignedOut => ChangeRefusal::SignedOut.words(),
            UnbindRefusal::NotProved => rules::binding::proof_required(),
            UnbindRefusal::Unavailable(why) => why.words(),
        }
    }
}

/// Ends the binding of the holder of this session, and every session that it opened.
///
/// Errors, in order: `SignedOut`, `NotProved`; `Unavailable` at any point. Repeats: nothing more happens.
pub async fn unbind(school: &School, token: &[u8; 32]) -> Result<(), UnbindRefusal> {
    let Some(session) = look(school, token).await.map_err(Unavailable::from)? else {
        return Err(UnbindRefusal::SignedOut);
    };
    if !rules::session::proved(session.proved_at, school.now()) {
        return Err(UnbindRefusal::NotProved);
    }
    submit(school, session.person, None).await.map_err(UnbindRefusal::Unavailable)?;
    Ok(())
}

/// Ends a holder's binding at the counter, where the holder showed the identity document to `by`; `false` when none was
/// there, which a repeat finds. Errors: [`Unavailable`].
pub async fn unbind_at_counter(school: &School, person: PersonId, by: &str) -> Result<bool, Unavailable> {
    submit(school, person, Some(by.to_owned())).await
}

async fn submit(school: &School, person: PersonId, by: Option<String>) -> Result<bool, Unavailable> {
    match school.submit(Unbind { person, by }).await {
        Ok(done) => Ok(done),
        Err(Rejected::Fault(fault)) => Err(fault.into()),
        Err(Rejected::Refused(never)) => match never {},
    }
}

struct Unbind {
    person: PersonId,
    by: Option<String>,
}

impl Command<Campus> for Unbind {
    type Answer = bool;
    type Refusal = Infallible;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let key = Key::Binding(self.person);
        let user = seen.row(&key).and_then(Row::binding).and_then(Binding::user).map(|user| Key::WeChatUser(*user));
        [key].into_iter().chain(user).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<bool, Halt<Campus, Infallible>> {
        let own = desk.get(&Key::Binding(self.person))?.and_then(Row::binding);
        let Some((user, ended)) = end(own, self.by.clone(), desk.now()) else { return Ok(false) };
        leave(desk, user, self.person)?;
        desk.put(Key::Binding(self.person), Row::Binding(ended))?;
        Ok(true)
    }
}

/// Why a WeChat user was not let in.
#[derive(Debug, thiserror::Error)]
pub enum EnterRefusal {
    /// The user is bound to no account.
    #[error("the user is bound to no account")]
    NotBound,
    /// The server could not say.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl EnterRefusal {
    /// What the visitor is told.
    pub fn words(&self) -> Words {
        match self {
            EnterRefusal::NotBound => not_bound(),
            EnterRefusal::Unavailable(why) => why.words(),
        }
    }
}

/// Lets the holder in to whom the WeChat user with this openid is bound. The password door has no part in it: a lock of it
/// locks nobody out here, and nothing is counted there.
///
/// Errors: `NotBound`, `Unavailable`. Repeats: each makes another session.
pub async fn enter(school: &School, openid: &str, agent: &Agent) -> Result<SignedIn, EnterRefusal> {
    let user = school.secrets.lookup(Field::OpenId, openid);
    let row = school.row(&Key::WeChatUser(user)).await.map_err(Unavailable::from)?;
    let Some(person) = row.as_ref().and_then(Row::holder).copied() else { return Err(EnterRefusal::NotBound) };
    let old = listed(school, person).await.map_err(Unavailable::from)?;
    let token = school.random();
    let command = Enter { user, person, key: school.secrets.token_hash(&token), agent: *agent, old };
    match school.submit(command).await {
        Ok(Entered { must_change, reminder }) => Ok(SignedIn { token, person, must_change, reminder }),
        Err(Rejected::Refused(NotBound)) => Err(EnterRefusal::NotBound),
        Err(Rejected::Fault(fault)) => Err(EnterRefusal::Unavailable(fault.into())),
    }
}

struct Enter {
    user: [u8; 32],
    person: PersonId,
    key: [u8; 32],
    agent: Agent,
    old: Vec<Key>,
}

struct Entered {
    must_change: bool,
    reminder: bool,
}

struct NotBound;

impl Command<Campus> for Enter {
    type Answer = Entered;
    type Refusal = NotBound;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        let own = [
            Key::Settings,
            Key::Epoch,
            Key::WeChatUser(self.user),
            Key::Person(self.person),
            Key::Binding(self.person),
            Key::Session(self.key),
        ];
        own.into_iter().chain(self.old.iter().cloned()).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Entered, Halt<Campus, NotBound>> {
        let limits = desk::limits(desk)?;
        let named = desk.get(&Key::WeChatUser(self.user))?.and_then(Row::holder) == Some(&self.person);
        let epoch = epoch::newest(desk)?;
        let binding = desk.get(&Key::Binding(self.person))?.and_then(Row::binding).cloned();
        let fits = |binding: &Binding| named && binding.user() == Some(&self.user) && binding.opens(epoch.as_ref());
        let (Some(binding), Some(holder)) = (binding.filter(fits), desk::person(desk, self.person)?.cloned()) else {
            return Err(Halt::Refuse(NotBound));
        };
        session::sweep(desk, &self.old, (self.person, &holder))?;
        let rests = Rests { secret: &holder.password.secret, binding: Some(&binding) };
        let must_change = must_change(&holder.password, &limits);
        let new = NewSession { key: self.key, kind: Kind::WeChat, agent: self.agent, proved: false, must_change };
        session::make(desk, self.person, &rests, &new)?;
        Ok(Entered { must_change, reminder: reminder(&holder.password, &limits, desk.now()) })
    }
}
