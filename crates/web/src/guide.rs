//! The guide for holders, made from the settings in force, and the table of channels (R41, R91).
//!
//! Everyone may read it, also without signing in. What is said stands in `guide/`; this file shows it.

mod chapters;
mod content;
mod own_texts;
mod print;
mod told;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use rules::channel::terms;
use rules::limits::Limits;
use serde_json::{Value, json};

pub use content::{Block, Chapter, Facts, Guide};
pub use own_texts::{OwnTexts, TextFault};
pub use print::{document, html, text};

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
use crate::text::iso;
use crate::visit::Visit;

/// Where a school's service centre is found; what is not configured is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Place, in Chinese and in English.
    pub place: Option<(String, String)>,
    /// Hours, in Chinese and in English.
    pub hours: Option<(String, String)>,
    /// Telephone.
    pub phone: Option<String>,
    /// Mail.
    pub email: Option<String>,
}

/// What a campus says in the guide beside the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuideConfig {
    /// The service centre.
    pub service: Service,
    /// Texts of its own.
    pub texts: OwnTexts,
}

#[derive(Template)]
#[template(path = "guide.html")]
struct ContentsPage {
    frame: Frame,
    guide: Guide,
}

#[derive(Template)]
#[template(path = "guide_chapter.html")]
struct ChapterPage {
    frame: Frame,
    chapter: Chapter,
    before: Option<Chapter>,
    after: Option<Chapter>,
}

#[derive(Template)]
#[template(path = "guide_all.html")]
struct WholePage {
    frame: Frame,
    guide: Guide,
    address: String,
}

/// `GET /help`: the contents list.
pub(crate) async fn contents(State(web): State<Web>, visit: Visit) -> Result<Response, Failure> {
    let guide = guide(&web, &visit).await?;
    let frame = Frame::new(&web, &visit, visit.language.t("help-title")).below("/");
    Ok(page::html(&visit, StatusCode::OK, &ContentsPage { frame, guide }))
}

/// `GET /help/{topic}`: one chapter.
pub(crate) async fn chapter(
    State(web): State<Web>,
    visit: Visit,
    Path(topic): Path<String>,
) -> Result<Response, Failure> {
    let guide = guide(&web, &visit).await?;
    let (before, chapter, after) = guide.chapter(&topic).ok_or(Failure::NotFound)?;
    let mut frame = Frame::new(&web, &visit, visit.language.t("help-title")).below("/help");
    frame.title.clone_from(&chapter.title);
    let page = ChapterPage { frame, chapter: chapter.clone(), before: before.cloned(), after: after.cloned() };
    Ok(page::html(&visit, StatusCode::OK, &page))
}

/// `GET /help/all`: the whole guide on one page, to print.
pub(crate) async fn whole(State(web): State<Web>, visit: Visit) -> Result<Response, Failure> {
    let guide = guide(&web, &visit).await?;
    let frame = Frame::new(&web, &visit, visit.language.t("help-title")).below("/help");
    let address = web.config.address("/help");
    Ok(page::html(&visit, StatusCode::OK, &WholePage { frame, guide, address }))
}

/// `GET /help/guide.pdf`: the same to keep.
pub(crate) async fn pdf(State(web): State<Web>, visit: Visit) -> Result<Response, Failure> {
    let guide = guide(&web, &visit).await?;
    crate::document::pdf(&web, document(&guide), "campus-card-guide.pdf", "/help/all").await
}

/// `GET /api/v1/guide`
pub(crate) async fn json(State(web): State<Web>, visit: Visit) -> Result<Json<Value>, Failure> {
    let limits = flows::settings::limits(&web.school).await?;
    let guide = Guide::of(facts(&web, &visit, &limits), visit.language);
    let setting = |told: &told::Told| {
        let chapter = told.place.ok()?;
        let (name, value) = (told.setting.spec().name, limits.get(told.setting));
        Some(json!({ "name": name, "value": value, "chapter": chapter }))
    };
    Ok(Json(json!({
        "school": guide.school,
        "title": guide.title,
        "lead": guide.lead,
        "language": guide.language.tag(),
        "at": iso(web.school.now()),
        "settings": told::TOLD.iter().filter_map(setting).collect::<Vec<_>>(),
        "chapters": guide.chapters.iter().map(chapter_json).collect::<Vec<_>>(),
    })))
}

/// `GET /api/v1/channels`
pub(crate) async fn channels_json(State(web): State<Web>) -> Result<Json<Value>, Failure> {
    let limits = flows::settings::limits(&web.school).await?;
    let config = &web.config;
    let scenes = [("wechat", true), ("phone_browser", config.pay_in_phone_browser), ("code", config.pay_by_code)];
    let scenes: Vec<&str> = scenes.into_iter().filter(|(_, open)| *open).map(|(scene, _)| scene).collect();
    let channel = |terms: &rules::channel::Terms| {
        json!({
            "channel": content::channel_word(terms.channel),
            "arrival": content::arrival_word(terms.arrival),
            "least_fen": terms.least.get(),
            "per_order_fen": terms.per_order.get(),
            "per_day_fen": terms.a_day.map(ledger::Fen::get),
            "pay_within_seconds": terms.pay_within,
            "scenes": scenes,
        })
    };
    Ok(Json(json!({
        "at": iso(web.school.now()),
        "channels": terms(&limits).iter().map(channel).collect::<Vec<_>>(),
    })))
}

async fn guide(web: &Web, visit: &Visit) -> Result<Guide, Failure> {
    let limits = flows::settings::limits(&web.school).await?;
    Ok(Guide::of(facts(web, visit, &limits), visit.language))
}

fn facts<'a>(web: &'a Web, visit: &Visit, limits: &'a Limits) -> Facts<'a> {
    Facts {
        limits,
        at: web.school.now(),
        school: web.config.school_name(visit.language),
        service: &web.config.guide.service,
        texts: &web.config.guide.texts,
        pay_in_phone_browser: web.config.pay_in_phone_browser,
        pay_by_code: web.config.pay_by_code,
    }
}

fn chapter_json(chapter: &Chapter) -> Value {
    json!({
        "topic": chapter.topic,
        "title": chapter.title,
        "blocks": chapter.blocks.iter().map(block_json).collect::<Vec<_>>(),
    })
}

fn block_json(block: &Block) -> Value {
    match block {
        Block::Heading(text) => json!({ "kind": "heading", "text": text }),
        Block::Text(text) => json!({ "kind": "text", "text": text }),
        Block::Note(text) => json!({ "kind": "note", "text": text }),
        Block::Steps(items) => json!({ "kind": "steps", "items": items }),
        Block::Points(items) => json!({ "kind": "points", "items": items }),
        Block::Pairs(pairs) => {
            let pair = |(name, value): &(String, String)| json!({ "name": name, "value": value });
            json!({ "kind": "pairs", "pairs": pairs.iter().map(pair).collect::<Vec<_>>() })
        }
        Block::Table { head, rows } => json!({ "kind": "table", "head": head, "rows": rows }),
    }
}
