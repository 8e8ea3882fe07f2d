//! Changing the query password, because it is the first one or because the holder wants to (R26, R77).

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flows::change_password::{ChangeRefusal, change_password};
use flows::sign_in::SignedIn;
use rules::password::{MAX_LENGTH, MIN_LENGTH};
use serde::Deserialize;

use crate::apart::to_its_end;
use crate::api;
use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::Failure;
use crate::page::{self, Done, Frame};
use crate::sign_in::{Asked, enter};
use crate::visit::{Client, Guest, Sent, Visit};

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
    /// Fewest and most characters.
    lengths: (usize, usize),
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
    client: Client,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let visit: &Visit = &guest.visit;
    let again = |field, sentence: String| {
        form(&web, &guest, StatusCode::UNPROCESSABLE_ENTITY, typed.next.clone(), Some((field, sentence)))
    };
    if typed.new != typed.again {
        return Ok(again(Field::Again, visit.language.t("password-again-differs").to_string()));
    }
    let changed = change(web.clone(), guest.token, client, typed.old.clone(), typed.new.clone());
    let refusal = match to_its_end(changed).await? {
        Ok(signed_in) => {
            let mut answer = enter(visit, guest.session.kind, &signed_in, &typed.next);
            page::confirm(&mut answer, visit, Done::Password);
            return Ok(answer);
        }
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

/// The change itself, through the door at which failures are counted by address.
async fn change(
    web: Web,
    token: [u8; 32],
    client: Client,
    old: String,
    new: String,
) -> Result<Result<SignedIn, ChangeRefusal>, Failure> {
    let tried = web.doors.password(&web, &client).await?;
    let changed = change_password(&web.school, &token, &old, &new).await;
    match &changed {
        Err(ChangeRefusal::OldWrong | ChangeRefusal::Locked(_)) => {}
        Ok(_) | Err(ChangeRefusal::Weak(_) | ChangeRefusal::SignedOut | ChangeRefusal::Unavailable(_)) => {
            tried.was_no_failure();
        }
    }
    Ok(changed)
}

/// What a program posts.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordAsked)]
pub(crate) struct Asks {
    /// The present one.
    old: String,
    /// The new one.
    new: String,
}

/// `POST /api/v1/me/password`: `{"old": "...", "new": "..."}`; 204, and a new session in the cookie.
pub(crate) async fn json(
    State(web): State<Web>,
    guest: Guest,
    client: Client,
    api::Sent(asks): api::Sent<Asks>,
) -> Result<Response, Failure> {
    let Asks { old, new } = asks;
    match to_its_end(change(web.clone(), guest.token, client, old, new)).await? {
        Ok(signed_in) => {
            let mut answer = StatusCode::NO_CONTENT.into_response();
            let cookie = Cookie::session(guest.session.kind, &signed_in.token, guest.visit.secure);
            page::add_cookie(&mut answer, cookie);
            Ok(answer)
        }
        Err(ChangeRefusal::SignedOut) => Err(Failure::SignInFirst { next: String::new() }),
        Err(ChangeRefusal::Unavailable(why)) => Err(why.into()),
        Err(ChangeRefusal::Locked(locked)) => Err(Failure::locked(&locked, web.school.now())),
        Err(refusal) => Err(refusal.words().into()),
    }
}

fn form(web: &Web, guest: &Guest, status: StatusCode, next: String, error: Option<(Field, String)>) -> Response {
    let frame = Frame::new(web, &guest.visit, guest.visit.language.t("password-title"));
    let forced = guest.session.must_change;
    let frame = if forced { frame } else { frame.below("/me/security") };
    page::html(&guest.visit, status, &ChangePage { frame, forced, lengths: (MIN_LENGTH, MAX_LENGTH), next, error })
}
