//! Access tokens for programs: made, listed, ended and looked at. A holder's opens that holder's own data; the school's
//! opens what the operator gave it.
//!
//! The secret itself is never stored; the row's key is its SHA-256. So a lookup compares hashes, and how long it takes
//! tells nothing of a secret.

use ledger::{Id, Micros};
use rules::credential::{self, Credential, Life, Refusal, Subject, Wish, number};
use rules::message::Message;
use rules::password::Secret;
use rules::words::Words;
use teller::{Command, Desk, Halt, NotLoaded, Rejected, Seen};

use crate::change_password::ChangeRefusal;
use crate::ports::ListAsk;
use crate::rows::{Campus, Key, Row, lists};
use crate::session::{self, living};
use crate::unavailable::Unavailable;
use crate::{ReadFault, School, desk, epoch, inbox};

/// So many of an owner's tokens are looked at besides those that live: the newest ones, to tell of those that ended.
const LOOKED_AT: u32 = 100;

/// Why an owner's wish came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CredentialRefusal {
    /// The rules say no.
    #[error("{}", .0.words().en)]
    Rule(Refusal),
    /// There is no such token of this owner.
    #[error("there is no such token")]
    Unknown,
    /// The session is over.
    #[error("the session is over")]
    SignedOut,
    /// The holder has to prove again who they are.
    #[error("a fresh proof of identity is needed")]
    NotProved,
    /// The server could not do it; nothing was done.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<ReadFault> for CredentialRefusal {
    fn from(fault: ReadFault) -> Self {
        CredentialRefusal::Unavailable(fault.into())
    }
}

impl CredentialRefusal {
    /// What the owner is told.
    pub fn words(&self) -> Words {
        match self {
            CredentialRefusal::Rule(refusal) => refusal.words(),
            CredentialRefusal::Unknown => Words::new(
                "TOKEN_UNKNOWN",
                "没有找到这个访问令牌，请回到列表查看。",
                "There is no such token; please look at the list.",
            ),
            CredentialRefusal::SignedOut => ChangeRefusal::SignedOut.words(),
            CredentialRefusal::NotProved => rules::binding::proof_required(),
            CredentialRefusal::Unavailable(why) => why.words(),
        }
    }
}

/// A token in its owner's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// By what it is named; it opens nothing.
    pub number: Id,
    /// The token.
    pub credential: Credential,
    /// Whether it still opens anything.
    pub life: Life,
}

/// In which list of [`lists::CREDENTIALS`] a subject's tokens stand.
pub(crate) fn owner(subject: Subject) -> Vec<u8> {
    match subject {
        Subject::Person(person) => person.0.bytes().to_vec(),
        Subject::School => Vec::new(),
    }
}

/// Makes the token whose secret is `secret`: 256 unguessable bits that the caller drew, and shows once by
/// [`credential::text`]. For the operator of the machine; a holder has [`make_own`].
///
/// Errors: `Rule` with the refusals of [`credential::make`] in their order; `Unavailable`.
/// Repeats: the same secret again gives the token as it stands, and makes none. Source: security design, API clients.
pub async fn make(school: &School, wish: Wish, secret: &[u8; 32]) -> Result<Listed, CredentialRefusal> {
    submit(school, wish, secret, None).await
}

/// As [`make`], at the wish of the holder who has this session and proved lately in it who they are.
///
/// Errors, in order: `SignedOut`, also for a session that ended at this very moment, as by a new password, and for one of
/// somebody else; `NotProved`; those of [`make`].
pub async fn make_own(
    school: &School,
    session: &[u8; 32],
    wish: Wish,
    secret: &[u8; 32],
) -> Result<Listed, CredentialRefusal> {
    submit(school, wish, secret, Some(school.secrets.token_hash(session))).await
}

async fn submit(
    school: &School,
    wish: Wish,
    secret: &[u8; 32],
    by: Option<[u8; 32]>,
) -> Result<Listed, CredentialRefusal> {
    let key = school.secrets.token_hash(secret);
    let known = keys(school, wish.subject).await?;
    match school.submit(Make { wish, key, by, known }).await {
        Ok(made) => Ok(made),
        Err(Rejected::Refused(NotMade::SignedOut)) => Err(CredentialRefusal::SignedOut),
        Err(Rejected::Refused(NotMade::NotProved)) => Err(CredentialRefusal::NotProved),
        Err(Rejected::Refused(NotMade::Rule(refusal))) => Err(CredentialRefusal::Rule(refusal)),
        Err(Rejected::Fault(fault)) => Err(CredentialRefusal::Unavailable(fault.into())),
    }
}

struct Make {
    wish: Wish,
    key: [u8; 32],
    /// The holder's session that asks.
    by: Option<[u8; 32]>,
    /// The owner's others, as they were known before.
    known: Vec<[u8; 32]>,
}

enum NotMade {
    SignedOut,
    NotProved,
    Rule(Refusal),
}

impl Command<Campus> for Make {
    type Answer = Listed;
    type Refusal = NotMade;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let row = Key::Tokens(self.wish.subject);
        let live = seen.row(&row).and_then(Row::tokens).cloned().unwrap_or_default();
        let tokens = self.known.iter().chain(&live).chain([&self.key]).map(|key| Key::Credential(*key));
        let mut keys: Vec<Key> = tokens.chain(person_of(self.wish.subject)).chain([Key::Epoch]).collect();
        if let Subject::Person(person) = self.wish.subject {
            keys.extend(inbox::needs(seen, person));
        }
        keys.extend(self.by.into_iter().flat_map(|by| session::needs(seen, by)));
        keys.push(row);
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Listed, Halt<Campus, NotMade>> {
        let now = desk.now();
        self.check_session(desk)?;
        let resting = Resting::on(desk, self.wish.subject)?;
        if let Some(made) = desk.get(&Key::Credential(self.key))?.and_then(Row::credential) {
            return match made.subject == self.wish.subject {
                true => Ok(resting.listed(&self.key, made, now)),
                false => Err(Halt::Broken("the secret of a token was drawn twice".to_owned())),
            };
        }
        let row = Key::Tokens(self.wish.subject);
        let mut live = Vec::new();
        // A book of before this row has none; then every token is among the known ones.
        let before = desk.get(&row)?.and_then(Row::tokens).unwrap_or(&self.known).clone();
        for key in before {
            let token = desk.get(&Key::Credential(key))?.and_then(Row::credential);
            if token.is_some_and(|token| resting.life(token, now) == Life::Live) {
                live.push(key);
            }
        }
        let made = credential::make(&self.wish, resting.secret.as_ref(), live.len(), now);
        let made = made.map_err(|refusal| Halt::Refuse(NotMade::Rule(refusal)))?;
        for key in &self.known {
            let token = desk.get(&Key::Credential(*key))?.and_then(Row::credential);
            if token.is_some_and(|token| token.forgotten(now)) {
                desk.delete(Key::Credential(*key))?;
            }
        }
        live.push(self.key);
        desk.put(row, Row::Tokens(live))?;
        desk.put(Key::Credential(self.key), Row::Credential(Box::new(made.clone())))?;
        if let Subject::Person(person) = self.wish.subject {
            inbox::tell(desk, person, Message::TokenMade)?;
        }
        Ok(resting.listed(&self.key, &made, now))
    }
}

impl Make {
    /// Whether the session that asks lives at this moment, and its holder proved lately who they are. The page looked
    /// before; a new password may have come in between, and a token must not outlive what it rests on.
    fn check_session(&self, desk: &Desk<'_, Campus>) -> Result<(), Halt<Campus, NotMade>> {
        let Some(by) = self.by else { return Ok(()) };
        let session = living(desk, by)?.filter(|session| self.wish.subject == Subject::Person(session.person));
        let Some(session) = session.filter(|session| !session.must_change) else {
            return Err(Halt::Refuse(NotMade::SignedOut));
        };
        match rules::session::proved(session.proved_at, desk.now()) {
            true => Ok(()),
            false => Err(Halt::Refuse(NotMade::NotProved)),
        }
    }
}

/// Tokens of an owner, newest first: all that live, and the newest of those that ended; those that ended long ago are left
/// out.
///
/// Errors: a committed row could not be read. Repeats: harmless.
pub async fn list(school: &School, subject: Subject) -> Result<Vec<Listed>, ReadFault> {
    let keys = keys(school, subject).await?;
    let resting = Resting::committed(school, subject).await?;
    let asked: Vec<Key> = keys.iter().map(|key| Key::Credential(*key)).collect();
    let rows = school.rows(&asked).await?;
    let now = school.now();
    let shown = keys.iter().zip(&rows).filter_map(|(key, row)| {
        let token = row.as_ref().and_then(Row::credential)?;
        Some(resting.listed(key, token, now)).filter(|_| !token.forgotten(now))
    });
    Ok(shown.collect())
}

/// Ends the owner's token of this number, as [`list`] gives it. From then on it opens nothing, in whatever request.
///
/// Errors: `Unknown`, also for a token of somebody else; `Unavailable`. Repeats: ended stays ended, at the first moment.
pub async fn revoke(school: &School, subject: Subject, token: Id) -> Result<(), CredentialRefusal> {
    let key = keys(school, subject).await?.into_iter().find(|key| number(key) == token);
    let key = key.ok_or(CredentialRefusal::Unknown)?;
    match school.submit(Revoke { key, subject }).await {
        Ok(()) => Ok(()),
        Err(Rejected::Refused(Gone)) => Err(CredentialRefusal::Unknown),
        Err(Rejected::Fault(fault)) => Err(CredentialRefusal::Unavailable(fault.into())),
    }
}

struct Revoke {
    key: [u8; 32],
    subject: Subject,
}

/// There is no such token.
struct Gone;

impl Command<Campus> for Revoke {
    type Answer = ();
    type Refusal = Gone;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Credential(self.key)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Gone>> {
        let now = desk.now();
        let token = desk.get(&Key::Credential(self.key))?.and_then(Row::credential);
        let Some(token) = token.filter(|token| token.subject == self.subject) else { return Err(Halt::Refuse(Gone)) };
        if token.revoked_at.is_none() {
            let ended = Credential { revoked_at: Some(now), ..token.clone() };
            desk.put(Key::Credential(self.key), Row::Credential(Box::new(ended)))?;
        }
        Ok(())
    }
}

/// The live token with this secret, if there is one.
///
/// Its last use is written down once a campus day. If that cannot be written now, the token is given all the same.
/// Errors: a committed row could not be read. Repeats: harmless.
pub async fn look(school: &School, secret: &[u8; 32]) -> Result<Option<Credential>, ReadFault> {
    let key = school.secrets.token_hash(secret);
    let Some(token) = school.row(&Key::Credential(key)).await?.and_then(|row| row.credential().cloned()) else {
        return Ok(None);
    };
    let resting = Resting::committed(school, token.subject).await?;
    let now = school.now();
    if resting.life(&token, now) != Life::Live {
        return Ok(None);
    }
    if !token.used_is_old(now) {
        return Ok(Some(token));
    }
    match school.submit(Use { key, subject: token.subject }).await {
        Ok(token) => Ok(Some(token)),
        Err(Rejected::Refused(Gone)) => Ok(None),
        Err(Rejected::Fault(_)) => Ok(Some(token)),
    }
}

/// Writes down that a token is used.
struct Use {
    key: [u8; 32],
    subject: Subject,
}

impl Command<Campus> for Use {
    type Answer = Credential;
    type Refusal = Gone;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        [Key::Credential(self.key), Key::Epoch].into_iter().chain(person_of(self.subject)).collect()
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Credential, Halt<Campus, Gone>> {
        let now = desk.now();
        let resting = Resting::on(desk, self.subject)?;
        let token = desk.get(&Key::Credential(self.key))?.and_then(Row::credential);
        let Some(token) = token.filter(|token| resting.life(token, now) == Life::Live).cloned() else {
            return Err(Halt::Refuse(Gone));
        };
        if !token.used_is_old(now) {
            return Ok(token);
        }
        let used = Credential { used_at: Some(now), ..token };
        desk.put(Key::Credential(self.key), Row::Credential(Box::new(used.clone())))?;
        Ok(used)
    }
}

/// What tokens of one owner rest on.
struct Resting {
    secret: Option<Secret>,
    restored: Option<Micros>,
}

impl Resting {
    async fn committed(school: &School, subject: Subject) -> Result<Resting, ReadFault> {
        let keys: Vec<Key> = [Key::Epoch].into_iter().chain(person_of(subject)).collect();
        let rows = school.rows(&keys).await?;
        let row = |at: usize| rows.get(at).and_then(Option::as_ref);
        Ok(Resting {
            restored: row(0).and_then(Row::epoch).map(|epoch| epoch.since),
            secret: row(1).and_then(Row::person).map(|holder| holder.password.secret.clone()),
        })
    }

    /// Needs [`Key::Epoch`] and the person, if the subject is one.
    fn on(desk: &Desk<'_, Campus>, subject: Subject) -> Result<Resting, NotLoaded<Key>> {
        let holder = match subject {
            Subject::Person(person) => desk::person(desk, person)?,
            Subject::School => None,
        };
        Ok(Resting {
            secret: holder.map(|holder| holder.password.secret.clone()),
            restored: epoch::newest(desk)?.map(|epoch| epoch.since),
        })
    }

    fn life(&self, token: &Credential, now: Micros) -> Life {
        token.life(self.secret.as_ref(), self.restored, now)
    }

    fn listed(&self, key: &[u8; 32], token: &Credential, now: Micros) -> Listed {
        Listed { number: number(key), credential: token.clone(), life: self.life(token, now) }
    }
}

fn person_of(subject: Subject) -> Option<Key> {
    match subject {
        Subject::Person(person) => Some(Key::Person(person)),
        Subject::School => None,
    }
}

/// Keys of an owner's tokens, newest first: every one that lives, however many were made and ended after it.
async fn keys(school: &School, subject: Subject) -> Result<Vec<[u8; 32]>, ReadFault> {
    let ask = ListAsk {
        list: lists::CREDENTIALS,
        owner: owner(subject),
        from: i64::MIN,
        to: i64::MAX,
        backwards: true,
        most: LOOKED_AT,
    };
    let places = school.list(ask).await?;
    let mut keys: Vec<[u8; 32]> = places.iter().filter_map(|place| place.key[..].try_into().ok()).collect();
    let live = school.row(&Key::Tokens(subject)).await?.and_then(|row| row.tokens().cloned()).unwrap_or_default();
    let older: Vec<[u8; 32]> = live.into_iter().rev().filter(|key| !keys.contains(key)).collect();
    keys.extend(older);
    Ok(keys)
}
