//! Sessions of holders: looked at with every page, ended at sign-out. The door that makes them is [`crate::sign_in`].
//!
//! A session lives by the rules of [`rules::session`]: it ends when it is idle, at its end, and when the password or the
//! binding it was made under is changed. Rows of ended sessions are swept out when their holder signs in again.

use std::convert::Infallible;

use ledger::{Id, Micros, row_digest};
use rules::agent::Agent;
use rules::ids::PersonId;
use rules::person::Person;
use rules::session::{Kind, Rests, Times, lives, seen_is_old};
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::ports::ListAsk;
use crate::rows::{Campus, Key, Row, lists};
use crate::unavailable::Unavailable;
use crate::{ReadFault, School, desk};

/// How many sessions one command ends at most.
pub(crate) const SWEEP: u32 = 256;

/// How the holder came in, before there were kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Number and query password in a browser.
    Browser,
}

/// A session as rows of before there were kinds tell of it. None is written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlySession {
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

impl EarlySession {
    /// The same session as it is told of today: it was made with the password.
    pub fn today(&self) -> Session {
        let EarlySession { person, entry: Entry::Browser, made_at, seen_at, ends_at, must_change } = *self;
        let (kind, agent, proved_at) = (Kind::Holder, Agent::default(), Some(made_at));
        Session { person, kind, agent, made_at, seen_at, ends_at, proved_at, must_change }
    }
}

/// A session. The token itself is never stored; the row's key is its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub person: PersonId,
    /// How the holder came in.
    pub kind: Kind,
    /// What the browser said of itself when it came in.
    pub agent: Agent,
    /// Since when.
    pub made_at: Micros,
    /// Last use, to the nearest minutes.
    pub seen_at: Micros,
    /// It ends then at the latest.
    pub ends_at: Micros,
    /// When the password was last typed in it.
    pub proved_at: Option<Micros>,
    /// Only the change of the password is open to it (R26).
    pub must_change: bool,
}

impl Session {
    /// When it was made, last used, and ends.
    pub const fn times(&self) -> Times {
        Times { made_at: self.made_at, seen_at: self.seen_at, ends_at: self.ends_at }
    }

    /// Whether it lives by what it rests on.
    fn lives(&self, rests: &Rests<'_>, now: Micros) -> bool {
        lives(self.kind, &self.times(), rests, now)
    }

    fn seen_is_old(&self, now: Micros) -> bool {
        seen_is_old(self.kind, &self.times(), now)
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
    let Some(session) = glance(school, token).await? else { return Ok(None) };
    if !session.seen_is_old(school.now()) {
        return Ok(Some(session));
    }
    match school.submit(Use { key: school.secrets.token_hash(token) }).await {
        Ok(session) => Ok(Some(session)),
        Err(Rejected::Refused(Ended)) => Ok(None),
        Err(Rejected::Fault(_)) => Ok(Some(session)),
    }
}

/// As [`look`], for what a page asks by itself: that is no use of the session, and keeps none alive that its holder left.
///
/// Errors: a committed row could not be read. Repeats: harmless.
pub async fn glance(school: &School, token: &[u8; 32]) -> Result<Option<Session>, ReadFault> {
    let key = school.secrets.token_hash(token);
    let rows = school.rows(&[Key::Session(key), Key::Epoch]).await?;
    let mut rows = rows.into_iter();
    let Some(session) = rows.next().flatten().and_then(|row| row.session()) else { return Ok(None) };
    // A backup brings back sessions that were ended since; nobody can tell which (M9).
    let epoch = rows.next().flatten().and_then(|row| row.epoch().copied());
    if epoch.is_some_and(|epoch| session.made_at <= epoch.since) {
        return Ok(None);
    }
    let rests = school.rows(&rests_on(&session)).await?;
    let Some(holder) = rests.first().and_then(Option::as_ref).and_then(Row::person) else { return Ok(None) };
    let binding = rests.get(1).and_then(Option::as_ref).and_then(Row::binding);
    let lives = session.lives(&Rests { secret: &holder.password.secret, binding }, school.now());
    Ok(lives.then_some(session))
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
        needs(seen, self.key)
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Session, Halt<Campus, Ended>> {
        let Some(session) = living(desk, self.key)? else { return Err(Halt::Refuse(Ended)) };
        let now = desk.now();
        if !session.seen_is_old(now) {
            return Ok(session);
        }
        let session = session.used(now);
        desk.put(Key::Session(self.key), Row::KindSession(session.clone()))?;
        Ok(session)
    }
}

/// Rows of what a session rests on: its holder, and by WeChat the binding.
fn rests_on(session: &Session) -> Vec<Key> {
    let binding = session.kind.by_binding().then_some(Key::Binding(session.person));
    [Key::Person(session.person)].into_iter().chain(binding).collect()
}

/// Rows that tell whether the session of this key lives.
pub(crate) fn needs(seen: &Seen<'_, Campus>, key: [u8; 32]) -> Vec<Key> {
    let key = Key::Session(key);
    let rests = seen.row(&key).and_then(Row::session).map(|session| rests_on(&session)).unwrap_or_default();
    [key].into_iter().chain(rests).collect()
}

/// The session on the desk, if it lives at batch time. Needs what [`needs`] names.
pub(crate) fn living(desk: &Desk<'_, Campus>, key: [u8; 32]) -> Result<Option<Session>, NotLoaded<Key>> {
    let Some(session) = desk.get(&Key::Session(key))?.and_then(Row::session) else { return Ok(None) };
    let Some(holder) = desk::person(desk, session.person)? else { return Ok(None) };
    let binding = match session.kind.by_binding() {
        true => desk.get(&Key::Binding(session.person))?.and_then(Row::binding),
        false => None,
    };
    let lives = session.lives(&Rests { secret: &holder.password.secret, binding }, desk.now());
    Ok(lives.then_some(session))
}

/// What a new session is made of.
pub(crate) struct NewSession {
    /// Hash of its token.
    pub key: [u8; 32],
    pub kind: Kind,
    pub agent: Agent,
    /// The password was typed for it.
    pub proved: bool,
    pub must_change: bool,
}

/// Puts a new session on the desk. Needs its key.
pub(crate) fn make<R>(
    desk: &mut Desk<'_, Campus>,
    person: PersonId,
    rests: &Rests<'_>,
    new: &NewSession,
) -> Result<(), Halt<Campus, R>> {
    let now = desk.now();
    let Times { made_at, seen_at, ends_at } = rules::session::new(new.kind, rests, now);
    let session = Session {
        person,
        kind: new.kind,
        agent: new.agent,
        made_at,
        seen_at,
        ends_at,
        proved_at: new.proved.then_some(now),
        must_change: new.must_change,
    };
    put_new(desk, new.key, session)
}

/// Puts a session under a fresh key. Needs that key.
pub(crate) fn put_new<R>(desk: &mut Desk<'_, Campus>, key: [u8; 32], session: Session) -> Result<(), Halt<Campus, R>> {
    if desk.get(&Key::Session(key))?.is_some() {
        return Err(Halt::Broken("a session's token was drawn twice: the source of chance does not work".to_owned()));
    }
    desk.put(Key::Session(key), Row::KindSession(session))?;
    Ok(())
}

/// Deletes those of a holder's sessions that have ended. Needs `old` and the holder's binding.
pub(crate) fn sweep(
    desk: &mut Desk<'_, Campus>,
    old: &[Key],
    (id, holder): (PersonId, &Person),
) -> Result<(), NotLoaded<Key>> {
    let now = desk.now();
    let binding = desk.get(&Key::Binding(id))?.and_then(Row::binding).cloned();
    let rests = Rests { secret: &holder.password.secret, binding: binding.as_ref() };
    for key in old {
        let session = desk.get(key)?.and_then(Row::session);
        if session.is_some_and(|session| !session.lives(&rests, now)) {
            desk.delete(key.clone())?;
        }
    }
    Ok(())
}

/// Whether a session of another browser than this one lives: then its holder is told of a new one. Needs `old`, after
/// [`sweep`].
pub(crate) fn elsewhere(desk: &Desk<'_, Campus>, old: &[Key], agent: &Agent) -> Result<bool, NotLoaded<Key>> {
    for key in old {
        let other = desk.get(key)?.and_then(Row::session).map(|session| session.agent);
        // Of sessions of an older form nobody knows the browser.
        if other.is_some_and(|other| other != *agent && other != Agent::default()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// By which name a session is shown and ended: neither its token nor the hash that is stored of it can be found from it.
fn shown_id(key: &[u8; 32]) -> Id {
    Id::from_bytes(row_digest("session as shown", key, None).key)
}

/// A session as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// By which it is ended.
    pub id: Id,
    /// How somebody came in, by which browser, since when.
    pub session: Session,
    /// The one that asks.
    pub this: bool,
}

/// The sessions of a holder that live, this one first, then those used last.
///
/// Errors: a committed row could not be read.
pub async fn shown(school: &School, person: PersonId, token: &[u8; 32]) -> Result<Vec<Shown>, ReadFault> {
    let own = school.secrets.token_hash(token);
    let keys = listed(school, person).await?;
    let rests = school.rows(&[Key::Person(person), Key::Binding(person), Key::Epoch]).await?;
    let [holder, binding, epoch] = &rests[..] else { return Ok(Vec::new()) };
    let Some(holder) = holder.as_ref().and_then(Row::person) else { return Ok(Vec::new()) };
    let binding = binding.as_ref().and_then(Row::binding);
    let since = epoch.as_ref().and_then(|row| row.epoch()).map(|epoch| epoch.since);
    let rests = Rests { secret: &holder.password.secret, binding };
    let now = school.now();
    let mut shown: Vec<Shown> = keys
        .iter()
        .zip(school.rows(&keys).await?)
        .filter_map(|(key, row)| {
            let Key::Session(hash) = key else { return None };
            let session = row?.session()?;
            let lives = session.lives(&rests, now) && since.is_none_or(|since| session.made_at > since);
            lives.then(|| Shown { id: shown_id(hash), session, this: *hash == own })
        })
        .collect();
    shown.sort_by_key(|shown| (!shown.this, std::cmp::Reverse(shown.session.seen_at), shown.id));
    Ok(shown)
}

/// Ends one session of a holder; `false` when the holder has none of this name, which a repeat finds.
///
/// Errors: [`Unavailable`]; it may still live.
pub async fn end_one(school: &School, person: PersonId, id: Id) -> Result<bool, Unavailable> {
    let keys = listed(school, person).await?;
    let named = |key: &Key| matches!(key, Key::Session(hash) if shown_id(hash) == id);
    let found: Vec<Key> = keys.into_iter().filter(named).collect();
    let any = !found.is_empty();
    end(school, found).await?;
    Ok(any)
}

/// Ends every session of the holder of this session but this one. Errors: [`Unavailable`]; some may still live. Repeats:
/// nothing more happens.
pub async fn end_others(school: &School, person: PersonId, token: &[u8; 32]) -> Result<(), Unavailable> {
    let own = Key::Session(school.secrets.token_hash(token));
    loop {
        let mut sessions = listed(school, person).await?;
        let last = sessions.len() < usize::try_from(SWEEP).unwrap_or(usize::MAX);
        sessions.retain(|key| *key != own);
        end(school, sessions).await?;
        if last {
            return Ok(());
        }
    }
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
