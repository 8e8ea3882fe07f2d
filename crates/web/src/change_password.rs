//! Changing the query password, because it is the first one or because the holder wants to (R26, R77).

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::change_password::{ChangeRefusal, change_password};
use serde::Deserialize;

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::sign_in::{Asked, enter};
use crate::visit::{Guest, Sent, Visit};

/// What the form posts.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    old: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
    #[serde(default)]
    next: String,
}

/// At which field the form stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Old,
    New,
    Again,
}

#[derive(Template)]
#[template(path = "change_password.html")]
struct ChangePage {
    frame: Frame,
    forced: bool,
    next: String,
    error: Option<(Field, String)>,
}

impl ChangePage {
    fn error_at(&self, field: Field) -> Option<&str> {
        self.error.as_ref().filter(|(at, _)| *at == field).map(|(_, sentence)| sentence.as_str())
    }

    fn old_error(&self) -> Option<&str> {
        self.error_at(Field::Old)
    }

    fn new_error(&self) -> Option<&str> {
        self.error_at(Field::New)
    }

    fn again_error(&self) -> Option<&str> {
        self.error_at(Field::Again)
    }
}

/// `GET /password`
pub(crate) async fn page(State(web): State<Web>, guest: Guest, Query(asked): Query<Asked>) -> Response {
    form(&web, &guest, StatusCode::OK, asked.next, None)
}

/// `POST /password`: the new password and a new session, or the form again. No password is ever written back.
pub(crate) async fn submit(
    State(web): State<Web>,
    guest: Guest,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let visit: &Visit = &guest.visit;
    let again = |field, sentence: String| {
        form(&web, &guest, StatusCode::UNPROCESSABLE_ENTITY, typed.next.clone(), Some((field, sentence)))
    };
    if typed.new != typed.again {
        return Ok(again(Field::Again, visit.language.t("password-again-differs").to_string()));
    }
    let refusal = match change_password(&web.school, &guest.token, &typed.old, &typed.new).await {
        Ok(signed_in) => return Ok(enter(visit, &signed_in, &typed.next)),
        Err(refusal) => refusal,
    };
    let sentence = visit.language.words(&refusal.words()).to_owned();
    match refusal {
        ChangeRefusal::Locked(_) | ChangeRefusal::OldWrong => Ok(again(Field::Old, sentence)),
        ChangeRefusal::Weak(_) => Ok(again(Field::New, sentence)),
        ChangeRefusal::SignedOut => Err(Failure::SignInFirst { next: String::new() }),
        ChangeRefusal::Unavailable(why) => Err(why.into()),
    }
}

fn form(web: &Web, guest: &Guest, status: StatusCode, next: String, error: Option<(Field, String)>) -> Response {
    let frame = Frame::new(web, &guest.visit, guest.visit.language.t("password-title"));
    let forced = guest.session.must_change;
    let frame = if forced { frame } else { frame.below("/me") };
    page::html(&guest.visit, status, &ChangePage { frame, forced, next, error })
}
