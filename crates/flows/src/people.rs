//! Holders: imported from a roster, found, shown.

mod import;

use ledger::Micros;
use rules::ids::{CardNo, PersonId};
use rules::mask;
use rules::password::{Secret, initial, initial_hint, reminder};
use rules::person::{Person, Standing};
use rules::pii::Pii;
use rules::roster::{Category, NUMBER_MAX, plain};
use rules::words::Words;

use crate::password_door::Known;
use crate::ports::Field;
use crate::rows::{Key, Row};
use crate::settings::limits;
use crate::unavailable::Unavailable;
use crate::{ReadFault, School};

pub use import::{ImportReport, Line, Outcome, import};

/// A holder as pages show it: personal data is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub person: PersonId,
    /// Student or staff number.
    pub number: String,
    /// Name, such as 林*雨.
    pub name: String,
    /// Phone, such as 138****5678.
    pub phone: Option<String>,
    /// Department; empty when none is known.
    pub department: String,
    /// Student or staff.
    pub category: Category,
    /// Whether the account takes part.
    pub standing: Standing,
    /// The active card.
    pub card: Option<CardNo>,
}

/// Who has this student or staff number, typed with blanks, full-width or in small letters.
pub async fn find_by_number(school: &School, number: &str) -> Result<Option<PersonId>, ReadFault> {
    let number = plain(number);
    if number.is_empty() || number.len() > NUMBER_MAX {
        return Ok(None);
    }
    Ok(school.row(&Key::Number(number)).await?.as_ref().and_then(Row::holder).copied())
}

async fn holder(school: &School, person: PersonId) -> Result<Option<Person>, ReadFault> {
    Ok(school.row(&Key::Person(person)).await?.as_ref().and_then(Row::person).cloned())
}

/// The holder as pages show it; `None` for somebody who is not a holder.
///
/// Errors: [`Unavailable`], also when the sealed name does not open. Source: R51 (masked name).
pub async fn profile(school: &School, person: PersonId) -> Result<Option<Profile>, Unavailable> {
    let Some(holder) = holder(school, person).await? else { return Ok(None) };
    let open = |field, sealed: &[u8]| school.secrets.open(field, person.0, sealed);
    let name = mask::name(open(Field::Name, &holder.name)?.expose_for("it is masked at once"));
    let phone = match &holder.phone {
        Some(sealed) => Some(mask::phone(open(Field::Phone, sealed)?.expose_for("it is masked at once"))),
        None => None,
    };
    Ok(Some(Profile {
        person,
        number: holder.number,
        name,
        phone,
        department: holder.department,
        category: holder.category,
        standing: holder.standing,
        card: holder.card,
    }))
}

/// How it stands with a holder's query password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordAge {
    /// Since when it is the holder's own; `None` while it is the first one.
    pub set_at: Option<Micros>,
    /// A change is recommended (R77).
    pub reminder: bool,
}

/// How it stands with the query password; `None` for somebody who is not a holder. Source: R77.
pub async fn password_age(school: &School, person: PersonId) -> Result<Option<PasswordAge>, ReadFault> {
    let Some(holder) = holder(school, person).await? else { return Ok(None) };
    let set_at = match &holder.password.secret {
        Secret::Initial => None,
        Secret::Own { set_at, .. } => Some(*set_at),
    };
    let reminder = reminder(&holder.password, &limits(school).await?, school.now());
    Ok(Some(PasswordAge { set_at, reminder }))
}

/// A holder with the name in full, for papers of the holder's own.
#[derive(Clone, Debug)]
pub struct Named {
    /// Student or staff number.
    pub number: String,
    /// The name.
    pub name: Pii<String>,
    /// Department.
    pub department: String,
}

/// The holder by name; `None` for somebody who is not a holder. Errors: as [`profile`].
pub async fn named(school: &School, person: PersonId) -> Result<Option<Named>, Unavailable> {
    let Some(holder) = holder(school, person).await? else { return Ok(None) };
    let name = school.secrets.open(Field::Name, person.0, &holder.name)?;
    Ok(Some(Named { number: holder.number, name, department: holder.department }))
}

/// What everyone can read beside the door of what a first password is, as the rule now stands. It speaks of no person.
pub async fn initial_password_hint(school: &School) -> Result<Words, ReadFault> {
    Ok(initial_hint(rules::password::XRule::of(&limits(school).await?)))
}

/// The first password itself, in clear: for the demo, which hands it to whoever tries it, and for the counter, where the
/// holder has shown the document. For nobody else.
///
/// `None` for somebody who is not a holder, and once the holder has set another. Source: R25.
pub async fn reveal_initial_password(school: &School, person: PersonId) -> Result<Option<Pii<String>>, Unavailable> {
    let Some(holder) = holder(school, person).await? else { return Ok(None) };
    if holder.password.secret != Secret::Initial {
        return Ok(None);
    }
    let known = Known::of(person, &holder, &limits(school).await?);
    let passwords = known.with_holder(school, |holder| initial(holder, known.rule))?;
    Ok(passwords.into_iter().next().map(Pii::new))
}
