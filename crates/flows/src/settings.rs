//! The settings in force (R93).

use rules::limits::Limits;

use crate::rows::{Key, Row};
use crate::{ReadFault, School};

/// What holds now.
pub async fn limits(school: &School) -> Result<Limits, ReadFault> {
    let row = school.row(&Key::Settings).await?;
    let history = row.as_ref().and_then(Row::settings);
    Ok(Limits::at(history.map_or(&[], Vec::as_slice), school.now()))
}
