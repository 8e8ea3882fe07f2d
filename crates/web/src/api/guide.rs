//! The guide and the table of channels, for programs (R41, R91).

use axum::Json;
use axum::extract::State;
use ledger::Fen;
use rules::channel::terms;
use rules::top_up::Arrival;
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::{Access, Answer, Operation, shape};
use super::{Answered, Moment};
use crate::config::Web;
use crate::guide::{Block, Guide, facts, told};
use crate::visit::Visit;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/api/v1/guide",
        name: "guide",
        summary: "The guide for holders, made from the settings in force",
        detail: "In the language that the browser's choice or `Accept-Language` asks for.",
        access: Access::Anyone,
        query: None,
        input: None,
        answer: Answer::Found(shape::<Told>),
        refusals: &[],
    },
    Operation {
        method: "GET",
        path: "/api/v1/channels",
        name: "channels",
        summary: "Ways to top up, with their limits as they hold now",
        detail: "",
        access: Access::Anyone,
        query: None,
        input: None,
        answer: Answer::Found(shape::<Channels>),
        refusals: &[],
    },
];

/// The guide in one language.
#[derive(Serialize, ToSchema)]
pub(crate) struct Told {
    /// Name of the school.
    school: String,
    /// Title of the guide.
    title: String,
    /// From when it is, in words.
    lead: String,
    /// Its language, as `lang` attributes name it.
    language: &'static str,
    /// When it was made; the settings are those of this moment.
    at: Moment,
    /// Settings that the guide tells of.
    settings: Vec<Setting>,
    /// Its chapters, in order.
    chapters: Vec<Chapter>,
}

/// A setting that the guide tells of.
#[derive(Serialize, ToSchema)]
struct Setting {
    /// Its name.
    name: &'static str,
    /// What holds: fen, seconds, a count, or which of several choices.
    value: i64,
    /// The chapter that tells of it.
    chapter: &'static str,
}

/// A chapter.
#[derive(Serialize, ToSchema)]
struct Chapter {
    /// Its name in addresses: `/help/{topic}`.
    topic: &'static str,
    /// Its title.
    title: String,
    /// What it says, in order.
    parts: Vec<Part>,
}

/// A part of a chapter.
#[derive(Serialize, ToSchema)]
#[schema(as = GuidePart)]
struct Part {
    /// What it is.
    kind: Kind,
    /// The text of a heading, a paragraph or a note; empty for the others.
    text: String,
    /// Steps or points; titles of the columns of a table.
    items: Vec<String>,
    /// Rows of a table; of pairs, each a name and its value.
    rows: Vec<Vec<String>>,
}

/// What a part of a chapter is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// A heading within the chapter.
    Heading,
    /// A paragraph.
    Text,
    /// A paragraph to heed.
    Note,
    /// What is done one after the other.
    Steps,
    /// A list.
    Points,
    /// Names and values.
    Pairs,
    /// A table.
    Table,
}

/// Ways to top up.
#[derive(Serialize, ToSchema)]
pub(crate) struct Channels {
    /// When these hold.
    at: Moment,
    /// Every channel that is open.
    channels: Vec<Channel>,
}

/// A way to top up.
#[derive(Serialize, ToSchema)]
struct Channel {
    /// Which.
    channel: &'static str,
    /// When paid money can be spent.
    arrival: ArrivalWord,
    /// Least of an order.
    least_fen: i64,
    /// Most of an order.
    per_order_fen: i64,
    /// Most of a holder's orders of one day together; null without such a limit.
    per_day_fen: Option<i64>,
    /// How long an order can be paid.
    pay_within_seconds: i64,
    /// Where it can be paid: `wechat` inside WeChat, `phone_browser`, `code` on another screen.
    scenes: Vec<&'static str>,
}

/// When paid money can be spent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ArrivalWord {
    /// When the card was held to a terminal.
    Tap,
    /// At once.
    Instant,
}

/// `GET /api/v1/guide`
pub(crate) async fn whole(State(web): State<Web>, visit: Visit) -> Answered<Told> {
    let limits = flows::settings::limits(&web.school).await?;
    let facts = facts(&web, &visit, &limits);
    let guide = Guide::of(facts, visit.language);
    let setting = |told: &told::Told| {
        let (name, value) = (told.setting.spec().name, limits.get(told.setting));
        told.place.ok().map(|chapter| Setting { name, value, chapter })
    };
    let chapters = guide.chapters.into_iter().map(|chapter| Chapter {
        topic: chapter.topic,
        title: chapter.title,
        parts: chapter.blocks.into_iter().map(part).collect(),
    });
    Ok(Json(Told {
        school: guide.school,
        title: guide.title,
        lead: guide.lead,
        language: guide.language.tag(),
        at: Moment(facts.at),
        settings: told::TOLD.iter().filter_map(setting).collect(),
        chapters: chapters.collect(),
    }))
}

fn part(block: Block) -> Part {
    let (none, empty) = (String::new, Vec::new);
    let (kind, text, items, rows) = match block {
        Block::Heading(text) => (Kind::Heading, text, empty(), Vec::new()),
        Block::Text(text) => (Kind::Text, text, empty(), Vec::new()),
        Block::Note(text) => (Kind::Note, text, empty(), Vec::new()),
        Block::Steps(items) => (Kind::Steps, none(), items, Vec::new()),
        Block::Points(items) => (Kind::Points, none(), items, Vec::new()),
        Block::Pairs(pairs) => {
            (Kind::Pairs, none(), empty(), pairs.into_iter().map(|(name, value)| vec![name, value]).collect())
        }
        Block::Table { head, rows } => (Kind::Table, none(), head, rows),
    };
    Part { kind, text, items, rows }
}

/// `GET /api/v1/channels`
pub(crate) async fn channels(State(web): State<Web>) -> Answered<Channels> {
    let limits = flows::settings::limits(&web.school).await?;
    let config = &web.config;
    let scenes = [("wechat", true), ("phone_browser", config.pay_in_phone_browser), ("code", config.pay_by_code)];
    let scenes: Vec<&str> = scenes.into_iter().filter(|(_, open)| *open).map(|(scene, _)| scene).collect();
    let channels = terms(&limits).into_iter().map(|terms| Channel {
        channel: crate::guide::channel_word(terms.channel),
        arrival: match terms.arrival {
            Arrival::Tap => ArrivalWord::Tap,
            Arrival::Instant => ArrivalWord::Instant,
        },
        least_fen: terms.least.get(),
        per_order_fen: terms.per_order.get(),
        per_day_fen: terms.a_day.map(Fen::get),
        pay_within_seconds: terms.pay_within,
        scenes: scenes.clone(),
    });
    Ok(Json(Channels { at: Moment(web.school.now()), channels: channels.collect() }))
}
