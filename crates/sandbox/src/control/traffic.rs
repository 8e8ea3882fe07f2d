//! What was received and sent of late.

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Visit;
use crate::page::{self, Frame};
use crate::sandbox::Sandbox;
use crate::text::Language;
use crate::traffic::{Direction, Exchange, Told};

const PAGE: &str = "/control/traffic";

#[derive(Template)]
#[template(path = "traffic.html")]
struct TrafficPage<'a> {
    frame: Frame<'a>,
    exchanges: Vec<Row>,
}

struct Row {
    at: String,
    direction: &'static str,
    line: String,
    status: String,
    asked: String,
    answer: String,
}

/// `GET /control/traffic`: a page, or JSON for who accepts that.
pub(crate) async fn show(State(sandbox): State<Sandbox>, headers: HeaderMap, Query(visit): Query<Visit>) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.starts_with("application/json") {
        let all: Vec<Value> = sandbox.look(|records| records.traffic.newest_first().map(Exchange::json).collect());
        return Json(json!({ "exchanges": all })).into_response();
    }
    let language = Language::of(visit.lang.as_deref(), &headers);
    let frame = Frame::of_section(&sandbox, language, PAGE, language.words().traffic);
    let exchanges =
        sandbox.look(|records| records.traffic.newest_first().map(|one| row(one, language)).collect::<Vec<_>>());
    page::html(StatusCode::OK, &TrafficPage { frame, exchanges }, None)
}

fn row(exchange: &Exchange, language: Language) -> Row {
    let words = language.words();
    let (status, answer) = match &exchange.told {
        Told::Answer { status, body } => (status.to_string(), body.clone()),
        Told::Nothing => (words.no_answer.to_owned(), String::new()),
    };
    Row {
        at: language.time(exchange.at),
        direction: match exchange.direction {
            Direction::In => words.received,
            Direction::Out => words.sent,
        },
        line: format!("{} {}", exchange.method, exchange.target),
        status,
        asked: exchange.asked.clone(),
        answer,
    }
}
