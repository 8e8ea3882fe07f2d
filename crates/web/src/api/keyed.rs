//! Changing calls have an `Idempotency-Key`: the same call again gets the same answer, status and body; the same key with
//! another call is refused. A key is its holder's own, whichever session or token brings it.
//!
//! Two things stand behind it. The handler's command is keyed, so nothing is done twice, whatever happens in between. And
//! the answer is kept (see [`flows::answered`]), so it is told again byte for byte. Calls under one key at the same time
//! take turns: one is answered, the others get its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flows::answered::{answer, keep};
use flows::rows::AnswerNote;
use ledger::{Id, Micros};

use super::operation::{Access, Operation};
use crate::config::Web;
use crate::failure::Failure;
use crate::router::LARGEST_BODY;
use crate::visit::Holder;

const HEADER: &str = "idempotency-key";
/// Says that an answer is told again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a program's call, as the sixteen bytes that forms have.
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) [u8; 16]);

impl FromRequestParts<Web> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Key, Failure> {
        read(&parts.headers).map(Key).ok_or(Failure::NoKey)
    }
}

/// 1 to 128 visible ASCII letters, once.
fn read(headers: &HeaderMap) -> Option<[u8; 16]> {
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?;
    if !(1..=128).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let hash = blake3::derive_key("onecard web idempotency key v1", text.as_bytes());
    hash.split_first_chunk().map(|(head, _)| *head)
}

/// Marks an answer to a call that changed nothing: it is not kept, so that whoever asks again and again fills no book.
#[derive(Clone, Copy)]
pub(crate) struct NothingChanged;

/// Calls that are being answered now, by holder and key.
#[derive(Default)]
pub(crate) struct Turns(Mutex<BTreeMap<(Id, [u8; 16]), Turn>>);

/// Whose turn it is holds the lock.
type Turn = Arc<tokio::sync::Mutex<()>>;

impl Turns {
    fn of(&self, place: (Id, [u8; 16])) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds or awaits a turn holds it twice; the rest is over.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(place).or_default())
    }
}

/// Answers a changing call, or tells what it was answered before.
///
/// Errors, in order: those of who asks; no key; the same key with other input. Whatever the
/// handler refuses is not kept: nothing was done, and the same call may go well later.
pub(crate) async fn run(web: &Web, operation: &Operation, request: Request, next: Next) -> Response {
    match answered(web, operation, request, next).await {
        Ok(answer) => answer,
        Err(failure) => failure.into_response(),
    }
}

async fn answered(web: &Web, operation: &Operation, request: Request, next: Next) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let owner = match operation.access {
        Access::Holder(_) | Access::SessionOnly => Holder::from_request_parts(&mut parts, web).await?.person.0,
        // No program of the school, and nobody unknown, changes anything.
        Access::School(_) | Access::Anyone => return Err(Failure::NotFound),
    };
    let key = read(&parts.headers).ok_or(Failure::NoKey)?;
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| Failure::TooLarge)?;
    let input = input(&parts, &body);
    let turn = web.turns.of((owner, key));
    let _mine = turn.lock().await;
    if let Some(told) = answer(&web.school, owner, key).await? {
        return again(told, input);
    }
    let fresh = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !fresh.status().is_success() || fresh.extensions().get::<NothingChanged>().is_some() {
        return Ok(fresh);
    }
    let (mut parts, body) = fresh.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Failure::Internal)?;
    let note = AnswerNote {
        owner,
        input,
        status: parts.status.as_u16(),
        location: parts.headers.get(header::LOCATION).and_then(|place| place.to_str().ok()).map(str::to_owned),
        body: String::from_utf8(body.to_vec()).map_err(|_| Failure::Internal)?,
        at: Micros::default(),
    };
    if let Err(why) = keep(&web.school, key, note).await {
        // It is done, and a repeat finds it done by its own key.
        tracing::warn!(%why, "an answer could not be kept");
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Hash of what is asked: method, path with query, content. Blanks and the order of members are no other input, and neither is
/// how the server is called: some requests name scheme and host in their address, and the same call may come that way next time.
fn input(parts: &Parts, body: &Bytes) -> [u8; 32] {
    let content = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => value.to_string().into_bytes(),
        Err(_) => body.to_vec(),
    };
    let mut hasher = blake3::Hasher::new_derive_key("onecard web call v1");
    let address = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    for part in [parts.method.as_str().as_bytes(), address.as_bytes(), &content] {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

fn again(told: AnswerNote, input: [u8; 32]) -> Result<Response, Failure> {
    if told.input != input {
        return Err(Failure::KeyConflict);
    }
    let status = StatusCode::from_u16(told.status).map_err(|_| Failure::Internal)?;
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut answer = (status, [kind, (REPLAYED, HeaderValue::from_static("true"))], told.body).into_response();
    if let Some(place) = told.location {
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&place).map_err(|_| Failure::Internal)?);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_key_is_visible_ascii_and_makes_one_form_key() {
        let key = |text: &'static str| {
            read(&HeaderMap::from_iter([(HeaderName::from_static(HEADER), HeaderValue::from_static(text))]))
        };
        assert!(key("0b3f6a52-7b1e-4b8a-9a51-0f3a4d2c1e00").is_some());
        assert_eq!(key("a"), key("a"));
        assert_ne!(key("a"), key("b"));
        assert_eq!(key(""), None);
        assert_eq!(key("a b"), None);
        assert_eq!(read(&HeaderMap::new()), None);
        let mut twice = HeaderMap::new();
        twice.append(HEADER, HeaderValue::from_static("a"));
        twice.append(HEADER, HeaderValue::from_static("b"));
        assert_eq!(read(&twice), None);
    }

    #[test]
    fn turns_that_are_over_are_forgotten() {
        let turns = Turns::default();
        let place = |at: u8| (Id::new(1), [at; 16]);
        let first = turns.of(place(1));
        assert!(Arc::ptr_eq(&first, &turns.of(place(1))));
        drop(first);
        let _second = turns.of(place(2));
        assert_eq!(turns.0.lock().expect("no test panics in here").len(), 1);
    }
}
