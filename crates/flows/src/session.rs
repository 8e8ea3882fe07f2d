//! Sessions of holders: looked at with every page, ended at sign-out. The door that makes them is [`crate::sign_in`].
//!
//! A session lives by the rules of [`rules::session`]: it ends when it is idle, at its end, and when the password it was
//! made under is changed. Rows of ended sessions are swept out when their holder signs in again.

use std::convert::Infallible;

use ledger::Micros;
use rules::ids::PersonId;
use rules::session::{Times, lives, seen_is_old};
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::ports::ListAsk;
use crate::rows::{Campus, Key, Row, lists};
use crate::unavailable::Unavailable;
use crate::{ReadFault, School, desk};

/// How many sessions one command ends at most.
pub(crate) const SWEEP: u32 = 256;

/// How the holder came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Number and query password in a browser.
    Browser,
}

/// A session. The token itself is never stored; the row's key is its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub person: PersonId,
    /// How the holder came in.
    pub entry: Entry,
    /// Since when.
    pub made_at: Micros,
    /// Last use, to the nearest minutes.
    pub seen_at: Micros,
    /// It ends then at the latest.
    pub ends_at: Micros,
    /// Only the change of the password is open to it (R26).
    pub must_change: bool,
}

impl Session {
    /// When it was made, last used, and ends.
    pub const fn times(&self) -> Times {
        Times { made_at: self.made_at, seen_at: self.seen_at, ends_at: self.ends_at }
    }

    /// The same session, used at `now`.
    fn used(&self, now: Micros) -> Session {
        Session { seen_at: now, ..self.clone() }
    }
}

/// The session of this token, if it lives.
///
/// Its last use is written down at most once a minute, so it ends between 29 and 30 minutes after its last use. If that
/// cannot be written now, the session is given all the same.
/// Errors: a committed row could not be read. Repeats: harmless.
pub async fn look(school: &School, token: &[u8; 32]) -> Result<Option<Session>, ReadFault> {
    let key = school.secrets.token_hash(token);
    let rows = school.rows(&[Key::Session(key), Key::Epoch]).await?;
    let mut rows = rows.into_iter();
    let Some(Row::Session(session)) = rows.next().flatten() else { return Ok(None) };
    // A backup brings back sessions that were ended since; nobody can tell which (M9).
    let epoch = rows.next().flatten().and_then(|row| row.epoch().copied());
    if epoch.is_some_and(|epoch| session.made_at <= epoch.since) {
        return Ok(None);
    }
    let holder = school.row(&Key::Person(session.person)).await?;
    let Some(holder) = holder.as_ref().and_then(Row::person) else { return Ok(None) };
    let now = school.now();
    if !lives(&session.times(), &holder.password.secret, now) {
        return Ok(None);
    }
    if !seen_is_old(&session.times(), now) {
        return Ok(Some(session));
    }
    match school.submit(Use { key }).await {
        Ok(session) => Ok(Some(session)),
        Err(Rejected::Refused(Ended)) => Ok(None),
        Err(Rejected::Fault(_)) => Ok(Some(session)),
    }
}

/// Writes down that a session is used.
struct Use {
    key: [u8; 32],
}

/// There is no such session any more.
struct Ended;

impl Command<Campus> for Use {
    type Answer = Session;
    type Refusal = Ended;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let key = Key::Session(self.key);
        let person = seen.row(&key).and_then(Row::session).map(|session| Key::Person(session.person));
        [key].into_iter().chain(person).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Session, Halt<Campus, Ended>> {
        let Some(session) = living(desk, self.key)? else { return Err(Halt::Refuse(Ended)) };
        let now = desk.now();
        if !seen_is_old(&session.times(), now) {
            return Ok(session);
        }
        let session = session.used(now);
        desk.put(Key::Session(self.key), Row::Session(session.clone()))?;
        Ok(session)
    }
}

/// The session on the desk, if it lives at batch time. Needs the session, and its person if it exists.
pub(crate) fn living(desk: &Desk<'_, Campus>, key: [u8; 32]) -> Result<Option<Session>, NotLoaded<Key>> {
    let Some(session) = desk.get(&Key::Session(key))?.and_then(Row::session) else { return Ok(None) };
    let holder = desk::person(desk, session.person)?;
    let lives = holder.is_some_and(|holder| lives(&session.times(), &holder.password.secret, desk.now()));
    Ok(lives.then(|| session.clone()))
}

/// Ends the session of this token and every other session of its holder: whoever signs out somewhere is signed out
/// everywhere. A token whose session has ended already signs nobody out.
///
/// Errors: [`Unavailable`]; the session may still live. Repeats: nothing more happens.
pub async fn sign_out(school: &School, token: &[u8; 32]) -> Result<(), Unavailable> {
    match look(school, token).await? {
        Some(session) => end_all(school, session.person).await,
        None => Ok(()),
    }
}

/// Ends every session of a holder. Errors: [`Unavailable`]; some may still live. Repeats: nothing more happens.
pub async fn end_all(school: &School, person: PersonId) -> Result<(), Unavailable> {
    loop {
        let sessions = listed(school, person).await?;
        let last = sessions.len() < usize::try_from(SWEEP).unwrap_or(usize::MAX);
        end(school, sessions).await?;
        if last {
            return Ok(());
        }
    }
}

async fn end(school: &School, sessions: Vec<Key>) -> Result<(), Fault> {
    match school.submit(End { sessions }).await {
        Ok(()) => Ok(()),
        Err(Rejected::Fault(fault)) => Err(fault),
        Err(Rejected::Refused(never)) => match never {},
    }
}

/// Keys of a holder's sessions, ended ones too, those that end first at the front; at most [`SWEEP`].
pub(crate) async fn listed(school: &School, person: PersonId) -> Result<Vec<Key>, ReadFault> {
    let ask = ListAsk {
        list: lists::SESSIONS,
        owner: person.0.bytes().to_vec(),
        from: i64::MIN,
        to: i64::MAX,
        backwards: false,
        most: SWEEP,
    };
    let places = school.list(ask).await?;
    Ok(places.iter().filter_map(|place| Some(Key::Session(place.key[..].try_into().ok()?))).collect())
}

struct End {
    sessions: Vec<Key>,
}

impl Command<Campus> for End {
    type Answer = ();
    type Refusal = Infallible;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        self.sessions.clone()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Infallible>> {
        for session in &self.sessions {
            desk.delete(session.clone())?;
        }
        Ok(())
    }
}
