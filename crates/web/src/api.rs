//! The same for programs: what every address under `/api/v1` has in common, and the table that describes them.
//!
//! **How an operation is added.** Next to its handler stand (1) the answer as a struct that derives `Serialize` and
//! `utoipa::ToSchema`, every field with its comment, money in `_fen`, moments as [`Moment`]; what is sent and what stands
//! in the query likewise with `Deserialize`; (2) a row of `OPERATIONS`: method, path as the router has it, scope, shapes,
//! the codes that it can refuse with beside those of every operation. The file's `OPERATIONS` are named in [`TABLES`], the
//! route in `router.rs`. Then `cargo xtask openapi` writes `docs/openapi.json` anew. Tests compare routes, table, document
//! and every answer that any test gets.
//!
//! A handler asks for a [`crate::visit::Holder`] and gets one, whether a browser's session or an access token asks: tokens
//! are let through by the operation's scope, and a path without an operation lets none through. It takes what is sent by
//! [`Sent`] and the query by [`Wanted`], so that what is wrong with it is said with its place. Whatever changes something
//! is a POST: its answer is kept under the call's `Idempotency-Key` and told again (see [`keyed`]); the handler itself
//! hands [`keyed::Key`] on to its command, so that nothing is done twice either.

pub(crate) mod bearer;
pub(crate) mod card;
pub(crate) mod codes;
pub(crate) mod cursor;
pub(crate) mod guide;
pub(crate) mod keyed;
pub(crate) mod me;
pub(crate) mod messages;
pub(crate) mod operation;
pub(crate) mod orders;
pub(crate) mod records;
pub(crate) mod security;
pub(crate) mod statements;
pub(crate) mod top_up;

mod document;
mod intake;
mod moment;

use axum::Json;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub(crate) use document::served;
pub use document::text as openapi;
pub(crate) use intake::{Sent, Wanted};
pub(crate) use moment::Moment;
use operation::Operation;

use crate::config::Web;
use crate::failure::Failure;

/// Where every address for programs begins.
pub(crate) const ROOT: &str = "/api/";

/// Every operation, by the file that answers it.
pub(crate) const TABLES: &[&[Operation]] = &[
    card::OPERATIONS,
    document::OPERATIONS,
    me::OPERATIONS,
    messages::OPERATIONS,
    orders::OPERATIONS,
    records::OPERATIONS,
    top_up::OPERATIONS,
    guide::OPERATIONS,
    crate::events::OPERATIONS,
    statements::OPERATIONS,
    security::OPERATIONS,
];

/// The operation of a method at a path as the router has it.
pub(crate) fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLES.iter().copied().flatten().find(|operation| operation.path == path && operation.method == method.as_str())
}

/// The operation that a request asks for.
pub(crate) fn asked(request: &Request) -> Option<&'static Operation> {
    let path = request.extensions().get::<MatchedPath>()?;
    operation(request.method(), path.as_str())
}

/// Lets a request of a program through: only if it takes what is answered, and, where it changes something, once.
pub(crate) async fn run(web: &Web, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(ROOT) {
        return next.run(request).await;
    }
    let Some(operation) = asked(&request) else {
        // Nothing is there, or nothing that takes this method: the router says which.
        return next.run(request).await;
    };
    if !takes(request.headers(), operation.answer.media()) {
        return Failure::NotAcceptable.into_response();
    }
    if operation.keyed() { keyed::run(web, operation, request, next).await } else { next.run(request).await }
}

/// Whether a program takes an answer of this media type; one that names none takes everything.
fn takes(headers: &HeaderMap, media: &str) -> bool {
    let mut asked = headers.get_all(header::ACCEPT).iter().peekable();
    if asked.peek().is_none() {
        return true;
    }
    let (kind, _) = media.split_once('/').unwrap_or((media, ""));
    asked.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && (name == "*/*" || name == media || name.strip_suffix("/*") == Some(kind))
    })
}

/// A typed answer.
pub(crate) type Answered<T> = Result<Json<T>, Failure>;

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_a_program_takes_is_read_from_its_header() {
        let table = [
            ("*/*", true),
            ("application/json", true),
            ("application/*;q=0.5", true),
            ("text/html, application/json;q=0.9", true),
            ("text/html", false),
            ("application/json;q=0", false),
            ("APPLICATION/JSON", true),
            ("", false),
        ];
        for (accept, expected) in table {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(takes(&headers, "application/json"), expected, "{accept}");
        }
        assert!(takes(&HeaderMap::new(), "application/json"));
    }
}
