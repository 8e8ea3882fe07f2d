//! The stable codes of refusals, with the status of each: those of every operation, and where the others' stand.

use axum::http::StatusCode;

use super::operation::{Access, Operation};
use crate::failure::status_of;

/// Codes that do not come from the rules, with their status.
pub(crate) const OWN: [(&str, u16); 24] = [
    ("SIGN_IN_REQUIRED", 401),
    ("TOKEN_INVALID", 401),
    ("PASSWORD_CHANGE_REQUIRED", 403),
    ("SCOPE_MISSING", 403),
    ("FOREIGN_ORIGIN", 403),
    ("FORM_STALE", 403),
    ("NOT_FOUND", 404),
    ("NOT_ALLOWED", 405),
    ("NOT_ACCEPTABLE", 406),
    ("MALFORMED", 400),
    ("IDEMPOTENCY_KEY", 400),
    ("BODY_TOO_SLOW", 408),
    ("IDEMPOTENCY_CONFLICT", 409),
    ("WECHAT_IDENTITY_NEEDED", 409),
    ("BODY_TOO_LARGE", 413),
    ("MEDIA_TYPE", 415),
    ("WECHAT_STATE", 403),
    ("WECHAT_REFUSED", 422),
    ("WECHAT_SILENT", 502),
    ("INTERNAL", 500),
    ("DEADLINE", 503),
    ("PROOF_REQUIRED", 403),
    ("RATE_LIMITED", 429),
    ("PDF_UNAVAILABLE", 503),
];

/// Every operation's.
const EVERY: [&str; 8] =
    ["RATE_LIMITED", "MALFORMED", "NOT_ACCEPTABLE", "INTERNAL", "BUSY", "SERVER_FULL", "STOPPING", "DEADLINE"];
/// Those of operations for holders.
const HOLDERS: [&str; 5] =
    ["SIGN_IN_REQUIRED", "TOKEN_INVALID", "PASSWORD_CHANGE_REQUIRED", "SCOPE_MISSING", "NOT_FOUND"];
/// Those of operations for programs of the school.
const SCHOOL: [&str; 2] = ["TOKEN_INVALID", "SCOPE_MISSING"];
/// Those of operations that change something.
const CHANGING: [&str; 5] = ["FOREIGN_ORIGIN", "BODY_TOO_LARGE", "BODY_TOO_SLOW", "MEDIA_TYPE", "AFTER_RESTORE"];
/// Those of operations whose answers are kept.
const KEYED: [&str; 2] = ["IDEMPOTENCY_KEY", "IDEMPOTENCY_CONFLICT"];

/// The status of a code.
pub(crate) fn status(code: &str) -> StatusCode {
    let own = OWN.iter().find(|(own, _)| *own == code).and_then(|(_, status)| StatusCode::from_u16(*status).ok());
    own.unwrap_or_else(|| status_of(code))
}

/// Whether a refusal with this status passes by itself: it says in `Retry-After` when to ask again.
pub(crate) const fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 503)
}

/// Every code that an operation can refuse with, with its status; in order, each once.
pub(crate) fn of(operation: &Operation) -> Vec<(u16, &'static str)> {
    let who: &[&str] = match operation.access {
        Access::Anyone => &[],
        Access::Holder(_) | Access::SessionOnly => &HOLDERS,
        Access::School(_) => &SCHOOL,
    };
    let changing: &[&str] = if operation.changes() { &CHANGING } else { &[] };
    let keyed: &[&str] = if operation.keyed() { &KEYED } else { &[] };
    let all = EVERY.iter().chain(who).chain(changing).chain(keyed).chain(operation.refusals);
    let mut codes: Vec<(u16, &'static str)> = all.map(|code| (status(code).as_u16(), *code)).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}
