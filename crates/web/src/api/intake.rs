//! What programs send, with the place of what is wrong with it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Web;
use crate::failure::Failure;

/// A body of JSON: objects of plain values and of objects. None of ours has an array, and serde would read one as an object
/// whose members stand in their order; so an array anywhere is refused.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Sent<T>, Failure> {
        if !is_json(request.headers()) {
            return Err(Failure::MediaType);
        }
        let bytes = Bytes::from_request(request, web).await.map_err(|_| Failure::TooLarge)?;
        let wrong = |fault: serde_json::Error| Failure::MalformedAt(fault.to_string());
        let content = serde_json::from_slice(&bytes).map_err(wrong)?;
        match array_in(&serde_json::from_slice(&bytes).map_err(wrong)?) {
            Some(place) => Err(Failure::MalformedAt(format!("{place}: an array, and none is expected"))),
            None => Ok(Sent(content)),
        }
    }
}

/// Where the first array stands, if there is one: `body`, `body.member`.
fn array_in(value: &Value) -> Option<String> {
    let mut waiting = vec![("body".to_owned(), value)];
    while let Some((place, value)) = waiting.pop() {
        if value.is_array() {
            return Some(place);
        }
        let members = value.as_object().into_iter().flatten();
        waiting.extend(members.map(|(name, member)| (format!("{place}.{name}"), member)));
    }
    None
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_array_is_found_wherever_it_stands() {
        let table = [
            (json!([1000]), Some("body")),
            (json!({ "a": { "b": [] } }), Some("body.a.b")),
            (json!({ "a": { "b": 1 }, "c": "[1]" }), None),
            (json!(null), None),
        ];
        for (value, place) in table {
            assert_eq!(array_in(&value).as_deref(), place, "{value}");
        }
    }
}
