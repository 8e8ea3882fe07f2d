//! The guide for holders, made from the settings in force, and the table of channels (R41, R91).
//!
//! Everyone may read it, also without signing in. What is said stands in `guide/`; this file shows it.

mod chapters;
mod content;
mod own_texts;
mod print;
pub(crate) mod told;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use rules::limits::Limits;

pub(crate) use content::channel_word;
pub use content::{Block, Chapter, Facts, Guide};
pub use own_texts::{OwnTexts, TextFault};
pub use print::{document, html, text};

use crate::config::Web;
use crate::failure::Failure;
use crate::page::{self, Frame};
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

async fn guide(web: &Web, visit: &Visit) -> Result<Guide, Failure> {
    let limits = flows::settings::limits(&web.school).await?;
    Ok(Guide::of(facts(web, visit, &limits), visit.language))
}

/// What the guide of this installation is made from.
pub(crate) fn facts<'a>(web: &'a Web, visit: &Visit, limits: &'a Limits) -> Facts<'a> {
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
