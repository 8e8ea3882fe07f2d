//! Signing in with number and query password, and signing out (R24 to R26).

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::people::initial_password_hint;
use flows::session;
use flows::sign_in::{SignInRefusal, SignedIn, sign_in_from};
use rules::agent::Agent;
use rules::session::Kind;
use rules::words::Words;
use serde::Deserialize;

use crate::apart::to_its_end;
use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::{Failure, next_of};
use crate::page::{self, Done, Frame};
use crate::text::Text;
use crate::visit::{Client, Guest, Sent, Visit};

/// Where to go on afterwards.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    pub(crate) next: String,
    /// Why the password is asked for inside WeChat: chosen, the user is bound to nobody, WeChat does not answer.
    #[serde(default)]
    pub(crate) by: String,
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
    #[serde(default)]
    by: String,
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
    /// Inside WeChat: what is said of coming in by it.
    wechat: Option<Text>,
}

/// Inside WeChat the way in is WeChat itself.
#[derive(Template)]
#[template(path = "wechat_enter.html")]
struct WeChatPage {
    frame: Frame,
    onward: String,
    password: String,
}

/// The password form inside WeChat, which says why it is shown: `by` is `password`, `unbound` or `silent`.
pub(crate) fn address(by: &str, next: &str) -> String {
    match next_of(next) {
        Some(next) => format!("/sign-in?by={by}&next={}", page::in_query(next)),
        None => format!("/sign-in?by={by}"),
    }
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
        Err(Failure::SignInFirst { .. }) if visit.in_wechat && asked.by.is_empty() => {
            Ok(to_wechat(&web, &visit, &asked))
        }
        Err(Failure::SignInFirst { .. }) => {
            let typed = Typed { next: asked.next, by: asked.by, ..Typed::default() };
            form(&web, &visit, StatusCode::OK, typed, None).await
        }
        Err(failure) => Err(failure),
    }
}

/// On to WeChat by a fresh navigation: browsers hold the redirects of a form to the form's `form-action`.
fn to_wechat(web: &Web, visit: &Visit, asked: &Asked) -> Response {
    let onward = match next_of(&asked.next) {
        Some(next) => format!("/wechat/enter?next={}", page::in_query(next)),
        None => "/wechat/enter".to_owned(),
    };
    let frame = Frame::new(web, visit, visit.language.t("sign-in-title"));
    let page = WeChatPage { frame, onward, password: address("password", &asked.next) };
    page::html(visit, StatusCode::OK, &page)
}

/// `POST /sign-in`: a new session, or the form again. The password is never written back.
pub(crate) async fn submit(
    State(web): State<Web>,
    visit: Visit,
    client: Client,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let knocked = knock(web.clone(), client, visit.agent, typed.number.clone(), typed.password.clone());
    match to_its_end(knocked).await? {
        Ok(signed_in) => Ok(enter(&visit, Kind::Holder, &signed_in, &typed.next)),
        Err(words) => {
            let error = visit.language.words(&words).to_owned();
            form(&web, &visit, StatusCode::UNPROCESSABLE_ENTITY, typed, Some(error)).await
        }
    }
}

/// Through the door at which failures are counted by address. The words are those of whoever is not let in.
async fn knock(
    web: Web,
    client: Client,
    agent: Agent,
    number: String,
    password: String,
) -> Result<Result<SignedIn, Words>, Failure> {
    let tried = web.doors.password(&web, &client).await?;
    match sign_in_from(&web.school, &agent, &number, &password).await {
        Ok(signed_in) => {
            tried.was_no_failure();
            Ok(Ok(signed_in))
        }
        Err(SignInRefusal::Failed(words)) => Ok(Err(words)),
        Err(SignInRefusal::Unavailable(why)) => {
            tried.was_no_failure();
            Err(why.into())
        }
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
    // Inside WeChat who signs out is not let in again at once.
    let way = if visit.in_wechat { address("password", "") } else { "/sign-in".to_owned() };
    let mut answer = page::see_other(&way);
    for cookie in [Cookie::Session, Cookie::Payer, Cookie::WeChatVisit] {
        page::add_cookie(&mut answer, cookie.clear(visit.secure));
    }
    page::confirm(&mut answer, &visit, Done::SignedOut);
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
    mut visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let next = next_of(&asked.next).unwrap_or("/me").to_owned();
    // What was just done is said on the page that it leads to.
    visit.done = None;
    let frame = Frame::new(&web, &visit, visit.language.t("go-on-title"));
    Ok(page::html(&visit, StatusCode::OK, &GoOnPage { frame, next }))
}

/// The answer that hands a new session to the browser.
pub(crate) fn enter(visit: &Visit, kind: Kind, signed_in: &SignedIn, next: &str) -> Response {
    let mut answer = match (signed_in.must_change, signed_in.reminder) {
        (true, _) => page::go_with_next("/password", next),
        (false, true) => page::see_other("/me?remind=password"),
        (false, false) => go_on(next),
    };
    page::add_cookie(&mut answer, Cookie::session(kind, &signed_in.token, visit.secure));
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
        wechat: visit.in_wechat.then(|| {
            visit.language.t(match typed.by.as_str() {
                "unbound" => "sign-in-wechat-unbound",
                "silent" => "sign-in-wechat-silent",
                _ => "sign-in-wechat-later",
            })
        }),
        error,
    };
    Ok(page::html(visit, status, &page))
}
