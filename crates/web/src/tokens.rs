//! Access tokens of a holder, under Security: made, shown once, listed, ended.
//!
//! A token's secret is made from the session's secret and the key of the form, so that the form sent twice is one token,
//! and the page that it leads to can show the secret without anybody having kept it: only in that session, only within
//! [`SHOWN_FOR`] seconds and only as long as nobody used the token.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use flows::credential::{CredentialRefusal, Listed, list, make_own, revoke};
use ledger::Id;
use rules::credential::{self, LIVES, Life, Scope, Subject, Wish};
use serde::Deserialize;

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::text::Text;
// Who makes a token has proved lately who they are; this is the one place that says by which guard.
use crate::proof::Proved as Maker;
use crate::visit::{Holder, Sent, Visit};

/// A new token's secret is shown for so many seconds at most.
const SHOWN_FOR: i64 = 300;

/// What the form posts.
#[derive(Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    read: String,
    #[serde(default)]
    topup: String,
    #[serde(default)]
    card: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    key: String,
}

impl Typed {
    fn has(&self, scope: Scope) -> bool {
        let sent = match scope {
            Scope::Read => &self.read,
            Scope::TopUp => &self.topup,
            Scope::Card => &self.card,
            Scope::EventsRead | Scope::EventsNumbers => return false,
        };
        !sent.is_empty()
    }
}

/// Which new token is shown.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    /// Key of the form that made it.
    #[serde(default)]
    made: String,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    /// Text of a new token.
    fresh: Option<String>,
    tokens: Vec<Line>,
    name: String,
    key: String,
    scopes: Vec<Choice>,
    lives: Vec<Choice>,
    error: Option<String>,
}

struct Choice {
    value: String,
    text: Text,
    chosen: bool,
}

struct Line {
    number: String,
    name: String,
    scopes: String,
    says: Text,
    used: Text,
    live: bool,
}

/// `GET /me/security/tokens`
pub(crate) async fn page(
    State(web): State<Web>,
    holder: Maker,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let tokens = list(&web.school, Subject::Person(holder.person)).await?;
    let fresh = fresh(&web, &holder.visit, &asked.made, &tokens);
    let first = Typed { read: "on".to_owned(), days: LIVES[0].to_string(), ..Typed::default() };
    Ok(show(&web, &holder.visit, StatusCode::OK, &tokens, &first, fresh, None))
}

/// The text of the token that this session made with the form of this key, as long as it is shown.
fn fresh(web: &Web, visit: &Visit, made: &str, tokens: &[Listed]) -> Option<String> {
    let secret = secret(visit, Id::parse(made).ok()?)?;
    let number = credential::number(&web.school.secrets.token_hash(&secret));
    let token = tokens.iter().find(|token| token.number == number && token.life == Life::Live)?;
    let unused = token.credential.used_at.is_none();
    let new = web.school.now() < token.credential.made_at.after_seconds(SHOWN_FOR);
    (unused && new).then(|| credential::text(&secret))
}

fn secret(visit: &Visit, key: Id) -> Option<[u8; 32]> {
    let session = visit.session_token?;
    let material = [session.as_slice(), &key.bytes()].concat();
    Some(blake3::derive_key("onecard web access token v1", &material))
}

/// `POST /me/security/tokens`: the token, and on to the page that shows it. The same form again leads to the same token.
pub(crate) async fn submit(
    State(web): State<Web>,
    holder: Maker,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Failure> {
    let key = Id::parse(&typed.key).map_err(|_| Failure::StaleForm)?;
    let secret = secret(&holder.visit, key).ok_or(Failure::StaleForm)?;
    let subject = Subject::Person(holder.person);
    let wish = Wish {
        subject,
        name: typed.name.clone(),
        scopes: Scope::PERSONAL.into_iter().filter(|scope| typed.has(*scope)).collect(),
        days: typed.days.parse().unwrap_or(0),
    };
    let refused = match make_own(&web.school, &holder.token, wish, &secret).await {
        Ok(_) => return Ok(page::see_other(&format!("/me/security/tokens?made={key}"))),
        Err(CredentialRefusal::SignedOut) => return Err(Failure::SignInFirst { next: String::new() }),
        Err(CredentialRefusal::NotProved) => {
            return Err(Failure::ProveFirst { next: "/me/security/tokens".to_owned() });
        }
        Err(CredentialRefusal::Unavailable(why)) => return Err(why.into()),
        Err(refused) => refused.words(),
    };
    let tokens = list(&web.school, subject).await?;
    let error = holder.visit.language.words(&refused).to_owned();
    Ok(show(&web, &holder.visit, StatusCode::UNPROCESSABLE_ENTITY, &tokens, &typed, None, Some(error)))
}

/// What the form of one token posts: nothing but where it stands.
#[derive(Default, Deserialize)]
pub(crate) struct Nothing {}

/// `POST /me/security/tokens/{token}/revoke`
pub(crate) async fn end(
    State(web): State<Web>,
    holder: Holder,
    Path(token): Path<String>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Response, Failure> {
    let token = Id::parse(&token).map_err(|_| Failure::NotFound)?;
    match revoke(&web.school, Subject::Person(holder.person), token).await {
        Ok(()) => Ok(page::see_other("/me/security/tokens")),
        Err(CredentialRefusal::Unavailable(why)) => Err(why.into()),
        Err(
            CredentialRefusal::Unknown
            | CredentialRefusal::Rule(_)
            | CredentialRefusal::SignedOut
            | CredentialRefusal::NotProved,
        ) => Err(Failure::NotFound),
    }
}

fn show(
    web: &Web,
    visit: &Visit,
    status: StatusCode,
    tokens: &[Listed],
    typed: &Typed,
    fresh: Option<String>,
    error: Option<String>,
) -> Response {
    let language = visit.language;
    let scope = |scope: Scope| Choice {
        value: scope.word().to_owned(),
        text: language.t(format!("tokens-scope-{}", scope.word())),
        chosen: typed.has(scope),
    };
    let days = |days: u32| Choice {
        value: days.to_string(),
        text: language.t("tokens-days").with("days", days),
        chosen: typed.days == days.to_string(),
    };
    let page = TokensPage {
        frame: Frame::new(web, visit, language.t("tokens-title")).below("/me/security"),
        fresh,
        tokens: tokens.iter().map(|token| line(visit, token)).collect(),
        name: typed.name.clone(),
        // Made when the form is rendered: the form sent twice is one token, a form asked for again is another.
        key: Id::from_bytes(web.school.random()).to_string(),
        scopes: Scope::PERSONAL.into_iter().map(scope).collect(),
        lives: LIVES.into_iter().map(days).collect(),
        error,
    };
    page::html(visit, status, &page)
}

fn line(visit: &Visit, token: &Listed) -> Line {
    let language = visit.language;
    let Listed { number, credential, life } = token;
    let scopes: Vec<String> = credential
        .scopes
        .iter()
        .map(|scope| language.t(format!("tokens-right-{}", scope.word().replace(':', "-"))).to_string())
        .collect();
    let says = match life {
        Life::Live => language.t("tokens-until").with("until", language.day(credential.expires_at)),
        Life::Revoked => language.t("tokens-revoked"),
        Life::Expired => language.t("tokens-expired"),
        Life::PasswordChanged => language.t("tokens-password"),
        Life::Restored => language.t("tokens-restored"),
    };
    Line {
        number: number.to_string(),
        name: credential.name.clone(),
        scopes: scopes.join(language.either("、", ", ")),
        says,
        used: match credential.used_at {
            Some(at) => language.t("tokens-used").with("day", language.day(at)),
            None => language.t("tokens-unused"),
        },
        live: *life == Life::Live,
    }
}
