//! A holder who is signed in types the password again, before what gives access to others or opens a door.

use askama::Template;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use flows::proof::{ProofRefusal, prove};
use rules::ids::PersonId;
use serde::Deserialize;

use crate::apart::to_its_end;
use crate::api;
use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::{Failure, next_of, page_before};
use crate::page::{self, Frame};
use crate::sign_in::Asked;
use crate::visit::{Client, Guest, Holder, Sent, Visit, seal_payer};

/// A holder who proved in the last ten minutes who they are.
pub struct Proved {
    /// The request.
    pub visit: Visit,
    /// The session's token.
    pub token: [u8; 32],
    /// Who.
    pub person: PersonId,
}

impl FromRequestParts<Web> for Proved {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Proved, Failure> {
        let Guest { visit, token, session } = Guest::from_request_parts(parts, web).await?;
        if session.must_change {
            return Err(Failure::ChangeFirst { next: visit.path });
        }
        if !rules::session::proved(session.proved_at, web.school.now()) {
            return Err(Failure::ProveFirst { next: page_of(web, parts) });
        }
        Ok(Proved { visit, token, person: session.person })
    }
}

/// The page to come back to: this one, or the one whose form was sent.
fn page_of(web: &Web, parts: &Parts) -> String {
    if parts.method == Method::GET {
        return parts.uri.path().to_owned();
    }
    page_before(&web.config.base_url, &parts.headers).unwrap_or("/me/security").to_owned()
}

/// What the form posts.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "prove.html")]
struct ProvePage {
    frame: Frame,
    next: String,
    error: Option<String>,
}

/// `GET /prove?next=`
pub(crate) async fn page(State(web): State<Web>, holder: Holder, Query(asked): Query<Asked>) -> Response {
    form(&web, &holder.visit, StatusCode::OK, asked.next, None)
}

/// `POST /prove`: on to the page that asked for it, or the form again. No password is ever written back.
pub(crate) async fn submit(
    State(web): State<Web>,
    guest: Guest,
    client: Client,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let visit = &guest.visit;
    match to_its_end(check(web.clone(), guest.token, client, typed.password)).await? {
        Ok(fresh) => {
            let next = next_of(&typed.next).unwrap_or("/me/security");
            // The next page may lead on to WeChat, and a form's redirects may not.
            let mut answer =
                if visit.in_wechat { page::go_with_next("/continue", next) } else { page::see_other(next) };
            carry_on(&web, &guest, &fresh, &mut answer);
            Ok(answer)
        }
        Err(refusal) => {
            let sentence = visit.language.words(&refusal.words()).to_owned();
            Ok(form(&web, visit, StatusCode::UNPROCESSABLE_ENTITY, typed.next, Some(sentence)))
        }
    }
}

/// What a program posts.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProofAsked)]
pub(crate) struct Asks {
    /// The password.
    password: String,
}

/// `POST /api/v1/me/proof`: `{"password": "..."}`; 204, and the session goes on under a new cookie.
pub(crate) async fn json(
    State(web): State<Web>,
    guest: Guest,
    client: Client,
    api::Sent(asks): api::Sent<Asks>,
) -> Result<Response, Failure> {
    let Asks { password } = asks;
    let fresh = to_its_end(check(web.clone(), guest.token, client, password)).await?;
    let fresh = fresh.map_err(|refusal| match refusal {
        ProofRefusal::Locked(locked) => Failure::locked(&locked, web.school.now()),
        refusal => Failure::Words(refusal.words()),
    })?;
    let mut answer = StatusCode::NO_CONTENT.into_response();
    carry_on(&web, &guest, &fresh, &mut answer);
    Ok(answer)
}

/// Through the door at which failures are counted by address. The refusals left are a wrong password and a locked door.
async fn check(
    web: Web,
    token: [u8; 32],
    client: Client,
    password: String,
) -> Result<Result<[u8; 32], ProofRefusal>, Failure> {
    let tried = web.doors.password(&web, &client).await?;
    match prove(&web.school, &token, &password).await {
        Ok(fresh) => {
            tried.was_no_failure();
            Ok(Ok(fresh))
        }
        Err(refusal @ (ProofRefusal::Wrong | ProofRefusal::Locked(_))) => Ok(Err(refusal)),
        Err(ProofRefusal::SignedOut) => {
            tried.was_no_failure();
            Err(Failure::SignInFirst { next: String::new() })
        }
        Err(ProofRefusal::Unavailable(why)) => {
            tried.was_no_failure();
            Err(why.into())
        }
    }
}

/// The session goes on under a new token, and what was sealed for the old one is sealed for it.
fn carry_on(web: &Web, guest: &Guest, fresh: &[u8; 32], answer: &mut Response) {
    let visit = &guest.visit;
    page::add_cookie(answer, Cookie::session(guest.session.kind, fresh, visit.secure));
    if let Some(sealed) = visit.payer(web).and_then(|openid| seal_payer(web, fresh, &openid)) {
        page::add_cookie(answer, Cookie::Payer.set_bytes(&sealed, visit.secure));
    }
}

fn form(web: &Web, visit: &Visit, status: StatusCode, next: String, error: Option<String>) -> Response {
    let frame = Frame::new(web, visit, visit.language.t("prove-title")).below("/me/security");
    page::html(visit, status, &ProvePage { frame, next, error })
}
