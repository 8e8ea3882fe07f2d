//! Who is looking, in which language, and whether a form really comes from a page of ours.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Form, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use flows::ports::Field;
use flows::session::{self, Session};
use ledger::Id;
use rules::agent::Agent;
use rules::ids::PersonId;
use rules::session::Guard;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::bearer;
use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::Failure;
use crate::page::Done;
use crate::text::Language;
use crate::wechat::Errand;

/// Light, dark, or as the reader's system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The word in cookies, forms and the page.
    pub const fn tag(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The theme with this word.
    pub fn from_tag(tag: &str) -> Option<Theme> {
        [Theme::Auto, Theme::Light, Theme::Dark].into_iter().find(|theme| theme.tag() == tag)
    }

    /// The one that the switch leads to.
    pub const fn next(self) -> Theme {
        match self {
            Theme::Auto => Theme::Dark,
            Theme::Dark => Theme::Light,
            Theme::Light => Theme::Auto,
        }
    }
}

/// The language a visitor reads: the one chosen on a page of ours, else the one the browser likes best.
pub fn language_of(headers: &HeaderMap, secure_cookies: bool) -> Language {
    let chosen = Cookie::Language.read(headers, secure_cookies).and_then(Language::from_tag);
    chosen.unwrap_or_else(|| {
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Language::liked(accept.unwrap_or_default())
    })
}

/// The look that a visitor chose on a page of ours; else as the system says.
pub fn theme_of(headers: &HeaderMap, secure_cookies: bool) -> Theme {
    Cookie::Theme.read(headers, secure_cookies).and_then(Theme::from_tag).unwrap_or(Theme::Auto)
}

/// A browser on a phone says so; a tablet's may, or may not.
fn is_phone(agent: &str) -> bool {
    ["Mobile", "iPhone"].iter().any(|word| agent.contains(word)) && !agent.contains("iPad")
}

/// The network address that a browser comes from, as the payment provider wants to see it.
pub struct Client(pub IpAddr);

impl FromRequestParts<Web> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Client, Infallible> {
        let told = web.config.client_header.as_deref().and_then(|name| last_address(&parts.headers, name));
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Client(told.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)).to_canonical()))
    }
}

/// The address that the nearest proxy wrote: those before it may be anybody's invention.
fn last_address(headers: &HeaderMap, name: &str) -> Option<IpAddr> {
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// One request of a browser, before anyone asked who signed in.
#[derive(Clone)]
pub struct Visit {
    /// Language of the answer.
    pub language: Language,
    /// Light, dark or as the system says.
    pub theme: Theme,
    /// Path of the request.
    pub path: String,
    /// What was asked for behind it: which month, which page of a list.
    pub query: Option<String>,
    /// The browser is the one inside WeChat.
    pub in_wechat: bool,
    /// The browser is a phone's.
    pub on_phone: bool,
    /// What the browser says of itself.
    pub agent: Agent,
    /// Cookies are `__Host-` and Secure.
    pub secure: bool,
    /// The session's token, if the browser has one; it may have ended.
    pub session_token: Option<[u8; 32]>,
    /// Token for the forms of somebody who is not signed in.
    visitor: [u8; 32],
    /// The browser does not have that token yet.
    pub new_visitor: bool,
    sealed_payer: Option<Vec<u8>>,
    errand: Option<Errand>,
    /// What was just done and is still to be said.
    pub done: Option<Done>,
}

impl Visit {
    /// The address to come back to: with its query, as far as that is plain.
    pub fn here(&self) -> String {
        let asked = self.query.as_ref().map(|query| format!("{}?{query}", self.path));
        asked.filter(|address| own_address(address).is_some()).unwrap_or_else(|| self.path.clone())
    }

    /// Nobody is signed in who may read this; afterwards it goes on here. What WeChat brought in a query counts once.
    fn sign_in_first(&self) -> Failure {
        let own = self.path.starts_with("/me/");
        Failure::SignInFirst { next: if own { self.here() } else { self.path.clone() } }
    }

    /// Reads a request's headers; nothing is looked up.
    pub fn read(web: &Web, uri: &Uri, headers: &HeaderMap) -> Visit {
        let path = uri.path();
        let secure = web.config.secure_cookies;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let visitor = Cookie::Visitor.bytes(headers, secure).and_then(|bytes| bytes.try_into().ok());
        Visit {
            language: language_of(headers, secure),
            theme: theme_of(headers, secure),
            path: path.to_owned(),
            query: uri.query().map(str::to_owned),
            in_wechat: text(header::USER_AGENT).contains("MicroMessenger"),
            on_phone: is_phone(text(header::USER_AGENT)),
            agent: Agent::of(text(header::USER_AGENT)),
            secure,
            // Whoever shows a token is judged by it alone.
            session_token: match bearer::shown(path, headers) {
                true => None,
                false => Cookie::Session.bytes(headers, secure).and_then(|bytes| bytes.try_into().ok()),
            },
            visitor: visitor.unwrap_or_else(|| web.school.random()),
            new_visitor: visitor.is_none(),
            sealed_payer: Cookie::Payer.bytes(headers, secure),
            errand: Cookie::WeChatVisit.bytes(headers, secure).and_then(|bytes| Errand::read(&bytes)),
            done: Cookie::Done.read(headers, secure).and_then(Done::from_tag),
        }
    }

    /// The visitor's own token, to be kept in a cookie.
    pub const fn visitor(&self) -> &[u8; 32] {
        &self.visitor
    }

    /// What every form of this visit carries. It is bound to the session, else to the visitor, and tells nothing of either.
    pub fn form_token(&self) -> String {
        let secret = self.session_token.unwrap_or(self.visitor);
        blake3::Hash::from_bytes(blake3::derive_key("onecard web form token v1", &secret)).to_hex().to_string()
    }

    fn carries(&self, token: &str) -> bool {
        let expected = blake3::Hash::from_hex(self.form_token());
        // Comparing two hashes takes the same time wherever they differ.
        matches!((expected, blake3::Hash::from_hex(token)), (Ok(expected), Ok(given)) if expected == given)
    }

    /// The `state` that WeChat brings back: bound to the session, else to the visitor, and to the errand, which stands in a
    /// cookie until then.
    pub fn wechat_state(&self, errand: &Errand) -> String {
        let mut secret = self.session_token.unwrap_or(self.visitor).to_vec();
        secret.extend_from_slice(&errand.bytes());
        blake3::Hash::from_bytes(blake3::derive_key("onecard web wechat state v1", &secret)).to_hex().to_string()
    }

    /// The errand with whose state WeChat sent the visitor back; `None` when this session, or this visitor, began none like
    /// it, or it is over.
    pub fn came_back_with(&self, state: &str) -> Option<&Errand> {
        let errand = self.errand.as_ref()?;
        let expected = blake3::Hash::from_hex(self.wechat_state(errand));
        let same = matches!((expected, blake3::Hash::from_hex(state)), (Ok(expected), Ok(given)) if expected == given);
        same.then_some(errand)
    }

    /// The WeChat user who pays in this session, if WeChat told.
    pub fn payer(&self, web: &Web) -> Option<String> {
        let owner = payer_owner(web, self.session_token.as_ref()?)?;
        let opened = web.school.secrets.open(Field::OpenId, owner, self.sealed_payer.as_ref()?);
        opened.ok().map(|openid| openid.expose_for("the payment provider wants to know who pays").clone())
    }
}

/// Whose openid the cookie holds: it is sealed for one session and opens in no other.
fn payer_owner(web: &Web, token: &[u8; 32]) -> Option<Id> {
    let hash = web.school.secrets.token_hash(token);
    let (head, _) = hash.split_first_chunk()?;
    Some(Id::from_bytes(*head))
}

/// Seals the WeChat user who pays, for the session of this token alone.
pub fn seal_payer(web: &Web, token: &[u8; 32], openid: &str) -> Option<Vec<u8>> {
    Some(web.school.secrets.seal(Field::OpenId, payer_owner(web, token)?, openid))
}

impl FromRequestParts<Web> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Visit, Infallible> {
        Ok(Visit::read(web, &parts.uri, &parts.headers))
    }
}

/// Somebody signed in, even if only the change of the password is open to them.
pub struct Guest {
    /// The request.
    pub visit: Visit,
    /// The session's token.
    pub token: [u8; 32],
    /// The session.
    pub session: Session,
}

impl FromRequestParts<Web> for Guest {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Guest, Failure> {
        if bearer::shown(parts.uri.path(), &parts.headers) {
            // No token opens a session; the reason is the token's.
            let refused = bearer::holder(parts, web).await.err();
            return Err(refused.unwrap_or(Failure::ScopeMissing { scope: None }));
        }
        let visit = Visit::read(web, &parts.uri, &parts.headers);
        let token = visit.session_token.ok_or_else(|| visit.sign_in_first())?;
        let session = session::look(&web.school, &token).await?;
        Guest::let_in(visit, token, session)
    }
}

impl Guest {
    fn let_in(visit: Visit, token: [u8; 32], session: Option<Session>) -> Result<Guest, Failure> {
        match session.filter(|session| session.kind.passes(Guard::Own)) {
            Some(session) => Ok(Guest { visit, token, session }),
            None => Err(visit.sign_in_first()),
        }
    }
}

/// A holder to whom everything of their own is open.
pub struct Holder {
    /// The request.
    pub visit: Visit,
    /// Who.
    pub person: PersonId,
    /// A program asks, with an access token.
    pub by_token: bool,
}

impl FromRequestParts<Web> for Holder {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Holder, Failure> {
        if bearer::shown(parts.uri.path(), &parts.headers) {
            let person = bearer::holder(parts, web).await?;
            let visit = Visit::read(web, &parts.uri, &parts.headers);
            return Ok(Holder { visit, person, by_token: true });
        }
        Holder::of(Guest::from_request_parts(parts, web).await?)
    }
}

impl Holder {
    fn of(Guest { visit, session, .. }: Guest) -> Result<Holder, Failure> {
        if session.must_change {
            return Err(Failure::ChangeFirst { next: visit.path });
        }
        Ok(Holder { visit, person: session.person, by_token: false })
    }
}

/// A holder whose page asks for itself whether something is new: the session is looked at and not used, so that a page left
/// open keeps nobody signed in.
pub(crate) struct Onlooker(pub Holder);

impl FromRequestParts<Web> for Onlooker {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Onlooker, Failure> {
        let visit = Visit::read(web, &parts.uri, &parts.headers);
        let token = visit.session_token.ok_or_else(|| visit.sign_in_first())?;
        let session = session::glance(&web.school, &token).await?;
        Holder::of(Guest::let_in(visit, token, session)?).map(Onlooker)
    }
}

/// A form that a page of ours sent. Fields are texts; a missing one is what the form's `Default` says.
pub struct Sent<T>(pub T);

#[derive(Deserialize)]
struct WithToken<T> {
    #[serde(default)]
    token: String,
    #[serde(flatten)]
    content: T,
}

impl<T: DeserializeOwned> FromRequest<Web> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Sent<T>, Failure> {
        let visit = Visit::read(web, request.uri(), request.headers());
        let read = Form::<WithToken<T>>::from_request(request, &()).await;
        let Form(form) = read.map_err(|rejection| match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
            _ => Failure::Malformed,
        })?;
        if !visit.carries(&form.token) {
            return Err(Failure::StaleForm);
        }
        Ok(Sent(form.content))
    }
}

const fn in_a_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_')
}

/// `text` if it is a plain path of ours, to go on to: nothing that a browser could take for another host.
pub fn own_path(text: &str) -> Option<&str> {
    let ours = text.starts_with('/') && !text.starts_with("//") && text.len() <= 128 && text.bytes().all(in_a_path);
    ours.then_some(text)
}

/// `text` if it is a plain path of ours, with or without a plain query behind it.
pub fn own_address(text: &str) -> Option<&str> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let plain = |byte: u8| in_a_path(byte) || matches!(byte, b'=' | b'&' | b'.' | b'%');
    let ours = own_path(path).is_some() && query.len() <= 512 && query.bytes().all(plain);
    ours.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_told_from_other_screens() {
        let android =
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36";
        let iphone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1";
        assert!(is_phone(android) && is_phone(iphone));
        let desk = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36";
        let tablet = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1";
        assert!(![desk, tablet, "curl/8", ""].into_iter().any(is_phone));
    }

    #[test]
    fn the_nearest_proxy_says_where_a_browser_is_and_nobody_before_it() {
        let address = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().expect("a header"));
            }
            last_address(&headers, "x-forwarded-for").map(|address| address.to_string())
        };
        assert_eq!(address(&["203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(address(&["6.6.6.6, 203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(address(&["6.6.6.6", "2001:db8::7"]).as_deref(), Some("2001:db8::7"));
        for none in [&[][..], &["unknown"], &["203.0.113.7, somebody"]] {
            assert_eq!(address(none), None, "{none:?}");
        }
    }

    #[test]
    fn only_plain_paths_of_ours_are_gone_on_to() {
        for path in ["/", "/me", "/me/topup", "/me/orders/261122123005000112345678"] {
            assert_eq!(own_path(path), Some(path));
        }
        let foreign =
            ["", "me", "//evil.example", "/\\evil.example", "https://evil.example", "/a?b=c", "/a\r\nX: y", "/%2f"];
        for path in foreign {
            assert_eq!(own_path(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_page_is_come_back_to_with_what_was_asked_of_it() {
        for address in
            ["/me/spending", "/me/spending?month=2026-10", "/sign-in?next=/me/topup", "/me/records?after=%2B1"]
        {
            assert_eq!(own_address(address), Some(address));
        }
        let foreign =
            ["", "?a", "//evil.example?a", "https://evil.example/?a", "/a?b\r\nX: y", "/a?b#c", "/a?b c", "/a:1?b"];
        for address in foreign {
            assert_eq!(own_address(address), None, "{address:?}");
        }
    }
}
