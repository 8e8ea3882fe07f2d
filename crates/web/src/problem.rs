//! Failures as programs get them: `application/problem+json` (RFC 9457), in both languages.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request came to nothing (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:onecard:problem:` and the code.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What happened, in a few words of the language that the request likes best.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened and what to do, in the language that the request likes best.
    pub(crate) detail: String,
    /// Stable code of the cause, for programs to decide by.
    pub(crate) code: &'static str,
    /// The detail in Chinese.
    pub(crate) zh: String,
    /// The detail in English.
    pub(crate) en: String,
    /// What became of the money.
    pub(crate) money: MoneyWord,
    /// Where a person can go on.
    pub(crate) next: NextStep,
    /// What is wrong with what was sent, and where; only with `MALFORMED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// The scope that is missing; only with `SCOPE_MISSING`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<&'static str>,
    /// What to name when asking for help; only with a status of 500 and above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
}

/// What became of the money when a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MoneyWord {
    /// Nothing moved.
    NotMoved,
    /// It is not known whether the request was carried out: look again. Whatever was paid will be credited by itself.
    Safe,
}

/// Where a person can go on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NextStep {
    /// In the language that the request likes best.
    pub(crate) text: String,
    /// Address of a page.
    pub(crate) address: String,
}

impl Problem {
    /// The answer.
    pub(crate) fn answer(&self, status: StatusCode) -> Response {
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        let body = serde_json::to_string(self).unwrap_or_default();
        let mut answer = (status, kind, body).into_response();
        answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-language, cookie, authorization"));
        answer
    }
}
