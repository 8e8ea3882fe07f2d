//! Signing in with number and query password, and signing out (R24 to R26).

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::people::initial_password_hint;
use flows::session;
use flows::sign_in::{SignInRefusal, SignedIn, sign_in};
use serde::Deserialize;

use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::{Failure, next_of};
use crate::page::{self, Frame};
use crate::visit::{Guest, Sent, Visit};

/// Where to go on afterwards.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    pub(crate) next: String,
}

/// What the form posts.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    number: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    number: String,
    next: String,
    hint: String,
    /// The browser was signed in, and is no longer.
    over: bool,
    error: Option<String>,
}

/// `GET /sign-in`
pub(crate) async fn page(
    State(web): State<Web>,
    visit: Visit,
    guest: Result<Guest, Failure>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    match guest {
        Ok(_) => Ok(go_on(&asked.next)),
        Err(Failure::SignInFirst { .. }) => {
            form(&web, &visit, StatusCode::OK, Typed { next: asked.next, ..Typed::default() }, None).await
        }
        Err(failure) => Err(failure),
    }
}

/// `POST /sign-in`: a new session, or the form again. The password is never written back.
pub(crate) async fn submit(
    State(web): State<Web>,
    visit: Visit,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    match sign_in(&web.school, &typed.number, &typed.password).await {
        Ok(signed_in) => Ok(enter(&visit, &signed_in, &typed.next)),
        Err(SignInRefusal::Failed(words)) => {
            let error = visit.language.words(&words).to_owned();
            form(&web, &visit, StatusCode::UNPROCESSABLE_ENTITY, typed, Some(error)).await
        }
        Err(SignInRefusal::Unavailable(why)) => Err(why.into()),
    }
}

/// `POST /sign-out`: ends every session of the holder.
pub(crate) async fn out(
    State(web): State<Web>,
    visit: Visit,
    Sent(Asked { .. }): Sent<Asked>,
) -> Result<Response, Failure> {
    if let Some(token) = &visit.session_token {
        session::sign_out(&web.school, token).await?;
    }
    let mut answer = page::see_other("/sign-in");
    for cookie in [Cookie::Session, Cookie::Payer, Cookie::WeChatVisit] {
        page::add_cookie(&mut answer, cookie.clear(visit.secure));
    }
    Ok(answer)
}

#[derive(Template)]
#[template(path = "go_on.html")]
struct GoOnPage {
    frame: Frame,
    next: String,
}

/// `GET /continue?next=`: goes on by a fresh navigation. A page that sends the browser on to WeChat would otherwise be part
/// of the form's own redirects, and browsers hold those to the form's `form-action`.
pub(crate) async fn resume(
    State(web): State<Web>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let next = next_of(&asked.next).unwrap_or("/me").to_owned();
    let frame = Frame::new(&web, &visit, visit.language.t("go-on-title"));
    Ok(page::html(&visit, StatusCode::OK, &GoOnPage { frame, next }))
}

/// The answer that hands a new session to the browser.
pub(crate) fn enter(visit: &Visit, signed_in: &SignedIn, next: &str) -> Response {
    let mut answer = match (signed_in.must_change, signed_in.reminder) {
        (true, _) => page::go_with_next("/password", next),
        (false, true) => page::see_other("/me?remind=password"),
        (false, false) => go_on(next),
    };
    page::add_cookie(&mut answer, Cookie::Session.set_bytes(&signed_in.token, visit.secure));
    answer
}

fn go_on(next: &str) -> Response {
    match next_of(next) {
        Some(_) => page::go_with_next("/continue", next),
        None => page::see_other("/me"),
    }
}

async fn form(
    web: &Web,
    visit: &Visit,
    status: StatusCode,
    typed: Typed,
    error: Option<String>,
) -> Result<Response, Failure> {
    let hint = initial_password_hint(&web.school).await?;
    let page = SignInPage {
        frame: Frame::new(web, visit, visit.language.t("sign-in-title")),
        number: typed.number,
        next: typed.next,
        hint: visit.language.words(&hint).to_owned(),
        over: visit.session_token.is_some(),
        error,
    };
    Ok(page::html(visit, status, &page))
}
