//! The holder's security page: the password's age, who is signed in where, the WeChat user that is bound.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flows::binding::{self, BindRefusal, Standing, UnbindRefusal};
use flows::people::{PasswordAge, password_age, profile};
use flows::session::{self, Shown};
use ledger::Id;
use rules::agent::Agent;
use rules::binding::Refusal as Rule;
use rules::session::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::proof::Proved;
use crate::text::{Language, Text, iso};
use crate::visit::{Guest, Holder, Sent};
use crate::wechat::{self, Purpose};

#[derive(Template)]
#[template(path = "security.html")]
struct SecurityPage {
    frame: Frame,
    password: Text,
    /// A change of the password is recommended.
    remind: bool,
    wechat: Text,
    bound: bool,
    sessions: Vec<Device>,
    /// There are others than this one.
    others: bool,
}

/// A session on the page.
struct Device {
    id: Id,
    this: bool,
    /// By which browser on which system.
    name: String,
    /// How somebody came in.
    kind: Text,
    since: Text,
    used: Text,
}

/// `GET /me/security`
pub(crate) async fn page(State(web): State<Web>, holder: Holder, guest: Guest) -> Result<Response, Failure> {
    let language = holder.visit.language;
    let age = password_age(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let standing = binding::standing(&web.school, holder.person).await?;
    let sessions = session::shown(&web.school, holder.person, &guest.token).await?;
    let page = SecurityPage {
        frame: Frame::new(&web, &holder.visit, language.t("security-title")).below("/me"),
        password: password_says(&web, &age, language),
        remind: age.reminder,
        wechat: wechat_says(&standing, language),
        bound: matches!(standing, Standing::Bound { .. }),
        others: sessions.iter().any(|shown| !shown.this),
        sessions: sessions.iter().map(|shown| device(shown, language)).collect(),
    };
    Ok(page::html(&holder.visit, StatusCode::OK, &page))
}

fn password_says(web: &Web, age: &PasswordAge, language: Language) -> Text {
    match age.set_at {
        None => language.t("security-password-first"),
        Some(set_at) => {
            let days = web.school.now().since(set_at).max(0) / 86_400_000_000;
            language.t("security-password-own").with("at", language.moment(set_at)).with("days", days)
        }
    }
}

fn wechat_says(standing: &Standing, language: Language) -> Text {
    match standing {
        Standing::None => language.t("security-wechat-none"),
        Standing::Bound { since } => language.t("security-wechat-bound").with("since", language.moment(*since)),
        Standing::BeforeRestore { .. } => language.t("security-wechat-again"),
        Standing::Ended { at, by: None } => language.t("security-wechat-ended").with("at", language.moment(*at)),
        Standing::Ended { at, by: Some(_) } => language.t("security-wechat-counter").with("at", language.moment(*at)),
    }
}

fn device(shown: &Shown, language: Language) -> Device {
    let session = &shown.session;
    Device {
        id: shown.id,
        this: shown.this,
        name: agent_name(&session.agent, language),
        kind: language.t(format!("security-kind-{}", kind_word(session.kind))),
        since: language.t("security-since").with("at", language.moment(session.made_at)),
        used: language.t("security-used").with("at", language.moment(session.seen_at)),
    }
}

/// Such as `Chrome, Android`.
fn agent_name(agent: &Agent, language: Language) -> String {
    let (browser, system) = agent.names();
    let browser = browser.map(|(zh, en)| language.either(zh, en));
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser}{}{system}", language.either("，", ", ")),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => language.t("security-unknown-device").to_string(),
    }
}

/// The word for a kind of sessions in texts and in JSON.
const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Holder => "password",
        Kind::WeChat => "wechat",
        Kind::Kiosk => "kiosk",
        Kind::Device => "device",
        Kind::Staff => "staff",
    }
}

/// Which session is to end.
#[derive(Default, Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    id: String,
}

/// `POST /me/security/sessions`: ends the one that is named, or with `others` all but this one.
pub(crate) async fn end(
    State(web): State<Web>,
    guest: Guest,
    holder: Holder,
    Sent(Which { id }): Sent<Which>,
) -> Result<Response, Failure> {
    if id == "others" {
        session::end_others(&web.school, holder.person, &guest.token).await?;
    } else {
        let id = Id::parse(&id).map_err(|_| Failure::Malformed)?;
        // One that has ended meanwhile is what was wished.
        let _ended = session::end_one(&web.school, holder.person, id).await?;
    }
    Ok(page::see_other("/me/security"))
}

#[derive(Template)]
#[template(path = "wechat_binding.html")]
struct BindingPage {
    frame: Frame,
    /// Number and masked name of the account.
    account: String,
    state: Text,
    offer: Offer,
    bound: bool,
    error: Option<String>,
}

/// What can be done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    /// Nothing: this is not WeChat.
    Elsewhere,
    /// Nothing: the user of this WeChat is bound.
    Done,
    /// This WeChat can be bound.
    Bind,
    /// This WeChat can be bound in the place of another.
    Instead,
}

/// `GET /me/security/wechat`: inside WeChat first to WeChat, which says who is there.
pub(crate) async fn wechat_page(State(web): State<Web>, proved: Proved) -> Result<Response, Failure> {
    if proved.visit.in_wechat && proved.visit.payer(&web).is_none() {
        return Ok(wechat::leave(&web, &proved.visit, Purpose::Name, "/me/security/wechat"));
    }
    binding_form(&web, &proved, StatusCode::OK, None).await
}

async fn binding_form(
    web: &Web,
    proved: &Proved,
    status: StatusCode,
    error: Option<String>,
) -> Result<Response, Failure> {
    let (visit, language) = (&proved.visit, proved.visit.language);
    let standing = binding::standing(&web.school, proved.person).await?;
    let bound = matches!(standing, Standing::Bound { .. });
    let offer = match visit.payer(web).filter(|_| visit.in_wechat) {
        None => Offer::Elsewhere,
        Some(openid) if binding::is_of(&web.school, proved.person, &openid).await? => Offer::Done,
        Some(_) if bound => Offer::Instead,
        Some(_) => Offer::Bind,
    };
    let who = profile(&web.school, proved.person).await?.ok_or(Failure::NotFound)?;
    let page = BindingPage {
        frame: Frame::new(web, visit, language.t("binding-title")).below("/me/security"),
        account: format!("{} {}", who.name, who.number),
        state: wechat_says(&standing, language),
        offer,
        bound,
        error,
    };
    Ok(page::html(visit, status, &page))
}

/// What the form of a binding posts.
#[derive(Default, Deserialize)]
pub(crate) struct Wished {
    /// The page said that another WeChat user is bound.
    #[serde(default)]
    instead: String,
}

/// `POST /me/security/wechat`: binds the user of this WeChat. The same form again changes nothing.
pub(crate) async fn bind_wechat(
    State(web): State<Web>,
    proved: Proved,
    Sent(wished): Sent<Wished>,
) -> Result<Response, Failure> {
    let visit = &proved.visit;
    let Some(openid) = visit.payer(&web).filter(|_| visit.in_wechat) else {
        return Ok(page::see_other("/me/security/wechat"));
    };
    match binding::bind(&web.school, &proved.token, &openid, wished.instead == "yes").await {
        Ok(()) => Ok(page::see_other("/me/security")),
        Err(BindRefusal::SignedOut) => Err(Failure::SignInFirst { next: String::new() }),
        Err(BindRefusal::Unavailable(why)) => Err(why.into()),
        Err(BindRefusal::Rule(Rule::NotProved)) => Err(Failure::ProveFirst { next: "/me/security/wechat".to_owned() }),
        Err(BindRefusal::Rule(Rule::FirstPassword)) => Err(Failure::ChangeFirst { next: String::new() }),
        Err(BindRefusal::Rule(rule @ (Rule::Taken | Rule::OtherBound))) => {
            let sentence = visit.language.words(&rule.words()).to_owned();
            binding_form(&web, &proved, StatusCode::UNPROCESSABLE_ENTITY, Some(sentence)).await
        }
    }
}

/// `POST /me/security/wechat/end`: ends the binding, and every session that it opened.
pub(crate) async fn unbind_wechat(
    State(web): State<Web>,
    proved: Proved,
    Sent(Which { .. }): Sent<Which>,
) -> Result<Response, Failure> {
    unbind(&web, &proved).await?;
    Ok(page::see_other("/me/security"))
}

async fn unbind(web: &Web, proved: &Proved) -> Result<(), Failure> {
    binding::unbind(&web.school, &proved.token).await.map_err(|refusal| match refusal {
        UnbindRefusal::SignedOut => Failure::SignInFirst { next: String::new() },
        UnbindRefusal::NotProved => Failure::ProveFirst { next: "/me/security/wechat".to_owned() },
        UnbindRefusal::Unavailable(why) => why.into(),
    })
}

/// `GET /api/v1/me/security`
pub(crate) async fn json(State(web): State<Web>, holder: Holder) -> Result<Json<Value>, Failure> {
    let age = password_age(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let (state, at) = match binding::standing(&web.school, holder.person).await? {
        Standing::None => ("none", None),
        Standing::Bound { since } => ("bound", Some(since)),
        Standing::BeforeRestore { since } => ("before_restore", Some(since)),
        Standing::Ended { at, by: None } => ("ended", Some(at)),
        Standing::Ended { at, by: Some(_) } => ("ended_at_counter", Some(at)),
    };
    Ok(Json(json!({
        "password": { "own": age.set_at.is_some(), "set_at": age.set_at.map(iso), "change_recommended": age.reminder },
        "wechat": { "state": state, "at": at.map(iso) },
    })))
}

/// `GET /api/v1/me/sessions`
pub(crate) async fn sessions_json(
    State(web): State<Web>,
    guest: Guest,
    holder: Holder,
) -> Result<Json<Value>, Failure> {
    let sessions = session::shown(&web.school, holder.person, &guest.token).await?;
    Ok(Json(json!({ "sessions": sessions.iter().map(session_json).collect::<Vec<_>>() })))
}

fn session_json(shown: &Shown) -> Value {
    let session = &shown.session;
    json!({
        "id": shown.id.to_string(),
        "kind": kind_word(session.kind),
        "device": agent_name(&session.agent, Language::English),
        "made_at": iso(session.made_at),
        "seen_at": iso(session.seen_at),
        "ends_at": iso(session.ends_at),
        "this": shown.this,
    })
}

/// `DELETE /api/v1/me/sessions/{id}`: 204; 404 when the holder has no such session any more.
pub(crate) async fn end_json(
    State(web): State<Web>,
    holder: Holder,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let id = Id::parse(&id).map_err(|_| Failure::NotFound)?;
    match session::end_one(&web.school, holder.person, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Failure::NotFound),
    }
}

/// `DELETE /api/v1/me/sessions`: ends all but this one; 204.
pub(crate) async fn end_others_json(
    State(web): State<Web>,
    guest: Guest,
    holder: Holder,
) -> Result<StatusCode, Failure> {
    session::end_others(&web.school, holder.person, &guest.token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/me/wechat`: ends the binding; 204, also when there is none.
pub(crate) async fn unbind_json(State(web): State<Web>, proved: Proved) -> Result<Response, Failure> {
    unbind(&web, &proved).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_what_is_known_of_it() {
        let table = [
            ("Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36", "Chrome, Android", "Chrome，Android"),
            ("Mozilla/5.0 (iPhone) MicroMessenger/8.0", "WeChat, iPhone", "微信，iPhone"),
            ("Firefox/127.0", "Firefox", "Firefox"),
        ];
        for (text, en, zh) in table {
            let agent = Agent::of(text);
            assert_eq!(agent_name(&agent, Language::English), en);
            assert_eq!(agent_name(&agent, Language::Chinese), zh);
        }
    }
}
