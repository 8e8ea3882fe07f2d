//! What the sandbox received and sent of late, for people to look at; secrets and payers are left out.

use std::collections::VecDeque;

use axum::http::Uri;
use ledger::Micros;
use serde_json::{Value, json};

use crate::beijing;

const KEPT: usize = 200;
const LONGEST_SHOWN: usize = 4_000;
const LEFT_OUT: &str = "***";

/// Members and parameters that are never shown.
const SECRETS: [&str; 16] = [
    "secret",
    "appsecret",
    "access_token",
    "refresh_token",
    "code",
    "ticket",
    "token",
    "openid",
    "touser",
    "bank_account",
    "real_name",
    "ciphertext",
    "signature",
    "paySign",
    "payer_client_ip",
    "echostr",
];

/// The latest exchanges; nothing that outlives a restart.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    latest: VecDeque<Exchange>,
}

/// One call and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) at: Micros,
    pub(crate) direction: Direction,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) asked: String,
    pub(crate) told: Told,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Answer { status: u16, body: String },
    Nothing,
}

impl Exchange {
    /// A call of the merchant's.
    pub(crate) fn came_in(at: Micros, method: &str, uri: &Uri, body: &[u8], told: Told) -> Exchange {
        let target = shown_target(uri.path(), uri.query());
        Exchange {
            at,
            direction: Direction::In,
            method: method.to_owned(),
            target,
            asked: shown(body),
            told: told.shown(),
        }
    }

    /// A notice to the merchant.
    pub(crate) fn went_out(at: Micros, url: &str, body: &[u8], told: Told) -> Exchange {
        Exchange {
            at,
            direction: Direction::Out,
            method: "POST".to_owned(),
            target: url.to_owned(),
            asked: shown(body),
            told: told.shown(),
        }
    }

    /// For a program.
    pub(crate) fn json(&self) -> Value {
        let (status, answer) = match &self.told {
            Told::Answer { status, body } => (Some(status), Some(body)),
            Told::Nothing => (None, None),
        };
        json!({
            "at": beijing::rfc3339(self.at),
            "direction": if self.direction == Direction::In { "in" } else { "out" },
            "method": self.method,
            "target": self.target,
            "request": self.asked,
            "status": status,
            "answer": answer,
        })
    }
}

impl Told {
    fn shown(self) -> Told {
        match self {
            Told::Answer { status, body } => Told::Answer { status, body: shown(body.as_bytes()) },
            Told::Nothing => Told::Nothing,
        }
    }
}

impl Traffic {
    /// Notes an exchange; the oldest gives way.
    pub(crate) fn add(&mut self, exchange: Exchange) {
        if self.latest.len() >= KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(exchange);
    }

    /// The exchanges, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Exchange> {
        self.latest.iter().rev()
    }
}

/// A body as it may be shown: JSON without its secrets, other text cut short.
pub(crate) fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(mut value) => {
            hide(&mut value);
            serde_json::to_string_pretty(&value).unwrap_or_default()
        }
        Err(_) => text.into_owned(),
    };
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                // An errcode's `code` is a word of the protocol; only a code in a request is a secret, and those are
                // parameters.
                let secret = SECRETS.contains(&name.as_str()) && name != "code";
                if secret && !member.is_object() {
                    *member = Value::from(LEFT_OUT);
                } else {
                    hide(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// A path and query without secrets.
pub(crate) fn shown_target(path: &str, query: Option<&str>) -> String {
    let Some(query) = query else { return path.to_owned() };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if SECRETS.contains(&name) => format!("{name}={LEFT_OUT}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_payers_are_left_out_wherever_they_stand() {
        let body = br#"{"payer":{"openid":"o1"},"resource":[{"ciphertext":"x"}],"code":"PARAM_ERROR","total":5}"#;
        let text = shown(body);
        assert!(!text.contains("o1") && !text.contains("\"x\""), "{text}");
        assert!(text.contains("PARAM_ERROR") && text.contains('5'), "{text}");
        let target = shown_target("/sns/oauth2/access_token", Some("appid=wx1&secret=s&code=c"));
        assert_eq!(target, "/sns/oauth2/access_token?appid=wx1&secret=***&code=***");
    }

    #[test]
    fn long_bodies_are_cut_and_old_exchanges_give_way() {
        assert_eq!(shown("长".repeat(5_000).as_bytes()).chars().count(), LONGEST_SHOWN + 1);
        let mut traffic = Traffic::default();
        for number in 0..=KEPT {
            let told = Told::Answer { status: 204, body: String::new() };
            let url = format!("http://127.0.0.1/{number}");
            traffic.add(Exchange::went_out(Micros::from_seconds(1), &url, b"", told));
        }
        assert_eq!(traffic.newest_first().count(), KEPT);
        assert_eq!(traffic.newest_first().next().map(|one| one.target.as_str()), Some("http://127.0.0.1/200"));
    }
}
