//! What all pages have in common: the frame, the headers, the style sheet and plain messages.

use askama::Template;
use aws_lc_rs::digest;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use ledger::Fen;
use reqwest::Url;
use serde::Deserialize;

use crate::config::Tour;
use crate::sandbox::Sandbox;
use crate::text::{Language, Words};

const CSS: &str = include_str!("../assets/sandbox.css");
const ICON: &str = include_str!("../assets/sandbox.svg");

/// The style sheet and the icon, at addresses that change with their content, so that a browser may keep them for good.
pub(crate) struct Style {
    css: String,
    icon: String,
}

impl Style {
    pub(crate) fn new() -> Style {
        Style { css: hashed("css", CSS), icon: hashed("svg", ICON) }
    }
}

fn hashed(extension: &str, content: &str) -> String {
    let digest = digest::digest(&digest::SHA256, content.as_bytes());
    let hash: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/sandbox-{hash}.{extension}")
}

/// The routes of the style sheet and the icon.
pub(crate) fn assets(style: &Style) -> Router<Sandbox> {
    let css = || async { asset("text/css; charset=utf-8", CSS) };
    let icon = || async { asset("image/svg+xml", ICON) };
    Router::new().route(&style.css, get(css)).route(&style.icon, get(icon))
}

fn asset(content_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}

/// What the frame of every page shows.
pub(crate) struct Frame<'a> {
    pub(crate) language: Language,
    pub(crate) words: &'static Words,
    /// What this server is, above everything else.
    pub(crate) banner: &'static str,
    pub(crate) heading: &'a str,
    pub(crate) css: &'a str,
    pub(crate) icon: &'a str,
    /// The same page in the other language, where it can be asked for by an address.
    pub(crate) elsewhere: Option<String>,
    /// The operator's page that this is, by its path.
    pub(crate) section: Option<&'static str>,
    /// The tour that leads here.
    pub(crate) tour: Option<&'a Tour>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox, language: Language, heading: &'a str) -> Frame<'a> {
        let (style, words) = (sandbox.style(), language.words());
        let (css, icon) = (style.css.as_str(), style.icon.as_str());
        let tour = sandbox.setup().tour.as_ref();
        Frame { language, words, banner: words.banner, heading, css, icon, elsewhere: None, section: None, tour }
    }

    /// The frame of one of the operator's pages.
    pub(crate) fn of_section(
        sandbox: &'a Sandbox,
        language: Language,
        section: &'static str,
        heading: &'a str,
    ) -> Frame<'a> {
        let elsewhere = Some(format!("{section}?lang={}", language.other().tag()));
        Frame { elsewhere, section: Some(section), ..Frame::new(sandbox, language, heading) }
    }

    /// The operator's pages: path, name, and whether it is this one.
    pub(crate) fn sections(&self) -> Vec<(&'static str, &'static str, bool)> {
        let words = self.words;
        let all = [
            ("/control", words.orders),
            ("/control/switches", words.switches),
            ("/control/traffic", words.traffic),
            ("/control/bills", words.bills),
            ("/control/account", words.account),
        ];
        all.into_iter().map(|(path, name)| (path, name, self.section == Some(path))).collect()
    }
}

/// A rendered page with its headers. A form on it may lead to this server and, after a redirect, to `target`.
pub(crate) fn html(status: StatusCode, template: &impl Template, target: Option<&Url>) -> Response {
    // Browsers hold the answer of a form to `form-action` too, so the return address has to be named.
    let origin = target.map(|url| format!(" {}", url.origin().ascii_serialization())).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{origin}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let page = match template.render() {
        Ok(page) => page,
        Err(cause) => {
            tracing::error!(%cause, "a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).expect("an origin is ASCII")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept-language")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (status, headers, Html(page)).into_response()
}

/// Sends the browser on; `location` is an address that was checked, or one of our own.
pub(crate) fn see_other(location: &str, status: StatusCode) -> Response {
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store")];
    (status, headers).into_response()
}

/// One sentence under a heading, and perhaps a way back.
pub(crate) struct Message<'a> {
    heading: &'a str,
    sentence: &'a str,
    back: Option<String>,
}

impl<'a> Message<'a> {
    pub(crate) fn new(heading: &'a str, sentence: &'a str) -> Message<'a> {
        Message { heading, sentence, back: None }
    }

    /// With a link to the merchant's page that the visitor came from.
    pub(crate) fn with_way_back(self, target: Option<&Url>) -> Message<'a> {
        Message { back: target.map(Url::to_string), ..self }
    }

    /// With a link to one of our own pages.
    pub(crate) fn leading_to(self, back: String) -> Message<'a> {
        Message { back: Some(back), ..self }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    frame: Frame<'a>,
    sentence: &'a str,
    back: Option<String>,
}

/// A page that says one thing.
pub(crate) fn message(sandbox: &Sandbox, language: Language, status: StatusCode, message: Message<'_>) -> Response {
    let frame = Frame::new(sandbox, language, message.heading);
    html(status, &MessagePage { frame, sentence: message.sentence, back: message.back }, None)
}

#[derive(Deserialize)]
pub(crate) struct Anywhere {
    lang: Option<String>,
}

/// Any address that is no page.
pub(crate) async fn not_found(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Query(asked): Query<Anywhere>,
) -> Response {
    let language = Language::of(asked.lang.as_deref(), &headers);
    let words = language.words();
    message(&sandbox, language, StatusCode::NOT_FOUND, Message::new(words.not_found, words.not_found_says))
}

/// `¥1,234.50`
pub(crate) fn yuan(amount: Fen) -> String {
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("¥{grouped}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_in_groups_of_three() {
        for (fen, text) in [(1, "¥0.01"), (5_000, "¥50.00"), (99_999, "¥999.99"), (123_450, "¥1,234.50")] {
            assert_eq!(yuan(Fen::new(fen)), text);
        }
        assert_eq!(yuan(Fen::new(12_345_678_900)), "¥123,456,789.00");
    }
}
