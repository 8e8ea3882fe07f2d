//! Headers that every answer carries.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::config::{Web, WebConfig};

/// Adds what an answer does not say itself; `pay` for one of a pay page.
pub(crate) fn add(web: &Web, pay: bool, mut answer: Response) -> Response {
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
    let policy = if pay { &web.policies.pay } else { &web.policies.everywhere };
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    if web.config.base_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    answer
}

/// What browsers may do on our pages, written once.
pub(crate) struct Policies {
    everywhere: Option<HeaderValue>,
    pay: Option<HeaderValue>,
}

impl Policies {
    /// None where a cashier's address is no text of a header.
    pub(crate) fn of(config: &WebConfig) -> Policies {
        let of = |pay| HeaderValue::from_str(&policy(config, pay)).ok();
        Policies { everywhere: of(false), pay: of(true) }
    }
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
