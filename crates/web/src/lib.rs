//! Router, sessions, pages, API, device gateway and problem+json.
