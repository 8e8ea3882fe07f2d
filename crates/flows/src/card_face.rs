//! What stands on a card: for the card office, which prints it and writes it to the chip.

use rules::ids::{CardNo, PersonId};
use rules::pii::Pii;
use rules::roster::Category;

use crate::ports::Field;
use crate::rows::{Key, Row};
use crate::unavailable::Unavailable;
use crate::{ReadFault, School, people};

/// A holder as a card shows one. The name is in clear: for the card alone, never for a page or a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFace {
    /// Who.
    pub person: PersonId,
    /// Student or staff number.
    pub number: String,
    /// Name in clear.
    pub name: Pii<String>,
    /// Department; empty when none is known.
    pub department: String,
    /// Student or staff.
    pub category: Category,
    /// The card that the holder has now.
    pub card: Option<CardNo>,
}

/// The face of the card of who has this student or staff number; `None` for nobody.
///
/// Errors: [`Unavailable`], also when the sealed name does not open. Repeats: changes nothing.
pub async fn of_number(school: &School, number: &str) -> Result<Option<CardFace>, Unavailable> {
    let Some(person) = people::find_by_number(school, number).await? else { return Ok(None) };
    let row = school.row(&Key::Person(person)).await?;
    let Some(holder) = row.as_ref().and_then(Row::person) else { return Ok(None) };
    let name = school.secrets.open(Field::Name, person.0, &holder.name)?;
    Ok(Some(CardFace {
        person,
        number: holder.number.clone(),
        name,
        department: holder.department.clone(),
        category: holder.category,
        card: holder.card,
    }))
}

/// Whose card has this number, if it stands in the book.
pub async fn holder_of(school: &School, card: CardNo) -> Result<Option<PersonId>, ReadFault> {
    Ok(school.row(&Key::Card(card)).await?.as_ref().and_then(Row::card).map(|card| card.person))
}
