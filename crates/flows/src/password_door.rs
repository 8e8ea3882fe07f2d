//! The two halves of every password check: the try is counted in one command, then compared off the executor. What a
//! right password opens is decided by a second command, which looks again at the password it was compared with.

use std::convert::Infallible;

use rules::calendar::campus_day;
use rules::ids::PersonId;
use rules::limits::Limits;
use rules::password::{Holder, Locked, Secret, XRule, fits_initial, right, try_now};
use rules::person::Person;
use teller::{Command, Desk, Fault, Halt, NotLoaded, Rejected, Seen};

use crate::ports::{Field, SealBroken};
use crate::rows::{Campus, Key, Row, Strangers};
use crate::unavailable::Unavailable;
use crate::{School, desk};

/// Who knocks.
#[derive(Clone, Debug)]
pub(crate) enum Knock {
    /// Somebody with this number, normalised; `None` for a text that cannot be a number.
    Number(Option<String>),
    /// This holder.
    Person(PersonId),
}

/// Counts a try. All tries write one row and take one commit, so that the time tells nothing of whether a number exists.
pub(crate) struct CountTry(pub Knock);

/// A counted try.
pub(crate) struct Counted {
    /// What to compare with.
    pub tried: Tried,
    /// What held when it was counted.
    pub limits: Limits,
}

pub(crate) enum Tried {
    /// It may be compared.
    Open(Box<Known>),
    /// The door is locked.
    Locked(Locked),
    /// Nobody has this number.
    Unknown,
}

/// What a try is compared with. No `Debug`: secrets.
pub(crate) struct Known {
    pub id: PersonId,
    pub secret: Secret,
    pub number: String,
    pub document: Vec<u8>,
    pub identity_card: bool,
    pub rule: XRule,
}

impl Known {
    pub(crate) fn of(id: PersonId, person: &Person, limits: &Limits) -> Known {
        Known {
            id,
            secret: person.password.secret.clone(),
            number: person.number.clone(),
            document: person.document.clone(),
            identity_card: person.identity_card,
            rule: XRule::of(limits),
        }
    }

    /// Opens the document and looks at the holder with it.
    pub(crate) fn with_holder<T>(&self, school: &School, look: impl FnOnce(&Holder<'_>) -> T) -> Result<T, SealBroken> {
        let document = school.secrets.open(Field::IdentityNumber, self.id.0, &self.document)?;
        let document = document.expose_for("the first password is a part of it, a new one must not be");
        Ok(look(&Holder { number: &self.number, document, identity_card: self.identity_card }))
    }
}

impl Command<Campus> for CountTry {
    type Answer = Counted;
    type Refusal = Infallible;

    fn needs(&self, seen: &Seen<'_, Campus>) -> Vec<Key> {
        let mut keys = vec![Key::Settings, Key::Strangers];
        match &self.0 {
            Knock::Person(id) => keys.push(Key::Person(*id)),
            Knock::Number(None) => {}
            Knock::Number(Some(number)) => {
                let number = Key::Number(number.clone());
                keys.extend(seen.row(&number).and_then(Row::holder).map(|id| Key::Person(*id)));
                keys.push(number);
            }
        }
        keys
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<Counted, Halt<Campus, Infallible>> {
        let limits = desk::limits(desk)?;
        let id = match &self.0 {
            Knock::Person(id) => Some(*id),
            Knock::Number(None) => None,
            Knock::Number(Some(number)) => desk::by_number(desk, number)?,
        };
        let holder = match id {
            Some(id) => desk::person(desk, id)?.cloned().map(|holder| (id, holder)),
            None => None,
        };
        let Some((id, mut holder)) = holder else {
            count_stranger(desk)?;
            return Ok(Counted { tried: Tried::Unknown, limits });
        };
        let tried = match try_now(&holder.password, &limits, desk.now()) {
            Ok(counted) => {
                holder.password = counted;
                Tried::Open(Box::new(Known::of(id, &holder, &limits)))
            }
            Err(locked) => {
                holder.password = locked.counted.clone();
                Tried::Locked(locked)
            }
        };
        desk.put(Key::Person(id), Row::Person(Box::new(holder)))?;
        Ok(Counted { tried, limits })
    }
}

fn count_stranger(desk: &mut Desk<'_, Campus>) -> Result<(), NotLoaded<Key>> {
    let day = campus_day(desk.now()).0;
    let counted = desk.get(&Key::Strangers)?.and_then(Row::strangers).copied().filter(|counted| counted.day == day);
    let tries = counted.unwrap_or_default().tries.saturating_add(1);
    desk.put(Key::Strangers, Row::Strangers(Strangers { day, tries }))
}

/// Counts a try. Error: the teller could not; then the try must not be compared.
pub(crate) async fn count(school: &School, knock: Knock) -> Result<Counted, Fault> {
    match school.submit(CountTry(knock)).await {
        Ok(counted) => Ok(counted),
        Err(Rejected::Fault(fault)) => Err(fault),
        Err(Rejected::Refused(never)) => match never {},
    }
}

/// Whether `typed` is right. The slow work is the same for a first password, for nobody and for a locked door.
pub(crate) async fn is_right(school: &School, known: Option<&Known>, typed: &str) -> Result<bool, SealBroken> {
    let hash = known.and_then(|known| match &known.secret {
        Secret::Own { hash, .. } => Some(hash.as_str()),
        Secret::Initial => None,
    });
    let by_hash = school.secrets.check_password(typed, hash).await;
    match known {
        Some(known) if known.secret == Secret::Initial => {
            known.with_holder(school, |holder| fits_initial(typed, holder, known.rule))
        }
        Some(_) => Ok(by_hash),
        None => Ok(false),
    }
}

/// Why somebody who is signed in already is not let on.
pub(crate) enum Shut {
    /// Too many wrong tries.
    Locked(Locked),
    /// The password is wrong.
    Wrong,
    /// There is no such holder any more.
    Gone,
    /// The server could not say.
    Unavailable(Unavailable),
}

/// A holder who is signed in types the password again, at the same door as at sign-in: every call is a counted try.
pub(crate) async fn admit(school: &School, person: PersonId, typed: &str) -> Result<Box<Known>, Shut> {
    let unavailable = |why: Unavailable| Shut::Unavailable(why);
    let counted = count(school, Knock::Person(person)).await.map_err(|fault| unavailable(fault.into()))?;
    let known = match counted.tried {
        Tried::Open(known) => known,
        Tried::Locked(locked) => return Err(Shut::Locked(locked)),
        Tried::Unknown => return Err(Shut::Gone),
    };
    let fits = is_right(school, Some(&known), typed).await.map_err(|broken| unavailable(broken.into()))?;
    if fits { Ok(known) } else { Err(Shut::Wrong) }
}

/// The password was right: what was counted for it is taken back.
pub(crate) async fn forgive(school: &School, known: &Known) -> Result<(), Unavailable> {
    match school.submit(Forgive { person: known.id, secret: known.secret.clone() }).await {
        Ok(()) => Ok(()),
        Err(Rejected::Fault(fault)) => Err(fault.into()),
        Err(Rejected::Refused(never)) => match never {},
    }
}

struct Forgive {
    person: PersonId,
    secret: Secret,
}

impl Command<Campus> for Forgive {
    type Answer = ();
    type Refusal = Infallible;

    fn needs(&self, _: &Seen<'_, Campus>) -> Vec<Key> {
        vec![Key::Person(self.person)]
    }

    fn decide(&self, desk: &mut Desk<'_, Campus>) -> Result<(), Halt<Campus, Infallible>> {
        if let Some(mut holder) = desk::person(desk, self.person)?.cloned()
            && holder.password.secret == self.secret
        {
            holder.password = right(&holder.password);
            desk.put(Key::Person(self.person), Row::Person(Box::new(holder)))?;
        }
        Ok(())
    }
}
