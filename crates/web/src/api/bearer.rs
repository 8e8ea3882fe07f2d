//! Programs that show an access token: `Authorization: Bearer oc_...`.
//!
//! A request that carries the header is judged by it alone: its cookies count for nothing, so it needs no origin either.
//! The token opens what the scope of the operation says, and nothing outside `/api/`.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use flows::credential;
use rules::credential::{Credential, Scope, Subject, parse};
use rules::ids::PersonId;

use super::operation::Access;
use super::{ROOT, operation};
use crate::config::Web;
use crate::failure::Failure;

/// Whether a request is judged by a token: under `/api/`, whenever it carries the header, whatever stands in it.
pub(crate) fn shown(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with(ROOT) && headers.contains_key(header::AUTHORIZATION)
}

/// The holder whose token asks, if the operation takes it.
///
/// Errors, in order: no operation at this path, or one that no token opens; no live token; a token of the school, or one
/// without the scope.
pub(crate) async fn holder(parts: &Parts, web: &Web) -> Result<PersonId, Failure> {
    let scope = match access(parts)? {
        Access::Holder(scope) => Some(scope),
        Access::Anyone | Access::SessionOnly | Access::School(_) => None,
    };
    let token = token(parts, web).await?;
    match (token.subject, scope) {
        (Subject::Person(person), Some(scope)) if token.opens(scope) => Ok(person),
        (_, scope) => Err(Failure::ScopeMissing { scope: scope.map(Scope::word) }),
    }
}

#[allow(dead_code, reason = "the school's events are answered to it")]
/// A program of the school, let in by a token of the school's with the operation's scope.
pub(crate) struct SchoolProgram {
    /// Its token.
    pub(crate) credential: Credential,
}

impl FromRequestParts<Web> for SchoolProgram {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<SchoolProgram, Failure> {
        let Access::School(scope) = access(parts)? else { return Err(Failure::NotFound) };
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(Failure::TokenInvalid);
        }
        let credential = token(parts, web).await?;
        if credential.subject == Subject::School && credential.opens(scope) {
            return Ok(SchoolProgram { credential });
        }
        Err(Failure::ScopeMissing { scope: Some(scope.word()) })
    }
}

fn access(parts: &Parts) -> Result<Access, Failure> {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    operation(&parts.method, path).map(|operation| operation.access).ok_or(Failure::NotFound)
}

async fn token(parts: &Parts, web: &Web) -> Result<Credential, Failure> {
    let secret = claimed(&parts.headers).ok_or(Failure::TokenInvalid)?;
    credential::look(&web.school, &secret).await?.ok_or(Failure::TokenInvalid)
}

/// The secret of the token that a request shows, whether or not there is such a token; none when what it shows has not the
/// form of one.
pub(crate) fn claimed(headers: &HeaderMap) -> Option<[u8; 32]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok().and_then(secret)
}

fn secret(value: &str) -> Option<[u8; 32]> {
    let (scheme, token) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { parse(token.trim()) } else { None }
}
