//! The operator's side: act in the payer's place, watch what goes to and fro, throw the switches.

mod account;
mod bills;
mod orders;
mod state;
mod switches;
mod traffic;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::asked::By;
use crate::page::{self, Message};
use crate::sandbox::Sandbox;
use crate::text::Language;

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/control", get(orders::show))
        .route("/control/state", get(state::state))
        .route("/control/pay", post(orders::pay))
        .route("/control/refund", post(orders::settle_refund))
        .route("/control/switches", get(switches::show))
        .route("/control/switch", post(switches::set))
        .route("/control/notice", post(switches::set_notice))
        .route("/control/reset", post(switches::reset))
        .route("/control/traffic", get(traffic::show))
        .route("/control/bills", get(bills::show))
        .route("/control/bill", get(bills::download))
        .route("/control/funds", post(bills::move_funds))
        .route("/control/account", get(account::show))
}

/// `GET /`: the controls are the front door.
pub(crate) async fn home() -> Response {
    page::see_other("/control", StatusCode::SEE_OTHER)
}

/// Every switch.
const ALL: &str = "all";

#[derive(Deserialize)]
pub(crate) struct Visit {
    lang: Option<String>,
    /// What a form saved just now: a switch by its name, or [`ALL`] of them.
    saved: Option<String>,
}

/// Who asked, in which language, and the page that a form came from.
struct Desk<'a> {
    sandbox: &'a Sandbox,
    language: Language,
    by: By,
    page: &'static str,
}

impl Desk<'_> {
    fn back(&self) -> String {
        format!("{}?lang={}", self.page, self.language.tag())
    }

    fn done(&self, answer: Value) -> Response {
        match self.by {
            By::Program => Json(answer).into_response(),
            By::Page => page::see_other(&self.back(), StatusCode::SEE_OTHER),
        }
    }

    /// As `done`; a person who came from the page of switches is told there what was saved.
    fn saved(&self, answer: Value, name: &str) -> Response {
        if self.by == By::Program || self.page != switches::PAGE {
            return self.done(answer);
        }
        let place = if name == ALL { String::new() } else { format!("#switch-{name}") };
        page::see_other(&format!("{}&saved={name}{place}", self.back()), StatusCode::SEE_OTHER)
    }

    fn refuse(&self, status: StatusCode, code: &str, heading: &str, sentence: &str) -> Response {
        match self.by {
            By::Program => (status, Json(json!({ "error": code, "message": sentence }))).into_response(),
            By::Page => {
                let message = Message::new(heading, sentence).leading_to(self.back());
                page::message(self.sandbox, self.language, status, message)
            }
        }
    }

    fn malformed(&self, code: &str, sentence: &str) -> Response {
        self.refuse(StatusCode::BAD_REQUEST, code, self.language.words().malformed_title, sentence)
    }

    fn unsaved(&self) -> Response {
        let words = self.language.words();
        self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "unsaved", words.unsaved_title, words.unsaved)
    }
}

/// A program writes a number, a form text; the field of a form is there, perhaps empty, whatever was chosen.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Given(u32),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<u32> {
        match self {
            Number::Given(number) => Some(*number),
            Number::Text(text) => text.trim().parse().ok(),
        }
    }
}
