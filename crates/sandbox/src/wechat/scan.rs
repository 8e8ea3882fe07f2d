//! The ways to the cashier that are not the merchant's page inside WeChat: a scanned code, and the H5 address.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::book::Ticket;
use super::cashier::{address, unknown, way_back};
use super::create::Scene;
use super::orders::of_code_url;
use crate::page::{self, Frame, Message};
use crate::sandbox::Sandbox;
use crate::text::Language;

#[derive(Deserialize)]
pub(crate) struct H5Visit {
    prepay_id: Option<String>,
    redirect_url: Option<String>,
    lang: Option<String>,
}

/// `GET /cgi-bin/mmpayweb-bin/checkmweb?prepay_id=&package=[&redirect_url=]`: opens the cashier.
///
/// Errors, in order: 400 for a return address on a foreign host, 404 for an unknown number, 410 after five minutes.
pub(crate) async fn h5(State(sandbox): State<Sandbox>, Query(visit): Query<H5Visit>, headers: HeaderMap) -> Response {
    let language = Language::of(visit.lang.as_deref(), &headers);
    let words = language.words();
    let Ok(target) = way_back(&sandbox, visit.redirect_url.as_deref()) else {
        let message = Message::new(words.redirect_title, words.redirect_refused);
        return page::message(&sandbox, language, StatusCode::BAD_REQUEST, message);
    };
    let (prepay_id, now) = (visit.prepay_id.unwrap_or_default(), sandbox.clock().now());
    let found = sandbox.look(|records| {
        let (order, _) = records.wechat.find(Ticket::Prepay(&prepay_id))?;
        (order.scene == Scene::H5).then(|| records.wechat.h5_lives(&prepay_id, now))
    });
    match found {
        None => unknown(&sandbox, language, target.as_ref()),
        Some(false) => {
            let message = Message::new(words.h5_expired, words.h5_expired_says).with_way_back(target.as_ref());
            page::message(&sandbox, language, StatusCode::GONE, message)
        }
        Some(true) => page::see_other(&address(&prepay_id, language, target.as_ref(), false), StatusCode::SEE_OTHER),
    }
}

#[derive(Deserialize)]
pub(crate) struct Scanned {
    code: Option<String>,
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "scan.html")]
struct ScanPage<'a> {
    frame: Frame<'a>,
}

/// `GET /scan?code=weixin://...`: what a phone's camera does; without a code, a field to put it into.
///
/// Errors: 404 for a code that this sandbox did not give.
pub(crate) async fn code(State(sandbox): State<Sandbox>, Query(asked): Query<Scanned>, headers: HeaderMap) -> Response {
    let language = Language::of(asked.lang.as_deref(), &headers);
    let words = language.words();
    let Some(code) = asked.code.filter(|code| !code.trim().is_empty()) else {
        let mut frame = Frame::new(&sandbox, language, words.scan);
        frame.elsewhere = Some(format!("/scan?lang={}", language.other().tag()));
        return page::html(StatusCode::OK, &ScanPage { frame }, None);
    };
    let prepay_id = of_code_url(&code).unwrap_or_default();
    let native = sandbox.look(|records| {
        records.wechat.find(Ticket::Prepay(prepay_id)).is_some_and(|(order, _)| order.scene == Scene::Native)
    });
    if native {
        page::see_other(&address(prepay_id, language, None, false), StatusCode::SEE_OTHER)
    } else {
        unknown(&sandbox, language, None)
    }
}
