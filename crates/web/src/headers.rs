//! Headers that every answer carries.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::{Web, WebConfig};

/// Adds what an answer does not say itself.
pub(crate) async fn add(State(web): State<Web>, request: Request, next: Next) -> Response {
    let pay = request.uri().path().starts_with("/pay/");
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let referrer = if pay { "strict-origin-when-cross-origin" } else { "same-origin" };
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, referrer),
        (header::HeaderName::from_static("permissions-policy"), "camera=(self), geolocation=(), microphone=()"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy(&web.config, pay)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if web.config.base_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    answer
}

/// No inline script or style, no foreign host; a form on a pay page may lead to the cashiers in use.
fn policy(config: &WebConfig, pay: bool) -> String {
    let mut targets = "'self'".to_owned();
    for host in config.form_action_hosts.iter().filter(|_| pay) {
        targets.push(' ');
        targets.push_str(host);
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )
}
