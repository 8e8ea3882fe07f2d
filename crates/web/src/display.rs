//! The switches of language and look: the choice is kept in a cookie and drawn by the server, so nothing flashes.

use axum::response::Response;
use serde::Deserialize;

use crate::cookies::Cookie;
use crate::failure::Failure;
use crate::page;
use crate::text::Language;
use crate::visit::{Sent, Theme, Visit, own_address};

/// What a switch posts.
#[derive(Deserialize)]
pub(crate) struct Switch {
    #[serde(default)]
    back: String,
    language: Option<String>,
    theme: Option<String>,
}

/// `POST /display`: keeps the choice and goes back to the page it was made on.
pub(crate) async fn set(visit: Visit, Sent(switch): Sent<Switch>) -> Result<Response, Failure> {
    let mut answer = page::see_other(own_address(&switch.back).unwrap_or("/"));
    if let Some(language) = switch.language.as_deref().and_then(Language::from_tag) {
        page::add_cookie(&mut answer, Cookie::Language.set(language.tag(), visit.secure));
    }
    if let Some(theme) = switch.theme.as_deref().and_then(Theme::from_tag) {
        page::add_cookie(&mut answer, Cookie::Theme.set(theme.tag(), visit.secure));
    }
    Ok(answer)
}
