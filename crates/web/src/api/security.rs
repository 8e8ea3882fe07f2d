//! Password, sessions and WeChat binding for a browser's own script: no access token opens them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use flows::binding::{self, Standing};
use flows::people::password_age;
use flows::session::{self, Shown};
use ledger::Id;
use rules::session::Kind;
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::{Access, Answer, Operation, shape};
use super::{Answered, Moment};
use crate::change_password::Asks as PasswordAsked;
use crate::config::Web;
use crate::failure::Failure;
use crate::proof::{Asks as ProofAsked, Proved};
use crate::security::{agent_name, unbind};
use crate::text::Language;
use crate::visit::{Guest, Holder};

/// What no token opens, without what differs.
const OF_A_SESSION: Operation = Operation {
    method: "GET",
    path: "",
    name: "",
    summary: "",
    detail: "Of a browser's session: no access token opens it, and it needs no `Idempotency-Key`, because a repeat does \
             nothing more.",
    access: Access::SessionOnly,
    query: None,
    input: None,
    answer: Answer::Done,
    refusals: &[],
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/v1/me/security",
        name: "security",
        summary: "The password's age, and the WeChat user that is bound",
        answer: Answer::Found(shape::<Security>),
        ..OF_A_SESSION
    },
    Operation {
        path: "/api/v1/me/sessions",
        name: "sessions",
        summary: "Who is signed in where",
        answer: Answer::Found(shape::<Sessions>),
        ..OF_A_SESSION
    },
    Operation {
        method: "DELETE",
        path: "/api/v1/me/sessions",
        name: "end_other_sessions",
        summary: "End all sessions but this one",
        ..OF_A_SESSION
    },
    Operation {
        method: "DELETE",
        path: "/api/v1/me/sessions/{id}",
        name: "end_session",
        summary: "End a session",
        ..OF_A_SESSION
    },
    Operation {
        method: "DELETE",
        path: "/api/v1/me/wechat",
        name: "unbind_wechat",
        summary: "End the binding to a WeChat user",
        refusals: &["PROOF_REQUIRED"],
        ..OF_A_SESSION
    },
    Operation {
        method: "POST",
        path: "/api/v1/me/proof",
        name: "prove",
        summary: "Prove by the password who is there",
        detail: "The session goes on under a new cookie; for ten minutes it may do what needs a proof.",
        input: Some(shape::<ProofAsked>),
        refusals: &["PASSWORD_WRONG", "PASSWORD_LOCKED"],
        ..OF_A_SESSION
    },
    Operation {
        method: "POST",
        path: "/api/v1/me/password",
        name: "change_password",
        summary: "Change the password",
        detail: "It ends every session and every access token; this session goes on under a new cookie.",
        input: Some(shape::<PasswordAsked>),
        refusals: &["PASSWORD_WRONG", "PASSWORD_LOCKED", "PASSWORD_WEAK"],
        ..OF_A_SESSION
    },
];

/// The password's age, and the WeChat user that is bound.
#[derive(Serialize, ToSchema)]
pub(crate) struct Security {
    /// The password.
    password: PasswordState,
    /// The WeChat user.
    wechat: WeChatState,
}

/// How old a password is.
#[derive(Serialize, ToSchema)]
struct PasswordState {
    /// It is the holder's own, not the first one.
    own: bool,
    /// Since when; null for the first one.
    set_at: Option<Moment>,
    /// A change is recommended.
    change_recommended: bool,
}

/// Whether a WeChat user is bound.
#[derive(Serialize, ToSchema)]
struct WeChatState {
    /// How it stands.
    state: Binding,
    /// Since when; null when there never was one.
    at: Option<Moment>,
}

/// How a binding stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Binding {
    /// There never was one.
    None,
    /// A user is bound.
    Bound,
    /// It was made before the school was restored from a backup, and is to be made anew.
    BeforeRestore,
    /// The holder ended it.
    Ended,
    /// It was ended at the counter.
    EndedAtCounter,
}

/// Who is signed in where.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// One each.
    sessions: Vec<Session>,
}

/// A session.
#[derive(Serialize, ToSchema)]
struct Session {
    /// By what it is named.
    id: String,
    /// How somebody came in.
    kind: SessionKind,
    /// Browser and system, as far as known.
    device: String,
    /// Since when.
    made_at: Moment,
    /// Last use, to the minute.
    seen_at: Moment,
    /// It ends then at the latest.
    ends_at: Moment,
    /// It is this one.
    this: bool,
}

/// How somebody came in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SessionKind {
    /// With number and password.
    Password,
    /// Through WeChat.
    #[serde(rename = "wechat")]
    WeChat,
    /// At a kiosk.
    Kiosk,
    /// A device.
    Device,
    /// Staff.
    Staff,
}

impl Session {
    fn of(shown: &Shown) -> Session {
        let session = &shown.session;
        Session {
            id: shown.id.to_string(),
            kind: match session.kind {
                Kind::Holder => SessionKind::Password,
                Kind::WeChat => SessionKind::WeChat,
                Kind::Kiosk => SessionKind::Kiosk,
                Kind::Device => SessionKind::Device,
                Kind::Staff => SessionKind::Staff,
            },
            device: agent_name(&session.agent, Language::English),
            made_at: Moment(session.made_at),
            seen_at: Moment(session.seen_at),
            ends_at: Moment(session.ends_at),
            this: shown.this,
        }
    }
}

/// `GET /api/v1/me/security`
pub(crate) async fn json(State(web): State<Web>, holder: Holder) -> Answered<Security> {
    let age = password_age(&web.school, holder.person).await?.ok_or(Failure::NotFound)?;
    let (state, at) = match binding::standing(&web.school, holder.person).await? {
        Standing::None => (Binding::None, None),
        Standing::Bound { since } => (Binding::Bound, Some(since)),
        Standing::BeforeRestore { since } => (Binding::BeforeRestore, Some(since)),
        Standing::Ended { at, by: None } => (Binding::Ended, Some(at)),
        Standing::Ended { at, by: Some(_) } => (Binding::EndedAtCounter, Some(at)),
    };
    Ok(Json(Security {
        password: PasswordState {
            own: age.set_at.is_some(),
            set_at: age.set_at.map(Moment),
            change_recommended: age.reminder,
        },
        wechat: WeChatState { state, at: at.map(Moment) },
    }))
}

/// `GET /api/v1/me/sessions`
pub(crate) async fn sessions(State(web): State<Web>, guest: Guest, holder: Holder) -> Answered<Sessions> {
    let sessions = session::shown(&web.school, holder.person, &guest.token).await?;
    Ok(Json(Sessions { sessions: sessions.iter().map(Session::of).collect() }))
}

/// `DELETE /api/v1/me/sessions/{id}`: 204; 404 when the holder has no such session any more.
pub(crate) async fn end(State(web): State<Web>, holder: Holder, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let id = Id::parse(&id).map_err(|_| Failure::NotFound)?;
    match session::end_one(&web.school, holder.person, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Failure::NotFound),
    }
}

/// `DELETE /api/v1/me/sessions`: ends all but this one; 204.
pub(crate) async fn end_others(State(web): State<Web>, guest: Guest, holder: Holder) -> Result<StatusCode, Failure> {
    session::end_others(&web.school, holder.person, &guest.token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/me/wechat`: ends the binding; 204, also when there is none.
pub(crate) async fn end_wechat(State(web): State<Web>, proved: Proved) -> Result<StatusCode, Failure> {
    unbind(&web, &proved).await?;
    Ok(StatusCode::NO_CONTENT)
}
