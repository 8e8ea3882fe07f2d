//! What programs send, with the place of what is wrong with it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::config::Web;
use crate::failure::Failure;

/// A body of JSON.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Sent<T>, Failure> {
        if !is_json(request.headers()) {
            return Err(Failure::MediaType);
        }
        let bytes = Bytes::from_request(request, web).await.map_err(|_| Failure::TooLarge)?;
        serde_json::from_slice(&bytes).map(Sent).map_err(|fault| Failure::MalformedAt(fault.to_string()))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What stands in the query.
pub(crate) struct Wanted<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Wanted<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Wanted<T>, Failure> {
        match Query::<T>::from_request_parts(parts, web).await {
            Ok(Query(wanted)) => Ok(Wanted(wanted)),
            Err(rejection) => Err(Failure::MalformedAt(format!("query: {}", rejection.body_text()))),
        }
    }
}
