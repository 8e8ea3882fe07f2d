//! What all pages have in common: the frame, going on to another page, and pages that say one thing.

use std::borrow::Cow;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::assets::{CSS, ICON, JS};
use crate::config::Web;
use crate::cookies::Cookie;
use crate::failure::{Failure, next_of};
use crate::text::{Language, Text};
use crate::visit::{Theme, Visit};

/// What was just done, where the page that follows does not show it by itself. It stands in a cookie, so that no address says
/// it of what was never done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The query password was changed.
    Password,
    /// The holder signed out.
    SignedOut,
}

impl Done {
    const ALL: [Done; 2] = [Done::Password, Done::SignedOut];

    /// The word in the cookie, and part of the text's key.
    const fn tag(self) -> &'static str {
        match self {
            Done::Password => "password",
            Done::SignedOut => "signed-out",
        }
    }

    /// What has this word.
    pub fn from_tag(tag: &str) -> Option<Done> {
        Done::ALL.into_iter().find(|done| done.tag() == tag)
    }
}

/// Lets the next page say what was done. Repeats: it is said once.
pub(crate) fn confirm(answer: &mut Response, visit: &Visit, done: Done) {
    add_cookie(answer, Cookie::Done.set(done.tag(), visit.secure));
}

/// What the frame of every page shows.
pub(crate) struct Frame {
    pub(crate) language: Language,
    pub(crate) theme: Theme,
    pub(crate) title: String,
    pub(crate) school: String,
    pub(crate) css: &'static str,
    pub(crate) js: &'static str,
    pub(crate) icon: &'static str,
    /// The page above this one.
    pub(crate) back: Option<Cow<'static, str>>,
    /// Where the switches of language and look come back to.
    pub(crate) path: String,
    /// What every form carries.
    pub(crate) token: String,
    pub(crate) demo_link: Option<String>,
    /// What was just done.
    pub(crate) done: Option<Text>,
}

impl Frame {
    pub(crate) fn new(web: &Web, visit: &Visit, title: Text) -> Frame {
        Frame {
            language: visit.language,
            theme: visit.theme,
            title: title.to_string(),
            school: web.config.school_name(visit.language).to_owned(),
            css: &CSS.path,
            js: &JS.path,
            icon: &ICON.path,
            back: None,
            path: visit.here(),
            token: visit.form_token(),
            demo_link: web.config.demo_link.clone(),
            done: visit.done.map(|done| visit.language.t(format!("done-{}", done.tag()))),
        }
    }

    /// With a way back to the page above.
    pub(crate) fn below(self, back: impl Into<Cow<'static, str>>) -> Frame {
        Frame { back: Some(back.into()), ..self }
    }

    pub(crate) fn t(&self, key: &'static str) -> Text {
        self.language.t(key)
    }

    /// Which schemes the browser may draw its own parts in.
    pub(crate) const fn schemes(&self) -> &'static str {
        match self.theme {
            Theme::Auto => "light dark",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// Shape of the look's switch.
    pub(crate) const fn theme_icon(&self) -> &'static str {
        match self.theme {
            Theme::Auto => crate::icons::AUTO,
            Theme::Light => crate::icons::SUN,
            Theme::Dark => crate::icons::MOON,
        }
    }

    /// What the look's switch does now and next, in words.
    pub(crate) fn theme_text(&self) -> Text {
        self.language.t(format!("theme-{}", self.theme.tag()))
    }
}

/// A rendered page.
pub(crate) fn html(visit: &Visit, status: StatusCode, template: &impl Template) -> Response {
    let page = match template.render() {
        Ok(page) => page,
        Err(cause) => {
            tracing::error!(%cause, "a page could not be rendered");
            return Failure::Internal.into_response();
        }
    };
    let mut answer = (status, Html(page)).into_response();
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
    keep_visitor(&mut answer, visit);
    if visit.done.is_some() {
        add_cookie(&mut answer, Cookie::Done.clear(visit.secure));
    }
    answer
}

/// Gives a visitor who is not signed in the token that their next form or errand is bound to.
pub(crate) fn keep_visitor(answer: &mut Response, visit: &Visit) {
    if visit.session_token.is_none() && visit.new_visitor {
        add_cookie(answer, Cookie::Visitor.set_bytes(visit.visitor(), visit.secure));
    }
}

/// Adds a `Set-Cookie` header to an answer.
pub(crate) fn add_cookie(answer: &mut Response, cookie: HeaderValue) {
    answer.headers_mut().append(header::SET_COOKIE, cookie);
}

/// Sends the browser on to an address that is our own or was checked.
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => Failure::Internal.into_response(),
    }
}

/// Sends the browser on to `path`, which itself goes on to `next` afterwards.
pub(crate) fn go_with_next(path: &str, next: &str) -> Response {
    match next_of(next) {
        Some(next) => see_other(&format!("{path}?next={}", in_query(next))),
        None => see_other(path),
    }
}

/// An address of ours as the value of a query's field: a plain path stands as it is.
pub(crate) fn in_query(address: &str) -> Cow<'_, str> {
    if address.contains('?') { Cow::Owned(encoded(address)) } else { Cow::Borrowed(address) }
}

/// A text as a part of an address: everything but letters, digits and `-._~` as `%xx`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// What happened, whether money moved, and what to do next.
#[derive(Template)]
#[template(path = "failure.html")]
pub(crate) struct FailurePage {
    pub(crate) frame: Frame,
    pub(crate) sentence: String,
    pub(crate) money: Text,
    /// What to name when asking for help.
    pub(crate) reference: Option<String>,
    pub(crate) way: String,
    pub(crate) way_text: Text,
    /// It passes by itself.
    pub(crate) passes: bool,
    /// A second way, and what its link says.
    pub(crate) other: Option<(String, Text)>,
}
