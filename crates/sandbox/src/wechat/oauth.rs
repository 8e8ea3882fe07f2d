//! Silent OAuth of the official account: who is this WeChat user?

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::Micros;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::info;

use crate::config::WechatSetup;
use crate::page::{self, Message};
use crate::random;
use crate::records::Unsaved;
use crate::sandbox::Sandbox;
use crate::text::Language;

const CODE_LIFE_SECONDS: i64 = 300;
const COOKIE: &str = "sandbox_wechat_user";
const USER_LENGTH: usize = 20;

/// The codes handed out in the last five minutes.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Codes {
    codes: BTreeMap<String, Code>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Code {
    openid: String,
    #[serde(with = "crate::stored::micros")]
    made_at: Micros,
    used: bool,
}

/// Why a code was not exchanged, as the account platform numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodeRefusal {
    Invalid,
    Used,
    Busy,
}

impl From<Unsaved> for CodeRefusal {
    fn from(_: Unsaved) -> CodeRefusal {
        CodeRefusal::Busy
    }
}

impl Codes {
    fn hand_out(&mut self, code: &str, openid: String, now: Micros) {
        self.codes.retain(|_, code| now <= code.made_at.after_seconds(CODE_LIFE_SECONDS));
        self.codes.insert(code.to_owned(), Code { openid, made_at: now, used: false });
    }

    /// The user behind a code, once, and within five minutes.
    fn take(&mut self, code: &str, now: Micros) -> Result<String, CodeRefusal> {
        let code = self.codes.get_mut(code).ok_or(CodeRefusal::Invalid)?;
        if now > code.made_at.after_seconds(CODE_LIFE_SECONDS) {
            return Err(CodeRefusal::Invalid);
        }
        if code.used {
            return Err(CodeRefusal::Used);
        }
        code.used = true;
        Ok(code.openid.clone())
    }
}

#[derive(Deserialize)]
pub(crate) struct Authorize {
    appid: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    lang: Option<String>,
}

/// `GET /connect/oauth2/authorize`: sends the browser back at once with a code for the user that its cookie names; a
/// browser without the cookie becomes a new user.
pub(crate) async fn authorize(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Query(asked): Query<Authorize>,
) -> Response {
    let language = Language::of(asked.lang.as_deref(), &headers);
    let setup = &sandbox.setup().wechat;
    let words = language.words();
    let refuse = |sentence: &'static str| {
        page::message(&sandbox, language, StatusCode::BAD_REQUEST, Message::new(words.oauth_refused, sentence))
    };

    if asked.appid.as_deref() != Some(&setup.appid) {
        return refuse(words.oauth_appid);
    }
    if asked.response_type.as_deref() != Some("code") || asked.scope.as_deref() != Some("snsapi_base") {
        return refuse(words.oauth_scope);
    }
    let state = asked.state.unwrap_or_default();
    if state.len() > 128 || !state.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return refuse(words.oauth_state);
    }
    let Some(mut target) = sandbox.redirects().allowed(asked.redirect_uri.as_deref().unwrap_or_default()) else {
        return refuse(words.redirect_refused);
    };

    let user = user_of(&headers).unwrap_or_else(|| random::hex(USER_LENGTH));
    let (code, now) = (random::letters(32), sandbox.clock().now());
    let openid = openid(&setup.app_secret, &setup.appid, &user);
    let saved: Result<(), Unsaved> = sandbox.change(|records| {
        records.codes.hand_out(&code, openid, now);
        Ok(())
    });
    if saved.is_err() {
        return page::message(
            &sandbox,
            language,
            StatusCode::INTERNAL_SERVER_ERROR,
            Message::new(words.unsaved_title, words.unsaved),
        );
    }
    target.query_pairs_mut().append_pair("code", &code).append_pair("state", &state);
    info!("a browser was sent back with a code");
    let cookie = format!("{COOKIE}={user}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    let mut answer = page::see_other(target.as_str(), StatusCode::FOUND);
    answer.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).expect("hex is a cookie value"));
    answer
}

#[derive(Deserialize)]
pub(crate) struct Exchange {
    appid: Option<String>,
    secret: Option<String>,
    code: Option<String>,
    grant_type: Option<String>,
}

/// `GET /sns/oauth2/access_token`: the user behind a code. Always status 200; a refusal has an `errcode`.
pub(crate) async fn access_token(State(sandbox): State<Sandbox>, Query(asked): Query<Exchange>) -> Response {
    let setup = &sandbox.setup().wechat;
    if asked.appid.as_deref() != Some(&setup.appid) {
        return refusal(40013, "invalid appid");
    }
    let secret = asked.secret.unwrap_or_default();
    if aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), setup.app_secret.as_bytes()).is_err() {
        return refusal(40125, "invalid appsecret");
    }
    if asked.grant_type.as_deref() != Some("authorization_code") {
        return refusal(40002, "invalid grant_type");
    }
    let Some(code) = asked.code.filter(|code| !code.is_empty()) else { return refusal(41008, "missing code") };

    let now = sandbox.clock().now();
    match sandbox.change(|records| records.codes.take(&code, now)) {
        Ok(openid) => Json(json!({
            "access_token": random::letters(64),
            "expires_in": 7200,
            "refresh_token": random::letters(64),
            "openid": openid,
            "scope": "snsapi_base",
        }))
        .into_response(),
        Err(CodeRefusal::Invalid) => refusal(40029, "invalid code"),
        Err(CodeRefusal::Used) => refusal(40163, "code been used"),
        Err(CodeRefusal::Busy) => refusal(-1, "system error"),
    }
}

fn refusal(errcode: i32, errmsg: &str) -> Response {
    let body: Value = json!({ "errcode": errcode, "errmsg": errmsg });
    Json(body).into_response()
}

/// The user that the browser's cookie names. Anything that this sandbox would not have written is ignored.
fn user_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, user) = pairs.find(|(name, _)| *name == COOKIE)?;
    let ours = user.len() == USER_LENGTH && user.bytes().all(|byte| byte.is_ascii_hexdigit());
    ours.then(|| user.to_owned())
}

/// The name of the visitor who pays an order that names no payer: who scans a code or comes from another browser.
pub(crate) fn visitor_openid(setup: &WechatSetup) -> String {
    openid(&setup.app_secret, &setup.appid, "a visitor of the cashier")
}

/// The user's name towards one account: the same at each visit, another one for another account, 28 characters.
fn openid(secret: &str, appid: &str, user: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("openid\n{appid}\n{user}").as_bytes());
    let mut text = URL_SAFE_NO_PAD.encode(&tag.as_ref()[..20]);
    text.insert(0, 'o');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_is_stable_and_belongs_to_one_account() {
        let first = openid("secret", "wx1", "user");
        assert_eq!(first.len(), 28);
        assert!(first.starts_with('o'));
        assert_eq!(first, openid("secret", "wx1", "user"));
        assert_ne!(first, openid("secret", "wx2", "user"));
        assert_ne!(first, openid("secret", "wx1", "other"));
    }

    #[test]
    fn only_a_cookie_of_ours_names_a_user() {
        let user = "0123456789abcdef0123";
        let table = [
            (format!("a=b; {COOKIE}={user}"), Some(user.to_owned())),
            (format!("{COOKIE}=0123"), None),
            (format!("{COOKIE}=0123456789abcdef012;"), None),
            (format!("x{COOKIE}={user}"), None),
            (String::new(), None),
        ];
        for (line, expected) in table {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&line).expect("cookie"))]);
            assert_eq!(user_of(&headers), expected, "{line:?}");
        }
    }
}
